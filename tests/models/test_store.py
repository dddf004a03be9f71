"""The catalogue and the store: names, records, reading, hashing."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_samples import TFLITE, onnx_bytes, sha256

from faceveil.detect.runtime import Runtime, session
from faceveil.errors import Exit, MissingExtra, RequestError
from faceveil.models import add, catalogue, kinds, store
from faceveil.models.catalogue import CATALOGUE, EMBEDDED


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of added models, absent at first; also for processes that a test starts."""
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "store"))
    return tmp_path / "store"


def put(home: Path, name: str, data: bytes, suffix: str = "onnx") -> Path:
    """As a user would copy a file there by hand: without a record."""
    (home / name).mkdir(parents=True)
    (home / name / f"model.{suffix}").write_bytes(data)
    return home / name / f"model.{suffix}"


# --- the catalogue --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=lambda entry: entry.name)
def test_an_entry_is_whole(entry: catalogue.Entry) -> None:
    store.expect_name(entry.name)
    assert entry.name not in EMBEDDED
    assert all((entry.what, entry.origin, entry.licence, entry.data))
    assert entry.terms.endswith(".")
    assert re.search(r"[Cc]ommercial|any use", entry.terms)
    assert entry.command.startswith(f"faceveil models add {entry.name}")
    assert len({file.suffix for file in entry.files}) == len(entry.files)
    for file in entry.files:
        assert file.suffix in kinds.SUFFIXES
        assert bool(file.sha256) == bool(file.bytes)
        assert not file.sha256 or re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert bool(file.member) == bool(entry.package)
        assert not entry.package or file.sha256
    for text in (entry.what, entry.origin, entry.licence, entry.terms, entry.data):
        assert text.isprintable()


def test_models_that_may_not_be_used_commercially_are_not_fetched_and_say_so() -> None:
    assert not any("68" in name for name in CATALOGUE)  # dlib's, trained on pictures that exclude commercial use
    for name, entry in CATALOGUE.items():
        if name.startswith("scrfd"):
            assert entry.package is None
            assert "Non-commercial" in entry.terms


def test_the_rooms_know_no_hosts() -> None:
    for file in Path(catalogue.__file__).parent.glob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"https?://[a-z]|\b[a-z-]+\.(com|org|net|io|ai)\b", text), file


def test_the_embedded_are_those_of_the_manifest() -> None:
    assert [model.name for model in store.embedded()] == list(EMBEDDED)


@pytest.mark.shared_data
def test_sums_are_those_of_the_files_that_people_have(shared: Path) -> None:
    files = [path for path in (shared / "weights").rglob("*") if path.suffix in (".onnx", ".tflite")]
    known = {file.sha256: file.bytes for entry in CATALOGUE.values() for file in entry.files}
    found = {sha256(path.read_bytes()): path for path in files}
    assert all(known[digest] == path.stat().st_size for digest, path in found.items() if digest in known)
    assert {path.name for digest, path in found.items() if digest not in known} == {"yunet_n_640_640.onnx"}


# --- names and files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a", "yunet-n", "scrfd-2.5g", "x_1", "a" * 64, "console"])
def test_names_that_are_taken(name: str) -> None:
    store.expect_name(name)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "A", "a/b", "../a", "a..b", "-a", "a-", ".work", "con", "nul.x", "a b", "é", "a\n", "a" * 65],
)
def test_names_that_are_not(name: str) -> None:
    for call in (store.expect_name, store.path, store.read, add.remove):
        with pytest.raises(RequestError, match="cannot be a model's name"):
            call(name)


@given(st.text(max_size=20))
def test_a_name_never_leaves_the_store(name: str) -> None:
    try:
        store.expect_name(name)
    except RequestError:
        return
    assert (store.folder() / name).resolve().parent == store.folder().resolve()


def test_the_packages_own_come_first_and_the_added_are_found(home: Path) -> None:
    assert store.path("centerface").parent == Path(store.__file__).parent
    put(home, "centerface", b"mine")
    assert store.path("centerface").parent == Path(store.__file__).parent
    mine = put(home, "mine", b"mine")
    (home / "mine" / "model.json").write_text("{}")
    assert store.path("mine") == mine
    assert store.read("mine") == b"mine"
    put(home, "ssd-res10", b"weights", "caffemodel")
    (home / "ssd-res10" / "model.prototxt").write_text("layer")
    assert store.path("ssd-res10").name == "model.caffemodel"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("yunet", "faceveil models add yunet --file FILE.onnx"),
        ("blazeface-short", "faceveil models add blazeface-short"),
        ("ssd-res10", "faceveil models add ssd-res10"),
        ("mine", "faceveil models add mine --file FILE"),
    ],
)
def test_what_is_missing_is_named_with_its_cure(name: str, hint: str) -> None:
    with pytest.raises(MissingExtra, match=f"the model '{name}' is not installed") as caught:
        store.path(name)
    assert caught.value.hint == hint
    assert caught.value.exit_code is Exit.MISSING_PART


