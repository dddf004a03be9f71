"""A result is looked at before it is published; one that shows a face or leaks goes aside, with the reason."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from faceveil import detect, media
from faceveil.detect.runtime import Runtime
from faceveil.errors import Refused
from faceveil.types import FACE

if TYPE_CHECKING:
    from faceveil.detect.base import Detector
    from faceveil.pipeline.base import Pace
    from faceveil.policy import Policy
    from faceveil.types import Floats
    from faceveil.verify.check import Check


def inspect_picture(data: bytes, *, target: Path, aside: Path, policy: Policy, kept: dict[int, Floats]) -> None:
    """Refuse a file in which a leak is found, or a face that was to be covered."""
    from faceveil.verify.check import examine  # noqa: PLC0415  (loads OpenCV)

    found = _judged(examine(data, _detector(policy), kept=kept, metadata=policy.metadata), policy)
    if not found.clean:
        aside.parent.mkdir(parents=True, exist_ok=True)
        media.publish(aside, data, overwrite=True, mode=0o600)
        _refuse(found, target, aside)


def inspect_video(
    target: Path, aside: Path, policy: Policy, kept: dict[int, Floats], pace: Pace
) -> Callable[[Path], None]:
    """What refuses a finished video in which a leak is found, or a face that was to be covered.

    kept: the boxes of faces that may be seen, by frame; it may still be filled while the video is made. pace: told of
    every frame that was looked at. Of a row of pictures each is looked at by itself, in their order.
    """
    from faceveil.media.video.sink import is_row  # noqa: PLC0415

    row, numbers = is_row(target), count()

    def inspect(finished: Path) -> None:
        from faceveil.verify.check import check  # noqa: PLC0415  (loads OpenCV)

        number = next(numbers)
        allowed = {0: kept[number]} if row and number in kept else {} if row else kept
        where = aside.with_name(aside.name % (number + 1)) if row else aside
        sound = policy.audio != "drop"
        found = _judged(check(finished, _detector(policy), kept=allowed, allow_sound=sound, tell=pace.tick), policy)
        if row:
            pace.tick(number + 1)
        if not found.clean:
            where.parent.mkdir(parents=True, exist_ok=True)
            with media.writing(where, overwrite=True, mode=0o600) as copy, finished.open("rb") as file:
                shutil.copyfileobj(file, copy)
            _refuse(found, target, where)

    return inspect


@lru_cache(maxsize=1)
def _detector(policy: Policy) -> Detector:
    from faceveil.verify.check import DETECTOR  # noqa: PLC0415

    return detect.build(policy.preset, DETECTOR, Runtime(policy.provider, 1))


def _judged(found: Check, policy: Policy) -> Check:
    """What was found, without faces where a policy does not cover any."""
    return found if FACE in policy.cover else replace(found, faces=())


def _refuse(found: Check, target: Path, aside: Path) -> None:
    reason = json.dumps(found.as_dict(), indent=1).encode()
    media.publish(aside.with_name(aside.name + ".json"), reason, overwrite=True, mode=0o600)
    raise Refused(f"{target} was not published: {found.sentence()}", hint=f"it is kept in {aside}")
