r"""R independent gated recurrent networks (Cho et al. 2014, arXiv 1406.1078) run as one, with a backward pass by hand.

.. math:: r = \sigma(W_{ir} x + b_{ir} + W_{hr} h + b_{hr}), \quad z = \sigma(W_{iz} x + b_{iz} + W_{hz} h + b_{hz}),
          \quad n = \tanh(W_{in} x + b_{in} + r (W_{hn} h + b_{hn})), \quad h \gets (1 - z) n + z h

Such small networks cost calls, not arithmetic: a step of one network is as dear as a step of ten. So a step forward is
six calls for all networks, and a step backward two, because all factors of the chain rule but the running gradient
are worked out for all steps together. Arrays are ``(steps, R, features, batch)``, the batch last, float32.

Rows of weights that meet the input come in the order r, z, n as in PyTorch; those that meet the state in the order
n, r, z. Either kind of gradient is then one stretch of the rows n, r, z, n.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor


def shapes(inputs: int, hidden: int, prefix: str = "") -> dict[str, tuple[int, ...]]:
    """Shapes of the parameters of one network; ``prefix`` goes before their names."""
    return {
        f"{prefix}input": (3 * hidden, inputs),
        f"{prefix}state": (3 * hidden, hidden),
        f"{prefix}input_bias": (3 * hidden,),
        f"{prefix}state_bias": (3 * hidden,),
    }


def bounds(inputs: int, hidden: int, prefix: str = "") -> dict[str, float]:
    """PyTorch's default start: everything uniform within one over the root of the hidden size."""
    return {name: 1 / math.sqrt(hidden) for name in shapes(inputs, hidden, prefix)}


class GRU:
    """One layer of R networks over ``steps`` steps of ``batch`` series each, started from a state of zeros.

    It holds the arrays of one pass, so that a backward pass belongs to the last forward one.

    Args:
        values: parameters by name, ``(R, ...)``, see :func:`shapes`.
        slopes: where their gradients are to be written.
        steps, batch: length of a pass and series in it.
    """

    def __init__(self, values: Mapping[str, Tensor], slopes: Mapping[str, Tensor], steps: int, batch: int) -> None:
        self._values, self._slopes, self._steps = values, slopes, steps
        repeats, rows, hidden = values["state"].shape
        self._hidden = hidden
        self._gates = torch.empty(steps, repeats, rows, batch)  # n (state part, doubled), r, z
        self._inputs = torch.empty(steps, repeats, rows, batch)  # r, z, n; n turns from sum into candidate
        self.states = torch.zeros(steps + 1, repeats, hidden, batch)
        self._factors, self._chain = torch.empty(0), torch.empty(0)
        self._x = torch.empty(0)
        candidates = self._inputs[:, :, 2 * hidden :]
        self._forward_views = [
            (
                self._gates[t],
                self._gates[t, :, hidden:],
                self._gates[t, :, :hidden],
                self._gates[t, :, hidden : 2 * hidden],
                self._gates[t, :, 2 * hidden :],
                candidates[t],
                self.states[t],
                self.states[t + 1],
            )
            for t in range(steps)
        ]

    def forward(self, x: Tensor) -> Tensor:
        """States ``(steps, R, hidden, batch)`` after each step of ``x`` (steps, R, inputs, batch), contiguous."""
        h, values = self._hidden, self._values
        self._x = x
        bias = values["input_bias"].clone()
        bias[:, : 2 * h] += values["state_bias"][:, h:]
        if x.shape[2]:
            torch.matmul(values["input"], x, out=self._inputs)
            self._inputs += bias[:, :, None]
        else:
            self._inputs.copy_(bias[:, :, None].expand_as(self._inputs))
        self._gates[:, :, h:] = self._inputs[:, :, : 2 * h]
        self._gates[:, :, :h] = 2 * values["state_bias"][:, :h, None]
        # Twice the sum of a candidate, because tanh(u) = 2 sigmoid(2 u) - 1 and a sigmoid costs a fraction of a tanh.
        self._inputs[:, :, 2 * h :] *= 2
        weight = values["state"].clone()
        weight[:, :h] *= 2
        minus_one = torch.tensor(-1.0)
        for gates, both, part, reset, update, candidate, state, after in self._forward_views:
            gates.baddbmm_(weight, state)
            both.sigmoid_()
            candidate.addcmul_(reset, part).sigmoid_()
            torch.add(minus_one, candidate, alpha=2, out=candidate)
            torch.lerp(candidate, state, update, out=after)
        return self.states[1:]

    def backward(self, last: Tensor | None = None, every: Tensor | None = None) -> None:
        """Write the gradients of a loss into the slopes.

        Args:
            last: ``(R, hidden, batch)`` gradient with respect to the last state.
            every: ``(steps, R, hidden, batch)`` gradient with respect to all states; one of the two.
        """
        h = self._hidden
        if not self._chain.numel():
            self._reserve()
        self._work_out_factors()
        turned = self._values["state"].transpose(1, 2).contiguous()
        start = every[-1] if every is not None else last
        if start is None:
            raise ValueError("a backward pass needs the gradient of the last state or of every one")
        running = start.clone(memory_format=torch.contiguous_format)
        spread = running[:, None]
        for t in range(self._steps - 1, -1, -1):
            factors, chain, gates, kept = self._backward_views[t]
            torch.mul(factors, spread, out=chain)
            if t:
                torch.baddbmm(kept, turned, gates, out=running)
                if every is not None:
                    running.add_(every[t - 1])
        rows = self._chain.flatten(2, 3)
        state_rows, input_rows = rows[:, :, : 3 * h], rows[:, :, h : 4 * h]
        slopes = self._slopes
        torch.sum(state_rows @ self.states[:-1].transpose(2, 3), 0, out=slopes["state"])
        if self._x.shape[2]:
            torch.sum(input_rows @ self._x.transpose(2, 3), 0, out=slopes["input"])
        sums = rows[:, :, : 4 * h].sum(dim=(0, 3))
        slopes["state_bias"].copy_(sums[:, : 3 * h])
        slopes["input_bias"].copy_(sums[:, h:])

    def _reserve(self) -> None:
        """Arrays of the backward pass, which a network that only answers does not need."""
        h, (steps, repeats, _, batch) = self._hidden, self._gates.shape
        self._factors = torch.empty(steps, repeats, 5, h, batch)
        self._chain = torch.empty_like(self._factors)
        rows = self._chain.flatten(2, 3)
        self._backward_views = [
            (self._factors[t], self._chain[t], rows[t, :, : 3 * h], self._chain[t, :, 4]) for t in range(steps)
        ]

    def _work_out_factors(self) -> None:
        """``(steps, R, 5, hidden, batch)``: what the gradient of a state becomes at n (state part), r, z, n, and z."""
        h = self._hidden
        part, reset, update = (self._gates[:, :, i * h : (i + 1) * h] for i in range(3))
        candidate = self._inputs[:, :, 2 * h :]
        at_part, at_reset, at_update, at_candidate, kept = self._factors.unbind(2)
        torch.sub(1, update, out=at_candidate)
        at_candidate.mul_(1 - candidate * candidate)
        torch.mul(at_candidate, reset, out=at_part)
        torch.mul(at_part, part, out=at_reset).mul_(torch.rsub(reset, 0.5, alpha=0.5))
        torch.mul(update, 1 - update, out=at_update).mul_(self.states[:-1] - candidate)
        kept.copy_(update)
