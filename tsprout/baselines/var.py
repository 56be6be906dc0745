r"""Vector autoregression over all shots: :math:`x_t = a + \sum_k A_k x_{t-k} + e_t`.

Lütkepohl, *New Introduction to Multiple Time Series Analysis*, 2005. Coefficients by ridge regression over the steps of
all shots (Hoerl and Kennard, Technometrics 12, 1970), order 1 to 4 and penalty by leave-one-out error. If the fit is
not stable, it is damped until it is (roots of modulus 0.999 at most). Errors are Gaussian, covariance shrunk. A series
begins as one of the shots begins, for as many steps as the order. Linear, the same law at all times: no seasons, no
events, and levels drift back to the common one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from tsprout.baselines._shrunk import gaussian
from tsprout.baselines.contract import LatentBaseline, Progress
from tsprout.baselines.hyperparameters import whole_numbers

_PENALTIES = np.logspace(-3, 4, 15)
_RADIUS = 0.999


@dataclass(eq=False)
class Var(LatentBaseline):
    """A stable vector autoregression of order ``most_lags`` at most."""

    name: ClassVar[str] = "var"
    summary: ClassVar[str] = "vector autoregression over all input series, shrunk and stable"
    source: ClassVar[str] = "Lütkepohl, New Introduction to Multiple Time Series Analysis (2005)"

    most_lags: int = 4

    _start: np.ndarray = field(init=False, default_factory=lambda: np.zeros(0), repr=False)
    _lags: np.ndarray = field(init=False, default_factory=lambda: np.zeros((0, 0, 0)), repr=False)
    _root: np.ndarray = field(init=False, default_factory=lambda: np.zeros((0, 0)), repr=False)

    def __post_init__(self) -> None:
        whole_numbers(most_lags=self.most_lags)

    def _fit(self, latent: np.ndarray, lengths: np.ndarray, seed: int, progress: Progress | None) -> None:
        most = max(1, min(self.most_lags, int(lengths.min()) // 2))
        before, after = _rows(latent, lengths, most)
        channels = latent.shape[1]
        best: tuple[float, np.ndarray, np.ndarray] | None = None
        for order in range(1, most + 1):
            error, weights, start = _ridge(before[:, : order * channels], after)
            if best is None or error < best[0]:
                best = error, weights, start
        assert best is not None
        _, weights, start = best
        lags = weights.reshape(-1, channels, channels).transpose(0, 2, 1)
        lags = _stable(lags)
        known = before[:, : len(lags) * channels] @ lags.transpose(0, 2, 1).reshape(-1, channels)
        start = (after - known).mean(axis=0)
        self._lags, self._start, self._root = lags, start, gaussian(after - known - start)[1]

    def _draw(self, own: np.ndarray, lengths: np.ndarray, picked: np.ndarray, seed: int) -> np.ndarray:
        order, length = len(self._lags), own.shape[2]
        noise = np.random.default_rng(seed).standard_normal((length - order, len(picked), own.shape[1]))
        steps = np.empty((length, len(picked), own.shape[1]))
        steps[:order] = own[picked][:, :, :order].transpose(2, 0, 1)
        for t in range(order, length):
            steps[t] = self._start + noise[t - order] @ self._root.T
            for k in range(order):
                steps[t] += steps[t - 1 - k] @ self._lags[k].T
        return steps.transpose(1, 2, 0).astype(np.float32)

    def _state(self) -> dict[str, np.ndarray]:
        return {"start": self._start, "lags": self._lags, "root": self._root}

    def _restore(self, state: Mapping[str, np.ndarray]) -> None:
        self._start, self._lags, self._root = state["start"], state["lags"], state["root"]


def _rows(latent: np.ndarray, lengths: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """All steps that have ``most`` before them: those, latest first, ``(m, most * channels)``, and they themselves."""
    before, after = [], []
    for row, own in zip(latent, lengths, strict=True):
        steps = row[:, :own].T.astype(np.float64)
        after.append(steps[most:])
        before.append(np.concatenate([steps[most - 1 - k : own - 1 - k] for k in range(most)], axis=1))
    return np.concatenate(before), np.concatenate(after)


def _ridge(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Leave-one-out error, weights ``(p, channels)`` and constant of the best penalty; the constant is not shrunk."""
    centre, level = x.mean(axis=0), y.mean(axis=0)
    left, size, right = np.linalg.svd(x - centre, full_matrices=False)
    projected = left.T @ (y - level)
    best: tuple[float, np.ndarray] | None = None
    for penalty in _PENALTIES:
        kept = size**2 / (size**2 + penalty)
        residual = y - level - left @ (kept[:, None] * projected)
        leverage = 1 / len(x) + (left**2) @ kept
        error = float(np.mean((residual / np.maximum(1 - leverage, 1e-6)[:, None]) ** 2))
        if best is None or error < best[0]:
            best = error, right.T @ ((size / (size**2 + penalty))[:, None] * projected)
    assert best is not None
    return best[0], best[1], level - centre @ best[1]


def _stable(lags: np.ndarray) -> np.ndarray:
    r"""Coefficients ``(order, channels, channels)`` with all roots within the bound.

    :math:`A_k \gamma^k` has the roots of :math:`A_k`, times :math:`\gamma`.
    """
    order, channels, _ = lags.shape
    companion = np.eye(order * channels, k=-channels)
    companion[:channels] = lags.transpose(1, 0, 2).reshape(channels, -1)
    radius = float(np.abs(np.linalg.eigvals(companion)).max())
    damp = min(1.0, _RADIUS / radius) if radius > 0 else 1.0
    return lags * damp ** np.arange(1, order + 1)[:, None, None]
