"""What the deep baselines share: scaling to the range of their paper, seeds, one small training loop, and their state.

Inside, series are tensors ``(batch, channels, length)``; networks that walk through time turn them themselves.
Networks are trained on latents brought to the range their paper trains on (``low`` to ``high``, each channel from its
least to its largest value), and what they draw is brought back. All randomness comes from torch's global generator,
seeded inside :func:`~tsprout.devices.seeded` and restored after it; noise is drawn on the CPU, so that it is the same
on any device, but for a training on a GPU, whose steps are recorded (:mod:`tsprout.baselines._steps`).
"""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from tsprout.baselines._steps import Step, set_rate
from tsprout.baselines.contract import LatentBaseline, Progress
from tsprout.devices import device_of, seeded
from tsprout.errors import InputError, TrainingError

_NETWORK = "network."
LOOK = 100  # steps on a GPU from one look at the losses to the next


@dataclass(frozen=True, eq=False)
class Range:
    """One affine map a channel, from ``least`` and ``span`` (channels,) to ``low`` ... ``high``."""

    least: np.ndarray
    span: np.ndarray
    low: float
    high: float

    @classmethod
    def of(cls, latent: np.ndarray, low: float, high: float) -> Range:
        """From the values ``(n, channels, length)`` that are finite; a channel without any counts as constant 0."""
        finite = np.isfinite(latent)
        least = np.where(finite, latent, np.inf).min(axis=(0, 2))
        most = np.where(finite, latent, -np.inf).max(axis=(0, 2))
        least, most = (np.where(np.isfinite(x), x, 0.0) for x in (least, most))
        return cls(least.astype(np.float32), (most - least).astype(np.float32), low, high)

    def to(self, latent: np.ndarray) -> np.ndarray:
        """``(n, channels, length)`` float32; NaN stays, a constant channel is ``low``."""
        span = np.where(self.span > 0, self.span, 1.0).astype(np.float32)
        unit = (latent - self.least[:, None]) / span[:, None]
        return np.asarray(self.low + (self.high - self.low) * unit, np.float32)

    def back(self, values: np.ndarray) -> np.ndarray:
        """The inverse of :meth:`to`; a constant channel comes back constant whatever is given for it."""
        unit = (values - self.low) / (self.high - self.low)
        return np.asarray(self.least[:, None] + self.span[:, None] * unit, np.float32)


def batches(n: int, size: int) -> Iterator[Tensor]:
    """Endless positions ``(min(size, n),)``: random orders of all series one after the other, cut into batches."""
    size = min(size, n)
    waiting = torch.empty(0, dtype=torch.long)
    while True:
        while len(waiting) < size:
            waiting = torch.cat([waiting, torch.randperm(n)])
        yield waiting[:size]
        waiting = waiting[size:]


class Average:
    """Exponential average of a network's parameters: decay :math:`\\min(d, (1 + k) / (10 + k))` at its k-th update.

    Args:
        network: whose parameters are averaged; buffers are not.
        decay: the largest decay.
        every: steps from one update to the next.
    """

    def __init__(self, network: nn.Module, decay: float, every: int = 1) -> None:
        self._network, self._decay, self._every, self._updates = network, decay, every, 0
        self._mean = [p.detach().clone() for p in network.parameters()]

    def update(self, step: int) -> None:
        """After ``step`` steps."""
        if step % self._every:
            return
        decay = min(self._decay, (1 + self._updates) / (10 + self._updates))
        self._updates += 1
        with torch.no_grad():
            torch._foreach_lerp_(self._mean, list(self._network.parameters()), 1 - decay)

    def write(self) -> None:
        """Give the network its averaged parameters, once there are any."""
        if self._updates:
            with torch.no_grad():
                for mean, now in zip(self._mean, self._network.parameters(), strict=True):
                    now.copy_(mean)


def check_finite(losses: Tensor) -> None:
    """Refuse to go on with losses that are not numbers.

    Raises:
        TrainingError: one of them is not finite.
    """
    if not bool(losses.isfinite().all()):
        raise TrainingError(
            "the training of a baseline diverged", fix="Fit again with another seed, or a smaller learning_rate."
        )


