"""One sentence for everything that can go wrong inside a decoder.

Codecs raise errors whose message is a predicate ("ends too early"); `named` puts the file's name before it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from faceveil.errors import FaceveilError, InputError, TooLargeError, UnreadableError, UnsupportedError

CUT_OFF = "ends too early: some of its pixels are missing"
DAMAGED = "is damaged: it cannot be decoded completely"
UNKNOWN_WAY = "stores its pixels in a way that is not supported"
FRAME_CAP = 10_000  # 5 minutes at 33 frames a second; at 50 ms for each frame, 8 minutes of looking for faces

_CUT_WORDS = (
    "truncat",
    "premature",
    "unexpected end",
    "end of file",
    "eof",
    "not enough",
    "insufficient",
    "broken png",
)
_KIND_WORDS = ("unsupported", "not supported", "unknown pixel mode", "unknown compression", "not implemented")


def cut_off() -> NoReturn:
    """The data end before the picture does."""
    raise UnreadableError(CUT_OFF)


def damaged() -> NoReturn:
    """The data contradict themselves."""
    raise UnreadableError(DAMAGED)


def too_many(what: str = "frames") -> NoReturn:
    """There are more frames or pages than anybody looks at: a decompression bomb, or a film in the wrong clothes."""
    raise TooLargeError(f"has more than {FRAME_CAP} {what}, which is the cap")


@contextmanager
def named(name: str) -> Iterator[None]:
    """Turn whatever a decoder raises into an `InputError` that says `name` and one reason.

    Decoders' warnings are silenced: each either is harmless or comes with an error, and none is for the reader.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except InputError as error:
        raise type(error)(f"{name} {error.message}", hint=error.hint) from error.__cause__
    except (FaceveilError, ImportError):  # a decoder that is not installed is no fault of the file
        raise
    except MemoryError as error:
        raise TooLargeError(f"{name} needs more memory than there is") from error
    except Exception as error:
        raise _judged(name, error) from error


def _judged(name: str, error: Exception) -> InputError:
    if type(error).__name__ == "DecompressionBombError":  # Pillow's own limit, below ours for WebP and tiled TIFF
        return TooLargeError(f"{name} has more pixels than its decoder takes")
    said = str(error).lower()
    if any(word in said for word in _KIND_WORDS):
        return UnsupportedError(f"{name} {UNKNOWN_WAY}")
    return UnreadableError(f"{name} {CUT_OFF if any(word in said for word in _CUT_WORDS) else DAMAGED}")
