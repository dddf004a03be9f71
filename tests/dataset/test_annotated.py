"""Covering what annotations say: as a plan would, or an error of that file, never a guess."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image, ImageOps

from faceveil import plans
from faceveil.annotation import Annotations, Labelled
from faceveil.dataset.annotated import Order, packed, plan, unpacked
from faceveil.dataset.batch import process
from faceveil.dataset.inputs import annotated, collect
from faceveil.dataset.report import Outcome
from faceveil.dataset.task import Setup, Task, run
from faceveil.errors import InputError
from faceveil.policy import Policy
from faceveil.types import Regions

BOX = (178.38, 61.99, 270.03, 177.0)  # of the portrait's face, 512 x 512
POLICY = Policy.of(method="solid:color=black", seed=1)


def _said(*boxes: Sequence[float], size: tuple[int, int] | None = (512, 512), **fields: Any) -> Labelled:
    regions = Regions(np.array(boxes, np.float32).reshape(-1, 4), np.ones(len(boxes), np.float32))
    return Labelled("photo.jpg", size, regions, place="images.0", **fields)


def _done(source: Path, *said: Labelled, add: bool = False, action: Any = "veil") -> Outcome:
    task = Task(source=source, output=source.with_name(f"out{source.suffix}"), annotation=packed(said))
    return run(task, Setup(policy=POLICY, action=action, annotations="f.json", add_detected=add))


def _black(path: Path, x: int, y: int) -> bool:
    with Image.open(path) as picture:
        return max(picture.convert("RGB").getpixel((x, y))) < 20  # type: ignore[arg-type]


@pytest.fixture
def photo(tmp_path: Path, portrait: Path) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(portrait.read_bytes())
    return path


def test_what_is_packed_is_unpacked() -> None:
    regions = Regions(
        np.array([[0.1, 0.2, 1e3 / 3, 7]], np.float32),
        np.array([0.3], np.float32),
        track=np.array([7]),
        label=np.array(["plate"]),
    )
    said = Labelled("a", None, regions, frame=3, relative=True, place="line 2")
    (again,) = unpacked(packed([said]))
    assert np.array_equal(again.regions.xyxy, regions.xyxy)
    assert np.array_equal(again.regions.score, regions.score)
    assert again.regions.track is not None
    assert (again.regions.track.tolist(), again.regions.labels.tolist()) == ([7], ["plate"])
    assert (again.name, again.size, again.frame, again.relative, again.place) == ("a", None, 3, True, "line 2")
    with pytest.raises(InputError, match="it is not — so"):
        unpacked(packed(InputError("it is not", hint="so")))


def test_only_what_is_annotated_is_covered(photo: Path) -> None:
    done = _done(photo, _said((300, 300, 360, 380)))
    assert (done.status, done.faces) == ("done", 1)
    assert _black(photo.with_name("out.jpg"), 330, 340)
    assert not _black(photo.with_name("out.jpg"), 224, 120)  # the face itself was not annotated


def test_what_is_found_beside_may_be_added(photo: Path) -> None:
    done = _done(photo, _said((300, 300, 360, 380)), add=True)
    assert done.faces == 2
    assert _black(photo.with_name("out.jpg"), 330, 340)
    assert _black(photo.with_name("out.jpg"), 224, 120)


def test_a_face_that_is_annotated_and_found_is_one(photo: Path) -> None:
    done = _done(photo, _said(BOX), add=True, action="analyse")
    assert done.faces == 1
    assert "178.38" in done.plan[0]  # the annotated box stands


def test_a_picture_annotated_with_no_face_is_covered_nowhere_and_says_so(photo: Path) -> None:
    done = _done(photo, _said())
    assert (done.status, done.faces) == ("done", 0)
    assert done.notes[-1] == "It is annotated with no face: nothing is covered."
    assert not _black(photo.with_name("out.jpg"), 224, 120)


def test_boxes_in_parts_of_the_picture_are_those_in_pixels(photo: Path) -> None:
    parts = tuple(v / 512 for v in BOX)
    exact = _done(photo, _said(BOX), action="analyse")
    relative = _done(photo, _said(parts, size=None, relative=True), action="analyse")
    for line in (exact, relative):
        (frame,) = plans.parse(plans.text(POLICY, "", line.plan).decode(), Path("p"))[0].frames
        assert np.allclose(frame.regions.xyxy, [BOX], atol=1e-3)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            _said(BOX, size=(512, 500)),
            "does not fit: f.json, images.0, is about 512 x 500 pixels, and the picture",
        ),
        (_said((600, 0, 700, 90)), "does not fit: f.json, images.0, has a box outside of the picture of 512 x 512"),
        (_said((5, 5, 5, 90)), "does not fit: f.json, images.0, has a box without area, which would cover nothing"),
        (_said(BOX, frame=3), "has 1 frames, and f.json is about 1: frame 0 is not among them"),
    ],
)
def test_what_does_not_fit_its_picture_fails_and_writes_nothing(photo: Path, said: Labelled, reason: str) -> None:
    done = _done(photo, said)
    assert done.status == "failed"
    assert done.reason.startswith(reason)
    assert not photo.with_name("out.jpg").exists()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_are_in_the_upright_picture(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "photo.jpg"
    Image.new("RGB", (96, 64), "white").save(path, exif=exif, quality=95)
    upright = (64, 96) if orientation > 4 else (96, 64)
    done = _done(path, _said((8, 40, 20, 52), size=upright))
    assert done.status == "done", done.reason
    with Image.open(path.with_name("out.jpg")) as opened:
        picture = ImageOps.exif_transpose(opened).convert("RGB")
        assert picture.size == upright
        assert max(picture.getpixel((14, 46))) < 20  # type: ignore[arg-type]
        assert min(picture.getpixel((50, 8))) > 235  # type: ignore[arg-type]
    turned = _done(path, _said((8, 40, 20, 52), size=upright[::-1]))
    assert turned.status == "failed"
    assert turned.reason.endswith(f"and the picture has {upright[0]} x {upright[1]} upright, turned")


# --- files of several frames -----------------------------------------------------------------------------------------


def _gif(path: Path) -> Path:
    frames = [Image.new("RGB", (64, 48), colour) for colour in ("white", "yellow", "white")]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)
    return path


def test_each_frame_of_an_animation_has_its_own(tmp_path: Path) -> None:
    path = _gif(tmp_path / "a.gif")
    said = [_said((10 * i, 10, 10 * i + 8, 20), size=(64, 48), frame=i) for i in range(3)]
    done = _done(path, *said[::-1])
    assert (done.status, done.faces) == ("done", 3)


def test_an_animation_with_frames_missing_fails(tmp_path: Path) -> None:
    path = _gif(tmp_path / "a.gif")
    done = _done(path, _said(size=(64, 48), frame=0), _said(size=(64, 48), frame=2))
    assert (done.status, done.reason) == ("failed", "has 3 frames, and f.json is about 2: frame 1 is not among them")
    single = _done(path, _said(size=(64, 48)))
    assert single.reason == "has 3 frames, and f.json is about 1: frame 1 is not among them"
    beyond = _done(path, *(_said(size=(64, 48), frame=i) for i in range(4)))
    assert beyond.reason == "has 3 frames, and f.json is about 4: it ends before frame 3"


def test_frames_that_are_not_annotated_are_looked_at_where_that_is_asked_for(tmp_path: Path) -> None:
    path = _gif(tmp_path / "a.gif")
    assert _done(path, _said((10, 10, 20, 20), size=(64, 48), frame=1), add=True).faces == 1
    beyond = _done(path, _said(size=(64, 48), frame=3), add=True)
    assert beyond.reason == "has no frame 3, about which f.json says something"


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as made:
        stream = made.add_stream("libx264", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(4):
            made.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), 255, np.uint8), format="rgb24")))
        made.mux(stream.encode(None))
    return path


def _order(film: Path, *said: Labelled) -> Order:
    return Order(film, packed(said), "f.json", POLICY)


def test_a_film_is_covered_frame_by_frame(film: Path) -> None:
    said = [_said((16, 8, 32, 24), size=(64, 48), frame=i) for i in range(4)]
    done = _done(film, *said)
    assert (done.status, done.faces, done.frames) == ("done", 1, 4)
    with av.open(str(film.with_name("out.mp4"))) as opened:
        for frame in opened.decode(video=0):
            assert frame.to_ndarray(format="rgb24")[16, 24].max() < 40


def test_a_film_that_is_longer_than_its_annotations_fails(film: Path) -> None:
    done = _done(film, *(_said(size=(64, 48), frame=i) for i in range(3)))
    assert done.status == "failed"
    assert "no line for frame 3" in done.reason
    assert not film.with_name("out.mp4").exists()


def test_faces_added_by_hand_to_followed_ones_get_numbers_of_their_own(film: Path) -> None:
    followed = _said((16, 8, 32, 24), size=(64, 48), frame=0)
    followed = replace(followed, regions=replace(followed.regions, track=np.array([5])))
    made = plan(_order(film, followed, _said((1, 2, 9, 9), (30, 2, 40, 9), size=(64, 48), frame=1)))
    tracks = [frame.regions.track for frame in made]
    assert [None if one is None else one.tolist() for one in tracks] == [[5], [plans.ADDED, plans.ADDED + 1]]


def test_words_that_only_the_annotations_know_are_faces(film: Path) -> None:
    said = _said((16, 8, 32, 24), (1, 1, 9, 9), size=(64, 48))
    said = replace(said, regions=replace(said.regions, label=np.array(["with_mask", "plate"])))
    (frame,) = plan(_order(film, said)).frames
    assert frame.regions.labels.tolist() == ["face", "plate"]


# --- in a batch ------------------------------------------------------------------------------------------------------


def _tasks(folder: Path, *names: str, boxes: float = 60) -> tuple[list[Task], tuple[str, ...]]:
    pictures = tuple(replace(_said((30, 30, boxes, 70)), name=name) for name in names)
    said = Annotations(folder.parent / "f.json", "coco", pictures, (folder.parent,))
    return annotated(collect([folder]).tasks, said, [folder])


def test_what_is_not_annotated_fails_by_name_and_the_rest_is_done(photo: Path) -> None:
    folder = photo.parent / "holiday"
    folder.mkdir()
    for name in ("a.jpg", "b.jpg"):
        (folder / name).write_bytes(photo.read_bytes())
    tasks, left = _tasks(folder, "a.jpg", "gone.jpg")
    setup = Setup(policy=POLICY, annotations="f.json")
    outcomes = {Path(one.source).name: one for one in process(tasks, setup, workers=2)}
    assert left == ("gone.jpg",)
    assert outcomes["a.jpg"].status == "done"
    assert outcomes["b.jpg"].status == "failed"
    assert outcomes["b.jpg"].reason.startswith(f"is not in {photo.parent / 'f.json'} — annotate it")
    assert [path.name for path in (photo.parent / "holiday_veiled").iterdir()] == ["a.jpg"]


def test_a_rerun_tells_that_the_annotations_have_changed(photo: Path) -> None:
    folder = photo.parent / "holiday"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(photo.read_bytes())
    setup = Setup(policy=POLICY, annotations="f.json")
    tasks, _ = _tasks(folder, "a.jpg")
    (first,) = process(tasks, setup, workers=1)
    earlier = {first.source: first}
    (same,) = process(tasks, setup, workers=1, earlier=earlier)
    assert (same.status, same.notes) == ("kept", ())
    moved, _ = _tasks(folder, "a.jpg", boxes=61)
    (other,) = process(moved, setup, workers=1, earlier=earlier)
    assert other.notes == ("the output was made with other settings — --overwrite makes it anew",)
    (added,) = process(tasks, setup.model_copy(update={"add_detected": True}), workers=1, earlier=earlier)
    assert added.notes == other.notes
