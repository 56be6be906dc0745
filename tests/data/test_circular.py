"""Channels that go round: found, unwound, undone, kept to, stored; and what is not taken for one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import TRANSFORMER, woken

from tsprout import SeriesSet, Sprout
from tsprout.data.circular import CircularScaling, unwind
from tsprout.data.relative import RelativeScaling
from tsprout.data.scaling import Scaler
from tsprout.errors import InputError

# period, least value, distance of neighbouring values
TURNS: dict[str, tuple[float, float, float]] = {
    "degrees": (360, 0, 0),
    "whole degrees": (360, 0, 1),
    "tens": (360, 10, 10),  # north is 360
    "signed": (360, -180, 0),
    "tenths": (360, 0, 0.1),
    "radians": (2 * np.pi, 0, 0),
    "signed radians": (2 * np.pi, -np.pi, 0.01),
    "hours and parts": (24, 0, 0),
    "hour": (24, 0, 1),
    "third hour": (24, 0, 3),
    "third hour to 24": (24, 1, 3),
    "weekday": (7, 1, 1),
    "month": (12, 1, 1),
    "minute": (60, 0, 5),
}
STEADY = ("hour", "third hour", "third hour to 24", "weekday", "month", "minute")


def on_and_off(n: int = 12, length: int = 48, chance: float = 0.1) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.random((n, 1)) < 0.5) ^ (np.cumsum(rng.random((n, length)) < chance, 1) % 2).astype(bool)


def near(values: np.ndarray, width: float) -> np.ndarray:
    return values + width * np.random.default_rng(4).standard_normal(values.shape)


def states(levels: tuple[float, ...]) -> np.ndarray:
    rng, kept = np.random.default_rng(1), np.zeros((12, 48))
    for step in range(48):
        moved = rng.random(12) < (0.1 if step else 1)
        kept[:, step] = np.where(moved, rng.choice(levels, 12), kept[:, max(step - 1, 0)])
    return kept


def set_back() -> np.ndarray:
    """Hours since something that happens every six to twenty-four."""
    rng, since = np.random.default_rng(2), np.zeros((20, 48))
    since[:, 0] = rng.integers(0, 24, 20)
    for step in range(1, 48):
        again = (since[:, step - 1] >= 23) | (rng.random(20) < np.where(since[:, step - 1] > 5, 0.05, 0))
        since[:, step] = np.where(again, 0, since[:, step - 1] + 1)
    return since


def goes_round(kind: str, n: int = 10, length: int = 24, seed: int = 0) -> np.ndarray:
    """``(n, length)`` float32."""
    rng = np.random.default_rng(seed)
    period, least, grid = TURNS[kind]
    if kind in STEADY:
        at = rng.integers(0, round(period / grid), (n, 1)) * grid + grid * np.arange(length) + 0.0
    else:
        at = period * (rng.random((n, 1)) + 0.03 * rng.standard_normal((n, length)).cumsum(1))
        at = np.round(at / grid) * grid if grid else at
    values = least + np.mod(at - least, period)
    return (np.round(values / grid) * grid if 0 < grid < 1 else values).astype(np.float32)


def fit(values: np.ndarray, **options: Any) -> Scaler:
    return Scaler.fit(SeriesSet.from_arrays(values[:, None]), **options)


def around(difference: np.ndarray, period: float) -> np.ndarray:
    return np.abs(difference - period * np.round(difference / period))


@pytest.mark.parametrize("kind", TURNS)
def test_there_and_back(kind: str) -> None:
    values, (period, _, grid) = goes_round(kind), TURNS[kind]
    if kind not in STEADY:
        values[2, 5:9] = values[4, :3] = values[5, 20:] = values[6, ::2] = np.nan
    values[7] = np.nan
    scaler = fit(values)
    (channel,) = scaler.channels
    assert isinstance(channel, CircularScaling) and channel.period == pytest.approx(period)
    latent = scaler.transform(values[:, None])
    np.testing.assert_array_equal(np.isnan(latent[:, 0]), np.isnan(values))
    back = scaler.inverse(latent)[:, 0]
    np.testing.assert_array_equal(np.isnan(back), np.isnan(values))
    if grid:
        np.testing.assert_array_equal(back.astype(np.float32), values)
    assert np.nanmax(around(back - values, period)) < 1e-4 * period
    assert abs(np.nanmean(latent)) < 0.05 and 0.9 < np.nanstd(latent) < 1.1


@pytest.mark.parametrize("kind", TURNS)
def test_whatever_is_drawn_lies_on_the_turn(kind: str) -> None:
    values, (period, least, grid) = goes_round(kind), TURNS[kind]
    scaler, smooth = fit(values), np.random.default_rng(1).standard_normal((200, 1, 24)).cumsum(2) / 5
    drawn = scaler.inverse(smooth)[:, 0]
    assert np.isfinite(drawn).all() and drawn.min() >= least - 1e-6 and drawn.max() <= least + period + 1e-6
    if grid:
        assert set(np.unique(drawn.astype(np.float32))) <= set(np.unique(goes_round(kind, 4000).ravel()))
    moves = np.diff(drawn, axis=1)
    if kind in STEADY:
        assert np.all(around(moves - grid, period) < 1e-6)
    else:
        unwound = scaler.channels[0].strands[0].inverse(smooth[:, 0])
        np.testing.assert_allclose(around(moves - np.diff(unwound), period), 0, atol=1.5 * grid + 1e-6 * period)


def test_north_is_in_one_piece() -> None:
    values = np.mod(20 * np.random.default_rng(0).standard_normal((12, 24)).cumsum(1) / 4, 360).astype(np.float32)
    scaler = fit(values)
    latent = scaler.transform(values[:, None])[:, 0]
    widest = np.abs(np.diff(unwind(values.astype(float), 360), axis=1)).max()
    degree = np.diff(scaler.channels[0].strands[0].forward(np.array([0.0, 1.0])))[0]
    assert np.abs(np.diff(latent, axis=1)).max() <= widest * degree * 1.001
    assert degree > 1 / 60  # as scaled by its values, a unit would be more than a hundred


def test_a_channel_that_goes_one_way_round_does_so_when_drawn() -> None:
    rng = np.random.default_rng(0)
    values = np.mod(rng.uniform(0, 360, (8, 1)) + rng.gamma(2, 10, (8, 24)).cumsum(1), 360).astype(np.float32)
    for way in (1, -1):
        scaler = fit(np.mod(way * values, 360))
        drawn = scaler.inverse(np.random.default_rng(1).standard_normal((50, 1, 24)).cumsum(2) / 5)[:, 0]
        moves = np.diff(unwind(drawn, 360), axis=1)
        assert isinstance(scaler.channels[0], CircularScaling) and scaler.channels[0].sign == way
        assert np.mean(way * moves < -1e-3) < 0.02  # a move beyond half a turn looks like one back


def noise(n: int = 10) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 360, (n, 24)).astype(np.float32)


def humid() -> np.ndarray:
    walk = np.random.default_rng(0).standard_normal((10, 60)).cumsum(1)
    return (180 + 175 * np.sin(walk)).astype(np.float32)


def switch() -> np.ndarray:
    return np.where(np.random.default_rng(0).random((10, 24)) < 0.5, 0, 12).astype(np.float32)


def calm() -> np.ndarray:
    values = goes_round("whole degrees", 12)
    return np.where(np.random.default_rng(3).random(values.shape) < 0.4, 0, values).astype(np.float32)


def half() -> np.ndarray:
    return goes_round("hour", 10, 24) // 2


NOT_ROUND = {
    "noise": noise,
    "humidity": humid,
    "a switch": switch,
    "0 or 360": lambda: np.where(on_and_off(), 360, 0),
    "-180 or 180": lambda: np.where(on_and_off(), 180, -180),
    "24 volts": lambda: near(np.where(on_and_off(), 23.8, 0.15), 0.05),
    "350 watts": lambda: near(np.where(on_and_off(), 350, 6), 1.5),
    "0, 180 or 360": lambda: np.where(states((0, 1)) > 0, 180, np.where(on_and_off(chance=0.3), 360, 0)),
    "large numbers": lambda: np.random.default_rng(0).integers(0, 2**62, (12, 48)).astype(float),
    "quarters": lambda: states((0, 90, 180, 270, 360)),
    "three of 360": lambda: states((0, 175, 350)),
    "months at random": lambda: states(tuple(range(1, 13))),
    "a counter set back": set_back,
    "calm": calm,
    "one series": lambda: goes_round("degrees", 1),
    "hours of half a day": half,
}


@pytest.mark.parametrize("why", NOT_ROUND)
def test_what_is_no_circle_is_scaled_by_its_values(why: str) -> None:
    made = NOT_ROUND[why]
    values = np.asarray(made(), np.float32)
    found = fit(values).channels[0]
    assert not isinstance(found, CircularScaling) or (made is half and found.period == 12)


def test_it_can_be_declined() -> None:
    values = goes_round("degrees")
    asked: list[dict[str, Any]] = [
        {"transforms": {"channel_0": "identity"}},
        {"bounds": {"channel_0": (0, 359.99)}},  # leaves no room for all of the turn
        {"differences": False},
    ]
    for options in asked:
        assert not isinstance(fit(values, **options).channels[0], CircularScaling)
    for room in ((0, 360), (None, 400), (-1, None)):
        assert isinstance(fit(values, bounds={"channel_0": room}).channels[0], CircularScaling)


def test_what_is_told_of_it() -> None:
    (direction,), (hour,) = (fit(goes_round(kind)).describe() for kind in ("whole degrees", "hour"))
    assert direction["transform"] == "circular" and "every 360" in direction["reason"] and direction["integer"]
    assert "goes round up every 24" in hour["reason"] and (hour["lower"], hour["upper"]) == (0, 24)


def test_it_is_stored_and_damage_is_refused() -> None:
    scaler = fit(goes_round("tens"))
    plain = json.loads(json.dumps(scaler.to_dict()))
    again = Scaler.from_dict(plain)
    latent = np.random.default_rng(0).standard_normal((5, 1, 24))
    np.testing.assert_array_equal(again.inverse(latent), scaler.inverse(latent))
    np.testing.assert_array_equal(
        again.transform(goes_round("tens")[:, None]), scaler.transform(goes_round("tens")[:, None])
    )
    (entry,) = plain["channels"]
    for damage in (
        {"period": 0},
        {"period": "x"},
        {"grid": -1},
        {"sign": 2},
        {"closed": 1},
        {"speed": "fast"},
        {"whole": 3},
    ):
        with pytest.raises(InputError, match="damaged"):
            Scaler.from_dict(plain | {"channels": [entry | damage]})
    with pytest.raises(InputError, match="damaged"):
        Scaler.from_dict(plain | {"channels": [{k: v for k, v in entry.items() if k != "cut"}]})


def test_labels_that_point_elsewhere_are_scaled_by_themselves() -> None:
    rng = np.random.default_rng(0)
    middle = np.repeat([0, 120, 240], 6)[:, None]
    values = np.mod(middle + 15 * rng.standard_normal((18, 24)).cumsum(1) / 3, 360).astype(np.float32)
    labels = np.repeat(["a", "b", "c"], 6)
    scaler = Scaler.fit(SeriesSet.from_arrays(values[:, None], labels=labels))
    assert isinstance(scaler.channels[0], CircularScaling) and scaler.describe()[0]["by_label"]
    back = scaler.inverse(scaler.transform(values[:, None], labels), labels)[:, 0]
    assert around(back - values, 360).max() < 1e-2


def test_no_channel_is_told_from_one_that_goes_round() -> None:
    hour = goes_round("hour", 12)
    over = hour + 0.01 * np.abs(np.random.default_rng(0).standard_normal(hour.shape))
    scaler = Scaler.fit(SeriesSet.from_arrays(np.stack([hour, over], 1).astype(np.float32)))
    assert not any(isinstance(channel, RelativeScaling) for channel in scaler.channels)


def test_a_model_draws_whole_turns(tmp_path: Path) -> None:
    values = np.stack([goes_round("whole degrees"), goes_round("hour", seed=2)], 1)
    fitted = Sprout(woken(TRANSFORMER)).fit(SeriesSet.from_arrays(values), mode="prompt", seed=0)
    fitted.save_pretrained(tmp_path / "model")
    drawn = fitted.sample(40, seed=1).values
    np.testing.assert_array_equal(Sprout.from_pretrained(tmp_path / "model").sample(40, seed=1).values, drawn)
    assert drawn[:, 0].min() >= 0 and drawn[:, 0].max() < 360 and (drawn == np.round(drawn)).all()
    np.testing.assert_array_equal(np.mod(np.diff(drawn[:, 1], axis=1), 24), 1)


@pytest.mark.parametrize(("step", "count"), [(0.5, 48), (22.5, 16)])
def test_decimal_grids_are_kept(step: float, count: int) -> None:
    rng = np.random.default_rng(0)
    moves = np.ones((12, 48)) if step == 0.5 else rng.integers(-1, 2, (12, 48))
    values = np.mod(rng.integers(0, count, (12, 1)) + moves.cumsum(1), count) * step
    scaler = fit(values.astype(np.float32))
    drawn = scaler.inverse(rng.standard_normal((300, 1, 48)).cumsum(2) / 3)
    assert isinstance(scaler.channels[0], CircularScaling)
    assert set(np.unique(drawn)) <= set((np.arange(count) * step).tolist())


def test_north_as_360_beside_a_little_calm() -> None:
    values = goes_round("tens", 20)
    rare = np.random.default_rng(0).random(values.shape) < 0.005
    scaler = fit(np.where(rare, 0, values))
    back = scaler.inverse(scaler.transform(values[:, None]))[:, 0]
    assert isinstance(scaler.channels[0], CircularScaling)
    np.testing.assert_array_equal(back, values)
    often = np.random.default_rng(0).random(values.shape) < 0.05
    both = fit(np.where(often, 0, values).astype(np.float32))
    back = both.inverse(both.transform(np.where(often, 0, values)[:, None]))[:, 0]
    np.testing.assert_array_equal(back, np.where(often, 0, values))


@pytest.mark.parametrize("kind", STEADY)
def test_gaps_do_not_break_the_pace(kind: str) -> None:
    whole, period = goes_round(kind, 12, 60), TURNS[kind][0]
    values = whole.copy()
    values[0, 5:25] = values[1, :14] = values[2, 40:] = np.nan
    values[np.random.default_rng(0).random(values.shape) < 0.3] = np.nan
    scaler = fit(values)
    assert isinstance(scaler.channels[0], CircularScaling) and scaler.channels[0].speed == TURNS[kind][2]
    np.testing.assert_array_equal(scaler.inverse(scaler.transform(values[:, None]))[:, 0], values)
    from_whole = fit(whole)
    np.testing.assert_array_equal(from_whole.inverse(from_whole.transform(values[:, None]))[:, 0], values)
    assert period == scaler.channels[0].period


@pytest.mark.parametrize("starts", [(0,), (0, 12), (5, 6, 20)])
def test_series_that_begin_at_few_hours_do_so_when_drawn(starts: tuple[int, ...]) -> None:
    values = np.mod(np.tile(starts, 8)[:, None] + np.arange(48), 24).astype(np.float32)
    scaler = fit(values)
    drawn = scaler.inverse(2 * np.random.default_rng(0).standard_normal((200, 1, 48)))[:, 0]
    assert set(np.unique(drawn[:, 0])) <= set(starts)
    np.testing.assert_array_equal(np.mod(np.diff(drawn, axis=1), 24), 1)
    again = Scaler.from_dict(json.loads(json.dumps(scaler.to_dict())))
    np.testing.assert_array_equal(again.inverse(scaler.transform(values[:, None])), values[:, None])
