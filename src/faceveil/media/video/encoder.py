"""`Planes` in, coded packets out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction

import av
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext

from faceveil.errors import OutputError
from faceveil.media.quiet import quiet
from faceveil.media.video import pixels
from faceveil.media.video.encoders import Settings
from faceveil.media.video.hardware import absent
from faceveil.types import Planes

_FALLBACK_RATE = Fraction(25)  # for encoders alone, which want one for their level and look-ahead
_FIELD_ORDER = {"progressive": 1, "top": 2, "bottom": 3}  # AVFieldOrder
_START = re.compile(rb"\x00{2,3}\x01")
_SEI, _USER_DATA = 6, 5  # of H.264: the unit type, and the payload type "user data unregistered"


@dataclass(frozen=True, slots=True)
class Coded:
    """One coded picture: its time and duration in ticks (0: unknown), in decoding order.

    key: whether decoding can start here. data: as the encoder gives it.
    """

    pts: int
    duration: int
    key: bool
    data: bytes


class Encoder:
    """Encodes pictures of one size and format into one closed group: nothing refers to another encoder's pictures.

    Ticks are those of `settings.info.time_base`. Frames are made anew from samples, so no side data of the source
    (captions, timecodes, user data) can pass. Raises `OutputError` where the encoder fails or the picture does not fit,
    `MissingExtra` where a hardware encoder does not start.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._durations: dict[int, int] = {}
        self._fields = _FieldOrder(settings) if settings.interlaced else None
        self._first = True
        self.context = _created(settings)
        configure(self.context, settings)
        with own_priority():
            open_quietly(self.context, settings)

    def encode(self, planes: Planes) -> list[Coded]:
        """The packets that are ready after this picture. Times must grow, and be multiples of the time base."""
        info = self._settings.info
        ticks = planes.time / info.time_base
        if ticks.denominator != 1:
            raise OutputError(f"the time {planes.time} is no multiple of {info.time_base} seconds")
        height, width = planes.planes[0].shape
        if (width, height) != (info.width, info.height) or pixels.format_of(planes) != info.pixel_format:
            raise OutputError(
                f"a picture of {width} x {height} {pixels.format_of(planes)} does not fit into a video of "
                f"{info.width} x {info.height} {info.pixel_format}"
            )
        frame = self._frame(planes)
        frame.pts, frame.time_base = int(ticks), info.time_base
        self._durations[int(ticks)] = int((planes.duration or 0) / info.time_base)
        return self._coded(frame)

    def finish(self) -> list[Coded]:
        """The rest."""
        return self._coded(None)

    def _frame(self, planes: Planes) -> av.VideoFrame:
        frame = pixels.frame_of(planes)
        colours, wanted = self._settings.info.colours, self._settings.pixel_format
        full = colours.range == 2
        if frame.format.name != wanted or (self._settings.codec == "mjpeg" and not planes.full):
            frame = frame.reformat(
                format=wanted,
                src_color_range=2 if planes.full else 1,
                dst_color_range=2 if full else 1,
                src_colorspace="itu709" if planes.matrix == "bt709" else "itu601",
                dst_colorspace="itu709" if planes.matrix in ("bt709", "rgb") else "itu601",
            )
        frame.color_range, frame.colorspace = colours.range, colours.matrix
        frame.color_primaries, frame.color_trc = colours.primaries, colours.transfer
        return self._fields.mark(frame) if self._fields else frame

    def _coded(self, frame: av.VideoFrame | None) -> list[Coded]:
        try:
            with own_priority():
                packets = self.context.encode(frame)
        except av.error.FFmpegError as error:
            raise OutputError(f"the encoder '{self._settings.encoder}' failed: {error.strerror}") from error
        return [self._record(packet) for packet in packets]

    def _record(self, packet: av.Packet[av.VideoStream]) -> Coded:
        if packet.pts is None:
            raise OutputError(f"the encoder '{self._settings.encoder}' lost the time of a picture")
        data = bytes(packet)
        if self._first and self._settings.encoder == "libx264":
            data = without_user_data(data)
        self._first = False
        return Coded(packet.pts, self._durations.pop(packet.pts, 0), packet.is_keyframe, data)


