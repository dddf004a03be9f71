"""An experiment as a file: what it means, and what is said of one that means nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from faceveil.errors import RequestError
from faceveil.evaluate.privacy.experiment import Experiment

ROOT = Path(__file__).resolve().parents[3]


def read(folder: Path, text: str) -> Experiment:
    (folder / "e.yml").write_text(text)
    return Experiment.read(folder / "e.yml")


def test_the_fields_own_experiment_is_a_file() -> None:
    experiment = Experiment.read(ROOT / "examples" / "adhoc_experiments.yml")
    runs = dict(experiment.runs())
    assert list(runs) == ["haar:target=face", "haar:target=face-eyes", "haar:target=glasses"]
    kinds = [one.spec.partition(":")[0] for one in runs["haar:target=face"]]
    assert {kind: kinds.count(kind) for kind in kinds} == {"blur": 10, "mosaic": 10, "noise": 10, "solid": 1}
    assert [one.spec for one in runs["haar:target=glasses"]] == ["solid:color=black"]
    assert len({one.name for made in runs.values() for one in made}) == 33
    assert all(one.area.shape == "box" and not one.area.regular for made in runs.values() for one in made)


def test_sweeps_are_written_out_and_one_detector_needs_no_name(tmp_path: Path) -> None:
    experiment = read(
        tmp_path, "methods: [veil, {method: 'blur:kernel={k}@head', k: [5, 9]}]\ndetectors: {haar: haar}\n"
    )
    ((finder, made),) = experiment.runs()
    assert finder == "haar"
    assert [one.name for one in made] == ["veil", "blur:kernel=5@head", "blur:kernel=9@head"]
    assert read(tmp_path, "methods: veil\n").runs()[0][0] is None


def test_a_cover_is_that_of_all_methods_that_name_none(tmp_path: Path) -> None:
    experiment = read(tmp_path, "methods: [veil, solid@head, {method: 'blur:kernel={k}', k: [5]}]\narea: width=1.2\n")
    ((_, made),) = experiment.runs()
    assert [one.name for one in made] == ["veil", "solid@head", "blur:kernel=5"]
    assert [one.area.width for one in made] == [1.2, 2.4, 1.2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'methods' is missing"),
        ("methods: []\n", "methods"),
        ("methods: [veil]\nstrength: 3\n", "there is no setting 'strength'"),
        ("methods: [{method: 'blur:kernel=5', k: [1]}]\n", "methods"),
        ("methods: [{method: 'blur:kernel={k}', k: [1], detectors: eyes}]\n", "is on 'eyes', which is no detector"),
        ("methods: [{method: 'blur:kernel={k}', k: [4]}]\n", "kernel must be odd"),
        ("methods: [veil, veil]\n", "'veil' is given twice"),
        ("methods: veil\narea: larger\n", "area is 'face', 'head' or settings"),
        ("- veil\n", "must hold settings"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        read(tmp_path, text).runs()
