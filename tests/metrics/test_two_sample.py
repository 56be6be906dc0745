"""The forest ranks what differs, guesses where nothing does, and its p-value keeps its word."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from tsprout.metrics import evaluate
from tsprout.metrics.discriminative import advantage
from tsprout.metrics.two_sample import TWO_SAMPLE, _test, chance_spread, standard_error, two_sample


def rows(n: int, seed: int, d: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d))


def walks(n: int, seed: int) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).standard_normal((n, 2, 16)), axis=-1)


def test_shifted_gaussians_reach_nearly_the_best_possible_area():
    found = _test(rows(400, 1, 1), rows(400, 2, 1) + 2, 0)
    assert 0.85 < found.area < 0.95  # the best possible is Phi(sqrt 2) = 0.921
    assert found.low < found.area < found.high
    assert found.p_value < 1e-20
    assert found.advantage == pytest.approx(found.area - 0.5)


def test_combinations_that_no_weighted_sum_shows_are_found():
    first, second = np.abs(rows(300, 1, 2)), np.abs(rows(300, 2, 2))
    first *= np.random.default_rng(3).choice([-1, 1], (300, 1))
    second *= np.random.default_rng(4).choice([-1, 1], (300, 1)) * np.array([1, -1])
    assert _test(first, second, 0).area > 0.95
    assert advantage(first, second) < 0.1


def test_p_values_are_even_where_nothing_differs(monkeypatch):
    monkeypatch.setattr(sys.modules["tsprout.metrics.two_sample"], "N_TREES", 8)
    found = [_test(rows(20, seed), rows(20, 500 + seed), seed) for seed in range(16)]
    assert np.mean([test.area for test in found]) == pytest.approx(0.5, abs=0.07)
    assert 0.3 < np.mean([test.p_value for test in found]) < 0.7
    assert np.mean([test.p_value < 0.1 for test in found]) < 0.35


def areas(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """For each row, how often an answer of the second is above one of the first: the area, written out."""
    return (second[:, :, None] > first[:, None, :]).mean(axis=(1, 2))


def test_standard_error_is_the_spread_of_areas():
    rng = np.random.default_rng(0)
    found = areas(rng.standard_normal((2000, 40)), rng.standard_normal((2000, 60)) + 1)
    assert standard_error(float(np.mean(found)), 60, 40) == pytest.approx(np.std(found), rel=0.07)
    assert standard_error(1.0, 10, 10) == 0


def test_chance_spread_is_that_of_random_answers():
    rng, counts = np.random.default_rng(0), np.array([3, 5, 6])
    found = np.average([areas(*rng.random((2, 5000, n))) for n in counts], axis=0, weights=counts)
    assert chance_spread(counts) == pytest.approx(np.std(found), rel=0.07)


def test_overlapping_windows_of_one_recording_do_not_fool_the_forest():
    walk = np.cumsum(np.random.default_rng(5).standard_normal(623))
    windows = np.lib.stride_tricks.sliding_window_view(walk, 24)[:, None]
    assert TWO_SAMPLE(windows[::2], windows[1::2]) < 0.06


def test_the_test_and_the_score_agree_and_repeat():
    real, made = walks(60, 1), walks(80, 2) * 1.5
    found = two_sample(real, made, seed=3)
    assert found == two_sample(real, made, seed=3)
    assert found.n == 60
    assert TWO_SAMPLE(real, made, seed=3) == pytest.approx(found.advantage)
    assert found.p_value < 0.01


def test_two_series_a_side_are_enough_and_one_is_not():
    assert 0 <= two_sample(walks(2, 1), walks(2, 2)).area <= 1
    lone = two_sample(walks(1, 1), walks(5, 2))
    assert np.isnan(lone.area) and np.isnan(lone.p_value) and lone.n == 1
    assert np.isnan(TWO_SAMPLE(walks(1, 1), walks(5, 2)))


def test_six_comparisons_make_a_floor_and_its_interval(monkeypatch):
    monkeypatch.setattr(sys.modules["tsprout.metrics.two_sample"], "N_TREES", 5)
    scores = evaluate(walks(60, 1), walks(60, 2), shots=walks(8, 3), metrics=[TWO_SAMPLE])
    assert (TWO_SAMPLE.repeats or 0) >= 6
    assert scores.repeats >= 6
    floor = scores["two_sample"].floor
    assert floor.high - floor.mean < 0.25
    assert evaluate(walks(300, 1), walks(300, 2), shots=walks(8, 3), metrics=["marginal"]).repeats >= 6
