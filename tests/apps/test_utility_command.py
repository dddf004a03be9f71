"""`faceveil evaluate utility` as a user meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image
from test_cli import faceveil

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "match"))

from made_recognisers import manifest

EACH = 7
LPIPS = find_spec("lpips") is not None and find_spec("torch") is not None


@pytest.fixture
def scenes(tmp_path: Path, portrait: Path) -> Path:
    """`scenes/beach` and `scenes/woods`: the portrait, small, before yellow and before green."""
    with Image.open(portrait) as opened:
        face = opened.resize((128, 128))
    for name, colour in (("beach", (220, 200, 120)), ("woods", (30, 90, 40))):
        (tmp_path / "scenes" / name).mkdir(parents=True)
        for i in range(EACH):
            scene = Image.new("RGB", (320, 240), tuple(min(255, level + 3 * i) for level in colour))
            scene.paste(face, (10 + 20 * i, 60))
            scene.save(tmp_path / "scenes" / name / f"{i}.png")
    return tmp_path


def test_what_is_learned_is_told_and_written(scenes: Path) -> None:
    command = "evaluate utility scenes -m veil -m solid@head -o report --seeds 3 --preset fast".split()
    out, err = faceveil(*command, cwd=scenes)
    assert out.splitlines()[0].startswith("original: top-1 100.0 [100.0, 100.0] %")
    assert "veil: top-1 100.0" in out
    assert "faces found again 0.0 [0.0, 0.0] %" in out
    assert "failed" not in err
    result = json.loads((scenes / "report" / "result.json").read_text())
    assert result["data"]["classes"] == {"beach": EACH, "woods": EACH}
    assert result["data"]["faces"] == 2 * EACH
    plain, veil, solid = result["conditions"]
    assert plain["fidelity"] == {}
    assert veil["lost"]["1"]["value"] == 0
    assert veil["fidelity"]["psnr_outside"]["value"] == 99
    assert veil["fidelity"]["psnr_inside"]["value"] < 30
    # The soft edge of a veil is as wide as what a head's cover is larger.
    assert solid["fidelity"]["covered"]["value"] == pytest.approx(veil["fidelity"]["covered"]["value"], rel=0.2)
    page = (scenes / "report" / "report.html").read_text()
    assert "<svg" in page
    assert "<script" not in page
    rows = (scenes / "report" / "result.csv").read_text().splitlines()
    assert rows[0] == "condition,measure,k,value,low,high"
    assert any(row.startswith("veil,lost,1,0,") for row in rows)
    _, err = faceveil(*command, cwd=scenes, code=2)
    assert "holds a report already" in err


def test_pictures_of_another_tool_are_measured_alike(scenes: Path) -> None:
    faceveil("scenes", "-o", "made", "-m", "solid", "--preset", "fast", "-q", cwd=scenes)
    (scenes / "made" / "beach" / "0.png").unlink()
    out, err = faceveil(*"evaluate utility scenes --anonymised made --preset fast --seeds 3".split(), cwd=scenes)
    assert "folder made: top-1" in out
    assert "left out: scenes/beach/0.png: has no picture in 'made'" in err


def test_a_picture_that_cannot_be_read_is_named_and_the_rest_is_measured(scenes: Path) -> None:
    (scenes / "scenes" / "beach" / "bad.png").write_bytes(b"no picture")
    out, err = faceveil(*"evaluate utility scenes -m solid --preset fast -q".split(), cwd=scenes, code=1)
    assert "solid: top-1" in out
    assert "failed: scenes/beach/bad.png: " in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("gone", "there is no 'gone'"),
        ("scenes -m vale", "vale"),
        ("scenes -m solid -m solid", "'solid' is given twice"),
        ("scenes/beach", "has 0 classes"),
        ("scenes --judge nobody", "nobody"),
        ("scenes --seeds 1", "1 is not in the range"),
    ],
)
def test_wrong_requests_start_nothing(scenes: Path, arguments: str, said: str) -> None:
    _, err = faceveil("evaluate", "utility", *arguments.split(), cwd=scenes, code=2)
    assert said in err


@pytest.mark.skipif(find_spec("torch") is None, reason="needs PyTorch: pip install torch")
def test_a_network_learns_and_is_told_with_its_version(scenes: Path) -> None:
    command = "evaluate utility scenes -m solid --preset fast --seeds 3 --model cnn -o learned -q".split()
    out, _ = faceveil(*command, cwd=scenes)
    assert float(out.split("top-1 ")[1].split()[0]) > 80
    result = json.loads((scenes / "learned" / "result.json").read_text())
    assert result["settings"]["model"] == "cnn"
    assert result["made"]["torch"]
    again, _ = faceveil(*command, "--overwrite", cwd=scenes)
    assert again == out


@pytest.mark.skipif(find_spec("torch") is not None, reason="PyTorch is installed")
def test_a_network_needs_pytorch(scenes: Path) -> None:
    _, err = faceveil(*"evaluate utility scenes --model cnn -m solid".split(), cwd=scenes, code=3)
    assert "pip install torch" in err


def test_networks_of_the_users_own_tell_what_they_see(scenes: Path) -> None:
    manifest(scenes, "metric: euclidean\n")
    command = "evaluate utility scenes -m solid -m keep --preset fast --seeds 3 -o own".split()
    out, _ = faceveil(*command, "--attributes", "made.yml", "--features", "made.yml", "--judge", "mtcnn", cwd=scenes)
    assert "keep: top-1" in out
    assert "same class, made, 100.0 [100.0, 100.0] %; Fréchet distance, made, 0.00" in out
    _, solid, keep = json.loads((scenes / "own" / "result.json").read_text())["conditions"]
    assert solid["frechet"]["made"]["value"] > 1
    assert solid["attributes"]["made"]["value"] < 1
    assert keep["landmarks"]["value"] == 0
    assert keep["aligned"] == 2 * EACH
    assert solid["landmarks"] is None
    page = (scenes / "own" / "report.html").read_text()
    assert "landmarks moved" in page
    assert f"({2 * EACH} faces)" in page
    assert any(
        row.startswith("solid,frechet made,") for row in (scenes / "own" / "result.csv").read_text().splitlines()
    )
    _, err = faceveil(*"evaluate utility scenes -m solid --lpips gone.pth".split(), cwd=scenes, code=3 - bool(LPIPS))
    assert ("there is no file 'gone.pth'" if LPIPS else "pip install lpips") in err


@pytest.mark.skipif(find_spec("lpips") is None, reason="needs LPIPS: pip install lpips")
def test_lpips_is_told_where_its_parts_are(scenes: Path) -> None:
    code = (
        "import torch; from torchvision.models import alexnet; torch.manual_seed(1);"
        "torch.save(alexnet(weights=None).state_dict(), 'alexnet.pth')"
    )
    subprocess.run([sys.executable, "-c", code], cwd=scenes, check=True)
    command = "evaluate utility scenes -m solid -m keep --preset fast --seeds 3 --lpips alexnet.pth".split()
    out, _ = faceveil(*command, cwd=scenes)
    assert "LPIPS 0.000 [0.000, 0.000]" in out.splitlines()[2]
    assert "LPIPS 0." in out.splitlines()[1]
    assert "LPIPS 0.000" not in out.splitlines()[1]
