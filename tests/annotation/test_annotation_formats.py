"""Annotation files: what is written is read back, as the golden files say it, and by its owner alone."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import numpy as np
import pytest
from annotation_samples import GOLDEN, labelled, pictures
from hypothesis import given
from hypothesis import strategies as st

from faceveil.annotation import Labelled, fddb, files
from faceveil.errors import OutputError, RequestError
from faceveil.types import Regions

HERE = Path(__file__).parent / "golden"
NAMES = {"coco": "faces.json", "csv": "faces.csv", "wider": "wider.txt", "yolo": "labels", "fiftyone": "fiftyone.json"}
FAR = {"coco": 0.011, "csv": 0.011, "wider": 1.0, "yolo": 0.01, "fiftyone": 0.01}
"""How far a side may move, in pixels: hundredths are written, WIDER rounds outward, six digits of 5,000 px."""


def _written(folder: Path, made: list[Labelled] | tuple[Labelled, ...], format_: str, *, scores: bool = True) -> Path:
    path = folder / NAMES[format_]
    files.write(path, made, format_, scores=scores, made_by="a test", overwrite=True)
    return path


def _files(path: Path) -> dict[str, bytes]:
    if path.is_file():
        return {path.name: path.read_bytes()}
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}


@pytest.mark.parametrize("format_", files.FORMATS)
def test_the_golden_files_are_what_is_written(format_: str, tmp_path: Path) -> None:
    assert _files(_written(tmp_path, GOLDEN, format_)) == _files(HERE / NAMES[format_])


def test_every_format_has_a_golden_file() -> None:
    assert set(NAMES) == set(files.FORMATS)


@pytest.mark.parametrize("format_", files.FORMATS)
@given(made=pictures())
def test_what_is_written_is_read_back(format_: str, made: list[Labelled], tmp_path: Path) -> None:
    read = files.read(_written(tmp_path, made, format_)) if made or format_ != "wider" else None
    if read is None:
        return  # an empty list of WIDER's says nothing of its kind
    by_name = {one.name: one for one in read.pictures}
    assert len(by_name) == len(made)
    for one in made:
        again = by_name[one.name.removesuffix(".jpg") if format_ in ("yolo", "fiftyone") else one.name]
        assert one.size is not None
        assert again.size == (one.size if format_ in ("coco", "csv") else None)
        regions = again.in_pixels(one.size).regions
        assert np.abs(regions.xyxy - one.regions.xyxy).max(initial=0) <= FAR[format_]
        if format_ == "wider":
            assert (regions.xyxy[:, :2] <= one.regions.xyxy[:, :2]).all()
            assert (regions.xyxy[:, 2:] >= one.regions.xyxy[:, 2:]).all()
        else:
            assert np.abs(regions.score - one.regions.score).max(initial=0) < 1e-4
            assert regions.labels.tolist() == one.regions.labels.tolist()


@pytest.mark.parametrize("format_", sorted(set(files.FORMATS) - {"wider"}))
def test_scores_can_be_left_out(format_: str, tmp_path: Path) -> None:
    read = files.read(_written(tmp_path, GOLDEN, format_, scores=False))
    assert all((one.regions.score == 1).all() for one in read.pictures)


@pytest.mark.parametrize("format_", ["coco", "csv"])
def test_frames_and_tracks_of_a_film_are_read_back(format_: str, tmp_path: Path) -> None:
    regions = Regions(
        np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.float32), np.ones(2, np.float32), track=np.array([4, 1])
    )
    made = [Labelled("clip.mp4", (64, 48), regions, frame=0), Labelled("clip.mp4", (64, 48), frame=1)]
    read = files.read(_written(tmp_path, made, format_))
    assert [(one.name, one.frame) for one in read.pictures] == [("clip.mp4", 0), ("clip.mp4", 1)]
    assert read.pictures[0].regions.track is not None
    assert read.pictures[0].regions.track.tolist() == [4, 1]


def test_coco_calls_a_frame_after_its_file_and_number(tmp_path: Path) -> None:
    path = _written(tmp_path, [labelled("clip.mp4", (64, 48), frame=12)], "coco")
    (image,) = json.loads(path.read_text())["images"]
    assert image == {"id": 1, "file_name": "clip.mp4#12", "width": 64, "height": 48, "frame": 12}


def test_a_picture_may_have_a_name_like_a_frame(tmp_path: Path) -> None:
    (read,) = files.read(_written(tmp_path, [labelled("clip.mp4#12", (64, 48))], "coco")).pictures
    assert (read.name, read.frame) == ("clip.mp4#12", None)


@pytest.mark.parametrize("format_", ["yolo", "wider", "fiftyone"])
def test_formats_without_frames_refuse_films(format_: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=f"'clip.mp4' has several frames, for which {format_} has no place — write"):
        _written(tmp_path, [labelled("clip.mp4", (64, 48), frame=0)], format_)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("format_", ["yolo", "fiftyone"])
def test_pictures_that_one_name_would_stand_for_are_refused(format_: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=f"'a.jpg' and 'a.png' have one name in {format_}"):
        _written(tmp_path, [labelled("a.jpg"), labelled("a.png")], format_)


def test_the_list_of_classes_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"'classes.txt' and 'classes.jpg' have one name in yolo"):
        _written(tmp_path, [labelled("classes.jpg")], "yolo")


@pytest.mark.parametrize("format_", files.FORMATS)
def test_annotations_are_their_owners_alone(format_: str, tmp_path: Path) -> None:
    path = _written(tmp_path, GOLDEN, format_)
    modes = {stat.S_IMODE(file.stat().st_mode) for file in [path, *path.rglob("*")] if file.is_file()}
    assert modes == {0o600}
    folders = {stat.S_IMODE(one.stat().st_mode) for one in [path, *path.rglob("*")] if one.is_dir()}
    assert folders <= {0o700}


@pytest.mark.parametrize("format_", files.FORMATS)
def test_corrections_are_not_written_over(format_: str, tmp_path: Path) -> None:
    path = tmp_path / NAMES[format_]
    files.write(path, GOLDEN, format_)
    before = _files(path)
    with pytest.raises(RequestError, match="is there already, perhaps with corrections — --overwrite replaces it"):
        files.write(path, [labelled("z.jpg")], format_)
    assert _files(path) == before
    files.write(path, [labelled("z.jpg")], format_, overwrite=True)
    assert [one.name.removesuffix(".jpg") for one in files.read(path).pictures] == ["z"]
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_a_folder_with_other_files_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "thesis.doc").write_text("years of work")
    with pytest.raises(RequestError, match=r"'.*labels' holds other files than labels, such as 'thesis.doc'"):
        files.write(tmp_path / "labels", GOLDEN, "yolo", overwrite=True)
    assert (tmp_path / "labels" / "thesis.doc").exists()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="there is no such folder"):
        files.write(tmp_path / "none" / "labels", GOLDEN, "yolo")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("format_", ["csv", "wider", "yolo", "fiftyone"])
def test_names_that_are_no_text_are_refused_or_kept(format_: str, tmp_path: Path) -> None:
    made = [labelled("a\udcff.jpg", (64, 48), (1, 2, 3, 4))]
    if format_ in ("fiftyone", "yolo"):  # JSON escapes them; a file has such a name as well as the picture
        read = files.read(_written(tmp_path, made, format_))
        assert read.pictures[0].name == "a\udcff"
        return
    with pytest.raises(RequestError, match=f"a file name is no text, which {format_} cannot hold — write coco"):
        _written(tmp_path, made, format_)


# --- what other tools write


def test_coco_of_a_ground_truth(tmp_path: Path) -> None:
    face = {"id": 1, "image_id": "x", "category_id": 7, "bbox": [1, 2, 3, 4], "segmentation": [], "area": 12}
    content = {
        "categories": [{"id": 7, "name": "face", "supercategory": "thing"}],
        "images": [{"id": "x", "file_name": "d\\a.jpg", "license": 3}],
        "annotations": [
            {**face, "blur": 2, "occlusion": 0, "pose": 1, "difficulty": "hard", "ignore": 0},
            {**face, "iscrowd": 1, "occlusion": "half", "blur": None},
        ],
    }
    (tmp_path / "c.json").write_text(json.dumps(content))
    (one,) = files.read(tmp_path / "c.json").pictures
    assert (one.name, one.size, one.place) == ("d/a.jpg", None, "images.0")
    assert one.regions.xyxy.tolist() == [[1, 2, 4, 6]] * 2
    assert one.ignored.tolist() == [False, True]
    assert {key: words.tolist() for key, words in one.about.items()} == {
        "difficulty": ["hard", ""], "blur": ["heavy", ""], "occlusion": ["none", "half"], "pose": ["atypical", ""],
    }  # fmt: skip


def test_wider_as_it_is_shipped(tmp_path: Path) -> None:
    (tmp_path / "wider_face_val_bbx_gt.txt").write_text(
        "0--Parade/a.jpg\n2\n449 330 122 149 2 0 0 0 1 1 \n361 98 0 0 0 0 0 1 0 0 \n"
        "0--Parade/none.jpg\n0\n0 0 0 0 0 0 0 0 0 0 \nb.jpg\n1\n1 2 3 4\n"
    )
    read = files.read(tmp_path)
    first, none, last = read.pictures
    assert [one.name for one in read.pictures] == ["0--Parade/a.jpg", "0--Parade/none.jpg", "b.jpg"]
    assert first.regions.xyxy[0].tolist() == [449, 330, 571, 479]
    assert first.ignored.tolist() == [False, True]
    assert [first.about[key][0] for key in ("blur", "occlusion", "pose")] == ["heavy", "partial", "atypical"]
    assert len(none.regions) == 0
    assert last.about["blur"].tolist() == [""]
    assert last.place == "line 8"
    assert tmp_path.parent / "WIDER_val" / "images" in read.folders


def test_yolo_as_it_is_trained_with(tmp_path: Path) -> None:
    (tmp_path / "labels" / "train").mkdir(parents=True)
    (tmp_path / "labels" / "train" / "a.txt").write_text("1 0.5 0.5 0.2 0.4\n\n0 0.1 0.1 0.1 0.1 0.25\n")
    (tmp_path / "labels" / "none.txt").write_text("")
    (tmp_path / "data.yaml").write_text("names:\n  0: plate\n  1: face\n")
    for place in (tmp_path, tmp_path / "labels"):
        none, one = files.read(place).pictures
        assert (none.name, len(none.regions)) == ("none", 0)
        assert (one.name, one.regions.labels.tolist()) == ("train/a", ["face", "plate"])
        assert one.in_pixels((100, 50)).regions.xyxy.round(3).tolist()[0] == [40, 15, 60, 35]


def test_a_folder_of_texts_is_no_folder_of_labels(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("buy milk")
    with pytest.raises(RequestError, match="holds no annotations"):
        files.read(tmp_path)
    (tmp_path / "z.txt").write_text("0 0.5 0.5 0.25 1e-1\n")
    with pytest.raises(RequestError, match=r"notes.txt, line 1: a box is 'class x y width height \[score\]', got 2"):
        files.read(tmp_path)


def test_a_single_class_without_a_name_is_a_face(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("0 0.5 0.5 0.2 0.4\n")
    assert files.read(tmp_path).pictures[0].regions.labels.tolist() == ["face"]
    (tmp_path / "a.txt").write_text("1 0.5 0.5 0.2 0.4\n")
    with pytest.raises(RequestError, match="a.txt, line 1: class 1 is not among a single class without a classes.txt"):
        files.read(tmp_path)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_as_spreadsheets_write_it(separator: str, tmp_path: Path) -> None:
    rows = [["x1", "file", "y1", "x2", "y2", "note"], ["1", "a.jpg", "2", "3.5", "4", "hm"], ["", "b.jpg", *[""] * 4]]
    text = "\r\n".join(separator.join(row) for row in rows) + "\r\n"
    (tmp_path / "f.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    first, none = files.read(tmp_path / "f.csv").pictures
    assert first.regions.xyxy.tolist() == [[1, 2, 3.5, 4]]
    assert (none.name, len(none.regions)) == ("b.jpg", 0)


def test_fddb_as_it_is_shipped(tmp_path: Path) -> None:
    text = "2002/08/11/big/img_591\n1\n123.583300 85.549500 1.265839 269.693400 161.781200  1\n"
    (tmp_path / "FDDB-fold-01-ellipseList.txt").write_text(text)
    (tmp_path / "FDDB-fold-02-ellipseList.txt").write_text("2002/x\n0\n")
    first, second = files.read(tmp_path).pictures
    assert (first.name, first.stem, second.name) == ("2002/08/11/big/img_591", True, "2002/x")
    assert np.abs(first.regions.xyxy[0] - [180.1, 41.2, 359.3, 282.4]).max() < 0.1


@given(
    major=st.floats(0.1, 500),
    minor=st.floats(0.1, 500),
    angle=st.floats(-7, 7),
    x=st.floats(-100, 1000),
    y=st.floats(-100, 1000),
)
def test_the_box_of_an_ellipse_touches_it_on_all_sides(
    major: float, minor: float, angle: float, x: float, y: float
) -> None:
    x1, y1, x2, y2 = fddb.around(major, minor, angle, x, y)
    turn = np.linspace(0, 2 * np.pi, 20_001)
    points_x = x + major * np.cos(turn) * np.cos(angle) - minor * np.sin(turn) * np.sin(angle)
    points_y = y + major * np.cos(turn) * np.sin(angle) + minor * np.sin(turn) * np.cos(angle)
    reach = [points_x.min(), points_y.min(), points_x.max(), points_y.max()]
    assert np.allclose([x1, y1, x2, y2], reach, atol=1e-4 * (major + minor))
