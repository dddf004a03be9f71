"""Animations made by hand, byte by byte, with every rectangle, disposal, blending and palette; and how they look.

`shown` is the reference: a slow, literal reading of the GIF and PNG specifications, independent of the package.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace
from fractions import Fraction
from io import BytesIO
from typing import Any

import av
import cv2
import media_samples as samples
import numpy as np
from numpy.typing import NDArray
from PIL import GifImagePlugin, Image, ImageSequence

KEEP, BACKGROUND, PREVIOUS = "keep", "background", "previous"
_GIF_DISPOSALS = {KEEP: 1, BACKGROUND: 2, PREVIOUS: 3}
_PNG_DISPOSALS = {KEEP: 0, BACKGROUND: 1, PREVIOUS: 2}

RGBA = NDArray[np.uint8]  # (h, w, 4)


@dataclass(frozen=True)
class Part:
    """What one frame draws: RGBA pixels at a place. over: blended, not replaced. seconds: how long it is shown."""

    pixels: RGBA
    left: int = 0
    top: int = 0
    dispose: str = KEEP
    over: bool = False
    seconds: Fraction = Fraction(1, 10)
    interlaced: bool = False
    own_table: bool = True

    @property
    def place(self) -> tuple[slice, slice]:
        height, width = self.pixels.shape[:2]
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


def shown(size: tuple[int, int], parts: list[Part]) -> list[RGBA]:
    """The canvas at each frame."""
    canvas, found = np.zeros((size[1], size[0], 4), np.uint8), []
    for part in parts:
        before = canvas.copy()
        if part.over:
            for y, x in np.ndindex(part.pixels.shape[:2]):
                canvas[part.top + y, part.left + x] = _mixed(part.pixels[y, x], canvas[part.top + y, part.left + x])
        else:
            canvas[part.place] = part.pixels
        found.append(canvas.copy())
        if part.dispose == BACKGROUND:
            canvas[part.place] = 0
        elif part.dispose == PREVIOUS:
            canvas = before
    return found


def _mixed(above: RGBA, below: RGBA) -> list[int]:
    """PNG, 13.16: straight alpha."""
    a, b = above[3] / 255, below[3] / 255 * (1 - above[3] / 255)
    if a + b == 0:
        return [0, 0, 0, 0]
    colours = [round((float(above[c]) * a + float(below[c]) * b) / (a + b)) for c in range(3)]
    return [*colours, round((a + b) * 255)]


# --- GIF -----------------------------------------------------------------------------------------------------------


def gif(size: tuple[int, int], parts: list[Part], *, loop: int | None = 0, middle: bytes = b"") -> bytes:
    """A GIF. Colours with alpha 0 become the transparent index. Parts without their own table share the first's."""
    tables = [_table(part.pixels) for part in parts]
    common = max(tables, key=len) if all(part.own_table for part in parts) else _table(*[p.pixels for p in parts])
    out = struct.pack("<6sHHBBB", b"GIF89a", *size, 0xF7, 0, 0) + _padded(common)
    if loop is not None:
        out += samples.gif_extension(0xFF, b"NETSCAPE2.0", struct.pack("<BH", 1, loop))
    for part in parts:
        table = _table(part.pixels) if part.own_table else common
        out += middle + _gif_image(part, table)
    return out + b";"


def _table(*pictures: RGBA) -> list[tuple[int, ...]]:
    """Colours in use, with None's place kept for the transparent one at the end (index 255)."""
    rows = np.concatenate([p.reshape(-1, 4) for p in pictures])
    return [tuple(int(v) for v in colour) for colour in np.unique(rows[rows[:, 3] > 0][:, :3], axis=0)]


def _padded(table: list[tuple[int, ...]]) -> bytes:
    return bytes(v for colour in table for v in colour).ljust(768, b"\x00")


def _gif_image(part: Part, table: list[tuple[int, ...]]) -> bytes:
    places = {colour: i for i, colour in enumerate(table)}
    height, width = part.pixels.shape[:2]
    index = np.array(
        [[places[tuple(int(v) for v in p[:3])] if p[3] else 255 for p in row] for row in part.pixels], np.uint8
    )
    if part.interlaced:
        index = np.concatenate([index[0::8], index[4::8], index[2::4], index[1::2]])
    packed = lzw(index)
    control = struct.pack("<BBH", _GIF_DISPOSALS[part.dispose] << 2 | 1, 0, 255)
    control = struct.pack("<BHB", control[0], round(part.seconds * 100), 255)
    flags = (0x87 if part.own_table else 0) | (0x40 if part.interlaced else 0)
    head = struct.pack("<BHHHHB", 0x2C, part.left, part.top, width, height, flags)
    return samples.gif_extension(0xF9, control) + head + (_padded(table) if part.own_table else b"") + packed


def lzw(index: NDArray[np.uint8]) -> bytes:
    """Indices as GIF's packed data, by Pillow."""
    height, width = index.shape
    image = Image.frombuffer("P", (width, height), np.ascontiguousarray(index), "raw", "P", 0, 1)
    return b"".join(GifImagePlugin.getdata(image))[10:]


