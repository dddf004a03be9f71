"""Several detectors look at one picture, each with the time that it takes: what measuring needs from a worker."""

from __future__ import annotations

import time
from functools import lru_cache
from pathlib import Path
from typing import Any

from faceveil import detect, media
from faceveil.detect.base import Detector
from faceveil.detect.runtime import Runtime
from faceveil.errors import UnsupportedError
from faceveil.policy import Policy
from faceveil.types import Frame

_Asked = tuple[str, Runtime, float | None]
_warm: set[_Asked] = set()


def look(source: Path, specs: tuple[str, ...], policy: Policy) -> dict[str, Any]:
    """What each of `specs` finds in a picture: its upright size, its SHA-256, and one entry for each detector.

    An entry holds `boxes`, `scores`, `labels` (None: all are faces) and `ms`: processor time of one thread, so that
    other work on the machine disturbs little. A detector's first picture in a process is looked at twice: loading a
    network is no part of looking. Raises `UnsupportedError` for a file of several frames.
    """
    if media.is_video(source):
        raise UnsupportedError(f"{source} is a video: pictures are measured")
    opened = media.open(source)
    if opened.info.frames > 1:
        raise UnsupportedError(f"{source} has {opened.info.frames} frames: pictures of one are measured")
    (frame,) = opened
    runtime = Runtime(policy.provider, threads=1, cloud=policy.allow_cloud)
    with _one_thread():
        looks = [_timed((spec, runtime, policy.min_score), frame) for spec in specs]
    return {"size": [frame.width, frame.height], "sha256": opened.digest, "looks": looks}


@lru_cache(maxsize=64)
def _detector(spec: str, runtime: Runtime, min_score: float | None) -> Detector:
    return detect.build("balanced", spec, runtime, min_score, cover=None)


def _timed(asked: _Asked, frame: Frame) -> dict[str, Any]:
    detector = _detector(*asked)
    if asked not in _warm:
        detector(frame)
        _warm.add(asked)
    started = time.process_time()
    found = detector(frame)
    spent = time.process_time() - started
    return {
        "boxes": found.xyxy.tolist(),
        "scores": found.score.tolist(),
        "labels": None if found.label is None else found.label.tolist(),
        "ms": round(spent * 1000, 2),
    }


class _one_thread:  # noqa: N801  (reads as a word in `with`)
    """OpenCV in one thread; what was set before comes back."""

    def __enter__(self) -> None:
        import cv2  # noqa: PLC0415  (loads OpenCV)

        self._before = cv2.getNumThreads()
        cv2.setNumThreads(1)

    def __exit__(self, *_: object) -> None:
        import cv2  # noqa: PLC0415

        cv2.setNumThreads(self._before)
