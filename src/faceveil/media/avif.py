"""AVIF, through Pillow's libavif. Rotation and mirroring (irot, imir) and the clean aperture (clap) are applied here.

Pillow hands the pixels over as stored and tells rotation and mirroring as an EXIF orientation; it ignores the aperture.
Pixels outside the aperture are no part of the picture and must not appear in the output.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from io import BytesIO
from itertools import accumulate, pairwise
from typing import Any

from faceveil.errors import UnsupportedError
from faceveil.media import apng, camera, exif, isobmff
from faceveil.media.camera import Settings
from faceveil.media.colour import fitting, kept
from faceveil.media.faults import damaged
from faceveil.media.info import Animation, HeifCoding, Info, trailer
from faceveil.media.pixels import from_pillow, to_pillow, upright_frame, upright_size
from faceveil.types import Frame

# The file does not say its own quality. Against three decoded files 90 gave 39 to 45 dB and up to twice the size; speed
# 8 takes 0.4 times as long as Pillow's default 6 for 0.4 dB and 5 % of size.
_QUALITY, _SPEED = 90, 8


def probe(data: bytes) -> Info:
    """The description from the boxes; libavif parses, and decodes nothing yet."""
    from PIL import AvifImagePlugin  # noqa: PLC0415

    box, film = isobmff.primary(data), isobmff.track(data)
    with AvifImagePlugin.AvifImageFile(BytesIO(data)) as image:
        frames = int(getattr(image, "n_frames", 1))
        turn = exif.orientation(exif.numbers(image.info.get("exif", b"")))
        width, height = image.size
        alpha = image.mode == "RGBA"
        profile = image.info.get("icc_profile", b"")
    moving = film if frames > 1 else None
    if moving and len(moving.durations) != frames:
        damaged()
    if moving and (moving.moved or turn != 1):
        raise UnsupportedError("is an AVIF sequence that is cropped, turned or mirrored, which is not supported")
    if box.clap and not moving:
        width, height = box.clap[2] - box.clap[0], box.clap[3] - box.clap[1]
    icc, notes = fitting(profile, grey=False)
    described = moving or box
    size, coding = upright_size(width, height, turn), HeifCoding(described.chroma)
    info = Info("AVIF", *size, turn, icc, alpha=alpha, coding=coding, notes=notes)
    if moving:
        info = replace(info, animation=Animation(moving.durations, 0 if moving.endless else None))
    return info.noting(*_changed(described.bits, moving, film), *trailer(box.rest))


def settings(data: bytes) -> Settings:
    """The camera settings. Those of more than 8 bits may speak of other colours."""
    from PIL import AvifImagePlugin  # noqa: PLC0415

    with AvifImagePlugin.AvifImageFile(BytesIO(data)) as image:
        return camera.read(image.info.get("exif", b""), colours=isobmff.primary(data).bits == 8)


def _changed(bits: int, moving: isobmff.Track | None, film: isobmff.Track | None) -> Iterator[str]:
    if bits > 8:
        yield f"Its {bits}-bit colours are reduced to 8 bits."
    if moving and moving.endless is False:
        yield "The sequence is repeated for ever, which it was not before."
    if film and not moving:
        frames = len(film.durations)
        yield f"A film of {frames} frame{'s' if frames > 1 else ''} beside the picture is dropped."


def decode(data: bytes, info: Info) -> Iterator[Frame]:
    """One frame, or those of a sequence."""
    from PIL import AvifImagePlugin  # noqa: PLC0415

    clap = None if info.animation else isobmff.primary(data).clap
    with AvifImagePlugin.AvifImageFile(BytesIO(data)) as image:
        del data
        for number in range(info.frames):
            image.seek(number)
            image.load()
            pixels, alpha = from_pillow(image.crop(clap) if clap else image)
            yield upright_frame(pixels, alpha, info.orientation)


def encode(frame: Frame, info: Info) -> bytes:
    """An AVIF of 8 bits."""
    image, out = to_pillow(frame, alpha=frame.alpha is not None), BytesIO()
    image.save(out, "AVIF", **_options(info))
    return out.getvalue()


def _options(info: Info) -> dict[str, Any]:
    chroma = str(info.coding.chroma if isinstance(info.coding, HeifCoding) else 420)
    tags = exif.block(1, settings=info.camera)
    plain = {"icc_profile": kept(info.icc, grey=False), "exif": tags, "xmp": b""}
    return {"quality": _QUALITY, "speed": _SPEED, "subsampling": ":".join(chroma), **plain}


def writer(info: Info) -> Writer:
    """What encodes a sequence."""
    return Writer(info)


@dataclass(slots=True)
class Writer:
    """An AVIF sequence. Its encoder wants all frames at once: they are held losslessly packed, as an animated PNG.

    The encoder takes differences between the frames that it is given, which are covered already.
    """

    info: Info
    held: apng.Writer = field(init=False)

    def __post_init__(self) -> None:
        self.held = apng.Writer(replace(self.info.bare(), grey=False))

    def append(self, frame: Frame) -> None:
        """Pack the next frame."""
        self.held.append(frame)

    def finish(self) -> bytes:
        """The file. Times are in milliseconds, rounded so that errors do not add up."""
        from PIL import PngImagePlugin  # noqa: PLC0415

        animation = self.info.animation
        assert animation is not None  # noqa: S101  # a writer is made for animations alone
        ends = [round(1000 * end) for end in accumulate(animation.durations, initial=Fraction(0))]
        out = BytesIO()
        with PngImagePlugin.PngImageFile(BytesIO(self.held.finish())) as frames:
            durations = [b - a for a, b in pairwise(ends)]
            frames.save(out, "AVIF", save_all=True, duration=durations, **_options(self.info))
        return _undated(out.getvalue())


def _undated(data: bytes) -> bytes:
    """The file without the time of its making, which libavif writes into the headers of the film and its tracks."""
    made = bytearray(data)
    todo = [(0, len(data))]
    while todo:
        for kind, start, stop in isobmff.boxes(data, *todo.pop()):
            if kind in (b"moov", b"trak", b"mdia"):
                todo.append((start, stop))
            elif kind in (b"mvhd", b"tkhd", b"mdhd"):
                size = 16 if data[start] == 1 else 8
                made[start + 4 : start + 4 + size] = bytes(size)
    return bytes(made)
