"""Floating-point operations of training, counted and not estimated: matrix products and convolutions, both ways.

A multiplication and an addition count as two. Element-wise work, normalisations and the optimiser do not count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from tsprout.data.corpus.episodes import Batch
from tsprout.model import Denoiser
from tsprout.train.validation import batch_loss


def count_flops(loss: Callable[[], Tensor]) -> int:
    """Operations of ``loss()``, a scalar, and of its backward pass. Gradients are added to, as by any such pass."""
    with FlopCounterMode(display=False) as counter:
        loss().backward()
    found: int = counter.get_total_flops()
    return found


def training_flops(model: Denoiser, batches: Sequence[Batch], *, drop_prompt: float = 0.0) -> int:
    """Operations of the losses of one training step, all its batches (pieces, or groups of pieces) together.

    Prompts are encoded as in training. The model's gradients are what they were.
    """
    kept = [parameter.grad for parameter in model.parameters()]
    for parameter in model.parameters():
        parameter.grad = None
    generator = torch.Generator().manual_seed(0)
    try:
        return sum(
            count_flops(lambda b=batch: batch_loss(model, b, generator, drop_prompt=drop_prompt, drop_token=0.0).mean())  # type: ignore[misc]
            for batch in batches
        )
    finally:
        for parameter, grad in zip(model.parameters(), kept, strict=True):
            parameter.grad = grad
