"""The discrepancy of Gaussians is the closed form, and chance alone gives nothing on average."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from tsprout.metrics.mmd import BANDWIDTHS, MMD, squared_mmd
from tsprout.metrics.neighbours import distances


def rows(n: int, seed: int, d: int = 20) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d))


def test_distances_are_euclidean_per_root_of_dimension():
    first, second = rows(5, 1, 4), rows(7, 2, 4)
    expected = np.linalg.norm(first[:, None] - second, axis=2) / 2
    assert distances(first, second) == pytest.approx(expected)


def test_shifted_gaussians_have_the_closed_form():
    found = np.mean([squared_mmd(rows(150, seed), rows(150, 100 + seed) + 0.5) for seed in range(60)])
    middle = np.sqrt(2 * chi2.median(20))  # the squared distance of two series is twice a chi-square
    expected = np.mean([1 - np.exp(-5.0 / (2 * ((factor * middle) ** 2 + 2))) for factor in BANDWIDTHS])
    assert found == pytest.approx(expected, rel=0.05)


def test_two_samples_of_one_distribution_differ_by_nothing_on_average():
    found = [squared_mmd(rows(30, seed), rows(30, 1000 + seed)) for seed in range(200)]
    assert np.mean(found) == pytest.approx(0, abs=2.5 * np.std(found) / np.sqrt(200))
    assert min(found) < 0 < max(found)


def test_what_mean_and_covariance_hide_is_seen():
    rng = np.random.default_rng(0)
    signs = rng.choice([-1.0, 1.0], (800, 2))
    found = squared_mmd(rng.standard_normal((800, 2)), signs)  # both have mean 0 and covariance 1
    assert found > 0.05


def test_nothing_in_common_is_one_and_one_series_tells_nothing():
    assert squared_mmd(rows(50, 1), rows(50, 2) + 100) == pytest.approx(1)
    assert np.isnan(squared_mmd(rows(1, 1), rows(50, 2)))
    same = np.ones((4, 3))
    assert squared_mmd(same, same) == pytest.approx(0)
    assert squared_mmd(same, 2 * same) == pytest.approx(1)


def test_the_score_is_a_root_in_its_range():
    first, second = np.random.default_rng(0).standard_normal((2, 100, 2, 16))
    assert MMD(first, second) < 0.1
    assert 0.5 < MMD(first, 3 * second) <= 1
    drawn = [MMD.compare(rows(30, seed), rows(30, 500 + seed), 0) for seed in range(20)]
    assert min(drawn) < 0 < max(drawn)  # so that the mean over draws of one distribution is not above 0
    assert MMD.compare(rows(30, 1), rows(30, 2) + 1, 0) ** 2 == pytest.approx(squared_mmd(rows(30, 1), rows(30, 2) + 1))
