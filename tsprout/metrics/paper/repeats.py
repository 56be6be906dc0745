"""What a repeated score is, and how the repeats draw: splits and batches of each from a generator of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Repeats:
    """A score that was measured several times with networks that share nothing but the data.

    Attributes:
        values: ``(R,)`` one score a repeat; NaN where the score does not apply.
        mean: the score to report.
        std: standard deviation of the repeats (n - 1); 0 for a single one.
        note: a sentence on what the number cannot tell, or empty.
    """

    values: np.ndarray
    mean: float
    std: float
    note: str = ""

    @classmethod
    def of(cls, values: np.ndarray, *, low: float = float("-inf"), note: str = "") -> Repeats:
        """Mean, not below ``low``, and spread of ``values`` (R,)."""
        values = np.asarray(values, dtype=np.float64)
        mean = float(values.mean())
        spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
        return cls(values, max(mean, low) if np.isfinite(mean) else mean, spread, note)

    @classmethod
    def unknown(cls, repeats: int, note: str) -> Repeats:
        """Nothing could be measured."""
        return cls(np.full(repeats, np.nan), float("nan"), float("nan"), note)


def generators(seed: int, repeats: int, purpose: int) -> list[np.random.Generator]:
    """One generator a repeat; repeat ``r`` has the same one whatever the number of repeats is."""
    return [np.random.default_rng([seed, purpose, repeat]) for repeat in range(repeats)]


def random_split(n: int, rngs: Sequence[np.random.Generator], held: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    """Positions ``(R, n - k)`` to train on and ``(R, k)`` to test on, at random; one at least of either (n > 1)."""
    count = min(max(round(held * n), 1), n - 1)
    order = np.stack([rng.permutation(n) for rng in rngs])
    return order[:, count:], order[:, :count]


class Batches:
    """Batches of positions for every repeat: random orders of its own pool, one after the other.

    Every series is seen equally often; a batch may reach over the end of one order into the next.

    Args:
        pools: ``(R, n)`` positions that each repeat may draw.
        size: positions in a batch.
        rngs: one generator a repeat.
    """

    def __init__(self, pools: np.ndarray, size: int, rngs: Sequence[np.random.Generator]) -> None:
        self._pools, self._size, self._rngs = pools, size, rngs
        self._orders = max(64 * size // pools.shape[1], 1) + 1  # drawn at a time
        self._ready = pools[:, :0]
        self._next = 0

    def draw(self) -> np.ndarray:
        """The next batch, ``(R, size)``."""
        if self._next + self._size > self._ready.shape[1]:
            fresh = [
                rng.permuted(np.broadcast_to(pool, (self._orders, len(pool))), axis=1).ravel()
                for rng, pool in zip(self._rngs, self._pools, strict=True)
            ]
            self._ready = np.concatenate([self._ready[:, self._next :], np.stack(fresh)], axis=1)
            self._next = 0
            return self.draw()
        begun = self._next
        self._next += self._size
        return self._ready[:, begun : self._next]
