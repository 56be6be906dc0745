"""Evaluation sets are never trained on: neither by name nor by content.

Names are refused, and so are entries that the catalogue marks as near copies. Content is recognised by hashes that do
not change under shift, scale, any increasing transformation, a permutation of channels, or a cut, and are the same for
a flipped channel (a winnowing fingerprint; Schleimer, Wilkerson and Aiken 2003, without the windowing):

- *shingles*, for every run of 48 steps of a channel: of the signs of its 47 increments;
- *orders*, for every run of 24 steps of short series, which may be too short or too smooth for the others: of the order
  of their values.

Runs with few turning points say little and are left out. ``fingerprints.npz`` (``scripts/fingerprint.py``) holds a
sample of the hashes, at sampling steps 1, 2 and 4, and no values, of the evaluation sets that were at hand: all but
StarLightCurves and SelfRegulationSCP1, and Sine, whose runs of 24 steps hardly turn; these are refused by name and by
the digest of the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np

WIDTH = 47
TURNS = 12
TIES = 12
STRIDES = (1, 2, 4)
ENOUGH = 5
_BLOCK = 1 << 21
_RUNS = 1 << 17
# Series up to so many steps are also looked at by the order of their values, which takes longer.
SHORT = 128
RUN = 24
RUN_TURNS = 7
_BASE = np.uint64(0x9E3779B97F4A7C15)
_INVERSE = np.uint64(pow(int(_BASE), -1, 1 << 64))
# The hash of a run's signs and the hash of the opposite signs add up to this.
_BOTH = np.uint64(4 * sum(pow(int(_BASE), k, 1 << 64) for k in range(WIDTH)) % (1 << 64))
FINGERPRINTS = Path(__file__).with_name("fingerprints.npz")


def shingles(channel: np.ndarray) -> np.ndarray:
    """Hashes ``uint64`` of the runs of one channel ``(steps,)``; NaN breaks a run."""
    if len(channel) <= WIDTH:
        return np.empty(0, np.uint64)
    steps = np.diff(channel)
    missing, signs = np.isnan(steps), np.sign(np.nan_to_num(steps)).astype(np.int8)

    def total(flags: np.ndarray) -> np.ndarray:
        sums = np.concatenate([[0], np.cumsum(flags)])
        return sums[WIDTH:] - sums[:-WIDTH]

    turned = np.concatenate([[False], signs[1:] * signs[:-1] < 0])
    usable = (total(missing) == 0) & (total(turned) >= TURNS) & (total(signs == 0) <= TIES)
    # Every run's hash is a difference of running sums, because the base has an inverse modulo 2**64.
    back, forth = (np.cumprod(np.full(len(signs), x)) for x in (_INVERSE, _BASE))
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum((signs + 2).astype(np.uint64) * back)])
    up = ((sums[WIDTH:] - sums[:-WIDTH]) * forth[WIDTH - 1 :])[usable]
    return _mixed(np.minimum(up, _BOTH - up))


def orders(rows: np.ndarray) -> np.ndarray:
    """Hashes ``uint64`` of the runs of ``rows (n, steps)`` by the order of their values; runs with NaN have none."""
    if rows.shape[-1] < RUN:
        return np.empty(0, np.uint64)
    runs = np.lib.stride_tricks.sliding_window_view(rows, RUN, axis=-1).reshape(-1, RUN)
    signs = np.sign(np.diff(runs, axis=-1))
    turns = (signs[:, 1:] * signs[:, :-1] < 0).sum(axis=-1)
    runs = runs[(turns >= RUN_TURNS) & (signs != 0).all(axis=-1) & np.isfinite(runs).all(axis=-1)]
    ranks = np.argsort(np.argsort(runs, axis=-1, kind="stable"), axis=-1, kind="stable").astype(np.uint64)
    powers = np.cumprod(np.full(RUN, _BASE))
    return _mixed(np.minimum(ranks @ powers, (np.uint64(RUN - 1) - ranks) @ powers))


def _mixed(hashes: np.ndarray) -> np.ndarray:
    """Spread out over all 64 bits, so that the smallest are a random sample."""
    hashes = (hashes ^ (hashes >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return hashes ^ (hashes >> np.uint64(32))


def _joined(pieces: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """All channels of the pieces end to end, some millions of steps at a time, with gaps that no run crosses."""
    gap = np.full(max(STRIDES), np.nan)
    held: list[np.ndarray] = []
    steps = 0
    for piece in pieces:
        for channel in np.asarray(piece, np.float64):
            held += [channel, gap]
            steps += len(channel)
        if steps > _BLOCK:
            yield np.concatenate(held)
            held, steps = [], 0
    if held:
        yield np.concatenate(held)


def _stacked(pieces: Iterable[np.ndarray], longest: float) -> Iterator[np.ndarray]:
    """All channels of pieces of at most ``longest`` steps, ``(n, steps)``, those of one length together."""
    held: dict[int, list[np.ndarray]] = {}
    for piece in pieces:
        if RUN <= piece.shape[1] <= longest:
            held.setdefault(piece.shape[1], []).append(np.asarray(piece, np.float64))
    for steps, own in held.items():
        rows = np.concatenate(own)
        size = max(1, _RUNS // steps)
        yield from (rows[i : i + size] for i in range(0, len(rows), size))


def fingerprint(pieces: Sequence[np.ndarray], *, most: int = 3000) -> np.ndarray:
    """A sample of the hashes of a set's pieces ``(channels, steps)``: the ``most`` smallest of either kind."""
    signs: list[np.ndarray] = [np.empty(0, np.uint64)]
    for whole in _joined(pieces):
        for stride in STRIDES:
            signs += [np.unique(shingles(whole[phase::stride])) for phase in range(stride)]
    by_order = [np.unique(orders(rows)) for rows in _stacked(pieces, np.inf)]
    return np.concatenate([np.unique(np.concatenate(x))[:most] for x in (signs, [signs[0], *by_order])])


@cache
def known() -> Mapping[str, np.ndarray]:
    """The fingerprints of the evaluation sets, by name."""
    with np.load(FINGERPRINTS, allow_pickle=False) as file:
        return dict(file)


def overlaps(pieces: Sequence[np.ndarray], against: Mapping[str, np.ndarray] | None = None) -> dict[str, int]:
    """Evaluation sets of which the pieces ``(channels, steps)`` hold enough hashes to be no accident, and how many.

    Two unrelated series of 10 million steps share less than one of 30,000 hashes of 64 bits; five of one set are
    enough to refuse.
    """
    prints = known() if against is None else against
    every = np.unique(np.concatenate([*prints.values(), np.empty(0, np.uint64)]))
    seen = np.zeros(len(every), bool)

    def look_for(hashes: np.ndarray) -> None:
        at = np.minimum(np.searchsorted(every, hashes), len(every) - 1)
        seen[at[every[at] == hashes]] = True

    if len(every):
        for whole in _joined(pieces):
            look_for(shingles(whole))
        for rows in _stacked(pieces, SHORT):
            look_for(orders(rows))
    counts = {name: int(np.isin(hashes, every[seen]).sum()) for name, hashes in prints.items()}
    return {name: n for name, n in counts.items() if n >= ENOUGH}
