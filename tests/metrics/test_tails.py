"""Expected shortfall against the closed form, and what outliers, gaps and small sets do to it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from tsprout.metrics.tails import LEVELS, TAILS, channel_errors, shortfalls


def normal(n: int, seed: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, channels, 40))


def test_shortfalls_are_the_means_of_the_outermost_values():
    values = np.random.default_rng(0).permutation(1000.0 + np.arange(1000))
    low, high = shortfalls(values)
    assert low.tolist() == [1004.5, 1002.0, 1000.5, 1000.0]
    assert high.tolist() == [1994.5, 1997.0, 1998.5, 1999.0]
    assert shortfalls(np.array([3.0])).tolist() == [[3.0] * 4] * 2
    assert shortfalls(np.array([3.0, 1.0, 2.0])).tolist() == [[1.0] * 4, [3.0] * 4]


def test_shortfall_of_a_normal_is_the_closed_form():
    expected = [norm.pdf(norm.isf(level)) / level for level in LEVELS]
    low, high = shortfalls(np.random.default_rng(1).standard_normal(1_000_000))
    assert high == pytest.approx(expected, rel=0.02)
    assert low == pytest.approx([-value for value in expected], rel=0.02)


def test_a_shift_and_a_stretch_have_known_scores():
    first = normal(1500, 1)
    assert TAILS(first, first + 0.3 * first.std()) == pytest.approx(0.3)
    shortfall = np.mean([norm.pdf(norm.isf(level)) / level for level in LEVELS])
    assert TAILS(first, 1.5 * first) == pytest.approx(0.5 * shortfall, rel=0.05)
    assert TAILS(first, first) == 0


def test_tails_are_seen_where_the_bulk_is_the_same():
    first, second = normal(400, 1), normal(400, 2)
    floor = TAILS(first, second)
    assert floor < 0.15
    cut = np.clip(second, -2.2, 2.2)
    assert TAILS(first, cut) > 0.4
    assert TAILS(first, np.where(np.abs(second) > 2.2, 2 * second, second)) > 2


def test_one_wild_value_among_thousands_does_not_decide_alone():
    first, second = normal(400, 1), normal(400, 2)
    second[0, 0, 0] = 30
    assert TAILS(first, second) < 1.0


def test_levels_with_hardly_any_value_are_left_out_and_gaps_do_not_count():
    first = normal(20, 1)
    second = first.copy()
    second[0, 0, 0] = first.max() + 80 * first.std()  # one of the 8 values beyond 99 %; 0.5 % would be 4
    alone = abs(shortfalls(first.ravel())[1, 0] - shortfalls(second.ravel())[1, 0]) / first.std()
    assert TAILS(first, second) == pytest.approx(alone / 2)
    few = normal(10, 1, 2)
    few[:, 1] = np.nan
    errors = channel_errors(few, few + 1)
    assert errors[0] == pytest.approx(1.0)
    assert np.isnan(errors[1]).all()
    holes = normal(400, 2)
    holes[np.random.default_rng(3).random(holes.shape) < 0.3] = np.nan
    assert TAILS(normal(400, 1), holes) < 0.2


def test_units_are_those_of_each_channel():
    first, second = normal(100, 1, 2), normal(100, 2, 2)
    factor = np.array([1e5, 1e-5])[:, None]
    assert TAILS(first * factor, second * factor) == pytest.approx(TAILS(first, second), rel=1e-6)
