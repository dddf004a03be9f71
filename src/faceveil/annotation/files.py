"""Which format a file has, and writing: whole or not at all, for its owner's eyes alone."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from faceveil.annotation import coco, fddb, fiftyone, table, wider, yolo
from faceveil.annotation.base import Annotations, Labelled, text_of, wrong
from faceveil.errors import OutputError, RequestError
from faceveil.media.atomic import in_words, publish

FORMATS = ("coco", "yolo", "wider", "csv", "fiftyone")
"""What can be written. FDDB's ellipses are read too."""
FRAMED = ("coco", "csv")
"""Formats with a place for the frames of films, animations and pages."""

_MODE, _FOLDER_MODE = 0o600, 0o700
_LISTS = "*_bbx_gt.txt"  # the name of WIDER FACE's own
_KNOWN = "a COCO or FiftyOne .json, a .csv, a list of WIDER FACE or FDDB (.txt), or a folder with YOLO's labels"


# --- reading -------------------------------------------------------------------------------------------------------


def read(path: str | Path) -> Annotations:
    """The annotations in a file, or in a folder that holds one. The format is told by the content.

    Raises:
        RequestError: it is not there, is no annotation file, or something in it is wrong; file and place are named.
    """
    path = Path(path)
    if path.is_dir():
        return _read_folder(path)
    if not path.exists():
        raise RequestError(f"there is no '{path}'")
    suffix = path.suffix.lower()
    if suffix == ".json":
        return _read_json(path)
    if suffix in (".csv", ".tsv"):
        return table.read(path)
    if suffix == ".txt":
        first = next((line.strip() for line in text_of(path).splitlines() if line.strip()), "")
        return wider.read(path) if Path(first).suffix else fddb.read(path)
    raise RequestError(f"'{path}' is no annotation file", hint=f"known: {_KNOWN}")


def _read_json(path: Path) -> Annotations:
    content = coco.load_json(path)
    if isinstance(content, dict) and "images" in content:
        return coco.read(path, content)
    if isinstance(content, dict) and "labels" in content:
        return fiftyone.read(path, content)
    raise wrong(path, "", "is neither COCO ('images', 'annotations') nor FiftyOne's ('labels')")


def _read_folder(folder: Path) -> Annotations:
    """The one set of annotations in a folder. Raises `RequestError` where there is none, or more than one."""
    found: list[tuple[str, Any]] = [(path.name, lambda p=path: read(p)) for path in sorted(folder.glob("*.json"))]
    found += [(path.name, lambda p=path: read(p)) for path in sorted(folder.glob("*.csv"))]
    found += [(path.name, lambda p=path: wider.read(p)) for path in sorted(folder.glob(_LISTS))]
    if any(folder.glob(fddb.PATTERN)):
        found.append((fddb.PATTERN, lambda: fddb.read(folder)))
    if (folder / "labels").is_dir():
        found.append(("labels", lambda: yolo.read(folder)))
    elif not found and yolo.is_labels(folder):
        found.append(("", lambda: yolo.read(folder)))
    if len(found) > 1:
        names = ", ".join(name for name, _ in found)
        raise RequestError(f"'{folder}' holds several annotation files ({names})", hint="name one of them")
    if not found:
        raise RequestError(f"'{folder}' holds no annotations", hint=f"known: {_KNOWN}")
    made: Annotations = found[0][1]()
    return made


# --- writing -------------------------------------------------------------------------------------------------------


def format_of(path: Path) -> str:
    """The format that a name asks for: .json COCO, .csv, .txt WIDER, no suffix YOLO's folder. Raises `RequestError`."""
    known = {".json": "coco", ".csv": "csv", ".txt": "wider", "": "yolo"}
    if path.is_dir():
        return "yolo"
    if path.suffix.lower() not in known:
        raise RequestError(
            f"no annotations are written to '{path.name}'", hint="known: .json, .csv, .txt, or a folder; or --format"
        )
    return known[path.suffix.lower()]


def expect_writable(path: Path, format_: str, *, overwrite: bool) -> None:
    """Raises `RequestError` where `write` would not be let, so that nobody waits for it in vain."""
    if not path.exists():
        return
    if path.is_dir() != (format_ == "yolo"):
        what = "a folder" if path.is_dir() else "a file"
        raise RequestError(
            f"'{path}' is {what}, and {format_} is written to {'a folder' if what == 'a file' else 'a file'}"
        )
    if path.is_dir():
        others = [inside for inside in path.rglob("*") if inside.is_file() and inside.suffix != ".txt"]
        if others:
            raise RequestError(f"'{path}' holds other files than labels, such as '{others[0].name}'")
        if not any(path.iterdir()):
            return
    if not overwrite:
        raise RequestError(f"'{path}' is there already, perhaps with corrections", hint="--overwrite replaces it")


def expect_names(names: Sequence[str], format_: str) -> None:
    """Raises `RequestError` where the format could not tell two of these pictures apart."""
    if format_ not in ("yolo", "fiftyone"):
        return
    seen: dict[str, str] = {Path(yolo.CLASSES).stem: yolo.CLASSES} if format_ == "yolo" else {}
    for name in names:
        other = seen.setdefault(str(Path(name).with_suffix("")), name)
        if other != name:
            raise RequestError(f"'{other}' and '{name}' have one name in {format_}", hint="write coco or csv")


def write(
    path: Path,
    pictures: Sequence[Labelled],
    format_: str,
    *,
    scores: bool = True,
    made_by: str = "faceveil",
    overwrite: bool = False,
) -> None:
    """Write annotations; they are personal data, readable by their owner alone.

    Raises:
        RequestError: the format cannot hold them, or `path` holds something else. OutputError: it cannot be written.
    """
    expect_writable(path, format_, overwrite=overwrite)
    expect_names([one.name for one in pictures], format_)
    framed = next((one for one in pictures if one.frame is not None), None)
    if framed is not None and format_ not in FRAMED:
        raise RequestError(
            f"'{framed.name}' has several frames, for which {format_} has no place", hint="write coco or csv"
        )
    try:
        content = _encoded(pictures, format_, scores=scores, made_by=made_by)
    except UnicodeEncodeError:
        raise RequestError(f"a file name is no text, which {format_} cannot hold", hint="write coco") from None
    if isinstance(content, bytes):
        publish(path, content, overwrite=overwrite, mode=_MODE)
    else:
        _publish_folder(path, content)


def _encoded(pictures: Sequence[Labelled], format_: str, *, scores: bool, made_by: str) -> bytes | dict[str, bytes]:
    if format_ == "coco":
        return coco.encode(pictures, scores=scores, made_by=made_by)
    if format_ == "yolo":
        return yolo.encode(pictures, scores=scores)
    if format_ == "wider":
        return wider.encode(pictures)
    if format_ == "csv":
        return table.encode(pictures, scores=scores)
    if format_ == "fiftyone":
        return fiftyone.encode(pictures, scores=scores)
    raise RequestError(f"no annotation format is called '{format_}'", hint="known: " + ", ".join(FORMATS))


def _publish_folder(path: Path, files: dict[str, bytes]) -> None:
    """A folder that appears whole: it is filled under another name; an earlier one goes once the new one stands."""
    aside = path.absolute().with_name(f".faceveil-{secrets.token_hex(8)}.part")
    old = aside.with_suffix(".old")
    try:
        with in_words(path):
            aside.mkdir(mode=_FOLDER_MODE)
            for name, content in files.items():
                (aside / name).parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
                publish(aside / name, content, mode=_MODE)
            if path.exists():
                path.rename(old)
            aside.rename(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
