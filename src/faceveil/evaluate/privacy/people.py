"""Whom pictures show, from the layouts that sets of people come in.

- a folder for each person: `NAME/*.jpg`, as LFW and ORL are; with frames, `NAME/TRACK/*.jpg`, one folder for each track
- FERET: the first five digits of a name are the person, in any folders (`00001_930831_fa_a.ppm`, `00001fa010.tif`)
- LFW in one folder: `NAME_0001.jpg`
- pairs.csv with the columns a, b and same: pictures relative to the file, or to a folder that is named
- LFW's own pairs.txt: `NAME 1 4` for one person, `NAME 1 OTHER 2` for two

Beside each picture may stand what any tool made of it: in another folder, under the same relative name, whatever its
extension, or with `_veiled`, `_anonymized` or the like behind it.
"""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from faceveil.errors import RequestError
from faceveil.evaluate.truth import every
from faceveil.media.kinds import KINDS

PICTURES = frozenset(suffix for kind in KINDS.values() if not kind.moving for suffix in kind.suffixes)
APPENDED = ("_veiled", "_anonymized", "_anonymised", "_blurred", "-anonymized", "-anonymised", "-blurred")
"""What tools append to the names of what they make."""

_FERET = re.compile(r"(\d{5})(?=_\d{6}|[a-z]{2})")
_FLAT = re.compile(r"(.+?)_\d{1,5}")


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo of one person, or one track of a video.

    files: one, or the frames of the track, in their order. made: for each folder of anonymised pictures the files that
    belong to `files`.
    """

    person: str
    files: tuple[Path, ...]
    made: tuple[tuple[Path, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Crowd:
    """People and their photos, as the input names them.

    layout: in words. pairs: two indices of photos and whether both show one person, where the input names pairs.
    left_out: files that count nowhere, each with the reason.
    """

    path: Path
    layout: str
    photos: tuple[Photo, ...]
    pairs: tuple[tuple[int, int, bool], ...] | None = None
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What the people are called, in alphabetical order."""
        return tuple(sorted({photo.person for photo in self.photos}))


def load(
    path: Path,
    *,
    images: Path | None = None,
    anonymised: Sequence[Path] = (),
    frames: bool = False,
    people: int | None = None,
    pictures: int | None = None,
) -> Crowd:
    """The people of a folder or of a list of pairs.

    images: the folder to which a list of pairs is relative. anonymised: folders of pictures that any tool has made of
    these. frames: a folder in a person's folder holds the frames of one track. people, pictures: only so many people,
    and so many photos of each, spread evenly.

    Raises `RequestError` where nothing can be measured: it says what is missing.
    """
    if not path.exists():
        raise RequestError(f"there is no '{path}'")
    if path.is_dir():
        crowd = _of_folder(path, frames=frames)
    elif frames or people or pictures:
        raise RequestError(f"'{path}' is a list of pairs: neither frames nor a part of it can be chosen")
    else:
        crowd = _of_pairs(path, images)
    root = path if path.is_dir() else images or path.parent
    for folder in anonymised:
        crowd = _beside(crowd, root, folder)
    return _enough(crowd, people, pictures)


# --- folders --------------------------------------------------------------------------------------------------------


def _of_folder(path: Path, *, frames: bool) -> Crowd:
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in PICTURES and file.is_file())
    if not files:
        raise RequestError(f"there is no picture in '{path}'")
    if all(_FERET.match(file.name) for file in files):
        return Crowd(path, "FERET", tuple(Photo(file.name[:5], (file,)) for file in files))
    flat = [file for file in files if file.parent == path]
    if len(flat) == len(files):
        named = [_FLAT.fullmatch(file.stem) for file in files]
        if not all(named):
            raise RequestError(
                f"nobody can tell whom the pictures in '{path}' show",
                hint="a folder for each person, or names such as ANNA_0001.jpg",
            )
        photos = tuple(Photo(match.group(1), (file,)) for match, file in zip(named, files, strict=True) if match)
        return Crowd(path, "one folder", photos)
    left_out = tuple((str(file), "lies beside the folders of people") for file in flat)
    inside = [file for file in files if file.parent != path]
    return Crowd(path, "a folder for each person", tuple(_photos(path, inside, frames=frames)), None, left_out)


def _photos(root: Path, files: Sequence[Path], *, frames: bool) -> Iterable[Photo]:
    tracks: dict[tuple[str, Path], list[Path]] = defaultdict(list)
    for file in files:
        below = file.relative_to(root)
        single = not frames or len(below.parts) == 2
        tracks[below.parts[0], file if single else file.parent].append(file)
    return (Photo(person, tuple(found)) for (person, _), found in tracks.items())


# --- pairs ----------------------------------------------------------------------------------------------------------


def _of_pairs(path: Path, images: Path | None) -> Crowd:
    root = images or path.parent
    rows = _csv(path, root) if path.suffix.lower() == ".csv" else _lfw(path, root)
    if not rows:
        raise RequestError(f"{path} names no pair")
    files = sorted({file for a, b, _ in rows for file in (a, b)})
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise RequestError(
            f"{len(missing)} of the {len(files)} pictures of {path} are not there, such as '{missing[0]}'",
            hint="--images FOLDER tells where they are",
        )
    person = _united(files, rows, root)
    place = {file: i for i, file in enumerate(files)}
    pairs = tuple((place[a], place[b], same) for a, b, same in rows if a != b)
    return Crowd(path, "pairs", tuple(Photo(person[file], (file,)) for file in files), pairs)


