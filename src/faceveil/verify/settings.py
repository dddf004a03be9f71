"""Camera settings that `all-but-identifying` lets stay in EXIF, as the Exif 3.0 standard (CIPA DC-008) defines them.

A list of its own, drawn up from the standard's table 8 and not from what the writer uses: a test compares the two.
"""

from __future__ import annotations

import struct

_SHORT, _LONG, _RATIONAL, _SRATIONAL = 3, 4, 5, 10
_FORMS = {_SHORT: "H", _LONG: "I", _RATIONAL: "II", _SRATIONAL: "ii"}
_MOST = 1 << 24
"""From here on a numerator or denominator has four bytes of its own: room for text, and more than a setting needs."""

# Tag: name, type, least, most.
NUMBERS: dict[int, tuple[str, int, float, float]] = {
    33434: ("ExposureTime", _RATIONAL, 1e-5, 3600),
    33437: ("FNumber", _RATIONAL, 0.25, 256),
    34855: ("PhotographicSensitivity", _SHORT, 1, 65535),
    34865: ("StandardOutputSensitivity", _LONG, 1, 9999000),
    34866: ("RecommendedExposureIndex", _LONG, 1, 9999000),
    34867: ("ISOSpeed", _LONG, 1, 9999000),
    34868: ("ISOSpeedLatitudeyyy", _LONG, 1, 9999000),
    34869: ("ISOSpeedLatitudezzz", _LONG, 1, 9999000),
    37377: ("ShutterSpeedValue", _SRATIONAL, -20, 20),
    37378: ("ApertureValue", _RATIONAL, 0, 20),
    37379: ("BrightnessValue", _SRATIONAL, -20, 20),
    37380: ("ExposureBiasValue", _SRATIONAL, -20, 20),
    37381: ("MaxApertureValue", _RATIONAL, 0, 20),
    37386: ("FocalLength", _RATIONAL, 0.1, 10000),
    41493: ("ExposureIndex", _RATIONAL, 1, 1000000),
    41988: ("DigitalZoomRatio", _RATIONAL, 0, 1000),
    41989: ("FocalLengthIn35mmFilm", _SHORT, 1, 10000),
}
CODES: dict[int, tuple[str, tuple[int, ...]]] = {
    34850: ("ExposureProgram", (0, 1, 2, 3, 4, 5, 6, 7, 8)),
    34864: ("SensitivityType", (0, 1, 2, 3, 4, 5, 6, 7)),
    37383: ("MeteringMode", (0, 1, 2, 3, 4, 5, 6, 255)),
    37384: ("LightSource", (0, 1, 2, 3, 4, *range(9, 25), 255)),
    37385: ("Flash", tuple(range(128))),
    40961: ("ColorSpace", (1, 65535)),
    41495: ("SensingMethod", (1, 2, 3, 4, 5, 7, 8)),
    41986: ("ExposureMode", (0, 1, 2)),
    41987: ("WhiteBalance", (0, 1)),
    41990: ("SceneCaptureType", (0, 1, 2, 3)),
    41991: ("GainControl", (0, 1, 2, 3, 4)),
    41992: ("Contrast", (0, 1, 2)),
    41993: ("Saturation", (0, 1, 2)),
    41994: ("Sharpness", (0, 1, 2)),
    41996: ("SubjectDistanceRange", (0, 1, 2, 3)),
    42080: ("CompositeImage", (0, 1, 2, 3)),
}


def name(tag: int) -> str:
    """The standard's name of a camera setting; empty for other tags."""
    if tag in NUMBERS:
        return NUMBERS[tag][0]
    return CODES[tag][0] if tag in CODES else ""


def sound(tag: int, kind: int, count: int, load: bytes, order: str) -> bool:
    """Whether a tag of the Exif directory is a camera setting of its type and range, in numbers that hide nothing.

    load: the value's bytes. order: "<" or ">".
    """
    form = _FORMS.get(kind)
    if form is None or count != 1 or len(load) != struct.calcsize("<" + form):
        return False
    parts = struct.unpack(order + form, load)
    if any(abs(part) >= _MOST for part in parts) or (len(parts) == 2 and parts[1] <= 0):
        return False
    if tag in CODES:
        return kind == _SHORT and parts[0] in CODES[tag][1]
    if tag not in NUMBERS:
        return False
    _, wanted, least, most = NUMBERS[tag]
    value = parts[0] / parts[1] if len(parts) == 2 else parts[0]
    return kind == wanted and bool(least <= value <= most)
