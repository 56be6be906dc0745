"""A sample of a stream of series, for scores and pictures of sets that are too large to hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from tsprout.identity import Wanted
from tsprout.series import SeriesSet, concatenate


class Reservoir:
    """A uniform sample of at most ``size`` of the series that went by (Vitter's algorithm R), in flat memory."""

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        self.size = size
        self.seen = 0
        self._rng = rng
        self._kept: list[SeriesSet] = []

    def __len__(self) -> int:
        return len(self._kept)

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

    def add(self, batch: SeriesSet) -> None:
        """Let every series of ``batch`` pass by."""
        self._all.add(batch)

    def kept(self) -> SeriesSet:
        """The series kept, as one set."""
        return self._all.kept()


class KeptByLabel(Kept):
    """The same where so many series are drawn of each of ``labels``.

    Real ones are those of these labels. Of the drawn ones as many are kept of each as leave labels the shares they have
    among these: a score must not take other shares, which were asked for, for other series.
    """

    def __init__(self, real: SeriesSet, labels: Iterable[object], size: int, rng: np.random.Generator) -> None:
        assert real.labels is not None
        own = real.labels.astype(str)
        counts = {name: int((own == name).sum()) for name in dict.fromkeys(map(str, labels))}
        self.real = real[np.isin(own, list(counts))]
        self._shares = {name: count / len(self.real) for name, count in counts.items()}
        self._of = {name: Reservoir(max(1, round(share * size)), rng) for name, share in self._shares.items()}

    def add(self, batch: SeriesSet) -> None:
        """See :meth:`Kept.add`."""
        assert batch.labels is not None
        own = batch.labels.astype(str)
        for name, reservoir in self._of.items():
            reservoir.add(batch[own == name])

    def kept(self) -> SeriesSet:
        """See :meth:`Kept.kept`."""
        most = min(len(reservoir) / self._shares[name] for name, reservoir in self._of.items())
        parts = []
        for name, reservoir in self._of.items():
            some = reservoir.kept()
            parts.append(some[: max(1, round(most * self._shares[name]))])
        return concatenate(parts)


def kept_of(real: SeriesSet, n: Wanted, size: int, rng: np.random.Generator) -> Kept:
    """What keeps at most about ``size`` of ``n`` drawn series to be held against ``real``."""
    return KeptByLabel(real, n, size, rng) if isinstance(n, Mapping) else Kept(real, size, rng)
