"""Broken files by the hundred through the real command: no crash, no partial output, every good file done.

`make test` runs 210 cases, `make fuzz` 2,100 with another seed each day (FACEVEIL_FUZZ_CASES, FACEVEIL_FUZZ_SEED).
"""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pillow_heif
import pytest
from PIL import Image, ImageSequence

CASES = int(os.environ.get("FACEVEIL_FUZZ_CASES", "210"))
SEED = int(os.environ.get("FACEVEIL_FUZZ_SEED", "1"))
GOOD = 12


def _samples(portrait: Path) -> dict[str, bytes]:
    """One small picture with a face for each format and coding."""
    image = Image.open(portrait).convert("RGB").crop((120, 20, 320, 220)).resize((128, 128))
    made = {}

    def add(name: str, form: str, picture: Image.Image = image, **options: object) -> None:
        out = io.BytesIO()
        picture.save(out, form, **options)
        made[name] = out.getvalue()

    exif = Image.Exif()
    exif[274] = 6
    add("base.jpg", "JPEG", exif=exif)
    add("progressive.jpg", "JPEG", progressive=True)
    add("444.jpg", "JPEG", subsampling=0, restart_marker_rows=1)
    add("cmyk.jpg", "JPEG", image.convert("CMYK"))
    add("rgb.png", "PNG", exif=exif)
    add("palette.png", "PNG", image.quantize(32))
    add("anim.png", "PNG", save_all=True, append_images=[image.rotate(90), image.rotate(180)])
    add("lossy.webp", "WEBP", exif=exif)
    add("anim.webp", "WEBP", save_all=True, append_images=[image.rotate(90)])
    add("anim.gif", "GIF", save_all=True, append_images=[image.rotate(90), image.rotate(180)])
    add("plain.tif", "TIFF")
    add("lzw.tif", "TIFF", compression="tiff_lzw")
    add("pages.tif", "TIFF", save_all=True, append_images=[image.rotate(90)])
    add("plain.bmp", "BMP")
    add("plain.avif", "AVIF")
    add("plain.jp2", "JPEG2000")
    heic = io.BytesIO()
    pillow_heif.from_pillow(image).save(heic)
    made["plain.heic"] = heic.getvalue()
    return made


def _truncate(data: bytes, rng: random.Random, other: bytes) -> bytes:
    return data[: rng.randrange(len(data))]


def _flip(data: bytes, rng: random.Random, other: bytes) -> bytes:
    broken = bytearray(data)
    for _ in range(rng.choice([1, 1, 4, 32])):
        broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
    return bytes(broken)


def _numbers(data: bytes, rng: random.Random, other: bytes) -> bytes:
    """Extreme values where headers have their sizes and offsets."""
    broken = bytearray(data)
    at = rng.randrange(min(len(broken), 400) - 4)
    broken[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\xff\0\xff\0"])
    return bytes(broken)


def _splice(data: bytes, rng: random.Random, other: bytes) -> bytes:
    cut = rng.randrange(len(data))
    return data[:cut] + other[rng.randrange(len(other)) :]


def _drop(data: bytes, rng: random.Random, other: bytes) -> bytes:
    start = rng.randrange(len(data))
    return data[:start] + data[start + rng.randrange(1, 200) :]


DAMAGE: tuple[Callable[[bytes, random.Random, bytes], bytes], ...] = (_truncate, _flip, _numbers, _splice, _drop)


@pytest.fixture(scope="module")
def run(portrait: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, str]:
    """A folder of broken files with good ones among them, veiled by one command; its exit code and words."""
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "in").mkdir()
    rng = random.Random(SEED)
    samples = _samples(portrait)
    names = sorted(samples)
    for i in range(CASES):
        name = rng.choice(names)
        broken = rng.choice(DAMAGE)(samples[name], rng, samples[rng.choice(names)])
        (folder / "in" / f"{i:05}_{name}").write_bytes(broken)
    for i in range(GOOD):
        (folder / "in" / f"{i * CASES // GOOD:05}_good.jpg").write_bytes(samples["base.jpg"])
    command = [sys.executable, "-m", "faceveil", "in", "-o", "out", "-q", "--report", "r.json", "--preset", "fast"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=3600, check=False
    )
    return folder, done.returncode, done.stderr


def test_the_program_does_not_crash_and_names_each_failure(run: tuple[Path, int, str]) -> None:
    folder, code, said = run
    assert code == 1
    assert "Traceback" not in said
    report = json.loads((folder / "r.json").read_text())
    assert report["totals"]["inputs"] == CASES + GOOD
    failed = [f for f in report["files"] if f["status"] == "failed"]
    assert len(failed) > CASES / 4
    for entry in failed:
        assert entry["reason"]
        assert "\n" not in entry["reason"]
    died = [f["source"] for f in failed if "the process that worked on it" in f["reason"]]
    assert died == [], "a decoder brought its worker down"


def test_every_good_file_is_done(run: tuple[Path, int, str]) -> None:
    folder, _, _ = run
    assert len(list((folder / "out").glob("*_good.jpg"))) == GOOD


def test_every_output_is_complete(run: tuple[Path, int, str]) -> None:
    folder, _, _ = run
    pillow_heif.register_heif_opener()
    outputs = list((folder / "out").iterdir())
    report = json.loads((folder / "r.json").read_text())
    assert len(outputs) == report["totals"]["done"]
    for path in outputs:
        with Image.open(path) as image:
            for frame in ImageSequence.Iterator(image):
                frame.load()
