"""Recognisers whose network is an ONNX file: models of the catalogue, or the user's own by a manifest."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import PrivateAttr

from faceveil.detect.runtime import Network, Runtime, session, told
from faceveil.errors import RequestError
from faceveil.match.base import Metric, Recogniser, summed
from faceveil.match.manifest import Manifest, read
from faceveil.match.recipe import Box, Recipe
from faceveil.models import store
from faceveil.models.catalogue import CATALOGUE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.match.align import Alignment
    from faceveil.types import Floats

TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
BATCH = 32  # chips at once, where a network takes any number

Model = Literal["mobilefacenet", "sface", "arcface", "facenet"]

_SIGNED = Recipe(mean=(127.5,) * 3, std=(127.5,) * 3)
RECIPES: Mapping[str, Recipe] = {
    "mobilefacenet": _SIGNED,
    # InsightFace, recognition/arcface_torch: RGB in [-1, 1].
    "arcface": _SIGNED,
    # OpenCV's FaceRecognizerSF: RGB of 0 to 255, which the network scales itself; 0.363 of cosine similarity.
    "sface": Recipe(threshold=1 - 0.363),
    # davidsandberg/facenet: the middle 160 of pictures of 182 px with a margin of 44; each standardised.
    "facenet": Recipe(side=160, align=Box(margin=0.08), standardise=True),
}
"""How to run each model of the catalogue."""


class Onnx(Recogniser):
    """Embeddings by a network in an ONNX file: a model of the catalogue, or what a manifest describes.

    Source: Deng et al., ArcFace, 2019; Chen et al., MobileFaceNets, 2018; Zhong et al., SFace, 2021; Schroff et al.,
    FaceNet, 2015.
    """

    name: ClassVar[str] = "onnx"
    licence: ClassVar[str] = "as its manifest or the catalogue says: whoever brings a network answers for its terms."
    weights: ClassVar[tuple[str, ...]] = tuple(RECIPES)

    model: Model | None = None
    """The network: a model of the catalogue."""
    manifest: Path | None = None
    """The YAML file that describes a network of the user's own."""
    mirror: bool = True
    """A face counts together with its mirror image: the mean of both embeddings, in twice the time. On 1,651 pairs of
    LFW the EER of MobileFaceNet is 1.0 % with it and .9 % without; docs/privacy.md has figures with it."""

    _recipe: Recipe = PrivateAttr()
    _file: str | Path = PrivateAttr()

    def model_post_init(self, context: Any) -> None:
        """Read the manifest. Raises `RequestError`."""
        super().model_post_init(context)
        if self.manifest is not None and self.model is None:
            described: Manifest = read(self.manifest)
            self._recipe, self._file = described, described.file
        elif self.model is not None and self.manifest is None:
            self._recipe, self._file = RECIPES[self.model], self.model
        else:
            raise RequestError(
                f"recogniser 'onnx': name a model ({', '.join(RECIPES)}) or a manifest",
                hint="onnx:model=mobilefacenet, for one",
            )

    @property
    def title(self) -> str:
        """The model's name, or the manifest's."""
        return self.model or (self.manifest.stem if self.manifest else self.name)

    @property
    def alignment(self) -> Alignment:
        """How a face lies in its chips."""
        return self._recipe.alignment

    @property
    def metric(self) -> Metric:
        """As the recipe says."""
        return self._recipe.metric

    @property
    def threshold(self) -> float | None:
        """As the recipe says."""
        return self._recipe.threshold

    @property
    def terms(self) -> str:
        """As the catalogue or the manifest says."""
        if isinstance(self._recipe, Manifest):
            return self._recipe.licence
        known = CATALOGUE[str(self.model)]
        return f"{known.licence}: {known.terms}"

    @property
    def sources(self) -> tuple[str, ...]:
        """The network's sum, how it is run, and the runtime's version."""
        from importlib.metadata import version  # noqa: PLC0415  (6 ms that embeddings do not need)

        path = store.path(self._file) if isinstance(self._file, str) else self._file
        runtime = "openvino" if self._runtime.provider == "openvino" else "onnxruntime"
        recipe = self._recipe.model_dump_json(include=set(Recipe.model_fields))
        return summed(path), recipe, f"{runtime} {version(runtime)}"

    def on(self, runtime: Runtime) -> Self:
        """This recogniser bound to an execution provider and a number of threads.

        Raises `MissingExtra` for a model that is not installed, and `RequestError` if the network does not fit its
        recipe: that shows before anything is started.
        """
        bound = super().on(runtime)
        side = self.alignment.side
        bound(np.zeros((1, side, side, 3), np.uint8))
        return bound

    def _embed(self, chips: NDArray[np.uint8]) -> Floats:
        found = self._lengthened(self._rows(chips))
        if self.mirror:
            found = self._lengthened(found + self._lengthened(self._rows(chips[:, :, ::-1])), 0.5)
        return found

    def _lengthened(self, rows: Floats, scale: float = 1.0) -> Floats:
        """Rows of length 1 where angles count, else `scale` times as long."""
        made: Floats = _unit(rows) if self.metric == "cosine" else rows * np.float32(scale)
        return made

    def _rows(self, chips: NDArray[np.uint8]) -> Floats:
        threads = self._runtime.threads
        network = session(self._file, replace(self._runtime, threads=1))
        port = self._port(network)
        size = port.shape[0] if isinstance(port.shape[0], int) and port.shape[0] > 0 else BATCH
        if size != 1 and isinstance(port.shape[0], int) and port.shape[0] > 0:
            raise self._unfit(f"takes {size} chips at once, and one or any number is needed")
        parts = [chips[i : i + size] for i in range(0, len(chips), size)]
        if threads == 1 or len(parts) < 2:
            rows = [self._run(network, port.name, TYPES[port.type], part) for part in parts]
        else:  # several networks of one thread are faster than one of several: small layers do not share well
            with ThreadPoolExecutor(threads or _cores()) as pool:
                rows = list(pool.map(lambda part: self._run(network, port.name, TYPES[port.type], part), parts))
        return np.concatenate(rows) if rows else np.zeros((0, 0), np.float32)

    def _port(self, network: Network) -> Any:
        """The network's only input. Raises `RequestError` where it does not take such chips."""
        ports = network.get_inputs()
        if len(ports) != 1 or ports[0].type not in TYPES:
            raise self._unfit(f"takes {len(ports)} inputs of {', '.join(p.type for p in ports)}, not one of pictures")
        shape, recipe = ports[0].shape, self._recipe
        wanted = (3, recipe.side, recipe.side) if recipe.layout == "nchw" else (recipe.side, recipe.side, 3)
        fits = len(shape) == 4 and all(
            not isinstance(have, int) or have <= 0 or have == want
            for have, want in zip(shape[1:], wanted, strict=False)
        )
        if not fits:
            raise self._unfit(f"takes {shape}, and its recipe gives chips of {list(wanted)}")
        return ports[0]

    def _run(self, network: Network, name: str, kind: Any, chips: NDArray[np.uint8]) -> Floats:
        names = [port.name for port in network.get_outputs()]
        wanted = self._recipe.output or names[0]
        if wanted not in names:
            raise self._unfit(f"has no output '{wanted}'; its outputs are {', '.join(names)}")
        try:
            (rows,) = network.run([wanted], {name: self._planes(chips, kind)})
        except Exception as error:  # what the runtimes raise shares no base but Exception
            if "alloc" in str(error):
                raise MemoryError from error
            raise self._unfit(f"fails on chips of {self.alignment.side} px: {told(error)}") from error
        found: Floats = np.asarray(rows, np.float32).reshape(len(chips), -1)
        if found.shape[1] < 2 or not np.isfinite(found).all():
            raise self._unfit(f"gives {np.shape(rows)} numbers for {len(chips)} chips, or some that are not finite")
        return found

    def _planes(self, chips: NDArray[np.uint8], kind: Any) -> NDArray[Any]:
        """Chips as the network takes them."""
        recipe = self._recipe
        ordered: NDArray[Any] = chips[..., ::-1] if recipe.colours == "bgr" else chips
        if recipe.standardise:
            flat = ordered.astype(np.float32)
            spread = np.maximum(flat.std((1, 2, 3), keepdims=True), 1 / np.sqrt(flat[0].size))  # as TensorFlow does
            values = (flat - flat.mean((1, 2, 3), keepdims=True)) / spread
        elif recipe.mean == (0, 0, 0) and recipe.std == (1, 1, 1):
            values = ordered
        else:
            values = (ordered - np.asarray(recipe.mean, np.float32)) / np.asarray(recipe.std, np.float32)
        if recipe.layout == "nchw":
            values = values.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(values, kind)

    def _unfit(self, why: str) -> RequestError:
        return RequestError(
            f"the network {self._file} does not fit: it {why}",
            hint="how a manifest describes a network: docs/recognisers.md",
        )


def _unit(rows: Floats) -> Floats:
    """Rows (n, d) of length 1; those of length 0 stay."""
    length = np.linalg.norm(rows, axis=1, keepdims=True) if rows.size else np.ones((len(rows), 1), np.float32)
    made: Floats = rows / np.maximum(length, np.float32(1e-12))
    return made


def _cores() -> int:
    import os  # noqa: PLC0415

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
