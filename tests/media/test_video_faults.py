"""A video is complete, correct and alone, or it is not there: damage, cuts, needles, kills, full disks."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import video_samples as samples
from av.sidedata.sidedata import Type
from hypothesis import given
from hypothesis import strategies as st
from video_samples import NEEDLE, Clip

from faceveil import media
from faceveil.errors import InputError, MissingExtra, OutputError, RequestError, UnreadableError, UnsupportedError
from faceveil.media.video import VideoCoding, Work, create_video, open_video

CODECS = {".webm": "libvpx-vp9", ".avi": "mpeg4", ".wmv": "wmv2", ".mpg": "mpeg2video"}
KEEP = VideoCoding(audio="keep")


def copy(path: Path, target: Path, **kind: Any) -> tuple[str, ...]:
    source = open_video(path)
    with create_video(target, source.info, coding=kind.pop("coding", KEEP), source=source, **kind) as sink:
        for planes in source:
            sink.append(planes)
    return sink.notes


def clip(folder: Path, suffix: str = ".mp4", **kind: Any) -> Path:
    return samples.make(folder / f"in{suffix}", Clip(**{"codec": CODECS.get(suffix, "libx264"), **kind}))


def alone(folder: Path, *names: str) -> bool:
    """Nothing is there but these: no output, nothing hidden."""
    return sorted(path.name for path in folder.iterdir()) == sorted(names)


@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.9, 0.99, 1])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".avi", ".ts", ".wmv", ".flv"])
def test_cut_off_files_are_refused(tmp_path: Path, suffix: str, part: float) -> None:
    whole = clip(tmp_path, suffix).read_bytes()
    (tmp_path / "in.mp4").unlink(missing_ok=True)
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(whole[: min(int(len(whole) * part), len(whole) - 5)])
    for path in tmp_path.glob("in.*"):
        path.unlink()
    with pytest.raises(UnreadableError, match=cut.name):
        copy(cut, tmp_path / "out.mp4")
    assert alone(tmp_path, cut.name)


def test_a_cut_with_the_index_in_front_is_refused_too(tmp_path: Path) -> None:
    whole = clip(tmp_path, container={"movflags": "+faststart"}).read_bytes()
    (tmp_path / "in.mp4").write_bytes(whole[:-40])
    with pytest.raises(UnreadableError, match=r"in\.mp4 ends too early: some of its pictures are missing$"):
        open_video(tmp_path / "in.mp4")


@given(at=st.floats(0.05, 0.95), length=st.integers(40, 400))
def test_damaged_pictures_are_found_or_whole(tmp_path_factory: pytest.TempPathFactory, at: float, length: int) -> None:
    """A hole in the pictures' data: refused, or all pictures are there. Never fewer, never a crash."""
    folder = tmp_path_factory.mktemp("hole")
    made = clip(folder, times=tuple(range(20)), options={"g": "10"})
    data = bytearray(made.read_bytes())
    start, size = data.index(b"mdat") + 4, data.index(b"moov") - data.index(b"mdat") - 8
    first = start + int(size * at)
    end = min(first + length, start + size)
    data[first:end] = bytes(end - first)
    made.write_bytes(data)
    with suppress(UnreadableError):
        copy(made, folder / "out.mp4")
    if not alone(folder, "in.mp4"):
        assert len(samples.times(folder / "out.mp4")) == 20


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".ts"])
def test_a_hole_in_the_middle_is_refused(tmp_path: Path, suffix: str) -> None:
    made = clip(tmp_path, suffix, times=tuple(range(40)), size=(320, 240))
    data = bytearray(made.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = b"\x55" * 3000
    made.write_bytes(data)
    with pytest.raises(InputError):
        copy(made, tmp_path / "out.mp4")
    assert alone(tmp_path, made.name)


def test_pictures_before_the_first_key_frame_are_dropped_and_said(tmp_path: Path) -> None:
    made = clip(tmp_path, ".mkv", times=tuple(range(30)), options={"g": "10", "bf": "0", "sc_threshold": "0"})
    late = samples.remux(made, tmp_path / "late.mkv", skip=4)
    source = open_video(late)
    assert source.info.notes == ("6 pictures at the start are dropped: the key frame before them is missing.",)
    assert [round(planes.time * 25) for planes in source] == list(range(10, 30))


def test_pictures_hidden_by_an_edit_list_stay_hidden(tmp_path: Path) -> None:
    made = clip(tmp_path, times=tuple(range(-8, 12)))
    with av.open(str(made)) as file:
        assert sum(packet.is_discard for packet in file.demux(video=0)) > 0
    copy(made, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as file:
        packets = [packet for packet in file.demux(video=0) if packet.size]
    assert len(packets) == len(samples.times(tmp_path / "out.mp4")) == 12
    assert not any(packet.is_discard for packet in packets)


def test_a_change_of_size_is_refused(tmp_path: Path) -> None:
    parts = [
        samples.make(tmp_path / "a.ts", Clip()),
        samples.make(tmp_path / "b.ts", Clip(times=tuple(range(50, 62)), size=(96, 48))),
    ]
    with ExitStack() as stack:
        files = [stack.enter_context(av.open(str(part))) for part in parts]
        both = stack.enter_context(av.open(str(tmp_path / "both.ts"), "w"))
        stream = both.add_stream_from_template(files[0].streams.video[0], opaque=True)
        for file in files:
            for packet in file.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    both.mux(packet)
    with pytest.raises(UnsupportedError, match="changes its size or its pixel format in the middle"):
        copy(tmp_path / "both.ts", tmp_path / "out.mp4")
    assert alone(tmp_path, "a.ts", "b.ts", "both.ts")


def test_encrypted_videos_are_refused(tmp_path: Path) -> None:
    locks = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "0" * 32, "encryption_kid": "1" * 32}
    with pytest.raises(UnsupportedError, match="is encrypted"):
        open_video(clip(tmp_path, container=locks))


def test_what_is_no_video_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("no video")
    (tmp_path / "b.mp4").write_bytes(b"")
    (tmp_path / "c.mp4").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    (tmp_path / "d.mp4").mkdir()
    with av.open(str(tmp_path / "e.mp4"), "w") as output:
        stream = output.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
        frame.sample_rate = 8000
        output.mux([*stream.encode(frame), *stream.encode(None)])
    words = {
        "a": "is not a video",
        "b": "is empty",
        "c": "is a PNG, not a video",
        "d": "is a folder",
        "e": "has no video track, only sound",
        "f": "does not exist",
    }
    for name, said in words.items():
        with pytest.raises(InputError, match=rf"{name}\.mp4 {said}$"):
            open_video(tmp_path / f"{name}.mp4")
    assert not any(media.is_video(tmp_path / f"{name}.mp4") for name in "abcdf")


def test_too_many_pixels_are_refused_before_decoding(tmp_path: Path) -> None:
    from faceveil.errors import TooLargeError  # noqa: PLC0415

    with pytest.raises(TooLargeError, match="has 64 x 48 = 0.003072 million pixels; the cap is 0.003 million"):
        open_video(clip(tmp_path), max_pixels=3000)


def test_a_file_that_changed_is_refused(tmp_path: Path) -> None:
    made = clip(tmp_path)
    source = open_video(made)
    samples.make(made, Clip(seed=1, times=tuple(range(5))))
    with pytest.raises(UnreadableError, match="has changed since it was opened"):
        list(source)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_no_needle_is_in_the_output(tmp_path: Path, suffix: str) -> None:
    """Tags, chapters, handlers, languages, captions, user data: none of it, and no program's name and version."""
    made = clip(tmp_path, suffix, needles=True, sounds=(("aac", 44_100),), options={"a53cc": "1"})
    assert NEEDLE.encode() in made.read_bytes()
    copy(made, tmp_path / f"out{suffix}")
    data = (tmp_path / f"out{suffix}").read_bytes()
    for word in (NEEDLE.encode(), b"x264", b"Lavf6", b"Lavc", b"2001-02", b"cze", b"ces"):
        assert word not in data
    with av.open(str(tmp_path / f"out{suffix}")) as file:
        assert file.chapters() == []
        assert [stream.type for stream in file.streams] == ["video", "audio"]
        tags = {**file.metadata, **file.streams[0].metadata, **file.streams[1].metadata}
    harmless = {"major_brand", "minor_version", "compatible_brands", "language", "handler_name", "vendor_id", "encoder"}
    assert set(tags) <= harmless | {"DURATION"}
    assert tags.get("language", "und") == "und"


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_captions_and_user_data_do_not_pass_the_encoder(tmp_path: Path, codec: str) -> None:
    made = samples.remux(clip(tmp_path, ".ts"), tmp_path / "talking.ts", edit=samples.with_user_data)
    with av.open(str(made)) as file:
        said = {piece.type for piece in next(file.decode(video=0)).side_data}  # type: ignore[attr-defined]
    assert said >= {Type.A53_CC, Type.SEI_UNREGISTERED}
    copy(made, tmp_path / "out.mp4", coding=VideoCoding(codec=codec))  # type: ignore[arg-type]
    with av.open(str(tmp_path / "out.mp4")) as file:
        for frame in file.decode(video=0):
            assert {piece.type for piece in frame.side_data} == set()  # type: ignore[attr-defined]
    data = (tmp_path / "out.mp4").read_bytes()
    assert NEEDLE.encode() not in data
    assert b"GA94" not in data


def test_subtitles_covers_and_other_tracks_are_dropped_and_said(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "in.mkv"), "w") as output:
        film = output.add_stream("libx264", rate=25)
        other = output.add_stream("libx264", rate=25)
        for stream in (film, other):
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        output.add_attachment("secret.txt", "text/plain", NEEDLE.encode())
        for frame in samples.pictures(Clip()):
            for stream in (film, other):
                output.mux(stream.encode(frame))
        for stream in (film, other):
            output.mux(stream.encode(None))
    source = open_video(tmp_path / "in.mkv")
    assert source.info.notes == ("1 other video track is dropped.", "1 data track is dropped.")
    copy(tmp_path / "in.mkv", tmp_path / "out.mkv")
    assert NEEDLE.encode() not in (tmp_path / "out.mkv").read_bytes()
    with av.open(str(tmp_path / "out.mkv")) as file:
        assert len(file.streams) == 1


