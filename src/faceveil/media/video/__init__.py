"""Videos to `Planes` and back, faithfully: times, colours and turns as they were, and nothing that was not asked for.

    source = open_video(path)                                # headers and the first picture are read and judged
    with Work.open(target, key) as work, create_video(target, source.info, coding=VideoCoding(), work=work) as sink:
        for planes in source:
            sink.append(planes)                              # the file appears whole, when the block ends well

FFmpeg is imported when a video is opened. `pixels` and `encoder` work on single frames, for live pictures.
"""

from faceveil.media.video.info import AudioTrack, Colours, Hdr, VideoCoding, VideoInfo
from faceveil.media.video.sink import VideoSink, create_video
from faceveil.media.video.source import VideoSource, open_video
from faceveil.media.video.work import Work

__all__ = [
    "AudioTrack",
    "Colours",
    "Hdr",
    "VideoCoding",
    "VideoInfo",
    "VideoSink",
    "VideoSource",
    "Work",
    "create_video",
    "open_video",
]
