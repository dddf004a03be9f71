"""The wire format of protobuf messages, in which ONNX files are written: as little as reading and writing them takes.

Source: Protocol Buffers, "Encoding". So no parser of ONNX need be installed.
"""

from __future__ import annotations

from collections.abc import Iterator

VARINT, EIGHT_BYTES, COUNTED, FOUR_BYTES = 0, 1, 2, 5  # how a field's value is written


def fields(message: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Number, start, start of the value and end of each field. Raises `ValueError` where they do not add up."""
    at = 0
    while at < len(message):
        start = at
        key, at = varint(message, at)
        kind = key & 7
        if kind == COUNTED:
            length, at = varint(message, at)
        elif kind == VARINT:
            length = varint(message, at)[1] - at
        elif kind in (EIGHT_BYTES, FOUR_BYTES):
            length = 8 if kind == EIGHT_BYTES else 4
        else:
            raise ValueError("the file is no ONNX file")
        if at + length > len(message):
            raise ValueError("the file ends too early")
        yield key >> 3, start, at, at + length
        at += length


def field(number: int, value: bytes | str | int) -> bytes:
    """One field: a counted one of bytes, a text or another message, or a whole number that is not negative."""
    if isinstance(value, int):
        return as_varint(number << 3 | VARINT) + as_varint(value)
    counted = value.encode() if isinstance(value, str) else value
    return as_varint(number << 3 | COUNTED) + as_varint(len(counted)) + counted


def varint(message: bytes, at: int) -> tuple[int, int]:
    """The number that begins at `at`, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ValueError("the file ends too early")
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("the file is no ONNX file")


def as_varint(value: int) -> bytes:
    """A whole number that is not negative, seven bits a byte."""
    made = bytearray()
    while value > 127:
        made.append(value & 127 | 128)
        value >>= 7
    return bytes([*made, value])
