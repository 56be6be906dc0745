r"""Fine-tuning on a user's few series, and knowing when to stop.

Every step is a small episode made of the shots alone: a random part of them is shown as the prompt, other shots are
denoised, so that the model learns to continue a set and not to repeat the series it is shown. Part of the shots is held
back; their denoising loss, a bound on how likely unseen series of the set are, says how many steps were best. A model
that begins to memorise its shots gets worse on those held back, so this also stops it before it copies.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor, nn

from tsprout.errors import InputError
from tsprout.model import Denoiser
from tsprout.nn.adapters import AdapterConfig, select_trainable
from tsprout.nn.conditioning import Memory
from tsprout.train.loop import Loop, LoopConfig, Progress

MIN_TO_HOLD_BACK = 5
# Shots longer than this in all are shown in part, a different part each time.
PROMPT_STEPS = 2048
# Noise levels at which the held-back series of one length are looked at, at least.
_SIGMAS_PER_LENGTH = 32


@dataclass(frozen=True)
class Shots:
    """Scaled series ``(n, channels, length)``, ``observed`` of the same shape, and each one's own ``lengths (n,)``.

    Unobserved cells hold 0.
    """

    values: Tensor
    observed: Tensor
    lengths: np.ndarray

    @classmethod
    def from_latent(cls, latent: np.ndarray, lengths: np.ndarray) -> Shots:
        """From scaled values with NaN where not observed."""
        observed = np.isfinite(latent)
        values = np.where(observed, latent, 0).astype(np.float32)
        return cls(torch.from_numpy(values), torch.from_numpy(observed), np.asarray(lengths))

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: np.ndarray) -> Shots:
        where = torch.from_numpy(np.asarray(index, dtype=np.int64))
        return Shots(self.values[where], self.observed[where], self.lengths[index])

    def to(self, device: torch.device) -> Shots:
        """The same on a device."""
        return Shots(self.values.to(device), self.observed.to(device), self.lengths)

    def cut(self, length: int) -> Shots:
        """The first ``length`` steps."""
        return Shots(self.values[..., :length], self.observed[..., :length], np.minimum(self.lengths, length))

    def part(self, rng: np.random.Generator | None = None, limit: int = PROMPT_STEPS) -> Shots:
        """As many of them as fit in a prompt: all, or a random choice (the first ones without ``rng``)."""
        most = max(1, limit // self.values.shape[-1])
        if len(self) <= most:
            return self
        return self[np.arange(most) if rng is None else rng.permutation(len(self))[:most]]


@dataclass(frozen=True)
class FinetuneConfig:
    """How to fine-tune.

    ``steps`` at most, with the held-back loss every ``evaluate_every`` of them, giving up after ``patience``
    evaluations without a better one; ``batch`` series a step in ``episodes`` groups with a prompt of their own each.
    ``ema``: largest decay of the averaged weights, which are those that are evaluated and kept. ``blind_steps``: at
    most this many where nothing is held back and nobody can see it copy.
    """

    steps: int = 300
    learning_rate: float = 5e-4
    warmup: int = 10
    batch: int = 64
    episodes: int = 4
    evaluate_every: int = 20
    patience: int = 4
    ema: float = 0.97
    blind_steps: int = 40


@dataclass
class Finetuned:
    """A fine-tuned model.

    ``adapter``: of a low-rank one; ``row``: its own in the token table, if it has one; ``steps`` after which its
    weights were taken; ``curve``: held-back loss by step, 0 is before training; ``stopped_by_clock``: it was late.
    """

    model: Denoiser
    adapter: AdapterConfig | None
    row: int | None
    steps: int
    curve: dict[int, float] = field(default_factory=dict)
    stopped_by_clock: bool = False


def hold_back(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Indices of ``count`` shots to train on, and to hold back: a fifth, at least two; none of fewer than five."""
    order = rng.permutation(count)
    held = 0 if count < MIN_TO_HOLD_BACK else min(64, max(2, round(count / 5)))
    return np.sort(order[held:]), np.sort(order[:held])


