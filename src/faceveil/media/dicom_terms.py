"""Which DICOM attributes may stay beside what PS3.15's table decides, and with which words. See `dicom_profile`.

PS3.3 defines the terms. A term that is missing here costs an attribute; a term too many could carry a name.
"""

from __future__ import annotations

from itertools import permutations

# Groups that describe the acquisition, the place of an image in its series, an eye, the picture and its frames. Of
# these, numbers and defined terms stay. 0x0008, 0x0010 and 0x0040 are about people, 0x0016 about cameras and places.
GROUPS = frozenset((0x0018, 0x0020, 0x0022, 0x0028, 0x5200))

# Of other groups.
KEYWORDS = frozenset(
    "SOPClassUID ImageType Modality ConversionType StartTrim StopTrim RecommendedDisplayFrameRate "
    "AnatomicRegionSequence AnatomicRegionModifierSequence PrimaryAnatomicStructureSequence".split()
)

# Must be present in some object, if only without a value (type 2 of PS3.3).
EMPTIED = frozenset("Manufacturer PatientOrientation Laterality SeriesNumber InstanceNumber".split())

# About the storage of the pixels, or about this de-identification: written anew by the codec, or out of date.
MANAGED = frozenset(
    "SamplesPerPixel PhotometricInterpretation PlanarConfiguration Rows Columns BitsAllocated BitsStored HighBit "
    "PixelRepresentation PixelData FloatPixelData DoubleFloatPixelData PixelDataProviderURL PixelDataQRGB "
    "SmallestImagePixelValue LargestImagePixelValue SmallestPixelValueInSeries LargestPixelValueInSeries "
    "SmallestImagePixelValueInPlane LargestImagePixelValueInPlane PixelPaddingValue PixelPaddingRangeLimit "
    "RedPaletteColorLookupTableDescriptor GreenPaletteColorLookupTableDescriptor "
    "BluePaletteColorLookupTableDescriptor AlphaPaletteColorLookupTableDescriptor SupplementalPaletteColor "
    "EncapsulatedPixelDataValueTotalLength RecognizableVisualFeatures LongitudinalTemporalInformationModified "
    "ModalityLUTSequence VOILUTSequence ICCProfile".split()
)

# Numbers of those groups that are about a person's record, and for queries.
MANAGED |= frozenset(
    "OtherStudyNumbers NumberOfPatientRelatedStudies NumberOfPatientRelatedSeries NumberOfPatientRelatedInstances "
    "NumberOfStudyRelatedSeries NumberOfStudyRelatedInstances NumberOfSeriesRelatedInstances".split()
)

YES_OR_NO = frozenset(("YES", "NO"))
_LEFT_RIGHT = frozenset("RLUB")

# Every direction that a side of a picture can face: one to three letters, no two of them opposite (C.7.6.1.1.1).
SIDES = frozenset(
    "".join(letters)
    for count in (1, 2, 3)
    for letters in permutations("APRLHF", count)
    if not any(set(pair) <= set(letters) for pair in ("AP", "RL", "HF"))
)

_MODALITIES = "AR AU BI CR DG DMS DX ES FID GM HC IO IVUS KER LS OAM OP OT PX RF SM SRF TG US VA XA XC"
_PARTS = (
    "ABDOMEN ANKLE ARM AXILLA BACK BREAST CHEEK CHEST CHIN CLAVICLE EAR ELBOW EXTREMITY EYE EYELID FACE FINGER FOOT "
    "FOREARM FOREHEAD HAND HEAD HIP JAW KNEE LEG LIP MOUTH NECK NOSE ORBIT PALM PELVIS SCALP SHOULDER SKIN SKULL "
    "THIGH THORAX THUMB TOE TONGUE TRUNK WHOLEBODY WRIST"
)

TERMS: dict[str, frozenset[str]] = {
    name: frozenset(words.split())
    for name, words in {
        "Modality": _MODALITIES,
        "ConversionType": "DV DI DF WSD SD SI DRW SYN",
        "BodyPartExamined": _PARTS,
        "LossyImageCompression": "00 01",
        "LossyImageCompressionMethod": "ISO_10918_1 ISO_14495_1 ISO_15444_1 ISO_15444_15 ISO_13818_2 ISO_14496_10",
        "PresentationLUTShape": "IDENTITY INVERSE",
        "VOILUTFunction": "LINEAR LINEAR_EXACT SIGMOID",
        "PixelIntensityRelationship": "LIN LOG DISP",
        "RescaleType": "US HU OD",
        "ColorSpace": "SRGB ADOBERGB ROMMRGB",
        "PixelSpacingCalibrationType": "GEOMETRY FIDUCIAL",
        "DetectorType": "CCD CMOS",
    }.items()
}
TERMS |= dict.fromkeys(("Laterality", "ImageLaterality", "FrameLaterality"), _LEFT_RIGHT)
