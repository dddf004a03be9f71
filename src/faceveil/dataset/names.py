"""Neutral names: outputs whose names, folders and times say nothing of their originals.

`IMG_20240312_Anna.jpg` names a day and a person. With `--neutral-names` a file is called after an HMAC of its source's
path, under a key that is random for each report. Whoever has the outputs alone cannot try names against it, as against
a plain hash. Whoever has the report has the mapping and the key: it is personal data, and only its owner can read it.
A rerun with the same report finds the same names, so it resumes; without a report the key is forgotten with the run.
"""

from __future__ import annotations

import hmac
import os
import random
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from faceveil.dataset.report import Outcome, names_key, outcomes
from faceveil.dataset.task import Task
from faceveil.errors import RequestError

NEUTRAL_TIME = 315_619_200  # 1980-01-02 00:00 UTC: zip archives begin with 1980, in whatever time zone they are packed
_DIGITS = 16  # hexadecimal: of a million files two get the same name with a probability of 3 in 100 million


@dataclass(frozen=True, slots=True)
class NeutralNames:
    """The names of one output folder. key: 32 bytes in hexadecimal."""

    folder: Path
    key: str = field(repr=False)

    @classmethod
    def of(cls, output: Path | None, report: Path | None) -> Self:
        """The names that an earlier run with this report used, or new ones for an empty folder.

        Raises:
            RequestError: there is no folder to write to, or it holds files whose originals nobody can tell.
        """
        if output is None:
            raise RequestError("--neutral-names needs a folder of its own for the outputs", hint="--output FOLDER")
        if report is not None and Path(os.path.abspath(report)).is_relative_to(os.path.abspath(output)):
            raise RequestError(
                f"the report '{report}' names the originals, and would lie among the outputs in '{output}'",
                hint="keep it elsewhere",
            )
        earlier = names_key(report)
        if not earlier and output.is_dir() and any(output.iterdir()):
            if report is None:
                raise RequestError(
                    f"'{output}' is not empty, and without a report nobody can tell which originals are done",
                    hint="give the --report of the run that filled it, or an empty folder",
                )
            raise RequestError(
                f"'{output}' is not empty, and '{report}' does not know the names in it",
                hint="give the --report of the run that filled it, or an empty folder",
            )
        return cls(output, earlier or secrets.token_hex(32))

    def stem(self, source: Path) -> str:
        """What the output of a source is called, without its suffix."""
        path = os.fsencode(os.path.abspath(source))
        return hmac.new(bytes.fromhex(self.key), path, "sha256").hexdigest()[:_DIGITS]

    def shuffled(self, tasks: list[Task]) -> list[Task]:
        """The tasks in a random order: the order of files in a folder tells the order of writing."""
        order = list(tasks)
        random.SystemRandom().shuffle(order)
        return order

    def settled(self, outcome: Outcome) -> Outcome:
        """The outcome, once the times of its output are neutral; a failure where they cannot be set."""
        if not outcome.output:
            return outcome
        try:
            os.utime(outcome.output, (NEUTRAL_TIME, NEUTRAL_TIME))
        except OSError as error:
            reason = f"is written to '{outcome.output}', but its times cannot be made neutral: {error.strerror}"
            return outcome.model_copy(update={"status": "failed", "reason": reason})
        return outcome

    def close(self) -> None:
        """Make the times of the folder neutral too, unless it is another user's, whose times say nothing of this."""
        with suppress(OSError):
            os.utime(self.folder, (NEUTRAL_TIME, NEUTRAL_TIME))


def originals(report: Path) -> dict[str, Path]:
    """The original of each output by its name, from the report of a run. Raises `RequestError` for another file."""
    if not names_key(report):
        raise RequestError(f"'{report}' is no report of a run with --neutral-names")
    earlier = outcomes(report)
    return {Path(outcome.output).name: Path(outcome.source) for outcome in earlier if outcome.output}


def expect_plain(report: Path | None) -> None:
    """Raise where a run without neutral names would take over the report, and so the outputs, of one with them."""
    if names_key(report):
        raise RequestError(
            f"'{report}' is of a run with --neutral-names, and this one would name outputs after their originals",
            hint="add --neutral-names, or choose another --report",
        )


def names_for(output: Path | None, report: Path | None, *, neutral: bool) -> NeutralNames | None:
    """The names of the outputs, where they are neutral. Raises `RequestError` where that cannot be."""
    if neutral:
        return NeutralNames.of(output, report)
    expect_plain(report)
    return None
