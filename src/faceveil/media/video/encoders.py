"""Which encoder writes which codec, at what quality, and what each container can hold."""

from __future__ import annotations

from dataclasses import dataclass, replace

from faceveil.errors import RequestError
from faceveil.media.kinds import KINDS
from faceveil.media.video.info import UNSPECIFIED, Colours, Hdr, VideoCoding, VideoInfo


@dataclass(frozen=True, slots=True)
class Codec:
    """An encoder of FFmpeg and its defaults.

    crf: quality on its own scale. speed: its option for speed and the default. fixed: options that it always gets.
    scale: the best and the worst crf; empty where it has one quality.
    """

    encoder: str
    crf: float
    speed: tuple[str, str] = ("", "")
    fixed: tuple[tuple[str, str], ...] = ()
    scale: tuple[float, ...] = (0, 63)


# Closed captions and user data of frames stay out even if a frame brought them; ours never do.
_NO_SEI = (("a53cc", "0"), ("udu_sei", "0"))

CODECS: dict[str, Codec] = {
    # Qualities: a mean PSNR of luma of 43 to 45 dB to the source, at 1.0 to 1.6 times its size, on 50 pictures each of
    # a 1080p street clip and a 720p portrait (docs/video.md). The default of x264, 23, would lose 2 dB to that.
    # mbtree off: with it x264 165 gives other bytes in each run, with one thread too, if assembly is on; a video that
    # is resumed would not be the one that was not. At equal size it is worth 0.6 dB.
    "h264": Codec("libx264", 20, ("preset", "veryfast"), (("mbtree", "0"), *_NO_SEI), scale=(0, 51)),
    "hevc": Codec("libx265", 20, ("preset", "veryfast"), _NO_SEI, scale=(0, 51)),
    "vp8": Codec("libvpx", 8, ("cpu-used", "5"), (("b", "100M"), ("deadline", "good")), (4, 63)),  # b is a bound here
    "vp9": Codec("libvpx-vp9", 24, ("cpu-used", "5"), (("b", "0"), ("deadline", "good"), ("row-mt", "1"))),
    "av1": Codec("libsvtav1", 20, ("preset", "10")),
    "prores": Codec("prores_ks", 0, scale=()),
    "mjpeg": Codec("mjpeg", 2, scale=(0, 31)),
}

_HARDWARE = {  # the option that each takes for constant quality, and what else makes it constant
    "nvenc": ("cq", (("rc", "vbr"), ("b", "0"), *_NO_SEI)),
    "qsv": ("global_quality", ()),
    "amf": ("qp_i", (("rc", "cqp"),)),
    "vaapi": ("qp", (("rc_mode", "CQP"),)),
    "videotoolbox": ("q:v", ()),
}

FORMATS = {"MP4": "mp4", "QuickTime": "mov", "Matroska": "matroska", "WebM": "webm"}  # FFmpeg's names
MUXERS = {suffix: name for name in FORMATS for suffix in KINDS[name].suffixes}
_HELD = {
    "MP4": frozenset("h264 hevc vp9 av1 mjpeg".split()),
    "QuickTime": frozenset("h264 hevc prores mjpeg vp9 av1".split()),
    "Matroska": frozenset(CODECS),
    "WebM": frozenset("vp8 vp9 av1".split()),
}
_HEARD = {  # what players of these containers hear; QuickTime and Matroska hold all that FFmpeg has tags for
    "MP4": frozenset("aac mp3 mp2 ac3 eac3 alac flac opus".split()),
    "WebM": frozenset("opus vorbis".split()),
}
_PRORES = {"Proxy": "proxy", "LT": "lt", "Standard": "standard", "HQ": "hq", "4444": "4444", "XQ": "4444xq"}


@dataclass(frozen=True, slots=True)
class Settings:
    """All that an encoder is told, decided before the first frame.

    container: a key of `FORMATS`. codec: a key of `CODECS`. encoder: FFmpeg's. options: FFmpeg's, as text.
    pixel_format: what the encoder gets. quality: for encoders without an option for it (Motion JPEG), else 0.
    info: the video as it will be tagged. interlaced: whether pictures are coded as fields. notes: for the user.
    """

    container: str
    codec: str
    encoder: str
    options: tuple[tuple[str, str], ...]
    pixel_format: str
    info: VideoInfo
    quality: float = 0
    interlaced: bool = False
    threads: int = 0
    notes: tuple[str, ...] = ()


