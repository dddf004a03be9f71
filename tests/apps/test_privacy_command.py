"""`faceveil evaluate privacy` and `faceveil recognisers` as a user meets them."""

from __future__ import annotations

import csv
import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance
from test_cli import faceveil

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "match"))

from made_recognisers import manifest


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, portrait: Path) -> Path:
    """`people/` with four people of eight photos each, and a recogniser in `made.yml`."""
    root = tmp_path_factory.mktemp("home")
    manifest(root)
    with Image.open(portrait) as opened:
        plain = opened.convert("RGB")
    red, green, blue = plain.split()
    people = {"Ann": (red, green, blue), "Bob": (blue, green, red), "Cleo": (green, red, blue), "Dan": (red, red, blue)}
    for name, bands in people.items():
        (root / "people" / name).mkdir(parents=True)
        for i in range(8):
            picture = ImageEnhance.Brightness(Image.merge("RGB", bands)).enhance(1 - i / 20)
            picture.resize((200 + 8 * i, 200 + 8 * i)).save(root / "people" / name / f"{i}.png")
    return root


def measured(home: Path, *more: str, code: int = 0) -> tuple[str, str]:
    command = ("evaluate", "privacy", "people", "-r", "onnx:manifest=made.yml", *more)
    out, err = faceveil(*command, cwd=home, code=code)
    return out, err


