"""veil, the default: a ground of one of three greys, with a soft grey shape where the head was."""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, ClassVar, cast

import cv2
import numpy as np

from faceveil.deidentify.base import Deidentifier, Patch, Privacy
from faceveil.types import FACE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from faceveil.types import Floats, Pixels

    Doubles = NDArray[np.float64]

# Greys of 255 on dark, middling and light surroundings: the head's centre and cheek, the ground beside it and far away.
# No other tones are brought into the cover, and no colours: those of the surroundings name people. Which of the three
# it is shows little: by classifiers of embeddings and of pixels 1.8 % of 79 people were named with three of them (2.1 %
# with bounds of 60 and 145) and 1.6 % with the middling ones alone; chance is 1.3 % (docs/privacy.md has all attacks).
# Heads are lighter than their ground, so that none vanishes between two of the three. Judged by eye on portraits,
# crowds, dark and bright pictures.
TONES = np.array([[90, 75, 46, 38], [146, 126, 96, 82], [216, 203, 176, 170]], np.float64)
BOUNDS = (45, 150)  # the luma of surroundings between the three: of 790 pictures of LFW .23 are darker, .04 lighter
STEPS = 32  # of tones from one of the three to the next
RAMP = 16  # to either side of a bound tones lie between: in a video they must not jump

HEAD = (0.55, 0.6)  # half sizes in widths and heights of the face
HEAD_EDGE = (0.72, 1.15)  # the soft edge, in those
REACH = 2.0  # in those; what lies further away has the last tone, and the corners of the default cover lie at 1.8

LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601

# How far a head is moved, to either side in widths, up or down in heights of the face, and scaled. On one grey, 2.8 %
# [1.8, 4.2] of 79 people were named on the face field with heads in the middle of their covers, 1.9 % [1.2, 3.2] with
# these, and 1.4 % [0.8, 2.5] behind a black cover. Of .08, .10 and .06 the face field showed as little, the wide field
# more (4.8 % from embeddings, after 3.1 %); of .20, .20 and .10 no less, and heads stood beside their necks.
MOVED = (0.14, 0.14)
SCALED = 0.1


class Veil(Deidentifier):
    """Fills the cover with one of three greys, by how light the surroundings are, and sets a soft grey head on it.

    Nothing else of the surroundings is brought into the cover: their colours alone name people. A head keeps a person
    readable as a person, and a wide soft edge outside of the cover leads over to the picture. It is grey because a skin
    tone would be wrong for most. Covers that touch have one ground. What is no face gets the ground alone.

    A head does not lie in the middle of its cover: against eyes and mouth, whose places an attacker may know, that
    would tell about the face. It is moved and scaled by chance: by the sum of the pixels around the cover, in a video
    by the seed and the track, so that it keeps its place. In an animation, where nobody is followed, there is none.
    """

    name: ClassVar[str] = "veil"
    privacy: ClassVar[Privacy] = "independent"
    feather: ClassVar[float] = 0.35
    joint: ClassVar[bool] = True
    smooth: ClassVar[bool] = True
    random: ClassVar[bool] = False

    def ring(self, face: float) -> float:
        """None: the soft edge is all that it looks at."""
        return 0.0

    def __call__(self, patch: Patch, rng: np.random.Generator) -> Pixels:
        """The patch veiled. It draws no randomness: the same picture is veiled alike every time."""
        height, width = patch.known.shape
        around = np.array(cv2.sumElems(patch.pixels))  # erased pixels are zero
        away = np.full((height, width), REACH**2, np.float32)
        for head in _heads(patch, around.tobytes()):
            (columns, u), (rows, v) = _squares(head[0], head[2], width), _squares(head[1], head[3], height)
            part = away[rows, columns]
            np.minimum(part, u[None, :] + v[:, None], out=part)
        # In 255 steps of the squared distance, none of them larger than two grey levels.
        step = cv2.convertScaleAbs(away, alpha=255 / REACH**2)
        grey = cast("Pixels", cv2.LUT(step, _greys(_level(patch, around), patch.white)))
        return cast("Pixels", cv2.merge((grey, grey, grey)))


def _level(patch: Patch, around: Doubles) -> int:
    """Where the tones of a patch lie between the dark ones, 0, and the light ones, 2 * STEPS."""
    count = cv2.countNonZero(patch.known.view(np.uint8))
    if not count:
        return STEPS
    luma = 255 * float(around[:3] @ LUMA) / (count * patch.white)
    return round(STEPS * float(_ease((luma - np.array(BOUNDS) + RAMP) / (2 * RAMP)).sum()))


def _heads(patch: Patch, around: bytes) -> Iterator[tuple[float, float, float, float]]:
    """Centre and half sizes, x and y each, of the heads in a patch. around: what they are moved by in a still."""
    faces = patch.faces
    if patch.moving and faces.keys is None:
        return
    for i, (x1, y1, x2, y2) in enumerate(faces.boxes.tolist()):
        if faces.labels is not None and faces.labels[i] != FACE:
            continue
        width, height = x2 - x1, y2 - y1
        across, down, size = _chance(around + faces.covers[i].tobytes() if faces.keys is None else faces.keys[i])
        larger = 1 + SCALED * size
        yield (
            (x1 + x2) / 2 + MOVED[0] * across * width,
            (y1 + y2) / 2 + MOVED[1] * down * height,
            HEAD[0] * larger * width,
            HEAD[1] * larger * height,
        )


def _chance(key: bytes) -> tuple[float, float, float]:
    """Three numbers from -1 to 1, evenly distributed over keys."""
    across, down, size = np.frombuffer(blake2b(key, digest_size=12).digest(), "<u4") / 2**31 - 1
    return float(across), float(down), float(size)


def _squares(centre: float, half: float, length: int) -> tuple[slice, Floats]:
    """The pixels of an axis that a head reaches, and the squares of their distances from its centre, in half sizes."""
    start, stop = (round(min(max(centre + side * REACH * half, 0.0), length)) for side in (-1, 1))
    places = np.arange(start, stop, dtype=np.float32) + np.float32(0.5 - centre)
    return slice(start, stop), np.asarray(np.square(places / np.float32(half)), np.float32)


@cache
def _greys(level: int, white: int) -> Pixels:
    """The grey of each step of the squared distance from a head's centre, (256,): the head, its edge, the ground."""
    lower = min(level // STEPS, 1)
    centre, cheek, near, far = TONES[lower] + (TONES[lower + 1] - TONES[lower]) * (level / STEPS - lower)
    r = REACH * np.sqrt(np.arange(256) / 255)
    head = centre + (cheek - centre) * np.minimum(r / HEAD_EDGE[0], 1) ** 2
    ground = near + (far - near) * np.clip((r - 1) / (REACH - 1), 0, 1)
    grey = head + (ground - head) * _ease((r - HEAD_EDGE[0]) / (HEAD_EDGE[1] - HEAD_EDGE[0]))
    return cast("Pixels", np.rint(grey * (white / 255)).astype(np.uint8 if white == 255 else np.uint16))


def _ease(x: Any) -> Any:
    """From 0 to 1 while x does, smooth at both ends."""
    t = np.clip(x, 0, 1)
    return t * t * (3 - 2 * t)
