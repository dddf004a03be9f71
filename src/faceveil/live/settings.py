"""What a user may choose about a live run, beside the policy."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from faceveil import plugins
from faceveil.errors import RequestError
from faceveil.policy import Policy

Overload = Literal["drop", "veil"]


class LiveSettings(BaseModel):
    """How a camera or a stream is taken and shown. Unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    delay: float = Field(0.5, ge=0, le=5)
    """Seconds that a frame waits before it is shown: a face seen in them is covered in the frames before, too."""
    overload: Overload = "drop"
    """What becomes of frames that nobody had the time to look at: drop leaves them out, veil covers the whole frame."""
    retries: int = Field(10, ge=0, le=1_000_000)
    """How often in a row a lost source or receiver is tried again, after 1, 2, 4 ... 30 seconds."""
    timeout: float = Field(5, ge=0.2, le=60)
    """Seconds of silence after which a stream counts as lost."""
    size: str | None = Field(None, pattern=r"^[1-9]\d{0,4}x[1-9]\d{0,4}$")
    """Size of the picture that a camera is asked for, such as 1280x720; its own choice where unset."""
    rate: float | None = Field(None, gt=0, le=1000)
    """Frames a second that a camera is asked for; its own choice where unset."""

    @classmethod
    def of(cls, **settings: Any) -> LiveSettings:
        """Settings from keywords. Raises `RequestError` in one sentence instead of pydantic's report."""
        try:
            return cls(**settings)
        except ValidationError as error:
            raise RequestError(f"live: {plugins.explain(error)}", hint=plugins.known(cls, error)) from None


def expect_live(policy: Policy) -> None:
    """Raises `RequestError` where a policy asks for what a live picture cannot have."""
    if policy.verify:
        raise RequestError("a live picture is gone before it could be verified", hint="leave 'verify' out")
    if policy.audio != "drop":
        raise RequestError("live runs carry no sound", hint="leave 'audio' out")
    if policy.codec not in ("source", "h264"):
        raise RequestError(f"live runs are encoded as h264, not {policy.codec}", hint="leave 'codec' out")
    if policy.hardware is not None:
        raise RequestError("live runs are encoded on the CPU", hint="leave 'hardware' out")