def _csv(path: Path, root: Path) -> list[tuple[Path, Path, bool]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RequestError(f"cannot read the pairs {path}: {error}") from None
    made = []
    for number, row in enumerate(rows, 2):
        a, b, same = (str(row.get(key) or "").strip() for key in ("a", "b", "same"))
        if not (a and b) or same.lower() not in ("0", "1", "true", "false"):
            raise RequestError(f"{path}, line {number}: it needs the columns a, b and same, which is 1 or 0")
        made.append((root / a, root / b, same.lower() in ("1", "true")))
    return made


def _lfw(path: Path, root: Path) -> list[tuple[Path, Path, bool]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"cannot read the pairs {path}: {error}") from None
    made = []
    for number, line in enumerate(lines, 1):
        cells = line.split()
        numbers = [cell.isdigit() for cell in cells]
        if all(numbers) and len(cells) < 3:
            continue  # the number of folds and of pairs in each
        if numbers == [False, True, True]:
            made.append((_numbered(root, cells[0], cells[1]), _numbered(root, cells[0], cells[2]), True))
        elif numbers == [False, True, False, True]:
            made.append((_numbered(root, cells[0], cells[1]), _numbered(root, cells[2], cells[3]), False))
        else:
            raise RequestError(f"{path}, line {number}: it is neither NAME 1 4 nor NAME 1 OTHER 2")
    return made


def _numbered(root: Path, name: str, number: str) -> Path:
    return root / name / f"{name}_{int(number):04d}.jpg"


def _united(files: Sequence[Path], rows: Iterable[tuple[Path, Path, bool]], root: Path) -> dict[Path, str]:
    """The person of each picture: those of one pair of the same person, and those of one folder below the root."""
    leader = {file: file for file in files}

    def find(file: Path) -> Path:
        while leader[file] != file:
            leader[file] = file = leader[leader[file]]
        return file

    folders: dict[Path, Path] = {}
    ties = [(a, b) for a, b, same in rows if same]
    ties += [(file, folders.setdefault(file.parent, file)) for file in files if file.parent != root]
    for a, b in ties:
        leader[find(a)] = find(b)
    for a, b, same in rows:
        if not same and find(a) == find(b):
            raise RequestError(f"'{a.name}' and '{b.name}' are said to be two people, and to be one by other pairs")
    return {file: str(find(file)) for file in files}


# --- what others have made ------------------------------------------------------------------------------------------


def _beside(crowd: Crowd, root: Path, folder: Path) -> Crowd:
    """The same crowd with the pictures of a folder beside its own; photos without them are left out."""
    there = twins(folder)
    photos, lost, kept = [], [], []
    for number, photo in enumerate(crowd.photos):
        made = [twin(file.relative_to(root), there) for file in photo.files]
        found = tuple(file for file in made if file is not None)
        if len(found) < len(made):
            lost.append((str(photo.files[made.index(None)]), f"has no picture in '{folder}'"))
        else:
            photos.append(replace(photo, made=(*photo.made, found)))
            kept.append(number)
    if not photos:
        raise RequestError(f"'{folder}' has no picture of '{root}'", hint="their names below both folders must agree")
    return replace(crowd, photos=tuple(photos), pairs=_kept_pairs(crowd, kept), left_out=(*crowd.left_out, *lost))


def twins(folder: Path) -> dict[tuple[Path, str], Path]:
    """The pictures below a folder by where they lie in it and by their names without suffix. Raises `RequestError`."""
    if not folder.is_dir():
        raise RequestError(f"there is no folder '{folder}'")
    there: dict[tuple[Path, str], Path] = {}
    for file in sorted(folder.rglob("*")):
        if file.suffix.lower() in PICTURES and file.is_file():
            there.setdefault((file.parent.relative_to(folder), file.stem), file)
    return there


def twin(name: Path, there: dict[tuple[Path, str], Path]) -> Path | None:
    """What a tool has made of the picture of this name, among `twins`: whatever its suffix, or with a word behind."""
    stems = (name.stem, *(name.stem + word for word in APPENDED))
    return next((there[name.parent, stem] for stem in stems if (name.parent, stem) in there), None)


def _kept_pairs(crowd: Crowd, kept: Sequence[int]) -> tuple[tuple[int, int, bool], ...] | None:
    """The pairs of the photos that are kept, by their new numbers."""
    if crowd.pairs is None:
        return None
    place = {old: new for new, old in enumerate(kept)}
    return tuple((place[a], place[b], same) for a, b, same in crowd.pairs if a in place and b in place)


# --- enough of them -------------------------------------------------------------------------------------------------


def _enough(crowd: Crowd, people: int | None, pictures: int | None) -> Crowd:
    """At most so many people and photos of each; people with one photo go, unless pairs are named."""
    if crowd.pairs is not None:
        return crowd
    by_person: dict[str, list[int]] = defaultdict(list)
    for number, photo in enumerate(crowd.photos):
        by_person[photo.person].append(number)
    single = [name for name, numbers in by_person.items() if len(numbers) < 2]
    left_out = [(str(crowd.photos[by_person[name][0]].files[0]), "is the only photo of this person") for name in single]
    chosen = [name for name in sorted(by_person) if len(by_person[name]) > 1]
    if len(chosen) < 2:
        counts = Counter(map(len, by_person.values()))
        raise RequestError(
            f"'{crowd.path}' shows {len(by_person)} people, {counts[1]} of them in one photo: naming people needs at "
            "least two people with two photos each",
        )
    kept = sorted(n for name in every(chosen, people) for n in every(by_person[name], pictures))
    if len({crowd.photos[n].person for n in kept}) < 2 or (pictures or 2) < 2:
        raise RequestError("naming people needs at least two people with two photos each: ask for more")
    return replace(crowd, photos=tuple(crowd.photos[n] for n in kept), left_out=(*crowd.left_out, *left_out))
