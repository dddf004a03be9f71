"""dlib's recogniser: a residual network of 29 layers, embeddings whose Euclidean distance tells people apart.

Its published weights are run by ONNX Runtime (`dlib_network`): dlib itself need not be installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from faceveil.detect.runtime import session
from faceveil.match.align import Alignment
from faceveil.match.base import Metric, Recogniser, summed
from faceveil.match.dlib_network import EMBEDDING, SIDE, as_onnx
from faceveil.models import store

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.detect.runtime import Runtime
    from faceveil.types import Floats

MODEL = "dlib-resnet"
POINTS = ((47.5, 47.0), (102.1, 47.0), (74.8, 79.2), (51.5, 104.1), (97.5, 104.1))
"""Where CenterFace's landmarks lie in the chips of dlib's own alignment (`get_face_chip` by its five points): medians
over faces of LFW, made symmetric. Aligned so, the EER on 1,651 pairs of LFW is 1.2 %, and at .6 FMR is .5 % and FNMR
2.6 %; with dlib's own alignment 1.5, .6 and 3.1 %. So any detector with landmarks will do, without a second model.
"""
BATCH = 8  # chips at once: it keeps the activations of a whole call


class Dlib(Recogniser):
    """Embeddings of 128 numbers by dlib's residual network; two faces nearer than 0.6 are taken for one person's.

    Source: King, High Quality Face Recognition with Deep Metric Learning, 2017; dlib_face_recognition_resnet_model_v1.
    """

    name: ClassVar[str] = "dlib"
    licence: ClassVar[str] = (
        "CC0-1.0: free for any use; trained by the author of dlib on VGG, FaceScrub and pictures from the web, whose "
        "pictures are for research."
    )
    weights: ClassVar[tuple[str, ...]] = (MODEL,)

    @property
    def alignment(self) -> Alignment:
        """As dlib's own chips lie."""
        return Alignment(SIDE, POINTS)

    @property
    def metric(self) -> Metric:
        """Euclidean: embeddings are of unlike lengths."""
        return "euclidean"

    @property
    def threshold(self) -> float | None:
        """As dlib's author says."""
        return 0.6

    @property
    def sources(self) -> tuple[str, ...]:
        """The network's sum and the runtime's version."""
        from importlib.metadata import version  # noqa: PLC0415  (6 ms that embeddings do not need)

        runtime = "openvino" if self._runtime.provider == "openvino" else "onnxruntime"
        return summed(store.path(MODEL)), f"{runtime} {version(runtime)}"

    def on(self, runtime: Runtime) -> Self:
        """This recogniser bound to an execution provider and a number of threads.

        Raises `MissingExtra` for a model that is not installed or damaged: that shows before anything is started.
        """
        bound = super().on(runtime)
        bound(np.zeros((1, SIDE, SIDE, 3), np.uint8))
        return bound

    def _embed(self, chips: NDArray[np.uint8]) -> Floats:
        network = session(MODEL, self._runtime, convert=as_onnx)
        rows = [np.zeros((0, EMBEDDING), np.float32)]
        for start in range(0, len(chips), BATCH):
            part = np.ascontiguousarray(chips[start : start + BATCH].transpose(0, 3, 1, 2), np.float32)
            rows += network.run(["embeddings"], {"chips": part})
        return np.concatenate(rows)