@torch.no_grad()
def held_back_loss(model: Denoiser, shots: Shots, held: Shots, row: int | None, *, seed: int) -> float:
    """Mean denoising loss of ``held`` with ``shots`` as the prompt; the same seed gives every model the same noise."""
    was = model.training
    model.eval()
    generator = torch.Generator().manual_seed(seed)
    sums, count = 0.0, 0
    device = model.device
    memory = _encode(model, [shots.part().to(device)]) if model.has_prompt else None
    for length in np.unique(held.lengths):
        some = held[np.flatnonzero(held.lengths == length)].cut(int(length)).to(device)
        for _ in range(max(4, math.ceil(_SIGMAS_PER_LENGTH / len(some)))):
            sigma = model.training_sigma(len(some), generator).to(device)
            noise = torch.randn(some.values.shape, generator=generator).to(device)
            rows = None if row is None else torch.full((len(some),), row, device=device)
            losses = model.losses(some.values, some.observed, sigma, noise, rows, memory)
            sums, count = sums + float(losses.sum()), count + len(some)
    model.train(was)
    return sums / max(count, 1)


def _encode(model: Denoiser, prompts: list[Shots], present: Tensor | None = None) -> Memory:
    """Encode several prompts of perhaps different numbers of shots at once."""
    most = max(len(p) for p in prompts)
    values = torch.stack([nn.functional.pad(p.values, (0, 0, 0, 0, 0, most - len(p))) for p in prompts])
    observed = torch.stack([nn.functional.pad(p.observed, (0, 0, 0, 0, 0, most - len(p))) for p in prompts])
    return model.encode(values, observed, present)


def with_new_token(model: Denoiser) -> tuple[Denoiser, int | None]:
    """A copy of the model with one more row in its token table, and that row.

    With a prompt the new set starts from the null token, which pre-training met together with every prompt; without one
    it starts from the mean of all rows (arXiv 2505.20446).
    """
    config = model.config
    if not config.rows:
        twin = Denoiser(config).to(model.device)
        twin.load_state_dict(model.state_dict())
        return twin, None
    twin = Denoiser(replace(config, rows=config.rows + 1)).to(model.device)
    state = dict(model.state_dict())
    name = "backbone.conditioner.token."
    start = state[name + "null"] if model.has_prompt else state[name + "table"].mean(0)
    state[name + "table"] = torch.cat([state[name + "table"], start[None]])
    twin.load_state_dict(state)
    return twin, config.rows


