"""TS2Vec (Yue et al., AAAI 2022, arXiv 2106.10466): embeddings of series by contrast, for E encoders at once.

Every time step goes through a linear layer, in training half of the steps are then masked, and a stack of dilated
convolutions (ten residual blocks of width 64, dilation doubling, and a last one to width 320, no normalisation) gives
each step a vector. Two random crops that overlap must agree on the steps they share, see
:mod:`tsprout.metrics.paper.contrast`. The embedding of a series is the maximum over all its steps.

All arrays are ``(E, series, steps, features)``. A kernel of three taps whose dilation is no shorter than the series
meets nothing but zeros with its outer taps, so that these are left out: the same numbers for less than half the work at
24 steps. All encoders see crops of the same length, drawn from a generator of their own, and differ in start, batches,
and masks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tsprout.metrics.paper.contrast import hierarchical_loss
from tsprout.metrics.paper.repeats import Batches, generators
from tsprout.progress import Progress

WIDTH, OUTPUTS, DEPTH = 64, 320, 10
BATCH, RATE, DECAY = 8, 1e-3, 0.01
SMALL, FEW_STEPS, MANY_STEPS = 100_000, 200, 600  # values up to which the first number of steps is enough
LONGEST = 256  # steps of a series that a batch looks at; the loss needs the square of it
_TAPS = 3
_START, _ORDER, _MASK, _CROP = 121, 122, 123, 124
_CELLS = 1 << 21  # values of the widest layer at a time when embedding


@dataclass
class Layer:
    """A linear map of ``taps`` neighbouring steps for E networks.

    Attributes:
        weight: ``(E, taps * inputs, outputs)``, the earliest tap first; one tap or three.
        bias: ``(E, 1, outputs)``.
        dilation: steps from one tap to the next.
    """

    weight: Tensor
    bias: Tensor
    dilation: int = 1

    @classmethod
    def fresh(
        cls, inputs: int, outputs: int, rngs: Sequence[np.random.Generator], taps: int, dilation: int, length: int
    ) -> Layer:
        """PyTorch's default start: uniform within one over the root of the numbers that enter."""
        limit = 1 / math.sqrt(inputs * taps)
        weight = np.stack([rng.uniform(-limit, limit, (taps, inputs, outputs)) for rng in rngs])
        bias = np.stack([rng.uniform(-limit, limit, (1, outputs)) for rng in rngs])
        if taps > 1 and dilation >= length:
            weight = weight[:, taps // 2 : taps // 2 + 1]
        return cls(torch.from_numpy(weight).float().flatten(1, 2), torch.from_numpy(bias).float(), dilation)

    def __call__(self, x: Tensor) -> Tensor:
        """``(E, B, L, outputs)`` of ``x`` (E, B, L, inputs), zeros beyond both ends."""
        encoders, series, length, inputs = x.shape
        weight = self.weight
        if weight.shape[1] > inputs:
            if self.dilation < length:
                wide = functional.pad(x, (0, 0, self.dilation, self.dilation))
                x = torch.cat([wide[:, :, tap * self.dilation :][:, :, :length] for tap in range(_TAPS)], -1)
            else:
                weight = weight[:, inputs : 2 * inputs]
        flat = x.reshape(encoders, series * length, x.shape[-1])
        return torch.baddbmm(self.bias, flat, weight).view(encoders, series, length, -1)


@dataclass
class Network:
    """The layers of E encoders: projection, then pairs of convolutions, then the shortcut of the last block.

    Attributes:
        layers: in that order.
        length: longest series it can read.
    """

    layers: list[Layer] = field(default_factory=list)
    length: int = 0

    @classmethod
    def fresh(cls, channels: int, length: int, rngs: Sequence[np.random.Generator]) -> Network:
        """Random weights for series of ``channels`` channels and at most ``length`` steps."""
        layers = [Layer.fresh(channels, WIDTH, rngs, 1, 1, length)]
        widths = [WIDTH] * (DEPTH + 1) + [OUTPUTS]
        for block in range(DEPTH + 1):
            for inputs in (widths[block], widths[block + 1]):
                layers.append(Layer.fresh(inputs, widths[block + 1], rngs, _TAPS, 2**block, length))
        layers.append(Layer.fresh(WIDTH, OUTPUTS, rngs, 1, 1, length))
        return cls(layers, length)

    def parameters(self) -> list[Tensor]:
        """All weights and biases."""
        return [tensor for layer in self.layers for tensor in (layer.weight, layer.bias)]

    def copy(self) -> Network:
        """The same numbers in tensors of their own, without gradients."""
        return Network(
            [
                Layer(layer.weight.detach().clone(), layer.bias.detach().clone(), layer.dilation)
                for layer in self.layers
            ],
            self.length,
        )

    def __call__(self, x: Tensor, kept: Tensor) -> Tensor:
        """Vectors ``(E, B, L, 320)`` of ``x`` (E, B, L, C); steps that are not ``kept`` (E, B, L, 1) are masked."""
        x = self.layers[0](x) * kept
        last = len(self.layers) - 2
        for number in range(1, last, 2):
            y = self.layers[number](functional.gelu(x))
            y = self.layers[number + 1](functional.gelu(y))
            x = y + (x if number + 1 < last else self.layers[-1](x))
        return x


class TS2Vec:
    """E trained encoders.

    Args:
        network: weights, averaged over training.
    """

    def __init__(self, network: Network) -> None:
        self.network = network

    @classmethod
    def fit(
        cls,
        values: np.ndarray,
        *,
        encoders: int = 1,
        seed: int = 0,
        iterations: int | None = None,
        progress: Progress | None = None,
    ) -> TS2Vec:
        """Train on ``values`` (n, C, L), NaN where nothing was observed: such steps are masked.

        AdamW at 1e-3 with batches of eight; 200 steps if there are at most 100,000 values, else 600. The weights kept
        are the mean over all steps (stochastic weight averaging). Of longer series each batch takes a random stretch of
        256 steps.

        Args:
            values: ``(n, C, L)``, scaled.
            encoders: how many, trained together; encoder ``e`` is the same whatever their number is.
            seed: everything random follows from it.
            iterations: steps, if other than the paper's.
            progress: called as ``progress("encoder", done, total)``.
        """
        n, channels, length = values.shape
        total = iterations or (FEW_STEPS if values.size <= SMALL else MANY_STEPS)
        network = Network.fresh(channels, length, generators(seed, encoders, _START))
        parameters = [tensor.requires_grad_() for tensor in network.parameters()]
        mean = network.copy()
        averages = mean.parameters()
        optimiser = torch.optim.AdamW(parameters, lr=RATE, weight_decay=DECAY, fused=True)
        pools = np.tile(np.arange(n), (encoders, 1))
        batches = Batches(pools, min(BATCH, n), generators(seed, encoders, _ORDER))
        masks = generators(seed, encoders, _MASK)
        crops = np.random.default_rng([seed, _CROP])
        data, seen = _tensors(values)
        for step in range(total):
            if progress is not None and step % 50 == 0:
                progress("encoder", step, total)
            chosen = torch.from_numpy(batches.draw())
            begun = int(crops.integers(max(length - LONGEST, 0) + 1))
            x, kept = (tensor[chosen, begun : begun + LONGEST] for tensor in (data, seen))
            optimiser.zero_grad()
            contrast(network, x, kept, crop(x.shape[2], crops), masks).sum().backward()
            optimiser.step()
            with torch.no_grad():
                torch._foreach_lerp_(averages, parameters, 1 / (step + 1))
        if progress is not None:
            progress("encoder", total, total)
        return cls(mean)

    def embed(self, values: np.ndarray) -> np.ndarray:
        """Embeddings ``(E, n, 320)`` of ``values`` (n, C, L), no longer than the series trained on; NaN is masked."""
        encoders = len(self.network.layers[0].weight)
        data, seen = _tensors(values)
        rows = max(_CELLS // (encoders * data.shape[1] * OUTPUTS), 1)
        with torch.inference_mode():
            parts = []
            for begun in range(0, len(data), rows):
                x, kept = data[begun : begun + rows], seen[begun : begun + rows]
                every = self.network(x.expand(encoders, *x.shape), kept.expand(encoders, *kept.shape))
                parts.append(every.amax(2))
            return torch.cat(parts, 1).numpy()


def crop(length: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """``a1 <= a2 < b1 <= b2``: crops ``[a1, b1)`` and ``[a2, b2)`` share ``[a2, b1)``, two steps if there are."""
    shared = int(rng.integers(min(2, length), length + 1))
    begun = int(rng.integers(length - shared + 1))
    end = begun + shared
    return int(rng.integers(begun + 1)), begun, end, int(rng.integers(end, length + 1))


def contrast(
    network: Network,
    x: Tensor,
    seen: Tensor,
    bounds: tuple[int, int, int, int],
    masks: Sequence[np.random.Generator],
) -> Tensor:
    """Loss ``(E,)`` of two masked crops of ``x`` (E, B, L, C)."""
    a1, a2, b1, b2 = bounds
    views = []
    for begun, end in ((a1, b1), (a2, b2)):
        drawn = np.stack([rng.random((x.shape[1], end - begun, 1)) < 0.5 for rng in masks])
        kept = seen[:, :, begun:end] * torch.from_numpy(drawn)
        views.append(network(x[:, :, begun:end], kept)[:, :, a2 - begun : b1 - begun])
    return hierarchical_loss(*views)


def _tensors(values: np.ndarray) -> tuple[Tensor, Tensor]:
    """``(n, L, C)`` without NaN, and which steps are complete ``(n, L, 1)`` as 0 and 1."""
    data = torch.from_numpy(np.ascontiguousarray(values.transpose(0, 2, 1), dtype=np.float32))
    seen = ~data.isnan().any(-1, keepdim=True)
    return torch.where(seen, data, 0.0), seen.float()
