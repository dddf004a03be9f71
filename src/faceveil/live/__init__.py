"""Cameras and streams, de-identified as they run.

    from faceveil import live
    report = live.run("rtsp://camera/stream", ["preview", "out.mkv"], settings=live.LiveSettings(delay=0.5))

Importing this room loads neither FFmpeg nor a network.
"""

from faceveil.live.flow import run
from faceveil.live.report import LiveReport
from faceveil.live.settings import LiveSettings
from faceveil.live.sinks import Closed, Sink
from faceveil.live.sources import Source

__all__ = ["Closed", "LiveReport", "LiveSettings", "Sink", "Source", "run"]
