"""Which faces of an original are still seen at their place, and which only look as light."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from PIL import Image

from faceveil.types import Frame, Regions
from faceveil.verify.compare import still_shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

FACE = Regions(np.array([[178, 75, 278, 200]], np.float32), np.ones(1, np.float32))  # of the portrait, 512 px


@pytest.fixture
def before(portrait: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(portrait).convert("RGB").resize((512, 512)))


def spotted(pixels: NDArray[np.uint8], ground: int, middle: int) -> NDArray[np.uint8]:
    """A picture whose face is replaced by a soft spot on a ground."""
    x1, y1, x2, y2 = FACE.xyxy[0].astype(int)
    y, x = np.mgrid[-1 : 1 : (y2 - y1) * 1j, -1 : 1 : (x2 - x1) * 1j]
    spot = ground + (middle - ground) * np.clip(1.3 - np.hypot(x, y), 0, 1)
    out = pixels.copy()
    out[y1:y2, x1:x2] = spot[..., None].astype(np.uint8)
    return out


@pytest.mark.parametrize(("ground", "middle"), [(46, 90), (96, 146), (176, 216), (0, 255), (216, 90)])
def test_a_spot_as_light_as_the_face_is_no_face(before: Any, ground: int, middle: int) -> None:
    # Hair and cheeks are dark, the middle of the face is light: in its own tones the face is a spot, too.
    x1, y1, x2, y2 = FACE.xyxy[0].astype(int)
    light = cv2.GaussianBlur(spotted(before, 20, 230), (0, 0), 8)
    shaded = before.copy()
    shaded[y1:y2, x1:x2] = before[y1:y2, x1:x2] // 3 + light[y1:y2, x1:x2] // 2
    for original in (before, shaded):
        assert still_shown(Frame(original), Frame(spotted(before, ground, middle)), FACE) == []
    assert len(still_shown(Frame(shaded), Frame(before), FACE)) == 1


@pytest.mark.parametrize("sigma", [0, 3, 8])
def test_a_blurred_face_shows(before: Any, sigma: int) -> None:
    after = cv2.GaussianBlur(before, (0, 0), sigma) if sigma else before
    (shown,) = still_shown(Frame(before), Frame(np.asarray(after, np.uint8)), FACE)
    assert shown.likeness > 0.75


def test_a_face_as_dark_again_shows(before: Any) -> None:
    assert len(still_shown(Frame(before), Frame(before // 4 + 20), FACE)) == 1
