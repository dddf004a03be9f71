"""A copy of a video is the video: times, turn, colours, depth, fields, aspect, sound; each kept or said."""

from __future__ import annotations

import itertools
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import video_samples as samples
from hypothesis import given
from hypothesis import strategies as st
from video_samples import Clip

from faceveil import media
from faceveil.errors import OutputError, RequestError
from faceveil.media.video import VideoCoding, VideoInfo, VideoSink, VideoSource, create_video, open_video
from faceveil.media.video.encoders import settings_for
from faceveil.media.video.pixels import format_of
from faceveil.types import Planes

LOSSLESS = {"crf": "0", "preset": "ultrafast"}


def copy(source: VideoSource | Path, target: Path, coding: VideoCoding | None = None) -> VideoSink:
    """Every picture through the room and out again."""
    opened = source if isinstance(source, VideoSource) else open_video(source)
    with create_video(target, opened.info, coding=coding or VideoCoding(), source=opened) as sink:
        for planes in opened:
            sink.append(planes)
    return sink


def clip(folder: Path, suffix: str = ".mp4", **kind: Any) -> Path:
    return samples.make(folder / f"in{suffix}", Clip(**kind))


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize(
    ("base", "ticks"),
    [
        (Fraction(1, 25), range(12)),
        (Fraction(1001, 30000), range(12)),
        (Fraction(1, 600), [0, 20, 40, 59, 80, 100, 121, 140, 300, 301, 302, 900]),
        (Fraction(1, 90000), [900, 3903, 6906, 9909, 12912, 90000, 90100]),
        (Fraction(1, 1_000_000), [7, 33_340, 66_673, 100_006, 5_000_000]),
    ],
)
def test_times_are_kept_exactly(tmp_path: Path, suffix: str, base: Fraction, ticks: list[int]) -> None:
    scale = {"movie_timescale": str(base.denominator * 128)}  # else the sample's own start is rounded
    source = open_video(clip(tmp_path, suffix, base=base, times=tuple(ticks), container=scale))
    copy(source, tmp_path / f"out{suffix}")
    assert samples.times(tmp_path / f"out{suffix}") == [planes.time for planes in source]
    if suffix != ".mkv":
        assert [planes.time for planes in source] == [tick * base for tick in ticks]


@given(
    steps=st.lists(st.integers(1, 5000), min_size=2, max_size=14),
    start=st.integers(0, 100_000),
    base=st.sampled_from([(1, 600), (1, 11_988), (1, 90_000), (1001, 24_000), (1, 1_000_000)]),
    b_frames=st.integers(0, 3),
)
def test_any_times_are_kept(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int], start: int, base: tuple[int, int], b_frames: int
) -> None:
    folder = tmp_path_factory.mktemp("times")
    ticks = tuple(start + sum(steps[:i]) for i in range(len(steps)))
    scale = {"movie_timescale": str(base[1] * 64)}
    made = clip(folder, base=Fraction(*base), times=ticks, options={"bf": str(b_frames)}, container=scale)
    copy(made, folder / "out.mp4")
    assert samples.times(folder / "out.mp4") == [tick * Fraction(*base) for tick in ticks]


def test_matroska_rounds_what_it_cannot_hold_and_says_so(tmp_path: Path) -> None:
    made = clip(tmp_path, base=Fraction(1001, 30000))
    sink = copy(made, tmp_path / "out.mkv")
    assert sink.notes == ("Matroska keeps whole milliseconds: times are rounded to the nearest.",)
    for wanted, got in zip(samples.times(made), samples.times(tmp_path / "out.mkv"), strict=True):
        assert abs(wanted - got) <= Fraction(1, 2000)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize(
    ("turn", "orientation"),
    [((0, False, False), 1), ((-90, False, False), 6), ((180, False, False), 3), ((90, False, False), 8)],
)
def test_turns_are_kept_as_a_matrix(
    tmp_path: Path, suffix: str, turn: tuple[float, bool, bool], orientation: int
) -> None:
    source = open_video(clip(tmp_path, suffix, turn=turn))
    assert source.info.orientation == orientation
    assert source.info.size == ((48, 64) if orientation > 4 else (64, 48))
    copy(source, tmp_path / f"out{suffix}")
    assert open_video(tmp_path / f"out{suffix}").info.matrix == source.info.matrix
    assert next(iter(source)).size == source.info.size


