"""From people and conditions to evidence: every photo goes through worker processes, once for all conditions."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache as once
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import faceveil
from faceveil import detect, match
from faceveil.dataset.pool import Pool
from faceveil.dataset.report import Outcome
from faceveil.detect.runtime import Runtime
from faceveil.errors import RequestError
from faceveil.evaluate.privacy.cache import expect_folder, unpack
from faceveil.evaluate.privacy.denoise import FILTERS
from faceveil.evaluate.privacy.evidence import FIELDS, Attacker, Evidence, Gathered, People, Seen
from faceveil.evaluate.privacy.painted import BLACKOUT, UNTOUCHED, Condition, claim
from faceveil.evaluate.privacy.people import Crowd
from faceveil.evaluate.privacy.worker import Order, Sitting
from faceveil.policy import Policy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.match.base import Recogniser

    Arrays = dict[str, NDArray[Any]]

Display = Callable[[Iterator[Outcome]], Iterator[Outcome]]

RECOGNISERS = ("onnx:model=mobilefacenet", "dlib")
LOOKER = "centerface:precision=fp32"
"""The attackers' detector: it must give landmarks, and draws them more exactly than with 8 bits."""
SLOW = frozenset(("deepface",))  # 60 ms and more an embedding: they look at filtered pictures only when asked to
_CORES = ("numpy", "opencv-python-headless")
_PROGRAM = "faceveil.evaluate.privacy.worker"


@dataclass(frozen=True, slots=True)
class Settings:
    """How evidence is gathered.

    recognisers: their specs. finder: the spec of what finds the faces to paint, looker: of the attackers' detector;
    the finder is the looker where it is None. filters: applied before a look. thorough: whether slow recognisers look
    at filtered pictures too. seed: of random methods. cache: a folder that keeps embeddings, or None.
    """

    recognisers: tuple[str, ...] = RECOGNISERS
    finder: str | None = None
    looker: str = LOOKER
    filters: tuple[str, ...] = FILTERS
    thorough: bool = False
    seed: int = 0
    cache: Path | None = None


def gather(
    crowd: Crowd,
    conditions: Sequence[Condition],
    settings: Settings,
    policy: Policy,
    workers: int,
    display: Display = iter,
) -> Gathered:
    """What attackers have of a crowd's photos, untouched, painted in every way, and black.

    policy: provider, least score and whether services may be asked. Photos that cannot be read, or in which the
    attackers' detector finds nobody, count nowhere and are named in `failed`.

    Raises:
        RequestError: a spec is wrong, or too few people are left. MissingExtra: a part or a model is not installed.
    """
    started = time.perf_counter()
    every = (UNTOUCHED, *conditions, BLACKOUT)
    attackers = _attackers(settings, policy)
    order = _order(every, settings, attackers, policy)
    tasks = [Sitting(source=p.files[0], output=p.files[0], files=p.files, made=p.made) for p in crowd.photos]
    rows: dict[int, Arrays] = {}
    digests: dict[int, list[str]] = {}
    failed: list[tuple[str, str]] = []
    place = {str(task.source): i for i, task in enumerate(tasks)}
    with Pool(order, min(workers, len(tasks)), program=_PROGRAM) as pool:
        for one in display(pool.run(tasks)):
            i = place[one.source]
            if one.status == "done":
                rows[i], digests[i] = unpack(base64.b64decode(one.found["rows"])), one.found["sha256"]
            else:
                failed.append((one.source, one.reason))
    kept, lonely = _kept(crowd, sorted(rows), failed)
    people = _people(crowd, kept, rows, digests)
    called = _called(attackers)
    evidence = [_evidence(number, one, [rows[i] for i in kept], called) for number, one in enumerate(every)]
    return Gathered(
        people,
        evidence[0],
        tuple(evidence[1:-1]),
        evidence[-1],
        {called[spec]: one for spec, one in attackers.items()},
        settings.finder or settings.looker,
        settings.looker,
        tuple(sorted(failed)),
        (*crowd.left_out, *lonely),
        _data_digest(people, [digests[i] for i in kept]),
        _versions(),
        round(time.perf_counter() - started, 1),
        {"seed": settings.seed, "filters": list(settings.filters), "layout": crowd.layout},
    )


# --- before ---------------------------------------------------------------------------------------------------------


def _attackers(settings: Settings, policy: Policy) -> dict[str, Attacker]:
    """The recognisers, each built once: what is wrong or missing shows before anything is started."""
    runtime = Runtime(policy.provider, 1, policy.allow_cloud)
    looker = detect.build("balanced", settings.looker, runtime)
    if not looker.gives_landmarks:
        raise RequestError(
            f"detector '{settings.looker}' gives no landmarks, by which attackers align faces",
            hint=f"--attacker-detector {LOOKER}, for one",
        )
    if settings.finder is not None:
        detect.build("balanced", settings.finder, runtime)
    made: dict[str, Attacker] = {}
    for text in settings.recognisers:
        recogniser = match.build(text, runtime)
        if recogniser.spec in made:
            raise RequestError(f"recogniser '{text}' is given twice")
        made[recogniser.spec] = _attacker(recogniser)
    if not made:
        raise RequestError("no recogniser is named", hint="known: faceveil recognisers")
    if settings.cache is not None:
        expect_folder(settings.cache)
    return made


def _attacker(one: Recogniser) -> Attacker:
    return Attacker(one.spec, one.title, one.metric, one.threshold, one.identity, one.terms)


def _called(attackers: dict[str, Attacker]) -> dict[str, str]:
    """What reports call each recogniser, by its spec: its title, or the spec where another has the same title."""
    titles = [one.title for one in attackers.values()]
    return {spec: one.title if titles.count(one.title) == 1 else spec for spec, one in attackers.items()}


