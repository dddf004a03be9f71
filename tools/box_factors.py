"""Measure how one detector's boxes differ from CenterFace's: the factors that convert them to our convention.

    python -m tools.box_factors mtcnn            # or any detector's spec
    python -m tools.box_factors mtcnn --data ../shared/data

A face that both find (IoU of at least .3) gives the ratio of widths and of heights, and the shift of the centre in
sides of the other detector's box. Medians over LFW (one upright face of about 100 px each) and WIDER FACE (all sizes
and poses) are printed with their quartiles, and for each height of the face. For a detector that converts already, the
factors are near 1 and the shifts near 0: so the constants can be checked at any time.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from faceveil import detect
from faceveil.detect import boxes
from faceveil.detect.base import Detector
from faceveil.detect.runtime import Runtime
from faceveil.types import Frame

REFERENCE = "centerface:precision=fp32"
SAME = 0.3  # lower than for scoring: it is the difference that is measured
BANDS = ((20, 40), (40, 80), (80, 160), (160, 10_000))


def pairs(detector: Detector, reference: Detector, paths: list[Path]) -> Any:
    """Boxes of faces that both find: (n, 2, 4), the detector's first."""
    found = []
    for path in paths:
        frame = Frame(np.asarray(Image.open(path).convert("RGB")))
        ours, theirs = reference(frame), detector(frame)
        shared = boxes.overlap(theirs.xyxy, ours.xyxy)
        if shared.size:
            best = shared.argmax(1)
            mutual = (shared.argmax(0)[best] == np.arange(len(best))) & (shared.max(1) >= SAME)
            found.append(np.stack([theirs.xyxy, ours.xyxy[best]], 1)[mutual])
    return np.concatenate(found) if found else np.zeros((0, 2, 4))


def factors(pair: Any) -> Any:
    """Quartiles (3, 4) of width ratio, height ratio, shift right and shift down, in sides of the detector's box."""
    theirs, ours = pair[:, 0], pair[:, 1]
    sides = theirs[:, 2:] - theirs[:, :2]
    ratio = (ours[:, 2:] - ours[:, :2]) / sides
    shift = (ours[:, :2] + ours[:, 2:] - theirs[:, :2] - theirs[:, 2:]) / 2 / sides
    return np.percentile(np.concatenate([ratio, shift], 1), [25, 50, 75], axis=0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("detector")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--allow-cloud", action="store_true", help="let a service have the pictures")
    asked = parser.parse_args()
    if not asked.data.is_dir():
        print(f"no test data at {asked.data}", file=sys.stderr)
        return 2
    runtime = Runtime(cloud=asked.allow_cloud)
    detector, reference = (detect.make(spec).on(runtime) for spec in (asked.detector, REFERENCE))
    sets = {
        "LFW": sorted((asked.data / "recognition" / "lfw").rglob("*.jpg"))[::4],
        "WIDER": sorted((asked.data / "detection" / "images").glob("wider_*.jpg")),
    }
    print(f"{REFERENCE} / {detector.spec}: median [quartiles]")
    for name, paths in sets.items():
        pair = pairs(detector, reference, paths)
        heights = pair[:, 1, 3] - pair[:, 1, 1]
        for low, high in ((0, 10_000), *BANDS):
            band = pair[(heights >= low) & (heights < high)]
            if len(band) >= 10:
                columns = factors(band).T
                text = "  ".join(f"{median:+.3f} [{a:+.3f}, {b:+.3f}]" for a, median, b in columns)
                print(f"{name:6} {low:>4}-{high:<6} n={len(band):<5} w, h, dx, dy: {text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
