"""Which annotation is about which file. Nothing is guessed: what is not clear is an error of that file.

An annotation is about `folder/name` for each folder in which its pictures may lie: that of the annotation file,
`images` beside it, and the inputs' own. Names alone are never compared: two folders often hold the same ones.
"""

from __future__ import annotations

import glob
import os
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from faceveil.annotation.base import Annotations, Labelled
from faceveil.errors import InputError
from faceveil.media.kinds import KINDS

PICTURES = tuple(sorted({suffix for kind in KINDS.values() if kind.module for suffix in kind.suffixes}))
"""Suffixes of pictures, for formats that name pictures without theirs."""


@dataclass(frozen=True, slots=True)
class Matched:
    """found: what is said of each source, frame by frame, or why that is not clear. left: names of no source."""

    found: dict[Path, tuple[Labelled, ...] | InputError]
    left: tuple[str, ...]


def match(annotations: Annotations, sources: Sequence[Path], folders: Iterable[Path] = ()) -> Matched:
    """What the annotations say of each source.

    folders: where pictures may lie, beside those that the annotations name themselves.
    """
    places = _Places(annotations, folders)
    named = {source: places.of(source) for source in sources}
    takers: dict[str, list[Path]] = {}
    for source, found in named.items():
        for name in found:
            takers.setdefault(name, []).append(source)
    made: dict[Path, tuple[Labelled, ...] | InputError] = {}
    for source, found in named.items():
        made[source] = _only(source, found, takers, annotations.path)
    left = dict.fromkeys(one.name for one in annotations.pictures if one.name not in takers)
    return Matched(made, tuple(left))


def _only(
    source: Path, found: dict[str, list[Labelled]], takers: dict[str, list[Path]], path: Path
) -> tuple[Labelled, ...] | InputError:
    """The one thing that is said of a source."""
    if not found:
        return InputError(f"{source} is not in {path}", hint="annotate it, if only with no face, or leave it out")
    if len(found) > 1:
        names = " and ".join(f"'{name}'" for name in found)
        return InputError(f"{source} could be {names} of {path}")
    (name, said), *_ = found.items()
    others = [other for other in takers[name] if other != source]
    if others:
        return InputError(f"{source} and {others[0]} could both be '{name}' of {path}")
    return tuple(said)


def locate(annotations: Annotations, folders: Iterable[Path] = ()) -> list[tuple[Labelled, Path]]:
    """Each annotated picture with its file: the first that is there. Pictures that are nowhere are left out.

    folders: where to look first.
    """
    places = list(dict.fromkeys([*folders, *annotations.folders]))
    made = []
    for one in annotations.pictures:
        names = [one.name + suffix for suffix in _either(PICTURES)] if one.stem else [one.name]
        path = next((path for folder in places for name in names if (path := folder / name).is_file()), None)
        if path is not None:
            made.append((one, path))
    return made


def _either(suffixes: tuple[str, ...]) -> list[str]:
    return [*suffixes, *(suffix.upper() for suffix in suffixes)]


class _Places:
    """Annotations by the paths that they may be about."""

    def __init__(self, annotations: Annotations, folders: Iterable[Path]) -> None:
        self._files: dict[str, dict[str, list[Labelled]]] = {}
        self._stems: dict[str, dict[str, list[Labelled]]] = {}
        places = dict.fromkeys(os.path.abspath(folder) for folder in (*annotations.folders, *folders))
        for one in annotations.pictures:
            for key in {_key(folder, one.name) for folder in places}:
                table = self._stems if one.stem else self._files
                table.setdefault(key, {}).setdefault(one.name, []).append(one)

    def of(self, source: Path) -> dict[str, list[Labelled]]:
        """What may be about a source, by name."""
        path = os.path.abspath(source)
        return {**self._files.get(_key(path), {}), **self._stems.get(_key(os.path.splitext(path)[0]), {})}  # noqa: PTH122


def _key(*parts: str) -> str:
    # Some systems store letters and their accents apart; what a person reads is one name.
    return unicodedata.normalize("NFC", os.path.normpath(os.path.join(*parts)))  # noqa: PTH118


def roots(inputs: Sequence[str | Path]) -> list[Path]:
    """The folders of files, folders and patterns; first their common one, to which annotated names are relative."""
    own = [_folder(Path(os.path.abspath(item))) for item in inputs]
    return list(dict.fromkeys([Path(os.path.commonpath(own)), *own])) if own else []


def _folder(path: Path) -> Path:
    """The folder itself, that of a file, or the last one before a pattern begins."""
    if path.is_dir():
        return path
    folder = path.parent
    while glob.has_magic(str(folder)) and not folder.exists():
        folder = folder.parent
    return folder
