"""What a file is, by its first bytes and never by its name; and which kinds are read and written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faceveil.media.info import Info
    from faceveil.media.video.info import VideoInfo

HEAD = 512  # bytes that `sniff` looks at; the furthest signature (MPEG-TS) ends at 377


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of visual file: how to speak of one and of many, and, where it is supported, its codec and suffixes.

    module: name of the module in this room that reads and writes it; empty where it is refused, and for videos.
    moving: whether it is a video, which `media.video` reads and writes. becomes: the kind it is written as, if another.
    suffixes: the ordinary file suffixes, the one for new files first.
    kept, refused: for docs/formats.md.
    """

    one: str
    many: str
    module: str = ""
    suffixes: tuple[str, ...] = ()
    kept: str = ""
    refused: str = ""
    moving: bool = False
    becomes: str = ""


KINDS: dict[str, Kind] = {
    "JPEG": Kind(
        "a JPEG",
        "JPEGs",
        "jpeg",
        (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
        "quantisation tables, chroma subsampling, progressive scans, grey; CMYK becomes sRGB; of an MPO, a gain-map or "
        "a motion photo only the picture itself",
        "12-bit and lossless JPEG, two-channel JPEG",
    ),
    "PNG": Kind(
        "a PNG",
        "PNGs",
        "png",
        (".png", ".apng"),
        "8 and 16 bits, grey, alpha; animations: all frames, durations, loop count; a palette becomes RGB, 1 to 4 bits "
        "become 8",
    ),
    "WebP": Kind(
        "a WebP",
        "WebPs",
        "webp",
        (".webp",),
        "lossy or lossless, alpha; animations: all frames, durations, loop count",
    ),
    "GIF": Kind(
        "a GIF",
        "GIFs",
        "gif",
        (".gif",),
        "all frames, durations, loop count, transparency; the colours outside of what is covered, as far as 256 "
        "suffice for both",
    ),
    "BMP": Kind("a BMP", "BMPs", "bmp", (".bmp", ".dib"), "grey, alpha; a palette becomes RGB", ""),
    "TIFF": Kind(
        "a TIFF",
        "TIFFs",
        "tiff",
        (".tif", ".tiff"),
        "all pages, each with its own size; 8 and 16 bits, grey, alpha, lossless compression; CMYK and Lab become "
        "sRGB, 1 bit becomes 8; smaller copies and masks are dropped",
        "floating point, 32-bit integers",
    ),
    "HEIC": Kind(
        "an HEIC",
        "HEICs",
        "heic",
        (".heic", ".heif", ".hif"),
        "grey, alpha; 10 and 12 bits become 8; the primary picture of several",
        "image sequences",
    ),
    "AVIF": Kind(
        "an AVIF",
        "AVIFs",
        "avif",
        (".avif", ".avifs"),
        "alpha; sequences: all frames and durations; 10 and 12 bits become 8",
        "sequences that are cropped, turned or mirrored",
    ),
    "JPEG 2000": Kind(
        "a JPEG 2000",
        "JPEG 2000 files",
        "jpeg2000",
        (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
        "8 bits, and 16 bits of grey; lossless or lossy, grey, alpha",
        "other depths, more than four channels",
    ),
    "PNM": Kind(
        "a PPM, PGM or PBM",
        "PPM, PGM and PBM files",
        "pnm",
        (".ppm", ".pgm", ".pbm", ".pnm"),
        "8 and 16 bits, grey; text becomes binary, 1 bit becomes 8",
        "PAM, several pictures in one file",
    ),
    "camera RAW": Kind(
        "a camera RAW",
        "camera RAW files",
        "raw",
        tuple(".dng .cr2 .cr3 .nef .nrw .arw .srf .sr2 .orf .rw2 .raf .pef .x3f .mrw .erf .3fr .raw".split()),
        "developed with the camera's white balance and written as a TIFF of 16 bits; needs the extra `[raw]`",
    ),
    "DICOM": Kind(
        "a DICOM",
        "DICOM files",
        "dicom",
        (".dcm", ".dicom"),
        "photographs, endoscopy, microscopy and secondary captures of one or many frames, grey, 8 and 16 bits; "
        "attributes are de-identified (docs/dicom.md); palettes and YBR become RGB, compressed pixels are unpacked",
        "slices (CT, MR, PET), ultrasound, X-ray, reports, video, DICOMDIR, 12-bit JPEG",
    ),
    "JPEG XL": Kind("a JPEG XL", "JPEG XL files"),
    "JPEG XR": Kind("a JPEG XR", "JPEG XR files"),
    "PSD": Kind("a Photoshop file", "Photoshop files"),
    "GIMP": Kind("a GIMP file", "GIMP files"),
    "ICO": Kind("an icon", "icons"),
    "OpenEXR": Kind("an OpenEXR", "OpenEXR files"),
    "Radiance HDR": Kind("a Radiance HDR", "Radiance HDR files"),
    "SVG": Kind("an SVG", "SVGs"),
    "PDF": Kind("a PDF", "PDFs"),
    "MP4": Kind(
        "an MP4 video",
        "videos",
        suffixes=(".mp4", ".m4v", ".3gp", ".3g2"),
        kept="H.264, HEVC, VP9, AV1, Motion JPEG; other codecs become H.264",
        refused="PCM sound, when sound is kept",
        moving=True,
    ),
    "QuickTime": Kind(
        "a QuickTime video",
        "videos",
        suffixes=(".mov", ".qt"),
        kept="the same and ProRes with its profile",
        moving=True,
    ),
    "Matroska": Kind(
        "a Matroska video",
        "videos",
        suffixes=(".mkv",),
        kept="H.264, HEVC, VP8, VP9, AV1, ProRes, Motion JPEG; times in whole milliseconds, as the format has them",
        moving=True,
    ),
    "WebM": Kind(
        "a WebM video",
        "videos",
        suffixes=(".webm",),
        kept="VP8, VP9, AV1; VP9 of more than 8 bits becomes AV1",
        moving=True,
    ),
    "AVI": Kind("an AVI video", "videos", suffixes=(".avi",), moving=True, becomes="MP4"),
    "MPEG": Kind(
        "an MPEG video",
        "videos",
        suffixes=(".mpg", ".mpeg", ".vob", ".ts", ".m2ts", ".mts"),
        moving=True,
        becomes="MP4",
    ),
    "WMV": Kind("a Windows Media video", "videos", suffixes=(".wmv", ".asf"), moving=True, becomes="MP4"),
    "FLV": Kind("a Flash video", "videos", suffixes=(".flv",), moving=True, becomes="MP4"),
}

_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"FUJIFILMCCD-RAW", "camera RAW"),
    (b"IIU\x00", "camera RAW"),  # Panasonic RW2
    (b"IIRO", "camera RAW"),  # Olympus ORF
    (b"IIRS", "camera RAW"),
    (b"MMOR", "camera RAW"),
    (b"FOVb", "camera RAW"),  # Sigma X3F
    (b"\x00MRM", "camera RAW"),  # Minolta MRW
    (b"II\xbc\x01", "JPEG XR"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"8BPS", "PSD"),
    (b"gimp xcf", "GIMP"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"%PDF-", "PDF"),
    (b"\x1a\x45\xdf\xa3", "Matroska"),
    (b"\x00\x00\x01\xba", "MPEG"),
    (b"\x00\x00\x01\xb3", "MPEG"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "WMV"),
    (b"FLV\x01", "FLV"),
)
# Icons and cursors: a count from 1 to 255, then the first entry's sizes, colours and a zero.
_ICON = re.compile(rb"\x00\x00[\x01\x02]\x00[^\x00]\x00...\x00", re.DOTALL)
_PNM = re.compile(rb"P[1-6]\s+(#[^\n]*\n\s*)*\d+\s|P7\n(#|WIDTH|HEIGHT|DEPTH|MAXVAL|TUPLTYPE)")
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)  # sizes of the known BMP information headers
_HEIC_BRANDS = frozenset(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"mif2", b"msf1", b"miaf")
)
_AVIF_BRANDS = frozenset((b"avif", b"avis"))


