"""What is read and written is decided before anything starts; no two writes meet, no output is read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from faceveil.dataset.inputs import collect
from faceveil.errors import RequestError


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `in` with two pictures (one in a subfolder), a text file, a hidden file and a nameless picture."""
    monkeypatch.chdir(tmp_path)
    for name in ("in/a.jpg", "in/sub/b.PNG", "in/notes.txt", "in/.hidden.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"text")
    (tmp_path / "in/nameless").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(32))
    return tmp_path


def _pairs(*inputs: str, output: str | None = None) -> dict[str, str]:
    found = collect(inputs, Path(output) if output else None)
    return {str(task.source): str(task.output) for task in found.tasks}


def test_a_file_is_written_beside_itself(tree: Path) -> None:
    assert _pairs("in/a.jpg") == {"in/a.jpg": "in/a_veiled.jpg"}


def test_a_folder_keeps_its_tree(tree: Path) -> None:
    inside = {"a.jpg", "nameless", "sub/b.PNG"}
    assert _pairs("in") == {f"in/{name}": f"in_veiled/{name}" for name in inside}
    assert _pairs("in", output="out") == {f"in/{name}": f"out/{name}" for name in inside}
    assert sorted(p.name for p in collect(["in"]).ignored) == [".hidden.jpg", "notes.txt"]


def test_several_inputs_go_side_by_side_as_cp_does(tree: Path) -> None:
    assert _pairs("in/sub", "in/a.jpg", output="out") == {"in/sub/b.PNG": "out/sub/b.PNG", "in/a.jpg": "out/a.jpg"}


def test_one_file_goes_to_a_file_or_a_folder(tree: Path) -> None:
    assert _pairs("in/a.jpg", output="x.jpeg") == {"in/a.jpg": "x.jpeg"}
    assert _pairs("in/a.jpg", output="x") == {"in/a.jpg": "x/a.jpg"}
    (tree / "folder.d").mkdir()
    assert _pairs("in/a.jpg", output="folder.d") == {"in/a.jpg": "folder.d/a.jpg"}
    with pytest.raises(RequestError, match=r"'x.png' would be another format than 'a.jpg'.*name it x.jpg"):
        collect(["in/a.jpg"], Path("x.png"))


def test_patterns(tree: Path) -> None:
    assert _pairs("in/**/*.PNG") == {"in/sub/b.PNG": "in/sub/b_veiled.PNG"}
    with pytest.raises(RequestError, match=r"nothing matches 'in/\*.bmp'"):
        collect(["in/*.bmp"])


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tree: Path) -> None:
    (tree / "in/[1].jpg").write_bytes(b"")
    assert _pairs("in/[1].jpg") == {"in/[1].jpg": "in/[1]_veiled.jpg"}


def test_what_is_not_there(tree: Path) -> None:
    with pytest.raises(RequestError, match="there is no 'nowhere.jpg'"):
        collect(["in/a.jpg", "nowhere.jpg"])


def test_outputs_never_feed_back(tree: Path) -> None:
    (tree / "in/a_veiled.jpg").write_bytes(b"")
    (tree / "in/sub_veiled").mkdir()
    (tree / "in/sub_veiled/b.PNG").write_bytes(b"")
    (tree / "in/out").mkdir()
    (tree / "in/out/a.jpg").write_bytes(b"")
    found = collect(["in"], Path("in/out"))
    assert sorted(task.source.name for task in found.tasks) == ["a.jpg", "b.PNG", "nameless"]
    assert [path.name for path in found.outputs] == ["a_veiled.jpg"]
    assert _pairs("in/*.jpg") == {"in/a.jpg": "in/a_veiled.jpg"}
    # Named alone, it is meant.
    assert _pairs("in/a_veiled.jpg") == {"in/a_veiled.jpg": "in/a_veiled_veiled.jpg"}


def test_two_inputs_never_write_one_output(tree: Path) -> None:
    with pytest.raises(RequestError, match="would both be written to 'out/a.jpg'"):
        (tree / "a.jpg").write_bytes(b"")
        collect(["in/a.jpg", "a.jpg"], Path("out"))
    (tree / "in/A.JPG").write_bytes(b"")
    with pytest.raises(RequestError, match="would both be written"):  # one file where case does not count
        collect(["in"])


def test_the_same_file_named_twice_is_done_once(tree: Path) -> None:
    assert len(collect(["in/a.jpg", "in/../in/a.jpg"]).tasks) == 1


def test_originals_are_never_outputs(tree: Path) -> None:
    with pytest.raises(RequestError, match="is an input and would be written over"):
        collect(["in"], Path("in"))
    with pytest.raises(RequestError, match="is an input and would be written over"):
        collect(["in/a.jpg"], Path("in/a.jpg"))
    assert {(t.source, t.output) for t in collect(["in/a.jpg"], in_place=True).tasks} == {
        (Path("in/a.jpg"), Path("in/a.jpg"))
    }
    with pytest.raises(RequestError, match="leave --output out"):
        collect(["in"], Path("out"), in_place=True)


def test_a_file_cannot_hold_several_pictures(tree: Path) -> None:
    with pytest.raises(RequestError, match="must be a folder"):
        collect(["in"], Path("in/notes.txt"))


def test_links_to_folders_are_not_followed(tree: Path) -> None:
    (tree / "in/sub/loop").symlink_to(tree / "in", target_is_directory=True)
    assert len(collect(["in"]).tasks) == 3


def test_the_current_folder_has_a_name_to_derive_from(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree / "in")
    assert str(collect(["."]).tasks[0].output) == str(tree / "in_veiled" / "a.jpg")
