"""A window of its own, by SDL through pygame-ce. Escape, Q or its close button ends the run."""

from __future__ import annotations

import os
from typing import ClassVar

from faceveil import planes
from faceveil.errors import MissingExtra, OutputError
from faceveil.live.sinks import Closed, Sink
from faceveil.types import Planes

LONGEST = 1920  # px that a picture is reduced to before it is scaled to the window
FIRST = (1280, 720)  # px that the window is opened within


class Window(Sink):
    """Shows pictures scaled to the window. SDL wants all of it in one thread, on macOS in the main one."""

    name = "window"
    main_thread: ClassVar[bool] = True

    def __init__(self) -> None:
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        try:
            import pygame  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise MissingExtra("the sink 'window' needs pygame-ce", hint="pip install 'faceveil[window]'") from error
        self._pygame = pygame
        try:
            pygame.display.init()
        except pygame.error as error:
            raise OutputError(f"cannot open a window: {error}", hint="use the sink 'preview'") from error
        self._screen: pygame.Surface | None = None

    def show(self, moment: Planes) -> None:
        """Draw a picture; the first one opens the window."""
        pygame = self._pygame
        pixels = planes.small(moment, LONGEST)
        size = (pixels.shape[1], pixels.shape[0])
        if self._screen is None:
            self._screen = pygame.display.set_mode(_fitted(size, FIRST), pygame.RESIZABLE)
            pygame.display.set_caption("faceveil live")
        picture = pygame.image.frombuffer(pixels.tobytes(), size, "RGB")
        inside = _fitted(size, self._screen.get_size())
        corner = [(room - side) // 2 for room, side in zip(self._screen.get_size(), inside, strict=True)]
        self._screen.fill((0, 0, 0))
        self._screen.blit(pygame.transform.smoothscale(picture, inside), corner)
        pygame.display.flip()
        self.idle()

    def idle(self) -> None:
        """See what the viewer wants. Raises `Closed`."""
        pygame = self._pygame
        for event in pygame.event.get():
            if event.type == pygame.QUIT:
                raise Closed
            if event.type == pygame.KEYDOWN and event.key in (pygame.K_ESCAPE, pygame.K_q):
                raise Closed

    def close(self, *, complete: bool) -> None:
        """Close the window."""
        self._pygame.display.quit()


def _fitted(size: tuple[int, int], room: tuple[int, int]) -> tuple[int, int]:
    """The size, kept in proportion, as large as fits into a room."""
    scale = min(room[0] / size[0], room[1] / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
