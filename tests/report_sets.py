"""Series sets and scores that the tests of the report share."""

from __future__ import annotations

import numpy as np

from tsprout.metrics import Scores, quick_scores
from tsprout.series import SeriesSet

HOSTILE = (
    "<script>alert(1)</script>",
    "温度 " * 100,
    "x" * 300,
    "</style></svg>\" onload='alert(1)' {{ 7*7 }} {% raw %} \u202egnp \x00\x07",
)


def walks(n: int, channels: int, length: int, seed: int = 0) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).standard_normal((n, channels, length)), axis=-1)


def sets(real: np.ndarray, made: np.ndarray, names: list[str] | None = None) -> tuple[SeriesSet, SeriesSet, Scores]:
    first, second = SeriesSet.from_arrays(real, channels=names), SeriesSet.from_arrays(made, channels=names)
    return first, second, quick_scores(first.values, second.values, shots=first.values)


def case(name: str) -> tuple[SeriesSet, SeriesSet, Scores]:
    """Sets by what is hard about them."""
    real, made, names = walks(8, 2, 24), walks(40, 2, 24, 1), None
    if name == "one of one":
        real, made = real[:1, :1], made[:1, :1]
    elif name == "one channel":
        real, made = real[:, :1], made[:, :1]
    elif name == "four steps":
        real, made = real[..., :4], made[..., :4]
    elif name == "one step":
        real, made = real[..., :1], made[..., :1]
    elif name == "long":
        real, made = walks(4, 1, 1000), walks(20, 1, 1000, 1)
    elif name == "many channels":
        real, made = walks(6, 64, 16), walks(20, 64, 16, 1)
    elif name == "gaps":
        real[0, 0, 3:9] = real[1, :, 15:] = real[2, 1, ::2] = np.nan
    elif name == "constant":
        real[:, 0] = made[:, 0] = -7.5
    elif name == "all constant":
        real[:], made[:] = 0, 0
    elif name == "empty channel":
        real[:, 0] = made[:, 0] = np.nan
    elif name == "on a high level":
        real, made = 1e6 + real, 1e6 + made
    elif name == "huge":
        real, made = 1e30 * real, 1e30 * made
    elif name == "minute":
        real, made = 1e-20 * real, 1e-20 * made
    elif name == "wild":
        made[3, 0, 4] = 1e9
    elif name == "copies":
        made = np.repeat(real, 5, axis=0)
    elif name == "other length":
        made = walks(40, 2, 40, 1)
    elif name == "hostile names":
        real, made, names = walks(8, 4, 24), walks(40, 4, 24, 1), list(HOSTILE)
    else:
        assert name == "plain"
    return sets(real, made, names)


CASES = (
    "plain",
    "one of one",
    "one channel",
    "four steps",
    "one step",
    "long",
    "many channels",
    "gaps",
    "constant",
    "all constant",
    "empty channel",
    "on a high level",
    "huge",
    "minute",
    "wild",
    "copies",
    "other length",
    "hostile names",
)
