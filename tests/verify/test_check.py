"""`check` sees what an attacker would see, in files of any origin, and nothing in clean ones."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
from PIL import Image

import faceveil
from faceveil import plugins
from faceveil.detect.base import Detector
from faceveil.errors import Refused, UnreadableError
from faceveil.policy import Area
from faceveil.types import Frame
from faceveil.verify.check import DETECTOR, Check, Original, check
from faceveil.verify.faces import visible

if TYPE_CHECKING:
    from faceveil.types import Pixels


def _detector(spec: str = DETECTOR) -> Detector:
    return cast("Detector", plugins.make(plugins.DETECT, spec))


@pytest.fixture
def photo(portrait: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(portrait, tmp_path / "photo.jpg"))


def _checked(file: Path, photo: Path) -> Check:
    return check(file, _detector(), original=Original(photo, _detector("centerface"), Area()))


def test_an_untouched_photo_shows_its_face(photo: Path) -> None:
    found = check(photo, _detector())
    assert len(found.faces) == 1
    assert found.sentence() == "1 face is still visible"
    assert not found.clean


@pytest.mark.parametrize("quarter", range(4))
@pytest.mark.parametrize("size", [512, 1100])
def test_faces_are_seen_in_every_rotation_where_they_are(portrait: Path, quarter: int, size: int) -> None:
    picture = Image.open(portrait).convert("RGB").resize((size, size)).crop((0, 0, size, size * 3 // 4))
    pixels = cast("Pixels", np.ascontiguousarray(np.rot90(np.asarray(picture), quarter)))
    (seen,) = visible(Frame(pixels), _detector(), 0.95)
    assert seen.rotation == (360 - 90 * quarter) % 360
    x1, y1, x2, y2 = (v / size for v in seen.box)
    centre = np.array([(x1 + x2) / 2, (y1 + y2) / 2])
    expected = {0: (0.44, 0.24), 1: (0.24, 0.56), 2: (0.56, 0.51), 3: (0.51, 0.44)}[quarter]
    assert np.abs(centre - expected).max() < 0.05


@pytest.mark.parametrize("method", ["veil", "solid", "solid:color=ring"])
def test_a_covered_photo_is_clean(photo: Path, method: str) -> None:
    made = faceveil.veil(photo, method=method)
    found = _checked(made.output, photo)
    assert found.clean, found
    assert found.outside is not None
    assert found.outside.psnr > 45
    assert found.sentence().startswith("no face and no leak found; outside the faces ")


@pytest.mark.parametrize("method", ["mask", "keep", "blur:sigma=0.05", "mosaic:cells=40"])
def test_a_face_that_still_shows_is_found(photo: Path, method: str) -> None:
    found = _checked(faceveil.veil(photo, method=method).output, photo)
    assert found.faces or found.shown, found


def test_a_lossless_copy_is_identical_outside(photo: Path, tmp_path: Path) -> None:
    png = tmp_path / "photo.png"
    Image.open(photo).save(png)
    found = _checked(faceveil.veil(png).output, png)
    assert "outside the faces every pixel is identical" in found.sentence()


def test_the_original_face_and_its_metadata_are_searched_in_the_output(photo: Path, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[271] = "Camera of Alice Example 12345"
    with Image.open(photo) as picture:
        picture.save(photo, exif=exif)
        small = picture.resize((64, 64))
    out = io.BytesIO()
    small.save(out, "JPEG")
    covered = faceveil.veil(photo, tmp_path / "covered.jpg").output
    leaky = tmp_path / "leaky.jpg"
    leaky.write_bytes(covered.read_bytes() + b"Camera of Alice Example 12345" + out.getvalue())
    said = [leak.what for leak in _checked(leaky, photo).leaks]
    assert any(what.startswith("bytes of the camera's maker") for what in said), said
    assert any(what.startswith("data after the end") for what in said)


def test_tables_that_all_jpegs_share_are_no_bytes_of_a_thumbnail(photo: Path, tmp_path: Path) -> None:
    thumbnail = io.BytesIO()
    with Image.open(photo) as picture:
        picture.resize((120, 120)).save(thumbnail, "JPEG")
        picture.save(photo, "JPEG")
    photo.write_bytes(photo.read_bytes() + thumbnail.getvalue())
    covered = faceveil.veil(photo, tmp_path / "covered.jpg", jpeg="reencode").output
    standard = thumbnail.getvalue()[: thumbnail.getvalue().rfind(b"\xff\xda")]
    assert any(standard[i : i + 24] in covered.read_bytes() for i in range(20, len(standard) - 24))
    assert _checked(covered, photo).clean
    leaky = tmp_path / "leaky.jpg"
    leaky.write_bytes(covered.read_bytes() + thumbnail.getvalue()[-3000:])
    said = [leak.what for leak in _checked(leaky, photo).leaks]
    assert any(what.startswith("bytes of data after the end") for what in said), said


def test_another_size_is_said(photo: Path, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "small.jpg")
    assert _checked(tmp_path / "small.jpg", photo).differs == "its size is not the original's"


def test_what_cannot_be_read_is_not_called_clean(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("no picture")
    with pytest.raises(UnreadableError):
        check(tmp_path / "a.jpg", _detector())


# --- before publishing --------------------------------------------------------------------------------------------


def test_a_refused_output_goes_to_quarantine_with_its_reason(photo: Path) -> None:
    with pytest.raises(Refused, match="was not published: 1 face is still visible"):
        faceveil.veil(photo, method="mask", verify=True)
    assert not photo.with_name("photo_veiled.jpg").exists()
    aside = photo.with_name("photo_veiled.jpg.quarantine")
    assert sorted(p.name for p in aside.iterdir()) == ["photo_veiled.jpg", "photo_veiled.jpg.json"]
    assert json.loads((aside / "photo_veiled.jpg.json").read_text())["faces"][0]["score"] > 0.95
    assert (aside / "photo_veiled.jpg").stat().st_mode & 0o077 == 0


def test_a_clean_output_is_published(photo: Path) -> None:
    assert faceveil.veil(photo, verify=True).output.exists()
    assert not photo.with_name("photo_veiled.jpg.quarantine").exists()


def test_faces_that_the_policy_keeps_are_no_reason(photo: Path) -> None:
    assert faceveil.veil(photo, method="keep", verify=True).output.exists()


def test_thorough_verifies_unless_told_not_to() -> None:
    assert faceveil.Policy(preset="thorough").verifies
    assert not faceveil.Policy().verifies
    assert not faceveil.Policy(preset="thorough", verify=False).verifies


# --- from the command line ----------------------------------------------------------------------------------------


def _faceveil(*arguments: object, cwd: Path, code: int) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "faceveil", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, f"exit {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def test_check_says_what_it_found_and_ends_with_four(photo: Path) -> None:
    cwd = photo.parent
    faceveil.veil(photo)
    assert _faceveil("check", "photo.jpg", cwd=cwd, code=4) == "photo.jpg: 1 face is still visible\n"
    said = _faceveil("check", "photo_veiled.jpg", "--original", "photo.jpg", cwd=cwd, code=0)
    assert said.startswith("photo_veiled.jpg: no face and no leak found; outside the faces")
    (cwd / "bad.jpg").write_text("no picture")
    assert "bad.jpg: is not a picture" in _faceveil("check", "bad.jpg", cwd=cwd, code=1)
    assert "there is no 'none.jpg'" in _faceveil("check", "none.jpg", cwd=cwd, code=2)


def test_check_pairs_a_folder_with_its_originals_and_speaks_json(photo: Path) -> None:
    cwd = photo.parent
    (cwd / "in").mkdir()
    for name in ("a.jpg", "b.jpg"):
        shutil.copy(photo, cwd / "in" / name)
    faceveil.veil(cwd / "in" / "a.jpg", cwd / "out_a.jpg")
    (cwd / "out").mkdir()
    shutil.move(cwd / "out_a.jpg", cwd / "out" / "a_anonymized.jpg")
    shutil.copy(photo, cwd / "out" / "b.jpg")
    found = json.loads(_faceveil("check", "out", "--original", "in", "--json", "-q", cwd=cwd, code=4))
    assert [entry["file"] for entry in found] == ["out/a_anonymized.jpg", "out/b.jpg"]
    assert [entry["clean"] for entry in found] == [True, False]
    assert found[1]["shown"][0]["likeness"] == 1.0
    assert found[1]["outside"]["psnr"] is None
    (cwd / "out" / "stray.jpg").write_bytes(photo.read_bytes())
    said = _faceveil("check", "out", "--original", "in", cwd=cwd, code=2)
    assert "'in' holds no original of 'stray.jpg'" in said


def test_a_refused_file_of_a_batch_ends_with_four(photo: Path) -> None:
    cwd = photo.parent
    (cwd / "in").mkdir()
    shutil.copy(photo, cwd / "in" / "a.jpg")
    Image.new("RGB", (200, 100), "teal").save(cwd / "in" / "wall.png")
    said = _faceveil("in", "-o", "out", "-m", "mask", "--verify", "--report", "r.json", cwd=cwd, code=4)
    assert "refused: in/a.jpg: out/a.jpg was not published: 1 face is still visible" in said
    assert [p.name for p in (cwd / "out").iterdir()] == ["wall.png"]
    assert (cwd / "out.quarantine" / "a.jpg").exists()
    assert json.loads((cwd / "r.json").read_text())["totals"]["refused"] == 1
