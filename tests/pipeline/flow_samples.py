"""Small videos of real faces, made by FFmpeg as the tests run, and how much of a face a result still shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

PORTRAIT = Path(__file__).resolve().parents[2] / "examples" / "portrait.jpg"
RATE = 25
HEAD = (140, 20, 310, 210)  # of the portrait: hair to chin, 170 x 190 px
INNER = (0.30, 0.33, 0.64, 0.68)  # of the head: brows to mouth
Place = tuple[int, int]
Way = Callable[[int], Place | None]
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Scene:
    """What a video shows. ways: upper left corner of each head by frame; None where it is away.

    size: (width, height), upright. head: height of a head in pixels. cut: the frame at which the background changes.
    turn: degrees that a player turns the stored pictures by, counter-clockwise: 0 or 90.
    """

    ways: tuple[Way, ...]
    frames: int = 50
    size: tuple[int, int] = (320, 240)
    head: int = 96
    cut: int | None = None
    turn: int = 0
    sound: bool = False
    options: tuple[tuple[str, str], ...] = (("crf", "16"), ("preset", "veryfast"), ("g", "25"))


def across(number: int) -> Place:
    """A head that walks to the right and nods."""
    return (10 + 3 * number, 60 + round(20 * np.sin(number / 6)))


def still(_: int) -> Place:
    """A head that stays where it is."""
    return (110, 70)


def visitor(number: int) -> Place | None:
    """A head that is there from frame 15 to 34."""
    return (215, 20) if 15 <= number < 35 else None


@cache
def head(height: int, mirrored: bool = False) -> Picture:
    """The portrait's head, (height, width, 3)."""
    with Image.open(PORTRAIT) as portrait:
        cut = portrait.convert("RGB").crop(HEAD)
    if mirrored:
        cut = ImageEnhance.Brightness(cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT)).enhance(0.9)
    return np.asarray(cut.resize((round(height * cut.width / cut.height), height), Image.Resampling.LANCZOS))


def pictures(scene: Scene) -> Iterator[Picture]:
    """The frames, upright, (height, width, 3)."""
    width, height = scene.size
    y, x = np.mgrid[:height, :width]
    random = np.random.default_rng(5)
    grain = random.integers(0, 12, (height, width, 1))
    walls = [
        np.stack([(x + y) % 96 + 60, x % 64 + 90, y % 48 + 110], axis=2),
        np.stack([y % 32 + 20, (x * 2 + y) % 80 + 30, x % 40 + 60], axis=2),
    ]
    for number in range(scene.frames):
        wall = walls[scene.cut is not None and number >= scene.cut]
        picture = (wall + grain).astype(np.uint8)
        for which, way in enumerate(scene.ways):
            place = way(number)
            if place is not None:
                _paste(picture, head(scene.head, which % 2 == 1), place)
        yield picture


def _paste(picture: Picture, pasted: Picture, place: Place) -> None:
    x, y = place
    part = picture[max(y, 0) : y + pasted.shape[0], max(x, 0) : x + pasted.shape[1]]
    part[:] = pasted[max(-y, 0) : max(-y, 0) + part.shape[0], max(-x, 0) : max(-x, 0) + part.shape[1]]


def film(path: Path, scene: Scene, codec: str = "libx264") -> Path:
    """The scene as a file; its container by the suffix."""
    with av.open(str(path), "w") as output:
        options = dict(scene.options) if codec == "libx264" else {}
        stream = output.add_stream(codec, rate=RATE, options=options, time_base=Fraction(1, 1000))
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = scene.size if not scene.turn else scene.size[::-1]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        if scene.turn:
            stream.set_display_rotation(scene.turn)
        packets = []
        tone = output.add_stream("aac", rate=16000, layout="mono") if scene.sound else None
        for number, picture in enumerate(pictures(scene)):
            stored = np.rot90(picture, -scene.turn // 90)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(stored), format="rgb24")
            # Uneven on purpose: times must be kept, not a rate.
            frame.pts, frame.time_base = number * 40 + number % 3, Fraction(1, 1000)
            packets += stream.encode(frame)
        packets += stream.encode(None)
        if tone is not None:
            assert isinstance(tone, av.AudioStream)
            packets += _hum(tone, scene.frames / RATE)
        for packet in sorted(packets, key=lambda one: float((one.dts or 0) * (one.time_base or 0))):
            output.mux(packet)
    return path


def _hum(stream: av.AudioStream, seconds: float) -> list[av.Packet]:  # type: ignore[type-arg]
    wave = np.sin(np.arange(int(16000 * seconds)) * 2 * np.pi * 220 / 16000).astype(np.float32)[None] * 0.5
    made: list[av.Packet] = []  # type: ignore[type-arg]
    for first in range(0, wave.shape[1], 1000):
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave[:, first : first + 1000]), "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 16000, first, Fraction(1, 16000)
        made += stream.encode(frame)
    return made + stream.encode(None)


# --- what came out ---------------------------------------------------------------------------------------------------


def shown(path: Path) -> list[Picture]:
    """The frames as a player shows them, upright RGB."""
    with av.open(str(path)) as file:
        return [
            np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90).astype(np.uint8)
            for frame in file.decode(video=0)
        ]


def times(path: Path) -> list[Fraction]:
    """When each frame is shown, in seconds."""
    with av.open(str(path)) as file:
        found = [(frame.pts, frame.time_base) for frame in file.decode(video=0)]
    return [pts * base for pts, base in found if pts is not None and base is not None]


def likeness(one: Picture, other: Picture) -> float:
    """Correlation of the luma of two patches of one size, -1 to 1; 0 where one is flat."""
    a, b = (np.asarray(patch, np.float64).mean(axis=2) for patch in (one, other))
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / norm if norm > 1 else 0.0


def faces(scene: Scene, made: Sequence[Picture], which: Iterable[int] | None = None) -> list[list[float]]:
    """For each head, how much its face in each frame of a result is like the face that was there."""
    chosen = range(len(scene.ways)) if which is None else which
    found: list[list[float]] = []
    for one in chosen:
        row = []
        for number, (before, after) in enumerate(zip(pictures(scene), made, strict=True)):
            place = scene.ways[one](number)
            if place is not None:
                part = _inner(scene, place)
                row.append(likeness(before[part], after[part]))
        found.append(row)
    return found


def _inner(scene: Scene, place: Place) -> tuple[slice, slice]:
    height, width = head(scene.head).shape[:2]
    x1, y1, x2, y2 = INNER
    return (
        slice(place[1] + round(y1 * height), place[1] + round(y2 * height)),
        slice(place[0] + round(x1 * width), place[0] + round(x2 * width)),
    )
