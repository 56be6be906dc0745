"""Choice of transforms: L-moments against closed forms, and the decisions on channels of known law."""

from __future__ import annotations

import numpy as np
import pytest

from tsprout.data import transform_choice as choice
from tsprout.data.transform_choice import Profile
from tsprout.data.transforms import Constant, Hurdle, Levels

NAN = np.nan


def profile(cells) -> Profile:
    return Profile.of(np.atleast_2d(np.asarray(cells, np.float64)))


def curve_of(cells):
    p = profile(cells)
    return choice.choose_curve(p.x, p.effective)


def noise(law: str, shape=(20, 50), seed=0):
    rng = np.random.default_rng(seed)
    return {
        "normal": lambda: rng.standard_normal(shape),
        "uniform": lambda: rng.uniform(-1, 1, shape),
        "two humps": lambda: rng.choice([-3.0, 3.0], shape) + 0.3 * rng.standard_normal(shape),
        "lognormal": lambda: np.exp(1.2 * rng.standard_normal(shape)),
        "exponential": lambda: rng.exponential(2.0, shape),
        "t3": lambda: rng.standard_t(2, shape),
        "mirrored": lambda: 100 - np.exp(1.2 * rng.standard_normal(shape)),
    }[law]()


@pytest.mark.parametrize(
    ("law", "scale", "skewness", "kurtosis"),
    [
        (lambda u: u, 1 / 6, 0.0, 0.0),  # uniform on (0, 1)
        (lambda u: -np.log1p(-u), 1 / 2, 1 / 3, 1 / 6),  # exponential
        (lambda u: np.log(u / (1 - u)), 1.0, 0.0, 1 / 6),  # logistic
    ],
)
def test_l_moments_match_their_closed_forms(law, scale, skewness, kurtosis):
    u = (np.arange(200_000) + 0.5) / 200_000
    np.testing.assert_allclose(choice.l_moments(law(u)), (scale, skewness, kurtosis), atol=2e-4)


def test_l_moments_of_next_to_nothing_are_those_of_a_gaussian():
    assert choice.l_moments(np.array([1.0, 2.0, 3.0]))[1:] == (0.0, choice.L_KURTOSIS_GAUSS)
    assert choice.l_moments(np.full(9, 4.0))[1:] == (0.0, choice.L_KURTOSIS_GAUSS)


@pytest.mark.parametrize(
    ("law", "kind", "word"),
    [
        ("normal", "identity", "no strong skew"),
        ("uniform", "identity", "no strong skew"),
        ("two humps", "identity", "no strong skew"),
        ("lognormal", "log1p", "non-negative, right-skewed (skewness"),
        ("exponential", "log1p", "right-skewed"),
        ("t3", "asinh", "heavy tails"),
        ("mirrored", "reflected_log1p", "left-skewed"),
    ],
)
def test_the_law_decides_the_curve(law, kind, word):
    curve, why = curve_of(noise(law))
    assert curve.kind == kind
    assert word in why


def test_one_gross_outlier_does_not_flatten_the_rest():
    cells = noise("normal")
    cells[3, 7] = 1e6
    curve, _ = curve_of(cells)
    assert curve.kind == "asinh"
    u = curve.forward(np.sort(cells.ravel()))
    assert np.std(u[:-1]) > 0.5 * np.std(u)


@pytest.mark.parametrize("seed", range(30))
def test_gaussian_channels_of_few_autocorrelated_cells_keep_the_identity(seed):
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.standard_normal((5, 24)), axis=1) + 3 * rng.standard_normal((5, 1))
    assert curve_of(walk)[0].kind == "identity"


def test_a_curve_that_is_no_clear_gain_is_not_taken():
    # Two humps far apart: no monotone curve of ours makes one Gaussian of them.
    rng = np.random.default_rng(0)
    cells = np.where(rng.random((20, 50)) < 0.75, 0.0, 5000.0) + rng.standard_normal((20, 50))
    curve, why = curve_of(cells)
    assert curve.kind == "identity"
    assert "no other transform is clearly better" in why


