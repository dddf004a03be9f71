"""Finding faces: one file for each detector, and detectors made of detectors.

Importing this package loads no network, no onnxruntime and no cv2: presets are text until `build` is called.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from faceveil import plugins
from faceveil.errors import RequestError
from faceveil.types import FACE

if TYPE_CHECKING:
    from faceveil.detect.base import Detector
    from faceveil.detect.runtime import Runtime

__all__ = ["FINDERS", "PRESETS", "build", "make"]

_LOOK = "centerface(size={}, enlarge=2, precision=fp32, score_threshold=0.1)"
PRESETS = {
    "fast": "centerface:size=640",
    "balanced": "centerface",
    "thorough": (
        f"vote({_LOOK.format(640)}, flip({_LOOK.format(1280)}), rotate({_LOOK.format(1280)}, angles=[-25;25]), "
        f"{_LOOK.format(2048)}, score_threshold=0.183)"
    ),
}
"""How hard to look. What each finds, misses and costs: docs/detectors.md."""

FINDERS = {"plate": "plate-haar", "person": "person-hog"}
"""What looks for a label where no detector is named. Faces are looked for as the preset says."""


def build(
    preset: str,
    detector: str | None,
    runtime: Runtime,
    min_score: float | None = None,
    cover: tuple[str, ...] | None = (FACE,),
) -> Detector:
    """The detector that a preset or, where given, a spec describes, bound to `runtime`.

    Scores of faces are probabilities where the detector was measured (`faceveil.detect.scores`).

    min_score: regions below it are dropped, beside the detector's own threshold.
    cover: the labels that are looked for. It gives no others, and it gives all of them. None: whatever it finds.
    Raises `RequestError` for an unknown preset, a spec that is wrong, a label that nothing gives, or a spec that would
    send originals to a service without `runtime.cloud`; `MissingExtra` for a part not installed.
    """
    made = _of_preset(preset, cover or (FACE,)) if detector is None else _of_spec(detector, cover)
    from faceveil.detect.compose import Calibrated  # noqa: PLC0415  # loads OpenCV

    return Calibrated(detector=made, least=min_score or 0).on(runtime)


def _of_preset(preset: str, cover: tuple[str, ...]) -> Detector:
    """The preset for faces, and what finds each other label."""
    if preset not in PRESETS:
        raise RequestError(f"no preset is called '{preset}'", hint="known: " + ", ".join(PRESETS))
    specs = {FACE: PRESETS[preset], **FINDERS}
    for label in cover:
        if label not in specs:
            known = ", ".join(specs)
            hint = "describe a network that does: -d onnx:manifest=FILE.yml"
            raise RequestError(f"no detector of '{label}' comes with faceveil, only of {known}", hint=hint)
    parts = tuple(make(specs[label]) for label in cover)
    if len(parts) == 1:
        return parts[0]
    from faceveil.detect.compose import Union  # noqa: PLC0415  # loads OpenCV

    return Union(detectors=parts)


def _of_spec(spec: str, cover: tuple[str, ...] | None) -> Detector:
    """A detector by its spec, and of what it finds no more than is looked for."""
    made = make(spec)
    given = made.gives_labels
    for label in cover or ():
        if label not in given:
            unite = f"unite it with one that does, as in union({made.name}, {FINDERS.get(label)})"
            cure = unite if label in FINDERS else f"say cover={','.join(given)}"
            raise RequestError(f"detector '{made.spec}' finds {' and '.join(given)}, not {label}", hint=cure)
    if cover is None or set(given) <= set(cover):
        return made
    from faceveil.detect.only import Only  # noqa: PLC0415

    return Only(detector=made, label=cover)


def make(spec: str | plugins.Spec) -> Detector:
    """The detector that a spec describes. Presets stand for theirs: `thorough`, `union(thorough, yunet)`.

    Raises `RequestError` for a spec that is wrong, `MissingExtra` for a part not installed.
    """
    parsed = plugins.parse(spec) if isinstance(spec, str) else spec
    return cast("Detector", plugins.make(plugins.DETECT, _spelled_out(parsed)))


def _spelled_out(spec: plugins.Spec) -> plugins.Spec:
    """The spec with those of presets in place of their names."""
    if spec.name not in PRESETS:
        return replace(spec, nested=tuple(map(_spelled_out, spec.nested)))
    if spec.settings or spec.nested:
        raise RequestError(f"the preset '{spec.name}' has no settings", hint=f"it stands for {PRESETS[spec.name]}")
    return plugins.parse(PRESETS[spec.name])