def _order(every: Sequence[Condition], settings: Settings, attackers: dict[str, Attacker], policy: Policy) -> Order:
    specs = tuple(attackers)
    slow = [spec for spec in specs if spec.partition(":")[0] in SLOW]
    state = json.dumps([_code(), sorted(_versions().items()), [one.identity for one in attackers.values()]])
    return Order(
        policy=policy,
        conditions=tuple(every),
        recognisers=specs,
        looker=settings.looker,
        finder="" if settings.finder in (None, settings.looker) else settings.finder,
        wide=specs,
        patient=specs if settings.thorough else tuple(spec for spec in specs if spec not in slow),
        filters=settings.filters,
        seed=settings.seed,
        cache=settings.cache and settings.cache.absolute(),
        state=hashlib.sha256(state.encode()).hexdigest(),
    )


@once
def _code() -> str:
    """SHA-256 of all of this package's source: what it computes may change with any line."""
    root, digest = Path(faceveil.__file__).parent, hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        digest.update(f"{file.relative_to(root).as_posix()}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def _versions() -> dict[str, str]:
    found = {"faceveil": faceveil.__version__}
    for name in (*_CORES, "onnxruntime"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


# --- after ----------------------------------------------------------------------------------------------------------


def _kept(
    crowd: Crowd, done: Sequence[int], failed: Sequence[tuple[str, str]]
) -> tuple[list[int], tuple[tuple[str, str], ...]]:
    """Photos of people of whom enough is left, and the others with a reason. Raises `RequestError`."""
    if not done:
        file, reason = failed[0]
        raise RequestError(f"none of {len(failed)} photos could be measured: {file}: {reason}")
    counts: dict[str, int] = {}
    for i in done:
        counts[crowd.photos[i].person] = counts.get(crowd.photos[i].person, 0) + 1
    least = 1 if crowd.pairs is not None else 2
    kept = [i for i in done if counts[crowd.photos[i].person] >= least]
    if len({crowd.photos[i].person for i in kept}) < 2:
        raise RequestError(
            f"after {len(failed)} photos that could not be measured fewer than two people are left with {least} each: "
            f"{failed[0][0]}: {failed[0][1]}"
            if failed
            else "there are fewer than two people"
        )
    lonely = [str(crowd.photos[i].files[0]) for i in done if i not in set(kept)]
    return kept, tuple((file, "is the only photo of this person that could be measured") for file in lonely)


def _people(crowd: Crowd, kept: Sequence[int], rows: dict[int, Arrays], digests: dict[int, list[str]]) -> People:
    """Whom the pictures show that are left. Files of the same bytes are one photo."""
    names = tuple(sorted({crowd.photos[i].person for i in kept}))
    number = {name: at for at, name in enumerate(names)}
    known: dict[str, int] = {}
    person: list[int] = []
    photo: list[int] = []
    place: dict[int, int] = {}
    for i in kept:
        frames = rows[i]["frames"]
        same = next((known[digest] for digest in digests[i] if digest in known), len(known) and max(known.values()) + 1)
        known |= dict.fromkeys(digests[i], same)
        place[i] = len(person)
        person += [number[crowd.photos[i].person]] * len(frames)
        photo += [same] * len(frames)
    if crowd.pairs is None:
        return People(np.array(person, np.int64), np.array(photo, np.int64), names)
    pairs = [(place[a], place[b], same) for a, b, same in crowd.pairs if a in place and b in place]
    if not pairs:
        raise RequestError(f"none of the pairs of {crowd.path} could be measured")
    table = np.array(pairs, np.int64)
    return People(np.array(person, np.int64), np.array(photo, np.int64), names, table[:, :2], table[:, 2] == 1)


def _evidence(number: int, condition: Condition, rows: Sequence[Arrays], called: dict[str, str]) -> Evidence:
    """The rows of all photos in one condition, one below the other. called: names of recognisers by their specs."""
    mark = f"{number}:"
    names = [name.removeprefix(mark) for name in rows[0] if name.startswith(mark)]
    tracks = any(name.startswith(f"{mark}averaged:") for row in rows for name in row)
    table = {name: np.concatenate([row[mark + name] for row in rows]) for name in names if "averaged" not in name}
    seen = {
        name: Seen(table[f"given:{spec}"], table[f"own:{spec}"], table.get(f"wide:{spec}"))
        for spec, name in called.items()
    }
    denoised = {
        by: {name: table[f"{by}:{spec}"] for spec, name in called.items() if f"{by}:{spec}" in table} for by in FILTERS
    }
    geometry = {name: np.concatenate([row[name] for row in rows]) for name in ("box", "landmarks")}
    own = condition.kind == "painted"
    return Evidence(
        condition.name,
        condition.spec if own else None,
        condition.area if own else None,
        seen,
        {name: table[name] for name in FIELDS},
        geometry | ({"cover": table["cover"]} if condition.kind in ("painted", "anonymised") else {}),
        {name: by for name, by in denoised.items() if by},
        {name: _averaged(mark, spec, rows) for spec, name in called.items() if tracks},
        condition.kind,
        claim(condition),
    )


def _averaged(mark: str, spec: str, rows: Sequence[Arrays]) -> NDArray[np.float32]:
    """The embedding of the mean of each photo's frames, in each of their rows; of a single frame its own."""
    parts = []
    for row in rows:
        frames = len(row["frames"])
        one = row.get(f"{mark}averaged:{spec}")
        parts.append(row[f"{mark}given:{spec}"] if one is None else np.repeat(one, frames, axis=0))
    return np.concatenate(parts)


def _data_digest(people: People, digests: Sequence[list[str]]) -> str:
    """SHA-256 of the pictures' bytes and of which of them show one person, without anybody's name."""
    said = [people.person.tolist(), people.photo.tolist(), digests]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()
