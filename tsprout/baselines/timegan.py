r"""TimeGAN: adversarial training in a learnt latent space, with a supervisor for the steps in time.

Yoon, Jarrett and van der Schaar 2019, "Time-series Generative Adversarial Networks", NeurIPS. Five recurrent networks:
an embedder :math:`e` and a recovery :math:`r` (an autoencoder, step by step), a generator :math:`g` of latents from
noise, a supervisor :math:`s` that predicts the next latent, and a discriminator :math:`d`, bidirectional, one verdict
a step. Three phases of equal length: the autoencoder alone; the supervisor alone, on real latents :math:`h = e(x)`;
all together, where a turn is two steps of the generator and of the autoencoder and one of the discriminator, unless
that is already ahead.

.. math:: L_R = \| x - r(h) \|, \quad L_S = \| h_{2:T} - s(h)_{1:T-1} \|^2, \quad
          L_U = \text{cross-entropy of } d(h), d(s(g(z))), \gamma\, d(g(z))

The paper writes the losses with weights :math:`\lambda = 1, \eta = 10`. The defaults here are those of its released
set-up, with which its printed scores were computed: root of the squared errors, weights 10 and 0.1 for the
autoencoder, 100 for the generator's supervision, 100 for the difference of mean and deviation of every cell over a
batch (not in the paper; set ``moments`` to 0 to leave it out), batches of 128, 10,000 iterations a phase, Adam at
1e-3, three layers of gated recurrent units, noise uniform in [0, 1] of as many dimensions as there are channels. The
width is four times the channels (the paper), and at least 24 (the released set-up for six channels). Data in [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tsprout.baselines._deep import LOOK, DeepBaseline, batches, check_finite
from tsprout.baselines._steps import Step
from tsprout.baselines.contract import Progress
from tsprout.baselines.hyperparameters import numbers, whole_numbers

_AHEAD = 0.15  # the discriminator rests while its loss is below this


class Recurrent(nn.Module):
    """Gated recurrent units and a linear layer: ``(batch, length, into)`` to ``(batch, length, out)``."""

    def __init__(
        self, into: int, hidden: int, out: int, layers: int, *, both: bool = False, squash: bool = True
    ) -> None:
        super().__init__()
        self.gru = nn.GRU(into, hidden, layers, batch_first=True, bidirectional=both)
        self.out = nn.Linear(2 * hidden if both else hidden, out)
        self.squash = squash

    def forward(self, x: Tensor) -> Tensor:
        y = self.out(self.gru(x)[0])
        return y.sigmoid() if self.squash else y


class Networks(nn.Module):
    """The five networks. Series are ``(batch, length, channels)`` here, latents ``(batch, length, hidden)``."""

    def __init__(self, channels: int, hidden: int, layers: int, *, both: bool) -> None:
        super().__init__()
        self.channels = channels
        self.embedder = Recurrent(channels, hidden, hidden, layers)
        self.recovery = Recurrent(hidden, hidden, channels, layers)
        self.generator = Recurrent(channels, hidden, hidden, layers)
        self.supervisor = Recurrent(hidden, hidden, hidden, max(1, layers - 1))
        self.discriminator = Recurrent(hidden, hidden, 1, layers, both=both, squash=False)

    def noise(self, n: int, length: int, device: torch.device) -> Tensor:
        """Uniform in [0, 1]: ``(n, length, channels)``."""
        return torch.rand(n, length, self.channels).to(device)

    def forward(self, noise: Tensor) -> Tensor:
        """Noise to series ``(n, length, channels)``."""
        series: Tensor = self.recovery(self.supervisor(self.generator(noise)))
        return series


def one_ahead(predicted: Tensor, h: Tensor) -> Tensor:
    """Squared error of what was ``predicted`` from ``h``, one step ahead; 0 for series of one step."""
    if h.shape[1] < 2:
        return predicted.sum() * 0
    return F.mse_loss(predicted[:, :-1], h[:, 1:])


def moments(made: Tensor, real: Tensor) -> Tensor:
    """How far mean and deviation over the batch are apart, mean over the cells."""
    spread = [(x.var(dim=0, unbiased=False) + 1e-6).sqrt() for x in (made, real)]
    return (spread[0] - spread[1]).abs().mean() + (made.mean(dim=0) - real.mean(dim=0)).abs().mean()


def _cross_entropy(verdict: Tensor, real: bool) -> Tensor:
    return F.binary_cross_entropy_with_logits(verdict, torch.full_like(verdict, float(real)))


def _root(error: Tensor) -> Tensor:
    return (error + 1e-12).sqrt()


@dataclass(eq=False, kw_only=True)
class TimeGAN(DeepBaseline):
    """See the module's text. ``losses`` has a row for every iteration of the last phase: reconstruction, generator,
    discriminator.

    Attributes:
        hidden: width; 0 for four times the channels, at least 24.
        layers: of every network (the supervisor has one less).
        iterations: of each of the three phases.
        batch, learning_rate: of all optimisers (Adam).
        gamma, eta, moments, reconstruction, supervision: weights of the losses.
        bidirectional: the discriminator reads both ways, as in the paper (the released code reads forward).
    """

    name: ClassVar[str] = "timegan"
    summary: ClassVar[str] = "Adversarial networks in a learnt latent space (TimeGAN)"
    source: ClassVar[str] = (
        "Yoon, Jarrett and van der Schaar 2019, Time-series Generative Adversarial Networks, NeurIPS"
    )

    hidden: int = 0
    layers: int = 3
    iterations: int = 10_000
    batch: int = 128
    learning_rate: float = 1e-3
    gamma: float = 1.0
    eta: float = 100.0
    moments: float = 100.0
    reconstruction: float = 10.0
    supervision: float = 0.1
    bidirectional: bool = True

    def __post_init__(self) -> None:
        whole_numbers(hidden=self.hidden, least=0)
        whole_numbers(layers=self.layers, iterations=self.iterations, batch=self.batch)
        numbers(learning_rate=self.learning_rate, above=True)
        numbers(gamma=self.gamma, eta=self.eta, moments=self.moments)
        numbers(reconstruction=self.reconstruction, supervision=self.supervision)

    def _build(self, channels: int, length: int) -> nn.Module:
        hidden = self.hidden or max(24, 4 * channels)
        return Networks(channels, hidden, self.layers, both=self.bidirectional)

    def _train(self, network: nn.Module, x: Tensor, progress: Progress | None) -> np.ndarray:
        assert isinstance(network, Networks)
        x = x.transpose(1, 2)
        coder = [*network.embedder.parameters(), *network.recovery.parameters()]
        maker = [*network.generator.parameters(), *network.supervisor.parameters()]

        def adam(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
            return torch.optim.Adam(parameters, lr=self.learning_rate)

        def told(stage: str, done: int, losses: Tensor) -> None:
            if x.device.type == "cpu" or done % LOOK == 0 or done == self.iterations:
                check_finite(losses)
            if progress is not None:
                progress(stage, done, self.iterations)

        draws = batches(len(x), self.batch)
        step = Step(network, lambda at: self._autoencoder_loss(network, x[at]), adam(coder))
        for done in range(1, self.iterations + 1):
            told("autoencoder", done, step(next(draws)))
        supervisor, discriminator = list(network.supervisor.parameters()), list(network.discriminator.parameters())
        step = Step(network, lambda at: self._supervisor_loss(network, x[at]), adam(supervisor))
        for done in range(1, self.iterations + 1):
            told("supervisor", done, step(next(draws)))
        make = Step(network, lambda at: self._generator_loss(network, x[at]), adam(maker))
        code = Step(network, lambda at: self._coder_loss(network, x[at]), adam(coder))
        judge = Step(network, lambda at: self._discriminator_loss(network, x[at]), adam(discriminator))
        losses = torch.zeros(self.iterations, 3, device=x.device)
        for done in range(1, self.iterations + 1):
            for _ in range(2):
                at = next(draws)
                made = make(at)
                coded = code(at)
            verdict = judge.gradients(next(draws))
            if float(verdict) > _AHEAD:
                judge.descend()
            losses[done - 1] = torch.stack([coded, made, verdict])
            told("joint", done, losses[done - 1])
        return losses.cpu().numpy()

    def _autoencoder_loss(self, networks: Networks, some: Tensor) -> Tensor:
        return self.reconstruction * _root(F.mse_loss(networks.recovery(networks.embedder(some)), some))

    def _supervisor_loss(self, networks: Networks, some: Tensor) -> Tensor:
        with torch.no_grad():
            h = networks.embedder(some)
        return one_ahead(networks.supervisor(h), h)

    def _generator_loss(self, networks: Networks, some: Tensor) -> Tensor:
        raw = networks.generator(networks.noise(len(some), some.shape[1], some.device))
        with torch.no_grad():
            h = networks.embedder(some)
        # Short networks cost calls, not arithmetic: what passes the same one passes together.
        led, ahead = networks.supervisor(torch.cat([raw, h])).chunk(2)
        on_led, on_raw = networks.discriminator(torch.cat([led, raw])).chunk(2)
        loss = _cross_entropy(on_led, True) + self.gamma * _cross_entropy(on_raw, True)
        loss = loss + self.eta * _root(one_ahead(ahead, h))
        if self.moments:
            loss = loss + self.moments * moments(networks.recovery(led), some)
        return loss

    def _coder_loss(self, networks: Networks, some: Tensor) -> Tensor:
        h = networks.embedder(some)
        error = F.mse_loss(networks.recovery(h), some)
        return self.reconstruction * _root(error) + self.supervision * one_ahead(networks.supervisor(h), h)

    def _discriminator_loss(self, networks: Networks, some: Tensor) -> Tensor:
        with torch.no_grad():
            h = networks.embedder(some)
            raw = networks.generator(networks.noise(len(some), some.shape[1], some.device))
            led = networks.supervisor(raw)
        on_h, on_led, on_raw = networks.discriminator(torch.cat([h, led, raw])).chunk(3)
        loss = _cross_entropy(on_h, True) + _cross_entropy(on_led, False)
        return loss + self.gamma * _cross_entropy(on_raw, False)

    def _generate(self, network: nn.Module, n: int, device: torch.device) -> Tensor:
        assert isinstance(network, Networks)
        made: Tensor = network(network.noise(n, self._shape[1], device))
        return made.transpose(1, 2)
