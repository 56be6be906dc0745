"""Synthetic domains: finite, varied, seeded, and every process reached."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from tsprout.data import processes
from tsprout.data.processes import draw_synthetic


@pytest.mark.parametrize(
    "process", sorted(set(processes._PROCESSES), key=lambda p: p.__name__), ids=lambda p: p.__name__
)
@pytest.mark.parametrize("length", [8, 24, 256])
def test_every_process_is_finite_and_moves(process, length: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for seed in range(20):
            out = process(np.random.default_rng(seed), 4, 3, length)
            assert out.shape == (4, 3, length)
            assert np.isfinite(out).all()
            assert out.std() > 0


@pytest.mark.parametrize(("n", "channels", "length"), [(1, 1, 8), (6, 1, 24), (20, 7, 24), (3, 64, 16), (2, 2, 512)])
def test_sets_have_the_shape_asked_for(n: int, channels: int, length: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for seed in range(30):
            series = draw_synthetic(np.random.default_rng(seed), n, channels, length)
            assert series.shape == (n, channels, length)
            assert series.dtype == np.float32
            assert np.isfinite(series).all()


def test_sets_differ_and_series_of_a_set_do() -> None:
    draws = [draw_synthetic(np.random.default_rng(s), 5, 2, 24) for s in range(40)]
    assert len({d.tobytes() for d in draws}) == 40
    # Nearly always the series of a set differ from each other.
    assert sum(len({x.tobytes() for x in d}) == 5 for d in draws) >= 36


def test_the_same_seed_gives_the_same_set() -> None:
    one, same = (draw_synthetic(np.random.default_rng(7), 5, 3, 24) for _ in range(2))
    assert np.array_equal(one, same)


def test_marginals_of_every_kind_are_drawn() -> None:
    x = np.random.default_rng(0).standard_normal((4, 400))
    drawn = [processes._marginal(np.random.default_rng(s), x) for s in range(300)]
    assert any(d is x for d in drawn)
    binary = sum(set(np.unique(d)) <= {0.0, 1.0} for d in drawn)
    counted = sum(np.array_equal(d, np.round(d)) and len(np.unique(d)) > 2 for d in drawn)
    with_zeros = sum((d == 0).mean() > 0.2 and d.min() == 0 and len(np.unique(d)) > 100 for d in drawn)
    bounded = sum(np.abs(d).max() <= 1 and len(np.unique(d)) > 100 for d in drawn)
    assert min(binary, counted, with_zeros, bounded) >= 5
