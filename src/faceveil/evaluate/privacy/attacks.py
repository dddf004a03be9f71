"""Which attacks there are on what attackers have."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from faceveil.errors import RequestError
from faceveil.evaluate.cnn import expect_torch
from faceveil.evaluate.privacy.attackers import (
    components,
    discriminant,
    fusion,
    network,
    standardised,
    templates,
    unit,
)
from faceveil.evaluate.privacy.evidence import Evidence, People, Seen
from faceveil.evaluate.privacy.identification import Attacker

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.evaluate.privacy.measures import Numbers

FACE, WIDE, PLACE = "face", "wide", "place"
"""What an attacker looks at: the aligned face, the field twice as wide, where the cover is."""
GIVEN, OWN = "given", "own"
"""Where the attacker has the face's place from: it is given, or his own detector finds it in what he sees."""
ATTACKS = {
    "naive": "the known pictures are originals, the asked one is painted",
    "reverse": "the known pictures are painted, the asked one is an original",
    "parrot": "both are painted",
    "retrained": "classifiers trained on painted pictures: of embeddings, of pixels, and both together",
    "retrained-cnn": "a small network trained on painted pictures; only where asked for (`--cnn`), with PyTorch",
    "geometry": "where the face and its cover lie, no pixel",
    "denoise": "the same after filters that take noise or blur away",
    "averaging": "the same on several frames of one track put together",
    "linkage": "which original photo is the painted one made from",
}
"""What can be asked for. Linkage names the photo, not the person, and takes no part in verdicts."""
CNN = "retrained-cnn"
DEFAULT = tuple(name for name in ATTACKS if name != CNN)
"""What is made where nobody says what: the same on every machine, whatever is installed."""
CNN_FOLDS = 2
"""Folds that the network is trained on: one split and its complement, so that every photo is asked about once. A
network takes some ten seconds, and each condition has two fields."""
NAIVE, REVERSE, PARROT, EMBEDDINGS = "naive", "reverse", "parrot", "retrained on embeddings"
PIXELS, FUSED, NETWORK, LINKAGE = "retrained on pixels", "retrained, fused", "retrained network", "linkage"
_LINKED = 500  # pictures compared with all others at a time


@dataclass(frozen=True, slots=True)
class Attack:
    """What was done, with what. recogniser: "" where none takes part. after: a filter or "averaging", or ""."""

    kind: str
    field: str
    recogniser: str = ""
    box: str = GIVEN
    after: str = ""

    @property
    def label(self) -> str:
        """The attack in words."""
        fields = {FACE: "face", WIDE: "wide field", PLACE: "no pixel"}
        parts = [self.kind, fields[self.field], self.recogniser, f"after {self.after}" if self.after else ""]
        return ", ".join(part for part in (*parts, "own detector" if self.box == OWN else "") if part)


def expect_known(wanted: Collection[str]) -> None:
    """Raise `RequestError` unless all of the attacks are known, `MissingExtra` without PyTorch for a network."""
    for name in wanted:
        if name not in ATTACKS:
            raise RequestError(f"there is no attack '{name}'", hint=f"there are {', '.join(ATTACKS)}")
    if CNN in wanted:
        expect_torch()


def attacks(
    painted: Evidence, original: Evidence, people: People, wanted: Collection[str], seed: int = 0
) -> Iterator[tuple[Attack, Attacker]]:
    """Every attack on the people in a painted condition for which there is evidence, but linkage. seed: of networks."""
    trained: dict[str, list[Attacker]] = {FACE: [], WIDE: []}
    for name, seen in painted.seen.items():
        for attack, known, asked in views(name, seen, original.seen[name]):
            for kind, attacker in _by_embedding(known, asked, people.person, wanted):
                if kind == EMBEDDINGS and attack.box == GIVEN:
                    trained[attack.field].append(attacker)
                yield Attack(kind, attack.field, name, attack.box), attacker
    if "retrained" in wanted:
        yield from _by_pixels(painted, people.person, trained)
    if CNN in wanted:
        # Apart from the classifiers above, so that their figures and those of their fusion are the same without it.
        for where in (FACE, WIDE):
            if where in painted.pixels:
                yield Attack(NETWORK, where), network(painted.pixels[where], people.person, seed)
    if "geometry" in wanted:
        for kind, rows in painted.geometry.items():
            # A method shows where its cover is; box and landmarks of the face are in a plan, or seen where nothing is.
            if (kind == "cover") != (painted is original):
                yield Attack(f"geometry: {kind}", PLACE), discriminant(standardised(rows), people.person)
    yield from _worked(painted, original, people.person, wanted)


