"""Fixtures for all tests. Real pictures live outside the repository; see CONTRIBUTING.md."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from PIL import Image
from weights import FETCHED, ROOT, SHARED, WEIGHTS, add, expect, without

from faceveil import detect, plugins

if TYPE_CHECKING:
    from cloud_server import Services

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
    if not SHARED.is_dir():
        without(f"needs the test data in {SHARED}, which is not part of the repository")
    return SHARED


@pytest.fixture(scope="session")
def added_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of models as a user has it who has added all of `weights.WEIGHTS` whose files are there.

    FACEVEIL_MODELS names it for the rest of the session.
    """
    folder = tmp_path_factory.mktemp("models")
    for name in (*WEIGHTS, *FETCHED):
        add(name, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEVEIL_MODELS", str(folder))
        yield folder


@pytest.fixture
def stored(added_models: Path) -> Callable[..., None]:
    """Called with names of models, it skips or fails the test unless they are in the folder of added models."""
    _ = added_models

    def stored(*names: str) -> None:
        for name in names:
            expect(name)

    return stored


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


@pytest.fixture(scope="module")
def _services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    from cloud_server import Services, environment, served  # noqa: PLC0415  (few tests need what it loads)

    made = Services()
    server = served(made)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(made, tmp_path_factory.mktemp("account")).items():
            patch.setenv(name, value)
        yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
def services(_services: Services) -> Iterator[Services]:
    """Amazon Rekognition and Google Cloud Vision on this machine, found through the vendors' own variables.

    Nothing has been asked yet, and clients are made anew, for the variables as they are.
    """
    from faceveil.detect import google_vision, rekognition  # noqa: PLC0415
    from faceveil.pipeline import detector_of  # noqa: PLC0415

    _services.reset()
    yield _services
    for cached in (google_vision._client, rekognition._client, detector_of):
        cached.cache_clear()


@pytest.fixture(params=["rekognition", "google-vision"])
def cloud_spec(request: pytest.FixtureRequest, services: Services) -> str:
    """How each of the detectors is written that ask `services`."""
    return services.specs[request.param]


@pytest.fixture
def unused_port() -> int:
    """A port of this machine at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@pytest.fixture
def label_detectors(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The detectors of tests/labels/label_samples.py, registered as packages do, here and in processes started here.

    `test-plates` is what finds plates where nobody names a detector, in this process.
    """
    site = tmp_path_factory.mktemp("site")
    about = site / "label_samples-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: label-samples\nVersion: 1\n")
    found = {"test-plates": "Plates", "test-street": "Street", "test-outlined": "Outlined"}
    entries = "".join(f"{name} = label_samples:{kind}\n" for name, kind in found.items())
    (about / "entry_points.txt").write_text(f"[{plugins.DETECT}]\n{entries}")
    monkeypatch.syspath_prepend(str(site))
    paths = [str(site), str(ROOT / "tests" / "labels"), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.setitem(detect.FINDERS, "plate", "test-plates")
    plugins._entries.cache_clear()
    yield
    monkeypatch.undo()
    plugins._entries.cache_clear()
