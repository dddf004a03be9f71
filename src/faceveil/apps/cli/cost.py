"""What a run will cost where its detector is a service: said before the first picture is sent."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from faceveil import detect, media, pipeline
from faceveil.detect.runtime import Runtime
from faceveil.errors import InputError
from faceveil.media.kinds import video_kind
from faceveil.policy import Policy

LIVE_RATE = 25  # frames a second, where nobody has seen the source yet


def announce(policy: Policy, sources: Iterable[Path], *, once: bool = True) -> None:
    """Say how many pictures go to which service, and the price; nothing where no service is allowed.

    once: whether the detector sees each picture once, as covering does; checking looks several times.
    """
    if not policy.allow_cloud:
        return
    from faceveil.detect.cloud import bill, recipients  # noqa: PLC0415  (loads OpenCV)

    detector = pipeline.detector_of(policy)
    counts = [_frames(path, policy.every or 1) for path in sources] if any(recipients(detector)) else []
    if not counts:
        return
    known = sum(count for count in counts if count is not None)
    unknown = counts.count(None)
    what = f"{known:,} picture{'' if known == 1 else 's'}"
    if unknown:
        what += f" and {unknown:,} file{'' if unknown == 1 else 's'} of unknown length"
    for line in bill(detector, known, what, once=once):
        click.echo(f"note: {line}", err=True)


def announce_specs(specs: Iterable[str], policy: Policy, pictures: int) -> None:
    """Say what it costs that detectors look at so many pictures; nothing where no service is allowed."""
    if not policy.allow_cloud:
        return
    from faceveil.detect.cloud import bill  # noqa: PLC0415  (loads OpenCV)

    for spec in specs:
        detector = detect.build(policy.preset, spec, Runtime(policy.provider, cloud=True), cover=None)
        for line in bill(detector, pictures, f"{pictures:,} pictures"):
            click.echo(f"note: {line}", err=True)


def announce_live(policy: Policy) -> None:
    """Say what an hour of a live run costs; nothing where no service is allowed."""
    if not policy.allow_cloud:
        return
    from faceveil.detect.cloud import bill  # noqa: PLC0415  (loads OpenCV)

    hour = 3600 * LIVE_RATE // (policy.every or 1)
    for line in bill(pipeline.detector_of(policy), hour, f"an hour at {LIVE_RATE} frames a second"):
        click.echo(f"note: {line}", err=True)


def _frames(path: Path, every: int) -> int | None:
    """How many pictures of a file are looked at; None where nobody knows before the end, or it cannot be read."""
    try:
        kind = video_kind(path)
        if kind == "JPEG":
            return 1
        if not media.is_video(path):
            return media.open(path).info.frames
        from faceveil.media.video.probe import probe  # noqa: PLC0415  (loads FFmpeg)

        frames = probe(path, kind or "").frames
    except (InputError, OSError):
        return None
    return None if frames is None else -(-frames // every)
