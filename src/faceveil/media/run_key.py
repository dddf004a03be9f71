"""The key of a run: what makes new identifiers the same within a run, and unlinkable after it.

Worker processes of one batch share the key (`dataset.task.Setup.key`); it is written to no file.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256

_key = secrets.token_bytes(32)


def use(key: str) -> None:
    """Take the key of the run, in hexadecimal, instead of this process's own."""
    global _key  # noqa: PLW0603  # one run, one key: codecs are called without any context
    _key = bytes.fromhex(key)


def digest(text: str) -> bytes:
    """32 bytes that depend on the text and the run. Without the key no text can be tried against them."""
    return hmac.digest(_key, text.encode(), sha256)
