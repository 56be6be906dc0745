"""Pre-training: one model, many sets, episodes with token and prompt each dropped out at random.

A piece of a step is what the stream gives for one number: a batch of episodes, or several groups that form one batch
(one a channel count, when whole sets are mixed). It becomes a loss: encode every episode's shots, denoise
its targets; the mean over all its series. One checkpoint then serves token and prompt, prompt only, token only, and
neither. What carries the step is :mod:`tsprout.train.engine`, what makes the step is :mod:`tsprout.train.loop`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tsprout.checkpoint import Checkpoint
from tsprout.data.corpus.episodes import Batch, EpisodeStream, StreamConfig
from tsprout.data.corpus.store import Corpus
from tsprout.errors import InputError, TrainingError
from tsprout.model import Denoiser, ModelConfig
from tsprout.train.engine import Engine, EngineConfig
from tsprout.train.loop import STATE, Loop, LoopConfig
from tsprout.train.record import LEVELS, Record
from tsprout.train.start import Started, start_from
from tsprout.train.validation import Validation, held_out_sets, noised, sent
from tsprout.train.watch import Watch

FewShot = Callable[[Denoiser], dict[str, float]]
# What a resumed run may have otherwise than the run it continues.
_FREE = {f"loop.{name}" for name in ("steps", "learning_rate", "warmup", "cooldown", "decay", "clip")}
_FREE |= {"name", "engine", "validate_every", "few_shot_every", "log_every"}
_FREE |= {f"model.{name}" for name in ("solver", "steps", "guidance", "guidance_low", "guidance_high")}


@dataclass(frozen=True)
class PretrainConfig:
    """What to pre-train, on what, and how.

    ``stream``: what is drawn from the corpus. ``pieces``: batches of the stream a step. ``drop_prompt`` and
    ``drop_token``: probabilities per episode. ``validate_every``, ``few_shot_every``, ``log_every``: steps (0: never);
    validation is on the sets that the corpus holds out, or with ``exclude_domains`` on those of these domains, which
    are then not trained on. ``engine``: how the run is carried.
    """

    model: ModelConfig
    loop: LoopConfig
    stream: Any = field(default_factory=StreamConfig)
    pieces: int = 1
    drop_prompt: float = 0.1
    drop_token: float = 0.5
    validate_every: int = 500
    few_shot_every: int = 0
    log_every: int = 50
    exclude_domains: tuple[str, ...] = ()
    engine: EngineConfig = field(default_factory=EngineConfig)
    name: str = ""


@dataclass(frozen=True)
class Pretrained:
    """``model`` with averaged weights; ``sets``: names by token row; ``started``: what was taken from another
    checkpoint; ``resumed``: the step it went on from; ``stopped``: "steps", "time" or "asked"."""

    model: Denoiser
    steps: int
    windows: int
    seconds: float
    sets: list[str]
    validation: list[str]
    held_out: dict[str, float]
    started: Started | None
    resumed: int | None
    stopped: str


class Pretraining:
    """One run: model, stream, loop and log, and what of them a state must hold beside the loop's own."""

    def __init__(self, config: PretrainConfig, corpus: Corpus | None, out: Path, engine: Engine, board: bool) -> None:
        exclude, self.held_out = held_out_sets(corpus, config.exclude_domains)
        self.config, self.engine, self.out = config, engine, out
        self.stream = open_stream(config, corpus, engine, exclude)
        self.sets: list[str] = list(self.stream.sets)
        if config.model.rows and config.model.rows < len(self.sets):
            raise InputError(
                f"the token table has {config.model.rows} rows for {len(self.sets)} sets",
                fix="Set model.rows to that many or more.",
            )
        self.model = Denoiser(config.model, seed=config.loop.seed)
        engine.prepare(self.model)
        self.record = Record(out, writes=engine.rank == 0, board=board)
        self.watch = Watch()
        self.loop = Loop(self.model, self.loss, config.loop, pieces=config.pieces, engine=engine, position=self)

    def loss(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Mean loss of the next piece, and its tally for the log."""
        drawn = next(self.stream)
        groups: list[Batch] = drawn if isinstance(drawn, list) else [drawn]
        sizes = [group.targets.shape[0] * group.targets.shape[1] for group in groups]
        sigma = self.model.training_sigma(sum(sizes), generator)
        config = self.config
        dropped = {"drop_prompt": config.drop_prompt, "drop_token": config.drop_token}
        parts = [
            noised(self.model, group, generator, sigma=level, **dropped)
            for group, level in zip(groups, sigma.split(sizes), strict=True)
        ]
        losses = torch.cat(self.model.losses_of_groups(parts))
        return losses.mean(), tally(losses.detach(), sigma)

    def averaged(self) -> Denoiser:
        """A copy of the model with averaged weights."""
        copy = Denoiser(self.config.model).to(self.model.device)
        copy.load_state_dict(self.model.state_dict())
        self.loop.ema.copy_to(copy)
        return copy.eval()

    def state_dict(self) -> dict[str, Any]:
        """Position in the data, sums of the log, the watch, and the configuration."""
        self.record.sync()
        return {
            "data": self.stream.state_dict(),
            "record": self.record.state_dict(),
            "watch": self.watch.state_dict(),
            "config": _plain(self.config),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`state_dict`.

        Raises:
            InputError: the configuration has changed in something that matters.
        """
        old, new = _flat(state["config"]), _flat(_plain(self.config))
        changed = [k for k in sorted({*old, *new}) if old.get(k) != new.get(k) and not _is_free(k)]
        if changed:
            told = ", ".join(f"{k} was {old.get(k)} and is {new.get(k)}" for k in changed[:4])
            raise InputError(f"the configuration has changed: {told}")
        self.stream.load_state_dict(state["data"])
        self.record.load_state_dict(state["record"])
        self.watch.load_state_dict(state["watch"])


def open_stream(config: PretrainConfig, corpus: Corpus | None, engine: Engine, exclude: Sequence[str]) -> Any:
    """The stream a configuration describes, for this rank."""
    place: dict[str, Any] = {"seed": config.loop.seed, "rank": engine.rank, "world": engine.world}
    place["workers"] = config.engine.workers
    if exclude:
        place["exclude"] = exclude
    if isinstance(config.stream, StreamConfig):
        return EpisodeStream(corpus, config.stream, **place)
    from tsprout.data.corpus.windows import WindowStream

    return WindowStream(corpus, config.stream, **place)


def tally(losses: Tensor, sigma: Tensor) -> Tensor:
    """Windows, then sum of losses and count of the series by the nearest of :data:`LEVELS`: ``(1 + 2 * levels,)``."""
    middles = torch.tensor(LEVELS).log()
    place = sent(torch.bucketize(sigma.log(), (middles[1:] + middles[:-1]) / 2), losses.device)
    zero = torch.zeros(len(LEVELS), device=losses.device)
    sums, counts = zero.index_add(0, place, losses.float()), zero.index_add(0, place, torch.ones_like(losses.float()))
    return torch.cat([counts.sum().reshape(1), sums, counts])


def pretrain(
    config: PretrainConfig,
    corpus: Corpus | None,
    out: Path,
    *,
    engine: Engine | None = None,
    seconds: float | None = None,
    start: Checkpoint | None = None,
    few_shot: FewShot | None = None,
    board: bool = False,
    log: Callable[[dict[str, Any]], None] | None = None,
    live: Callable[[int, float, float], None] | None = None,
    stop: Callable[[], bool] | None = None,
    on_ready: Callable[[], None] | None = None,
) -> Pretrained:
    """Train a model, or go on where an earlier run in the same folder was broken off.

    Args:
        config: what and how.
        corpus: built by ``tsprout corpus build``; ``None`` where all episodes are synthetic.
        out: folder for ``state.safetensors`` (resumed from if present) and ``log.jsonl``; on several machines one that
            all of them see.
        engine: of this process where not given.
        seconds: stop after this much wall time, to be resumed later.
        start: weights to begin with; not looked at when a run is resumed.
        few_shot: scores of the averaged model, by name, for the log every ``config.few_shot_every`` steps.
        board: log for TensorBoard too.
        log: called with every line of the log.
        live: called after every step with its number, the loss, and windows a second.
        stop: asked after every step whether to stop there, to be resumed later.
        on_ready: called once the folder is there and nothing has been refused.

    Raises:
        InputError: there are more sets than token rows, no such domain, ranks that do not divide the pieces.
        CheckpointError: ``out`` holds a state that does not fit ``config``.
        TrainingError: the loss stopped being finite, or went up and stayed there; the last good state is in ``out``.
    """
    engine = engine or Engine(config.engine)
    run = Pretraining(config, corpus, out, engine, board)
    loop, record = run.loop, run.record
    validation = Validation(corpus, run.held_out) if corpus is not None and run.held_out and engine.rank == 0 else None
    resumed, started = None, None
    if (out / STATE).exists():
        loop.load(out)
        resumed = loop.step
    elif start is not None:
        started = start_from(run.model, start, run.sets)
        loop.restart_average()
    engine.wait()
    out.mkdir(parents=True, exist_ok=True)
    record.open(loop.step)
    if on_ready is not None:
        on_ready()
    if resumed is None:
        loop.save(out)
    held_out: tuple[int, dict[str, float]] = (-1, {})

    def due(step: int, every: int) -> bool:
        return every > 0 and (step % every == 0 or step == config.loop.steps)

    def measure(step: int) -> dict[str, Any]:
        nonlocal held_out
        more: dict[str, Any] = {}
        if due(step, config.validate_every):
            held_out = (step, {} if validation is None else validation(run.averaged()))
            more["held out"] = held_out[1]
        if few_shot is not None and engine.rank == 0 and due(step, config.few_shot_every):
            more["few_shot"] = scores(few_shot, run.averaged())
        return more

    def on_step(step: int, value: float) -> bool:
        assert loop.last is not None
        record.add(loop.last)
        if run.watch.see(value):
            raise TrainingError(f"the loss has gone up and stayed there: {value:.3g} at step {step}")
        if live is not None:
            live(step, value, record.speed())
        speed = record.speed()
        more = measure(step)
        if more or due(step, config.log_every):
            line = record.line(step, loop.last.rate, speed, more)
            if log is not None:
                log(line)
        return stop is not None and stop()

    try:
        loop.run(
            on_step=on_step,
            checkpoint=out,
            every_seconds=config.engine.save_seconds,
            seconds=seconds,
            well=lambda: run.watch.well,
        )
    except TrainingError as error:
        raise TrainingError(
            error.what,
            where=str(out),
            fix=f"The state of step {loop.saved}, from before that, is kept. Go on from it with a lower rate "
            "(training.learning_rate), or look for extreme values in the data and start anew.",
        ) from error
    finally:
        record.close()
    (asked,) = engine.any(stop is not None and stop())
    stopped = "steps" if loop.step >= config.loop.steps else "asked" if asked else "time"
    model = run.averaged()
    if validation is not None and held_out[0] != loop.step:
        held_out = (loop.step, validation(model))
    return Pretrained(
        model,
        loop.step,
        record.windows,
        record.seconds,
        run.sets,
        run.held_out,
        held_out[1],
        started,
        resumed,
        stopped,
    )


def scores(few_shot: FewShot, model: Denoiser) -> dict[str, float]:
    """What the hook says, as far as it is finite; nothing where the samples are not, which must not end a training."""
    try:
        return {name: value for name, value in few_shot(model).items() if math.isfinite(value)}
    except TrainingError:
        return {}


def config_to_dict(config: PretrainConfig) -> dict[str, Any]:
    """JSON-able, for logs and model cards."""
    return asdict(config) | {"model": config.model.to_dict()}


def _plain(config: PretrainConfig) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(config_to_dict(config)))
    return found


def _flat(values: dict[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= _flat(value, f"{above}{key}.") if isinstance(value, dict) else {f"{above}{key}": value}
    return found


def _is_free(key: str) -> bool:
    return key in _FREE or key.split(".")[0] in _FREE
