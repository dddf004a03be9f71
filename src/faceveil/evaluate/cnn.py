"""A small convolutional network, learned from scratch, where PyTorch is installed.

It learns what painted pictures are still good for (`utility`), and to name the people behind them (`privacy`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from faceveil.errors import MissingExtra

if TYPE_CHECKING:
    from faceveil.types import Floats

EPOCHS = 40
BATCH = 32
RATE = 2e-3  # the highest of the one cycle: Smith and Topin, Super-Convergence, 2018
DECAY = 0.05
SMOOTHED = 0.1  # of each label
DROPPED = 0.3  # of the features before the last layer
WIDTHS = (24, 48, 96, 192)
"""Channels of the layers, each of which halves the sides. Of scenes all four are used and the mean over the picture is
named: 51 % of 264 WIDER pictures of 64 px (five events, three seeds), where 7 x 7 places and three layers name 44 %."""
PLACES = 7
"""Of aligned faces three layers are used, and what they see is told apart at so many places each way: of 79 people by
five photos each, 56 px, 47 % are named so, 44 % by four layers with 4 x 4 places, 25 % by the mean."""
LEAST = 16  # px: the side from which every layer still halves something
SHIFT = 16  # pictures are shifted by up to a sixteenth of their side while the network learns
_ALIKE = 1.0  # grey levels: where no pixel spreads more, pictures differ by rounding alone, and nothing is learned
_ASKED = 256  # pictures at a time


def expect_torch() -> None:
    """Raise `MissingExtra` without PyTorch."""
    if find_spec("torch") is None:
        raise MissingExtra("the network that is trained here needs PyTorch", hint="pip install torch")


def cnn(known: Any, label: Any, asked: Any, seed: int, *, aligned: bool = False) -> Floats:
    """Probabilities (m, classes) by a network that has learned from known pictures.

    known, asked: (n, h, w, 3) and (m, h, w, 3) uint8, of any one size from 16 px. label: (n,) classes from 0 on.
    aligned: whether all show one thing in one place, as faces do that were cut out by their landmarks. Where known
    pictures are all alike every class is as likely. One seed gives the same figures on the same machine, whatever else
    draws by chance. Raises `MissingExtra` without PyTorch, `ValueError` for other pictures.
    """
    label = np.asarray(label, np.int64)
    classes = int(label.max()) + 1
    if known.std(0).max() < _ALIKE:
        return np.full((len(asked), classes), 1 / classes)
    network = Cnn(classes, known.shape[1:], seed, aligned=aligned)
    with _one_thread():
        network.learn(known, label)
        return network.scores(asked)


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread for each network: several that share two cores wait for each other most of the time."""
    import torch  # noqa: PLC0415  (large, and no part of faceveil)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class Cnn:
    """Strided convolutions, and a linear layer on what they see: in the mean, or in each place where that is aligned.

    Everything that is drawn by chance comes from one generator of its own: several networks may learn at once.
    """

    def __init__(self, classes: int, shape: tuple[int, ...], seed: int, *, aligned: bool = False) -> None:
        """shape: of a picture, (side, side, 3)."""
        if len(shape) != 3 or shape[2] != 3 or min(shape[:2]) < LEAST:
            raise ValueError(f"pictures must be (h, w, 3) of at least {LEAST} px, got {shape}")
        expect_torch()
        import torch  # noqa: PLC0415  (large, and no part of faceveil)

        self._torch: Any = torch
        self._shape = shape
        self._chance = torch.Generator().manual_seed(seed)
        self._sight, self._last = _layers(torch, classes, self._chance, aligned=aligned)

    def learn(self, pictures: Any, label: Any) -> None:
        """Learn from pictures (n, h, w, 3) uint8 of classes (n,); they are mirrored and shifted by chance."""
        torch = self._torch
        planes, names = self._planes(pictures), torch.from_numpy(np.asarray(label, np.int64))
        weights = [*self._sight.parameters(), *self._last.parameters()]
        optimiser = torch.optim.AdamW(weights, lr=RATE, weight_decay=DECAY)
        # Of about equal size: a batch of one picture has no spread to be normalised by.
        batches = -(-len(planes) // BATCH)
        pace = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=EPOCHS * batches)
        self._sight.train()
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(planes), generator=self._chance).tensor_split(batches):
                seen = self._sight(self._moved(planes[rows]))
                kept = torch.rand(seen.shape, generator=self._chance) >= DROPPED
                told = self._last(seen * kept / (1 - DROPPED))
                loss = torch.nn.functional.cross_entropy(told, names[rows], label_smoothing=SMOOTHED)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                pace.step()
        self._sight.eval()

    def scores(self, pictures: Any) -> Floats:
        """Probabilities (m, classes) of pictures (m, h, w, 3) uint8, each seen together with its mirror image."""
        torch = self._torch
        with torch.no_grad():
            parts = [
                self._last(self._sight(part)) + self._last(self._sight(part.flip(3)))
                for part in self._planes(pictures).split(_ASKED)
            ]
            found: Floats = torch.cat(parts).double().softmax(1).numpy()
        return found

    def _planes(self, pictures: Any) -> Any:
        """(n, 3, h, w) from -1 to 1."""
        if pictures.shape[1:] != self._shape or pictures.dtype != np.uint8:
            raise ValueError(f"pictures must be uint8 (n, *{self._shape}), got {pictures.dtype} {pictures.shape}")
        turned = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))
        return self._torch.from_numpy(turned).float() / 127.5 - 1

    def _moved(self, part: Any) -> Any:
        """The pictures mirrored, each with a chance of a half, and all shifted by up to a part of their sides."""
        torch, chance = self._torch, self._chance
        flip = torch.rand(len(part), generator=chance) < 0.5
        part = torch.where(flip[:, None, None, None], part.flip(3), part)
        most = max(1, min(self._shape[:2]) // SHIFT)
        down, right = torch.randint(-most, most + 1, (2,), generator=chance).tolist()
        return part.roll((down, right), (2, 3))


def _layers(torch: Any, classes: int, chance: Any, *, aligned: bool) -> tuple[Any, Any]:
    """What sees, and what names. The first layer sees five pixels at once, the others three."""
    made = torch.nn.utils.skip_init  # else first weights come from a generator that all threads share
    places = PLACES if aligned else 1
    layers, before, reach = [], 3, 5
    for width in WIDTHS[:-1] if aligned else WIDTHS:
        folded = made(torch.nn.Conv2d, before, width, reach, stride=2, padding=reach // 2, bias=False)
        torch.nn.init.kaiming_normal_(folded.weight, nonlinearity="relu", generator=chance)
        layers += [folded, torch.nn.BatchNorm2d(width), torch.nn.ReLU()]
        before, reach = width, 3
    last = made(torch.nn.Linear, before * places**2, classes)
    torch.nn.init.kaiming_normal_(last.weight, nonlinearity="linear", generator=chance)
    torch.nn.init.zeros_(last.bias)
    return torch.nn.Sequential(*layers, torch.nn.AdaptiveAvgPool2d(places), torch.nn.Flatten()), last
