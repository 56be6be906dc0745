"""TimeGAN: its losses, and that it learns."""

from __future__ import annotations

import numpy as np
import torch
from small_baselines import drawn, small, waves

from tsprout.baselines.timegan import Networks, TimeGAN, moments, one_ahead


def test_width_follows_the_channels() -> None:
    assert TimeGAN()._build(6, 24).get_parameter("embedder.out.weight").shape == (24, 24)
    assert TimeGAN()._build(10, 24).get_parameter("embedder.out.weight").shape == (40, 40)
    assert TimeGAN().bidirectional and TimeGAN()._build(6, 24).get_parameter("discriminator.out.weight").shape == (
        1,
        48,
    )


def test_supervision_is_one_step_ahead() -> None:
    h = torch.rand(4, 6, 3)
    assert torch.allclose(one_ahead(h, h), ((h[:, 1:] - h[:, :-1]) ** 2).mean())
    assert one_ahead(h.roll(-1, dims=1), h).item() == 0
    assert one_ahead(h[:, :1], h[:, :1]).item() == 0


def test_moments_compare_cells() -> None:
    real = torch.rand(50, 4, 2)
    assert moments(real, real[torch.randperm(50)]).item() < 1e-5
    assert moments(real + 0.25, real).item() > 0.2
    assert moments(real.mean(dim=0) + 0 * real, real).item() > 0.2  # right mean, no spread


def test_the_discriminator_is_pushed_apart_from_the_generator() -> None:
    """What lowers the generator's loss raises the discriminator's, by the verdict on the same draw."""
    baseline, networks = small("timegan"), Networks(1, 4, 1, both=True)
    assert isinstance(baseline, TimeGAN)
    some = torch.rand(8, 5, 1)
    torch.nn.init.zeros_(networks.discriminator.out.weight)
    losses = []
    for bias in (-2.0, 0.0, 2.0):  # how real all series are held to be
        torch.nn.init.constant_(networks.discriminator.out.bias, bias)
        torch.manual_seed(0)
        losses.append(baseline._generator_loss(networks, some).item())
    assert losses[0] > losses[1] > losses[2]
    torch.nn.init.zeros_(networks.discriminator.out.bias)
    assert abs(baseline._discriminator_loss(networks, some).item() - 3 * 0.6931) < 1e-3


def test_it_learns() -> None:
    real = waves(64, 6, 1)
    made, losses = drawn("timegan", real, 128, hidden=8, layers=1, iterations=40, batch=64, learning_rate=1e-2)
    assert losses[-10:, 0].mean() < 2  # ten times the root of the autoencoder's squared error, on 0 to 1
    assert losses[-10:, 1].mean() < 0.5 * losses[:3, 1].mean()
    # Level and spread of every cell; before training all are at the middle of the range without any spread.
    assert np.abs(made.mean(axis=0) - real.mean(axis=0)).max() < 0.4
    assert np.abs(made.std(axis=0) - real.std(axis=0)).max() < 0.35
