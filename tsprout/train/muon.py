r"""Muon (Jordan et al. 2024): momentum of which every matrix is made orthogonal before it is applied.

For a weight matrix with Nesterov momentum :math:`M` of its gradient, the step is
:math:`-\eta \cdot 0.2 \sqrt{\max(a, b)}\, U V^\top` where :math:`M = U S V^\top` is ``(a, b)``; the factor gives it the
root mean square that AdamW's steps have (Liu et al. 2025, arXiv 2502.16982). :math:`U V^\top` comes from five
iterations of a quintic Newton-Schulz polynomial, good to some ten per cent, which is all it takes.

Torch has a Muon of its own. It iterates in bfloat16 whatever the processor, which takes ten times as long as the whole
forward and backward pass on one that has no such arithmetic, and one matrix at a time. This one takes the arithmetic
it is told to, and all matrices of one shape together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

_QUINTIC = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5


def orthogonalise(matrices: Tensor) -> Tensor:
    """About :math:`U V^\\top` of each of ``matrices (n, a, b)``; same shape and type."""
    a, b, c = _QUINTIC
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(_ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """For weight matrices of hidden layers; everything else belongs to another optimiser.

    Args:
        parameters: two-dimensional.
        lr: learning rate, in the sense of AdamW.
        momentum: decay of the gradient's average.
        weight_decay: decoupled, in units of ``lr``.
        dtype: of the Newton-Schulz iteration; by default that of the parameters.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self.dtype = dtype
        if any(p.ndim != 2 for group in self.param_groups for p in group["params"]):
            raise ValueError("Muon is for matrices")

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; parameters without a gradient stay as they are."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            alike: dict[torch.Size, list[nn.Parameter]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    alike[parameter.shape].append(parameter)
            for shape, parameters in alike.items():
                self._apply(group, parameters, 0.2 * max(shape) ** 0.5)
        return loss

    def _apply(self, group: dict[str, Any], parameters: list[nn.Parameter], scale: float) -> None:
        weights: list[Tensor] = list(parameters)
        gradients = [p.grad for p in parameters if p.grad is not None]
        buffers: list[Tensor] = []
        for parameter in parameters:
            state = self.state[parameter]
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = torch.zeros_like(parameter)
            buffers.append(state["momentum_buffer"])
        momentum, lr = group["momentum"], group["lr"]
        torch._foreach_lerp_(buffers, gradients, 1 - momentum)
        ahead = torch.stack(torch._foreach_lerp(gradients, buffers, momentum))
        steps = orthogonalise(ahead if self.dtype is None else ahead.to(self.dtype)).to(ahead.dtype)
        torch._foreach_mul_(weights, 1 - lr * group["weight_decay"])
        torch._foreach_add_(weights, list(steps.unbind()), alpha=-lr * scale)
