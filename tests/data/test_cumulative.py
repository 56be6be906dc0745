"""Channels that go one way only: found, scaled by their moves, undone, kept to, stored."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_models import TRANSFORMER, woken

from tsprout import SeriesSet, Sprout
from tsprout.baselines import get
from tsprout.data.cumulative import CumulativeScaling
from tsprout.data.scaling import Scaler
from tsprout.errors import InputError


def counter(kind: str, n: int = 8, length: int = 24, seed: int = 0) -> np.ndarray:
    """``(n, length)`` float32 that only rise."""
    rng = np.random.default_rng(seed)
    moves = {
        "meter": rng.gamma(3, 2, (n, length)),
        "rain": np.where(rng.random((n, length)) < 0.6, 0, rng.gamma(1, 5, (n, length))),
        "cases": rng.poisson(7, (n, length)).astype(float),
        "even": np.full((n, length), 2.0),
        "money": np.round(rng.gamma(2, 3, (n, length)), 2),
    }[kind]
    start = rng.uniform(0, 1e4, (n, 1))
    start = {"rain": 0 * start, "cases": np.round(start), "money": np.round(start, 2)}.get(kind, start)
    return (start + moves.cumsum(1)).astype(np.float32)


def fit(values: np.ndarray, **options) -> Scaler:
    return Scaler.fit(SeriesSet.from_arrays(values[:, None]), **options)


KINDS = ("meter", "rain", "cases", "even", "money")


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("kind", KINDS)
def test_there_and_back(kind: str, sign: int) -> None:
    values = sign * counter(kind)
    values[2, 5:9] = values[4, :3] = values[5, 20:] = values[6, ::2] = np.nan
    values[7] = np.nan
    scaler = fit(values)
    (channel,) = scaler.channels
    assert isinstance(channel, CumulativeScaling) and channel.sign == sign
    latent = scaler.transform(values[:, None])
    np.testing.assert_array_equal(np.isnan(latent[:, 0]), np.isnan(values))
    back = scaler.inverse(latent)[:, 0]
    np.testing.assert_array_equal(np.isnan(back), np.isnan(values))
    if kind == "cases":
        np.testing.assert_array_equal(back, values)
    np.testing.assert_allclose(back, values, rtol=1e-5, atol=1e-3)
    assert abs(np.nanmean(latent)) < 0.2 and (kind == "even" or 0.7 < np.nanstd(latent) < 1.3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sign", [1, -1])
def test_whatever_is_drawn_never_goes_the_other_way(kind: str, sign: int) -> None:
    values = sign * counter(kind)
    drawn = fit(values).inverse(3 * np.random.default_rng(1).standard_normal((50, 1, 40)))[:, 0]
    assert np.isfinite(drawn).all() and (sign * np.diff(drawn, axis=1) >= 0).all()
    if kind == "cases":
        np.testing.assert_array_equal(drawn, np.round(drawn))
    if kind == "money":
        np.testing.assert_array_equal(drawn, np.round(drawn, 2).astype(np.float32))
    if kind == "even":
        np.testing.assert_allclose(sign * np.diff(drawn, axis=1), 2, atol=1e-6)
    assert sign * drawn.min() >= 0 or sign < 0


def test_moves_of_a_gap_are_shared_out() -> None:
    values = np.cumsum(np.full((4, 12), 3.0), axis=1) + np.arange(4)[:, None] ** 2
    values[:, 3] += 1.0
    values[1, 5:8] = np.nan
    values = values.astype(np.float32)
    latent = fit(values).transform(values[:, None])[1, 0]
    assert latent[8] == pytest.approx(latent[9])


def smooth(n: int) -> np.ndarray:
    return np.linspace(0, 1, 24) ** 2 * np.linspace(1, 3, n)[:, None] + np.linspace(0, 5, n)[:, None]


@pytest.mark.parametrize(
    ("why", "values"),
    [
        ("two smooth series", smooth(2)),
        ("four smooth series", smooth(4)),
        ("two short smooth series", smooth(2)[:, 2:12]),
        ("goes both ways", counter("meter") - 6 * np.arange(24)),
        ("one series", counter("meter")[:1]),
        ("few moves", counter("meter", 3, 5)),
        ("few flags", (np.arange(24) > np.arange(3, 19, 2)[:, None]).astype(float)),
    ],
)
def test_others_are_left_alone(why: str, values: np.ndarray) -> None:
    assert not any(isinstance(c, CumulativeScaling) for c in fit(values.astype(np.float32)).channels), why


def curves(kind: str, n: int = 20) -> np.ndarray:
    rng, time = np.random.default_rng(3), np.arange(24)
    if kind == "saturating":
        return 1 / (1 + np.exp(-(time - rng.normal(10, 2, (n, 1))) / rng.uniform(1, 2, (n, 1))))
    if kind == "progress":
        done = rng.gamma(1, 1, (n, 24)).cumsum(1)
        return np.round(100 * done / done[:, -1:], 1)
    return (time > rng.integers(3, 20, (n, 1))).astype(float)  # flags


@pytest.mark.parametrize("kind", ["saturating", "progress", "flags"])
def test_series_that_come_together_are_scaled_by_values_and_put_in_order(kind: str) -> None:
    values = curves(kind).astype(np.float32)
    values[2, 5:9] = values[3, 20:] = np.nan
    scaler = fit(values)
    (channel,) = scaler.channels
    assert isinstance(channel, CumulativeScaling) and channel.moves is None
    assert "never falls" in scaler.describe()[0]["reason"]
    latent = scaler.transform(values[:, None])
    np.testing.assert_allclose(scaler.inverse(latent)[:, 0], values, rtol=1e-5, atol=1e-6)
    rough = latent[:3].repeat(20, axis=0) + np.random.default_rng(0).normal(0, 0.3, (60, 1, 24))
    drawn = scaler.inverse(rough)[:, 0]
    assert not (np.diff(drawn[:20], axis=1) < 0).any() and np.isnan(drawn[40:, 5:9]).all()
    assert set(np.unique(drawn[:20])) <= {0.0, 1.0} or kind != "flags"
    again = Scaler.from_dict(json.loads(json.dumps(scaler.to_dict())))
    np.testing.assert_array_equal(again.inverse(rough), scaler.inverse(rough))


def test_a_column_that_counts_steps_comes_back_exactly() -> None:
    values = np.tile(np.arange(24.0), (10, 1)).astype(np.float32)
    drawn = fit(values).inverse(3 * np.random.default_rng(0).standard_normal((5, 1, 24)))[:, 0]
    np.testing.assert_array_equal(drawn, values[:5])


def test_first_values_and_moves_of_labels_far_apart_are_scaled_apart() -> None:
    values = np.concatenate([counter("meter", 6), 1e-3 * counter("meter", 6, seed=1)])[:, None]
    labels = np.array(["large"] * 6 + ["small"] * 6, dtype=object)
    scaler = Scaler.fit(SeriesSet.from_arrays(values, labels=labels))
    assert scaler.describe()[0]["by_label"] and scaler.labels is not None and scaler.labels.scale.shape == (2, 2)
    latent = scaler.transform(values, labels)
    np.testing.assert_allclose(scaler.inverse(latent, labels), values, rtol=1e-5)
    for own in (slice(0, 6), slice(6, 12)):
        assert 0.5 < latent[own, :, 0].std() < 2 and 0.5 < latent[own, :, 1:].std() < 2
    drawn = scaler.inverse(np.random.default_rng(0).standard_normal((40, 1, 24)), np.array(["small"] * 40))
    assert drawn[:, 0, 0].max() < 3 * values[6:, 0, 0].max()
    assert np.median(drawn[:, 0, -1] - drawn[:, 0, 0]) == pytest.approx(
        np.median(values[6:, 0, -1] - values[6:, 0, 0]), rel=0.3
    )
    again = Scaler.from_dict(json.loads(json.dumps(scaler.to_dict())))
    np.testing.assert_array_equal(again.transform(values, labels), latent)


def test_baselines_scale_by_values_so_that_copies_are_copies() -> None:
    values = counter("meter", 6)[:, None]
    values[1, 0, :3] = values[2, 0, 8:11] = np.nan
    shots = SeriesSet.from_arrays(values)
    drawn = get("copies")().fit(shots, seed=0).sample(6, seed=0)
    assert drawn.values.max() <= np.nanmax(values) * (1 + 1e-6)
    ends = sorted(drawn.values[:, 0, -1].tolist())
    np.testing.assert_allclose(ends, sorted(values[:, 0, -1].tolist()), rtol=1e-5)


def test_bounds_that_are_open_stay_open() -> None:
    channel = fit(counter("meter"), bounds={"channel_0": (None, None)}).channels[0]
    assert isinstance(channel, CumulativeScaling) and channel.start is not None and channel.start.lower is None


def test_it_is_said_stored_and_can_be_declined() -> None:
    values = counter("cases")
    scaler = fit(values)
    about = scaler.describe()[0]
    assert about["transform"] == "cumulative" and "never falls" in about["reason"] and about["integer"]
    assert set(about) == set(fit(np.sin(values)).describe()[0])
    kept = json.loads(json.dumps(scaler.to_dict()))
    again = Scaler.from_dict(kept)
    np.testing.assert_array_equal(again.transform(values[:, None]), scaler.transform(values[:, None]))
    for damage in ({"sign": 2}, {"start": None}, {"moves": {}}, {"whole": None}):
        broken = kept | {"channels": [kept["channels"][0] | damage]}
        with pytest.raises(InputError, match="damaged"):
            Scaler.from_dict(broken)
    plain = fit(values, transforms={"channel_0": "identity"}).describe()[0]
    assert plain["transform"] == "identity"


def test_bounds_are_kept() -> None:
    drawn = fit(counter("meter"), bounds={"channel_0": (0, 1.2e4)}).inverse(
        5 * np.random.default_rng(0).standard_normal((50, 1, 24))
    )
    assert drawn.min() >= 0 and drawn.max() <= 1.2e4


@pytest.mark.parametrize("mode", ["prompt", "full"])
def test_new_meters_never_run_backwards(mode: str, tmp_path: Path) -> None:
    values = np.stack([counter("cases"), np.sin(counter("meter"))], axis=1)
    fitted = Sprout(woken(TRANSFORMER)).fit(SeriesSet.from_arrays(values), mode, budget=5)
    fitted.save_pretrained(tmp_path / "model")
    drawn = fitted.sample(20, length=30).values
    assert (np.diff(drawn[:, 0], axis=1) >= 0).all() and (np.diff(drawn[:, 1], axis=1) < 0).any()
    again = Sprout.from_pretrained(tmp_path / "model").sample(20, length=30).values
    np.testing.assert_array_equal(again, drawn)
