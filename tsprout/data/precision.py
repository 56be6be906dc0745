"""What ``float32`` leaves of a channel, told while the numbers are still at hand as they came.

Values are kept with about seven digits. A channel that varies little around a high level, such as a frequency in hertz
or a northing in metres, loses its variation by that, and nobody would see it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tsprout.arrays import numbers
from tsprout.data.numbers import EXACT_INTEGER

# A rounding error of so much of the spread is told; a spread of less than so much of the level is itself rounding.
_TOLD, _NOISE = 0.01, 1e-12
_FIX = "subtracting its level (for instance its first value) beforehand keeps what matters"


class Precision:
    """Watches channels that come in pieces; :meth:`notices` says what was lost."""

    def __init__(self, channels: Sequence[str]) -> None:
        self.channels = tuple(channels)
        n = len(self.channels)
        self._first = np.full(n, np.nan)
        self._sums = np.zeros((n, 4))  # how many, their sum and sum of squares from the first one on, squared errors
        self._exact = np.tile([np.inf, -np.inf], (n, 1))
        self._kept = self._exact.copy()
        self._whole = np.ones(n, bool)

    def add(self, channel: int, exact: np.ndarray, kept: np.ndarray, whole: bool | None = None) -> None:
        """Take a piece of a channel: its numbers as they came, and as they are kept; not finite is missing.

        ``whole``: whether all are whole numbers, where the caller has looked already.
        """
        seen = np.isfinite(exact)
        if not seen.all():
            exact, kept = exact[seen], kept[seen]
        if not exact.size:
            return
        exact = exact.astype(np.float64, copy=False)
        if np.isnan(self._first[channel]):
            self._first[channel] = exact[0]
        away, error = exact - self._first[channel], kept - exact
        self._sums[channel] += [exact.size, away.sum(), away @ away, error @ error]
        for ends, part in ((self._exact, exact), (self._kept, kept)):
            ends[channel] = min(ends[channel, 0], part.min()), max(ends[channel, 1], part.max())
        if self._whole[channel]:
            self._whole[channel] = np.array_equal(exact, np.rint(exact)) if whole is None else whole

    def notices(self) -> list[str]:
        """A sentence for each channel that lost something that matters."""
        told = [self._notice(j, name) for j, name in enumerate(self.channels)]
        return [text for text in told if text is not None]

    def _notice(self, j: int, name: str) -> str | None:
        count, total, squares, errors = self._sums[j]
        if not count:
            return None
        spread = np.sqrt(max(squares / count - (total / count) ** 2, 0.0))
        error, largest = np.sqrt(errors / count), float(np.abs(self._exact[j]).max())
        if spread > _NOISE * largest and error > _TOLD * spread:
            what = f"channel {name!r} varies little around {self._first[j]:.6g}"
            if self._kept[j, 0] == self._kept[j, 1]:
                return f"{what} and is constant as 32-bit numbers; {_FIX}"
            share = f"{100 * error / spread:.2g} %"
            return f"{what}: as 32-bit numbers its values are off by {share} of their spread; {_FIX}"
        if self._whole[j] and largest > EXACT_INTEGER:
            return f"channel {name!r} has numbers above {EXACT_INTEGER}, which are kept to 7 digits only"
        return None


def array_notices(exact: np.ndarray, kept: np.ndarray, channels: Sequence[str]) -> list[str]:
    """The notices about an array ``(n_series, n_channels, length)`` as it came, and as it is kept (NaN is missing)."""
    if exact.dtype.itemsize <= 2 or exact.dtype == np.float32:
        return []
    exact = numbers(exact)
    watch = Precision(channels)
    for j in range(len(watch.channels)):
        seen = np.isfinite(kept[:, j])
        watch.add(j, exact[:, j][seen], kept[:, j][seen])
    return watch.notices()
