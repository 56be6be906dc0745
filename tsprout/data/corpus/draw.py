"""Few-shot tasks from one set of a corpus: windows for the shots, and others of the same set that never meet them.

A task is a sub-domain: its own stretch of time of one recording, or recordings side by side, or instances (perhaps of
one class); its own sampling stride. Everything is drawn when it is asked for; nothing is materialised.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tsprout.data.corpus.store import Corpus

# Below so many recordings, or series of a class, a task across them would see the same few again and again.
_ACROSS = 8
_CLASS = 6
# A set that lies in more record batches than this is drawn from one of them at a time.
_BATCHES = 4


@dataclass
class Drawn:
    """``windows (n, channels, length)`` float32, NaN where missing; the first ``shots`` of them are the shots."""

    windows: np.ndarray
    shots: int


class SetReader:
    """One set of a corpus, as a source of tasks."""

    def __init__(self, corpus: Corpus, name: str) -> None:
        self.corpus, self.entry, self.pieces = corpus, corpus.sets[corpus.number[name]], corpus.pieces(name)
        self.longest = int(self.pieces.sorted_steps[0])
        place = self.pieces.place
        self._borders = np.concatenate([[0], np.flatnonzero(np.diff(place)) + 1, [len(place)]])
        labels = self.pieces.labels
        self._classes = np.unique(labels[labels >= 0])

    def draw(self, rng: np.random.Generator, channels: int, length: int, shots: int, targets: int) -> Drawn | None:
        """``shots`` or fewer, and ``targets`` others (some twice where the set has too few), in a random channel order.

        ``None`` where the set is too short or small for this, or has too few channels.
        """
        if self.entry.channels < channels or self.longest < length:
            return None
        picked = rng.permutation(self.entry.channels)[:channels]
        if self.entry.instances:
            return self._from_instances(rng, picked, length, shots, targets)
        return self._from_recordings(rng, picked, length, shots, targets)

    def _rows(self, rng: np.random.Generator, steps: int) -> np.ndarray:
        """Pieces of at least ``steps``: all, or those of one record batch where the set lies in many."""
        long = self.pieces.by_length[: self.pieces.at_least(steps)]
        if len(self._borders) <= _BATCHES + 1 or len(long) == 0:
            return long
        anchor = int(long[rng.integers(len(long))])
        batch = int(np.searchsorted(self._borders, anchor, side="right")) - 1
        rows = np.arange(self._borders[batch], self._borders[batch + 1])
        return rows[self.pieces.steps[rows] >= steps]

    def _from_recordings(
        self, rng: np.random.Generator, channels: np.ndarray, length: int, shots: int, targets: int
    ) -> Drawn | None:
        stride = int(_STRIDES[rng.integers(len(_STRIDES))])
        while stride > 1 and self.longest < 6 * length * stride:
            stride -= 1
        width = length * stride
        within = self.pieces.at_least(3 * width)
        if self.pieces.at_least(width) >= _ACROSS and (within == 0 or rng.random() < 0.4):
            rows = self._rows(rng, width)
            if len(rows) >= 2:
                return self._across(rng, rows, channels, width, stride, shots, targets)
        if within == 0:
            return None
        return self._within(rng, within, channels, width, stride, shots, targets)

    def _across(
        self,
        rng: np.random.Generator,
        rows: np.ndarray,
        channels: np.ndarray,
        width: int,
        stride: int,
        shots: int,
        targets: int,
    ) -> Drawn:
        """One window of each of many recordings, every recording standardised by itself."""
        chosen, shots = _split(rng, rows, shots, targets, at_most=len(rows) // 2)
        room = self.pieces.steps[chosen] - width + 1
        starts = np.zeros(len(chosen), np.int64) if rng.random() < 0.3 else _below(rng, room)
        windows = self.corpus.gather(self.pieces, chosen, channels, starts, width // stride, stride)
        level, scale = (x[chosen][:, channels, None] for x in (self.pieces.level, self.pieces.scale))
        return Drawn((windows - level) / scale, shots)

    def _within(
        self,
        rng: np.random.Generator,
        within: int,
        channels: np.ndarray,
        width: int,
        stride: int,
        shots: int,
        targets: int,
    ) -> Drawn:
        """Windows of one stretch of time of one recording, dealt out over cells so that none meet."""
        cumulative = self.pieces.cumulative[:within]
        row = int(self.pieces.by_length[np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right")])
        time = int(self.pieces.steps[row])
        stretch = time
        if rng.random() < 0.6:
            stretch = int(np.exp(rng.uniform(np.log(3 * width), np.log(time))))
        begin = int(rng.integers(0, time - stretch + 1))
        cell = max(width, min(int(width * (1.0 if rng.random() < 0.5 else rng.uniform(1, 2))), stretch // 3))
        count = stretch // cell
        begin += int(rng.integers(0, stretch - count * cell + 1))
        cells, shots = _split(rng, count, shots, targets, at_most=count - max(1, count // 3))
        starts = begin + cells * cell + rng.integers(0, cell - width + 1, size=len(cells))
        chosen = np.full(len(starts), row)
        return Drawn(self.corpus.gather(self.pieces, chosen, channels, starts, width // stride, stride), shots)

    def _from_instances(
        self, rng: np.random.Generator, channels: np.ndarray, length: int, shots: int, targets: int
    ) -> Drawn | None:
        """Among the instances, perhaps of one class, cut at one common place and stride (or each at its own)."""
        rows = self._rows(rng, length)
        if len(rows) < _CLASS:
            rows = self.pieces.by_length[: self.pieces.at_least(length)]
        if len(self._classes) and rng.random() < 0.3:
            same = rows[self.pieces.labels[rows] == rng.choice(self._classes)]
            rows = same if len(same) >= _CLASS else rows
        if len(rows) < 2:
            return None
        chosen, shots = _split(rng, rows, shots, targets, at_most=len(rows) // 2)
        total = int(self.pieces.steps[chosen].min())
        stride = int(rng.integers(1, total // length + 1)) if rng.random() < 0.5 else 1
        room = total - length * stride + 1
        if rng.random() < 0.25:
            starts = rng.integers(0, room, size=len(chosen))
        else:
            starts = np.full(len(chosen), 0 if rng.random() < 0.5 else rng.integers(0, room))
        return Drawn(self.corpus.gather(self.pieces, chosen, channels, starts, length, stride), shots)


_STRIDES = (1, 1, 1, 2, 3, 4)


def _below(rng: np.random.Generator, bounds: np.ndarray) -> np.ndarray:
    """A random integer below each of ``bounds``."""
    return (rng.random(len(bounds)) * bounds).astype(np.int64)


def _split(
    rng: np.random.Generator, pool: np.ndarray | int, shots: int, targets: int, *, at_most: int
) -> tuple[np.ndarray, int]:
    """``shots`` (at most ``at_most``, at least one) and ``targets`` members of the pool; none is on both sides."""
    size = pool if isinstance(pool, int) else len(pool)
    if size >= shots + targets and shots <= at_most:
        order = rng.choice(size, shots + targets, replace=False)
    else:
        order = rng.permutation(size)
        shots = max(1, min(shots, at_most))
        rest = order[shots:]
        order = np.concatenate([order[:shots], rest[rng.integers(0, len(rest), targets)]])
    return (order if isinstance(pool, int) else pool[order]), shots
