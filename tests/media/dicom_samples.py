"""DICOM files of our own making: every photometric interpretation, depth and transfer syntax, with planted names."""

from __future__ import annotations

import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom import config
from pydicom.datadict import DicomDictionary  # type: ignore[attr-defined]
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian

from faceveil import media
from faceveil.types import Frame

PHOTO = "1.2.840.10008.5.1.4.1.1.77.1.4"
CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
SYNTAXES = {
    "implicit": "1.2.840.10008.1.2",
    "explicit": "1.2.840.10008.1.2.1",
    "deflated": "1.2.840.10008.1.2.1.99",
    "big endian": "1.2.840.10008.1.2.2",
    "rle": "1.2.840.10008.1.2.5",
    "jpeg": "1.2.840.10008.1.2.4.50",
    "jpeg lossless": "1.2.840.10008.1.2.4.70",
    "jpeg-ls": "1.2.840.10008.1.2.4.80",
    "jpeg 2000": "1.2.840.10008.1.2.4.90",
}
NEEDLES = (b"CANARY", b"18880808", b"1.2.3.777", b"088Y", b"080808.08", b"C\x00A\x00N\x00")
_PLANTED = {"DA": "18880808", "TM": "080808.08", "DT": "18880808080808", "AS": "088Y", "UI": "1.2.3.777.5"}
_BINARY = ("OB", "OW", "OB or OW", "UN", "OF", "OD", "OL", "OV")
_TEXTS = ("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT")


def colour(height: int = 32, width: int = 40, seed: int = 0) -> NDArray[np.uint8]:
    """Random RGB bytes."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def dataset(frames: NDArray[Any], photometric: str, stored: int = 8, **attributes: Any) -> Dataset:
    """A photograph with (n, H, W) or (n, H, W, C) frames, without pixel data."""
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = PHOTO, "1.2.3.777.1"
    made.StudyInstanceUID, made.SeriesInstanceUID, made.Modality = "1.2.3.777.2", "1.2.3.777.3", "XC"
    made.Rows, made.Columns = frames.shape[1:3]
    made.SamplesPerPixel = 3 if frames.ndim == 4 else 1
    made.PhotometricInterpretation = photometric
    if frames.ndim == 4:
        made.PlanarConfiguration = 0
    if len(frames) > 1:
        made.NumberOfFrames = len(frames)
    made.BitsAllocated, made.BitsStored, made.HighBit = frames.itemsize * 8, stored, stored - 1
    made.PixelRepresentation = int(frames.dtype.kind == "i")
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def make(frames: NDArray[Any], photometric: str, stored: int = 8, syntax: str = "explicit", **attributes: Any) -> bytes:
    """A file. `frames` as in `dataset`; planar configuration 1 is honoured for uncompressed pixels."""
    made = dataset(frames, photometric, stored, **attributes)
    kind = frames.dtype.newbyteorder(">" if syntax == "big endian" else "<")
    planes = frames.transpose(0, 3, 1, 2) if attributes.get("PlanarConfiguration") else frames
    values = planes.astype(kind).tobytes()
    if syntax == "jpeg":
        values = encapsulate([baseline(frame) for frame in frames])
    elif syntax == "jpeg lossless":
        values = encapsulate([lossless_jpeg(frame) for frame in frames])
    made.add_new("PixelData", "OW" if made.BitsAllocated == 16 else "OB", values)
    if syntax in ("rle", "jpeg-ls", "jpeg 2000"):
        made.file_meta = FileMetaDataset()
        made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        made.compress(UID(SYNTAXES[syntax]), generate_instance_uid=False)
    return saved(made, syntax)


def saved(made: Dataset, syntax: str = "explicit", preamble: bytes = bytes(128)) -> bytes:
    """The dataset as a file, whatever its values."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = made.SOPClassUID, made.SOPInstanceUID
    meta.TransferSyntaxUID = UID(SYNTAXES.get(syntax, syntax))
    meta.SourceApplicationEntityTitle, meta.ImplementationVersionName = "CANARY-AE", "CANARY-VERSION"
    out = BytesIO()
    before, config.settings.writing_validation_mode = config.settings.writing_validation_mode, config.IGNORE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            form = {"is_implicit_VR": syntax == "implicit", "is_little_endian": syntax != "big endian"}
            file = FileDataset(out, made, preamble=preamble, file_meta=meta, **form)
            file.save_as(out, enforce_file_format=True)
    finally:
        config.settings.writing_validation_mode = before
    return out.getvalue()


