"""TIFFs of several pages: each is a picture of its own, and stays what it was."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import media_samples as samples
import moving_samples as moving
import numpy as np
import pytest
from PIL import Image, ImageSequence

import faceveil
from faceveil import media
from faceveil.errors import UnreadableError, UnsupportedError
from faceveil.media import tiff_file
from faceveil.media.codecs import Encoder
from faceveil.media.info import TiffCoding
from faceveil.types import FramePlan, Plan, Regions


def page(mode: str, size: tuple[int, int], **options: object) -> bytes:
    image = Image.fromarray(samples.picture()).resize(size).convert(mode)
    out = BytesIO()
    image.save(out, "TIFF", **options)
    return out.getvalue()


def mixed() -> bytes:
    """Pages of all kinds, joined byte by byte."""
    deep = np.random.default_rng(0).integers(0, 65536, (20, 30, 3), dtype=np.uint16)
    return tiff_file.join(
        [
            page("RGB", (64, 48), compression="tiff_lzw", dpi=(300, 150), icc_profile=samples.SRGB),
            page("L", (40, 60), tiffinfo={274: 6, 270: "CANARY-NAME"}),
            samples.tiff16(deep, 3),
            page("1", (33, 17)),
            page("P", (20, 20), compression="packbits", tiffinfo={700: samples.xmp(), 33723: samples.CANARY}),
            page("RGBA", (16, 24), compression="tiff_adobe_deflate"),
            page("CMYK", (24, 16)),
            page("LA", (12, 10)),
        ]
    )


def written(source: media.Source) -> bytes:
    encoder = Encoder(source.info)
    for frame in source:
        encoder.append(frame)
    return encoder.finish()


def test_every_page_keeps_what_it_is() -> None:
    source = media.open(mixed())
    assert source.info.notes == ("Its CMYK colours are converted to sRGB.",)
    sizes = [(64, 48), (60, 40), (30, 20), (33, 17), (20, 20), (16, 24), (24, 16), (12, 10)]
    assert [page.size for page in source.info.pages] == sizes
    again = media.open(written(source))
    assert [page.size for page in again.info.pages] == sizes
    assert [page.bits for page in again.info.pages] == [8, 8, 16, 8, 8, 8, 8, 8]
    assert [page.alpha for page in again.info.pages] == [False] * 5 + [True, False, True]
    assert [page.grey for page in again.info.pages] == [False, True, False, True, False, False, False, True]
    assert [page.icc for page in again.info.pages] == [samples.SRGB] + [b""] * 7
    assert [page.dpi for page in again.info.pages] == [(300, 150)] + [None] * 7
    codings = [TiffCoding(c) for c in ("tiff_lzw", "raw", "raw", "raw", "packbits", "tiff_adobe_deflate", "raw", "raw")]
    assert [page.coding for page in again.info.pages] == codings
    for before, after in zip(source, again, strict=True):
        assert (before.index, before.time) == (after.index, None)
        assert np.array_equal(before.pixels, after.pixels)
        assert (before.alpha is None) == (after.alpha is None)


def test_no_needle_of_any_page_stays() -> None:
    data = mixed()
    assert data.count(samples.CANARY) >= 3
    assert samples.CANARY not in written(media.open(data))


def test_every_page_is_covered_as_seen_by_others(tmp_path: Path) -> None:
    path, target = tmp_path / "a.tif", tmp_path / "b.tif"
    scenes = [moving.scene(i, (64 + 8 * i, 48)) for i in range(4)]
    path.write_bytes(moving.saved("TIFF", scenes, compression="tiff_lzw"))
    source = media.open(path)
    lines = []
    for i in range(4):
        regions = Regions(np.array([moving.face(i)], np.float32), np.ones(1, np.float32))
        lines.append(FramePlan(regions, ("solid:color=black",), source.info.of(i).size, i))
    faceveil.apply(path, Plan("it", tuple(lines), source.digest), target)
    with Image.open(target) as image:
        frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(image)]
    assert len(frames) == 4
    for i, (frame, scene) in enumerate(zip(frames, scenes, strict=True)):
        x1, y1, x2, y2 = moving.face(i)
        assert not frame[y1:y2, x1:x2].any()
        assert np.array_equal(frame[:, 58:], scene[:, 58:, :3])  # right of all covers


def test_smaller_copies_and_directories_below_are_dropped_and_said() -> None:
    first, small = page("RGB", (64, 48)), page("RGB", (16, 12), tiffinfo={254: 1})
    source = media.open(tiff_file.join([first, small, first, small]))
    assert source.info.notes == ("2 thumbnails or masks in this file are dropped.",)
    assert [frame.width for frame in source] == [64, 64]
    below = media.open(page("RGB", (64, 48), tiffinfo={330: 8}))
    assert below.info.notes == ("1 picture below a page of this file is dropped.",)


def test_a_smaller_copy_in_front_is_not_the_picture() -> None:
    source = media.open(tiff_file.join([page("RGB", (16, 12), tiffinfo={254: 1}), page("RGB", (64, 48))]))
    assert [frame.width for frame in source] == [64]
    assert media.open(written(source)).info.frames == 1


def test_a_page_that_cannot_be_covered_refuses_the_file() -> None:
    out = BytesIO()
    Image.new("F", (4, 4)).save(out, "TIFF")
    with pytest.raises(UnsupportedError, match="holds floating-point pixels, which are not supported"):
        media.open(tiff_file.join([page("RGB", (64, 48)), out.getvalue()]))


@pytest.mark.parametrize("share", [0.99, 0.7, 0.3])
def test_cut_off_files_are_refused(share: float) -> None:
    data = mixed()
    with pytest.raises(UnreadableError):
        list(media.open(data[: int(len(data) * share)]))


def test_big_endian_and_big_tiffs(shared: Path) -> None:
    folder = shared / "tricky" / "formats_faces"
    for name in ("hopper_bigtiff.tif", "hopper_lzw.tif"):
        assert len(list(media.open(folder / name))) == 1
