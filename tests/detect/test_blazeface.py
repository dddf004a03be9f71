"""BlazeFace: anchors, letterbox and suppression, against MediaPipe's algorithm written out one anchor at a time."""

from __future__ import annotations

from collections.abc import Callable
from math import exp
from pathlib import Path
from typing import Any

import numpy as np
import parity
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from faceveil.detect import boxes
from faceveil.detect.runtime import Runtime
from faceveil.models import store
from faceveil.types import Frame

pytest.importorskip("ai_edge_litert", reason="needs the extra litert: pip install 'faceveil[litert]'")
from faceveil.detect import blazeface
from faceveil.detect.blazeface import NETWORKS, BlazeFace

OPTIONS = {"short": (128, [8, 16, 16, 16], 1), "back": (256, [16, 32, 32, 32], 1), "full": (192, [4], 0)}
"""MediaPipe's: side, strides of the layers, aspect ratio of the anchor that is interpolated in each (0: none)."""


def slow_anchors(side: int, strides: list[int], interpolated: int) -> list[tuple[float, float]]:
    """Centres relative to the picture, layer by layer: layers of the same stride share their cells."""
    made, layer = [], 0
    while layer < len(strides):
        last, repeated = layer, 0
        while last < len(strides) and strides[last] == strides[layer]:
            last += 1
            repeated += 2 if interpolated else 1
        cells = side // strides[layer]
        for y in range(cells):
            for x in range(cells):
                made += [((x + 0.5) / cells, (y + 0.5) / cells)] * repeated
        layer = last
    return made


def iou(one: list[float], other: list[float]) -> float:
    shared_width = min(one[2], other[2]) - max(one[0], other[0])
    shared_height = min(one[3], other[3]) - max(one[1], other[1])
    if shared_width <= 0 or shared_height <= 0:
        return 0
    shared = shared_width * shared_height
    return shared / ((one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - shared)


def slow_faces(pixels: Any, name: str, threshold: float) -> tuple[Any, Any]:
    """What MediaPipe's graph makes of a picture (H, W, 3): boxes in its own convention (n, 4), and scores (n,)."""
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415

    side, strides, interpolated = OPTIONS[name]
    square, scale, corner = blazeface.letterbox(Frame(pixels), side)
    network = Interpreter(str(store.path(f"blazeface-{name}")), num_threads=1)
    network.allocate_tensors()
    network.set_tensor(network.get_input_details()[0]["index"], square[None])
    network.invoke()
    raw, logits = (network.get_tensor(output["index"])[0] for output in network.get_output_details())
    found = []
    for (x, y), values, logit in zip(slow_anchors(side, strides, interpolated), raw, logits[:, 0], strict=True):
        score = 1 / (1 + exp(-max(-80.0, min(80.0, float(logit)))))
        centre_x, centre_y, w, h = x + values[0] / side, y + values[1] / side, values[2] / side, values[3] / side
        if score >= threshold and w > 0 and h > 0:
            found.append((score, [centre_x - w / 2, centre_y - h / 2, centre_x + w / 2, centre_y + h / 2]))
    found.sort(key=lambda entry: -entry[0])
    kept, scores = [], []
    while found:
        group = [entry for entry in found if entry is found[0] or iou(entry[1], found[0][1]) > 0.3]
        total = sum(score for score, _ in group)
        kept.append([sum(score * box[i] for score, box in group) / total for i in range(4)])
        scores.append(found[0][0])
        found = [entry for entry in found if all(entry is not gone for gone in group)]
    xyxy = (np.array(kept, np.float32).reshape(-1, 4) * side - np.tile(corner, 2)) / np.tile(scale, 2)
    return xyxy.astype(np.float32), np.array(scores, np.float32)


@pytest.mark.shared_data
@pytest.mark.parametrize(("name", "every"), [("back", 16), ("full", 16), ("short", 4)])
def test_faces_are_those_of_mediapipes_algorithm(
    name: Any, every: int, shared: Path, stored: Callable[..., None]
) -> None:
    stored(f"blazeface-{name}")

    def theirs(pixels: Any) -> Any:
        xyxy, score = slow_faces(pixels, name, 0.5)
        return NETWORKS[f"blazeface-{name}"].factors.converted(xyxy), score

    detector = BlazeFace(model=f"blazeface-{name}", score_threshold=0.5)
    parity.compare(detector, theirs, shared, pictures=slice(3, None, every), exact=0.05)


@pytest.mark.parametrize("name", ["short", "full", "back", "front", "full-sparse"])
def test_every_network_finds_the_portrait(name: Any, portrait: Path, stored: Callable[..., None]) -> None:
    stored(f"blazeface-{name}")
    detector = BlazeFace(model=f"blazeface-{name}").on(Runtime(threads=1))
    pixels = np.asarray(Image.open(portrait))
    assert detector(Frame(pixels)).xyxy[0] == pytest.approx((177, 57, 272, 178), abs=16)
    wide = np.full((512, 760, 3), 60, np.uint8)
    wide[:, 200:712] = pixels
    assert detector(Frame(wide)).xyxy[0] == pytest.approx((377, 57, 472, 178), abs=20)


@pytest.mark.parametrize("name", OPTIONS)
def test_anchors_are_mediapipes(name: str) -> None:
    side, strides, interpolated = OPTIONS[name]
    anchors = blazeface.anchors(NETWORKS[f"blazeface-{name}"])
    assert anchors == pytest.approx(np.array(slow_anchors(side, strides, interpolated)) * side)
    assert len(anchors) == (2304 if name == "full" else 896)


@given(st.integers(1, 900), st.integers(1, 900), st.sampled_from([128, 192, 256]))
def test_the_letterbox_holds_the_whole_picture(width: int, height: int, side: int) -> None:
    square, scale, corner = blazeface.letterbox(Frame(np.full((height, width, 3), 255, np.uint8)), side)
    assert square.shape == (side, side, 3)
    rows, columns = np.nonzero(square[..., 0] == 1)
    assert (columns.min(), rows.min()) == tuple(corner)
    assert (columns.max() + 1, rows.max() + 1) == pytest.approx(corner + scale * [width, height], abs=1e-3)
    assert (square == -1).sum() == 3 * (side * side - len(rows))


corners = st.lists(st.integers(0, 60), min_size=2, max_size=2)
found = st.lists(st.tuples(corners, st.integers(1, 40), st.integers(1, 40)), max_size=12)


@given(found, st.randoms(use_true_random=False))
def test_what_goes_has_a_better_box_on_its_place(drawn: Any, random: Any) -> None:
    xyxy = np.array([[x, y, x + w, y + h] for (x, y), w, h in drawn], np.float32).reshape(-1, 4)
    order = list(range(len(xyxy)))
    random.shuffle(order)
    score = ((np.array(order, np.float32) + 1) / (len(order) + 1)).astype(np.float32)
    means, kept = blazeface.merged(xyxy, score, 0.3)
    assert (np.diff(kept) < 0).all()
    seeds = np.searchsorted(np.sort(score), kept)
    best = xyxy[np.argsort(score)[seeds]]
    for box, sure in zip(xyxy, score, strict=True):
        better = kept >= sure
        assert sure in kept or (boxes.overlap(box[None], best)[0][better] > 0.3).any()
    for mean, seed in zip(means, best, strict=True):
        group = xyxy[boxes.overlap(seed[None], xyxy)[0] >= 0.3]
        assert (mean >= group.min(0) - 1e-3).all()
        assert (mean <= group.max(0) + 1e-3).all()
