"""Fixtures for all tests. Real pictures live outside the repository; see CONTRIBUTING.md."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent

# Shared machines are slow at times: a deadline would make tests fail for the machine's reasons.
settings.register_profile(
    "faceveil",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("faceveil")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real test data. Its absence is a skip, or a failure where FACEVEIL_REQUIRE_SHARED is 1."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        reason = f"needs the test data in {folder}, which is not part of the repository"
        if os.environ.get("FACEVEIL_REQUIRE_SHARED") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def portrait() -> Path:
    """The NASA portrait, 512x512, one face (public domain; see examples/README.md)."""
    return ROOT / "examples" / "portrait.jpg"


@pytest.fixture(scope="session")
def sticker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A red disc on a transparent ground, whose transparent pixels hide a green that must never show."""
    y, x = np.mgrid[:40, :60]
    disc = (x - 29.5) ** 2 + (y - 19.5) ** 2 < 18**2
    rgba = np.where(disc[:, :, None], [255, 0, 0, 255], [0, 255, 0, 0]).astype(np.uint8)
    path = tmp_path_factory.mktemp("sticker") / "disc.png"
    Image.fromarray(rgba).save(path)
    return path
