"""`check` of DICOM attributes: what the basic profile wants gone is named with its place, never with its value."""

from __future__ import annotations

import io
import os
import struct
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import faceveil
from faceveil.verify import dicom
from faceveil.verify.carve import carve
from faceveil.verify.leak import Leak

if os.environ.get("FACEVEIL_REQUIRE_SYSTEM") != "1":
    pytest.importorskip("pydicom", reason="needs pydicom: pip install 'faceveil[dicom]'")
    pytest.importorskip("dicomanonymizer", reason="needs dicom-anonymizer: pip install 'faceveil[dicom]'")

from pydicom import config
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

SYNTAXES = {
    "explicit": "1.2.840.10008.1.2.1",
    "implicit": "1.2.840.10008.1.2",
    "big endian": "1.2.840.10008.1.2.2",
    "deflated": "1.2.840.10008.1.2.1.99",
}
SECRET = "Anna"  # of any VR that takes text


def clean(**attributes: Any) -> Dataset:
    """What a de-identified photograph holds."""
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID, made.Modality = "1.2.840.10008.5.1.4.1.1.77.1.4", "2.25.1", "XC"
    made.StudyInstanceUID, made.SeriesInstanceUID = "2.25.2", "2.25.3"
    made.PatientName, made.PatientID, made.StudyDate, made.StudyTime = "", "ANONYMIZED", "", ""
    made.PatientIdentityRemoved, made.RecognizableVisualFeatures = "YES", "NO"
    made.Rows, made.Columns, made.SamplesPerPixel, made.PhotometricInterpretation = 8, 6, 3, "RGB"
    made.PlanarConfiguration, made.BitsAllocated, made.BitsStored, made.HighBit = 0, 8, 8, 7
    made.PixelRepresentation = 0
    made.add_new("PixelData", "OB", bytes(8 * 6 * 3))
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def saved(made: Dataset, syntax: str = "explicit", **meta: str) -> bytes:
    """The data set as a file, whatever its values."""
    head = FileMetaDataset()
    head.MediaStorageSOPClassUID, head.MediaStorageSOPInstanceUID = made.SOPClassUID, UID("2.25.1")
    head.TransferSyntaxUID = UID(SYNTAXES.get(syntax, syntax))
    for keyword, value in meta.items():
        setattr(head, keyword, value)
    out = io.BytesIO()
    before, config.settings.writing_validation_mode = config.settings.writing_validation_mode, config.IGNORE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            form = {"is_implicit_VR": syntax == "implicit", "is_little_endian": syntax != "big endian"}
            file = FileDataset(out, made, preamble=bytes(128), file_meta=head, **form)
            file.save_as(out, enforce_file_format=True)
    finally:
        config.settings.writing_validation_mode = before
    return out.getvalue()


def _found(made: Dataset, syntax: str = "explicit") -> list[Leak]:
    return carve(saved(made, syntax))


def _words(made: Dataset, syntax: str = "explicit") -> list[str]:
    return [leak.what for leak in _found(made, syntax)]


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_clean_file_is_clean(syntax: str) -> None:
    assert _found(clean(), syntax) == []


# One attribute of the profile for each VR that it names.
NEEDLES: dict[str, tuple[str, Any]] = {
    "AE": ("RetrieveAETitle", SECRET),
    "AS": ("PatientAge", "037Y"),
    "CS": ("PatientSex", "F"),
    "DA": ("StudyDate", "20240312"),
    "DS": ("PatientWeight", "61.5"),
    "DT": ("AcquisitionDateTime", "20240312101530"),
    "IS": ("GPSDifferential", "73"),
    "LO": ("PatientID", SECRET),
    "LT": ("AdditionalPatientHistory", SECRET),
    "OB": ("EncapsulatedDocument", b"Anna"),
    "PN": ("PatientName", "Example^Anna"),
    "SH": ("AccessionNumber", SECRET),
    "SQ": ("RequestAttributesSequence", [Dataset()]),
    "ST": ("InstitutionAddress", SECRET),
    "TM": ("StudyTime", "101530"),
    "UC": ("LongDeviceDescription", SECRET),
    "UI": ("StudyInstanceUID", "1.2.276.0.7230010.3.1.4.1"),
    "UN": ("PatientComments", SECRET),
    "UR": ("SelectorURValue", "http://anna.example"),
    "US": ("PregnancyStatus", 4),
    "UT": ("LabelText", SECRET),
}
NEEDLES["SQ"][1][0].ScheduledProcedureStepID = SECRET


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("vr", NEEDLES)
def test_a_value_of_each_vr_is_named_and_not_shown(vr: str, syntax: str) -> None:
    keyword, value = NEEDLES[vr]
    made = clean()
    if vr == "UN":
        made.add_new(keyword, "UN", value.encode())
    else:
        setattr(made, keyword, value)
    data = saved(made, syntax)
    (found,) = carve(data)
    assert found.what.startswith((f"{keyword}, which the basic profile ", f"{keyword}, a person's name"))
    assert SECRET not in found.what
    assert found.offset + found.size <= len(data)
    if syntax != "deflated":
        needle = SECRET if isinstance(value, list) else value.decode() if vr == "OB" else str(value)
        needle = ("\0\x04" if syntax == "big endian" else "\x04\0") if vr == "US" else needle
        assert needle.encode("latin-1") in data[found.offset : found.offset + found.size]


