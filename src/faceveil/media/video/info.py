"""What a video is besides its pictures, and how one is to be coded. Numbers of colour are those of ITU-T H.273."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal

UNSPECIFIED = 2  # H.273's word for primaries, transfer and matrix that nobody named


@dataclass(frozen=True, slots=True)
class Colours:
    """How samples mean colours, as tagged; 2 (range and chroma: 0 and "unspecified") where the file is silent.

    range: 1 limited, 2 full. chroma: where chroma samples lie, in FFmpeg's words ("left", "topleft", ...).
    """

    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    matrix: int = UNSPECIFIED
    range: int = 0
    chroma: str = "unspecified"


@dataclass(frozen=True, slots=True)
class Hdr:
    """Static metadata of high dynamic range: SMPTE ST 2086 and CTA-861.3.

    primaries: x and y of red, green, blue and white, empty where unknown. luminance: least and greatest, cd/m2,
    empty where unknown. light: greatest content and frame-average light level, cd/m2, empty where unknown.
    """

    primaries: tuple[Fraction, ...] = ()
    luminance: tuple[Fraction, ...] = ()
    light: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """One audio track: its stream in the file, its codec in FFmpeg's words, samples a second, channels."""

    stream: int
    codec: str
    rate: int
    channels: int


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """One video's description, from its headers and its first frame.

    format: what is written: a key of `KINDS`. An AVI has "MP4", since it becomes one.
    stream: the video stream among the file's. codec, profile: in FFmpeg's words ("h264", "High").
    width, height: as stored. orientation: EXIF's number, 1 to 8, of `matrix`, the nine numbers of the display
    matrix; empty where there is none. pixel_format: FFmpeg's name of the planes' format.
    time_base: what all times are multiples of. rate: a hint for encoders, never used for time.
    start: time of the first frame. origin: what was taken off the file's own times, since MPEG streams begin anywhere.
    frames, duration: what headers say, None where they are silent.
    sample_aspect: width of a pixel by its height, None where nobody says.
    fields: "progressive", or "top" and "bottom" for interlaced pictures by the field that comes first.
    """

    format: str
    codec: str
    width: int
    height: int
    pixel_format: str
    time_base: Fraction
    orientation: int = 1
    stream: int = 0
    profile: str = ""
    rate: Fraction | None = None
    start: Fraction = Fraction(0)
    origin: Fraction = Fraction(0)
    frames: int | None = None
    duration: Fraction | None = None
    matrix: tuple[int, ...] = ()
    sample_aspect: Fraction | None = None
    fields: Literal["progressive", "top", "bottom"] = "progressive"
    colours: Colours = field(default_factory=Colours)
    hdr: Hdr | None = None
    audio: tuple[AudioTrack, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), upright."""
        return (self.height, self.width) if self.orientation > 4 else (self.width, self.height)

    def noting(self, *sentences: str) -> VideoInfo:
        """The same with more notes."""
        return replace(self, notes=self.notes + sentences)


CodecName = Literal["source", "h264", "hevc", "vp8", "vp9", "av1", "prores", "mjpeg"]
AudioMode = Literal["drop", "keep", "disguise"]


@dataclass(frozen=True, slots=True)
class VideoCoding:
    """How a video is to be encoded.

    codec: "source" keeps the codec's family. crf: the encoder's own scale of quality, None for `encoders.CODECS`'.
    preset: the encoder's word for its speed, None likewise. hardware: "nvenc", "qsv", "amf", "vaapi",
    "videotoolbox", or None. audio: what becomes of the sound. threads: of the encoder, 0 for its choice.
    """

    codec: CodecName = "source"
    crf: float | None = None
    preset: str | None = None
    hardware: str | None = None
    audio: AudioMode = "drop"
    threads: int = 0
