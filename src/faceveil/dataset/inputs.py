"""Which files are read and which are written: decided before anything starts, so that no two writes can meet.

- A file becomes `photo_veiled.jpg` beside it, a folder `F` becomes `F_veiled` with the same tree, or both go to OUTPUT.
- A camera RAW becomes a TIFF: `photo.dng` goes to `photo.tif` or `photo_veiled.tif`.
- With neutral names everything goes into OUTPUT itself, under names that say nothing of the sources (`names`).
- Outputs never feed back as inputs; two inputs never write one output; an output never is an input.
- In folders, what is not a picture at all (text, tables) is counted and left alone; what is a picture of a kind that
  cannot be covered is an input, so that it fails by name instead of being overlooked.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from faceveil import media
from faceveil.annotation import Annotations, match, roots
from faceveil.dataset.annotated import packed
from faceveil.dataset.names import NeutralNames, originals
from faceveil.dataset.task import Task
from faceveil.errors import RequestError
from faceveil.media.kinds import HEAD, KINDS
from faceveil.pipeline import QUARANTINE, SUFFIX, default_output
from faceveil.types import Plan

# Extensions of pictures and videos: a damaged file has no signature, and must fail by name rather than be passed over.
_PICTURE = frozenset(
    ".jpg .jpeg .jpe .jfif .png .apng .webp .bmp .dib .tif .tiff .heic .heif .hif .avif .avifs "
    ".gif .jp2 .j2k .j2c .jpc .jpf .jpx .ppm .pgm .pbm .pnm .mpo .psd .ico .dcm .dicom".split()
) | frozenset(KINDS["camera RAW"].suffixes)
# Not .ts: most files of that name are programs; a transport stream is known by its bytes.
_FILM = frozenset(suffix for kind in KINDS.values() if kind.moving for suffix in kind.suffixes) - {".ts"}
_MADE_FILM = (".gif", *(s for name in ("MP4", "QuickTime", "Matroska", "WebM") for s in KINDS[name].suffixes))
_MADE_ROW = tuple(s for name in ("PNG", "JPEG", "WebP", "TIFF", "BMP", "PNM") for s in KINDS[name].suffixes)
_NUMBERED = re.compile(r"%0?[0-9]*d")  # frames/%05d.png
_APPENDED = (SUFFIX, "_anonymized", "_blurred", "_anonymised")
_SAME = {".jpeg": ".jpg", ".jpe": ".jpg", ".jfif": ".jpg", ".tiff": ".tif", ".hif": ".heic", ".heif": ".heic"}
_SAME |= {".dicom": ".dcm"}


@dataclass(slots=True)
class Inputs:
    """What a run reads and writes, and what was left alone in folders.

    ignored: files that are not pictures. outputs: earlier outputs that lie among the inputs.
    """

    tasks: list[Task] = field(default_factory=list)
    ignored: list[Path] = field(default_factory=list)
    outputs: list[Path] = field(default_factory=list)


def collect(
    inputs: Sequence[str | Path],
    output: Path | None = None,
    *,
    in_place: bool = False,
    names: NeutralNames | None = None,
) -> Inputs:
    """Tasks for files, folders and glob patterns, in a stable order.

    names: what outputs are called instead of their sources' names; all then lie in OUTPUT itself.

    Raises:
        RequestError: an input does not exist, or outputs would meet each other or an input. Nothing was started.
    """
    if in_place and output is not None:
        raise RequestError("--in-place writes over the originals: leave --output out")
    paths = _unique(path for item in inputs for path in _expand(str(item)))
    found = Inputs()
    into_folder = output is not None and _is_folder(output, paths)
    if names is not None and not into_folder:
        raise RequestError("--neutral-names chooses names itself, so --output must be a folder")
    for path in paths:
        if path.is_dir():
            root = _folder_output(path, output, alone=len(paths) == 1 or names is not None, in_place=in_place)
            _walk(path, root, found, in_place)
        else:
            target = path if in_place else default_output(path) if output is None else output
            inside = Path(_renamed(path).name)
            found.tasks.append(_into(path, target, inside) if into_folder else _single(path, target))
    if names is not None:
        found.tasks[:] = [_neutral(task.source, names) for task in found.tasks]
    if output is not None and not into_folder:
        _same_suffix(found.tasks[0])
    if in_place:
        _refuse_raw(found.tasks)
    else:
        _drop_outputs(found)
        _refuse_clashes(found.tasks)
    return found


def of_plans(plans: Sequence[Plan], output: Path | None = None, *, names: NeutralNames | None = None) -> list[Task]:
    """Tasks without their plans for the sources of a plan file; below OUTPUT the sources' own tree is kept."""
    sources = [Path(plan.source) for plan in plans]
    for source in sources:
        if not source.is_file():
            raise RequestError(f"there is no '{source}', which the plan names")
    if output is None:
        tasks = [_single(source, default_output(source)) for source in sources]
    elif names is not None:
        if not _is_folder(output, sources):
            raise RequestError("--neutral-names chooses names itself, so --output must be a folder")
        tasks = [_neutral(source, names) for source in sources]
    elif not _is_folder(output, sources):
        tasks = [_single(sources[0], output)]
        _same_suffix(tasks[0])
    else:
        root = os.path.commonpath([source.absolute().parent for source in sources])
        tasks = [_into(source, output, _renamed(source.absolute()).relative_to(root)) for source in sources]
    _refuse_clashes(tasks)
    return tasks


