"""Detectors of coloured things, so that what is found is known, and pictures and films of them beside a real face."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import av
import cv2
import numpy as np
from PIL import Image

from faceveil.detect.base import Detector
from faceveil.types import Frame, Regions

PORTRAIT = Path(__file__).resolve().parents[2] / "examples" / "portrait.jpg"
YELLOW, MAGENTA, GREEN = (235, 205, 20), (205, 30, 205), (10, 240, 40)
FAR = 60  # levels that a channel of these may be off: films are compressed


class _Coloured(Detector):
    """Finds every blob of a colour of at least 30 pixels; the score is `sure`."""

    colours: ClassVar[dict[str, tuple[int, int, int]]]

    sure: float = 0.5
    """The score of all that is found."""

    def __call__(self, frame: Frame) -> Regions:
        """Blobs of all colours."""
        found = [(box, label) for label, colour in self.colours.items() for box, _ in blobs(frame, colour)]
        boxes = np.array([box for box, _ in found], np.float32).reshape(-1, 4)
        return Regions(boxes, np.full(len(found), self.sure), label=np.array([label for _, label in found], np.str_))


def blobs(frame: Frame, colour: tuple[int, int, int]) -> list[tuple[list[float], Any]]:
    """Box and contour, (k, 2), of each blob of a colour, from left to right."""
    pixels: Any = frame.pixels if frame.pixels.dtype == np.uint8 else frame.pixels >> 8
    near = (np.abs(pixels.astype(np.int16) - colour) < FAR).all(axis=2).astype(np.uint8)
    outlines, _ = cv2.findContours(near, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    found = []
    for outline in outlines:
        x, y, width, height = cv2.boundingRect(outline)
        if width * height >= 30:
            found.append(([float(x), float(y), float(x + width), float(y + height)], outline[:, 0] + 0.5))
    return sorted(found, key=lambda one: one[0])


class Plates(_Coloured):
    """Finds what is yellow."""

    name: ClassVar[str] = "test-plates"
    labels: ClassVar[tuple[str, ...]] = ("plate",)
    colours: ClassVar[dict[str, tuple[int, int, int]]] = {"plate": YELLOW}


class Street(_Coloured):
    """Finds what is yellow, and what is magenta."""

    name: ClassVar[str] = "test-street"
    labels: ClassVar[tuple[str, ...]] = ("plate", "person")
    colours: ClassVar[dict[str, tuple[int, int, int]]] = {"plate": YELLOW, "person": MAGENTA}


class Outlined(Detector):
    """Finds green things as faces, with their outlines of 24 points."""

    name: ClassVar[str] = "test-outlined"
    outline: ClassVar[bool] = True

    def __call__(self, frame: Frame) -> Regions:
        """Blobs of green."""
        found = blobs(frame, GREEN)
        points = [outline[np.linspace(0, len(outline) - 1, 24).astype(int)] for _, outline in found]
        boxes = np.array([box for box, _ in found], np.float32).reshape(-1, 4)
        return Regions(boxes, np.full(len(boxes), 0.9), outline=np.array(points, np.float32).reshape(-1, 24, 2))


# --- pictures and films ----------------------------------------------------------------------------------------------

HEAD = (140, 20, 310, 210)  # of the portrait: hair to chin
PLATE = (44, 12)  # px, width and height
STRIPES = np.array([0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 0], bool)  # dark letters on it, as rows would show them


def ground(width: int = 320, height: int = 240) -> Any:
    """A grey wall with some grain, (height, width, 3)."""
    grain = np.random.default_rng(5).integers(0, 14, (height, width, 1))
    y, x = np.mgrid[:height, :width]
    return (np.stack([(x + y) % 64 + 60, x % 64 + 70, y % 48 + 80], axis=2) + grain).astype(np.uint8)


def put_plate(picture: Any, x: int, y: int) -> None:
    """A yellow plate with its upper left corner at a place."""
    picture[y : y + PLATE[1], x : x + PLATE[0]] = YELLOW


def put_head(picture: Any, x: int, y: int, height: int = 96) -> None:
    """The portrait's head."""
    with Image.open(PORTRAIT) as portrait:
        cut = portrait.convert("RGB").crop(HEAD)
    head = np.asarray(cut.resize((round(height * cut.width / cut.height), height), Image.Resampling.LANCZOS))
    picture[y : y + head.shape[0], x : x + head.shape[1]] = head


def street() -> Any:
    """A head on the left, a plate and a person in magenta on the right: (240, 320, 3)."""
    picture = ground()
    put_head(picture, 30, 60)
    put_plate(picture, 220, 190)
    picture[40:130, 230:262] = MAGENTA
    return picture


def film(path: Path, pictures: list[Any], rate: int = 25) -> Path:
    """Pictures as a video, by its suffix."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=rate, options={"crf": "8", "preset": "veryfast"})
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv444p"
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def shown(path: Path) -> list[Any]:
    """The frames of a video, RGB."""
    with av.open(str(path)) as file:
        return [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]


def yellow(picture: Any) -> int:
    """Pixels of a plate that still show."""
    return int((np.abs(picture.astype(int) - YELLOW) < FAR).all(axis=2).sum())
