"""DICOM attributes: what stays, what is new, and that nothing planted survives."""

from __future__ import annotations

import os
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceveil import media
from faceveil.dataset.task import Setup
from faceveil.media import run_key
from faceveil.policy import Policy

if os.environ.get("FACEVEIL_REQUIRE_SYSTEM") != "1":
    pytest.importorskip("pydicom", reason="needs pydicom: pip install 'faceveil[dicom]'")
    pytest.importorskip("dicomanonymizer", reason="needs dicom-anonymizer: pip install 'faceveil[dicom]'")

import dicom_samples as samples
import pydicom
from dicom_samples import written
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes


@pytest.mark.parametrize("syntax", ["explicit", "implicit", "deflated", "big endian"])
def test_no_planted_byte_survives(tmp_path: Path, syntax: str) -> None:
    pixels = samples.colour()[None]
    base = samples.planted(samples.dataset(pixels, "RGB"))
    base.add_new("PixelData", "OB", pixels.tobytes())
    data = samples.saved(base, syntax, preamble=b"II*\x00CANARY".ljust(128, b"\x00"))
    if syntax != "deflated":
        assert all(needle in data for needle in samples.NEEDLES[:3])
        data += b"CANARY-TRAILER" * 9
    source, again = written(data, tmp_path / "out.dcm")
    out = (tmp_path / "out.dcm").read_bytes()
    for needle in samples.NEEDLES:
        assert needle not in out
        assert needle not in repr(source.info).encode()
        assert needle not in source.info.coding.attributes  # type: ignore[union-attr]
    assert out[:128] == bytes(128)
    assert out.endswith(pixels.tobytes())
    assert not [e for e in again.iterall() if e.tag.is_private or e.tag.group > 0x7FE0]
    assert source.info.notes == (
        "Its colour profile is damaged and is dropped.",
        "1 overlay in this file is dropped.",
        "The icon in this file is dropped.",
        "What stands before the DICOM header is dropped.",
        "Text that is part of the pixels, if there is any, stays.",
    )


def test_numbers_about_people_and_cameras_do_not_stay(tmp_path: Path) -> None:
    more: dict[str, Any] = {"PatientBodyMassIndex": 31.4, "PatientSize": "1.83", "NumberOfPatientRelatedStudies": 7}
    made = samples.make(samples.colour()[None], "RGB", ExposureTime=20, ISOSpeed=400, **more)
    _, again = written(made, tmp_path / "out.dcm")
    assert "ExposureTime" in again
    assert not {*more, "ISOSpeed"} & set(again.dir())


def rich() -> Dataset:
    """What a camera system writes: some to keep, some to empty, some to remove."""
    made = samples.dataset(samples.colour()[None], "RGB")
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "69536005", "SCT", "Jane's head"
    made.AnatomicRegionSequence = [code]
    made.ImageType = ["ORIGINAL", "PRIMARY", "CANARY"]
    made.PatientName, made.PatientID, made.PatientBirthDate, made.PatientSex = "Doe^Jane", "4711", "19700101", "F"
    made.StudyDate, made.StudyTime, made.SeriesDate, made.ContentDate = "20200101", "1200", "20200101", "20200101"
    made.AccessionNumber, made.StudyID, made.ReferringPhysicianName = "A1", "S1", "Who^Doctor"
    made.Manufacturer, made.InstitutionName, made.StationName = "Acme", "General", "CAM1"
    made.SeriesNumber, made.InstanceNumber, made.PatientOrientation = 2, 7, ["L", "F"]
    made.Laterality, made.BurnedInAnnotation, made.LossyImageCompression = "L", "NO", "01"
    made.PixelSpacing, made.ExposureTime, made.BodyPartExamined = ["0.10", "0.1"], 20, "HEAD"
    made.SpecificCharacterSet, made.TimezoneOffsetFromUTC = "ISO_IR 100", "+0100"
    made.add_new("PixelData", "OB", samples.colour().tobytes())
    return made


GOLDEN = {
    "ImageType": ["DERIVED", "PRIMARY"],
    "SOPClassUID": samples.PHOTO,
    "SOPInstanceUID": "new",
    "StudyDate": "",
    "ContentDate": "",
    "StudyTime": "",
    "AccessionNumber": "",
    "Modality": "XC",
    "Manufacturer": "",
    "ReferringPhysicianName": "",
    "AnatomicRegionSequence": "69536005 SCT Head structure (body structure)",
    "PatientName": "",
    "PatientID": "",
    "PatientBirthDate": "",
    "PatientSex": "",
    "PatientIdentityRemoved": "YES",
    "DeidentificationMethod": "faceveil: PS3.15 2026c basic profile",
    "DeidentificationMethodCodeSequence": "113100 DCM Basic Application Confidentiality Profile",
    "BodyPartExamined": "HEAD",
    "ExposureTime": 20,
    "StudyInstanceUID": "new",
    "SeriesInstanceUID": "new",
    "StudyID": "",
    "SeriesNumber": 2,
    "InstanceNumber": 7,
    "PatientOrientation": ["L", "F"],
    "Laterality": "L",
    "SamplesPerPixel": 3,
    "PhotometricInterpretation": "RGB",
    "PlanarConfiguration": 0,
    "Rows": 32,
    "Columns": 40,
    "PixelSpacing": [0.1, 0.1],
    "BitsAllocated": 8,
    "BitsStored": 8,
    "HighBit": 7,
    "PixelRepresentation": 0,
    "BurnedInAnnotation": "NO",
    "LongitudinalTemporalInformationModified": "REMOVED",
    "LossyImageCompression": "01",
}


