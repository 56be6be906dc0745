r"""EDM preconditioning, loss weight and training noise (Karras et al. 2022, arXiv 2206.00364, table 1).

A denoiser :math:`D(x; \sigma)` estimates the clean :math:`y` from :math:`x = y + \sigma \epsilon`. It is built from a
network :math:`F` as :math:`D(x; \sigma) = c_{skip}\, x + c_{out}\, F(c_{in}\, x;\, c_{noise})`, so that input and
target of the network have unit variance at every noise level when the data have standard deviation
:math:`\sigma_{data}`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tsprout.errors import InputError


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


def _edm(sigma: Tensor, sigma_data: float) -> Tensor:
    return (sigma**2 + sigma_data**2) / (sigma * sigma_data) ** 2


def _velocity(sigma: Tensor, sigma_data: float) -> Tensor:
    return ((sigma + sigma_data) / (sigma * sigma_data)) ** 2


def _min_snr(sigma: Tensor, sigma_data: float) -> Tensor:
    return (sigma_data / sigma).square().clamp(max=5.0) / sigma_data**2


WEIGHTINGS: dict[str, Callable[[Tensor, float], Tensor]] = {
    "edm": _edm,
    "velocity": _velocity,
    "min-snr": _min_snr,
    "learned": _edm,
}
NOISES = ("lognormal", "uniform")


def loss_weight(sigma: Tensor, sigma_data: float, kind: str = "edm") -> Tensor:
    """What the squared error of the denoiser at noise levels ``sigma`` counts.

    ``edm``: :math:`1 / c_{out}^2`, so that it is the error of the network. ``velocity``: the error of the velocity
    :math:`\\epsilon - y / \\sigma_{data}` of a straight path from data to noise (Lipman et al. 2022,
    arXiv 2210.02747); twice EDM's weight at :math:`\\sigma_{data}` and the
    same far from it. ``min-snr``: :math:`\\min(\\sigma_{data}^2 / \\sigma^2, 5)` (Hang et al. 2023, arXiv 2303.09556),
    which stops short at low noise and lets high noise fall off. ``learned``: EDM's, to be normalised by
    :class:`Uncertainty`.

    Raises:
        InputError: for another kind.
    """
    if kind not in WEIGHTINGS:
        raise InputError(f"there is no loss weighting called {kind!r}", fix=f"Choose one of: {', '.join(WEIGHTINGS)}.")
    return WEIGHTINGS[kind](sigma, sigma_data)


class Uncertainty(nn.Module):
    """How large the loss is at each noise level, learned beside the model and of no use after training.

    The loss :math:`L` of a level becomes :math:`L\\, e^{-u(\\sigma)} + u(\\sigma)`, smallest at :math:`u = \\ln L`, so
    that every level contributes alike to the gradient (Karras et al. 2024, arXiv 2312.02696). :math:`u` is linear in
    Fourier features of :math:`c_{noise}`, and 0 at the start.
    """

    frequencies: Tensor

    def __init__(self, features: int = 16) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.exp(torch.linspace(-1.0, 2.5, features // 2)), persistent=False)
        # A vector, not a matrix: Muon would make of it something of fixed size.
        self.weight = nn.Parameter(torch.zeros(2 * (features // 2) + 1))

    def forward(self, sigma: Tensor) -> Tensor:
        """``sigma (n,)`` to :math:`u (n,)`."""
        angle = (sigma.float().log() / 4)[:, None] * self.frequencies
        constant = torch.ones_like(angle[:, :1])
        return (torch.cat([angle.sin(), angle.cos(), constant], dim=1) * self.weight).sum(dim=1)


def training_sigma(
    count: int, mean: float, std: float, generator: torch.Generator | None = None, *, stratified: bool = True
) -> Tensor:
    """``count`` noise levels with :math:`\\ln \\sigma \\sim N(mean, std^2)`.

    Stratified draws take one quantile from each of ``count`` equal parts, which lowers the variance of the loss.
    """
    if stratified:
        quantile = _strata(count, generator)
        normal = math.sqrt(2) * torch.erfinv((2 * quantile - 1).clamp(-0.999999, 0.999999))
    else:
        normal = torch.randn(count, generator=generator)
    return (mean + std * normal).exp()


def uniform_sigma(count: int, low: float, high: float, generator: torch.Generator | None = None) -> Tensor:
    """``count`` noise levels with :math:`\\ln \\sigma` uniform between those of ``low`` and ``high``; stratified."""
    return (math.log(low) + (math.log(high) - math.log(low)) * _strata(count, generator)).exp()


def _strata(count: int, generator: torch.Generator | None) -> Tensor:
    """One number from each of ``count`` equal parts of 0 to 1, in random order."""
    return (torch.randperm(count, generator=generator) + torch.rand(count, generator=generator)) / count
