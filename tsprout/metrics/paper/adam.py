r"""Parameters of R independent networks in one tensor, and Adam on all of them at once.

Adam (Kingma and Ba 2015, arXiv 1412.6980) works on each number by itself, so that one step on the stacked parameters is
one step of R separate optimisers:

.. math:: m \gets \beta_1 m + (1 - \beta_1) g, \quad v \gets \beta_2 v + (1 - \beta_2) g^2, \quad
          \theta \gets \theta - \eta \frac{m / (1 - \beta_1^k)}{\sqrt{v / (1 - \beta_2^k)} + \epsilon}
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

_FIRST, _SECOND, _TINY = 0.9, 0.999, 1e-8


class Stack:
    """Parameters and gradients of R networks, each one tensor ``(R, P)``, with a named view ``(R, ...)`` a layer.

    Args:
        shapes: shape of every parameter of one network.
        bounds: parameter ``name`` starts uniform in ``[-bounds[name], bounds[name]]``.
        rngs: one generator a network.
    """

    def __init__(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        bounds: Mapping[str, float],
        rngs: Sequence[np.random.Generator],
    ) -> None:
        sizes = {name: math.prod(shape) for name, shape in shapes.items()}
        start = [
            np.concatenate([rng.uniform(-bounds[name], bounds[name], size) for name, size in sizes.items()])
            for rng in rngs
        ]
        self.values = torch.from_numpy(np.stack(start)).float()
        self.gradients = torch.zeros_like(self.values)
        self.views: dict[str, Tensor] = {}
        self.slopes: dict[str, Tensor] = {}
        begun = 0
        for name, shape in shapes.items():
            part = slice(begun, begun + sizes[name])
            self.views[name] = self.values[:, part].unflatten(1, shape)
            self.slopes[name] = self.gradients[:, part].unflatten(1, shape)
            begun += sizes[name]


class Adam:
    """Adam on the values of a :class:`Stack`, with the usual decay rates .9 and .999."""

    def __init__(self, stack: Stack, rate: float = 1e-3) -> None:
        self._stack, self._rate, self._step = stack, rate, 0
        self._mean = torch.zeros_like(stack.values)
        self._square = torch.zeros_like(stack.values)
        self._root = torch.empty_like(stack.values)

    def step(self) -> None:
        """One step along the gradients of the stack."""
        self._step += 1
        slope = self._stack.gradients
        self._mean.lerp_(slope, 1 - _FIRST)
        self._square.mul_(_SECOND).addcmul_(slope, slope, value=1 - _SECOND)
        torch.sqrt(self._square, out=self._root)
        self._root.mul_(1 / math.sqrt(1 - _SECOND**self._step)).add_(_TINY)
        self._stack.values.addcdiv_(self._mean, self._root, value=-self._rate / (1 - _FIRST**self._step))
