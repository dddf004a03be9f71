"""WebP: the container (RFC 9649) is walked here, pixels are decoded and encoded by Pillow's libwebp."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from io import BytesIO

from faceveil.errors import UnreadableError
from faceveil.media import camera, exif
from faceveil.media.camera import Settings
from faceveil.media.colour import fitting, kept
from faceveil.media.faults import DAMAGED, FRAME_CAP, cut_off, damaged, too_many
from faceveil.media.info import Animation, Info, WebpCoding, trailer
from faceveil.media.pixels import from_pillow, to_pillow, upright_frame, upright_size
from faceveil.types import Frame

_QUALITY = 90  # the file does not say its own; lossy pictures of the usual 75 to 90 gain no visible loss
_ANIMATED, _EXIF, _ALPHA, _PROFILE = 0x02, 0x08, 0x10, 0x20  # flags of VP8X (RFC 9649, 2.7)
_FRAME_HEAD, _NO_BLENDING = 16, 0x02  # bytes of an ANMF chunk before its own chunks; its flag
_PICTURE = (b"ALPH", b"VP8 ", b"VP8L")


def _chunks(data: bytes, at: int = 12, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Type, start and stop of the loads of all chunks in a range, by default inside RIFF. Raises for one cut off."""
    end = 8 + int.from_bytes(data[4:8], "little") if end is None else end
    if end > len(data):
        cut_off()
    while at + 8 <= end:
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + size > end:
            cut_off()
        yield data[at : at + 4], at + 8, at + 8 + size
        at += 8 + size + size % 2


def probe(data: bytes) -> Info:
    """The description from the chunks."""
    found: dict[bytes, bytes] = {}
    frames: list[tuple[int, int]] = []
    for kind, start, stop in _chunks(data):
        if kind == b"ANMF":
            frames.append((start, stop))
            if len(frames) > FRAME_CAP:
                too_many()
        else:
            found.setdefault(kind, data[start:stop])
    if found.get(b"VP8X", b"\x00")[0] & _ANIMATED and not frames:
        cut_off()
    width, height, alpha = _canvas(found)
    turn = exif.orientation(exif.numbers(found.get(b"EXIF", b"")))
    icc, notes = fitting(found.get(b"ICCP", b""), grey=False)
    size = upright_size(width, height, turn)
    info = Info("WebP", *size, turn, icc, alpha=alpha, notes=notes)
    coding, animation = WebpCoding(lossless=b"VP8L" in found), None
    if frames:
        coding = WebpCoding(all(_lossless(data, *frame) for frame in frames))
    if len(frames) > 1:
        animation = Animation(tuple(_duration(data, *frame) for frame in frames), _loop(found))
    info = replace(info, coding=coding, animation=animation)
    return info.noting(*trailer(len(data) - 8 - int.from_bytes(data[4:8], "little")))


def settings(data: bytes) -> Settings:
    """The camera settings."""
    return camera.read(next((data[start:stop] for kind, start, stop in _chunks(data) if kind == b"EXIF"), b""))


def _duration(data: bytes, start: int, stop: int) -> Fraction:
    """Seconds of an ANMF chunk: its bytes 12 to 14 (RFC 9649, 2.7.1.1)."""
    if stop - start < _FRAME_HEAD:
        damaged()
    return Fraction(int.from_bytes(data[start + 12 : start + 15], "little"), 1000)


def _lossless(data: bytes, start: int, stop: int) -> bool:
    return any(kind == b"VP8L" for kind, *_ in _chunks(data, start + _FRAME_HEAD, stop))


def _loop(found: dict[bytes, bytes]) -> int:
    """Repetitions, 0 for ever; the value behind the background colour in ANIM."""
    control = found.get(b"ANIM", b"")
    if len(control) < 6:
        damaged()
    return int.from_bytes(control[4:6], "little")


