"""Every block that a reader can paste is run, in order, in a folder with `photo.jpg`, `clip.mp4` and `holiday/`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _blocks() -> list[tuple[str, list[tuple[str, str]]]]:
    pages = [(str(page.relative_to(ROOT)), _BLOCK.findall(page.read_text(encoding="utf-8"))) for page in PAGES]
    return [(name, blocks) for name, blocks in pages if blocks]


@pytest.mark.parametrize(("page", "blocks"), _blocks(), ids=[name for name, _ in _blocks()])
def test_every_example_runs(page: str, blocks: list[tuple[str, str]], tmp_path: Path, portrait: Path) -> None:
    shutil.copy(portrait, tmp_path / "photo.jpg")
    (tmp_path / "holiday").mkdir()
    shutil.copy(portrait, tmp_path / "holiday" / "a.jpg")
    shutil.copy(portrait, tmp_path / "logo.png")
    _film(portrait, tmp_path / "clip.mp4")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "FACEVEIL_MODELS": str(tmp_path / "models")}
    for language, code in blocks:
        command = ["bash", "-euo", "pipefail", "-c", code] if language == "bash" else [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{page}:\n{code}\n{done.stdout}{done.stderr}"


def _film(portrait: Path, path: Path) -> None:
    """Half a second of the portrait."""
    with Image.open(portrait) as opened:
        picture = np.asarray(opened.convert("RGB").resize((320, 320)))
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 320, 320, "yuv420p"
        for _ in range(13):
            film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        film.mux(stream.encode(None))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
