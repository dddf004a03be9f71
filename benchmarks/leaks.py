"""The leak matrix: one side door at a time, faceveil beside deface.

    python benchmarks/leaks.py --peer /path/to/venv/bin/deface

The files are made by tests/verify/leak_cases.py. For each the tool runs as a user would run it, and its output is
judged by three means: the secret is searched in the bytes, `faceveil`'s carver lists what stands beside the picture,
and every frame is compared with the face that was there. Writes benchmarks/results/leaks.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "verify"))

from leak_cases import SECRET, Case, cases, frames_of, same_place  # noqa: E402

from faceveil.verify.carve import carve  # noqa: E402

SHOWS = 0.7  # correlation with the original face; a veil has below 0.3, an untouched frame above 0.95
FACEVEIL = Path(sys.executable).parent / "faceveil"


def judged(output: Path, code: int) -> str:
    """What a tool's output is worth: clean, refused, broken, or what leaks."""
    if not output.exists():
        return "refused" if code else "nothing written, exit 0"
    data = output.read_bytes()
    if not data:
        return "empty file"
    found = []
    try:
        if any(same_place(frame)[0] > SHOWS for frame in frames_of(data)):
            found.append("face visible")
    except Exception as error:  # whatever a decoder says of another tool's file
        return f"unreadable output ({type(error).__name__}), exit {code}"
    if SECRET in data:
        found.append("secret in the bytes")
    if found:
        return "LEAK: " + ", ".join(found)
    return "clean, with metadata of its own" if carve(data) else "clean"


def run(command: list[str], output: Path) -> str:
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)
    return judged(output, done.returncode)


def row(case: Case, folder: Path, peer: Path | None) -> dict[str, Any]:
    source = folder / case.name
    source.write_bytes(case.data)
    ours, theirs = folder / "ours" / case.name, folder / "theirs" / case.name
    theirs.parent.mkdir(exist_ok=True)
    made: dict[str, Any] = {"format": case.format, "door": case.door}
    made["faceveil"] = run([str(FACEVEIL), str(source), "-o", str(ours), "-q"], ours)
    if peer:
        made["deface"] = run([str(peer), str(source), "-o", str(theirs)], theirs)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, help="the deface command of another virtual environment")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        rows = [row(case, Path(name), options.peer) for case in cases()]
    tools = ["faceveil", *(["deface"] if options.peer else [])]
    leaks = {tool: sum(r[tool].startswith("LEAK") for r in rows) for tool in tools}
    result = {"command": "python benchmarks/leaks.py --peer DEFACE", "rows": rows, "leaks": leaks}
    (ROOT / "benchmarks" / "results" / "leaks.json").write_text(json.dumps(result, indent=1) + "\n")
    for r in rows:
        print(*r.values(), sep=" | ")
    print(f"{len(rows)} rows, leaks: {leaks}")


if __name__ == "__main__":
    main()
