"""Precision, density, coverage and recall by hand, by loops, and by their expectation."""

from __future__ import annotations

import numpy as np
import pytest

from tsprout.metrics import neighbours
from tsprout.metrics.neighbours import (
    COVERAGE,
    DENSITY,
    PRECISION,
    RECALL,
    coverage,
    density,
    precision,
    reach,
    recall,
    same_size,
    thinned,
)


def rows(n: int, seed: int, d: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d))


def test_by_hand_on_a_line(monkeypatch):
    monkeypatch.setattr(neighbours, "NEIGHBOURS", 1)
    real, made = np.array([[0.0], [1.0], [3.0], [10.0]]), np.array([[0.4], [0.6], [2.9], [30.0]])
    assert reach(real, 1).tolist() == [1, 1, 2, 7]
    assert reach(made, 1) == pytest.approx([0.2, 0.2, 2.3, 27.1])
    assert precision(real, made) == 0.75
    # each of 0.4 and 0.6 lies in the balls of 0 and 1; 2.9 in those of 3 and, 7.1 away, not of 10
    assert density(real, made) == pytest.approx(5 / 4)
    assert coverage(real, made) == 0.75
    assert recall(real, made) == pytest.approx(3 / 4)


def test_by_loops():
    real, made = rows(40, 1), rows(40, 2) * 0.8
    spans = [sorted(np.linalg.norm(real - one, axis=1))[5] for one in real]
    inside = np.array([[np.linalg.norm(a - b) <= span for b in made] for a, span in zip(real, spans, strict=True)])
    assert precision(real, made) == inside.any(axis=0).mean()
    assert coverage(real, made) == inside.any(axis=1).mean()
    assert density(real, made) == pytest.approx(inside.sum() / 40 / 5)
    assert recall(real, made) == precision(made, real)


def test_another_sample_scores_what_theory_says():
    found = np.mean(
        [(density(rows(300, s), rows(300, 50 + s)), coverage(rows(300, s), rows(300, 50 + s))) for s in range(8)],
        axis=0,
    )
    assert found[0] == pytest.approx(1, abs=0.03)
    assert found[1] == pytest.approx(1 - 2.0**-5, abs=0.01)  # Naeem et al. 2020, eq. 9


def test_crowding_in_the_middle_pleases_precision_and_not_recall():
    real, made = rows(300, 1), 0.4 * rows(300, 2)
    assert precision(real, made) == 1
    assert density(real, made) > 1.5
    assert recall(real, made) < 0.3
    assert recall(real, 3 * rows(300, 2)) > 0.9
    assert precision(real, 3 * rows(300, 2)) < 0.3


def test_a_set_against_itself_and_against_another_world():
    real = rows(30, 1)
    assert [share(real, real) for share in (precision, coverage, recall)] == [1, 1, 1]
    assert [share(real, real + 100) for share in (precision, density, coverage, recall)] == [0, 0, 0, 0]


def test_sizes_are_made_equal_and_bounded(monkeypatch):
    monkeypatch.setattr(neighbours, "MOST", 20)
    first, second = same_size(rows(100, 1), rows(30, 2))
    assert len(first) == len(second) == 20
    assert thinned(np.arange(10), 4).tolist() == [0, 3, 6, 9]
    first, second = same_size(rows(100, 1), rows(7, 2))
    assert len(first) == len(second) == 7


@pytest.mark.parametrize("metric", [PRECISION, DENSITY, COVERAGE, RECALL], ids=lambda metric: metric.name)
def test_small_sets_are_scored_and_one_series_is_not(metric):
    series = np.random.default_rng(0).standard_normal((6, 1, 8))
    assert metric(series, series) >= 0.9
    assert np.isfinite(metric(series[:2], series[2:4]))
    assert np.isnan(metric(series[:1], series))
