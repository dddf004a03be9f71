"""What a human should look at: faces that come or go in the middle of the picture, and no others."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from faceveil.pipeline.exposure import MOST, Exposure
from faceveil.types import FramePlan, Regions

SIZE = (640, 480)
MIDDLE = (300, 200, 340, 250)
BORDER = (0, 200, 40, 250)


def _frame(index: int, *faces: tuple[int, tuple[int, int, int, int], float]) -> FramePlan:
    boxes = np.array([box for _, box, _ in faces], np.float32).reshape(-1, 4)
    scores = np.array([score for *_, score in faces], np.float32)
    tracks = np.array([track for track, *_ in faces], np.int64)
    return FramePlan(Regions(boxes, scores, track=tracks), ("veil",) * len(faces), SIZE, index, Fraction(index, 10))


def _notes(frames: list[FramePlan], cuts: tuple[int, ...] = ()) -> tuple[str, ...]:
    watch = Exposure()
    for frame in frames:
        if frame.index in cuts:
            watch.cut()
        watch.add(frame)
    return watch.notes()


def test_a_face_that_stays_is_no_reason_to_look() -> None:
    assert _notes([_frame(i, (0, MIDDLE, 0.95)) for i in range(30)]) == ()


def test_a_face_that_comes_and_goes_in_the_middle_is() -> None:
    frames = [_frame(i, *([(0, MIDDLE, 0.95)] if 12 <= i < 20 else [])) for i in range(30)]
    assert _notes(frames) == ("Look at 0:01.2, 0:01.9: a face came or went in the middle of the picture there.",)


def test_extended_frames_are_no_detections() -> None:
    frames = [_frame(i, (0, MIDDLE, 0.95 if i < 10 else 0.0)) for i in range(30)]
    assert "0:00.9" in _notes(frames)[0]


def test_faces_at_the_border_at_cuts_and_of_low_scores_are_not_told_of() -> None:
    assert _notes([_frame(i, *([(0, BORDER, 0.95)] if i > 5 else [])) for i in range(30)]) == ()
    assert _notes([_frame(i, (i // 15, MIDDLE, 0.95)) for i in range(30)], cuts=(15,)) == ()
    assert _notes([_frame(i, *([(0, MIDDLE, 0.4)] if i > 5 else [])) for i in range(30)]) == ()


def test_many_times_are_counted_and_minutes_are_minutes() -> None:
    frames = [_frame(600 + i, *([(i // 2, MIDDLE, 0.95)] if i % 2 else [])) for i in range(21)]
    (note,) = _notes(frames)
    assert note.startswith("Look at 1:00.1, ")
    assert f" and {20 - MOST} times more" in note
