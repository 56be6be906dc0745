r"""Mix-up: a shot and another one, averaged with random weights.

Zhang, Cisse, Dauphin and Lopez-Paz, *mixup: beyond empirical risk minimization*, ICLR 2018: :math:`\lambda x_i + (1 -
\lambda) x_j` with :math:`\lambda` from a symmetric Beta distribution, parameter 0.2 as they recommend. Only shots of
one label are mixed. Averages vary less than what is averaged: the spread of mixed series is too small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tsprout.baselines.contract import LatentBaseline, Progress
from tsprout.baselines.hyperparameters import numbers


@dataclass(eq=False)
class Mixup(LatentBaseline):
    """Weighted averages of two shots, weights from Beta(``alpha``, ``alpha``)."""

    name: ClassVar[str] = "mixup"
    summary: ClassVar[str] = "weighted averages of two input series"
    source: ClassVar[str] = "Zhang, Cisse, Dauphin and Lopez-Paz, ICLR 2018"

    alpha: float = 0.2

    def __post_init__(self) -> None:
        numbers(alpha=self.alpha, above=True)

    def _fit(self, latent: np.ndarray, lengths: np.ndarray, seed: int, progress: Progress | None) -> None:
        if len(latent) == 1:
            self.notes = ("one series cannot be mixed with another, so these are copies",)

    def _draw(self, own: np.ndarray, lengths: np.ndarray, picked: np.ndarray, seed: int) -> np.ndarray:
        if len(own) == 1:
            return own[picked]
        rng = np.random.default_rng(seed)
        other = (picked + rng.integers(1, len(own), len(picked))) % len(own)
        weight = rng.beta(self.alpha, self.alpha, (len(picked), 1, 1)).astype(np.float32)
        return weight * own[picked] + (1 - weight) * own[other]
