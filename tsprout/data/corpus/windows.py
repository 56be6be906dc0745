"""The pre-training data of arXiv 2505.20446: all windows of one length of all sets, each as likely as any other.

A recording gives its windows at stride 1, a set of instances the first steps of each. A set has as many channels as it
has, scaled by the statistics of the whole of it: z-score, or to [0, 1] where the catalogue says that the paper does so.
There are no shots. What differs from the paper: windows come from the whole set as the corpus holds it (heavy tails
made milder, both splits of instances), not from its training split alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from tsprout.data.catalog.entry import bundled
from tsprout.data.corpus.episodes import Batch
from tsprout.data.corpus.numbered import NumberedStream, chosen_sets
from tsprout.data.corpus.store import Corpus
from tsprout.data.protocols.scaler import Kind, Standardizer
from tsprout.errors import InputError

_VALUES = 1 << 20


@dataclass(frozen=True)
class WindowConfig:
    """What is drawn: windows of ``length`` steps, ``windows`` of them for each piece of a step, from ``sets`` (all that
    are not held out, if not given)."""

    length: int = 24
    windows: int = 128
    sets: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("length", "windows"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}", fix="Give at least 1.")


@dataclass
class WindowStream(NumberedStream[list[Batch]]):
    """Endless groups of windows; an iterator with a position.

    An item is a list of batches, one a channel count, from the smallest: every window an episode of its own, without
    shots, ``shots (n, 0, c, l)`` and ``targets (n, 1, c, l)``, with the token row of its set; ``windows`` series in
    all. Unobserved cells are 0 and marked as such.

    Args:
        corpus: of the sets.
        config: what is drawn.
        seed: of everything.
        exclude: names of sets.
        workers: processes that draw ahead; 0 draws in this one. The windows are the same.
        rank, world: this stream gives the items ``rank``, ``rank + world``, ... of all.

    Raises:
        InputError: there is no such set, or none has a window of that length.
    """

    corpus: Corpus | None
    config: WindowConfig = field(default_factory=WindowConfig)
    seed: int = 0
    exclude: Sequence[str] = ()
    workers: int = 0
    rank: int = 0
    world: int = 1

    def __post_init__(self) -> None:
        if self.corpus is None:
            raise InputError("there is no corpus to cut windows from", fix="Name one; tsprout corpus build makes it.")
        self.position, self._drawn = 0, None
        sets = chosen_sets(self.corpus, self.config.sets, self.exclude)
        # Number, within its set, of the first window of each piece, and of the end.
        borders = [np.concatenate([[0], np.cumsum(self._counts(self.corpus, name))]) for name in sets]
        long = [i for i, own in enumerate(borders) if own[-1] > 0]
        if not long:
            raise InputError(
                f"no set has a window of {self.config.length} steps", fix="Choose a shorter length, or other sets."
            )
        self.names, self._borders = [sets[i] for i in long], [borders[i] for i in long]
        self._cumulative = np.cumsum([own[-1] for own in self._borders])
        self._scalers: dict[str, Standardizer] = {}

    def _counts(self, corpus: Corpus, name: str) -> np.ndarray:
        room = np.maximum(corpus.pieces(name).steps.astype(np.int64) - self.config.length + 1, 0)
        return np.minimum(room, 1) if corpus.sets[corpus.number[name]].instances else room

    @property
    def sets(self) -> list[str]:
        """Names of the sets that have windows; the place of a name is its token row."""
        return self.names

    @property
    def available(self) -> int:
        """How many windows there are to draw from."""
        return int(self._cumulative[-1])

    def identity(self) -> str:
        """Of all that the windows follow from: corpus, configuration, seed and sets."""
        assert self.corpus is not None
        parts = ("windows", self.corpus.digest, asdict(self.config), self.seed, self.names)
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def batch(self, number: int) -> list[Batch]:
        """Item ``number``: the same one whenever and wherever it is asked for."""
        rng = np.random.default_rng([self.seed, number])
        drawn = np.sort(rng.integers(0, self.available, self.config.windows))
        rows = np.searchsorted(self._cumulative, drawn, side="right")
        first = np.concatenate([[0], self._cumulative])
        # Sets of as many channels together, for a network pays for every call.
        found: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
        for row in np.unique(rows):
            windows = self._cut(int(row), drawn[rows == row] - first[row])
            found.setdefault(windows.shape[1], []).append((windows, np.full(len(windows), row)))
        return [_batch(*map(np.concatenate, zip(*found[count], strict=True))) for count in sorted(found)]

    def _cut(self, row: int, windows: np.ndarray) -> np.ndarray:
        """Scaled windows ``(n, c, l)`` of one set, NaN where missing, given by their numbers within it."""
        assert self.corpus is not None
        name, borders, length = self.names[row], self._borders[row], self.config.length
        entry, pieces = self.corpus.sets[self.corpus.number[name]], self.corpus.pieces(name)
        chosen = np.searchsorted(borders, windows, side="right") - 1
        values = self.corpus.gather(pieces, chosen, np.arange(entry.channels), windows - borders[chosen], length)
        return self.scaler(name).transform(values)

    def scaler(self, name: str) -> Standardizer:
        """The scaling of a set, by the statistics of the whole of it; found when it is first asked for."""
        assert self.corpus is not None
        if name not in self._scalers:
            minmax = any(e.name == name and e.paper is not None and e.paper.scaling == "minmax" for e in bundled())
            self._scalers[name] = whole_set(self.corpus, name, "min-max" if minmax else "z-score")
        return self._scalers[name]


def _batch(windows: np.ndarray, rows: np.ndarray) -> Batch:
    seen = np.isfinite(windows)
    none = np.empty((len(windows), 0, *windows.shape[1:]), np.float32)
    return Batch(none, none.astype(bool), np.where(seen, windows, 0)[:, None], seen[:, None], rows)


def whole_set(corpus: Corpus, name: str, kind: Kind = "z-score") -> Standardizer:
    """What :meth:`Standardizer.fit` finds over all pieces of a set together, with memory for a few of them."""
    pieces, channels = corpus.pieces(name), corpus.sets[corpus.number[name]].channels
    count, mean, square = (np.zeros(channels) for _ in range(3))
    low, high = np.full(channels, np.inf), np.full(channels, -np.inf)
    for rows, steps in _alike(pieces.by_length, pieces.sorted_steps, channels):
        gathered = corpus.gather(pieces, rows, np.arange(channels), np.zeros(len(rows), np.int64), steps)
        values = gathered.transpose(1, 0, 2).reshape(channels, -1).astype(np.float64)
        seen = np.isfinite(values)
        low = np.minimum(low, np.where(seen, values, np.inf).min(axis=1))
        high = np.maximum(high, np.where(seen, values, -np.inf).max(axis=1))
        # Moments of two parts become those of both (Chan, Golub and LeVeque 1979).
        own = seen.sum(axis=1)
        centre = np.where(seen, values, 0).sum(axis=1) / np.maximum(own, 1)
        spread = (np.where(seen, values - centre[:, None], 0) ** 2).sum(axis=1)
        both = np.maximum(count + own, 1)
        square += spread + (centre - mean) ** 2 * count * own / both
        mean += (centre - mean) * own / both
        count = count + own
    flat = ~(high > low)
    known = np.isfinite(low)
    offset = np.where(flat | (kind == "min-max"), np.where(known, low, 0.0), mean)
    with np.errstate(invalid="ignore"):
        scale = high - low if kind == "min-max" else np.sqrt(square / np.maximum(count, 1))
    return Standardizer(offset, np.where(flat | ~(scale > 0), 1.0, scale), kind)


def _alike(by_length: np.ndarray, steps: np.ndarray, channels: int) -> Iterator[tuple[np.ndarray, int]]:
    """Pieces of one length together, as many as make about :data:`_VALUES` values, and that length."""
    at = 0
    while at < len(by_length):
        same = int(np.searchsorted(-steps, -steps[at], side="right"))
        end = min(same, at + max(1, _VALUES // (int(steps[at]) * channels)))
        yield by_length[at:end], int(steps[at])
        at = end