@contextmanager
def own_priority() -> Iterator[None]:
    """Take back what SVT-AV1 does to its caller: run by root, it gives this thread real-time priority.

    Whatever the thread and the processes that it starts then wait for would stand, as would the rest of the machine.
    """
    if not hasattr(os, "sched_getscheduler"):  # Linux alone
        yield
        return
    before = os.sched_getscheduler(0)
    try:
        yield
    finally:
        if os.sched_getscheduler(0) != before:
            os.sched_setscheduler(0, before, os.sched_param(0))


class _FieldOrder:
    """Marks frames as interlaced, which PyAV can read but not set, by FFmpeg's filter `setfield`."""

    def __init__(self, settings: Settings) -> None:
        info = settings.info
        self._graph = av.filter.Graph()
        source = self._graph.add_buffer(
            width=info.width,
            height=info.height,
            format=av.VideoFormat(settings.pixel_format),
            time_base=info.time_base,
        )
        mark = self._graph.add("setfield", "tff" if info.fields == "top" else "bff")
        sink = self._graph.add("buffersink")
        source.link_to(mark)
        mark.link_to(sink)
        self._graph.configure()

    def mark(self, frame: av.VideoFrame) -> av.VideoFrame:
        frame.pts, frame.time_base = 0, self._base
        self._graph.vpush(frame)
        return self._graph.vpull()

    _base = Fraction(1, 1000)


def _created(settings: Settings) -> VideoCodecContext:
    try:
        context = av.CodecContext.create(settings.encoder, "w")
    except (av.error.FFmpegError, ValueError) as error:
        raise absent(settings.encoder) from error
    if not isinstance(context, VideoCodecContext):
        raise absent(settings.encoder)
    return context


def configure(context: VideoCodecContext, settings: Settings) -> None:
    """Tell a context all that `settings` says, before it is opened."""
    info = settings.info
    context.width, context.height = info.width, info.height
    context.pix_fmt = settings.pixel_format
    context.time_base = info.time_base
    context.framerate = info.rate or _FALLBACK_RATE
    if info.sample_aspect:
        context.sample_aspect_ratio = info.sample_aspect
    context.color_range, context.colorspace = info.colours.range, info.colours.matrix
    context.color_primaries, context.color_trc = info.colours.primaries, info.colours.transfer
    if info.fields != "progressive":
        context.field_order = _FIELD_ORDER[info.fields]
    context.thread_type = "FRAME"  # threads by slices cost quality
    context.thread_count = settings.threads
    flags = Flags.bitexact | Flags.global_header
    if settings.interlaced:
        flags |= Flags.interlaced_dct | Flags.interlaced_me
    context.flags |= int(flags)
    if settings.quality:
        context.flags |= int(Flags.qscale)
        context.global_quality = int(settings.quality)
    if settings.codec == "hevc" and settings.container in ("MP4", "QuickTime"):
        context.codec_tag = "hvc1"  # Apple's players take no other
    context.options = dict(settings.options)


def open_quietly(context: VideoCodecContext, settings: Settings) -> None:
    """Open the encoder; libraries that write to the standard error are kept from it."""
    hardware = settings.encoder.partition("_")[2] in ("nvenc", "qsv", "amf", "vaapi", "videotoolbox")
    try:
        with quiet():
            context.open()
    except (av.error.FFmpegError, RuntimeError) as error:
        if hardware:
            raise absent(settings.encoder) from error
        size = f"{settings.info.width} x {settings.info.height}"
        raise OutputError(
            f"the encoder '{settings.encoder}' does not take pictures of {size} {settings.pixel_format}, or one of its "
            "options"
        ) from error
    if context.options:
        raise OutputError(f"the encoder '{settings.encoder}' does not know {', '.join(sorted(context.options))}")


def without_user_data(data: bytes) -> bytes:
    """An H.264 access unit in the byte stream format without its SEI units of user data: x264 signs its work there."""
    starts = [found.span() for found in _START.finditer(data)]
    ends: Iterable[int] = [start for start, _ in starts[1:]] + [len(data)]
    kept = []
    for (start, body), end in zip(starts, ends, strict=True):
        if data[body] & 31 == _SEI and data[body + 1] == _USER_DATA:
            continue
        kept.append(data[start:end])
    return b"".join(kept)
