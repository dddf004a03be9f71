"""Evidence made of numbers, with a known truth."""

from __future__ import annotations

from typing import Any

import numpy as np

from faceveil.evaluate.privacy.evidence import CONTROL, ORIGINAL, Evidence, People, Seen
from faceveil.policy import Area


def crowd(people: int, each: int) -> People:
    """So many people with so many photos each."""
    person = np.repeat(np.arange(people), each)
    return People(person, np.arange(len(person)), tuple(f"name {k}" for k in range(people)))


def embeddings(people: People, clear: float, seed: int = 0, size: int = 32) -> Any:
    """Embeddings of unit length whose people are told apart the better, the larger `clear` is; 0: not at all."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(len(people.names), size))
    rows = clear * centres[people.person] + rng.normal(size=(len(people.person), size))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def lost(rows: Any, share: float, seed: int = 0) -> Any:
    """The same with a share of rows not acquired."""
    rows = rows.copy()
    rows[np.random.default_rng(seed).random(len(rows)) < share] = np.nan
    return rows


def evidence(people: People, name: str = ORIGINAL, clear: float = 2.0, *, own: float = 0.0, **more: Any) -> Evidence:
    """One condition with one recogniser. own: the share that the attacker's own detector does not find."""
    seed = sum(name.encode("utf-8", "surrogatepass"))
    rows = embeddings(people, clear, seed)
    seen = Seen(rows, lost(rows, own, seed), embeddings(people, clear / 2, seed + 1))
    rng = np.random.default_rng(seed)
    shades = rng.integers(0, 60, (len(people.person), 16, 16, 3)) + 150 * (clear > 0)
    spec = more.pop("spec", None if name == ORIGINAL else name)
    return Evidence(name, spec, more.pop("area", None), {"one": seen}, {"face": shades.astype(np.uint8)}, **more)


def blackout(people: People) -> Evidence:
    """The control: every picture is black, no face is found."""
    n = len(people.person)
    same = np.tile(np.float32(1 / np.sqrt(32)), (n, 32))
    seen = Seen(same, np.full_like(same, np.nan), same)
    black = np.zeros((n, 16, 16, 3), np.uint8)
    return Evidence(
        CONTROL, "solid", Area(width=10, height=10), {"one": seen}, {"face": black}, {"cover": np.full((n, 4), 0.5)}
    )
