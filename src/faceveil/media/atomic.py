"""Files that are complete or absent.

A file is written under a temporary name in the folder it will stand in, flushed to the disk, read back at both ends,
and only then given its name. The temporary name is `.faceveil-TARGET-RANDOM.part`, where TARGET is a hash of the final
name: a later write of the same target finds what a killed run left behind and removes it. Who writes holds a lock on
the temporary file, and the system drops the lock when the process dies, however it dies; so a leftover is told from
a file in the making without guessing from ages or process numbers.
"""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import IO

from faceveil.errors import OutputError

try:
    import fcntl
except ImportError:  # Windows: an open file cannot be deleted there, which serves as the lock
    fcntl = None  # type: ignore[assignment]

_DISK_ERRORS = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS))
_ENDS = 4096  # bytes compared at each end after writing


def publish(path: str | os.PathLike[str], data: bytes, *, overwrite: bool = False, mode: int = 0o666) -> None:
    """Write `data` to `path`, whole or not at all.

    mode: permissions before the umask; 0o600 for plans. Raises `OutputError` as `writing` does.
    """
    with writing(path, overwrite=overwrite, mode=mode) as file:
        file.write(data)
        file.flush()
        _expect_ends(file, data, Path(path))


@contextmanager
def writing(path: str | os.PathLike[str], *, overwrite: bool = False, mode: int = 0o666) -> Iterator[IO[bytes]]:
    """A binary file, readable and writable, that becomes `path` when the block ends well and vanishes otherwise.

    Raises `OutputError` where the file cannot be written, or exists and `overwrite` is false; the check and the naming
    are one step, so that a file that appears meanwhile is kept too. A link at `path` is replaced, not followed.
    """
    with _making(Path(path), overwrite=overwrite, mode=mode) as (_, file):
        yield file


@contextmanager
def making(path: str | os.PathLike[str], *, overwrite: bool = False, mode: int = 0o666) -> Iterator[Path]:
    """As `writing`, for writers that want a name: the temporary file's, which exists and is empty."""
    with _making(Path(path), overwrite=overwrite, mode=mode) as (part, _):
        yield part


@contextmanager
def _making(path: Path, *, overwrite: bool, mode: int) -> Iterator[tuple[Path, IO[bytes]]]:
    expect_free(path, overwrite=overwrite)
    with in_words(path):
        remove_stale(path)
        part, file = _part_file(path, mode)
    try:
        with _disk_in_words(path):
            yield part, file
            file.flush()
            os.fsync(file.fileno())
        with in_words(path):
            (_replace if overwrite else _give_name)(part, path)
    except BaseException:
        with suppress(FileNotFoundError):
            part.unlink()
        raise
    finally:
        with suppress(OSError):  # after a full disk, closing tries to write the rest once more
            file.close()
    _sync_folder(path.parent)


def expect_free(path: Path, *, overwrite: bool) -> None:
    """Raise `OutputError` where the name is taken and must not be."""
    with in_words(path):
        if not overwrite and os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def remove_stale(path: Path) -> None:
    """Remove what killed runs left behind of this target. Files that are being written stay."""
    for name in _leftovers(path.parent):
        if name.startswith(prefix(path)):
            part = path.parent / name
            with suppress(OSError), part.open("rb+") as file:  # gone meanwhile, or another user's
                if lock(file, wait=False):
                    part.unlink()


@lru_cache(maxsize=256)
def _leftovers(folder: Path) -> tuple[str, ...]:
    # Once for each process and folder: a batch of 100,000 outputs must not list its folder 100,000 times. What is
    # left behind after that is for the next process.
    return tuple(part.name for part in folder.glob(".faceveil-*.part"))


def prefix(path: Path) -> str:
    """How the names of all unfinished files of this target begin."""
    # A hash, since the name itself may be as long as the file system allows.
    return f".faceveil-{sha256(os.fsencode(path.name)).hexdigest()[:12]}-"


def _part_file(path: Path, mode: int) -> tuple[Path, IO[bytes]]:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    while True:
        part = path.parent / f"{prefix(path)}{secrets.token_hex(8)}.part"
        file = os.fdopen(os.open(part, flags, mode), "w+b")
        if lock(file, wait=True) and os.fstat(file.fileno()).st_nlink:
            return part, file
        file.close()  # another run took it for a leftover in the moment before the lock


def lock(file: IO[bytes], *, wait: bool) -> bool:
    """Lock the file until it is closed; False where another process has it and `wait` is false."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return wait  # a file system without locks: write, but take nothing for a leftover
    return True


def _expect_ends(file: IO[bytes], data: bytes, path: Path) -> None:
    size = os.fstat(file.fileno()).st_size
    file.seek(0)
    head = file.read(_ENDS)
    file.seek(max(0, len(data) - _ENDS))
    if size != len(data) or head != data[:_ENDS] or file.read() != data[max(0, len(data) - _ENDS) :]:
        raise OutputError(f"cannot write {path}: what was read back differs from what was written")


def _replace(part: Path, path: Path) -> None:
    part.replace(path)


def _give_name(part: Path, path: Path) -> None:
    """Name the file unless the name is taken, in one step."""
    if os.name == "nt":
        part.rename(path)  # fails there if the name is taken
        return
    try:
        os.link(part, path, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
            raise
        _rename_exclusively(part, path)  # FAT, exFAT and some network shares have no hard links
    else:
        part.unlink()


def _rename_exclusively(part: Path, path: Path) -> None:
    """renameat2(2) with RENAME_NOREPLACE, which Python does not offer."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    at_cwd, no_replace = -100, 1  # AT_FDCWD and RENAME_NOREPLACE of linux/fs.h
    if rename is None:
        raise OSError(errno.EOPNOTSUPP, "this file system cannot name a file without replacing another")
    if rename(at_cwd, os.fsencode(part), at_cwd, os.fsencode(path), no_replace) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _sync_folder(folder: Path) -> None:
    """Make the new name last through a power cut. The file is complete by now; a refusal here changes nothing."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def _disk_in_words(path: Path) -> Iterator[None]:
    """Only errors that writing has; the block may meet others, which are its own."""
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        raise OutputError(f"cannot write {path}: {_reason(error)}") from error


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """Turn errors of the file system into an `OutputError` that names the target."""
    try:
        yield
    except FileExistsError:
        raise OutputError(f"{path} exists already", hint="choose another name, or overwrite it") from None
    except FileNotFoundError:
        raise OutputError(f"cannot write {path}: there is no such folder") from None
    except IsADirectoryError:
        raise OutputError(f"cannot write {path}: it is a folder") from None
    except OSError as error:
        raise OutputError(f"cannot write {path}: {_reason(error)}") from error


def _reason(error: OSError) -> str:
    said = error.strerror or "the system refuses"
    return said[0].lower() + said[1:]
