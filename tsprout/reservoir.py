"""A uniform sample of a stream of series, for scores and pictures of sets that are too large to hold."""

from __future__ import annotations

import numpy as np

from tsprout.series import SeriesSet, concatenate


class Reservoir:
    """A uniform sample of at most ``size`` of the series that went by (Vitter's algorithm R), in flat memory."""

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        self.size = size
        self.seen = 0
        self._rng = rng
        self._kept: list[SeriesSet] = []

    def add(self, batch: SeriesSet) -> None:
        """Let every series of ``batch`` pass by."""
        for row in range(len(batch)):
            place = self.seen if self.seen < self.size else int(self._rng.integers(0, self.seen + 1))
            self.seen += 1
            if place < self.size:
                one = batch[np.array([row])]
                if place == len(self._kept):
                    self._kept.append(one)
                else:
                    self._kept[place] = one

    def kept(self) -> SeriesSet:
        """The series kept, as one set."""
        return concatenate(self._kept)
