r"""Autocorrelation error: does a value depend on the values before it as it does in the real series.

With one mean :math:`\mu` and one variance per channel, taken over the whole set, the autocorrelation at lag :math:`k`
is :math:`r_k = \langle (x_t - \mu)(x_{t+k} - \mu) \rangle / \langle (x_t - \mu)^2 \rangle`, averaged over all series
and all pairs of observed cells. Series that live on different levels therefore count as correlated, which a per-series
mean would hide. The score is the mean of :math:`|r_k - \hat r_k|` over lags and channels. Levels dominate slow series,
so the same is done for the increments :math:`x_{t+1} - x_t`.
"""

from __future__ import annotations

import numpy as np

from tsprout.metrics.base import LOWER, PairMetric, mean_or_nan
from tsprout.metrics.reference import Reference, standardised

MAX_LAGS = 24
_FLAT = 1e-10  # variance, in units of the real one, below which a channel does not move


def lags(length: int) -> np.ndarray:
    """Lags 1 ... ``length - 1`` while at most 24; otherwise at most 24, ever sparser, up to half the length."""
    if length - 1 <= MAX_LAGS:
        return np.arange(1, length)
    return np.unique(np.geomspace(1, max(length // 2, MAX_LAGS), MAX_LAGS).round().astype(int))


def moments(values: np.ndarray) -> np.ndarray:
    """Per series the sums ``(n, C, 1 + n_lags, 4)``: pairs, products, first and second members; lag 0 comes first."""
    seen = ~np.isnan(values)
    filled = np.where(seen, values, 0.0)
    length = values.shape[-1]
    steps = np.concatenate([[0], lags(length)]) if length else np.empty(0, dtype=int)
    sums = np.empty((*values.shape[:2], len(steps), 4))
    for row, lag in enumerate(steps):
        both = seen[..., : length - lag] & seen[..., lag:]
        first, second = filled[..., : length - lag], filled[..., lag:]
        sums[..., row, 0] = both.sum(axis=-1)
        sums[..., row, 1] = np.einsum("nct,nct->nc", first, second)
        sums[..., row, 2] = np.where(both, first, 0.0).sum(axis=-1)
        sums[..., row, 3] = np.where(both, second, 0.0).sum(axis=-1)
    return sums


def autocorrelation(sums: np.ndarray) -> np.ndarray:
    """Autocorrelation ``(C, n_lags)`` of a set from the :func:`moments` of its series; NaN where it is not defined."""
    pairs, products, first, second = np.moveaxis(sums.sum(axis=0), -1, 0)
    if pairs.shape[1] < 2:
        return np.full((pairs.shape[0], 0), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (first / pairs)[:, :1]
        covariance = (products - mean * (first + second)) / pairs + mean**2
        variance = covariance[:, :1]
        return np.where(variance > _FLAT, covariance / variance, np.nan)[:, 1:]


def _compare(real: np.ndarray, synthetic: np.ndarray, seed: int) -> float:
    first, second = autocorrelation(real), autocorrelation(synthetic)
    undefined = np.isnan(first) & np.isnan(second)
    error = np.abs(np.nan_to_num(first) - np.nan_to_num(second))
    return mean_or_nan(np.where(undefined, np.nan, error))


def _levels(values: np.ndarray, reference: Reference) -> np.ndarray:
    return moments(standardised(values, reference))


def _increments(values: np.ndarray, reference: Reference) -> np.ndarray:
    return moments(np.diff(standardised(values, reference), axis=-1))


AUTOCORRELATION = PairMetric(
    name="autocorrelation",
    title="Autocorrelation error",
    direction=LOWER,
    range=(0.0, 2.0),
    unit="",
    explanation="How differently a value depends on earlier values of its own channel, levels of the series included.",
    prepare=_levels,
    compare=_compare,
)

INCREMENTS = PairMetric(
    name="increments",
    title="Autocorrelation error of increments",
    direction=LOWER,
    range=(0.0, 2.0),
    unit="",
    explanation="How differently a step up or down depends on the steps before it.",
    prepare=_increments,
    compare=_compare,
)
