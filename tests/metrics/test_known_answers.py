"""Every metric against cases whose answer is known, and against damage of growing strength."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from tsprout.metrics import METRICS, QUICK, PairMetric
from tsprout.metrics.autocorrelation import autocorrelation, lags, moments
from tsprout.metrics.correlation import correlations
from tsprout.metrics.discriminative import advantage, folds, ridge_scores
from tsprout.metrics.frechet import frechet, shrunk_covariance
from tsprout.metrics.marginal import quantiles
from tsprout.metrics.paper import paper_scores
from tsprout.metrics.reference import Reference
from tsprout.metrics.spectrum import power, shares

NAMES = [metric.name for metric in QUICK]


def waves(n: int, seed: int = 0, length: int = 24) -> np.ndarray:
    """Three channels (n, 3, L): a bursty sawtooth, a noisy follower of it, and an independent random walk."""
    rng = np.random.default_rng(seed)
    time = np.arange(length)
    phase, level = rng.uniform(0, 8, (n, 1)), rng.choice([-2.0, 2.0], (n, 1))
    saw = ((time + phase) % 8) / 8
    first = level + saw + 0.05 * rng.standard_normal((n, length))
    second = 3 * first + 0.5 * rng.standard_normal((n, length)) + 10
    third = np.cumsum(rng.standard_normal((n, length)), axis=1)
    return np.stack([first, second, third], axis=1)


REAL, OTHER = waves(250, 1), waves(250, 2)
FLOOR = {name: METRICS[name](REAL, OTHER) for name in NAMES}


def shift(x: np.ndarray, d: float) -> np.ndarray:
    return x + d * x.std(axis=(0, 2), keepdims=True)


def scale(x: np.ndarray, d: float) -> np.ndarray:
    return x.mean(axis=(0, 2), keepdims=True) + (x - x.mean(axis=(0, 2), keepdims=True)) * (1 + d)


def noise(x: np.ndarray, d: float) -> np.ndarray:
    return x + d * x.std(axis=(0, 2), keepdims=True) * np.random.default_rng(9).standard_normal(x.shape)


def unpair(x: np.ndarray, d: float) -> np.ndarray:
    """The share ``d`` of series takes its channels from different series."""
    count = int(d * len(x))
    mixed = x.copy()
    for channel in range(x.shape[1]):
        mixed[:count, channel] = np.roll(x[:count, channel], 17 * (channel + 1), axis=0)
    return mixed


def reverse(x: np.ndarray, d: float) -> np.ndarray:
    """The share ``d`` of series runs backwards in time."""
    mixed = x.copy()
    mixed[: int(d * len(x))] = x[: int(d * len(x)), :, ::-1]
    return mixed


def drop_mode(x: np.ndarray, d: float) -> np.ndarray:
    """The share ``d`` of the series on the upper level is replaced by series on the lower one."""
    upper = x[:, 0].mean(axis=1) > 0.5
    lost = np.flatnonzero(upper)[: int(d * upper.sum())]
    low = np.flatnonzero(~upper)
    mixed = x.copy()
    mixed[lost] = x[low[np.arange(len(lost)) % len(low)]]
    return mixed


def shuffle_time(x: np.ndarray, d: float) -> np.ndarray:
    """The share ``d`` of series has its time steps permuted."""
    mixed = x.copy()
    for i in range(int(d * len(x))):
        mixed[i] = x[i][:, np.random.default_rng(i).permutation(x.shape[2])]
    return mixed


DAMAGE = [
    (
        shift,
        (0.1, 0.4, 1.6),
        {"marginal", "frechet", "discriminative"},
        {"autocorrelation", "increments", "correlation"},
    ),
    (scale, (0.1, 0.4, 1.6), {"marginal", "frechet", "discriminative"}, {"autocorrelation", "correlation", "spectrum"}),
    (noise, (0.05, 0.2, 0.8), {"autocorrelation", "increments", "spectrum", "frechet", "discriminative"}, set()),
    (
        unpair,
        (0.25, 0.5, 1.0),
        {"correlation", "frechet", "discriminative"},
        {"marginal", "autocorrelation", "spectrum"},
    ),
    (reverse, (0.25, 0.5, 1.0), {"frechet", "discriminative"}, {"marginal", "correlation", "spectrum", "increments"}),
    (drop_mode, (0.25, 0.5, 1.0), {"marginal", "frechet", "discriminative"}, {"increments"}),
    (
        shuffle_time,
        (0.25, 0.5, 1.0),
        {"autocorrelation", "increments", "spectrum", "frechet", "discriminative"},
        {"marginal"},
    ),
]


@pytest.mark.parametrize(("damage", "doses", "moved", "still"), DAMAGE, ids=[case[0].__name__ for case in DAMAGE])
def test_damage_moves_the_right_scores_and_more_of_it_moves_them_further(damage, doses, moved, still):
    for name in moved:
        found = [METRICS[name](REAL, damage(OTHER, dose)) for dose in doses]
        assert found == sorted(found), (name, found)
        assert found[-1] > 3 * FLOOR[name] + 0.01, (name, found, FLOOR[name])
    for name in still:
        assert METRICS[name](REAL, damage(OTHER, doses[-1])) < 2 * FLOOR[name] + 0.02, name


@pytest.mark.parametrize("name", [name for name in NAMES if name != "discriminative"])
def test_a_set_compared_with_itself_scores_zero(name):
    assert METRICS[name](REAL, REAL) == pytest.approx(0, abs=1e-9)


def test_nobody_can_tell_a_sample_from_another():
    assert FLOOR["discriminative"] < 0.06
    assert METRICS["discriminative"](REAL, REAL) < 0.06


def test_swapped_channels_are_noticed():
    swapped = OTHER[:, [1, 0, 2]]
    for name in ("marginal", "frechet", "discriminative"):
        assert METRICS[name](REAL, swapped) > 5 * FLOOR[name] + 0.1
    assert METRICS["discriminative"](REAL, swapped) > 0.49


def test_channels_shared_only_across_series_are_noticed_by_correlation():
    assert METRICS["correlation"](REAL, unpair(OTHER, 1.0)) > 0.25  # one pair of three loses a correlation near 1


def test_marginal_is_the_size_of_a_shift_and_half_of_a_stretch():
    assert METRICS["marginal"](REAL, shift(REAL, 0.3)) == pytest.approx(0.3, abs=1e-6)
    normal = np.random.default_rng(0).standard_normal((500, 1, 40))
    # the mean absolute value of a normal is 0.798
    assert METRICS["marginal"](normal, 1.5 * normal) == pytest.approx(0.5 * 0.798, rel=0.05)


def test_marginal_sees_the_tails():
    normal = np.random.default_rng(0).standard_normal((500, 1, 40))
    tails = np.where(np.abs(normal) > 2, 4 * normal, normal)
    assert METRICS["marginal"](normal, tails) > 0.1


def test_marginal_is_in_units_of_each_channel():
    factor = np.array([1.0, 1e6, 1e-6])[:, None]
    assert METRICS["marginal"](REAL * factor, OTHER * factor) == pytest.approx(FLOOR["marginal"], rel=1e-6)


def test_quantiles_of_a_channel_without_values_are_unknown():
    table = quantiles(np.stack([np.arange(100.0), np.full(100, np.nan)])[None])
    assert table[0, 50] == pytest.approx(49.5)
    assert np.isnan(table[1]).all()
    holes = REAL.copy()
    holes[0, 0, 0] = np.nan
    assert np.array_equal(quantiles(holes)[1:], quantiles(REAL)[1:])


def test_autocorrelation_of_an_autoregression():
    rng = np.random.default_rng(3)
    x = np.zeros((400, 1, 200))
    for t in range(1, 200):
        x[..., t] = 0.8 * x[..., t - 1] + rng.standard_normal((400, 1))
    found = autocorrelation(moments(x[..., 100:]))[0]
    assert found[:3] == pytest.approx([0.8, 0.64, 0.512], abs=0.03)


def test_autocorrelation_counts_levels_and_gaps():
    level = np.random.default_rng(0).standard_normal((300, 1, 1)) + np.zeros((1, 1, 12))
    assert autocorrelation(moments(level)) == pytest.approx(1.0)
    holes = np.where(np.random.default_rng(1).random(REAL.shape) < 0.3, np.nan, REAL)
    assert autocorrelation(moments(holes)) == pytest.approx(autocorrelation(moments(REAL)), abs=0.05)


def test_lags_are_few_and_reach_far():
    assert lags(24).tolist() == list(range(1, 24))
    assert len(lags(1000)) <= 24
    assert lags(1000)[-1] == 500
    assert lags(30)[-1] == 24


def test_correlation_matrix_is_the_usual_one_and_pairwise_with_gaps():
    cells = REAL.transpose(1, 0, 2).reshape(3, -1)
    assert correlations(REAL) == pytest.approx(np.corrcoef(cells), abs=1e-9)
    holes = REAL.copy()
    holes[::2, 1] = np.nan
    kept = REAL[1::2, :2].transpose(1, 0, 2).reshape(2, -1)
    assert correlations(holes)[0, 1] == pytest.approx(np.corrcoef(kept)[0, 1], abs=1e-9)


def test_lost_movement_counts_as_lost_correlation():
    flat = REAL.copy()
    flat[:, 1] = 10.0
    expected = (abs(correlations(REAL)[0, 1]) + abs(correlations(REAL)[1, 2])) / 3
    assert METRICS["correlation"](REAL, flat) == pytest.approx(expected)
    assert METRICS["correlation"](flat, flat) == pytest.approx(0)


def test_spectrum_finds_the_rhythm():
    time = np.arange(32)
    sine = np.sin(2 * np.pi * (4 * time / 32 + np.random.default_rng(0).random((50, 1, 1))))
    share = shares(power(sine, Reference.fit(sine)))[0]
    assert np.argmax(share) == 3  # four periods; the first entry is one period
    assert share.sum() == pytest.approx(1)
    faster = np.sin(2 * np.pi * (8 * time / 32 + np.random.default_rng(1).random((50, 1, 1))))
    assert METRICS["spectrum"](sine, faster) > 5


def test_spectrum_of_long_series_has_bands():
    long = np.random.default_rng(0).standard_normal((2, 1, 1000))
    rows = power(long, Reference.fit(long))
    assert rows.shape[-1] <= 64
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(1000) + 0.5) / 1000)
    standard = (long - long.mean()) / long.std()
    whole = np.abs(np.fft.rfft((standard - standard.mean(axis=-1, keepdims=True)) * window)) ** 2
    assert rows.sum() == pytest.approx(whole[..., 1:].sum())


def test_frechet_distance_of_gaussians_is_the_closed_form():
    rng = np.random.default_rng(0)
    first = rng.standard_normal((20_000, 2))
    second = rng.standard_normal((20_000, 2)) * np.array([2.0, 3.0]) + np.array([1.0, -1.0])
    assert frechet(first, second) == pytest.approx((1 + 1 + 1 + 4) / 2, rel=0.03)


def test_shrinkage_matters_for_few_rows_and_vanishes_for_many():
    rng = np.random.default_rng(0)
    mixing = np.diag([5.0, 1, 1, 1, 1, 1, 1, 1])
    few, many = rng.standard_normal((4, 8)) @ mixing, rng.standard_normal((50_000, 8)) @ mixing
    assert np.linalg.matrix_rank(np.cov(few.T)) == 3
    assert np.linalg.eigvalsh(shrunk_covariance(few)).min() > 0.01
    assert shrunk_covariance(many) == pytest.approx(mixing**2, abs=0.5)
    assert np.trace(shrunk_covariance(few)) == pytest.approx(np.trace(np.cov(few.T)))
    assert shrunk_covariance(np.ones((3, 4))) == pytest.approx(np.zeros((4, 4)))


@pytest.mark.parametrize(("n", "d"), [(40, 5), (12, 60)], ids=["tall", "wide"])
def test_ridge_is_the_textbook_ridge_with_the_best_left_out_error(n, d):
    rng = np.random.default_rng(0)
    train, test = rng.standard_normal((n, d)), rng.standard_normal((7, d))
    target = np.sign(train[:, 0] + 0.3 * rng.standard_normal(n))
    spread = train.std(axis=0)
    rows = (train - train.mean(axis=0)) / spread

    def fit(rows, target, ridge):
        return np.linalg.solve(rows.T @ rows + ridge * np.eye(d), rows.T @ target)

    errors = {}
    for ridge in (1e-3, 1e-2, 1e-1, 1.0):
        hat = rows @ np.linalg.solve(rows.T @ rows + ridge * n * np.eye(d), rows.T) + 1 / n
        fitted = target.mean() + rows @ fit(rows, target - target.mean(), ridge * n)
        errors[ridge] = np.mean(((target - fitted) / (1 - np.diag(hat))) ** 2)
    best = min(errors, key=errors.get) * n
    expected = target.mean() + (test - train.mean(axis=0)) / spread @ fit(rows, target - target.mean(), best)
    assert ridge_scores(train, target, test) == pytest.approx(expected, abs=1e-6)


def test_classifier_is_certain_of_what_is_plain_and_needs_two_series():
    rng = np.random.default_rng(0)
    first, second = rng.standard_normal((50, 4)), rng.standard_normal((30, 4)) + 20
    assert advantage(first, second) == 0.5
    assert advantage(first[:2], second[:2]) in (0.0, -0.25, 0.25, 0.5, -0.5)
    assert np.isnan(advantage(first[:1], second))


def test_folds_are_stretches_that_share_the_set_evenly():
    fold = folds(1000)
    assert np.bincount(fold).tolist() == [200] * 5
    assert (np.diff(fold) != 0).sum() == 19
    assert folds(5).tolist() == [0, 1, 2, 3, 4]
    assert folds(3).tolist() == [0, 1, 2]


def test_overlapping_windows_of_one_recording_do_not_fool_the_classifier():
    walk = np.cumsum(np.random.default_rng(5).standard_normal(1223))
    windows = np.lib.stride_tricks.sliding_window_view(walk, 24)[:, None]
    assert METRICS["discriminative"](windows[::2], windows[1::2]) < 0.05


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_a_metric_says_what_it_is(metric, monkeypatch):
    # The networks of the paper's scores are in range however little they have learnt.
    monkeypatch.setattr("tsprout.metrics.paper.objects.paper_scores", partial(paper_scores, iterations=20))
    assert metric.direction in ("lower", "higher", "one")
    assert metric.range[0] < metric.range[1]
    assert metric.explanation.endswith(".")
    assert METRICS[metric.name] is metric
    assert np.isnan(metric.clip(float("nan")))
    if isinstance(metric, PairMetric):
        low, high = metric.range
        assert low <= metric(REAL[:50], noise(OTHER[:50], 3.0)) <= high