def sniff(head: bytes) -> str | None:
    """The kind of a visual file from its first bytes (`HEAD` of them are enough), None for anything else.

    The names are the keys of `KINDS`; not all of them are supported. Text, sound, archives and the like give None.
    """
    if head[128:132] == b"DICM":  # first: slide scanners put a TIFF header into the 128 bytes before it
        return "DICOM"
    for start, kind in _STARTS:
        if head.startswith(start):
            return _closer(kind, head)
    if head[:4] == b"RIFF":
        return {b"WEBP": "WebP", b"AVI ": "AVI"}.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _by_brand(head)
    if head[4:8] in (b"moov", b"mdat", b"wide") and head[:1] == b"\x00":
        return "QuickTime"
    return _by_shape(head)


def _closer(kind: str, head: bytes) -> str:
    """The kind where one signature serves two."""
    if kind == "TIFF" and head[8:10] == b"CR":
        return "camera RAW"
    if kind == "Matroska" and b"\x42\x82\x84webm" in head[:64]:  # the document type, RFC 9559
        return "WebM"
    return kind


def _by_brand(head: bytes) -> str | None:
    """Files of boxes (ISO/IEC 14496-12): the brands tell pictures from films and from sound."""
    size = int.from_bytes(head[:4], "big")
    brands = [head[8:12], *(head[i : i + 4] for i in range(16, min(size, len(head)), 4))]
    if brands[0] == b"crx ":
        return "camera RAW"
    if brands[0] in (b"M4A ", b"M4B "):
        return None
    if brands[0] in _AVIF_BRANDS:
        return "AVIF"
    if brands[0] in _HEIC_BRANDS:
        return "AVIF" if _AVIF_BRANDS & set(brands) else "HEIC"
    return "QuickTime" if brands[0] == b"qt  " else "MP4"


