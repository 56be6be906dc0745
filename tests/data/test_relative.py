"""Channels that are never below others and hardly differ: found, scaled by the difference, undone, kept in order."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from tiny_models import TRANSFORMER, woken

from tsprout import SeriesSet, Sprout
from tsprout.data.relative import RelativeScaling
from tsprout.data.scaling import Scaler
from tsprout.errors import InputError

NAMES = ("open", "high", "low", "close")


def prices(n: int = 8, length: int = 24, seed: int = 0, decimals: int | None = 2, touching: float = 0) -> np.ndarray:
    """Open, high, low and close of ``n`` shares, ``(n, 4, length)`` float32; on some days the last is best."""
    rng = np.random.default_rng(seed)
    close = rng.lognormal(4, 0.8, (n, 1)) * np.exp(0.01 * rng.standard_normal((n, length)).cumsum(1))
    opening = close * np.exp(0.004 * rng.standard_normal((n, length)))
    reach = np.abs(0.005 * rng.standard_normal((n, length))) * (rng.random((n, length)) > touching)
    high = np.maximum(opening, close) * np.exp(reach)
    low = np.minimum(opening, close) * np.exp(-np.abs(0.005 * rng.standard_normal((n, length))))
    values = np.stack([opening, high, low, close], axis=1)
    return (values if decimals is None else np.round(values, decimals)).astype(np.float32)


def fit(values: np.ndarray, **options) -> Scaler:
    names = NAMES[: values.shape[1]] if values.shape[1] <= 4 else None
    return Scaler.fit(SeriesSet.from_arrays(values, channels=names), **options)


def in_order(drawn: np.ndarray) -> bool:
    opening, high, low, close = drawn.transpose(1, 0, 2)
    return bool((low <= np.minimum(opening, close)).all() and (high >= np.maximum(opening, close)).all())


@pytest.mark.parametrize("decimals", [2, None])
def test_prices_come_back_and_keep_their_order(decimals: int | None) -> None:
    values = prices(decimals=decimals)
    values[1, :, 5:8] = values[2, :, 20:] = values[3] = np.nan
    values[4, 1, 3] = values[5, 2, 9] = values[6, 0, 11] = np.nan
    values[np.nanargmax(values[:, 3, 0]), 1, :4] = np.nan
    scaler = fit(values)
    by = {c.channel: c.others for c in scaler.channels if isinstance(c, RelativeScaling)}
    assert by == {"open": (2,), "high": (2, 0, 3), "close": (2,)}
    latent = scaler.transform(values)
    values[5, :, 9] = np.nan  # where nothing is known of the lowest, nothing is of what lies above
    np.testing.assert_array_equal(np.isnan(latent), np.isnan(values))
    back = scaler.inverse(latent)
    if decimals is None:
        np.testing.assert_allclose(back, values, rtol=2e-6)
    else:
        np.testing.assert_array_equal(back.astype(np.float32), values)
    assert (np.nanstd(latent, axis=(0, 2)) > 0.7).all()
    drawn = scaler.inverse(3 * np.random.default_rng(1).standard_normal((60, 4, 30))).astype(np.float32)
    assert np.isfinite(drawn).all() and in_order(drawn)


@pytest.mark.parametrize("kind", ["apart", "both ways", "loose", "gaps", "few", "flags", "one series"])
def test_others_are_left_alone(kind: str) -> None:
    rng = np.random.default_rng(0)
    one = rng.standard_normal((10, 1, 24)).cumsum(2)
    close = one + 0.01 * np.abs(rng.standard_normal(one.shape))
    other = {
        "apart": rng.standard_normal(one.shape) + 1000,
        "both ways": one + 0.3 * rng.standard_normal(one.shape),
        "loose": one + 3 * np.abs(rng.standard_normal(one.shape)),
        "flags": (one > 0).astype(float),
    }.get(kind, close)
    values = np.concatenate([one, other], axis=1).astype(np.float32)
    if kind == "gaps":
        values[:, 0, ::5] = np.nan
    values = {"few": values[:2, :, :20], "one series": np.tile(values[:1], (1, 1, 3))}.get(kind, values)
    assert not any(isinstance(c, RelativeScaling) for c in fit(values).channels)


def test_prices_of_labels_far_apart_that_often_close_at_their_best() -> None:
    values = prices(12, touching=0.4, decimals=None)
    values[6:] *= np.float32(1e-5)
    labels = np.array(["large"] * 6 + ["small"] * 6, dtype=object)
    scaler = Scaler.fit(SeriesSet.from_arrays(values, channels=NAMES, labels=labels))
    assert [about["by_label"] for about in scaler.describe()] == [True] * 4 and not scaler.unscaled
    drawn = scaler.inverse(np.random.default_rng(0).standard_normal((100, 4, 24)), np.array(["small"] * 100))
    reach, real = ((v[:, 1] - v[:, 2]) / v[:, 3].mean() for v in (drawn, values[6:]))
    assert in_order(drawn.astype(np.float32)) and 0.3 < np.median(reach) / np.median(real) < 3


@pytest.mark.parametrize("given", [True, False])
def test_bounds_are_handed_down_so_that_order_holds(given: bool) -> None:
    rng = np.random.default_rng(0)
    low = np.clip(90 + 3 * rng.standard_normal((10, 1, 24)).cumsum(2) + 3 * rng.standard_normal((10, 1, 1)), 5, 99.4)
    high = np.minimum(low + rng.gamma(1, 0.3, low.shape), 100)
    low[[1, 4], 0, 5:8], high[[1, 4], 0, 5:8] = 99.3, 100
    values = np.round(np.concatenate([low, high], axis=1), 1).astype(np.float32)
    bounds = {"high": (None, 100.0)} if given else None
    scaler = Scaler.fit(SeriesSet.from_arrays(values, channels=["low", "high"]), bounds=bounds)
    assert isinstance(scaler.channels[1], RelativeScaling) and scaler.describe()[0]["upper"] <= 100
    drawn = scaler.inverse(3 * np.random.default_rng(1).standard_normal((200, 2, 24))).astype(np.float32)
    assert (drawn[:, 0] <= drawn[:, 1]).all() and drawn.max() <= 100


def test_it_is_said_stored_and_can_be_declined() -> None:
    values = prices()
    scaler = fit(values)
    high = scaler.describe()[1]
    assert high["transform"] == "relative" and "never below low, open, close" in high["reason"]
    assert set(high) == set(scaler.describe()[2]) and high["decimals"] == 2
    kept = json.loads(json.dumps(scaler.to_dict()))
    again = Scaler.from_dict(kept)
    latent = scaler.transform(values)
    np.testing.assert_array_equal(again.transform(values), latent)
    np.testing.assert_array_equal(again.inverse(latent), scaler.inverse(latent))
    high_kept = kept["channels"][1]
    for damage in (
        {"others": [1]},
        {"others": [9]},
        {"others": []},
        {"names": []},
        {"apart": None},
        {"others": ["0"]},
    ):
        channels = [kept["channels"][0], high_kept | damage, *kept["channels"][2:]]
        with pytest.raises(InputError, match="damaged"):
            Scaler.from_dict(kept | {"channels": channels})
    plain = fit(values, transforms={"high": "identity"}).describe()[1]
    assert plain["transform"] == "identity"


def test_many_channels_of_many_cells_take_no_time() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((50, 64, 128)).astype(np.float32)
    values[:, 63] = values[:, 0] + 1e-3 * rng.random((50, 128))
    begun = time.process_time()
    found = [i for i, c in enumerate(Scaler.fit_arrays(values, list(map(str, range(64)))).channels) if not_plain(c)]
    assert found == [63] and time.process_time() - begun < 20


def not_plain(channel: object) -> bool:
    return isinstance(channel, RelativeScaling)


@pytest.mark.parametrize("mode", ["prompt", "full"])
def test_new_prices_keep_their_order(mode: str, tmp_path: Path) -> None:
    labels = np.array(["a", "b"] * 4, dtype=object)
    fitted = Sprout(woken(TRANSFORMER)).fit(
        SeriesSet.from_arrays(prices(), channels=NAMES, labels=labels), mode, budget=5
    )
    fitted.save_pretrained(tmp_path / "model")
    drawn = fitted.sample(30, length=28).values
    assert in_order(drawn)
    again = Sprout.from_pretrained(tmp_path / "model").sample(30, length=28).values
    np.testing.assert_array_equal(again, drawn)
