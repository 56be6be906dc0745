"""Level and spread of an untrained model's samples, put right."""

from __future__ import annotations

import json

import numpy as np
import torch
from tiny_models import TRANSFORMER, waves, woken

from tsprout.train import calibration as module
from tsprout.train.calibration import Calibration, calibrate, moments
from tsprout.train.shots import Shots


def test_samples_get_the_level_and_spread_of_the_shots() -> None:
    model = woken(TRANSFORMER)
    latent = waves(6, 2, 16) * np.array([[1.5], [0.7]], dtype=np.float32) + np.array([[0.4], [-1.0]], dtype=np.float32)
    shots = Shots.from_latent(latent, np.full(6, 16))
    found = calibrate(model, shots, seed=3)
    memory = model.encode(shots.values[None], shots.observed[None])
    with torch.no_grad():
        drawn = model.sample((128, 2, 16), torch.Generator().manual_seed(3), memory=memory, steps=10).numpy()
    mean, spread = moments(found.apply(drawn), np.ones(drawn.shape, dtype=bool))
    wanted, width = moments(latent, np.ones(latent.shape, dtype=bool))
    assert np.allclose(mean, wanted, atol=1e-3)
    inside = (np.array(found.factor) > 1 / module._MOST) & (np.array(found.factor) < module._MOST)
    assert inside.any()
    assert np.allclose(spread[inside], width[inside], rtol=1e-3)


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
