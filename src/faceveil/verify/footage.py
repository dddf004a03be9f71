"""Films, decoded to be looked at: frames as players show them, those that edit lists hide, and the sound's bytes.

Apart from the code that reads films to cover them: FFmpeg's demuxers and decoders are shared, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from faceveil import media
from faceveil.errors import TooLargeError, UnreadableError
from faceveil.types import Frame
from faceveil.verify.leak import Leak

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

    from faceveil.types import Pixels

_ALL = {"ignore_editlist": "1"}
_RIDERS = {
    "A53_CC": "closed captions (A53)",
    "S12M_TIMECODE": "a time code",
    "GOP_TIMECODE": "a time code",
    "DYNAMIC_HDR_PLUS": "HDR10+ metadata",
    "DETECTION_BBOXES": "boxes of a detector",
    "REGIONS_OF_INTEREST": "regions of interest",
}
"""What a decoder hands over beside a picture, whatever codec carried it: the net below that of bitstream.py."""


@dataclass(slots=True)
class Reel:
    """What a film says besides its frames, filled while they are decoded.

    undecoded: packets that gave an error. first_bad: seconds of the first. damaged: frames that the decoder mended.
    riders: what came beside pictures, by name: how many, and the bytes of all.
    """

    undecoded: int = 0
    damaged: int = 0
    first_bad: float | None = None
    riders: dict[str, tuple[int, int]] = field(default_factory=dict)

    def leaks(self, known: list[Leak]) -> list[Leak]:
        """What the decoder saw and the walk over the container (`known`) did not."""
        found = []
        for what, (count, size) in self.riders.items():
            if not any(leak.what.startswith(what) for leak in known):
                found.append(Leak(f"{what} beside the pictures, {count} times", 0, size))
        bad = self.undecoded + self.damaged
        if bad:
            where = f", the first at {self.first_bad:.2f} s" if self.first_bad is not None else ""
            found.append(Leak(f"pictures that cannot be decoded as they should ({bad}{where})", 0, 0))
        return found


def frames(path: Path, reel: Reel | None = None, only: frozenset[int] | None = None) -> Iterator[Frame]:
    """The frames of a film, upright, in RGB of 8 bits, one at a time.

    reel: takes what else was met. only: presentation times (in the stream's ticks, edit list ignored) of the frames
    that are wanted; all that a player shows otherwise. What cannot be decoded is counted in `reel` and left out.

    Raises:
        UnreadableError: no film, no pictures in it, or none that can be decoded.
        TooLargeError: a frame of more pixels than the cap.
    """
    reel = reel if reel is not None else Reel()
    index = 0
    with _opened(path, None if only is None else _ALL) as (container, stream):
        for packet in container.demux(stream):
            for decoded in _decoded(packet, reel):
                if only is None or decoded.pts in only:
                    _note(decoded, reel)
                    time = None if decoded.pts is None or decoded.time_base is None else decoded.pts * decoded.time_base
                    yield Frame(_pixels(decoded, path), index=index, time=time)
                    index += 1
    if not index and only is None:
        raise UnreadableError(f"{path} holds no picture that can be decoded")


def hidden(path: Path) -> frozenset[int]:
    """Presentation times, edit list ignored, of the pictures that an edit list hides from players.

    Both demuxings are compared by where packets lie in the file; nothing is decoded. 20 MB for an hour of film.
    """
    with _opened(path, None) as (container, stream):
        if "mov" not in container.format.name:
            return frozenset()
        shown = {packet.pos for packet in container.demux(stream) if packet.size and not packet.is_discard}
    with _opened(path, _ALL) as (container, stream):
        packets = ((packet.pos, packet.pts) for packet in container.demux(stream) if packet.size)
        return frozenset(pts for pos, pts in packets if pos not in shown and pts is not None)


def sounds(path: Path) -> list[tuple[str, int]]:
    """SHA-256 over the packets of each track of sound, and how many there are."""
    with _opened(path, None) as (container, _):
        streams = list(container.streams.audio)
        digests = {stream.index: [sha256(), 0] for stream in streams}
        for packet in container.demux(*streams) if streams else ():
            if packet.size:
                digest: Any = digests[packet.stream.index]
                digest[0].update(bytes(packet))
                digest[1] += 1
    return [(digest.hexdigest(), count) for digest, count in cast("Any", digests.values())]


@contextmanager
def _opened(path: Path, options: dict[str, str] | None) -> Iterator[tuple[InputContainer, VideoStream]]:
    import av  # noqa: PLC0415  (loads FFmpeg)

    try:
        container = av.open(str(path), options=options, metadata_errors="replace")
    except (av.FFmpegError, ValueError, OSError) as error:
        raise UnreadableError(f"{path} cannot be read: {_reason(error)}") from None
    with container:
        stream = container.streams.best("video")
        if stream is None:
            raise UnreadableError(f"{path} holds no pictures")
        video = cast("VideoStream", stream)
        video.thread_type = "AUTO"
        if video.width * video.height > media.PIXEL_CAP:
            raise TooLargeError(f"{path} has frames of {video.width} x {video.height} pixels")
        try:
            yield container, video
        except av.FFmpegError as error:  # of the demuxer; the decoder's are counted
            raise UnreadableError(f"{path} cannot be read: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or "unknown").lower()


def _decoded(packet: Packet[VideoStream], reel: Reel) -> Iterator[av.VideoFrame]:
    import av  # noqa: PLC0415

    try:
        yield from packet.decode()
    except av.FFmpegError:
        reel.undecoded += 1
        if reel.first_bad is None and packet.pts is not None:
            reel.first_bad = float(packet.pts * packet.time_base)


def _note(frame: av.VideoFrame, reel: Reel) -> None:
    if frame.is_corrupt:
        reel.damaged += 1
        if reel.first_bad is None and frame.time is not None:
            reel.first_bad = frame.time
    for data in _side_data(frame):
        what = _RIDERS.get(data.type.name)
        if what:
            count, size = reel.riders.get(what, (0, 0))
            reel.riders[what] = (count + 1, size + data.buffer_size)


def _side_data(frame: av.VideoFrame) -> Iterator[Any]:
    return iter(cast("Any", frame.side_data))  # its type says that it gives names; it gives the data


def _pixels(frame: av.VideoFrame, path: Path) -> Pixels:
    """RGB of 8 bits, turned and mirrored as the display matrix says (ISO/IEC 14496-12, 8.3.2)."""
    if frame.width * frame.height > media.PIXEL_CAP:
        raise TooLargeError(f"{path} has frames of {frame.width} x {frame.height} pixels")
    pixels = cast("NDArray[np.uint8]", frame.to_ndarray(format="rgb24"))
    matrix = next((data for data in _side_data(frame) if data.type.name == "DISPLAYMATRIX"), None)
    if matrix is None:
        return pixels
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):  # x' = c y, y' = b x
        pixels = pixels.transpose(1, 0, 2)
        a, d = c, b
    return np.ascontiguousarray(pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])
