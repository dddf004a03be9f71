"""Detectors whose network lies in a file: pictures in, outputs read by their family, boxes in our convention."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import cv2
import numpy as np
from pydantic import Field

from faceveil.detect import boxes, pixels
from faceveil.detect.base import Detector
from faceveil.detect.families import Found, Unfit
from faceveil.detect.recipe import Input, Recipe
from faceveil.detect.runtime import Network, Port, Runtime, session, told
from faceveil.detect.scores import Calibration, calibrations
from faceveil.errors import RequestError
from faceveil.models import store
from faceveil.types import FACE, Frame, Regions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Floats

TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
AXES = {"nchw": (2, 3), "nhwc": (1, 2)}  # height and width
USUAL = 1280  # px, as CenterFace
FAR = 1e6  # px: no face has a corner there
SLACK = 1e-3  # how far a probability may lie outside of 0 to 1: half precision rounds


@dataclass(frozen=True, slots=True)
class Order:
    """What to run, and on what.

    file: a model's name in the catalogue, or a file. threshold: regions below this score are dropped. enlarge: how far
    pictures may be scaled up. size: longest side that they are scaled to, as the user asks, which only networks of any
    size can do. usual: that size where the user does not ask.
    """

    file: str | Path
    recipe: Recipe
    threshold: float
    enlarge: float = math.inf
    size: int | None = None
    usual: int | None = None


class NetworkDetector(Detector):
    """What detectors of one network share. Subclasses say which network, and how to run it."""

    @property
    @abstractmethod
    def order(self) -> Order:
        """What to run, and on what."""

    @property
    def gives_landmarks(self) -> bool:
        """Whether the network that was chosen gives five landmarks."""
        return self.order.recipe.landmarks is not None

    @property
    def gives_labels(self) -> tuple[str, ...]:
        """What the regions of the network that was chosen may be."""
        return self.order.recipe.words

    def __call__(self, frame: Frame) -> Regions:
        """What it finds in one frame, best score first. Raises `RequestError` for a network that does not fit."""
        order = self.order
        recipe, wanted = order.recipe, order.recipe.input
        axes = AXES[wanted.layout]
        network = session(order.file, self._runtime, axes if wanted.free else None)
        try:
            port = _only(network.get_inputs())
            view = _view(frame, wanted, _fixed(port, wanted.layout), order)
            given = _run(network, port.name, _planes(frame, view, wanted, TYPES[port.type]), view)
            with np.errstate(all="ignore"):  # what is not finite is complained about
                found = recipe.decoder.read(_sorted(recipe, given), (view.width, view.height), order.threshold)
            return _regions(_checked(found), recipe, view.scale)
        except Unfit as error:
            raise RequestError(
                f"the network {order.file} is not of the family '{recipe.decoder.family}': it {error}",
                hint="how a manifest describes a network: docs/detectors.md",
            ) from None


class StoredDetector(NetworkDetector):
    """A detector whose networks are models of the catalogue."""

    recipes: ClassVar[Mapping[str, Recipe]]
    """How to run each model."""

    model: str
    """The network: a model of the catalogue."""
    score_threshold: float = Field(0.5, ge=0.01, le=1)
    """Faces below this score are dropped."""

    @property
    def order(self) -> Order:
        """What to run, and on what."""
        return Order(self.model, self.recipes[self.model], self.score_threshold)

    @property
    def files(self) -> tuple[Path, ...]:
        """The network's file. Raises `MissingExtra`."""
        return (store.path(self.model),)

    @property
    def calibration(self) -> Calibration | None:
        """What the scores of the network that was chosen mean, where that was measured."""
        return calibrations().get(self.model)

    def on(self, runtime: Runtime) -> Self:
        """This detector bound to an execution provider and a number of threads. Raises `MissingExtra`."""
        store.path(self.model)  # before anything is started
        return super().on(runtime)


class SizedDetector(StoredDetector):
    """One whose networks take pictures of any size, or some of them."""

    size: int | None = Field(None, ge=32, le=16384)
    """Longest side in pixels that the picture is scaled to."""
    enlarge: float = Field(1.5, ge=1, le=8)
    """How far a small picture may be scaled up."""

    @property
    def order(self) -> Order:
        """What to run, and on what."""
        return replace(super().order, enlarge=self.enlarge, size=self.size, usual=USUAL)


