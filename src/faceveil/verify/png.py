"""PNG files (ISO/IEC 15948 and APNG): every chunk by allow-list, nothing after IEND."""

from __future__ import annotations

from faceveil.verify import tiff
from faceveil.verify.leak import Leak, printable

_PICTURE = frozenset(
    b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB iCCP sBIT bKGD pHYs cICP mDCV mDCv cLLI cLLi hIST acTL fcTL fdAT".split()
)
_NAMES = {
    b"tEXt": "text",
    b"zTXt": "compressed text",
    b"iTXt": "text",
    b"tIME": "a date",
    b"caBX": "content credentials",
}


def carve(data: bytes) -> list[Leak]:
    """Leaks of a PNG file."""
    leaks: list[Leak] = []
    at = 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4])
        name, end = data[at + 4 : at + 8], at + 12 + length
        if name == b"eXIf":
            leaks += tiff.exif(data, at + 8, end - 4)
        elif name not in _PICTURE:
            what = _NAMES.get(name, f"chunk {printable(name)}")
            leaks.append(Leak(f"{what} ({printable(data[at + 8 : end - 4])})", at, end - at))
        at = end
        if name == b"IEND":
            break
    if at < len(data):
        leaks.append(Leak("data after the end of the picture", at, len(data) - at))
    return leaks
