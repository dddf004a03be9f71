"""All figures of one detector over a sample, for any weights of its pictures.

With the weight 1 for each picture they are the figures themselves; with the numbers of a draw, those of a resample.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from faceveil.evaluate.match import MISSED, area, area_101, curve
from faceveil.evaluate.tally import Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZES = (12, 20, 40, 80)
IOUS = (0.5, 0.4)
"""Overlap from which a face counts as found: the usual one, and one that is enough for a cover to hide it."""

RECALL, AP, AP_101, PRECISION, FALSE, MS = (
    "recall",
    "average precision",
    "average precision, 101 points",
    "precision",
    "false positives per picture",
    "ms per picture",
)
Kind = Literal["", "from", "band", "about"]


@dataclass(frozen=True, slots=True)
class Key:
    """What a figure is: its measure, the faces that it is about, and the IoU.

    kind: of the group: "" all, "from" a height up, "band" between two heights, "about" what is said of the faces.
    n: how many faces are counted, or pictures. spread: in how many pictures they are.
    """

    measure: str
    group: str = ""
    kind: Kind = ""
    iou: float | None = None
    n: int = 0
    spread: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """Some of the judged faces: (f,) truth values."""

    name: str
    kind: Kind
    faces: Any


def groups(sample: Sample, sizes: tuple[int, ...] = SIZES) -> list[Group]:
    """Faces by height and, from the first of `sizes` up, by what is said of them.

    Groups without a face are left out, except those by the sizes that were asked for.
    """
    height = sample.height
    made = [Group(f"from {least} px", "from", height >= least) for least in sizes]
    bands = [Group(f"{low} to {high} px", "band", (height >= low) & (height < high)) for low, high in pairwise(sizes)]
    made += [*bands, Group(f"{sizes[-1]} px and more", "band", height >= sizes[-1])]
    large = height >= sizes[0]
    for key, words in sample.about.items():
        for word in sorted({str(word) for word in words if word}, key=_rank):
            faces = large & (words == word)
            if faces.any():
                made.append(Group(f"{key}: {word}", "about", faces))
    return made


_ORDER = "easy medium hard clear normal typical none partial heavy atypical".split()


def _rank(word: str) -> tuple[int, str]:
    """From easy to hard, where the words are known."""
    return (_ORDER.index(word) if word in _ORDER else len(_ORDER), word)


class Gauge:
    """The figures of one sample. keys: what each is. With weights (p,) it gives all of them, NaN where undefined."""

    def __init__(self, sample: Sample, sizes: tuple[int, ...] = SIZES, ious: tuple[float, ...] = IOUS) -> None:
        self._sample, self._ious = sample, ious
        pictures, whole = sample.pictures, sample.complete
        self._groups = groups(sample, sizes)
        self._asked = self._per_picture([group.faces for group in self._groups])
        self._found = [
            self._per_picture([group.faces & (sample.score[iou] != MISSED) for group in self._groups]) for iou in ious
        ]
        self._judged = np.bincount(sample.picture[whole[sample.picture]], minlength=pictures)
        self.keys = self._keys()

    def _per_picture(self, flags: list[Any]) -> Any:
        """How many faces of each group are in each picture, (p, g)."""
        sample = self._sample
        columns = [np.bincount(sample.picture[flag], minlength=sample.pictures) for flag in flags]
        return np.stack(columns, 1).astype(float) if columns else np.zeros((sample.pictures, 0))

    def _keys(self) -> list[Key]:
        sample = self._sample
        whole, faces = int(sample.complete.sum()), int(self._judged.sum())
        spread = (self._asked > 0).sum(0)
        made = []
        for iou in self._ious:
            made += [
                Key(RECALL, group.name, group.kind, iou, int(asked), int(pictures))
                for group, asked, pictures in zip(self._groups, self._asked.sum(0), spread, strict=True)
            ]
            judged = int((self._judged > 0).sum())
            made += [Key(measure, iou=iou, n=faces, spread=judged) for measure in (AP, AP_101)]
            made.append(Key(PRECISION, iou=iou, n=len(sample.found[iou].score), spread=whole))
            made.append(Key(FALSE, iou=iou, n=whole, spread=whole))
        return [*made, Key(MS, n=sample.pictures, spread=sample.pictures)]

    def __call__(self, weights: Any) -> NDArray[np.float64]:
        """All figures, (k,), in the order of `keys`."""
        made: list[float] = []
        asked = weights @ self._asked
        for i, iou in enumerate(self._ious):
            made += _ratio(weights @ self._found[i], asked).tolist()
            made += self._of_detections(weights, iou)
        total = weights.sum()
        made.append(float(weights @ self._sample.ms / total) if total else np.nan)
        return np.array(made)

    def _of_detections(self, weights: Any, iou: float) -> list[float]:
        """Both average precisions, the precision, and the false positives per picture."""
        found = self._sample.found[iou]
        faces = float(weights @ self._judged)
        pictures = float(weights @ self._sample.complete)
        weight = weights[found.picture].astype(float)
        false = float(weight @ ~found.hit)
        if faces and len(found.score):
            recall, precision = curve(found.score, found.hit, faces, weight)
            areas = [area(recall, precision), area_101(recall, precision)]
        else:
            areas = [0.0 if faces else np.nan] * 2
        count = float(weight.sum())
        return [*areas, (count - false) / count if count else np.nan, false / pictures if pictures else np.nan]


def _ratio(part: Any, whole: Any) -> Any:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