def test_log_curve_spaces_the_deciles_evenly():
    x = np.sort(np.random.default_rng(0).exponential(3.0, 4000))
    q = choice.make_curve("log1p", x).forward(np.quantile(x, [0.1, 0.5, 0.9]))
    np.testing.assert_allclose(q[1] - q[0], q[2] - q[1], rtol=1e-3)


def test_curves_of_degenerate_samples_have_a_positive_scale():
    mostly = np.sort(np.r_[np.zeros(99), 5.0])
    for kind in ("identity", "asinh", "log1p", "reflected_log1p"):
        assert choice.make_curve(kind, mostly).scale > 0
        assert choice.make_curve(kind, np.full(5, 3.0)).scale > 0
    assert choice.departure(np.full(5, 3.0), 5.0) == 0.0
    assert choice.robust_scale(np.sort(np.r_[np.zeros(90), np.full(10, 2.0)])) > 0
    assert choice.describe_shape(np.full(5, 3.0)).startswith("non-negative, heavy")


def test_effective_cells_count_independent_ones():
    rng = np.random.default_rng(0)
    assert choice.effective_cells(rng.standard_normal((20, 50))) > 700
    levels = np.repeat(rng.standard_normal((7, 1)), 50, axis=1)
    assert choice.effective_cells(levels) == 7
    r = 0.9
    chain = rng.standard_normal((50, 500))
    for t in range(1, 500):
        chain[:, t] = r * chain[:, t - 1] + np.sqrt(1 - r * r) * chain[:, t]
    assert choice.effective_cells(chain) == pytest.approx(25000 * (1 - r) / (1 + r), rel=0.15)
    assert choice.effective_cells(np.full((3, 4), NAN)) == 0
    assert choice.effective_cells(np.array([[1.0], [2.0]])) == 2


def test_visits_are_stretches_broken_by_change_or_by_missing():
    p = profile([[1, 1, 2, 2, 1, NAN, 1], [2, 2, 2, 2, 2, 2, 2]])
    np.testing.assert_array_equal(p.distinct, [1, 2])
    np.testing.assert_array_equal(p.counts, [4, 9])
    np.testing.assert_array_equal(p.visits, [3, 2])


def test_constant_empty_and_two_valued():
    assert choice.find_constant(profile([NAN, NAN])) == Constant(None)
    assert choice.find_constant(profile([2.5, NAN])) == Constant(2.5)
    assert choice.find_constant(profile([0.0, 1.0])) == Levels((0.0, 1.0))
    assert choice.find_constant(profile([3.0, 7.5])) is None
    assert choice.find_constant(profile([3.0] * 9 + [7.5])) == Levels((3.0, 7.5))


def test_levels_are_few_and_visited_again():
    rng = np.random.default_rng(0)
    assert choice.find_levels(profile(rng.integers(0, 3, (10, 24)) / 2))
    assert not choice.find_levels(profile(rng.integers(0, 40, (10, 24))))
    assert not choice.find_levels(profile(rng.integers(0, 3, (1, 20))))  # too few cells
    held = np.repeat(np.array([[41.0], [63.0], [55.0], [29.0], [70.0]]), 24, axis=1)
    assert not choice.find_levels(profile(held))  # one age a series is no set of levels
    rain = np.zeros((10, 100))
    rain[0, [5, 25, 45, 65]] = [0.3, 1.7, 2.2, 9.0]
    assert not choice.find_levels(profile(rain))  # four amounts, each once


