"""Stored values and shown ones, with nothing lost in either direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceveil.types import Pixels


@dataclass(frozen=True, slots=True)
class Levels:
    """How stored values and a frame's values belong together, without any loss in either direction.

    8 bits are shown as they are. More bits are stretched by a whole number over what the file really uses, from `low`
    to `high`: 12 bits in a 16-bit word would be a black picture, and a detector would find no face in it.
    inverted: stored white is shown black (MONOCHROME1). padding: a stored value outside, which is shown black.
    sixteen: whether the frame has 16 bits.
    """

    low: int = 0
    high: int = 255
    inverted: bool = False
    padding: int | None = None
    sixteen: bool = False

    @property
    def _same(self) -> bool:
        """Whether stored values are shown as they are."""
        return self.low == 0 and self._gain == 1 and not self.inverted and self.padding is None

    @property
    def _gain(self) -> int:
        top = 65535 if self.sixteen else 255
        return max(1, top // max(1, self.high - self.low + self._first))

    @property
    def _first(self) -> int:
        return 0 if self.padding is None else 1  # level 0 is the padding's alone

    def shown(self, stored: NDArray[Any]) -> Pixels:
        """The frame's values, uint8 or uint16, of stored ones of any integer type."""
        kind: type[np.uint8 | np.uint16] = np.uint16 if self.sixteen else np.uint8
        if self._same:
            return cast("Pixels", stored.astype(kind, copy=False))
        wide = stored.astype(np.int32)
        steps = self.high - wide if self.inverted else wide - self.low
        steps += self._first
        steps *= self._gain
        if self.padding is not None:
            steps[wide == self.padding] = 0
        return cast("Pixels", steps.astype(kind))

    def stored(self, shown: Pixels) -> NDArray[Any]:
        """The stored values: exactly those that `shown` was given, and the nearest ones for painted pixels."""
        if self._same:
            return np.minimum(shown, self.high) if self.high < np.iinfo(shown.dtype).max else shown
        gain = self._gain
        steps = (shown.astype(np.int32) + gain // 2) // gain
        values = np.clip(steps - self._first, 0, self.high - self.low)
        values = self.high - values if self.inverted else values + self.low
        if self.padding is not None:
            values[steps == 0] = self.padding
        return values