# --- PNG -----------------------------------------------------------------------------------------------------------


def apng(
    size: tuple[int, int],
    parts: list[Part],
    *,
    loop: int = 0,
    default: RGBA | None = None,
    kind: str = "RGBA",
    frames: int | None = None,
    extra: bytes = b"",
) -> bytes:
    """An animated PNG. default: a picture that is no part of the animation. kind: "RGBA", "RGB" or "P"."""
    table = _table(*[part.pixels for part in parts], *([] if default is None else [default])) if kind == "P" else []
    colour = {"RGBA": 6, "RGB": 2, "P": 3}[kind]
    out = [b"\x89PNG\r\n\x1a\n", samples.chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, colour, 0, 0, 0))]
    out += [extra, samples.chunk(b"acTL", struct.pack(">II", len(parts) if frames is None else frames, loop))]
    if kind == "P":
        out.append(samples.chunk(b"PLTE", bytes(v for c in [*table, (0, 0, 0)] for v in c)))
        out.append(samples.chunk(b"tRNS", b"\xff" * len(table) + b"\x00"))
    number = 0
    if default is not None:
        out.append(samples.chunk(b"IDAT", _rows(default, kind, table)))
    for i, part in enumerate(parts):
        height, width = part.pixels.shape[:2]
        times = part.seconds.numerator, part.seconds.denominator
        operations = _PNG_DISPOSALS[part.dispose], int(part.over)
        control = struct.pack(">IIIIIHHBB", number, width, height, part.left, part.top, *times, *operations)
        out.append(samples.chunk(b"fcTL", control))
        number += 1
        rows = _rows(part.pixels, kind, table)
        if i == 0 and default is None:
            out.append(samples.chunk(b"IDAT", rows))
            continue
        for piece in (rows[: len(rows) // 2], rows[len(rows) // 2 :]):
            out.append(samples.chunk(b"fdAT", struct.pack(">I", number) + piece))
            number += 1
    return b"".join([*out, samples.chunk(b"IEND", b"")])


def _rows(pixels: RGBA, kind: str, table: list[tuple[int, ...]]) -> bytes:
    if kind == "P":
        places = {colour: i for i, colour in enumerate(table)}
        load = [bytes(places[tuple(int(v) for v in p[:3])] if p[3] else len(table) for p in row) for row in pixels]
        return zlib.compress(b"".join(b"\x00" + row for row in load))
    return zlib.compress(b"".join(b"\x00" + row[:, : len(kind)].tobytes() for row in pixels))


# --- whole pictures, through Pillow ----------------------------------------------------------------------------------


def saved(form: str, frames: list[RGBA], *, alpha: bool = False, **options: Any) -> bytes:
    """An animation or pages as Pillow writes them."""
    images = [Image.fromarray(f if alpha else np.ascontiguousarray(f[..., :3])) for f in frames]
    out = BytesIO()
    images[0].save(out, form, save_all=True, append_images=images[1:], **options)
    return out.getvalue()


def scene(number: int, size: tuple[int, int] = (64, 48)) -> RGBA:
    """A frame with few colours: a ground of its own and a `face` of a colour that nothing else has."""
    width, height = size
    frame = np.full((height, width, 4), 255, np.uint8)
    frame[..., :3] = (20 + 10 * number, 90, 140)
    frame[::4, :, 1] = 60
    x, y = face(number)[:2]
    frame[y : y + 12, x : x + 12, :3] = (250, 200, 10 + number)
    return frame


def face(number: int) -> tuple[int, int, int, int]:
    """Where the face of a scene is: left, top, right, bottom."""
    x, y = 6 + 9 * number % 40, 5 + 7 * number % 28
    return x, y, x + 12, y + 12


# --- looking at files with others' decoders --------------------------------------------------------------------------


def by_pillow(data: bytes) -> list[RGBA]:
    with Image.open(BytesIO(data)) as image:
        return [np.asarray(frame.convert("RGBA")) for frame in ImageSequence.Iterator(image)]


def by_ffmpeg(data: bytes, form: str) -> list[RGBA]:
    """GIF and APNG only: FFmpeg's WebP decoder does not take animations."""
    with av.open(BytesIO(data), "r", format={"GIF": "gif", "PNG": "apng"}[form]) as container:
        return [frame.to_ndarray(format="rgba").astype(np.uint8) for frame in container.decode(video=0)]


def by_opencv(data: bytes) -> list[RGBA]:
    """GIF, APNG, WebP and AVIF."""
    done, animation = cv2.imdecodeanimation(np.frombuffer(data, np.uint8)[None])
    assert done
    codes = {4: cv2.COLOR_BGRA2RGBA, 3: cv2.COLOR_BGR2RGBA}
    return [cv2.cvtColor(frame, codes[frame.shape[2]]).astype(np.uint8) for frame in animation.frames]


def timed(parts: list[Part], seconds: list[Fraction]) -> list[Part]:
    """The parts with these durations."""
    return [replace(part, seconds=time) for part, time in zip(parts, seconds, strict=True)]
