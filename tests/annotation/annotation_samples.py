"""Annotated pictures for the tests, made up or drawn by hypothesis."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from faceveil.annotation import Labelled
from faceveil.types import Regions


def labelled(
    name: str = "a.jpg",
    size: tuple[int, int] = (640, 480),
    *boxes: tuple[float, float, float, float],
    label: str = "face",
    frame: int | None = None,
) -> Labelled:
    """A picture with these boxes, each surer than the one before."""
    scores = np.linspace(0.5, 1, len(boxes), dtype=np.float32)
    labels = None if label == "face" else np.array([label] * len(boxes))
    return Labelled(name, size, Regions(np.array(boxes, np.float32).reshape(-1, 4), scores, label=labels), frame=frame)


GOLDEN = (
    labelled("a.jpg", (640, 480), (12.5, 30, 60, 92.25), (0, 0, 8, 10)),
    labelled("sub/b.png", (100, 50)),
    labelled("sub/ü c.jpg", (2000, 1000), (1500.25, 10.5, 1999.75, 700)),
)
"""What the golden files hold."""

_side = st.integers(1, 5000)
_name = st.text("abcdefgh ÄÖü_-.()%", min_size=1, max_size=12).map(lambda text: f"x{text}y")


@st.composite
def pictures(draw: st.DrawFn) -> list[Labelled]:
    """Up to four pictures with names that differ even without suffix, boxes on hundredths of a pixel inside of them."""
    made = []
    for name in draw(st.lists(_name, unique_by=lambda text: Path(text + ".jpg").with_suffix("").name, max_size=4)):
        width, height = draw(_side), draw(_side)
        boxes, scores = [], []
        for _ in range(draw(st.integers(0, 4))):
            x = sorted(draw(st.lists(st.integers(0, 100 * width), min_size=2, max_size=2, unique=True)))
            y = sorted(draw(st.lists(st.integers(0, 100 * height), min_size=2, max_size=2, unique=True)))
            boxes.append((x[0] / 100, y[0] / 100, x[1] / 100, y[1] / 100))
            scores.append(draw(st.integers(0, 10_000)) / 10_000)
        folder = draw(st.sampled_from(["", "sub/", "deep/er/"]))
        labels = np.array(draw(st.lists(st.sampled_from(["face", "plate"]), min_size=len(boxes), max_size=len(boxes))))
        regions = Regions(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.array(scores, np.float32),
            label=labels.astype(np.str_) if boxes else None,
        )
        made.append(Labelled(f"{folder}{name}.jpg", (width, height), regions))
    return made