def planted(base: Dataset) -> Dataset:
    """All attributes that the dictionary has, with names, dates and UIDs that must not survive; and private ones."""
    inner = Dataset()
    inner.PatientName, inner.TextValue, inner.ContentDate = "CANARY^NESTED", "CANARY-NESTED", "18880808"
    inner.ReferencedSOPInstanceUID, inner.CodeValue, inner.CodeMeaning = "1.2.3.777.9", "CANARY", "CANARY"
    inner.CodingSchemeDesignator, inner.FocalDistance = "SCT", 3
    inner.private_block(0x0019, "CANARY NESTED", create=True).add_new(1, "LO", "CANARY")
    plain = Dataset()
    plain.PatientID, plain.AccessionNumber, plain.ExposureTime = "CANARY", "CANARY", 5
    plain.ConceptCodeSequence = [inner]
    for tag, (vr, _, _, _, keyword) in DicomDictionary.items():
        if tag >> 16 in (0x0000, 0x0002, 0xFFFE) or tag in base or not keyword or tag >= 0x7FE00000:
            continue
        if vr == "SQ":
            base.add_new(tag, vr, [plain, inner])
        elif vr in _PLANTED:
            base.add_new(tag, vr, _PLANTED[vr])
        elif vr in _TEXTS:
            base.add_new(tag, vr, "CANARY")
        elif vr in _BINARY:
            base.add_new(tag, "UN" if vr == "UN" else "OB", b"CANARY--")
    base.private_block(0x0009, "CANARY INC", create=True).add_new(1, "UT", "CANARY")
    base.private_block(0x7FE1, "CANARY INC", create=True).add_new(1, "OB", b"CANARY--")
    base.add_new(0x00189999, "LO", "CANARY-UNKNOWN")  # no such attribute
    base.add_new(0x00280030, "LO", "CANARY-SPACING")  # another VR than the dictionary's
    base.add_new(0x60000010, "US", 8)
    base.add_new(0x60003000, "OW", b"CANARY--")
    base.add_new(0x50003000, "OW", b"CANARY--")
    base.add_new(0xFFFCFFFC, "OB", b"CANARY--")
    return base


def baseline(frame: NDArray[Any]) -> bytes:
    """A baseline JPEG with an EXIF block, as a camera's software would wrap it."""
    out, exif = BytesIO(), Image.Exif()
    exif[0x010E] = "CANARY-EXIF"
    Image.fromarray(frame).save(out, "JPEG", quality=95, subsampling=0, exif=exif, comment=b"CANARY")
    return out.getvalue()


def lossless_jpeg(frame: NDArray[Any]) -> bytes:
    """T.81, annex H: predictor 1, one table of nine categories with four bits each."""
    planes = frame if frame.ndim == 3 else frame[..., None]
    height, width, channels = planes.shape
    wide = planes.astype(int)
    before = np.empty_like(wide)
    before[:, 1:] = wide[:, :-1]
    before[1:, 0] = wide[:-1, 0]
    before[0, 0] = 128
    bits = []
    for difference in ((wide - before + 128) % 256 - 128).reshape(-1).tolist():
        size = abs(difference).bit_length()
        value = difference if difference >= 0 else difference + (1 << size) - 1
        bits.append(f"{size:04b}" + (f"{value:0{size}b}" if size else ""))
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    scan = int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\x00")
    sof = bytes((8, *height.to_bytes(2, "big"), *width.to_bytes(2, "big"), channels))
    sof += b"".join(bytes((i + 1, 0x11, 0)) for i in range(channels))
    sos = bytes((channels,)) + b"".join(bytes((i + 1, 0)) for i in range(channels)) + b"\x01\x00\x00"
    table = bytes((0, 0, 0, 0, 9)) + bytes(12) + bytes(range(9))
    parts = [(0xC3, sof), (0xC4, table), (0xDA, sos)]
    head = b"".join(bytes((0xFF, m)) + (len(load) + 2).to_bytes(2, "big") + load for m, load in parts)
    return b"\xff\xd8" + head + scan + b"\xff\xd9"


def written(data: bytes, path: Path, frames: list[Frame] | None = None) -> tuple[media.Source, Dataset]:
    """A source, and what pydicom reads from the file that is written of its frames or others."""
    source = media.open(data)
    with media.create(path, source.info, overwrite=True) as sink:
        for frame in frames if frames is not None else source:
            sink.append(frame)
    return source, pydicom.dcmread(path)
