"""Predictive score: train on synthetic, forecast real; as arXiv 2505.20446 (after TimeGAN) and done with care.

All repeats are trained together, see :mod:`tsprout.metrics.paper.gru`; each has its own start and order of batches.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from tsprout.metrics.paper.adam import Adam, Stack
from tsprout.metrics.paper.discriminative import EarlyStop
from tsprout.metrics.paper.gru import GRU, bounds, shapes
from tsprout.metrics.paper.repeats import Batches, Repeats, generators
from tsprout.metrics.paper.series import prepared, stacked, stretch_split, take
from tsprout.progress import Progress

BATCH = 128
CAPABLE_BATCH = 64
_SPLIT, _START, _ORDER = 111, 112, 113
_CELLS = 1 << 22
_EVERY = 50
_PATIENCE = 8
_LOOKED_AT = 512

SHORT = "A forecast needs two time steps at least."
FEW = "There are too few synthetic series to train a forecaster."
NO_INPUT = "With one channel the forecaster has no input at all and learns one course for all series."


class Forecaster:
    """R networks: GRU and a linear layer after every step, trained on the absolute error.

    Args:
        inputs, hidden, outputs: widths; ``inputs`` may be 0.
        rngs: one generator a network.
        squash: whether a sigmoid follows; otherwise the output is the change from the present input.
    """

    def __init__(
        self, inputs: int, hidden: int, outputs: int, rngs: list[np.random.Generator], *, squash: bool
    ) -> None:
        limit = 1 / math.sqrt(hidden)
        sizes = shapes(inputs, hidden) | {"weight": (outputs, hidden), "bias": (outputs,)}
        self.stack = Stack(sizes, bounds(inputs, hidden) | {"weight": limit, "bias": limit}, rngs)
        self._squash = squash
        self._networks: dict[tuple[int, int], GRU] = {}
        self._states = torch.empty(0)

    def forecast(self, x: Tensor) -> Tensor:
        """Values ``(steps, R, outputs, batch)`` one step after every step of ``x`` (steps, R, inputs, batch)."""
        size, views = (len(x), x.shape[-1]), self.stack.views
        network = self._networks.get(size)
        if network is None:
            network = self._networks[size] = GRU(views, self.stack.slopes, *size)
        self._states = network.forward(x)
        weight = views["weight"]
        if weight.shape[1] == 1:  # hundreds of products of a row cost more than one of numbers
            values = (weight.transpose(1, 2) * self._states).sum(2, keepdim=True)
        else:
            values = weight @ self._states
        values.add_(views["bias"][:, :, None])
        return values.sigmoid_() if self._squash else values.add_(x)

    def learn(self, x: Tensor, target: Tensor) -> None:
        """Gradients of the mean absolute error of the forecast of ``target`` (steps, R, outputs, batch)."""
        values = self.forecast(x)
        error = torch.sign(values - target).mul_(1 / (target.numel() // target.shape[1]))
        if self._squash:
            error.mul_(values).mul_(values.neg_().add_(1))
        views, slopes = self.stack.views, self.stack.slopes
        torch.sum(error, (0, 3), out=slopes["bias"])
        turned = views["weight"].transpose(1, 2)
        if turned.shape[2] == 1:
            slopes["weight"].copy_((error * self._states).sum((0, 3))[:, None])
            back = turned * error
        else:
            torch.sum(error @ self._states.transpose(2, 3), 0, out=slopes["weight"])
            back = turned @ error
        self._networks[(len(x), x.shape[-1])].backward(every=back)

    def error(self, data: Tensor, chosen: np.ndarray, columns: tuple[slice, slice]) -> Tensor:
        """Mean absolute error ``(R,)`` over series ``chosen`` (R, k) of ``data`` (N, L, C)."""
        repeats, count = chosen.shape
        cells = repeats * data.shape[1] * (12 * self.stack.views["state"].shape[-1] + 3 * data.shape[2])
        rows = max(_CELLS // cells, 16)
        total = torch.zeros(repeats, dtype=torch.float64)
        for begun in range(0, count, rows):
            x, target = _pairs(take(data, chosen[:, begun : begun + rows]), columns)
            total += (self.forecast(x) - target).abs_().sum((0, 2, 3), dtype=torch.float64)
        return total / (count * target.shape[0] * target.shape[2])


def predictive_paper(
    real: ArrayLike,
    synthetic: ArrayLike,
    *,
    repeats: int = 10,
    iterations: int = 5000,
    seed: int = 0,
    progress: Progress | None = None,
) -> Repeats:
    """Predictive score exactly as the paper measures it: mean absolute error on ``real``, in the units given.

    GRU of one layer and ``max(1, C // 2)`` hidden units, Adam at 1e-3, batches of 128 synthetic series, absolute error.
    The first C - 1 channels up to step t forecast the last channel at t + 1 *through a sigmoid*: what lies outside 0 to
    1, as half of all z-scores does, cannot be reached. With one channel there is *no input at all*: the network learns
    one course for all series, and the score says next to nothing (see its ``note``). Both are kept as they are.

    Args:
        real, synthetic: ``(n, C, L)``, scaled as the paper scales them.
        repeats: networks, trained together.
        iterations: steps of training.
        seed: everything random follows from it.
        progress: called as ``progress("predictive", done, total)``.

    Raises:
        InputError: an array is not three-dimensional, holds infinite values, or the channel counts differ.
    """
    first, second = prepared(real, synthetic, seed=seed, standardise=False)
    channels = first.shape[1]
    if first.shape[2] < 2:
        return Repeats.unknown(repeats, SHORT)
    model = Forecaster(channels - 1, max(1, channels // 2), 1, generators(seed, repeats, _START), squash=True)
    columns = (slice(0, channels - 1), slice(channels - 1, channels))
    pool = np.tile(np.arange(len(second)), (repeats, 1))
    with torch.inference_mode():
        _train(model, stacked(second), pool, columns, BATCH, iterations, seed, progress)
        everything = np.tile(np.arange(len(first)), (repeats, 1))
        found = model.error(stacked(first), everything, columns)
    return Repeats.of(found.numpy(), note=NO_INPUT if channels == 1 else "")


def predictive_capable(
    real: ArrayLike,
    synthetic: ArrayLike,
    *,
    repeats: int = 5,
    iterations: int = 1000,
    hidden: int = 32,
    seed: int = 0,
    progress: Progress | None = None,
) -> Repeats:
    """Predictive score that means something for any number of channels and any scaling, in real standard deviations.

    What differs from :func:`predictive_paper`: all channels up to step t forecast all channels at t + 1, so that one
    channel works too; the output is linear, the change from the present value, in standard deviations of the real
    channels; the state has ``hidden`` units; and training keeps the parameters of the lowest error on a fifth of the
    synthetic series held back for that, in stretches of neighbours.

    Args:
        real, synthetic: ``(n, C, L)`` in any unit.
        repeats, iterations, seed, progress: as in :func:`predictive_paper`; ``iterations`` at most.
        hidden: units of the state.

    Raises:
        InputError: an array is not three-dimensional, holds infinite values, or the channel counts differ.
    """
    first, second = prepared(real, synthetic, seed=seed, standardise=True)
    if first.shape[2] < 2:
        return Repeats.unknown(repeats, SHORT)
    if len(second) < 2:
        return Repeats.unknown(repeats, FEW)
    channels = first.shape[1]
    ((pool, watched),) = stretch_split([len(second)], generators(seed, repeats, _SPLIT), (0.2,))
    model = Forecaster(channels, hidden, channels, generators(seed, repeats, _START), squash=False)
    columns = (slice(0, channels), slice(0, channels))
    with torch.inference_mode():
        # Starting from no change at all, the network has only to learn what there is to forecast.
        model.stack.views["weight"].zero_()
        model.stack.views["bias"].zero_()
        watched = watched[:, :_LOOKED_AT]
        _train(model, stacked(second), pool, columns, CAPABLE_BATCH, iterations, seed, progress, watched)
        everything = np.tile(np.arange(len(first)), (repeats, 1))
        found = model.error(stacked(first), everything, columns)
    return Repeats.of(found.numpy())


def _pairs(series: Tensor, columns: tuple[slice, slice]) -> tuple[Tensor, Tensor]:
    """Inputs and what they are to forecast, of ``series`` (L, R, C, B)."""
    return series[:-1, :, columns[0]].contiguous(), series[1:, :, columns[1]]


def _train(
    model: Forecaster,
    data: Tensor,
    pool: np.ndarray,
    columns: tuple[slice, slice],
    size: int,
    iterations: int,
    seed: int,
    progress: Progress | None,
    watched: np.ndarray | None = None,
) -> None:
    """Train on ``pool`` (R, n), ``size`` at a time; with ``watched`` (R, k) keep what errs least there."""
    batches = Batches(pool, size, generators(seed, len(pool), _ORDER))
    adam, stop = Adam(model.stack), EarlyStop(model.stack, _PATIENCE)
    for step in range(iterations):
        if step % _EVERY == 0:
            if progress is not None:
                progress("predictive", step, iterations)
            if watched is not None and stop.look(model.error(data, watched, columns).float()):
                break
        model.learn(*_pairs(take(data, batches.draw()), columns))
        adam.step()
    if watched is not None:
        stop.look(model.error(data, watched, columns).float())
        stop.restore()
    if progress is not None:
        progress("predictive", iterations, iterations)
