"""The formats behind one interface: probe a header, decode frames, encode frames. Modules are imported when needed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from importlib import import_module
from typing import Protocol, cast

from faceveil.errors import FaceveilError, InputError, OutputError, TooLargeError, UnreadableError, UnsupportedError
from faceveil.media import tiff_file
from faceveil.media.camera import Settings
from faceveil.media.faults import FRAME_CAP, too_many
from faceveil.media.info import Info
from faceveil.media.kinds import HEAD, KINDS, sniff
from faceveil.types import Frame

PIXEL_CAP = 400_000_000  # issue: 400 MP; three bytes each are 1.2 GB, a copy for painting as much again
TOTAL_CAP = 4_000_000_000  # pixels of all frames: 1,929 of full HD, a quarter of an hour of looking for faces

BOMB_PIXELS, BOMB_RATIO = 64_000_000, 400
"""A large picture that unpacks to more than this many times its file is refused. JPEG cannot pass 250, and photos stay
below 20; a PNG of zeros has 1,000."""

_TICKS = {"GIF": Fraction(1, 100)}  # the format's unit of time; a millisecond in others


class Writer(Protocol):
    """What makes a file of several frames: they come one by one and are kept encoded, never as pixels."""

    def append(self, frame: Frame) -> None:
        """Encode the next frame, upright, in the order of the source."""

    def finish(self) -> bytes:
        """The file."""


class Codec(Protocol):
    """What a format's module has. Errors carry a predicate; the caller puts the name before it.

    A camera RAW's module has no `encode`: its `probe` names another format to write.
    """

    def probe(self, data: bytes) -> Info:
        """The picture's description, from headers alone. Raises `InputError`s for what is refused."""

    def decode(self, data: bytes, info: Info) -> Iterator[Frame]:
        """The frames, upright and as a viewer shows them, one at a time. Raises where pixels are missing."""

    def encode(self, frame: Frame, info: Info) -> bytes:
        """The frame as a file of this format, with the profile, resolution and camera settings of `info` alone."""


class CameraCodec(Codec, Protocol):
    """A codec of a format that may hold EXIF."""

    def settings(self, data: bytes) -> Settings | None:
        """The camera settings of the main picture; None where there may be some that are not read."""


class MovingCodec(Codec, Protocol):
    """A codec of a format that holds several frames or pages: `probe` may give an animation or pages."""

    def writer(self, info: Info) -> Writer:
        """What encodes the frames that `info` describes."""


def codec(name: str) -> Codec:
    """The module of a supported format."""
    return cast("Codec", import_module(f"faceveil.media.{KINDS[name].module}"))


def kind_of(data: bytes) -> str:
    """The supported kind of these bytes; all of them, or the first `HEAD`. Raises `InputError`s."""
    if not data:
        raise UnreadableError("is empty")
    name = sniff(data[:HEAD])
    if name is None:
        raise UnreadableError("is not a picture")
    if name == "TIFF" and tiff_file.is_raw(data):
        name = "camera RAW"
    kind = KINDS[name]
    if kind.moving:
        raise UnsupportedError(f"is {kind.one}, not a picture")
    if not kind.module:
        raise UnsupportedError(f"is {kind.one}; {kind.many} are not supported")
    return name


def probe(data: bytes, max_pixels: int = PIXEL_CAP) -> Info:
    """The description of a picture; nothing is decoded. Raises `InputError`s."""
    info = codec(kind_of(data)).probe(data)
    if info.frames > FRAME_CAP:
        too_many()
    for width, height in _sizes(info):
        if width < 1 or height < 1:
            raise UnreadableError("has no pixels")
        if width * height > max_pixels:
            size, cap = width * height / 1e6, max_pixels / 1e6
            raise TooLargeError(f"has {width} x {height} = {size:.4g} million pixels; the cap is {cap:.4g} million")
    total = sum(width * height for width, height in _sizes(info)) * (1 if info.pages else info.frames)
    if total > TOTAL_CAP:
        raise TooLargeError(
            f"has {total / 1e6:.4g} million pixels in {info.frames} frames; the cap is {TOTAL_CAP / 1e6:.4g} million"
        )
    unpacked = max(width * height for width, height in _sizes(info)) * (1 if info.grey else 3)
    if unpacked > BOMB_PIXELS and unpacked > BOMB_RATIO * len(data):
        raise TooLargeError(f"would unpack to {unpacked // max(len(data), 1):,} times its size")
    return info


