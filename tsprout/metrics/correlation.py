"""Correlation error: do the channels move together as the real ones do.

The mean absolute difference of the correlation matrices of the channels, over all pairs of different channels. Cells of
all series and time steps are pooled; each pair of channels uses the cells where both were observed. With one channel
there is nothing to compare and the score is NaN.
"""

from __future__ import annotations

import numpy as np

from tsprout.metrics.base import LOWER, PairMetric, mean_or_nan
from tsprout.metrics.reference import standardised

_FLAT = 1e-10  # variance, in units of the real one, below which a channel does not move


def correlations(rows: np.ndarray) -> np.ndarray:
    """Correlation matrix ``(C, C)`` of ``rows`` (n, C, L) over all cells; NaN where a channel does not move."""
    cells = rows.transpose(1, 0, 2).reshape(rows.shape[1], -1)
    seen = ~np.isnan(cells)
    weight = seen.astype(np.float64)
    filled = np.where(seen, cells, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        count = weight @ weight.T
        mean = filled @ weight.T / count  # mean of the row channel over the cells shared with the column channel
        variance = np.square(filled) @ weight.T / count - mean**2
        product = filled @ filled.T / count - mean * mean.T
        moves = (variance > _FLAT) & (variance.T > _FLAT)
        return np.where(moves, np.clip(product / np.sqrt(variance * variance.T), -1.0, 1.0), np.nan)


def _compare(real: np.ndarray, synthetic: np.ndarray, seed: int) -> float:
    upper = np.triu_indices(real.shape[1], k=1)
    first, second = correlations(real)[upper], correlations(synthetic)[upper]
    undefined = np.isnan(first) & np.isnan(second)
    error = np.abs(np.nan_to_num(first) - np.nan_to_num(second))
    return mean_or_nan(np.where(undefined, np.nan, error))


CORRELATION = PairMetric(
    name="correlation",
    title="Correlation error",
    direction=LOWER,
    range=(0.0, 2.0),
    unit="",
    explanation="How differently the channels move together, as a mean difference of correlation coefficients.",
    prepare=standardised,
    compare=_compare,
)
