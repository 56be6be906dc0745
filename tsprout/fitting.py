"""Fit a model to the shots: hold some back, fine-tune within the budget, keep what serves the held-back series."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np

from tsprout.budget import affordable_steps, budget_for
from tsprout.errors import InputError, TrainingError
from tsprout.model import Denoiser
from tsprout.nn.adapters import MODES as TRAINED_MODES
from tsprout.nn.adapters import AdapterConfig
from tsprout.progress import Progress
from tsprout.train.calibration import Calibration, calibrate
from tsprout.train.finetune import INDIFFERENT, MOST_SHOWN, FinetuneConfig, best_step, finetune
from tsprout.train.judge import CLEAR_COPYING_RATIO, MIN_TO_HOLD_BACK, Judge, Judgement, hold_back
from tsprout.train.shots import Shots

MODES = ("auto", "prompt", *TRAINED_MODES)
# A budget buys steps by a fixed cost model; the clock ends a fit that takes so many times as long.
_PATIENCE = 2.0
_BY_THE_CLOCK = "training was stopped by the clock: the machine was slow, and another run may stop elsewhere"

UNSCALED = (
    "channel {} is at one value much of the time and its labels lie far apart: fit each label by itself, or what sets "
    "its own series apart is drawn too weakly"
)


@dataclass
class FitReport:
    """How a model was fitted.

    ``mode`` kept and ``requested``; ``reason`` in one sentence; training ``steps`` kept; ``seconds`` it took;
    ``validation``: energy score of samples on the held-back series (lower is better) by candidate, with its ``curve``
    by step; ``held_back``: how many series; ``copying``: by candidate, median distance of samples to the shots in units
    of that of real series to the nearest other (1: as far as unseen series, 0: copies); ``notes`` for the user.
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
        """Build from :meth:`to_dict`'s output; what a newer version reports beside it is left out."""
        values = {f.name: values[f.name] for f in fields(cls) if f.name in values}
        curve = {int(k): v for k, v in values.get("curve", {}).items()}
        return cls(**(values | {"curve": curve, "notes": tuple(values.get("notes", ()))}))


@dataclass
class Fitted:
    """A fitted model, its adapter if it has one, its row in the token table if it has one, and the report.

    ``calibration`` corrects level, spread and spectrum of what the model draws.
    """

    model: Denoiser
    adapter: AdapterConfig | None
    row: int | None
    report: FitReport
    calibration: Calibration | None = None


def step_cost(model: Denoiser, shots: Shots, config: FinetuneConfig) -> float:
    """About how many multiply-adds the forward pass of one fine-tuning step takes."""
    columns = shots.values.shape[-1] / model.config.dimension
    # An episode shows three quarters of the shots on average, and MOST_SHOWN at most.
    shown = min(len(shots.part()), MOST_SHOWN * 4 // 3) * config.episodes if model.has_prompt else 0
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
    labels: np.ndarray | None = None,
    progress: Progress | None = None,
    config: FinetuneConfig | None = None,
) -> Fitted:
    """Fit ``model`` to scaled series.

    Args:
        model: pre-trained; left as it is.
        latent: ``(n, channels, length)`` scaled, NaN where not observed.
        lengths: ``(n,)`` each series' own length.
        mode: one of :data:`MODES`. ``auto`` fine-tunes fully for as long as it does no
            harm on series held back, see :func:`tsprout.train.finetune.best_step`, or not at all.
        seconds: budget for training.
        seed: of everything random.
        labels: ``(n,)`` of the series, if they have any: series of a label are learnt beside their like, and corrected
            by them.
        progress: told stage, steps done, steps in all.
        config: of the fine-tuning, that for so many series by default; its ``steps`` are capped by the budget.

    Raises:
        InputError: unknown mode, or a mode this model has no part for.
        TrainingError: the loss stopped being finite; with ``auto`` a model that can be shown the series does without.
    """
    if mode not in MODES:
        raise InputError(f"there is no mode {mode!r}", where="mode", fix=f"Choose one of: {', '.join(MODES)}.")
    begun = time.monotonic()
    shots = Shots.from_latent(latent, lengths, labels)
    fitted = _fitted(model, shots, mode, seconds=seconds, seed=seed, progress=progress, config=config)
    fitted.report.seconds = time.monotonic() - begun
    return fitted


def _fitted(
    model: Denoiser,
    shots: Shots,
    mode: str,
    *,
    seconds: float,
    seed: int,
    progress: Progress | None,
    config: FinetuneConfig | None,
) -> Fitted:
    if mode == "prompt" or (mode == "auto" and len(shots) < MIN_TO_HOLD_BACK and model.has_prompt):
        if not model.has_prompt:
            raise InputError(
                "this model has no prompt encoder, so it has to be trained", where="mode", fix="Choose mode full."
            )
        reason = (
            "asked for: the model is shown the series and not trained"
            if mode == "prompt"
            else f"{_too_few(shots)} to hold any back, and training blind could only copy what it is shown"
        )
        if progress is not None:
            progress("fit", 1, 1)
        return _shown(model, shots, FitReport("prompt", mode, reason), seed)

    config = config or FinetuneConfig.for_shots(len(shots))
    kept, held = hold_back(len(shots), np.random.default_rng(seed))
    # Half the budget finds out how long to train, with some series held back; the other half trains on all of them.
    wanted, cost = config.steps, step_cost(model, shots, config)
    config = config.with_steps(affordable_steps(seconds / 2, cost, wanted))
    report = FitReport("full" if mode == "auto" else mode, mode, "", held_back=len(held))
    if len(held) and config.steps < 0.9 * wanted:
        enough = budget_for(2 * wanted, cost)
        report.notes += (f"the budget bought {config.steps} of {_count(wanted)}; {enough} would buy them all",)
    try:
        fitted = _search(model, shots, kept, held, config, report, seconds=seconds, seed=seed, progress=progress)
    except TrainingError as error:
        if mode != "auto" or not model.has_prompt:
            raise
        report.mode, report.steps = "prompt", 0
        report.reason = f"training failed ({error.what}), so the model is shown the series and not trained"
        fitted = _shown(model, shots, report, seed)
    return fitted


