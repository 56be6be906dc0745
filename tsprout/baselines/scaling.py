"""Scaling: a shot with every channel multiplied by a random factor about one.

Um et al., ICMI 2017; deviation 0.1 as in Iwana and Uchida, PLOS ONE 16 (2021). The factor acts on deviations from the
channel's mean over all shots, in scaled values, as it does there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tsprout.baselines.contract import LatentBaseline, Progress
from tsprout.baselines.hyperparameters import numbers


@dataclass(eq=False)
class Scaling(LatentBaseline):
    """Copies with channels stretched about their means, by factors from a Gaussian of mean 1, deviation ``sigma``."""

    name: ClassVar[str] = "scaling"
    summary: ClassVar[str] = "copies, each channel stretched a little"
    source: ClassVar[str] = "Um et al., ICMI 2017; Iwana and Uchida, PLOS ONE 16 (2021)"

    sigma: float = 0.1

    def __post_init__(self) -> None:
        numbers(sigma=self.sigma)

    def _fit(self, latent: np.ndarray, lengths: np.ndarray, seed: int, progress: Progress | None) -> None:
        return

    def _draw(self, own: np.ndarray, lengths: np.ndarray, picked: np.ndarray, seed: int) -> np.ndarray:
        factors = np.random.default_rng(seed).normal(1.0, self.sigma, (len(picked), own.shape[1], 1))
        return own[picked] * factors.astype(np.float32)
