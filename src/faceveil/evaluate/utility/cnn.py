"""A small convolutional network, learned from scratch, where PyTorch is installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np

from faceveil.errors import MissingExtra

EPOCHS = 40
BATCH = 32
RATE = 2e-3  # the highest of the one cycle (Smith and Topin, 2018)
WIDTHS = (32, 64, 128)


def expect_torch() -> None:
    """Raise `MissingExtra` without PyTorch."""
    if find_spec("torch") is None:
        raise MissingExtra("the model 'cnn' needs PyTorch", hint="pip install torch")


def cnn(known: Any, label: Any, asked: Any, seed: int) -> Any:
    """Scores (m, classes) of a network with three convolutions; known, asked: (n, 64, 64, 3) and (m, 64, 64, 3) uint8.

    Learning mirrors and shifts pictures by chance; one seed gives the same network on the same machine. Raises
    `MissingExtra` without PyTorch.
    """
    expect_torch()
    import torch  # noqa: PLC0415  (large, and no part of faceveil)

    chance = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    network = _network(torch, int(label.max()) + 1)
    pictures, names = _planes(torch, known), torch.from_numpy(np.asarray(label))
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.05)
    steps = EPOCHS * -(-len(known) // BATCH)
    pace = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    network.train()
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(known), generator=chance).split(BATCH):
            part = _moved(torch, pictures[rows], chance)
            loss = torch.nn.functional.cross_entropy(network(part), names[rows], label_smoothing=0.1)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            pace.step()
    network.eval()
    with torch.no_grad():
        both = [network(part) + network(part.flip(3)) for part in _planes(torch, asked).split(256)]
        return torch.cat(both).softmax(1).double().numpy()


def _network(torch: Any, classes: int) -> Any:
    layers, before = [], 3
    for width in WIDTHS:
        layers += [
            torch.nn.Conv2d(before, width, 3, padding=1, bias=False),
            torch.nn.BatchNorm2d(width),
            torch.nn.ReLU(),
            torch.nn.MaxPool2d(2),
        ]
        before = width
    layers += [torch.nn.AdaptiveAvgPool2d(4), torch.nn.Flatten(), torch.nn.Dropout(0.3)]
    return torch.nn.Sequential(*layers, torch.nn.Linear(before * 16, classes))


def _planes(torch: Any, pictures: Any) -> Any:
    """(n, 3, 64, 64) from -1 to 1."""
    return torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))).float() / 127.5 - 1


def _moved(torch: Any, part: Any, chance: Any) -> Any:
    """The pictures mirrored, each with a chance of a half, and all shifted by up to four pixels."""
    flip = torch.rand(len(part), generator=chance) < 0.5
    part = torch.where(flip[:, None, None, None], part.flip(3), part)
    down, right = torch.randint(-4, 5, (2,), generator=chance).tolist()
    return part.roll((down, right), (2, 3))
