"""Scaled series from a model, in batches that fit into the caches; how the product and few-shot validation draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from tsprout.data.checks import check_guidance
from tsprout.diffusion.samplers import Denoise, solver_by_name
from tsprout.errors import InputError
from tsprout.limits import check_whole
from tsprout.model import Denoiser, ModelConfig
from tsprout.nn.conditioning import Memory
from tsprout.train.shots import Shots, memory_of

# Cells drawn at once: enough to keep the cores busy, few enough to stay in their caches.
_CELLS_AT_ONCE = 6144


@dataclass(frozen=True)
class Drawing:
    """How a model draws, see :meth:`tsprout.model.Denoiser.sample`; ``None`` is its own choice."""

    steps: int | None = None
    solver: str | None = None
    guidance: float | None = None

    def check(self, config: ModelConfig) -> None:
        """Refuse what a model of this configuration cannot do.

        Raises:
            InputError: says which.
        """
        if self.steps is not None and check_whole(self.steps, "steps") < 1:
            raise InputError(f"{self.steps} solver steps are too few", where="steps", fix="Give at least 1.")
        check_guidance(self.guidance, "guidance")
        solver_by_name(self.solver or config.solver)

    def is_usual(self, config: ModelConfig) -> bool:
        """Whether a model of this configuration draws so by itself."""
        return all(value in (None, getattr(config, name)) for name, value in vars(self).items())


USUAL = Drawing()


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
    how: Drawing = USUAL,
    condition: Callable[[Denoise], Denoise] | None = None,
) -> np.ndarray:
    """One batch ``(n, channels, length)``, float32, scaled.

    Args:
        model: any denoiser.
        shape: of what is drawn.
        generator: of the noise.
        row: in the model's token table; none by default.
        memory: of the shots it is shown, encoded; none by default.
        how: steps, solver, guidance.
        condition: see :meth:`tsprout.model.Denoiser.sample`.
    """
    rows = None if row is None else torch.full((1,), row, device=model.device)
    drawn: np.ndarray = model.sample(
        shape,
        generator,
        rows=rows,
        memory=memory,
        steps=how.steps,
        solver=how.solver,
        guidance=how.guidance,
        condition=condition,
    ).numpy(force=True)
    return drawn


def draw_many(
    model: Denoiser,
    n: int,
    channels: int,
    length: int,
    generator: torch.Generator,
    *,
    row: int | None = None,
    memory: Memory | None = None,
    how: Drawing = USUAL,
) -> np.ndarray:
    """``(n, channels, length)`` batch by batch from one generator; the rest as in :func:`draw_latent`."""
    size = series_at_once(length)
    shapes = [(min(size, n - done), channels, length) for done in range(0, n, size)]
    return np.concatenate([draw_latent(model, shape, generator, row=row, memory=memory, how=how) for shape in shapes])


def draw_shown(
    model: Denoiser,
    shots: Shots,
    n: int,
    length: int,
    generator: torch.Generator,
    *,
    seed: int,
    row: int | None = None,
    how: Drawing = USUAL,
) -> np.ndarray:
    """``(n, channels, length)`` of a model that is shown all ``shots``, in turns where a prompt does not hold them.

    Args:
        seed: of whose turn it is; the rest as in :func:`draw_many`.
    """
    parts = []
    for count, shown in shots.in_turn(n, np.random.default_rng(seed)):
        memory = memory_of(model, shown)
        parts.append(draw_many(model, count, shots.values.shape[1], length, generator, row=row, memory=memory, how=how))
    return np.concatenate(parts)
