r"""Diffusion-TS: diffusion by a transformer that estimates the clean series as trend, seasons and a rest.

Yuan and Qiao 2024, "Diffusion-TS: Interpretable Diffusion for General Time Series Generation", ICLR, arXiv 2403.01742;
the network is :mod:`tsprout.baselines._decomposition`. Discrete diffusion with the cosine schedule (Nichol and
Dhariwal 2021, arXiv 2102.09672); the loss is the error of the clean series and of its Fourier transform, weighted
(equation 6) by :math:`w_t = \lambda \alpha_t (1 - \bar\alpha_t) / \beta_t^2`; ancestral sampling through every step.

Defaults are those for ETTh (its table 8): three encoder and two decoder layers of width 64, four heads, 500 steps of
diffusion, 18,000 of training with batches of 128, twice accumulated (here one batch of 256: the same gradient), Adam
with betas .9 and .96, 500 steps up to 8e-4, then linearly down, weights averaged with decay .995 every ten steps. As
its released settings have it, errors are absolute, so that the weight is the root of equation 6. Not printed: the
degree 3 of the trend, K (here the logarithm of the length), the weight of the Fourier term (here a fifth of the root
of the length, on a transform scaled by 1/L). Data in [-1, 1], to which estimates are clipped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from tsprout.baselines._decomposition import Decomposer
from tsprout.baselines._deep import Average, DeepBaseline, train
from tsprout.baselines.contract import Progress
from tsprout.baselines.hyperparameters import numbers, whole_numbers
from tsprout.errors import InputError


def cosine_betas(steps: int) -> Tensor:
    """Noise added at each of ``steps`` steps, at most .999: ``(steps,)`` float64."""
    at = torch.arange(steps + 1, dtype=torch.float64) / steps
    left = torch.cos((at + 0.008) / 1.008 * math.pi / 2) ** 2
    return (1 - left[1:] / left[:-1]).clamp(max=0.999)


class Diffusion(nn.Module):
    """A :class:`Decomposer` with its noise schedule; series are ``(batch, length, channels)``."""

    signal: Tensor
    noise: Tensor
    weight: Tensor
    from_clean: Tensor
    from_noisy: Tensor
    spread: Tensor

    def __init__(self, network: Decomposer, steps: int, fourier: float) -> None:
        super().__init__()
        self.network, self.steps, self.fourier = network, steps, fourier
        beta = cosine_betas(steps)
        alpha = 1 - beta
        left = alpha.cumprod(dim=0)
        before = torch.cat([left.new_ones(1), left[:-1]])
        found = {
            "signal": left.sqrt(),
            "noise": (1 - left).sqrt(),
            "weight": 0.01 * (alpha * (1 - left)).sqrt() / beta,
            # Mean and deviation of a step back, given the clean series and the noisy one.
            "from_clean": before.sqrt() * beta / (1 - left),
            "from_noisy": alpha.sqrt() * (1 - before) / (1 - left),
            "spread": (beta * (1 - before) / (1 - left)).sqrt(),
        }
        for name, value in found.items():
            self.register_buffer(name, value.float(), persistent=False)

    def loss(self, clean: Tensor) -> Tensor:
        """Mean weighted error over a batch, at one step of diffusion for each series."""
        at = torch.randint(self.steps, (len(clean),)).to(clean.device)
        noisy = self.signal[at, None, None] * clean + self.noise[at, None, None] * torch.randn(clean.shape).to(
            clean.device
        )
        error = self.network(noisy, at) - clean
        spectrum = torch.fft.fft(error.transpose(1, 2), norm="forward")
        total = error.abs().mean(dim=(1, 2))
        total = total + self.fourier * (spectrum.real.abs() + spectrum.imag.abs()).mean(dim=(1, 2))
        return (self.weight[at] * total).mean()

    def sample(self, n: int, length: int, channels: int, device: torch.device) -> Tensor:
        """``(n, length, channels)``, by one call of the network a step."""
        x = torch.randn(n, length, channels).to(device)
        for at in reversed(range(self.steps)):
            clean = self.network(x, torch.full((1,), at, device=device)).clamp(-1, 1)
            x = self.from_clean[at] * clean + self.from_noisy[at] * x
            if at:
                x = x + self.spread[at] * torch.randn(x.shape).to(device)
        return x


@dataclass(eq=False, kw_only=True)
class DiffusionTS(DeepBaseline):
    """See the module's text. ``losses``: of every step.

    Attributes:
        width, heads, encoders, decoders, degree, frequencies: of the network, see
            :class:`~tsprout.baselines._decomposition.Decomposer`.
        diffusion_steps: of the noise schedule, and calls of the network a sample.
        fourier: weight of the error of the transform; negative for a fifth of the root of the length.
        steps, batch, learning_rate, warmup: of Adam.
        average, average_every: decay of the averaged weights, and steps between updates.
    """

    name: ClassVar[str] = "diffusion-ts"
    summary: ClassVar[str] = "Diffusion by a transformer that splits trend and seasons (Diffusion-TS)"
    source: ClassVar[str] = "Yuan and Qiao 2024, Diffusion-TS, ICLR, arXiv 2403.01742"
    low: ClassVar[float] = -1.0

    width: int = 64
    heads: int = 4
    encoders: int = 3
    decoders: int = 2
    degree: int = 3
    frequencies: int = 0
    diffusion_steps: int = 500
    fourier: float = -1.0
    steps: int = 18_000
    batch: int = 256
    learning_rate: float = 8e-4
    warmup: int = 500
    average: float = 0.995
    average_every: int = 10

    def __post_init__(self) -> None:
        whole_numbers(width=self.width, heads=self.heads, encoders=self.encoders, decoders=self.decoders)
        whole_numbers(steps=self.steps, diffusion_steps=self.diffusion_steps, batch=self.batch)
        whole_numbers(average_every=self.average_every)
        whole_numbers(degree=self.degree, frequencies=self.frequencies, warmup=self.warmup, least=0)
        numbers(fourier=self.fourier, least=-math.inf)
        numbers(learning_rate=self.learning_rate, above=True)
        numbers(average=self.average, most=1.0, below=True)
        if self.width % self.heads or self.width % 2:
            raise InputError(f"a width of {self.width} does not divide by {self.heads} heads and by 2", where="width")

    def rate(self, step: int) -> float:
        """Learning rate of ``step``, counted from 0: up from 1e-5, then down to it."""
        least = min(1e-5, self.learning_rate)
        if step < self.warmup:
            return least + (self.learning_rate - least) * (step + 1) / self.warmup
        left = (self.steps - step) / max(1, self.steps - self.warmup)
        return least + (self.learning_rate - least) * left

    def _build(self, channels: int, length: int) -> nn.Module:
        network = Decomposer(
            channels,
            length,
            width=self.width,
            heads=self.heads,
            encoders=self.encoders,
            decoders=self.decoders,
            degree=self.degree,
            frequencies=self.frequencies,
        )
        return Diffusion(network, self.diffusion_steps, math.sqrt(length) / 5 if self.fourier < 0 else self.fourier)

    def _train(self, network: nn.Module, x: Tensor, progress: Progress | None) -> np.ndarray:
        assert isinstance(network, Diffusion)
        series = x.transpose(1, 2)
        return train(
            network,
            lambda positions: network.loss(series[positions]),
            len(x),
            torch.optim.Adam(network.parameters(), lr=self.learning_rate, betas=(0.9, 0.96)),
            steps=self.steps,
            batch=self.batch,
            clip=1.0,
            average=Average(network, self.average, self.average_every),
            rate=self.rate,
            progress=progress,
        )

    def _generate(self, network: nn.Module, n: int, device: torch.device) -> Tensor:
        assert isinstance(network, Diffusion)
        return network.sample(n, self._shape[1], self._shape[0], device).transpose(1, 2)
