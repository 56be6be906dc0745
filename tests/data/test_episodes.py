"""Batches of episodes: scaled by the shots alone, finite, seeded, and continued where they stopped."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from tiny_pack import HELD, write_pack

from tsprout.data import episodes
from tsprout.data.corpus import Domain, load_domains
from tsprout.data.episodes import Batch, EpisodeStream, scale_by_shots, soften
from tsprout.errors import InputError

SMALL = {
    "cells": 512,
    "targets": 4,
    "lengths": (8, 24),
    "length_shares": (1, 1),
    "channels": (1, 3),
    "channel_shares": (1, 1),
}


@pytest.fixture
def domains(tmp_path: Path) -> list[Domain]:
    return load_domains(write_pack(tmp_path), exclude=[HELD])


def parts(batch: Batch) -> list[np.ndarray]:
    return [batch.shots, batch.shots_observed, batch.targets, batch.targets_observed, batch.rows]


def same(a: Batch, b: Batch) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(parts(a), parts(b), strict=True))


def test_batches(domains: list[Domain]) -> None:
    stream = EpisodeStream(domains, seed=1, **SMALL)
    rows = set()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for batch in (next(stream) for _ in range(40)):
            e, k, c, length = batch.shots.shape
            assert (c, length) in [(1, 8), (1, 24), (3, 8), (3, 24)]
            assert e >= 2 and 1 <= k <= 33
            assert batch.targets.shape == (e, 4, c, length)
            assert batch.shots.dtype == batch.targets.dtype == np.float32
            assert batch.shots_observed.dtype == batch.targets_observed.dtype == bool
            for values, observed in ((batch.shots, batch.shots_observed), (batch.targets, batch.targets_observed)):
                assert values.shape == observed.shape
                assert np.isfinite(values).all()
                assert not values[~observed].any()
            assert batch.shots_observed.any(axis=(1, 2, 3)).all()
            assert batch.rows.shape == (e,)
            rows |= set(batch.rows.tolist())
    assert rows == {-1, 0, 1, 2, 3}


def test_default_sizes() -> None:
    stream = EpisodeStream([], seed=0, synthetic_share=1.0)
    assert iter(stream) is stream
    for _ in range(12):
        batch = next(stream)
        assert batch.shots.shape[1] * batch.shots.shape[-1] <= 2048
        assert batch.targets.shape[1] >= 4
        assert set(batch.rows) == {-1}


def test_shots_are_standardised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(episodes, "_SOFT_LIMIT", 1e9)
    stream = EpisodeStream([], seed=3, synthetic_share=1.0, **SMALL)
    batch = next(stream)
    for shots in batch.shots:
        std = shots.std(axis=(0, 2))
        assert np.abs(shots.mean(axis=(0, 2))).max() < 1e-5
        assert ((np.abs(std - 1) < 1e-5) | (std == 0)).all()


def test_targets_have_no_say_in_the_scaling() -> None:
    rng = np.random.default_rng(0)
    shots, targets = rng.normal(5, 3, (6, 2, 24)), rng.normal(5, 3, (4, 2, 24))
    one, other = scale_by_shots(shots, targets), scale_by_shots(shots, 50 * targets - 7)
    assert np.array_equal(one[0], other[0])
    # Each target by itself: what stands beside it does not matter either.
    alone = scale_by_shots(shots, targets[1:2])[1]
    assert np.array_equal(alone[0], one[1][1])
    mean, std = shots.mean(axis=(0, 2), keepdims=True), shots.std(axis=(0, 2), keepdims=True)
    np.testing.assert_allclose(one[1], (targets - mean) / std)


def test_shots_are_drawn_without_a_look_at_the_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    # The same episode with other targets: the shots come out the same.
    def drawn(offset: float) -> np.ndarray:
        def raw(self, channels: int, length: int, shots: int, targets: int):
            rng = np.random.default_rng(5)
            return rng.standard_normal((shots, channels, length)), offset + np.zeros((targets, channels, length)), 0

        monkeypatch.setattr(EpisodeStream, "_raw", raw)
        return next(EpisodeStream([], seed=2, synthetic_share=1.0, **SMALL)).shots

    assert np.array_equal(drawn(0.0), drawn(1e5))


def test_gaps_and_dead_channels_are_scaled_without_warnings() -> None:
    shots, targets = np.ones((3, 3, 8)), np.full((2, 3, 8), 5.0)
    shots[:, 0] = np.arange(24).reshape(3, 8)
    shots[:, 2] = np.nan
    shots[0, 0, 0] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        own, other = scale_by_shots(shots, targets)
    assert np.isnan(own[0, 0, 0]) and np.isfinite(own[1:, 0]).all()
    # Constant in the shots: 0 everywhere. Not in the shots at all: unobserved everywhere.
    assert not own[:, 1].any() and not other[:, 1].any()
    assert np.isnan(own[:, 2]).all() and np.isnan(other[:, 2]).all()


def test_softening() -> None:
    x = np.array([-1e6, -5.0, -1.0, 0.0, 4.9, 5.0, 6.0, np.nan])
    out = soften(x)
    assert np.array_equal(out[1:6], x[1:6])
    assert out[6] == pytest.approx(5 + np.log(2))
    assert -20 < out[0] < -5
    assert np.isnan(out[7])
    line = np.linspace(-50, 50, 1001)
    assert (np.diff(soften(line)) > 0).all()


def test_the_position_is_resumed_exactly(domains: list[Domain]) -> None:
    stream = EpisodeStream(domains, seed=1, **SMALL)
    for _ in range(3):
        next(stream)
    position = json.loads(json.dumps(stream.state_dict()))
    ahead = [next(stream) for _ in range(5)]
    resumed = EpisodeStream(domains, seed=77, **SMALL)
    resumed.load_state_dict(position)
    assert all(same(next(resumed), batch) for batch in ahead)


def test_seeds_decide(domains: list[Domain]) -> None:
    one, again, other = (next(EpisodeStream(domains, seed=s, **SMALL)) for s in (1, 1, 2))
    assert same(one, again)
    assert not same(one, other)


def test_real_sets_alone(domains: list[Domain]) -> None:
    stream = EpisodeStream(domains, seed=1, synthetic_share=0.0, **SMALL)
    monkey = pytest.MonkeyPatch()
    monkey.setattr(episodes, "draw_synthetic", None)  # would fail if it were called
    try:
        for _ in range(10):
            next(stream)
    finally:
        monkey.undo()


def test_where_no_set_fits_the_episode_is_synthetic(domains: list[Domain]) -> None:
    wide = EpisodeStream(domains, synthetic_share=0.0, **(SMALL | {"channels": (40,), "channel_shares": (1,)}))
    assert set(next(wide).rows) == {-1}
    long = EpisodeStream(domains, synthetic_share=0.0, **(SMALL | {"lengths": (1500,), "length_shares": (1,)}))
    assert set(next(long).rows) == {-1}


def test_sets_of_gaps_and_of_constants_give_way_to_synthetic_ones() -> None:
    for values in (np.full((1, 500), np.nan), np.ones((1, 500))):
        domain = Domain("dull", 0, 1.0, [values])
        stream = EpisodeStream([domain], synthetic_share=0.0, **(SMALL | {"channels": (1,), "channel_shares": (1,)}))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            batch = next(stream)
        assert set(batch.rows) == {-1}
        assert batch.shots.std() > 0


def test_no_sets_at_all_is_refused() -> None:
    with pytest.raises(InputError, match="no real sets"):
        EpisodeStream([])