def test_existing_files_stay_unless_told(tmp_path: Path) -> None:
    made = clip(tmp_path)
    (tmp_path / "out.mp4").write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"out\.mp4 exists already"):
        copy(made, tmp_path / "out.mp4")
    assert (tmp_path / "out.mp4").read_bytes() == b"mine"
    copy(made, tmp_path / "out.mp4", overwrite=True)
    assert len(samples.times(tmp_path / "out.mp4")) == 12
    assert alone(tmp_path, "in.mp4", "out.mp4")


def test_an_inspection_sees_the_whole_file_and_may_refuse_it(tmp_path: Path) -> None:
    seen: list[int] = []

    def inspect(part: Path) -> None:
        seen.append(len(samples.times(part)))
        assert part.name.startswith(".faceveil-")
        raise RequestError("a face is left")

    with pytest.raises(RequestError, match="a face is left"):
        copy(clip(tmp_path), tmp_path / "out.mp4", inspect=inspect)
    assert seen == [12]
    assert alone(tmp_path, "in.mp4")


def test_no_picture_and_no_file(tmp_path: Path) -> None:
    info = open_video(clip(tmp_path)).info
    with (
        pytest.raises(OutputError, match="got no picture, so nothing was written"),
        create_video(tmp_path / "out.mp4", info, coding=VideoCoding()),
    ):
        pass
    assert alone(tmp_path, "in.mp4")


