"""Forecast errors of processes whose best forecast is known, and problems cut by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tsprout.metrics.forecasting import FORECASTING, REGRESSORS, error, errors, filled, horizons, lagged
from tsprout.metrics.reference import Reference


def autoregression(n: int, seed: int, factor: float = 0.5, length: int = 24, channels: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = np.zeros((n, channels, length))
    x[..., 0] = rng.standard_normal((n, channels)) / np.sqrt(1 - factor**2)
    for t in range(1, length):
        x[..., t] = factor * x[..., t - 1] + rng.standard_normal((n, channels))
    return x


def test_problems_are_cut_where_they_should_be():
    rows = np.arange(20.0).reshape(1, 1, 20) ** 2
    found = lagged(rows, 2, np.random.default_rng(0))
    assert found.inputs.shape == (11, 9)
    assert found.inputs[0].tolist() == [0, *(float(t**2) for t in range(8))]
    assert found.moves[0, 0] == 9**2 - 7**2
    assert found.inputs[-1, 0] == 1
    assert found.inputs[-1, -1] == 17**2
    assert found.moves[-1, 0] == 19**2 - 17**2


def test_long_numerous_and_wide_series_stay_small():
    found = lagged(np.zeros((50, 30, 300)), 75, np.random.default_rng(0), most=100)
    assert found.inputs.shape == (100, 1 + 2 * 30)
    assert found.moves.shape == (100, 30)
    wide = np.random.default_rng(0).standard_normal((3, 200, 5))
    assert filled(wide, Reference.fit(wide)).shape == (3, 32, 5)
    assert lagged(np.zeros((2, 3, 2)), 1, np.random.default_rng(0)).inputs.shape == (2, 4)
    assert np.isfinite(FORECASTING(np.repeat(wide, 4, axis=0), wide))


def test_horizons():
    assert horizons(1) == ()
    assert horizons(2) == horizons(7) == (1,)
    assert horizons(24) == (1, 6)


def test_an_autoregression_is_forecast_as_well_as_it_can_be():
    found = errors(autoregression(300, 1), autoregression(300, 2))
    best = 1 / np.sqrt(1 + 0.5**2 / (1 - 0.5**2))  # spread of the noise over spread of a step
    assert found["ridge", 1] == pytest.approx(best, rel=0.04)
    for name in REGRESSORS:
        assert best * 0.95 < found[name, 1] < best * 1.15
    assert set(found) == {(name, ahead) for name in REGRESSORS for ahead in (1, 6)}


def test_what_was_learnt_from_another_process_forecasts_worse():
    real, other = autoregression(200, 1), autoregression(200, 2)
    floor = FORECASTING(real, other)
    found = [FORECASTING(real, autoregression(200, 3, factor)) for factor in (0.1, -0.3, -0.7)]
    assert floor < found[0] < found[1] < found[2]


def test_a_channel_that_follows_another_is_forecast_from_it():
    leader = np.random.default_rng(0).standard_normal((300, 1, 24))
    follower = np.roll(leader, 1, axis=-1)
    both = np.concatenate([leader, follower], axis=1)[..., 1:]
    alone = error(both[:150, 1:], both[150:, 1:])
    assert errors(both[:150], both[150:])["ridge", 1] < 0.5 * alone


def test_what_does_not_move_or_has_one_step_cannot_be_forecast():
    assert np.isnan(FORECASTING(np.ones((5, 2, 10)), np.ones((5, 2, 10))))
    assert np.isnan(FORECASTING(np.arange(5.0).reshape(5, 1, 1), np.arange(5.0).reshape(5, 1, 1)))
    moving = autoregression(30, 1, channels=2)
    moving[:, 1] = 4.0
    assert 0.5 < FORECASTING(moving, autoregression(30, 2, channels=2)) < 30


def test_gaps_single_series_and_repeats():
    real, made = autoregression(80, 1, 0.9), autoregression(80, 2, 0.9)
    holes = np.where(np.random.default_rng(0).random(real.shape) < 0.2, np.nan, real)
    assert FORECASTING(holes, made) == pytest.approx(FORECASTING(real, made), rel=0.2)
    assert np.isfinite(FORECASTING(real[:1], made[:1]))
    assert FORECASTING(real, made, seed=4) == FORECASTING(real, made, seed=4)
