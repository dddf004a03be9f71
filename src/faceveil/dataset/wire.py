"""Records as JSON lines, between processes and in files.

Through Python's own json and not pydantic's: file names that are not text (surrogate escapes) must pass, and it
escapes them.
"""

from __future__ import annotations

import json
from typing import TypeVar

from pydantic import BaseModel

Record = TypeVar("Record", bound=BaseModel)


def to_line(record: BaseModel) -> bytes:
    """One line of ASCII, with its end."""
    return json.dumps(record.model_dump(mode="json")).encode("ascii") + b"\n"


def from_line(kind: type[Record], line: bytes | str) -> Record:
    """The record in a line. Raises `ValueError` where it is not one."""
    return kind.model_validate(json.loads(line))
