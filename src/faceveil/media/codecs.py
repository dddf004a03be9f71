"""The formats behind one interface: probe a header, decode frames, encode a frame. Modules are imported when needed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Protocol, cast

from faceveil.errors import FaceveilError, InputError, OutputError, TooLargeError, UnreadableError, UnsupportedError
from faceveil.media.info import Info
from faceveil.media.kinds import HEAD, KINDS, sniff
from faceveil.types import Frame

PIXEL_CAP = 400_000_000  # issue: 400 MP; three bytes each are 1.2 GB, a copy for painting as much again


class Codec(Protocol):
    """What a format's module has. Errors carry a predicate; the caller puts the name before it."""

    def probe(self, data: bytes) -> Info:
        """The picture's description, from headers alone. Raises `InputError`s for what is refused."""

    def decode(self, data: bytes, info: Info) -> Iterator[Frame]:
        """The frames, upright. Raises where pixels are missing."""

    def encode(self, frame: Frame, info: Info) -> bytes:
        """The frame as a file of this format, with the profile and resolution of `info` and nothing else."""


def codec(name: str) -> Codec:
    """The module of a supported format."""
    return cast("Codec", import_module(f"faceveil.media.{KINDS[name].module}"))


def kind_of(data: bytes) -> str:
    """The supported kind of these bytes. Raises `UnreadableError` or `UnsupportedError`."""
    if not data:
        raise UnreadableError("is empty")
    name = sniff(data[:HEAD])
    if name is None:
        raise UnreadableError("is not a picture")
    kind = KINDS[name]
    if not kind.module:
        raise UnsupportedError(f"is {kind.one}; {kind.many} are not supported")
    return name


def probe(data: bytes, max_pixels: int = PIXEL_CAP) -> Info:
    """The description of a picture; nothing is decoded. Raises `InputError`s."""
    info = codec(kind_of(data)).probe(data)
    if info.width < 1 or info.height < 1:
        raise UnreadableError("has no pixels")
    if info.width * info.height > max_pixels:
        size, cap = info.width * info.height / 1e6, max_pixels / 1e6
        raise TooLargeError(
            f"has {info.width} x {info.height} = {size:.4g} million pixels; the cap is {cap:.4g} million"
        )
    return info


def encode(frame: Frame, info: Info) -> bytes:
    """The frame as a complete file in the format of `info`, read back at header and trailer level.

    Raises `OutputError` where the format cannot hold the picture or its encoder fails.
    """
    try:
        data = codec(info.format).encode(frame, info)
        seen = probe(data, max_pixels=frame.width * frame.height)
    except InputError as error:
        raise OutputError(f"the encoded {info.format} {error.message}") from error
    except FaceveilError:
        raise
    except MemoryError as error:
        raise OutputError(f"encoding {info.format} needs more memory than there is") from error
    except Exception as error:
        raise OutputError(f"{info.format} cannot hold this picture of {frame.width} x {frame.height} pixels") from error
    if (seen.format, seen.size) != (info.format, (frame.width, frame.height)):
        raise OutputError(f"the encoded {info.format} is {seen.format} of {seen.width} x {seen.height} pixels instead")
    return data
