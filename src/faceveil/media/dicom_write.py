"""Writing DICOM: explicit VR little endian, uncompressed, put together from de-identified attributes and frames.

Uncompressed, since a second lossy compression would change pixels outside the covers, and since nothing then stands in
the file that was not put there by name.
"""

from __future__ import annotations

import uuid
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from faceveil.errors import OutputError
from faceveil.media.colour import kept
from faceveil.media.dicom_file import SECONDARY_CAPTURE
from faceveil.media.dicom_pixels import used_bits
from faceveil.media.info import DicomCoding, Info
from faceveil.media.levels import Levels
from faceveil.media.pixels import to_uint8

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from faceveil.types import Frame, Pixels

IMPLEMENTATION = "2.25.40861442561495567956262131487639330419"  # a random UUID, ours since 2026 (PS3.5, B.2)
VERSION_NAME = "FACEVEIL_0_1"
METHOD = "faceveil: PS3.15 2026c basic profile"
_ROUNDING = 4  # of 255; measured 2 for `veil` on the grey portrait, while colours meant as such differ by tens
_VALUE_CAP = 0xFFFFFFFE  # bytes of one value (PS3.5, 7.1)
_GREY_ONLY = tuple(f"{SECONDARY_CAPTURE}.{n}" for n in (2, 3))  # greyscale byte and word secondary captures
_TRUE_COLOUR = f"{SECONDARY_CAPTURE}.4"
_OF_GREY = (
    "WindowCenter WindowWidth WindowCenterWidthExplanation VOILUTFunction RescaleIntercept RescaleSlope RescaleType "
    "PresentationLUTShape PixelIntensityRelationship PixelIntensityRelationshipSign"
).split()


class Writer:
    """Frames in, one file out. Frames are held as they will be written.

    A greyscale picture of which any frame was painted in colour becomes RGB of 8 bits.
    """

    def __init__(self, info: Info) -> None:
        self._info = info
        self._coding = info.coding if isinstance(info.coding, DicomCoding) else _plain(info)
        self._grey = info.grey
        self._coloured = False
        self._parts: list[bytes] = []
        self._size = info.size

    def append(self, frame: Frame) -> None:
        """Take the next frame. Raises `OutputError` where its size or depth is another than the first one's."""
        sixteen = frame.pixels.dtype == np.uint16
        if (frame.width, frame.height) != self._size or sixteen != self._coding.levels.sixteen:
            raise OutputError("the frames of a DICOM must have one size and one depth")
        if self._info.grey and not self._coloured and not _nearly_grey(frame.pixels):
            self._parts = [self._recoloured(part) for part in self._parts]
            self._coloured = True
        if self._coloured:
            self._parts.append(to_uint8(frame.pixels).tobytes())
            return
        values = self._coding.levels.stored(frame.pixels[..., 1] if self._info.grey else frame.pixels)
        if self._coding.signed:
            values &= (1 << self._coding.stored) - 1  # of negative values, the bits above are zero
        self._parts.append(values.astype(f"<u{self._coding.allocated // 8}", copy=False).tobytes())

    def finish(self) -> bytes:
        """The file. Raises `OutputError` for more than 4 GiB of pixels."""
        values = b"".join(self._parts)
        if len(values) > _VALUE_CAP:
            raise OutputError("a DICOM of more than 4 GiB of pixels cannot be written uncompressed")
        grey = self._info.grey and not self._coloured
        made = _attributes(self._coding)
        self._describe_pixels(made, DicomCoding() if self._coloured else self._coding, grey=grey)
        if self._coloured:
            _drop_grey(made)
        if icc := kept(self._info.icc, grey=grey):
            made.ICCProfile = icc
        _declare(made, self._info.hidden)
        made.add_new("PixelData", "OW" if made.BitsAllocated == 16 else "OB", values)
        return _file(made)

    def _recoloured(self, part: bytes) -> bytes:
        """A greyscale frame that was taken already, as RGB."""
        coding, (width, height) = self._coding, self._size
        kind = f"<{'i' if coding.signed else 'u'}{coding.allocated // 8}"
        stored: NDArray[Any] = np.frombuffer(part, kind).reshape(height, width)
        shown = to_uint8(coding.levels.shown(used_bits(stored, coding.stored)))
        return np.repeat(shown[..., None], 3, axis=2).tobytes()

    def _describe_pixels(self, made: Dataset, coding: DicomCoding, *, grey: bool) -> None:
        """The Image Pixel Module (PS3.3, C.7.6.3)."""
        made.SamplesPerPixel = 1 if grey else 3
        made.PhotometricInterpretation = coding.photometric
        if not grey:
            made.PlanarConfiguration = 0
        if len(self._parts) > 1 or self._coding.counted:
            made.NumberOfFrames = len(self._parts)
        made.Columns, made.Rows = self._size
        made.BitsAllocated, made.BitsStored, made.HighBit = coding.allocated, coding.stored, coding.stored - 1
        made.PixelRepresentation = int(coding.signed)
        if coding.levels.padding is not None:
            made.add_new("PixelPaddingValue", "SS" if coding.signed else "US", coding.levels.padding)


