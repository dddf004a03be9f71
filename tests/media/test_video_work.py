"""Long videos: killed at any moment, a run goes on to the same bytes; and its memory does not grow."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import video_samples as samples
from video_samples import Clip

from faceveil.errors import OutputError
from faceveil.media.video import VideoCoding, Work, create_video, open_video


def alone(folder: Path, *names: str) -> bool:
    """Nothing is there but these: no output, nothing hidden."""
    return sorted(path.name for path in folder.iterdir()) == sorted(names)


LONG = Clip(times=tuple(range(2500)), size=(32, 32), options={"g": "50"})
RUN = """
import sys
from pathlib import Path
from faceveil.media.video import VideoCoding, Work, create_video, open_video
source = open_video(sys.argv[1])
with Work.open(sys.argv[2], source.digest) as work, create_video(
    sys.argv[2], source.info, coding=VideoCoding(threads=2), source=source, work=work
) as sink:
    print(work.finished, len(work.lines), flush=True)
    for planes in source:
        sink.append(planes)
        if planes.index >= len(work.lines):
            work.write(f"picture {planes.index}")
        if sys.argv[3:] and planes.index == int(sys.argv[3]):
            print("there", flush=True)
            sys.stdin.read()
"""


def _run(source: Path, target: Path, stop: int | None = None) -> tuple[int, int]:
    """Make the video; with `stop`, be killed at that picture. What was finished, and the lines, at the start."""
    command = [sys.executable, "-c", RUN, str(source), str(target), *([] if stop is None else [str(stop)])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        finished, lines = map(int, run.stdout.readline().split())
        if stop is not None:
            assert run.stdout.readline() == "there\n"
            run.send_signal(signal.SIGKILL)
            run.wait()
        else:
            assert run.wait() == 0
    return finished, lines


def test_a_killed_run_goes_on_and_the_result_is_the_same(tmp_path: Path) -> None:
    made = samples.make(tmp_path / "in.mp4", LONG)
    assert _run(made, tmp_path / "whole.mp4") == (0, 0)
    for stop, finished in ((1500, 0), (1700, 1000), (2400, 1000), (None, 2000)):
        start, lines = _run(made, tmp_path / "out.mp4", stop)
        assert start == finished
        assert lines >= finished
        if stop is not None:
            assert not (tmp_path / "out.mp4").exists()
            (folder,) = tmp_path.glob(".faceveil-*-work")
            assert folder.stat().st_mode & 0o777 == 0o700
            assert (folder / "journal").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "out.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert samples.times(tmp_path / "out.mp4") == samples.times(made)
    assert alone(tmp_path, "in.mp4", "out.mp4", "whole.mp4")


def test_another_key_starts_anew_and_half_lines_are_forgotten(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    work = Work.open(target, "one")
    work.write("first")
    work.write("second")
    work.close(remove=False)
    (journal,) = tmp_path.glob(".faceveil-*-work/journal")
    with journal.open("ab") as file:
        file.write(b"thi")
    with pytest.raises(ValueError, match="line break"):
        work.write("a\nb")
    with Work.open(target, "one") as again:
        assert again.lines == ["first", "second"]
        again.write("third")
        with pytest.raises(OutputError, match="is being made by another run"):
            Work.open(target, "one")
    with Work.open(target, "two") as new:
        assert new.lines == []
        new.done = True
    assert alone(tmp_path)


def test_an_interrupted_run_stays_and_a_finished_one_goes(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    with pytest.raises(KeyboardInterrupt), Work.open(target, "k") as work:
        work.write("seen")
        raise KeyboardInterrupt
    with Work.open(target, "k") as work:
        assert work.lines == ["seen"]
        work.done = True
    assert alone(tmp_path)


def test_a_damaged_segment_is_made_again_or_refused(tmp_path: Path) -> None:
    made = samples.make(tmp_path / "in.mp4", Clip(times=tuple(range(1200)), size=(32, 32)))
    source, target = open_video(made), tmp_path / "out.mp4"
    with (
        pytest.raises(KeyboardInterrupt),
        Work.open(target, "k") as work,
        create_video(target, source.info, coding=VideoCoding(), work=work) as sink,
    ):
        for planes in source:
            if planes.index == 1100:
                raise KeyboardInterrupt
            sink.append(planes)
    (segment,) = tmp_path.glob(".faceveil-*-work/*.segment")
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    work = Work.open(target, "k")
    assert work.finished == 1000
    with pytest.raises(OutputError, match="is damaged — remove the folder"):
        list(work.segments[0].pictures())
    work.close(remove=False)
    segment.write_bytes(data[:-3])
    work = Work.open(target, "k")
    assert work.finished == 0
    work.close(remove=True)


def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    """Four times the pictures: the peak grows by less than a tenth of what the additional pictures weigh."""
    peaks = []
    for count in (600, 2400):
        made = samples.make(tmp_path / f"{count}.mp4", Clip(times=tuple(range(count)), size=(160, 120)))
        code = RUN + "\nimport resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        done = subprocess.run(
            [sys.executable, "-c", code, str(made), str(tmp_path / f"out{count}.mp4")],
            capture_output=True,
            text=True,
            check=True,
        )
        peaks.append(int(done.stdout.split()[-1]))
    pictures = 1800 * 160 * 120 * 1.5 / 1024
    assert peaks[1] - peaks[0] < pictures / 10 + 4000