def _by_shape(head: bytes) -> str | None:
    """Kinds whose signature is short: more of the header has to agree."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    shapes = {
        "BMP": head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS,
        "ICO": _ICON.match(head),
        "PNM": _PNM.match(head),
        "MPEG": _in_packets(head, 188) or _in_packets(head[4:], 192),
        "SVG": text.startswith(b"<svg") or (text.startswith((b"<?xml", b"<!--", b"<!DOCTYPE svg")) and b"<svg" in text),
    }
    return next((name for name, fits in shapes.items() if fits), None)


def _in_packets(head: bytes, size: int) -> bool:
    """Whether these are packets of an MPEG transport stream; M2TS puts four bytes before each."""
    return len(head) > 2 * size and head[0] == head[size] == head[2 * size] == 0x47


def video_kind(path: Path) -> str | None:
    """What the file is, by its first bytes. Raises OSError where it cannot be read."""
    with path.open("rb") as file:
        return sniff(file.read(HEAD))


def is_video(path: Path) -> bool:
    """Whether the file is a video, for `media.video.open_video`; False also where it cannot be read."""
    try:
        kind = video_kind(path) if path.is_file() else None
    except OSError:
        return False
    return kind is not None and KINDS[kind].moving


def table() -> str:
    """The supported picture formats as a Markdown table, for docs/formats.md."""
    lines = ["| format | suffixes | kept or changed, besides profile and resolution | refused |", "|---|---|---|---|"]
    for name, kind in KINDS.items():
        if kind.module:
            suffixes = " ".join(f"`{suffix}`" for suffix in kind.suffixes)
            lines.append(f"| {name} | {suffixes} | {kind.kept} | {kind.refused or '-'} |")
    return "\n".join(lines)


def video_table() -> str:
    """The supported video formats as a Markdown table, for docs/formats.md."""
    lines = ["| format | suffixes | written as | codecs | refused |", "|---|---|---|---|---|"]
    for name, kind in KINDS.items():
        if kind.moving:
            suffixes = " ".join(f"`{suffix}`" for suffix in kind.suffixes)
            kept = kind.kept or KINDS[kind.becomes].kept
            lines.append(f"| {name} | {suffixes} | {kind.becomes or name} | {kept} | {kind.refused or '-'} |")
    return "\n".join(lines)


def refused() -> str:
    """The kinds that are recognised and refused, as one sentence."""
    return ", ".join(name for name, kind in KINDS.items() if not kind.module and not kind.moving)


def suffix_for(info: Info | VideoInfo) -> str:
    """The suffix of new files of this format: ".jpg" for "JPEG", ".tif" for a camera RAW, ".mp4" for an AVI."""
    return KINDS[info.format].suffixes[0]


def planned_suffix(path: Path) -> str:
    """The suffix of the output as far as a name can tell: ".tif" for a camera RAW's.

    Videos in containers of the past become ".mp4". All other formats are written as they are read, so their own
    suffix stays. Only where the name says nothing, the first bytes tell whether the file is a video.
    """
    own = path.suffix.lower()
    if own in KINDS["camera RAW"].suffixes:
        return ".tif"
    named = next((kind for kind in KINDS.values() if own in kind.suffixes), None)
    if named is None and is_video(path) and (found := video_kind(path)) is not None:
        return KINDS[KINDS[found].becomes or found].suffixes[0]
    return KINDS[named.becomes].suffixes[0] if named and named.becomes else path.suffix


def output_suffix(path: Path, info: Info | VideoInfo) -> str:
    """The source's own suffix where it says what the file is (".JPEG", ".tiff"), else the format's.

    A JPEG named photo.png gets ".jpg"; an MPO gets ".jpg" too, since it is an ordinary JPEG afterwards.
    """
    own = path.suffix
    return own if own.lower() in KINDS[info.format].suffixes and own.lower() != ".mpo" else suffix_for(info)
