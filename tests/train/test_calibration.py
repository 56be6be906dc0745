"""Level, spread and spectrum of what a model draws, put right."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from tiny_models import PADDED, TRANSFORMER, waves, woken

from tsprout.model import Denoiser
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
)
from tsprout.train.drawing import Drawing, series_at_once
from tsprout.train.shots import Shots


def test_samples_get_the_level_and_spread_of_the_shots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SAMPLES", 128)
    model = woken(TRANSFORMER)
    latent = waves(6, 2, 16) * np.array([[1.5], [0.7]], dtype=np.float32) + np.array([[0.4], [-1.0]], dtype=np.float32)
    shots = Shots.from_latent(latent, np.full(6, 16))
    found = calibrate(model, shots, seed=3)
    memory = model.encode(shots.values[None], shots.observed[None])
    with torch.no_grad():
        drawn = model.sample((128, 2, 16), torch.Generator().manual_seed(3), memory=memory).numpy()
    own, wanted = (moments(x, np.ones(x.shape, dtype=bool)) for x in (found.apply(drawn), latent))
    assert np.allclose(own.mean, wanted.mean, atol=1e-3)
    inside = (np.array(found.factor) > 1 / module._MOST) & (np.array(found.factor) < module._MOST)
    assert inside.any()
    assert np.allclose(own.spread[inside], wanted.spread[inside], rtol=1e-3)


def test_a_label_gets_the_level_of_its_own_shots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SAMPLES", 128)
    latent = waves(7, 1, 16) * 0.3
    latent[[1, 3, 5]] += 2
    labels = np.array(["low", "high", "low", "high", "low", "high", "alone"])
    found = calibrate(woken(TRANSFORMER), Shots.from_latent(latent, np.full(7, 16), labels), seed=3)
    assert set(found.labels) == {"low", "high"}  # one series says nothing of its label
    assert found.of("alone") is found and found.of("never seen") is found
    model = woken(TRANSFORMER)
    for name in ("low", "high"):
        own = latent[labels == name]
        memory = model.encode(torch.tensor(own)[None])
        with torch.no_grad():
            drawn = model.sample((64, 1, 16), torch.Generator().manual_seed(3), memory=memory).numpy()
        assert found.of(name).apply(drawn).mean() == pytest.approx(own.mean(), abs=1e-3)
    again = Calibration.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again == found
    assert "labels" not in calibrate(model, Shots.from_latent(latent, np.full(7, 16)), seed=3).to_dict()
    plain = found.to_dict()
    plain["labels"]["low"]["colour"] = 1
    with pytest.raises(ValueError, match="more than is known"):
        Calibration.from_dict(plain)


@pytest.mark.parametrize(
    "lengths",
    [(8,) * 3, (8,) * 20, (200, 8), (200, 8, 8), (100, 50, 25), (100, *(5,) * 8)],
    ids=lambda x: "-".join(map(str, x)),
)
def test_moments_of_few_series_are_unbiased_and_know_their_sampling_variance(lengths: tuple[int, ...]) -> None:
    rng, count, longest = np.random.default_rng(0), len(lengths), max(lengths)
    series = rng.normal(0, 1, (2000, count, 1, 1)) + rng.normal(0, 0.5, (2000, count, 1, longest))
    seen = np.arange(longest) < np.array(lengths)[:, None, None]
    found = [moments(x, seen) for x in series]
    spread = np.array([m.spread[0] for m in found])
    assert np.mean(spread**2) == pytest.approx(1.25, rel=0.05)
    of_mean, of_spread = (
        np.mean([getattr(m, name)[0] for m in found]) for name in ("mean_variance", "log_spread_variance")
    )
    assert of_mean == pytest.approx(np.var([m.mean[0] for m in found]), rel=0.12)
    # Not less than it is, and of two or three, which may happen to be alike, not much less either.
    assert of_spread > 0.5 * np.var(np.log(spread))
    if len(set(lengths)) == 1:
        assert 0.75 < of_spread / np.var(np.log(spread)) < 1.6
    alone = moments(series[0, :1], seen[:1])
    assert np.isinf(alone.mean_variance).all() and np.isinf(alone.log_spread_variance).all()
    assert alone.spread[0] == pytest.approx(series[0, 0, 0, : lengths[0]].std())


def test_levels_that_happen_to_be_alike_are_no_evidence() -> None:
    twins = np.array([[[1.0, 1.0]], [[-1.0, -1.0]]])
    # Both are as far from the mean, so that by their differences alone the spread would be known for certain.
    assert moments(twins, np.ones(twins.shape, dtype=bool)).log_spread_variance == pytest.approx([0.5])


def test_a_trained_model_is_corrected_by_what_is_beyond_chance() -> None:
    rng = np.random.default_rng(0)

    def normal(n: int, mean: float, std: float) -> np.ndarray:
        return (mean + std * rng.standard_normal((n, 2, 16))).astype(np.float32)

    shots = Shots.from_latent(normal(10, 0, 1), np.full(10, 16))
    same, far = normal(128, 0, 1), normal(128, 2, 3)
    fix = correction(same, shots, trained=True)
    assert np.allclose(fix.factor, 1, atol=0.08) and np.allclose(fix.shift, 0, atol=0.12)
    put_right = moments(correction(far, shots, trained=True).apply(far), np.ones(far.shape, dtype=bool))
    assert np.allclose(put_right.mean, 0, atol=0.2) and np.allclose(put_right.spread, 1, atol=0.2)
    # Series too short for a spectrum, so that shift and factor are all there is.
    drawn, shots = normal(128, 0.4, 1.3)[..., :3], Shots.from_latent(normal(10, 0, 1)[..., :3], np.full(10, 3))
    whole, part = (correction(drawn, shots, trained=trained) for trained in (False, True))
    assert (np.abs(np.log(part.factor)) < np.abs(np.log(whole.factor))).all()
    moved = [np.abs(c.apply(drawn).mean((0, 2)) - drawn.mean((0, 2))) for c in (whole, part)]
    assert (moved[1] < 0.9 * moved[0]).all()


def test_missing_cells_do_not_count() -> None:
    latent = waves(6, 2, 16)
    gaps = latent.copy()
    gaps[:, :, ::5] = np.nan
    values, observed = np.where(np.isfinite(gaps), gaps, 1e6), np.isfinite(gaps)
    found, level = moments(values, observed), np.nanmean(gaps, 2)
    assert np.allclose(found.mean, np.nanmean(gaps, (0, 2)), atol=1e-6)
    assert np.allclose(found.spread**2, np.nanvar(gaps, (0, 2)) + level.var(0) / 5, atol=1e-6)


def test_constant_channels_and_large_corrections_are_held_back() -> None:
    latent = np.concatenate([np.zeros((5, 1, 16)), waves(5, 1, 16) * 1e4], axis=1).astype(np.float32)
    found = calibrate(woken(TRANSFORMER), Shots.from_latent(latent, np.full(5, 16)), seed=0)
    assert (found.factor[0], found.shift[0]) == (1.0, 0.0)
    assert found.factor[1] == module._MOST


@pytest.mark.parametrize("count", [1, 3, 6, 10])
def test_a_constant_other_than_0_is_left_alone(count: int) -> None:
    constant = Shots.from_latent(np.full((count, 1, 16), 0.1, dtype=np.float32), np.full(count, 16))
    for trained in (False, True):
        found = correction(waves(50, 1, 16), constant, trained=trained)
        assert (found.factor, found.shift) == ((1.0,), (0.0,))


def test_the_chance_of_what_is_drawn_counts_too() -> None:
    rng = np.random.default_rng(0)
    shots = Shots.from_latent(rng.standard_normal((200, 1, 3)).astype(np.float32), np.full(200, 3))
    few = (0.3 + np.linspace(-1.5, 1.5, 20)[:, None, None] * np.ones((20, 1, 3))).astype(np.float32)
    own, wanted = (moments(x, np.ones(x.shape, dtype=bool)) for x in (few, shots.values.numpy()))
    off, chance = own.mean - wanted.mean, own.mean_variance + wanted.mean_variance
    assert (5 * wanted.mean_variance < own.mean_variance).all() and (chance < off**2).all()
    found = correction(few, shots, trained=True)
    moved = own.mean - (found.factor[0] * own.mean + found.shift[0])
    assert moved == pytest.approx(off * np.maximum(0, 1 - chance / off**2), abs=1e-6)


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
    # The logarithm of an amplitude has a quarter of the relative variance of a power.
    powers = [band_power(x)[0][:, 0, -1] for x in (shots.values.numpy(), drawn * 1.1)]
    gain = np.log(powers[0].mean() / powers[1].mean()) / 2
    chance = sum(p.var(ddof=1) / len(p) / p.mean() ** 2 for p in powers) / 4
    assert 0 < chance < gain**2
    found = band_gains(drawn * 1.1, shots, trained=True)
    assert found is not None and np.log(found[0, -1]) == pytest.approx(gain * (1 - chance / gain**2), rel=1e-3)
    # What the shots show for certain is corrected as ever.
    loud = band_gains(filter_bands(drawn, np.full((2, len(BANDS)), 3.0)), shots, trained=True)
    assert loud is not None and np.allclose(loud[:, 1:], 1 / 3, rtol=0.3) and (loud[:, 0] == 1).all()
    # A single series says nothing of chance.
    alone = band_gains(3 * drawn, shots[np.array([0])], trained=True)
    assert alone is not None and (alone == 1).all()


def test_a_gap_in_one_channel_leaves_the_spectrum_of_the_others_corrected() -> None:
    latent = waves(6, 2, 16)
    whole = band_gains(2 * waves(50, 2, 16), Shots.from_latent(latent, np.full(6, 16)))
    latent[:, 1, 3] = np.nan
    part = band_gains(2 * waves(50, 2, 16), Shots.from_latent(latent, np.full(6, 16)))
    assert whole is not None and part is not None
    assert np.allclose(part[0], whole[0]) and not np.allclose(whole[1], 1) and (part[1] == 1).all()
    latent = waves(6, 2, 16)
    latent[0, 1, 3] = np.nan
    others = band_gains(2 * waves(50, 2, 16), Shots.from_latent(waves(6, 2, 16)[1:], np.full(5, 16)))
    part = band_gains(2 * waves(50, 2, 16), Shots.from_latent(latent, np.full(6, 16)))
    assert others is not None and part is not None
    assert np.allclose(part[0], whole[0]) and np.allclose(part[1], others[1])


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


@pytest.mark.parametrize(("length", "count"), [(8, 512), (48, 512), (96, 256), (700, 128)])
def test_the_correction_is_found_from_as_many_samples_as_are_cheap(
    length: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn, solved = [], set()

    def drawing(model: Denoiser, shape: tuple[int, int, int], *_: object, how: Drawing, **__: object) -> np.ndarray:
        drawn.append(shape[0])
        solved.add(how.steps)
        return np.random.default_rng(0).standard_normal(shape).astype(np.float32)

    monkeypatch.setattr("tsprout.train.drawing.draw_latent", drawing)
    calibrate(woken(PADDED), Shots.from_latent(waves(3, 1, length), np.full(3, length)), seed=0, how=Drawing(40))
    assert sum(drawn) == count and max(drawn) <= series_at_once(length)
    assert solved == {10}
