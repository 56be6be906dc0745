r"""Fine-tuning on a user's few series, and knowing when to stop.

Every step is a small episode made of the shots alone: a random part of them is shown as the prompt, other shots are
denoised, so that the model learns to continue a set and not to repeat the series it is shown. Now and then a judge
looks at what the model draws (:mod:`tsprout.train.judge`) and says how well that would serve series held back. The
longest training is kept that it does not mind, and training ends when it minds for a while, or sees copies.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from tsprout.errors import InputError
from tsprout.model import Denoiser
from tsprout.nn.adapters import AdapterConfig, select_trainable
from tsprout.progress import Progress
from tsprout.train.judge import Judgement
from tsprout.train.loop import Loop, LoopConfig
from tsprout.train.shots import Shots, encode_prompts

# Share of a score that a few held-back series cannot tell. Within it longer training is better: it teaches the fine
# structure, which the score hardly sees (docs/experiments/fine-tuning.md).
INDIFFERENT = 0.08
# Fewer steps teach nothing that a score could miss, and lose what an untrained model is drawn with.
LEAST_STEPS = 20
# Series, and the steps that so many bear: few are soon copied, hundreds teach long (docs/experiments/fine-tuning.md).
_BORNE = ((25, 50, 150), (160, 480, 1920))
# Shown in one episode: more cost time, teach nothing more, and draw samples nearer (docs/experiments/fine-tuning.md).
MOST_SHOWN = 24
# Of the solver, for what is trained from a guided model: about as many calls of the network as its own guided steps.
UNGUIDED_STEPS = 10


@dataclass(frozen=True)
class FinetuneConfig:
    """How to fine-tune.

    ``steps`` at most; the judge looks after every ``evaluate_every`` of them, and training ends after ``patience``
    looks that :func:`best_step` would not keep. ``batch`` series a step, in ``episodes`` groups with a prompt of their
    own each. ``ema`` of the weights. ``blind_steps``: how many steps to take where there is no judge.
    """

    steps: int = 160
    learning_rate: float = 5e-4
    warmup: int = 10
    batch: int = 64
    episodes: int = 4
    evaluate_every: int = 20
    patience: int = 3
    ema: float = 0.97
    blind_steps: int = 40

    @classmethod
    def for_shots(cls, count: int) -> FinetuneConfig:
        """How to fine-tune on ``count`` series: more of them bear longer training, with as many looks of the judge."""
        return cls().with_steps(round(float(np.interp(count, *_BORNE))))

    def with_steps(self, steps: int) -> FinetuneConfig:
        """The same for other ``steps``; the judge looks as often, but not after fewer steps than usual."""
        every = max(min(self.evaluate_every, LEAST_STEPS), self.evaluate_every * steps // self.steps)
        return replace(self, steps=steps, evaluate_every=every, blind_steps=min(steps, self.blind_steps))


@dataclass
class Finetuned:
    """A fine-tuned model.

    ``adapter``: of a low-rank one; ``row``: its own in the token table, if it has one; ``steps`` after which its
    weights were taken; ``judged``: what the judge said, by step (0 is before training); ``stopped_by_clock``: it was
    late.
    """

    model: Denoiser
    adapter: AdapterConfig | None
    row: int | None
    steps: int
    judged: dict[int, Judgement] = field(default_factory=dict)
    stopped_by_clock: bool = False


def with_new_token(model: Denoiser) -> tuple[Denoiser, int | None]:
    """A copy of the model with one more row in its token table, and that row.

    Its samples are not guided: that sharpens what an untrained model makes of the shots, and harms one trained on them;
    the calls of the network that this saves are better spent on steps (docs/experiments/fine-tuning.md).

    With a prompt the new set starts from the null token, which pre-training met together with every prompt; without one
    it starts from the mean of all rows (arXiv 2505.20446).
    """
    config = model.config
    if config.guidance != 1:
        config = replace(config, guidance=1.0, steps=max(config.steps, UNGUIDED_STEPS))
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
        # Of one label and length each, with what may be shown beside it: a label is drawn from its own shots, too.
        self.groups = [
            (members[shots.lengths[members] == length], members if len(members) > 1 else np.arange(len(shots)))
            for members in shots.by_label().values()
            for length in np.unique(shots.lengths[members])
        ]
        self.shares = np.array([len(group) for group, _ in self.groups]) / len(shots)

    def loss(self, generator: torch.Generator) -> Tensor:
        """Mean loss of one batch: series of one label and length, in episodes with a prompt of their own each."""
        rng, config, device = self.rng, self.config, self.model.device
        group, alike = self.groups[int(rng.choice(len(self.groups), p=self.shares))]
        per = max(1, config.batch // config.episodes)
        chosen, prompts = [], []
        for _ in range(config.episodes):
            shown, targets = self._split(group, alike)
            prompts.append(self.shots[shown].part(rng))
            chosen.append(rng.choice(targets, per))
        batch = self.shots[np.concatenate(chosen)].cut(int(self.shots.lengths[group[0]]))
        memory = None
        if self.model.has_prompt:
            # A single series cannot be both prompt and target: it would teach copying.
            present = torch.full((config.episodes,), len(self.shots) > 1, device=device)
            memory = encode_prompts(self.model, prompts, present)
        sigma = self.model.training_sigma(len(batch), generator).to(device)
        noise = torch.randn(batch.values.shape, generator=generator).to(device)
        rows = None if self.row is None else torch.full((len(batch),), self.row, device=device)
        # Gaps are noised as what they are filled with, as nothing that is drawn has any, and count for nothing.
        losses = self.model.losses(batch.values, batch.within, sigma, noise, rows, memory, counted=batch.observed)
        return losses.mean()

    def _split(self, group: np.ndarray, alike: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Series to show, and series of ``group`` to denoise, which are not among them.

        Shown are a random half or more of those ``alike``, but :data:`MOST_SHOWN` at most. A single series is both.
        """
        order = self.rng.permutation(alike)
        most = max(1, len(order) - 1)
        shown = order[: min(MOST_SHOWN, int(self.rng.integers(min(max(1, len(order) // 2), most), most + 1)))]
        targets = np.setdiff1d(group, shown)
        if len(targets) == 0:
            # All of that length are shown: take one of them out, or where it is the only one shown, show the others.
            target = self.rng.choice(group)
            others = np.setdiff1d(shown, [target])
            if len(others) == 0 and len(order) > 1:
                others = np.setdiff1d(order, [target])
            return others if len(others) else shown, np.array([target])
        return shown, targets


def best_step(judged: dict[int, Judgement]) -> int:
    """The last step among those that are clear of the shots and whose score is within :data:`INDIFFERENT` of the lowest
    of these; where no trained one is, the one with the lowest score, trained or not, that is at least no copy.

    Step 0, before training, has copied from nobody. A training of fewer than :data:`LEAST_STEPS` must have the lowest
    score itself. Where all copy it is the one with the lowest score. A further step never brings an earlier one back.
    """
    clear = {step: verdict.score for step, verdict in judged.items() if step == 0 or verdict.clear}
    lowest = min(clear.values(), default=0.0)
    within = lowest + INDIFFERENT * abs(lowest)
    good = [step for step, score in clear.items() if score <= (within if step >= LEAST_STEPS else lowest)]
    if any(good):
        return max(good)
    fair = {step: verdict for step, verdict in judged.items() if step == 0 or not verdict.copies} or judged
    return min(fair, key=lambda step: fair[step].score)


def finetune(
    model: Denoiser,
    shots: Shots,
    mode: str,
    config: FinetuneConfig,
    *,
    judge: Callable[[Denoiser, int | None], Judgement] | None = None,
    seed: int = 0,
    seconds: float | None = None,
    progress: Progress | None = None,
    stage: str = "fit",
    clock: Callable[[], float] = time.monotonic,
) -> Finetuned:
    """Fine-tune a copy of ``model`` on ``shots``, keeping the weights of :func:`best_step`.

    Args:
        model: left as it is.
        shots: scaled series to train on, at least one.
        mode: ``"full"``, ``"lora"``, ``"bias"`` or ``"token"``.
        config: see :class:`FinetuneConfig`.
        judge: looks at a model and its row in the token table; without one ``config.blind_steps`` steps are taken.
        seed: of everything random.
        seconds: stop after this much wall time, with a last look.
        progress: told the ``stage``, steps done and steps in all.
        stage: what to call this.
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
    steps = config.blind_steps if judge is None else config.steps
    # Few trained parameters need, and bear, a larger rate.
    rate = config.learning_rate * {"full": 1.0, "lora": 3.0, "bias": 6.0, "token": 20.0}[mode]
    loop = Loop(
        twin,
        episodes.loss,
        LoopConfig(steps, rate, warmup=config.warmup, betas=(0.9, 0.95), weight_decay=0.0, ema=config.ema, seed=seed),
    )
    judged: dict[int, Judgement] = {}
    best = {n: p.clone() for n, p in loop.ema.average.items()}
    if progress is not None:
        progress(stage, 0, steps)
    begun = clock()
    if judge is not None:
        judged[0] = judge(twin, row)
    late = False

    def look(step: int) -> bool:
        """Have the averaged weights judged, keep them if they are the best; True if training should end."""
        nonlocal best
        assert judge is not None
        current = {n: p.detach().clone() for n, p in twin.named_parameters() if n in loop.ema.average}
        loop.ema.copy_to(twin)
        judged[step] = judge(twin, row)
        _overwrite(twin, current)
        if best_step(judged) == step:
            best = {n: p.clone() for n, p in loop.ema.average.items()}
        worse = sum(other > best_step(judged) for other in judged)
        return worse >= config.patience or judged[step].copies

    def on_step(step: int, _: float) -> bool:
        nonlocal late
        late = seconds is not None and clock() - begun > seconds
        over = late
        if judge is not None and (late or step % config.evaluate_every == 0 or step == steps):
            over = look(step) or late
        if progress is not None:
            progress(stage, step, steps)
        return over

    loop.run(on_step=on_step)
    if progress is not None and loop.step < steps:
        progress(stage, steps, steps)
    _overwrite(twin, best if judge is not None else loop.ema.average)
    kept = best_step(judged) if judged else loop.step
    return Finetuned(twin.requires_grad_(False).eval(), adapter, row, kept, judged, late and loop.step < steps)


@torch.no_grad()
def _overwrite(model: Denoiser, weights: dict[str, Tensor]) -> None:
    for name, parameter in model.named_parameters():
        if name in weights:
            parameter.copy_(weights[name])
