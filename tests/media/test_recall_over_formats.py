"""The same picture in every format: the same faces, in every frame. Real faces, so real detectors."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import moving_samples as moving
import numpy as np
import pytest
from PIL import Image

import faceveil
from faceveil.types import FramePlan

pytestmark = pytest.mark.shared_data


def boxes(told: dict[str, Any], index: int) -> np.ndarray[Any, Any]:
    """xyxy of one frame, from lists of x, y, width, height."""
    xywh = np.array(told["frames"][index] if "frames" in told else told["boxes"], float)
    return np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)


def found(plan: FramePlan, wanted: np.ndarray[Any, Any]) -> int:
    """How many wanted boxes have a region over their centre."""
    centres = (wanted[:, :2] + wanted[:, 2:]) / 2
    regions = plan.regions.xyxy
    return sum(bool(((regions[:, :2] < c) & (c < regions[:, 2:])).all(axis=1).any()) for c in centres)


def test_every_derived_file_shows_its_faces(shared: Path) -> None:
    folder = shared / "tricky" / "derived"
    told = json.loads((folder / "gt.json").read_text())["files"]
    frames = 0
    for name, entry in told.items():
        if name.startswith("truncated"):
            continue
        for i, plan in enumerate(faceveil.analyse(folder / name)):
            wanted = boxes(entry, i)
            assert (name, i, found(plan, wanted)) == (name, i, len(wanted))
            frames += 1
    assert frames >= 25


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "APNG", "WebP", "TIFF", "BMP", "JPEG 2000", "PNM", "AVIF"])
def test_one_picture_in_all_formats(form: str, shared: Path, tmp_path: Path) -> None:
    path = shared / "tricky" / "derived" / "orient_1_thumb_gps.jpg"
    wanted = faceveil.analyse(path).frames[0].regions.xyxy
    with Image.open(path) as image:
        rgb = np.asarray(image.convert("RGB"))
    name = {"JPEG 2000": "JPEG2000", "PNM": "PPM", "APNG": "PNG"}.get(form, form.upper())
    if form in ("GIF", "APNG", "WebP", "TIFF", "AVIF"):  # three frames; the second one is mirrored
        frames = [rgb, rgb[:, ::-1], rgb]
        data = moving.saved(name, [np.dstack([f, np.full(f.shape[:2], 255, np.uint8)]) for f in frames])
    else:
        out = BytesIO()
        Image.fromarray(rgb).save(out, name)
        data, frames = out.getvalue(), [rgb]
    (tmp_path / "a").write_bytes(data)
    plan = faceveil.analyse(tmp_path / "a")
    assert len(plan.frames) == len(frames)
    for i, line in enumerate(plan):
        mirrored = wanted.copy()
        if i == 1:
            mirrored[:, [0, 2]] = rgb.shape[1] - wanted[:, [2, 0]]
        assert found(line, mirrored) == len(line.regions) == len(wanted) == 2


def test_what_was_covered_is_found_no_more(shared: Path, tmp_path: Path) -> None:
    folder = shared / "tricky" / "derived"
    for name in ("anim.gif", "anim.webp", "anim_apng.png", "multipage.tif"):
        done = faceveil.veil(folder / name, tmp_path / name)
        assert done.faces == 6
        assert faceveil.analyse(tmp_path / name).faces == 0
