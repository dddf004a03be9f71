"""Where `paint` may change pixels is told by plan and cover alone, for every method."""

from __future__ import annotations

import numpy as np
import pytest
from scenes import covered, picture, plan, scrambled

from faceveil import plugins
from faceveil.deidentify.paint import paint_area
from faceveil.policy import Area

BOXES = [[20, 15, 50, 50], [44, 22, 66, 48], [80, 60, 120, 100]]


@pytest.mark.parametrize("name", [name for name in plugins.names(plugins.DEIDENTIFY) if name != "image"])
def test_nothing_changes_outside_the_area_and_no_pixel_decides_about_it(name: str) -> None:
    frame = picture()
    faces = plan(frame, BOXES, name, landmarks=True)
    painted, area = paint_area(frame, faces, Area(), 1)
    changed = (painted.pixels != frame.pixels).any(axis=2)
    assert area.shape == changed.shape
    assert not (changed & ~area).any()
    everywhere = np.ones_like(area)
    _, again = paint_area(scrambled(frame, everywhere), faces, Area(), 2)
    assert np.array_equal(area, again)


def test_the_area_is_the_cover_and_its_soft_edge() -> None:
    frame = picture()
    _, area = paint_area(frame, plan(frame, BOXES, "solid"), Area())
    assert np.array_equal(area, covered(frame, BOXES))
    _, soft = paint_area(frame, plan(frame, BOXES, "veil"), Area())
    assert (soft & area).sum() == area.sum() < soft.sum()


def test_no_area_where_nothing_is_painted() -> None:
    frame = picture()
    for faces in (plan(frame, [], "veil"), plan(frame, BOXES, "keep"), plan(frame, [[300, 300, 340, 340]], "veil")):
        assert not paint_area(frame, faces, Area())[1].any()
