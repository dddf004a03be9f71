"""PPM, PGM and PBM (netpbm): read and written here, since Pillow cuts colours of 16 bits to 8.

The header is ASCII: P and a digit, width, height and, but for bitmaps, the largest value; comments may stand between.
Pixels follow as text (P1 to P3) or as bytes, big-endian (P4 to P6).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from faceveil.errors import UnsupportedError
from faceveil.media.faults import cut_off, damaged
from faceveil.media.info import Info, trailer
from faceveil.media.pixels import layers
from faceveil.types import Frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TOKEN = re.compile(rb"(?:\s|#[^\r\n]*[\r\n])*(\d{1,9})")
_BITMAPS, _TEXT, _COLOUR = (1, 4), (1, 2, 3), (3, 6)


@dataclass(frozen=True, slots=True)
class _Header:
    """digit: behind the P. top: the largest value. start: where the pixels begin."""

    digit: int
    width: int
    height: int
    top: int
    start: int

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.height, self.width, 3 if self.digit in _COLOUR else 1

    @property
    def size(self) -> int:
        """Bytes of the pixels of P4 to P6."""
        height, width, channels = self.shape
        row = (width + 7) // 8 if self.digit == 4 else width * channels * (2 if self.top > 255 else 1)
        return row * height


def _header(data: bytes) -> _Header:
    digit = data[1] - ord("0")
    if digit == 7:
        raise UnsupportedError("is a PAM; of its family only PPM, PGM and PBM are supported")
    values, at = [], 2
    for _ in range(2 if digit in _BITMAPS else 3):
        found = _TOKEN.match(data, at)
        if not found:
            cut_off()
        values.append(int(found[1]))
        at = found.end()
    top = 1 if digit in _BITMAPS else values[2]
    if not 0 < top < 65536:
        damaged()
    return _Header(digit, values[0], values[1], top, at + 1)  # one white space ends the header


def probe(data: bytes) -> Info:
    """The description from the header."""
    head = _header(data)
    rest = 0
    if head.digit not in _TEXT:
        rest = len(data) - head.start - head.size
        if rest < 0:
            cut_off()
        if data[head.start + head.size :].lstrip()[:1] == b"P":
            raise UnsupportedError("holds several pictures, which is not supported in a PNM")
    bits = 16 if head.top > 255 else 8
    grey = head.digit not in _COLOUR
    return Info("PNM", head.width, head.height, bits=bits, grey=grey).noting(*trailer(rest))


def decode(data: bytes, info: Info) -> Iterator[Frame]:
    """One frame; values are stretched to the whole range of 8 or 16 bits."""
    head = _header(data)
    stored: NDArray[Any] = _text(data, head) if head.digit in _TEXT else _bytes(data, head)
    del data
    if stored.max(initial=0) > head.top:
        damaged()
    if head.digit in _BITMAPS:
        stored = 1 - stored  # one is black
    whole = 65535 if info.bits == 16 else 255
    if head.top != whole:
        stored = (stored.astype(np.uint32) * whole + head.top // 2) // head.top
    array = stored if stored.shape[2] == 3 else np.repeat(stored, 3, axis=2)
    yield Frame(array.astype(np.uint16) if info.bits == 16 else array.astype(np.uint8))


def _bytes(data: bytes, head: _Header) -> NDArray[np.uint8] | NDArray[np.uint16]:
    body = np.frombuffer(data, np.uint8, head.size, head.start)
    if head.digit == 4:
        return np.unpackbits(body.reshape(head.height, -1), axis=1)[:, : head.width, None]
    if head.top > 255:
        return body.view(">u2").astype(np.uint16).reshape(head.shape)
    return body.reshape(head.shape)


def _text(data: bytes, head: _Header) -> NDArray[np.uint16]:
    """Numbers between white space; a bitmap's digits may stand without it."""
    body = re.sub(rb"#[^\r\n]*", b"", data[head.start - 1 :])
    words = re.findall(rb"[01]", body) if head.digit == 1 else body.split()
    height, width, channels = head.shape
    if len(words) < height * width * channels:
        cut_off()
    try:
        return (
            np.array(words[: height * width * channels])
            .astype(np.uint32)
            .clip(0, 65535)
            .astype(np.uint16)
            .reshape(head.shape)
        )
    except ValueError:
        damaged()


def encode(frame: Frame, info: Info) -> bytes:
    """A binary PGM as long as the picture is grey, else a PPM; of the frame's bits."""
    array = layers(frame, grey=info.grey, alpha=False)
    height, width, channels = array.shape
    top, stored = (65535, ">u2") if array.dtype == np.uint16 else (255, "u1")
    head = f"P{6 if channels == 3 else 5}\n{width} {height}\n{top}\n"
    return head.encode() + array.astype(stored, copy=False).tobytes()
