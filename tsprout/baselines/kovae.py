r"""KoVAE: a sequential variational autoencoder whose prior is pulled towards a linear map, for series without gaps.

Naiman, Erichson, Ren, Mahoney and Azencot 2023, "Generative Modeling of Regular and Irregular Time Series Data via
Koopman VAEs", arXiv 2310.02619; equations in :mod:`tsprout.baselines._koopman`. The form for series with missing steps
is :mod:`tsprout.baselines.kovae_irregular`.

Defaults: three layers of gated recurrent units of width 20, 16 latent dimensions a step, Adam at 7e-4, batches of 64,
600 epochs, :math:`\alpha = .005` and :math:`\beta = .007` (both are chosen by set in the paper). All three terms of the
loss are sums over steps and means over series. The prior sees the posterior's draws before it, as the bound wants.
Data in [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from tsprout.baselines._deep import DeepBaseline, epochs_to_steps, gaussian_kl, train
from tsprout.baselines._koopman import KoopmanVAE, RegularEncoder, draw, prediction_error
from tsprout.baselines.contract import Progress
from tsprout.baselines.hyperparameters import numbers, whole_numbers


@dataclass(eq=False, kw_only=True)
class KoVAE(DeepBaseline):
    """See the module's text. ``losses``: of every step, the mean over its series.

    Attributes:
        hidden, layers: of the recurrent networks.
        latent: dimensions of the latent of a step.
        alpha: weight of the linear prediction of the prior's draws.
        beta: weight of the divergence.
        epochs, batch, learning_rate: of Adam.
    """

    name: ClassVar[str] = "kovae"
    summary: ClassVar[str] = "Sequential variational autoencoder with a linear latent prior (KoVAE)"
    source: ClassVar[str] = "Naiman, Erichson, Ren, Mahoney and Azencot 2023, Koopman VAEs, arXiv 2310.02619"

    hidden: int = 20
    layers: int = 3
    latent: int = 16
    alpha: float = 0.005
    beta: float = 0.007
    epochs: int = 600
    batch: int = 64
    learning_rate: float = 7e-4

    def __post_init__(self) -> None:
        whole_numbers(hidden=self.hidden, layers=self.layers, latent=self.latent, epochs=self.epochs, batch=self.batch)
        numbers(alpha=self.alpha, beta=self.beta)
        numbers(learning_rate=self.learning_rate, above=True)

    def _encoder(self, channels: int) -> nn.Module:
        return RegularEncoder(channels, self.hidden, self.layers)

    def _observed(self, x: Tensor) -> Tensor:
        """What the encoder reads of ``x (n, channels, length)``, NaN where not observed."""
        return x.transpose(1, 2)

    def _build(self, channels: int, length: int) -> nn.Module:
        return KoopmanVAE(self._encoder(channels), channels, self.hidden, self.latent, self.layers)

    def _train(self, network: nn.Module, x: Tensor, progress: Progress | None) -> np.ndarray:
        observed, target = self._observed(x), x.transpose(1, 2)
        seen = target.isfinite()
        target = torch.where(seen, target, 0.0)
        optimiser = torch.optim.Adam(network.parameters(), lr=self.learning_rate)

        def loss(positions: Tensor) -> Tensor:
            made, (mean, log_variance), prior = network(observed[positions])
            error = torch.where(seen[positions], (made - target[positions]) ** 2, 0.0).sum(dim=(1, 2)).mean()
            divergence = gaussian_kl(mean, log_variance, *prior).sum(dim=(1, 2)).mean()
            return error + self.beta * divergence + self.alpha * prediction_error(draw(*prior))

        steps = epochs_to_steps(self.epochs, len(x), self.batch)
        return train(network, loss, len(x), optimiser, steps=steps, batch=self.batch, progress=progress)

    def _generate(self, network: nn.Module, n: int, device: torch.device) -> Tensor:
        assert isinstance(network, KoopmanVAE)
        return network.sample(n, self._shape[1], device).transpose(1, 2)
