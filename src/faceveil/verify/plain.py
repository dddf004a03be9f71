"""Formats of one header and one block of pixels: PNM and bare JPEG 2000 codestreams."""

from __future__ import annotations

import re

from faceveil.verify.leak import Leak, printable

_PNM = re.compile(rb"P[56](?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)\s")
_COMMENT = re.compile(rb"#[^\n]*\n")


def pnm(data: bytes) -> list[Leak]:
    """Leaks of a binary PGM or PPM (netpbm): comments, and anything after the pixels."""
    head = _PNM.match(data)
    if head is None:
        return [Leak("a PNM header that cannot be read", 0, 0)]
    width, height, most = (int(number) for number in head.groups())
    size = width * height * (3 if data[1:2] == b"6" else 1) * (2 if most > 255 else 1)
    leaks = [
        Leak(f"a comment ({printable(found.group()[1:-1])})", found.start(), len(found.group()))
        for found in _COMMENT.finditer(data, 0, head.end())
    ]
    end = head.end() + size
    if end < len(data):
        leaks.append(Leak("data after the end of the picture", end, len(data) - end))
    return leaks


def codestream(data: bytes) -> list[Leak]:
    """Leaks of a bare JPEG 2000 codestream (ITU-T T.800): comments of its main header, and data after its end.

    The name that an encoder leaves in its comment is no leak.
    """
    leaks = []
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0x90:
        size = int.from_bytes(data[at + 2 : at + 4])
        load = data[at + 6 : at + 2 + size]
        if data[at + 1] == 0x64 and not load.startswith((b"Created by OpenJPEG", b"Kakadu")):
            leaks.append(Leak(f"a comment ({printable(load)})", at, 2 + size))
        at += 2 + size
    end = data.rfind(b"\xff\xd9")
    if end < 0 or end + 2 < len(data):
        leaks.append(Leak("data after the end of the picture", max(end, 0) + 2, len(data) - max(end, 0) - 2))
    return leaks
