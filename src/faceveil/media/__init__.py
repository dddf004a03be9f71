"""Bytes to frames and back: reading, writing, and nothing in a file that was not asked for.

    source = media.open(path)                        # the header is read and judged, nothing is decoded
    with media.create(target, source.info) as sink:  # the file appears whole, when the block ends well
        for frame in source:
            sink.append(frame)

Importing this room costs nothing: decoders are imported when a picture of their format is opened.
"""

from faceveil.media.atomic import publish, writing
from faceveil.media.codecs import PIXEL_CAP, Encoder, encode
from faceveil.media.info import Animation, Info
from faceveil.media.kinds import is_video, output_suffix, planned_suffix, sniff, suffix_for
from faceveil.media.sink import Sink, create
from faceveil.media.source import Source, open

__all__ = [
    "PIXEL_CAP",
    "Animation",
    "Encoder",
    "Info",
    "Sink",
    "Source",
    "create",
    "encode",
    "is_video",
    "open",
    "output_suffix",
    "planned_suffix",
    "publish",
    "sniff",
    "suffix_for",
    "writing",
]
