r"""TimeVAE: a variational autoencoder with a convolutional encoder and a decoder of interpretable parts.

Desai, Freeman, Wang and Beaver 2021, "TimeVAE: A Variational Auto-Encoder for Multivariate Time Series Generation",
arXiv 2111.08095. Encoder: strided convolutions over time, then mean and variance of one latent vector a series.
Decoder: the sum of a level, of a trend :math:`\sum_p \theta_p r^p` with :math:`r = 0 \dots 1` (``trend`` powers), of
seasonal patterns (``seasons``), and of a convolutional residual; what is predicted are the coefficients. Loss:
weighted squared error of a series plus the divergence from the standard normal.

Defaults: latent of 8, filters 50, 100, 200, weight 3, batches of 16 (the released hyper-parameters; the paper gives
0.5 to 3.5 for the weight); no trend, no seasons (its base form); kernels of 3, stride 2, Adam at 1e-3. It trains until
the loss of an epoch has not fallen for 50 epochs, 1000 epochs at most, and halves the rate after 30 such epochs. Data
in [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from tsprout.baselines._deep import DeepBaseline, epochs_to_steps, gaussian_kl, train
from tsprout.baselines.contract import Progress
from tsprout.baselines.hyperparameters import numbers, sizes, whole_numbers
from tsprout.errors import InputError

_KERNEL, _STRIDE = 3, 2


class Encoder(nn.Module):
    """``(batch, channels, length)`` to mean and logarithm of the variance, each ``(batch, latent)``."""

    def __init__(self, channels: int, length: int, latent: int, filters: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for into, out in zip([channels, *filters[:-1]], filters, strict=True):
            layers += [nn.Conv1d(into, out, _KERNEL, _STRIDE, padding=1), nn.ReLU()]
            length = (length + 1) // 2
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.last = length
        self.mean = nn.Linear(filters[-1] * length, latent)
        self.log_variance = nn.Linear(filters[-1] * length, latent)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.layers(x)
        return self.mean(h), self.log_variance(h)


def _two_layers(latent: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(latent, out), nn.ReLU(), nn.Linear(out, out))


class Trend(nn.Module):
    """A polynomial without its constant, a coefficient for each channel and power."""

    powers: Tensor

    def __init__(self, channels: int, length: int, latent: int, degree: int) -> None:
        super().__init__()
        self.coefficients = _two_layers(latent, channels * degree)
        time = torch.arange(length) / max(1, length - 1)
        self.register_buffer("powers", torch.stack([time**p for p in range(1, degree + 1)]), persistent=False)

    def forward(self, z: Tensor) -> Tensor:
        theta = self.coefficients(z).unflatten(1, (-1, len(self.powers)))
        return theta @ self.powers


class Season(nn.Module):
    """``count`` seasons of ``steps`` time steps, over and over: a value for each channel and season."""

    index: Tensor

    def __init__(self, channels: int, length: int, latent: int, count: int, steps: int) -> None:
        super().__init__()
        self.levels, self.count = nn.Linear(latent, channels * count), count
        self.register_buffer("index", torch.arange(length) // steps % count, persistent=False)

    def forward(self, z: Tensor) -> Tensor:
        return self.levels(z).unflatten(1, (-1, self.count))[..., self.index]


class Residual(nn.Module):
    """The encoder's mirror image: a dense layer, transposed convolutions, and a dense layer over all cells."""

    def __init__(self, channels: int, length: int, latent: int, filters: Sequence[int], last: int) -> None:
        super().__init__()
        self.shape = (channels, length)
        self.first = nn.Sequential(
            nn.Linear(latent, filters[-1] * last), nn.ReLU(), nn.Unflatten(1, (filters[-1], last))
        )
        layers: list[nn.Module] = []
        outs = [*reversed(filters[:-1]), channels]
        for into, out in zip([filters[-1], *outs[:-1]], outs, strict=True):
            layers += [nn.ConvTranspose1d(into, out, _KERNEL, _STRIDE, padding=1, output_padding=1), nn.ReLU()]
        cells = channels * last * _STRIDE ** len(filters)
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(cells, channels * length))

    def forward(self, z: Tensor) -> Tensor:
        made: Tensor = self.layers(self.first(z))
        return made.unflatten(1, self.shape)


