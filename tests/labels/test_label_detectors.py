"""Which detector looks for which label, and what compositions make of labels and outlines."""

from __future__ import annotations

from typing import cast

import label_samples as samples
import numpy as np
import pytest
from label_samples import GREEN, MAGENTA, YELLOW

from faceveil import detect
from faceveil.detect.base import Detector
from faceveil.detect.compose import Composed
from faceveil.detect.runtime import Runtime
from faceveil.errors import RequestError
from faceveil.types import Frame, Regions

pytestmark = pytest.mark.usefixtures("label_detectors")
ONE = Runtime(threads=1)


def built(detector: str | None, *cover: str, **settings: float) -> Detector:
    return detect.build("fast", detector, ONE, settings.get("min_score"), cover or ("face",))


def found(detector: Detector, pixels: object) -> dict[str, list[list[float]]]:
    """Boxes by label."""
    regions = detector(Frame(pixels))  # type: ignore[arg-type]
    return {label: regions.of(label).xyxy.tolist() for label in regions.counts()}


def street() -> Frame:
    return Frame(samples.street())


# --- which detector --------------------------------------------------------------------------------------------------


def test_without_a_spec_the_preset_finds_faces_and_each_label_has_its_finder() -> None:
    assert built(None).spec == "centerface:size=640"
    assert built(None, "plate").spec == "test-plates"
    both = built(None, "face", "plate")
    assert both.spec == "union(centerface(size=640), test-plates)"
    assert both.gives_labels == ("face", "plate")
    assert both(street()).counts() == {"face": 1, "plate": 1}
    assert built(both.spec, "face", "plate").spec == both.spec


@pytest.mark.parametrize(
    ("name", "label"), [("plate-haar", "plate"), ("person-hog", "person")], ids=["plate-haar", "person-hog"]
)
def test_the_finders_that_are_installed_find_what_they_are_for(
    name: str, label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    assert detect.FINDERS[label] == name
    assert built(None, "face", label).gives_labels == ("face", label)


def test_parts_run_where_the_whole_runs() -> None:
    (union,) = cast("Composed", built(None, "face", "plate")).parts
    assert {part._runtime for part in (union, *cast("Composed", union).parts)} == {ONE}


@pytest.mark.parametrize(
    ("spec", "cover", "complaint"),
    [
        (
            None,
            ("screen",),
            "no detector of 'screen' comes with faceveil, only of face, plate, person — describe a network",
        ),
        (None, ("face", "badge"), "no detector of 'badge' comes with faceveil, only of face, plate, person"),
        (
            "centerface",
            ("face", "plate"),
            "detector 'centerface' finds face, not plate — unite it with one that does, ",
        ),
        ("test-street", ("face",), "detector 'test-street' finds plate and person, not face — say cover=plate,person"),
        ("union(centerface, test-plates)", ("badge",), "finds face and plate, not badge — say cover=face,plate"),
    ],
)
def test_a_label_that_nothing_gives_is_refused_with_what_there_is(
    spec: str | None, cover: tuple[str, ...], complaint: str
) -> None:
    with pytest.raises(RequestError) as caught:
        built(spec, *cover)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_of_a_detector_no_more_is_taken_than_is_asked_for() -> None:
    assert built("test-street", "plate", "person").spec == "test-street"
    only = built("test-street", "plate")
    assert only.spec == "only(test-street, label=[plate])"
    assert only.gives_labels == ("plate",)
    assert only(street()).counts() == {"plate": 1}
    assert built(only.spec, "plate").spec == only.spec
    face = built("union(centerface, test-street)")
    assert face(street()).counts() == {"face": 1}
    assert face.gives_landmarks


def test_min_score_is_for_every_label() -> None:
    spec = "union(centerface, test-street:sure=0.4)"
    assert built(spec, "face", "plate", min_score=0.5)(street()).counts() == {"face": 1}
    assert built(spec, "face", "plate", min_score=0.4)(street()).counts() == {"face": 1, "plate": 1}
    assert (
        built(spec, "plate", min_score=0.4).spec
        == f"only({spec.replace(':', '(').replace('0.4', '0.4)')}, label=[plate])"
    )


# --- compositions ----------------------------------------------------------------------------------------------------


def test_landmarks_are_those_of_faces_whatever_else_is_found() -> None:
    both = built("union(centerface, test-street)", "face", "plate", "person")
    assert both.gives_landmarks
    regions = both(street())
    assert regions.landmarks is not None
    assert np.isfinite(regions.landmarks).all((1, 2)).tolist() == [label == "face" for label in regions.labels.tolist()]
    bare = built("union(centerface, test-outlined)")
    assert not bare.gives_landmarks
    assert not bare.gives_outline
    assert bare(street()).landmarks is None
    assert not built("test-street", "plate").gives_landmarks


@pytest.mark.parametrize("inner", ["test-street", "flip(test-street)", "tiles(test-street, size=128)"])
def test_nothing_stands_for_something_of_another_label(inner: str) -> None:
    """A plate on a person: one box in the other, and still two."""
    pixels = samples.ground()
    pixels[40:200, 60:180] = MAGENTA
    pixels[44:196, 64:176] = YELLOW
    for spec in (inner, f"union(test-plates, {inner})", f"union({inner}, test-plates)"):
        assert found(built(spec, "plate", "person"), pixels) == {
            "plate": [[64.0, 44.0, 176.0, 196.0]],
            "person": [[60.0, 40.0, 180.0, 200.0]],
        }


@pytest.mark.parametrize("spec", ["flip(test-outlined)", "tiles(test-outlined, size=128)", "only(test-outlined)"])
def test_outlines_follow_their_faces_through_compositions(spec: str) -> None:
    pixels = samples.ground()
    pixels[150:200, 200:230] = GREEN
    detector = built(spec)
    assert detector.gives_outline
    regions = detector(Frame(pixels))
    assert len(regions) == 1
    assert regions.outline is not None
    low, high = regions.outline[0].min(0), regions.outline[0].max(0)
    assert np.concatenate([low, high]) == pytest.approx([200.5, 150.5, 229.5, 199.5], abs=1.1)


def test_a_part_without_faces_takes_no_outline_away() -> None:
    pixels = samples.ground()
    pixels[150:200, 200:230] = GREEN
    samples.put_plate(pixels, 20, 20)
    detector = built("union(test-outlined, test-plates)", "face", "plate")
    assert detector.gives_outline
    regions: Regions = detector(Frame(pixels))
    assert regions.outline is not None
    assert np.isfinite(regions.outline).all((1, 2)).tolist() == [label == "face" for label in regions.labels.tolist()]
