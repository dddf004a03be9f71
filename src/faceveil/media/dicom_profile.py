"""A DICOM's attributes, de-identified: PS3.15, table E.1-1, and of what that leaves an allow-list.

The table is dicom-anonymizer's (BSD-3-Clause), which its maintainers draw from each edition of the standard. Applying
it is ours, since its own function looks for single attributes at the top level only, while identity also stands in
items of sequences, and writes a false date where the table says to remove one.

Beyond the table, an attribute stays only if it describes the picture and its value cannot carry free text: numbers,
terms that the standard defines, codes that pydicom's dictionary knows. See docs/dicom.md.
"""

from __future__ import annotations

import math
from functools import cache
from secrets import token_hex
from typing import TYPE_CHECKING, Any, NoReturn

from faceveil.media import run_key
from faceveil.media.dicom_terms import EMPTIED, GROUPS, KEYWORDS, MANAGED, SIDES, TERMS, YES_OR_NO

if TYPE_CHECKING:
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag

EDITION = "2026c"
_DEPTH = 16  # levels of sequences; the deepest of the standard's image objects has 6
_WHOLE = {"US", "SS", "UL", "SL", "UV", "SV", "IS", "US or SS"}
_REAL = {"FL", "FD", "DS"}
_TEXT = {"LO", "SH", "ST", "LT", "UT", "UC", "PN", "CS"}
_KNOWN_SCHEMES = ("SCT", "DCM")

# What to do where the standard gives a choice by the object's type: the strictest that a supported object allows.
_ACTIONS = {
    "X_TAGS": "X",
    "X_D_TAGS": "X",
    "X_Z_D_TAGS": "X",
    "X_Z_U_STAR_TAGS": "X",
    "X_Z_TAGS": "Z",
    "Z_TAGS": "Z",
    "Z_D_TAGS": "Z",
    "D_TAGS": "D",
    "U_TAGS": "U",
}


@cache
def _table() -> dict[tuple[int, int], str]:
    """(group, element) -> X, Z, D or U. Curves and overlays, whose groups repeat, are not in `GROUPS` anyway."""
    from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector  # noqa: PLC0415

    found = dicom_anonymization_database_selector(f"dicomfields_{EDITION}")
    return {tuple(tag): act for name, act in _ACTIONS.items() for tag in found[name] if len(tag) == 2}


def deidentified(source: Dataset) -> Dataset:
    """The attributes that may stay, in a new dataset; pixels and what describes their storage are not among them."""
    kept = _cleaned(source, _DEPTH)
    kept.SOPClassUID = source.get("SOPClassUID") or source.file_meta.MediaStorageSOPClassUID
    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        if keyword not in kept:  # a random one
            setattr(kept, keyword, new_uid(token_hex(16)))
    kept.setdefault("Modality", "OT")  # PS3.3, C.7.3.1.1.1: other; an unknown code is not kept
    return kept


def new_uid(old: str) -> str:
    """The same new UID for the same old one in a run, and no way back: 2.25 and 122 keyed bits (PS3.5, B.2)."""
    number = int.from_bytes(run_key.digest(f"dicom-uid {old}")[:16], "big")
    number = number & ~(0xF << 76) | 8 << 76  # UUID version 8 (RFC 9562): made in a way of one's own
    return f"2.25.{number & ~(0x3 << 62) | 0x2 << 62}"


def _cleaned(source: Dataset, depth: int) -> Dataset:
    from pydicom.dataset import Dataset  # noqa: PLC0415

    kept = Dataset()
    for tag in sorted(source.keys()):
        element = _element(source, tag, depth)
        if element is not None:
            kept.add(element)
    return kept


def _element(source: Dataset, tag: BaseTag, depth: int) -> DataElement | None:
    """What becomes of one attribute; None removes it."""
    from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag  # noqa: PLC0415
    from pydicom.dataelem import DataElement  # noqa: PLC0415

    if tag.is_private or not dictionary_has_tag(tag):
        return None
    vr, keyword = dictionary_VR(tag), keyword_for_tag(tag)
    action = _table().get((tag.group, tag.elem)) or _own_action(tag, keyword)
    if action == "X":
        return None
    if action == "Z":
        return DataElement(tag, vr, [] if vr == "SQ" else None)
    if action == "D":
        return DataElement(tag, vr, "ANONYMIZED") if vr in _TEXT else None
    value = _new_uids(source, tag) if action == "U" else _checked(source, tag, vr, keyword, depth)
    if value is None and keyword not in EMPTIED:
        return None
    return DataElement(tag, _definite(vr, source), value)


