"""JPEG without loss outside the faces: only the MCUs that were painted on get new coefficients, all others stay.

An MCU is 8 x 8 pixels, or 16 x 16 with 4:2:0. Of an MCU with a painted pixel every coefficient comes from the painted
picture, so no coefficient of the output was made from a covered pixel. All other coefficients are the source's, bit by
bit. Both is asserted on the encoded file before it is handed on, and so is that the file shows the painted picture.
The stored orientation stays, as a tag.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from faceveil.errors import InputError, UnsupportedError
from faceveil.media import exif, jpeg, jpeg_file, turbojpeg
from faceveil.media.colour import kept
from faceveil.media.mcu import Grid, Patches, around, between, touched
from faceveil.media.pixels import upright_dpi
from faceveil.planes import stored
from faceveil.types import Frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.media.info import Info
    from faceveil.media.source import Source
    from faceveil.policy import JpegMode
    from faceveil.types import Mask

    Rewriter = Callable[[Frame, Mask], bytes]

_ARITHMETIC = frozenset((0xC9, 0xCA, 0xCD, 0xCE))
_PADDING = "extraneous bytes before marker 0xd9"  # cameras' padding before the end marker: all pixels are there
_TINT = 4  # levels between the channels of what passes for grey: veil and blur leave 2 on grey pictures, by rounding
_SAMPLED = "its components are sampled in a way that libjpeg-turbo does not transform"


class NotLossless(Exception):
    """This picture cannot be rewritten in part; the message ends a sentence that begins "because"."""


def advice() -> str:
    """One line for `faceveil doctor`: whether lossless JPEG works here, and how to get it."""
    if turbojpeg.available():
        return "lossless JPEG: ready"
    return f"lossless JPEG: needs libturbojpeg: {turbojpeg.CURE}; without it JPEGs are re-encoded"


def rewriter(source: Source, info: Info, mode: JpegMode) -> Rewriter | None:
    """What writes painted frames of `source` without loss; None where that is not asked for or not possible here.

    Raises `MissingExtra` where it is demanded and the library is not installed.
    """
    if source.info.format != "JPEG" or mode == "reencode" or (mode == "auto" and not turbojpeg.available()):
        return None
    turbojpeg.library()
    return lambda frame, area: rewrite(source.read(), info, frame, area)


def refusal(name: str, reason: NotLossless) -> UnsupportedError:
    """The error of mode "lossless"."""
    return UnsupportedError(f"{name} cannot be written without loss, because {reason}", hint="use --jpeg auto")


def note(reason: NotLossless) -> str:
    """The note of mode "auto"."""
    return f"Re-encoded as a whole, because {reason}."


def rewrite(data: bytes, info: Info, frame: Frame, area: Mask) -> bytes:
    """The JPEG `data` with new coefficients in the MCUs that `area` touches, and of its metadata what `info` names.

    frame: the painted picture, upright. area: (H, W), upright, True wherever it may differ from the decoded `data`.
    Raises `NotLossless` where the file is of a kind that this cannot do, or an assertion fails.
    """
    original = _original(data, info)
    grid = original.grid
    pixels = stored(frame.pixels, info.orientation)
    units = touched(stored(area, info.orientation), grid.unit)
    patches = Patches(grid, units, pixels)
    if patches.tint > _TINT:
        raise NotLossless("it is grey and what covers the faces is in colour")
    written, wanted = _transformed(original, patches)
    dpi, icc = upright_dpi(info.dpi, info.orientation), kept(info.icc, grey=original.grey)
    rgb = not (grid.ycbcr or original.grey)
    out = jpeg_file.assemble(written, icc, dpi, info.orientation, info.camera, rgb=rgb)
    del written
    _assert_coefficients(out, info, wanted)
    _assert_shown(out, info, pixels, around(units) if original.interpolated else units, grid.unit)
    return out


# --- the source ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Original:
    """A source that can be rewritten.

    clean: its picture without metadata. interpolated: `jpeg.decode` mixes chroma of neighbouring MCUs into its pixels.
    """

    clean: bytes = field(repr=False)
    file: jpeg_file.JpegFile = field(repr=False)
    grid: Grid
    interpolated: bool

    @property
    def grey(self) -> bool:
        return len(self.grid.factors) == 1


def _original(data: bytes, info: Info) -> _Original:
    """What is needed of the file. Raises `NotLossless` for colours and samplings that cannot be done."""
    file = jpeg_file.read(data)
    clean, count = file.picture(data), len(file.components)
    if count == 4:
        raise NotLossless("its colours are CMYK")
    try:
        space, sampling = turbojpeg.colours(clean)
    except turbojpeg.TurboError as error:
        raise _told(error) from error
    # A component that is alone has MCUs of one block, whatever factors it states (T.81, A.2.2).
    factors = tuple((h, v) for h, v, _ in file.components) if count > 1 else ((1, 1),)
    known = (turbojpeg.GREY,) if count == 1 else (turbojpeg.YCBCR, turbojpeg.RGB)
    most_h, most_v = max(h for h, _ in factors), max(v for _, v in factors)
    if sampling < 0 or space not in known or any(most_h % h or most_v % v for h, v in factors):
        raise NotLossless(_SAMPLED)
    tables = tuple(file.tables[number] for *_, number in file.components)
    grid = Grid(file.width, file.height, factors, tables, ycbcr=space == turbojpeg.YCBCR)
    return _Original(clean, file, grid, interpolated=not jpeg.repeats_chroma(file, info))


def _told(error: turbojpeg.TurboError) -> NotLossless:
    said = str(error).partition("(): ")[2] or str(error)  # without the function's name
    return NotLossless(_SAMPLED if "subsampling" in said else f"libjpeg-turbo does not transform it ({said})")


def _transformed(original: _Original, patches: Patches) -> tuple[bytes, _Account]:
    """The file with the new blocks, and the account of what it must hold."""
    try:
        return _once(original, patches, strict=True)
    except turbojpeg.TurboError as error:
        if _PADDING not in str(error):
            raise _told(error) from error
    try:
        return _once(original, patches, strict=False)
    except turbojpeg.TurboError as error:
        raise _told(error) from error


def _once(original: _Original, patches: Patches, *, strict: bool) -> tuple[bytes, _Account]:
    wanted, marker = _Account(patches), original.file.marker

    def exchange(component: int, row: int, blocks: NDArray[np.int16]) -> None:
        columns, fresh = patches.row(component, row)
        wanted.note(blocks, columns, fresh)
        if len(columns):
            blocks[columns] = fresh

    written = turbojpeg.transform(
        original.clean,
        exchange,
        progressive=marker in jpeg_file.PROGRESSIVE,
        arithmetic=marker in _ARITHMETIC,
        optimise=jpeg.is_optimised(original.file),
        strict=strict,
    )
    return written, wanted


# --- assertions on the encoded file ----------------------------------------------------------------------------------


class _Account:
    """Check sums of the coefficients outside and inside the rewritten MCUs, for each row of blocks as visited.

    CRC-32 finds every single changed coefficient, and of other changes all but one in four thousand million; nobody
    chooses them. The coefficients themselves would take as much memory as the picture.
    """

    def __init__(self, patches: Patches) -> None:
        self.patches = patches
        self.sums: list[tuple[int, int]] = []

    def note(self, blocks: NDArray[np.int16], columns: NDArray[np.intp], fresh: NDArray[np.int16]) -> None:
        """Take down a row of blocks with `fresh` ones in some columns; what stands there now is cleared."""
        if len(columns):
            blocks[columns] = 0
        self.sums.append((crc32(blocks.data), crc32(np.ascontiguousarray(fresh).data) if len(columns) else 0))

    def row(self, component: int, row: int, blocks: NDArray[np.int16]) -> None:
        """Take down a row of blocks of a file that has its new ones."""
        columns, _ = self.patches.row(component, row)
        self.note(blocks, columns, blocks[columns])


def _assert_coefficients(out: bytes, info: Info, wanted: _Account) -> None:
    """Read the file and compare: old coefficients outside, new ones inside, and what gives them their meaning."""
    seen, file, grid = _Account(wanted.patches), jpeg_file.read(out), wanted.patches.grid
    try:
        turbojpeg.visit(out, seen.row)
    except turbojpeg.TurboError as error:
        raise _told(error) from error
    tables = tuple(file.tables.get(number) for *_, number in file.components)
    got = (tables, file.width, file.height, exif.orientation(file.exif))
    if seen.sums != wanted.sums or got != (grid.tables, grid.width, grid.height, info.orientation):
        raise NotLossless("its coefficients did not come through unchanged")


def _assert_shown(out: bytes, info: Info, pixels: NDArray[np.uint8], but: Mask, unit: tuple[int, int]) -> None:
    """Decode the file: outside of some MCUs it must show the painted picture. A wrong area would show a face."""
    try:
        (frame,) = jpeg.decode(out, info)
    except InputError as error:
        raise NotLossless("the result cannot be decoded") from error
    shown = stored(frame.pixels, info.orientation)
    parts = (
        (slice(y * unit[0], (y + 1) * unit[0]), slice(start * unit[1], stop * unit[1]))
        for y, flags in enumerate(but)
        for start, stop in between(flags)
    )
    if shown.shape != pixels.shape or not all(np.array_equal(shown[part], pixels[part]) for part in parts):
        raise NotLossless("the result does not show the painted picture")