def settings_for(info: VideoInfo, coding: VideoCoding, container: str) -> Settings:
    """Decide. Raises `RequestError` where the container cannot hold what is asked for."""
    notes: list[str] = []
    codec = _codec(info, coding, container, notes)
    if codec not in _HELD[container]:
        allowed = ", ".join(sorted(_HELD[container]))
        raise RequestError(
            f"{container} cannot hold {codec} video", hint=f"choose another codec ({allowed}) or another suffix"
        )
    _expect_heard(info, coding, container)
    known = CODECS[codec]
    if not coding.hardware:
        _expect_scale(coding, codec, notes)
    encoder = f"{codec}_{coding.hardware}" if coding.hardware else known.encoder
    pixel_format = _pixel_format(info, encoder, codec, notes)
    tagged = _tagged(info, pixel_format, codec)
    interlaced = info.fields != "progressive" and encoder in ("libx264", "prores_ks")
    if info.fields != "progressive" and not interlaced:
        notes.append(f"The pictures stay interlaced, but {codec} is coded in whole pictures.")
    if info.hdr and codec in ("vp8", "vp9", "prores", "mjpeg"):
        notes.append("The mastering display's metadata (HDR) is dropped.")
        tagged = replace(tagged, hdr=None)
    return Settings(
        container,
        codec,
        encoder,
        _options(tagged, coding, codec),
        pixel_format,
        tagged,
        quality=(coding.crf if coding.crf is not None else known.crf) if codec == "mjpeg" else 0,
        interlaced=interlaced,
        threads=coding.threads,
        notes=tuple(notes),
    )


def _codec(info: VideoInfo, coding: VideoCoding, container: str, notes: list[str]) -> str:
    codec = coding.codec if coding.codec != "source" else info.codec
    if codec not in CODECS:
        codec = "vp9" if container == "WebM" else "h264"
        notes.append(f"The video was {info.codec}; it is written as {codec}.")
    if codec == "vp9" and bits_of(info.pixel_format) > 8:
        codec = "av1"  # the libvpx of PyAV's wheels has no high bit depth
        notes.append("VP9 of more than 8 bits is written as AV1, which keeps 10 bits.")
    return codec


def _expect_heard(info: VideoInfo, coding: VideoCoding, container: str) -> None:
    if coding.audio != "keep" or container not in _HEARD:
        return
    for track in info.audio:
        if track.codec not in _HEARD[container]:
            raise RequestError(
                f"{container} cannot hold {track.codec} sound",
                hint="write to a .mov or .mkv file, or drop or disguise the sound",
            )


def _expect_scale(coding: VideoCoding, codec: str, notes: list[str]) -> None:
    """Refuse a quality beyond the encoder's scale, which x264 would silently take for the last; say what has no use."""
    known = CODECS[codec]
    if coding.crf is not None and not known.scale:
        notes.append(f"{codec} has one quality, so crf is not used.")
    elif coding.crf is not None and not known.scale[0] <= coding.crf <= known.scale[1]:
        best, worst = known.scale
        raise RequestError(f"crf of {codec} goes from {best:g}, the best, to {worst:g}, got {coding.crf:g}")
    if coding.preset is not None and not known.speed[0]:
        notes.append(f"{codec} has one speed, so the encoder's preset is not used.")


def bits_of(pixel_format: str) -> int:
    """Bits of a sample, from the name of a planar format ("yuv420p10le")."""
    digits = pixel_format.removesuffix("le").rpartition("p" if "p" in pixel_format else "y")[2]
    return int(digits or 8)