def test_an_error_in_the_block_leaves_nothing(tmp_path: Path) -> None:
    source = open_video(clip(tmp_path))
    with (
        pytest.raises(ZeroDivisionError),
        Work.open(tmp_path / "out.mp4", "k") as work,
        create_video(tmp_path / "out.mp4", source.info, coding=VideoCoding(), work=work) as sink,
    ):
        sink.append(next(iter(source)))
        raise ZeroDivisionError
    assert alone(tmp_path, "in.mp4")


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 128 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small tmpfs")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("pictures", [12, 180, 600])
def test_a_full_disk_leaves_nothing(tmp_path: Path, tiny_disk: Path, pictures: int) -> None:
    """Full while the segment is written, or while the container is: with twelve it fits."""
    made = samples.make(tmp_path / "in.mp4", Clip(times=tuple(range(pictures)), size=(96, 64)))
    if pictures == 12:
        copy(made, tiny_disk / "out.mp4")
        assert alone(tiny_disk, "out.mp4")
        return
    with pytest.raises(OutputError, match=r"cannot write .*out\.mp4: no space left on device"):
        copy(made, tiny_disk / "out.mp4")
    assert alone(tiny_disk)


def test_hardware_that_does_not_start_is_said(tmp_path: Path) -> None:
    info = open_video(clip(tmp_path)).info
    with pytest.raises(MissingExtra, match="'h264_vaapi' does not start on this machine — leave out the hardware"):
        create_video(tmp_path / "out.mp4", info, coding=VideoCoding(hardware="vaapi"))
    for name in ("nvenc", "qsv", "amf"):
        with (
            suppress(MissingExtra, KeyboardInterrupt),  # there are machines where they start
            create_video(tmp_path / "out.mp4", info, coding=VideoCoding(hardware=name)),
        ):
            raise KeyboardInterrupt
    assert alone(tmp_path, "in.mp4")
