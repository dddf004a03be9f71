"""Tiny films, clean and with one needle each, made by FFmpeg or by hand where FFmpeg would not do it."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import av
import numpy as np

SECRET = b"Alice Example 0815"
SIZE = (64, 48)
_CODECS = {"mp4": "libx264", "mov": "libx264", "matroska": "libx264", "webm": "libvpx-vp9"}
_SOUND = {"mp4": "aac", "mov": "pcm_s16le", "matroska": "aac", "webm": "libopus"}
_HEADER = b"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


@dataclass(frozen=True)
class Film:
    """How a film is made. texts: how many seconds of subtitles. more: a second track of pictures."""

    form: str = "mp4"
    codec: str = ""
    pixels: str = "yuv420p"
    frames: int = 5
    sound: bool = False
    texts: bool = False
    more: bool = False
    chapters: bool = False
    options: tuple[tuple[str, str], ...] = ()
    coding: tuple[tuple[str, str], ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    track_tags: tuple[tuple[str, str], ...] = ()
    attachment: bool = False
    bitexact: bool = True


def picture(index: int) -> np.ndarray:
    """A frame of a moving gradient, (48, 64, 3)."""
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    return np.stack([(x * 4 + index * 9) % 256, y * 5 % 256, (x + y + index) % 256], axis=2).astype(np.uint8)


@contextmanager
def _same_priority() -> Iterator[None]:
    """SVT-AV1, run by root, gives the calling thread real-time priority: everything else on the machine would stand."""
    if not hasattr(os, "sched_getscheduler"):  # Linux alone
        yield
        return
    policy, param = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, param)


@cache
def made(film: Film) -> bytes:
    """The bytes of a film."""
    with _same_priority():
        return _made(film)


def _made(film: Film) -> bytes:
    out = io.BytesIO()
    options = dict(film.options) | ({"fflags": "+bitexact"} if film.bitexact else {})
    with av.open(out, "w", format=film.form, options=options) as container:
        container.metadata.update(dict(film.tags))
        if film.chapters:
            named = {"title": SECRET.decode()}
            container.set_chapters(
                [{"id": 1, "start": 0, "end": 100, "time_base": Fraction(1, 1000), "metadata": named}]
            )
        codec = film.codec or _CODECS[film.form]
        tracks: list[Any] = [
            container.add_stream(codec, rate=25, options=dict(film.coding)) for _ in range(1 + film.more)
        ]
        for track in tracks:
            track.width, track.height, track.pix_fmt = *SIZE, film.pixels
            track.metadata.update(dict(film.track_tags))
            if film.bitexact:
                track.codec_context.flags |= 1 << 23
        sound: Any = container.add_stream(_SOUND[film.form], rate=48000) if film.sound else None
        texts: Any = container.add_stream("mov_text" if film.form == "mp4" else "srt") if film.texts else None
        if texts is not None:
            texts.codec_context.subtitle_header = _HEADER
        if film.attachment:
            container.add_attachment("secret.txt", "text/plain", SECRET)
        for index in range(film.frames):
            for track in tracks:
                container.mux(track.encode(av.VideoFrame.from_ndarray(picture(index), format="rgb24")))
        for track in tracks:
            container.mux(track.encode())
        if sound is not None:
            _sound(container, sound)
        if texts is not None:
            _text(container, texts, film.form)
    return out.getvalue()


def _sound(container: Any, stream: Any) -> None:
    step = 960 if stream.codec_context.codec.name == "libopus" else 1024
    wave = np.sin(np.arange(step * 10) / 20).astype(np.float32) * 0.3
    kind = "s16" if "pcm" in stream.codec_context.codec.name else "fltp" if step == 1024 else "flt"
    for i in range(10):
        part = wave[None, i * step : (i + 1) * step]
        part = (part * 32767).astype(np.int16) if kind == "s16" else part
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part), format=kind, layout="mono")
        frame.rate, frame.pts = 48000, i * step
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def _text(container: Any, stream: Any, form: str) -> None:
    packet = av.Packet(struct.pack(">H", len(SECRET)) + SECRET if form == "mp4" else SECRET)
    packet.stream, packet.time_base = stream, Fraction(1, 1000)
    packet.pts = packet.dts = 0
    packet.duration = 100
    container.mux(packet)


def recut(data: bytes, form: str, change: Callable[[int, bytes], bytes]) -> bytes:
    """The film with each coded picture changed: `change` takes its number and its bytes."""
    out = io.BytesIO()
    with (
        av.open(io.BytesIO(data), "r") as source,
        av.open(out, "w", format=form, options={"fflags": "+bitexact"}) as target,
    ):
        old = source.streams.video[0]
        new = target.add_stream_from_template(old, opaque=True)
        for number, packet in enumerate(p for p in source.demux(old) if p.size):
            fresh = av.Packet(change(number, bytes(packet)))
            fresh.pts, fresh.dts, fresh.duration = packet.pts, packet.dts, packet.duration
            fresh.time_base, fresh.is_keyframe, fresh.stream = packet.time_base, packet.is_keyframe, new
            target.mux(fresh)
    return out.getvalue()


# --- by hand: boxes ---------------------------------------------------------------------------------------------------

_HEADS = {b"meta": 4, b"dref": 8, b"stsd": 8, b"avc1": 78}


def box(kind: bytes, load: bytes = b"") -> bytes:
    """A box."""
    return struct.pack(">I4s", 8 + len(load), kind) + load


def place(data: bytes, *path: bytes) -> tuple[int, int]:
    """Start and end of the first box of a path."""
    start, end = 0, len(data)
    for kind in path:
        at = start
        while data[at + 4 : at + 8] != kind:
            at += struct.unpack_from(">I", data, at)[0]
            assert at < end, f"no {kind!r}"
        start, end = at + 8 + _HEADS.get(kind, 0), at + struct.unpack_from(">I", data, at)[0]
    return start - 8 - _HEADS.get(path[-1], 0), end


def inserted(data: bytes, more: bytes, *path: bytes) -> bytes:
    """The file with bytes at the end of the box of a path; all boxes around it grow. Nothing may follow that moves."""
    _, end = place(data, *path)
    out = bytearray(data)
    out[end:end] = more
    for depth in range(len(path)):
        at, _ = place(data, *path[: depth + 1])
        struct.pack_into(">I", out, at, struct.unpack_from(">I", data, at)[0] + len(more))
    return bytes(out)


def patched(data: bytes, at: int, more: bytes) -> bytes:
    """The file with bytes written over."""
    return data[:at] + more + data[at + len(more) :]


# --- by hand: coded pictures ------------------------------------------------------------------------------------------


def sei(kind: int, load: bytes, *, hevc: bool = False) -> bytes:
    """An SEI NAL unit with its length, without emulation prevention: the loads here need none."""
    size = b"\xff" * (len(load) // 255) + bytes([len(load) % 255])
    unit = (b"\x4e\x01" if hevc else b"\x06") + bytes([kind]) + size + load + b"\x80"
    return struct.pack(">I", len(unit)) + unit


def nal(load: bytes) -> bytes:
    """A NAL unit with its length."""
    return struct.pack(">I", len(load)) + load


CAPTIONS = b"\xb5\x00\x31GA94\x03\xc2\xff" + b"\xfc\x94\x2c\xfc\xc1\x6c" + b"\xff"
"""User data of ATSC A/53 part 4: two pairs of CEA-608, and its marker."""


# --- by hand: elements of Matroska ------------------------------------------------------------------------------------


def element(key: int, load: bytes) -> bytes:
    """An element with a size of 8 bytes."""
    return key.to_bytes((key.bit_length() + 7) // 8) + (1 << 56 | len(load)).to_bytes(8) + load


def appended(data: bytes, more: bytes) -> bytes:
    """The film with elements at the end of its segment, whose size has 8 bytes."""
    at = data.index(b"\x18\x53\x80\x67") + 4
    size = int.from_bytes(data[at : at + 8]) & ((1 << 56) - 1)
    assert at + 8 + size == len(data)
    return patched(data, at, (1 << 56 | (size + len(more))).to_bytes(8)) + more
