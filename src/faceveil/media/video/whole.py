"""Whether a video file is complete, by the sizes that its container states. FFmpeg reads what is there and stops."""

from __future__ import annotations

from pathlib import Path
from typing import IO, NoReturn

from faceveil.errors import UnreadableError

CUT = "ends too early: some of its pictures are missing"

_TS_PACKETS = {0: 188, 4: 192}  # ISO/IEC 13818-1, and with the four bytes of time before each in M2TS
_ASF_FILE = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")  # the file properties object
_UNKNOWN = -1


def expect_whole(path: Path, kind: str) -> None:
    """Raise `UnreadableError` where the file is shorter than its container says.

    MPEG program streams and Matroska of unknown size do not say; there only damaged packets tell. Neither they nor
    transport streams and Flash say how much should come: a cut between two packets is no damage to them.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        end = {
            "MP4": _boxes,
            "QuickTime": _boxes,
            "Matroska": _ebml,
            "WebM": _ebml,
            "AVI": _riff,
            "MPEG": _packets,
            "WMV": _asf,
            "FLV": _tags,
        }.get(kind, _silent)(file, size)
    if end > size:
        cut()


def cut() -> NoReturn:
    """The file ends before its pictures do."""
    raise UnreadableError(CUT)


def _silent(_file: IO[bytes], _size: int) -> int:
    return _UNKNOWN


def _boxes(file: IO[bytes], size: int) -> int:
    """Where the last box ends (ISO/IEC 14496-12, 4.2). Bytes that are no box end the walk: players ignore them."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if not head[4:8].isascii() or not head[4:8].decode().isprintable():
            return at
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length == 0:  # to the end of the file
            return size
        if length < 8:
            return at
        at += length
    return at


def _ebml(file: IO[bytes], _size: int) -> int:
    """Where the segment ends (RFC 8794); unknown sizes are allowed, for live streams."""
    at = 0
    for _ in range(2):  # the header, then the segment
        file.seek(at)
        head = file.read(12)
        if len(head) < 12:
            cut()
        name = 8 - (head[0] | 1).bit_length() + 1
        width = 8 - (head[name] | 1).bit_length() + 1
        length = int.from_bytes(head[name : name + width], "big") - (1 << 7 * width)
        if length == (1 << 7 * width) - 1:
            return _UNKNOWN
        at += name + width + length
    return at


def _riff(file: IO[bytes], size: int) -> int:
    """Where the last RIFF chunk ends; OpenDML files have several. A length of zero was never filled in."""
    at = 0
    while at + 12 <= size:
        file.seek(at)
        head = file.read(8)
        if head[:4] != b"RIFF":
            return at
        length = int.from_bytes(head[4:], "little")
        if not length:
            cut()
        at += 8 + length + length % 2
    return min(at, size) if at == size + 1 else at  # the padding byte at the very end is often left out


def _packets(file: IO[bytes], size: int) -> int:
    """Transport streams are whole packets; the end of a program stream is nowhere stated."""
    head = file.read(8)
    for first, length in _TS_PACKETS.items():
        if head[first : first + 1] == b"\x47":
            return -(-size // length) * length
    return _UNKNOWN


def _asf(file: IO[bytes], _size: int) -> int:
    """The size in the file properties object; bit 0 of its flags says that it is not valid (a broadcast)."""
    head = file.read(64 << 10)
    at = head.find(_ASF_FILE)
    if at < 0 or len(head) < at + 92 or head[at + 88] & 1:
        return _UNKNOWN
    return int.from_bytes(head[at + 40 : at + 48], "little")


def _tags(file: IO[bytes], size: int) -> int:
    """Where the last tag ends (Adobe Flash Video, annex E): eleven bytes, the data, and the tag's size again."""
    at = 13
    while at + 4 <= size:
        file.seek(at)
        length = int.from_bytes(file.read(4)[1:], "big")
        at += 11 + length + 4
    return max(at, size + 1) if at != size else at


def fingerprint(path: Path) -> tuple[int, int, int]:
    """Size, time of change and inode: enough to see that a file was replaced between two readings."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ino
