"""Discriminative score: can a classifier tell synthetic series from real ones.

A ridge classifier on random-convolution features (the combination that ROCKET made standard for time series) is trained
on four fifths of both sets and tested on the last fifth, five times; classes are balanced. The score is the accuracy
above chance: 0 when the classifier is guessing, 0.5 when it is always right. The strength of the ridge is chosen on the
training part alone by exact leave-one-out residuals.

Windows cut from one recording overlap. Were they spread over the folds at random, a classifier could recognise a test
window by its neighbour. So each fold is a handful of stretches of consecutive series, the same stretches in both sets.
"""

from __future__ import annotations

import numpy as np

from tsprout.metrics.base import LOWER, PairMetric
from tsprout.metrics.reference import features

FOLDS = 5
_STRETCHES = 4  # stretches of consecutive series in each fold
_RIDGES = (1e-3, 1e-2, 1e-1, 1.0)  # times the number of rows


def folds(n: int) -> np.ndarray:
    """Fold ``(n,)`` of every series of a set of ``n``, by position only."""
    count = min(FOLDS, n)
    return (np.arange(n) * min(count * _STRETCHES, n) // n) % count


def ridge_scores(train: np.ndarray, target: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Predictions ``(k,)`` for ``test`` (k, d) of the ridge regression of ``target`` (n,) on ``train`` (n, d).

    The ridge is the one of ``_RIDGES`` with the smallest leave-one-out error on the training rows.
    """
    centre, offset = train.mean(axis=0), target.mean()
    spread = np.maximum(train.std(axis=0), 1e-3)
    rows, others = (train - centre) / spread, (test - centre) / spread
    n, d = rows.shape
    wide = d > n
    values, vectors = np.linalg.eigh(rows @ rows.T if wide else rows.T @ rows)
    values = np.maximum(values, 0.0)
    basis = vectors if wide else rows @ vectors
    best, weights = np.inf, np.zeros(d)
    for ridge in _RIDGES:
        inner = 1 / (values + ridge * n)
        if wide:
            dual = basis @ (inner * (basis.T @ (target - offset)))
            leverage = 1 - ridge * n * (basis**2 @ inner)
            candidate = rows.T @ dual
        else:
            projected = inner * (basis.T @ (target - offset))
            leverage = basis**2 @ inner
            candidate = vectors @ projected
        residual = (target - offset - rows @ candidate) / np.maximum(1 - leverage - 1 / n, 1e-6)
        error = float(np.mean(residual**2))
        if error < best:
            best, weights = error, candidate
    return others @ weights + offset


def advantage(real: np.ndarray, synthetic: np.ndarray) -> float:
    """Cross-validated accuracy minus one half, in [-0.5, 0.5]; NaN with fewer than two series on a side.

    Below zero the classifier did worse than guessing, which chance does with few series.
    """
    size = min(len(real), len(synthetic))
    if size < 2:
        return float("nan")
    kept = [np.linspace(0, len(rows) - 1, size).round().astype(int) for rows in (real, synthetic)]
    rows = np.concatenate([real[kept[0]], synthetic[kept[1]]])
    target = np.repeat([1.0, -1.0], size)
    fold = np.tile(folds(size), 2)
    correct = 0.0
    for held in range(fold.max() + 1):
        test = fold == held
        answer = ridge_scores(rows[~test], target[~test], rows[test])
        right = answer * target[test]
        correct += np.count_nonzero(right > 0) + 0.5 * np.count_nonzero(right == 0)
    return correct / len(target) - 0.5


def _compare(real: np.ndarray, synthetic: np.ndarray, seed: int) -> float:
    return advantage(real, synthetic)


DISCRIMINATIVE = PairMetric(
    name="discriminative",
    title="Discriminative score",
    direction=LOWER,
    range=(0.0, 0.5),
    unit="",
    explanation="How much better than by tossing a coin a classifier tells synthetic series from real ones.",
    prepare=features,
    compare=_compare,
    fills=True,
)