def _canvas(found: dict[bytes, bytes]) -> tuple[int, int, bool]:
    """Width, height and whether there is alpha."""
    if load := found.get(b"VP8X"):
        if len(load) < 10:
            damaged()
        width, height = (1 + int.from_bytes(load[i : i + 3], "little") for i in (4, 7))
        return width, height, bool(load[0] & 0x10)
    if (load := found.get(b"VP8L")) and len(load) >= 5 and load[0] == 0x2F:
        bits = int.from_bytes(load[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF), bool(bits >> 28 & 1)
    if (load := found.get(b"VP8 ")) and len(load) >= 10 and load[3:6] == b"\x9d\x01\x2a":
        width, height = (int.from_bytes(load[i : i + 2], "little") & 0x3FFF for i in (6, 8))
        return width, height, False
    raise UnreadableError(DAMAGED)


def decode(data: bytes, info: Info) -> Iterator[Frame]:
    """One frame, or those of an animation as libwebp lays them over each other."""
    from PIL import WebPImagePlugin  # noqa: PLC0415

    with WebPImagePlugin.WebPImageFile(BytesIO(data)) as image:
        del data
        for number in range(info.frames):
            image.seek(number)
            image.load()
            pixels, alpha = from_pillow(image)
            yield upright_frame(pixels, alpha, info.orientation)


def encode(frame: Frame, info: Info) -> bytes:
    """A WebP, lossless where the source was. Detail under full transparency is not kept."""
    return _encoded(frame, info, kept(info.icc, grey=False), exif.block(1, settings=info.camera))


def _encoded(frame: Frame, info: Info, icc: bytes = b"", tags: bytes = b"") -> bytes:
    image, out = to_pillow(frame, alpha=frame.alpha is not None), BytesIO()
    lossless = isinstance(info.coding, WebpCoding) and info.coding.lossless
    image.save(out, "WEBP", lossless=lossless, quality=_QUALITY, exact=False, icc_profile=icc, exif=tags)
    return out.getvalue()


def writer(info: Info) -> Writer:
    """What encodes an animation."""
    return Writer(info)


@dataclass(slots=True)
class Writer:
    """An animated WebP of whole frames, each replacing the one before. What is held are the encoded frames.

    No frame can show what another one had beneath a cover: there are no differences, no blending, no disposal.
    """

    info: Info
    frames: list[bytes] = field(default_factory=list)
    alpha: bool = False

    def append(self, frame: Frame) -> None:
        """Encode the next frame as a picture of its own."""
        animation = self.info.animation
        assert animation is not None  # noqa: S101  # a writer is made for animations alone
        still = _encoded(frame, self.info)
        body = b"".join(_chunk(kind, still[a:b]) for kind, a, b in _chunks(still) if kind in _PICTURE)
        size = (frame.width - 1).to_bytes(3, "little") + (frame.height - 1).to_bytes(3, "little")
        duration = min(0xFFFFFF, round(animation.durations[len(self.frames)] * 1000))
        head = bytes(6) + size + duration.to_bytes(3, "little") + bytes([_NO_BLENDING])
        self.frames.append(_chunk(b"ANMF", head + body))
        self.alpha = self.alpha or frame.alpha is not None

    def finish(self) -> bytes:
        """The file."""
        animation, icc = self.info.animation, kept(self.info.icc, grey=False)
        assert animation is not None  # noqa: S101
        tags = exif.block(1, settings=self.info.camera)
        flags = _ANIMATED | (_ALPHA if self.alpha else 0) | (_PROFILE if icc else 0) | (_EXIF if tags else 0)
        size = b"".join((v - 1).to_bytes(3, "little") for v in self.info.size)
        parts = [b"WEBP", _chunk(b"VP8X", bytes([flags, 0, 0, 0]) + size), _chunk(b"ICCP", icc) if icc else b""]
        parts += [_chunk(b"ANIM", bytes(4) + (animation.loop or 0).to_bytes(2, "little")), *self.frames]
        parts += [_chunk(b"EXIF", tags)] if tags else []
        return b"RIFF" + sum(map(len, parts)).to_bytes(4, "little") + b"".join(parts)


def _chunk(kind: bytes, load: bytes) -> bytes:
    return kind + len(load).to_bytes(4, "little") + load + bytes(len(load) % 2)
