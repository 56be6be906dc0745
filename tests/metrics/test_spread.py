"""Spread counts how far apart series are, variety whether they repeat."""

from __future__ import annotations

import numpy as np
import pytest

from tsprout.metrics.spread import SPREAD, VARIETY, spread, variety


def walks(n: int, seed: int) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).standard_normal((n, 2, 20)), axis=-1)


def test_by_loops_and_proportional():
    rows = np.random.default_rng(0).standard_normal((15, 4))
    apart = [np.linalg.norm(rows[i] - rows[j]) / 2 for i in range(15) for j in range(i)]
    assert spread(rows) == pytest.approx(np.median(apart))
    next_one = [min(np.linalg.norm(rows[i] - rows[j]) / 2 for j in range(15) if j != i) for i in range(15)]
    assert variety(rows) == pytest.approx(np.median(next_one))
    assert spread(3 * rows) == pytest.approx(3 * spread(rows))
    assert variety(3 * rows) == pytest.approx(3 * variety(rows))


def test_another_sample_scores_one():
    assert SPREAD(walks(200, 1), walks(200, 2)) == pytest.approx(1, abs=0.05)
    assert VARIETY(walks(200, 1), walks(200, 2)) == pytest.approx(1, abs=0.05)
    assert VARIETY(walks(200, 1), walks(1000, 2)) == pytest.approx(1, abs=0.05)


def test_collapse_to_one_series_and_to_a_few():
    real, made = walks(200, 1), walks(200, 2)
    one = made[:1] + 0.05 * np.random.default_rng(0).standard_normal(made.shape)
    assert SPREAD(real, one) < 0.3
    ten = made[np.arange(200) % 10]
    assert SPREAD(real, ten) > 0.85  # ten different series are as far apart as two hundred
    assert VARIETY(real, ten) < 0.01
    found = [SPREAD(real, made.mean(axis=0) + dose * (made - made.mean(axis=0))) for dose in (0.2, 0.6, 1.0)]
    assert found == sorted(found)


def test_without_distance_among_real_series_there_is_no_ratio():
    same = np.repeat(walks(1, 1), 6, axis=0)
    for metric in (SPREAD, VARIETY):
        assert np.isnan(metric(same, walks(6, 2)))
        assert np.isnan(metric(walks(6, 2), walks(1, 1)))
        assert metric(walks(6, 2), same) == pytest.approx(0, abs=1e-6)
