"""Whose face it is: one file for each recogniser. They measure what others could do; nothing here searches for people.

Importing this package loads no network, no onnxruntime and no cv2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from faceveil import plugins

if TYPE_CHECKING:
    from faceveil.detect.runtime import Runtime
    from faceveil.match.base import Recogniser

__all__ = ["build"]


def build(spec: str, runtime: Runtime) -> Recogniser:
    """The recogniser that a spec describes, bound to `runtime`.

    Raises `RequestError` for a spec that is wrong, `MissingExtra` for a part or a model that is not installed.
    """
    return cast("Recogniser", plugins.make(plugins.MATCH, spec)).on(runtime)
