"""What a job comes down to: files that go through a batch, or one source that is run live. Nothing is started."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from faceveil import media
from faceveil.dataset.inputs import Inputs, collect
from faceveil.dataset.names import NeutralNames, names_for
from faceveil.errors import RequestError
from faceveil.jobs.job import Job, Loaded
from faceveil.jobs.texts import is_address, is_live
from faceveil.jobs.written import Where
from faceveil.live import LiveSettings
from faceveil.live.settings import expect_live
from faceveil.live.sources import PROTOCOLS
from faceveil.policy import Policy

SHOWN = re.compile(r"preview(:[1-9]\d{0,4})?|window|camera(:.+)?|(rtsp|rtmp|udp)://.+", re.IGNORECASE)
"""Outputs of what is live that are no files."""
RECORDED = (".mp4", ".mkv")  # what a live run can write


@dataclass(frozen=True, slots=True)
class Files:
    """Files for a batch, as `faceveil INPUT... -o OUTPUT` would do them."""

    inputs: Inputs
    output: Path | None
    names: NeutralNames | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """One source for a live run, as `faceveil live SOURCE --to SINK...` would do it."""

    source: str
    sinks: tuple[str, ...]
    settings: LiveSettings

    @property
    def files(self) -> tuple[Path, ...]:
        """Those of the sinks that are files."""
        return tuple(Path(sink) for sink in self.sinks if not SHOWN.fullmatch(sink))


def decide(loaded: Loaded) -> Files | Stream:
    """Files or a stream.

    Raises:
        RequestError: a source does not exist, outputs clash, or the two do not go together; with the line.
        InputError: a video to be played cannot be read.
    """
    job = loaded.job
    try:
        if job.live is not None or any(map(is_live, job.source)):
            return _stream(loaded, job)
        return _files(loaded, job)
    except OSError as error:  # a name too long for the file system, or a folder that may not be looked into
        raise _wrong(loaded, ("source",), f"cannot look at '{error.filename}': {error.strerror}") from None


def _files(loaded: Loaded, job: Job) -> Files:
    for i, place in enumerate(job.outputs):
        if SHOWN.fullmatch(place) or is_address(place):
            hint = "'live: {}' plays a video file as if it were live"
            raise _wrong(loaded, ("outputs", i), f"'{place}' is for what is live, and files are written", hint)
    if len(job.outputs) > 1:
        raise _wrong(loaded, ("outputs", 1), f"files go to one folder or file, got {len(job.outputs)}")
    if job.add_detected and job.annotations is None:
        raise _wrong(loaded, ("add_detected",), "it adds to annotations", "name them with 'annotations'")
    output = Path(job.outputs[0]) if job.outputs else None
    try:
        names = names_for(output, Path(job.report) if job.report else None, neutral=job.neutral_names)
        return Files(collect(job.source, output, names=names), output, names)
    except RequestError as error:
        raise _wrong(loaded, _culprit(job), error.message, error.hint) from None


def _culprit(job: Job) -> Where:
    """The field that `collect` refuses: a source that is refused by itself, or the output."""
    for i, source in enumerate(job.source):
        try:
            collect([source])
        except RequestError:
            return ("source", i)
    return ("outputs",) if job.outputs else ("source",)


def _stream(loaded: Loaded, job: Job) -> Stream:
    if len(job.source) > 1:
        what = "one video can be played" if job.live is not None else "a camera or URL stands alone"
        raise _wrong(loaded, ("source", 1), f"{what}, got {len(job.source)} sources")
    if job.jobs is not None:
        raise _wrong(loaded, ("jobs",), "a live run is one process", "leave it out")
    if job.neutral_names:
        raise _wrong(loaded, ("neutral_names",), "what is live has the names that outputs give", "leave it out")
    if job.annotations is not None:
        raise _wrong(loaded, ("annotations",), "they are of files, and this is run live", "leave it out")
    source = job.source[0]
    if not is_live(source):
        _expect_video(loaded, Path(source))
    elif is_address(source) and source.partition("://")[0].lower() not in PROTOCOLS:
        raise _wrong(loaded, ("source",), f"'{source}' cannot be read", "known: " + ", ".join(PROTOCOLS))
    for name in Policy.model_fields:
        try:
            expect_live(Policy().model_copy(update={name: getattr(job, name)}))
        except RequestError as error:
            raise _wrong(loaded, (name,), error.message, error.hint) from None
    sinks = [_sink(loaded, i, place, source) for i, place in enumerate(job.outputs)]
    for i, sink in enumerate(sinks):
        if sink in sinks[:i]:
            raise _wrong(loaded, ("outputs", i), f"'{sink}' is given twice")
    return Stream(source, tuple(sinks) or ("preview",), job.live or LiveSettings())


def _expect_video(loaded: Loaded, path: Path) -> None:
    if path.is_dir():
        raise _wrong(loaded, ("source",), f"'{path}' is a folder, and one video can be played")
    if not path.is_file():
        raise _wrong(loaded, ("source",), f"there is no '{path}'")
    if not media.is_video(path):
        hint = "write it to a folder instead"
        raise _wrong(loaded, ("source",), f"'{path}' is no video, and only a video can be played", hint)


def _sink(loaded: Loaded, i: int, place: str, source: str) -> str:
    """An output as live runs take it. In a folder, a file keeps the name of its source."""
    if SHOWN.fullmatch(place):
        return place
    if is_address(place) or place.partition(":")[0].lower() in ("preview", "window", "camera"):
        hint = "known: preview, preview:PORT, window, camera, FILE.mp4, FILE.mkv, rtsp://, rtmp:// and udp:// addresses"
        raise _wrong(loaded, ("outputs", i), f"'{place}' can show no pictures", hint)
    path = Path(place)
    if path.is_dir() or not path.suffix:
        if is_live(source):
            hint = f"name a file, such as {path / 'live.mp4'}"
            raise _wrong(loaded, ("outputs", i), f"'{place}' is a folder, and what is live has no name", hint)
        path /= Path(source).name
    if path.suffix.lower() not in RECORDED:
        raise _wrong(loaded, ("outputs", i), f"'{path.name}' cannot be written live", "known: .mp4, .mkv")
    if path.absolute() == Path(source).absolute():
        raise _wrong(loaded, ("outputs", i), f"'{path}' is the source and would be written over")
    return str(path)


def _wrong(loaded: Loaded, where: Where, message: str, hint: str = "") -> RequestError:
    return loaded.written.error(where, f"{where[0]}: {message}", hint)