def test_without_the_variable_the_platform_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(store.VARIABLE)
    assert "faceveil" in store.folder().parts
    assert store.folder().is_absolute()


# --- records --------------------------------------------------------------------------------------------------------


def test_embedded_models_are_listed_whole() -> None:
    for model in store.embedded():
        assert store.damage(model) == ""
        assert model.licence == "MIT"
        assert model.bytes > 10_000
        assert "WIDER FACE" in model.data


def test_what_was_added_is_read_back(home: Path, tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(onnx_bytes())
    added = add.from_files("mine", [tmp_path / "a.onnx"], licence="MIT, says a friend").model
    assert store.installed("mine") == added
    assert store.models()[-1] == added
    assert added.files == (store.Stored("model.onnx", sha256(onnx_bytes()), len(onnx_bytes())),)
    assert (added.licence, added.source, added.embedded) == ("MIT, says a friend", "file a.onnx", False)
    assert json.loads((home / "mine" / "model.json").read_text())["format"] == 1
    assert store.damage(added) == ""


def test_damage_is_named(home: Path, tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(onnx_bytes())
    model = add.from_files("mine", [tmp_path / "a.onnx"]).model
    file = home / "mine" / "model.onnx"
    file.write_bytes(onnx_bytes()[:-1] + b"\xff")
    assert re.fullmatch(f"model.onnx has SHA-256 [0-9a-f]+, must have {sha256(onnx_bytes())}", store.damage(model))
    file.unlink()
    assert store.damage(model) == "model.onnx is missing"


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"[]",
        b'{"format": 2}',
        b'{"files": {"../a": {"sha256": "%s", "bytes": 1}}, "source": "", "licence": "", "terms": "", "data": ""}'
        % (b"0" * 64),
        b'{"files": {"model.onnx": {"sha256": "00", "bytes": 1}}, "source": "", "licence": "", "terms": "","data": ""}',
        b'{"files": {"model.onnx": {"sha256": "%s", "bytes": 1}}, "source": "\\u001b[2J", "licence": "", "terms": "", '
        b'"data": ""}' % (b"0" * 64),
    ],
)
def test_records_that_say_nothing(home: Path, record: bytes) -> None:
    put(home, "mine", b"x")
    (home / "mine" / "model.json").write_bytes(record)
    (model,) = store.added()
    assert store.damage(model) == "its model.json cannot be read"


def test_a_model_without_a_record_and_other_things_in_the_folder(home: Path) -> None:
    put(home, "mine", b"x")
    (home / "empty").mkdir()
    (home / "Photos").mkdir()
    (home / "Photos" / "model.jpg").write_bytes(b"x")
    (home / "note").write_bytes(b"x")
    (model,) = store.added()
    assert model.name == "mine"
    assert store.damage(model) == "it has no model.json to compare with"


# --- sessions -------------------------------------------------------------------------------------------------------


def _run(name: str) -> float:
    made = session(name, Runtime(threads=1)).run(["y"], {"x": np.ones(64, np.float32)})
    return float(made[0][0])


def test_a_session_is_made_once_and_anew_for_a_replaced_model(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = put(home, "mine", onnx_bytes(2.0))
    one = session("mine", Runtime(threads=1))
    assert session("mine", Runtime(threads=1)) is one
    assert _run("mine") == 2
    before = file.stat()
    (tmp_path / "new").write_bytes(onnx_bytes(3.0))  # of the same length
    os.utime(tmp_path / "new", ns=(before.st_atime_ns, before.st_mtime_ns))
    (tmp_path / "new").replace(file)
    assert _run("mine") == 3
    time.sleep(0.02)  # a clock tick of the file system
    file.write_bytes(onnx_bytes(4.0))
    assert _run("mine") == 4
    put(tmp_path / "other", "mine", onnx_bytes(5.0))
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "other"))
    assert _run("mine") == 5
    shutil.rmtree(tmp_path / "other")
    with pytest.raises(MissingExtra, match="'mine' is not installed"):
        _run("mine")


def test_what_is_no_network_is_refused_in_words(home: Path) -> None:
    put(home, "points", TFLITE, "tflite")
    with pytest.raises(RequestError, match="'points' is no ONNX file but model.tflite"):
        session("points", Runtime())
    put(home, "broken", b"\x08\x08nonsense")
    with pytest.raises(MissingExtra, match="the model 'broken' cannot be loaded: .*models verify"):
        session("broken", Runtime())
