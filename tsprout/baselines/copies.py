"""Copies of the shots: what any generator must beat to be of use, and what one that memorises amounts to.

Each series is one of the shots, dealt out in shuffled rounds, so that every shot comes equally often: the smoothed
bootstrap without smoothing. Perfect in fidelity, nothing in diversity and privacy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tsprout.baselines.contract import LatentBaseline, Progress


@dataclass(eq=False)
class Copies(LatentBaseline):
    """The shots themselves, gaps filled."""

    name: ClassVar[str] = "copies"
    summary: ClassVar[str] = "the input series themselves, again and again"
    source: ClassVar[str] = "Efron, Bootstrap methods: another look at the jackknife, Annals of Statistics 7 (1979)"

    def _fit(self, latent: np.ndarray, lengths: np.ndarray, seed: int, progress: Progress | None) -> None:
        return None

    def _draw(self, own: np.ndarray, lengths: np.ndarray, picked: np.ndarray, seed: int) -> np.ndarray:
        return own[picked]
