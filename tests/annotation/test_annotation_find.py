"""Which annotation is about which file: found where it is clear, an error where it is not."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from annotation_samples import labelled

from faceveil.annotation import Annotations, Labelled, locate, match, roots
from faceveil.errors import InputError


def _said(path: Path, *names: str, stem: bool = False) -> Annotations:
    pictures = tuple(Labelled(name, stem=stem) for name in names)
    return Annotations(path, "coco", pictures, (path.parent, path.parent / "images"))


def test_names_are_relative_to_the_annotations_or_the_inputs(tmp_path: Path) -> None:
    said = _said(tmp_path / "notes" / "f.json", "a.jpg", "sub/a.jpg", str(tmp_path / "far" / "c.jpg"))
    sources = [tmp_path / "in" / "a.jpg", tmp_path / "in" / "sub" / "a.jpg", tmp_path / "far" / "c.jpg"]
    matched = match(said, sources, [tmp_path / "in"])
    names = [found[0].name for found in matched.found.values() if not isinstance(found, InputError)]
    assert names == ["a.jpg", "sub/a.jpg", str(tmp_path / "far" / "c.jpg")]
    assert matched.left == ()


def test_a_name_alone_is_not_enough(tmp_path: Path) -> None:
    said = _said(tmp_path / "f.json", "a.jpg", "b.jpg")
    matched = match(said, [tmp_path / "in" / "sub" / "a.jpg"], [tmp_path / "in"])
    (found,) = matched.found.values()
    assert isinstance(found, InputError)
    assert str(found).endswith(
        f"a.jpg is not in {tmp_path / 'f.json'} — annotate it, if only with no face, or leave it out"
    )
    assert matched.left == ("a.jpg", "b.jpg")


def test_two_files_of_one_annotation_fail_both(tmp_path: Path) -> None:
    said = _said(tmp_path / "f.json", "a", stem=True)
    matched = match(said, [tmp_path / "a.jpg", tmp_path / "a.png"])
    assert all(isinstance(found, InputError) and "could both be 'a'" in str(found) for found in matched.found.values())


def test_two_annotations_of_one_file_fail(tmp_path: Path) -> None:
    said = _said(tmp_path / "f.json", "a.jpg", "images/a.jpg")
    (found,) = match(said, [tmp_path / "images" / "a.jpg"]).found.values()
    assert isinstance(found, InputError)
    assert "could be 'a.jpg' and 'images/a.jpg' of" in str(found) or "'images/a.jpg' and 'a.jpg'" in str(found)


def test_frames_of_one_file_stay_together(tmp_path: Path) -> None:
    pictures = tuple(labelled("c.gif", (8, 8), frame=frame) for frame in range(3))
    said = Annotations(tmp_path / "f.json", "coco", pictures, (tmp_path,))
    (found,) = match(said, [tmp_path / "c.gif"]).found.values()
    assert not isinstance(found, InputError)
    assert [one.frame for one in found] == [0, 1, 2]


def test_letters_with_accents_are_one_name_however_they_are_stored(tmp_path: Path) -> None:
    said = _said(tmp_path / "f.json", unicodedata.normalize("NFD", "ä.jpg"))
    (found,) = match(said, [tmp_path / unicodedata.normalize("NFC", "ä.jpg")]).found.values()
    assert not isinstance(found, InputError)


def test_pictures_are_located_with_or_without_suffix(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name in ("a.jpg", "images/b.PNG"):
        (tmp_path / name).write_bytes(b"")
    found = locate(_said(tmp_path / "f.json", "a", "b", "c", stem=True))
    assert [(one.name, path.name) for one, path in found] == [("a", "a.jpg"), ("b", "b.PNG")]
    assert [path.name for _, path in locate(_said(tmp_path / "f.json", "a.jpg", "d.jpg"))] == ["a.jpg"]


def test_roots_begin_with_the_folder_that_all_inputs_share(tmp_path: Path) -> None:
    (tmp_path / "x" / "y").mkdir(parents=True)
    (tmp_path / "z.jpg").write_bytes(b"")
    assert roots([tmp_path / "x", tmp_path / "z.jpg"]) == [tmp_path, tmp_path / "x"]
    assert roots([tmp_path / "x"]) == [tmp_path / "x"]
    assert roots([]) == []
    assert roots([tmp_path / "x" / "*.jpg"]) == [tmp_path / "x"]
    assert roots([tmp_path / "x" / "**" / "*.jpg"]) == [tmp_path / "x"]
    assert roots([tmp_path / "*" / "y" / "*.jpg", tmp_path / "x"]) == [tmp_path, tmp_path / "x"]


@pytest.mark.parametrize("name", ["../a.jpg", "./b/../a.jpg"])
def test_names_may_go_up(name: str, tmp_path: Path) -> None:
    said = _said(tmp_path / "notes" / "f.json", name)
    source = tmp_path / "a.jpg" if name.startswith("..") else tmp_path / "notes" / "a.jpg"
    (found,) = match(said, [source]).found.values()
    assert not isinstance(found, InputError)