def views(name: str, seen: Seen, plain: Seen) -> Iterator[tuple[Attack, Any, Any]]:
    """The fields and boxes of one recogniser: its embeddings of originals and of painted pictures."""
    yield Attack("", FACE, name), plain.given, seen.given
    if seen.wide is not None and plain.wide is not None:
        yield Attack("", WIDE, name), plain.wide, seen.wide
    if seen.own is not None and plain.own is not None:
        yield Attack("", FACE, name, OWN), plain.own, seen.own


def _by_embedding(
    plain: Any, painted: Any, person: NDArray[np.intp], wanted: Collection[str]
) -> Iterator[tuple[str, Attacker]]:
    if "naive" in wanted:
        yield NAIVE, templates(plain, painted, person)
    if "reverse" in wanted:
        yield REVERSE, templates(painted, plain, person)
    if "parrot" in wanted:
        yield PARROT, templates(painted, painted, person)
    if "retrained" in wanted:
        yield EMBEDDINGS, discriminant(painted, person)


def _by_pixels(
    painted: Evidence, person: NDArray[np.intp], trained: dict[str, list[Attacker]]
) -> Iterator[tuple[Attack, Attacker]]:
    """The classifier of pixels on each field, and all classifiers of what is in that field together."""
    everything: list[Attacker] = []
    for where in (FACE, WIDE):
        pictures = painted.pixels.get(where)
        if pictures is not None:
            pixels = discriminant(components(pictures), person)
            trained[where].append(pixels)
            yield Attack(PIXELS, where), pixels
        everything += trained[where]
        if trained[where] and len(everything) > 1:
            yield Attack(FUSED, where), fusion(everything[:])


def _worked(
    painted: Evidence, original: Evidence, person: NDArray[np.intp], wanted: Collection[str]
) -> Iterator[tuple[Attack, Attacker]]:
    """What comes of painted pictures that were worked on first."""
    sets = [*painted.denoised.items()] if "denoise" in wanted else []
    sets += [("averaging", painted.averaged)] if "averaging" in wanted and painted.averaged else []
    for after, by_recogniser in sets:
        for name, rows in by_recogniser.items():
            for kind, attacker in _by_embedding(original.seen[name].given, rows, person, wanted):
                yield Attack(kind, FACE, name, after=after), attacker


# --- linkage ---------------------------------------------------------------------------------------------------------


def linkages(painted: Evidence, original: Evidence) -> Iterator[tuple[Attack, Any, Any]]:
    """What may tell which original a painted picture was made from: vectors (n, d) of originals and painted ones."""
    for name, seen in painted.seen.items():
        plain = original.seen[name]
        yield Attack(LINKAGE, FACE, name), plain.given, seen.given
        if seen.wide is not None and plain.wide is not None:
            yield Attack(LINKAGE, WIDE, name), plain.wide, seen.wide
    for where in (FACE, WIDE):
        if where in painted.pixels and where in original.pixels:
            yield Attack(LINKAGE, where), _shades(original.pixels[where]), _shades(painted.pixels[where])


def _shades(pictures: NDArray[np.uint8]) -> Numbers:
    """Brightness of every fourth pixel each way, without its mean: enough to know a photo again."""
    grey = pictures[:, 2::4, 2::4].mean(3).reshape(len(pictures), -1)
    centred: Numbers = grey - grey.mean(1, keepdims=True)
    return centred


def linked(known: Any, asked: Any, photo: NDArray[np.intp]) -> tuple[Numbers, NDArray[np.bool_]]:
    """The chance that the nearest original is the right photo, (n,), and which painted pictures were acquired, (n,)."""
    known, asked = unit(np.asarray(known, np.float64)), unit(np.asarray(asked, np.float64))
    here = ~np.isnan(asked).any(1)
    able = ~np.isnan(known).any(1)
    right = np.zeros(len(asked))
    for start in range(0, len(asked), _LINKED):
        rows = slice(start, start + _LINKED)
        scores = np.where(able, np.round(asked[rows] @ np.nan_to_num(known).T, 9), -np.inf)
        top = scores == scores.max(1, keepdims=True)
        same = photo[None] == photo[rows, None]
        right[rows] = np.divide((top & same).sum(1), top.sum(1), out=np.zeros(len(top)), where=top.any(1))
    right[~here] = 0
    return right, here
