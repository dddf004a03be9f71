"""`faceveil live SOURCE`: cameras and streams."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click

from faceveil import live as room
from faceveil import media
from faceveil.apps.cli import cost
from faceveil.apps.cli.options import policy_of, policy_options
from faceveil.live.settings import LiveSettings

EPILOG = """\b
Sources: a camera's number or device, an rtsp://, http(s)://, rtmp:// or udp:// address, a video file at its own pace.
Sinks:   preview[:PORT] (a page on this machine), window, camera (virtual), FILE.mp4, FILE.mkv,
         rtsp://, rtmp:// and udp:// addresses. Several --to are served at once.
\b
Examples:
  faceveil live 0                                        the first camera, on a page in the browser
  faceveil live rtsp://cam/stream --to out.mkv --to preview:8765
  faceveil live film.mp4 -m solid --to udp://10.0.0.2:5000
\b
Exit codes: 0 it ended or was stopped, 1 the source was lost or a sink failed, 2 wrong request, 3 missing part.
"""


def _live_options(command: Any) -> Any:
    """One option for each field of `LiveSettings`, checked by the model as those of a policy are."""
    for name, info in reversed(LiveSettings.model_fields.items()):
        choices = get_args(info.annotation) if get_origin(info.annotation) is Literal else ()
        told = f"{info.description} [default: {info.default}]" if info.default is not None else info.description
        command = click.option(f"--{name}", type=click.Choice(choices) if choices else str, help=told)(command)
    return command


@click.command(epilog=EPILOG)
@click.argument("source", metavar="SOURCE")
@click.option("--to", "sinks", multiple=True, metavar="SINK", help="Where to show it. [default: preview]")
@_live_options
@click.option("--report", type=click.Path(path_type=Path), metavar="FILE.json", help="An account of the run.")
@click.option("--overwrite", is_flag=True, help="Replace files that are there already.")
@click.option("--threads", type=click.IntRange(0, 256), default=1, show_default=True, help="Of the detector; 0: all.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but the preview's address and failures.")
@policy_options
def live(
    source: str,
    sinks: tuple[str, ...],
    report: Path | None,
    overwrite: bool,
    threads: int,
    quiet: bool,
    policy_file: Path | None,
    **settings: Any,
) -> None:
    """Show a camera, a stream or a video as it runs, with the faces covered. Ctrl-C ends it cleanly."""
    given = {key: settings.pop(key) for key in LiveSettings.model_fields}
    chosen = LiveSettings.of(**{key: value for key, value in given.items() if value is not None})
    policy = policy_of(policy_file, settings)
    if not quiet:
        cost.announce_live(policy)
    latest: list[room.LiveReport] = []
    stop = threading.Event()

    def announce(line: str) -> None:
        if not quiet or line.startswith("preview: "):
            click.echo(line, err=True)

    try:
        with _stopped_by_signals(stop):
            room.run(
                source,
                sinks or ("preview",),
                policy,
                chosen,
                stop=stop,
                overwrite=overwrite,
                threads=threads,
                announce=announce,
                progress=lambda account: latest.__setitem__(slice(None), [account]),
            )
    finally:
        if latest and report is not None:
            media.publish(report, json.dumps(latest[0].as_dict(), indent=1).encode(), overwrite=True)
        if latest and not quiet:
            click.echo(latest[0].sentence())


@contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM ends the run cleanly; a second Ctrl-C raises as usual."""

    def handle(signum: int, frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
