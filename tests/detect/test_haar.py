"""Haar cascades: faces as OpenCV finds them, both profiles, eyes; plates that are drawn here."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import cv2
import cv2.data
import numpy as np
import parity
import pytest
from PIL import Image

from faceveil.detect import haar
from faceveil.detect.centerface import CenterFace
from faceveil.detect.haar import Haar
from faceveil.detect.plate_haar import PlateHaar
from faceveil.types import Frame


@pytest.fixture(scope="module")
def face(portrait: Path) -> Frame:
    return Frame(np.asarray(Image.open(portrait)))


@pytest.fixture(scope="module")
def eyes(face: Frame) -> Any:
    """Left and right eye of the portrait, (2, 2)."""
    marks = CenterFace(precision="fp32")(face).landmarks
    assert marks is not None
    return marks[0, :2]


def mirrored(frame: Frame) -> Frame:
    return Frame(frame.pixels[:, ::-1].copy())


def inside(points: Any, box: Any) -> Any:
    """Which points (n, 2) lie in the middle half of a box."""
    margin = (box[2:] - box[:2]) / 4
    return ((points > box[:2] + margin) & (points < box[2:] - margin)).all(-1)


@pytest.mark.shared_data
def test_faces_are_those_of_opencv(shared: Path) -> None:
    opencv = cv2.CascadeClassifier(f"{cv2.data.haarcascades}haarcascade_frontalface_alt2.xml")

    def theirs(pixels: Any) -> Any:
        found = opencv.detectMultiScale(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), 1.1, 3, 0, (20, 20))
        xyxy = np.array([[x, y, x + width, y + height] for x, y, width, height in found], np.float32).reshape(-1, 4)
        return cast("Any", haar.FACE.factors).converted(xyxy), np.full(len(xyxy), 0.5)

    parity.compare(Haar(scale_factor=1.1), theirs, shared, pictures=slice(7, None, 67), exact=0.01)


def test_profiles_of_the_mirror_image_are_mirrored(face: Frame) -> None:
    detector = Haar(target="profile", min_neighbors=1)
    straight, other = detector(face), detector(mirrored(face))
    assert len(straight) >= 1
    back = face.width - other.xyxy[:, [2, 1, 0, 3]] * [1, -1, 1, -1] - [0, face.width, 0, face.width]
    order, again = (np.lexsort(boxes.T) for boxes in (straight.xyxy.round(1), back.round(1)))
    assert straight.xyxy[order] == pytest.approx(back[again], abs=0.01)
    assert straight.score[order] == pytest.approx(other.score[again])


@pytest.mark.parametrize("target", ["eyes", "glasses", "face-eyes"])
def test_each_eye_gets_a_box_that_covers_little_else(target: Any, face: Frame, eyes: Any) -> None:
    found = Haar(target=target)(face)
    for eye in eyes:
        box = next(box for box in found.xyxy if inside(eye[None], box)[0])
        assert (box[2:] - box[:2]).max() < np.linalg.norm(eyes[1] - eyes[0])
    assert found.landmarks is None


def test_eyes_without_a_face_around_them_are_not_confirmed(face: Frame, eyes: Any) -> None:
    alone, confirmed = (Haar(target=target, min_neighbors=0)(face) for target in ("eyes", "face-eyes"))
    assert any(not inside(eyes, box).any() for box in alone.xyxy)
    around = Haar(target="face", min_neighbors=0)(face).xyxy
    for box in confirmed.xyxy:
        centre = (box[:2] + box[2:]) / 2
        assert ((centre > around[:, :2] - 20) & (centre < around[:, 2:] + 20)).all(1).any()
    faceless = Frame(face.pixels[250:])
    assert len(Haar(target="face-eyes")(faceless)) == 0


def test_more_neighbours_find_fewer(face: Frame) -> None:
    counts = [len(Haar(min_neighbors=neighbours)(face)) for neighbours in (1, 3, 8)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[2] >= 1


def test_small_faces_are_left_out_and_large_pictures_reduced(portrait: Path, face: Frame) -> None:
    assert len(Haar(min_size=160)(face)) == 0
    large = Frame(np.asarray(Image.open(portrait).resize((1536, 1536))))
    for found in (Haar(size=512)(large), Haar(size=512, min_size=60)(large)):
        assert found.xyxy[0] / 3 == pytest.approx(Haar()(face).xyxy[0], abs=3)


@pytest.mark.parametrize("target", ["profile", "eyes", "glasses", "face-eyes"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (19, 21)])
def test_every_size_is_accepted(target: Any, shape: tuple[int, int]) -> None:
    assert len(Haar(target=target)(Frame(np.full((*shape, 3), 90, np.uint8)))) == 0


# --- plates ---------------------------------------------------------------------------------------------------------


def street(text: str, width: int, x: int, y: int, seed: int) -> Any:
    """A grey and cloudy scene (480, 640, 3) with a plate of 520:112, drawn at x, y."""
    noise = np.random.default_rng(seed).normal(0, 25, (480, 640)).astype(np.float32)
    scene = np.clip(cv2.GaussianBlur(noise, (0, 0), 6) * 4 + 95, 0, 255).astype(np.uint8)
    plate = np.full((112, 520), 235, np.uint8)
    cv2.rectangle(plate, (4, 4), (515, 107), 20, 4)
    cv2.line(plate, (400, 4), (400, 107), 20, 4)
    cv2.putText(plate, text, (24, 84), cv2.FONT_HERSHEY_DUPLEX, 2.6, 15, 8, cv2.LINE_AA)
    cv2.putText(plate, "77", (420, 70), cv2.FONT_HERSHEY_DUPLEX, 1.8, 15, 5, cv2.LINE_AA)
    cv2.putText(plate, "RUS", (430, 100), cv2.FONT_HERSHEY_DUPLEX, 0.7, 15, 2, cv2.LINE_AA)
    height = round(width * 112 / 520)
    scene[y : y + height, x : x + width] = cv2.resize(plate, (width, height), interpolation=cv2.INTER_AREA)
    return np.repeat(scene[..., None], 3, 2)


@pytest.mark.parametrize("text", ["A123BC", "K456MX"])
@pytest.mark.parametrize(("width", "x", "y"), [(80, 30, 40), (120, 400, 300), (160, 200, 250), (240, 350, 100)])
def test_a_drawn_plate_is_found_and_covered(text: str, width: int, x: int, y: int) -> None:
    found = PlateHaar()(Frame(street(text, width, x, y, seed=width)))
    assert set(found.labels) == {"plate"}
    height, slack = width * 112 / 520, width / 20
    covers = [
        box[0] < x + slack and box[1] < y + slack and box[2] > x + width - slack and box[3] > y + height - slack
        for box in found.xyxy
    ]
    sides = found.xyxy[:, 2:] - found.xyxy[:, :2]
    assert any(covered and side[0] < 1.5 * width for covered, side in zip(covers, sides, strict=True))
    assert PlateHaar(min_size=4 * width)(Frame(street(text, width, x, y, seed=width))).labels.tolist() == []


def test_no_plate_no_region(face: Frame) -> None:
    blank = PlateHaar()(Frame(np.full((300, 400, 3), 120, np.uint8)))
    assert len(blank) == 0
    assert PlateHaar().gives_labels == ("plate",)
    assert len(PlateHaar()(face)) == 0
