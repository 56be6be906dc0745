"""The loss of a batch of episodes, and the same loss on sets that are not trained on."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from tsprout.data.corpus.episodes import Batch, EpisodeStream, StreamConfig
from tsprout.data.corpus.store import Corpus
from tsprout.errors import InputError
from tsprout.model import Denoiser, Noised
from tsprout.train.record import LEVELS, named


def batch_loss(
    model: Denoiser,
    batch: Batch,
    generator: torch.Generator,
    *,
    drop_prompt: float,
    drop_token: float,
    sigma: Tensor | None = None,
) -> Tensor:
    """Loss of every target, ``(episodes * targets,)``, with conditions dropped per episode: see :func:`noised`."""
    return model.losses(*noised(model, batch, generator, drop_prompt=drop_prompt, drop_token=drop_token, sigma=sigma))


def noised(
    model: Denoiser,
    batch: Batch,
    generator: torch.Generator,
    *,
    drop_prompt: float,
    drop_token: float,
    sigma: Tensor | None = None,
) -> Noised:
    """The targets of a batch as one, under noise, with the conditions that are not dropped.

    Everything random follows from ``generator``, which is on the CPU; noise for an accelerator is drawn there, by a
    generator seeded from it.
    """
    episodes, per = batch.targets.shape[:2]
    device = model.device
    clean = _on(device, batch.targets).flatten(0, 1)
    whole = bool(batch.targets_observed.all())
    observed = None if whole else _on(device, batch.targets_observed).flatten(0, 1)
    rows = None
    if model.config.rows:
        # A set's row is of no use on a table without it: sets beyond the table count as new ones.
        known = torch.from_numpy(batch.rows)
        dropped = torch.rand(episodes, generator=generator) < drop_token
        rows = sent(torch.where(dropped | (known >= model.config.rows), -1, known).repeat_interleave(per), device)
    memory = None
    if model.has_prompt and batch.shots.shape[1]:
        present = sent(torch.rand(episodes, generator=generator) >= drop_prompt, device)
        memory = model.encode(_on(device, batch.shots), _on(device, batch.shots_observed), present)
    if sigma is None:
        sigma = model.training_sigma(len(clean), generator)
    return Noised(clean, observed, sent(sigma, device), _noise(clean, generator), rows, memory)


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """``tensor`` on a device, without the host waiting until an accelerator has done all it was told before."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def _on(device: torch.device, values: np.ndarray) -> Tensor:
    return sent(torch.from_numpy(values), device)


def _noise(like: Tensor, generator: torch.Generator) -> Tensor:
    if like.device.type == "cpu":
        return torch.randn(like.shape, generator=generator)
    seed = int(torch.randint(2**62, (1,), generator=generator))
    return torch.randn(like.shape, generator=torch.Generator(like.device).manual_seed(seed), device=like.device)


class Validation:
    """Fixed few-shot episodes of held-out sets; the loss on them by noise level, with the prompt and no token."""

    def __init__(self, corpus: Corpus, names: Sequence[str], *, batches: int = 24, seed: int = 1234) -> None:
        config = StreamConfig(
            cells=4096,
            synthetic_share=0.0,
            lengths=(24, 64),
            length_shares=(0.8, 0.2),
            channels=(1, 2, 5),
            channel_shares=(0.6, 0.15, 0.25),
        )
        stream = EpisodeStream(corpus, config, seed=seed, only=names)
        self.batches = [next(stream) for _ in range(batches)]

    @torch.no_grad()
    def __call__(self, model: Denoiser) -> dict[str, float]:
        """Mean loss at each noise level, and over all of them as ``mean``."""
        was = model.training
        model.eval()
        sums = [0.0] * len(LEVELS)
        for number, batch in enumerate(self.batches):
            count = batch.targets.shape[0] * batch.targets.shape[1]
            level = torch.tensor(LEVELS)[torch.arange(count) % len(LEVELS)]
            generator = torch.Generator().manual_seed(number)
            losses = batch_loss(model, batch, generator, drop_prompt=0.0, drop_token=1.0, sigma=level)
            for index in range(len(LEVELS)):
                sums[index] += float(losses[index :: len(LEVELS)].mean()) / len(self.batches)
        model.train(was)
        return named(sums) | {"mean": sum(sums) / len(sums)}


def held_out_sets(corpus: Corpus | None, domains: Sequence[str]) -> tuple[list[str], list[str]]:
    """Sets that must not be drawn beside those the corpus holds out, and the sets to validate on.

    Without ``domains`` the latter are those that the corpus holds out; else all sets of these domains.

    Raises:
        InputError: the corpus has no such domain.
    """
    if corpus is None:
        return [], []
    known = sorted({entry.domain for entry in corpus.sets})
    for name in domains:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise InputError(
                f"the corpus has no domain {name!r}",
                where="training.exclude_domains",
                fix=f"Did you mean {near[0]}?" if near else f"It has: {', '.join(known)}.",
            )
    if not domains:
        return [], [entry.name for entry in corpus.sets if entry.held_out]
    inside = [entry for entry in corpus.sets if entry.domain in domains]
    return [entry.name for entry in inside if not entry.held_out], [entry.name for entry in inside]
