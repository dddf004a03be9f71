"""Conditions read as they are written, and paint as they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from faceveil.errors import RequestError
from faceveil.evaluate.privacy.painted import (
    BLACKOUT,
    METHODS,
    UNTOUCHED,
    changed,
    claim,
    conditions,
    cover,
    painted,
)
from faceveil.policy import Area
from faceveil.types import Frame, Regions

BOX = np.array([[177, 57, 272, 178]], np.float32)


@pytest.fixture(scope="module")
def face(portrait: Path) -> Frame:
    return Frame(np.asarray(Image.open(portrait)))


@pytest.fixture
def faces() -> Regions:
    return Regions(BOX, np.ones(1, np.float32))


@pytest.mark.parametrize(
    ("text", "spec", "area"),
    [
        ("veil", "veil", Area()),
        ("solid@head", "solid", Area.named("head")),
        ("mosaic:cells=8@face", "mosaic:cells=8", Area()),
        (
            "solid@width=1,height=1,up=0,shape=box,regular=false",
            "solid",
            Area(width=1, height=1, up=0, shape="box", regular=False),
        ),
    ],
)
def test_a_method_and_its_cover(text: str, spec: str, area: Area) -> None:
    (made,) = conditions([text])
    assert (made.name, made.kind, made.spec, made.area) == (text, "painted", spec, area)


def test_the_usual_methods_can_be_read() -> None:
    assert [one.name for one in conditions(METHODS)] == list(METHODS)
    assert all(claim(one) for one in conditions(METHODS))


def test_folders_are_conditions_too() -> None:
    made = conditions(["veil"], ["theirs", "others"])
    assert [(one.name, one.kind, one.made) for one in made[1:]] == [
        ("folder theirs", "anonymised", 0),
        ("folder others", "anonymised", 1),
    ]
    assert not claim(made[1])


@pytest.mark.parametrize(
    ("texts", "complaint"),
    [
        (["veli"], "no method is called 'veli' — did you mean 'veil'?"),
        (["mosaic:cell=4"], "there is no setting 'cell'"),
        (["solid@width=11"], "'area.width': input should be less than or equal to 10"),
        (["veil", "veil"], "'veil' is given twice"),
    ],
)
def test_wrong_conditions_are_told(texts: list[str], complaint: str) -> None:
    with pytest.raises(RequestError, match=complaint):
        conditions(texts)


def test_what_painting_does(face: Frame, faces: Regions) -> None:
    solid, veil = conditions(["solid@width=1,height=1,up=0,shape=box,regular=false", "veil"])
    black = painted(face, faces, solid, 0).pixels
    assert not black[57:178, 177:272].any()
    assert np.array_equal(black[:50], face.pixels[:50])
    assert np.array_equal(painted(face, faces, UNTOUCHED, 0).pixels, face.pixels)
    assert not painted(face, faces, BLACKOUT, 0).pixels.any()
    assert np.array_equal(painted(face, Regions(), veil, 0).pixels, face.pixels)  # a face that was missed stays


def test_the_seed_decides_about_chance(face: Frame, faces: Regions) -> None:
    (noise,) = conditions(["noise:percent=50"])
    one, same, other = (painted(face, faces, noise, seed).pixels for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_where_the_cover_lies(face: Frame, faces: Regions) -> None:
    (exact,) = conditions(["solid@width=2,height=1,up=0,shape=box,regular=false"])
    found = cover(face, faces, 0, exact)
    assert found * 512 == pytest.approx([224.5, 117.5, 190, 121])
    assert np.isnan(cover(face, faces, None, exact)).all()
    after = painted(face, faces, exact, 0).pixels
    seen = changed(np.asarray(face.pixels), np.asarray(after), BOX[0])
    assert seen * 512 == pytest.approx([224.5, 117.5, 190, 121], abs=2.5)
    assert np.isnan(changed(np.asarray(face.pixels), np.asarray(face.pixels), BOX[0])).all()


def test_regular_covers_take_few_places(face: Frame) -> None:
    """What an attacker sees of a regular cover is what is written down: equal for boxes that are nearly equal."""
    rows: list[Any] = []
    for shift in (0.0, 0.2, 0.4):
        faces = Regions(BOX + np.float32(shift), np.ones(1, np.float32))
        rows.append(cover(face, faces, 0, conditions(["veil"])[0]))
    assert np.array_equal(rows[0], rows[1])
