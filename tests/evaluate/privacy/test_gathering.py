"""From folders of people to evidence: real workers, a real detector, and a recogniser whose embeddings are known."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from faceveil.deidentify.paint import paint
from faceveil.detect import build
from faceveil.detect.runtime import Runtime
from faceveil.errors import InputError, MissingExtra, RequestError
from faceveil.evaluate.privacy import looks, worker
from faceveil.evaluate.privacy.evidence import Evidence, Gathered
from faceveil.evaluate.privacy.painted import UNTOUCHED, conditions
from faceveil.evaluate.privacy.people import load
from faceveil.evaluate.privacy.run import LOOKER, Settings, gather
from faceveil.match.align import arcface
from faceveil.policy import Area, Policy
from faceveil.types import Frame, FramePlan

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "match"))

from made_recognisers import manifest, means

METHODS = ["solid@head", "blur:sigma=0.08", "noise:percent=50"]


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory, portrait: Path) -> Path:
    """Two people, two photos each: one portrait, and the same in other colours."""
    root = tmp_path_factory.mktemp("album")
    with Image.open(portrait) as opened:
        plain = opened.convert("RGB")
    blue = Image.merge("RGB", plain.split()[::-1])
    for name, picture in (("Ann", plain), ("Bob", blue)):
        (root / name).mkdir()
        picture.resize((320, 320)).save(root / name / "1.png")
        ImageEnhance.Brightness(picture).enhance(0.7).resize((256, 256)).save(root / name / "2.png")
    return root


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"onnx:manifest={manifest(tmp_path_factory.mktemp('made'))},mirror=false"


def gathered(folder: Path, spec: str, methods: list[str], **options: Any) -> Gathered:
    crowd = load(folder, anonymised=options.pop("anonymised", ()), frames=options.pop("frames", False))
    others = [one.name for one in options.pop("others", ())]
    return gather(crowd, conditions(methods, others), Settings((spec,), **options), Policy(), 2)


@pytest.fixture(scope="module")
def found(album: Path, spec: str) -> Gathered:
    return gathered(album, spec, METHODS, filters=("median", "wiener"))


def arrays(one: Evidence) -> dict[str, Any]:
    """Every array of a condition by a name."""
    made = {f"{by} {what}": getattr(seen, what) for by, seen in one.seen.items() for what in ("given", "own", "wide")}
    made |= {f"{name} {by}": rows for name, group in one.denoised.items() for by, rows in group.items()}
    return {**made, **one.pixels, **one.geometry, **{f"averaged {k}": v for k, v in one.averaged.items()}}


def test_all_that_attackers_have_is_there(found: Gathered) -> None:
    assert [one.name for one in found.everything] == ["original", *METHODS, "blackout"]
    assert found.people.names == ("Ann", "Bob")
    assert found.people.person.tolist() == [0, 0, 1, 1]
    assert sorted(found.people.photo.tolist()) == [0, 1, 2, 3]
    assert not found.left_out
    assert not found.failed
    for one in found.everything:
        assert {len(array) for array in arrays(one).values()} == {4}
        assert one.pixels["face"].shape == one.pixels["wide"].shape == (4, 112, 112, 3)
        assert not one.averaged
        assert set(one.denoised) == ({"median", "wiener"} if one.kind == "painted" else set())
        assert ("cover" in one.geometry) == (one.kind == "painted")
    assert found.attackers["made"].metric == "cosine"
    assert found.original.geometry["box"].min() > 0
    assert found.original.geometry["landmarks"].max() < 1


def test_embeddings_are_those_of_what_is_seen(found: Gathered) -> None:
    for one in found.everything:
        for field, rows in (("face", one.seen["made"].given), ("wide", one.seen["made"].wide)):
            wanted = means(one.pixels[field])
            wanted = wanted / np.maximum(np.linalg.norm(wanted, axis=1, keepdims=True), 1e-12)
            assert rows == pytest.approx(wanted, abs=1e-4)


def test_the_original_is_seen_as_it_is(found: Gathered) -> None:
    seen = found.original.seen["made"]
    assert np.array_equal(seen.given, np.asarray(seen.own))
    assert seen.acquired.all()


def test_the_control_is_black(found: Gathered) -> None:
    assert not found.blackout.pixels["face"].any()
    assert not found.blackout.pixels["wide"].any()
    seen = found.blackout.seen["made"]
    assert not seen.acquired.any()
    assert len(np.unique(seen.given, axis=0)) == 1


def test_what_solid_covers_is_black_and_acquired_by_nobody(found: Gathered) -> None:
    solid = found.conditions[0]
    assert solid.pixels["face"].mean() < 4
    assert solid.pixels["wide"].any()
    assert not solid.seen["made"].acquired.any()
    assert solid.area == Area.named("head")
    assert "no painted pixel depends on a covered one" in solid.claim


def test_filters_see_the_painted_picture(found: Gathered) -> None:
    blur, noise = found.conditions[1:]
    plain = found.original.seen["made"].given
    for one in (blur, noise):
        assert np.linalg.norm(one.denoised["median"]["made"] - plain, axis=1).max() < 0.2
        assert not np.array_equal(one.denoised["median"]["made"], one.seen["made"].given)


def test_the_same_seed_gives_the_same_evidence(found: Gathered, album: Path, spec: str, tmp_path: Path) -> None:
    """And a cache changes nothing but the time: what it holds is for the owner alone, and damage is noticed."""
    kept = tmp_path / "kept"
    settings: dict[str, Any] = {"filters": ("median", "wiener"), "cache": kept}
    first = gathered(album, spec, METHODS, **settings)
    files = {file: file.stat().st_mtime_ns for file in kept.rglob("*.arrays")}
    assert len(files) > 4 * len(found.everything)
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    next(iter(files)).write_bytes(b"damaged")
    again = gathered(album, spec, METHODS, **settings)
    assert sum(file.stat().st_mtime_ns != at for file, at in files.items()) <= 2
    for one, two, three in zip(found.everything, first.everything, again.everything, strict=True):
        for name, rows in arrays(one).items():
            assert np.array_equal(rows, arrays(two)[name], equal_nan=True)
            assert np.array_equal(rows, arrays(three)[name], equal_nan=True)
    other = gathered(album, spec, METHODS, **(settings | {"seed": 1}))
    assert not np.array_equal(other.conditions[2].pixels["face"], found.conditions[2].pixels["face"])
    assert np.array_equal(other.conditions[1].pixels["face"], found.conditions[1].pixels["face"])


def test_nothing_is_written_unasked(album: Path, spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = sorted(album.rglob("*"))
    gathered(album, spec, ["solid"], filters=())
    assert not list(tmp_path.rglob("*"))
    assert sorted(album.rglob("*")) == before


def test_pictures_of_other_tools_are_measured_alike(album: Path, spec: str, tmp_path: Path) -> None:
    looker = build("balanced", LOOKER, Runtime(threads=1))
    for file in album.rglob("*.png"):
        frame = Frame(np.asarray(Image.open(file).convert("RGB")))
        faces = looker(frame)
        plan = FramePlan(faces, ("solid",) * len(faces), (frame.width, frame.height))
        target = tmp_path / "theirs" / file.parent.name / f"{file.stem}_anonymized.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(paint(frame, plan, Area()).pixels).save(target)
    folder = tmp_path / "theirs"
    made = gathered(album, spec, ["solid"], anonymised=(folder,), others=(folder,), filters=("median",))
    ours, theirs = made.conditions
    assert (theirs.name, theirs.kind, theirs.spec) == ("folder theirs", "anonymised", None)
    for name in ("given", "own", "wide"):
        one, two = getattr(ours.seen["made"], name), getattr(theirs.seen["made"], name)
        assert np.array_equal(one, two, equal_nan=True)
    assert theirs.geometry["cover"] == pytest.approx(np.clip(ours.geometry["cover"], 0, 1), abs=0.06)


def test_what_cannot_be_measured_is_left_out_by_name(album: Path, spec: str, tmp_path: Path) -> None:
    for file in album.rglob("*.png"):
        for name in ("Ann", "Bob", "Cleo"):
            target = tmp_path / "people" / name / f"{file.parent.name}{file.name}"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    people = tmp_path / "people"
    (people / "Ann" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    Image.new("RGB", (64, 64)).save(people / "Ann" / "empty.png")
    for file in list((people / "Cleo").glob("*"))[1:]:
        Image.new("RGB", (64, 64), (0, 99, 0)).save(file)
    made = gathered(people, spec, ["solid"], filters=())
    assert made.people.names == ("Ann", "Bob")
    assert made.people.photo.tolist() == [0, 1, 2, 3] * 2  # the same bytes are the same photo
    reasons = {Path(file).name: reason for file, reason in made.failed if "Ann/" in file}
    assert reasons["empty.png"] == "the attacker's detector finds no face in the original"
    assert "damaged" in reasons["broken.png"] or "ends" in reasons["broken.png"] or "cannot" in reasons["broken.png"]
    lonely = [reason for file, reason in made.left_out if "Cleo/" in file]
    assert "is the only photo of this person that could be measured" in lonely


def test_where_nobody_is_found_it_says_so(spec: str, tmp_path: Path) -> None:
    for name in ("Ann/1", "Ann/2", "Bob/1", "Bob/2"):
        file = tmp_path / f"{name}.png"
        file.parent.mkdir(exist_ok=True)
        Image.new("RGB", (64, 64)).save(file)
    with pytest.raises(RequestError, match="none of 4 photos could be measured: .* finds no face in the original"):
        gathered(tmp_path, spec, ["solid"], filters=())


def test_a_face_that_the_painter_misses_stays_visible(album: Path, spec: str) -> None:
    made = gathered(album, spec, ["solid"], finder="centerface:score_threshold=1", filters=())
    solid = made.conditions[0]
    assert np.array_equal(solid.pixels["face"], made.original.pixels["face"])
    assert np.isnan(solid.geometry["cover"]).all()
    assert solid.seen["made"].acquired.all()
    assert made.finder == "centerface:score_threshold=1"


def test_frames_of_a_track_are_averaged(album: Path, spec: str, tmp_path: Path) -> None:
    for person in ("Ann", "Bob"):
        for track in ("a", "b"):
            folder = tmp_path / person / track
            folder.mkdir(parents=True)
            for i in range(2 if track == "a" else 1):
                with Image.open(album / person / f"{1 if track == 'a' else 2}.png") as opened:
                    ImageEnhance.Brightness(opened).enhance(1 + i / 5).save(folder / f"{i}.png")
    Image.new("RGB", (64, 64)).save(tmp_path / "Ann" / "a" / "9.png")  # nobody is in this frame
    made = gathered(tmp_path, spec, ["noise:percent=50"], frames=True, filters=())
    assert made.people.person.tolist() == [0, 0, 0, 1, 1, 1]
    assert made.people.photo.tolist() == [0, 0, 1, 2, 2, 3]
    rows, single = made.conditions[0].averaged["made"], made.conditions[0].seen["made"].given
    assert np.array_equal(rows[0], rows[1])
    assert np.array_equal(rows[2], single[2])
    assert not np.array_equal(rows[0], single[0])
    faces = made.conditions[0].pixels["face"]
    wanted = means(np.rint(faces[:2].astype(float).mean(0, keepdims=True)).astype(np.uint8))[0]
    assert rows[0] == pytest.approx(wanted / np.linalg.norm(wanted), abs=1e-3)


def test_pairs_are_indices_of_pictures(album: Path, spec: str, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("a,b,same\nBob/2.png,Ann/1.png,0\nAnn/2.png,Ann/1.png,1\nBob/2.png,Ann/2.png,0\n")
    crowd = load(pairs, images=album)
    people = gather(crowd, conditions(["solid"]), Settings((spec,), filters=()), Policy(), 2).people
    assert people.pairs is not None
    assert people.mated is not None
    assert people.person[people.pairs[:, 0]].tolist() == [1, 0, 1]
    assert people.person[people.pairs[:, 1]].tolist() == [0, 0, 0]
    assert people.mated.tolist() == [False, True, False]


def test_wrong_requests_end_before_anything_starts(album: Path, spec: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="is given twice"):
        gather(load(album), (), Settings((spec, spec)), Policy(), 1)
    with pytest.raises(RequestError, match="no recogniser is named"):
        gather(load(album), (), Settings(()), Policy(), 1)
    with pytest.raises(RequestError, match="detector 'haar' gives no landmarks"):
        gather(load(album), (), Settings((spec,), looker="haar"), Policy(), 1)
    with pytest.raises(RequestError, match="no recogniser is called 'facenet'"):
        gather(load(album), (), Settings(("facenet",)), Policy(), 1)
    with pytest.raises(MissingExtra, match="is not installed"):
        gather(load(album), (), Settings(("onnx:model=sface",)), Policy(), 1)
    tmp_path.chmod(0o755)
    with pytest.raises(RequestError, match="others can read"):
        gather(load(album), (), Settings((spec,), cache=tmp_path), Policy(), 1)


# --- one look -------------------------------------------------------------------------------------------------------


def test_what_is_filtered_lies_where_it_lay(portrait: Path) -> None:
    """A chip cut from a window that no filter has touched is the chip cut from the picture, reduced or not."""
    large = Image.open(portrait).convert("RGB").resize((1400, 1400))
    for picture, slack in ((Image.open(portrait).convert("RGB"), 1.0), (large, 6.0)):
        frame = Frame(np.asarray(picture))
        one = looks.original(frame, build("balanced", LOOKER, Runtime(threads=1)), None)
        window = looks._window(one, one.pixels)
        moved = arcface().transform(one.box, one.landmarks)
        whole, part = arcface().cut(one.pixels, moved)[0], arcface().cut(window.pixels, window.moved(moved))[0]
        assert np.abs(whole.astype(float) - part).mean() < slack


@pytest.mark.parametrize("size", [(100, 80), (50, 40), (203, 160)])
def test_other_sizes_are_fitted(size: tuple[int, int]) -> None:
    assert looks.fitted(np.zeros((*size, 3), np.uint8), (100, 80)).shape == (100, 80, 3)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(InputError, match=r"has 80 x 100 pixels, what was made of it 100 x 100: another shape"):
        looks.fitted(np.zeros((100, 100, 3), np.uint8), (100, 80))


def test_the_face_in_the_middle_is_in_question(portrait: Path) -> None:
    """Of two faces the one nearer to the middle; both are painted."""
    with Image.open(portrait) as opened:
        small = opened.convert("RGB").resize((200, 200))
    wide = Image.new("RGB", (500, 220), (90, 90, 90))
    wide.paste(small, (0, 10))
    wide.paste(small, (160, 10))
    one = looks.original(Frame(np.asarray(wide)), build("balanced", LOOKER, Runtime(threads=1)), None)
    assert 160 < one.box[0] < 360
    assert len(one.faces) == 2


def test_orders_and_sittings_go_through_the_wire(tmp_path: Path) -> None:
    from faceveil.dataset.wire import from_line, to_line  # noqa: PLC0415

    order = worker.Order(policy=Policy(), conditions=(UNTOUCHED,), recognisers=("dlib",), looker=LOOKER)
    assert from_line(worker.Order, to_line(order)) == order
    task = worker.Sitting(source=tmp_path, output=tmp_path, files=(tmp_path,), made=((tmp_path,),))
    assert from_line(worker.Sitting, to_line(task)) == task
    assert dataclasses.is_dataclass(Gathered)
