"""Both services on this machine: they speak the published protocols over HTTP and find faces with CenterFace."""

from __future__ import annotations

import base64
import io
import json
import socket
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from PIL import Image

from faceveil.detect import build
from faceveil.detect.runtime import Runtime
from faceveil.types import Frame, Regions

UNIVERSE = "universe.test"
"""Google's word for its cloud as others run it. Accounts of its own ask Google where they may go, in a thread."""

Answer = tuple[int, dict[str, Any] | bytes]
"""Status and body."""


@dataclass
class Asked:
    """One request: its path, headers, body, and the picture in it."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    data: bytes
    picture: Image.Image


@dataclass
class Services:
    """What has been asked, and what is to be answered.

    troubles: answers that come before any other, whole. finder: finds the faces, CenterFace unless replaced.
    spoil: changes an answer before it is sent. connections: that were opened, whatever came of them.
    """

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    troubles: deque[Answer] = field(default_factory=deque)
    finder: Callable[[Any], Regions] | None = None
    spoil: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    connections: int = 0

    @property
    def specs(self) -> dict[str, str]:
        """How the detectors are written that ask here."""
        return {"rekognition": "rekognition", "google-vision": f"google-vision:endpoint={self.url}"}

    def reset(self) -> None:
        fresh = Services(self.url)
        self.__dict__.update(fresh.__dict__)


def served(services: Services) -> _Server:
    """A server that is running; `shutdown` and `server_close` end it."""
    server = _Server(("127.0.0.1", 0), services)
    services.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def environment(services: Services, folder: Path) -> dict[str, str]:
    """The vendors' own variables: where to ask, as whom, and nothing else of this machine."""
    return {
        "AWS_ENDPOINT_URL_REKOGNITION": services.url,
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "a-secret-that-is-never-sent",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(folder / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "none"),
        "GOOGLE_CLOUD_UNIVERSE_DOMAIN": UNIVERSE,
        "GOOGLE_APPLICATION_CREDENTIALS": str(_service_account(folder, services.url)),
        "NO_GCE_CHECK": "true",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }


@cache
def _key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(*form).decode()


