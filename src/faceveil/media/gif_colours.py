"""Up to 256 colours for one frame of a GIF, chosen so that what was not painted keeps its colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Mask, Pixels

# Colours for what was painted where the source uses all of its own. A veil is a smooth field. On the test animation,
# PSNR inside and outside of the veils: 32 colours 38.4 and 49.8 dB, 48 38.7 and 47.5 dB, 64 38.8 and 46.2 dB.
_PAINT = 32
_SAMPLED = 8192  # colours that median cut sees at least, where there are so many: 0.6 s for 50,000 else
_CHUNK = 1 << 13  # colours compared at a time: 8 MiB of distances


@dataclass(frozen=True, slots=True)
class Chosen:
    """index: (H, W). table: three bytes for each colour, 2, 4, ... or 256 of them. clear: transparent index or -1."""

    index: NDArray[np.uint8]
    table: bytes
    clear: int


def choose(pixels: Pixels, opaque: Mask | None, tables: tuple[bytes, ...]) -> Chosen:
    """Indices and colours of a frame (H, W, 3) uint8. tables: the source's, whose colours come first.

    All colours stay exact where they fit. Else those of the source stay, the rare ones last, and the painted ones
    are reduced; or all are reduced alike, if that is nearer to the frame as a whole.
    """
    packed = pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    visible = packed.ravel() if opaque is None else packed[opaque]
    values, inverse, counts = np.unique(visible, return_inverse=True, return_counts=True)
    clear = opaque is not None and not bool(opaque.all())
    room = 256 - clear
    if len(values) <= room:
        colours, map_ = _rgb(values), np.arange(len(values))
    else:
        colours, map_ = _reduced(values, counts, np.isin(values, _known(tables)), room)
    index = np.full(packed.shape, len(colours) if clear else 0, np.uint8)  # the transparent one stands last
    if opaque is None:
        index[...] = map_.astype(np.uint8)[inverse].reshape(packed.shape)
    else:
        index[opaque] = map_.astype(np.uint8)[inverse]
    table = colours.astype(np.uint8).tobytes() + bytes(3 * clear)
    size = 2
    while 3 * size < len(table):
        size *= 2
    return Chosen(index, table.ljust(3 * size, b"\x00"), len(colours) if clear else -1)


def _known(tables: tuple[bytes, ...]) -> NDArray[np.uint32]:
    rgb = np.frombuffer(b"".join(tables), np.uint8).reshape(-1, 3).astype(np.uint32)
    return np.asarray(rgb @ np.array([1 << 16, 1 << 8, 1], np.uint32))


def _rgb(values: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Packed colours (n,) as (n, 3)."""
    return np.stack([values >> 16 & 255, values >> 8 & 255, values & 255], axis=1).astype(np.uint8)


def _reduced(
    values: NDArray[np.uint32], counts: NDArray[np.intp], known: Mask, room: int
) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """At most `room` colours (m, 3) and the one to take for each value (n,), by the smaller squared error."""
    all_rgb = _rgb(values)
    ours, painted = np.flatnonzero(known), np.flatnonzero(~known)
    for_paint = min(len(painted), max(room - len(ours), _PAINT))
    kept = ours[np.argsort(-counts[ours], kind="stable")][: room - for_paint]
    mixed = np.concatenate([all_rgb[kept], _cut(all_rgb[painted], counts[painted], for_paint)])
    best = _nearest(all_rgb, mixed)
    if len(kept) == len(ours):
        return mixed, best[0]
    adaptive = _cut(all_rgb, counts, room)
    other = _nearest(all_rgb, adaptive)
    return (mixed, best[0]) if best[1] @ counts <= other[1] @ counts else (adaptive, other[0])


def _cut(colours: NDArray[np.uint8], counts: NDArray[np.intp], number: int) -> NDArray[np.uint8]:
    """`number` colours for many, weighted by their counts, by Pillow's median cut; k-means behind it gains nothing."""
    if len(colours) <= number:
        return colours
    from PIL import Image  # noqa: PLC0415

    # Median cut counts pixels: the weights become repetitions, few enough to keep the strip small.
    some = slice(None, None, max(1, len(colours) // _SAMPLED))
    strip = np.repeat(colours[some], np.minimum(counts[some], 16), axis=0)
    image = Image.fromarray(strip[None])
    made = image.quantize(number, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    palette = np.array(made.getpalette(), np.uint8).reshape(-1, 3)
    return palette[:number]


def _nearest(colours: NDArray[np.uint8], table: NDArray[np.uint8]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """For each colour the nearest of a table, and the squared distance to it."""
    index, away = np.empty(len(colours), np.intp), np.empty(len(colours), np.float64)
    ground = table.astype(np.float32)
    square = (ground**2).sum(1)
    for start in range(0, len(colours), _CHUNK):
        part = colours[start : start + _CHUNK].astype(np.float32)
        distance = square - 2 * (part @ ground.T)  # up to |part|^2, which is the same for all; exact below 2^24
        best = distance.argmin(1)
        index[start : start + _CHUNK] = best
        away[start : start + _CHUNK] = distance[np.arange(len(part)), best] + (part**2).sum(1)
    return index, away
