"""Sound tracks of the output: copied packet by packet, or encoded from what `disguise` gives."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import TypeAlias

import av
from av.container import InputContainer, OutputContainer

from faceveil.errors import UnreadableError
from faceveil.media.video.decode import locked, open_container
from faceveil.media.video.info import AudioTrack, VideoInfo

Packet: TypeAlias = "av.Packet[av.stream.Stream]"

_ENCODERS = {"WebM": "libopus"}  # AAC elsewhere: what all players of MP4 and QuickTime hear
_FROM_ZERO = ("Matroska", "WebM")  # containers that have no time before zero


def kept(
    source: Path, kind: str, info: VideoInfo, output: OutputContainer, container: str
) -> tuple[InputContainer, Iterator[Packet]]:
    """The opened source and the packets of all its sound tracks, in its order, for streams added to `output`.

    Packets outside of what an edit list shows are left out, and nothing else: bytes and times stay, but for
    `info.origin`. In Matroska what lies before zero, the encoder's warm-up, cannot be kept.
    """
    opened = open_container(source, kind)
    streams = [opened.streams[track.stream] for track in info.audio]
    targets = {stream.index: output.add_stream_from_template(stream) for stream in streams}
    return opened, _copied(opened, streams, targets, info.origin, container)


def _copied(
    opened: InputContainer,
    streams: list[av.stream.Stream],
    targets: dict[int, av.stream.Stream],
    origin: Fraction,
    container: str,
) -> Iterator[Packet]:
    for packet in opened.demux(*streams) if streams else ():
        if not packet.size or packet.is_discard:
            continue
        if packet.is_corrupt:
            raise UnreadableError("has damaged sound, which cannot be kept")
        if packet.has_sidedata("encryption_info") or packet.has_sidedata("encryption_init_info"):
            locked()
        if packet.pts is None:
            raise UnreadableError("has sound without times, which cannot be kept")
        shift = round(origin / packet.time_base)
        packet.pts, packet.dts = packet.pts - shift, (packet.pts if packet.dts is None else packet.dts) - shift
        if packet.pts < 0 and container in _FROM_ZERO:
            continue
        packet.stream = targets[packet.stream.index]
        yield packet


def disguised(source: Path, info: VideoInfo, output: OutputContainer, container: str) -> list[Iterator[Packet]]:
    """For each sound track the packets of its disguised sound, for streams added to `output`."""
    voices = import_module("faceveil.media.video.disguise")
    return [_encoded(voices.disguised(source, track.stream), track, output, container, info) for track in info.audio]


def _encoded(
    frames: Iterator[av.AudioFrame], track: AudioTrack, output: OutputContainer, container: str, info: VideoInfo
) -> Iterator[Packet]:
    encoder = _ENCODERS.get(container, "aac")
    rate = 48_000 if encoder == "libopus" else track.rate
    stream = output.add_stream(encoder, rate=rate)
    if not isinstance(stream, av.AudioStream):
        raise TypeError(f"'{encoder}' is no audio encoder")
    stream.codec_context.layout = "mono" if track.channels == 1 else "stereo"
    stream.codec_context.flags |= int(av.codec.context.Flags.bitexact)
    return _packets(frames, stream, info.origin)


def _packets(frames: Iterator[av.AudioFrame], stream: av.AudioStream, origin: Fraction) -> Iterator[Packet]:
    for frame in frames:
        if frame.pts is not None and frame.time_base:
            frame.pts -= round(origin / frame.time_base)
        yield from stream.encode(frame)
    yield from stream.encode(None)
