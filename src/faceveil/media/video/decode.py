"""Pictures out of a container, one by one, and never one that FFmpeg had to make up.

FFmpeg conceals what it cannot decode: it repeats older pixels, or shows grey. A face may be in what was damaged, so all
decoders run with `err_detect=explode`, frames flagged as corrupt are refused, and each packet must give its picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from faceveil.errors import UnreadableError, UnsupportedError
from faceveil.media.video.whole import cut

DAMAGED = "is damaged: some of its pictures cannot be decoded"

_DEMUXERS = {
    "MP4": "mov",
    "QuickTime": "mov",
    "Matroska": "matroska",
    "WebM": "matroska",
    "AVI": "avi",
    "WMV": "asf",
    "FLV": "flv",
}
_MPEG = {b"\x47": "mpegts", b"\x00\x00\x01\xba": "mpeg", b"\x00\x00\x01\xb3": "mpegvideo"}
# Codecs whose packets give exactly one picture each in containers that keep pictures whole. VP8 has hidden ones, MPEG-4
# packed ones, and a transport stream may cut interlaced pictures into fields.
_ONE_FOR_ONE = frozenset("h264 hevc vp9 av1 prores mjpeg mpeg2video ffv1".split())
_WHOLE_PICTURES = frozenset(("MP4", "QuickTime", "Matroska", "WebM", "FLV"))
_LOCKED_TAGS = ("encv", "drmi", "enca", "drms")


def open_container(path: Path, kind: str) -> InputContainer:
    """The file, opened as what its first bytes say: no playlist or script is followed to other files.

    Raises FFmpeg's errors; `UnreadableError` where the file has another structure than its first bytes.
    """
    with path.open("rb") as file:
        head = file.read(8)
    demuxer = _DEMUXERS.get(kind) or next((name for start, name in _MPEG.items() if head.startswith(start)), "mpegts")
    # "file:" keeps names like http: and concat: what they are, names. Metadata may be in any encoding: it is not kept.
    return av.open(f"file:{path.resolve()}", "r", format=demuxer, metadata_errors="replace")


def pick(container: InputContainer) -> VideoStream:
    """The video stream that players show, which is FFmpeg's choice. Raises `InputError`s."""
    films = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    best = container.streams.best("video")
    stream = best if best in films else next(iter(films), None)
    if not isinstance(stream, VideoStream):
        sound = "only sound" if container.streams.audio else "no pictures"
        raise UnreadableError(f"has no video track, {sound}")
    if stream.codec_context is None:
        raise UnsupportedError("has a video track of a kind that FFmpeg does not know")
    if stream.codec_context.codec_tag in _LOCKED_TAGS:
        locked()
    return stream


def locked() -> None:
    """Encrypted pictures cannot be looked at."""
    raise UnsupportedError("is encrypted (DRM), so its pictures cannot be looked at")


@dataclass(slots=True)
class Shown:
    """One decoded frame with its time and duration in ticks of the stream's time base (0: unknown)."""

    frame: av.VideoFrame
    ticks: int
    duration: int


@dataclass(slots=True)
class Decoding:
    """Iterates the frames of one stream in the order of their times.

    kind: of the file. threads: of the decoder, 0 for FFmpeg's choice. skipped: how many pictures at the start could
    not be decoded because the key frame before them is missing; known once the first frame is out.
    Iterating raises `UnreadableError` where a picture is missing or damaged, `UnsupportedError` where sizes change.
    """

    container: InputContainer
    stream: VideoStream
    kind: str
    threads: int = 0
    skipped: int = 0
    _due: dict[int, bool] = field(default_factory=dict)  # time of a packet -> whether it came before a key frame
    _key: int | None = None
    _last: Shown | None = None
    _packets: int = 0

    def __iter__(self) -> Iterator[Shown]:
        context = self.stream.codec_context
        # With frame threads PyAV may swallow an error if there is a frame to give beside it; a missing picture tells,
        # but only where each packet owes one.
        context.thread_type = "AUTO" if self._strict else "SLICE"
        context.thread_count = self.threads
        context.options = {"err_detect": "explode"}
        for packet in self.container.demux(self.stream):
            if packet.size:
                self._count(packet)
                if self._key is None:
                    continue  # nothing before the first key frame can be decoded, and no player shows it
            try:
                frames = context.decode(packet if packet.size else None)
            except av.error.InvalidDataError as error:
                raise UnreadableError(DAMAGED) from error
            for frame in frames:
                yield self._judged(frame)
            if not packet.size:
                break
        self._expect_all()

    def _count(self, packet: av.Packet[VideoStream]) -> None:
        if self._key is None and not packet.is_keyframe and self._promised_key():
            raise UnreadableError(DAMAGED)
        self._packets += 1
        if packet.is_corrupt:
            raise UnreadableError(DAMAGED)
        if packet.has_sidedata("encryption_info") or packet.has_sidedata("encryption_init_info"):
            locked()
        if packet.is_keyframe and self._key is None:
            self._key = packet.pts if packet.pts is not None else packet.dts or 0
        if packet.pts is not None and not packet.is_discard:
            leading = self._key is None or packet.pts < self._key
            self._due[packet.pts] = leading and self._last is None

    def _promised_key(self) -> bool:
        """Whether the index says that the packet at hand is a key frame: then it is damaged, not a late start."""
        entries = self.stream.index_entries
        indexed = _DEMUXERS.get(self.kind) == "mov" and self._packets < len(entries)
        return indexed and entries[self._packets].is_keyframe

    def _judged(self, frame: av.VideoFrame) -> Shown:
        if frame.is_corrupt:
            raise UnreadableError(DAMAGED)
        shown = Shown(frame, self._ticks(frame), frame.duration or 0)
        if self._last is not None:
            before = self._last.frame
            if (before.width, before.height, before.format.name) != (frame.width, frame.height, frame.format.name):
                raise UnsupportedError("changes its size or its pixel format in the middle, which is not supported")
            if shown.ticks <= self._last.ticks:
                raise UnsupportedError("has pictures whose times do not follow each other, which is not supported")
        self._settle(shown.ticks)
        self._last = shown
        return shown

    def _ticks(self, frame: av.VideoFrame) -> int:
        """The frame's time. AVI has times of decoding only; they are the frames' times one by one."""
        for ticks in (frame.pts, frame.dts):
            if ticks is not None:
                return ticks
        if self._last is not None and self._last.duration:
            return self._last.ticks + self._last.duration
        if self._last is None:
            return 0
        raise UnsupportedError("does not say when its pictures are shown")

    def _settle(self, ticks: int) -> None:
        """Frames come in the order of time: what is due before this one was lost."""
        self._due.pop(ticks, None)
        lost = [due for due in self._due if due < ticks]
        for due in lost:
            leading = self._due.pop(due)
            if leading and self._last is None:
                self.skipped += 1
            elif self._strict:
                raise UnreadableError(DAMAGED)

    @property
    def _strict(self) -> bool:
        return self.kind in _WHOLE_PICTURES and self.stream.codec_context.codec.canonical_name in _ONE_FOR_ONE

    def _expect_all(self) -> None:
        if self._last is None:
            raise UnreadableError("has no picture that can be decoded")
        if self._due and self._strict:
            raise UnreadableError(DAMAGED)
        promised = len(self.stream.index_entries) if _DEMUXERS.get(self.kind) == "mov" else 0
        if self._packets < promised:
            cut()
