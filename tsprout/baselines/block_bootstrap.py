"""Block bootstrap: a shot cut into blocks of consecutive steps, and put together anew from those.

The circular block bootstrap of Politis and Romano (1992), with their automatic block length
(:mod:`tsprout.baselines._blocks`). All channels share their blocks. It takes the series to be stationary: trends and
what happens at a fixed time are shuffled away, and joints show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from tsprout.baselines._blocks import best_block, block_places
from tsprout.baselines.contract import LatentBaseline, Progress
from tsprout.baselines.hyperparameters import whole_numbers


@dataclass(eq=False)
class BlockBootstrap(LatentBaseline):
    """Blocks of one shot, drawn with replacement; ``block`` steps each, by default as the rule has it."""

    name: ClassVar[str] = "block-bootstrap"
    summary: ClassVar[str] = "each input series cut into blocks and put together anew"
    source: ClassVar[str] = "Politis and Romano 1992; Politis and White, Econometric Reviews 23 (2004)"

    block: int | None = None

    _size: int = field(init=False, default=1, repr=False)

    def __post_init__(self) -> None:
        if self.block is not None:
            whole_numbers(block=self.block)

    def _fit(self, latent: np.ndarray, lengths: np.ndarray, seed: int, progress: Progress | None) -> None:
        self._size = best_block(latent, lengths) if self.block is None else self.block

    def _draw(self, own: np.ndarray, lengths: np.ndarray, picked: np.ndarray, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        out = own[picked]
        for size in np.unique(lengths[picked]):
            rows = np.flatnonzero(lengths[picked] == size)
            places = block_places(len(rows), int(size), min(self._size, int(size)), rng)
            out[rows, :, : int(size)] = np.take_along_axis(out[rows], places[:, None, :], axis=2)
        return out

    def _state(self) -> dict[str, np.ndarray]:
        return {"block": np.array([self._size])}

    def _restore(self, state: Mapping[str, np.ndarray]) -> None:
        self._size = int(state["block"][0])