class _Episodes:
    """Draws the batches of one fine-tuning."""

    def __init__(self, model: Denoiser, shots: Shots, row: int | None, config: FinetuneConfig, seed: int) -> None:
        self.model, self.shots, self.row, self.config = model, shots.to(model.device), row, config
        self.rng = np.random.default_rng(seed)
        self.groups = [np.flatnonzero(shots.lengths == length) for length in np.unique(shots.lengths)]
        self.shares = np.array([len(g) for g in self.groups]) / len(shots)

    def loss(self, generator: torch.Generator) -> Tensor:
        """Mean loss of one batch: series of one length, in episodes with a prompt of their own each."""
        rng, config, device = self.rng, self.config, self.model.device
        group = self.groups[int(rng.choice(len(self.groups), p=self.shares))]
        per = max(1, config.batch // config.episodes)
        chosen, prompts = [], []
        for _ in range(config.episodes):
            shown, targets = self._split(group)
            prompts.append(self.shots[shown].part(rng))
            chosen.append(rng.choice(targets, per))
        batch = self.shots[np.concatenate(chosen)].cut(int(self.shots.lengths[group[0]]))
        memory = None
        if self.model.has_prompt:
            # A single series cannot be both prompt and target: it would teach copying.
            present = torch.full((config.episodes,), len(self.shots) > 1, device=device)
            memory = _encode(self.model, prompts, present)
        sigma = self.model.training_sigma(len(batch), generator).to(device)
        noise = torch.randn(batch.values.shape, generator=generator).to(device)
        rows = None if self.row is None else torch.full((len(batch),), self.row, device=device)
        return self.model.losses(batch.values, batch.observed, sigma, noise, rows, memory).mean()

    def _split(self, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Series to show, a random half or more of all, and series of ``group`` to denoise, which are not among them.

        A single series is both.
        """
        order = self.rng.permutation(len(self.shots))
        most = max(1, len(order) - 1)
        shown = order[: int(self.rng.integers(min(max(1, len(order) // 2), most), most + 1))]
        targets = np.setdiff1d(group, shown)
        if len(targets) == 0:
            # All of that length are shown: take one of them out, or where it is the only one shown, show the others.
            target = self.rng.choice(group)
            others = np.setdiff1d(shown, [target])
            if len(others) == 0 and len(order) > 1:
                others = np.setdiff1d(order, [target])
            return others if len(others) else shown, np.array([target])
        return shown, targets


def finetune(
    model: Denoiser,
    shots: Shots,
    held: Shots,
    mode: str,
    config: FinetuneConfig,
    *,
    seed: int = 0,
    seconds: float | None = None,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Finetuned:
    """Fine-tune a copy of ``model`` on ``shots``, keeping the weights that were best on ``held``.

    Args:
        model: left as it is.
        shots: scaled series to train on, at least one.
        held: scaled series held back, may be empty; then ``config.blind_steps`` steps are taken and kept.
        mode: ``"full"``, ``"lora"``, ``"bias"`` or ``"token"``.
        config: see :class:`FinetuneConfig`.
        seed: of everything random.
        seconds: stop at the next evaluation after this much wall time.
        progress: told the stage, steps done and steps in all.
        clock: for tests.

    Raises:
        InputError: for an unknown mode or no shots.
        TrainingError: if the loss stops being finite.
    """
    if len(shots) == 0:
        raise InputError("fine-tuning needs at least one series")
    twin, row = with_new_token(model)
    adapter = select_trainable(twin, mode, seed=seed)
    episodes = _Episodes(twin, shots, row, config, seed)
    steps = config.steps if len(held) else min(config.steps, config.blind_steps)
    # Few trained parameters need, and bear, a larger rate.
    rate = config.learning_rate * {"full": 1.0, "lora": 3.0, "bias": 6.0, "token": 20.0}[mode]
    loop = Loop(
        twin,
        episodes.loss,
        LoopConfig(steps, rate, warmup=config.warmup, betas=(0.9, 0.95), weight_decay=0.0, ema=config.ema, seed=seed),
    )
    curve: dict[int, float] = {}
    best: dict[str, Tensor] = {n: p.clone() for n, p in loop.ema.average.items()}
    if len(held):
        curve[0] = held_back_loss(twin, shots, held, row, seed=seed)
    begun = clock()
    late = False

    def on_step(step: int, _: float) -> bool:
        nonlocal best, late
        if progress is not None:
            progress("fit", step, steps)
        if step % config.evaluate_every and step != steps:
            return False
        late = seconds is not None and clock() - begun > seconds
        if not len(held):
            return late
        current = {n: p.detach().clone() for n, p in twin.named_parameters() if n in loop.ema.average}
        loop.ema.copy_to(twin)
        curve[step] = held_back_loss(twin, shots, held, row, seed=seed)
        if curve[step] < min(v for s, v in curve.items() if s != step):
            best = {n: p.clone() for n, p in loop.ema.average.items()}
        with torch.no_grad():
            for name, parameter in twin.named_parameters():
                if name in current:
                    parameter.copy_(current[name])
        since = [s for s in curve if s > min(curve, key=lambda s: curve[s])]
        return late or len(since) >= config.patience

    loop.run(on_step=on_step)
    if progress is not None and loop.step < steps:
        progress("fit", steps, steps)
    if not len(held):
        best = loop.ema.average
    with torch.no_grad():
        for name, parameter in twin.named_parameters():
            if name in best:
                parameter.copy_(best[name])
    kept = min(curve, key=lambda s: curve[s]) if curve else loop.step
    return Finetuned(twin.requires_grad_(False).eval(), adapter, row, kept, curve, late and loop.step < steps)
