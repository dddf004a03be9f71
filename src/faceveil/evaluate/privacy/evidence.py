"""What attackers have: arrays about n pictures, the same pictures in the same order in each condition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from faceveil.policy import Area

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Floats

    Ints = NDArray[np.int64]

ORIGINAL = "original"
"""The name of the condition in which nothing is painted."""
CONTROL = "blackout"
"""The name of the control: the whole picture is black, so that nobody can be named but by chance."""

FIELDS = ("face", "wide")
FIELD_SIDE = 112  # px: the side of the pictures in `Evidence.pixels`

Kind = Literal["original", "painted", "anonymised", "blackout"]


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """Whom n pictures show.

    person: (n,) whole numbers from 0 on. photo: (n,), equal for pictures of the same photo or of one track of a video:
    these are never in gallery and probe at once. names: what the people are called; never written into reports.
    pairs, mated: (m, 2) indices of pictures, and (m,) whether both show one person, where the input names pairs: then
    verification is about these alone, and some people may have a single photo. None: all pairs of different photos
    count, and everybody has at least two.
    """

    person: Ints
    photo: Ints
    names: tuple[str, ...]
    pairs: Ints | None = None
    mated: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if self.person.ndim != 1 or self.person.shape != self.photo.shape:
            raise ValueError(f"person and photo must be (n,), got {self.person.shape} and {self.photo.shape}")
        if sorted(set(self.person.tolist())) != list(range(len(self.names))):
            raise ValueError(f"person must be the numbers 0 to {len(self.names) - 1}, each at least once")
        if (self.pairs is None) != (self.mated is None):
            raise ValueError("pairs and mated come together")

    def __len__(self) -> int:
        return len(self.person)


@dataclass(frozen=True, slots=True, eq=False)
class Attacker:
    """A recogniser as measures need to know it.

    spec: as it is written. title: a short name. metric: how embeddings are compared. threshold: the distance below
    which its publisher takes two faces for one person's, or None. identity: SHA-256 of weights, settings and libraries.
    """

    spec: str
    title: str
    metric: Literal["cosine", "euclidean"]
    threshold: float | None
    identity: str
    licence: str


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What one recogniser makes of n pictures in one condition, float32.

    Embeddings are of length 1 where the recogniser's metric is the cosine.

    given: (n, d), with the landmarks or the box of the original given to the attacker.
    own: (n, d), where the attacker's own detector found the face in this very picture; rows of NaN where it did not,
        which is a failure to acquire. None where no such detector looked.
    wide: (n, d), as `given` with the field twice as wide; None where that was not asked for.
    """

    given: Floats
    own: Floats | None = None
    wide: Floats | None = None

    @property
    def acquired(self) -> NDArray[np.bool_]:
        """Where the attacker's own detector found the face, (n,)."""
        if self.own is None:
            return np.zeros(len(self.given), bool)
        return np.asarray(~np.isnan(self.own).any(axis=1), np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """All that attackers have of one condition: a method with its cover, another's pictures, or the originals.

    name: unique in a run. spec, area: of a painted one, else None.
    seen: by the recogniser's name. pixels: "face" and "wide", (n, 112, 112, 3) uint8, cut by the original's landmarks.
    geometry: "box" (n, 4) xyxy, "landmarks" (n, 10) x, y and "cover" (n, 4) centre x, y, width, height; float64, in
        widths and heights of the picture. The first two are the original's. There are covers where something was
        painted; rows of NaN where nothing of this face was covered.
    denoised: as `Seen.given` of pictures that a filter has been over first, by filter and recogniser.
    averaged: as `Seen.given` of the mean of all frames of a photo, in each of their rows; empty but for videos.
    kind: what it is. claim: what the method says of itself, in one sentence, or "".
    """

    name: str
    spec: str | None
    area: Area | None
    seen: Mapping[str, Seen]
    pixels: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    geometry: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    denoised: Mapping[str, Mapping[str, Floats]] = field(default_factory=dict)
    averaged: Mapping[str, Floats] = field(default_factory=dict)
    kind: Kind = "painted"
    claim: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """Everything that a run has gathered.

    original: what attackers have of the untouched pictures. conditions: of the painted ones, in the order they were
    asked for. blackout: of pictures that are black as a whole, the control.
    attackers: the recognisers by what they are called in `Evidence`. finder, looker: specs of what found the faces to
    paint, and of the attackers' own detector.
    failed: photos that could not be measured, each with the reason; left_out: others that count nowhere, because there
    is nothing to compare them with.
    digest: SHA-256 of the pictures and of whom they show. versions: of what computed. seconds: what it took.
    """

    people: People
    original: Evidence
    conditions: tuple[Evidence, ...]
    blackout: Evidence
    attackers: dict[str, Attacker]
    finder: str
    looker: str
    failed: tuple[tuple[str, str], ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    digest: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def thresholds(self) -> dict[str, float]:
        """Euclidean distances below which recognisers take two faces for one person's, where somebody says.

        Between embeddings of length 1 a distance d of cosines is one of sqrt(2 d).
        """
        known = {spec: one for spec, one in self.attackers.items() if one.threshold is not None}
        return {
            spec: float(np.sqrt(2 * (one.threshold or 0)) if one.metric == "cosine" else one.threshold or 0)
            for spec, one in known.items()
        }

    @property
    def everything(self) -> tuple[Evidence, ...]:
        """The original, the conditions and the control."""
        return (self.original, *self.conditions, self.blackout)
