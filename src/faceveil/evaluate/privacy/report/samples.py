"""Pictures for a report: what attackers see of a few people, veiled; originals only where that is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from faceveil.evaluate.privacy.evidence import ORIGINAL, Evidence, People

SHOWN = 6
_QUALITY = 85


@dataclass(frozen=True, slots=True)
class Sample:
    """Pictures of one condition, as JPEG: the same people in each."""

    condition: str
    pictures: tuple[bytes, ...]


def samples(
    evidence: Sequence[Evidence], people: People, *, count: int = SHOWN, originals: bool = False
) -> tuple[Sample, ...]:
    """The first picture of a few people, spread evenly, in each condition: the wide field where there is one."""
    first = np.unique(people.person, return_index=True)[1]
    chosen = first[np.unique(np.linspace(0, len(first) - 1, min(count, len(first))).astype(int))]
    made = []
    for one in evidence:
        pictures = one.pixels.get("wide", one.pixels.get("face"))
        if pictures is not None and (originals or one.name != ORIGINAL):
            made.append(Sample(one.name, tuple(_jpeg(pictures[at]) for at in chosen)))
    return tuple(made)


def _jpeg(picture: Any) -> bytes:
    import cv2  # noqa: PLC0415  (loads OpenCV)

    bgr = np.ascontiguousarray(picture[:, :, ::-1])
    encoded: Any = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
    return bytes(encoded)