@pytest.mark.parametrize("undefined", [True, False])
@pytest.mark.parametrize("syntax", ["explicit", "implicit", "big endian"])
def test_attributes_inside_sequences_are_found(syntax: str, *, undefined: bool) -> None:
    inner, middle = Dataset(), Dataset()
    inner.PatientName = "Example^Anna"
    inner.is_undefined_length_sequence_item = undefined
    middle.add_new("AnatomicRegionModifierSequence", "SQ", [inner])
    middle.is_undefined_length_sequence_item = undefined
    middle["AnatomicRegionModifierSequence"].is_undefined_length = undefined
    made = clean(AnatomicRegionSequence=[middle], StudyID=SECRET)
    made["AnatomicRegionSequence"].is_undefined_length = undefined
    assert _words(made, syntax) == [
        "PatientName, which the basic profile empties",
        "StudyID, which the basic profile empties",
    ]


def test_values_that_stand_for_nothing_are_no_finds() -> None:
    made = clean(
        PatientName="Anonymized", StudyDate="00010101", StudyTime="000000.00", PatientSex="", InstitutionName=" "
    )
    made.ReferencedImageSequence = []
    assert _found(made) == []


def test_names_of_persons_are_found_where_the_profile_is_silent() -> None:
    made = clean()
    made.add_new("ProtocolContextSequence", "SQ", [])  # known to the profile, and empty
    made.add_new("DetectorDescription", "PN", "Example^Anna")  # a name where the dictionary has another VR
    assert _words(made) == ["DetectorDescription, a person's name"]


def _private() -> Dataset:
    made = clean()
    made.private_block(0x0009, SECRET, create=True).add_new(1, "LO", SECRET)
    return made


def _planes() -> Dataset:
    made = clean()
    for tag, vr, value in ((0x60000010, "US", 8), (0x60003000, "OW", b"Anna"), (0x50003000, "OW", b"Anna")):
        made.add_new(tag, vr, value)
    return made


def _icon() -> Dataset:
    item = Dataset()
    item.Rows = item.Columns = 2
    item.add_new("PixelData", "OB", b"Anna")
    return clean(IconImageSequence=[item])


def _nested_pixels() -> Dataset:
    item = Dataset()
    item.add_new("PixelData", "OB", b"Anna")
    return clean(AnatomicRegionSequence=[item])


def _padded() -> Dataset:
    made = clean()
    made.add_new(0xFFFCFFFC, "OB", b"Anna")
    return made


def _longer() -> Dataset:
    made = clean()
    made.add_new("PixelData", "OB", bytes(8 * 6 * 3) + b"Anna")
    return made


def _bits() -> Dataset:
    made = clean(
        SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2", BitsAllocated=16, BitsStored=12, HighBit=11
    )
    del made.PlanarConfiguration
    made.add_new("PixelData", "OW", np.full(48, 0x1FFF, "<u2").tobytes())
    return made


def _unknown() -> Dataset:
    made = clean()
    made.add_new(0x00189999, "LO", SECRET)
    return made


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (_private(), ["a private attribute (0009,0010)", "a private attribute (0009,1001)"]),
        (_planes(), ["a curve of group 5000", "an overlay of group 6000"]),
        (_icon(), ["an icon (IconImageSequence)"]),
        (_nested_pixels(), ["pixels inside a sequence"]),
        (_padded(), ["data in padding"]),
        (_longer(), ["bytes behind the pixels"]),
        (_bits(), ["bits above those of the pixels, as overlays were stored"]),
        (_unknown(), ["an unknown attribute (0018,9999)"]),
        (clean(PatientIdentityRemoved="NO"), ["PatientIdentityRemoved, which is not YES"]),
        (clean(PatientIdentityRemoved=""), ["no word of PatientIdentityRemoved"]),
        (clean(RecognizableVisualFeatures=""), ["no word of RecognizableVisualFeatures"]),
        (clean(BurnedInAnnotation="YES"), ["BurnedInAnnotation: text is part of the pixels"]),
        (clean(BurnedInAnnotation="NO"), []),
    ],
    ids=str,
)
def test_side_doors_and_declarations(made: Dataset, words: list[str]) -> None:
    assert _words(made) == words


