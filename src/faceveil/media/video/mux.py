"""Coded pictures and sound into a container, with exact times and no words.

Encoders give times of decoding that start anew with each segment. Here they are derived from the times of showing
alone: the i-th picture in decoding order is decoded when the (i - delay)-th is shown.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from math import lcm
from pathlib import Path

import av
from av.container import OutputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from faceveil.errors import OutputError
from faceveil.media.quiet import quiet
from faceveil.media.video import sound
from faceveil.media.video.encoder import Coded, configure, own_priority
from faceveil.media.video.encoders import FORMATS, Settings
from faceveil.media.video.info import AudioMode
from faceveil.media.video.segments import Segment

_LEAST_SCALE = 10_000  # FFmpeg doubles the time scale of an MP4 track until it is at least this
_GREATEST_SCALE = (1 << 31) - 1
_MILLISECOND = Fraction(1, 1000)  # Matroska's unit of time, as FFmpeg writes it


def mux(
    part: Path,
    segments: Sequence[Segment],
    settings: Settings,
    *,
    audio: AudioMode = "drop",
    source: tuple[Path, str] | None = None,
) -> None:
    """Write the file `part`, which exists. source: path and kind of the file that the sound comes from.

    Raises `OutputError`, FFmpeg's errors and `InputError`s of the sound.
    """
    with ExitStack() as stack:
        output = stack.enter_context(_output(part, settings))
        stream = _video_stream(output, settings)
        sounds: list[Iterator[sound.Packet]] = []
        if source is not None and audio == "keep":
            opened, packets = sound.kept(*source, settings.info, output, settings.container)
            stack.enter_context(opened)
            sounds = [packets]
        elif source is not None and audio == "disguise":
            sounds = sound.disguised(source[0], settings.info, output, settings.container)
        with quiet(), own_priority():
            output.start_encoding()
        pictures = _packets(segments, stream, settings)
        for packet in heapq.merge(pictures, *sounds, key=_when):
            output.mux_one(packet)


def _when(packet: sound.Packet) -> float:
    return float((packet.dts or 0) * packet.time_base)


def _output(part: Path, settings: Settings) -> OutputContainer:
    """With bitexact no names and versions of programs are written; with faststart players can begin at once."""
    options = {"fflags": "+bitexact"}
    if settings.container in ("MP4", "QuickTime"):
        options |= {"movflags": "+faststart", "movie_timescale": str(_movie_scale(settings))}
    return av.open(f"file:{part}", "w", format=FORMATS[settings.container], container_options=options)


def _movie_scale(settings: Settings) -> int:
    """A time scale in which the edit list, which holds where tracks start, is exact for all tracks."""
    scale = settings.info.time_base.denominator
    while scale < _LEAST_SCALE:
        scale *= 2
    common = lcm(scale, *(track.rate for track in settings.info.audio if track.rate))
    return common if common <= _GREATEST_SCALE else scale


def _video_stream(output: OutputContainer, settings: Settings) -> VideoStream:
    """The stream with an encoder that is opened for its headers alone."""
    info = settings.info
    stream = output.add_stream(settings.encoder, rate=info.rate or 25, time_base=info.time_base)
    if not isinstance(stream, VideoStream) or not isinstance(stream.codec_context, VideoCodecContext):
        raise OutputError(f"'{settings.encoder}' is no video encoder")
    configure(stream.codec_context, settings)
    if info.matrix:
        stream.set_display_matrix(info.matrix)
    return stream


def _packets(segments: Iterable[Segment], stream: VideoStream, settings: Settings) -> Iterator[sound.Packet]:
    base = settings.info.time_base
    for coded, dts in _timed(segments):
        packet: sound.Packet = av.Packet(coded.data)
        packet.time_base = base
        packet.pts, packet.dts, packet.duration = coded.pts, dts, coded.duration
        packet.is_keyframe = coded.key
        packet.stream = stream
        yield packet


def _timed(segments: Iterable[Segment]) -> Iterator[tuple[Coded, int]]:
    """Each picture with its time of decoding."""
    segments = list(segments)
    delay = max((segment.delay for segment in segments), default=0)
    ahead: deque[int] = deque()
    for segment in segments:
        times = sorted(pts for pts, _ in segment.times())
        if segment is segments[0]:
            step = times[1] - times[0] if len(times) > 1 else 1
            ahead.extend(times[0] - back * step for back in range(delay, 0, -1))
        ahead.extend(times)
        for coded in segment.pictures():
            yield coded, ahead.popleft()


def rounded(settings: Settings) -> bool:
    """Whether the container cannot hold the times exactly."""
    exact = (settings.info.time_base / _MILLISECOND).denominator == 1
    return settings.container in ("Matroska", "WebM") and not exact


def expect_same(part: Path, segments: Iterable[Segment], settings: Settings) -> None:
    """Read the file back: each picture must be there at its time, turned as the source. Raises `OutputError`."""
    from faceveil.media.video.decode import open_container  # noqa: PLC0415
    from faceveil.media.video.probe import probe  # noqa: PLC0415

    info = settings.info
    seen = probe(part, settings.container)
    if (seen.width, seen.height, seen.orientation) != (info.width, info.height, info.orientation):
        raise OutputError(f"{settings.container} cannot hold this size or orientation")
    slack = _MILLISECOND / 2 if rounded(settings) else Fraction(0)
    with open_container(part, settings.container) as container:
        (stream,) = container.streams.video
        base = stream.time_base or Fraction(1)
        found = (packet.pts for packet in container.demux(stream) if packet.size)
        for segment in segments:
            for pts, _ in segment.times():
                got = next(found, None)
                if got is None or abs(got * base - pts * info.time_base) > slack:
                    raise OutputError(f"{settings.container} does not hold the times of this video")
        if next(found, None) is not None:
            raise OutputError(f"the encoded {settings.container} has more pictures than were put in")
