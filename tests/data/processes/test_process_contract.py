"""One suite over every family: shape, finite, seeded, any length, exchangeable series, seldom mere noise."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from tsprout.data.processes import PROCESSES, draw_family

FAMILIES = [pytest.param(process, id=name) for name, process in PROCESSES.items()]
SHAPES = [(1, 1, 4), (2, 1, 5), (1, 6, 24), (5, 2, 24), (3, 4, 65), (3, 2, 300), (1, 1, 1024)]


@pytest.mark.parametrize("process", FAMILIES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_shape_and_finite(process, shape: tuple[int, int, int]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for seed in range(3 if shape[-1] > 100 else 20):
            out = process(np.random.default_rng(seed), *shape)
            assert out.shape == shape
            assert out.dtype == np.float64
            assert np.isfinite(out).all()


@pytest.mark.parametrize("process", FAMILIES)
def test_the_generator_is_the_only_randomness(process) -> None:
    for seed in range(5):
        one, same, other = (process(np.random.default_rng(s), 3, 2, 24) for s in (seed, seed, seed + 1))
        assert np.array_equal(one, same)
        assert not np.array_equal(one, other)


@pytest.mark.parametrize("process", FAMILIES)
def test_series_of_a_draw_differ(process) -> None:
    alike = [np.ptp(process(np.random.default_rng(s), 6, 2, 24), axis=0).max() == 0 for s in range(40)]
    assert sum(alike) <= 2


@pytest.mark.parametrize("process", FAMILIES)
def test_series_are_exchangeable(process) -> None:
    """Halves by order differ no more than halves by chance do, and in no direction, in level and in size."""
    signed, ordered, shuffled = [], [], []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        out = draw_family(rng, process, 8, 2, 24)
        for feature in (out.mean((1, 2)), np.log(out.std((1, 2)) + 1e-3), (out[..., 1:] * out[..., :-1]).mean((1, 2))):
            spread = feature.std() + 1e-9
            mixed = rng.permutation(feature)
            signed.append((feature[:4].mean() - feature[4:].mean()) / spread)
            ordered.append(abs(signed[-1]))
            shuffled.append(abs(mixed[:4].mean() - mixed[4:].mean()) / spread)
    # Three correlated features of 120 draws: count the draws only.
    assert abs(np.mean(signed)) < 4 * np.std(signed) / np.sqrt(120)
    assert abs(np.mean(ordered) / np.mean(shuffled) - 1) < 0.3


@pytest.mark.parametrize("process", FAMILIES)
def test_hyperparameters_are_drawn_anew(process) -> None:
    """Roughness of whole draws varies: a family is not one process."""
    rough = []
    for seed in range(40):
        out = draw_family(np.random.default_rng(seed), process, 10, 1, 48)
        rough.append(np.abs(np.diff(out)).mean() / (np.abs(out - out.mean(-1, keepdims=True)).mean() + 1e-9))
    assert np.quantile(rough, 0.9) > 1.25 * np.quantile(rough, 0.1)