# --- pictures -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class View:
    """A picture in a network's input: its size there, the input's size, and the scales in x and y."""

    inner: tuple[int, int]
    width: int
    height: int
    scale: Floats


def _only(ports: list[Port]) -> Port:
    if len(ports) != 1:
        raise Unfit(f"should take one input and takes {len(ports)}")
    if ports[0].type not in TYPES:
        raise Unfit(f"should take pictures of {', '.join(TYPES)} and takes {ports[0].type}")
    return ports[0]


def _fixed(port: Port, layout: str) -> tuple[int, int] | None:
    """Width and height that a network takes; None where it takes any."""
    shape = [side if isinstance(side, int) and side > 0 else None for side in port.shape]
    if len(shape) != 4:
        raise Unfit(f"should take inputs of four axes ({layout}) and takes {len(shape)}")
    high, wide = AXES[layout]
    if shape[0] not in (1, None) or shape[6 - high - wide] not in (3, None):
        raise Unfit(f"should take one picture of three channels ({layout}) and takes {port.shape}")
    height, width = shape[high], shape[wide]
    if (height is None) != (width is None):
        raise Unfit(f"should take one size or any and takes {port.shape}")
    return None if height is None or width is None else (width, height)


def _view(frame: Frame, wanted: Input, fixed: tuple[int, int] | None, order: Order) -> View:
    """How a frame lies in the input: in the upper left, its proportions kept, or stretched over all of it."""
    sides = frame.width, frame.height
    side = order.size or order.usual or 0
    if not (fixed or side):
        raise Unfit("takes pictures of any size, so a 'size' is needed: the longest side they are scaled to")
    if fixed is not None and order.size is not None:
        raise Unfit(f"takes pictures of {fixed[0]} x {fixed[1]} alone, so no 'size' can be set")
    room = fixed or (side, side)
    factor = min(room[0] / sides[0], room[1] / sides[1], order.enlarge)
    width, height = (max(1, round(side * factor)) for side in sides)
    outer = fixed or (width + -width % wanted.step, height + -height % wanted.step)
    inner = outer if wanted.fit == "stretch" else (min(width, outer[0]), min(height, outer[1]))
    return View(inner, *outer, np.array([inner[0] / sides[0], inner[1] / sides[1]], np.float32))


def _planes(frame: Frame, view: View, wanted: Input, kind: Any) -> NDArray[Any]:
    """The picture as the network takes it, (1, 3, H, W) or (1, H, W, 3)."""
    plain = wanted.mean == (0, 0, 0) and wanted.std == (1, 1, 1)
    if kind is np.uint8 and not plain:
        raise Unfit("takes bytes, so there can be neither 'mean' nor 'std'")
    small = pixels.resize(pixels.eight_bit(frame), *view.inner)
    below, beside = view.height - view.inner[1], view.width - view.inner[0]
    padded = cv2.copyMakeBorder(small, 0, below, 0, beside, cv2.BORDER_CONSTANT, value=(wanted.fill,) * 3)
    channels = cv2.split(padded)  # a seventh of the time of transposing in numpy
    if wanted.colours == "bgr":
        channels = channels[::-1]
    planes = np.empty((3, view.height, view.width), kind)
    for plane, channel, mean, std in zip(planes, channels, wanted.mean, wanted.std, strict=True):
        plane[:] = channel if plain else (channel - np.float32(mean)) * np.float32(1 / std)
    return planes[None] if wanted.layout == "nchw" else np.ascontiguousarray(planes.transpose(1, 2, 0))[None]


# --- outputs --------------------------------------------------------------------------------------------------------


def _run(network: Network, name: str, planes: NDArray[Any], view: View) -> dict[str, NDArray[Any]]:
    """All outputs by name. Raises `Unfit` where the network fails on what fits its declared input."""
    names = [port.name for port in network.get_outputs()]
    try:
        return dict(zip(names, network.run(names, {name: planes}), strict=True))
    except Exception as error:  # what the runtimes raise shares no base but Exception
        if "alloc" in str(error):
            raise MemoryError from error
        raise Unfit(f"fails on a picture of {view.width} x {view.height}: {told(error)}") from error


