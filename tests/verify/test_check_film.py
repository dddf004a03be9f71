"""`check` looks at films as at pictures: faces, what hides, what rides along, and the original beside."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import cv2
import numpy as np
import pytest
from film_samples import CAPTIONS, Film, made, patched, place, recut, sei
from PIL import Image

from faceveil import plugins
from faceveil.detect.base import Detector
from faceveil.errors import UnreadableError
from faceveil.policy import Area
from faceveil.types import Frame
from faceveil.verify import footage
from faceveil.verify.check import DETECTOR, Check, Original, check
from faceveil.verify.film import SeenFor

RATE = 25


def _detector(spec: str = DETECTOR) -> Detector:
    return cast("Detector", plugins.make(plugins.DETECT, spec))


@pytest.fixture(scope="module")
def face(portrait: Path) -> np.ndarray:
    """A face, upright, (240, 320, 3)."""
    with Image.open(portrait) as picture:
        return np.asarray(picture.convert("RGB").crop((40, 0, 480, 330)).resize((320, 240)))


@pytest.fixture(scope="module")
def wall() -> np.ndarray:
    """The same size without a face."""
    y, x = np.mgrid[:240, :320]
    return np.stack([x // 2, y, (x + y) // 3], axis=2).astype(np.uint8)


def _film(
    path: Path, pictures: Sequence[np.ndarray], *, times: Sequence[int] = (), sound: int = 0, form: str = "mp4"
) -> Path:
    """A film of pictures. times: of each, in 1/25 s. sound: 0 for none, or a number that decides what is heard."""
    with av.open(str(path), "w", format=form, options={"fflags": "+bitexact"}) as container:
        track: Any = container.add_stream("libx264", rate=RATE, options={"crf": "16", "preset": "veryfast"})
        track.height, track.width = pictures[0].shape[:2]
        track.pix_fmt = "yuv420p"
        tones: Any = container.add_stream("aac", rate=48000) if sound else None
        for i, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = (times[i] if times else i), Fraction(1, RATE)
            container.mux(track.encode(frame))
        container.mux(track.encode())
        for i in range(10 if sound else 0):
            wave = np.sin(np.arange(i * 1024, (i + 1) * 1024, dtype=np.float32) / 10 / sound)[None]
            piece = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            piece.sample_rate, piece.pts = 48000, i * 1024
            container.mux(tones.encode(piece))
        if sound:
            container.mux(tones.encode())
    return path


def _covered(face: np.ndarray) -> np.ndarray:
    picture = face.copy()
    picture[10:220, 70:270] = 90
    return picture


def _spans(found: Check) -> list[SeenFor]:
    return [cast("SeenFor", seen) for seen in found.faces]


# --- faces ------------------------------------------------------------------------------------------------------------


def test_a_face_that_stays_is_one_find_with_its_times(face: np.ndarray, wall: np.ndarray, tmp_path: Path) -> None:
    path = _film(tmp_path / "a.mp4", [wall] * 5 + [face] * 10 + [wall] * 5)
    found = check(path, _detector())
    (seen,) = _spans(found)
    assert (seen.frame, seen.last, seen.looks) == (5, 14, 10)
    assert (seen.start, seen.end) == (0.2, 0.56)
    assert not seen.hidden
    assert found.frames == 20
    assert found.sentence() == "1 face is still visible"


def test_a_covered_film_is_clean(face: np.ndarray, tmp_path: Path) -> None:
    found = check(_film(tmp_path / "a.mp4", [_covered(face)] * 12), _detector())
    assert found.clean, found
    assert found.sentence() == "no face and no leak found in 12 frames"
    assert found.film is not None
    assert (found.film.every, found.film.full) == (5, 3)


def test_how_often_all_looks_are_taken(face: np.ndarray, wall: np.ndarray, tmp_path: Path) -> None:
    """A face that lies on its side is seen where all looks are taken: each `every` frames, and after a cut."""
    lying = np.full_like(wall, 128)
    lying[:, 40:220] = np.ascontiguousarray(np.rot90(face))[40:280, 30:210]
    near = np.full_like(wall, 128)  # so alike that the change is no cut
    near[60:180, 100:200] = 150
    still = _film(tmp_path / "a.mp4", [lying] * 3)
    assert check(still, _detector()).faces
    cut = _film(tmp_path / "b.mp4", [wall] * 3 + [lying] * 2)
    (seen,) = _spans(check(cut, _detector(), every=1000))
    assert (seen.frame, seen.rotation) == (3, 270)
    slow = [cv2.addWeighted(near, 1 - i / 12, lying, i / 12, 0) for i in range(13)]
    dissolve = _film(tmp_path / "c.mp4", slow)
    assert not check(dissolve, _detector(), every=1000).faces
    found = check(dissolve, _detector(), every=1)
    assert found.faces
    assert found.film is not None
    assert found.film.full == 13


def test_faces_that_may_be_visible_are_no_find(face: np.ndarray, tmp_path: Path) -> None:
    path = _film(tmp_path / "a.mp4", [face] * 4)
    (seen,) = check(path, _detector()).faces
    kept = {i: np.array([seen.box], np.float32) for i in range(3)}
    (left,) = check(path, _detector(), kept=kept).faces
    assert left.frame == 3


@pytest.mark.parametrize(
    ("matrix", "turn"),
    [
        ((1, 0, 0, 1), lambda p: p),
        ((0, 1, -1, 0), lambda p: np.rot90(p, 1)),
        ((-1, 0, 0, -1), lambda p: np.rot90(p, 2)),
        ((0, -1, 1, 0), lambda p: np.rot90(p, 3)),
        ((-1, 0, 0, 1), lambda p: p[:, ::-1]),
        ((1, 0, 0, -1), lambda p: p[::-1]),
        ((0, 1, 1, 0), lambda p: p.transpose(1, 0, 2)),
        ((0, -1, -1, 0), lambda p: p[::-1, ::-1].transpose(1, 0, 2)),
    ],
)
def test_films_are_looked_at_as_players_turn_them(
    matrix: tuple[int, ...], turn: Any, face: np.ndarray, tmp_path: Path
) -> None:
    path = _film(tmp_path / "a.mp4", [turn(face)] * 2)
    data = path.read_bytes()
    at, _ = place(data, b"moov", b"trak", b"tkhd")
    a, b, c, d = (value << 16 for value in matrix)
    numbers = (a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(patched(data, at + 48, b"".join(n.to_bytes(4, signed=True) for n in numbers)))
    (frame, _) = footage.frames(path)
    assert frame.pixels.shape == face.shape
    assert np.abs(frame.pixels.astype(int) - face).mean() < 6


# --- what hides, and what rides along ---------------------------------------------------------------------------------


def test_faces_in_frames_that_players_leave_out_are_found(face: np.ndarray, wall: np.ndarray, tmp_path: Path) -> None:
    path = _film(tmp_path / "a.mp4", [face] * 3 + [wall] * 5)
    data = path.read_bytes()
    at, _ = place(data, b"moov", b"trak", b"edts", b"elst")
    media = int.from_bytes(data[at + 20 : at + 24])
    tick = 512  # of 12,800 a second
    path.write_bytes(patched(data, at + 20, (media + 3 * tick).to_bytes(4)))
    found = check(path, _detector())
    assert found.frames == 5
    assert found.film is not None
    assert found.film.hidden == 3
    (seen,) = _spans(found)
    assert seen.hidden
    assert (seen.frame, seen.last) == (0, 2)
    assert [leak.what for leak in found.leaks] == ["pictures that the edit list hides (3)"]


def test_captions_are_found_where_the_container_is_not_walked(tmp_path: Path) -> None:
    path = tmp_path / "a.ts"
    path.write_bytes(recut(made(Film()), "mpegts", lambda _, data: sei(4, CAPTIONS) + data))
    said = [leak.what for leak in check(path, _detector()).leaks]
    assert any("unknown kind" in what for what in said), said
    assert "closed captions (A53) beside the pictures, 5 times" in said


def test_pictures_that_cannot_be_decoded_are_said(face: np.ndarray, tmp_path: Path) -> None:
    path = _film(tmp_path / "a.mp4", [np.roll(face, 5 * i, axis=1) for i in range(10)])
    data = path.read_bytes()
    start, end = place(data, b"mdat")
    middle = (start + end) // 2
    path.write_bytes(patched(data, middle, bytes(range(200)) * 6))
    found = check(path, _detector())
    assert not found.clean
    assert any("cannot be decoded" in leak.what or "damaged" in leak.what for leak in found.leaks), found.leaks


def test_what_is_no_film_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"\0\0\0\x14ftypisom" + bytes(8))
    with pytest.raises(UnreadableError, match="cannot be read"):
        check(path, _detector())
    path.write_bytes(made(Film())[:600])
    with pytest.raises(UnreadableError):
        check(path, _detector())


# --- beside the original ----------------------------------------------------------------------------------------------


def _beside(path: Path, original: Path, *, allow_sound: bool = False) -> Check:
    against = Original(original, _detector("centerface"), Area())
    return check(path, _detector(), original=against, allow_sound=allow_sound)


def test_a_covered_film_beside_its_original(face: np.ndarray, wall: np.ndarray, tmp_path: Path) -> None:
    before = np.hstack([wall, face, wall])
    x1, y1, x2, y2 = _detector("centerface")(Frame(before)).xyxy[0].astype(int)
    after = before.copy()
    after[y1:y2, x1:x2] = 90
    original = _film(tmp_path / "a.mp4", [before] * 8, sound=1)
    found = _beside(_film(tmp_path / "b.mp4", [after] * 8), original)
    assert found.clean, found
    assert found.film is not None
    assert found.film.sound == "absent"
    assert found.film.compared == 2
    assert found.film.psnr is not None
    assert found.film.psnr > 35
    assert "; outside the faces PSNR is " in found.sentence()


def test_a_face_that_is_only_blurred_still_shows(face: np.ndarray, tmp_path: Path) -> None:
    original = _film(tmp_path / "a.mp4", [face] * 6)
    blurred = _film(tmp_path / "b.mp4", [cv2.GaussianBlur(face, (0, 0), 6)] * 6)
    (shown,) = _beside(blurred, original).shown
    assert shown.likeness > 0.75


@pytest.mark.parametrize(("number", "word"), [(1, "identical"), (2, "changed"), (0, "absent")])
def test_what_became_of_the_sound_is_said(number: int, word: str, wall: np.ndarray, tmp_path: Path) -> None:
    original = _film(tmp_path / "a.mp4", [wall] * 6, sound=1)
    found = _beside(_film(tmp_path / "b.mp4", [wall] * 6, sound=number), original, allow_sound=True)
    assert found.film is not None
    assert found.film.sound == word
    assert found.clean, found
    assert (f"the sound is {word}" in found.sentence()) == (number > 0)


def test_other_frames_times_and_sizes_are_said(wall: np.ndarray, tmp_path: Path) -> None:
    original = _film(tmp_path / "a.mp4", [wall] * 6)
    for pictures, times, words in (
        ([wall] * 5, [], "it has fewer frames than the original"),
        ([wall] * 7, [], "it has more frames than the original"),
        ([wall] * 6, [0, 1, 2, 4, 5, 6], "frame 3 is shown at another time than the original's"),
        ([wall[:200]] * 6, [], "its size is not the original's"),
    ):
        assert _beside(_film(tmp_path / "b.mp4", pictures, times=times), original).differs == words
    moved = _film(tmp_path / "b.mkv", [wall] * 6, times=range(10, 16), form="matroska")
    assert _beside(moved, original).differs == ""  # times count from the first frame, in milliseconds


def test_metadata_of_the_original_is_searched_in_the_output(wall: np.ndarray, tmp_path: Path) -> None:
    plain = _film(tmp_path / "a.mp4", [wall] * 3).read_bytes()
    secret = b"filmed by Alice Example, 12 Privacy Lane"
    tagged = io.BytesIO()
    with (
        av.open(io.BytesIO(plain), "r") as source,
        av.open(tagged, "w", format="mp4", options={"fflags": "+bitexact"}) as target,
    ):
        target.metadata["title"] = secret.decode()
        track = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = track
                target.mux(packet)
    (tmp_path / "original.mp4").write_bytes(tagged.getvalue())
    assert _beside(tmp_path / "a.mp4", tmp_path / "original.mp4").clean
    (tmp_path / "b.mp4").write_bytes(plain + secret)
    said = [leak.what for leak in _beside(tmp_path / "b.mp4", tmp_path / "original.mp4").leaks]
    assert any(what.startswith("bytes of a title (filmed by Alice") for what in said), said


# --- from the command line --------------------------------------------------------------------------------------------


def _faceveil(*arguments: object, cwd: Path, code: int) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "faceveil", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, f"exit {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def test_films_from_the_command_line(face: np.ndarray, tmp_path: Path) -> None:
    _film(tmp_path / "a.mp4", [face] * 3)
    folder = tmp_path / "in"
    folder.mkdir()
    _film(folder / "covered.mp4", [_covered(face)] * 6, sound=1)
    (folder / "broken.mp4").write_bytes(b"no film at all")
    assert _faceveil("check", "a.mp4", cwd=tmp_path, code=4) == "a.mp4: 1 face is still visible\n"
    said = _faceveil("check", "in/covered.mp4", cwd=tmp_path, code=4)
    assert "beside the picture the file holds a sound track (mp4a" in said
    said = _faceveil("check", "in/covered.mp4", "--allow-sound", "--every", 1, "--json", "-q", cwd=tmp_path, code=0)
    (found,) = json.loads(said)
    assert found["clean"]
    assert found["film"] == {"every": 1, "full": 6, "hidden": 0, "compared": 0, "psnr": None, "sound": ""}
    said = _faceveil("check", "in", "--allow-sound", cwd=tmp_path, code=1)
    assert "in/broken.mp4: is not a picture" in said
    assert "2 files: nothing found in 1" in said


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["decord_video_90.mov", "redact_not_keyframe.mp4"])
def test_real_films_show_their_faces(name: str, shared: Path) -> None:
    found = check(shared / "video" / name, _detector())
    assert any(seen.rotation == 0 and seen.score > 0.99 for seen in found.faces) or "decord" in name
    assert found.film is not None
    assert found.film.hidden == (name == "redact_not_keyframe.mp4")