def settings(data: bytes) -> Settings | None:
    """The camera settings of a picture, as `media.camera` lets them stay; None where some may be there unread."""
    module = codec(kind_of(data))
    return cast("CameraCodec", module).settings(data) if hasattr(module, "settings") else ()


def _sizes(info: Info) -> list[tuple[int, int]]:
    """The different sizes of an animation (one) or of pages (one for each)."""
    return [page.size for page in info.pages] or [info.size]


class Encoder:
    """Frames in, one complete file out, read back at the level of headers.

    What was appended is held encoded. Raises `OutputError` where the format cannot hold the frames or its encoder
    fails; its message is a sentence without a file's name.
    """

    def __init__(self, info: Info) -> None:
        self._info = info
        self._sizes: list[tuple[int, int]] = []
        self._whole = b""
        several = info.animation is not None or bool(info.pages)
        self._writer = cast("MovingCodec", codec(info.format)).writer(info) if several else None

    @property
    def missing(self) -> int:
        """How many frames are still to come."""
        return self._info.frames - len(self._sizes)

    def append(self, frame: Frame) -> None:
        """Encode one frame."""
        if not self.missing:
            many = self._info.frames
            raise OutputError(f"the {self._info.format} can hold {f'{many} frames' if many > 1 else 'one frame'} only")
        with _encoding(self._info, frame):
            if self._writer:
                self._writer.append(frame)
            else:
                self._whole = codec(self._info.format).encode(frame, self._info)
        self._sizes.append((frame.width, frame.height))

    def finish(self) -> bytes:
        """The file, whose header says what was put in."""
        if self.missing:
            raise OutputError(f"the {self._info.format} got {len(self._sizes)} of {self._info.frames} frames")
        with _encoding(self._info, None):
            data = self._writer.finish() if self._writer else self._whole
            name = kind_of(data)
            seen = codec(name).probe(data)
        sizes = [seen.of(i).size for i in range(seen.frames)]
        if (seen.format, sizes) != (self._info.format, self._sizes):
            size = f"{seen.width} x {seen.height} pixels" if len(sizes) == 1 else f"{len(sizes)} frames"
            raise OutputError(f"the encoded {self._info.format} is {seen.format} of {size} instead")
        if not _same_timing(self._info, seen):
            raise OutputError(f"the encoded {self._info.format} has other durations or another loop count")
        return data


def _same_timing(wanted: Info, seen: Info) -> bool:
    """Whether each frame is shown as long as wanted, up to the format's unit of time."""
    if wanted.animation is None or seen.animation is None:
        return wanted.animation is seen.animation
    tick = _TICKS.get(wanted.format, Fraction(1, 1000))
    pairs = zip(wanted.animation.durations, seen.animation.durations, strict=True)
    same_loop = wanted.animation.loop in (None, seen.animation.loop)
    return same_loop and all(abs(a - b) <= tick for a, b in pairs)


@contextmanager
def _encoding(info: Info, frame: Frame | None) -> Iterator[None]:
    """Turn whatever an encoder raises into an `OutputError`; what it warns of is not for users."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except InputError as error:
        raise OutputError(f"the encoded {info.format} {error.message}") from error
    except FaceveilError:
        raise
    except MemoryError as error:
        raise OutputError(f"encoding {info.format} needs more memory than there is") from error
    except Exception as error:
        width, height = (frame.width, frame.height) if frame else info.size
        raise OutputError(f"{info.format} cannot hold this picture of {width} x {height} pixels") from error


def encode(frame: Frame, info: Info) -> bytes:
    """One frame as a complete file in the format of `info`; see `Encoder` for several, and for what is raised."""
    encoder = Encoder(info)
    encoder.append(frame)
    return encoder.finish()
