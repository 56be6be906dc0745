"""Fit a model to the shots: hold some back, fine-tune within the budget, keep what serves the held-back series best."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch

from tsprout.budget import affordable_steps
from tsprout.errors import InputError, TrainingError
from tsprout.model import Denoiser
from tsprout.nn.adapters import MODES as TRAINED_MODES
from tsprout.nn.adapters import AdapterConfig
from tsprout.train.finetune import (
    MIN_TO_HOLD_BACK,
    FinetuneConfig,
    Finetuned,
    Progress,
    Shots,
    finetune,
    held_back_loss,
    hold_back,
)

MODES = ("auto", "prompt", *TRAINED_MODES)
# Below this share of the distance at which unseen series lie from the shots, a sample counts as copying.
LEAST_COPYING_RATIO = 0.5


@dataclass
class FitReport:
    """How a model was fitted.

    ``mode`` kept and ``requested``; ``reason`` in one sentence; training ``steps`` kept; ``seconds`` it took;
    ``validation``: denoising loss on the held-back series (lower is better) by candidate, with its ``curve`` by step;
    ``held_back``: how many series; ``copying``: by candidate, median distance of samples to the shots in units of the
    distance of held-back series to them (1: as far as unseen series, 0: copies); ``notes`` for the user.
    """

    mode: str
    requested: str
    reason: str
    steps: int = 0
    seconds: float = 0.0
    held_back: int = 0
    validation: dict[str, float] = field(default_factory=dict)
    curve: dict[int, float] = field(default_factory=dict)
    copying: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; inverse of :meth:`from_dict`."""
        values = asdict(self)
        return values | {"notes": list(self.notes), "curve": {str(k): v for k, v in self.curve.items()}}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> FitReport:
        """Build from :meth:`to_dict`'s output."""
        curve = {int(k): v for k, v in values.get("curve", {}).items()}
        return cls(**(values | {"curve": curve, "notes": tuple(values.get("notes", ()))}))


@dataclass
class Fitted:
    """A fitted model, its adapter if it has one, its row in the token table if it has one, and the report."""

    model: Denoiser
    adapter: AdapterConfig | None
    row: int | None
    report: FitReport


def step_cost(model: Denoiser, shots: Shots, config: FinetuneConfig) -> float:
    """About how many multiply-adds the forward pass of one fine-tuning step takes."""
    columns = shots.values.shape[-1] / model.config.dimension
    shown = len(shots.part()) * config.episodes if model.has_prompt else 0
    if model.config.backbone == "unet":
        columns *= 8
    return model.parameter_count * columns * (config.batch + 0.5 * shown)


def fit_model(
    model: Denoiser,
    latent: np.ndarray,
    lengths: np.ndarray,
    mode: str,
    *,
    seconds: float,
    seed: int,
    progress: Progress | None = None,
    config: FinetuneConfig | None = None,
) -> Fitted:
    """Fit ``model`` to scaled series.

    Args:
        model: pre-trained; left as it is.
        latent: ``(n, channels, length)`` scaled, NaN where not observed.
        lengths: ``(n,)`` each series' own length.
        mode: one of :data:`MODES`. ``auto`` keeps the better of prompt-only and fully fine-tuned.
        seconds: budget for training.
        seed: of everything random.
        progress: told stage, steps done, steps in all.
        config: of the fine-tuning; its ``steps`` are capped by the budget.

    Raises:
        InputError: unknown mode, or a mode this model has no part for.
        TrainingError: the loss stopped being finite; with ``auto`` a model that can be shown the series does without.
    """
    if mode not in MODES:
        raise InputError(f"there is no mode {mode!r}", where="--mode", fix=f"Choose one of: {', '.join(MODES)}.")
    begun = time.monotonic()
    shots = Shots.from_latent(latent, lengths)
    if mode == "prompt" or (mode == "auto" and len(shots) < MIN_TO_HOLD_BACK and model.has_prompt):
        if not model.has_prompt:
            raise InputError(
                "this model has no prompt encoder, so it has to be trained", where="--mode", fix="Choose mode full."
            )
        reason = (
            "asked for: the model is shown the series and not trained"
            if mode == "prompt"
            else f"{len(shots)} series are too few to hold any back, and training blind could only copy them"
        )
        if progress is not None:
            progress("fit", 1, 1)
        return Fitted(model, None, None, FitReport("prompt", mode, reason, seconds=time.monotonic() - begun))

    config = config or FinetuneConfig()
    cost = step_cost(model, shots, config)
    steps = affordable_steps(seconds, cost, config.steps)
    config = replace(config, steps=steps)
    kept, held = hold_back(len(shots), np.random.default_rng(seed))
    own, other = shots[kept], shots[held]
    trained_mode = "full" if mode == "auto" else mode
    try:
        tuned = finetune(model, own, other, trained_mode, config, seed=seed, seconds=1.5 * seconds, progress=progress)
    except TrainingError as error:
        if mode != "auto" or not model.has_prompt:
            raise
        reason = f"training failed ({error.what}), so the model is shown the series and not trained"
        spent = time.monotonic() - begun
        return Fitted(model, None, None, FitReport("prompt", mode, reason, seconds=spent, held_back=len(held)))
    report = FitReport(trained_mode, mode, "", tuned.steps, held_back=len(held), curve=tuned.curve)
    notes = []
    if tuned.stopped_by_clock:
        notes.append("training was stopped by the clock: the machine was slow, and another run may stop elsewhere")
    if steps < config.evaluate_every and len(other):
        notes.append(f"the budget bought {steps} training steps only; a larger one would serve better")
    if len(other) == 0:
        notes.append(f"{len(shots)} series are too few to hold any back: trained for {tuned.steps} steps unseen")
    if len(other):
        report.validation[trained_mode] = min(tuned.curve.values())
        if model.has_prompt:
            report.validation["prompt"] = held_back_loss(model, own, other, None, seed=seed)
    result = _choose(model, tuned, own, other, mode, report, seed)
    report.seconds = time.monotonic() - begun
    report.notes = tuple(notes)
    return result


