"""The shape and pose of faces that another detector finds: MediaPipe's mesh of 468 points on each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import cv2
import numpy as np
from pydantic import Field

from faceveil.detect import boxes, litert, pixels
from faceveil.detect.base import Detector
from faceveil.detect.compose import Composed
from faceveil.detect.runtime import Runtime
from faceveil.types import FACE, Frame, Regions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Floats

POINTS = 468
SIDE = 192  # px of the network's input
ROOM = 1.5  # sides of the face's box in the network's input: MediaPipe's
TRUSTED = 0.5  # MediaPipe's threshold of presence
SAME_FACE = 0.5  # IoU of outline and box; of 135 meshes on WIDER three went to a neighbour (.21 to .46), others >= .53
SURE = 0.9  # presence below which a face without landmarks is looked at askew too
ASKEW = np.deg2rad(45)
STRAIGHT, LOOKS = np.deg2rad(10), 4  # a face that turns out to lean by more is looked at upright, so often

OVAL = np.array(
    "10 338 297 332 284 251 389 356 454 323 361 288 397 365 379 378 400 377 "
    "152 148 176 149 150 136 172 58 132 93 234 127 162 21 54 103 67 109".split(),
    np.intp,
)
"""The face's outline, clockwise from the hairline. Source: FACE_OVAL of MediaPipe's face_mesh_connections."""
EYES = np.array([[33, 133, 159, 145], [263, 362, 386, 374]])  # both corners and the middles of both lids
NOSE, MOUTH = 1, (61, 291)
ACROSS = np.array([[33, 263], [133, 362], [127, 356], [132, 361], [54, 284], [117, 346], [129, 358]])
"""Pairs of points that mirror each other and lie on bone, left as seen first."""
TOP, BASE = 10, 2  # hairline and base of the nose
TILT = np.deg2rad(8.65)
"""How far the line from hairline to nose leans in a face that looks straight ahead: MediaPipe's canonical face."""


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """The mesh of each of n faces.

    points: float32 (n, 468, 3), x and y in source pixels, z in the same unit, smaller is nearer to the camera.
    presence: float32 (n,) in [0, 1], how sure the network is that it saw a face.
    """

    points: Floats
    presence: Floats


class Mesh(Composed):
    """Whatever another detector finds, with an outline of 36 points and five landmarks on each face.

    Boxes, scores and labels stay as they were found. Where the network sees no face, or another one, the outline is the
    box's ellipse and the landmarks are the detector's; if it gives none, all five lie in the middle of the box, and
    methods that need them cover the whole face. The outline of a region that is no face is its box.
    Source: Kartynnik et al., Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs, 2019.
    """

    name: ClassVar[str] = "mesh"
    positional: ClassVar[str] = "detector"
    licence: ClassVar[str] = (
        "Apache-2.0: free for any use, commercial too, with the notices kept; trained by Google on pictures of its own "
        "that are not published."
    )
    weights: ClassVar[tuple[str, ...]] = ("facemesh",)
    landmarks: ClassVar[bool] = True
    outline: ClassVar[bool] = True

    detector: Detector
    """Any detector."""
    min_presence: float = Field(TRUSTED, ge=0, le=1)
    """Presence from which a mesh is believed."""

    @property
    def gives_landmarks(self) -> bool:
        """Always: see the class."""
        return True

    @property
    def gives_outline(self) -> bool:
        """Always: see the class."""
        return True

    def __call__(self, frame: Frame) -> Regions:
        """Faces of one frame, best score first."""
        found = self.detector(frame)
        if not len(found):
            return found
        faces = found.labels == FACE
        outline = np.where(faces[:, None, None], ellipses(found.xyxy), rectangles(found.xyxy))
        marks = _middles(found.xyxy) if found.landmarks is None else found.landmarks.copy()
        shape = fit(frame, found[faces], self._runtime)
        sure = (shape.presence >= self.min_presence) & (_shared(shape.points, found.xyxy[faces]) >= SAME_FACE)
        seen = np.flatnonzero(faces)[sure]
        outline[seen] = shape.points[sure][:, OVAL, :2]
        marks[seen] = five(shape.points[sure])
        return Regions(found.xyxy, found.score, marks, found.track, found.label, outline)