def test_the_attributes_of_an_output(tmp_path: Path) -> None:
    source, again = written(samples.saved(rich()), tmp_path / "out.dcm")
    seen: dict[str, Any] = {}
    for element in again:
        value: Any = element.value
        if element.VR == "SQ":
            (item,) = value
            value = f"{item.CodeValue} {item.CodingSchemeDesignator} {item.CodeMeaning}"
        elif element.VR == "UI" and value.startswith("2.25."):
            value = "new"
        seen[element.keyword] = (
            list(value)
            if isinstance(value, pydicom.multival.MultiValue)
            else value or (value if isinstance(value, int) else "")
        )
    del seen["PixelData"]
    assert seen == GOLDEN
    assert list(seen) == list(GOLDEN)
    assert source.info.notes == ()
    meta = again.file_meta
    assert meta.MediaStorageSOPInstanceUID == again.SOPInstanceUID
    assert (meta.ImplementationVersionName, len(meta)) == ("FACEVEIL_0_1", 7)


def test_method_codes_are_those_of_the_standard() -> None:
    context = codes.cid7050.concepts
    assert context["BasicApplicationConfidentialityProfile"].value == "113100"
    assert context["CleanRecognizableVisualFeaturesOption"].value == "113102"


def test_uids_are_consistent_in_a_run_and_unlinkable_after_it(tmp_path: Path) -> None:
    data = samples.make(samples.colour()[None], "RGB")
    other = samples.make(samples.colour()[None], "RGB", SOPInstanceUID="1.2.3.777.99")
    run_key.use("11" * 32)
    first, second = written(data, tmp_path / "a.dcm")[1], written(other, tmp_path / "b.dcm")[1]
    assert first.StudyInstanceUID == second.StudyInstanceUID
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert len({first.StudyInstanceUID, first.SeriesInstanceUID, first.SOPInstanceUID}) == 3
    run_key.use("22" * 32)
    assert written(data, tmp_path / "c.dcm")[1].StudyInstanceUID != first.StudyInstanceUID
    assert first.StudyInstanceUID.is_valid


def test_workers_of_a_run_share_its_key_and_runs_do_not() -> None:
    setup = Setup(policy=Policy())
    assert Setup.model_validate_json(setup.model_dump_json()).key == setup.key
    assert Setup(policy=Policy()).key != setup.key
    assert setup.key not in repr(setup)


@pytest.mark.parametrize(("flag", "said"), [("YES", True), ("NO", False), (None, True)])
def test_burned_in_text_is_left_and_said(tmp_path: Path, flag: str | None, *, said: bool) -> None:
    more: dict[str, Any] = {"BurnedInAnnotation": flag} if flag else {}
    source, again = written(samples.make(samples.colour()[None], "RGB", **more), tmp_path / "out.dcm")
    assert again.get("BurnedInAnnotation") == flag
    assert ("Text that is part of the pixels, if there is any, stays." in source.info.notes) == said


@pytest.mark.parametrize(
    ("hidden", "flag", "options"),
    [(True, "NO", ["113100", "113102"]), (False, "YES", ["113100"]), (None, None, ["113100"])],
)
def test_visual_features_are_declared_as_they_are(hidden: bool | None, flag: str | None, options: list[str]) -> None:
    from dataclasses import replace  # noqa: PLC0415

    source = media.open(samples.make(samples.colour()[None], "RGB"))
    data = media.encode(next(iter(source)), replace(source.info, hidden=hidden))
    again = pydicom.dcmread(BytesIO(data))
    assert again.get("RecognizableVisualFeatures") == flag
    assert [item.CodeValue for item in again.DeidentificationMethodCodeSequence] == options


def test_frame_timing_is_kept(tmp_path: Path) -> None:
    pixels = np.stack([samples.colour(seed=s) for s in range(3)])
    data = samples.make(
        pixels, "RGB", SOPClassUID=f"{samples.CAPTURE}.4", FrameTime="40.00", FrameIncrementPointer=0x00181063
    )
    _, again = written(data, tmp_path / "out.dcm")
    assert Fraction(str(again.FrameTime)) == 40
    assert again.FrameIncrementPointer == 0x00181063
