"""Any bytes: a refusal in one sentence or a complete picture, never another exception."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from pathlib import Path

import media_samples as samples
import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from faceveil import media
from faceveil.errors import InputError, OutputError, UnreadableError

KINDS = [
    *((form, "RGB") for form in samples.FORMATS),
    ("JPEG", "CMYK"),
    ("PNG", "P"),
    ("PNG", "LA"),
    ("TIFF", "LAB"),
    ("TIFF16", ""),
    ("PNG16", ""),
    ("progressive", ""),
]


@cache
def sample(form: str, mode: str) -> bytes:
    if form == "progressive":
        return samples.make("JPEG", progressive=True)
    if form.endswith("16"):
        from faceveil.types import Frame  # noqa: PLC0415

        frame = Frame(samples.picture().astype("uint16") * 257)
        return media.encode(frame, media.Info.plain(form[:-2], frame))
    if mode == "LAB":
        from PIL import Image  # noqa: PLC0415

        return _saved(Image.new("LAB", (64, 48), (128, 20, 200)))
    return samples.make(form, mode, needles=form != "BMP" and mode == "RGB")


def _saved(image: object) -> bytes:
    from io import BytesIO  # noqa: PLC0415

    from PIL import Image  # noqa: PLC0415

    assert isinstance(image, Image.Image)
    out = BytesIO()
    image.save(out, "TIFF", compression="tiff_lzw")
    return out.getvalue()


def complete_or_refused(data: bytes, folder: Path) -> None:
    """Open, decode, write: the file is complete, or there is a reason and no file."""
    target = folder / "out"
    target.unlink(missing_ok=True)
    try:
        source = media.open(data)
        if source.info.width * source.info.height > 1_000_000:
            return  # a flipped size: decoding it would take the test's time
        with media.create(target, source.info) as sink:
            for frame in source:
                assert (frame.width, frame.height) == source.info.size
                sink.append(frame)
    except (InputError, OutputError) as error:
        text = str(error)
        assert text.startswith(("the picture ", "the encoded "))
        assert "\n" not in text
        assert len(text) < 160
        assert list(folder.iterdir()) == []
    else:
        assert media.open(target).info.size == source.info.size


@pytest.mark.parametrize(("form", "mode"), KINDS)
@settings(max_examples=25)
@given(share=st.floats(0, 1))
def test_cut_anywhere(form: str, mode: str, share: float, tmp_path: Path) -> None:
    data = sample(form, mode)
    complete_or_refused(data[: int(len(data) * share)], tmp_path)


@pytest.mark.parametrize(("form", "mode"), KINDS)
@settings(max_examples=40)
@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=6))
def test_flipped_anywhere(form: str, mode: str, flips: list[tuple[float, int]], tmp_path: Path) -> None:
    data = bytearray(sample(form, mode))
    for share, bits in flips:
        data[int(len(data) * share)] ^= bits
    complete_or_refused(bytes(data), tmp_path)


@pytest.mark.parametrize(("form", "mode"), KINDS)
@settings(max_examples=30)
@given(place=st.integers(0, 200), bits=st.integers(1, 255))
def test_flipped_in_the_header(form: str, mode: str, place: int, bits: int, tmp_path: Path) -> None:
    data = bytearray(sample(form, mode))
    data[place % len(data)] ^= bits
    complete_or_refused(bytes(data), tmp_path)


@settings(max_examples=60)
@given(
    a=st.sampled_from(KINDS),
    b=st.sampled_from(KINDS),
    cut=st.floats(0, 1),
    again=st.floats(0, 1),
    text=st.binary(max_size=9),
)
def test_spliced(a: tuple[str, str], b: tuple[str, str], cut: float, again: float, text: bytes, tmp_path: Path) -> None:
    first, second = sample(*a), sample(*b)
    complete_or_refused(first[: int(len(first) * cut)] + text + second[int(len(second) * again) :], tmp_path)


@settings(max_examples=100)
@given(head=st.sampled_from([sample(*kind)[:40] for kind in KINDS]), rest=st.binary(max_size=300))
def test_a_good_start_and_noise(head: bytes, rest: bytes, tmp_path: Path) -> None:
    complete_or_refused(head + rest, tmp_path)


def test_a_jpeg_with_a_piece_of_its_scan_missing_is_refused_and_padding_is_not() -> None:
    """What is left over at the end of a scan is padding only if it is one byte repeated."""
    out = BytesIO()
    noise = np.random.default_rng(8).integers(0, 256, (96, 96, 3), np.uint8)
    Image.fromarray(noise).save(out, "JPEG", quality=90)
    whole = out.getvalue()
    scan = whole.index(b"\xff\xda") + 14
    rng = np.random.default_rng(9)
    refused = 0
    for _ in range(100):
        start = int(rng.integers(scan, len(whole) - 300))
        cut = whole[:start] + whole[start + int(rng.integers(5, 200)) :]
        try:
            simplejpeg.decode_jpeg(cut)
        except ValueError:  # at any warning; where there is none, the rest of the scan happens to fit
            refused += 1
            with pytest.raises(UnreadableError):
                list(media.open(cut))
    assert refused > 50
    padded = whole[:-2] + bytes(64) + whole[-2:]
    assert next(iter(media.open(padded))).pixels.shape == (96, 96, 3)
