r"""Maximum mean discrepancy: are whole series distributed like the real ones, in every respect a kernel sees.

.. math:: d^2 = 1 - \frac{2 \langle k(x, y) \rangle}{\langle k(x, x') \rangle + \langle k(y, y') \rangle}

with :math:`k(x, y) = e^{-|x-y|^2 / 2 h^2}` on random-convolution features, averaged over three bandwidths :math:`h`:
half, once and twice the median distance of real series. Numerator and denominator are the unbiased estimates (a series
is not compared with itself) of Gretton et al. 2012 (JMLR 13:723); their ratio is the squared discrepancy on a scale
where 0 is the same distribution and 1 is nothing in common. The score is its root. Where chance makes the square
negative, the root of a single comparison is so too, and the mean over comparisons of one distribution is near 0. Where
the Frechet distance compares mean and covariance only, this sees every moment.
"""

from __future__ import annotations

import numpy as np

from tsprout.metrics.base import LOWER, PairMetric
from tsprout.metrics.neighbours import MOST, distances, thinned
from tsprout.metrics.reference import features

BANDWIDTHS = (0.5, 1.0, 2.0)  # times the median distance
_FLAT = 1e-6


def squared_mmd(real: np.ndarray, synthetic: np.ndarray) -> float:
    """Normalised, unbiased squared discrepancy of two stacks of rows (n, d), at most 1; NaN below two rows a side."""
    n, m = len(real), len(synthetic)
    if min(n, m) < 2:
        return float("nan")
    within, across, other = distances(real, real), distances(real, synthetic), distances(synthetic, synthetic)
    middle = max(float(np.median(within[np.triu_indices(n, k=1)])), _FLAT)
    total = 0.0
    for factor in BANDWIDTHS:
        first, both, second = (np.exp(-0.5 * (table / (factor * middle)) ** 2) for table in (within, across, other))
        own = (first.sum() - np.trace(first)) / (n * (n - 1)) + (second.sum() - np.trace(second)) / (m * (m - 1))
        total += 1 - 2 * both.mean() / own if own > 0 else 1.0
    return float(total / len(BANDWIDTHS))


def _compare(real: np.ndarray, synthetic: np.ndarray, seed: int) -> float:
    square = squared_mmd(thinned(real, MOST), thinned(synthetic, MOST))
    return float(np.sign(square) * np.sqrt(np.abs(square)))  # below zero by chance; clipped once draws are averaged


MMD = PairMetric(
    name="mmd",
    title="Maximum mean discrepancy",
    direction=LOWER,
    range=(0.0, 1.0),
    unit="",
    explanation="How far whole series are from real ones in distribution: 0 is the same, 1 is nothing in common.",
    prepare=features,
    compare=_compare,
    fills=True,
)
