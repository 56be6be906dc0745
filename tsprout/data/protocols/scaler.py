"""One affine map a channel, ``(x - offset) / scale``: all the scaling that the protocols know.

The richer, automatic scaling of the main job is :mod:`tsprout.data.scaling`; this one is what benchmarks compare with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from tsprout.errors import InputError

Kind = Literal["z-score", "min-max", "none"]


@dataclass(frozen=True, eq=False)
class Standardizer:
    """``offset`` and ``scale``, float64 ``(channels,)`` in the units of the data; ``scale`` is never 0.

    Arrays are ``(n, channels, length)`` or ``(channels, steps)``, NaN where missing, and stay so.
    """

    offset: np.ndarray
    scale: np.ndarray
    kind: Kind = "z-score"

    @classmethod
    def fit(cls, values: np.ndarray, kind: Kind = "z-score") -> Standardizer:
        """Mean and (population) standard deviation, or minimum and range, of each channel over its observed cells; or
        0 and 1, so that values stay as they are.

        A channel that does not vary gets the scale 1, one without any value also the offset 0.

        Args:
            values: ``(n, channels, length)`` or ``(channels, steps)``.

        Raises:
            InputError: another number of axes, or an unknown ``kind``.
        """
        if kind not in get_args(Kind):
            raise InputError(f"no scaling is called {kind!r}", fix="There are z-score, min-max and none.")
        if values.ndim not in (2, 3):
            raise InputError(
                f"values have {values.ndim} axes, but (n, channels, length) or (channels, steps) is needed"
            )
        channels = values.shape[-2]
        offset, scale = np.zeros(channels), np.ones(channels)
        for i in range(channels if kind != "none" else 0):
            cells = np.asarray(values[..., i, :], np.float64)
            cells = cells[np.isfinite(cells)]
            if not cells.size:
                continue
            low, high = cells.min(), cells.max()
            # Where all values are equal their mean may differ from them by rounding, and so may their deviation from 0.
            offset[i] = low if kind == "min-max" or low == high else cells.mean()
            spread = high - low if kind == "min-max" else cells.std()
            if low < high and spread > 0:
                scale[i] = spread
        return cls(offset, scale, kind)

    def transform(self, values: np.ndarray) -> np.ndarray:
        """From the units of the data to scaled values, float32, same shape.

        Raises:
            InputError: another number of channels.
        """
        offset, scale = self._columns(values)
        return np.asarray((values - offset) / scale, np.float32)

    def inverse(self, values: np.ndarray) -> np.ndarray:
        """From scaled values to the units of the data, float32, same shape.

        Raises:
            InputError: another number of channels.
        """
        offset, scale = self._columns(values)
        return np.asarray(values * scale + offset, np.float32)

    def _columns(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if values.ndim not in (2, 3) or values.shape[-2] != len(self.offset):
            raise InputError(f"values have shape {values.shape}, but the scaler knows {len(self.offset)} channels")
        return self.offset[:, None], self.scale[:, None]