def _service_account(folder: Path, url: str) -> Path:
    path = folder / "service-account.json"
    account = {
        "type": "service_account",
        "project_id": "a-project",
        "private_key_id": "1",
        "private_key": _key(),
        "client_email": "tests@a-project.iam.gserviceaccount.com",
        "token_uri": f"{url}/token",
        "universe_domain": UNIVERSE,
    }
    path.write_text(json.dumps(account))
    return path


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], services: Services) -> None:
        self.services = services
        super().__init__(address, _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        self.services.connections += 1
        return super().get_request()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        theirs = _rekognition if "X-Amz-Target" in self.headers else _vision
        status, answer = theirs(self.server.services, self.path, headers, body)
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", self.headers["Content-Type"])
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def _look(services: Services, path: str, headers: dict[str, str], body: dict[str, Any], data: bytes) -> Regions:
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        services.asked.append(Asked(path, headers, body, data, picture.copy()))
        pixels = np.asarray(picture.convert("RGB"))
    return services.finder(pixels) if services.finder else _centerface()(Frame(pixels))


@cache
def _centerface() -> Any:
    return build("balanced", "centerface:size=800", Runtime(threads=1))


def _fault(kind: str, message: str) -> Answer:
    return 400, {"__type": kind, "Message": message}


def _rekognition(services: Services, path: str, headers: dict[str, str], body: dict[str, Any]) -> Answer:
    """AWS JSON 1.1, with the limits of DetectFaces."""
    if headers["x-amz-target"] != "RekognitionService.DetectFaces":
        return _fault("UnknownOperationException", headers["x-amz-target"])
    if not headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/"):
        return _fault("MissingAuthenticationTokenException", "Missing Authentication Token")
    data = base64.b64decode(body["Image"]["Bytes"])
    found = _look(services, path, headers, body, data)
    width, height = services.asked[-1].picture.size
    if services.troubles:
        return services.troubles.popleft()
    if len(data) > 5_000_000:
        return _fault("ImageTooLargeException", "Image size is too large")
    if min(width, height) < 80:
        return _fault("InvalidParameterException", "Request has invalid parameters")
    names = ("eyeLeft", "eyeRight", "nose", "mouthLeft", "mouthRight")
    faces = []
    for i, (x1, y1, x2, y2) in enumerate(found.xyxy.tolist()):
        marks = found.landmarks[i].tolist() if found.landmarks is not None else []
        place = {"Left": x1 / width, "Top": y1 / height, "Width": (x2 - x1) / width, "Height": (y2 - y1) / height}
        points = [{"Type": n, "X": x / width, "Y": y / height} for n, (x, y) in zip(names, marks, strict=True)]
        faces.append(
            {
                "BoundingBox": place,
                "Landmarks": points[::-1],  # in no order that one could rely on
                "Pose": {"Roll": 1.5, "Yaw": -3.7, "Pitch": 0.9},
                "Quality": {"Brightness": 70.0, "Sharpness": 90.0},
                "Confidence": 100 * float(found.score[i]),
            }
        )
    return 200, _spoilt(services, {"FaceDetails": faces})


def _vision(services: Services, path: str, headers: dict[str, str], body: dict[str, Any]) -> Answer:
    """images:annotate of version 1, with its limit on JSON."""
    token = headers.get("authorization", "")
    if path.partition("?")[0] != "/v1/images:annotate" or not token.startswith("Bearer "):
        return 404, {"error": {"code": 404, "message": path, "status": "NOT_FOUND"}}
    (request,) = body["requests"]
    found = _look(services, path, headers, body, base64.b64decode(request["image"]["content"]))
    if services.troubles:
        return services.troubles.popleft()
    if int(headers["content-length"]) > 10 << 20:
        return 400, {"error": {"code": 400, "message": "Request payload size exceeds", "status": "INVALID_ARGUMENT"}}
    names = ("LEFT_EYE", "RIGHT_EYE", "NOSE_TIP", "MOUTH_LEFT", "MOUTH_RIGHT")
    (feature,) = request["features"]
    faces = []
    for i, (x1, y1, x2, y2) in enumerate(found.xyxy.tolist()[: feature.get("maxResults", 10)]):
        marks = found.landmarks[i].tolist() if found.landmarks is not None else []
        points = [{"type": n, "position": {"x": x, "y": y, "z": 1.5}} for n, (x, y) in zip(names, marks, strict=True)]
        w, h = (x2 - x1) / 4, (y2 - y1) / 4
        faces.append(
            {
                "boundingPoly": _polygon(x1 - w, y1 - h, x2 + w, y2 + h),
                "fdBoundingPoly": _polygon(x1, y1, x2, y2),
                "landmarks": [{"type": "MIDPOINT_BETWEEN_EYES", "position": {"x": 1.0}}, *points],
                "rollAngle": 1.5,
                "detectionConfidence": float(found.score[i]),
                "joyLikelihood": "VERY_UNLIKELY",
            }
        )
    answer = {"faceAnnotations": faces} if faces else {}
    return 200, {"responses": [_spoilt(services, answer)]}


def _spoilt(services: Services, answer: dict[str, Any]) -> dict[str, Any]:
    return services.spoil(answer) if services.spoil else answer


def _polygon(x1: float, y1: float, x2: float, y2: float) -> dict[str, Any]:
    """Whole numbers within the picture; zeros are left out, as the service leaves them out."""
    corners = [(x1, y1), (x2, y1), (x2, y2), (x1, y2)]
    ends = [{"x": max(0, round(x)), "y": max(0, round(y))} for x, y in corners]
    return {"vertices": [{axis: value for axis, value in end.items() if value} for end in ends]}
