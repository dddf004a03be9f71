"""Amazon Rekognition: a service. The original leaves the machine."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from faceveil.detect import cloud
from faceveil.detect.cloud import LEAST_SIDE, Cloud, Price, Sent, brief
from faceveil.errors import InputError, RequestError
from faceveil.types import Regions

cloud.expect_installed("boto3")

ATTEMPTS = 8  # of one request; botocore waits up to 1, 2, 4 ... 20 s between two, 71 s in all, half of it as a rule
LANDMARKS = ("eyeLeft", "eyeRight", "nose", "mouthLeft", "mouthRight")
"""Left and right as seen in the picture: in the answers that Amazon prints, eyeLeft has the smaller X."""
CURES = {
    "AccessDeniedException": "the account needs the permission rekognition:DetectFaces",
    "ExpiredTokenException": "renew the credentials",
    "UnrecognizedClientException": "check the credentials",
    "InvalidSignatureException": "check the credentials and the clock",
    "ThrottlingException": "fewer --jobs, or a higher quota",
    "ProvisionedThroughputExceededException": "fewer --jobs, or a higher quota",
}


class Rekognition(Cloud):
    """Sends each picture to Amazon Rekognition (DetectFaces); runs only with --allow-cloud. Five landmarks.

    Credentials, region and endpoint are found by boto3's own rules. Amazon finds faces from 40 px in 1920 x 1080 up,
    and proportionally larger ones in larger pictures, so more pixels than that are not sent.
    Its boxes are taken as they are. What it finds cannot be measured without an account; in four answers that are
    printed in public, boxes are 2.8 to 3.1 times as high as eyes and mouth are apart and begin 1.0 to 1.3 of that above
    the eyes; CenterFace's (median of 302 faces of LFW) 2.9 and 1.1.
    Source: docs.aws.amazon.com/rekognition/latest/APIReference/API_DetectFaces.html and .../dg/limits.html.
    """

    name: ClassVar[str] = "rekognition"
    licence: ClassVar[str] = "Proprietary: the network stays with Amazon, who does not say what it was trained on."
    service: ClassVar[str] = "Amazon Rekognition"
    price: ClassVar[Price] = Price(
        1.00, "first million a month", "2026-10-07", "https://aws.amazon.com/rekognition/pricing/"
    )
    most_bytes: ClassVar[int] = 5_000_000  # 5 MB; the client's own model says 5 MiB
    most_faces: ClassVar[int] = 100  # "the 100 largest faces in the image"

    size: int = Field(1920, ge=LEAST_SIDE, le=8192)
    """Longest side in pixels of what is sent; larger pictures are scaled down."""
    region: str | None = None
    """AWS region whose service is asked, such as eu-central-1; unset, the one that boto3 is configured for."""

    def _expect_access(self) -> None:
        self._client()

    def _client(self) -> Any:
        return _client(self.region, os.getpid())

    def _ask(self, sent: Sent) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
        from botocore.parsers import ResponseParserError  # noqa: PLC0415

        try:
            return self._client().detect_faces(Image={"Bytes": sent.data}, Attributes=["DEFAULT"])
        except ClientError as error:
            said = error.response.get("Error", {})
            code = str(said.get("Code", "unknown"))
            reason = brief(f"{code}: {said['Message']}" if said.get("Message") else code)
            raise InputError(f"{self.service} refused: {reason}", hint=CURES.get(code, "")) from None
        except BotoCoreError as error:
            raise InputError(f"{self.service} cannot be asked: {brief(error)}") from None
        except ResponseParserError as error:
            raise ValueError(error) from None

    def _read(self, answer: Any, sent: Sent) -> Regions:
        faces = answer["FaceDetails"]
        places = [face["BoundingBox"] for face in faces]
        sides = np.array([[place["Left"], place["Top"], place["Width"], place["Height"]] for place in places])
        xyxy = sides.reshape(-1, 4)
        xyxy[:, 2:] += xyxy[:, :2]
        score = np.array([face["Confidence"] for face in faces]) / 100
        marks = [{mark["Type"]: (mark["X"], mark["Y"]) for mark in face["Landmarks"]} for face in faces]
        return Regions(xyxy * np.tile(sent.size, 2), score.clip(0, 1), _five(marks, sent.size))


def _five(marks: list[dict[str, tuple[float, float]]], size: tuple[int, int]) -> Any:
    """Five landmarks of each face in pixels, (n, 5, 2); None where a face lacks one."""
    if not all(name in face for face in marks for name in LANDMARKS):
        return None
    return np.array([[face[name] for name in LANDMARKS] for face in marks]).reshape(-1, 5, 2) * np.array(size)


@lru_cache(maxsize=8)
def _client(region: str | None, process: int) -> Any:
    """The client of one region and process: threads may share it, processes may not. Raises `RequestError`."""
    import boto3  # noqa: PLC0415  (0.15 s: only where it is asked)
    from botocore.config import Config  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, NoRegionError  # noqa: PLC0415

    retries = {"mode": "standard", "total_max_attempts": ATTEMPTS}
    settings = Config(connect_timeout=cloud.CONNECT_S, read_timeout=cloud.ANSWER_S, retries=retries)
    try:
        session = boto3.session.Session()  # one of its own: the default session is not safe to share between threads
        client = session.client("rekognition", region_name=region, config=settings)
        known = session.get_credentials() is not None
        cloud.expect_private(client.meta.endpoint_url)
    except NoRegionError:
        hint = "write rekognition:region=eu-central-1, or set AWS_DEFAULT_REGION"
        raise RequestError("detector 'rekognition' needs an AWS region", hint=hint) from None
    except (BotoCoreError, ValueError) as error:
        raise RequestError(f"detector 'rekognition': {brief(error)}") from None
    if not known:
        hint = "aws configure, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        raise RequestError("detector 'rekognition' finds no AWS credentials", hint=hint)
    return client
