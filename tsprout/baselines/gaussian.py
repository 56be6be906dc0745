r"""One Gaussian over whole series, covariance shrunk: what second moments alone can do.

A series of :math:`C` channels and :math:`L` steps is a vector of :math:`CL` numbers, with the mean of the shots and
their covariance shrunk to :math:`(1 - s) S + s \mu I` (Ledoit and Wolf, Journal of Multivariate Analysis 88, 2004).
Drawn without the matrix: a random mixture of the shots' deviations, and white noise. The noise is what keeps it from
drawing mere mixtures, and it makes series rough.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from tsprout.baselines._shrunk import shrinkage
from tsprout.baselines.contract import LatentBaseline, Progress


@dataclass(eq=False)
class Gaussian(LatentBaseline):
    """A shrunk Gaussian over all channels and steps together."""

    name: ClassVar[str] = "gaussian"
    summary: ClassVar[str] = "one Gaussian over whole series, covariance shrunk"
    source: ClassVar[str] = "Ledoit and Wolf, Journal of Multivariate Analysis 88 (2004)"

    _mean: np.ndarray = field(init=False, default_factory=lambda: np.zeros(0), repr=False)
    _deviations: np.ndarray = field(init=False, default_factory=lambda: np.zeros(0), repr=False)
    _noise: float = field(init=False, default=0.0, repr=False)

    def _fit(self, latent: np.ndarray, lengths: np.ndarray, seed: int, progress: Progress | None) -> None:
        n = len(latent)
        self._mean = latent.mean(axis=0, dtype=np.float64)
        centred = latent - self._mean
        weight, variance = shrinkage(centred.reshape(n, -1)) if n > 1 else (0.0, 0.0)
        unbiased = n / max(n - 1, 1)
        self._deviations = np.sqrt((1 - weight) * unbiased / n) * centred
        self._noise = float(np.sqrt(weight * variance * unbiased))
        if n == 1:
            self.notes = ("one series does not show how series vary, so these are copies",)

    def _sample(self, n: int, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        weights = rng.standard_normal((n, len(self._deviations)))
        white = rng.standard_normal((n, *self._mean.shape), dtype=np.float32)
        return (self._mean + np.tensordot(weights, self._deviations, 1) + self._noise * white).astype(np.float32)

    def _state(self) -> dict[str, np.ndarray]:
        return {"mean": self._mean, "deviations": self._deviations, "noise": np.array([self._noise])}

    def _restore(self, state: Mapping[str, np.ndarray]) -> None:
        self._mean, self._deviations = state["mean"], state["deviations"]
        self._noise = float(state["noise"][0])
