"""libjpeg-turbo's TurboJPEG library through ctypes: the DCT coefficients of a JPEG, read or rewritten, not decoded.

Only the functions of its 2.x interface are used, which 3.x has too. The library is loaded when it is first needed.
Its own name, header and manual: https://libjpeg-turbo.org (`tjTransform`, `tjtransform.customFilter`).
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes.util import find_library
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from faceveil.errors import MissingExtra

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Coefficients = NDArray[np.int16]
    Visit = Callable[[int, int, Coefficients], None]

GREY, RGB, YCBCR = 2, 0, 1  # TJCS_GRAY, TJCS_RGB, TJCS_YCbCr; CMYK and YCCK are 3 and 4

# Turned off by libraries that are older than the option: unknown bits are not looked at.
_NO_OUTPUT, _PROGRESSIVE, _COPY_NONE, _ARITHMETIC, _OPTIMISE = 1 << 4, 1 << 5, 1 << 6, 1 << 7, 1 << 8  # TJXOPT_*
_STOP_ON_WARNING = 8192  # TJFLAG_STOPONWARNING

_NAMES = {
    "linux": ("libturbojpeg.so.0", "/opt/libjpeg-turbo/lib64/libturbojpeg.so.0"),
    "darwin": (
        "libturbojpeg.dylib",
        "/opt/homebrew/opt/jpeg-turbo/lib/libturbojpeg.dylib",
        "/usr/local/opt/jpeg-turbo/lib/libturbojpeg.dylib",
        "/opt/local/lib/libturbojpeg.dylib",
    ),
    "win32": ("turbojpeg.dll", r"C:\libjpeg-turbo64\bin\turbojpeg.dll"),
}
_CURES = {"darwin": "brew install jpeg-turbo", "win32": "install libjpeg-turbo from https://libjpeg-turbo.org"}
CURE = _CURES.get(sys.platform, "apt-get install libturbojpeg0")
"""How to get the library on this system."""


class TurboError(Exception):
    """The library refuses a file; the message is the library's."""


class _Region(ctypes.Structure):
    _fields_ = [("x", ctypes.c_int), ("y", ctypes.c_int), ("w", ctypes.c_int), ("h", ctypes.c_int)]


_Filter = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, _Region, _Region, ctypes.c_int, ctypes.c_int, ctypes.c_void_p)


class _Transform(ctypes.Structure):
    _fields_ = [
        ("region", _Region),
        ("operation", ctypes.c_int),
        ("options", ctypes.c_int),
        ("data", ctypes.c_void_p),
        ("filter", _Filter),
    ]


def available() -> bool:
    """Whether the library is on this system, in a version that serves (2.0 or later)."""
    return _library() is not None


def library() -> ctypes.CDLL:
    """The library. Raises `MissingExtra` with the way to get it."""
    found = _library()
    if found is None:
        raise MissingExtra("lossless JPEG needs the library libturbojpeg", hint=CURE)
    return found


@cache
def _library() -> ctypes.CDLL | None:
    platform = "linux" if sys.platform not in _NAMES else sys.platform
    for name in _candidates(platform):
        try:
            return _declared(ctypes.CDLL(name))
        except (OSError, AttributeError):  # not there; there, but older than 2.0
            continue
    return None


def _candidates(platform: str) -> Iterator[str]:
    yield from _NAMES[platform]
    if found := find_library("turbojpeg"):  # last: on Linux it starts other programs
        yield found


def _declared(found: ctypes.CDLL) -> ctypes.CDLL:
    handle, size, sizes = ctypes.c_void_p, ctypes.c_ulong, ctypes.POINTER(ctypes.c_ulong)
    number, numbers = ctypes.c_int, ctypes.POINTER(ctypes.c_int)
    found.tjInitTransform.restype = handle
    found.tjInitTransform.argtypes = []
    found.tjDestroy.argtypes = [handle]
    found.tjFree.argtypes = [ctypes.c_void_p]
    found.tjFree.restype = None
    found.tjGetErrorCode.argtypes = [handle]
    found.tjGetErrorStr2.restype = ctypes.c_char_p
    found.tjGetErrorStr2.argtypes = [handle]
    found.tjDecompressHeader3.argtypes = [handle, ctypes.c_char_p, size, *[numbers] * 4]
    found.tjTransform.argtypes = [
        *(handle, ctypes.c_char_p, size, number),
        *(ctypes.POINTER(ctypes.c_void_p), sizes, ctypes.POINTER(_Transform), number),
    ]
    return found


