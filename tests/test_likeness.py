"""Time stamps and static columns go to the series that they fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from tsprout.baselines import LatentBaseline, get
from tsprout.likeness import AT_ONCE, Likeness
from tsprout.series import SeriesSet

HOUR = np.timedelta64(1, "h")
START = np.datetime64("2024-03-04", "ns")


def days(starts: np.ndarray, length: int = 24, noise: float = 0.2, seed: int = 0) -> np.ndarray:
    """``(n, 1, length)`` hourly values that peak in the afternoon, with a level of their own."""
    rng = np.random.default_rng(seed)
    hours = starts[:, None] + np.arange(length)
    shape = np.cos(2 * np.pi * (hours - 15) / 24) + 0.4 * np.cos(4 * np.pi * (hours - 8) / 24)
    level = 3 * rng.standard_normal((len(starts), 1))
    return (10 + level + shape + noise * rng.standard_normal(shape.shape))[:, None].astype(np.float32)


def shots_of(starts: np.ndarray, length: int = 24, seed: int = 0, **rest) -> SeriesSet:
    times = START + (starts[:, None] + np.arange(length)) * HOUR
    return SeriesSet.from_arrays(days(starts, length, seed=seed), times=times, **rest)


def hours_off(shots: SeriesSet, dealt: np.ndarray, true: np.ndarray) -> float:
    assert shots.times is not None
    hour = ((shots.times[dealt, 0] - START) / HOUR).astype(int)
    off = np.abs(hour - true) % 24
    return float(np.minimum(off, 24 - off).mean())


def in_turn(n: int, shots: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.permutation(shots) for _ in range(-(-n // shots))])[:n]


def test_stamps_go_where_the_values_are() -> None:
    rng = np.random.default_rng(1)
    starts = np.arange(12) * 26  # every other hour, over two weeks
    shots, true = shots_of(starts), rng.integers(0, 24, 240)
    picked = in_turn(240, 12)
    dealt = Likeness.of(shots).deal(days(true, seed=2), np.full(240, 24), picked)
    assert hours_off(shots, picked, true) > 5  # 6 is chance
    assert hours_off(shots, dealt, true) < 1.5  # stamps are two hours apart, and each is dealt as often
    assert np.array_equal(np.bincount(dealt), np.bincount(picked))


def test_each_template_is_dealt_as_often_whatever_the_number() -> None:
    shots = shots_of(np.arange(7) * 5)
    likeness = Likeness.of(shots)
    for n in (1, 2, 6, 30, AT_ONCE + 90):
        picked = in_turn(n, 7)
        values, lengths = days(np.arange(n), seed=3), np.full(n, 24)
        dealt = likeness.deal(values, lengths, picked)
        assert np.array_equal(np.bincount(dealt, minlength=7), np.bincount(picked, minlength=7))
        assert np.array_equal(dealt, likeness.deal(values, lengths, picked))


def test_labels_and_lengths_stay_with_their_series() -> None:
    starts = np.arange(12) * 5
    labels = np.array(["a", "b"] * 6, dtype=object)
    lengths = np.array([24, 24, 20, 20] * 3)
    shots = shots_of(starts, lengths=lengths, labels=labels)
    picked = in_turn(60, 12)
    dealt = Likeness.of(shots).deal(days(np.arange(60), seed=4), lengths[picked], picked)
    assert not np.array_equal(dealt, picked)
    assert np.array_equal(labels[dealt], labels[picked]) and np.array_equal(lengths[dealt], lengths[picked])


def test_a_level_goes_with_its_static_column() -> None:
    level = np.arange(6.0)
    values = (np.float32(10 * level)[:, None, None] + days(np.zeros(6, int), noise=0.1)).astype(np.float32)
    shots = SeriesSet.from_arrays(values, static={"size": level})
    picked = in_turn(60, 6)
    drawn = values[picked[::-1]] + 0.1
    dealt = Likeness.of(shots).deal(drawn, np.full(60, 24), picked)
    assert np.array_equal(level[dealt], level[picked[::-1]])


def test_where_templates_do_not_differ_nothing_is_dealt() -> None:
    values = days(np.zeros(5, int))
    assert Likeness.of(SeriesSet.from_arrays(values)) is None
    assert Likeness.of(SeriesSet.from_arrays(values, times=np.tile(np.arange(24), (5, 1)))) is None
    assert Likeness.of(shots_of(np.zeros(5, int))) is None
    assert Likeness.of(shots_of(np.arange(1))) is None
    assert Likeness.of(SeriesSet.from_arrays(values, static={"site": np.array(["x"] * 5, dtype=object)})) is None
    assert Likeness.of(shots_of(np.arange(5))) is not None


@pytest.mark.parametrize("kind", ["int", "float", "irregular", "daily", "monthly"])
def test_any_stamps(kind: str) -> None:
    starts = np.arange(8) * 27
    steps = starts[:, None] + np.arange(24)
    times = {
        "int": steps,
        "float": steps / 7.0,
        "irregular": START + np.cumsum(np.random.default_rng(0).integers(1, 90, steps.shape), axis=1) * HOUR,
        "daily": START + steps * 24 * HOUR,
        "monthly": (np.datetime64("2001-01") + steps).astype("datetime64[ns]"),
    }[kind]
    shots = SeriesSet.from_arrays(days(starts), times=times)
    likeness = Likeness.of(shots)
    assert bool(likeness.cycles) == (kind not in ("int", "float"))
    picked = in_turn(40, 8)
    dealt = likeness.deal(days(starts[picked[::-1]], seed=5), np.full(40, 24), picked)
    assert np.array_equal(np.bincount(dealt), np.bincount(picked))
    assert hours_off(shots_of(starts), dealt, starts[picked[::-1]]) < hours_off(
        shots_of(starts), picked, starts[picked[::-1]]
    )


def test_gaps_constants_and_longer_series_are_borne() -> None:
    starts = np.arange(12) * 26
    values = np.concatenate([days(starts), np.ones((12, 1, 24)), days(starts, seed=9)], axis=1)
    values[3, 0, :9] = np.nan
    values[5, 2] = np.nan
    times = START + (starts[:, None] + np.arange(24)) * HOUR
    shots = SeriesSet.from_arrays(values.astype(np.float32), times=times)
    rng = np.random.default_rng(2)
    true, picked = rng.integers(0, 24, 120), in_turn(120, 12)
    for length in (24, 30, 12):
        drawn = np.concatenate(
            [days(true, length, seed=6), np.ones((120, 1, length)), days(true, length, seed=7)], axis=1
        ).astype(np.float32)
        dealt = Likeness.of(shots).deal(drawn, np.full(120, length), picked)
        assert hours_off(shots, dealt, true) < (2 if length > 12 else 3)


def test_shots_all_equal_are_dealt_as_they_come() -> None:
    values = np.ones((4, 1, 24), np.float32)
    times = START + (np.arange(4)[:, None] + np.arange(24)) * HOUR
    shots = SeriesSet.from_arrays(values, times=times)
    dealt = Likeness.of(shots).deal(np.ones((9, 1, 24), np.float32), np.full(9, 24), in_turn(9, 4))
    assert np.array_equal(np.bincount(dealt), np.bincount(in_turn(9, 4)))


@pytest.mark.parametrize("name", ["gaussian", "pca-kde"])
def test_baselines_that_draw_anew_take_the_stamps_that_fit(name: str) -> None:
    starts = np.arange(12) * 26
    shots = shots_of(starts)
    drawn = get(name)().fit(shots, seed=0).sample(120, seed=0)
    assert explained(drawn) > 0.2 > 10 * explained(drawn, shuffled=True)


def explained(series: SeriesSet, *, shuffled: bool = False) -> float:
    """Share of the variance within series that the hour of the day explains."""
    stamps = series.times
    if shuffled:
        stamps = np.random.default_rng(0).permutation(stamps)
    hours = stamps.astype("datetime64[h]").astype(int).ravel() % 24
    shapes = (series.values[:, 0] - series.values[:, 0].mean(axis=1, keepdims=True)).ravel()
    means = np.array([shapes[hours == hour].mean() for hour in range(24)])
    return float(1 - ((shapes - means[hours]) ** 2).mean() / shapes.var())


def test_altered_shots_keep_their_own_stamps() -> None:
    shots = shots_of(np.arange(12) * 26)
    drawn = get("copies")().fit(shots, seed=0).sample(24, seed=0)
    for series, times in zip(drawn.values, drawn.times, strict=True):
        assert np.array_equal(times, shots.times[np.abs(shots.values - series).sum(axis=(1, 2)).argmin()])


@dataclass(eq=False)
class Sorted(LatentBaseline):
    """The shots' shapes in another order than templates are dealt out in."""

    name = "sorted"

    def _fit(self, latent, lengths, seed, progress):
        self.shapes = latent

    def _sample(self, n, seed):
        return self.shapes[np.arange(n) % len(self.shapes)]


def test_stamps_are_those_of_the_shots_whose_shapes_came_back() -> None:
    shots = shots_of(np.arange(12) * 26)
    drawn = Sorted().fit(shots, seed=0).sample(24, seed=0)
    expected = shots.times[np.arange(24) % 12, 0].astype("datetime64[h]").astype(int) % 24
    found = drawn.times[:, 0].astype("datetime64[h]").astype(int) % 24
    off = np.abs(found - expected) % 24
    assert np.minimum(off, 24 - off).mean() < 1
