r"""Fine-tuning as arXiv 2505.20446 has it, for comparisons: nothing stops it, nothing is held back, nothing is judged.

All weights; AdamW at a constant 1e-4 with weight decay 1e-5, gradient norm clipped at 1; an average of the weights with
decay :math:`\min(0.9999, (1 + k) / (10 + k))`; batches of :math:`\min(2048, n)` series; 1000 steps, which is what its
1000 epochs are for :math:`n \le 2048`. The new set gets a row of its own in the token table, started from the mean of
all rows. Noise levels are independent draws, and the loss is the mean over all cells of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tsprout.diffusion.denoiser import training_sigma
from tsprout.errors import InputError
from tsprout.model import Denoiser
from tsprout.progress import Progress
from tsprout.train.finetune import with_new_token
from tsprout.train.loop import Loop, LoopConfig
from tsprout.train.shots import Shots

STEPS, BATCH = 1000, 2048


@dataclass(frozen=True)
class Published:
    """A fine-tuned ``model`` with averaged weights, and its ``row`` in the token table (``None``: it has no table)."""

    model: Denoiser
    row: int | None


def finetune_as_published(
    model: Denoiser,
    shots: Shots,
    *,
    steps: int = STEPS,
    batch: int = BATCH,
    seed: int = 0,
    progress: Progress | None = None,
) -> Published:
    """Fine-tune a copy of ``model`` on ``shots`` as published.

    Args:
        model: pre-trained, without a prompt encoder, on the device to train on; left as it is.
        shots: scaled series of one length; the paper scales them by a z-score.
        steps: to take.
        batch: most series in a step; with fewer shots every step sees all of them.
        seed: of everything random.
        progress: told ``"fine-tune"``, steps done and steps in all.

    Raises:
        InputError: no shots, shots of several lengths, or a model that is shown a prompt.
        TrainingError: the loss stopped being finite.
    """
    if len(shots) == 0 or len(np.unique(shots.lengths)) > 1:
        raise InputError("the published fine-tuning needs series of one length, one at least")
    if model.has_prompt:
        raise InputError("the published model has no prompt encoder", fix="Fit this one with Sprout.fit.")
    twin, row = with_new_token(model)
    device, config = model.device, model.config
    data = shots.to(device).cut(int(shots.lengths[0]))
    order = np.random.default_rng(seed)
    whole = bool(data.observed.all())

    def loss(generator: torch.Generator) -> Tensor:
        some = data if len(data) <= batch else data[np.sort(order.choice(len(data), batch, replace=False))]
        sigma = training_sigma(len(some), config.noise_mean, config.noise_std, generator, stratified=False).to(device)
        noise = torch.randn(some.values.shape, generator=generator).to(device)
        rows = None if row is None else torch.full((len(some),), row, device=device)
        return twin.losses(some.values, None if whole else some.observed, sigma, noise, rows).mean()

    def on_step(step: int, _: float) -> None:
        if progress is not None:
            progress("fine-tune", step, steps)

    loop = Loop(twin, loss, LoopConfig(steps, 1e-4, weight_decay=1e-5, clip=1.0, ema=0.9999, seed=seed))
    loop.run(on_step=on_step)
    loop.ema.copy_to(twin)
    return Published(twin.requires_grad_(False).eval(), row)
