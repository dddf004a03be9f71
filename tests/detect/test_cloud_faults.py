"""Services in the cloud that are busy, away, refuse, or answer nonsense: one sentence each, and no output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cloud_server import Services
from PIL import Image

from faceveil.detect import build, cloud, google_vision, rekognition
from faceveil.detect.runtime import Runtime
from faceveil.errors import Exit, InputError, RequestError
from faceveil.types import Frame, Regions

ALLOWED = Runtime(threads=1, cloud=True)


@pytest.fixture(scope="module")
def face(portrait: Path) -> Any:
    return np.asarray(Image.open(portrait))


def found(spec: str, pixels: Any) -> Regions:
    return build("balanced", spec, ALLOWED)(Frame(pixels))


THROTTLED: dict[str, Any] = {
    "rekognition": (400, {"__type": "ProvisionedThroughputExceededException", "Message": "Rate exceeded."}),
    "google-vision": (429, {"error": {"code": 429, "message": "Quota exceeded.", "status": "RESOURCE_EXHAUSTED"}}),
}
AWAY: dict[str, Any] = {
    "rekognition": (500, {"__type": "InternalServerError", "Message": "Try again."}),
    "google-vision": (200, {"responses": [{"error": {"code": 14, "message": "Try again."}}]}),
}


@pytest.mark.parametrize("trouble", [THROTTLED, AWAY], ids=["throttled", "away"])
def test_a_service_that_is_busy_is_asked_again(
    cloud_spec: str, trouble: dict[str, Any], services: Services, face: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google_vision, "FIRST_WAIT_S", 0.05)
    services.troubles.extend([trouble[cloud_spec.partition(":")[0]]] * 2)
    assert len(found(cloud_spec, face)) == 1
    assert len(services.asked) == 3


@pytest.mark.parametrize(
    ("name", "code"),
    [("rekognition", "ProvisionedThroughputExceededException"), ("google-vision", "RESOURCE_EXHAUSTED")],
)
def test_it_is_not_asked_for_ever(
    name: str, code: str, services: Services, face: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rekognition, "ATTEMPTS", 2)
    monkeypatch.setattr(google_vision, "GIVE_UP_S", 0.5)
    services.troubles.extend([THROTTLED[name]] * 30)
    with pytest.raises(InputError, match=rf"refused: .*{code}|refused: HTTP 429") as caught:
        found(services.specs[name], face)
    assert caught.value.hint == "fewer --jobs, or a higher quota"
    assert caught.value.exit_code is Exit.SOME_FAILED


@pytest.mark.parametrize(
    ("name", "status", "body", "complaint"),
    [
        (
            "rekognition",
            400,
            {"__type": "InvalidImageFormatException", "Message": "x"},
            "InvalidImageFormatException: x",
        ),
        ("rekognition", 400, {"__type": "AccessDeniedException"}, "AccessDeniedException — the account needs the"),
        (
            "rekognition",
            400,
            {"__type": "ImageTooLargeException", "Message": "l\n" * 999},
            "ImageTooLargeException: l l",
        ),
        ("rekognition", 403, {"__type": "UnrecognizedClientException"}, "UnrecognizedClientException — check the cred"),
        ("google-vision", 403, {"error": {"code": 403, "message": "Denied."}}, "Denied — the project needs the Cloud"),
        ("google-vision", 401, {"error": {"code": 401, "message": "Who?"}}, "Who? — check the credentials"),
        ("google-vision", 200, {"responses": [{"error": {"code": 3, "message": "Bad image data."}}]}, "Bad image data"),
    ],
)
def test_a_refusal_is_one_sentence_and_not_asked_again(
    name: str, status: int, body: dict[str, Any], complaint: str, services: Services, face: Any
) -> None:
    services.troubles.extend([(status, body)] * (3 if status == 401 else 1))  # Google's client renews its token twice
    with pytest.raises(InputError) as caught:
        found(services.specs[name], face)
    assert str(caught.value).startswith(("Amazon Rekognition refused: ", "Google Cloud Vision refused: "))
    assert complaint in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 450
    assert "http" not in str(caught.value)
    assert len(services.asked) == (3 if status == 401 else 1)


@pytest.mark.parametrize("box", [{}, {"Left": 0.5, "Top": 0.5, "Width": -0.2, "Height": 0.1}])
def test_an_answer_that_makes_no_sense_is_no_answer(box: dict[str, float], services: Services, face: Any) -> None:
    services.spoil = lambda answer: {"FaceDetails": [{"BoundingBox": box, "Landmarks": [], "Confidence": 99.0}]}
    with pytest.raises(InputError, match="the answer of Amazon Rekognition cannot be read: "):
        found("rekognition", face)
    services.spoil = lambda answer: {"faceAnnotations": [{"detectionConfidence": 0.9}]}
    with pytest.raises(InputError, match="the answer of Google Cloud Vision cannot be read: "):
        found(services.specs["google-vision"], face)


def test_an_answer_that_is_no_json_is_no_answer(cloud_spec: str, services: Services, face: Any) -> None:
    services.troubles.append((200, b"<html>Sign in to this hotel's network</html>"))
    with pytest.raises(InputError, match="^the answer of .* cannot be read: ") as caught:
        found(cloud_spec, face)
    assert str(caught.value).isprintable()


def test_an_answer_without_a_picture_is_no_answer(services: Services, face: Any) -> None:
    services.troubles.append((200, {"responses": []}))
    with pytest.raises(InputError, match="^the answer of Google Cloud Vision cannot be read: "):
        found(services.specs["google-vision"], face)


@pytest.mark.usefixtures("services")
@pytest.mark.parametrize("name", ["rekognition", "google-vision"])
def test_a_service_that_cannot_be_reached(
    name: str, face: Any, unused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rekognition, "ATTEMPTS", 1)
    monkeypatch.setattr(google_vision, "GIVE_UP_S", 0.3)
    monkeypatch.setenv("AWS_ENDPOINT_URL_REKOGNITION", f"http://127.0.0.1:{unused_port}")
    spec = {"google-vision": f"google-vision:endpoint=http://127.0.0.1:{unused_port}"}.get(name, name)
    with pytest.raises(InputError, match=r"^(Amazon Rekognition|Google Cloud Vision) cannot be asked: ") as caught:
        found(spec, face)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("unset", "name", "complaint"),
    [
        ("AWS_DEFAULT_REGION", "rekognition", "needs an AWS region — write rekognition:region="),
        ("AWS_ACCESS_KEY_ID", "rekognition", "detector 'rekognition'"),
        ("AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY", "rekognition", "finds no AWS credentials — aws configure"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "google-vision", "finds no credentials"),
    ],
)
def test_what_is_missing_is_said_before_anything_starts(
    unset: str, name: str, complaint: str, services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    for variable in unset.split():
        monkeypatch.delenv(variable)
    with pytest.raises(RequestError) as caught:
        build("balanced", services.specs[name], ALLOWED)
    assert complaint in str(caught.value)
    assert str(caught.value).isprintable()
    assert services.connections == 0


@pytest.mark.parametrize(
    ("name", "variable", "value"),
    [
        ("rekognition", "AWS_PROFILE", "nobody"),
        ("rekognition", "AWS_DEFAULT_REGION", "not a region"),
        ("rekognition", "AWS_ENDPOINT_URL_REKOGNITION", "http://192.0.2.1"),
        ("google-vision", "GOOGLE_APPLICATION_CREDENTIALS", "no/such/file.json"),
        ("google-vision", "GOOGLE_APPLICATION_CREDENTIALS", __file__),
    ],
)
def test_wrong_variables_are_said_before_anything_starts(
    name: str, variable: str, value: str, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(RequestError, match=f"detector '{name}'") as caught:
        build("balanced", services.specs[name], ALLOWED)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "address", ["vision.example", "https://vision.example", "http://localhost:1", "http://[::1]:1"]
)
def test_addresses_that_pictures_may_go_to(address: str) -> None:
    assert cloud.expect_private(address) == address


@pytest.mark.parametrize(
    "address",
    ["http://vision.example", "http://10.0.0.1", "ftp://localhost", "https://", "https://a/b", "http://localhost.evil"],
)
def test_originals_go_nowhere_unencrypted(address: str) -> None:
    with pytest.raises(RequestError, match="detector 'google-vision': 'endpoint'"):
        build("balanced", f"google-vision:endpoint={address}", ALLOWED)
