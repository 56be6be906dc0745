"""Diffusion-TS: its decomposition, its schedule, its sampler against a closed form, and that it learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_baselines import covariance_error, drawn, nearest, noise_error, waves
from torch import Tensor, nn

from tsprout.baselines._decomposition import Decomposer, strongest
from tsprout.baselines.diffusion_ts import Diffusion, DiffusionTS, cosine_betas
from tsprout.errors import InputError

QUICK = {"width": 16, "encoders": 1, "decoders": 1, "diffusion_steps": 30, "warmup": 20, "learning_rate": 5e-3}


@pytest.mark.parametrize("length", [11, 12])
def test_a_season_is_the_sum_of_equation_4(length: int) -> None:
    x = torch.randn(3, length, 2, dtype=torch.float64)
    made = strongest(x, 2)
    time = np.arange(length)
    for series in range(3):
        for column in range(2):
            spectrum = np.fft.fft(x[series, :, column].numpy())
            order = np.argsort(-np.abs(spectrum[1 : (length - 1) // 2 + 1]))[:2] + 1
            expected = np.zeros(length)
            for k in order:
                for at in (k, length - k):
                    expected += np.abs(spectrum[at]) * np.cos(2 * np.pi * at * time / length + np.angle(spectrum[at]))
            assert np.allclose(made[series, :, column].numpy(), expected / length)


def test_two_tones_are_kept_and_the_rest_is_not() -> None:
    time = torch.arange(24) / 24 * 2 * torch.pi
    tones = 2 * torch.sin(3 * time + 0.4) + torch.cos(5 * time)
    x = (tones + 0.1 * torch.cos(7 * time) + 3.0)[None, :, None]
    assert torch.allclose(strongest(x, 2)[0, :, 0], tones, atol=1e-5)
    assert strongest(torch.ones(1, 2, 1), 3).abs().max() == 0


def test_parts_add_up_and_are_what_they_are_called() -> None:
    network = Decomposer(2, 24, width=8, heads=2, encoders=1, decoders=2, degree=3, frequencies=2).double()
    x, at = torch.randn(4, 24, 2, dtype=torch.float64), torch.tensor([0, 3, 7, 9])
    with torch.no_grad():
        trend, season, rest = network.parts(x, at)
        assert torch.allclose(trend + season + rest, network(x, at))
        wiggles = np.diff(trend.numpy(), n=4, axis=1)
        assert np.abs(wiggles).max() < 1e-5 < np.abs(np.diff(trend.numpy(), n=1, axis=1)).max()
        # Two frequencies of each of eight columns and two layers; the mean over time is nothing but the bias.
        assert torch.allclose(season.mean(dim=1), network.season.bias.expand(4, -1))
        assert torch.allclose(rest.mean(dim=1), network.rest.bias.expand(4, -1))
        assert not torch.allclose(network(x, at), network(x, at + 5))


@pytest.mark.parametrize(
    ("channels", "encoders", "decoders", "width", "printed"),
    [(5, 1, 2, 64, 232_177), (6, 2, 2, 64, 291_318), (7, 3, 2, 64, 350_459), (28, 4, 3, 96, 1_135_144)],
)
def test_it_is_about_as_large_as_printed(channels: int, encoders: int, decoders: int, width: int, printed: int) -> None:
    network = Decomposer(channels, 24, width=width, heads=4, encoders=encoders, decoders=decoders)
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(printed, rel=0.03)


def test_the_cosine_schedule() -> None:
    beta = cosine_betas(100)
    left = (1 - beta).cumprod(dim=0)
    expected = torch.cos((torch.arange(1, 101) / 100 + 0.008) / 1.008 * torch.pi / 2) ** 2
    expected = expected / np.cos(0.008 / 1.008 * np.pi / 2) ** 2
    assert torch.allclose(left[:-1], expected[:-1].double(), atol=1e-6)
    assert beta.max() <= 0.999


class _BestForNormal(nn.Module):
    """The best estimate of values that are normal with deviation ``spread``."""

    def __init__(self, spread: float, steps: int) -> None:
        super().__init__()
        left = (1 - cosine_betas(steps)).cumprod(dim=0).float()
        self.gain = spread**2 * left.sqrt() / (spread**2 * left + 1 - left)

    def forward(self, x: Tensor, at: Tensor) -> Tensor:
        return self.gain[at, None, None] * x


def test_the_sampler_draws_what_the_best_estimate_stands_for() -> None:
    torch.manual_seed(0)
    diffusion = Diffusion(_BestForNormal(0.2, 1000), 1000, 0.0)  # type: ignore[arg-type]
    made = diffusion.sample(4000, 2, 1, torch.device("cpu"))
    assert made.std().item() == pytest.approx(0.2, rel=0.03) and abs(made.mean().item()) < 0.01


def test_the_loss_is_least_for_the_truth() -> None:
    class Told(nn.Module):
        def __init__(self, off: float) -> None:
            super().__init__()
            self.off = off

        def forward(self, x: Tensor, at: Tensor) -> Tensor:
            return clean + self.off

    clean = torch.randn(6, 8, 2)
    losses = [Diffusion(Told(off), 10, 1.0).loss(clean).item() for off in (0.0, 0.1)]  # type: ignore[arg-type]
    assert losses[0] == 0 < losses[1]


def test_the_rate_goes_up_and_down() -> None:
    rate = DiffusionTS(steps=1000, warmup=100).rate
    assert rate(99) == pytest.approx(8e-4)
    assert rate(0) < rate(50) < rate(99) > rate(500) > rate(999) > 1e-5


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(InputError, match="heads"):
        DiffusionTS(width=10, heads=4)


def test_it_overfits() -> None:
    two = waves(2, 8, 1)
    made, losses = drawn("diffusion-ts", two, 32, steps=150, batch=32, **QUICK)
    assert losses[-20:].mean() < 0.5 * losses[:10].mean()
    assert np.median(nearest(made, two)) < 0.5
    sides = ((made - two[0]) ** 2).mean(axis=(1, 2)) < ((made - two[1]) ** 2).mean(axis=(1, 2))
    assert 0.1 < sides.mean() < 0.9


def test_it_learns() -> None:
    real = waves(64, 8, 1)
    made, _ = drawn("diffusion-ts", real, 128, steps=150, batch=64, **QUICK)
    assert covariance_error(made, real) < 0.5 * noise_error(real)
