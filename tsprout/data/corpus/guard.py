"""Evaluation sets are never trained on: neither by name nor by content.

Names are refused, and so are entries that the catalogue marks as near copies. Content is recognised by hashes that do
not change under shift, scale, a permutation of channels, or a cut, and are the same for a flipped channel (a winnowing
fingerprint; Schleimer, Wilkerson and Aiken 2003, without the windowing):

- *shingles*, for every run of 48 steps of a channel: of the signs of its 47 increments. They do not change under any
  increasing transformation; runs that hardly turn, or repeat themselves, say little and are left out.
- *ratios*, for every run of 15 steps: of its 14 increments, each over the largest. They see short and smooth series,
  and a series in reverse; runs that are too regular are left out.

``fingerprints.npz`` (``scripts/fingerprint.py``) holds a sample of the hashes, and no values, of the evaluation sets
that were at hand: all but StarLightCurves and SelfRegulationSCP1, and Sine, which anybody can make; these are refused
by name. The sample is of the sets thinned out by 1, 2, 3, 4, 6, 8 and 12, and averaged over 4 and 6 steps. Single
channels that hardly vary or come in few levels (OT and LULL of ETTm2, the rain of Weather) are not recognised, and
neither are a few dozen short windows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np

WIDTH = 47
TURNS = 12
TIES = 12
PERIODS, REPEATS = 12, 38
STRIDES = (1, 2, 3, 4, 6, 8, 12)
MEANS = (4, 6)
RUN = 14
LEVELS = 256
DISTINCT = 8
ENOUGH = 5
_BLOCK = 1 << 21
_RUNS = 1 << 18
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
    for period in range(2, PERIODS + 1):
        # What repeats itself says as little as what does not turn: every even-odd series has these signs.
        same = np.concatenate([np.ones(period, bool), signs[period:] == signs[:-period]])
        usable &= total(same) < REPEATS
    # Every run's hash is a difference of running sums, because the base has an inverse modulo 2**64.
    back, forth = (np.cumprod(np.full(len(signs), x)) for x in (_INVERSE, _BASE))
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum((signs + 2).astype(np.uint64) * back)])
    up = ((sums[WIDTH:] - sums[:-WIDTH]) * forth[WIDTH - 1 :])[usable]
    return _mixed(np.minimum(up, _BOTH - up))


def ratios(channel: np.ndarray) -> np.ndarray:
    """Hashes ``uint64`` of the runs of one channel ``(steps,)`` by the ratios of their increments; NaN breaks a run."""
    if len(channel) <= RUN:
        return np.empty(0, np.uint64)
    runs = np.lib.stride_tricks.sliding_window_view(np.diff(channel), RUN)
    found = [_ratio_hashes(runs[i : i + _RUNS]) for i in range(0, len(runs), _RUNS)]
    return np.concatenate(found)


def _ratio_hashes(runs: np.ndarray) -> np.ndarray:
    largest = np.abs(runs).max(axis=1)
    usable = np.isfinite(largest) & (largest > 0)
    codes = np.rint(runs[usable] / largest[usable, None] * LEVELS).astype(np.int64)
    sizes = np.sort(np.abs(codes), axis=1)
    codes = codes[(np.diff(sizes, axis=1) > 0).sum(axis=1) >= DISTINCT - 1]
    powers = np.cumprod(np.full(RUN, _BASE))
    either = [(x + LEVELS).astype(np.uint64) @ powers for x in (codes, -codes, codes[:, ::-1], -codes[:, ::-1])]
    return _mixed(np.minimum.reduce(either))


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


def _variants(whole: np.ndarray) -> Iterator[np.ndarray]:
    """Thinned out from every phase, and averaged from every phase."""
    for stride in STRIDES:
        yield from (whole[phase::stride] for phase in range(stride))
    for width in MEANS:
        for phase in range(width):
            count = (len(whole) - phase) // width
            yield whole[phase : phase + count * width].reshape(count, width).mean(axis=1)


def fingerprint(pieces: Sequence[np.ndarray], *, most: int = 4000) -> np.ndarray:
    """A sample of the hashes of a set's pieces ``(channels, steps)``: the ``most`` smallest of either kind."""
    kept = {kind: np.empty(0, np.uint64) for kind in (shingles, ratios)}
    for whole in _joined(pieces):
        for variant in _variants(whole):
            for kind, held in kept.items():
                kept[kind] = np.unique(np.concatenate([held, kind(variant)]))[:most]
    return np.concatenate(list(kept.values()))


@cache
def known() -> Mapping[str, np.ndarray]:
    """The fingerprints of the evaluation sets, by name."""
    with np.load(FINGERPRINTS, allow_pickle=False) as file:
        return dict(file)


def overlaps(pieces: Sequence[np.ndarray], against: Mapping[str, np.ndarray] | None = None) -> dict[str, int]:
    """Evaluation sets of which the pieces ``(channels, steps)`` hold enough hashes to be no accident, and how many.

    Five distinct ones of a set are enough to refuse. Between unrelated real sets not two were found.
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
            look_for(ratios(whole))
    counts = {name: int(np.isin(hashes, every[seen]).sum()) for name, hashes in prints.items()}
    return {name: n for name, n in counts.items() if n >= ENOUGH}
