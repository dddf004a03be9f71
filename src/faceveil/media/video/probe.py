"""What a video is, from its container and its first decoded frame, which knows more than the headers."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Literal, cast

import av
import av.logging
from av.container import InputContainer
from av.sidedata.sidedata import SideData, Type
from av.video.stream import VideoStream

from faceveil.errors import TooLargeError, UnsupportedError
from faceveil.media.codecs import PIXEL_CAP
from faceveil.media.kinds import KINDS
from faceveil.media.quiet import overheard
from faceveil.media.video import pixels
from faceveil.media.video.decode import Decoding, Shown, open_container, pick
from faceveil.media.video.info import UNSPECIFIED, AudioTrack, Colours, Hdr, VideoInfo
from faceveil.media.video.orient import matrix_of, orientation_of


def probe(path: Path, kind: str, max_pixels: int = PIXEL_CAP) -> VideoInfo:
    """The description. Raises `InputError`s and FFmpeg's errors."""
    with open_container(path, kind) as container:
        stream = pick(container)
        width, height = stream.codec_context.width, stream.codec_context.height
        if width * height > max_pixels:
            size, cap = width * height / 1e6, max_pixels / 1e6
            raise TooLargeError(f"has {width} x {height} = {size:.4g} million pixels; the cap is {cap:.4g} million")
        decoding = Decoding(container, stream, kind)
        first = next(iter(decoding), None)
        if first is None or stream.time_base is None:  # Decoding raises before; for the type checker
            raise UnsupportedError("does not say when its pictures are shown")
        return _described(container, stream, kind, first, decoding.skipped)


def _described(container: InputContainer, stream: VideoStream, kind: str, first: Shown, skipped: int) -> VideoInfo:
    frame = first.frame
    pieces = cast("Iterable[SideData]", frame.side_data)  # its type says that it is a dictionary
    side = {piece.type: bytes(piece) for piece in pieces}
    _expect_readable_colours(frame, side)
    matrix = matrix_of(side[Type.DISPLAYMATRIX]) if Type.DISPLAYMATRIX in side else ()
    chroma, fields = _shown_as(frame)
    planes = pixels.planes_of(frame)
    base = stream.time_base or Fraction(1)
    aspect = stream.sample_aspect_ratio
    origin = floor(Fraction(container.start_time or 0, av.time_base) / base) * base if kind == "MPEG" else Fraction(0)
    return VideoInfo(
        format=KINDS[kind].becomes or kind,
        codec=stream.codec_context.codec.canonical_name,
        width=frame.width,
        height=frame.height,
        pixel_format=pixels.format_of(planes),
        time_base=base,
        orientation=orientation_of(matrix),
        stream=stream.index,
        profile=stream.codec_context.profile or "",
        rate=stream.average_rate or stream.guessed_rate,
        start=first.ticks * base - origin,
        origin=origin,
        frames=stream.frames or None,
        duration=_duration(container, stream, base),
        matrix=matrix,
        sample_aspect=aspect if aspect and aspect != 1 else None,
        fields=fields if frame.interlaced_frame else "progressive",
        colours=_colours(frame, stream, chroma, full=planes.full and planes.matrix != "rgb"),
        hdr=_hdr(side),
        audio=_audio(container),
        notes=tuple(_notes(container, stream, kind, frame, side, skipped)),
    )


def _duration(container: InputContainer, stream: VideoStream, base: Fraction) -> Fraction | None:
    if stream.duration:
        return stream.duration * base
    return Fraction(container.duration, av.time_base) if container.duration else None


def _audio(container: InputContainer) -> tuple[AudioTrack, ...]:
    return tuple(
        AudioTrack(s.index, s.codec_context.codec.canonical_name, s.codec_context.sample_rate, s.codec_context.channels)
        for s in container.streams.audio
        if s.codec_context is not None
    )


def _colours(frame: av.VideoFrame, stream: VideoStream, chroma: str, *, full: bool) -> Colours:
    """The frame's tags, or the container's where the frame has none."""
    context = stream.codec_context
    pairs = (
        (frame.color_primaries, context.color_primaries),
        (frame.color_trc, context.color_trc),
        (frame.colorspace, context.colorspace),
    )
    primaries, transfer, matrix = (own if own != UNSPECIFIED else other for own, other in pairs)
    span = 2 if full else frame.color_range or context.color_range
    return Colours(primaries, transfer, matrix, span, chroma)


