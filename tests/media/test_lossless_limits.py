"""Lossless JPEG: what cannot be done and says so, the library behind it, and the option."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import media_samples as samples
import numpy as np
import pytest
from lossless_samples import area, assert_coefficients, made, need_turbo, painted, photo, picture_of, upright, written
from numpy.typing import NDArray
from PIL import Image

from faceveil import media
from faceveil.errors import InputError, MissingExtra, UnsupportedError
from faceveil.media import jpeg_file, lossless, turbojpeg
from faceveil.policy import JpegMode


@pytest.fixture(autouse=True, scope="module")
def _library() -> None:
    need_turbo()


# --- what cannot be done ---------------------------------------------------------------------------------------------


def _cmyk() -> bytes:
    out = BytesIO()
    Image.fromarray(photo()).convert("CMYK").save(out, "JPEG", quality=90)
    return out.getvalue()


def test_cmyk_is_re_encoded_or_refused(tmp_path: Path) -> None:
    out, notes = written(_cmyk(), tmp_path, jpeg="auto")
    assert notes == ("Re-encoded as a whole, because its colours are CMYK.",)
    assert len(jpeg_file.read(out).components) == 3
    with pytest.raises(
        UnsupportedError, match=r"cannot be written without loss, because its colours are CMYK — use --jpeg auto"
    ):
        written(_cmyk(), tmp_path)


def test_a_grey_picture_that_is_painted_in_colour(tmp_path: Path) -> None:
    out, notes = written(made("grey"), tmp_path, colour=(200, 10, 10), jpeg="auto")
    assert notes == ("Re-encoded as a whole, because it is grey and what covers the faces is in colour.",)
    assert upright(out)[43, 51, 0] > 150


def _tampering(place: int) -> Callable[..., bytes]:
    real = turbojpeg.transform

    def transform(data: bytes, visit: Any, **options: Any) -> bytes:
        def change(component: int, row: int, blocks: NDArray[np.int16]) -> None:
            visit(component, row, blocks)
            if (component, row) == (0, 5):
                blocks[place, 3] += 1

        return real(data, change, **options)

    return transform


@pytest.mark.parametrize("place", [0, 6], ids=["outside", "inside"])
def test_one_wrong_coefficient_is_noticed(place: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turbojpeg, "transform", _tampering(place))
    because = "because its coefficients did not come through unchanged"
    with pytest.raises(UnsupportedError, match=because):
        written(made(), tmp_path)
    assert not list(tmp_path.iterdir())
    out, notes = written(made(orientation=6), tmp_path, jpeg="auto")
    assert notes == (f"Re-encoded as a whole, {because}.",)
    assert media.open(out).info.orientation == 1


def test_paint_outside_the_area_is_noticed(tmp_path: Path) -> None:
    source = media.open(made())
    (frame,) = source
    nowhere = np.zeros(frame.pixels.shape[:2], bool)
    with media.create(tmp_path / "out.jpg", source.info, source=source, jpeg="auto") as sink:
        sink.append(painted(frame, area()), nowhere)
    assert sink.notes == ("Re-encoded as a whole, because the result does not show the painted picture.",)
    assert np.abs(upright((tmp_path / "out.jpg").read_bytes())[43, 51] - (70, 130, 90)).max() < 12


@pytest.mark.parametrize("jpeg", ["auto", "lossless"])
def test_damaged_files_are_refused_as_before(jpeg: JpegMode, tmp_path: Path) -> None:
    data = picture_of(made())
    middle = len(data) * 2 // 3
    for broken in (data[:middle], data[:middle] + b"\xff\xd9", data[:middle] + b"\xff\xd3" + data[middle:]):
        with pytest.raises(InputError):
            written(broken, tmp_path, jpeg=jpeg)
    assert not list(tmp_path.iterdir())


def test_padding_before_the_end_is_no_damage(tmp_path: Path) -> None:
    data = picture_of(made())
    out, notes = written(data[:-2] + bytes(32) + b"\xff\xd9", tmp_path)
    assert notes == ()
    assert_coefficients(data, out, "420", 1)


def test_a_source_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "in.jpg"
    path.write_bytes(made())
    source = media.open(path)
    (frame,) = source
    path.write_bytes(made("444"))
    with (
        pytest.raises(InputError, match=r"in\.jpg has changed since it was opened"),
        media.create(tmp_path / "out.jpg", source.info, source=source) as sink,
    ):
        sink.append(painted(frame, area()), area())
    assert not (tmp_path / "out.jpg").exists()


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lossless.advice() == "lossless JPEG: ready"
    monkeypatch.setattr(turbojpeg, "_library", lambda: None)
    out, notes = written(made(orientation=6), tmp_path, jpeg="auto")
    assert notes == ()
    assert media.open(out).info.orientation == 1
    with pytest.raises(MissingExtra, match="lossless JPEG needs the library libturbojpeg — "):
        written(made(), tmp_path)
    assert turbojpeg.CURE in lossless.advice()


# --- the library -----------------------------------------------------------------------------------------------------


def test_an_error_in_a_visitor_is_the_callers(capfd: pytest.CaptureFixture[str]) -> None:
    def fail(*_: object) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        turbojpeg.visit(picture_of(made()), fail)
    with pytest.raises(turbojpeg.TurboError):
        turbojpeg.visit(b"\xff\xd8 no jpeg", fail)
    assert capfd.readouterr() == ("", "")


def test_threads_do_not_disturb_each_other() -> None:
    jobs = [(made(kind), area()) for kind in ("420", "444", "422", "440")] * 6

    def work(job: tuple[bytes, NDArray[np.bool_]]) -> bytes:
        source = media.open(job[0])
        (frame,) = source
        return lossless.rewrite(job[0], source.info, painted(frame, job[1]), job[1])

    alone = [work(job) for job in jobs[:4]] * 6
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, jobs)) == alone


def test_nothing_is_left_in_memory() -> None:
    resource = pytest.importorskip("resource")
    data = picture_of(made())

    def peak() -> int:
        for _ in range(300):
            turbojpeg.transform(data, lambda *_: None)
            with pytest.raises(turbojpeg.TurboError):
                turbojpeg.visit(data[: len(data) // 2], lambda *_: None)
        return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)

    first = peak()
    assert peak() - first < 3000  # KiB; 300 files of 7 kB with 80 kB of coefficients each would be 26 MB


# --- the command line ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["auto", "lossless", "reencode"])
def test_the_option(mode: str, tmp_path: Path, portrait: Path) -> None:
    with Image.open(portrait) as image:
        exif = Image.Exif()
        exif[0x0112] = 3
        samples.turned(image, 3).save(tmp_path / "in.jpg", quality=90, exif=exif)
    command = [sys.executable, "-m", "faceveil", "in.jpg", "--jpeg", mode, "-o", "out.jpg"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "in.jpg: 1 face -> out.jpg\n", "")
    data, out = (tmp_path / "in.jpg").read_bytes(), (tmp_path / "out.jpg").read_bytes()
    assert media.open(out).info.orientation == (1 if mode == "reencode" else 3)
    beside = np.array_equal(upright(data)[:, :60], upright(out)[:, :60])  # the face is in the middle
    assert beside == (mode != "reencode")


def test_the_option_says_why_not(tmp_path: Path) -> None:
    (tmp_path / "in.jpg").write_bytes(_cmyk())
    command = [sys.executable, "-m", "faceveil", "in.jpg", "--jpeg", "lossless", "--preset", "fast"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1
    assert "in.jpg" in done.stderr + done.stdout
    assert "cannot be written without loss, because its colours are CMYK" in done.stderr + done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["in.jpg"]
