"""TimeVAE: the parts of its decoder, its patience, and that it learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_baselines import covariance_error, drawn, nearest, noise_error, waves

from tsprout.baselines.timevae import VAE, Encoder, Patience, Season, TimeVAE, Trend
from tsprout.errors import InputError


@pytest.mark.parametrize("degree", [1, 3])
def test_a_trend_is_a_polynomial(degree: int) -> None:
    trend = Trend(2, 12, 4, degree).double()
    made = trend(torch.randn(5, 4, dtype=torch.float64)).detach().numpy()
    assert made.shape == (5, 2, 12)
    assert np.allclose(made[..., 0], 0)
    wiggles, shape = (np.abs(np.diff(made, n=degree + more)).max() for more in (1, 0))
    assert wiggles < 1e-6 < 1e-4 < shape


def test_a_season_repeats() -> None:
    made = Season(2, 15, 4, 3, 2)(torch.randn(5, 4)).detach()
    assert torch.equal(made[..., :6], made[..., 6:12])
    assert torch.equal(made[..., 0:6:2], made[..., 1:6:2])
    assert len(made[0, 0].unique()) == 3


@pytest.mark.parametrize("length", [1, 5, 24, 33])
def test_sizes(length: int) -> None:
    assert Encoder(2, length, 3, (4, 6, 8)).last == -(-length // 8)
    network = VAE(2, length, 3, (4, 6, 8), 0, (), True)
    made, divergence = network(torch.randn(4, 2, length), torch.randn(4, 3))
    assert made.shape == (4, 2, length) and divergence.shape == (4,)


def test_without_parts_there_is_a_level() -> None:
    made = VAE(2, 9, 3, (4,), 0, (), False).decode(torch.randn(4, 3))
    assert torch.equal(made, made[..., :1].expand(-1, -1, 9))


def test_patience_halves_and_ends() -> None:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    patience = Patience(optimiser, per_epoch=2, patience=5)
    falling = [patience(k + 1, 10.0 - k) for k in range(6)]
    assert not any(falling) and optimiser.param_groups[0]["lr"] == 1
    rates, ended = [], []
    for k in range(10):
        ended.append(patience(7 + k, 10.0))
        rates.append(optimiser.param_groups[0]["lr"])
    assert ended == [False] * 9 + [True]
    assert rates == [1.0] * 5 + [0.5] * 5


def test_settings_that_make_no_sense() -> None:
    with pytest.raises(InputError, match="latent"):
        TimeVAE(latent=0)
    with pytest.raises(InputError, match="filter"):
        TimeVAE(filters=())
    with pytest.raises(InputError, match="seasons"):
        TimeVAE(seasons=((0, 3),))


QUICK = {"filters": (16,), "trend": 0, "seasons": (), "reconstruction": 20.0, "learning_rate": 5e-3}


def test_it_overfits() -> None:
    two = waves(2, 8, 1)
    made, losses = drawn("timevae", two, 64, epochs=400, patience=400, **QUICK)
    assert losses[-20:].mean() < 0.2 * losses[:20].mean()
    assert np.median(nearest(made, two)) < 0.6
    sides = ((made - two[0]) ** 2).mean(axis=(1, 2)) < ((made - two[1]) ** 2).mean(axis=(1, 2))
    assert 0.1 < sides.mean() < 0.9


def test_it_learns() -> None:
    real = waves(64, 8, 1)
    made, _ = drawn("timevae", real, 256, epochs=150, batch=16, **QUICK)
    assert covariance_error(made, real) < 0.6 * noise_error(real)