def _expect_readable_colours(frame: av.VideoFrame, side: dict[Type, bytes]) -> None:
    """Dolby Vision of profile 5 has no colours of its own without its metadata, and they are dropped."""
    if Type.DOVI_METADATA in side and frame.colorspace in (UNSPECIFIED, 15):
        raise UnsupportedError("is Dolby Vision without a picture that other players could show")


def _shown_as(frame: av.VideoFrame) -> tuple[str, Literal["top", "bottom"]]:
    """Where chroma samples lie, and which field is first: what PyAV does not tell, FFmpeg's `showinfo` prints."""
    graph = av.filter.Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1000))
    bare, told, sink = (
        graph.add("sidedata", "mode=delete"),
        graph.add("showinfo", "checksum=0"),
        graph.add("buffersink"),
    )
    for before, after in ((source, bare), (bare, told), (told, sink)):
        before.link_to(after)
    graph.configure()
    # FFmpeg's own log, not PyAV's: that one calls Python from decoders' threads, which deadlocks while one is closed.
    with overheard() as heard:
        level = av.logging.get_level()
        av.logging.set_libav_level(av.logging.INFO)
        av.logging.restore_default_callback()
        try:
            graph.vpush(frame)
            graph.vpull()
        finally:
            av.logging.set_level(level)
        heard.seek(0)
        said = heard.read().decode(errors="replace")
    chroma, order = re.search(r"\bcl:(\S+)", said), re.search(r"\bi:([PTB])", said)
    return chroma[1] if chroma else "unspecified", "bottom" if order and order[1] == "B" else "top"


def _hdr(side: dict[Type, bytes]) -> Hdr | None:
    """From FFmpeg's structures AVMasteringDisplayMetadata and AVContentLightMetadata."""
    primaries: tuple[Fraction, ...] = ()
    luminance: tuple[Fraction, ...] = ()
    light: tuple[int, ...] = ()
    if data := side.get(Type.MASTERING_DISPLAY_METADATA):
        *numbers, has_primaries, has_luminance = struct.unpack("=20i2i", data[:88])
        values = [Fraction(a, b or 1) for a, b in zip(numbers[::2], numbers[1::2], strict=True)]
        primaries = tuple(values[:8]) if has_primaries else ()
        luminance = tuple(values[8:]) if has_luminance else ()
    if data := side.get(Type.CONTENT_LIGHT_LEVEL):
        light = struct.unpack("=2I", data[:8])
    return Hdr(primaries, luminance, light) if primaries or luminance or light else None


def _notes(
    container: InputContainer,
    stream: VideoStream,
    kind: str,
    frame: av.VideoFrame,
    side: dict[Type, bytes],
    skipped: int,
) -> list[str]:
    cover = av.stream.Disposition.attached_pic
    covers = [s for s in container.streams.video if s.disposition & cover]
    others = [s for s in container.streams if s is not stream and s not in covers and s.type != "audio"]
    counts = {
        "picture at the start is dropped: the key frame before it is missing": skipped,
        "other video track is dropped": sum(s.type == "video" for s in others),
        "subtitle track is dropped": sum(s.type == "subtitle" for s in others),
        "data track is dropped": sum(s.type not in ("video", "subtitle") for s in others),
        "cover picture is dropped": len(covers),
    }
    notes = [_counted(count, words) for words, count in counts.items() if count]
    layout = pixels.layout_of(frame.format.name)
    if layout is not None and layout.alpha:
        notes.append("Transparency is dropped: what was hidden under it is looked at and covered like the rest.")
    if Type.DOVI_METADATA in side or Type.DYNAMIC_HDR_PLUS in side:
        notes.append("Dynamic metadata (Dolby Vision, HDR10+) is dropped; the static is kept.")
    if KINDS[kind].becomes:
        notes.append(f"{KINDS[kind].one[0].upper()}{KINDS[kind].one[1:]} is written as an {KINDS[kind].becomes}.")
    return notes


def _counted(count: int, words: str) -> str:
    """One or several: "1 data track is dropped.", "3 data tracks are dropped."."""
    if count > 1:
        noun, verb, rest = words.partition(" is ")
        head, at, tail = noun.partition(" at the start")
        words = f"{head}s{at}{tail}{verb.replace('is', 'are')}{rest.replace('it is', 'them is')}"
    return f"{count} {words}."
