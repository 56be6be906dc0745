"""Quantile error: does every channel take its values as often as the real one, tails included.

For each channel the mean absolute difference of 101 quantiles (0.5 %, 1 % ... 99 %, 99.5 %) over all series and time
steps, in standard deviations of the real channel, averaged over channels: a discretised 1-Wasserstein distance.
"""

from __future__ import annotations

import numpy as np

from tsprout.metrics.base import LOWER, PairMetric, mean_or_nan
from tsprout.metrics.reference import standardised

LEVELS = np.concatenate([[0.005], np.arange(1, 100) / 100, [0.995]])


def quantiles(rows: np.ndarray) -> np.ndarray:
    """Quantiles ``(C, 101)`` of ``rows`` (n, C, L) pooled over series and time; NaN for a channel without a value."""
    if not np.isnan(rows).any():
        return np.quantile(rows.transpose(1, 0, 2).reshape(rows.shape[1], -1), LEVELS, axis=1).T
    table = np.full((rows.shape[1], len(LEVELS)), np.nan)
    for channel in range(rows.shape[1]):
        pooled = rows[:, channel].ravel()
        pooled = pooled[~np.isnan(pooled)]
        if pooled.size:
            table[channel] = np.quantile(pooled, LEVELS)
    return table


def channel_errors(real: np.ndarray, synthetic: np.ndarray) -> np.ndarray:
    """Quantile error ``(C,)`` of every channel; NaN where one side has no value."""
    return np.abs(quantiles(real) - quantiles(synthetic)).mean(axis=1)


def _compare(real: np.ndarray, synthetic: np.ndarray, seed: int) -> float:
    return mean_or_nan(channel_errors(real, synthetic))


MARGINAL = PairMetric(
    name="marginal",
    title="Quantile error",
    direction=LOWER,
    range=(0.0, float("inf")),
    unit="sd",
    explanation="How far the values of a channel are from the real ones at equal rank, in real standard deviations.",
    prepare=standardised,
    compare=_compare,
)
