r"""Frechet distance of random-convolution features: are whole series distributed like the real ones.

.. math:: d^2 = |\mu - \hat\mu|^2 + \operatorname{tr}(S + \hat S - 2 (S^{1/2} \hat S S^{1/2})^{1/2})

of the first 64 features of :mod:`tsprout.metrics.features`, in units of their real standard deviation (logarithmic far
out) and divided by their number: 1 means that features are off by about one real standard deviation. Covariances are
shrunk towards a multiple of the identity (Ledoit and Wolf 2004), which matters for a handful of series and vanishes for
many. Fixed random features, unlike a learned embedding, need no training and give the same score every time.
"""

from __future__ import annotations

import numpy as np

from tsprout.metrics.base import LOWER, PairMetric
from tsprout.metrics.reference import features

N_FEATURES = 64


def shrunk_covariance(rows: np.ndarray) -> np.ndarray:
    """Ledoit-Wolf covariance ``(d, d)`` of ``rows`` (n, d), n >= 2."""
    n, d = rows.shape
    centred = rows - rows.mean(axis=0)
    covariance = centred.T @ centred / n
    level = np.trace(covariance) / d
    off = np.sum(covariance**2) / d - level**2
    noise = (np.mean(np.sum(centred**2, axis=1) ** 2) - np.sum(covariance**2)) / (n * d)
    share = 1.0 if off <= 1e-12 * level**2 else float(np.clip(noise / off, 0.0, 1.0))
    unbiased = covariance * n / (n - 1)
    return (1 - share) * unbiased + share * (np.trace(unbiased) / d) * np.eye(d)


def frechet(real: np.ndarray, synthetic: np.ndarray) -> float:
    """Squared Frechet distance per feature of two stacks of feature rows ``(n, d)``; NaN with fewer than two rows."""
    if min(len(real), len(synthetic)) < 2:
        return float("nan")
    first, second = shrunk_covariance(real), shrunk_covariance(synthetic)
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    overlap = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second @ root), 0.0)).sum()
    shift = np.sum((real.mean(axis=0) - synthetic.mean(axis=0)) ** 2)
    return float(shift + np.trace(first) + np.trace(second) - 2 * overlap) / real.shape[1]


def _compare(real: np.ndarray, synthetic: np.ndarray, seed: int) -> float:
    return frechet(real[:, :N_FEATURES], synthetic[:, :N_FEATURES])


FRECHET = PairMetric(
    name="frechet",
    title="Frechet distance",
    direction=LOWER,
    range=(0.0, float("inf")),
    unit="",
    explanation="How far whole series, seen through fixed random features, are from real ones in mean and spread.",
    prepare=features,
    compare=_compare,
    fills=True,
)
