"""Tiny videos, made by FFmpeg as the tests run: every property that a copy has to keep, and needles it must not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from faceveil.media.video.encoder import own_priority

WIDTH, HEIGHT = 64, 48
Edit = Callable[[bytes], bytes]
NEEDLE = "KyselkaZaragozaX"  # nothing that a codec would write by chance
RATE = 25


@dataclass(frozen=True)
class Clip:
    """What to make. times: in ticks of `base`, one for each picture; field by field as FFmpeg names it."""

    codec: str = "libx264"
    pixels: str = "yuv420p"
    size: tuple[int, int] = (WIDTH, HEIGHT)
    times: Sequence[int] = tuple(range(12))
    base: Fraction = Fraction(1, RATE)
    options: dict[str, str] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)
    turn: tuple[float, bool, bool] | None = None
    sounds: Sequence[tuple[str, int]] = ()
    sound_starts: Sequence[float] = (0.0, 0.0)
    needles: bool = False
    interlaced: str = ""
    seed: int = 0
    container: dict[str, str] = field(default_factory=dict)


def pictures(clip: Clip) -> Iterator[av.VideoFrame]:
    """Moving gradients with noise: no picture is another's, and none is easy to conceal."""
    random = np.random.default_rng(clip.seed)
    width, height = clip.size
    graph = _fields(clip) if clip.interlaced else None
    for number, ticks in enumerate(clip.times):
        frame = av.VideoFrame(width, height, clip.pixels)
        for index, plane in enumerate(frame.planes):
            _fill(plane, frame, number, index, random)
        frame.pts, frame.time_base = ticks, clip.base
        if graph is not None:
            graph.vpush(frame)
            frame = graph.vpull()
            frame.pts, frame.time_base = ticks, clip.base
        yield frame


def _fill(plane: Any, frame: av.VideoFrame, number: int, index: int, random: np.random.Generator) -> None:
    bits = max(part.bits for part in frame.format.components)
    dtype: Any = np.uint16 if bits > 8 and not frame.format.name.startswith("v210") else np.uint8
    stride = plane.line_size // np.dtype(dtype).itemsize
    y, x = np.mgrid[: plane.height, :stride]
    values = (x * 3 + y * 2 + number * 7 + index * 50) % 160 + 40 + random.integers(0, 12, x.shape)
    if frame.format.name.startswith("p01"):
        values = values << 8
    elif bits > 8:
        values = values << (bits - 8)
    np.frombuffer(memoryview(plane), dtype).reshape(-1, stride)[: plane.height] = values


def _fields(clip: Clip) -> av.filter.Graph:
    graph = av.filter.Graph()
    width, height = clip.size
    nodes = [
        graph.add_buffer(width=width, height=height, format=av.VideoFormat(clip.pixels), time_base=clip.base),
        graph.add("setfield", clip.interlaced),
        graph.add("buffersink"),
    ]
    for before, after in pairwise(nodes):
        before.link_to(after)
    graph.configure()
    return graph


def make(path: Path, clip: Clip | None = None) -> Path:
    """The clip as a file; its container by the suffix."""
    clip = clip or Clip()
    with own_priority(), av.open(str(path), "w", container_options=clip.container) as output:
        stream = output.add_stream(clip.codec, rate=RATE, options=dict(clip.options), time_base=clip.base)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = clip.size
        stream.pix_fmt = clip.pixels
        stream.codec_context.time_base = clip.base
        for name, value in clip.context.items():
            setattr(stream.codec_context, name, value)
        if clip.turn is not None:
            stream.set_display_rotation(*clip.turn)
        sounds = [_sound(output, codec, rate) for codec, rate in clip.sounds]
        if clip.needles:
            _plant(output, stream)
        packets = [packet for frame in pictures(clip) for packet in stream.encode(frame)] + stream.encode(None)
        for number, sound in enumerate(sounds):
            packets += _tone(sound, 440 * (number + 1), clip, clip.sound_starts[number])
        for packet in sorted(packets, key=lambda p: float((p.dts or 0) * p.time_base)):
            output.mux(packet)
    return path


