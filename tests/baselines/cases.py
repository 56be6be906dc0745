"""Small sets that every baseline must be able to take."""

from __future__ import annotations

import numpy as np

from tsprout.series import SeriesSet


def waves(n: int, channels: int, length: int, seed: int = 0) -> np.ndarray:
    """Series ``(n, channels, length)`` with levels, a season of six steps, and noise."""
    rng = np.random.default_rng(seed)
    season = np.sin(2 * np.pi * np.arange(length) / 6 + rng.uniform(0, 6, (n, 1, 1)))
    levels = rng.normal(20, 5, (n, channels, 1))
    return (levels + 2 * season + rng.normal(0, 0.5, (n, channels, length))).astype(np.float32)


def mixed() -> SeriesSet:
    """Seven series of three kinds of channel, with gaps, unequal lengths, labels, times, ids and a static column."""
    values = waves(7, 4, 16)
    values[:, 1] = np.round(values[:, 1])
    values[:, 2] = 3.5
    values[:, 3] = values[:, 3] > 20
    values[2, 0, 3:6] = np.nan
    values[4, 1, 0] = np.nan
    values[5, 0, :] = np.nan
    day = np.datetime64("2024-01-01", "ns")
    return SeriesSet.from_arrays(
        values,
        lengths=[16, 12, 16, 9, 16, 16, 12],
        channels=["real", "whole", "fixed", "binary"],
        ids=[f"s{i}" for i in range(7)],
        times=day + np.arange(16) * np.timedelta64(1, "h"),
        frequency="h",
        labels=["a", "b", "a", "b", "a", "b", "a"],
        static={"age": np.arange(7)},
    )
