"""`faceveil run` as a user meets it: real pictures and films, real processes, the exit codes of all commands."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from faceveil.detect import build
from faceveil.detect.runtime import Runtime
from faceveil.types import Frame

ROOT = Path(__file__).parent.parent.parent
PIPELINE = """\
nodes:
- input.visual: {source: %s}
- model.mtcnn: {min_size: 40, network_thresholds: [0.6, 0.7, 0.7], score_threshold: 0.7}
- draw.mosaic_bbox: {mosaic_level: 7}
- output.media_writer: {output_dir: out}
"""


def faceveil(*arguments: object, cwd: Path, code: int = 0) -> tuple[str, str]:
    """Run a command; its standard output and error. The exit code is asserted."""
    command = [sys.executable, "-m", "faceveil", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, f"exit {done.returncode}: {done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


@pytest.fixture
def folder(tmp_path: Path, portrait: Path) -> Path:
    """A folder with `photo.jpg`, and `holiday/` with two pictures and a text."""
    shutil.copy(portrait, tmp_path / "photo.jpg")
    (tmp_path / "holiday").mkdir()
    with Image.open(portrait) as picture:
        picture.save(tmp_path / "holiday" / "a.png")
        picture.resize((256, 256)).save(tmp_path / "holiday" / "b.jpg")
    (tmp_path / "holiday" / "notes.txt").write_text("not a picture")
    return tmp_path


@pytest.fixture
def clip(folder: Path, portrait: Path) -> Path:
    """`clip.mp4` in the folder: 12 frames of the portrait, moving to the right."""
    with Image.open(portrait) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    with av.open(folder / "clip.mp4", "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(12))
        stream.width, stream.height, stream.pix_fmt = pixels.shape[1], pixels.shape[0], "yuv420p"
        for i in range(12):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.roll(pixels, 4 * i, axis=1), format="rgb24")))
        container.mux(stream.encode())
    return folder / "clip.mp4"


def test_a_job_does_what_the_options_do(folder: Path) -> None:
    (folder / "job.yml").write_text(
        "source: [holiday, photo.jpg]\nmethod: solid\noutputs: out\nreport: r.json\njobs: 2\n"
    )
    out, err = faceveil("run", "job.yml", cwd=folder)
    assert out.startswith("3 done, 1 left alone (not pictures); 3 faces")
    assert err == ""
    faceveil("holiday", "photo.jpg", "-m", "solid", "-o", "same", "-q", cwd=folder)
    made = {str(path.relative_to(folder / "out")): path.read_bytes() for path in (folder / "out").rglob("*.*")}
    assert made == {
        str(path.relative_to(folder / "same")): path.read_bytes() for path in (folder / "same").rglob("*.*")
    }
    report = json.loads((folder / "r.json").read_text())
    assert report["policy"]["method"] == "solid"
    assert report["command"] == "faceveil run job.yml"
    out, _ = faceveil("run", "job.yml", cwd=folder)
    assert out.startswith("0 done, 3 kept")


def test_failures_are_named_and_counted_as_always(folder: Path) -> None:
    (folder / "holiday" / "b.jpg").write_bytes((folder / "photo.jpg").read_bytes()[:9000])
    (folder / "job.yml").write_text("source: holiday\n")
    out, err = faceveil("run", "job.yml", cwd=folder, code=1)
    assert err.startswith("failed: holiday/b.jpg: ")
    assert out.startswith("1 done, 1 failed")
    (folder / "job.yml").write_text("source: photo.jpg\nmethod: solid\nprovider: coreml\n")
    faceveil("run", "job.yml", cwd=folder, code=3)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("source: photo.jpg\nmethod: blurr\n", "job.yml, line 2: method: no method is called 'blurr' — did you mean"),
        ("source: photo.jpg\nreports: x\n", "job.yml, line 2: there is no field 'reports' — did you mean 'report'?"),
        ("source:\n- photo.jpg\n- none.jpg\n", "job.yml, line 3: source: there is no 'none.jpg'"),
        ("source: photo.jpg\noutputs: [out, window]\n", "job.yml, line 2: outputs: 'window' is for what is live"),
        (PIPELINE % "none.mp4", "job.yml, line 2: source: there is no 'none.mp4'"),
        (PIPELINE.replace("draw", "darw") % "photo.jpg", "job.yml, line 4: no node of PeekingDuck that is run here is"),
        ("source: photo.jpg\noutputs: photo.jpg\n", "job.yml, line 2: outputs: 'photo.jpg' is an input and would be"),
    ],
)
def test_wrong_jobs_start_nothing(folder: Path, text: str, complaint: str) -> None:
    (folder / "job.yml").write_text(text)
    before = sorted(folder.rglob("*"))
    _, err = faceveil("run", "job.yml", cwd=folder, code=2)
    assert err.startswith(f"faceveil: {complaint}")
    assert err.count("\n") == 1
    assert sorted(folder.rglob("*")) == before


def test_a_file_is_needed(folder: Path) -> None:
    assert faceveil("run", cwd=folder, code=2)[1] == "faceveil: which job? — faceveil run JOB.yml\n"
    assert "cannot read the job none.yml: No such file" in faceveil("run", "none.yml", cwd=folder, code=2)[1]


def test_jobs_and_schema_are_printed(folder: Path) -> None:
    golden = Path(__file__).parent / "golden"
    out, err = faceveil("run", golden / "camera.yml", "--print-job", cwd=folder)
    assert out == (golden / "camera.job.yml").read_text()
    assert [line.partition("line ")[2] for line in err.splitlines()] == [
        "10: dabble.fps has no effect: the preview shows the frame rate by itself",
        "11: draw.legend has no effect: nothing is written on pictures",
    ]
    out, _ = faceveil("run", "--schema", cwd=folder)
    assert json.loads(out) == json.loads((ROOT / "docs" / "job.schema.json").read_text())


@pytest.mark.parametrize("name", ["job.yml", "peekingduck.yml"])
def test_examples_run(tmp_path: Path, name: str) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    out, _ = faceveil("run", f"examples/{name}", cwd=tmp_path)
    assert "examples/portrait.jpg: 1 face -> demo/portrait.jpg" in out


def _faces(pixels: np.ndarray) -> int:
    """Faces that are seen for sure; her collar passes for one at 0.9."""
    detector = build("balanced", "mtcnn:min_size=40", Runtime("cpu", 1), min_score=0.95)
    return len(detector(Frame(pixels)))


def test_a_pipeline_of_peekingduck_runs_on_a_folder(folder: Path) -> None:
    (folder / "pipeline.yml").write_text(PIPELINE % "holiday")
    out, err = faceveil("run", "pipeline.yml", cwd=folder)
    assert out.startswith("2 done, 1 left alone (not pictures); 2 faces")
    assert err.count("\n") == 1
    assert err.startswith("note: mosaic is known to be re-identifiable")
    for name in ("a.png", "b.jpg"):
        before, after = (np.asarray(Image.open(folder / where / name).convert("RGB")) for where in ("holiday", "out"))
        assert before.shape == after.shape
        assert (_faces(before), _faces(after)) == (1, 0)


@pytest.mark.shared_data
def test_a_pipeline_of_peekingduck_runs_on_real_pictures(tmp_path: Path, shared: Path) -> None:
    pictures = sorted((shared / "recognition" / "lfw").rglob("*.jpg"))[:6]
    (tmp_path / "faces").mkdir()
    for picture in pictures:
        shutil.copy(picture, tmp_path / "faces" / picture.name)
    (tmp_path / "pipeline.yml").write_text(PIPELINE % "faces")
    faceveil("run", "pipeline.yml", cwd=tmp_path)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(p.name for p in pictures)
    for picture in pictures:
        with Image.open(picture) as before, Image.open(tmp_path / "out" / picture.name) as after:
            assert _faces(np.asarray(before)) >= 1
            assert _faces(np.asarray(after)) == 0


def _frames(path: Path) -> list[np.ndarray]:
    with av.open(path) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_a_pipeline_of_peekingduck_runs_on_a_film(clip: Path) -> None:
    (clip.parent / "pipeline.yml").write_text(PIPELINE % "clip.mp4")
    out, err = faceveil("run", "pipeline.yml", cwd=clip.parent)
    assert re.fullmatch(r"clip.mp4: \d faces? in 12 frames -> out/clip.mp4\n", out)
    assert err.startswith("note: mosaic is known to be re-identifiable")
    before, after = _frames(clip), _frames(clip.parent / "out" / "clip.mp4")
    assert len(before) == len(after) == 12
    assert all(_faces(frame) == 1 for frame in before[::4])
    assert not any(_faces(frame) for frame in after)


def test_a_film_is_played_as_if_it_were_live(clip: Path) -> None:
    text = "source: clip.mp4\nmethod: solid\npreset: fast\noutputs: out/\nreport: r.json\n"
    (clip.parent / "job.yml").write_text(text + "live: {delay: 0.2, overload: veil}\n")
    out, _ = faceveil("run", "job.yml", cwd=clip.parent)
    assert out.startswith("clip.mp4: 12 frames in ")
    report = json.loads((clip.parent / "r.json").read_text())
    assert report["frames"] == 12
    assert report["shown"] + report["veiled"] + report["dropped"] == 12
    after = _frames(clip.parent / "out" / "clip.mp4")
    assert after
    assert not any(_faces(frame) for frame in after)


def test_what_the_live_run_refuses_names_the_job(clip: Path) -> None:
    (clip.parent / "job.yml").write_text("source: clip.mp4\nlive: {}\noutputs:\n- 'preview:99999'\n")
    _, err = faceveil("run", "job.yml", cwd=clip.parent, code=2)
    assert err == "faceveil: job.yml, line 3: '99999' in 'preview:99999' is no port — write preview or preview:8765\n"


def test_a_job_with_neutral_names(folder: Path) -> None:
    (folder / "job.yml").write_text("source: holiday\noutputs: out\nreport: names.json\nneutral_names: true\n")
    faceveil("run", "job.yml", cwd=folder)
    names = sorted(path.name for path in (folder / "out").iterdir())
    assert len(names) == 2
    assert all(re.fullmatch(r"[0-9a-f]{16}\.(png|jpg)", name) for name in names)
    assert {Path(file["source"]).name for file in json.loads((folder / "names.json").read_text())["files"]} == {
        "a.png",
        "b.jpg",
    }
    (folder / "live.yml").write_text("source: 0\nneutral_names: true\n")
    _, said = faceveil("run", "live.yml", cwd=folder, code=2)
    assert "live.yml, line 2: neutral_names" in said


def test_a_job_covers_what_annotations_say(folder: Path) -> None:
    said = {
        "images": [{"id": 1, "file_name": "a.png", "width": 512, "height": 512}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 40, 50]}],
        "categories": [{"id": 1, "name": "face"}],
    }
    (folder / "f.json").write_text(json.dumps(said))
    job = "source: holiday/a.png\noutputs: out.png\nannotations: f.json\nmethod: solid:color=black\n"
    (folder / "job.yml").write_text(job)
    faceveil("run", "job.yml", cwd=folder)
    with Image.open(folder / "out.png") as made:
        assert max(made.convert("RGB").getpixel((30, 35))) < 20  # type: ignore[arg-type]
    (folder / "f.json").write_text("{}")
    _, err = faceveil("run", "job.yml", cwd=folder, code=2)
    assert err.startswith("faceveil: job.yml, line 3: ")
    (folder / "job.yml").write_text("source: holiday\noutputs: out\nadd_detected: true\n")
    _, err = faceveil("run", "job.yml", cwd=folder, code=2)
    assert "job.yml, line 3: add_detected" in err
    (folder / "job.yml").write_text("source: 0\nannotations: f.json\n")
    _, err = faceveil("run", "job.yml", cwd=folder, code=2)
    assert "job.yml, line 2: annotations" in err
