"""The mesh: outlines on faces, pose that follows the picture, and nothing lost where it sees no face."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from faceveil import plugins
from faceveil.deidentify.base import Faces
from faceveil.deidentify.mask import Mask
from faceveil.detect import boxes
from faceveil.detect.base import Detector
from faceveil.detect.runtime import Runtime
from faceveil.types import Frame, Regions

pytest.importorskip("ai_edge_litert", reason="needs the extra litert: pip install 'faceveil[litert]'")
from faceveil.detect import mesh

ONE_THREAD = Runtime(threads=1)


@pytest.fixture(autouse=True)
def _added(stored: Callable[..., None]) -> None:
    stored("facemesh")


@pytest.fixture(scope="module")
def pixels(portrait: Path) -> Any:
    return np.asarray(Image.open(portrait))


@cache
def made(spec: str) -> Detector:
    return cast("Detector", plugins.make(plugins.DETECT, spec)).on(ONE_THREAD)


def angles(pixels: Any, faces: Regions) -> Any:
    """Yaw, pitch and roll of the first face, which must be one."""
    fit = mesh.fit(Frame(pixels), faces, ONE_THREAD)
    assert fit.presence[0] > 0.9
    return mesh.pose(fit.points)[0]


def turned(pixels: Any, faces: Regions, by: float) -> tuple[Any, Regions]:
    """The picture turned clockwise by degrees about its middle, and its first face in it: a square box, five points."""
    matrix = cv2.getRotationMatrix2D((pixels.shape[1] / 2, pixels.shape[0] / 2), -by, 1)
    picture = cv2.warpAffine(pixels, matrix, pixels.shape[1::-1], borderMode=cv2.BORDER_REFLECT)
    box, marks = faces.xyxy[0], cast("Any", faces.landmarks)[0]
    centre = matrix[:, :2] @ ((box[:2] + box[2:]) / 2) + matrix[:, 2]
    half = (box[3] - box[1]) / 2
    square = np.concatenate([centre - half, centre + half])
    return picture, Regions(square[None], faces.score[:1], (marks @ matrix[:, :2].T + matrix[:, 2])[None])


# --- pose -----------------------------------------------------------------------------------------------------------


@given(by=st.floats(-179, 179))
def test_roll_follows_the_picture_and_nothing_else_does(by: float, portrait: Path) -> None:
    pixels = np.asarray(Image.open(portrait))
    found = made("centerface:precision=fp32")(Frame(pixels))
    upright, leaning = angles(pixels, found), angles(*turned(pixels, found, by))
    assert (leaning[2] - upright[2] - by + 180) % 360 - 180 == pytest.approx(0, abs=3)
    assert leaning[:2] == pytest.approx(upright[:2], abs=6)


@pytest.mark.parametrize("by", [-60, -45, -30, -15, 15, 30, 45, 60])
def test_roll_follows_without_landmarks_too(by: float, pixels: Any) -> None:
    found = made("centerface:precision=fp32")(Frame(pixels))
    picture, faces = turned(pixels, found, by)
    blind = Regions(faces.xyxy, faces.score)
    assert angles(picture, blind)[2] - angles(pixels, found)[2] == pytest.approx(by, abs=3)


def test_the_mirror_image_looks_the_other_way(pixels: Any) -> None:
    detector = made("centerface:precision=fp32")
    mirrored = np.ascontiguousarray(pixels[:, ::-1])
    straight, other = (angles(picture, detector(Frame(picture))) for picture in (pixels, mirrored))
    assert other == pytest.approx(straight * [-1, 1, -1], abs=4)


@given(st.floats(-80, 80), st.floats(-80, 80), st.floats(-179, 179), st.floats(0.1, 50))
def test_pose_of_a_head_turned_by_hand(yaw: float, pitch: float, roll: float, scale: float) -> None:
    head = np.zeros((mesh.POINTS, 3))
    for i, (left, right) in enumerate(mesh.ACROSS):
        head[left], head[right] = (-3.0 - i, i % 3, i), (3.0 + i, i % 3, i)
    head[mesh.BASE] = head[mesh.TOP] + [0, 10 * np.cos(mesh.TILT), -10 * np.sin(mesh.TILT)]
    # x to the right, y down, z away from the camera: a face that looks up brings its chin nearer.
    y, p, r = np.deg2rad([yaw, pitch, roll])
    tilt = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    turn = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    lean = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    points = (head @ (lean @ turn @ tilt).T * scale + 100).astype(np.float32)
    assert mesh.pose(points[None])[0] == pytest.approx((yaw, pitch, roll), abs=0.05)


def test_a_face_looks_where_its_nose_points() -> None:
    """Signs: the nose's tip is before the face; to the right and up of its middle for positive yaw and pitch."""
    nose = np.array([0.0, 0, -1])
    for yaw, pitch in ((30, 0), (0, 30), (-20, -10)):
        y, p = np.deg2rad([yaw, pitch])
        tilt = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
        turn = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
        seen = turn @ tilt @ nose
        assert np.sign(seen[0]) == np.sign(yaw)
        assert np.sign(-seen[1].round(6)) == np.sign(pitch)


def test_a_large_face_has_the_pose_of_a_small_one(portrait: Path, pixels: Any) -> None:
    large = np.asarray(Image.open(portrait).resize((2560, 2560), Image.Resampling.BICUBIC))
    found = made("centerface:precision=fp32")(Frame(pixels))
    times = Regions(found.xyxy * 5, found.score, cast("Any", found.landmarks) * 5)
    assert angles(large, times) == pytest.approx(angles(pixels, found), abs=3)


# --- outlines -------------------------------------------------------------------------------------------------------


