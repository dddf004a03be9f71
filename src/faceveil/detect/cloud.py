"""What detectors share that run elsewhere: consent, what is sent, boxes mapped back, crowds, and what it costs.

With these the original leaves the machine. So they speak to nobody unless the user allows it, which the runtime says
(`Runtime.cloud`); every path through the package that ends in a look goes through this file, or sends nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from ipaddress import ip_address
from math import ceil
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self, final
from urllib.parse import urlsplit

import cv2
import numpy as np
from pydantic import Field

from faceveil.detect import boxes, pixels
from faceveil.detect.base import Detector
from faceveil.detect.compose import Calibrated, Union
from faceveil.errors import InputError, RequestError
from faceveil.types import Frame, Regions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.detect.runtime import Runtime
    from faceveil.types import Floats

LEAST_SIDE = 80  # px; Rekognition's published minimum for both sides. Google publishes none
QUALITIES = (95, 85, 75)
"""Of the JPEG that is sent, the first that fits. CenterFace's recall at 20 px on 60 WIDER pictures: .952 as they are,
.952, .948 and .952 from these."""
SHRINK = 0.75  # of both sides, where even the last quality does not fit
OVERLAP = 0.2  # of a side, between the halves of a crowd: `Tiles` has the same
HALVINGS = 3  # of a crowd: 15 requests in all, for some 800 faces
SAME_FACE = 0.4  # IoU, as in `compose`
CONNECT_S, ANSWER_S = 10.0, 30.0
"""Seconds that a service may take to be reached and to answer. With all attempts less than a worker may be silent."""
LONGEST = 300  # characters of what a service says of an error: it may quote whole requests


@dataclass(frozen=True, slots=True)
class Price:
    """A list price: USD for 1,000 pictures, for whom, when it was read, and the page that says it now."""

    usd: float
    terms: str
    read: str
    page: str


class Sent(NamedTuple):
    """A picture as it is sent: a JPEG of pixels alone, and how it came about.

    size: width and height of what is sent, what pads it included. scale: (2,), its pixels for one of the picture's,
    in x and y.
    """

    data: bytes
    size: tuple[int, int]
    scale: Floats


class Cloud(Detector, ABC):
    """A service that looks at pictures sent to it: the original leaves the machine, and each picture costs money."""

    landmarks: ClassVar[bool] = True
    service: ClassVar[str]
    """What the service is called."""
    price: ClassVar[Price]
    most_bytes: ClassVar[int]
    """Of one picture, as the service publishes it."""
    most_faces: ClassVar[int]
    """That one answer can tell of."""

    size: int = Field(1920, ge=LEAST_SIDE, le=8192)
    """Longest side in pixels of what is sent; larger pictures are scaled down."""
    score_threshold: float = Field(0, ge=0, le=1)
    """Faces below this score are dropped; the service has a threshold of its own."""

    def on(self, runtime: Runtime) -> Self:
        """This detector bound to the user's consent. Raises `RequestError` without it, and without credentials."""
        bound = super().on(runtime)
        bound._expect_consent()
        bound._expect_access()
        return bound

    @final
    def __call__(self, frame: Frame) -> Regions:
        """Faces of one frame, best score first.

        Raises `RequestError` without the user's consent, `InputError` where the service refuses or cannot be reached.
        """
        self._expect_consent()
        found = self._seen(pixels.eight_bit(frame), HALVINGS)
        found = found[found.score >= self.score_threshold]
        return found[np.argsort(-found.score, kind="stable")]

    @final
    def _expect_consent(self) -> None:
        if not self._runtime.cloud:
            raise RequestError(
                f"detector '{self.name}' would send the originals to {self.service}, out of this machine",
                hint="allow it with --allow-cloud, or allow_cloud: true",
            )

    @abstractmethod
    def _expect_access(self) -> None:
        """Raise `RequestError` where credentials or the like are missing. Sends no picture."""

    @abstractmethod
    def _ask(self, sent: Sent) -> Any:
        """The service's answer to a picture. Raises `InputError` where there is none."""

    @abstractmethod
    def _read(self, answer: Any, sent: Sent) -> Regions:
        """The faces of an answer in pixels of what was sent. May raise `LookupError`, `TypeError`, `ValueError`."""

    def _seen(self, picture: NDArray[np.uint8], halvings: int) -> Regions:
        """Faces of a picture in its pixels, in no order. One with as many as an answer can hold is cut in two."""
        found = self._asked(picture)
        if len(found) < self.most_faces:
            return found
        if not halvings:
            raise InputError(f"{self.service} tells of {self.most_faces} faces at once, and parts of this have more")
        parts = [found]
        for part, corner in _halves(picture):
            seen = self._seen(part, halvings - 1)
            parts.append(_mapped(seen, np.ones(2, np.float32), corner))
        everything = Regions.concatenate(parts)
        return everything[boxes.best(everything.xyxy, everything.score, SAME_FACE)]

    def _asked(self, picture: NDArray[np.uint8]) -> Regions:
        """Faces of a picture in its pixels, as one request tells of them."""
        sent = encoded(picture, self.size, self.most_bytes)
        try:
            found = self._read(self._ask(sent), sent)
        except (LookupError, TypeError, ValueError) as error:
            raise InputError(f"the answer of {self.service} cannot be read: {brief(error)}") from None
        return _mapped(found, sent.scale, np.zeros(2, np.float32))


