"""Pictures with more than faces, from end to end in Python: what is covered by what, plans, counts, verification."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import label_samples as samples
import numpy as np
import pytest
from label_samples import GREEN, MAGENTA, PLATE, YELLOW, yellow
from PIL import Image

import faceveil
from faceveil import FramePlan, Plan, Policy, Regions, plans
from faceveil.dataset.report import Outcome
from faceveil.dataset.task import Setup, Task, run
from faceveil.errors import Refused, RequestError

pytestmark = pytest.mark.usefixtures("label_detectors")
GOLDEN = Path(__file__).resolve().parent / "golden"
ALL: dict[str, Any] = {"cover": "face,plate,person", "detector": "union(centerface, test-street)"}
FACE = (slice(75, 135), slice(50, 95))  # of the head in `street`


def magenta(picture: Any) -> int:
    return int((np.abs(picture.astype(int) - MAGENTA) < samples.FAR).all(axis=2).sum())


def changed(picture: Any) -> float:
    """How much the face differs from what it was."""
    return float(np.abs(picture[FACE].astype(int) - samples.street()[FACE]).mean())


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "street.png"
    Image.fromarray(samples.street()).save(path)
    return path


# --- what is covered -------------------------------------------------------------------------------------------------


def test_faces_alone_are_covered_unless_asked() -> None:
    out = faceveil.veil(samples.street())
    assert changed(out) > 20
    assert yellow(out) == PLATE[0] * PLATE[1]


def test_plates_beside_faces_and_alone() -> None:
    both, alone = (faceveil.veil(samples.street(), cover=cover) for cover in ("face,plate", "plate"))
    assert yellow(both) == yellow(alone) == 0
    assert changed(both) > 20
    assert changed(alone) == 0
    assert magenta(both) == magenta(samples.street())


def test_each_label_has_its_method() -> None:
    out = faceveil.veil(samples.street(), **ALL, methods={"plate": "solid:color=#ff0000", "person": "keep"})
    assert (out[196, 240] == (255, 0, 0)).all()
    assert magenta(out) == magenta(samples.street())
    assert changed(out) > 20
    same = faceveil.veil(samples.street(), **ALL, methods={"DEFAULT": "solid"})
    assert np.array_equal(same, faceveil.veil(samples.street(), **ALL, method="solid"))


def test_what_is_to_stay_visible_is_counted(photo: Path) -> None:
    made = faceveil.veil(photo, **ALL, methods={"person": "keep"}, method="solid")
    assert (made.faces, made.labels, made.kept) == (1, {"face": 1, "plate": 1, "person": 1}, 1)
    plain = faceveil.veil(photo, photo.with_name("plain.png"))
    assert (plain.faces, plain.labels, plain.kept) == (1, {}, 0)
    none = faceveil.veil(photo, photo.with_name("none.png"), cover="person", detector="test-street")
    assert (none.faces, none.labels) == (0, {"person": 1})


def test_a_mask_needs_landmarks_of_faces_alone() -> None:
    out = faceveil.veil(samples.street(), **ALL, method="mask")
    assert yellow(out) == magenta(out) == 0
    eyes = out[96:106, 60:85]
    assert (eyes == 0).all(axis=2).mean() > 0.4
    assert (out[FACE] == 0).all(axis=2).mean() < 0.5  # a bar, not the whole face
    with pytest.raises(RequestError, match="method 'mask' needs landmarks, which detector 'test-outlined' does not"):
        faceveil.veil(samples.street(), detector="test-outlined", method="mask")
    bare = faceveil.veil(samples.street(), cover="plate", detector="test-plates", method="mask")
    assert yellow(bare) == 0


def test_a_contour_needs_an_outline() -> None:
    with pytest.raises(
        RequestError, match="shape=contour needs the outline of a face, which detector 'centerface' does"
    ):
        faceveil.veil(samples.street(), area="shape=contour")
    pixels = samples.ground()
    y, x = np.mgrid[:240, :320]
    disc = (x - 160) ** 2 / 30**2 + (y - 120) ** 2 / 40**2 < 1
    pixels[disc] = GREEN
    settings: dict[str, Any] = {"detector": "test-outlined", "method": "solid"}
    followed = faceveil.veil(pixels, **settings, area="shape=contour,width=1.2,height=1.2")
    black = (followed == 0).all(axis=2)
    assert black[disc].all()
    assert black.sum() == pytest.approx(1.44 * disc.sum(), rel=0.05)
    rounded = faceveil.veil(pixels, **settings, area="width=1.2,height=1.2")
    assert (rounded == 0).all(axis=2).sum() > 1.3 * black.sum()
    assert np.array_equal(faceveil.veil(pixels, cover="plate", area="shape=contour"), pixels)  # nothing to follow


def test_the_untouched_parts_of_a_jpeg_stay(tmp_path: Path) -> None:
    path = tmp_path / "street.jpg"
    Image.fromarray(samples.street()).save(path, quality=95)
    made = faceveil.veil(path, cover="face,plate", methods={"plate": "solid"}, jpeg="auto")
    before, after = (np.asarray(Image.open(p).convert("RGB")).astype(int) for p in (path, made.output))
    assert np.abs(before - after)[:30, 280:].max() <= 3
    assert yellow(after) == 0


# --- plans -----------------------------------------------------------------------------------------------------------


def numbered(**more: Any) -> Plan:
    """Three things with everything that a plan may hold of them."""
    xyxy = np.array([[10, 20, 30.5, 45], [100.25, 40, 144, 51], [200, 10, 240, 120]], np.float32)
    marks = np.full((3, 5, 2), np.nan, np.float32)
    marks[0] = np.arange(10).reshape(5, 2) + 12.5
    outline = np.full((3, 4, 2), np.nan, np.float32)
    outline[0] = np.array([[10, 20], [30.5, 20], [30.5, 45], [10, 45]])
    regions = Regions(
        xyxy, np.array([0.9, 0.5, 0.75]), marks, more.get("track"), np.array(["face", "plate", "person"]), outline
    )
    plan = FramePlan(regions, ("veil", "solid:color=ring", "keep"), (320, 240))
    return Plan("street.png", (plan,), "ab" * 32, "union(centerface, test-street)")


@pytest.mark.parametrize(
    ("name", "landmarks", "outline", "track"),
    [("bare", False, False, None), ("whole", True, True, np.array([4, 5, 6]))],
)
def test_plan_lines_are_as_they_were(name: str, landmarks: bool, outline: bool, track: Any, tmp_path: Path) -> None:
    plan = numbered(track=track)
    policy = Policy.of(cover="face,plate,person", methods={"plate": "solid:color=ring"}, area="shape=contour")
    text = plans.text(policy, plan.detector, plans.lines(plan, landmarks=landmarks, outline=outline))
    golden = GOLDEN / f"{name}.jsonl"
    assert text.decode() == golden.read_text(encoding="utf-8")
    (tmp_path / "plan.jsonl").write_bytes(text)
    (read,) = plans.read(tmp_path / "plan.jsonl")
    (before,), (after,) = plan.frames, read.frames
    assert (after.methods, read.counts()) == (before.methods, {"face": 1, "plate": 1, "person": 1})
    assert after.regions.labels.tolist() == ["face", "plate", "person"]
    for one, other, kept in (
        (before.regions.landmarks, after.regions.landmarks, landmarks),
        (before.regions.outline, after.regions.outline, outline),
    ):
        assert (other is not None) == kept
        assert other is None or np.array_equal(one, other, equal_nan=True)  # type: ignore[arg-type]
    again = plans.text(Policy.of(**read.policy), read.detector, plans.lines(read, landmarks=True, outline=True))
    assert again.decode().replace(str(tmp_path) + "/", "") == text.decode()


def test_a_plan_of_faces_has_no_word_of_labels() -> None:
    regions = Regions(np.array([[1, 2, 3, 4]]), np.ones(1, np.float32), label=np.array(["face"]))
    (line,) = plans.lines(Plan("a", (FramePlan(regions, ("veil",), (9, 9)),)), landmarks=False)
    assert "label" not in line


def test_analyse_then_apply_is_veil(photo: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {**ALL, "methods": {"plate": "solid", "person": "mosaic"}}
    plan = faceveil.analyse(photo, **settings)
    assert (plan.faces, plan.counts()) == (1, {"face": 1, "plate": 1, "person": 1})
    (tmp_path / "p.jsonl").write_bytes(
        plans.text(Policy.of(**plan.policy), plan.detector, plans.lines(plan, landmarks=False))
    )
    (read,) = plans.read(tmp_path / "p.jsonl")
    two = faceveil.apply(photo, read, tmp_path / "two.png")
    one = faceveil.veil(photo, tmp_path / "one.png", **settings)
    assert two.output.read_bytes() == one.output.read_bytes()
    assert (two.faces, two.labels) == (one.faces, one.labels)


def test_a_contour_survives_its_plan(tmp_path: Path) -> None:
    pixels = samples.ground()
    y, x = np.mgrid[:240, :320]
    pixels[(x - 160) ** 2 / 30**2 + (y - 120) ** 2 / 40**2 < 1] = GREEN
    Image.fromarray(pixels).save(tmp_path / "disc.png")
    policy = Policy.of(detector="test-outlined", method="solid", area="shape=contour")
    task = Task(source=tmp_path / "disc.png", output=tmp_path / "out.png")
    outcome = run(task, Setup(policy=policy, action="analyse", plan=tmp_path / "p.jsonl"))
    (tmp_path / "p.jsonl").write_bytes(plans.text(policy, "test-outlined", outcome.plan))
    assert '"outline"' in outcome.plan[0]
    (read,) = plans.read(tmp_path / "p.jsonl")
    applied = faceveil.apply(tmp_path / "disc.png", read, tmp_path / "applied.png").output
    veiled = faceveil.veil(tmp_path / "disc.png", tmp_path / "veiled.png", policy=policy).output
    assert applied.read_bytes() == veiled.read_bytes()


@pytest.mark.parametrize(
    ("face", "complaint"),
    [
        ({"box": [1, 2, 3, 4], "label": ""}, "line 2: 'faces.0.label'"),
        ({"box": [1, 2, 3, 4], "label": 3}, "line 2: 'faces.0.label'"),
        ({"box": [1, 2, 3, 4], "outline": [[1, 2], [3, 4]]}, "line 2: 'faces.0.outline'"),
        ({"box": [1, 2, 3, 4], "outline": [[1, 2], [3, 4], [5, "x"]]}, "line 2: 'faces.0.outline.2.1'"),
    ],
)
def test_wrong_labels_and_outlines_are_named(tmp_path: Path, face: dict[str, Any], complaint: str) -> None:
    body = json.dumps({"source": "a", "size": [4, 4], "faces": [face]})
    (tmp_path / "p.jsonl").write_bytes(plans.text(Policy(), "centerface", [body]))
    with pytest.raises(RequestError, match=complaint):
        plans.read(tmp_path / "p.jsonl")


def test_what_is_added_by_hand_gets_the_method_of_its_label(tmp_path: Path) -> None:
    faces = [
        {"box": [9, 9, 20, 20]},
        {"box": [30, 9, 60, 20], "label": "plate"},
        {"box": [30, 30, 60, 50], "label": "x"},
    ]
    body = json.dumps({"source": "a", "size": [99, 99], "faces": faces})
    policy = Policy.of(cover="face,plate", method="blur", methods={"plate": "solid"})
    (tmp_path / "p.jsonl").write_bytes(plans.text(policy, "", [body]))
    (read,) = plans.read(tmp_path / "p.jsonl")
    assert read.frames[0].methods == ("blur", "solid", "blur")
    pixels: Any = np.full((99, 99, 3), YELLOW, np.uint8)
    out = faceveil.apply(pixels, read)
    assert (out[14, 45] == 0).all()


def test_plans_from_before_cover_meant_labels_say_what_to_write(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"faceveil_plan": 1, "policy": {"cover": {"width": 2.4}}}\n')
    with pytest.raises(RequestError, match="cover says what is covered, .* is said by 'area'"):
        plans.read(tmp_path / "p.jsonl")


# --- accounts and verification ---------------------------------------------------------------------------------------


def outcome_of(photo: Path, **settings: Any) -> Outcome:
    task = Task(source=photo, output=photo.with_name("out.png"), overwrite=True)
    return run(task, Setup(policy=Policy.of(**settings)))


def test_accounts_count_by_label(photo: Path) -> None:
    outcome = outcome_of(photo, **ALL)
    assert (outcome.faces, outcome.labels, outcome.visible) == (1, {"face": 1, "plate": 1, "person": 1}, 0)
    assert outcome_of(photo).labels == {}
    empty = photo.with_name("empty.png")
    Image.fromarray(samples.ground()).save(empty)
    assert outcome_of(empty, cover="face,plate").labels == {"face": 0, "plate": 0}


def test_verification_says_what_it_did_not_look_for(photo: Path) -> None:
    made = faceveil.veil(photo, cover="face,plate", verify=True)
    said = "Verification looked for faces and leaks alone: nobody looked whether a plate is still visible."
    assert made.notes == (said,)
    assert faceveil.veil(photo, photo.with_name("b.png"), verify=True).notes == ()


def test_verification_finds_no_fault_with_faces_that_were_to_stay(photo: Path) -> None:
    made = faceveil.veil(photo, cover="plate", verify=True)
    assert "leaks alone, as faces were to stay" in made.notes[0]


def test_a_kept_person_is_no_leave_to_show_a_face(tmp_path: Path) -> None:
    """The detector of this test finds no faces: what it leaves visible within a kept person must be refused."""
    pixels = samples.ground()
    pixels[20:220, 20:200] = MAGENTA
    samples.put_head(pixels, 30, 40, 160)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    settings: dict[str, Any] = {"cover": "face,person", "detector": "union(test-outlined, test-street)"}
    with pytest.raises(Refused, match="1 face is still visible"):
        faceveil.veil(tmp_path / "a.png", **settings, methods={"person": "keep"}, verify=True)
    faceveil.veil(tmp_path / "a.png", **settings, methods={"person": "solid"}, verify=True)