def _own_action(tag: BaseTag, keyword: str) -> str:
    """Where the table is silent: "X", or "" for what may stay if its value is harmless."""
    wanted = tag.group in GROUPS or keyword in KEYWORDS or keyword in EMPTIED
    return "" if wanted and keyword not in MANAGED else "X"


def _definite(vr: str, source: Dataset) -> str:
    if vr != "US or SS":
        return vr
    return "SS" if source.get("PixelRepresentation") == 1 else "US"


def _values(source: Dataset, tag: BaseTag) -> list[Any]:
    """The values of an attribute as a list; empty where there is none or where they cannot be read."""
    from pydicom.multival import MultiValue  # noqa: PLC0415
    from pydicom.sequence import Sequence  # noqa: PLC0415

    try:
        value = source[tag].value
    except (ValueError, TypeError, OverflowError, UnicodeError, NotImplementedError, LookupError):
        return []  # an unreadable value is not kept
    if value is None or value in ("", b""):
        return []
    return list(value) if isinstance(value, MultiValue | Sequence | list | tuple) else [value]


def _new_uids(source: Dataset, tag: BaseTag) -> list[str] | None:
    return [str(v) if _registered(str(v)) else new_uid(str(v)) for v in _values(source, tag)] or None


def _registered(uid: str) -> bool:
    """Whether the standard itself gives this UID out, so that it names a class and no instance."""
    from pydicom.uid import UID  # noqa: PLC0415

    return UID(uid).name != uid


def _checked(source: Dataset, tag: BaseTag, vr: str, keyword: str, depth: int) -> Any:
    """The value of an attribute that the table does not name, rebuilt; None where it could be more than it should."""
    if vr == "SQ":
        return _items(source, tag, depth)
    values = _values(source, tag)
    if not values:
        return None
    if vr in _WHOLE | _REAL:
        return _numbers(values, vr)
    if keyword == "ImageType":
        return _image_type(values)
    return values if all(_harmless(value, vr, keyword) for value in values) else None


def _harmless(value: Any, vr: str, keyword: str) -> bool:
    """Whether a value is one that the standard defines."""
    if vr == "AT":
        return _known_tag(value)
    if vr == "UI":
        return _registered(str(value))
    if keyword == "PatientOrientation":
        return value in SIDES
    return str(value) in TERMS.get(keyword, YES_OR_NO if vr == "CS" else frozenset())


def _numbers(values: list[Any], vr: str) -> list[Any] | None:
    try:
        return [int(v) if vr in _WHOLE else _real(v, vr) for v in values]
    except (ValueError, TypeError, OverflowError):
        return None


def _real(value: Any, vr: str) -> Any:
    """A number written anew: as text it would keep the writer's own characters."""
    from pydicom.valuerep import DSfloat  # noqa: PLC0415

    number = float(value)
    if not math.isfinite(number):
        _not_a_number()
    return DSfloat(number, auto_format=True) if vr == "DS" else number


def _not_a_number() -> NoReturn:
    raise ValueError("not finite")


def _image_type(values: list[Any]) -> list[str]:
    """Derived, since pixels were changed, and the second value; what follows is free text."""
    return ["DERIVED", "SECONDARY" if "SECONDARY" in values[1:2] else "PRIMARY"]


def _known_tag(value: Any) -> bool:
    """Whether an attribute tag is one of the dictionary's; a pointer to what was dropped does no harm."""
    from pydicom.datadict import dictionary_has_tag  # noqa: PLC0415

    return isinstance(value, int) and dictionary_has_tag(value)


def _items(source: Dataset, tag: BaseTag, depth: int) -> list[Dataset] | None:
    """The items of a sequence, cleaned. Items of codes become the dictionary's own words."""
    if depth == 0:
        return None
    items = []
    for item in _values(source, tag):
        clean = _code(item) if "CodeValue" in item else _cleaned(item, depth - 1)
        if clean is None or not len(clean):
            return None
        items.append(clean)
    return items or None


def _code(item: Dataset) -> Dataset | None:
    """A code that pydicom's dictionary knows, with the dictionary's meaning and nothing else of the item."""
    from pydicom.dataset import Dataset  # noqa: PLC0415

    scheme, value = str(item.get("CodingSchemeDesignator") or ""), str(item.get("CodeValue") or "")
    meaning = _meanings(scheme).get(value) if scheme in _KNOWN_SCHEMES else None
    if meaning is None:
        return None
    made = Dataset()
    made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = value, scheme, meaning
    return made


@cache
def _meanings(scheme: str) -> dict[str, str]:
    """Code -> meaning of a coding scheme: SNOMED CT's part that DICOM uses, and DICOM's own."""
    from pydicom.sr.codedict import codes  # noqa: PLC0415

    # A LO holds 64 characters.
    return {code.value: code.meaning[:64] for code in getattr(codes, scheme).concepts.values()}
