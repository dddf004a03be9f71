"""What stands from an earlier run is kept, and said to be made otherwise where anything that shapes it has changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from faceveil import pipeline
from faceveil.dataset.batch import process
from faceveil.dataset.task import Setup, Task
from faceveil.models import store
from faceveil.policy import Policy


def sticker(path: Path, colour: str) -> None:
    Image.new("RGBA", (64, 64), colour).save(path)


def manifest(path: Path, threshold: float) -> None:
    path.write_text(
        f"file: {store.path('centerface')}\nlicence: MIT\ndecoder: {{family: centerface}}\nsize: 320\n"
        f"score_threshold: {threshold}\n"
    )


def test_another_picture_in_the_same_file_is_another_method(tmp_path: Path, portrait: Path) -> None:
    sticker(tmp_path / "cat.png", "red")
    setup = Setup(policy=Policy.of(method=f"image:path={tmp_path / 'cat.png'}", seed=1))
    tasks = [Task(source=portrait, output=tmp_path / "out.jpg")]
    (first,) = process(tasks, setup, workers=1)
    assert first.status == "done"
    earlier = {first.source: first}
    (same,) = process(tasks, setup, workers=1, earlier=earlier)
    assert (same.status, same.notes) == ("kept", ())
    sticker(tmp_path / "cat.png", "blue")
    (other,) = process(tasks, setup, workers=1, earlier=earlier)
    assert other.notes == ("the output was made with other settings — --overwrite makes it anew",)


@pytest.mark.parametrize("spec", ["onnx:manifest={}", "flip(onnx(manifest={}))"])
def test_another_manifest_in_the_same_file_is_another_detector(tmp_path: Path, spec: str) -> None:
    path = tmp_path / "face.yml"
    manifest(path, 0.2)
    policy = Policy.of(detector=spec.format(path))
    before = pipeline.key_of(policy)
    assert before == pipeline.key_of(policy)
    manifest(path, 0.4)
    assert pipeline.key_of(policy) != before


def test_settings_without_files_are_all_there_is() -> None:
    assert pipeline.key_of(Policy()) == pipeline.key_of(Policy())
    assert pipeline.key_of(Policy()) != pipeline.key_of(Policy(method="solid"))
    assert "files" not in pipeline.key_of(Policy())