@pytest.mark.parametrize("signed", [0, 1])
def test_negative_values_use_the_bits_above(signed: int) -> None:
    made = clean(
        SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2", BitsAllocated=16, BitsStored=12, HighBit=11
    )
    made.PixelRepresentation = signed
    made.add_new("PixelData", "OW", np.full(48, -5, "<i2").tobytes())
    assert bool(_found(made)) != bool(signed)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_data_after_the_end_are_found(syntax: str) -> None:
    data = saved(clean(), syntax)
    assert carve(data + bytes(40)) == []
    found = carve(data + b"Anna Example, 12 March 2024")
    assert [leak.what for leak in found] == ["data after the end of the data set"]
    assert data[found[0].offset :].strip(b"\0") == b""


def test_machines_in_the_file_meta_information_are_found() -> None:
    data = saved(clean(), SourceApplicationEntityTitle="ANNA-CAM")
    (found,) = carve(data)
    assert found.what == "SourceApplicationEntityTitle, which names a machine or a program"
    assert b"ANNA-CAM" in data[found.offset : found.offset + found.size]


@pytest.mark.parametrize("split", [1, 2])
def test_metadata_inside_compressed_frames_are_found(split: int) -> None:
    frames = []
    for _ in range(2):
        out, exif = io.BytesIO(), Image.Exif()
        exif[0x013B] = "Anna Example"
        Image.new("RGB", (64, 64), "teal").save(out, "JPEG", exif=exif)
        frames.append(out.getvalue())
    made = clean(Rows=64, Columns=64, NumberOfFrames=2)
    made.add_new("PixelData", "OB", encapsulate(frames, fragments_per_frame=split))
    made["PixelData"].is_undefined_length = True
    data = saved(made, "1.2.840.10008.1.2.4.50")
    found = carve(data)
    assert [leak.what for leak in found] == ["the artist (Anna Example)"] * 2
    assert all(data[leak.offset :].startswith(b"Anna Example") for leak in found)


def test_clean_compressed_frames_are_clean() -> None:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(out, "JPEG")
    made = clean(Rows=64, Columns=64)
    made.add_new("PixelData", "OB", encapsulate([out.getvalue()]))
    made["PixelData"].is_undefined_length = True
    assert carve(saved(made, "1.2.840.10008.1.2.4.50")) == []


def test_own_outputs_are_clean_from_whatever_source(tmp_path: Path, portrait: Path) -> None:
    pixels = np.asarray(Image.open(portrait).convert("RGB").resize((128, 128)))
    made = _private()
    made.update(_planes())
    made.PatientName, made.InstitutionName, made.Rows, made.Columns = "Example^Anna", SECRET, 128, 128
    made.add_new("PixelData", "OB", pixels.tobytes())
    for syntax in SYNTAXES:
        (tmp_path / "a.dcm").write_bytes(saved(made, syntax))
        options: dict[str, Any] = {"preset": "fast", "verify": True, "overwrite": True}
        for metadata in ("technical", "all-but-identifying", "none"):
            done = faceveil.veil(tmp_path / "a.dcm", metadata=metadata, **options)
            assert carve(done.output.read_bytes()) == []


def test_without_the_extra_the_attributes_count_as_unexamined(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved(clean())
    monkeypatch.setitem(sys.modules, "dicomanonymizer.dicomfields_selector", None)
    dicom._table.cache_clear()
    (found,) = carve(data)
    assert found.what.startswith("attributes, which only pydicom and dicom-anonymizer can name: pip install")
    assert (found.offset, found.size) == (132, len(data) - 132)


def test_bombs_end(tmp_path: Path) -> None:
    deep = b"".join(
        struct.pack("<HH2sHI", 8, 0x2218, b"SQ", 0, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
        for _ in range(5000)
    )
    data = saved(clean())
    found = carve(data[: data.index(struct.pack("<HH", 0x10, 0x10))] + deep)
    assert any(leak.what == "a data set that is damaged from here on" for leak in found)


@given(st.binary(min_size=1, max_size=12), st.floats(0, 1), st.sampled_from(sorted(SYNTAXES)))
def test_damaged_files_are_examined_without_an_error(patch: bytes, where: float, syntax: str) -> None:
    data = bytearray(saved(_icon(), syntax))
    at = 132 + int(where * (len(data) - 132 - len(patch)))
    data[at : at + len(patch)] = patch
    carve(bytes(data))
    carve(bytes(data[:at]))


@pytest.mark.shared_data
def test_real_files_report_what_they_hold(shared: Path) -> None:
    import pydicom  # noqa: PLC0415

    for path in sorted((shared / "tricky" / "dicom").iterdir()):
        data = path.read_bytes()
        held = pydicom.dcmread(io.BytesIO(data))
        words = [leak.what for leak in carve(data)]
        for keyword in ("PatientName", "PatientID", "StudyDate", "InstitutionName", "StationName", "ImageComments"):
            named = any(what.startswith(f"{keyword}, ") for what in words)
            assert named == bool(held.get(keyword)), (path.name, keyword)
        private = {f"a private attribute ({e.tag.group:04X},{e.tag.element:04X})" for e in held if e.tag.is_private}
        assert private <= set(words)
        assert "no word of PatientIdentityRemoved" in words
        if held.get("PatientName"):
            assert str(held.PatientName) not in "".join(words)
