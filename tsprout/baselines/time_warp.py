r"""Time warping: a shot played at a speed that varies smoothly.

Um et al., ICMI 2017: the speed is a cubic spline through ``knots + 2`` evenly spaced Gaussian values of mean 1; its
sum, rescaled to end where the shot ends, says which moment is shown when. Deviation 0.2 and four knots as in Iwana
and Uchida, PLOS ONE 16 (2021). One warp for all channels, so that they keep together; the speed stays above a tenth, so
that time never runs backwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tsprout.baselines.contract import LatentBaseline, Progress
from tsprout.baselines.hyperparameters import numbers, whole_numbers

_SLOWEST = 0.1


@dataclass(eq=False)
class TimeWarp(LatentBaseline):
    """Copies with time stretched here and squeezed there."""

    name: ClassVar[str] = "time-warp"
    summary: ClassVar[str] = "copies, played at a speed that varies"
    source: ClassVar[str] = "Um et al., ICMI 2017; Iwana and Uchida, PLOS ONE 16 (2021)"

    sigma: float = 0.2
    knots: int = 4

    def __post_init__(self) -> None:
        numbers(sigma=self.sigma)
        whole_numbers(knots=self.knots, least=0)

    def _fit(self, latent: np.ndarray, lengths: np.ndarray, seed: int, progress: Progress | None) -> None:
        return

    def _draw(self, own: np.ndarray, lengths: np.ndarray, picked: np.ndarray, seed: int) -> np.ndarray:
        from scipy.interpolate import CubicSpline

        ends = np.random.default_rng(seed).normal(1.0, self.sigma, (self.knots + 2, len(picked)))
        out = own[picked]
        for size in np.unique(lengths[picked]):
            rows = np.flatnonzero(lengths[picked] == size)
            steps = np.arange(int(size))
            spline = CubicSpline(np.linspace(0, size - 1, self.knots + 2), ends[:, rows])
            speed = np.maximum(spline(steps), _SLOWEST).T
            moments = np.cumsum(speed, axis=1) - speed[:, :1]
            moments *= (size - 1) / moments[:, -1:]
            before = np.clip(moments.astype(np.int64), 0, int(size) - 2)
            share = (moments - before).astype(np.float32)[:, None, :]
            shown, before = out[rows], before[:, None, :]
            first, second = np.take_along_axis(shown, before, 2), np.take_along_axis(shown, before + 1, 2)
            out[rows, :, : int(size)] = first + share * (second - first)
        return out