@pytest.mark.parametrize("turn", [(0, True, False), (0, False, True), (90, True, False), (-90, True, False)])
def test_mirrors_are_kept(tmp_path: Path, turn: tuple[float, bool, bool]) -> None:
    source = open_video(clip(tmp_path, turn=turn))
    assert source.info.orientation in (2, 4, 5, 7)
    copy(source, tmp_path / "out.mp4")
    assert open_video(tmp_path / "out.mp4").info.matrix == source.info.matrix


@pytest.mark.parametrize(("width", "height"), [(63, 47), (1, 1), (65, 2), (16, 17)])
@pytest.mark.parametrize("pixels", ["yuv420p", "yuv422p", "yuv444p", "gray"])
def test_odd_sizes_are_kept(tmp_path: Path, width: int, height: int, pixels: str) -> None:
    """H.264 has them in 4:4:4 only, or where the odd side is not that of the chroma's."""
    source = open_video(clip(tmp_path, ".mkv", codec="ffv1", pixels=pixels, size=(width, height), times=(0, 1, 2)))
    sink = copy(source, tmp_path / "out.mp4", VideoCoding(codec="h264"))
    made = open_video(tmp_path / "out.mp4").info
    assert (made.width, made.height) == (width, height)
    odd = pixels == "yuv420p" or (pixels == "yuv422p" and width % 2)
    assert made.pixel_format == ("yuv444p" if odd else pixels if pixels != "gray" else made.pixel_format)
    assert bool(sink.notes) == bool(odd)


@pytest.mark.parametrize(("codec", "suffix"), [("libvpx-vp9", ".webm"), ("libvpx", ".mkv"), ("mjpeg", ".mov")])
def test_odd_sizes_stay_as_they_are_where_the_codec_has_them(tmp_path: Path, codec: str, suffix: str) -> None:
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    source = open_video(clip(tmp_path, suffix, codec=codec, size=(63, 47), pixels=pixels))
    sink = copy(source, tmp_path / f"out{suffix}")
    made = open_video(tmp_path / f"out{suffix}").info
    assert (made.width, made.height, made.pixel_format, sink.notes) == (63, 47, "yuv420p", ())


@pytest.mark.parametrize(
    ("codec", "pixels", "suffix", "written"),
    [
        ("libx264", "yuv420p", ".mp4", ("h264", "yuv420p")),
        ("libx264", "yuv422p10le", ".mp4", ("h264", "yuv422p10le")),
        ("libx264", "gray", ".mp4", ("h264", "yuv420p")),  # what FFmpeg's decoder makes of it
        ("libx265", "yuv420p10le", ".mp4", ("hevc", "yuv420p10le")),
        ("libx265", "yuv444p12le", ".mkv", ("hevc", "yuv444p12le")),
        ("libvpx", "yuv420p", ".webm", ("vp8", "yuv420p")),
        ("libvpx-vp9", "yuv444p", ".webm", ("vp9", "yuv444p")),
        ("libsvtav1", "yuv420p10le", ".mkv", ("av1", "yuv420p10le")),
        ("prores_ks", "yuv422p10le", ".mov", ("prores", "yuv422p10le")),
        ("mjpeg", "yuvj422p", ".mov", ("mjpeg", "yuv422p")),
    ],
)
def test_codec_family_and_depth_are_kept(
    tmp_path: Path, codec: str, pixels: str, suffix: str, written: tuple[str, str]
) -> None:
    size = (128, 96) if codec == "libsvtav1" else (64, 48)
    source = open_video(clip(tmp_path, suffix, codec=codec, pixels=pixels, size=size))
    sink = copy(source, tmp_path / f"out{suffix}")
    made = open_video(tmp_path / f"out{suffix}")
    assert (made.info.codec, made.info.pixel_format) == written
    assert sink.notes == ()
    for before, after in zip(source, made, strict=True):
        error = before.planes[0].astype(float) - after.planes[0]
        peak = (1 << before.bits) - 1
        assert 10 * np.log10(peak**2 / max(np.mean(error**2), 1e-9)) > 30


