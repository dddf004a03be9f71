"""`veil`, `analyse` and `apply` from Python, on the real portrait."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageCms

import faceveil
from faceveil import Plan, Policy, Regions
from faceveil.errors import InputError, OutputError, RequestError, UnreadableError
from faceveil.types import FramePlan

if TYPE_CHECKING:
    from faceveil.types import Pixels


@pytest.fixture
def pixels(portrait: Path) -> Pixels:
    return np.asarray(Image.open(portrait).convert("RGB"))


def test_an_array_comes_back_as_an_array(pixels: Pixels) -> None:
    before = pixels.copy()
    covered = faceveil.veil(pixels)
    assert covered.shape == pixels.shape
    assert covered.dtype == pixels.dtype
    assert covered.flags.writeable
    assert np.array_equal(pixels, before)
    face = (slice(70, 160), slice(185, 260))
    assert np.abs(covered[face].astype(int) - pixels[face]).mean() > 30
    assert np.array_equal(covered[350:], pixels[350:])


def test_a_file_goes_beside_itself_or_where_told(portrait: Path, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    shutil.copy(portrait, photo)
    made = faceveil.veil(photo)
    assert (made.output, made.faces, made.kept) == (tmp_path / "photo_veiled.jpg", 1, 0)
    assert faceveil.veil(str(photo), tmp_path / "other.jpg").output.exists()
    with pytest.raises(OutputError, match="exists"):
        faceveil.veil(photo)
    faceveil.veil(photo, overwrite=True)


def test_analyse_then_apply_is_veil(portrait: Path, tmp_path: Path) -> None:
    plan = faceveil.analyse(portrait, area="head")
    assert plan.faces == 1
    assert len(plan.digest) == 64
    faceveil.apply(portrait, plan, tmp_path / "two_steps.jpg")
    faceveil.veil(portrait, tmp_path / "one_step.jpg", area="head")
    assert (tmp_path / "two_steps.jpg").read_bytes() == (tmp_path / "one_step.jpg").read_bytes()


def test_arrays_can_be_planned_too(pixels: Pixels) -> None:
    plan = faceveil.analyse(pixels, method="solid")
    assert np.array_equal(faceveil.apply(pixels, plan), faceveil.veil(pixels, method="solid"))


def test_a_plan_that_does_not_fit_is_refused(portrait: Path, pixels: Pixels, tmp_path: Path) -> None:
    plan = faceveil.analyse(portrait)
    other = tmp_path / "other.jpg"
    Image.new("RGB", (64, 64)).save(other)
    with pytest.raises(InputError, match="has changed since its plan was made"):
        faceveil.apply(other, plan)
    with pytest.raises(InputError, match="the plan was made for 512 x 512 pixels, got 64 x 64"):
        faceveil.apply(np.zeros((64, 64, 3), np.uint8), plan)
    with pytest.raises(InputError, match="the plan has no line for frame 0"):
        faceveil.apply(pixels, Plan("array", (FramePlan(Regions(), (), (512, 512), index=1),)))
    assert not (tmp_path / "other_veiled.jpg").exists()


def test_a_refused_file_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0 but no more")
    with pytest.raises(UnreadableError):
        faceveil.veil(tmp_path / "a.jpg")
    assert [p.name for p in tmp_path.iterdir()] == ["a.jpg"]


def test_requests_that_make_no_sense(pixels: Pixels, portrait: Path) -> None:
    with pytest.raises(RequestError, match="give a policy or its settings, not both"):
        faceveil.veil(pixels, policy=Policy(), method="solid")
    with pytest.raises(RequestError, match="an array comes back as an array"):
        faceveil.veil(pixels, "out.jpg")  # type: ignore[call-overload]
    with pytest.raises(RequestError, match="no method is called 'blurr'"):
        faceveil.veil(portrait, method="blurr")


def test_an_output_over_its_source_needs_overwrite(portrait: Path, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    shutil.copy(portrait, photo)
    with pytest.raises(OutputError):
        faceveil.veil(photo, photo)
    assert photo.read_bytes() == portrait.read_bytes()


def test_the_mask_works_from_the_landmarks(pixels: Pixels) -> None:
    covered = faceveil.veil(pixels, method="mask")
    assert not np.array_equal(covered, pixels)


def test_a_seed_repeats_the_noise(pixels: Pixels) -> None:
    a, b, c = (faceveil.veil(pixels, method="noise", seed=s) for s in (1, 1, 2))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("jpeg", ["auto", "reencode"])
def test_metadata_none_drops_the_profile_and_the_resolution_too(
    portrait: Path, tmp_path: Path, form: str, jpeg: str
) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source = tmp_path / f"in.{form.lower()}"
    Image.open(portrait).save(source, form, icc_profile=profile, dpi=(300, 300))
    kept = faceveil.veil(source, tmp_path / f"kept.{form.lower()}", jpeg=jpeg).output
    bare = faceveil.veil(source, tmp_path / f"bare.{form.lower()}", jpeg=jpeg, metadata="none").output
    with Image.open(kept) as image:
        assert image.info["icc_profile"] == profile
    with Image.open(bare) as image:
        assert "icc_profile" not in image.info
        assert image.info.get("dpi") in (None, (1, 1), (72, 72), (96, 96))
