"""A video as an animation and as a row of pictures: upright, in time, and all or none."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import video_samples as samples
from video_samples import Clip

from faceveil import media
from faceveil.errors import OutputError, RequestError
from faceveil.media.video import VideoCoding, create_video, open_video


def copy(path: Path, target: Path) -> tuple[str, ...]:
    source = open_video(path)
    with create_video(target, source.info, coding=VideoCoding(), source=source) as sink:
        for planes in source:
            sink.append(planes)
    return sink.notes


def test_gif_and_rows_of_pictures(tmp_path: Path) -> None:
    made = samples.make(tmp_path / "in.mp4", Clip(turn=(-90, False, False), times=(0, 2, 4, 7, 10)))
    copy(made, tmp_path / "out.gif")
    gif = media.open(tmp_path / "out.gif")
    assert gif.info.size == (48, 64)
    assert gif.info.animation is not None
    assert gif.info.animation.starts == tuple(Fraction(n, 25) for n in (0, 2, 4, 7, 10))
    copy(made, tmp_path / "%03d.png")
    names = {"in.mp4", "out.gif", *(f"{n:03}.png" for n in range(1, 6))}
    assert {path.name for path in tmp_path.iterdir()} == names
    (frame,) = media.open(tmp_path / "003.png")
    wanted = samples.luma(made)[2]
    assert frame.pixels.shape == (64, 48, 3)
    grey = frame.pixels @ np.array([0.299, 0.587, 0.114])
    turned = np.rot90((wanted.astype(float) - 16) * 255 / 219, -1)
    assert np.abs(grey - turned).mean() < 12
    with pytest.raises(OutputError, match=r"001\.png exists already"):
        copy(made, tmp_path / "%03d.png")
    with pytest.raises(RequestError, match=r"no pictures are called %s\.png"):
        copy(made, tmp_path / "%s.png")


def test_a_gif_is_not_made_of_what_it_cannot_show(tmp_path: Path) -> None:
    info = open_video(samples.make(tmp_path / "in.mp4", Clip(base=Fraction(1, 100)))).info
    with pytest.raises(RequestError, match="a GIF shows 50 pictures a second at most; this video has"):
        create_video(tmp_path / "out.gif", info, coding=VideoCoding())
