r"""ImagenTime: diffusion of the image of a series, from fresh weights.

Naiman et al. 2024, "Utilizing Image Transforms and Diffusion Models for Generative Modeling of Short and Long Time
Series", arXiv 2410.19538: the delay embedding as an image, a UNet with the preconditioning, loss and noise of EDM
(Karras et al. 2022, arXiv 2206.00364), Heun's solver: what the published few-shot model is without pre-training,
prompt or token. Noise is added to the image, so that a time step that lies in several cells is noised several times;
cells that hold nothing cost nothing. The spectrogram instead of the delay embedding is
:mod:`tsprout.baselines.imagentime_stft`.

Defaults are those of the network of arXiv 2505.20446: delay and dimension 8, width 32 times 1, 2, 2, 4, three
blocks a level, attention at sides 8, 4, 2 (6.1 M parameters), AdamW at 1e-4 with decay 1e-5, gradient norm at most 1,
averaged weights with decay .9999, 1000 epochs of batches of 2048 at most, 36 steps of Heun. Data in [-1, 1], sigma of
the data .5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from tsprout.baselines._deep import Average, DeepBaseline, epochs_to_steps, train
from tsprout.baselines._images import DelayImage, SpectrogramImage
from tsprout.baselines.contract import Progress
from tsprout.baselines.hyperparameters import numbers, sizes, whole_numbers
from tsprout.diffusion.denoiser import loss_weight, precondition, training_sigma
from tsprout.diffusion.samplers import heun, karras_schedule
from tsprout.nn.unet import UNet

SIGMA_DATA, SIGMA_MIN, SIGMA_MAX = 0.5, 0.002, 80.0
NOISE_MEAN, NOISE_STD = -1.2, 1.2


class ImageDenoiser(nn.Module):
    """A UNet with EDM's preconditioning on the images of :mod:`tsprout.baselines._images`."""

    def __init__(
        self,
        image: DelayImage | SpectrogramImage,
        length: int,
        width: int,
        multipliers: tuple[int, ...],
        blocks: int,
        attention: tuple[int, ...],
    ) -> None:
        super().__init__()
        self.image, self.length = image, length
        channels = image.shape[0]
        # One set, one number of channels: first and last layer are plain convolutions.
        self.unet = UNet(
            width,
            multipliers=multipliers,
            blocks=blocks,
            attention_sides=attention,
            dimension=image.side,
            delay=1,
            canonical=channels,
            channel_mixing="padded",
        )

    def forward(self, noisy: Tensor, sigma: Tensor) -> Tensor:
        """Clean estimate of images ``noisy`` at noise levels ``sigma (batch,)``."""
        scale = precondition(sigma, SIGMA_DATA)
        told = self.unet.conditioner(scale.noise, noisy.shape[1], self.length, None, None)
        out = self.unet.on_image(noisy * scale.into[:, None, None, None], told)
        return scale.skip[:, None, None, None] * noisy + scale.out[:, None, None, None] * out

    def loss(self, series: Tensor) -> Tensor:
        """Weighted squared error of ``series (batch, channels, length)`` at one noise level each, mean over cells."""
        clean, mask = self.image(series), self.image.mask
        sigma = training_sigma(len(clean), NOISE_MEAN, NOISE_STD, stratified=False).to(clean.device)
        noise = torch.randn(clean.shape).to(clean.device)
        noisy = (clean + sigma[:, None, None, None] * noise) * mask
        error = (self(noisy, sigma) - clean) ** 2 * mask
        mean = error.sum(dim=(1, 2, 3)) / (mask.sum() * clean.shape[1])
        return (mean * loss_weight(sigma, SIGMA_DATA)).mean()

    def sample(self, n: int, steps: int, device: torch.device) -> Tensor:
        """``(n, channels, length)`` by ``2 * steps - 1`` calls of the network."""
        sigmas = karras_schedule(steps, SIGMA_MIN, SIGMA_MAX)
        mask = self.image.mask

        def denoise(x: Tensor, sigma: float) -> Tensor:
            estimate: Tensor = self(x, torch.full((1,), sigma, device=device))
            return estimate * mask

        noise = torch.randn(n, *self.image.shape).to(device) * mask
        return self.image.inverse(heun(denoise, noise * sigmas[0], sigmas))


@dataclass(eq=False, kw_only=True)
class ImagenTime(DeepBaseline):
    """See the module's text. ``losses``: of every step.

    Attributes:
        delay, dimension: of the embedding.
        width, multipliers, blocks, attention: of the UNet, see :class:`~tsprout.nn.unet.UNet`.
        epochs, batch, learning_rate, decay: of AdamW (``decay`` is that of its weights).
        average: largest decay of the averaged weights.
        steps: of the solver.
    """

    name: ClassVar[str] = "imagentime"
    summary: ClassVar[str] = "Diffusion of delay-embedding images from fresh weights (ImagenTime)"
    source: ClassVar[str] = "Naiman et al. 2024, ImagenTime, arXiv 2410.19538; set-up of arXiv 2505.20446"
    low: ClassVar[float] = -1.0

    delay: int = 8
    dimension: int = 8
    width: int = 32
    multipliers: tuple[int, ...] = (1, 2, 2, 4)
    blocks: int = 3
    attention: tuple[int, ...] = (8, 4, 2)
    epochs: int = 1000
    batch: int = 2048
    learning_rate: float = 1e-4
    decay: float = 1e-5
    average: float = 0.9999
    steps: int = 36

    def __post_init__(self) -> None:
        self.multipliers = sizes("multipliers", self.multipliers)
        self.attention = sizes("attention", self.attention, some=False)
        whole_numbers(delay=self.delay, dimension=self.dimension, width=self.width, blocks=self.blocks)
        whole_numbers(epochs=self.epochs, batch=self.batch, steps=self.steps)
        numbers(learning_rate=self.learning_rate, above=True)
        numbers(decay=self.decay)
        numbers(average=self.average, most=1.0, below=True)

    def _image(self, channels: int, length: int) -> DelayImage | SpectrogramImage:
        return DelayImage(channels, length, self.delay, self.dimension)

    def _build(self, channels: int, length: int) -> nn.Module:
        image = self._image(channels, length)
        return ImageDenoiser(image, length, self.width, self.multipliers, self.blocks, self.attention)

    def _train(self, network: nn.Module, x: Tensor, progress: Progress | None) -> np.ndarray:
        assert isinstance(network, ImageDenoiser)
        network.image.measure(x)
        optimiser = torch.optim.AdamW(network.parameters(), lr=self.learning_rate, weight_decay=self.decay)
        return train(
            network,
            lambda positions: network.loss(x[positions]),
            len(x),
            optimiser,
            steps=epochs_to_steps(self.epochs, len(x), self.batch),
            batch=self.batch,
            clip=1.0,
            average=Average(network, self.average),
            progress=progress,
        )

    def _generate(self, network: nn.Module, n: int, device: torch.device) -> Tensor:
        assert isinstance(network, ImageDenoiser)
        return network.sample(n, self.steps, device)
