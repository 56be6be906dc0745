"""ImagenTime: its images, its denoiser, and that it learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_baselines import covariance_error, drawn, nearest, noise_error, waves

from tsprout.baselines._images import DelayImage, SpectrogramImage
from tsprout.baselines.imagentime import ImageDenoiser, ImagenTime
from tsprout.baselines.imagentime_stft import SpectrogramImagenTime
from tsprout.errors import InputError
from tsprout.nn.delay import embed, invert
from tsprout.nn.unet import UNet

QUICK = {"width": 16, "attention": (), "learning_rate": 3e-3, "average": 0.95, "steps": 10, "delay": 4, "dimension": 4}


@pytest.mark.parametrize(("length", "delay", "dimension"), [(24, 8, 8), (24, 3, 8), (7, 2, 3), (1, 1, 4)])
def test_the_delay_image_is_inverted(length: int, delay: int, dimension: int) -> None:
    image, series = DelayImage(3, length, delay, dimension), torch.randn(5, 3, length)
    made = image(series)
    assert made.shape == (5, *image.shape)
    assert not (made * (1 - image.mask)).any()
    assert torch.equal(image.inverse(made), series)


@pytest.mark.parametrize(("length", "window", "hop"), [(24, 0, 0), (33, 0, 0), (2, 0, 0), (24, 9, 3), (50, 16, 8)])
def test_the_spectrogram_is_inverted(length: int, window: int, hop: int) -> None:
    image, series = SpectrogramImage(3, length, window, hop), 5 + torch.randn(6, 3, length)
    image.measure(series)
    made = image(series)
    assert made.shape == (6, *image.shape)
    assert made.min().item() == pytest.approx(-1, abs=1e-5) and made.max().item() == pytest.approx(1, abs=1e-5)
    assert torch.allclose(image.inverse(made), series, atol=1e-4)


def test_the_spectrogram_is_a_spectrogram() -> None:
    image = SpectrogramImage(1, 64, 16, 4)
    series = torch.cos(2 * torch.pi * torch.arange(64) * 3 / 16)[None, None]
    parts = image._transform(series)[0, :, :, 4:-4]
    strength = (parts**2).sum(dim=0).mean(dim=1)
    assert strength.argmax() == 3 and strength[6:].max() < 1e-3 * strength[3]


def test_windows_that_make_no_sense() -> None:
    for window, hop in ((64, 0), (8, 5)):
        with pytest.raises(InputError, match="window"):
            SpectrogramImage(1, 24, window, hop)


def test_the_network_between_embedding_and_inversion_is_the_whole_of_it() -> None:
    network = UNet(8, multipliers=(1, 2), blocks=1, attention_sides=(8,))
    torch.nn.init.normal_(network.last.weight)
    x, noise = torch.randn(3, 2, 24), torch.randn(3)
    grid = network.grid(24)
    image = network.on_image(embed(x, grid), network.conditioner(noise, 2, 24, None, None))
    assert torch.equal(invert(image, grid), network(x, noise, None, None)) and image.abs().max() > 0


def _denoiser() -> ImageDenoiser:
    network = ImagenTime(width=8, multipliers=(1, 2), blocks=1, attention=())._build(2, 24)
    assert isinstance(network, ImageDenoiser)
    return network


def test_the_published_network_is_as_large_as_ours() -> None:
    for kind in (ImagenTime, SpectrogramImagenTime):
        count = sum(p.numel() for p in kind()._build(7, 24).parameters())
        assert 5.5e6 < count < 7e6


def test_an_untrained_denoiser_is_edms() -> None:
    """The last layer starts at zero, so the estimate is c_skip x: the best linear one for data of deviation .5."""
    network, noisy = _denoiser(), torch.randn(4, 2, 8, 8)
    sigma = torch.tensor([0.1, 0.5, 2.0, 50.0])
    assert torch.allclose(network(noisy, sigma), noisy * (0.25 / (0.25 + sigma**2))[:, None, None, None], atol=1e-6)


def test_what_is_padded_costs_nothing() -> None:
    network = _denoiser()
    series = torch.randn(4, 2, 24)
    torch.nn.init.normal_(network.unet.last.weight)
    with torch.no_grad():
        torch.manual_seed(0)
        before = network.loss(series)
        padding = 1 - network.image.mask
        plain = network.forward
        network.forward = lambda noisy, sigma: plain(noisy, sigma) + 1e3 * padding  # type: ignore[method-assign]
        torch.manual_seed(0)
        assert torch.equal(network.loss(series), before)


@pytest.mark.parametrize("name", ["imagentime", "imagentime-stft"])
def test_it_overfits(name: str) -> None:
    two = waves(2, 8, 1)
    made, losses = drawn(name, np.concatenate([two] * 16), 32, epochs=80, **QUICK)
    assert losses[-20:].mean() < 0.6 * losses[:10].mean()
    assert np.median(nearest(made, two)) < 0.4
    sides = ((made - two[0]) ** 2).mean(axis=(1, 2)) < ((made - two[1]) ** 2).mean(axis=(1, 2))
    assert 0.1 < sides.mean() < 0.9


def test_it_learns() -> None:
    real = waves(64, 8, 1)
    made, _ = drawn("imagentime", real, 128, epochs=50, **QUICK)
    assert covariance_error(made, real) < 0.6 * noise_error(real)