def test_spikes():
    rng = np.random.default_rng(0)
    rain = np.where(rng.random((10, 30)) < 0.8, 0.0, rng.exponential(3, (10, 30)))
    assert choice.find_spike(profile(rain)) == 0.0
    assert choice.find_spike(profile(rain + 4)) == 4.0
    assert choice.find_spike(profile(-rain)) == 0.0
    assert choice.find_spike(profile(rng.standard_normal((10, 30)))) is None
    assert choice.find_spike(profile(rng.poisson(1.0, (10, 30)))) is None  # ordinary counts
    inner = np.where(rng.random((10, 30)) < 0.2, 7.0, 7 + rng.standard_normal((10, 30)))
    assert choice.find_spike(profile(inner)) is None
    inner = np.where(rng.random((10, 30)) < 0.5, 7.0, inner)
    assert choice.find_spike(profile(inner)) == 7.0
    one = rng.exponential(3, (10, 30))
    one[0] = 0  # one dead series
    assert choice.find_spike(profile(one)) is None
    valve = rng.uniform(0, 100, (10, 30))
    valve[rng.random((10, 30)) < 0.4] = 100
    valve[rng.random((10, 30)) < 0.3] = 0
    assert choice.find_spike(profile(valve)) == 0.0  # zeros go before a spike at the other end
    assert choice.find_spike(profile([[1, 2, 2, 3]])) is None


def test_hurdle_on_both_sides_and_on_a_single_other_value():
    rng = np.random.default_rng(0)
    change = np.where(rng.random((10, 60)) < 0.5, 0.0, rng.standard_normal((10, 60)))
    hurdle, _ = choice.make_hurdle(profile(change), 0.0)
    assert isinstance(hurdle, Hurdle) and hurdle.curve.low == np.abs(change[change != 0]).min()
    flat, _ = choice.make_hurdle(profile([[0, 0, 3, 3]]), 0.0)
    assert flat.spread == 1.0
    np.testing.assert_allclose(flat.inverse(flat.forward(np.array([0.0, 3.0, 1.0]))), [0, 3, 1])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.arange(30), 0),
        (np.arange(30) * 100.0, -2),
        (np.arange(40) / 10, 1),
        (np.arange(40) / 100 + 20, 2),
        (np.array([0, 0, 0.1, 0.4, 2.3]), 1),
        (np.sqrt(np.arange(1, 40)), None),
        (np.arange(40) + 2.0**25, None),  # every float32 up there is whole
        (np.arange(40) * 1e-9, None),
        (np.zeros(20), 0),
        (np.array([0.0, 255.0] * 10), 0),
        (np.array([1.0, 2.0]), None),  # two whole numbers are no evidence
        (np.array([0.5]), None),
    ],
)
def test_grid_of_values(values, expected):
    cells = np.asarray(values, np.float32).astype(np.float64)
    assert choice.find_decimals(profile(cells), whole=False) == expected


def test_whole_columns_need_no_evidence():
    assert choice.find_decimals(profile([1.0, 2.0]), whole=True) == 0
    assert choice.find_decimals(profile(np.arange(40) + 2.0**25), whole=True) == 0


def test_bounds():
    rng = np.random.default_rng(0)
    assert choice.find_bounds(profile([NAN])) == (None, None)
    assert choice.find_bounds(profile(rng.standard_normal((5, 50)))) == (None, None)
    assert choice.find_bounds(profile(rng.exponential(3, (5, 50)))) == (0.0, None)
    assert choice.find_bounds(profile(rng.uniform(0, 1, (5, 200)))) == (0.0, 1.0)
    assert choice.find_bounds(profile(rng.uniform(-1, 1, (5, 200)))) == (-1.0, 1.0)
    assert choice.find_bounds(profile(rng.uniform(0, 100, (5, 200)))) == (0.0, 100.0)
    assert choice.find_bounds(profile(rng.uniform(20, 80, (5, 200)))) == (0.0, None)
    humidity = np.minimum(rng.normal(90, 8, (5, 50)), 100)
    assert choice.find_bounds(profile(humidity)) == (0.0, 100.0)
    saturated = np.clip(rng.standard_normal((5, 200)), -1.5, 1.7)
    assert choice.find_bounds(profile(saturated)) == (-1.5, 1.7)
    stuck = rng.standard_normal((5, 50))
    stuck[2, :20] = 9.0
    assert choice.find_bounds(profile(stuck)) == (None, None)  # in one series only
