r"""EDM preconditioning, loss weight and training noise (Karras et al. 2022, arXiv 2206.00364, table 1).

A denoiser :math:`D(x; \sigma)` estimates the clean :math:`y` from :math:`x = y + \sigma \epsilon`. It is built from a
network :math:`F` as :math:`D(x; \sigma) = c_{skip}\, x + c_{out}\, F(c_{in}\, x;\, c_{noise})`, so that input and
target of the network have unit variance at every noise level when the data have standard deviation
:math:`\sigma_{data}`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Preconditioning:
    """The four scalings of one batch of noise levels, each of the shape of ``sigma``."""

    skip: Tensor
    out: Tensor
    into: Tensor
    noise: Tensor


def precondition(sigma: Tensor, sigma_data: float) -> Preconditioning:
    """:math:`c_{skip}, c_{out}, c_{in}, c_{noise}` for noise levels ``sigma`` of any shape."""
    total = sigma**2 + sigma_data**2
    return Preconditioning(
        skip=sigma_data**2 / total,
        out=sigma * sigma_data / total.sqrt(),
        into=total.rsqrt(),
        noise=sigma.log() / 4,
    )


def loss_weight(sigma: Tensor, sigma_data: float) -> Tensor:
    """:math:`\\lambda(\\sigma) = 1 / c_{out}^2`: the squared error of the denoiser, seen as that of the network."""
    return (sigma**2 + sigma_data**2) / (sigma * sigma_data) ** 2


def training_sigma(
    count: int, mean: float, std: float, generator: torch.Generator | None = None, *, stratified: bool = True
) -> Tensor:
    """``count`` noise levels with :math:`\\ln \\sigma \\sim N(mean, std^2)`.

    Stratified draws take one quantile from each of ``count`` equal parts, which lowers the variance of the loss.
    """
    if stratified:
        quantile = (torch.randperm(count, generator=generator) + torch.rand(count, generator=generator)) / count
        normal = math.sqrt(2) * torch.erfinv((2 * quantile - 1).clamp(-0.999999, 0.999999))
    else:
        normal = torch.randn(count, generator=generator)
    return (mean + std * normal).exp()
