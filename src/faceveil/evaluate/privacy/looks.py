"""What attackers make of one photo in one condition: faces cut out, by given landmarks and by their own detector."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from faceveil.detect import boxes
from faceveil.detect.pixels import eight_bit
from faceveil.errors import InputError, NoFaceError
from faceveil.evaluate.privacy import denoise
from faceveil.evaluate.privacy.cache import Cache, key
from faceveil.evaluate.privacy.evidence import FIELD_SIDE
from faceveil.evaluate.privacy.painted import Condition, changed, cover, painted
from faceveil.match.align import arcface
from faceveil.types import Frame, Regions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from faceveil.detect.base import Detector
    from faceveil.match.align import Alignment
    from faceveil.match.base import Recogniser

    Arrays = dict[str, NDArray[Any]]
    Chips = list[NDArray[np.uint8] | None]

SAME_FACE = 0.2  # IoU from which what the attacker's detector found is the face in question: painted faces draw it away
AROUND = 0.35  # of the face's longer side: what a chip shows beyond the box, of a tilted face, too
FAR = 320  # px: windows from twice this side are reduced before they are filtered; recognisers look at 112 to 160
FIELD = arcface(FIELD_SIDE)


@dataclass(frozen=True, slots=True, eq=False)
class Original:
    """One picture before it is painted: the face in question, and the faces that are painted.

    box (4,), landmarks (5, 2): of the face in question, in pixels. faces: what the painter's detector found, and which
    of them is the face in question, None where it missed it.
    """

    frame: Frame
    pixels: NDArray[np.uint8]
    box: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    faces: Regions
    at: int | None

    @property
    def width(self) -> float:
        """Width of the face in question in pixels."""
        return float(max(self.box[2] - self.box[0], 1.0))


def original(frame: Frame, looker: Detector, finder: Detector | None) -> Original:
    """A picture with its faces: of several the one nearest to the middle is in question.

    finder: what finds the faces to paint, None where the attacker's detector does. Raises `NoFaceError`.
    """
    seen = looker(frame).of("face")
    if not len(seen) or seen.landmarks is None:
        raise NoFaceError("the attacker's detector finds no face in the original")
    middle = (seen.xyxy[:, :2] + seen.xyxy[:, 2:]) / 2 - [frame.width / 2, frame.height / 2]
    at = int(np.hypot(*middle.T).argmin())
    box, landmarks = seen.xyxy[at], seen.landmarks[at]
    if finder is None:
        return Original(frame, eight_bit(frame), box, landmarks, seen, at)
    faces = finder(frame)
    return Original(frame, eight_bit(frame), box, landmarks, faces, _same(faces, box))


def _same(found: Regions, box: NDArray[np.float32]) -> int | None:
    """Which of the regions is the face with this box."""
    if not len(found):
        return None
    shared = boxes.overlap(found.xyxy, box[None])[:, 0]
    best = int(shared.argmax())
    return best if shared[best] >= SAME_FACE else None


class Looker:
    """Attackers: a detector of their own and some recognisers.

    wide: the recognisers, by their specs, that look at the wide field too. filters: applied first, for the recognisers
    in `patient`: each filter is one more look. cache: keeps embeddings by the content of what was looked at.
    """

    def __init__(
        self,
        detector: Detector,
        recognisers: dict[str, Recogniser],
        *,
        wide: frozenset[str],
        patient: frozenset[str],
        filters: Sequence[str],
        cache: Cache,
    ) -> None:
        self._detector = detector
        self._recognisers = recognisers
        self._wide, self._patient, self._filters = wide, patient, tuple(filters)
        self._cache = cache
        self._identities = {spec: one.identity for spec, one in recognisers.items()}
        self._plain: dict[tuple[str, bytes], NDArray[np.float32]] = {}  # embeddings of chips of one colour

    def look(
        self, before: Sequence[Original], condition: Condition, seeds: Sequence[int], made: Sequence[Frame | None]
    ) -> Arrays:
        """All that attackers have of the frames of one photo in one condition.

        before: the m frames. made: what another tool has made of each, for conditions that are such.
        Arrays, by name: "given:SPEC" (m, d), "own:SPEC", "wide:SPEC", "FILTER:SPEC", "averaged:SPEC", "face" and "wide"
        (m, 112, 112, 3), "cover" (m, 4).
        """
        after = [self._after(one, condition, seed, by) for one, seed, by in zip(before, seeds, made, strict=True)]
        found = [self._found(one, pixels, condition) for one, pixels in zip(before, after, strict=True)]
        fields = [FIELD.cut(p, FIELD.transform(o.box, o.landmarks)) for o, p in zip(before, after, strict=True)]
        arrays: Arrays = {
            "face": np.stack([face for face, _ in fields]),
            "wide": np.stack([wide for _, wide in fields]),
            "cover": np.stack([self._cover(o, p, condition) for o, p in zip(before, after, strict=True)]),
        }
        clean = self._clean(before, after, condition)
        for spec, recogniser in self._recognisers.items():
            chips = self._chips(spec, recogniser.alignment, before, after, found, clean)
            if len(before) > 1:
                mean = np.mean([chip for chip in chips["given"] if chip is not None], axis=0)
                chips["averaged"] = [np.rint(mean).astype(np.uint8)]
            # Apart, so that what a cache holds of plain pictures serves for other filters, too.
            filtered = {name: chips.pop(name) for name in clean if name in chips}
            for part in (chips, filtered):
                arrays |= {f"{name}:{spec}": rows for name, rows in self._embedded(spec, recogniser, part).items()}
        return arrays

    def _after(self, one: Original, condition: Condition, seed: int, made: Frame | None) -> NDArray[np.uint8]:
        if condition.kind != "anonymised":
            return eight_bit(painted(one.frame, one.faces, condition, seed))
        if made is None:
            raise InputError("has no anonymised picture beside it")
        return fitted(eight_bit(made), one.pixels.shape)

    def _found(self, one: Original, after: NDArray[np.uint8], condition: Condition) -> tuple[Any, Any] | None:
        """Box and landmarks of the face in question as the attacker's own detector sees them; None: it does not."""
        if condition.kind == "original":
            return one.box, one.landmarks
        if condition.kind == "blackout":
            return None
        seen = self._detector(Frame(after)).of("face")
        at = _same(seen, one.box)
        return None if at is None or seen.landmarks is None else (seen.xyxy[at], seen.landmarks[at])

    @staticmethod
    def _cover(one: Original, after: NDArray[np.uint8], condition: Condition) -> NDArray[np.float64]:
        if condition.kind == "anonymised":
            return changed(one.pixels, after, one.box)
        return cover(one.frame, one.faces, one.at, condition)

    def _clean(
        self, before: Sequence[Original], after: Sequence[NDArray[np.uint8]], condition: Condition
    ) -> dict[str, list[_Window]]:
        """The surroundings of each face after each filter. The untouched and the black pictures need none."""
        if condition.kind in ("original", "blackout") or not self._patient:
            return {}
        windows = [_window(one, pixels) for one, pixels in zip(before, after, strict=True)]
        return {name: [window.filtered(name, condition) for window in windows] for name in self._filters}

    def _chips(
        self,
        spec: str,
        alignment: Alignment,
        before: Sequence[Original],
        after: Sequence[NDArray[np.uint8]],
        found: Sequence[tuple[Any, Any] | None],
        clean: dict[str, list[_Window]],
    ) -> dict[str, Chips]:
        """What one recogniser is to look at: for each name one chip a frame, None where there is none."""
        chips: dict[str, Chips] = {"given": [], "own": [], **({"wide": []} if spec in self._wide else {})}
        for one, pixels, own in zip(before, after, found, strict=True):
            face, wide = alignment.cut(pixels, alignment.transform(one.box, one.landmarks))
            chips["given"].append(face)
            chips["own"].append(None if own is None else alignment.cut(pixels, alignment.transform(*own))[0])
            if spec in self._wide:
                chips["wide"].append(wide)
        if spec in self._patient:
            for name, windows in clean.items():
                chips[name] = [
                    alignment.cut(w.pixels, w.moved(alignment.transform(one.box, one.landmarks)))[0]
                    for one, w in zip(before, windows, strict=True)
                ]
        return chips

    def _embedded(self, spec: str, recogniser: Recogniser, chips: dict[str, Chips]) -> dict[str, NDArray[np.float32]]:
        """Embeddings by name, (m, d), NaN where there is no chip. Equal chips are looked at once."""
        known: dict[bytes, NDArray[np.float32]] = {}
        todo: dict[bytes, NDArray[np.uint8]] = {}
        for chip in (chip for row in chips.values() for chip in row if chip is not None):
            mark = chip.tobytes()
            plain = self._plain.get((spec, mark)) if chip.min() == chip.max() else None
            if plain is not None:
                known[mark] = plain
            else:
                todo[mark] = chip
        if todo:
            rows = self._rows(spec, recogniser, np.stack(list(todo.values())))
            known |= dict(zip(todo, rows, strict=True))
            self._plain |= {(spec, mark): known[mark] for mark, chip in todo.items() if chip.min() == chip.max()}
        gap = np.full_like(next(iter(known.values())), np.nan) if known else np.zeros(0, np.float32)
        return {
            name: np.stack([gap if chip is None else known[chip.tobytes()] for chip in row])
            for name, row in chips.items()
        }

    def _rows(self, spec: str, recogniser: Recogniser, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embeddings (n, d) of chips, computed once for all runs that share a cache."""
        name = key("embeddings", self._identities[spec], hashlib.sha256(chips.tobytes()).hexdigest(), len(chips))
        kept = self._cache.get(name)
        if kept is not None:
            return np.asarray(kept["rows"], np.float32)
        rows = recogniser(chips)
        self._cache.put(name, {"rows": rows})
        return rows


# --- filters before the look ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    """The surroundings of a face: pixels (h, w, 3), its corner in the picture and its scale there, the face's width."""

    pixels: NDArray[np.uint8]
    corner: NDArray[np.float64]
    scale: NDArray[np.float64]
    width: float

    def moved(self, transform: NDArray[np.float64]) -> NDArray[np.float64]:
        """A map from the picture, (2, 3), as one from the window."""
        moved = transform.copy()
        # Centres of pixels: in the picture x = (x' + .5) / scale - .5 + corner.
        moved[:, 2] += transform[:, :2] @ (self.corner + (1 / self.scale - 1) / 2)
        moved[:, :2] = transform[:, :2] / self.scale
        return moved

    def filtered(self, name: str, condition: Condition) -> _Window:
        """The same window after a filter."""
        spread = denoise.kernel(condition.spec, self.width, self.width * condition.area.width)
        return _Window(denoise.filtered(name, self.pixels, self.width, spread), self.corner, self.scale, self.width)


def _window(one: Original, pixels: NDArray[np.uint8]) -> _Window:
    """What a chip of the face can show, reduced where it is larger than any recogniser looks at."""
    x1, y1, x2, y2 = one.box
    reach = AROUND * max(x2 - x1, y2 - y1)
    height, width = pixels.shape[:2]
    left, top = (int(np.clip(v - reach, 0, most - 1)) for v, most in ((x1, width), (y1, height)))
    right, bottom = (int(np.clip(np.ceil(v + reach), 1, most)) for v, most in ((x2, width), (y2, height)))
    part = np.ascontiguousarray(pixels[top : max(bottom, top + 1), left : max(right, left + 1)])
    # By whole factors: pixels of noise that are mixed unevenly are no longer what a median takes away.
    factor = max(1, max(part.shape[:2]) // FAR)
    size = [max(1, round(side / factor)) for side in (part.shape[1], part.shape[0])]
    scale = np.array([size[0] / part.shape[1], size[1] / part.shape[0]])
    if factor > 1:
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
    return _Window(part, np.array([left, top], np.float64), scale, one.width * float(scale[0]))


RATIO = 0.02  # by how much the sides' ratio of another tool's picture may differ from the original's


def fitted(pixels: NDArray[np.uint8], shape: Sequence[int]) -> NDArray[np.uint8]:
    """Another tool's picture in the size (H, W) of its original. Raises `InputError` where the shapes differ."""
    height, width = shape[:2]
    if abs(pixels.shape[1] * height / (pixels.shape[0] * width) - 1) > RATIO:
        raise InputError(
            f"has {width} x {height} pixels, what was made of it {pixels.shape[1]} x {pixels.shape[0]}: another shape"
        )
    if pixels.shape[:2] == (height, width):
        return pixels
    shrinks = pixels.shape[0] > height
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=how), np.uint8)
