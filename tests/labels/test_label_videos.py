"""Videos with more than faces: looked at in every frame, tracked apart, resumed, planned and covered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import label_samples as samples
import numpy as np
import pytest
from label_samples import GREEN, PLATE, yellow

import faceveil
from faceveil import Policy, live, plans
from faceveil.live import LiveSettings
from faceveil.pipeline import video
from faceveil.pipeline.exposure import Exposure
from faceveil.pipeline.watch import Looks, Seen, beside_faces, watch
from faceveil.types import Planes, Regions

pytestmark = pytest.mark.usefixtures("label_detectors")
FRAMES = 30
FACE = (slice(75, 135), slice(50, 95))


def moving(number: int) -> Any:
    """A head that stands still, and a plate that drives by, from frame 3 on, 7 px a frame: half its width a look."""
    picture = samples.ground()
    samples.put_head(picture, 30, 60)
    if number >= 3:
        samples.put_plate(picture, 120 + 6 * number if number < 25 else 270, 150 + number)
    return picture


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return samples.film(tmp_path_factory.mktemp("clip") / "street.mp4", [moving(i) for i in range(FRAMES)])


def exposed(path: Path) -> list[int]:
    """Yellow pixels of each frame."""
    return [yellow(picture) for picture in samples.shown(path)]


def faces_change(path: Path) -> float:
    """The least that a frame's face differs from the original's."""
    plain = samples.street()[FACE].astype(int)
    return min(float(np.abs(picture[FACE].astype(int) - plain).mean()) for picture in samples.shown(path))


def test_the_clip_shows_its_plate(clip: Path) -> None:
    assert min(exposed(clip)[3:]) > 0.7 * PLATE[0] * PLATE[1]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"preset": "fast"},
        {"every": 2},
        {"detector": "union(centerface, test-plates)"},
        {"method": "veil", "methods": {"plate": "solid"}},
        {"methods": {"face": "blur", "plate": "mosaic:cells=1"}},
    ],
    ids=str,
)
def test_faces_and_plates_are_covered_in_every_frame(clip: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    made = faceveil.veil(clip, tmp_path / "out.mp4", cover="face,plate", **settings)
    assert max(exposed(made.output)) == 0
    assert faces_change(made.output) > 15
    assert (made.faces, made.labels, made.frames) == (1, {"face": 1, "plate": 1}, FRAMES)


def test_plates_alone(clip: Path, tmp_path: Path) -> None:
    made = faceveil.veil(clip, tmp_path / "out.mp4", cover="plate", method="solid")
    assert max(exposed(made.output)) == 0
    assert faces_change(made.output) < 3
    assert (made.faces, made.labels) == (0, {"plate": 1})


def test_low_scores_of_other_detectors_count_as_in_pictures(clip: Path, tmp_path: Path) -> None:
    """`SURE` was measured for faces: what a detector of plates calls .1 is a plate."""
    made = faceveil.veil(clip, tmp_path / "out.mp4", cover="plate", detector="test-plates:sure=0.1")
    assert max(exposed(made.output)) == 0
    with_floor = faceveil.veil(
        clip, tmp_path / "none.mp4", cover="plate", detector="test-plates:sure=0.1", min_score=0.2
    )
    assert with_floor.labels == {"plate": 0}


def test_kept_plates_are_counted_and_stay(clip: Path, tmp_path: Path) -> None:
    made = faceveil.veil(clip, tmp_path / "out.mp4", cover="face,plate", methods={"plate": "keep"})
    assert (made.kept, made.labels) == (1, {"face": 1, "plate": 1})
    assert min(exposed(made.output)[3:]) > 400


def test_what_comes_in_the_middle_is_told_by_its_label(tmp_path: Path) -> None:
    def at(number: int) -> Any:
        picture = samples.ground()
        if 12 <= number < 20:
            samples.put_plate(picture, 140, 120)
        return picture

    path = samples.film(tmp_path / "in.mp4", [at(i) for i in range(30)])
    policy = Policy.of(cover="plate", detector="test-plates:sure=0.9")
    exposure = Exposure()
    for frame in faceveil.analyse(path, policy=policy).frames:
        exposure.add(frame)
    assert exposure.notes() == ("Look at 0:00.4, 0:00.7: a plate came or went in the middle of the picture there.",)


# --- looks -----------------------------------------------------------------------------------------------------------


def seen(clip: Path, policy: Policy, done: list[tuple[Regions | None, bool]] | None = None) -> list[Any]:
    from faceveil.media.video import open_video  # noqa: PLC0415

    return list(watch(open_video(clip), Looks.of(policy, 1), done or []))


@pytest.mark.parametrize(("preset", "step"), [("balanced", 1), ("fast", 3)])
def test_plates_are_looked_for_wherever_faces_are(clip: Path, preset: str, step: int) -> None:
    both = seen(clip, Policy.of(preset=preset, cover="face,plate"))
    faces = seen(clip, Policy.of(preset=preset))
    assert [one.whole for one in both] == [one.whole for one in faces]
    for number, (one, other) in enumerate(zip(both, faces, strict=True)):
        assert (one.found is None) == (other.found is None)
        if one.found is None:
            assert step > 1
            continue
        assert len(one.found.of("plate")) == (number >= 3)
        assert np.array_equal(one.found.of("face").xyxy, other.found.xyxy)  # faces are looked for as before


def test_thorough_and_ones_own_detectors_look_at_all_of_every_frame() -> None:
    for settings in ({"preset": "thorough"}, {"detector": "union(centerface, test-plates)"}, {"every": 2}):
        looks = Looks.of(Policy.of(cover="face,plate", **settings), 1)
        ((detector, side),) = looks.whole
        assert (looks.close, looks.beside, side) == (None, None, 0)
        assert detector.gives_labels == ("face", "plate")
    assert beside_faces(Policy(), 1) is None


# --- resumed and planned ---------------------------------------------------------------------------------------------


def lines(found: Regions) -> Regions:
    """Through the journal."""
    moment = Planes((np.zeros((2, 2), np.uint8),), matrix="grey")
    back, whole = video._from_line(video._to_line(Seen(moment, found, True, False)))
    assert whole
    assert back is not None
    return back


def same(one: Regions, other: Regions) -> bool:
    pairs = zip(one.__slots__, other.__slots__, strict=True)
    values = [(getattr(one, name), getattr(other, name)) for name, _ in pairs]
    return all(
        a is b or (a is not None and b is not None and np.array_equal(a, b, equal_nan=a.dtype.kind == "f"))
        for a, b in values
    )


def test_the_journal_keeps_labels_and_outlines() -> None:
    boxes = np.array([[1, 2, 3, 4], [0.1, 5, 9, 10]], np.float32)
    score = np.array([0.3, 1 / 3], np.float32)
    marks = np.full((2, 5, 2), np.nan, np.float32)
    marks[1] = 0.1
    outline = np.full((2, 7, 2), np.nan, np.float32)
    outline[0] = np.arange(14).reshape(7, 2) / 3
    label = np.array(["plate", "face"])
    for regions in (
        Regions(boxes, score),
        Regions(boxes, score, marks),
        Regions(boxes, score, marks, label=label),
        Regions(boxes, score, outline=outline),
        Regions(boxes, score, marks, label=label, outline=outline),
        Regions(label=np.array([], np.str_)),
    ):
        assert same(lines(regions), regions)
    assert len(lines(Regions(outline=np.zeros((0, 7, 2), np.float32)))) == 0


def test_what_an_earlier_run_found_gives_the_same(clip: Path) -> None:
    policy = Policy.of(cover="face,plate")
    whole = seen(clip, policy)
    cut = next(i for i, one in enumerate(whole) if i > 10 and one.whole) + 1
    done = [(None if one.found is None else lines(one.found), one.whole) for one in whole[:cut]]
    again = seen(clip, policy, done)
    for one, other in zip(whole, again, strict=True):
        assert (one.found is None) == (other.found is None)
        assert one.found is None or same(one.found, other.found)


def test_analyse_then_apply_gives_the_bytes_of_veil(clip: Path, tmp_path: Path) -> None:
    policy = Policy.of(cover="face,plate", method="noise", methods={"plate": "solid"}, seed=3)
    plan = faceveil.analyse(clip, policy=policy)
    assert {track for frame in plan for track in frame.regions[frame.regions.labels == "plate"].track.tolist()} == {1}  # type: ignore[union-attr]
    (tmp_path / "p.jsonl").write_bytes(plans.text(policy, plan.detector, plans.lines(plan, landmarks=False)))
    first = json.loads((tmp_path / "p.jsonl").read_text().splitlines()[12])
    assert [face.get("label", "face") for face in first["faces"]] == ["face", "plate"]
    (read,) = plans.read(tmp_path / "p.jsonl")
    two = faceveil.apply(clip, read, tmp_path / "two.mp4")
    one = faceveil.veil(clip, tmp_path / "one.mp4", policy=policy)
    assert two.output.read_bytes() == one.output.read_bytes()
    assert (two.faces, two.labels) == (1, {"face": 1, "plate": 1})


# --- contours --------------------------------------------------------------------------------------------------------


def disc(number: int) -> tuple[Any, Any]:
    """A green oval that walks, and where it is; in two frames it is hidden from the detector by its colour."""
    picture = samples.ground()
    y, x = np.mgrid[:240, :320]
    where = (x - 80 - 4 * number) ** 2 / 25**2 + (y - 110) ** 2 / 34**2 < 1
    picture[where] = GREEN if number not in (11, 12) else (10, 120, 40)
    return picture, where


def test_a_contour_follows_through_a_video(tmp_path: Path) -> None:
    clip = samples.film(tmp_path / "in.mp4", [disc(i)[0] for i in range(FRAMES)])
    policy = Policy.of(
        detector="test-outlined", method="solid:color=#ff0000", area="shape=contour,width=1.3,height=1.3,up=0"
    )
    plan = faceveil.analyse(clip, policy=policy)
    assert all(frame.regions.outline is not None for frame in plan)
    made = faceveil.veil(clip, tmp_path / "out.mp4", policy=policy)
    for number, picture in enumerate(samples.shown(made.output)):
        red = (picture[:, :, 0] > 150) & (picture[:, :, 1] < 90) & (picture[:, :, 2] < 90)
        where = disc(number)[1]
        assert red[where].mean() > 0.99
        assert red.sum() < 2.6 * where.sum()  # a rounded box of the same factors has 2.2 times the area, and grows too
    applied = faceveil.apply(clip, plan, tmp_path / "again.mp4")
    assert applied.output.read_bytes() == made.output.read_bytes()


# --- live ------------------------------------------------------------------------------------------------------------


def test_live_covers_and_counts_each_label(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mkv"
    policy = Policy.of(preset="fast", cover="face,plate", methods={"plate": "solid"})
    report = live.run(clip, [str(out)], policy, LiveSettings(delay=0.5))
    assert report.labels["plate"] == 1
    assert report.faces == report.labels["face"] == 1
    assert "1 face, 1 plate" in report.sentence()
    assert report.as_dict()["labels"] == report.labels
    pictures = samples.shown(out)
    assert len(pictures) >= 5
    assert max(map(yellow, pictures)) < 20


def test_live_runs_of_faces_alone_have_no_labels(clip: Path, tmp_path: Path) -> None:
    report = live.run(clip, [str(tmp_path / "out.mkv")], Policy(preset="fast"))
    assert report.labels == {}
    assert "labels" not in report.as_dict()
