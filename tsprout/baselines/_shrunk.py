r"""Covariances of few rows, shrunk towards something simple.

Ledoit and Wolf, *A well-conditioned estimator for large-dimensional covariance matrices*, Journal of Multivariate
Analysis 88 (2004): :math:`(1 - s) S + s \mu I` with the mean variance :math:`\mu` and the best weight :math:`s`.
"""

from __future__ import annotations

import numpy as np

_CELLS_AT_ONCE = 4_000_000


def shrinkage(centred: np.ndarray) -> tuple[float, float]:
    """Weight :math:`s` and mean variance of rows ``(n, p)`` about zero; no matrix but blocks of the smaller product.

    With the Gram matrix :math:`G = X X^T`: :math:`\\|S\\|^2 = \\|G\\|^2 / n^2`.
    """
    rows = centred.astype(np.float64)
    n, p = rows.shape
    squares = (rows**2).sum(axis=1)
    mean = float(squares.sum()) / (n * p)
    sides = rows.T if n > p else rows
    step = max(1, _CELLS_AT_ONCE // len(sides))
    size = sum(float(((sides[k : k + step] @ sides.T) ** 2).sum()) for k in range(0, len(sides), step)) / n**2
    distance = size / p - mean**2
    error = (float((squares**2).sum()) / n - size) / (n * p)
    weight = 1.0 if distance <= 1e-300 else min(max(error, 0.0) / distance, 1.0)
    return weight, mean


def gaussian(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean ``(p,)`` and a root ``(p, p)`` of the covariance of rows ``(n, p)``, correlations shrunk.

    One row has no spread: the root is zero.
    """
    mean = rows.mean(axis=0, dtype=np.float64)
    if len(rows) == 1:
        return mean, np.zeros((rows.shape[1], rows.shape[1]))
    deviation = rows.std(axis=0, ddof=1, dtype=np.float64)
    standard = (rows - mean) / np.where(deviation > 0, deviation, 1.0)
    weight, variance = shrinkage(standard)
    covariance = (1 - weight) * standard.T @ standard / len(rows) + weight * variance * np.eye(rows.shape[1])
    unit = np.sqrt(np.maximum(np.diag(covariance), 1e-12))
    correlation = covariance / unit / unit[:, None]
    values, vectors = np.linalg.eigh(correlation)
    return mean, deviation[:, None] * (vectors * np.sqrt(np.maximum(values, 0.0)))
