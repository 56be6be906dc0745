"""Seasonal-trend decomposition with bootstrapped remainders.

Bergmeir, Hyndman and Benítez, *Bagging exponential smoothing methods using STL decomposition and Box-Cox
transformation*, International Journal of Forecasting 32 (2016): a shot is split into trend, season and remainder, the
remainder is put together anew from blocks, and all is added up. Blocks are two periods long, or eight steps without a
period, as there. The period is found from the autocorrelation; the scaler stands in for Box-Cox. All channels share
their blocks. Trend and season of the shots come back as they are: only what is left over is new.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from tsprout.baselines._blocks import block_places
from tsprout.baselines._periods import decompose, find_period
from tsprout.baselines.contract import LatentBaseline, Progress
from tsprout.baselines.hyperparameters import whole_numbers


@dataclass(eq=False)
class SeasonalBootstrap(LatentBaseline):
    """Trend and season of a shot, remainder from its own blocks; ``period`` in steps, by default found."""

    name: ClassVar[str] = "seasonal-bootstrap"
    summary: ClassVar[str] = "trend and season of each input series, remainder in blocks put together anew"
    source: ClassVar[str] = "Bergmeir, Hyndman and Benítez, International Journal of Forecasting 32 (2016)"

    period: int | None = None

    _period: int | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        if self.period is not None:
            whole_numbers(period=self.period, least=2)

    def _fit(self, latent: np.ndarray, lengths: np.ndarray, seed: int, progress: Progress | None) -> None:
        self._period = find_period(latent, lengths) if self.period is None else self.period

    def _draw(self, own: np.ndarray, lengths: np.ndarray, picked: np.ndarray, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        out = own[picked]
        for size in np.unique(lengths[picked]):
            rows = np.flatnonzero(lengths[picked] == size)
            shots, which = np.unique(picked[rows], return_inverse=True)
            trend, season, rest = decompose(own[shots][:, :, : int(size)], self._period)
            block = 8 if self._period is None else 2 * self._period
            places = block_places(len(rows), int(size), max(1, min(block, int(size) // 2)), rng)
            drawn = np.take_along_axis(rest[which], places[:, None, :], axis=2)
            out[rows, :, : int(size)] = (trend + season)[which] + drawn
        return out

    def _state(self) -> dict[str, np.ndarray]:
        return {"period": np.array([self._period or 0])}

    def _restore(self, state: Mapping[str, np.ndarray]) -> None:
        self._period = int(state["period"][0]) or None
