"""faceveil de-identifies the faces in pictures, and proves it.

    import faceveil

    faceveil.veil("photo.jpg")                        # writes photo_veiled.jpg
    covered = faceveil.veil(pixels, method="solid")   # RGB array in, RGB array out

`veil` finds and covers; `analyse` finds and returns a `Plan` to review and edit; `apply` covers what a plan names.
Importing this module loads nothing heavy; the parts come when they are first used.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from faceveil.pipeline import Veiled, analyse, apply, veil
    from faceveil.policy import Area, Policy
    from faceveil.types import Frame, FramePlan, Plan, Regions

__version__ = "0.1.0"

# From 1.29 on ONNX Runtime reports to its makers from Linux and macOS, too, and keeps an identifier of the machine for
# that; it decides when it is imported. faceveil's work is nobody's business. Processes that it starts inherit this.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_HOME = {
    "Area": "policy",
    "Frame": "types",
    "FramePlan": "types",
    "Plan": "types",
    "Policy": "policy",
    "Regions": "types",
    "Veiled": "pipeline",
    "analyse": "pipeline",
    "apply": "pipeline",
    "veil": "pipeline",
}

__all__ = [
    "Area",
    "Frame",
    "FramePlan",
    "Plan",
    "Policy",
    "Regions",
    "Veiled",
    "analyse",
    "apply",
    "veil",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'faceveil' has no attribute '{name}'")
    return getattr(import_module(f"faceveil.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
