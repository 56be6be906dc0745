"""Discriminative score of a recurrent classifier, as arXiv 2505.20446 (after TimeGAN) and done with care.

The classifier is trained to tell synthetic series from real ones and asked about series it has not seen. All repeats
are trained together, see :mod:`tsprout.metrics.paper.gru`; each has its own split, start and order of batches.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from tsprout.metrics.paper.adam import Adam, Stack
from tsprout.metrics.paper.gru import GRU, bounds, shapes
from tsprout.metrics.paper.repeats import Batches, Repeats, generators, random_split
from tsprout.metrics.paper.series import prepared, stacked, stretch_split, take
from tsprout.progress import Progress

BATCH = 32  # of each set
_SPLIT, _START, _ORDER = 101, 102, 103
_CELLS = 1 << 22  # cells of the largest array in a test
_CAPABLE_RATE = 3e-3
_EVERY = 50  # steps between two looks at the series held back for stopping
_PATIENCE = 8  # looks without progress after which training ends
_LOOKED_AT = 256  # series of each set that stopping looks at

FEW = "There are too few series to train a classifier and test it."
ONE_UNIT = "With up to three channels the classifier has a single hidden unit and sees little."


class Classifier:
    """R networks: GRU, last state, linear layer, one logit (above 0 is synthetic).

    Args:
        channels, hidden: width of the input and of the state.
        rngs: one generator a network.
        both_ways: a second GRU reads the series backwards; the linear layer sees both last states.
    """

    def __init__(self, channels: int, hidden: int, rngs: list[np.random.Generator], *, both_ways: bool = False) -> None:
        self._ways = ("", "back_") if both_ways else ("",)
        wide = hidden * len(self._ways)
        sizes: dict[str, tuple[int, ...]] = {"weight": (1, wide), "bias": (1,)}
        limits = {"weight": 1 / math.sqrt(wide), "bias": 1 / math.sqrt(wide)}
        for way in self._ways:
            sizes |= shapes(channels, hidden, way)
            limits |= bounds(channels, hidden, way)
        self.stack = Stack(sizes, limits, rngs)
        self._networks: dict[tuple[int, int], list[GRU]] = {}
        self._last = torch.empty(0)

    def logits(self, x: Tensor) -> Tensor:
        """Logits ``(R, batch)`` of series ``x`` (steps, R, channels, batch)."""
        size = (len(x), x.shape[-1])
        networks = self._networks.get(size)
        if networks is None:  # kept, because fresh memory costs as much time as the arithmetic
            networks = self._networks[size] = [self._network(way, *size) for way in self._ways]
        ways = [x, x.flip(0)] if len(networks) > 1 else [x]
        states = [network.forward(way)[-1] for network, way in zip(networks, ways, strict=True)]
        self._last = torch.cat(states, 1) if len(states) > 1 else states[0]
        views = self.stack.views
        return torch.baddbmm(views["bias"][:, :, None], views["weight"], self._last)[:, 0]

    def learn(self, x: Tensor, target: Tensor) -> None:
        """Gradients of the cross-entropy, mean over the batch, of ``x`` with ``target`` (batch,): 1 is synthetic."""
        error = (torch.sigmoid(self.logits(x)) - target)[:, None] / len(target)
        views, slopes = self.stack.views, self.stack.slopes
        slopes["bias"].copy_(error.sum(-1))
        torch.bmm(error, self._last.transpose(1, 2), out=slopes["weight"])
        back = views["weight"].transpose(1, 2) @ error
        networks = self._networks[(len(x), x.shape[-1])]
        for network, part in zip(networks, back.chunk(len(networks), 1), strict=True):
            network.backward(last=part)

    def answers(self, data: Tensor, chosen: np.ndarray) -> Tensor:
        """Logits ``(R, k)`` of the series at positions ``chosen`` (R, k) of ``data`` (N, L, C)."""
        cells = chosen.shape[0] * data.shape[1] * 12 * self.stack.views["state"].shape[-1]
        rows = max(_CELLS // cells, 16)
        parts = [chosen[:, begun : begun + rows] for begun in range(0, chosen.shape[1], rows)]
        return torch.cat([self.logits(take(data, part)).clone() for part in parts], 1)

    def _network(self, way: str, steps: int, batch: int) -> GRU:
        views, slopes = (
            {name: values[f"{way}{name}"] for name in shapes(1, 1)} for values in (self.stack.views, self.stack.slopes)
        )
        return GRU(views, slopes, steps, batch)


def discriminative_paper(
    real: ArrayLike,
    synthetic: ArrayLike,
    *,
    repeats: int = 10,
    iterations: int = 2000,
    seed: int = 0,
    progress: Progress | None = None,
) -> Repeats:
    """Discriminative score exactly as the paper measures it: 0 is best, .5 worst.

    GRU of one layer and ``max(1, C // 2)`` hidden units, Adam at 1e-3, batches of 32 real and 32 synthetic series,
    trained on 80 % of both sets. A repeat's score is ``abs(0.5 - accuracy)`` on the other 20 %, so that chance alone is
    always above 0. With sets of unequal size the accuracy is the mean of both sets'.

    Args:
        real, synthetic: ``(n, C, L)``, scaled as the paper scales them (z-score or 0 to 1 of the training split).
        repeats: networks, trained together.
        iterations: steps of training.
        seed: everything random follows from it.
        progress: called as ``progress("discriminative", done, total)``.

    Raises:
        InputError: an array is not three-dimensional, holds infinite values, or the channel counts differ.
    """
    sets = prepared(real, synthetic, seed=seed, standardise=False)
    if min(map(len, sets)) < 2:
        return Repeats.unknown(repeats, FEW)
    rngs = generators(seed, repeats, _SPLIT)
    split = [random_split(len(values), rngs) for values in sets]
    channels = sets[0].shape[1]
    hidden = max(1, channels // 2)
    model = Classifier(channels, hidden, generators(seed, repeats, _START))
    with torch.inference_mode():
        data = stacked(*sets)
        training = _Training(model, [part[0] for part in split], len(sets[0]), seed)
        for step in range(iterations):
            training.step(data)
            if progress is not None and step % 100 == 0:
                progress("discriminative", step, iterations)
        signed = _advantage(model, data, [part[1] for part in split], len(sets[0]))
    if progress is not None:
        progress("discriminative", iterations, iterations)
    return Repeats.of(np.abs(signed), note=ONE_UNIT if hidden == 1 else "")


def discriminative_capable(
    real: ArrayLike,
    synthetic: ArrayLike,
    *,
    repeats: int = 5,
    iterations: int = 1000,
    hidden: int = 32,
    seed: int = 0,
    progress: Progress | None = None,
) -> Repeats:
    """Discriminative score of a classifier that can tell: 0 is best, .5 worst.

    What differs from :func:`discriminative_paper`: the GRU reads both ways with ``hidden`` units each, whatever the
    number of channels, and learns at 3e-3; values are in standard deviations of the real channels; the parameters are
    those of the lowest cross-entropy on a fifth held back for that; stretches of neighbouring series stay together in
    the split, because overlapping windows give each other away; and a repeat's score is the signed advantage over
    chance, so that chance averages to 0. The mean is clipped at 0.

    Args:
        real, synthetic: ``(n, C, L)`` in any unit.
        repeats, iterations, seed, progress: as in :func:`discriminative_paper`; ``iterations`` at most.
        hidden: units of each direction.

    Raises:
        InputError: an array is not three-dimensional, holds infinite values, or the channel counts differ.
    """
    sets = prepared(real, synthetic, seed=seed, standardise=True)
    if min(map(len, sets)) < 3:
        return Repeats.unknown(repeats, FEW)
    split = stretch_split([len(values) for values in sets], generators(seed, repeats, _SPLIT), (0.2, 0.2))
    model = Classifier(sets[0].shape[1], hidden, generators(seed, repeats, _START), both_ways=True)
    stop = EarlyStop(model.stack, _PATIENCE)
    with torch.inference_mode():
        data = stacked(*sets)
        training = _Training(model, [parts[0] for parts in split], len(sets[0]), seed, _CAPABLE_RATE)
        watched = [parts[1][:, :_LOOKED_AT] for parts in split]
        for step in range(iterations):
            if step % _EVERY == 0:
                if progress is not None:
                    progress("discriminative", step, iterations)
                if stop.look(_loss(model, data, watched, len(sets[0]))):
                    break
            training.step(data)
        stop.look(_loss(model, data, watched, len(sets[0])))
        stop.restore()
        signed = _advantage(model, data, [parts[2] for parts in split], len(sets[0]))
    if progress is not None:
        progress("discriminative", iterations, iterations)
    return Repeats.of(signed, low=0.0)


class EarlyStop:
    """The best parameters of every network so far, by a loss on series held back."""

    def __init__(self, stack: Stack, patience: int) -> None:
        self._stack, self._patience = stack, patience
        self._best, self._kept, self._since = torch.full((len(stack.values),), torch.inf), stack.values.clone(), 0

    def look(self, loss: Tensor) -> bool:
        """Take note of the ``loss`` (R,); whether no network has improved for too long."""
        better = loss < self._best
        self._since = 0 if bool(better.any()) else self._since + 1
        self._best = torch.where(better, loss, self._best)
        self._kept = torch.where(better[:, None], self._stack.values, self._kept)
        return self._since >= self._patience

    def restore(self) -> None:
        """Put the best parameters back."""
        self._stack.values.copy_(self._kept)


class _Training:
    def __init__(self, model: Classifier, pools: list[np.ndarray], n_real: int, seed: int, rate: float = 1e-3) -> None:
        rngs = generators(seed, len(pools[0]), _ORDER)
        self._batches = [Batches(pools[0], BATCH, rngs), Batches(pools[1] + n_real, BATCH, rngs)]
        self._target = torch.tensor([0.0, 1.0]).repeat_interleave(BATCH)
        self._model, self._adam = model, Adam(model.stack, rate)

    def step(self, data: Tensor) -> None:
        chosen = np.concatenate([batches.draw() for batches in self._batches], axis=1)
        self._model.learn(take(data, chosen), self._target)
        self._adam.step()


def _advantage(model: Classifier, data: Tensor, held: list[np.ndarray], n_real: int) -> np.ndarray:
    right = (model.answers(data, held[0]) <= 0).double().mean(1) + (
        model.answers(data, held[1] + n_real) > 0
    ).double().mean(1)
    return (right / 2 - 0.5).numpy()


def _loss(model: Classifier, data: Tensor, held: list[np.ndarray], n_real: int) -> Tensor:
    softplus = torch.nn.functional.softplus
    first, second = model.answers(data, held[0]), model.answers(data, held[1] + n_real)
    return softplus(first).mean(1) + softplus(-second).mean(1)
