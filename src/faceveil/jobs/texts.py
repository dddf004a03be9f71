"""Texts that name files, cameras and addresses."""

from __future__ import annotations

import os
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator


def _sayable(text: str) -> str:
    """Text that can name a file: not empty, and without characters that no system has in names."""
    if not text:
        raise ValueError("it is empty")
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise ValueError("it holds a character that no name can hold")
    return text


def _numbered(value: Any) -> Any:
    """Whole numbers, which name cameras and folders, as text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _several(value: Any) -> Any:
    """One value as a list of one."""
    return [_numbered(one) for one in (value if isinstance(value, list | tuple) else [value])]


def _some(values: tuple[str, ...]) -> tuple[str, ...]:
    if not values:
        raise ValueError("name at least one")
    return values


Text = Annotated[str, AfterValidator(_sayable)]
Named = Annotated[Text, BeforeValidator(_numbered, json_schema_input_type=str | int)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_several, json_schema_input_type=str | int | list[str | int])]
Sources = Annotated[Texts, AfterValidator(_some)]


def is_address(text: str) -> bool:
    """Whether a text is a URL: rtsp://..., http://..., udp://..."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) is not None


def is_live(source: str) -> bool:
    """Whether a source is a camera or a URL. A number is a camera, unless a file or folder is called so."""
    if is_address(source) or source.startswith(("/dev/video", "camera:")):
        return True
    return source.isdecimal() and not os.path.lexists(source)
