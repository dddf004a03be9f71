"""What rides in coded pictures beside them: SEI messages of H.264 and H.265, OBUs of AV1, user data of MPEG.

ITU-T H.264 (annex D), H.265 (annexes D and E), AV1 specification 5.8 and 6.7, ISO/IEC 13818-2 and 14496-2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from faceveil.verify import jpeg, png
from faceveil.verify.leak import Data, Leak, Range, printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]

_AVC = frozenset((1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 13))
_HEVC = frozenset((*range(10), *range(16, 22), 32, 33, 34, 35, 36, 37))
_NAMED = {
    ("avc", 14): "a second layer", ("avc", 15): "a second layer", ("avc", 20): "a second layer",
    ("avc", 19): "an auxiliary picture", ("avc", 21): "a second layer",
    ("hevc", 62): "Dolby Vision metadata", ("hevc", 63): "a second layer",
}  # fmt: skip
# Timing, decoding, display and colour: what a decoder needs, none of it text. 1 may hold
# a time code in H.264, which the decoder tells (footage.py).
_SEI = frozenset((0, 1, 2, 6, 7, 9, 13, 14, 15, 19, 45, 47, 128, 129, 130, 131, 132, 137, 144, 147, 148, 149))
_SEI_NAMES = {4: "registered user data", 5: "user data", 136: "a time code", 22: "a note of post-processing"}
_CAPTIONS = b"\xb5\x00\x31GA94"
_REGISTERED = {_CAPTIONS: "closed captions (A53)", b"\xb5\x00\x3c": "HDR10+ metadata", b"\xb5\x00\x31DTG1": "AFD"}
_ENCODERS = {
    bytes.fromhex("dc45e9bde6d948b7962cd820d923eeef"): rb"x264 - core \d+[ -~]*",
    bytes.fromhex("2ca2de09b51747dbbb55a4fe7fc2fc4e"): rb"x265 \(build \d+\)[ -~]*",
}
"""Identifiers under which x264 and x265 write their settings, and how these begin."""
_METADATA = {4: "registered user data (T.35)", 5: "a time code"}
_USER_DATA = re.compile(rb"\x00\x00\x01\xb2")
_USER_TOOL = re.compile(rb"(?:Lavc[\d.]*|XviD\d+|DivX[\w.]+)?\0*")
_JPEG_TOOL = re.compile(r"a comment \(Lavc[\d.]*\)")
_LOAD = 1 << 16  # bytes of a unit that are read for its name
_UNITS = 1 << 15  # in one picture; an 8K picture in slices of one row of blocks has some 300


@dataclass(slots=True)
class _Find:
    """Finds of one kind: the place of the first, the bytes of all, how many, and what the first says."""

    offset: int
    size: int = 0
    count: int = 0
    says: str = ""


@dataclass(slots=True)
class _Finds:
    """What was found, each kind once: a film has 10^5 pictures, and what rides in one often rides in all."""

    found: dict[str, _Find] = field(default_factory=dict)

    def add(self, what: str, offset: int, size: int, says: str = "") -> None:
        find = self.found.setdefault(what, _Find(offset, says=says))
        find.offset = min(find.offset, offset)
        find.size += size
        find.count += 1

    def leaks(self) -> Iterator[Leak]:
        for what, find in self.found.items():
            said = f" ({find.says})" if find.says.strip(".…") else ""
            often = f", {find.count} times" if find.count > 1 else ""
            yield Leak(f"{what}{said}{often}", find.offset, find.size)


def leaks(data: Data, codec: bytes, starts: Numbers, sizes: Numbers, setup: Range | None = None) -> list[Leak]:
    """Leaks of the coded pictures of a track.

    codec: as QuickTime or Matroska names it. starts, sizes: int64 (n,) of the samples.
    setup: where the decoder's configuration lies (avcC, hvcC, CodecPrivate).
    """
    if codec in _SILENT or not len(starts):
        return []
    family = next((name for name, codecs in _FAMILIES.items() if codec in codecs), "")
    if not family:
        return [Leak(f"coded pictures of an unknown kind ({printable(codec)}), which were not examined", 0, 0)]
    finds = _Finds()
    if family in ("avc", "hevc"):
        _nal_units(data, starts, sizes, family, _width(data, setup, family), finds)
        if setup is not None and family == "hevc":
            _hevc_setup(data, *setup, finds)
    else:
        walk = _WALKERS[family]
        for start, size in zip(starts.tolist(), sizes.tolist(), strict=True):
            walk(data, start, start + size, finds)
    return list(finds.leaks())


# --- H.264 and H.265 --------------------------------------------------------------------------------------------------


def _width(data: Data, setup: Range | None, family: str) -> int:
    """Bytes of a NAL unit's length, as the configuration says."""
    at = 0 if setup is None else setup[0] + (4 if family == "avc" else 21)
    return 4 if setup is None or at >= setup[1] else (data[at] & 3) + 1


