"""Pictures to a stream of H.264, 4:2:0, 8 bits, which everything plays."""

from __future__ import annotations

from fractions import Fraction
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from faceveil import planes
from faceveil.policy import Policy
from faceveil.types import Planes

if TYPE_CHECKING:
    import av

CRF = 20  # nobody tells it from the source at a glance; x264's own default is 23
PRESET = "veryfast"
GROUP = 60  # pictures between key frames: who joins a stream waits for the next
_TICK = Fraction(1, 90_000)
_BT709, _BT601 = 1, 6  # ITU-T H.273: primaries, transfer and matrix


class Coding(NamedTuple):
    """How to encode: even sides in pixels, the matrix of the colours, x264's words. fast: no picture is held back."""

    width: int
    height: int
    bt601: bool
    crf: float
    preset: str
    fast: bool

    @classmethod
    def of(cls, moment: Planes, policy: Policy, *, fast: bool) -> Coding:
        """For pictures such as this one."""
        width, height = (max(2, side // 2 * 2) for side in moment.size)
        crf = CRF if policy.crf is None else policy.crf
        return cls(width, height, moment.matrix == "bt601", crf, policy.encoder_preset or PRESET, fast)


def encodable(moment: Planes, coding: Coding) -> av.VideoFrame:
    """An upright frame as the encoder wants it, scaled if need be, without anything but pixels."""
    from av import VideoFrame  # noqa: PLC0415  (60 ms)

    from faceveil.media.video.pixels import frame_of  # noqa: PLC0415

    if moment.orientation == 1 and moment.matrix in ("bt601", "bt709"):
        frame, full = frame_of(moment), moment.full
    else:
        frame, full = VideoFrame.from_ndarray(planes.small(moment, max(moment.size)), "rgb24"), True
    return frame.reformat(
        coding.width,
        coding.height,
        "yuv420p",
        src_colorspace="itu601" if moment.matrix == "bt601" else "itu709",
        dst_colorspace="itu601" if coding.bt601 else "itu709",
        src_color_range=2 if full else 1,
        dst_color_range=1,
    )


class Writer:
    """Encodes and muxes. It raises FFmpeg's errors and `OSError`.

    PyAV holds Python's lock while it opens an address, and knows no time limit there: addresses are for processes that
    do nothing else (`relay`).
    """

    def __init__(self, target: str | IO[bytes], form: str, coding: Coding) -> None:
        import av  # noqa: PLC0415

        # A recording is in fragments until it is whole, so that its index need not be held in memory; then it is
        # rewritten as a plain file. bitexact: no names of programs, no times.
        options = {"mp4": {"movflags": "hybrid_fragmented"}, "rtsp": {"rtsp_transport": "tcp"}}.get(form, {})
        self._container = av.open(target, "w", format=form, container_options={"fflags": "+bitexact", **options})
        stream = self._container.add_stream("libx264", rate=30, width=coding.width, height=coding.height)
        stream.pix_fmt = "yuv420p"
        context: Any = stream.codec_context
        context.time_base = _TICK
        context.gop_size = GROUP
        context.color_range, context.colorspace = 1, _BT601 if coding.bt601 else _BT709
        context.options = {"crf": f"{coding.crf:g}", "preset": coding.preset}
        if coding.fast:
            context.options = {**context.options, "tune": "zerolatency"}
        self._stream = stream
        self._started: Fraction | None = None
        self._last = -1

    def add(self, frame: av.VideoFrame, time: Fraction) -> None:
        """The next picture, and when it is shown in seconds."""
        if self._started is None:
            self._started = time
        self._last = max(round((time - self._started) / _TICK), self._last + 1)
        frame.pts, frame.time_base = self._last, _TICK
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def finish(self) -> None:
        """Write the rest and the container's end."""
        for packet in self._stream.encode(None):
            self._container.mux(packet)
        self._container.close()
