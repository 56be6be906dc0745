"""One training step of a baseline; on a CUDA device recorded once as a graph and replayed from then on.

Networks of this size leave a GPU waiting for the processor, which launches hundreds of kernels of some microseconds a
step. A CUDA graph launches them all at once. What a recorded step needs is arranged here: batches of one size at one
address, random numbers drawn on the device, learning rates and step counts that live there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

_WARM_UP = 3  # steps before recording, in which libraries choose kernels and take their workspaces
_RECORDING = threading.Lock()  # one at a time in a process


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Learning rate of the next steps, also where a recorded step reads it from the device."""
    for group in optimiser.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


class Step:
    """Down the gradient of ``loss``, by ``optimiser``.

    Args:
        network: with all parameters and buffers that ``loss`` changes.
        loss: of the series at given positions, ``(batch,)``; the batch must have one size throughout.
        optimiser: of some of the network's parameters; only these get gradients.
        clip: largest norm of the gradient.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Callable[[Tensor], Tensor],
        optimiser: torch.optim.Optimizer,
        clip: float | None = None,
    ) -> None:
        self._network, self._loss, self._optimiser, self._clip = network, loss, optimiser, clip
        self._parameters = [p for group in optimiser.param_groups for p in group["params"]]
        self.device = self._parameters[0].device
        self._recorded: tuple[torch.cuda.CUDAGraph, torch.cuda.CUDAGraph, Tensor, Tensor] | None = None

    def __call__(self, positions: Tensor) -> Tensor:
        """One step; the loss before it, on the device. The next call may overwrite it."""
        value = self.gradients(positions)
        self.descend()
        return value

    def gradients(self, positions: Tensor) -> Tensor:
        """Only the loss and its gradients, for :meth:`descend`."""
        if self.device.type != "cuda":
            return self._gradients(positions)
        if self._recorded is None:
            self._recorded = self._record(positions)
        graph, _, at, value = self._recorded
        at.copy_(positions, non_blocking=True)
        graph.replay()
        return value

    def descend(self) -> None:
        """A step of the optimiser, down the gradients that were computed last."""
        if self._recorded is None:
            self._descend()
        else:
            self._recorded[1].replay()

    def _gradients(self, positions: Tensor) -> Tensor:
        value = self._loss(positions)
        found = torch.autograd.grad(value, self._parameters, allow_unused=True)
        for parameter, gradient in zip(self._parameters, found, strict=True):
            parameter.grad = gradient
        return value.detach()

    def _descend(self) -> None:
        if self._clip is not None:
            nn.utils.clip_grad_norm_(self._parameters, self._clip)
        self._optimiser.step()

    def _record(self, positions: Tensor) -> tuple[torch.cuda.CUDAGraph, torch.cuda.CUDAGraph, Tensor, Tensor]:
        for group in self._optimiser.param_groups:
            group["capturable"] = True
            group["lr"] = torch.tensor(float(group["lr"]), device=self.device)
        at = positions.to(self.device)
        # In a context of the device what a loss draws "on the CPU" is drawn there, as a recording must have it.
        with _RECORDING, self.device, _unchanged(self._network, self._optimiser):
            side = torch.cuda.Stream(self.device)
            side.wait_stream(torch.cuda.current_stream(self.device))
            with torch.cuda.stream(side):
                for _ in range(_WARM_UP):
                    self._gradients(at)
                    self._descend()
            torch.cuda.current_stream(self.device).wait_stream(side)
            first, second = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
            # Without a stream torch takes one of the device that was current when it recorded first.
            with torch.cuda.graph(first, stream=side, capture_error_mode="thread_local"):
                value = self._gradients(at)
            with torch.cuda.graph(second, pool=first.pool(), stream=side, capture_error_mode="thread_local"):
                self._descend()
        return first, second, at, value


@contextmanager
def _unchanged(network: nn.Module, optimiser: torch.optim.Optimizer) -> Iterator[None]:
    """What happens inside leaves no trace in the network, and the optimiser as it is before its first step."""
    before = {name: value.detach().clone() for name, value in network.state_dict().items()}
    yield
    with torch.no_grad():
        for name, value in network.state_dict().items():
            value.copy_(before[name])
        for state in optimiser.state.values():
            for value in state.values():
                value.zero_()