def test_a_report_says_how_often_people_are_named(home: Path) -> None:
    methods = (
        "-m",
        "solid@head",
        "-m",
        "blur:sigma=0.05",
        "--filters",
        "median",
        "--attacks",
        "naive,parrot,retrained",
    )
    out, err = measured(home, *methods, "-o", "report", "--resamples", "200")
    assert "blur:sigma=0.05: re-identifiable" in out
    assert "blackout: at chance" in out
    assert "One recogniser was asked" in err
    folder = home / "report"
    assert {file.name for file in folder.iterdir()} == {"report.html", "result.json", "result.csv"}
    text = (folder / "result.json").read_text()
    assert not any(name in text + (folder / "report.html").read_text() for name in ("Ann", "Bob", "Cleo", "Dan"))
    made = json.loads(text)
    assert [one["name"] for one in made["conditions"]] == [
        "original",
        "solid@head",
        "blur:sigma=0.05",
        "blackout",
    ]
    with (folder / "result.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) > 20


def test_wrong_words_are_told_before_anything_starts(home: Path) -> None:
    for more, complaint in (
        (("-m", "veli"), "no method is called 'veli' — did you mean 'veil'?"),
        (("--filters", "sharpen"), "no filter is called 'sharpen'"),
        (("--attacks", "guess"), "there is no attack 'guess'"),
        (("-r", "insight"), "no recogniser is called 'insight'"),
        (("--attacker-detector", "haar"), "detector 'haar' gives no landmarks"),
        (("--anonymised", "nowhere"), "there is no folder 'nowhere'"),
    ):
        _, err = measured(home, *more, "-o", "never", code=2)
        assert complaint in err
        assert not (home / "never").exists()
    _, err = faceveil("evaluate", "privacy", "nobody", cwd=home, code=2)
    assert "there is no 'nobody'" in err


def test_a_missing_model_is_told_with_its_cure(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEVEIL_MODELS", str(tmp_path))
    _, err = faceveil("evaluate", "privacy", "people", "-m", "veil", cwd=home, code=3)
    assert "the model 'mobilefacenet' is not installed — faceveil models add mobilefacenet --file FILE.onnx" in err


@pytest.mark.skipif(find_spec("torch") is not None, reason="PyTorch is installed")
def test_a_network_needs_pytorch(home: Path) -> None:
    for more in (("--cnn",), ("--attacks", "retrained-cnn")):
        _, err = measured(home, "-m", "solid", *more, "-o", "never", code=3)
        assert "pip install torch" in err
        assert not (home / "never").exists()


@pytest.mark.skipif(find_spec("torch") is None, reason="needs PyTorch: pip install torch")
def test_a_network_attacks_where_it_is_asked_for_and_the_report_says_so(home: Path) -> None:
    usual = ("-m", "blur:sigma=0.05", "--filters", "none", "--attacks", "retrained", "--resamples", "100")
    found = {}
    for folder, more in (("without", ()), ("with", ("--cnn",))):
        measured(home, *usual, *more, "-o", folder)
        found[folder] = json.loads((home / folder / "result.json").read_text())
    attacks = {
        folder: {
            (one["attack"]["kind"], one["attack"]["field"], one["attack"]["recogniser"]): one["rank1"]
            for one in made["conditions"][1]["findings"]
        }
        for folder, made in found.items()
    }
    network = {key: rate for key, rate in attacks["with"].items() if key[0] == "retrained network"}
    assert {key[1] for key in network} == {"face", "wide"}
    assert all(rate["value"] > 0.5 for rate in network.values())  # of four people
    assert attacks["without"] == {key: rate for key, rate in attacks["with"].items() if key not in network}
    assert "retrained-cnn" in found["with"]["settings"]["attacks"]
    assert "retrained-cnn" not in found["without"]["settings"]["attacks"]
    assert any("No network was trained" in remark for remark in found["without"]["remarks"])
    assert any("A network trained on painted pictures took part" in remark for remark in found["with"]["remarks"])
    assert found["with"]["made"]["torch"]
    assert "torch" not in found["without"]["made"]


def test_recognisers_are_listed() -> None:
    out, _ = faceveil("recognisers", cwd=Path.cwd())
    for word in ("onnx", "dlib", "mirror=True", "CC0-1.0", "faceveil searches for nobody"):
        assert word in out


def test_an_experiment_runs_on_the_boxes_of_several_detectors(home: Path) -> None:
    (home / "e.yml").write_text(
        "recognisers: 'onnx:manifest=made.yml'\nattacks: [naive, parrot]\nfilters: []\n"
        "detectors: {all: centerface, eyes: 'haar:target=face-eyes'}\n"
        "methods:\n- solid@head\n- {method: 'blur:kernel={k}', k: [3, 9], detectors: all}\n"
    )
    command = ("evaluate", "privacy", "people", "--experiment", "e.yml", "--resamples", "100")
    out, _ = faceveil(*command, cwd=home)
    assert [line.partition(": ")[0] for line in out.splitlines()] == [
        "solid@head, all",
        "blur:kernel=3, all",
        "blur:kernel=9, all",
        "solid@head, eyes",
        "blackout",
    ]
    _, err = faceveil(*command, "-m", "veil", cwd=home, code=2)
    assert "--method and --experiment say the same" in err


def test_a_method_is_recommended_and_its_policy_used(home: Path) -> None:
    command = "evaluate recommend people -r onnx:manifest=made.yml --filters none --resamples 100 -m blur:sigma=0.05"
    arguments = [*command.split(), "-m", "solid@width=6,height=6", "--attacks", "naive,parrot", "-o", "policy.yml"]
    out, _ = faceveil(*arguments, "--max-rank1", "0.6", cwd=home)
    assert "the first of 2 behind which no attack on the face field names more than 60 %" in out
    assert "method: solid" in (home / "policy.yml").read_text()
    faceveil("people/Ann/0.png", "-o", "veiled.png", "--policy", "policy.yml", "-q", cwd=home)
    _, err = faceveil(*arguments, "--max-rank1", "0.6", cwd=home, code=2)
    assert "'policy.yml' is there already" in err
    _, err = faceveil(*command.split(), "--max-rank1", "0.3", "--attacks", "naive,parrot", cwd=home, code=4)
    assert "behind none of 1 methods at most 30 % are named" in err
    _, err = faceveil(*command.split(), "--max-rank1", "0.1", "--attacks", "naive", cwd=home, code=2)
    assert "guessing names 25 %" in err
