"""`faceveil annotate`, `--annotations`, `evaluate` and `calibrate` as a user meets them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from PIL import Image
from test_cli import FACEVEIL, faceveil

from faceveil.policy import Policy


@pytest.fixture
def album(tmp_path: Path, portrait: Path) -> Path:
    """`album/` with six small portraits, one of them below, and a text."""
    (tmp_path / "album" / "sub").mkdir(parents=True)
    with Image.open(portrait) as picture:
        for i in range(6):
            name = f"album/{i}.jpg" if i else "album/sub/0.jpg"
            picture.resize((160 + 8 * i, 160)).save(tmp_path / name)
    (tmp_path / "album" / "notes.txt").write_text("nothing")
    return tmp_path


def _names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_annotations_go_out_are_corrected_and_come_back(album: Path) -> None:
    out, _ = faceveil("annotate", "album", "-o", "faces.json", "--preset", "fast", cwd=album)
    assert out.endswith("the annotations (coco) are in faces.json; they are personal data\n")
    assert (album / "faces.json").stat().st_mode & 0o777 == 0o600
    coco = json.loads((album / "faces.json").read_text())
    assert sorted(image["file_name"] for image in coco["images"]) == [
        "1.jpg",
        "2.jpg",
        "3.jpg",
        "4.jpg",
        "5.jpg",
        "sub/0.jpg",
    ]
    assert len(coco["annotations"]) == 6

    # A correction: one picture has no face, one is left out, one more is named.
    ids = {image["file_name"]: image["id"] for image in coco["images"]}
    coco["annotations"] = [one for one in coco["annotations"] if one["image_id"] != ids["1.jpg"]]
    coco["images"] = [one for one in coco["images"] if one["file_name"] != "2.jpg"]
    coco["annotations"] = [one for one in coco["annotations"] if one["image_id"] != ids["2.jpg"]]
    coco["images"].append({"id": 99, "file_name": "elsewhere.jpg", "width": 9, "height": 9})
    (album / "faces.json").write_text(json.dumps(coco))
    out, err = faceveil("album", "--annotations", "faces.json", "-o", "out", "--report", "r.json", cwd=album, code=1)
    assert "failed: album/2.jpg: is not in faces.json — annotate it, if only with no face, or leave it out\n" in err
    assert "note: faces.json names a picture not among the inputs: 'elsewhere.jpg'" in err
    assert out.startswith("5 done, 1 failed, 1 left alone (not pictures); 4 faces")
    assert _names(album / "out") == ["1.jpg", "3.jpg", "4.jpg", "5.jpg", "sub/0.jpg"]
    report = json.loads((album / "r.json").read_text())
    notes = {Path(one["source"]).name: one.get("notes", []) for one in report["files"]}
    assert notes["1.jpg"][-1] == "It is annotated with no face: nothing is covered."
    out, _ = faceveil("album", "--annotations", "faces.json", "-o", "out", "--report", "r.json", cwd=album, code=1)
    assert "5 kept" in out


def test_covering_what_annotate_found_is_covering_what_veil_finds(album: Path) -> None:
    faceveil("annotate", "album", "-o", "faces.csv", "-q", cwd=album)
    faceveil("album", "--annotations", "faces.csv", "-o", "said", "-m", "solid", "-q", cwd=album)
    faceveil("album", "-o", "found", "-m", "solid", "-q", cwd=album)
    same = [
        (album / "said" / name).read_bytes() == (album / "found" / name).read_bytes() for name in _names(album / "said")
    ]
    assert all(same)


def test_annotations_serve_plans_and_verification_too(album: Path) -> None:
    faceveil("annotate", "album/1.jpg", "-o", "labels", "-q", cwd=album)
    faceveil("album/1.jpg", "--annotations", "labels", "--plan", "p.jsonl", "-q", cwd=album)
    head, line = (json.loads(text) for text in (album / "p.jsonl").read_text().splitlines())
    assert head["detector"] == "annotations labels"
    assert (line["source"], len(line["faces"])) == ("album/1.jpg", 1)
    (album / "labels" / "1.txt").write_text("")
    _, err = faceveil("album/1.jpg", "--annotations", "labels", "-o", "x.jpg", "--verify", cwd=album, code=4)
    assert "refused: album/1.jpg" in err
    assert not (album / "x.jpg").exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["album", "--annotations", "none.json"], "there is no 'none.json'"),
        (["album", "--annotations", "bad.json"], "bad.json: is neither COCO"),
        (["album", "--add-detected"], "--add-detected adds to annotations — name them with --annotations"),
        (["album", "--annotations", "f.json", "-m", "mask"], "method 'mask' needs landmarks, which annotations do not"),
        (["annotate", "album", "-o", "faces.xml"], "no annotations are written to 'faces.xml' — known: .json"),
        (["annotate", "clip.mp4", "-o", "faces.txt"], "'clip.mp4' is a video, and wider has no place for its frames"),
        (["annotate", "twins", "-o", "labels"], "'a.jpg' and 'a.png' have one name in yolo — write coco or csv"),
        (["annotate", "album", "-o", "f.json"], "'f.json' is there already, perhaps with corrections"),
        (["evaluate", "detection", "album"], "'album' holds no annotations — known: a COCO"),
        (["evaluate", "detection", "f.json"], "f.json names no picture: there is nothing to measure"),
        (["evaluate", "detection", "f.json", "--sizes", "big"], "--sizes are heights in pixels, such as 12,20,40, got"),
        (["evaluate", "detection", "f.json", "-d", "fast", "-d", "fast"], "detector 'fast' is given twice"),
        (["evaluate", "detection", "f.json", "-d", "retina"], "no detector is called 'retina'"),
        (["evaluate", "detection", "f.json", "-o", "bad.json"], "'bad.json' is a file, and a report is a folder"),
        (["calibrate", "f.json", "--recall", "2"], "2.0 is not in the range 0<x<=1"),
        (["calibrate", "f.json", "--recall", "0.9", "-o", "bad.json"], "'bad.json' is there already"),
    ],
)
def test_wrong_requests_start_nothing(album: Path, arguments: list[str], complaint: str) -> None:
    (album / "bad.json").write_text("[]")
    (album / "f.json").write_text('{"images": []}')
    (album / "clip.mp4").write_bytes(b"\0\0\0\x18ftypisom\0\0\2\0isomiso2")
    (album / "twins").mkdir()
    for name in ("a.jpg", "a.png"):
        shutil.copy(album / "album" / "1.jpg", album / "twins" / name)
    before = _names(album)
    _, err = faceveil(*arguments, cwd=album, code=2)
    assert complaint in err
    assert err.count("\n") == 1
    assert _names(album) == before


def test_animations_are_annotated_frame_by_frame_or_refused(album: Path) -> None:
    with Image.open(album / "album" / "1.jpg") as picture:
        picture.save(album / "a.gif", save_all=True, append_images=[picture.rotate(180)], duration=80)
    faceveil("annotate", "a.gif", "-o", "f.json", "--preset", "fast", "-q", cwd=album)
    images = json.loads((album / "f.json").read_text())["images"]
    assert [(one["file_name"], one["frame"]) for one in images] == [("a.gif#0", 0), ("a.gif#1", 1)]
    faceveil("a.gif", "--annotations", "f.json", "-o", "out.gif", "-q", cwd=album)
    _, err = faceveil("annotate", "a.gif", "-o", "f.txt", "--preset", "fast", "-q", cwd=album, code=1)
    assert err == "failed: a.gif: has 2 frames, for which wider has no place — write coco or csv\n"
    assert not (album / "f.txt").exists()


def test_detectors_are_measured_and_compared(album: Path) -> None:
    faceveil("annotate", "album", "-o", "album/labels", "--no-scores", "-q", cwd=album)
    assert (album / "album" / "labels" / "1.txt").read_text().count(" ") == 4
    (album / "album" / "9.jpg").write_bytes(b"\xff\xd8 not any more")
    shutil.copy(album / "album" / "labels" / "1.txt", album / "album" / "labels" / "9.txt")
    out, err = faceveil(
        "evaluate", "detection", "album", "-d", "balanced", "-d", "fast", "--resamples", 100, "-o", "report",
        cwd=album, code=1,
    )  # fmt: skip
    assert "failed: album/9.jpg: " in err
    assert "note: 1 picture could not be measured and do" in err
    lines = out.splitlines()
    assert lines[0] == "balanced"
    assert lines[1].startswith("  recall at IoU 0.5, from 12 px 1.000 [1.000, 1.000], 20 px 1.000")
    assert "average precision 1.000 [1.000, 1.000]" in out
    assert "fast" in lines
    result = json.loads((album / "report" / "result.json").read_text())
    assert [one["name"] for one in result["detectors"]] == ["balanced", "fast"]
    assert result["data"]["failed"][0]["file"] == "album/9.jpg"
    assert "faceveil evaluate detection album" in result["command"] or "evaluate" in result["command"]
    times = [f["value"] for one in result["detectors"] for f in one["figures"] if f["measure"].startswith("ms")]
    assert all(0 < ms < 5000 for ms in times)


def test_a_label_of_another_size_is_named_and_does_not_count(album: Path) -> None:
    images = [{"id": i, "file_name": f"{i}.jpg", "width": 160 + 8 * i, "height": 160 + i // 2} for i in (1, 2)]
    (album / "f.json").write_text(json.dumps({"images": images}))
    out, err = faceveil(
        "evaluate",
        "detection",
        "f.json",
        "--images",
        "album",
        "-d",
        "fast",
        "-q",
        "--resamples",
        100,
        cwd=album,
        code=1,
    )
    mismatch = "images.1 is about 176 x 161 pixels, and the picture has 176 x 160 upright"
    assert f"failed: album/2.jpg: does not fit its annotation: {mismatch}\n" in err
    assert "note: No face is labelled: there is no recall, only false positives and time.\n" in err
    assert "note: One picture cannot say how sure a figure is: there are no intervals.\n" in err
    assert "false positives a picture 1.00; " in out


def test_measuring_twice_gives_the_same_figures(album: Path) -> None:
    faceveil("annotate", "album", "-o", "f.json", "-q", cwd=album)
    command = ("evaluate", "detection", "f.json", "--images", "album", "-d", "fast", "--resamples", 100, "-q")
    first, second = (faceveil(*command, "-j", jobs, cwd=album)[0] for jobs in (1, 3))
    assert [line.partition(";")[0] for line in first.splitlines()] == [
        line.partition(";")[0] for line in second.splitlines()
    ]


def test_a_policy_is_chosen_and_taken(album: Path) -> None:
    faceveil("annotate", "album", "-o", "f.json", "-q", cwd=album)
    command = ("calibrate", "f.json", "--images", "album", "--recall", "0.9", "--keep-size", "--resamples", 100)
    out, _ = faceveil(*command, "-o", "policy.yml", cwd=album)
    assert "Stated on 3 pictures with 3 faces from 20 px (IoU 0.5) that took no part in choosing:" in out
    assert out.endswith("the policy is in policy.yml; use it with --policy policy.yml\n")
    policy = Policy.read(album / "policy.yml")
    assert policy.detector == "centerface:score_threshold=0.05"
    assert policy.min_score
    assert 0.5 < policy.min_score < 1
    out, _ = faceveil("album/1.jpg", "--policy", "policy.yml", "-o", "x.jpg", cwd=album)
    assert out.endswith(" -> x.jpg\n")


def test_what_cannot_be_had_is_exit_code_4_and_no_policy(album: Path) -> None:
    faceveil("annotate", "album", "-o", "f.json", "-q", cwd=album)
    coco = json.loads((album / "f.json").read_text())
    coco["annotations"] += [
        {"id": 100 + i, "image_id": one["id"], "category_id": 1, "bbox": [2, 2, 30, 40]}
        for i, one in enumerate(coco["images"])
    ]
    (album / "f.json").write_text(json.dumps(coco))
    command = ("calibrate", "f.json", "--images", "album", "--recall", "0.98", "--keep-size", "-o", "p.yml", "-q")
    _, err = faceveil(*command, cwd=album, code=4)
    assert "no threshold reaches a recall of 0.98 for faces from 20 px: the best that can be had" in err
    assert not (album / "p.yml").exists()


@pytest.mark.skipif(not Path(f"/proc/{os.getpid()}/task").is_dir(), reason="tells by Linux's /proc when work has begun")
def test_ctrl_c_ends_measuring_at_once_and_writes_nothing(album: Path) -> None:
    faceveil("annotate", "album", "-o", "f.json", "-q", cwd=album)
    command = [*FACEVEIL, *"evaluate detection f.json --images album -d thorough -o report -j 2".split()]
    process = subprocess.Popen(command, cwd=album, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    threads = Path(f"/proc/{process.pid}/task")
    while not any(path.read_text() for path in threads.glob("*/children")):  # a program that still starts has no words
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.endswith("faceveil: interrupted\n")
    assert "Traceback" not in err
    assert not (album / "report").exists()


def test_help_names_the_new_commands(tmp_path: Path) -> None:
    out, _ = faceveil("--help", cwd=tmp_path)
    for command in ("annotate", "evaluate", "calibrate"):
        assert f"  {command} " in out
