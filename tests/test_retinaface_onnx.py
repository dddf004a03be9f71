"""The converter of RetinaFace's checkpoints: against PyTorch itself, on its real weights and on random ones."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from faceveil.models import add
from faceveil.models.catalogue import CATALOGUE
from tools import retinaface_onnx

torch = pytest.importorskip("torch", reason="needs PyTorch, which only this converter uses: pip install torch==2.13.0")

ROOT = Path(__file__).resolve().parent.parent
SIZES = [(256, 320), (100, 77), (33, 45)]  # also sides that are not halved without a remainder
Network = Callable[[Any], list[Any]]


def _batch_norm(state: dict[str, Any], x: Any, name: str) -> Any:
    parts = [state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
    return torch.nn.functional.batch_norm(x, *parts, False, 0.0, 1e-5)


def _conv(state: dict[str, Any], x: Any, kernel: str, norm: str, stride: int = 1, leak: float | None = None) -> Any:
    weight = state[f"{kernel}.weight"]
    depthwise = weight.shape[1] == 1 and weight.shape[2] == 3
    x = torch.nn.functional.conv2d(x, weight, None, stride, weight.shape[2] // 2, 1, len(weight) if depthwise else 1)
    x = _batch_norm(state, x, norm)
    return x if leak is None else torch.nn.functional.leaky_relu(x, leak)


def _mobilenet(state: dict[str, Any], x: Any) -> Iterator[Any]:
    for stage, strides in (("stage1", "212121"), ("stage2", "211111"), ("stage3", "21")):
        for i, stride in enumerate(strides):
            name = f"body.{stage}.{i}"
            x = _conv(state, x, f"{name}.0", f"{name}.1", int(stride), 0.1)
            if (stage, i) != ("stage1", 0):
                x = _conv(state, x, f"{name}.3", f"{name}.4", 1, 0.1)
        yield x


def _resnet50(state: dict[str, Any], x: Any) -> Iterator[Any]:
    x = _conv(state, x, "body.conv1", "body.bn1", 2, 0.0)
    x = torch.nn.functional.max_pool2d(x, 3, 2, 1)
    for stage, blocks in enumerate((3, 4, 6, 3), 1):
        for i in range(blocks):
            name, stride = f"body.layer{stage}.{i}", 2 if i == 0 and stage > 1 else 1
            beside = _conv(state, x, f"{name}.downsample.0", f"{name}.downsample.1", stride) if i == 0 else x
            x = _conv(state, x, f"{name}.conv1", f"{name}.bn1", 1, 0.0)
            x = _conv(state, x, f"{name}.conv2", f"{name}.bn2", stride, 0.0)
            x = torch.relu(_conv(state, x, f"{name}.conv3", f"{name}.bn3") + beside)
        if stage > 1:
            yield x


def reference(state: dict[str, Any], backbone: Callable[..., Iterator[Any]], leak: float) -> Network:
    """RetinaFace of these arrays, by PyTorch's own operations."""

    def conv(x: Any, name: str, slope: float | None) -> Any:
        return _conv(state, x, f"{name}.0", f"{name}.1", 1, slope)

    def network(x: Any) -> list[Any]:
        a, b, c = (conv(level, f"fpn.output{i}", leak) for i, level in enumerate(backbone(state, x), 1))
        b = conv(b + torch.nn.functional.interpolate(c, size=b.shape[2:], mode="nearest"), "fpn.merge2", leak)
        a = conv(a + torch.nn.functional.interpolate(b, size=a.shape[2:], mode="nearest"), "fpn.merge1", leak)
        found: dict[str, list[Any]] = {"BboxHead": [], "ClassHead": [], "LandmarkHead": []}
        for i, level in enumerate((a, b, c)):
            ssh = f"ssh{i + 1}"
            half = conv(level, f"{ssh}.conv5X5_1", leak)
            seven = conv(conv(half, f"{ssh}.conv7X7_2", leak), f"{ssh}.conv7x7_3", None)
            parts = [conv(level, f"{ssh}.conv3X3", None), conv(half, f"{ssh}.conv5X5_2", None), seven]
            seen = torch.relu(torch.cat(parts, 1))
            for head, rows in found.items():
                name = f"{head}.{i}.conv1x1"
                made = torch.nn.functional.conv2d(seen, state[f"{name}.weight"], state[f"{name}.bias"])
                rows.append(made.permute(0, 2, 3, 1).reshape(1, -1, made.shape[1] // 2))
        boxes, scores, points = (torch.cat(rows, 1) for rows in found.values())
        return [boxes.numpy(), torch.softmax(scores, -1).numpy(), points.numpy()]

    return network


def _compare(session: Any, network: Network, sizes: Sequence[tuple[int, int]] = SIZES) -> None:
    for height, width in sizes:
        x = (np.random.default_rng(height).random((1, 3, height, width)) * 255 - 110).astype(np.float32)
        ours = session.run(["loc", "conf", "landmarks"], {"input": x})
        for mine, theirs in zip(ours, network(torch.from_numpy(x)), strict=True):
            assert mine.shape == theirs.shape
            assert np.abs(mine - theirs).max() < 1e-4 * max(1.0, np.abs(theirs).max())


@pytest.fixture(scope="module")
def checkpoint(shared: Path) -> Path:
    return shared / "weights" / "retinaface" / "mobilenet0.25_Final.pth"


@pytest.mark.shared_data
def test_the_mobilenet_is_what_pytorch_computes(checkpoint: Path) -> None:
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    made = retinaface_onnx.build(retinaface_onnx.load(checkpoint)).SerializeToString(deterministic=True)
    _compare(onnxruntime.InferenceSession(made), reference(state, _mobilenet, 0.1))


@pytest.mark.shared_data
def test_the_tool_writes_the_file_that_the_catalogue_knows(
    checkpoint: Path, tmp_path: Path, portrait: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEVEIL_MODELS", str(tmp_path / "store"))
    command = [sys.executable, "-m", "tools.retinaface_onnx", str(checkpoint), str(tmp_path / "retinaface.onnx")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "mobilenet0.25_Final.pth as published" in done.stdout
    assert CATALOGUE["retinaface-mobilenet"].files[0].sha256 in done.stdout
    model = add.from_files("retinaface-mobilenet", [tmp_path / "retinaface.onnx"]).model
    session = onnxruntime.InferenceSession(model.folder / "model.onnx")
    with Image.open(portrait) as opened:
        pixels = np.asarray(opened.convert("RGB"))[..., ::-1].astype(np.float32) - np.array([104, 117, 123], np.float32)
    scores = session.run(["conf"], {"input": np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])})[0][0, :, 1]
    assert scores.max() > 0.99
    centres = [
        (x + stride / 2, y + stride / 2)
        for stride in (8, 16, 32)
        for y in range(0, 512, stride)
        for x in range(0, 512, stride)
        for _anchor in range(2)
    ]
    assert len(centres) == len(scores)
    x, y = centres[scores.argmax()]
    assert 178 < x < 270  # the face's box is 178, 56, 270, 176
    assert 56 < y < 176


def _random(state: dict[str, Any], name: str, *shape: int) -> None:
    random = torch.Generator().manual_seed(len(state))
    state[f"{name}.weight"] = torch.randn(shape, generator=random) / np.sqrt(np.prod(shape[1:]))


def _random_norm(state: dict[str, Any], name: str, channels: int) -> None:
    random = torch.Generator().manual_seed(len(state))
    for part in ("weight", "running_var"):
        state[f"{name}.{part}"] = torch.rand(channels, generator=random) + 0.5
    for part in ("bias", "running_mean"):
        state[f"{name}.{part}"] = torch.randn(channels, generator=random) * 0.1
    state[f"{name}.num_batches_tracked"] = torch.tensor(1)


def _random_resnet50() -> dict[str, Any]:
    """A checkpoint of the right shapes."""
    state: dict[str, Any] = {}

    def conv(kernel: str, norm: str, out: int, into: int, side: int) -> None:
        _random(state, kernel, out, into, side, side)
        _random_norm(state, norm, out)

    conv("body.conv1", "body.bn1", 64, 3, 7)
    into = 64
    for stage, (blocks, inner) in enumerate(zip((3, 4, 6, 3), (64, 128, 256, 512), strict=True), 1):
        for i in range(blocks):
            name = f"body.layer{stage}.{i}"
            conv(f"{name}.conv1", f"{name}.bn1", inner, into, 1)
            conv(f"{name}.conv2", f"{name}.bn2", inner, inner, 3)
            conv(f"{name}.conv3", f"{name}.bn3", 4 * inner, inner, 1)
            if i == 0:
                conv(f"{name}.downsample.0", f"{name}.downsample.1", 4 * inner, into, 1)
            into = 4 * inner
    for i, channels in enumerate((512, 1024, 2048), 1):
        conv(f"fpn.output{i}.0", f"fpn.output{i}.1", 256, channels, 1)
        if i < 3:
            conv(f"fpn.merge{i}.0", f"fpn.merge{i}.1", 256, 256, 3)
        for part, out, inside in (
            ("conv3X3", 128, 256),
            ("conv5X5_1", 64, 256),
            ("conv5X5_2", 64, 64),
            ("conv7X7_2", 64, 64),
            ("conv7x7_3", 64, 64),
        ):
            conv(f"ssh{i}.{part}.0", f"ssh{i}.{part}.1", out, inside, 3)
        for head, width in (("BboxHead", 8), ("ClassHead", 4), ("LandmarkHead", 20)):
            _random(state, f"{head}.{i - 1}.conv1x1", width, 256, 1, 1)
            state[f"{head}.{i - 1}.conv1x1.bias"] = torch.zeros(width)
    return state


def test_resnet50_is_what_pytorch_computes_on_random_weights(tmp_path: Path) -> None:
    state = _random_resnet50()
    torch.save({f"module.{name}": array for name, array in state.items()}, tmp_path / "r.pth")
    made = retinaface_onnx.build(retinaface_onnx.load(tmp_path / "r.pth")).SerializeToString()
    _compare(onnxruntime.InferenceSession(made), reference(state, _resnet50, 0.0), SIZES[1:])


class _Harm:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (Path("harmed"),)


def test_what_is_no_such_checkpoint_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    state = _random_resnet50()
    torch.save({"a": _Harm()}, "harm.pth")
    Path("cut.pth").write_bytes(Path("harm.pth").read_bytes()[:100])
    torch.save([1, 2], "list.pth")
    for name, said in (("harm", "holds more than arrays"), ("cut", "damaged"), ("list", "no list of arrays")):
        with pytest.raises(retinaface_onnx.ConvertError, match=said):
            retinaface_onnx.load(Path(f"{name}.pth"))
    assert not Path("harmed").exists()
    arrays = {name: array.numpy() for name, array in state.items()}
    with pytest.raises(retinaface_onnx.ConvertError, match="holds more than the network: extra.weight"):
        retinaface_onnx.build({**arrays, "extra.weight": np.zeros(1)})
    del arrays["ssh1.conv3X3.0.weight"]
    with pytest.raises(retinaface_onnx.ConvertError, match=r"has no ssh1.conv3X3.0.weight"):
        retinaface_onnx.build(arrays)
