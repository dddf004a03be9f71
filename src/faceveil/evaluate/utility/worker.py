"""A worker process that paints labelled pictures in every way and tells what models need of them."""

from __future__ import annotations

import base64
import sys
import time
from functools import cache as once
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np

from faceveil import detect, media
from faceveil.dataset.report import Outcome
from faceveil.dataset.task import Setup, Task
from faceveil.dataset.worker import serve
from faceveil.deidentify.cover import clip, covers_of
from faceveil.detect.pixels import eight_bit
from faceveil.detect.runtime import Runtime
from faceveil.errors import Exit, FaceveilError, InputError, UnsupportedError
from faceveil.evaluate.privacy.cache import key, pack
from faceveil.evaluate.privacy.painted import Condition, painted_area
from faceveil.evaluate.utility import faces as faces_
from faceveil.evaluate.utility.extras import NOTHING, Extras
from faceveil.evaluate.utility.features import descriptor, thumbnail
from faceveil.evaluate.utility.fidelity import MEASURES, compared
from faceveil.evaluate.utility.perceptual import unlike
from faceveil.pipeline import Progress, Watcher
from faceveil.policy import Area

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.detect.base import Detector
    from faceveil.match.onnx import Onnx
    from faceveil.types import Frame, Regions

    Arrays = dict[str, NDArray[Any]]


class Order(Setup):
    """What all pictures of a run share.

    finder: the spec of what finds the faces to paint. judge: of what looks whether faces are still found. extras:
    networks of the user's own.
    """

    conditions: tuple[Condition, ...]
    finder: str
    judge: str
    extras: Extras = NOTHING
    seed: int = 0


class Item(Task):
    """One picture. made: what other tools have made of it, by folder."""

    made: tuple[Path, ...] = ()


def run(task: Item, order: Order, progress: Watcher) -> Outcome:
    """Look at one picture in every condition. Raises only what stops a whole run: `MissingExtra`, `RequestError`."""
    started = time.perf_counter()
    try:
        found = base64.b64encode(pack(_look(task, order, progress))).decode("ascii")
        done = Outcome(source=str(task.source), status="done", found={"rows": found})
    except FaceveilError as error:
        if error.exit_code != Exit.SOME_FAILED:
            raise
        done = Outcome(source=str(task.source), status="failed", reason=str(error).removeprefix(f"{task.source} "))
    except MemoryError:
        done = Outcome(source=str(task.source), status="failed", reason="not enough memory for this picture")
    return done.model_copy(update={"ms": round((time.perf_counter() - started) * 1000, 1)})


def _look(task: Item, order: Order, progress: Watcher) -> Arrays:
    """For each condition features (d,), a thumbnail, `MEASURES`, and what is made of the faces and of the picture."""
    before, digest = _frame(task.source)
    finder, judge = _detectors(order)
    faces = finder(before)
    seen = judge(before).of("face")
    plain = eight_bit(before)
    rows: Arrays = {"faces": np.array([len(faces)], np.int64)}
    for number, condition in enumerate(order.conditions):
        after, inside = painted_area(before, faces, condition, int(key(order.seed, digest)[:12], 16))
        if condition.kind == "anonymised":
            after, _ = _frame(task.made[condition.made])
            if (after.width, after.height) != (before.width, before.height):
                raise InputError(f"{task.made[condition.made]} is of another size than {task.source}")
            inside = _covered(faces, plain.shape[:2])
        pixels = eight_bit(after)
        untouched = condition.kind == "original"
        rows |= {
            f"{number}:features": descriptor(pixels),
            f"{number}:thumb": thumbnail(pixels),
            f"{number}:fidelity": np.full(len(MEASURES), np.nan) if untouched else compared(plain, pixels, inside),
        }
        found = seen if untouched else judge(after).of("face")
        rows |= {f"{number}:{name}": row for name, row in _made_of(order, plain, pixels, seen, found).items()}
        progress(Progress(number + 1, len(order.conditions), 0, 0.0, None))
    return rows


def _covered(faces: Regions, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Where covers of ours would lie, (H, W): what another tool covers need not be told by it."""
    inside = np.zeros(shape, bool)
    for rect in covers_of(faces, Area()).rects():
        left, top, right, bottom = clip(rect, shape[1], shape[0])
        inside[top:bottom, left:right] = True
    return inside


def _made_of(
    order: Order, plain: NDArray[np.uint8], pixels: NDArray[np.uint8], seen: Regions, found: Regions
) -> Arrays:
    """What networks make of one condition of a picture. seen, found: faces before and after."""
    same, trunk, untouched = faces_.again(seen, found), order.extras.lpips, found is seen
    rows: Arrays = {
        "found": np.array([(same >= 0).sum(), len(seen)], np.int64),
        "landmarks": faces_.moved(seen, found, same),
        "lpips": np.array(np.nan if trunk is None or untouched else unlike(plain, pixels, trunk)),
    }
    for at, network in enumerate(_networks(order, "attributes")):
        rows[f"attribute {at}"] = np.zeros(2, np.int64) if untouched else faces_.kept(network, plain, pixels, seen)
    for at, network in enumerate(_networks(order, "features")):
        side = network.alignment.side
        small = np.asarray(cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
        rows[f"deep {at}"] = network(small[None])[0]
    return rows


def _frame(file: Path) -> tuple[Frame, str]:
    opened = media.open(file)
    if opened.info.frames > 1:
        raise UnsupportedError(f"{file} has {opened.info.frames} frames: pictures of one are measured")
    (frame,) = opened
    return frame, opened.digest


@once
def _detectors(order: Order) -> tuple[Detector, Detector]:
    runtime = Runtime(order.policy.provider, order.threads, order.policy.allow_cloud)
    finder = detect.build(order.policy.preset, order.finder or None, runtime, order.policy.min_score)
    return finder, detect.build("balanced", order.judge, runtime)


@once
def _networks(order: Order, kind: Literal["attributes", "features"]) -> tuple[Onnx, ...]:
    """The user's networks."""
    runtime = Runtime(order.policy.provider, order.threads, order.policy.allow_cloud)
    build = faces_.classifier if kind == "attributes" else faces_.features
    return tuple(build(manifest, runtime) for manifest in getattr(order.extras, kind))


def main() -> int:
    """Serve until standard input ends."""
    return serve(Order, Item, run)


if __name__ == "__main__":
    sys.exit(main())
