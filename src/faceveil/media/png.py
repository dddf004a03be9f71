"""PNG: chunks are read and checked in `png_file`, pictures in `png_still`, animations put together in `apng`."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import replace

from faceveil.media import apng, camera, exif, png_file, png_still
from faceveil.media.camera import Settings
from faceveil.media.colour import fitting
from faceveil.media.info import Info, trailer
from faceveil.media.pixels import upright_dpi, upright_frame, upright_size
from faceveil.types import Frame

_GREY, _ALPHA = (0, 4), (4, 6)  # colour types (PNG, 11.2.1)
_PROFILE_CAP = 16 << 20  # bytes; the largest profiles in use have 3 MiB


def probe(data: bytes) -> Info:
    """The description from the chunks; image data are checked but not inflated."""
    file = png_file.read(data)
    header = file.loads(data, b"IHDR")[0]
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    depth, colour = header[8], header[9]
    moving = apng.Moving.of(file, (width, height))
    turn = exif.orientation(exif.numbers(file.extra.get(b"eXIf", b"")))
    grey, alpha = colour in _GREY, colour in _ALPHA or b"tRNS" in file.types
    icc, notes = fitting(_profile(file.extra.get(b"iCCP", b"")), grey=grey)
    size = upright_size(width, height, turn)
    dpi = upright_dpi(_dpi(file.extra.get(b"pHYs", b"")), turn)
    bits = 16 if depth == 16 else 8
    info = Info("PNG", *size, turn, icc, dpi, bits, grey, alpha, notes=notes)
    if moving:
        several = moving.animation if len(file.moments) > 1 else None  # one frame beside a default picture is a still
        info = replace(info, alpha=alpha or moving.clear, animation=several)
        info = info.noting(*moving.notes)
    return info.noting(*trailer(len(data) - file.end))


def settings(data: bytes) -> Settings:
    """The camera settings."""
    return camera.read(png_file.read(data).extra.get(b"eXIf", b""))


def _profile(chunk: bytes) -> bytes:
    """The profile in an iCCP chunk: name, zero, method zero, deflated bytes. Empty if it cannot be inflated."""
    _, _, packed = chunk.partition(b"\x00")
    inflate = zlib.decompressobj()
    try:
        profile = inflate.decompress(packed[1:], _PROFILE_CAP)
    except zlib.error:
        return b""
    return profile if inflate.eof else b""


def _dpi(chunk: bytes) -> tuple[float, float] | None:
    if len(chunk) != 9 or chunk[8] != 1:
        return None
    x, y = int.from_bytes(chunk[:4], "big"), int.from_bytes(chunk[4:8], "big")
    return (x * png_still.INCH, y * png_still.INCH) if x and y else None


def decode(data: bytes, info: Info) -> Iterator[Frame]:
    """One frame, or those of an animation; of 16 bits where the file has 16."""
    file = png_file.read(data)
    if apng.moves(file):
        yield from apng.decode(data, file, info)
        return
    clean = file.picture(data)
    del data
    yield upright_frame(*png_still.unpack(clean, info.bits), info.orientation)


def encode(frame: Frame, info: Info) -> bytes:
    """A PNG of L, LA, RGB or RGBA, 8 or 16 bits as the frame has, with what `info` says beside the pixels."""
    clean, grey = png_still.pack(frame, grey=info.grey)
    return clean[:33] + png_still.described(info, grey=grey) + clean[33:]  # signature and IHDR take 33 bytes


def writer(info: Info) -> apng.Writer:
    """What encodes an animation."""
    return apng.Writer(info)
