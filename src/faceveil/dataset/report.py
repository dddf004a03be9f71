"""The machine-readable account of a run: one entry for each input, written whole at the end and as a journal before.

The journal (`REPORT.part`) gains one line for each finished input, so that a run that was killed can resume; it is
gone once the report stands.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from faceveil.dataset.wire import from_line, to_line
from faceveil.errors import Exit, OutputError, RequestError
from faceveil.media.atomic import publish

Status = Literal["done", "kept", "failed", "refused"]


class Outcome(BaseModel):
    """What became of one input.

    status: done; kept (an earlier output stands); failed or refused, with `reason`.
    faces: how many were found, in videos those that were followed; labels: of each label, where more than faces is
    covered; visible: how many of all these stay visible by the policy. frames: of a video.
    size, mtime_ns: of the source, to tell on a rerun whether it has changed.
    plan: plan lines, of `analyse`. found: what `check` found.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    output: str = ""
    status: Status
    faces: int = 0
    labels: dict[str, int] = {}
    visible: int = 0
    frames: int = 0
    ms: float = 0.0
    reason: str = ""
    notes: tuple[str, ...] = ()
    sha256: str = ""
    size: int = 0
    mtime_ns: int = 0
    policy: str = ""
    plan: tuple[str, ...] = ()
    found: dict[str, Any] = {}


class Totals(BaseModel):
    """Counts over a run."""

    model_config = ConfigDict(frozen=True)

    inputs: int
    done: int
    kept: int
    failed: int
    refused: int
    faces: int
    labels: dict[str, int] = {}
    ignored: int


class NamesKey(BaseModel):
    """The key of a run's neutral names (`dataset.names`), as the first line of its journal."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    names_key: str = Field(pattern="^[0-9a-f]{64}$", repr=False)


class Report(BaseModel):
    """A whole run. names_key: of its neutral names, where it has them."""

    model_config = ConfigDict(frozen=True)

    faceveil: str
    command: str
    policy: dict[str, Any]
    started: datetime
    finished: datetime
    interrupted: bool
    totals: Totals
    files: tuple[Outcome, ...]
    ignored: tuple[str, ...] = ()
    names_key: str = Field("", pattern="^([0-9a-f]{64})?$", repr=False)


def summed(labels: Iterable[dict[str, int]]) -> dict[str, int]:
    """How many of each label over several inputs, zeros included."""
    total: dict[str, int] = {}
    for one in labels:
        for label, count in one.items():
            total[label] = total.get(label, 0) + count
    return total


def exit_code(outcomes: list[Outcome], *, interrupted: bool = False) -> int:
    """The worst of a run: refused before failed before done. An interrupted run is 130, as shells have it."""
    if any(o.status == "refused" for o in outcomes):
        return Exit.REFUSED
    if any(o.status == "failed" for o in outcomes):
        return Exit.SOME_FAILED
    return 130 if interrupted else Exit.DONE


def _part_of(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _earlier(path: Path) -> tuple[list[Outcome], str]:
    """Outcomes of earlier runs with a report, and the key of their names. Raises `RequestError` for other files."""
    found: list[Outcome] = []
    key = ""
    try:
        if path.exists():
            report = from_line(Report, path.read_bytes())
            found, key = list(report.files), report.names_key
    except (ValueError, OSError):
        raise RequestError(
            f"'{path}' is there and is not a report of faceveil", hint="choose another name for --report"
        ) from None
    if not _part_of(path).exists():
        return found, key
    for line in _part_of(path).read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            found.append(from_line(Outcome, line))
        except ValueError:
            with suppress(ValueError):  # else the line that was being written when the run was killed
                key = from_line(NamesKey, line).names_key
    return found, key


def outcomes(path: Path) -> list[Outcome]:
    """Outcomes of earlier runs with this report, the newest of a source last; raises as `names_key`."""
    return _earlier(path)[0]


def names_key(path: Path | None) -> str:
    """The key of the neutral names of earlier runs with this report; empty where they had none.

    Raises:
        RequestError: the file is there and is not a report of faceveil.
    """
    return "" if path is None else _earlier(path)[1]


class Journal:
    """Collects the outcomes of a run; a context manager that ends in a whole report.

    `path` None keeps all in memory. names_key: with it the files are readable by their owner alone.
    """

    def __init__(
        self, path: Path | None, *, version: str, command: str, policy: dict[str, Any], names_key: str = ""
    ) -> None:
        self.outcomes: list[Outcome] = []
        self.ignored: list[Path] = []
        self.interrupted = False
        self._path = path
        self._part = None if path is None else _part_of(path)
        self._about = {"faceveil": version, "command": command, "policy": policy, "names_key": names_key}
        self._mode = 0o600 if names_key else 0o666
        self._key = names_key
        self._started = datetime.now(UTC)

    def earlier(self) -> dict[str, Outcome]:
        """Outcomes of earlier runs with this report, by source; those of the journal count too.

        Raises:
            RequestError: the file is there and is not a report of faceveil: it is not written over.
        """
        found = [] if self._path is None else outcomes(self._path)
        return {outcome.source: outcome for outcome in found}

    def __enter__(self) -> Self:
        if self._part is not None:
            try:
                self._part.parent.mkdir(parents=True, exist_ok=True)
                self._file = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_APPEND, self._mode)
                if self._key:  # before anything gets a name: a run that is killed must find its outputs again
                    os.fchmod(self._file, self._mode)
                    os.write(self._file, b"\n" + to_line(NamesKey(names_key=self._key)))
                    os.fsync(self._file)
            except OSError as error:
                raise RequestError(f"cannot write the report '{self._path}': {error.strerror}") from None
        return self

    def add(self, outcome: Outcome) -> None:
        """Record one outcome, at once."""
        self.outcomes.append(outcome.model_copy(update={"plan": ()}))
        if self._part is not None:
            try:
                os.write(self._file, b"\n" + to_line(self.outcomes[-1]))
            except OSError as error:
                raise OutputError(f"cannot write the report '{self._path}': {error.strerror}") from None

    def report(self) -> Report:
        """The account so far."""
        counts = Counter(o.status for o in self.outcomes)
        totals = Totals(
            inputs=len(self.outcomes),
            done=counts["done"],
            kept=counts["kept"],
            failed=counts["failed"],
            refused=counts["refused"],
            faces=sum(o.faces for o in self.outcomes),
            labels=summed(o.labels for o in self.outcomes),
            ignored=len(self.ignored),
        )
        return Report(
            **self._about,
            started=self._started,
            finished=datetime.now(UTC),
            interrupted=self.interrupted,
            totals=totals,
            files=tuple(sorted(self.outcomes, key=lambda o: o.source)),
            ignored=tuple(str(path) for path in self.ignored),
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._path is None or self._part is None:
            return
        os.close(self._file)
        if kind is not None:
            return  # the journal stays, a rerun resumes from it
        text = json.dumps(self.report().model_dump(mode="json", exclude_defaults=True), indent=1)
        publish(self._path, text.encode() + b"\n", overwrite=True, mode=self._mode)
        self._part.unlink()
