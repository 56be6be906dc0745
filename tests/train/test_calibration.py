"""Level, spread and spectrum of an untrained model's samples, put right."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from tiny_models import TRANSFORMER, waves, woken

from tsprout.train import calibration as module
from tsprout.train.calibration import (
    BANDS,
    Calibration,
    band_gains,
    band_of,
    band_power,
    calibrate,
    correction,
    filter_bands,
    moments,
    sampling_variance,
)
from tsprout.train.shots import Shots


def test_samples_get_the_level_and_spread_of_the_shots() -> None:
    model = woken(TRANSFORMER)
    latent = waves(6, 2, 16) * np.array([[1.5], [0.7]], dtype=np.float32) + np.array([[0.4], [-1.0]], dtype=np.float32)
    shots = Shots.from_latent(latent, np.full(6, 16))
    found = calibrate(model, shots, seed=3)
    memory = model.encode(shots.values[None], shots.observed[None])
    with torch.no_grad():
        drawn = model.sample((128, 2, 16), torch.Generator().manual_seed(3), memory=memory).numpy()
    mean, spread = moments(found.apply(drawn), np.ones(drawn.shape, dtype=bool))
    wanted, width = moments(latent, np.ones(latent.shape, dtype=bool))
    assert np.allclose(mean, wanted, atol=1e-3)
    inside = (np.array(found.factor) > 1 / module._MOST) & (np.array(found.factor) < module._MOST)
    assert inside.any()
    assert np.allclose(spread[inside], width[inside], rtol=1e-3)


def test_sampling_variance_is_that_of_repeated_samples() -> None:
    rng = np.random.default_rng(0)
    series = rng.normal(0, 1, (4000, 20, 1, 1)) + rng.normal(0, 0.5, (4000, 20, 1, 8))
    seen = np.ones((20, 1, 8), dtype=bool)
    mean, log_spread = (
        np.array(x)[:, 0] for x in zip(*((m, np.log(s)) for m, s in (moments(x, seen) for x in series)), strict=True)
    )
    said = np.array([sampling_variance(x, seen) for x in series[:500]]).mean(0)[:, 0]
    assert said == pytest.approx([mean.var(), log_spread.var()], rel=0.25)
    assert np.isinf(sampling_variance(series[0, :1], seen[:1])).all()


def test_a_trained_model_is_corrected_by_what_is_beyond_chance() -> None:
    rng = np.random.default_rng(0)

    def normal(n: int, mean: float, std: float) -> np.ndarray:
        return (mean + std * rng.standard_normal((n, 2, 16))).astype(np.float32)

    shots = Shots.from_latent(normal(10, 0, 1), np.full(10, 16))
    same, far = normal(128, 0, 1), normal(128, 2, 3)
    fix = correction(same, shots, trained=True)
    assert np.allclose(fix.factor, 1, atol=0.08) and np.allclose(fix.shift, 0, atol=0.12)
    mean, spread = moments(correction(far, shots, trained=True).apply(far), np.ones(far.shape, dtype=bool))
    assert np.allclose(mean, 0, atol=0.2) and np.allclose(spread, 1, atol=0.2)
    drawn = normal(128, 0.1, 1)
    whole, part = (correction(drawn, shots, trained=trained) for trained in (False, True))
    assert (np.abs(np.log(part.factor)) <= np.abs(np.log(whole.factor)) + 1e-9).all()
    assert (np.abs(part.shift) <= np.abs(whole.shift) + 0.02).all()


def test_missing_cells_do_not_count() -> None:
    latent = waves(6, 2, 16)
    gaps = latent.copy()
    gaps[:, :, ::5] = np.nan
    values, observed = np.where(np.isfinite(gaps), gaps, 1e6), np.isfinite(gaps)
    mean, spread = moments(values, observed)
    assert np.allclose(mean, np.nanmean(gaps, (0, 2)), atol=1e-6)
    assert np.allclose(spread, np.nanstd(gaps, (0, 2)), atol=1e-6)


def test_constant_channels_and_large_corrections_are_held_back() -> None:
    latent = np.concatenate([np.zeros((5, 1, 16)), waves(5, 1, 16) * 1e4], axis=1).astype(np.float32)
    found = calibrate(woken(TRANSFORMER), Shots.from_latent(latent, np.full(5, 16)), seed=0)
    assert (found.factor[0], found.shift[0]) == (1.0, 0.0)
    assert found.factor[1] == module._MOST


def test_round_trip_and_seed() -> None:
    shots = Shots.from_latent(waves(5, 2, 16), np.full(5, 16))
    one, same, other = (calibrate(woken(TRANSFORMER), shots, seed=s) for s in (1, 1, 2))
    assert one == same != other
    assert Calibration.from_dict(json.loads(json.dumps(one.to_dict()))) == one


def test_every_cosine_is_in_one_band_and_the_level_in_one_of_its_own() -> None:
    for length in (4, 8, 24, 250):
        bands = band_of(length)
        assert len(bands) == length
        assert bands[0] == 0 and (bands[1:] > 0).all() and bands[-1] == len(BANDS) - 1
        assert (np.diff(bands) >= 0).all()


def test_gains_act_on_their_band_alone() -> None:
    series = waves(5, 2, 32)
    assert np.allclose(filter_bands(series, np.ones((2, len(BANDS)))), series, atol=1e-5)
    gains = np.ones((2, len(BANDS)))
    gains[1, -1] = 0.5
    before, after = band_power(series)[0].sum(0), band_power(filter_bands(series, gains))[0].sum(0)
    expected = before * gains**2
    assert np.allclose(after, expected, rtol=1e-3, atol=1e-5)


def test_rough_samples_of_smooth_shots_are_smoothed() -> None:
    rng = np.random.default_rng(0)
    smooth = np.cumsum(rng.standard_normal((200, 1, 64)), axis=-1).astype(np.float32) / 8
    rough = smooth + 0.3 * rng.standard_normal(smooth.shape).astype(np.float32)
    shots = Shots.from_latent(smooth[:100], np.full(100, 64))
    gains = band_gains(rough[100:], shots)
    assert gains is not None and gains.shape == (1, len(BANDS))
    assert gains[0, 0] == 1.0
    assert gains[0, -1] < 0.6
    wanted = band_power(smooth[:100])[0].sum(0)
    assert np.allclose(band_power(filter_bands(rough[100:], gains))[0].sum(0)[:, 2:], wanted[:, 2:], rtol=0.5)


def test_few_values_correct_in_part() -> None:
    drawn = 2 * waves(50, 1, 16)
    one, many = (band_gains(drawn, Shots.from_latent(waves(n, 1, 16), np.full(n, 16))) for n in (1, 40))
    assert one is not None and many is not None
    away = np.abs(np.log(np.stack([one, many])[:, 0, 1:]))
    assert (away[0] <= away[1] + 0.05).all() and away[0].sum() < away[1].sum()


def test_a_trained_spectrum_is_corrected_beyond_chance() -> None:
    rng = np.random.default_rng(0)
    shots = Shots.from_latent(rng.standard_normal((10, 2, 32)).astype(np.float32), np.full(10, 32))
    drawn = rng.standard_normal((128, 2, 32)).astype(np.float32)
    whole, part = (band_gains(drawn, shots, trained=trained) for trained in (False, True))
    assert whole is not None and part is not None
    assert np.abs(np.log(part)).sum() < np.abs(np.log(whole)).sum() / 2
    # What the shots show for certain is corrected as ever.
    loud = band_gains(filter_bands(drawn, np.full((2, len(BANDS)), 3.0)), shots, trained=True)
    assert loud is not None and np.allclose(loud[:, 1:], 1 / 3, rtol=0.3) and (loud[:, 0] == 1).all()
    # A single series says nothing of chance.
    alone = band_gains(3 * drawn, shots[np.array([0])], trained=True)
    assert alone is not None and (alone == 1).all()


@pytest.mark.parametrize("broken", ["gaps", "short"])
def test_without_a_whole_shot_the_spectrum_is_left_alone(broken: str) -> None:
    latent = waves(6, 2, 16)
    lengths = np.full(6, 16)
    if broken == "gaps":
        latent[:, :, 3] = np.nan
    else:
        latent[:, :, 10:], lengths = np.nan, np.full(6, 10)
    shots = Shots.from_latent(latent, lengths)
    assert band_gains(waves(20, 2, 16), shots) is None
    assert calibrate(woken(TRANSFORMER), Shots.from_latent(waves(3, 1, 2), np.full(3, 2)), seed=0).gains == ()


def test_what_was_written_without_gains_is_applied_as_it_was() -> None:
    old = Calibration.from_dict({"factor": [2.0], "shift": [1.0]})
    series = waves(3, 1, 12)
    assert np.array_equal(old.apply(series), series * np.float32(2) + np.float32(1))


@pytest.mark.parametrize(
    "broken", [{"gains": [[1.0] * 6]}, {"gains": [[1.0], [1.0]]}, {"shift": [0.0]}, {"bands": [0.0, 1.0]}]
)
def test_a_correction_that_does_not_fit_together_is_refused(broken: dict) -> None:
    whole = {"factor": [1.0, 1.0], "shift": [0.0, 0.0], "gains": [[1.0] * 6] * 2, "bands": list(BANDS)}
    assert Calibration.from_dict(whole).to_dict() == whole
    with pytest.raises(ValueError, match="damaged"):
        Calibration.from_dict(whole | broken)