@contextmanager
def _handle(turbo: ctypes.CDLL) -> Iterator[ctypes.c_void_p]:
    """A handle of one's own: they are not shared between threads."""
    handle = turbo.tjInitTransform()
    if not handle:
        raise MemoryError
    try:
        yield ctypes.c_void_p(handle)
    finally:
        turbo.tjDestroy(handle)


def colours(data: bytes) -> tuple[int, int]:
    """(colour space, subsampling) as the library names them; a subsampling of -1 is none that it can transform.

    Raises `TurboError` where the header cannot be read.
    """
    turbo = library()
    width, height, sampling, space = (ctypes.c_int() for _ in range(4))
    with _handle(turbo) as handle:
        if turbo.tjDecompressHeader3(handle, data, len(data), *map(ctypes.byref, (width, height, sampling, space))):
            raise TurboError(_said(turbo, handle))
    return space.value, sampling.value


def transform(
    data: bytes,
    visit: Visit,
    *,
    progressive: bool = False,
    arithmetic: bool = False,
    optimise: bool = False,
    strict: bool = True,
) -> bytes:
    """A JPEG with the coefficients of `data` as `visit` leaves them, and without any metadata of `data`.

    visit(component, row, blocks): called once for each row of blocks; `blocks` is int16 (blocks in the row, 64),
    natural order, quantised, writable and valid during the call only. Blocks that merely fill the last MCU are not
    shown: the library makes them anew from their neighbours.

    progressive, arithmetic, optimise: how to write; the latter two need a library of 3.0 or later, older ones write
    Huffman codes with the standard's tables. strict: take a warning for an error. Raises `TurboError` for what the
    library refuses.
    """
    options = _COPY_NONE | _PROGRESSIVE * progressive | _ARITHMETIC * arithmetic | _OPTIMISE * optimise
    return _run(data, visit, options, _STOP_ON_WARNING * strict)


def visit(data: bytes, visitor: Visit) -> None:
    """Show all coefficients to `visitor`, as in `transform`, and write nothing."""
    _run(data, visitor, _NO_OUTPUT | _COPY_NONE, _STOP_ON_WARNING)


def coefficients(data: bytes) -> list[Coefficients]:
    """All coefficients of each component: int16 (block rows, block columns, 64), quantised, natural order."""
    found: dict[int, list[Coefficients]] = {}
    visit(data, lambda component, _, blocks: found.setdefault(component, []).append(blocks.copy()))
    return [np.stack(found[component]) for component in sorted(found)]


def _run(data: bytes, visitor: Visit, options: int, flags: int) -> bytes:
    turbo, raised = library(), list[BaseException]()

    def filtered(at: int, array: _Region, plane: _Region, component: int, _index: int, _transform: int) -> int:
        try:
            if array.y < plane.h:  # else a row of blocks that fills the last MCU
                block = (ctypes.c_short * (array.w * 8)).from_address(at)
                visitor(component, array.y // 8, np.frombuffer(block, np.int16).reshape(-1, 64))
        except BaseException as error:  # ctypes would print it and go on
            raised.append(error)
            return -1
        return 0

    job = _Transform(options=options, filter=_Filter(filtered))
    out, size = ctypes.c_void_p(), ctypes.c_ulong()
    with _handle(turbo) as handle:
        try:
            failed = turbo.tjTransform(
                handle, data, len(data), 1, ctypes.byref(out), ctypes.byref(size), ctypes.byref(job), flags
            )
            if raised:
                raise raised[0]
            if failed and (flags or turbo.tjGetErrorCode(handle)):  # a mere warning is 0, TJERR_WARNING
                raise TurboError(_said(turbo, handle))
            return ctypes.string_at(out, size.value) if out.value else b""
        finally:
            turbo.tjFree(out)


def _said(turbo: ctypes.CDLL, handle: ctypes.c_void_p) -> str:
    said: bytes | None = turbo.tjGetErrorStr2(handle)
    return (said or b"no reason given").decode("ascii", "replace")
