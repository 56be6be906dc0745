"""The ruler of all metrics: per-channel mean and standard deviation of the real series, and the care of gaps.

Everything is measured in standard deviations of the real channel, so that scores of different data sets and channels
can be put side by side. A gap is a cell that was not observed (NaN), wherever it lies; a series that is shorter than
the array is long has a gap at its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from tsprout.errors import InputError
from tsprout.metrics.features import KernelBank

_LARGEST = float(np.finfo(np.float32).max)
_AXES = "Give an array (n_series, n_channels, length) with at least one series, channel and time step."
_SAMPLE = 512  # series from which thresholds are read; more does not move a quantile that matters


def check(values: ArrayLike, name: str) -> np.ndarray:
    """A float64 copy-free view of ``values``, checked to be ``(n_series, n_channels, length)`` with no infinite cell.

    Raises:
        InputError: other dimensions, no series, no cell observed, or infinite values.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError("these are not numbers in equal rows", where=f"{name} series", fix=_AXES) from error
    if array.ndim != 3 or 0 in array.shape:
        raise InputError(
            f"an array of shape {array.shape} cannot be scored",
            where=f"{name} series",
            fix=_AXES,
        )
    if np.isinf(array).any():
        channel = int(np.argwhere(np.isinf(array))[0][1])
        raise InputError(
            f"infinite values in channel {channel}",
            where=f"{name} series",
            fix="Replace them by NaN if they stand for missing values.",
        )
    if (np.abs(array) > _LARGEST).any():
        what = f"values beyond {_LARGEST:.2g}, the largest number of 32 bits"
        raise InputError(what, where=f"{name} series", fix="Give them in a larger unit.")
    if np.isnan(array).all():
        raise InputError("not a single value is observed", where=f"{name} series")
    return array


def extent(values: np.ndarray) -> int:
    """Number of time steps up to the last one that any series observes."""
    return int(np.flatnonzero(~np.isnan(values).all(axis=(0, 1)))[-1]) + 1


def align(
    real: ArrayLike, synthetic: ArrayLike, names: tuple[str, str] = ("real", "synthetic")
) -> tuple[np.ndarray, np.ndarray]:
    """Both arrays checked and cut to the time steps they share; ``names`` say in messages what they are.

    Raises:
        InputError: an array cannot be scored, the channel counts differ, or a whole channel was not generated.
    """
    first, second = check(real, names[0]), check(synthetic, names[1])
    if first.shape[1] != second.shape[1]:
        raise InputError(
            f"the {names[0]} series have {first.shape[1]} channels and the {names[1]} series {second.shape[1]}",
            fix="Compare sets with the same channels in the same order; arrays are (n_series, n_channels, length).",
        )
    length = min(extent(first), extent(second))
    first, second = first[..., :length], second[..., :length]
    lost = np.isnan(second).all(axis=(0, 2)) & ~np.isnan(first).all(axis=(0, 2))
    if lost.any():
        raise InputError(f"channel {int(np.flatnonzero(lost)[0])} holds no value at all", where=f"{names[1]} series")
    return first, second


def share_gaps(values: np.ndarray, others: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """``values`` (n, C, L) with the gaps of randomly drawn ``others`` (k, C, L) added to their own.

    Filled gaps are smooth, so a set without gaps would be told from one with gaps by that alone. After both sets took
    the gaps of the other, the gaps tell nothing. A series that would lose every cell of a channel keeps that channel,
    unless ``others`` lack it whole in some series and ``values`` in none, which would tell them apart, too.
    """
    gaps = np.isnan(others)
    if not gaps.any():
        return values
    drawn = gaps[rng.integers(len(gaps), size=len(values))]
    masked = np.where(drawn, np.nan, values)
    emptied = np.isnan(masked).all(axis=2, keepdims=True)
    always_there = ~np.isnan(values).all(axis=2, keepdims=True).any(axis=0)
    lacked = drawn.all(axis=2, keepdims=True) & always_there
    return np.where(emptied & ~lacked, values, masked)


def fill(values: np.ndarray) -> np.ndarray:
    """Gaps of ``values`` (n, C, L) bridged by straight lines, and by the nearest value at both ends.

    A channel of a series without any value becomes 0, the mean of standardised values.
    """
    missing = np.isnan(values)
    if not missing.any():
        return values
    length = values.shape[-1]
    steps = np.broadcast_to(np.arange(length), values.shape)
    before = np.maximum.accumulate(np.where(missing, -1, steps), axis=-1)
    after = np.minimum.accumulate(np.where(missing, length, steps)[..., ::-1], axis=-1)[..., ::-1]
    empty = missing.all(axis=-1, keepdims=True)
    left = np.where(before < 0, after, before)
    right = np.where(after == length, before, after)
    left, right = np.where(empty, 0, left), np.where(empty, 0, right)
    low, high = np.take_along_axis(values, left, -1), np.take_along_axis(values, right, -1)
    share = (steps - left) / np.maximum(right - left, 1)
    return np.where(empty, 0.0, low + share * (high - low))


@dataclass(frozen=True, eq=False)
class Reference:
    """Scale of the real series and the random kernels fitted to them.

    Attributes:
        mean: ``(C,)`` mean of every channel over all observed cells.
        scale: ``(C,)`` standard deviation; of a constant channel its magnitude, or 1 where that is 0.
        constant: ``(C,)`` bool, channels that do not move.
        sample: ``(k, C, L)`` standardised real series from which thresholds are read, evenly spread over the set.
        seed: seed of the random kernels.
    """

    mean: np.ndarray
    scale: np.ndarray
    constant: np.ndarray
    sample: np.ndarray
    seed: int

    @classmethod
    def fit(cls, real: np.ndarray, *, seed: int = 0) -> Reference:
        """Measure ``real`` (n, C, L); cells may be NaN, a channel without any value gets mean 0 and scale 1."""
        seen = ~np.isnan(real)
        count = np.maximum(seen.sum(axis=(0, 2)), 1)
        mean = np.where(seen, real, 0.0).sum(axis=(0, 2)) / count
        centred = np.where(seen, real - mean[:, None], 0.0)
        spread = np.sqrt((centred**2).sum(axis=(0, 2)) / count)
        magnitude = np.abs(mean)
        constant = spread <= 1e-9 * np.maximum(magnitude, 1e-300)
        scale = np.where(constant, np.where(magnitude > 0, magnitude, 1.0), spread)
        chosen = np.unique(np.linspace(0, len(real) - 1, min(_SAMPLE, len(real))).round().astype(int))
        return cls(mean, scale, constant, (real[chosen] - mean[:, None]) / scale[:, None], seed)

    def standardise(self, values: np.ndarray) -> np.ndarray:
        """``values`` (n, C, L) in standard deviations of the real channel from its mean; NaN stays NaN."""
        return (values - self.mean[:, None]) / self.scale[:, None]

    @cached_property
    def bank(self) -> KernelBank:
        """Random kernels whose thresholds and feature scales are read from :attr:`sample`."""
        return KernelBank.fit(fill(self.sample), seed=self.seed)


def standardised(values: np.ndarray, reference: Reference) -> np.ndarray:
    """Rows ``(n, C, L)`` in units of the real channel, gaps kept."""
    return reference.standardise(values)


def features(values: np.ndarray, reference: Reference) -> np.ndarray:
    """Rows ``(n, n_features)`` of random-convolution features of the standardised, filled series."""
    return reference.bank.transform(fill(reference.standardise(values)))
