"""Google Cloud Vision: a service. The original leaves the machine."""

from __future__ import annotations

import os
import re
import threading
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, field_validator

from faceveil.detect import cloud
from faceveil.detect.cloud import LEAST_SIDE, Cloud, Price, Sent, brief
from faceveil.errors import InputError, RequestError
from faceveil.types import Regions

cloud.expect_installed("google.cloud.vision")

FIRST_WAIT_S, LONGEST_WAIT_S, GIVE_UP_S = 0.5, 20.0, 120.0
"""Of Google's own back-off with jitter: the most that it waits first, at a time, and in all."""
LANDMARKS = ("LEFT_EYE", "RIGHT_EYE", "NOSE_TIP", "MOUTH_LEFT", "MOUTH_RIGHT")
"""Left and right "from the vantage of the viewer of the image", as ours are."""
CURES = {
    401: "check the credentials",
    403: "the project needs the Cloud Vision API, billing and a role that may use it",
    429: "fewer --jobs, or a higher quota",
}


class GoogleVision(Cloud):
    """Sends each picture to Google Cloud Vision (FACE_DETECTION); runs only with --allow-cloud. Five landmarks.

    Credentials are Google's application default ones. Google recommends 1600 x 1200 pixels for faces: no more are sent.
    Of its two boxes this takes the one that "encloses only the skin part of the face" (fdBoundingPoly), which is what
    CenterFace's box does; the other frames the head. It is taken as it is. What it finds cannot be measured without an
    account; in two answers that are printed in public it is a tenth lower and a sixth wider than CenterFace's would be.
    Source: cloud.google.com/vision/docs/reference/rest/v1/AnnotateImageResponse#FaceAnnotation.
    """

    name: ClassVar[str] = "google-vision"
    licence: ClassVar[str] = "Proprietary: the network stays with Google, who does not say what it was trained on."
    service: ClassVar[str] = "Google Cloud Vision"
    price: ClassVar[Price] = Price(
        1.50, "1,001st to 5 millionth a month", "2026-05-28", "https://cloud.google.com/vision/pricing"
    )
    most_bytes: ClassVar[int] = 7_000_000  # in base64 less than 10 MB of JSON; a file may have 20 MB
    most_faces: ClassVar[int] = 100  # that we ask for; without being asked it tells of 10. Google publishes no limit

    size: int = Field(1600, ge=LEAST_SIDE, le=8192)
    """Longest side in pixels of what is sent; larger pictures are scaled down."""
    endpoint: str | None = None
    """Address of the service where another than Google's own choice is wanted, such as a regional one."""

    @field_validator("endpoint")
    @classmethod
    def _private(cls, value: str | None) -> str | None:
        return value if value is None else cloud.expect_private(value)

    def _expect_access(self) -> None:
        self._client()

    def _client(self) -> Any:
        return _client(self.endpoint, os.getpid(), threading.get_ident())

    def _ask(self, sent: Sent) -> Any:
        import requests  # noqa: PLC0415
        from google.api_core.exceptions import GoogleAPICallError, RetryError  # noqa: PLC0415
        from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415
        from google.protobuf.json_format import ParseError  # noqa: PLC0415

        try:
            return _annotated(self._client(), sent.data, self.most_faces)
        except RetryError as error:
            raise self._failure(error.cause) from None
        except (GoogleAPICallError, GoogleAuthError, requests.RequestException) as error:
            raise self._failure(error) from None
        except ParseError as error:
            raise ValueError(error) from None

    def _failure(self, error: Any) -> InputError:
        """What went wrong, as an error of this picture."""
        code = getattr(error, "code", None)
        if code is None:  # it never came to an answer
            return InputError(f"{self.service} cannot be asked: {brief(error)}")
        status = getattr(error, "grpc_status_code", None)
        word = status.name if status is not None else f"HTTP {int(code)}"
        said = re.sub(r"^[A-Z]+ https?://\S+: ", "", error.message)  # the client puts the address before it
        return InputError(f"{self.service} refused: {word}: {brief(said)}", hint=CURES.get(int(code), ""))

    def _read(self, answer: Any, sent: Sent) -> Regions:
        faces = list(answer.face_annotations)
        xyxy = np.array([_box(face) for face in faces], np.float32).reshape(-1, 4)
        score = np.array([face.detection_confidence for face in faces], np.float32)
        marks = [{mark.type_.name: mark.position for mark in face.landmarks} for face in faces]
        return Regions(xyxy, score.clip(0, 1), _five(marks))


def _box(face: Any) -> list[float]:
    """The box around the skin of a face; around its head where that is all there is."""
    corners = face.fd_bounding_poly.vertices or face.bounding_poly.vertices
    x, y = [corner.x for corner in corners], [corner.y for corner in corners]
    return [min(x), min(y), max(x), max(y)]


def _five(marks: list[dict[str, Any]]) -> Any:
    """Five landmarks of each face, (n, 5, 2); None where a face lacks one."""
    if not all(name in face for face in marks for name in LANDMARKS):
        return None
    points = [[(face[name].x, face[name].y) for name in LANDMARKS] for face in marks]
    return np.array(points, np.float32).reshape(-1, 5, 2)


def _annotated(client: Any, data: bytes, most: int) -> Any:
    """The answer to one picture, asked again with growing waits while the service is busy or away."""
    import requests  # noqa: PLC0415
    from google.api_core import exceptions, retry  # noqa: PLC0415
    from google.cloud import vision  # noqa: PLC0415

    feature = vision.Feature(type_=vision.Feature.Type.FACE_DETECTION, max_results=most)
    request = vision.AnnotateImageRequest(image=vision.Image(content=data), features=[feature])

    def once() -> Any:
        (answer,) = client.batch_annotate_images(requests=[request], retry=None, timeout=cloud.ANSWER_S).responses
        if answer.error.code:  # of this picture, while the request as a whole went well
            raise exceptions.from_grpc_status(answer.error.code, answer.error.message)
        return answer

    def passes(error: Exception) -> bool:
        slow = (exceptions.GatewayTimeout, exceptions.BadGateway, requests.Timeout)
        return isinstance(error, slow) or bool(retry.if_transient_error(error))

    waits = retry.Retry(passes, initial=FIRST_WAIT_S, maximum=LONGEST_WAIT_S, timeout=GIVE_UP_S)
    return waits(once)()


@lru_cache(maxsize=32)
def _client(endpoint: str | None, process: int, thread: int) -> Any:
    """The client of one address, process and thread: its HTTP session is not safe to share. Raises `RequestError`."""
    from google.api_core.client_options import ClientOptions  # noqa: PLC0415  (0.4 s in all: only where it is asked)
    from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError  # noqa: PLC0415
    from google.cloud import vision  # noqa: PLC0415

    try:
        # REST and not gRPC: it passes proxies, and nothing of it survives a fork.
        return vision.ImageAnnotatorClient(transport="rest", client_options=ClientOptions(api_endpoint=endpoint))
    except DefaultCredentialsError as error:
        hint = "gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS"
        raise RequestError(f"detector 'google-vision' finds no credentials: {brief(error)}", hint=hint) from None
    except (GoogleAuthError, ValueError, OSError) as error:
        raise RequestError(f"detector 'google-vision': {brief(error)}") from None
