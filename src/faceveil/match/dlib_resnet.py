"""dlib's recogniser: a residual network of 29 layers, embeddings whose Euclidean distance tells people apart."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import dlib
import numpy as np

from faceveil.detect.loading import loading
from faceveil.match.align import Alignment
from faceveil.match.base import Metric, Recogniser, summed
from faceveil.models import store

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.detect.runtime import Runtime
    from faceveil.types import Floats

MODEL = "dlib-resnet"
SIDE = 150  # px
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
        """The network's sum and dlib's version."""
        return summed(store.path(MODEL)), f"dlib {version('dlib-bin')}"

    def on(self, runtime: Runtime) -> Self:
        """This recogniser bound to a number of threads; it uses one. Raises `MissingExtra`."""
        store.path(MODEL)  # before anything is started
        return super().on(runtime)

    def _embed(self, chips: NDArray[np.uint8]) -> Floats:
        path = store.path(MODEL)
        network = _network(path, path.stat().st_mtime_ns)
        parts = [list(chips[i : i + BATCH]) for i in range(0, len(chips), BATCH)]
        rows = [row for part in parts for row in network.compute_face_descriptor(part)]
        return np.array(rows, np.float32).reshape(len(chips), 128)


@lru_cache(maxsize=2)
def _network(path: Path, _mtime_ns: int) -> Any:
    with loading(MODEL):
        return dlib.face_recognition_model_v1(str(path))
