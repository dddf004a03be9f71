"""What can go wrong, as one tree. Each error is one sentence, an exit code and, where there is one, a cure.

FaceveilError                 exit
├── RequestError                2   the request is wrong; nothing was started
├── MissingExtra                3   an optional part is not installed
├── InputError                  1   this input cannot be processed; others can
│   ├── UnreadableError             not a picture, damaged or cut off
│   ├── UnsupportedError            a picture of a kind that is refused rather than half covered
│   ├── TooLargeError               more pixels than the cap
│   └── NoFaceError                 nobody is seen in a picture that is to be measured
├── OutputError                 1   the result cannot be written (disk full, no permission)
├── WorkerError                 1   a worker process died or ran out of time on this input
├── Refused                     4   done, but verification still sees a face or a leak
└── OutOfReach                  4   measured, but the target cannot be had; nothing was written
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class Exit(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    SOME_FAILED = 1
    WRONG_REQUEST = 2
    MISSING_PART = 3
    REFUSED = 4


class FaceveilError(Exception):
    """Base of all errors that faceveil raises on purpose.

    `hint` is the cure, as a command or a short phrase; it may be empty.
    """

    exit_code: ClassVar[Exit] = Exit.SOME_FAILED

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} — {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders in batches; the default would lose the hint.
        return _rebuild, (type(self), self.message, self.hint)


def _rebuild(kind: type[FaceveilError], message: str, hint: str) -> FaceveilError:
    return kind(message, hint=hint)


class RequestError(FaceveilError):
    """The option, policy, path or plan is wrong. Nothing was started."""

    exit_code = Exit.WRONG_REQUEST


class MissingExtra(FaceveilError):
    """An optional dependency is absent; the hint installs it."""

    exit_code = Exit.MISSING_PART


class InputError(FaceveilError):
    """One input cannot be processed. Other inputs of the batch can."""


class UnreadableError(InputError):
    """The bytes are not a picture, are damaged, or end too early."""


class UnsupportedError(InputError):
    """A kind of picture that is refused, because covering it would be incomplete."""


class TooLargeError(InputError):
    """More pixels than the cap; refused from the header, before decoding."""


class NoFaceError(InputError):
    """In an untouched picture the attacker's detector finds nobody."""


class OutputError(FaceveilError):
    """The result cannot be written. Nothing stands under the final name."""


class WorkerError(FaceveilError):
    """The worker process that handled this input died or ran out of time."""


class Refused(FaceveilError):
    """Verification still sees a face or a leak. The output is kept aside, not published."""

    exit_code = Exit.REFUSED


class OutOfReach(FaceveilError):
    """What was asked for cannot be had by what was measured. Nothing was written."""

    exit_code = Exit.REFUSED
