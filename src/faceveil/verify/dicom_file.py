"""The data set of a DICOM file as a tree of elements with their places in the file (PS3.5, 7), whatever is in it.

Implicit and explicit, little and big endian, sequences of defined and undefined length, encapsulated pixels; bounded in
depth and number. What cannot be read ends the tree, and where it ended is said.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

PIXELS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
ITEM = 0xFFFEE000
_ITEM_END, _SEQUENCE_END = 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_LONG = frozenset("OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())  # two reserved bytes, then four of length
_SHORT = frozenset("AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split())
_DEPTH = 32
_ELEMENTS = 1_000_000


class Damaged(Exception):
    """The tree ends here."""


@dataclass(slots=True)
class Element:
    """One attribute, item or fragment: its tag and VR, where its header and its value start, and where it ends.

    inside: items of a sequence, elements of an item, fragments of encapsulated pixels.
    """

    tag: int
    vr: str
    start: int
    load: int
    end: int = 0
    inside: list[Element] = field(default_factory=list)

    def value(self, data: bytes) -> bytes:
        """Its bytes."""
        return data[self.load : self.end]


@dataclass(slots=True)
class Reader:
    """Reads elements from bytes in one transfer syntax. is_sequence: of a tag, where the file does not say VRs."""

    data: bytes
    is_sequence: Callable[[int], bool]
    implicit: bool = False
    order: str = "<"
    seen: int = 0

    def dataset(self, at: int, found: list[Element], *, until: Callable[[int], bool] | None = None) -> int:
        """Read elements into `found` up to the end of the data, or up to a tag; returns where the reading ended."""
        end = len(self.data)
        while at < end:
            if until is not None and at + 4 <= end and until(self._tag(at)):
                return at
            try:
                at = self._element(at, end, found, 0)
            except (struct.error, Damaged):
                return at
        return at

    def _tag(self, at: int) -> int:
        group, element = struct.unpack_from(self.order + "HH", self.data, at)
        return int(group) << 16 | int(element)

    def _element(self, at: int, end: int, found: list[Element], depth: int) -> int:
        """Read one element into `found`; where the next one starts."""
        self.seen += 1
        if depth > _DEPTH or self.seen > _ELEMENTS:
            raise Damaged
        tag = self._tag(at)
        vr, load, length = self._header(at, tag)
        element = Element(tag, vr, at, load)
        sequence = vr == "SQ" or (self.implicit and tag not in PIXELS and self.is_sequence(tag))
        if length != _UNDEFINED:
            element.end = load + length
            if element.end > end:
                raise Damaged
            after = element.end
            if sequence:
                self._items(element, after, depth + 1)
        elif tag in PIXELS:
            after = self._fragments(element, end)
        else:  # UN of undefined length holds implicit little endian (PS3.5, 6.2.2)
            reader = Reader(self.data, self.is_sequence, implicit=True, seen=self.seen) if vr == "UN" else self
            after = reader._items(element, end, depth + 1, delimited=True)
            self.seen = reader.seen
        found.append(element)
        return after

    def _header(self, at: int, tag: int) -> tuple[str, int, int]:
        """VR, start of the value and length."""
        if self.implicit or tag >> 16 == 0xFFFE:
            return "", at + 8, struct.unpack_from(self.order + "I", self.data, at + 4)[0]
        vr = self.data[at + 4 : at + 6].decode("latin-1")
        if vr in _LONG:
            return vr, at + 12, struct.unpack_from(self.order + "I", self.data, at + 8)[0]
        if vr not in _SHORT:
            raise Damaged
        return vr, at + 8, struct.unpack_from(self.order + "H", self.data, at + 6)[0]

    def _items(self, sequence: Element, end: int, depth: int, *, delimited: bool = False) -> int:
        """Read the items of a sequence, up to its end or its delimiter; where the next element starts."""
        at = sequence.load
        while at < end:
            tag = self._tag(at)
            length = struct.unpack_from(self.order + "I", self.data, at + 4)[0]
            if tag == _SEQUENCE_END and delimited:
                sequence.end = at
                return at + 8
            if tag != ITEM:
                raise Damaged
            item = Element(ITEM, "", at, at + 8)
            at = self._inside(item, end if length == _UNDEFINED else at + 8 + length, depth, length == _UNDEFINED)
            if at > end:
                raise Damaged
            sequence.inside.append(item)
        if delimited:
            raise Damaged
        return at

    def _inside(self, item: Element, end: int, depth: int, delimited: bool) -> int:
        at = item.load
        while at < end:
            if delimited and self._tag(at) == _ITEM_END:
                item.end = at
                return at + 8
            at = self._element(at, end, item.inside, depth)
        if delimited or at != end:
            raise Damaged
        item.end = end
        return at

    def _fragments(self, pixels: Element, end: int) -> int:
        """Read the fragments of encapsulated pixels (PS3.5, A.4), the table of offsets first."""
        at = pixels.load
        while at + 8 <= end:
            tag, length = self._tag(at), struct.unpack_from(self.order + "I", self.data, at + 4)[0]
            if tag == _SEQUENCE_END:
                pixels.end = at
                return at + 8
            if tag != ITEM or at + 8 + length > end:
                raise Damaged
            pixels.inside.append(Element(ITEM, "", at, at + 8, at + 8 + length))
            at += 8 + length
        raise Damaged