@pytest.mark.parametrize("codec", ["mpeg4", "mpeg2video", "wmv2", "ffv1"])
def test_other_codecs_become_h264_with_a_note(tmp_path: Path, codec: str) -> None:
    sink = copy(clip(tmp_path, ".mkv" if codec == "ffv1" else ".avi", codec=codec), tmp_path / "out.mp4")
    assert sink.notes[0] == f"The video was {codec}; it is written as h264."
    assert open_video(tmp_path / "out.mp4").info.codec == "h264"


@pytest.mark.parametrize("suffix", [".avi", ".mpg", ".ts", ".m2ts", ".wmv", ".flv"])
def test_containers_of_the_past_become_mp4(tmp_path: Path, suffix: str) -> None:
    codec = {".mpg": "mpeg2video", ".wmv": "wmv2", ".avi": "mpeg4"}.get(suffix, "libx264")
    made = clip(tmp_path, suffix, codec=codec)
    assert media.is_video(made)
    source = open_video(made)
    assert (source.info.format, media.output_suffix(made, source.info)) == ("MP4", ".mp4")
    assert media.planned_suffix(made) == ".mp4"
    assert any("is written as an MP4" in note for note in source.info.notes)
    copy(source, tmp_path / "out.mp4")
    assert samples.times(tmp_path / "out.mp4") == [planes.time for planes in source]
    assert len(samples.times(tmp_path / "out.mp4")) == 12
    if suffix in (".mpg", ".ts", ".m2ts"):
        assert source.info.origin > 0
        assert source.info.start < 1


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_colours_aspect_and_chroma_are_kept(tmp_path: Path, suffix: str) -> None:
    tags = {"color_primaries": 9, "color_trc": 18, "colorspace": 9, "color_range": 1}
    tags |= {"sample_aspect_ratio": Fraction(16, 11)}  # type: ignore[dict-item]
    made = clip(
        tmp_path,
        suffix,
        codec="libx265",
        pixels="yuv420p10le",
        context=tags,
        options={"chroma_sample_location": "topleft", "x265-params": "log-level=none"},
    )
    source = open_video(made)
    copy(source, tmp_path / f"out{suffix}")
    seen = open_video(tmp_path / f"out{suffix}").info
    assert seen.colours == source.info.colours
    assert (seen.colours.primaries, seen.colours.transfer, seen.colours.matrix) == (9, 18, 9)
    assert seen.colours.chroma == "topleft"
    assert seen.sample_aspect == Fraction(16, 11)


def test_full_range_is_kept(tmp_path: Path) -> None:
    source = open_video(clip(tmp_path, context={"color_range": 2}))
    assert next(iter(source)).full
    copy(source, tmp_path / "out.mp4")
    assert open_video(tmp_path / "out.mp4").info.colours.range == 2


@pytest.mark.parametrize("codec", ["libx265", "libx264"])
def test_static_hdr_metadata_is_kept(tmp_path: Path, codec: str) -> None:
    display = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    words = {"libx265": f"master-display={display}:max-cll=1000,400:log-level=none"}
    words["libx264"] = f"mastering-display={display}:cll=1000,400"
    made = clip(
        tmp_path,
        codec=codec,
        pixels="yuv420p10le",
        options={f"{codec.removeprefix('lib')}-params": words[codec]},
        context={"color_trc": 16, "color_primaries": 9, "colorspace": 9},
    )
    source = open_video(made)
    assert source.info.hdr is not None
    assert source.info.hdr.light == (1000, 400)
    assert source.info.hdr.luminance == (Fraction(1, 200), Fraction(1000))
    copy(source, tmp_path / "out.mp4")
    assert open_video(tmp_path / "out.mp4").info.hdr == source.info.hdr


