"""Camera settings that may stay in EXIF, as numbers: the table, reading them, and writing them anew.

`metadata: all-but-identifying` keeps what photographers and data-set engineers need of a picture, and nothing that
tells of a person, a place, a time or a single device. It is an allow-list: a tag is kept only if it stands in `TABLE`,
has the type and count that the standard gives it (CIPA DC-008, Exif 3.0, table 8), and a value in its range.

A value is never copied as bytes. It is read as a number; a fraction of two numbers up to 1,000 stays, all else is
rounded to four significant digits, of itself or of its inverse, whichever is nearer, so that 1/2656 s is what it was.
What is written has numerators below 2^24 and denominators of at most 100,000: in the block that comes out there are no
four bytes in a row that a source can choose.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from struct import Struct, error

SHORT, LONG, RATIONAL, SRATIONAL = 3, 4, 5, 10
KINDS = {SHORT: "SHORT", LONG: "LONG", RATIONAL: "RATIONAL", SRATIONAL: "SRATIONAL"}
CODES = {SHORT: "H", LONG: "L", RATIONAL: "LL", SRATIONAL: "ll"}
EXIF_POINTER, COLOUR_SPACE, BRIGHTNESS = 0x8769, 0xA001, 0x9203
_DIGITS = 4
_SMALL = 1000
_FINEST = 100_000  # largest denominator: the shortest exposures are 1/64,000 s
_UNKNOWN = -1  # as numerator of a brightness: the standard's word for unknown
_ENTRIES = 1000  # of a directory; cameras write some sixty

Settings = tuple[tuple[int, Fraction], ...]
"""Tags with their values, by tag."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One tag that may stay.

    kind: its type in EXIF. low, high: the range, both included. terms: the only values, where they are codes.
    several: the standard allows more than one value, of which the first is kept. why: what it is for.
    """

    tag: int
    name: str
    kind: int
    why: str
    low: Fraction = Fraction(0)
    high: Fraction = Fraction(0)
    terms: frozenset[int] = frozenset()
    several: bool = False

    def allows(self, value: Fraction) -> bool:
        """Whether a value is in its range, or one of its codes."""
        return value in self.terms if self.terms else self.low <= value <= self.high

    @property
    def values(self) -> str:
        """The range or the codes in words, for docs/metadata.md."""
        if not self.terms:
            return f"{_plain(self.low)} to {_plain(self.high)}"
        codes = sorted(self.terms)
        runs = [[code] for code in codes[:1]]
        for code in codes[1:]:
            if code == runs[-1][-1] + 1:
                runs[-1].append(code)
            else:
                runs.append([code])
        return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def _plain(value: Fraction) -> str:
    return f"{value.numerator:,}" if value.denominator == 1 else f"1/{value.denominator:,}"


def _number(tag: int, name: str, kind: int, span: tuple[str, str], why: str, *, several: bool = False) -> Setting:
    return Setting(tag, name, kind, why, Fraction(span[0]), Fraction(span[1]), several=several)


def _code(tag: int, name: str, terms: Iterable[int], why: str) -> Setting:
    return Setting(tag, name, SHORT, why, terms=frozenset(terms))


_SENSITIVITY = ("1", "9999000")
_APEX = ("-20", "20")  # powers of two: a millionth and a million

TABLE: dict[int, Setting] = {
    setting.tag: setting
    for setting in (
        _number(0x829A, "ExposureTime", RATIONAL, ("1/100000", "3600"), "seconds: motion blur and noise"),
        _number(0x829D, "FNumber", RATIONAL, ("1/4", "256"), "depth of field"),
        _code(0x8822, "ExposureProgram", range(9), "who chose the exposure: manual, aperture priority, ..."),
        _number(0x8827, "PhotographicSensitivity", SHORT, ("1", "65535"), "ISO: noise", several=True),
        _code(0x8830, "SensitivityType", range(8), "which of the standard's sensitivities the ISO is"),
        _number(0x8831, "StandardOutputSensitivity", LONG, _SENSITIVITY, "ISO beyond 65,535"),
        _number(0x8832, "RecommendedExposureIndex", LONG, _SENSITIVITY, "ISO beyond 65,535"),
        _number(0x8833, "ISOSpeed", LONG, _SENSITIVITY, "ISO beyond 65,535"),
        _number(0x8834, "ISOSpeedLatitudeyyy", LONG, _SENSITIVITY, "dynamic range"),
        _number(0x8835, "ISOSpeedLatitudezzz", LONG, _SENSITIVITY, "dynamic range"),
        _number(0x9201, "ShutterSpeedValue", SRATIONAL, _APEX, "exposure time in the APEX system"),
        _number(0x9202, "ApertureValue", RATIONAL, ("0", "20"), "aperture in the APEX system"),
        _number(0x9203, "BrightnessValue", SRATIONAL, _APEX, "light on the scene in the APEX system"),
        _number(0x9204, "ExposureBiasValue", SRATIONAL, _APEX, "exposure that was corrected by hand"),
        _number(0x9205, "MaxApertureValue", RATIONAL, ("0", "20"), "the lens wide open, for vignetting"),
        _code(0x9207, "MeteringMode", (*range(7), 255), "how light was measured"),
        _code(0x9208, "LightSource", (*range(5), *range(9, 25), 255), "colour of the light"),
        _code(0x9209, "Flash", range(128), "whether a flash lit the scene, and how"),
        _number(0x920A, "FocalLength", RATIONAL, ("1/10", "10000"), "millimetres: perspective and distortion"),
        _code(0xA001, "ColorSpace", (1, 0xFFFF), "sRGB, or what the colour profile says"),
        _number(0xA215, "ExposureIndex", RATIONAL, ("1", "1000000"), "ISO as old cameras wrote it"),
        _code(0xA217, "SensingMethod", (1, 2, 3, 4, 5, 7, 8), "the kind of sensor: colour artefacts"),
        _code(0xA402, "ExposureMode", range(3), "automatic, manual, or one of a bracket"),
        _code(0xA403, "WhiteBalance", range(2), "automatic or manual"),
        _number(0xA404, "DigitalZoomRatio", RATIONAL, ("0", "1000"), "how far pixels were enlarged"),
        _number(0xA405, "FocalLengthIn35mmFilm", SHORT, ("1", "10000"), "field of view"),
        _code(0xA406, "SceneCaptureType", range(4), "the camera's programme: landscape, portrait, night"),
        _code(0xA407, "GainControl", range(5), "amplification: noise"),
        _code(0xA408, "Contrast", range(3), "the camera's processing"),
        _code(0xA409, "Saturation", range(3), "the camera's processing"),
        _code(0xA40A, "Sharpness", range(3), "the camera's processing"),
        _code(0xA40C, "SubjectDistanceRange", range(4), "macro, close or distant; not the distance"),
        _code(0xA460, "CompositeImage", range(4), "whether several exposures were merged"),
    )
}

DROPPED: tuple[tuple[str, str], ...] = (
    ("Make, Model, LensMake, LensModel, LensSpecification, FocalPlane...", "shared by thousands, but with a place or a "
     "group they narrow to one owner; as text they may hold names. A data set that needs them can hold a table"),
    ("BodySerialNumber, LensSerialNumber, ImageUniqueID, CameraFirmware", "one device, or one picture"),
    ("CameraOwnerName, Artist, Copyright, HostComputer, Software, ImageDescription, UserComment", "free text"),
    ("DateTime..., OffsetTime..., SubSecTime..., GPS...", "a time and a place"),
    ("SubjectArea, SubjectLocation", "coordinates of a face"),
    ("SubjectDistance", "with the focal length and the size of the cover it gives the size of a head"),
    ("Temperature, Humidity, Pressure, WaterDepth, Acceleration, CameraElevationAngle", "weather: a time and a place"),
    ("MakerNote, DeviceSettingDescription, OECF, CFAPattern, SpatialFrequencyResponse", "bytes that nobody can check"),
    ("IFD1, RelatedSoundFile, interoperability", "thumbnails and other files"),
    ("PixelXDimension, CompressedBitsPerPixel, SceneType, CustomRendered, FileSource", "of the source; no longer true"),
)  # fmt: skip
"""What EXIF has besides, and why it goes; for docs/metadata.md."""


def rounded(value: Fraction) -> Fraction:
    """The value if it is a small fraction, else four significant digits of it or of its inverse, whichever is nearer.

    The denominator is at most 100,000, so what is much smaller becomes zero.
    """
    if abs(value.numerator) <= _SMALL and value.denominator <= _SMALL:
        return value
    direct = _significant(value)
    inverse = _significant(1 / value)
    other = 1 / inverse if inverse and abs(inverse.numerator) <= _FINEST else Fraction(0)
    return min(direct, other, key=lambda near: abs(near - value))


def _significant(value: Fraction) -> Fraction:
    """`_DIGITS` digits, none of them beyond the fourth after the point: denominators end at 10,000."""
    whole = len(str(abs(value.numerator) // value.denominator)) if abs(value) >= 1 else 0
    return Fraction(round(value, _DIGITS - whole))


def read(block: bytes, *, colours: bool = True) -> Settings:
    """The camera settings in a TIFF block of EXIF, checked and rounded. What does not fit is as if it were absent.

    block: begins with the byte order, or with JPEG's prefix before it. colours: whether the pixels stay in the colours
    that the tags speak of.
    """
    block = block[6 * (block[:6] == b"Exif\x00\x00") :]
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or block[2:4] in (b"+\x00", b"\x00+"):  # BigTIFF is built otherwise
        return ()
    found: dict[int, Fraction] = {}
    try:
        first = Struct(order + "L").unpack_from(block, 4)[0]
        pointers = [Struct(order + "L").unpack(value)[0] for tag, kind, count, value in _entries(block, order, first)
                    if (tag, kind, count) == (EXIF_POINTER, LONG, 1)]  # fmt: skip
        for entry in _entries(block, order, pointers[0]) if pointers else ():
            value = _value(block, order, entry)
            if value is not None:
                found.setdefault(entry[0], value)
    except error:
        pass  # cut off: what was read so far counts
    if not colours:
        found.pop(COLOUR_SPACE, None)
    return tuple(sorted(found.items()))


def _entries(block: bytes, order: str, at: int) -> Iterator[tuple[int, int, int, bytes]]:
    """Tag, type, count and the four bytes of the value of each entry of a directory."""
    entry = Struct(order + "HHL4s")
    for i in range(min(_ENTRIES, Struct(order + "H").unpack_from(block, at)[0])):
        yield entry.unpack_from(block, at + 2 + 12 * i)


def _value(block: bytes, order: str, entry: tuple[int, int, int, bytes]) -> Fraction | None:
    """The number of an entry; None where it is none of the table's or out of its range."""
    tag, kind, count, inline = entry
    setting = TABLE.get(tag)
    if setting is None or kind != setting.kind or not (count == 1 or (setting.several and 1 < count < 100)):
        return None
    form = Struct(order + CODES[kind])
    apart = form.size * count > 4
    where = Struct(order + "L").unpack(inline)[0] if apart else 0
    parts = form.unpack_from(block if apart else inline, where)
    if len(parts) == 2 and (not parts[1] or (tag == BRIGHTNESS and parts[0] == _UNKNOWN)):
        return None
    value = Fraction(parts[0]) if kind == SHORT else rounded(Fraction(*parts[: len(CODES[kind])]))
    return value if setting.allows(value) else None


def entries(settings: Settings) -> list[tuple[int, int, bytes]]:
    """Tag, type and little-endian value of each setting, ready for a directory."""
    packed = []
    for tag, value in settings:
        kind = TABLE[tag].kind
        scale = 10 if (tag, value.numerator) == (BRIGHTNESS, _UNKNOWN) else 1
        parts = (value.numerator * scale, value.denominator * scale)[: len(CODES[kind])]
        packed.append((tag, kind, Struct("<" + CODES[kind]).pack(*parts)))
    return packed


def table() -> str:
    """What may stay, as a Markdown table for docs/metadata.md."""
    lines = ["| tag | name | type | values | what it is for |", "|---|---|---|---|---|"]
    lines += [f"| 0x{s.tag:04X} | {s.name} | {KINDS[s.kind]} | {s.values} | {s.why} |" for s in TABLE.values()]
    return "\n".join(lines)


def dropped() -> str:
    """What goes although EXIF has it, as a Markdown table."""
    return "\n".join(["| dropped | why |", "|---|---|", *(f"| {names} | {why} |" for names, why in DROPPED)])
