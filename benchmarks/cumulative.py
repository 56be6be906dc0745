"""Channels that go one way only: as the product has them, or scaled by their values as any other channel.

    python benchmarks/cumulative.py --modes prompt auto

Made data, twelve shots of 24 steps, 200 drawn: meters with a daily cycle that stand anywhere up to ten thousand, growth
curves, rain summed up, counts of cases, progress to a hundred. ``wrong way`` is the share of steps down; medians of the
start, the rise from end to end and a step, the upper twentieth of a step and the standard deviation of the ends stand
beside those of 300 real series.
"""

from __future__ import annotations

import numpy as np
from both_ways import asked, both_ways

from tsprout import SeriesSet

LENGTH, SHOTS, REAL, DRAWN = 24, 12, 300, 200
KINDS = ("meters", "growth", "rain", "cases", "progress")


def series(kind: str, n: int, seed: int) -> np.ndarray:
    """``(n, length)`` that never fall."""
    rng, time = np.random.default_rng(seed), np.arange(LENGTH)
    if kind == "meters":
        daily = 10 + 6 * np.sin(time / 24 * 2 * np.pi + 1)
        moves = rng.gamma(3, 1 / 3, (n, LENGTH)) * daily * rng.lognormal(0, 0.3, (n, 1))
        return rng.uniform(0, 1e4, (n, 1)) + moves.cumsum(1)
    if kind == "growth":
        size, rate, middle = rng.lognormal(4, 0.2, (n, 1)), rng.normal(0.4, 0.05, (n, 1)), rng.normal(11, 2, (n, 1))
        return size / (1 + np.exp(-rate * (time - middle)))
    if kind == "rain":
        return ((rng.random((n, LENGTH)) < 0.4) * rng.gamma(0.8, 8, (n, LENGTH))).cumsum(1)
    if kind == "progress":
        return 100 * (1 - np.exp(-rng.uniform(0.1, 0.35, (n, 1)) * time))
    level = 2 + rng.normal(0, 0.5, (n, 1)) + rng.normal(0, 0.15, (n, LENGTH)).cumsum(1)
    return rng.poisson(np.exp(level)).cumsum(1) + rng.poisson(20, (n, 1))


def told(values: np.ndarray) -> list[str]:
    """Share of steps the wrong way, medians of start, rise and step, upper twentieth of a step, spread of the ends."""
    moves = np.diff(values.astype(np.float64), axis=1)
    rise = np.median(values[:, -1] - values[:, 0])
    numbers = (np.median(values[:, 0]), rise, *np.quantile(moves, [0.5, 0.95]), values[:, -1].std())
    return [f"{100 * (moves < 0).mean():.0f} %", *(f"{number:.3g}" for number in numbers)]


def main() -> None:
    options = asked(__doc__)
    print(
        "| series | mode | scaled | wrong way | start | rise | step | upper step | spread of ends |",
        "|---" * 9 + "|",
        sep="\n",
    )
    for kind in KINDS:
        print("|", " | ".join([kind, "", "real", *told(series(kind, REAL, options.seed + 1))]), "|", flush=True)
        shots = SeriesSet.from_arrays(series(kind, SHOTS, options.seed)[:, None].astype(np.float32))
        for mode, name, drawn in both_ways(shots, options, "one way", DRAWN):
            print("|", " | ".join([kind, mode, name, *told(drawn[:, 0])]), "|", flush=True)


if __name__ == "__main__":
    main()
