"""Measure how far number plates reach out of a detector's boxes: the margin that their covers need.

    python -m tools.plate_margin plate-haar            # or any detector's spec that finds plates
    python -m tools.plate_margin plate-haar --fit      # boxes scaled and moved first, all alike, to fit the plates

Plates are rendered (520 x 112, as most of Europe has them), 14 to 60 px high, turned and tilted a little, and laid on a
dark ground into real pictures, because no set of real plates with boxes may be used here. What is printed is by how
much they reach out of the boxes to the left, top, right and bottom, in sides of the box: quantiles .5, .9, .95 and .99.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from faceveil import detect
from faceveil.detect import boxes
from faceveil.detect.base import Detector
from faceveil.types import Frame

COUNT = 400
SIZE = np.array([520, 112])
LETTERS, DIGITS = "ABEKMHOPCTYX", "0123456789"
SAME = 0.3  # IoU from which a box is of the plate


def plate(rng: np.random.Generator) -> Any:
    """A plate with another number each time, grey, (112, 520)."""
    width, height = SIZE.tolist()
    drawn = np.full((height, width), 235, np.uint8)
    cv2.rectangle(drawn, (2, 2), (width - 3, height - 3), (20,), 4)
    text = "".join(rng.choice(list(kind)) for kind in (LETTERS, DIGITS, DIGITS, DIGITS, LETTERS, LETTERS))
    cv2.putText(drawn, text, (25, 88), cv2.FONT_HERSHEY_SIMPLEX, 2.6, (15,), 9)
    cv2.putText(drawn, str(rng.integers(10, 200)), (405, 70), cv2.FONT_HERSHEY_SIMPLEX, 1.5, (15,), 6)
    return drawn


def scene(grey: Any, rng: np.random.Generator) -> tuple[Any, Any] | None:
    """A picture with a plate in it and where it is, xyxy; None where the picture is too small for it."""
    tall = int(rng.integers(14, 60))
    size = tall * SIZE / SIZE[1]
    if (np.array(grey.shape[::-1]) < 2.5 * size).any():
        return None
    middle = rng.uniform(size, np.array(grey.shape[::-1]) - size)
    angle = np.deg2rad(rng.normal(0, 3))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * size / 2 @ turn + rng.normal(0, 0.04 * tall, (4, 2))
    ground = cv2.GaussianBlur(plate(rng), (0, 0), max(0.1, SIZE[1] / tall / 2.5))  # as a lens of that resolution
    made = _laid(np.full_like(ground, 60), middle + corners * [1.4, 2.2], grey)
    made = _laid(ground, middle + corners, made)
    noisy = made * rng.uniform(0.5, 1) + rng.normal(0, 4, grey.shape)
    where = np.concatenate([(middle + corners).min(0), (middle + corners).max(0)])
    return np.clip(noisy, 0, 255).astype(np.uint8), where.astype(np.float32)


def _laid(what: Any, corners: Any, on: Any) -> Any:
    there = np.array([[0, 0], [SIZE[0], 0], SIZE, [0, SIZE[1]]], np.float32)
    move = cv2.getPerspectiveTransform(there, corners.astype(np.float32))
    size = on.shape[::-1]
    return np.where(
        cv2.warpPerspective(np.full_like(what, 255), move, size) > 128, cv2.warpPerspective(what, move, size), on
    )


def pairs(detector: Detector, paths: list[Path]) -> Any:
    """Boxes that a detector finds and the plates that they are of, (n, 2, 4)."""
    rng, found = np.random.default_rng(0), []
    for _ in range(COUNT):
        made = scene(np.asarray(Image.open(paths[rng.integers(len(paths))]).convert("L")), rng)
        if made is not None:
            regions = detector(Frame(np.repeat(made[0][:, :, None], 3, axis=2))).of("plate")
            shared = boxes.overlap(regions.xyxy, made[1][None])[:, 0]
            if shared.max(initial=0) >= SAME:
                found.append([regions.xyxy[shared.argmax()], made[1]])
    return np.array(found).reshape(-1, 2, 4)


def fitted(box: Any, true: Any) -> Any:
    """Boxes scaled and moved, all alike in their own sides, by the medians of what they lack."""
    sides, middle = box[:, 2:] - box[:, :2], (box[:, 2:] + box[:, :2]) / 2
    half = sides * np.median((true[:, 2:] - true[:, :2]) / sides, axis=0) / 2
    middle = middle + sides * np.median(((true[:, 2:] + true[:, :2]) / 2 - middle) / sides, axis=0)
    return np.concatenate([middle - half, middle + half], axis=1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("detector")
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    asked = parser.parse_args()
    paths = sorted((asked.data / "detection" / "images").glob("*.jpg"))
    if not paths:
        print(f"no test data at {asked.data}", file=sys.stderr)
        return 2
    box, true = pairs(detect.make(asked.detector), paths).swapaxes(0, 1)
    box = fitted(box, true) if asked.fit else box
    sides = np.tile(box[:, 2:] - box[:, :2], 2)
    out = np.concatenate([box[:, :2] - true[:, :2], true[:, 2:] - box[:, 2:]], axis=1) / sides
    print(f"{asked.detector}: {len(box)} plates; out of the box to the left, top, right, bottom, in its sides")
    for share in (0.5, 0.9, 0.95, 0.99):
        print(f"  {share}: " + "  ".join(f"{v:+.3f}" for v in np.quantile(out, share, axis=0)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
