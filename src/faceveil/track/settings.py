"""What a user may choose about tracks."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Tracking(BaseModel):
    """Which detections count in a video, and how far a face is covered beyond them.

    Evidence: the 216 faces of 20 px and more that the preset `thorough` finds, with scores from .79, in 50 frames of
    seven clips; covered if .6 of the box is. The preset `fast` covers .815 of them frame by frame, from its threshold
    up. Tracked, with detections from .08 / .03 / .01 up, it covers .889 / .898 / .907. Of all boxes 18 of 277, then
    296 of 683 / 432 of 917 / 564 of 1,173 lie where `thorough` sees nothing, most of them in one crowd of far faces.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    sure: float = Field(0.16, ge=0, le=1)
    """Score from which a detection is covered by itself; a lower one only goes on with a track that has a sure one.
    .08 with detections from .03 up covers .921 of the faces in place of .898, and half more of what is none."""
    extend: float = Field(0.5, ge=0, le=10)
    """Seconds that a face stays covered before its first and after its last detection."""
    bridge: float = Field(1.0, ge=0, le=10)
    """Seconds of the longest gap between detections that is bridged; those farther apart are two tracks."""
