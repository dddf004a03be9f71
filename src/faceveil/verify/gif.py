"""GIF files (89a): every block by allow-list, nothing after the trailer."""

from __future__ import annotations

from faceveil.verify.leak import Leak, printable

_APPLICATIONS = (b"NETSCAPE2.0", b"ANIMEXTS1.0", b"ICCRGBG1012")


def carve(data: bytes) -> list[Leak]:
    """Leaks of a GIF file."""
    leaks: list[Leak] = []
    at = 13 + _table(data[10] if len(data) > 10 else 0)
    while at < len(data) and data[at] != 0x3B:
        start, kind = at, data[at]
        if kind == 0x2C and at + 10 < len(data):
            at = _blocks(data, at + 10 + _table(data[at + 9]) + 1)
        elif kind == 0x21 and at + 2 < len(data):
            label, head = data[at + 1], data[at + 3 : at + 14]
            at = _blocks(data, at + 2)
            if label == 0xFE:
                leaks.append(Leak(f"a comment ({printable(data[start + 3 : at - 1])})", start, at - start))
            elif label == 0x01:
                leaks.append(Leak("plain text", start, at - start))
            elif label != 0xF9 and not (label == 0xFF and head in _APPLICATIONS):
                leaks.append(Leak(f"an application's data ({printable(head)})", start, at - start))
        else:
            leaks.append(Leak("bytes between the parts of the picture", at, len(data) - at))
            return leaks
    if at + 1 < len(data):
        leaks.append(Leak("data after the end of the picture", at + 1, len(data) - at - 1))
    return leaks


def _table(flags: int) -> int:
    """Size of the colour table that a flag byte announces."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _blocks(data: bytes, at: int) -> int:
    """The end of a chain of sub-blocks."""
    while at < len(data) and data[at]:
        at += data[at] + 1
    return at + 1
