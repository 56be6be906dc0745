"""Jitter: a shot with independent Gaussian noise in every cell.

Um et al., *Data augmentation of wearable sensor data for Parkinson's disease monitoring using convolutional neural
networks*, ICMI 2017; deviation 0.03 of unit-variance values as in Iwana and Uchida, *An empirical survey of data
augmentation for time series classification with neural networks*, PLOS ONE 16 (2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tsprout.baselines.contract import LatentBaseline, Progress
from tsprout.baselines.hyperparameters import numbers


@dataclass(eq=False)
class Jitter(LatentBaseline):
    """Copies with white noise of standard deviation ``sigma``, in units of each channel's own."""

    name: ClassVar[str] = "jitter"
    summary: ClassVar[str] = "copies with a little white noise"
    source: ClassVar[str] = "Um et al., ICMI 2017; Iwana and Uchida, PLOS ONE 16 (2021)"

    sigma: float = 0.03

    def __post_init__(self) -> None:
        numbers(sigma=self.sigma)

    def _fit(self, latent: np.ndarray, lengths: np.ndarray, seed: int, progress: Progress | None) -> None:
        return

    def _draw(self, own: np.ndarray, lengths: np.ndarray, picked: np.ndarray, seed: int) -> np.ndarray:
        noise = np.random.default_rng(seed).standard_normal((len(picked), *own.shape[1:]), dtype=np.float32)
        return own[picked] + np.float32(self.sigma) * noise
