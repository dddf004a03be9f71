"""Finding faces: one file for each detector, and detectors made of detectors.

Importing this package loads no network, no onnxruntime and no cv2: presets are text until `build` is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from faceveil import plugins
from faceveil.errors import RequestError

if TYPE_CHECKING:
    from faceveil.detect.base import Detector
    from faceveil.detect.runtime import Runtime

__all__ = ["PRESETS", "build"]

PRESETS = {
    "fast": "centerface:size=640",
    "balanced": "centerface",
    "thorough": (
        "union(flip(scales(centerface(precision=fp32, enlarge=2, score_threshold=0.24), sizes=[640;1280;2048])), "
        "mtcnn(min_size=20))"
    ),
}
"""How hard to look. What each finds, misses and costs: docs/detectors.md."""


def build(preset: str, detector: str | None, runtime: Runtime, min_score: float | None = None) -> Detector:
    """The detector that a preset or, where given, a spec describes, bound to `runtime`.

    min_score: regions below it are dropped, beside the detector's own threshold.
    Raises `RequestError` for an unknown preset, a spec that is wrong, or one that would send originals to a service
    without `runtime.cloud`; `MissingExtra` for a part not installed.
    """
    if detector is None and preset not in PRESETS:
        raise RequestError(f"no preset is called '{preset}'", hint="known: " + ", ".join(PRESETS))
    made = cast("Detector", plugins.make(plugins.DETECT, PRESETS[preset] if detector is None else detector))
    if min_score is not None:
        from faceveil.detect.compose import AtLeast  # noqa: PLC0415  # pulls in numpy only when it is used

        made = AtLeast(detector=made, least=min_score)
    return made.on(runtime)
