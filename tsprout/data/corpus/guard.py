"""Evaluation sets are never trained on: neither by name nor by content.

Names are refused, and so are entries that the catalogue marks as near copies. Content is recognised by *shingles*: for
every run of 48 steps of a channel, the signs of its 47 increments, hashed (a winnowing fingerprint; Schleimer,
Wilkerson and Aiken 2003, without the windowing). Signs of increments do not change under shift, scale, any increasing
transformation, a permutation of channels, or a cut; a flipped channel gives the opposite signs, which get the same
hash. Runs with few turning points say little and are left out; short series, which may have no others, also get one
hash of the order of their values, so that a set of smooth ones is recognised too, as long as they are whole.
``fingerprints.npz`` holds a sample of the hashes of every evaluation set, at sampling steps 1, 2 and 4, and no values.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import numpy as np

WIDTH = 47
TURNS = 12
TIES = 12
STRIDES = (1, 2, 4)
ENOUGH = 5
_BLOCK = 1 << 21
_SHORT = 2048
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
    down = _BOTH - up
    mixed = np.minimum(up, down)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return mixed ^ (mixed >> np.uint64(32))


def orders(piece: np.ndarray) -> list[int]:
    """One hash for every channel of a short piece ``(channels, steps)``: of the order of its values, either way up."""
    if not WIDTH // 2 <= piece.shape[1] <= _SHORT:
        return []
    out = []
    for channel in piece[np.isfinite(piece).all(axis=1)]:
        if np.count_nonzero(np.diff(np.sign(np.diff(channel)))) < 3:
            continue
        ranks = np.argsort(np.argsort(channel, kind="stable"), kind="stable").astype("<u2")
        both = min(ranks.tobytes(), (len(ranks) - 1 - ranks).tobytes())
        out.append(int.from_bytes(hashlib.blake2b(both, digest_size=8).digest(), "little"))
    return out


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


def _noting(pieces: Iterable[np.ndarray], hashes: list[int]) -> Iterator[np.ndarray]:
    for piece in pieces:
        hashes += orders(piece)
        yield piece


def fingerprint(pieces: Iterable[np.ndarray], *, most: int = 4096) -> np.ndarray:
    """A sample of at most about ``most`` distinct hashes of a set's pieces ``(channels, steps)``: the smallest ones."""
    found: list[np.ndarray] = []
    own: list[int] = []
    for whole in _joined(_noting(pieces, own)):
        for stride in STRIDES:
            found += [np.unique(shingles(whole[phase::stride])) for phase in range(stride)]
    return np.unique(np.concatenate([*found, np.array(own, np.uint64)]))[:most]


@cache
def known() -> Mapping[str, np.ndarray]:
    """The fingerprints of the evaluation sets, by name."""
    with np.load(FINGERPRINTS, allow_pickle=False) as file:
        return dict(file)


def overlaps(pieces: Iterable[np.ndarray], against: Mapping[str, np.ndarray] | None = None) -> dict[str, int]:
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
        own: list[int] = []
        for whole in _joined(_noting(pieces, own)):
            look_for(shingles(whole))
        look_for(np.array(own, np.uint64))
    counts = {name: int(np.isin(hashes, every[seen]).sum()) for name, hashes in prints.items()}
    return {name: n for name, n in counts.items() if n >= ENOUGH}
