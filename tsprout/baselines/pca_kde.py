r"""Principal components with a kernel density on their coefficients.

Whole series are reduced to the components that hold 95 % of the variance (Jolliffe, *Principal Component Analysis*,
2002). The density of the coefficients is a Gaussian kernel at each shot, bandwidth :math:`n^{-1/(d+4)}` by Scott's rule
(*Multivariate Density Estimation*, 1992), and a draw is pulled towards the mean so that the spread stays that of the
shots (Silverman, *Density Estimation*, 1986, section 6.4.1). What the components leave out is not put back: series are
a little too smooth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from tsprout.baselines.contract import LatentBaseline, Progress
from tsprout.baselines.hyperparameters import numbers


@dataclass(eq=False)
class PcaKde(LatentBaseline):
    """Smoothed bootstrap in the space of the principal components that hold ``share`` of the variance."""

    name: ClassVar[str] = "pca-kde"
    summary: ClassVar[str] = "principal components, kernel density on their coefficients"
    source: ClassVar[str] = "Jolliffe 2002; Scott 1992; Silverman 1986, section 6.4.1"

    share: float = 0.95

    _mean: np.ndarray = field(init=False, default_factory=lambda: np.zeros(0), repr=False)
    _axes: np.ndarray = field(init=False, default_factory=lambda: np.zeros(0), repr=False)
    _scores: np.ndarray = field(init=False, default_factory=lambda: np.zeros((0, 0)), repr=False)

    def __post_init__(self) -> None:
        numbers(share=self.share, above=True, most=1.0)

    def _fit(self, latent: np.ndarray, lengths: np.ndarray, seed: int, progress: Progress | None) -> None:
        rows = latent.reshape(len(latent), -1).astype(np.float64)
        mean = rows.mean(axis=0)
        left, size, axes = np.linalg.svd(rows - mean, full_matrices=False)
        held = np.cumsum(size**2)
        kept = 0 if held[-1] <= 1e-12 else int(np.searchsorted(held, self.share * held[-1])) + 1
        self._mean, self._scores = mean.reshape(latent.shape[1:]), left[:, :kept] * size[:kept]
        self._axes = axes[:kept].reshape(kept, *latent.shape[1:])
        if len(latent) == 1:
            self.notes = ("one series has no components, so these are copies",)

    def _sample(self, n: int, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        count, kept = self._scores.shape
        width = count ** (-1 / (kept + 4))
        noise = width * self._scores.std(axis=0) * rng.standard_normal((n, kept))
        scores = (self._scores[rng.integers(0, count, n)] + noise) / np.sqrt(1 + width**2)
        return (self._mean + np.tensordot(scores, self._axes, 1)).astype(np.float32)

    def _state(self) -> dict[str, np.ndarray]:
        return {"mean": self._mean, "axes": self._axes, "scores": self._scores}

    def _restore(self, state: Mapping[str, np.ndarray]) -> None:
        self._mean, self._axes, self._scores = state["mean"], state["axes"], state["scores"]