def _choose(
    model: Denoiser, tuned: Finetuned, own: Shots, held: Shots, mode: str, report: FitReport, seed: int
) -> Fitted:
    """The trained model, or for ``auto`` the one that serves the held-back series better without copying."""
    trained = Fitted(tuned.model, tuned.adapter, tuned.row, report)
    if len(held):
        report.copying[report.mode] = copying_ratio(tuned.model, own, held, tuned.row, seed)
    if mode != "auto" or not model.has_prompt:
        report.reason = _reason(tuned, len(held), mode)
        return trained
    before, after = report.validation["prompt"], report.validation["full"]
    gain = 100 * (1 - after / before)
    report.copying["prompt"] = copying_ratio(model, own, held, None, seed)
    copies = report.copying["full"] < LEAST_COPYING_RATIO and report.copying["full"] < report.copying["prompt"]
    if tuned.steps > 0 and after < before and not copies:
        report.reason = (
            f"{tuned.steps} training steps brought the error on the {len(held)} held-back series down by {gain:.0f} %, "
            f"and its samples lie {report.copying['full']:.2f} times as far from your series as unseen ones do"
        )
        return trained
    report.mode, report.steps = "prompt", 0
    report.reason = (
        "training began to copy your series: its samples lay "
        f"{report.copying['full']:.2f} times as far from them as unseen ones do"
        if copies and after < before
        else f"training did not bring the error on the {len(held)} held-back series down"
    )
    return Fitted(model, None, None, report)


def _reason(tuned: Finetuned, held: int, mode: str) -> str:
    """Why a trained model was kept without comparing it with the prompt."""
    why = "asked for" if mode != "auto" else "this model has no prompt encoder, so it has to be trained"
    if held == 0:
        return f"{why}: {tuned.steps} training steps, none of them checked on series held back"
    if tuned.steps == 0:
        return f"{why}, but no training brought the error on the {held} held-back series down: nothing changed"
    return f"{why}: {tuned.steps} training steps, the best of those tried on the {held} held-back series"


def copying_ratio(model: Denoiser, own: Shots, held: Shots, row: int | None, seed: int, count: int = 64) -> float:
    """Median distance of ``count`` samples to the nearest shot, in units of that of the held-back series.

    Series are compared over the length of the shortest. The held-back series are few, so this is a guard against
    copying and not a measurement of it.
    """
    own, held = own.to(model.device), held.to(model.device)
    length = int(np.min(np.concatenate([own.lengths, held.lengths])))
    shots = own.part()
    memory = model.encode(shots.values[None], shots.observed[None]) if model.has_prompt else None
    rows = None if row is None else torch.full((1,), row, device=model.device)
    generator = torch.Generator().manual_seed(seed)
    shape = (count, own.values.shape[1], length)
    drawn = model.sample(shape, generator, rows=rows, memory=memory, steps=min(12, model.config.steps))
    shown = own.cut(length)
    reference = _nearest(held.cut(length).values, shown.values)
    return float(_nearest(drawn, shown.values).median() / reference.median().clamp(min=1e-6))


def _nearest(series: torch.Tensor, shots: torch.Tensor) -> torch.Tensor:
    return torch.cdist(series.flatten(1), shots.flatten(1)).min(dim=1).values
