"""Sets of labelled pictures: which layouts are read, and what is said of those that cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from faceveil.errors import RequestError
from faceveil.evaluate.utility.labelled import FEWEST, beside, load


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(path)
    return path


def classes(root: Path, *names: str, count: int = FEWEST) -> Path:
    for name in names:
        for i in range(count):
            picture(root / name / f"{i}.png")
    return root


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    picture(classes(tmp_path, "cats", "dogs") / "stray.png")
    (tmp_path / "cats" / "notes.txt").write_text("no picture")
    data = load(tmp_path)
    assert data.names == ("cats", "dogs")
    assert len(data.pictures) == 2 * FEWEST
    assert not data.split
    assert data.left_out == ((str(tmp_path / "stray.png"), "lies beside the folders of classes"),)


def test_the_layout_of_imagenet_has_its_own_split(tmp_path: Path) -> None:
    classes(tmp_path / "train", "cats", "dogs")
    classes(tmp_path / "val", "cats", "dogs", count=2)
    data = load(tmp_path)
    assert data.split
    assert sum(bool(one.tested) for one in data.pictures) == 4
    assert {one.label for one in data.pictures} == {"cats", "dogs"}


def test_a_table_of_files_and_labels(tmp_path: Path) -> None:
    classes(tmp_path, "a", "b")
    rows = [f"{name}/{i}.png,{name.upper()},{'val' if i < 2 else 'train'}" for name in "ab" for i in range(FEWEST)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label,split", *rows]))
    data = load(tmp_path / "labels.csv")
    assert data.names == ("A", "B")
    assert sum(bool(one.tested) for one in data.pictures) == 4


def test_a_field_of_coco(tmp_path: Path) -> None:
    classes(tmp_path / "images", "a", "b")
    said = [{"id": 1, "file_name": f"{n}/{i}.png", "event": n} for n in "ab" for i in range(FEWEST)]
    said += [{"id": 2, "file_name": "a/0.png", "event": None}]
    (tmp_path / "f.json").write_text(json.dumps({"images": said}))
    data = load(tmp_path / "f.json", field="event", images=tmp_path / "images")
    assert data.names == ("a", "b")
    assert len(data.pictures) == 2 * FEWEST
    with pytest.raises(RequestError, match="which field holds the label\\? — --label NAME, of event"):
        load(tmp_path / "f.json")
    with pytest.raises(RequestError, match="no picture of .* has a field 'scene'"):
        load(tmp_path / "f.json", field="scene")


def test_small_classes_are_left_out_and_named(tmp_path: Path) -> None:
    classes(classes(tmp_path, "a", "b"), "rare", count=FEWEST - 1)
    data = load(tmp_path)
    assert data.names == ("a", "b")
    assert len(data.left_out) == FEWEST - 1
    assert data.left_out[0][1] == "is of the class 'rare', which is too small"


def test_what_another_tool_made_is_found_by_its_name(tmp_path: Path) -> None:
    root = classes(classes(tmp_path / "in", "a", count=FEWEST + 1), "b")
    for path in sorted(root.rglob("*.png"))[1:]:
        picture(tmp_path / "out" / path.relative_to(root).with_name(f"{path.stem}_anonymized.jpg"))
    data = beside(load(root), root, tmp_path / "out")
    assert all(one.made[0].is_file() for one in data.pictures)
    assert (str(root / "a" / "0.png"), f"has no picture in '{tmp_path / 'out'}'") in data.left_out


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("f.csv", "name,kind\na,b\n", "line 2: it needs the columns file and label"),
        ("f.csv", "file,label\ngone.png,a\n", "1 of the 1 pictures of .* are not there"),
        ("f.csv", "file,label\n", "has 0 classes of at least 6 pictures"),
        ("f.json", "[", "is no COCO file"),
        ("f.json", '{"images": [{"id": 1}]}', "is no COCO file"),
        ("f.json", '{"images": 3}', "is no COCO file"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, name: str, content: str, said: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(RequestError, match=said):
        load(tmp_path / name, field="event")


def test_one_class_and_no_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="has 1 classes"):
        load(classes(tmp_path, "only"))
    with pytest.raises(RequestError, match="there is no"):
        load(tmp_path / "gone")