def _nal_units(data: Data, starts: Numbers, sizes: Numbers, family: str, width: int, finds: _Finds) -> None:
    """Walk all samples at once: the first unit of each, then the second of each that has one."""
    view = np.frombuffer(data, np.uint8)
    plain = np.isin(np.arange(64), list(_AVC if family == "avc" else _HEVC))
    at, end = starts, starts + sizes
    for _ in range(_UNITS):
        short = (at < end) & (at + width >= end)
        if short.any():
            finds.add("bytes after the end of a coded picture", int(at[short][0]), int((end - at)[short].sum()))
        at, end = at[at + width < end], end[at + width < end]
        if not len(at):
            return
        length = np.zeros(len(at), np.int64)
        for i in range(width):
            length = length << 8 | view[at + i]
        at = at + width
        broken = at + length > end
        if broken.any():
            finds.add("a coded picture that is damaged", int(at[broken][0]), int((end - at)[broken].sum()))
        fine = ~broken & (length > 0)
        head = view[at[fine]]
        kind = head & 31 if family == "avc" else head >> 1 & 63
        odd = ~plain[kind]
        if family == "hevc":  # pictures of another layer: a second view, or depth
            odd |= (head & 1) > 0
            odd |= (length[fine] > 1) & (view[np.minimum(at[fine] + 1, len(view) - 1)] > 7)
        for place, size in zip(at[fine][odd].tolist(), length[fine][odd].tolist(), strict=True):
            _unit(data, place, size, family, finds)
        at, end = (at + length)[~broken], end[~broken]
    finds.add("more parts than a coded picture has", int(at[0]), int((end - at).sum()))


def _unit(data: Data, at: int, size: int, family: str, finds: _Finds) -> None:
    """One NAL unit that is no part of the picture."""
    head = 1 if family == "avc" else 2
    kind = data[at] & 31 if family == "avc" else data[at] >> 1 & 63
    load = data[at + head : at + min(size, _LOAD)]
    if family == "hevc" and size > 1 and (data[at] & 1 or data[at + 1] > 7):
        finds.add("a second layer", at, size)
    elif (family, kind) in (("avc", 6), ("hevc", 39), ("hevc", 40)):
        for what, says in _messages(load.replace(b"\0\0\3", b"\0\0"), whole=size <= _LOAD):
            finds.add(what, at, size, says)
    elif (family, kind) in (("avc", 12), ("hevc", 38)):
        if load.strip(b"\xff") not in (b"", b"\x80") or size > _LOAD:
            finds.add("data in filler", at, size)
    else:
        finds.add(_NAMED.get((family, kind), f"a NAL unit of type {kind}"), at, size)


def _messages(load: bytes, *, whole: bool) -> Iterator[tuple[str, str]]:
    """The SEI messages of a unit that are no part of the picture: what each is, and what it says."""
    at = 0
    while at < len(load) and (load[at:] != b"\x80" + bytes(len(load) - at - 1)):
        numbers = [0, 0]  # type and size, in bytes of 255 and a rest
        for i in range(2):
            while at < len(load) and load[at] == 0xFF:
                numbers[i] += 255
                at += 1
            numbers[i] += load[at] if at < len(load) else 0
            at += 1
        kind, size = numbers
        message = load[at : at + size]
        at += size
        if at > len(load):
            yield "an SEI message that is cut off" if whole else "an SEI message of more than 64 KiB", ""
            return
        what = _message(kind, message)
        if what:
            yield what, printable(message[16:]) if kind == 5 else ""


def _message(kind: int, load: bytes) -> str:
    """What an SEI message is; empty where it belongs to the picture."""
    if kind in _SEI or (kind == 3 and not load.strip(b"\xff")):
        return ""
    if kind == 5 and load[:16] in _ENCODERS:
        settings = re.fullmatch(_ENCODERS[load[:16]], load[16:].rstrip(b"\0"))
        return "" if settings else "user data in an encoder's name"
    if kind == 5:
        return "user data"
    if kind == 4:
        return next((what for head, what in _REGISTERED.items() if load.startswith(head)), "registered user data")
    return _SEI_NAMES.get(kind, f"an SEI message of type {kind}")


