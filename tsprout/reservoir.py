"""A sample of a stream of series, for scores and pictures of sets that are too large to hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tsprout.identity import Wanted, has_label
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


class Kept:
    """What is kept of all that is drawn, to be held against ``real``: a :class:`Reservoir`."""

    def __init__(self, real: SeriesSet, size: int, rng: np.random.Generator) -> None:
        self.real, self._all = real, Reservoir(size, rng)

    @property
    def wanting(self) -> dict[Any, int]:
        """Nothing more."""
        return {}

    def add(self, batch: SeriesSet) -> None:
        """Let every series of ``batch`` pass by."""
        self._all.add(batch)

    def kept(self) -> SeriesSet:
        """The series kept, as one set."""
        return self._all.kept()


class KeptByLabel(Kept):
    """The same where so many series are drawn of each of some labels.

    Real ones are those of these labels. Of the drawn ones as many are kept of each as leave labels the shares they have
    among these: a score must not take other shares, which were asked for, for other series. What that takes beyond what
    was asked for is :attr:`wanting`.
    """

    def __init__(self, real: SeriesSet, n: Mapping[Any, int], size: int, rng: np.random.Generator) -> None:
        assert real.labels is not None
        own = {label: has_label(real.labels, label) for label in n}
        self.real = real[np.any(list(own.values()), axis=0)]
        most = min(size, sum(n.values()))
        shares = {label: mask.sum() / len(self.real) for label, mask in own.items()}
        self._of = {label: Reservoir(max(1, round(share * most)), rng) for label, share in shares.items()}
        self._n = n

    @property
    def wanting(self) -> dict[Any, int]:
        """How many more of each label are to be drawn, and shown, only to be scored."""
        missing = {label: reservoir.size - self._n[label] for label, reservoir in self._of.items()}
        return {label: count for label, count in missing.items() if count > 0}

    def add(self, batch: SeriesSet) -> None:
        """See :meth:`Kept.add`."""
        assert batch.labels is not None
        for label, reservoir in self._of.items():
            reservoir.add(batch[has_label(batch.labels, label)])

    def kept(self) -> SeriesSet:
        """See :meth:`Kept.kept`."""
        return concatenate([reservoir.kept() for reservoir in self._of.values()])


def kept_of(real: SeriesSet, n: Wanted, size: int, rng: np.random.Generator) -> Kept:
    """What keeps at most about ``size`` of ``n`` drawn series to be held against ``real``."""
    return KeptByLabel(real, n, size, rng) if isinstance(n, Mapping) else Kept(real, size, rng)