def _mapped(found: Regions, scale: Floats, corner: Floats) -> Regions:
    """Regions of a part that was scaled by `scale` (2,), in pixels of the whole, where it begins at `corner` (2,)."""
    marks = None if found.landmarks is None else np.asarray(found.landmarks / scale + corner, np.float32)
    return Regions(np.asarray(found.xyxy / np.tile(scale, 2) + np.tile(corner, 2), np.float32), found.score, marks)


def _halves(picture: NDArray[np.uint8]) -> Iterator[tuple[NDArray[np.uint8], Floats]]:
    """Both halves along the longer side, which overlap, each with its corner (2,)."""
    axis = int(picture.shape[1] >= picture.shape[0])
    whole = picture.shape[axis]
    length = ceil(whole * (1 + OVERLAP) / 2)
    for start in (0, whole - length):
        part = picture[:, start : start + length] if axis else picture[start : start + length]
        yield part, np.array([start, 0] if axis else [0, start], np.float32)


# --- what is sent ---------------------------------------------------------------------------------------------------


def encoded(picture: NDArray[np.uint8], size: int, most_bytes: int) -> Sent:
    """A picture encoded anew, from its pixels alone: no name, no metadata.

    Its longer side is scaled down to `size`; further where even the last of `QUALITIES` takes more than `most_bytes`.
    Sides below `LEAST_SIDE` are padded with black to the right and below.
    """
    import simplejpeg  # noqa: PLC0415  (only where something is sent)

    height, width = picture.shape[:2]
    factor = min(1.0, size / max(width, height))
    while True:
        small = max(1, round(width * factor)), max(1, round(height * factor))
        right, below = (max(0, LEAST_SIDE - side) for side in small)
        scaled = pixels.resize(picture, *small)
        padded = np.ascontiguousarray(cv2.copyMakeBorder(scaled, 0, below, 0, right, cv2.BORDER_CONSTANT))
        for quality in QUALITIES:
            data: bytes = simplejpeg.encode_jpeg(padded, quality=quality, colorsubsampling="444")
            if len(data) <= most_bytes:
                scale = np.array([small[0] / width, small[1] / height], np.float32)
                return Sent(data, (padded.shape[1], padded.shape[0]), scale)
        factor *= SHRINK


def expect_private(address: str) -> str:
    """An address that a picture may be sent to: over TLS, or to this machine. Raises `ValueError` for others."""
    parts = urlsplit(address if "://" in address else f"https://{address}")
    if not parts.hostname or parts.scheme not in ("https", "http") or parts.path.strip("/") or parts.query:
        raise ValueError(f"'{address}' is no address of a service; write host, host:port or https://host:port")
    if parts.scheme == "http" and not _is_here(parts.hostname):
        raise ValueError(f"'{address}' would send originals unencrypted; write https")
    return address


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# --- complaints -----------------------------------------------------------------------------------------------------


def expect_installed(module: str) -> None:
    """Raise `ModuleNotFoundError` where a client library is missing, without the time that importing it takes."""
    try:
        found = find_spec(module)
    except ModuleNotFoundError:  # of a package that it would be part of
        found = None
    if found is None:
        raise ModuleNotFoundError(f"No module named '{module}'", name=module)


def brief(error: object) -> str:
    """What a library or a service says, as part of a sentence."""
    text = " ".join(str(error).split()).rstrip(".")
    return text if len(text) <= LONGEST else text[:LONGEST] + " ..."


# --- prices ---------------------------------------------------------------------------------------------------------


def recipients(detector: Detector, *, once: bool = True) -> Iterator[tuple[Cloud, bool]]:
    """The services that a detector sends pictures to, and whether it sends each picture once, as a whole."""
    if isinstance(detector, Cloud):
        yield detector, once
    for part in getattr(detector, "parts", ()):
        yield from recipients(part, once=once and isinstance(detector, Calibrated | Union))


def bill(detector: Detector, pictures: int, what: str, *, once: bool = True) -> list[str]:
    """One line for each service that a detector sends pictures to: how many, and what they cost by its list price.

    pictures, what: how many, and what they are in words. once: whether the detector sees each of them once; if not,
    or if its parts turn and cut pictures, the price of a thousand requests is all that can be said.
    """
    lines = []
    for service, single in recipients(detector, once=once):
        price = service.price
        terms = f"list price, {price.terms}, read {price.read}"
        if single:
            whole = pictures * price.usd / 1000
            amount = f"about {whole:,.2f}" if whole >= 0.01 else "less than 0.01"
            cost = f"{amount} USD at {price.usd:.2f} USD per 1,000"
        else:
            cost = f"each takes several requests, at {price.usd:.2f} USD per 1,000"
        lines.append(f"{what} to {service.service}: {cost} ({terms})")
    return lines
