"""A virtual camera, which video calls see as any other, by pyvirtualcam: v4l2loopback on Linux, OBS elsewhere."""

from __future__ import annotations

from typing import Any

from faceveil import planes
from faceveil.errors import MissingExtra, OutputError
from faceveil.live.sinks import Sink
from faceveil.types import Planes

RATE = 30  # frames a second that the camera claims; pictures are sent when they come


class VirtualCamera(Sink):
    """Sends pictures to a virtual camera of the first picture's size; others are scaled to it.

    device: such as /dev/video4; the first one that is free where None.
    """

    def __init__(self, device: str | None = None) -> None:
        try:
            import pyvirtualcam  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise MissingExtra("the sink 'camera' needs pyvirtualcam", hint="pip install 'faceveil[camera]'") from error
        self._pyvirtualcam: Any = pyvirtualcam
        self._device = device
        self._camera: Any = None
        self.name = f"camera {device}" if device else "camera"

    def show(self, moment: Planes) -> None:
        """Send a picture; the first one opens the camera."""
        import cv2  # noqa: PLC0415

        pixels = planes.small(moment, max(moment.size))
        if self._camera is None:
            width, height = moment.size
            try:
                self._camera = self._pyvirtualcam.Camera(width, height, RATE, device=self._device)
            except RuntimeError as error:
                raise OutputError(
                    f"cannot open a virtual camera: {error}",
                    hint="Linux: sudo modprobe v4l2loopback; macOS and Windows: install OBS",
                ) from error
        size = (self._camera.width, self._camera.height)
        if size != moment.size:
            pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        self._camera.send(pixels)

    def close(self, *, complete: bool) -> None:
        """Give the camera back."""
        if self._camera is not None:
            self._camera.close()
