r"""Tail error: are the rarest values of every channel as extreme as the real ones.

The expected shortfall of a tail at level :math:`p` is the mean of the outermost share :math:`p` of the values, here at
1, 0.5, 0.2 and 0.1 %. The score is the mean absolute difference of real and synthetic shortfall over both tails, the
levels and the channels, in standard deviations of the real channel. A level that holds fewer than five values on either
side says nothing and is left out; the 1 % level always counts, if only by the single largest value.
"""

from __future__ import annotations

import numpy as np

from tsprout.metrics.base import LOWER, PairMetric, mean_or_nan
from tsprout.metrics.reference import standardised

LEVELS = (0.01, 0.005, 0.002, 0.001)
_ENOUGH = 5  # values in a tail


def shortfalls(values: np.ndarray, levels: tuple[float, ...] = LEVELS) -> np.ndarray:
    """Mean of the outermost shares ``levels`` of ``values`` (n,), n >= 1: ``(2, n_levels)``, lower tail first."""
    count = len(values)
    sizes = [max(round(level * count), 1) for level in levels]
    widest = max(sizes)
    if 2 * widest < count:
        split = np.partition(values, [widest - 1, count - widest])
        low, high = np.sort(split[:widest]), np.sort(split[count - widest :])
    else:
        low = high = np.sort(values)
    return np.array([[low[:size].mean() for size in sizes], [high[-size:].mean() for size in sizes]])


def channel_errors(real: np.ndarray, synthetic: np.ndarray) -> np.ndarray:
    """Tail error ``(C, 2)`` of the lower and upper tail of every channel of two stacks (n, C, L); NaN where unknown."""
    errors = np.full((real.shape[1], 2), np.nan)
    for channel in range(real.shape[1]):
        first, second = (rows[:, channel][~np.isnan(rows[:, channel])] for rows in (real, synthetic))
        size = min(len(first), len(second))
        if size:
            levels = LEVELS[:1] + tuple(level for level in LEVELS[1:] if level * size >= _ENOUGH)
            errors[channel] = np.abs(shortfalls(first, levels) - shortfalls(second, levels)).mean(axis=1)
    return errors


def _compare(real: np.ndarray, synthetic: np.ndarray, seed: int) -> float:
    return mean_or_nan(channel_errors(real, synthetic))


TAILS = PairMetric(
    name="tails",
    title="Tail error",
    direction=LOWER,
    range=(0.0, float("inf")),
    unit="sd",
    explanation="How far the most extreme values of a channel are from the real ones, in real standard deviations.",
    prepare=standardised,
    compare=_compare,
)
