"""The house stays in order: imports go one way, importing costs nothing, the public face is what it says."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import faceveil

PACKAGE = Path(faceveil.__file__).parent

# A room may import rooms of lower floors, and its own files; never a sibling.
FLOORS = [
    {"errors"},
    {"types"},
    {"planes"},
    {"plugins"},
    {"policy"},
    {"models"},
    {"media", "detect", "track", "deidentify"},
    {"verify", "match"},
    {"plans", "annotation"},
    {"pipeline"},
    {"dataset"},
    {"evaluate"},
    {"live"},
    {"jobs"},
    {"apps"},
    {"__main__"},
]
FLOOR = {room: i for i, rooms in enumerate(FLOORS) for room in rooms}


def _room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def _imports(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found |= (
                {f"{node.module}.{alias.name}" for alias in node.names} if node.module == "faceveil" else {node.module}
            )
    return {name for name in found if name.startswith("faceveil")}


def _files() -> list[Path]:
    return [file for file in sorted(PACKAGE.rglob("*.py")) if file != PACKAGE / "__init__.py"]


@pytest.mark.parametrize("file", _files(), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_go_one_way(file: Path) -> None:
    own = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert own in FLOOR, f"'{own}' is a room that docs/architecture.md and this test do not know"
    for module in _imports(file):
        room = _room(module)
        if room and room in FLOOR and room != own:
            assert FLOOR[room] < FLOOR[own], f"{own} may not import {module}"


def _python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_importing_faceveil_loads_nothing_heavy() -> None:
    heavy = "onnxruntime cv2 av PIL simplejpeg rich torch ray matplotlib".split()
    loaded = _python(f"import sys, faceveil; print([m for m in {heavy} if m in sys.modules])")
    assert loaded == "[]"


def test_the_pipeline_loads_its_engines_only_when_they_run() -> None:
    loaded = _python(
        "import sys, faceveil; faceveil.veil, faceveil.Policy, faceveil.Plan;"
        "print([m for m in ('onnxruntime', 'cv2', 'av', 'PIL', 'simplejpeg', 'rich') if m in sys.modules])"
    )
    assert loaded == "[]"


def test_the_network_runtime_reports_to_nobody(tmp_path: Path) -> None:
    """ONNX Runtime that reports keeps a file for it where temporary files go, as soon as it is imported."""
    code = "from faceveil.detect.runtime import Runtime, session; session('mtcnn_pnet', Runtime(threads=1))"
    own = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
    places = dict.fromkeys(("TMPDIR", "HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"), str(tmp_path))
    subprocess.run([sys.executable, "-c", code], check=True, env=own | places)
    assert not list(tmp_path.rglob("*"))


def test_importing_faceveil_is_fast() -> None:
    code = "import time; t = time.perf_counter(); import faceveil; print(time.perf_counter() - t)"
    assert min(float(_python(code)) for _ in range(5)) < 0.2


def test_all_is_true() -> None:
    assert sorted(faceveil.__all__) == faceveil.__all__
    for name in faceveil.__all__:
        assert getattr(faceveil, name).__name__ == name
    assert set(faceveil.__all__) <= set(dir(faceveil))
    with pytest.raises(AttributeError, match="has no attribute 'viel'"):
        faceveil.viel  # noqa: B018