def _sorted(recipe: Recipe, given: dict[str, NDArray[Any]]) -> dict[str, list[NDArray[Any]]]:
    """The outputs by their role in the family: as the recipe names them, or as the family tells them."""
    if not recipe.outputs:
        return recipe.decoder.sort(list(given.values()))
    for name in (name for names in recipe.outputs.values() for name in names):
        if name not in given:
            raise Unfit(f"has no output '{name}'; its outputs are {', '.join(given)}")
    return {role: [given[name] for name in names] for role, names in recipe.outputs.items()}


def _checked(found: Found) -> Found:
    """Candidates as they must be. Raises `Unfit` for those of a network that was read wrongly."""
    if not np.isfinite(found.score).all() or not np.isfinite(found.xyxy).all():
        raise Unfit("gives numbers that are not finite")
    marks = np.zeros(1) if found.landmarks is None else found.landmarks
    if not np.isfinite(marks).all() or max(np.abs(marks).max(initial=0), np.abs(found.xyxy).max(initial=0)) > FAR:
        raise Unfit("gives points that lie outside of any picture")
    if (found.score > 1 + SLACK).any():
        raise Unfit(f"gives scores of up to {found.score.max():.3g}, which are no probabilities")
    if (found.xyxy[:, 2:] < found.xyxy[:, :2]).any():
        raise Unfit("gives boxes whose right or lower side comes first")
    return found


def _regions(found: Found, recipe: Recipe, scale: Floats) -> Regions:
    """One region in the frame's pixels for each thing that the candidates show."""
    words, found = _named(found, recipe)
    kept, means = _single(found, words, recipe)
    xyxy, words = (means / np.tile(scale, 2)).astype(np.float32), words[kept]
    faces = words == FACE
    xyxy[faces] = recipe.box.converted(xyxy[faces])
    marks = None
    if recipe.landmarks is not None:
        if found.landmarks is None:
            raise Unfit("gives no landmarks, though 'landmarks' says in which order")
        marks = found.landmarks[kept][:, list(recipe.landmarks)] / scale
    return Regions(xyxy, found.score[kept].clip(0, 1), marks, label=None if faces.all() else words)


def _named(found: Found, recipe: Recipe) -> tuple[NDArray[np.str_], Found]:
    """What each candidate is, (n,), and the candidates without those that do not matter."""
    labels = recipe.labels
    kind = np.zeros(len(found.score), np.int64) if found.kind is None else found.kind
    if isinstance(labels, tuple) and found.classes not in (None, len(labels)):
        raise Unfit(f"has {found.classes} classes, and 'labels' are {len(labels)}")
    if isinstance(labels, tuple) and len(kind) and kind.max() >= len(labels):
        raise Unfit(f"gives a class {kind.max()}, and 'labels' are 0 to {len(labels) - 1}")
    words = dict(labels) if isinstance(labels, dict) else dict(enumerate(labels))
    matters = np.array([words.get(int(i)) is not None for i in kind], bool)
    marks = None if found.landmarks is None else found.landmarks[matters]
    kept = Found(found.xyxy[matters], found.score[matters], marks)
    return np.array([words[int(i)] for i in kind[matters]], np.str_), kept


def _single(found: Found, words: NDArray[np.str_], recipe: Recipe) -> tuple[NDArray[np.intp], Floats]:
    """One candidate for each thing, best score first, and their boxes (k, 4), averaged where the recipe says so."""
    if recipe.nms is None:
        kept = np.argsort(-found.score, kind="stable")
        return kept, found.xyxy[kept].astype(np.float32)
    stays, means = [np.zeros(0, np.intp)], [np.zeros((0, 4), np.float32)]
    for word in dict.fromkeys(words.tolist()):
        mine = np.flatnonzero(words == word)
        xyxy, score = found.xyxy[mine], found.score[mine]
        best = boxes.best(xyxy, score, recipe.nms)
        stays.append(mine[best])
        means.append(xyxy[best] if recipe.voting is None else boxes.voted(xyxy, score, best, recipe.voting))
    kept, mean = np.concatenate(stays), np.concatenate(means).astype(np.float32)
    order = np.argsort(-found.score[kept], kind="stable")
    return kept[order], mean[order]