def _sound(output: av.container.OutputContainer, codec: str, rate: int) -> av.AudioStream:
    stream = output.add_stream(codec, rate=rate)
    assert isinstance(stream, av.AudioStream)
    stream.codec_context.layout = "mono"
    return stream


def _tone(stream: av.AudioStream, pitch: int, clip: Clip, start: float) -> list[Any]:
    """A sine as long as the pictures."""
    rate = stream.codec_context.sample_rate
    length = int(rate * float((max(clip.times) - min(clip.times) + 1) * clip.base))
    wave = np.sin(np.arange(length) * pitch * 2 * np.pi / rate).astype(np.float32)[None] * 0.5
    packets: list[Any] = []
    for first in range(0, length, 1000):
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave[:, first : first + 1000]), "fltp", "mono")
        frame.sample_rate = rate
        frame.pts, frame.time_base = first + int(start * rate), Fraction(1, rate)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def _plant(output: av.container.OutputContainer, stream: av.VideoStream) -> None:
    output.metadata.update({key: f"{NEEDLE} {key}" for key in ("title", "artist", "comment", "location", "encoder")})
    output.metadata["creation_time"] = "2001-02-03T04:05:06Z"
    stream.metadata.update({"language": "ces", "handler_name": f"{NEEDLE} handler", "title": f"{NEEDLE} track"})
    output.set_chapters(
        [{"id": 1, "start": 0, "end": 4, "time_base": Fraction(1, 25), "metadata": {"title": f"{NEEDLE} chapter"}}]
    )


def remux(source: Path, target: Path, *, skip: int = 0, shift: int = 0, edit: Edit | None = None) -> Path:
    """The pictures' packets anew, without the first `skip`, later by `shift` ticks; `edit` changes their bytes."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0], opaque=True)
        for number, packet in enumerate(p for p in old.demux(video=0) if p.size):
            if number < skip:
                continue
            made = av.Packet(edit(bytes(packet))) if edit is not None else packet
            made.time_base = packet.time_base
            assert packet.pts is not None
            assert packet.dts is not None
            made.pts, made.dts, made.duration = packet.pts + shift, packet.dts + shift, packet.duration
            made.is_keyframe = packet.is_keyframe
            made.stream = stream
            new.mux(made)
    return target


def with_user_data(data: bytes) -> bytes:
    """An H.264 access unit in byte stream format with the needle as user data and as closed captions (CEA-708)."""
    text = NEEDLE.encode()
    free = _sei(5, bytes(range(16)) + text)
    pairs = b"".join(b"\xfc" + text[i : i + 2] for i in range(0, len(text), 2))
    captions = _sei(4, b"\xb5\x00\x31GA94\x03" + bytes([0x40 | len(text) // 2, 0xFF]) + pairs + b"\xff")
    return b"\x00\x00\x00\x01\x09\xf0" + captions + free + data


def _sei(kind: int, payload: bytes) -> bytes:
    return b"\x00\x00\x00\x01\x06" + bytes([kind, len(payload)]) + payload + b"\x80"


def times(path: Path) -> list[Fraction]:
    """When each picture is shown, as FFmpeg reads it, decoded, sorted by itself."""
    with av.open(str(path)) as file:
        stream = file.streams.best("video")
        assert isinstance(stream, av.VideoStream)
        base = stream.time_base
        assert base is not None
        return [frame.pts * base for frame in file.decode(stream) if frame.pts is not None]


def sound_packets(path: Path) -> dict[int, list[tuple[float, bytes]]]:
    """For each sound track, counted from 0: (seconds, bytes) of each packet that is played."""
    found: dict[int, list[tuple[float, bytes]]] = {}
    with av.open(str(path)) as file:
        numbers = {stream.index: number for number, stream in enumerate(file.streams.audio)}
        for packet in file.demux(*file.streams.audio):
            if packet.size and packet.pts is not None and not packet.is_discard:
                number = numbers[packet.stream.index]
                found.setdefault(number, []).append((float(packet.pts * packet.time_base), bytes(packet)))
    return found


def luma(path: Path) -> list[NDArray[np.uint8]]:
    """The luma of each picture."""
    with av.open(str(path)) as file:
        return [np.asarray(frame.to_ndarray(format="gray"), np.uint8) for frame in file.decode(video=0)]