def _nearly_grey(pixels: Pixels) -> bool:
    """Whether no pixel shows a colour. Methods that mix colours may miss grey by two levels of 255."""
    tolerance = _ROUNDING * (257 if pixels.dtype == np.uint16 else 1)
    green = pixels[..., 1].astype(np.int32)
    return all(int(np.abs(pixels[..., c] - green).max()) <= tolerance for c in (0, 2))


def _plain(info: Info) -> DicomCoding:
    """For frames that come from no DICOM."""
    photometric = "MONOCHROME2" if info.grey else "RGB"
    levels = Levels(high=(1 << info.bits) - 1, sixteen=info.bits == 16)
    return DicomCoding(photometric=photometric, allocated=info.bits, stored=info.bits, levels=levels)


def _attributes(coding: DicomCoding) -> Dataset:
    """The de-identified attributes; of a new secondary capture where there are none."""
    from pydicom.dataset import Dataset  # noqa: PLC0415
    from pydicom.filereader import read_dataset  # noqa: PLC0415

    if coding.attributes:
        made = read_dataset(BytesIO(coding.attributes), False, True)
        return Dataset({element.tag: element for element in made})  # without the encoding that it was read with
    made = Dataset()
    made.SOPClassUID, made.Modality, made.ConversionType = SECONDARY_CAPTURE, "OT", "WSD"
    for keyword in "PatientName PatientID PatientBirthDate PatientSex StudyDate StudyTime AccessionNumber".split():
        setattr(made, keyword, "")
    for keyword in "ReferringPhysicianName StudyID SeriesNumber InstanceNumber PatientOrientation".split():
        setattr(made, keyword, None)
    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        setattr(made, keyword, f"2.25.{uuid.uuid4().int}")
    return made


def _drop_grey(made: Dataset) -> None:
    for keyword in _OF_GREY:
        if keyword in made:
            delattr(made, keyword)
    if made.SOPClassUID in _GREY_ONLY:
        made.SOPClassUID = _TRUE_COLOUR


def _declare(made: Dataset, hidden: bool | None) -> None:
    """What was done, in the words of PS3.15, E.1 and E.3, and no more than that."""
    from pydicom.dataset import Dataset  # noqa: PLC0415

    codes = [("113100", "Basic Application Confidentiality Profile")]
    if hidden is not None:
        made.RecognizableVisualFeatures = "NO" if hidden else "YES"
    if hidden:
        codes.append(("113102", "Clean Recognizable Visual Features Option"))
    made.PatientIdentityRemoved = "YES"
    made.DeidentificationMethod = METHOD
    items = []
    for value, meaning in codes:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
        items.append(item)
    made.DeidentificationMethodCodeSequence = items
    made.LongitudinalTemporalInformationModified = "REMOVED"


def packed(attributes: Dataset) -> bytes:
    """Attributes as bytes, to travel in `DicomCoding`: nothing but what may stay."""
    from pydicom.filebase import DicomBytesIO  # noqa: PLC0415
    from pydicom.filewriter import write_dataset  # noqa: PLC0415

    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, False
    write_dataset(out, attributes)
    return bytes(out.getvalue())


def _file(made: Dataset) -> bytes:
    """Preamble of zeros, file meta information of our own, the dataset (PS3.10, 7.1)."""
    from pydicom.dataset import FileDataset, FileMetaDataset  # noqa: PLC0415
    from pydicom.uid import UID, ExplicitVRLittleEndian  # noqa: PLC0415

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = made.SOPClassUID, made.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID, meta.ImplementationVersionName = UID(IMPLEMENTATION), VERSION_NAME
    out = BytesIO()
    FileDataset(out, made, preamble=bytes(128), file_meta=meta).save_as(out, enforce_file_format=True)
    return out.getvalue()
