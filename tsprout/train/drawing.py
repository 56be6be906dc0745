"""Scaled series from a model, in batches that fit into the caches; how the product and few-shot validation draw."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from tsprout.model import Denoiser
from tsprout.nn.conditioning import Memory

# Cells drawn at once: enough to keep the cores busy, few enough to stay in their caches.
_CELLS_AT_ONCE = 6144


def series_at_once(length: int) -> int:
    """How many series of ``length`` steps make a batch; part of what fixes the bits."""
    return max(8, min(512, _CELLS_AT_ONCE // length))


def draw_latent(
    model: Denoiser,
    shape: tuple[int, int, int],
    generator: torch.Generator,
    *,
    row: int | None = None,
    memory: Memory | None = None,
    **how: Any,
) -> np.ndarray:
    """One batch ``(n, channels, length)``, float32, scaled.

    Args:
        model: any denoiser.
        shape: of what is drawn.
        generator: of the noise.
        row: in the model's token table; none by default.
        memory: of the shots it is shown, encoded; none by default.
        **how: ``steps``, ``solver``, ``guidance``, see :meth:`tsprout.model.Denoiser.sample`.
    """
    rows = None if row is None else torch.full((1,), row, device=model.device)
    drawn: np.ndarray = model.sample(shape, generator, rows=rows, memory=memory, **how).cpu().numpy()
    return drawn


def draw_many(
    model: Denoiser, n: int, channels: int, length: int, generator: torch.Generator, **how: Any
) -> np.ndarray:
    """``(n, channels, length)`` batch by batch from one generator; ``how`` as in :func:`draw_latent`."""
    size = series_at_once(length)
    shapes = [(min(size, n - done), channels, length) for done in range(0, n, size)]
    return np.concatenate([draw_latent(model, shape, generator, **how) for shape in shapes])