def _pixel_format(info: VideoInfo, encoder: str, codec: str, notes: list[str]) -> str:
    """What the encoder gets: the same format, the same samples packed otherwise, or the nearest it takes."""
    from av import Codec as Known  # noqa: PLC0415
    from av.error import FFmpegError  # noqa: PLC0415

    from faceveil.media.video.hardware import absent  # noqa: PLC0415

    try:
        taken = [form.name for form in Known(encoder, "w").video_formats or ()]
    except (FFmpegError, ValueError) as error:
        raise absent(encoder) from error
    own = _whole_chroma(info, encoder, notes)
    packed = {"yuv420p": "nv12", "yuv420p10le": "p010le"}.get(own, own)
    for name in (own, packed, own.replace("yuv", "yuvj")):
        if name in taken:
            return name if not name.startswith("yuvj") else own
    bits = 10 if bits_of(own) > 8 and any("10le" in name for name in taken) else 8
    deep = "10le" if bits == 10 else ""
    plain = own.startswith("gbr") and codec != info.codec  # RGB of old codecs becomes what every player shows
    first = "420" if plain or "420" in own else "422" if "422" in own else "444"
    wanted = [f"yuv{chroma}p" for chroma in {"420": ("420", "422", "444"), "422": ("422", "444")}.get(first, ("444",))]
    wanted += ["yuv422p", "yuv420p"]
    packings = (deep, "", "10le")
    best = next((f"{base}{bits}" for base in wanted for bits in packings if f"{base}{bits}" in taken), taken[0])
    notes.append(f"The pixels were {own}; {encoder} takes {best}.")
    return best


def _whole_chroma(info: VideoInfo, encoder: str, notes: list[str]) -> str:
    """The pixel format, without subsampling where the encoder takes subsampled pictures of even sizes only."""
    own = info.pixel_format
    odd = ("420" in own and (info.width % 2 or info.height % 2)) or ("422" in own and info.width % 2)
    if not odd or encoder not in ("libx264", "libx265"):
        return own
    notes.append(f"{encoder} takes odd sizes in 4:4:4 only, so {own} is written so.")
    return own.replace("420", "444").replace("422", "444")


def _tagged(info: VideoInfo, pixel_format: str, codec: str) -> VideoInfo:
    """RGB that becomes YUV is BT.709 of limited range; Motion JPEG is always of full range."""
    colours = info.colours
    if info.pixel_format.startswith("gbr") and not pixel_format.startswith("gbr"):
        colours = Colours(1 if colours.primaries == UNSPECIFIED else colours.primaries, colours.transfer, 1, 1)
    if codec == "mjpeg":
        colours = replace(colours, range=2)
    return replace(info, colours=colours)


def _options(info: VideoInfo, coding: VideoCoding, codec: str) -> tuple[tuple[str, str], ...]:
    if coding.hardware:
        option, fixed = _HARDWARE.get(coding.hardware, ("", ()))
        crf = coding.crf if coding.crf is not None else CODECS[codec].crf
        speed = (("preset", coding.preset),) if coding.preset else ()
        return (*fixed, *speed, *(((option, f"{crf:g}"),) if option else ()))
    known = CODECS[codec]
    options = dict(known.fixed)
    if codec == "prores":
        options["profile"] = _PRORES.get(info.profile if info.codec == "prores" else "", "auto")
        return tuple(options.items())
    name, speed_default = known.speed
    if name:
        options[name] = coding.preset or speed_default
    if codec != "mjpeg":
        options["crf"] = f"{coding.crf if coding.crf is not None else known.crf:g}"
    if info.colours.chroma not in ("left", "unspecified"):
        options["chroma_sample_location"] = info.colours.chroma
    parameters = _parameters(codec, info.hdr)
    if parameters:
        options[{"h264": "x264-params", "hevc": "x265-params", "av1": "svtav1-params"}[codec]] = parameters
    return tuple(options.items())


def _parameters(codec: str, hdr: Hdr | None) -> str:
    """What the encoders of H.264, HEVC and AV1 are told in their own words: static HDR, and to keep quiet."""
    words = ["info=0", "log-level=none"] if codec == "hevc" else []
    if hdr is None or codec not in ("h264", "hevc", "av1"):
        return ":".join(words)
    if hdr.primaries and hdr.luminance:
        unit, scale = (1, 1) if codec == "av1" else (50_000, 10_000)
        text = [f"{float(v):.6f}" if codec == "av1" else str(round(v * unit)) for v in hdr.primaries]
        low, high = (f"{float(v):.4f}" if codec == "av1" else str(round(v * scale)) for v in hdr.luminance)
        red, green, blue, white = (f"({text[i]},{text[i + 1]})" for i in (0, 2, 4, 6))
        name = "master-display" if codec == "hevc" else "mastering-display"
        words.append(f"{name}=G{green}B{blue}R{red}WP{white}L({high},{low})")
    if hdr.light:
        name = {"hevc": "max-cll", "h264": "cll", "av1": "content-light"}[codec]
        words.append(f"{name}={hdr.light[0]},{hdr.light[1]}")
    return ":".join(words)