def fit(frame: Frame, faces: Regions, runtime: Runtime | None = None) -> Fit:
    """The mesh of each face of a frame, looked at upright as its landmarks say, or as a first mesh says.

    Raises `MissingExtra` if the network was not added.
    """
    picture = pixels.eight_bit(frame)
    runtime = Runtime() if runtime is None else runtime
    points = np.zeros((len(faces), POINTS, 3), np.float32)
    presence = np.zeros(len(faces), np.float32)
    for i, box in enumerate(faces.xyxy):
        marks = None if faces.landmarks is None else faces.landmarks[i]
        points[i], presence[i] = _fit(picture, box, marks, runtime)
    return Fit(points, presence)


def _fit(picture: NDArray[np.uint8], box: Floats, marks: Floats | None, runtime: Runtime) -> tuple[Floats, float]:
    """The mesh (468, 3) of one face, and its presence."""
    lean = 0.0 if marks is None else leaning(marks)
    points, presence = _look(picture, box, lean, runtime)
    if marks is None and presence < SURE:
        for other in (-ASKEW, ASKEW):
            again, sure = _look(picture, box, other, runtime)
            if sure > presence:
                points, presence, lean = again, sure, other
    for _ in range(LOOKS):
        seen = leaning(five(points[None])[0])
        if presence < TRUSTED or abs(np.angle(np.exp(1j * (seen - lean)))) <= STRAIGHT:
            break
        again, sure = _look(picture, _bounds(points), seen, runtime)
        if sure < min(presence, SURE):
            break
        points, presence, lean = again, sure, seen
    return points, presence


def pose(points: Floats) -> Floats:
    """Which way each face looks, in degrees: yaw, pitch and roll (n, 3), of meshes (n, 468, 3) as `fit` gives them.

    yaw: 0 looks at the camera, 90 towards the right edge of the picture. pitch: 90 looks at the ceiling. roll: how far
    the face leans clockwise as seen, from -180 to 180; turning the picture changes it alone. The face is first leant,
    then turned, then tilted. Depth is the network's guess: yaw and pitch beyond 45 are too small.
    """
    across = _unit((points[:, ACROSS[:, 1]] - points[:, ACROSS[:, 0]]).sum(1))
    down = points[:, BASE] - points[:, TOP]
    down = _unit(down - (down * across).sum(1, keepdims=True) * across)
    behind = np.cross(across, down)
    chin = np.cos(TILT) * down + np.sin(TILT) * behind
    back = np.cos(TILT) * behind - np.sin(TILT) * down
    yaw = np.arcsin(across[:, 2].clip(-1, 1))
    pitch = -np.arctan2(chin[:, 2], back[:, 2])
    roll = np.arctan2(across[:, 1], across[:, 0])
    return np.asarray(np.rad2deg(np.stack([yaw, pitch, roll], 1)), np.float32)


def five(points: Floats) -> Floats:
    """Eyes, nose and corners of the mouth (n, 5, 2) of meshes (n, 468, 3); left is left on an upright face."""
    eyes = points[:, EYES].mean(2)
    return np.asarray(np.concatenate([eyes, points[:, [NOSE, *MOUTH]]], 1)[..., :2], np.float32)


def leaning(marks: Floats) -> float:
    """How far a face with these landmarks (5, 2) leans clockwise as seen, in radians; 0 if they coincide.

    From the line between the eyes and the line from them to the mouth: in profile there is only the second.
    """
    left, right, _, mouth_left, mouth_right = marks.astype(float)
    x, y = right - left
    down_x, down_y = (mouth_left + mouth_right - left - right) / 2
    return float(np.arctan2(y - down_x, x + down_y))


def ellipses(xyxy: Floats) -> Floats:
    """The ellipse in each box (n, 4), as many points as an outline has (n, 36, 2), clockwise from the top."""
    angle = np.arange(len(OVAL)) * (2 * np.pi / len(OVAL))
    unit = np.stack([np.sin(angle), -np.cos(angle)], 1)
    return _placed(unit, xyxy)


