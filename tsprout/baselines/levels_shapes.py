"""Gaussian levels and resampled shapes: a new level and size for each channel, under the shape of one of the shots.

A series' levels (the mean of each channel over time) and sizes (the logarithm of its standard deviation) are taken to
be jointly Gaussian over the shots, correlations shrunk (Ledoit and Wolf, Journal of Multivariate Analysis 88, 2004).
New ones are drawn, and a shot's deviations from its own means are added, scaled to the size. A parametric bootstrap
of levels with a plain one of shapes; sizes stay within those seen. Few-shot papers forget it, and it is hard to beat
where series differ by level most. Shapes are never new.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from tsprout.baselines._shrunk import gaussian
from tsprout.baselines.contract import LatentBaseline, Progress

_LEAST = 1e-4


@dataclass(eq=False)
class LevelsShapes(LatentBaseline):
    """Levels and sizes from a Gaussian, shapes from the shots."""

    name: ClassVar[str] = "levels-shapes"
    summary: ClassVar[str] = "levels and sizes from a Gaussian, shapes from the input series"
    source: ClassVar[str] = "Efron and Tibshirani, An Introduction to the Bootstrap (1993); Ledoit and Wolf 2004"

    _mean: np.ndarray = field(init=False, default_factory=lambda: np.zeros(0), repr=False)
    _root: np.ndarray = field(init=False, default_factory=lambda: np.zeros((0, 0)), repr=False)

    def _fit(self, latent: np.ndarray, lengths: np.ndarray, seed: int, progress: Progress | None) -> None:
        self._mean, self._root = gaussian(np.concatenate(_levels_sizes(latent, lengths), axis=1))
        if len(latent) == 1:
            self.notes = ("one series does not show how levels vary, so these are copies",)

    def _draw(self, own: np.ndarray, lengths: np.ndarray, picked: np.ndarray, seed: int) -> np.ndarray:
        channels = own.shape[1]
        levels, sizes = _levels_sizes(own, lengths)
        noise = np.random.default_rng(seed).standard_normal((len(picked), 2 * channels))
        drawn = self._mean + noise @ self._root.T
        new = np.clip(drawn[:, channels:], sizes.min(axis=0), sizes.max(axis=0))
        shapes = own[picked] - levels[picked][:, :, None]
        out = drawn[:, :channels, None] + shapes * np.exp(new - sizes[picked])[:, :, None]
        return out.astype(np.float32)

    def _state(self) -> dict[str, np.ndarray]:
        return {"mean": self._mean, "root": self._root}

    def _restore(self, state: Mapping[str, np.ndarray]) -> None:
        self._mean, self._root = state["mean"], state["root"]


def _levels_sizes(latent: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and log standard deviation over each series' own steps, both ``(n, channels)`` float64."""
    within = (np.arange(latent.shape[2]) < lengths[:, None])[:, None, :]
    count = lengths[:, None].astype(np.float64)
    level = np.where(within, latent, 0).sum(axis=2, dtype=np.float64) / count
    square = np.where(within, (latent - level[:, :, None]) ** 2, 0).sum(axis=2) / count
    return level, np.log(np.maximum(np.sqrt(square), _LEAST))
