"""Batches of episodes for the denoiser: several small worlds at once, one channel count and length a batch.

An *episode* is a few shots and other series of the same set, real or synthetic, scaled by statistics of the shots
alone, as a user's few series would be. Batch number ``i`` is a function of the corpus, the seed and ``i`` and of
nothing else: a stream resumes exactly at any position, gives the same batches with any number of worker processes, and
is shared out over ranks by their numbers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from tsprout.data.corpus.draw import Drawn, SetReader
from tsprout.data.corpus.numbered import NumberedStream, chosen_sets
from tsprout.data.corpus.store import Corpus
from tsprout.data.processes import draw_synthetic
from tsprout.errors import InputError

LENGTHS = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
LENGTH_SHARES = (0.04, 0.06, 0.08, 0.3, 0.12, 0.11, 0.1, 0.06, 0.06, 0.03, 0.04)
CHANNELS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 21, 28, 40, 55, 64)
CHANNEL_SHARES = (0.3, 0.06, 0.06, 0.06, 0.05, 0.07, 0.12, 0.05, 0.05, 0.04, 0.04, 0.03, 0.03, 0.02, 0.01, 0.01)
_SOFT_LIMIT = 5.0
_FEWEST_TARGETS = 4
_TRIES = 8
_AT_ONCE = 1 << 17  # values that are scaled together


@dataclass
class Batch:
    """``shots (e, k, c, l)``, ``shots_observed``; ``targets (e, s, c, l)``, ``targets_observed``; token ``rows (e,)``,
    -1: none.

    All scaled by the shots of their own episode; float32 and bool; unobserved cells are 0. Sets with fewer than ``k``
    shots are filled up with series of which nothing is observed.
    """

    shots: np.ndarray
    shots_observed: np.ndarray
    targets: np.ndarray
    targets_observed: np.ndarray
    rows: np.ndarray


@dataclass(frozen=True)
class StreamConfig:
    """What is drawn, and how often.

    ``cells``: about how many time steps of targets a batch holds; the number of episodes follows. ``targets``: series
    to denoise per episode. ``synthetic_share``: of the episodes. ``temperature``: a domain, and a set within its
    domain, is drawn in proportion to its size to the power ``1 / temperature``: 1 follows size, infinity treats all
    alike.
    ``prompt_steps``: at most so many time steps of shots an episode, so that long series bring fewer shots. ``flip``,
    ``reverse``, ``gain``: shares of the episodes in which channels change sign, time runs backwards, or series get
    sizes of their own.
    """

    cells: int = 8192
    targets: int = 16
    synthetic_share: float = 0.3
    temperature: float = 5.0
    lengths: tuple[int, ...] = LENGTHS
    length_shares: tuple[float, ...] = LENGTH_SHARES
    channels: tuple[int, ...] = CHANNELS
    channel_shares: tuple[float, ...] = CHANNEL_SHARES
    prompt_steps: int = 2048
    flip: float = 0.3
    reverse: float = 0.1
    gain: float = 0.1

    def __post_init__(self) -> None:
        check_temperature(self.temperature)
        for name in ("synthetic_share", "flip", "reverse", "gain"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}", fix="Give a share from 0 to 1.")
        for name, least in (("cells", 1), ("targets", _FEWEST_TARGETS), ("prompt_steps", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)}", fix=f"Give at least {least}.")


def soften(x: np.ndarray) -> np.ndarray:
    """Logarithmic beyond five standard deviations: a level never seen in the shots must not drown the loss."""
    beyond = np.abs(x) > _SOFT_LIMIT
    out = x.copy()
    far = x[beyond]
    out[beyond] = np.sign(far) * (_SOFT_LIMIT + np.log1p(np.abs(far) - _SOFT_LIMIT))
    return out


def scale_by_shots(series: np.ndarray, shots: int) -> np.ndarray:
    """Standardise ``(..., n, channels, length)`` by each channel's mean and deviation over the first ``shots`` series.

    Over observed cells only. A channel of which the shots show nothing becomes unobserved throughout; one that is
    constant in them becomes 0.
    """
    own = series[..., :shots, :, :]
    seen = np.isfinite(own)
    count = seen.sum(axis=(-3, -1), keepdims=True)
    safe = np.maximum(count, 1)
    mean = np.where(seen, own, 0).sum(axis=(-3, -1), keepdims=True, dtype=np.float64) / safe
    away = np.where(seen, own - mean, 0)
    std = np.sqrt((away * away).sum(axis=(-3, -1), keepdims=True) / safe)
    dead = ~(std > 1e-6 * np.maximum(np.abs(mean), 1e-6))
    inverse = np.where(dead, 0.0, 1.0 / np.where(dead, 1.0, std))
    inverse[count == 0] = np.nan
    return soften((series - mean) * inverse)


@dataclass
class EpisodeStream(NumberedStream[Batch]):
    """Endless batches from a corpus and synthetic domains; an iterator with a position.

    Args:
        corpus: the real sets; ``None`` where all episodes are synthetic.
        config: what is drawn.
        seed: of everything.
        only, exclude: names of sets; by default all that are not held out for validation.
        workers: processes that draw ahead; 0 draws in this one. The batches are the same.
        rank, world: this stream gives the batches ``rank``, ``rank + world``, ... of all.

    A real set that is too short or has too few channels for what was drawn is not asked; where none fits, the episode
    is a synthetic one, whatever ``synthetic_share``.

    Raises:
        InputError: nothing to draw from.
    """

    corpus: Corpus | None
    config: StreamConfig = field(default_factory=StreamConfig)
    seed: int = 0
    only: Sequence[str] | None = None
    exclude: Sequence[str] = ()
    workers: int = 0
    rank: int = 0
    world: int = 1

    def __post_init__(self) -> None:
        self.position = 0
        names = [] if self.corpus is None else chosen_sets(self.corpus, self.only, self.exclude)
        self.readers = [] if self.corpus is None else [SetReader(self.corpus, n) for n in names]
        if not self.readers and self.config.synthetic_share < 1:
            raise InputError("no real sets to draw from", fix="Give a corpus, or synthetic_share = 1.")
        self._odds: dict[tuple[int, int], np.ndarray | None] = {}
        self._drawn = None

    @property
    def sets(self) -> list[str]:
        """Names of the real sets; the place of a name is its token row."""
        return [reader.entry.name for reader in self.readers]

    def identity(self) -> str:
        """Of all that the batches follow from: corpus, configuration, seed and sets."""
        parts = (None if self.corpus is None else self.corpus.digest, asdict(self.config), self.seed, self.sets)
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def batch(self, number: int) -> Batch:
        """Batch ``number``: the same one whenever and wherever it is asked for."""
        config, rng = self.config, np.random.default_rng([self.seed, number])
        length = int(rng.choice(config.lengths, p=_normed(config.length_shares)))
        channels = int(rng.choice(config.channels, p=_normed(config.channel_shares)))
        targets = max(_FEWEST_TARGETS, min(config.targets, config.targets * 64 // length))
        episodes = max(2, round(config.cells / (length * targets)))
        shots = int(rng.choice([10, int(np.exp(rng.uniform(0, np.log(33))))]))
        shots = max(1, min(shots, config.prompt_steps // length))

        series = np.empty((episodes, shots + targets, channels, length), np.float32)
        rows = np.full(episodes, -1)
        waiting = np.arange(episodes)
        for attempt in range(_TRIES + 1):
            for episode in waiting:
                # After so many misses (all missing, all constant) the episode is a synthetic one.
                real = attempt < _TRIES and rng.random() >= config.synthetic_share
                drawn, rows[episode] = self._draw(rng, real, channels, length, shots, targets)
                series[episode, : drawn.shots] = drawn.windows[: drawn.shots]
                series[episode, drawn.shots : shots] = np.nan
                series[episode, shots:] = drawn.windows[drawn.shots :]
            # A few at a time, which then stay in the processor's cache.
            for some in np.array_split(waiting, -(-len(waiting) * series[0].size // _AT_ONCE)):
                series[some] = scale_by_shots(series[some], shots)
            waiting = waiting[self._empty(series[waiting], shots, rows[waiting])]
            if len(waiting) == 0:
                break
        self._vary(rng, series, rows)
        seen = np.isfinite(series)
        np.copyto(series, 0, where=~seen)
        return Batch(series[:, :shots], seen[:, :shots], series[:, shots:], seen[:, shots:], rows)

    def _draw(
        self, rng: np.random.Generator, real: bool, channels: int, length: int, shots: int, targets: int
    ) -> tuple[Drawn, int]:
        odds = self._odds_for(channels, length) if real else None
        for _ in range(_TRIES):
            if odds is None:
                break
            row = int(np.searchsorted(odds, rng.random(), side="right"))
            drawn = self.readers[row].draw(rng, channels, length, shots, targets)
            if drawn is not None:
                return drawn, row
        return Drawn(draw_synthetic(rng, shots + targets, channels, length), shots), -1

    def _odds_for(self, channels: int, length: int) -> np.ndarray | None:
        """Cumulative probabilities of the sets that have so many channels and steps; ``None`` where none has."""
        key = (channels, length)
        if key not in self._odds:
            self._odds[key] = cumulative_odds(self.readers, channels, length, self.config.temperature)
        return self._odds[key]

    @staticmethod
    def _empty(series: np.ndarray, shots: int, rows: np.ndarray) -> np.ndarray:
        """Which episodes ``(e, n, c, l)`` show too little: half of it missing, or real shots that are all constant."""
        seen = np.isfinite(series)
        there = seen.any(axis=(2, 3))
        own, other = seen[:, :shots], seen[:, shots:]
        share = own.sum(axis=(1, 2, 3)) / np.maximum(there[:, :shots].sum(axis=1) * seen[0, 0].size, 1)
        flat = ~((own & (series[:, :shots] != 0)).any(axis=(1, 2, 3)))
        return (share <= 0.5) | (other.mean(axis=(1, 2, 3)) <= 0.5) | (flat & (rows >= 0))

    def _vary(self, rng: np.random.Generator, series: np.ndarray, rows: np.ndarray) -> None:
        """Turn some episodes into others, in place: signs, time, sizes. They are sets of their own: no token row."""
        shares = (self.config.flip, self.config.reverse, self.config.gain)
        flip, back, gain = (np.flatnonzero(rng.random(len(series)) < share) for share in shares)
        signs = 2.0 * rng.integers(0, 2, (len(flip), 1, series.shape[2], 1)) - 1
        series[flip] *= signs.astype(np.float32)
        series[back] = series[back][..., ::-1]
        spread = rng.uniform(0, 0.7, (len(gain), 1, 1, 1))
        series[gain] *= np.exp(spread * rng.standard_normal((len(gain), series.shape[1], 1, 1)))
        for changed in (flip, back, gain):
            rows[changed] = -1


def cumulative_odds(readers: Sequence[SetReader], channels: int, length: int, temperature: float) -> np.ndarray | None:
    """Cumulative probabilities ``(sets,)``; domains, and the sets of each, by their sizes tempered.

    With more than one channel asked for, a set's size also counts the choices of channels it offers, up to four times.
    """
    fits = np.array([r.entry.channels >= channels and r.longest >= length for r in readers], bool)
    if not fits.any():
        return None
    size = np.array([r.entry.values for r in readers], np.float64) * fits
    if channels > 1:
        size *= [min(r.entry.channels / channels, 4.0) for r in readers]
    names, domain = np.unique([r.entry.domain for r in readers], return_inverse=True)
    # In logarithms, and over the largest: a small temperature must not overflow.
    within = _tempered(size, temperature)
    totals = np.bincount(domain, within, len(names))
    among = _tempered(np.bincount(domain, size, len(names)), temperature)
    odds = np.cumsum(within / np.maximum(totals[domain], 1e-300) * among[domain])
    return odds / odds[-1]


def _tempered(size: np.ndarray, temperature: float) -> np.ndarray:
    """Sizes to the power ``1 / temperature`` over the largest; what has none stays 0."""
    logarithm = np.log(np.where(size > 0, size, 1))
    return np.where(size > 0, np.exp((logarithm - logarithm.max()) / temperature), 0.0)


def check_temperature(temperature: float) -> None:
    """Refuse a temperature that means nothing.

    Raises:
        InputError: it is not a number from 0.1 on.
    """
    if not temperature >= 0.1:
        raise InputError(f"a temperature of {temperature:g} makes no sense", fix="Give 0.1 or more; the default is 5.")


def _normed(shares: Sequence[float]) -> np.ndarray:
    found = np.asarray(shares, np.float64)
    return found / found.sum()