def annotated(
    tasks: Sequence[Task], said: Annotations, inputs: Sequence[str | Path]
) -> tuple[list[Task], tuple[str, ...]]:
    """The tasks with what annotations say of their sources, and the names that are about none of them.

    What is not annotated, or not clearly, becomes a task that fails and says why.
    """
    matched = match(said, [task.source for task in tasks], roots(inputs))
    return [task.model_copy(update={"annotation": packed(matched.found[task.source])}) for task in tasks], matched.left


def to_check(inputs: Sequence[str | Path], original: Path | None = None) -> Inputs:
    """Tasks without outputs for files to examine, each beside its original where there is one.

    An original folder is searched for the same relative name, then for the name without what tools append to it. The
    report of a run with neutral names tells the original of each.
    """
    found = Inputs()
    paths = _unique(path for item in inputs for path in _expand(str(item)))
    if original is not None and not original.exists():
        raise RequestError(f"there is no '{original}'")
    known = originals(original) if original is not None and original.suffix.lower() == ".json" else None
    if known is None and original is not None and original.is_file() and (len(paths) != 1 or paths[0].is_dir()):
        raise RequestError(f"'{original}' is one file, and several are to be checked")
    for path in paths:
        inside = Inputs()
        if path.is_dir():
            _walk(path, path, inside, in_place=True)
        else:
            inside.tasks.append(_single(path, path))
        for task in inside.tasks:
            relative = task.source.relative_to(path) if path.is_dir() else Path(path.name)
            beside = _original(relative, original) if known is None else _reported(relative, known, original)
            found.tasks.append(task.model_copy(update={"original": beside}))
        found.ignored += inside.ignored
    return found


def _reported(relative: Path, known: dict[str, Path], report: Path | None) -> Path:
    """The original of an output with a neutral name."""
    source = known.get(relative.name)
    if source is None:
        raise RequestError(f"'{report}' knows no original of '{relative}'")
    if not source.is_file():
        raise RequestError(f"there is no '{source}', which '{report}' names as the original of '{relative}'")
    return source


def _original(relative: Path, original: Path | None) -> Path | None:
    if original is None or original.is_file():
        return original
    stem = relative.stem
    names = [relative.name, *(stem.removesuffix(s) + relative.suffix for s in _APPENDED if stem.endswith(s))]
    for name in names:
        candidate = original / relative.with_name(name)
        if candidate.is_file():
            return candidate
    raise RequestError(f"'{original}' holds no original of '{relative}'")


def _single(source: Path, output: Path) -> Task:
    """One file to one file; its quarantine is a folder named after it."""
    return Task(source=source, output=output, quarantine=output.with_name(output.name + QUARANTINE) / output.name)


def _into(source: Path, root: Path, relative: Path) -> Task:
    """One file into a folder; the quarantine lies beside that folder, never in what is handed on."""
    aside = root.absolute().with_name(root.absolute().name + QUARANTINE)
    return Task(source=source, output=root / relative, quarantine=aside / relative)


def _neutral(source: Path, names: NeutralNames) -> Task:
    """One file under a neutral name, with the suffix of what it is, in its usual spelling."""
    own = _renamed(source).suffix.lower()
    with suppress(OSError):
        if source.is_file() and (kind := _sniffed(source)):
            known = KINDS[kind].suffixes or (own,)
            own = _renamed(Path("x" + (own if own in known and own != ".mpo" else known[0]))).suffix
    return _into(source, names.folder, Path(names.stem(source) + _SAME.get(own, own)))


def _expand(item: str) -> list[Path]:
    path = Path(item)
    if path.exists() or path.is_symlink():
        return [path]
    if glob.has_magic(item):
        matches = sorted(glob.glob(item, recursive=True))
        if matches:
            return [Path(match) for match in matches]
        raise RequestError(f"nothing matches '{item}'")
    raise RequestError(f"there is no '{item}'")


