"""Pre-training: one model, many sets, episodes with token and prompt each dropped out at random.

A batch of episodes becomes a loss: encode every episode's shots, denoise its targets. One checkpoint then serves token
and prompt, prompt only, token only, and neither.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tsprout.data.corpus.episodes import Batch, EpisodeStream, StreamConfig
from tsprout.data.corpus.store import Corpus
from tsprout.errors import InputError
from tsprout.model import Denoiser, ModelConfig
from tsprout.train.loop import STATE, Loop, LoopConfig


@dataclass(frozen=True)
class PretrainConfig:
    """What to pre-train, on what, and how.

    ``stream``: what is drawn from the corpus. ``drop_prompt`` and ``drop_token``: probabilities per episode.
    ``accumulate``: batches (each of one channel count and length) a step. ``bfloat16``: mixed precision.
    ``validate_every``: steps; on the sets that the corpus holds out, if it has any.
    """

    model: ModelConfig
    loop: LoopConfig
    stream: StreamConfig = field(default_factory=StreamConfig)
    accumulate: int = 2
    drop_prompt: float = 0.1
    drop_token: float = 0.5
    bfloat16: bool = True
    validate_every: int = 500


def batch_loss(
    model: Denoiser,
    batch: Batch,
    generator: torch.Generator,
    *,
    drop_prompt: float,
    drop_token: float,
    sigma: Tensor | None = None,
) -> Tensor:
    """Loss of every target, ``(episodes * targets,)``, with conditions dropped per episode."""
    episodes, per = batch.targets.shape[:2]
    device = model.device
    clean = torch.from_numpy(batch.targets).flatten(0, 1).to(device)
    observed = torch.from_numpy(batch.targets_observed).flatten(0, 1).to(device)
    rows = None
    if model.config.rows:
        # A set's row is of no use on a table without it: sets beyond the table count as new ones.
        known = torch.from_numpy(batch.rows)
        dropped = torch.rand(episodes, generator=generator) < drop_token
        rows = torch.where(dropped | (known >= model.config.rows), -1, known).repeat_interleave(per).to(device)
    memory = None
    if model.has_prompt:
        present = (torch.rand(episodes, generator=generator) >= drop_prompt).to(device)
        shots, seen = torch.from_numpy(batch.shots).to(device), torch.from_numpy(batch.shots_observed).to(device)
        memory = model.encode(shots, seen, present)
    if sigma is None:
        sigma = model.training_sigma(len(clean), generator)
    noise = torch.randn(clean.shape, generator=generator).to(device)
    return model.losses(clean, None if bool(observed.all()) else observed, sigma.to(device), noise, rows, memory)


class Validation:
    """Fixed few-shot episodes of held-out sets; the loss on them by noise level, with the prompt and no token."""

    LEVELS = (0.05, 0.2, 0.6, 2.0, 8.0, 30.0)

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
        sums = dict.fromkeys(self.LEVELS, 0.0)
        for number, batch in enumerate(self.batches):
            count = batch.targets.shape[0] * batch.targets.shape[1]
            level = torch.tensor(self.LEVELS)[torch.arange(count) % len(self.LEVELS)]
            generator = torch.Generator().manual_seed(number)
            losses = batch_loss(model, batch, generator, drop_prompt=0.0, drop_token=1.0, sigma=level)
            for index, value in enumerate(self.LEVELS):
                sums[value] += float(losses[index :: len(self.LEVELS)].mean()) / len(self.batches)
        model.train(was)
        return {f"sigma {k:g}": v for k, v in sums.items()} | {"mean": sum(sums.values()) / len(sums)}


def pretrain(
    config: PretrainConfig,
    corpus: Corpus,
    out: Path,
    *,
    workers: int = 0,
    seconds: float | None = None,
    start_from: Denoiser | None = None,
    log: Callable[[dict[str, Any]], None] | None = None,
) -> Denoiser:
    """Train a model; returns it with averaged weights.

    Args:
        config: what and how.
        corpus: built by ``tsprout corpus build``.
        out: folder for ``state.safetensors`` (resumed from if present) and ``log.jsonl``.
        workers: processes that draw batches ahead; the batches are the same.
        seconds: stop after this much wall time, to be resumed later.
        start_from: weights to begin with.
        log: called with every line of the log.

    Raises:
        InputError: there are more sets than token rows.
        CheckpointError: ``out`` holds a state that does not fit ``config``.
        TrainingError: the loss stopped being finite.
    """
    stream = EpisodeStream(corpus, config.stream, seed=config.loop.seed, workers=workers)
    if config.model.rows and config.model.rows < len(stream.sets):
        raise InputError(f"the token table has {config.model.rows} rows for {len(stream.sets)} sets")
    model = Denoiser(config.model, seed=config.loop.seed)
    if start_from is not None:
        model.load_state_dict(start_from.state_dict())
    held_out = [entry.name for entry in corpus.sets if entry.held_out]
    validation = Validation(corpus, held_out) if held_out else None

    def loss(generator: torch.Generator) -> Tensor:
        total = torch.zeros((), device=model.device)
        for _ in range(config.accumulate):
            with torch.autocast(model.device.type, torch.bfloat16, enabled=config.bfloat16):
                losses = batch_loss(
                    model, next(stream), generator, drop_prompt=config.drop_prompt, drop_token=config.drop_token
                )
            total = total + losses.mean() / config.accumulate
        return total

    loop = Loop(model, loss, config.loop, position=stream)
    if (out / STATE).exists():
        loop.load(out)
    out.mkdir(parents=True, exist_ok=True)
    begun, recent = time.monotonic(), []
    trained = model.state_dict()

    def validate() -> dict[str, float]:
        averaged = Denoiser(config.model).to(model.device)
        averaged.load_state_dict(trained)
        loop.ema.copy_to(averaged)
        return validation(averaged) if validation is not None else {}

    def on_step(step: int, value: float) -> None:
        recent.append(value)
        if step % config.validate_every == 0 or step == config.loop.steps:
            line: dict[str, Any] = {
                "step": step,
                "seconds": time.monotonic() - begun,
                "loss": sum(recent) / len(recent),
            }
            line["held out"] = validate()
            recent.clear()
            with open(out / "log.jsonl", "a") as file:
                file.write(json.dumps(line) + "\n")
            if log is not None:
                log(line)

    loop.run(on_step=on_step, checkpoint=out, seconds=seconds)
    loop.ema.copy_to(model)
    return model.eval()


def config_to_dict(config: PretrainConfig) -> dict[str, Any]:
    """JSON-able, for logs and model cards."""
    return asdict(config) | {"model": config.model.to_dict()}
