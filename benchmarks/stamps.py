"""Time stamps of synthetic series: dealt out by likeness, as the product does, or by chance.

    python benchmarks/stamps.py --modes prompt auto

Windows of 24 steps that begin anywhere, of sets that are not for evaluation, stamped with the clock that they have run
by. First unseen real series, whose stamps are known, are given those of ten and twenty-five shots: how far off the
phase is on average, in parts of the cycle (a quarter is chance, and the shots' own phases set a least), three times.
Then series are drawn: the share of variance within series that the phase explains, on the first channel, of real ones,
of the shots, and of those drawn with stamps by chance and by likeness.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

from tsprout import SeriesSet, Sprout
from tsprout.data.catalog.sets import load_set
from tsprout.likeness import Likeness

LENGTH, UNSEEN = 24, 300
# Steps of the catalogue's recordings, and how many make the cycle.
SETS = {
    "VicElec": ("30m", 48),
    "RTE_Load": ("1h", 24),
    "ERCOT_DAM_price": ("1h", 24),
    "GEFCom2012_temp": ("1h", 24),
    "WTH_US_climate": ("1h", 24),
    "BikeSharing": ("1h", 24),
    "DK_carbon_2024": ("1h", 24),
    "USBirths": ("1D", 7),
    "AusRetail": ("1M", 12),
}


def windows(name: str, n: int, rng: np.random.Generator) -> tuple[SeriesSet, np.ndarray]:
    """``n`` windows with their stamps, and where each begins in its recording."""
    step = np.timedelta64(int(SETS[name][0][:-1]), SETS[name][0][-1])
    recordings = [each for each in load_set(name).recordings if each.shape[1] > LENGTH]
    values, starts = [], []
    while len(values) < n:
        recording = recordings[rng.integers(len(recordings))]
        start = int(rng.integers(recording.shape[1] - LENGTH))
        if np.isfinite(window := recording[:, start : start + LENGTH]).all():
            values.append(window)
            starts.append(start)
    at = (
        np.datetime64("2001-01", np.datetime_data(step.dtype)[0])
        + (np.array(starts)[:, None] + np.arange(LENGTH)) * step
    )
    return SeriesSet.from_arrays(np.stack(values), times=at.astype("datetime64[ns]")), np.array(starts)


def off(phases: np.ndarray, others: np.ndarray, cycle: int) -> np.ndarray:
    """Parts of the cycle between phases, the short way round."""
    apart = np.abs(phases - others) % cycle / cycle
    return np.minimum(apart, 1 - apart)


def explained(values: np.ndarray, starts: np.ndarray, cycle: int) -> float:
    """Share of the variance within series ``(n, length)`` that the phase explains."""
    shapes = (values - values.mean(axis=1, keepdims=True)).ravel()
    phases = ((starts[:, None] + np.arange(LENGTH)) % cycle).ravel()
    counts = np.maximum(1, np.bincount(phases, minlength=cycle))
    means = np.bincount(phases, shapes, minlength=cycle) / counts
    return float(1 - ((shapes - means[phases]) ** 2).mean() / shapes.var())


def unseen(name: str, count: int) -> list[str]:
    """Dealt by chance, by likeness, and as well as these stamps allow, each taken as often as wanted."""
    cycle, found = SETS[name][1], []
    for repeat in range(3):
        rng = np.random.default_rng([repeat, count])
        both, starts = windows(name, count + UNSEEN, rng)
        picked = np.concatenate([rng.permutation(count) for _ in range(-(-UNSEEN // count))])[:UNSEEN]
        likeness = Likeness.of(both[np.arange(count)])
        assert likeness is not None
        dealt = likeness.deal(both.values[count:], np.full(UNSEEN, LENGTH), picked)
        true, least = starts[count:], off(starts[count:, None], starts[None, :count], cycle).min(axis=1)
        found.append([off(true, starts[picked], cycle).mean(), off(true, starts[dealt], cycle).mean(), least.mean()])
    return [f"{part:.3f}" for part in np.mean(found, axis=0)]


def drawn(name: str, count: int, options: argparse.Namespace) -> list[str]:
    """See the text of the module."""
    cycle, rng = SETS[name][1], np.random.default_rng([options.seed, count])
    real, begun = windows(name, 1000, rng)
    shots, starts = windows(name, count, rng)
    parts = [explained(real.values[:, 0], begun, cycle), explained(shots.values[:, 0], starts, cycle)]
    assert shots.times is not None
    own = dict(zip(shots.times[:, 0].tolist(), starts, strict=True))
    for mode in options.modes:
        made = Sprout.from_pretrained().fit(shots, mode, budget="10m").sample(1000, seed=options.seed)
        begin = np.array([own[stamp] for stamp in made.times[:, 0].tolist()])
        parts += [explained(made.values[:, 0], each, cycle) for each in (rng.permutation(begin), begin)]
    return [f"{part:.2f}" for part in parts]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modes", nargs="*", default=["prompt"])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--shots", nargs="+", type=int, default=[10, 25])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    head = ["set, shots", "off by chance", "by likeness", "least", "real", "shots"]
    head += [f"{mode}, {way}" for mode in options.modes for way in ("by chance", "by likeness")]
    print("| " + " | ".join(head) + " |", "|---" * len(head) + "|", sep="\n")
    for name in options.sets:
        for count in options.shots:
            cells = [f"{name}, {count}", *unseen(name, count), *drawn(name, count, options)]
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
