"""How sure a figure is: intervals of 95 %.

Faces of one picture are alike (one light, one crowd, one camera), so pictures are drawn anew with replacement, whole
pictures with all their faces: the bootstrap of Efron, percentiles (Efron and Tibshirani, An Introduction to the
Bootstrap, 1993, chapter 13). Wilson's interval takes faces for independent; it is the narrower of the two, and it is
of use where nearly all faces are found and drawing anew changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESAMPLES = 1000  # the ends of a 95 % interval then lie on 25 draws each
TAIL = 2.5  # percent beyond each end
Z = 1.959964  # of the normal distribution, for 95 %
LEAST_DEFINED = 0.5  # of the draws; below it too many had nothing to count for the rest to say anything


def draws(pictures: int, count: int, seed: int) -> Iterator[NDArray[np.intp]]:
    """`count` times: how often each of the pictures (p,) was drawn. The same for the same seed."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield np.bincount(rng.integers(0, pictures, pictures), minlength=pictures)


def percentile_interval(values: Any) -> tuple[float, float] | None:
    """The interval of one figure over all draws, (b,); NaN where a draw had nothing to count. None if undefined."""
    known = values[np.isfinite(values)]
    if not len(values) or len(known) < LEAST_DEFINED * len(values):
        return None
    low, high = np.percentile(known, [TAIL, 100 - TAIL])
    return float(low), float(high)


def wilson(found: float, of: int, z: float = Z) -> tuple[float, float] | None:
    """The interval of a share of independent trials. Source: Wilson, JASA 22, 1927. None without trials.

    found: how many succeeded; a part of one where a tie was shared out. z: how many standard deviations to each side.
    """
    if not of:
        return None
    share = min(1.0, found / of)
    middle = share + z * z / (2 * of)
    reach = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    scale = 1 + z * z / of
    return max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale)