class VAE(nn.Module):
    """Encoder and decoder of series ``(batch, channels, length)``."""

    def __init__(
        self,
        channels: int,
        length: int,
        latent: int,
        filters: Sequence[int],
        trend: int,
        seasons: Sequence[tuple[int, int]],
        residual: bool,
    ) -> None:
        super().__init__()
        self.latent = latent
        self.encoder = Encoder(channels, length, latent, filters)
        self.level = _two_layers(latent, channels)
        self.parts = nn.ModuleList(Season(channels, length, latent, *season) for season in seasons)
        if trend:
            self.parts.append(Trend(channels, length, latent, trend))
        if residual:
            self.parts.append(Residual(channels, length, latent, filters, self.encoder.last))
        self.length = length

    def decode(self, z: Tensor) -> Tensor:
        """Latents ``(batch, latent)`` to series."""
        series: Tensor = self.level(z)[..., None].expand(-1, -1, self.length)
        for part in self.parts:
            series = series + part(z)
        return series

    def forward(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Reconstruction of ``x`` through a latent drawn with ``noise (batch, latent)``, and its divergence."""
        mean, log_variance = self.encoder(x)
        made = self.decode(mean + (0.5 * log_variance).exp() * noise)
        return made, gaussian_kl(mean, log_variance).sum(dim=1)


class Patience:
    """Halves the learning rate, then ends the training, when the mean loss of an epoch has long not fallen."""

    def __init__(
        self, optimiser: torch.optim.Optimizer, per_epoch: int, patience: int, tolerance: float = 1e-3
    ) -> None:
        self._optimiser, self._per_epoch, self._patience, self._tolerance = optimiser, per_epoch, patience, tolerance
        self._best, self._waited, self._slow, self._sum = float("inf"), 0, 0, 0.0

    def __call__(self, done: int, loss: float) -> bool:
        self._sum += loss
        if done % self._per_epoch:
            return False
        mean, self._sum = self._sum / self._per_epoch, 0.0
        if mean < self._best - self._tolerance:
            self._best, self._waited, self._slow = mean, 0, 0
            return False
        self._waited += 1
        self._slow += 1
        if self._slow >= max(1, round(0.6 * self._patience)):
            for group in self._optimiser.param_groups:
                group["lr"] *= 0.5
            self._slow = 0
        return self._waited >= self._patience


@dataclass(eq=False, kw_only=True)
class TimeVAE(DeepBaseline):
    """See the module's text. ``losses``: of every step, the mean over its series.

    Attributes:
        latent: dimensions of the latent vector.
        filters: of the encoder's convolutions.
        reconstruction: weight of the squared error.
        trend: largest power of the trend; 0 for none.
        seasons: pairs of a number of seasons and the time steps of each.
        residual: whether the decoder has its convolutional part.
        epochs, patience: at most so many, and so many without improvement.
        batch, learning_rate: of Adam.
    """

    name: ClassVar[str] = "timevae"
    summary: ClassVar[str] = "Convolutional variational autoencoder with an interpretable decoder (TimeVAE)"
    source: ClassVar[str] = "Desai, Freeman, Wang and Beaver 2021, TimeVAE, arXiv 2111.08095"

    latent: int = 8
    filters: tuple[int, ...] = (50, 100, 200)
    reconstruction: float = 3.0
    trend: int = 0
    seasons: tuple[tuple[int, int], ...] = ()
    residual: bool = True
    epochs: int = 1000
    patience: int = 50
    batch: int = 16
    learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        self.filters = sizes("filters", self.filters)
        self.seasons = _seasons(self.seasons)
        whole_numbers(latent=self.latent, epochs=self.epochs, patience=self.patience, batch=self.batch)
        whole_numbers(trend=self.trend, least=0)
        numbers(learning_rate=self.learning_rate, reconstruction=self.reconstruction, above=True)

    def _build(self, channels: int, length: int) -> nn.Module:
        return VAE(channels, length, self.latent, self.filters, self.trend, self.seasons, self.residual)

    def _train(self, network: nn.Module, x: Tensor, progress: Progress | None) -> np.ndarray:
        optimiser = torch.optim.Adam(network.parameters(), lr=self.learning_rate)
        steps = epochs_to_steps(self.epochs, len(x), self.batch)

        def loss(positions: Tensor) -> Tensor:
            some = x[positions]
            made, divergence = network(some, torch.randn(len(some), self.latent).to(x.device))
            return (self.reconstruction * ((made - some) ** 2).sum(dim=(1, 2)) + divergence).mean()

        patience = Patience(optimiser, steps // self.epochs, self.patience)
        return train(network, loss, len(x), optimiser, steps=steps, batch=self.batch, after=patience, progress=progress)

    def _generate(self, network: nn.Module, n: int, device: torch.device) -> Tensor:
        assert isinstance(network, VAE)
        return network.decode(torch.randn(n, self.latent).to(device))


def _seasons(values: object) -> tuple[tuple[int, int], ...]:
    """Pairs of a number of seasons and the steps of each, out of a settings file or a call."""
    pairs = list(values) if isinstance(values, list | tuple) else [None]
    found = [sizes("seasons", pair) for pair in pairs if isinstance(pair, list | tuple) and len(pair) == 2]
    if len(found) < len(pairs):
        fix = "Give pairs of a number of seasons and the steps of each, such as ((7, 1),)."
        raise InputError(f"seasons is {values!r}", where="seasons", fix=fix)
    return tuple((count, steps) for count, steps in found)
