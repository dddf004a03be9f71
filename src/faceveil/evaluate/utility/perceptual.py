"""LPIPS: how unlike two pictures look to a network that was calibrated on what people say. A user brings both."""

from __future__ import annotations

from functools import cache as once
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from faceveil.errors import MissingExtra, RequestError

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST = 512  # px: larger pictures are reduced; the network was calibrated on patches of 64 and sees a part of each
_CURE = "AlexNet as torchvision publishes it, alexnet-owt-7be5be79.pth; nothing is fetched here"


def expect_lpips(trunk: Path) -> None:
    """Raise `MissingExtra` without the package, `RequestError` where the trunk's file is not there or does not fit."""
    if find_spec("lpips") is None or find_spec("torch") is None:
        raise MissingExtra("LPIPS needs the package lpips, which brings PyTorch", hint="pip install lpips")
    if not trunk.is_file():
        raise RequestError(f"there is no file '{trunk}' with the weights of the network of LPIPS", hint=_CURE)
    _network(trunk)


def unlike(before: NDArray[np.uint8], after: NDArray[np.uint8], trunk: Path) -> float:
    """LPIPS of two pictures (H, W, 3) of one size: Zhang et al., The Unreasonable Effectiveness of Deep Features, 2018.

    trunk: a state of torchvision's AlexNet. 0 for equal pictures. Raises as `expect_lpips`.
    """
    import torch  # noqa: PLC0415  (large, and no part of faceveil)

    with torch.no_grad():
        found = _network(trunk)(*(_plane(torch, picture) for picture in (before, after)))
    return float(found)


def _plane(torch: Any, picture: NDArray[np.uint8]) -> Any:
    """(1, 3, h, w) from -1 to 1, of at least 32 px and at most `LARGEST` px a side."""
    height, width = picture.shape[:2]
    scale = min(1.0, LARGEST / max(height, width))
    size = [max(32, round(side * scale)) for side in (width, height)]
    small = picture if size == [width, height] else cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return torch.from_numpy(np.ascontiguousarray(small.transpose(2, 0, 1))).float()[None] / 127.5 - 1


@once
def _network(trunk: Path) -> Any:
    """The network with the user's trunk and the package's own calibration. A checkpoint is read as data, never code."""
    import pickle  # noqa: PLC0415
    import warnings  # noqa: PLC0415

    import torch  # noqa: PLC0415

    try:
        with warnings.catch_warnings():  # the package builds its trunk in a way that torchvision calls outdated
            warnings.simplefilter("ignore")
            import lpips  # noqa: PLC0415

            made: Any = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
        state = torch.load(trunk, map_location="cpu", weights_only=True)
        slices = (getattr(made.net, f"slice{number}") for number in range(1, made.net.N_slices + 1))
        for name, layer in (pair for part in slices for pair in part.named_children()):
            own = {key: state[f"features.{name}.{key}"] for key in layer.state_dict()}
            layer.load_state_dict(own)
    except (KeyError, RuntimeError, TypeError, EOFError, AttributeError, pickle.UnpicklingError):
        raise RequestError(f"'{trunk}' does not fit the network of LPIPS", hint=_CURE) from None
    return made.eval()
