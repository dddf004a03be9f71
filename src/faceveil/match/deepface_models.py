"""Recognisers of the package deepface, where a user has installed it: VGG-Face, Facenet512, ArcFace and others."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np

from faceveil.errors import MissingExtra
from faceveil.match.align import ARCFACE_SIDE, Alignment, arcface
from faceveil.match.base import Metric, Recogniser, summed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.detect.runtime import Runtime
    from faceveil.types import Floats

Model = Literal["VGG-Face", "Facenet", "Facenet512", "OpenFace", "DeepID", "ArcFace", "SFace", "GhostFaceNet"]

FILES: dict[str, str] = {
    "VGG-Face": "vgg_face_weights.h5",
    "Facenet": "facenet_weights.h5",
    "Facenet512": "facenet512_weights.h5",
    "OpenFace": "openface_weights.h5",
    "DeepID": "deepid_keras_weights.h5",
    "ArcFace": "arcface_weights.h5",
    "SFace": "face_recognition_sface_2021dec.onnx",
    "GhostFaceNet": "ghostfacenet_v1.h5",
}
"""What deepface keeps the weights of each model as, below its home."""

ALIGNED = ("ArcFace", "SFace", "GhostFaceNet")  # trained on faces turned upright; the others on boxes
SIDES = {"ArcFace": ARCFACE_SIDE, "SFace": ARCFACE_SIDE, "GhostFaceNet": ARCFACE_SIDE, "OpenFace": 96}
SIDE = 160  # px, of the others: none of them looks at less than 47 or at more than 224
MARGIN = 0.1  # of the face's box to each side; what deepface's own detectors leave around a face


class DeepFace(Recogniser):
    """Embeddings by a model of the package deepface, which is not part of faceveil and brings TensorFlow.

    Its own detectors are not asked: faces are cut out as for every recogniser here. Its weights are not fetched either:
    deepface does that when it is asked to build a model.
    Source: Serengil and Ozpinar, LightFace, 2020; https://github.com/serengil/deepface.
    """

    name: ClassVar[str] = "deepface"
    licence: ClassVar[str] = (
        "as deepface says of each model: its code is MIT, the weights have terms of their own, many for research alone."
    )

    model: Model = "Facenet512"
    """The model, as deepface calls it."""

    @property
    def title(self) -> str:
        """The model's name."""
        return self.model

    @property
    def alignment(self) -> Alignment:
        """Turned upright, or the box with a margin, as the model was trained."""
        side = SIDES.get(self.model, SIDE)
        return arcface(side) if self.model in ALIGNED else Alignment(side, margin=MARGIN)

    @property
    def metric(self) -> Metric:
        """Angles, as deepface compares by default."""
        return "cosine"

    @property
    def sources(self) -> tuple[str, ...]:
        """The weights' sum and deepface's version."""
        return summed(_weights(self.model)), f"deepface {_installed()}"

    def on(self, runtime: Runtime) -> Self:
        """This recogniser, ready. Raises `MissingExtra` without the package, or without the model's weights."""
        _installed()
        _weights(self.model)
        return super().on(runtime)

    def _embed(self, chips: NDArray[np.uint8]) -> Floats:
        _installed()
        from deepface import DeepFace as theirs  # noqa: N813, PLC0415  (imports TensorFlow: seconds)

        rows = []
        for chip in chips:
            # BGR, as deepface reads files.
            found: Any = theirs.represent(
                np.ascontiguousarray(chip[..., ::-1]),
                model_name=self.model,
                detector_backend="skip",
                enforce_detection=False,
                align=False,
            )
            rows.append(np.asarray(found[0]["embedding"], np.float32))
        made = np.stack(rows) if rows else np.zeros((0, 0), np.float32)
        length = np.linalg.norm(made, axis=1, keepdims=True) if made.size else np.ones((len(made), 1))
        return np.asarray(made / np.maximum(length, 1e-12), np.float32)


def _installed() -> str:
    """The version of deepface. Raises `MissingExtra` where it is not installed."""
    cure = (
        "pip install deepface tf-keras, in an environment of its own: it brings another OpenCV, which replaces this one"
    )
    if find_spec("deepface") is None:
        raise MissingExtra("recogniser 'deepface' needs the package deepface", hint=cure)
    try:
        return version("deepface")
    except PackageNotFoundError:
        return "of unknown version"


def _weights(model: str) -> Path:
    """The file that deepface reads. Raises `MissingExtra` where it is not there: deepface would fetch it."""
    file = Path(os.environ.get("DEEPFACE_HOME", Path.home())) / ".deepface" / "weights" / FILES[model]
    if not file.is_file():
        hint = f"python -c \"from deepface import DeepFace; DeepFace.build_model('{model}')\" fetches them"
        raise MissingExtra(f"the weights of deepface's {model} are not in {file.parent}", hint=hint)
    return file
