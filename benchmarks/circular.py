"""Channels that go round: as the product has them, or scaled by their values as any other channel.

    python benchmarks/circular.py --modes prompt auto

Made data, twenty shots of 24 steps, 300 drawn: a wind about north with the temperature and half-hourly hour of the day
beside it, and a weekday. ``outside``: share of values beyond the turn; ``step``: standard deviation of moves, taken the
short way, and ``far``: share of those beyond a quarter of a turn; ``other``: share of moves of hour and weekday that no
real series has; ``with temperature``: correlation of the temperature with the daily wave at the hour drawn beside it.
"""

from __future__ import annotations

import numpy as np
from both_ways import asked, both_ways

from tsprout import SeriesSet

LENGTH, SHOTS, DRAWN = 24, 20, 300
CHANNELS = ("direction", "hour", "temperature", "weekday")


def series(n: int, seed: int) -> np.ndarray:
    """``(n, 4, length)`` float32."""
    rng, time = np.random.default_rng(seed), np.arange(LENGTH)
    wind = np.rad2deg(rng.vonmises(0, 1.2, (n, 1))) + 12 * rng.standard_normal((n, LENGTH)).cumsum(1)
    hour = (rng.integers(0, 24, (n, 1)) + time // 2) % 24
    warm = 10 + 5 * wave(hour) + 2 * rng.standard_normal((n, 1)) + 0.5 * rng.standard_normal((n, LENGTH))
    weekday = (rng.integers(0, 7, (n, 1)) + time) % 7
    return np.stack([np.round(np.mod(wind, 360)) % 360, hour, warm, weekday], 1).astype(np.float32)


def wave(hour: np.ndarray) -> np.ndarray:
    """The daily one."""
    return np.sin((hour - 9) / 24 * 2 * np.pi)


def told(values: np.ndarray) -> list[str]:
    """See the text of the module."""
    moves = np.diff(values.astype(np.float64), axis=2)
    short = moves[:, 0] - 360 * np.round(moves[:, 0] / 360)
    turns = np.array([360, 24, 7])[:, None]
    outside = np.mean((values[:, [0, 1, 3]] < 0) | (values[:, [0, 1, 3]] >= turns))
    hours, days = np.mod(moves[:, 1], 24) > 1, np.mod(moves[:, 3], 7) != 1
    beside = np.corrcoef(wave(values[:, 1]).ravel(), values[:, 2].ravel())[0, 1]
    cells = [f"{100 * share:.1f} %" for share in (outside, np.mean(np.abs(short) > 90), hours.mean(), days.mean())]
    return [cells[0], f"{short.std():.1f}", *cells[1:], f"{beside:.2f}"]


def main() -> None:
    options = asked(__doc__)
    head = ["mode", "scaled", "outside", "step", "far", "other hours", "other weekdays", "with temperature"]
    print("| " + " | ".join(head) + " |", "|---" * len(head) + "|", sep="\n")
    print("|", " | ".join(["", "real", *told(series(DRAWN, options.seed + 1))]), "|", flush=True)
    shots = SeriesSet.from_arrays(series(SHOTS, options.seed), channels=CHANNELS)
    for mode, name, drawn in both_ways(shots, options, "going round", DRAWN):
        print("|", " | ".join([mode, name, *told(drawn)]), "|", flush=True)


if __name__ == "__main__":
    main()
