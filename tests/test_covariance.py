"""Covariances of few series, with and without gaps."""

from __future__ import annotations

import numpy as np
import pytest

from tsprout.covariance import covariance

CHANNELS, LENGTH = 2, 5


def stationary() -> np.ndarray:
    """Of two channels, the second following the first by a step; the same at all times."""
    lag = np.arange(LENGTH) - np.arange(LENGTH)[:, None]
    own, across = 0.8 ** np.abs(lag), 0.5 * 0.8 ** np.abs(lag - 1)
    return np.block([[own, across], [across.T, own]])


def drawn(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 3 + rng.multivariate_normal(np.zeros(CHANNELS * LENGTH), stationary(), n).reshape(n, CHANNELS, LENGTH)


def positive(matrix: np.ndarray) -> bool:
    return bool(np.allclose(matrix, matrix.T) and np.linalg.eigvalsh(matrix).min() > -1e-9)


def test_of_many_it_is_theirs() -> None:
    values = drawn(20_000)
    found = covariance(values, np.ones(values.shape, bool))
    # Half is averaged over time, where wider lags count for less.
    lag = np.abs(np.arange(LENGTH) - np.arange(LENGTH)[:, None])
    expected = stationary() * (1 + np.tile(1 - lag / LENGTH, (CHANNELS, CHANNELS))) / 2
    assert np.abs(found - expected).max() < 0.05 and positive(found)


@pytest.mark.parametrize("share", [0.1, 0.4])
def test_gaps_change_little_where_the_rest_says_it(share: float) -> None:
    values = drawn(3_000, seed=1)
    seen = np.random.default_rng(2).random(values.shape) > share
    whole, found = covariance(values, np.ones(values.shape, bool)), covariance(np.where(seen, values, 1e6), seen)
    assert np.abs(found - whole).max() < 0.08 and positive(found)


def test_few_series_with_gaps_still_give_a_covariance() -> None:
    for n in (1, 2, 5):
        values = drawn(n, seed=3)
        seen = np.random.default_rng(n).random(values.shape) > 0.5
        seen[0, 1] = False
        found = covariance(values, seen)
        assert np.isfinite(found).all() and positive(found)
    nothing = covariance(np.zeros((3, 1, 4)), np.zeros((3, 1, 4), bool))
    assert np.isfinite(nothing).all() and np.abs(nothing).max() < 1e-6
