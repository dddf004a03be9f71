"""Encoders in hardware: there are those that FFmpeg knows, and fewer that start."""

from __future__ import annotations

from faceveil.errors import MissingExtra


def absent(encoder: str) -> MissingExtra:
    """The error for an encoder that FFmpeg has not, or that this machine cannot start."""
    return MissingExtra(
        f"the hardware encoder '{encoder}' does not start on this machine", hint="leave out the hardware option"
    )