def area(polygon: Any) -> float:
    return float(cv2.contourArea(np.asarray(polygon, np.float32)))


@pytest.mark.parametrize("spec", ["centerface:precision=fp32", "haar"])
def test_the_outline_goes_around_the_landmarks(spec: str, pixels: Any) -> None:
    alone, found = made(spec)(Frame(pixels)), made(f"mesh({spec})")(Frame(pixels))
    assert np.array_equal(found.xyxy, alone.xyxy)
    assert np.array_equal(found.score, alone.score)
    assert found.outline is not None
    assert found.landmarks is not None
    outline, box = found.outline[0], found.xyxy[0]
    assert outline.shape == (36, 2)
    for mark in found.landmarks[0]:
        assert cv2.pointPolygonTest(outline, (float(mark[0]), float(mark[1])), False) > 0
    assert 0.5 < area(outline) / float(np.prod(box[2:] - box[:2])) < 1.2


@pytest.mark.shared_data
def test_landmarks_are_where_the_detector_sees_them(shared: Path) -> None:
    detector, far = made("centerface:precision=fp32"), []
    for path in sorted((shared / "recognition" / "lfw").rglob("*.jpg"))[::100]:
        frame = Frame(np.asarray(Image.open(path).convert("RGB")))
        found = detector(frame)[:1]
        fit = mesh.fit(frame, found, ONE_THREAD)
        assert fit.presence[0] > 0.9
        apart = np.linalg.norm(mesh.five(fit.points)[0] - cast("Any", found.landmarks)[0], axis=1)
        far.append(apart / (found.xyxy[0, 2] - found.xyxy[0, 0]))
    assert np.median(far) < 0.06
    assert np.quantile(far, 0.95) < 0.2


def test_what_the_mesh_rejects_stays_with_the_ellipse_of_its_box(pixels: Any) -> None:
    spec = "haar(min_neighbors=0, min_size=40)"  # hundreds of windows, many of them no face
    alone, found = made(spec)(Frame(pixels)), made(f"mesh({spec})")(Frame(pixels))
    assert np.array_equal(found.xyxy, alone.xyxy)
    outline, marks = cast("Any", found.outline), cast("Any", found.landmarks)
    ellipses, middles = mesh.ellipses(found.xyxy), (found.xyxy[:, :2] + found.xyxy[:, 2:]) / 2
    rejected = (outline == ellipses).all((1, 2))
    assert 0 < rejected.sum() < len(found)
    assert (marks[rejected] == middles[rejected, None]).all()
    assert (np.ptp(marks[~rejected], axis=1) > 0).all()
    # A method that needs landmarks covers the whole of a face whose landmarks say nothing.
    where = np.flatnonzero(rejected)[:1]
    cover = np.ones((64, 64), bool)
    faces = Faces(found.xyxy[where], found.xyxy[where], marks[where])
    assert np.array_equal(Mask().area(cover, faces), cover)


@pytest.mark.shared_data
def test_no_outline_leaves_its_box(shared: Path) -> None:
    """In a crowd, a square around a face holds its neighbours too, and the network may choose one of them."""
    seen = 0
    for name in ("wider_20_Family_Group_Family_Group_20_1037", "wider_4_Dancing_Dancing_4_319"):
        found = made("mesh(centerface)")(
            Frame(np.asarray(Image.open(shared / "detection" / "images" / f"{name}.jpg").convert("RGB")))
        )
        outline = cast("Any", found.outline)
        bounds = np.concatenate([outline.min(1), outline.max(1)], 1)
        assert (np.diag(boxes.overlap(bounds, found.xyxy)) >= 0.5).all()
        seen += int((np.ptp(cast("Any", found.landmarks), axis=1) > 0).all(1).sum())
    assert seen > 5


def test_a_detectors_own_landmarks_stay_where_the_mesh_is_not_believed(portrait: Path) -> None:
    tiny = Frame(np.asarray(Image.open(portrait).resize((64, 64))))  # a face of 11 x 14 px, and what is taken for one
    found, alone = made("mesh(centerface:precision=fp32)")(tiny), made("centerface:precision=fp32")(tiny)
    assert len(found) == len(alone) == 2
    same = [
        np.array_equal(*pair) for pair in zip(cast("Any", found.landmarks), cast("Any", alone.landmarks), strict=True)
    ]
    assert same == [False, True]
    ellipses = mesh.ellipses(alone.xyxy)
    assert [np.array_equal(*pair) for pair in zip(cast("Any", found.outline), ellipses, strict=True)] == same


def test_other_things_keep_their_boxes_as_outlines() -> None:
    found = made("mesh(plate-haar)")
    assert found.gives_labels == ("plate",)
    xyxy = np.array([[10, 20, 46, 38]], np.float32)
    corners = mesh.rectangles(xyxy)[0, ::9]
    assert corners.tolist() == [[10, 20], [46, 20], [46, 38], [10, 38]]
    assert area(mesh.rectangles(xyxy)[0]) == pytest.approx(36 * 18)
    assert area(mesh.ellipses(xyxy)[0]) == pytest.approx(np.pi / 4 * 36 * 18, rel=0.01)


def test_a_face_at_the_border_and_one_of_no_size(pixels: Any) -> None:
    faces = Regions(np.array([[-40, -60, 80, 90], [500, 500, 540, 560], [30, 30, 30, 30]]), np.full(3, 0.5))
    fit = mesh.fit(Frame(pixels), faces, ONE_THREAD)
    assert np.isfinite(fit.points).all()
    assert ((fit.presence >= 0) & (fit.presence <= 1)).all()
    assert np.isfinite(mesh.pose(fit.points)).all()
    assert mesh.pose(mesh.fit(Frame(pixels), Regions()).points).shape == (0, 3)