def _unique(paths: Iterator[Path]) -> list[Path]:
    return list({os.path.abspath(path): path for path in paths}.values())


def _is_folder(output: Path, paths: list[Path]) -> bool:
    """Whether OUTPUT names a folder.

    It does unless one file goes to a name with a picture's or a video's extension, or with a place for a number.
    """
    if output.is_file():
        if len(paths) != 1 or paths[0].is_dir():
            raise RequestError(f"'{output}' is a file, and the output of several pictures must be a folder")
        return False
    one_file = len(paths) == 1 and not paths[0].is_dir()
    named = output.suffix.lower() in _PICTURE | _FILM or _NUMBERED.search(output.name) is not None
    return output.is_dir() or not (one_file and named)


def _same_suffix(task: Task) -> None:
    def kind(path: Path) -> str:
        return _SAME.get(path.suffix.lower(), path.suffix.lower())

    wanted = _renamed(task.source)
    if media.is_video(task.source):
        made = (*_MADE_FILM, *_MADE_ROW) if _NUMBERED.search(task.output.name) else _MADE_FILM
        if task.output.suffix.lower() not in made:
            known = ", ".join(_MADE_FILM)
            raise RequestError(
                f"'{task.output.name}' is no name for a video", hint=f"known: {known}, or frames/%05d.png for pictures"
            )
        return
    if task.source.suffix and kind(wanted) != kind(task.output):
        kept = "formats are kept" if wanted == task.source else "a camera RAW becomes a TIFF"
        raise RequestError(
            f"'{task.output.name}' would be another format than '{wanted.name}', and {kept}",
            hint=f"name it {task.output.with_suffix(wanted.suffix).name}",
        )


def _renamed(path: Path) -> Path:
    """The path with the suffix of what is written for it."""
    return path.with_name(path.stem + media.planned_suffix(path))


def _refuse_raw(tasks: list[Task]) -> None:
    for task in tasks:
        if _renamed(task.source) != task.source:
            kind = f"written as {_renamed(task.source).suffix}"
            raise RequestError(
                f"'{task.source}' is {kind}, so it cannot be replaced in place",
                hint="leave --in-place out, or take it out of the folder",
            )


def _folder_output(folder: Path, output: Path | None, *, alone: bool, in_place: bool) -> Path:
    if in_place:
        return folder
    name = folder.name or folder.resolve().name
    if output is None:
        return folder.resolve().with_name(name + SUFFIX) if name != folder.name else folder.with_name(name + SUFFIX)
    return output if alone else output / name


def _walk(folder: Path, root: Path, found: Inputs, in_place: bool) -> None:
    """All pictures below a folder. Links to folders are not followed: they may be loops."""
    own = None if in_place else os.path.abspath(root)
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if os.path.abspath(Path(here, name)) != own
            and not name.endswith(QUARANTINE)
            and not (name.endswith(SUFFIX) and name.removesuffix(SUFFIX) in folders)
        )
        for name in sorted(files):
            path = Path(here, name)
            if name.startswith(".") or not _is_picture(path):
                found.ignored.append(path)
            else:
                inside = path if in_place else _renamed(path)
                found.tasks.append(_into(path, root, inside.relative_to(folder)))


def _is_picture(path: Path) -> bool:
    if path.suffix.lower() in _PICTURE | _FILM:
        return True
    try:
        return _sniffed(path) is not None
    except OSError:
        return False


def _sniffed(path: Path) -> str | None:
    with path.open("rb") as file:
        return media.sniff(file.read(HEAD))


def _drop_outputs(found: Inputs) -> None:
    """Leave out files that an earlier run made from a neighbour: `photo_veiled.jpg` beside `photo.jpg`."""
    made = {os.path.abspath(default_output(task.source)) for task in found.tasks}
    kept = []
    for task in found.tasks:
        if os.path.abspath(task.source) in made:
            found.outputs.append(task.source)
        else:
            kept.append(task)
    found.tasks[:] = kept


def _refuse_clashes(tasks: list[Task]) -> None:
    sources = {os.path.abspath(task.source) for task in tasks}
    writers: dict[str, Path] = {}
    for task in tasks:
        target = os.path.abspath(task.output)
        if target in sources:
            raise RequestError(
                f"'{task.output}' is an input and would be written over", hint="choose another --output, or --in-place"
            )
        # On file systems that ignore case, A.jpg and a.jpg are one file.
        other = writers.setdefault(target.casefold(), task.source)
        if other is not task.source:
            raise RequestError(f"'{other}' and '{task.source}' would both be written to '{task.output}'")
