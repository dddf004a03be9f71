"""Labels on the command line: several -m, one sentence for what makes no sense, counts by label, jobs and live runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import label_samples as samples
import numpy as np
import pytest
from label_samples import yellow
from PIL import Image

from faceveil.apps.cli.options import policy_of
from faceveil.errors import RequestError
from faceveil.policy import Policy

pytestmark = pytest.mark.usefixtures("label_detectors")
ALL = ("-d", "union(centerface, test-street)", "--cover", "face,plate,person")


def faceveil(*arguments: object, cwd: Path, code: int = 0) -> tuple[str, str]:
    command = [sys.executable, "-m", "faceveil", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, f"exit {done.returncode}: {done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Image.fromarray(samples.street()).save(tmp_path / "a.png")
    return tmp_path


def pixels(path: Path) -> Any:
    return np.asarray(Image.open(path).convert("RGB"))


# --- several methods -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "method", "methods"),
    [
        ((), "veil", {}),
        (("solid",), "solid", {}),
        (("plate=solid",), "veil", {"plate": "solid"}),
        (("plate=solid:color=red", "veil"), "veil", {"plate": "solid:color=red"}),
        (("mosaic:cells=4,b=3", "plate = mosaic:cells=2,b=9"), "mosaic:cells=4,b=3", {"plate": "mosaic:cells=2,b=9"}),
        (("DEFAULT=blur",), "blur", {}),
        (("image:path=a=b.png",), "image:path=a=b.png", {}),
        (("plate=mosaic(cells=2)",), "veil", {"plate": "mosaic(cells=2)"}),
    ],
    ids=str,
)
def test_several_methods_are_read(options: tuple[str, ...], method: str, methods: dict[str, str]) -> None:
    made = policy_of(None, {"method": options, "cover": "face,plate"})
    assert (made.method, made.methods) == (method, methods)


def test_options_go_over_the_methods_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "p.yml"
    file.write_text("cover: [face, plate, person]\nmethods: {DEFAULT: blur, plate: solid, person: keep}\n")
    as_said = policy_of(file, {"method": ()})
    assert (as_said.method, as_said.methods) == ("blur", {"plate": "solid", "person": "keep"})
    over = policy_of(file, {"method": ("plate=mosaic",)})
    assert (over.method, over.methods) == ("blur", {"plate": "mosaic", "person": "keep"})
    default = policy_of(file, {"method": ("veil",)})
    assert (default.method, default.methods) == ("veil", {"plate": "solid", "person": "keep"})


def test_two_methods_for_the_same_are_refused() -> None:
    with pytest.raises(RequestError, match="--method names two for everything: 'veil' and 'solid'"):
        policy_of(None, {"method": ("veil", "solid")})
    with pytest.raises(RequestError, match="--method names two for 'plate': 'veil' and 'solid'"):
        policy_of(None, {"method": ("plate=veil", "plate=solid"), "cover": "plate"})


# --- runs ------------------------------------------------------------------------------------------------------------


def test_a_run_counts_by_label_and_warns_of_each_method(folder: Path) -> None:
    out, err = faceveil("a.png", *ALL, "-m", "solid", "-m", "plate=blur", "-m", "person=keep", cwd=folder)
    assert out == "a.png: 1 face, 1 plate, 1 person, 1 of them left visible -> a_veiled.png\n"
    assert [line.partition(" is ")[0] for line in err.splitlines()] == [
        "note: for plate, blur",
        "note: for person, keep",
    ]
    _, plain = faceveil("a.png", "-m", "blur", "--overwrite", cwd=folder)
    assert plain.startswith("note: blur is known to be re-identifiable")
    _, quiet = faceveil("a.png", *ALL, "-m", "solid", "--overwrite", cwd=folder)
    assert quiet == ""


def test_a_folder_and_its_report_count_by_label(folder: Path) -> None:
    (folder / "in").mkdir()
    for name in "ab":
        Image.fromarray(samples.street()).save(folder / "in" / f"{name}.png")
    Image.fromarray(samples.ground()).save(folder / "in" / "c.png")
    out, _ = faceveil("in", *ALL, "-o", "out", "--report", "r.json", "-j", 2, cwd=folder)
    assert "3 done; 2 faces, 2 plates, 2 persons in" in out
    report = json.loads((folder / "r.json").read_text())
    assert report["totals"]["labels"] == {"face": 2, "plate": 2, "person": 2}
    assert [f.get("labels") for f in report["files"]][2] == {"face": 0, "plate": 0, "person": 0}
    assert report["policy"]["cover"] == ["face", "plate", "person"]
    assert all(yellow(pixels(file)) == 0 for file in (folder / "out").iterdir())
    out, _ = faceveil("in", "-o", "none", "-d", "test-plates", "--cover", "plate", cwd=folder)
    assert "3 done; 2 plates in" in out
    out, _ = faceveil("in/c.png", *ALL, "-o", "c.png", cwd=folder)
    assert out == "in/c.png: no face and no plate and no person found -> c.png\n"


def test_a_plan_is_made_and_applied(folder: Path) -> None:
    faceveil("a.png", *ALL, "-m", "plate=solid", "--plan", "p.jsonl", cwd=folder)
    _, line = (folder / "p.jsonl").read_text().splitlines()
    faces = json.loads(line)["faces"]
    assert sorted((face.get("label", "face"), face["method"]) for face in faces) == [
        ("face", "veil"),
        ("person", "veil"),
        ("plate", "solid"),
    ]
    out, _ = faceveil("apply", "p.jsonl", "-o", "out", cwd=folder)
    assert out.startswith("a.png: 1 face, 1 plate, 1 person -> out")
    assert (pixels(folder / "out" / "a.png")[196, 240] == 0).all()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--cover", "head"], "cover says what is covered, such as face,plate; how much of a face is said by 'area'"),
        (["--cover", "width=2"], "how much of a face is said by 'area'"),
        (["--cover", "face,screen"], "no detector of 'screen' comes with faceveil, only of face, plate, person"),
        (["--cover", "badge", "-d", "test-street"], "detector 'test-street' finds plate and person, not badge"),
        (["-m", "plate=solid"], "'plate' is not covered, so it has no method: say cover=face,plate"),
        (["--cover", "plate", "-d", "test-plates", "-m", "plate=blurr"], "no method is called 'blurr'"),
        (["--cover", "plate", "-d", "test-plates", "-m", "plate=solid", "-m", "plate=veil"], "names two for 'plate'"),
        (["--area", "shape=contour"], "shape=contour needs the outline of a face, which detector"),
        (["--area", "shape=round"], "'area.shape': input should be"),
        (["--cover", ","], "'' cannot name what is covered"),
    ],
    ids=str,
)
def test_wrong_requests_start_nothing(folder: Path, arguments: list[str], complaint: str) -> None:
    _, err = faceveil("a.png", *arguments, cwd=folder, code=2)
    assert complaint in err
    assert err.count("\n") == 1
    assert [p.name for p in folder.iterdir()] == ["a.png"]


def test_check_has_no_outlines_to_follow(folder: Path) -> None:
    _, err = faceveil("check", "a.png", "--area", "shape=contour", cwd=folder, code=2)
    assert err == "faceveil: the faces of the original have no outlines — name another --area, such as face\n"


def test_a_job_says_it_too(folder: Path) -> None:
    (folder / "job.yml").write_text(
        "source: a.png\ndetector: union(centerface, test-street)\ncover: [face, plate, person]\n"
        "methods:\n  plate: solid\n  DEFAULT: veil\noutputs: out\n"
    )
    out, _ = faceveil("run", "job.yml", cwd=folder)
    assert out.startswith("a.png: 1 face, 1 plate, 1 person -> out")
    printed, _ = faceveil("run", "job.yml", "--print-job", cwd=folder)
    assert "cover:\n- face\n- plate\n- person\n" in printed
    assert "methods:\n  plate: solid\n" in printed


@pytest.mark.parametrize(
    ("job", "complaint"),
    [
        ("cover: head\n", "job.yml, line 2: cover: cover says what is covered"),
        ("cover:\n  width: 2\n", "job.yml, line 2: cover: cover says what is covered"),
        ("methods:\n  plate: solid\n", "job.yml, line 2: methods: 'plate' is not covered"),
        ("cover: [face, plate]\nmethods:\n  face: veil\n  plate: blurr\n", "job.yml, line 5: methods: no method is"),
        ("method: veil\nmethods: {DEFAULT: solid}\n", "job.yml, line 3: methods: 'method' is given, and DEFAULT says"),
        ("detector: centerface\ncover: plate\n", "job.yml, line 3: detector 'centerface' finds face, not plate"),
        ("area:\n  shape: contour\n", "job.yml, line 2: shape=contour needs the outline"),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_job_is_named_with_its_line(folder: Path, job: str, complaint: str) -> None:
    (folder / "job.yml").write_text(f"source: a.png\n{job}")
    _, err = faceveil("run", "job.yml", cwd=folder, code=2)
    assert err.startswith(f"faceveil: {complaint}")
    assert err.count("\n") == 1


def test_a_video_and_a_live_run(folder: Path) -> None:
    def at(number: int) -> Any:
        picture = samples.ground()
        samples.put_head(picture, 30, 60)
        samples.put_plate(picture, 150 + 3 * number, 150)
        return picture

    samples.film(folder / "clip.mp4", [at(i) for i in range(20)])
    out, _ = faceveil(
        "clip.mp4", "-d", "union(centerface, test-plates)", "--cover", "face,plate", "-m", "plate=solid", cwd=folder
    )
    assert out == "clip.mp4: 1 face, 1 plate in 20 frames -> clip_veiled.mp4\n"
    assert max(map(yellow, samples.shown(folder / "clip_veiled.mp4"))) == 0
    out, _ = faceveil(
        "live", "clip.mp4", "--cover", "plate", "-d", "test-plates", "-m", "plate=solid", "--to", "out.mkv",
        "--report", "r.json", cwd=folder,
    )  # fmt: skip
    assert ", 1 plate," in out
    assert json.loads((folder / "r.json").read_text())["labels"] == {"plate": 1}
    (folder / "job.yml").write_text(
        "source: clip.mp4\noutputs: job.mkv\nlive: {}\ncover: plate\ndetector: test-plates\nmethods: {plate: solid}\n"
    )
    out, _ = faceveil("run", "job.yml", cwd=folder)
    assert ", 1 plate," in out
    assert max(map(yellow, samples.shown(folder / "job.mkv"))) < 20


def test_policies_of_two_covers_are_two_policies() -> None:
    one, other = Policy.of(cover="face,plate"), Policy.of(cover="face,plate", methods={"plate": "solid"})
    assert one != other
    assert len({one, other, Policy.of(cover=["face", "plate"])}) == 2