def train(
    network: nn.Module,
    loss: Callable[[Tensor], Tensor],
    n: int,
    optimiser: torch.optim.Optimizer,
    *,
    steps: int,
    batch: int,
    clip: float | None = None,
    average: Average | None = None,
    rate: Callable[[int], float] | None = None,
    after: Callable[[int, float], bool] | None = None,
    progress: Progress | None = None,
    stage: str = "train",
) -> np.ndarray:
    """The loop of all baselines but the adversarial one; returns the loss of every step.

    Args:
        network: what is trained.
        loss: of the series at given positions, ``(batch,)``.
        n: number of series.
        steps, batch: of training; a batch has no more than ``n`` series.
        clip: largest norm of the gradient.
        average: updated after every step, and written into the network at the end.
        rate: learning rate of step 0, 1, ...; the optimiser's own by default.
        after: told steps done and the loss; true ends the training.
        progress: told ``stage``, steps done, steps in all.
    """
    step = Step(network, loss, optimiser, clip)
    losses = torch.zeros(steps, device=step.device)
    # A GPU works ahead of the processor for as long as nobody asks what came out.
    look = 1 if step.device.type == "cpu" or after is not None else LOOK
    done = 0
    for positions in islice(batches(n, batch), steps):
        if rate is not None:
            set_rate(optimiser, rate(done))
        losses[done] = step(positions)
        done += 1
        if done % look == 0 or done == steps:
            check_finite(losses[max(0, done - look) : done])
        if average is not None:
            average.update(done)
        if progress is not None:
            progress(stage, done, steps)
        if after is not None and after(done, float(losses[done - 1])):
            break
    if average is not None:
        average.write()
    return losses[:done].cpu().numpy()


def epochs_to_steps(epochs: int, n: int, batch: int) -> int:
    """Steps of so many epochs over ``n`` series."""
    return epochs * math.ceil(n / min(batch, n))


def gaussian_kl(
    mean: Tensor, log_variance: Tensor, other: Tensor | None = None, other_log: Tensor | None = None
) -> Tensor:
    """Kullback-Leibler divergence of diagonal Gaussians in nats, each element by itself.

    From ``N(mean, exp(log_variance))`` to ``N(other, exp(other_log))``, or to the standard normal without the latter.
    """
    if other is None or other_log is None:
        return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance)
    return 0.5 * (other_log - log_variance + (log_variance.exp() + (mean - other) ** 2) / other_log.exp() - 1)


@dataclass(eq=False, kw_only=True)
class DeepBaseline(LatentBaseline):
    """A network and its training; a subclass has ``_build``, ``_train`` and ``_generate``.

    Attributes:
        device: where to train and to draw; a name that torch knows.
        network: the trained network, after a fit.
        losses: of the training, see the method.
    """

    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0

    device: str = "cpu"

    network: nn.Module | None = field(init=False, default=None, repr=False)
    losses: np.ndarray = field(init=False, default_factory=lambda: np.zeros(0, np.float32), repr=False)
    _range: Range | None = field(init=False, default=None, repr=False)
    _shape: tuple[int, int] = field(init=False, default=(0, 0), repr=False)

    @abc.abstractmethod
    def _build(self, channels: int, length: int) -> nn.Module:
        """The network with fresh weights from torch's global generator."""

    @abc.abstractmethod
    def _train(self, network: nn.Module, x: Tensor, progress: Progress | None) -> np.ndarray:
        """Train on ``x (n, channels, length)``, already on the device; the losses."""

    @abc.abstractmethod
    def _generate(self, network: nn.Module, n: int, device: torch.device) -> Tensor:
        """``(n, channels, length)`` in the range of the paper."""

    def _fit(self, latent: np.ndarray, lengths: np.ndarray, seed: int, progress: Progress | None) -> None:
        device = device_of(self.device)
        self._range = Range.of(latent, self.low, self.high)
        self._shape = (latent.shape[1], latent.shape[2])
        x = torch.from_numpy(self._range.to(latent)).to(device)
        with seeded(seed, device):
            network = self._build(*self._shape).to(device)
            self.losses = self._train(network.train(), x, progress)
        self.network = network.eval()

    def _sample(self, n: int, seed: int) -> np.ndarray:
        if self.network is None or self._range is None:
            raise InputError(f"the baseline {self.name} has not been fitted yet", fix="Call fit first.")
        device = next(self.network.parameters()).device
        with seeded(seed, device), torch.no_grad():
            drawn = self._generate(self.network, n, device)
        return self._range.back(drawn.cpu().numpy())

    def _state(self) -> dict[str, np.ndarray]:
        if self.network is None or self._range is None:
            return {}
        weights = {_NETWORK + k: v.detach().cpu().numpy() for k, v in self.network.state_dict().items()}
        facts = {"shape": np.asarray(self._shape), "least": self._range.least, "span": self._range.span}
        return weights | facts | {"losses": self.losses}

    def _restore(self, state: Mapping[str, np.ndarray]) -> None:
        self._shape = (int(state["shape"][0]), int(state["shape"][1]))
        self._range = Range(state["least"], state["span"], self.low, self.high)
        self.losses = state["losses"]
        device = device_of(self.device)
        with seeded(0, torch.device("cpu")):
            network = self._build(*self._shape)
        weights = {k.removeprefix(_NETWORK): v for k, v in state.items() if k.startswith(_NETWORK)}
        network.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in weights.items()})
        self.network = network.to(device).eval()
