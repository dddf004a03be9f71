"""Annotations come from anywhere: whatever is in them, it is read, or refused in one sentence with its place."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceveil.annotation import Labelled, base, files
from faceveil.errors import RequestError
from faceveil.types import Regions

IMAGE = {"id": 1, "file_name": "a.jpg", "width": 64, "height": 48}
FACE = {"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}


def _coco(**parts: object) -> str:
    content = {"images": [IMAGE], "annotations": [FACE], "categories": [{"id": 1, "name": "face"}]}
    return json.dumps({**content, **parts})


def _faces(**fields: object) -> str:
    return _coco(annotations=[FACE, {**FACE, **fields}])


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "f.json, line 1: is not JSON (Expecting property name enclosed in double quotes at column 2)"),
        ("[" * 100_000, "f.json: is not JSON (brackets or digits without end)"),
        ("[" + "9" * 5000 + "]", "f.json: is not JSON (brackets or digits without end)"),
        ("[]", "f.json: is neither COCO ('images', 'annotations') nor FiftyOne's ('labels')"),
        ("3", "is neither COCO"),
        (_coco(images=3), "f.json: 'images': input should be a valid list (got '3')"),
        (_coco(images=[{"id": 1}]), "f.json: 'images.0.file_name' is missing"),
        (_coco(images=[IMAGE, IMAGE]), "f.json, images.1: the id 1 is given twice"),
        (_coco(images=[IMAGE, {**IMAGE, "id": 2}]), "f.json, images.1: 'a.jpg' is annotated twice (first in images.0)"),
        (_coco(images=[{**IMAGE, "file_name": " "}]), "f.json, images.0: the name of the picture is missing"),
        (_coco(images=[{**IMAGE, "width": 0}]), "images.0: the size must be whole pixels from 1 to 1e+06, got 0 x 48"),
        (_coco(images=[{**IMAGE, "width": 6.5}]), "images.0: the size must be whole pixels from 1 to 1e+06, got 6.5 x"),
        (_coco(images=[{**IMAGE, "height": 1e300}]), "images.0: the size must be whole pixels from 1 to 1e+06, got"),
        (_faces(image_id=2), "f.json, annotations.1: there is no image with the id 2"),
        (_faces(category_id=2), "f.json, annotations.1: there is no category with the id 2"),
        (_faces(bbox=[1, 2, 3]), "'annotations.1.bbox': list should have at least 4 items"),
        (_faces(bbox=[1, 2, 3, "4"]), "'annotations.1.bbox.3': input should be a valid number (got '4')"),
        (_faces(bbox=[1, 2, 3, True]), "'annotations.1.bbox.3': input should be a valid number"),
        (_faces(bbox=[1, 2, 3, None]), "'annotations.1.bbox.3': input should be a valid number"),
        (_faces(bbox=[1, 2, 3, float("nan")]), "'annotations.1.bbox.3': input should be a finite number"),
        (_faces(bbox=[1, 2, 3, float("inf")]), "'annotations.1.bbox.3': input should be a finite number"),
        (_faces(bbox=[1, 2, 3, 10**400]), "annotations.1.bbox"),
        (
            _faces(bbox=[1, 2, 3, 1e308]),
            "f.json, annotations.1.bbox: the box must lie within 1e+06, got 1, 2, 4, 1e+308",
        ),
        (_faces(bbox=[1, 2, -3, 4]), "annotations.1.bbox: the box must not have negative sides, got -3 x 4"),
        (_faces(score=1.5), "'annotations.1.score': input should be less than or equal to 1 (got '1.5')"),
        (_faces(score="sure"), "'annotations.1.score': input should be a valid number"),
        (_faces(track_id=-1), "'annotations.1.track_id': input should be greater than or equal to 0"),
        (_faces(pose=[1]), "'annotations.1.pose"),
        ('{"labels": {"a": [{"label": "face", "bounding_box": [0, 0, 9, 9]}]}}', "'labels.a.0.bounding_box.2'"),
        (
            '{"labels": {"a": [{"label": "face", "bounding_box": [0, 0, -1, 1]}]}}',
            "labels.a: the box must not have neg",
        ),
        ('{"labels": {"a": [{"label": 3, "bounding_box": [0, 0, 1, 1]}]}}', "labels.a: there is no class 3"),
        ('{"labels": []}', "f.json: 'labels': input should be a valid dictionary"),
    ],
)
def test_wrong_json_is_named(content: str, complaint: str, tmp_path: Path) -> None:
    _expect(tmp_path / "f.json", content, complaint)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("a.jpg", "f.txt, line 1: the file ends where the number of faces of 'a.jpg' should be"),
        ("a.jpg\nx\n", "f.txt, line 2: the number of faces must be a whole number, got 'x'"),
        ("a.jpg\n-1\n", "f.txt, line 2: the number of faces must be a whole number, got '-1'"),
        ("a.jpg\n" + "9" * 5000, "f.txt, line 2: the number of faces must be a whole number, got '99"),
        ("a.jpg\n9999999999\n1 2 3 4\n", "line 1: 'a.jpg' has 9999999999 faces, and the file ends before the last"),
        ("a.jpg\n1\n1 2 3\n", "f.txt, line 3: a face is 4 or 10 numbers, got 3"),
        ("a.jpg\n1\n1 2 3 nan\n", "f.txt, line 3: a column must be a number, got 'nan'"),
        ("a.jpg\n1\n1 2 3 1e309\n", "f.txt, line 3: a column must be a number, got '1e309'"),
        ("a.jpg\n1\n1 2 -3 4\n", "f.txt, line 3: the box must not have negative sides"),
        ("a.jpg\n0\na.jpg\n0\n", "f.txt, line 3: 'a.jpg' is annotated twice (first in line 1)"),
        ("a\n1\n1 2 3 4 5 6 7\n", "f.txt, line 3: an ellipse is 5 numbers and a 1, got 7 columns"),
        ("a\n1\n-1 2 3 4 5\n", "f.txt, line 3: the radii must not be negative, got -1 and 2"),
        ("a\n1\n1e308 1e308 1 4 5\n", "f.txt, line 3: the box must lie within 1e+06"),
    ],
)
def test_wrong_lists_are_named(content: str, complaint: str, tmp_path: Path) -> None:
    _expect(tmp_path / "f.txt", content, complaint)


HEAD = "file,width,height,x1,y1,x2,y2,score\n"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "f.csv, line 1: there is no column 'file' — known: file, frame, width"),
        ("file,x1,y1,x2\n", "f.csv, line 1: there is no column 'y2'"),
        (HEAD + "a.jpg,,,1,2,3,x,\n", "f.csv, line 2: y2 must be a number, got 'x'"),
        (HEAD + "a.jpg,,,1,2,3,,\n", "f.csv, line 2: y2 must be a number, got ''"),
        (HEAD + 'a.jpg,,,"1,5",2,3,4,\n', "f.csv, line 2: x1 must be a number, got '1,5'"),
        (HEAD + "a.jpg,,,3,2,1,4,\n", "f.csv, line 2: the box must not have negative sides"),
        (HEAD + "a.jpg,,,1,2,3,4,2\n", "f.csv, line 2: the score must be from 0 to 1, got 2"),
        (HEAD + "a.jpg,64,,1,2,3,4,\n", "f.csv, line 2: height must be a number, got ''"),
        (HEAD + ",,,1,2,3,4,\n", "f.csv, line 2: the name of the picture is missing"),
        (HEAD + "a.jpg,64,48,1,2,3,4,\na.jpg,48,64,1,2,3,4,\n", "line 3: 'a.jpg' has another size here than in line 2"),
        (HEAD + "a.jpg,,,,,,,\na.jpg,,,1,2,3,4,\n", "line 3: 'a.jpg' is annotated with no face and with faces"),
        (HEAD + "a.jpg,,,1,2,3,4,\na.jpg,,,,,,,\n", "line 3: 'a.jpg' is annotated with no face and with faces"),
        (HEAD + "a" * 200_000 + ",,,1,2,3,4,\n", "f.csv, line 2: is not CSV"),
    ],
)
def test_wrong_tables_are_named(content: str, complaint: str, tmp_path: Path) -> None:
    _expect(tmp_path / "f.csv", content, complaint)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("0 0.5 0.5 0.1\n", "a.txt, line 1: a box is 'class x y width height [score]', got 4 columns"),
        ("0 0.1 0.1 0.2 0.2 0.3 0.3 0.1 0.1\n", "a.txt, line 1: a box is 'class x y width height [score]', got 9"),
        ("\n0 0.5 0.5 0.1 -0.1\n", "a.txt, line 2: the box must not have negative sides"),
        ("0 5 0.5 0.1 0.1\n", "a.txt, line 1: the box must lie within 3"),
        ("0 0.5 0.5 0.1 nan\n", "a.txt, line 1: a place must be a number, got 'nan'"),
        ("0.5 0.5 0.5 0.1 0.1\n", "a.txt, line 1: the class must be a whole number, got '0.5'"),
        ("0 0.5 0.5 0.1 0.1 7\n", "a.txt, line 1: the score must be from 0 to 1, got 7"),
    ],
)
def test_wrong_labels_are_named(content: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    _expect(tmp_path / "labels" / "a.txt", content, complaint, of=tmp_path)


def _expect(path: Path, content: str, complaint: str, of: Path | None = None) -> None:
    path.write_text(content, encoding="utf-8")
    with pytest.raises(RequestError) as caught:
        files.read(of or path)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(path))


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("none.json", "there is no '"),
        ("notes.md", "is no annotation file — known: a COCO"),
        ("empty", "holds no annotations — known: a COCO"),
        ("two", "holds several annotation files (a.json, b.json) — name one of them"),
        ("latin.json", "it is not UTF-8 text"),
        ("classes", "names: the classes must be a list, or numbers with names"),
    ],
)
def test_what_is_no_annotation_file_is_refused(name: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("hello")
    (tmp_path / "latin.json").write_bytes(b'{"\xe4": 1}')
    for folder in ("empty", "two", "classes/labels"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("a.json", "b.json"):
        (tmp_path / "two" / file).write_text(_coco())
    (tmp_path / "classes" / "labels" / "a.txt").write_text("0 0.5 0.5 0.1 0.1")
    (tmp_path / "classes" / "data.yaml").write_text("names: 3")
    with pytest.raises(RequestError) as caught:
        files.read(tmp_path / name)
    assert complaint in str(caught.value)


def test_a_file_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "BYTE_CAP", 10)
    _expect(tmp_path / "f.csv", HEAD, "f.csv have more than 0 MiB")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_ENTRY = st.dictionaries(
    st.sampled_from([*IMAGE, *FACE, "score", "frame", "track_id", "ignore", "name", "blur", "label", "bounding_box"]),
    st.sampled_from([*IMAGE.values(), *FACE.values(), [0, 0, 1, 1], "face"]) | _JSON,
)


@given(
    content=st.fixed_dictionaries(
        {},
        optional={
            "images": st.lists(_ENTRY, max_size=3) | _JSON,
            "annotations": st.lists(_ENTRY, max_size=3) | _JSON,
            "categories": st.lists(_ENTRY, max_size=2) | _JSON,
            "labels": st.dictionaries(st.text(max_size=4), st.lists(_ENTRY, max_size=2) | _JSON, max_size=3) | _JSON,
            "classes": _JSON,
        },
    )
)
def test_any_json_is_annotations_or_a_request_error(content: Any, tmp_path: Path) -> None:
    _read_or_refused(tmp_path / "f.json", json.dumps(content).encode())


_TOKENS = st.sampled_from(
    "a.jpg b 0 1 2 0.5 -1 nan inf 1e999 99999999999 face \n \n \n , ; file x1 y1 x2 y2 score frame width".split(" ")
)


@given(
    name=st.sampled_from(["f.csv", "f.txt", "labels/a.txt", "f.json"]),
    words=st.lists(_TOKENS, max_size=40),
    tail=st.binary(max_size=40),
)
def test_any_text_is_annotations_or_a_request_error(name: str, words: list[str], tail: bytes, tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir(exist_ok=True)
    _read_or_refused(tmp_path / name, " ".join(words).encode() + tail)


def _read_or_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with suppress(RequestError):
        for one in files.read(path.parent if path.parent.name == "labels" else path).pictures:
            assert np.isfinite(one.regions.xyxy).all()
            with suppress(ValueError):
                one.in_pixels((64, 48))


# --- against the picture


@pytest.mark.parametrize(
    ("box", "complaint"),
    [
        ((64, 0, 70, 10), "has a box outside of the picture of 64 x 48 pixels (64, 0, 70, 10)"),
        ((-9, 0, 0, 10), "has a box outside"),
        ((0, 48, 10, 60), "has a box outside"),
        ((-65, 0, 10, 10), "has a box outside"),
        ((0, 0, 10, 97), "has a box outside"),
        ((-5, -5, 70, 60), ""),
        ((63, 47, 64, 48), ""),
        ((70, 70, 70, 70), ""),  # without area: ignored by those who measure, refused by those who cover
    ],
)
def test_boxes_must_lie_in_their_picture(box: tuple[float, ...], complaint: str) -> None:
    said = Labelled("a.jpg", None, Regions(np.array([box], np.float32), np.ones(1, np.float32)))
    if not complaint:
        assert said.in_pixels((64, 48)).regions.xyxy.tolist() == [list(box)]
        return
    with pytest.raises(ValueError, match="has a box outside") as caught:
        said.in_pixels((64, 48))
    assert complaint in str(caught.value)


def test_another_size_is_said_and_a_turned_one_too() -> None:
    said = Labelled("a.jpg", (48, 64))
    with pytest.raises(ValueError, match=r"is about 48 x 64 pixels, and the picture has 64 x 48 upright, turned$"):
        said.in_pixels((64, 48))
    with pytest.raises(ValueError, match=r"is about 48 x 64 pixels, and the picture has 65 x 48 upright$"):
        said.in_pixels((65, 48))
