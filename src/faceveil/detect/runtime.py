"""ONNX Runtime sessions: where networks run and with how many threads."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Runtime:
    """provider: cpu, cuda, openvino or coreml. threads: per session, 0 for all cores."""

    provider: str = "cpu"
    threads: int = 0
