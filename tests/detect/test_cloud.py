"""Services in the cloud, asked through their vendors' own clients: what is sent, and what comes back."""

from __future__ import annotations

import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cloud_server import Services
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import faceveil
from faceveil.detect import boxes, build, cloud
from faceveil.detect.runtime import Runtime
from faceveil.errors import InputError
from faceveil.types import Frame, Regions

ALLOWED = Runtime(threads=1, cloud=True)


@pytest.fixture(scope="module")
def face(portrait: Path) -> Any:
    return np.asarray(Image.open(portrait))


def found(spec: str, pixels: Any) -> Regions:
    return build("balanced", spec, ALLOWED)(Frame(pixels))


# --- what is sent ---------------------------------------------------------------------------------------------------


@given(
    st.integers(1, 300),
    st.integers(1, 300),
    st.integers(80, 400),
    st.integers(4_000, 60_000),
    st.integers(0, 2**32 - 1),
)
def test_whatever_is_sent_keeps_to_the_limits(width: int, height: int, size: int, most: int, seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    sent = cloud.encoded(noise, size, most)
    with Image.open(io.BytesIO(sent.data)) as picture:
        assert picture.size == sent.size
        assert picture.format == "JPEG"
    assert len(sent.data) <= most
    assert min(sent.size) >= cloud.LEAST_SIDE
    assert max(sent.size) <= max(size, cloud.LEAST_SIDE)
    for axis, side in enumerate((width, height)):
        scaled = round(side * float(sent.scale[axis]))
        assert 1 <= scaled <= min(side, size)
        assert sent.size[axis] == max(scaled, cloud.LEAST_SIDE)


def test_pixels_are_sent_encoded_anew_and_nothing_else(cloud_spec: str, services: Services, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "needle of a description"
    path = tmp_path / "needle_of_a_name.jpg"
    Image.new("RGB", (200, 100), (10, 200, 30)).save(path, exif=exif, comment=b"needle of a comment")
    faceveil.analyse(path, detector=cloud_spec, allow_cloud=True)
    (asked,) = services.asked
    everything = (repr(asked.headers) + repr(asked.body)).encode() + asked.data
    assert b"needle" not in everything.lower()
    assert b"a-secret-that-is-never-sent" not in everything
    assert asked.picture.size == (200, 100)
    assert not asked.picture.getexif()
    assert set(asked.picture.info) == {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert np.asarray(asked.picture).reshape(-1, 3).mean(0) == pytest.approx((10, 200, 30), abs=2)


def test_only_faces_are_asked_for(services: Services, face: Any) -> None:
    for spec in services.specs.values():
        found(spec, face)
    amazon, google = services.asked
    assert amazon.body.keys() == {"Image", "Attributes"}
    assert amazon.body["Image"].keys() == {"Bytes"}
    assert amazon.body["Attributes"] == ["DEFAULT"]
    assert "/eu-central-1/rekognition/aws4_request" in amazon.headers["authorization"]
    (request,) = google.body["requests"]
    assert request.keys() == {"image", "features"}
    assert request["image"].keys() == {"content"}
    assert len(request["features"]) == 1
    assert request["features"][0]["maxResults"] == 100


# --- what comes back ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zoom", [0.2, 1, 9])
def test_boxes_and_landmarks_are_in_the_pictures_own_pixels(cloud_spec: str, zoom: float, face: Any) -> None:
    side = round(512 * zoom)
    picture = np.asarray(Image.fromarray(face).resize((side, side)))
    here = build("balanced", "centerface:size=512", ALLOWED)(Frame(face))
    there = found(cloud_spec, picture)
    assert boxes.overlap(here.xyxy[:1] * np.float32(zoom), there.xyxy[:1])[0, 0] > 0.8
    assert here.landmarks is not None
    assert there.landmarks is not None
    assert there.landmarks[0] == pytest.approx(here.landmarks[0] * zoom, abs=6 * zoom)


@pytest.mark.parametrize("shape", [(60, 50), (600, 40), (40, 600)])
def test_narrow_pictures_are_padded_and_boxes_stay_where_they_are(
    cloud_spec: str, shape: tuple[int, int], face: Any
) -> None:
    small = np.asarray(Image.fromarray(face[40:200, 160:290]).resize((40, 50)))[: min(shape)]
    picture = np.full((*shape, 3), 90, np.uint8)
    picture[: small.shape[0], : small.shape[1]] = small
    seen = found(f"{cloud_spec}{',' if ':' in cloud_spec else ':'}size=8192", picture)
    assert len(seen) >= 1
    x, y = (seen.xyxy[0, :2] + seen.xyxy[0, 2:]) / 2
    assert (x, y) == pytest.approx((20, 24), abs=5)


def test_faces_below_the_threshold_are_dropped(cloud_spec: str, face: Any) -> None:
    joint = "," if ":" in cloud_spec else ":"
    score = float(found(cloud_spec, face).score[0])
    assert len(found(f"{cloud_spec}{joint}score_threshold={score - 0.01}", face)) == 1
    assert len(found(f"{cloud_spec}{joint}score_threshold={min(1, score + 0.01)}", face)) == 0


def test_a_service_is_a_part_of_compositions_like_any_other(cloud_spec: str, services: Services, face: Any) -> None:
    call = cloud_spec.replace(":", "(", 1) + ")" if ":" in cloud_spec else cloud_spec
    seen = found(f"union(mtcnn, flip({call}))", face)
    assert len(seen) == 1
    assert len(services.asked) == 2
    mirrored = np.asarray(services.asked[0].picture)[:, ::-1].astype(int)
    assert np.abs(mirrored - np.asarray(services.asked[1].picture)).mean() < 2


def test_a_face_without_all_landmarks_is_covered_as_a_whole(cloud_spec: str, services: Services, face: Any) -> None:
    def spoil(answer: dict[str, Any]) -> dict[str, Any]:
        (one,) = answer.get("FaceDetails") or answer["faceAnnotations"]
        for key in ("Landmarks", "landmarks"):
            if key in one:
                one[key] = one[key][:-1]
        return answer

    services.spoil = spoil
    assert found(cloud_spec, face).landmarks is None
    covered = faceveil.veil(face, detector=cloud_spec, allow_cloud=True, method="mask", area="shape=box")
    assert (covered != face).any(2).sum() > 150 * 150


def test_a_crowd_is_cut_until_an_answer_can_hold_its_faces(cloud_spec: str, services: Services) -> None:
    """Each white dot is a face; 130 are in the picture, and an answer holds 100."""
    scene = np.zeros((400, 1300, 3), np.uint8)
    scene[20::80, 20::50] = 255

    def finder(pixels: Any) -> Regions:
        y, x = np.nonzero(pixels[..., 0] > 128)
        corner = np.stack([x - 10, y - 10], 1).astype(np.float32)
        score = np.full(len(x), 0.9, np.float32)
        marks = np.tile(corner[:, None] + 10, (1, 5, 1))
        return Regions(np.concatenate([corner, corner + 20], 1), score, marks)[:100]

    services.finder = finder
    seen = found(cloud_spec, scene)
    centres = (seen.xyxy[:, :2] + seen.xyxy[:, 2:]) / 2
    assert len(seen) == 130
    assert {(round(x), round(y)) for x, y in centres} == {
        (x, y) for x in range(20, 1300, 50) for y in range(20, 400, 80)
    }
    assert len(services.asked) == 3


def test_a_crowd_without_end_is_refused(cloud_spec: str, services: Services, face: Any) -> None:
    many = Regions(
        np.tile(np.array([[5, 5, 20, 25]], np.float32), (100, 1)), np.full(100, 0.9), np.full((100, 5, 2), 9.0)
    )
    services.finder = lambda pixels: many
    with pytest.raises(InputError, match="tells of 100 faces at once, and parts of this have more"):
        found(cloud_spec, face)
    assert len(services.asked) <= 15


# --- clients and prices ---------------------------------------------------------------------------------------------


def test_threads_may_ask_at_the_same_time(cloud_spec: str, services: Services, face: Any) -> None:
    detector = build("balanced", cloud_spec, ALLOWED)
    with ThreadPoolExecutor(6) as pool:
        seen = list(pool.map(lambda _: detector(Frame(face)).xyxy.tolist(), range(12)))
    assert all(one == seen[0] for one in seen)
    assert len(services.asked) == 12


@pytest.mark.parametrize(("name", "module"), [("rekognition", "boto3"), ("google-vision", "google.cloud.vision")])
def test_a_missing_client_is_named_with_its_extra(name: str, module: str) -> None:
    code = f"import sys, faceveil.plugins as p; sys.modules['{module}'] = None; p.load(p.DETECT, '{name}')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert f"MissingExtra: detector '{name}' needs {module} — pip install 'faceveil[{name}]'" in done.stderr


def test_naming_a_service_loads_no_client() -> None:
    code = (
        "import sys; from faceveil import plugins; [plugins.make(plugins.DETECT, n) for n in ('rekognition', "
        "'google-vision')]; print([m for m in ('boto3', 'google.cloud.vision', 'requests') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_price_of_what_is_sent(services: Services) -> None:
    def bill(spec: str, **how: Any) -> list[str]:
        return cloud.bill(build("balanced", spec, ALLOWED, min_score=0.1), 2000, "2,000 pictures", **how)

    assert bill("centerface") == []
    both = bill(f"union(rekognition, {services.specs['google-vision'].replace(':', '(', 1)}))")
    assert both == [
        "2,000 pictures to Amazon Rekognition: about 2.00 USD at 1.00 USD per 1,000 "
        "(list price, first million a month, read 2026-10-07)",
        "2,000 pictures to Google Cloud Vision: about 3.00 USD at 1.50 USD per 1,000 "
        "(list price, 1,001st to 5 millionth a month, read 2026-05-28)",
    ]
    several = (
        "2,000 pictures to Amazon Rekognition: each takes several requests, at 1.00 USD per 1,000 "
        "(list price, first million a month, read 2026-10-07)"
    )
    assert bill("union(mtcnn, tiles(rekognition))") == [several] == bill("rekognition", once=False)
