"""Labelled pictures: all formats give the same truth, and what is not clear is asked back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceveil.annotation import Labelled, files
from faceveil.errors import InputError, RequestError
from faceveil.evaluate.truth import every, load
from faceveil.types import Regions

SIZE = (64, 48)
BOXES = np.array([[8, 4, 24, 24], [32, 12, 48, 36]], np.float32)


def _picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", SIZE, "white").save(path)


def _dataset(folder: Path, format_: str) -> Path:
    """One picture with two faces and one without, in the shape that each format has on disk."""
    made = [
        Labelled("d/a.png", SIZE, Regions(BOXES, np.ones(2, np.float32))),
        Labelled("b.png", SIZE),
    ]
    names = {
        "coco": "annotations.json",
        "csv": "f.csv",
        "wider": "w_bbx_gt.txt",
        "yolo": "labels",
        "fiftyone": "l.json",
    }
    for one in made:
        _picture(folder / "images" / one.name)
    files.write(folder / names.get(format_, "labels.json"), made, format_)
    return folder


@pytest.mark.parametrize("format_", files.FORMATS)
def test_all_formats_give_the_same_truth(format_: str, tmp_path: Path) -> None:
    data = load(_dataset(tmp_path, format_))
    truths = {path.name: data.truth(at, SIZE) for at, (_, path) in enumerate(data.pictures)}
    assert np.allclose(truths["a.png"].xyxy, BOXES, atol=1e-3)
    assert truths["b.png"].xyxy.shape == (0, 4)
    assert (data.missing, data.labels) == ((), frozenset({"face"}))


def test_fddb_is_read_with_its_pictures(tmp_path: Path) -> None:
    _picture(tmp_path / "originalPics" / "2002" / "x.jpg")
    (tmp_path / "FDDB-folds").mkdir()
    (tmp_path / "FDDB-folds" / "FDDB-fold-01-ellipseList.txt").write_text("2002/x\n1\n10 5 0 20 20 1\n")
    data = load(tmp_path / "FDDB-folds")
    assert data.truth(0, SIZE).xyxy.tolist() == [[10, 15, 30, 25]]


def _coco(folder: Path, *labels: str) -> Path:
    _picture(folder / "a.png")
    content = {
        "images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "gone.png"}],
        "categories": [{"id": i, "name": label} for i, label in enumerate(labels)],
        "annotations": [{"image_id": 1, "category_id": i, "bbox": [4 * i, 4, 4, 4]} for i in range(len(labels))],
    }
    (folder / "a.json").write_text(json.dumps(content))
    return folder / "a.json"


def test_the_only_label_means_a_face(tmp_path: Path) -> None:
    data = load(_coco(tmp_path, "head"))
    assert (data.labels, data.found_labels) == (frozenset({"head"}), frozenset({"face"}))
    assert data.missing == ("gone.png",)


def test_of_several_labels_face_is_one(tmp_path: Path) -> None:
    data = load(_coco(tmp_path, "plate", "Face"))
    assert data.truth(0, SIZE).xyxy[:, 0].tolist() == [4]


def test_labels_may_be_chosen_and_must_be_where_none_is_a_face(tmp_path: Path) -> None:
    path = _coco(tmp_path, "with_mask", "without_mask", "plate")
    with pytest.raises(RequestError, match="has the labels plate, with_mask, without_mask: which mean a face. — --"):
        load(path)
    assert load(path, labels=["with_mask", "without_mask"]).truth(0, SIZE).xyxy[:, 0].tolist() == [0, 4]
    assert load(path, labels=["plate"]).found_labels == frozenset({"plate"})
    with pytest.raises(RequestError, match="nothing in .* is labelled 'hat' — known: plate, with_mask"):
        load(path, labels=["hat"])


def test_pictures_that_are_nowhere_are_asked_for(tmp_path: Path) -> None:
    path = _coco(tmp_path, "face")
    (tmp_path / "far").mkdir()
    (tmp_path / "a.png").rename(tmp_path / "far" / "a.png")
    with pytest.raises(RequestError, match="none of the 2 pictures of .* is there, such as 'a.png' — --images FOLDER"):
        load(path)
    assert load(path, images=tmp_path / "far").pictures[0][1] == tmp_path / "far" / "a.png"
    with pytest.raises(RequestError, match="there is no folder"):
        load(path, images=tmp_path / "nowhere")


def test_a_file_without_pictures_measures_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"images": []}')
    with pytest.raises(RequestError, match="names no picture: there is nothing to measure"):
        load(tmp_path / "a.json")


def test_frames_of_films_are_not_measured(tmp_path: Path) -> None:
    files.write(tmp_path / "a.json", [Labelled("c.mp4", SIZE, frame=0)], "coco")
    with pytest.raises(RequestError, match="is about frames of films, and pictures are measured"):
        load(tmp_path / "a.json")


def test_faces_without_area_are_ignored_and_another_size_is_refused(tmp_path: Path) -> None:
    path = _dataset(tmp_path, "coco") / "annotations.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["bbox"][2] = 0
    content["annotations"][1]["ignore"] = 1
    path.write_text(json.dumps(content))
    data = load(path, recall_only=["d/*"])
    truth = data.truth(0, SIZE)
    assert (truth.ignored.tolist(), truth.complete, data.truth(1, SIZE).complete) == ([True, True], False, True)
    with pytest.raises(InputError, match="a.png does not fit its annotation: images.0 is about 64 x 48 pixels, and"):
        data.truth(0, (48, 64))


def test_some_are_spread_evenly() -> None:
    assert every(range(10), 4) == [0, 3, 6, 9]
    assert every(range(3), 9) == [0, 1, 2]
    assert every(range(3), None) == [0, 1, 2]


@pytest.mark.shared_data
def test_the_test_data_is_all_there(shared: Path) -> None:
    data = load(shared / "detection", recall_only=["images/mask_*"])
    truths = [data.truth(at, said.size) for at, (said, _) in enumerate(data.pictures) if said.size]
    assert (len(truths), sum(truth.complete for truth in truths)) == (333, 273)
    assert sum(int((~truth.ignored).sum()) for truth in truths) == 3453
    assert sum(int(truth.ignored.sum()) for truth in truths) == 810
