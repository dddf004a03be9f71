"""Live: a 720p file at 25 frames a second, played as if it came from a camera: rate, drops and latency.

    python benchmarks/live.py

Whole processes, one after the other, each with a sink of its own. The clip is ../shared/data/video's mpiigaze_video04,
looped to some 21 s. Writes benchmarks/results/live.json.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from clips import FACEVEIL, RESULTS, VIDEOS, looped

TIMES = 3


def run(clip: Path, folder: Path, sink: str, *options: str) -> dict[str, Any]:
    """One run's own account."""
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    target = str(folder / sink) if "." in sink else sink
    command = [str(FACEVEIL), "live", str(clip), "--to", target, "--report", str(report), "--overwrite", "-q", *options]
    subprocess.run(command, check=True, capture_output=True)
    made: dict[str, Any] = json.loads(report.read_text())
    return {name: value for name, value in made.items() if name not in ("source", "sinks")}  # paths of this run


def main() -> None:
    results = {}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        clip = looped(VIDEOS / "mpiigaze_video04.mp4", TIMES, folder / "clip.mp4")
        for name, sink, options in (
            ("fast, preview", "preview", ["--preset", "fast"]),
            ("fast, file", "out.mp4", ["--preset", "fast"]),
            ("balanced, file", "out.mp4", []),
        ):
            results[name] = run(clip, folder, sink, *options)
            print(name, results[name], flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "live.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