@pytest.mark.parametrize(("order", "fields"), [("tff", "top"), ("bff", "bottom")])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_fields_are_kept(tmp_path: Path, order: str, fields: str, suffix: str) -> None:
    made = clip(tmp_path, suffix, interlaced=order, options={"flags": "+ildct+ilme"}, size=(64, 64))
    source = open_video(made)
    assert source.info.fields == fields
    target = tmp_path / f"out{suffix}".replace(".ts", ".mp4")
    copy(source, target)
    assert open_video(target).info.fields == fields
    assert len(list(open_video(target))) == 12


def test_hevc_in_mp4_is_tagged_for_apple(tmp_path: Path) -> None:
    made = clip(tmp_path, codec="libx265", options={"x265-params": "log-level=none"})
    copy(made, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as file:
        assert file.streams.video[0].codec_context.codec_tag == "hvc1"


def test_mp4_begins_with_its_index(tmp_path: Path) -> None:
    copy(clip(tmp_path), tmp_path / "out.mp4")
    data = (tmp_path / "out.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize(
    ("pixels", "codec", "suffix"),
    [
        ("yuyv422", "rawvideo", ".avi"),
        ("uyvy422", "rawvideo", ".avi"),
        ("nv12", "rawvideo", ".avi"),
        ("bgr24", "rawvideo", ".avi"),
        ("bgr0", "rawvideo", ".avi"),
        ("rgb24", "png", ".mov"),
        ("gray16be", "png", ".mov"),
        ("yuv422p10le", "v210", ".mov"),
        ("rgb555le", "rawvideo", ".avi"),
    ],
)
def test_packed_formats_are_read_without_loss(tmp_path: Path, pixels: str, codec: str, suffix: str) -> None:
    made = clip(tmp_path, suffix, codec=codec, pixels=pixels, times=(0, 1), size=(62, 48))
    planes = next(iter(open_video(made)))
    with av.open(str(made)) as file:
        unpacked = next(file.decode(video=0)).reformat(format=format_of(planes))
    assert len(unpacked.planes) == len(planes.planes)
    for ours, plane in zip(planes.planes, unpacked.planes, strict=True):
        theirs = np.frombuffer(memoryview(plane), ours.dtype).reshape(-1, plane.line_size // ours.itemsize)
        assert np.array_equal(ours, theirs[: ours.shape[0], : ours.shape[1]])


def test_planes_are_views_that_keep_the_picture(tmp_path: Path) -> None:
    """No copy is made, and a picture stays what it was while others are decoded."""
    kept = list(itertools.islice(open_video(clip(tmp_path)), 12))
    again = list(open_video(tmp_path / "in.mp4"))
    for first, second in zip(kept, again, strict=True):
        assert not first.planes[0].flags.writeable
        assert not first.planes[0].flags.owndata
        assert all(np.array_equal(a, b) for a, b in zip(first.planes, second.planes, strict=True))
        assert first.index == second.index


def test_a_source_may_be_read_twice_and_knows_its_digest(tmp_path: Path) -> None:
    source = open_video(clip(tmp_path))
    assert len(source.digest) == 64
    assert [planes.time for planes in source] == [planes.time for planes in source]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("starts", [(0.0, 0.0), (0.5, 1.25)])
def test_kept_sound_is_the_same_packets_at_the_same_times(
    tmp_path: Path, suffix: str, starts: tuple[float, float]
) -> None:
    made = clip(
        tmp_path, suffix, times=tuple(range(20, 45)), sounds=(("aac", 44_100), ("aac", 48_000)), sound_starts=starts
    )
    sink = copy(made, tmp_path / f"out{suffix}", VideoCoding(audio="keep"))
    assert sink.notes == ()
    before, after = samples.sound_packets(made), samples.sound_packets(tmp_path / f"out{suffix}")
    assert len(before) == len(after) == 2
    for track, packets in before.items():
        played = [(time, data) for time, data in packets if time >= 0 or suffix != ".mkv"]
        assert [data for _, data in after[track]] == [data for _, data in played]
        assert all(abs(a - b) < 1e-3 for (a, _), (b, _) in zip(after[track], played, strict=True))
    assert samples.times(made) == samples.times(tmp_path / f"out{suffix}")


def test_sound_is_dropped_unless_asked_for(tmp_path: Path) -> None:
    sink = copy(clip(tmp_path, sounds=(("aac", 44_100), ("aac", 48_000))), tmp_path / "out.mp4")
    assert sink.notes == ("2 sound tracks are dropped.",)
    with av.open(str(tmp_path / "out.mp4")) as file:
        assert [stream.type for stream in file.streams] == ["video"]


def test_sound_that_the_container_cannot_hold_is_refused_with_a_cure(tmp_path: Path) -> None:
    source = open_video(clip(tmp_path, ".mov", sounds=(("pcm_s16le", 8000),)))
    with pytest.raises(RequestError, match=r"MP4 cannot hold pcm_s16le sound — write to a \.mov or \.mkv file"):
        create_video(tmp_path / "out.mp4", source.info, coding=VideoCoding(audio="keep"), source=source)
    copy(source, tmp_path / "out.mov", VideoCoding(audio="keep"))
    assert samples.sound_packets(tmp_path / "out.mov").keys() == {0}


def test_a_codec_that_the_container_cannot_hold_is_refused(tmp_path: Path) -> None:
    info = open_video(clip(tmp_path)).info
    with pytest.raises(RequestError, match="WebM cannot hold h264 video — choose another codec"):
        create_video(tmp_path / "out.webm", info, coding=VideoCoding())
    with pytest.raises(RequestError, match=r"no video is called out\.txt — choose a suffix"):
        create_video(tmp_path / "out.txt", info, coding=VideoCoding())


def test_pictures_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    source = open_video(clip(tmp_path))
    info = VideoInfo("MP4", "h264", 32, 32, "yuv420p", Fraction(1, 25))
    with (
        pytest.raises(OutputError, match="64 x 48 yuv420p does not fit into a video of 32 x 32 yuv420p"),
        create_video(tmp_path / "out.mp4", info, coding=VideoCoding()) as sink,
    ):
        sink.append(next(iter(source)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4"]


def test_vp9_of_ten_bits_becomes_av1() -> None:
    info = VideoInfo("WebM", "vp9", 128, 96, "yuv420p10le", Fraction(1, 1000))
    settings = settings_for(info, VideoCoding(), "WebM")
    assert (settings.codec, settings.pixel_format) == ("av1", "yuv420p10le")
    assert settings.notes == ("VP9 of more than 8 bits is written as AV1, which keeps 10 bits.",)


@pytest.mark.parametrize(
    ("codec", "suffix", "pixels"),
    [("hevc", ".mov", "yuv420p"), ("vp8", ".webm", "yuv420p"), ("prores", ".mov", "yuv422p10le")],
)
def test_another_codec_on_request(tmp_path: Path, codec: Any, suffix: str, pixels: str) -> None:
    source = open_video(clip(tmp_path))
    copy(source, tmp_path / f"out{suffix}", VideoCoding(codec=codec))
    made = open_video(tmp_path / f"out{suffix}")
    assert (made.info.codec, made.info.pixel_format) == (codec, pixels)
    assert len(list(made)) == 12


def test_transparency_is_dropped_and_said(tmp_path: Path) -> None:
    source = open_video(clip(tmp_path, ".mov", codec="prores_ks", pixels="yuva444p10le"))
    assert any("Transparency is dropped" in note for note in source.info.notes)
    copy(source, tmp_path / "out.mov")
    assert open_video(tmp_path / "out.mov").info.notes == ()


def test_no_encoder_changes_the_priority_of_the_process(tmp_path: Path) -> None:
    """SVT-AV1, run by root, gives its caller real-time priority, and everything else on the machine would stand."""
    before = os.sched_getscheduler(0)
    info = VideoInfo("MP4", "av1", 128, 96, "yuv420p", Fraction(1, 25), rate=Fraction(25))
    luma, chroma = np.full((96, 128), 90, np.uint8), np.full((48, 64), 128, np.uint8)
    with create_video(tmp_path / "a.mp4", info, coding=VideoCoding()) as sink:
        for i in range(5):
            sink.append(Planes((luma, chroma, chroma), index=i, time=Fraction(i, 25)))
            assert os.sched_getscheduler(0) == before
    assert os.sched_getscheduler(0) == before