def rectangles(xyxy: Floats) -> Floats:
    """The border of each box (n, 4), as many points as an outline has (n, 36, 2), clockwise from the top left."""
    side = np.linspace(-1, 1, len(OVAL) // 4, endpoint=False)
    one = np.ones_like(side)
    unit = np.concatenate([np.stack(edge, 1) for edge in ((side, -one), (one, side), (-side, one), (-one, -side))])
    return _placed(unit, xyxy)


def _placed(unit: NDArray[np.float64], xyxy: Floats) -> Floats:
    """Points (k, 2) of the square from -1 to 1, in each box: (n, k, 2)."""
    centre, half = (xyxy[:, :2] + xyxy[:, 2:]) / 2, (xyxy[:, 2:] - xyxy[:, :2]) / 2
    return np.asarray(centre[:, None] + unit * half[:, None], np.float32)


def _middles(xyxy: Floats) -> Floats:
    """Five landmarks that say nothing: all in the middle of the box, (n, 5, 2)."""
    return np.repeat((xyxy[:, None, :2] + xyxy[:, None, 2:]) / 2, 5, 1)


def _bounds(points: Floats) -> Floats:
    return np.concatenate([points[:, :2].min(0), points[:, :2].max(0)])


def _shared(points: Floats, xyxy: Floats) -> Floats:
    """How much each mesh (n, 468, 3) and its box (n, 4) have in common: IoU (n,)."""
    pairs = ((_bounds(mesh[OVAL])[None], box[None]) for mesh, box in zip(points, xyxy, strict=True))
    return np.array([boxes.overlap(*pair)[0, 0] for pair in pairs], np.float32)


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-9), np.float32)


def _look(picture: NDArray[np.uint8], box: Floats, lean: float, runtime: Runtime) -> tuple[Floats, float]:
    """The mesh (468, 3) in the picture's pixels, and its presence, in a square around the box that leans by `lean`."""
    centre = (box[:2] + box[2:]) / 2
    step = max(float((box[2:] - box[:2]).max()) * ROOM / SIDE, 1e-3)  # px of the picture in one of the network's
    turn = np.array([[np.cos(lean), -np.sin(lean)], [np.sin(lean), np.cos(lean)]]) * step
    crop = _crop(picture, turn, centre - turn @ np.full(2, SIDE / 2))
    mesh, logit = sorted(litert.run("facemesh", crop, runtime), key=lambda output: -output.size)
    points = mesh.reshape(POINTS, 3).astype(np.float64)
    points[:, :2] = (points[:, :2] - SIDE / 2) @ turn.T + centre
    points[:, 2] *= step
    return points.astype(np.float32), float(1 / (1 + np.exp(-logit.ravel()[0])))


def _crop(picture: NDArray[np.uint8], turn: NDArray[np.float64], corner: NDArray[np.float64]) -> Floats:
    """The network's input (192, 192, 3) in [0, 1]: its pixel (u, v) shows the picture at corner + turn (u, v).

    A large face is first halved by whole factors, because bilinear sampling would skip pixels.
    """
    ends = corner + np.array([[0, 0], [SIDE, 0], [0, SIDE], [SIDE, SIDE]]) @ turn.T
    x1, y1 = np.floor(ends.min(0)).astype(int).clip(0, [picture.shape[1] - 1, picture.shape[0] - 1])
    x2, y2 = np.ceil(ends.max(0)).astype(int).clip([x1 + 1, y1 + 1], [picture.shape[1], picture.shape[0]])
    part, corner = picture[y1:y2, x1:x2], corner - [x1, y1]
    factor = int(np.hypot(*turn[0]))
    if factor >= 2:
        whole = (max(1, part.shape[1] // factor), max(1, part.shape[0] // factor))
        shrink = np.array([whole[0] / part.shape[1], whole[1] / part.shape[0]])
        part = np.asarray(cv2.resize(part, whole, interpolation=cv2.INTER_AREA), np.uint8)
        turn, corner = turn * shrink[:, None], corner * shrink
    matrix = np.concatenate([turn, (corner + turn @ [0.5, 0.5] - 0.5)[:, None]], 1)  # from centres to centres of pixels
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    crop = cv2.warpAffine(part, matrix, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop / np.float32(255), np.float32)
