"""An output beside its original: what changed outside the covers, which faces still show, what else came along."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from faceveil.deidentify.cover import clip, place
from faceveil.deidentify.veil import Veil
from faceveil.policy import Area
from faceveil.types import Frame, Regions
from faceveil.verify.leak import Data, Leak, printable

PATCH = 32
"""Faces are compared as grey patches of this many pixels: enough to tell people apart, blind to noise."""
ALIKE = 0.75
"""Correlation from which an original face counts as still showing."""
DETAIL = 0.3
"""The same for what is left of both without slopes and bulges, up to squares of x and y: a veil's head is as light in
its middle as a face on a dark ground. Of 399 veiled faces two came to .75, none of them to more than .2 here; of those
behind a blur of .08 or a mosaic of 16 cells .995 and more come to both."""
EDGE = Veil.feather + 0.05
"""Part of a cover's half size beyond which nothing is painted: the widest soft edge, and what two detections differ."""
_SAMPLE = 24
"""Bytes of a piece of metadata that are searched in the output: too many to meet by chance."""

_LARGE = 256 << 20
"""Bytes of an output from which fewer pieces are searched in it: each search reads all of it, at some 500 MB/s."""


@dataclass(frozen=True, slots=True)
class Outside:
    """How pixels outside the covers differ.

    changed: share of them that differ at all. most: largest difference of a channel, in levels. psnr: in dB,
    infinite if none differs.
    """

    changed: float
    most: int
    psnr: float

    def __str__(self) -> str:
        if not self.changed:
            return "outside the faces every pixel is identical"
        return f"outside the faces {self.changed:.1%} of pixels differ, at most by {self.most} ({self.psnr:.1f} dB)"


@dataclass(frozen=True, slots=True)
class Shown:
    """An original face that can still be seen in the output: its box and the correlation."""

    frame: int
    box: tuple[float, float, float, float]
    likeness: float


def outside(original: Frame, output: Frame, faces: Regions, area: Area) -> Outside:
    """Compare two frames of one size outside the covers of `faces`, with their soft edges."""
    free = np.ones(original.pixels.shape[:2], bool)
    for rect in place(faces.xyxy, area).rects(EDGE):
        x1, y1, x2, y2 = clip(rect, original.width, original.height)
        free[y1:y2, x1:x2] = False
    squares, changed, most = 0.0, 0, 0
    for y in range(0, original.height, 256):  # in strips: a picture of 100 MP would need gigabytes at once
        a, b, mask = (array[y : y + 256] for array in (original.pixels, output.pixels, free))
        difference = np.abs(a[mask].astype(np.int32) - b[mask])
        squares += float(np.square(difference.astype(np.float64)).sum())
        changed += int((difference > 0).any(axis=-1).sum())
        most = max(most, int(difference.max(initial=0)))
    count = int(free.sum())
    white = int(np.iinfo(original.pixels.dtype).max)
    psnr = 10 * math.log10(white**2 * 3 * count / squares) if squares else math.inf
    return Outside(changed / max(count, 1), most, psnr)


def still_shown(original: Frame, output: Frame, faces: Regions) -> list[Shown]:
    """Faces of the original that correlate with what the output shows at the same place.

    A blurred or pixelated face correlates too: that is what makes it recognisable.
    """
    found = []
    for box in faces.xyxy:
        x1, y1, x2, y2 = clip(box.astype(np.float64), original.width, original.height)
        if x2 - x1 < 8 or y2 - y1 < 8:
            continue
        before, after = (_patch(frame, (x1, y1, x2, y2)) for frame in (original, output))
        likeness = _correlation(before, after)
        if likeness >= ALIKE and _correlation(_detail(before), _detail(after)) >= DETAIL:
            found.append(Shown(original.index, (x1, y1, x2, y2), round(likeness, 3)))
    return found


def _patch(frame: Frame, box: tuple[int, int, int, int]) -> np.ndarray:
    x1, y1, x2, y2 = box
    pixels = frame.pixels[y1:y2, x1:x2].astype(np.float32).mean(axis=2)
    return np.asarray(cv2.resize(pixels, (PATCH, PATCH), interpolation=cv2.INTER_AREA))


def _detail(patch: np.ndarray) -> np.ndarray:
    """A patch without its best fit by squares of x and y."""
    plain = _plain()
    values = patch.reshape(-1)
    return np.asarray(values - plain @ (plain.T @ values))


@cache
def _plain() -> np.ndarray:
    """Products of x and y up to squares over a patch, orthonormal columns (PATCH * PATCH, 6)."""
    y, x = np.mgrid[-1 : 1 : PATCH * 1j, -1 : 1 : PATCH * 1j]
    powers = [(x**i * y**j).ravel() for i in range(3) for j in range(3 - i)]
    return np.asarray(np.linalg.qr(np.stack(powers, axis=1))[0], np.float32)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's correlation of two patches; 0 where one is flat."""
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / norm if norm > 1e-3 else 0.0


def carried_over(original: Data, leaks: list[Leak], output: Data) -> list[Leak]:
    """Pieces of the original's metadata, thumbnails and trailers whose bytes occur in the output."""
    found = []
    for leak in leaks:
        end = min(len(original), leak.offset + leak.size)
        for start in _samples(leak.offset, end, 32 if len(output) < _LARGE else 4):
            piece = original[start : start + _SAMPLE]
            if len(set(piece)) < 6:
                continue  # zeros and rules are everywhere
            at = output.find(piece)
            if at >= 0 and piece not in _standard_tables():
                found.append(Leak(f"bytes of {leak.what} of the original: {printable(piece)}", at, len(piece)))
                break
    return found


@cache
def _standard_tables() -> bytes:
    """The tables that most JPEGs share, thumbnails and pictures alike: ITU-T T.81, Annex K, at all qualities."""
    from PIL import Image  # noqa: PLC0415  (needed where something was found)

    headers = io.BytesIO()
    for quality in range(1, 101):
        Image.new("RGB", (8, 8)).save(headers, "JPEG", quality=quality)
    return headers.getvalue()


def _samples(start: int, end: int, most: int) -> list[int]:
    """Up to `most` places in a range where a piece is taken."""
    last = end - _SAMPLE
    if last < start:
        return []
    return sorted({start + (last - start) * i // (most - 1) for i in range(most)})