def _hevc_setup(data: Data, at: int, end: int, finds: _Finds) -> None:
    """The NAL units in the configuration of H.265 (ISO/IEC 14496-15, 8.3.3)."""
    arrays, at = data[at + 22] if at + 22 < end else 0, at + 23
    for _ in range(arrays):
        count, at = int.from_bytes(data[at + 1 : at + 3]), at + 3
        for _ in range(count):
            size = int.from_bytes(data[at : at + 2])
            if at + 2 + size > end:
                finds.add("a decoder's configuration that is damaged", at, max(end - at, 0))
                return
            if size and data[at + 2] >> 1 & 63 not in _HEVC:
                _unit(data, at + 2, size, "hevc", finds)
            at += 2 + size


# --- AV1, MPEG, pictures ----------------------------------------------------------------------------------------------


def _av1(data: Data, at: int, end: int, finds: _Finds) -> None:
    """The OBUs of one sample."""
    while at < end:
        start, kind, extended, sized = at, data[at] >> 3 & 15, data[at] & 4, data[at] & 2
        at += 2 if extended else 1
        size, shift = end - at, 0
        if sized:
            size = 0
            while shift < 56:
                byte = data[at] if at < end else 0
                size, shift, at = size | (byte & 127) << shift, shift + 7, at + 1
                if byte < 128:
                    break
        if at + size > end:
            finds.add("a coded picture that is damaged", start, end - start)
            return
        _obu(data, kind, start, at, at + size, finds)
        at += size


def _obu(data: Data, kind: int, start: int, load: int, end: int, finds: _Finds) -> None:
    if kind == 5:
        what = data[load] if load < end else 0
        if what not in (1, 2, 3):  # light level, mastering display, layers
            finds.add(_METADATA.get(what, f"metadata of type {what}"), start, end - start)
    elif kind == 15:
        if data[load : min(end, load + _LOAD)].strip(b"\0") not in (b"", b"\x80") or end - load > _LOAD:
            finds.add("data in padding", start, end - start)
    elif kind in (0, *range(8, 15)):
        finds.add(f"an OBU of type {kind}", start, end - start)


def _mpeg(data: Data, at: int, end: int, finds: _Finds) -> None:
    """User data of MPEG-1, 2 and 4, which holds captions or the encoder's name."""
    sample = data[at:end]
    for match in _USER_DATA.finditer(sample):
        stop = sample.find(b"\0\0\1", match.end())
        load = sample[match.end() : stop if stop >= 0 else len(sample)]
        if not _USER_TOOL.fullmatch(load):
            what = "closed captions (A53)" if load.startswith(b"GA94") else "user data"
            finds.add(what, at + match.start(), 4 + len(load), printable(load))


def _pictures(carve: Callable[[bytes], list[Leak]], data: Data, at: int, end: int, finds: _Finds) -> None:
    """Films of pictures: each is a file of its own."""
    for leak in carve(data[at:end]):
        if not _JPEG_TOOL.fullmatch(leak.what):
            finds.add(leak.what, at + leak.offset, leak.size)


_SILENT = frozenset(
    b"vp08 vp09 V_VP8 V_VP9 apcn apch apcs apco ap4h ap4x V_PRORES FFV1 V_FFV1 2vuy v210 yuv2 V_UNCOMPRESSED".split()
) | {b"raw "}
"""Codecs whose pictures have no room for anything else that their standards describe."""
_FAMILIES = {
    "avc": frozenset((b"avc1", b"avc3", b"V_MPEG4/ISO/AVC")),
    "hevc": frozenset((b"hvc1", b"hev1", b"dvh1", b"dvhe", b"V_MPEGH/ISO/HEVC")),
    "av1": frozenset((b"av01", b"V_AV1")),
    "mpeg": frozenset(b"mp4v m2v1 mp2v m1v mpeg hdv1 hdv2 hdv3 V_MPEG1 V_MPEG2 V_MPEG4/ISO/ASP".split()),
    "jpeg": frozenset((b"jpeg", b"mjpg", b"V_MJPEG")),
    "png": frozenset((b"png ",)),
}
_WALKERS: dict[str, Callable[[Data, int, int, _Finds], None]] = {
    "av1": _av1,
    "mpeg": _mpeg,
    "jpeg": partial(_pictures, jpeg.carve),
    "png": partial(_pictures, png.carve),
}
