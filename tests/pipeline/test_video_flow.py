"""Videos from end to end in Python: every face covered in every frame, plans replayed, a detector that misses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import av
import flow_samples as samples
import numpy as np
import pytest
from flow_samples import Scene, across, faces, film, shown, still, times, visitor

import faceveil
from faceveil import Policy, detect, plans
from faceveil.detect.base import Detector
from faceveil.detect.runtime import Runtime
from faceveil.errors import InputError, RequestError, UnreadableError
from faceveil.pipeline.watch import Looks
from faceveil.types import Frame, Regions

COVERED = 0.5  # correlation with the face that was there; a veil has 0.3 at most, a visible face 0.9 at least
TWO = Scene((across, visitor), cut=30)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`two.mp4`: one face walks, another comes and goes, the background changes. `one.mp4`: one that stands still."""
    folder = tmp_path_factory.mktemp("clips")
    film(folder / "two.mp4", TWO)
    film(folder / "one.mp4", ONE)
    return folder


ONE = Scene((still,), frames=20)


def worst(scene: Scene, path: Path, which: Sequence[int] | None = None) -> float:
    """How much of a face the most exposed frame shows."""
    return max(max(row) for row in faces(scene, shown(path), which))


def test_the_clip_shows_its_faces(clips: Path) -> None:
    """Otherwise the other tests would prove nothing."""
    assert min(min(row) for row in faces(TWO, shown(clips / "two.mp4"))) > 0.9


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"preset": "fast"},
        {"every": 3},
        {"detector": "mtcnn"},
        {"min_score": 0.5},
        {"method": "solid:color=ring"},
        {"codec": "hevc", "crf": 30, "encoder_preset": "ultrafast"},
    ],
    ids=str,
)
def test_every_face_is_covered_in_every_frame(clips: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    made = faceveil.veil(clips / "two.mp4", tmp_path / "out.mp4", **settings)
    assert worst(TWO, made.output) < COVERED
    assert times(made.output) == times(clips / "two.mp4")
    assert (made.frames, made.kept) == (50, 0)
    assert 3 <= made.faces <= 4  # a cut ends all tracks; a detector may see the visitor once more or once less
    far = (slice(190, None), slice(0, 60))  # a corner where no face ever is
    pairs = zip(samples.pictures(TWO), shown(made.output), strict=True)
    if "crf" not in settings:
        assert max(np.abs(before[far].astype(int) - after[far]).mean() for before, after in pairs) < 6


def test_looks_too_far_apart_are_said(clips: Path, tmp_path: Path) -> None:
    far, near = (faceveil.veil(clips / "one.mp4", tmp_path / f"{every}.mp4", every=every) for every in (50, 20))
    said = "Looks are 2.0 s apart: faces between two that are more than 1 s apart may show."
    assert [said in far.notes, near.notes] == [True, ()]


def test_thorough_looks_at_all_and_at_the_result(tmp_path: Path) -> None:
    scene = replace(ONE, frames=4)
    made = faceveil.veil(film(tmp_path / "in.mp4", scene), tmp_path / "out.mp4", preset="thorough")
    assert worst(scene, made.output) < COVERED


def test_a_turned_video_is_covered_where_players_show_the_face(tmp_path: Path) -> None:
    scene = Scene((across,), frames=30, turn=90)
    made = faceveil.veil(film(tmp_path / "in.mp4", scene), tmp_path / "out.mp4")
    assert min(min(row) for row in faces(scene, shown(tmp_path / "in.mp4"))) > 0.9
    with av.open(str(made.output)) as file:
        frame = next(file.decode(video=0))
        assert (frame.width, frame.height, frame.rotation) == (240, 320, 90)
    assert worst(scene, made.output) < COVERED


def test_a_video_of_one_frame(tmp_path: Path) -> None:
    scene = Scene((still,), frames=1)
    made = faceveil.veil(film(tmp_path / "in.mp4", scene), tmp_path / "out.mp4")
    assert (made.frames, made.faces) == (1, 1)
    assert worst(scene, made.output) < COVERED


def test_keep_leaves_the_face_and_says_so(clips: Path, tmp_path: Path) -> None:
    made = faceveil.veil(clips / "one.mp4", tmp_path / "out.mp4", method="keep")
    assert (made.faces, made.kept) == (1, 1)
    assert min(faces(ONE, shown(made.output))[0]) > 0.9


def test_a_mosaic_has_its_cells(clips: Path, tmp_path: Path) -> None:
    made = faceveil.veil(clips / "one.mp4", tmp_path / "out.mp4", method="mosaic:cells=4", crf=5)
    covered, original = shown(made.output)[5], shown(clips / "one.mp4")[5]
    middle = (slice(90, 150), slice(130, 175))

    def edges(picture: samples.Picture) -> float:
        return float(np.mean(np.abs(np.diff(picture[middle].astype(int).mean(axis=2), axis=1)) > 6))

    assert edges(covered) < edges(original) / 2
    assert worst(ONE, made.output) < 0.9


def test_the_noise_of_a_still_face_is_the_same_in_all_frames(clips: Path, tmp_path: Path) -> None:
    """Of another in each frame the mean would show the face. No seed is given: all frames share one that is drawn."""
    plan = faceveil.analyse(clips / "one.mp4", method="noise:percent=100", crf=1)
    first = plan.frames[0].regions
    held = replace(plan, frames=tuple(replace(frame, regions=first) for frame in plan.frames))
    patches = []
    for name in ("a.mp4", "b.mp4"):
        made = faceveil.apply(clips / "one.mp4", held, tmp_path / name)
        patches.append([frame[95:150, 130:175] for frame in shown(made.output)])
    for some in patches:
        assert min(samples.likeness(some[0], patch) for patch in some) > 0.95
    assert samples.likeness(patches[0][0], patches[1][0]) < 0.3


def test_a_seed_repeats_the_bytes(clips: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"method": "noise", "seed": 4}
    a, b = (faceveil.veil(clips / "one.mp4", tmp_path / f"{name}.mp4", **settings).output for name in "ab")
    assert a.read_bytes() == b.read_bytes()


def test_a_picture_and_a_video_are_told_by_their_bytes(clips: Path, portrait: Path, tmp_path: Path) -> None:
    for name in ("MVI_0001", "photo.jpg"):
        (tmp_path / name).write_bytes((clips / "one.mp4").read_bytes())
    (tmp_path / "clip.mp4").write_bytes(portrait.read_bytes())
    assert faceveil.veil(tmp_path / "MVI_0001").output == tmp_path / "MVI_0001_veiled.mp4"
    assert faceveil.veil(tmp_path / "photo.jpg", tmp_path / "really.mp4").frames == 20
    with pytest.raises(RequestError, match=r"no video is called photo_veiled\.jpg — choose a suffix of \.mp4"):
        faceveil.veil(tmp_path / "photo.jpg")
    assert faceveil.veil(tmp_path / "clip.mp4", tmp_path / "really.jpg").frames == 0


def test_a_method_that_does_not_exist_is_refused_even_where_no_face_is(tmp_path: Path) -> None:
    empty = film(tmp_path / "in.mp4", Scene((), frames=3))
    for call in (lambda: faceveil.veil(empty, method="blurr"), lambda: faceveil.analyse(empty, method="blurr")):
        with pytest.raises(RequestError, match="no method is called 'blurr'"):
            call()
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


# --- plans -----------------------------------------------------------------------------------------------------------


def written(plan: faceveil.Plan, path: Path) -> faceveil.Plan:
    """A plan through its file."""
    path.write_bytes(plans.text(Policy.of(**plan.policy), plan.detector, plans.lines(plan, landmarks=True)))
    (read,) = plans.read(path)
    return read


def test_analyse_then_apply_gives_the_bytes_of_veil(clips: Path, tmp_path: Path) -> None:
    source = clips / "two.mp4"
    plan = faceveil.analyse(source, method="noise", seed=7)
    faceveil.veil(source, tmp_path / "once.mp4", method="noise", seed=7)
    faceveil.apply(source, plan, tmp_path / "twice.mp4")
    faceveil.apply(source, written(plan, tmp_path / "plan.jsonl"), tmp_path / "filed.mp4")
    once = (tmp_path / "once.mp4").read_bytes()
    assert once == (tmp_path / "twice.mp4").read_bytes()
    assert once == (tmp_path / "filed.mp4").read_bytes()


def test_edits_count(clips: Path, tmp_path: Path) -> None:
    """The walker is kept, the visitor deleted, and a corner is covered by hand, with no track."""
    plan = faceveil.analyse(clips / "two.mp4", method="solid:color=#ff0000")
    written(plan, tmp_path / "plan.jsonl")
    head, *lines = (tmp_path / "plan.jsonl").read_text().splitlines()
    edited = [head]
    for number, line in enumerate(map(json.loads, lines)):
        place = across(number)
        line["faces"] = [face for face in line["faces"] if abs(face["box"][0] - place[0]) < 60 and number < 45]
        for face in line["faces"]:
            face["method"] = "keep"
        line["faces"].append({"box": [10, 200, 30, 225]})
        edited.append(json.dumps(line))
    (tmp_path / "plan.jsonl").write_text("\n".join(edited) + "\n")
    (again,) = plans.read(tmp_path / "plan.jsonl")
    made = faceveil.apply(clips / "two.mp4", again, tmp_path / "out.mp4")
    frames = shown(made.output)
    assert min(min(row) for row in faces(TWO, frames)) > 0.85
    for frame in frames:
        red = frame[205:220, 15:25].astype(int).mean(axis=(0, 1))
        assert red[0] > 180
        assert red[1:].max() < 90
    # Two tracks of the walker, one before and one after the cut, and one face by hand, tracked or not.
    assert (made.faces, made.kept) == (3, 2)


def test_a_plan_of_another_file_or_size_is_refused(clips: Path, tmp_path: Path) -> None:
    plan = faceveil.analyse(clips / "one.mp4")
    with pytest.raises(InputError, match=r"two\.mp4 has changed since its plan was made — make the plan anew"):
        faceveil.apply(clips / "two.mp4", plan, tmp_path / "out.mp4")
    wide = replace(plan, frames=tuple(replace(frame, size=(640, 480)) for frame in plan.frames))
    with pytest.raises(InputError, match="the plan was made for 640 x 480 pixels, got 320 x 240"):
        faceveil.apply(clips / "one.mp4", wide, tmp_path / "out.mp4")
    short = replace(plan, frames=plan.frames[:10])
    with pytest.raises(InputError, match="the plan has no line for frame 10"):
        faceveil.apply(clips / "one.mp4", short, tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []


# --- a detector that misses ------------------------------------------------------------------------------------------


class Misses(Detector):
    """A detector that loses what it finds in some frames. first, last: these frames."""

    name: ClassVar[str] = "misses"
    landmarks: ClassVar[bool] = True

    spec_of_inner: str = "centerface:score_threshold=0.15"
    first: int
    last: int

    def __call__(self, frame: Frame) -> Regions:
        """The faces of one frame."""
        if self.first <= frame.index <= self.last:
            return Regions()
        return detect.build("balanced", self.spec_of_inner, Runtime(threads=1))(frame)


def looks_of(monkeypatch: pytest.MonkeyPatch, looks: Looks) -> None:
    monkeypatch.setattr(Looks, "of", classmethod(lambda *_: looks))


@pytest.mark.parametrize("first", [3, 12, 22])
def test_fifteen_missed_frames_in_a_row_expose_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    scene = Scene((across,), frames=50)
    looks_of(monkeypatch, Looks(((Misses(first=first, last=first + 14), 0),)))
    made = faceveil.veil(film(tmp_path / "in.mp4", scene), tmp_path / "out.mp4")
    assert worst(scene, made.output) < COVERED
    assert made.faces == 1


def test_nothing_found_closely_and_a_missed_look_expose_no_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole looks come three a second; one of them misses, and so do all close looks: 17 frames in a row."""
    scene = Scene((across,), frames=50)
    quick, never = Misses(first=12, last=26), Misses(first=0, last=1 << 30)
    looks_of(monkeypatch, Looks(((quick, 640),), never, Fraction(1, 3)))
    made = faceveil.veil(film(tmp_path / "in.mp4", scene), tmp_path / "out.mp4")
    assert worst(scene, made.output) < COVERED


def test_without_a_tracker_they_would_be_exposed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The double does miss: a look ahead and back of nothing leaves the face as it was."""
    scene = Scene((across,), frames=50)
    looks_of(monkeypatch, Looks(((Misses(first=12, last=49), 0),)))
    made = faceveil.veil(film(tmp_path / "in.mp4", scene), tmp_path / "out.mp4", extend=0)
    (row,) = faces(scene, shown(made.output))
    assert max(row[:12]) < COVERED
    assert min(row[14:]) > 0.9


# --- what ends early -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_what_could_be_read_is_kept_if_asked_for(tmp_path: Path, suffix: str) -> None:
    """To the last picture before the damage: what waits for the tracker's look-ahead is settled and written too."""
    scene = Scene((across,), frames=50, options=(*Scene(()).options, ("bf", "0")))
    path = film(tmp_path / f"in{suffix}", scene)
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as file:
        sizes = [(packet.pos, packet.size) for packet in file.demux(video=0) if packet.size]
    start, size = sizes[40]
    assert start is not None
    if suffix == ".mp4":
        data[start + 30 : start + size] = bytes(size - 30)
    else:
        del data[start + size // 2 :]
    path.write_bytes(data)
    with pytest.raises(UnreadableError):
        faceveil.veil(path, tmp_path / f"out{suffix}")
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name]
    with pytest.raises(UnreadableError, match=rf"; the 40 frames before that are in .*out\{suffix}$"):
        faceveil.veil(path, tmp_path / f"out{suffix}", keep_partial=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name, f"out{suffix}"]
    rest = replace(scene, frames=40)
    assert worst(rest, tmp_path / f"out{suffix}") < COVERED


def test_a_video_with_nothing_good_has_no_part_to_keep(tmp_path: Path) -> None:
    path = film(tmp_path / "in.mkv", Scene((), frames=5))
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(UnreadableError):
        faceveil.veil(path, tmp_path / "out.mkv", keep_partial=True)
    assert [p.name for p in tmp_path.iterdir()] == ["in.mkv"]