def _search(
    model: Denoiser,
    shots: Shots,
    kept: np.ndarray,
    held: np.ndarray,
    config: FinetuneConfig,
    report: FitReport,
    *,
    seconds: float,
    seed: int,
    progress: Progress | None,
) -> Fitted:
    """Find the number of steps on the kept part, then train that long on all shots; fills in the report."""
    may_be_prompt = report.requested == "auto" and model.has_prompt
    steps, begun, allowed = config.blind_steps, time.monotonic(), _PATIENCE * seconds
    if len(held):
        own = shots[kept]
        judge = Judge(own, shots[held], seed=seed)
        tried = finetune(
            model, own, report.mode, config, judge=judge, seed=seed, seconds=0.6 * allowed, progress=progress
        )
        if tried.stopped_by_clock:
            report.notes += (_BY_THE_CLOCK,)
        trained = {step: verdict for step, verdict in tried.judged.items() if step}
        steps = best_step(trained)
        shown: Judgement | None = judge(model, None, trained=False) if model.has_prompt else None
        if shown is not None and may_be_prompt:
            steps = best_step({0: shown} | trained)
        report.curve = {step: verdict.score for step, verdict in tried.judged.items()}
        verdict = trained[steps or best_step(trained)]
        report.validation[report.mode], report.copying[report.mode] = verdict.score, verdict.copying
        if shown is not None:
            report.validation["prompt"], report.copying["prompt"] = shown.score, shown.copying
        if steps == 0:
            report.reason = _untrained(report, list(trained.values()))
            report.mode = "prompt"
            if progress is not None:
                progress("train", 1, 1)
            return _shown(model, shots, report, seed)
    else:
        report.notes += (f"{_too_few(shots)} to hold any back: trained for {_count(steps)} unseen",)
    final = replace(config, blind_steps=steps)
    left = max(0.3 * allowed, allowed - (time.monotonic() - begun))
    tuned = finetune(model, shots, report.mode, final, seed=seed, seconds=left, progress=progress, stage="train")
    report.steps = tuned.steps
    if tuned.stopped_by_clock and _BY_THE_CLOCK not in report.notes:
        report.notes += (_BY_THE_CLOCK,)
    if len(held):
        # Trained on all of them a model comes nearer to the shots than on some: what is delivered is what is told.
        report.copying[report.mode] = (near := Judge(shots, shots[held], seed=seed)(tuned.model, tuned.row)).copying
        if near.copies:
            report.notes += (f"samples come near to copies: they {_distance(near.copying)}",)
    report.reason = _trained(report)
    # A single series says nothing of level and spread that is beyond chance.
    fix = calibrate(tuned.model, shots, seed=seed, row=tuned.row, trained=True) if len(shots) > 1 else None
    return Fitted(tuned.model, tuned.adapter, tuned.row, report, fix)


def _shown(model: Denoiser, shots: Shots, report: FitReport, seed: int) -> Fitted:
    """The model as it is, shown the shots, with level, spread and spectrum of its channels put right."""
    return Fitted(model, None, None, report, calibrate(model, shots, seed=seed))


def _too_few(shots: Shots) -> str:
    return f"{len(shots)} series {'is' if len(shots) == 1 else 'are'} too few"


def _asked(report: FitReport) -> str:
    return "asked for" if report.requested != "auto" else "this model has no prompt encoder, so it has to be trained"


def _count(steps: int) -> str:
    return f"{steps} training step{'s' if steps != 1 else ''}"


def _distance(ratio: float) -> str:
    return f"lie {ratio:.2f} times as far from your series as these from each other"


def _trained(report: FitReport) -> str:
    """Why a trained model is kept, in a sentence."""
    held, steps = f"{report.held_back} held-back series", _count(report.steps)
    if not report.held_back:
        return f"{_asked(report)}: {steps}, none of them checked on series held back"
    if report.requested != "auto" or "prompt" not in report.validation:
        return f"{_asked(report)}: {steps}, about the longest training that serves the {held} as well as any"
    before, after = report.validation["prompt"], report.validation[report.mode]
    gain = 100 * (before - after) / max(abs(before), 1e-9)
    told = (
        f"brought the error of samples on the {held} down by {gain:.0f} %"
        if gain >= 1
        else f"left the error of samples on the {held} about the same (within {100 * INDIFFERENT:.0f} %)"
    )
    ratio = report.copying[report.mode]
    warning = ": further out than they should" if ratio > 2 else ""
    return f"{steps} {told}, and samples {_distance(ratio)}{warning}"


def _untrained(report: FitReport, tried: list[Judgement]) -> str:
    """Why ``auto`` keeps the model as it is, in a sentence."""
    before = report.validation["prompt"]
    near = [verdict.copying for verdict in tried if verdict.score <= before + INDIFFERENT * abs(before)]
    if near and min(near) < CLEAR_COPYING_RATIO:
        return f"training began to copy your series: samples {_distance(min(near))}"
    return f"training raised the error of samples on the {report.held_back} held-back series"
