"""What a model draws for a task: the product, the published way of fine-tuning, or the network from fresh weights."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from tsprout import checkpoint
from tsprout.bench.spec import Cell, ModelSpec
from tsprout.data.protocols import Split
from tsprout.data.scaling import Scaler
from tsprout.errors import TsproutError
from tsprout.fitting import fit_model
from tsprout.interface import Synthesizer
from tsprout.model import Denoiser
from tsprout.peer import Peer, is_peer, made
from tsprout.series import SeriesSet
from tsprout.synthesizer import Sprout
from tsprout.train.fewshot import draw
from tsprout.train.finetune import FinetuneConfig
from tsprout.train.paper import STEPS, finetune_as_published
from tsprout.train.shots import Shots

# Small sets need a few hundred steps from fresh weights; the judge ends it long before the last of these.
SCRATCH = FinetuneConfig(steps=3000, learning_rate=1e-3, warmup=50, evaluate_every=100, patience=6, ema=0.99)
_NO_CLOCK = 1e7


def generate(cell: Cell, split: Split, n: int, *, device: str = "cpu") -> tuple[np.ndarray, dict[str, Any]]:
    """``n`` series of the cell's model, float32 ``(n, channels, length)``, in the units of ``split``.

    Returns:
        the series, and facts: the mode ``kept`` and why, ``steps``, ``notes``, and ``seconds`` of fit and sample.

    Raises:
        TsproutError: the model cannot be had or fitted, or draws what cannot be scored.
    """
    begun = time.perf_counter()
    if cell.model.fit == "published":
        values, facts, fitted = _published(cell, split, n, device)
    else:
        sprout = _fitted(cell, split, device)
        fitted = time.perf_counter()
        values = sprout.sample(n, steps=cell.model.steps, solver=cell.model.solver, seed=cell.seed).values
        report = sprout.fit_report
        facts = {} if report is None else {"kept": report.mode, "steps": report.steps, "reason": report.reason}
        facts["notes"] = [] if report is None else list(report.notes)
    done = time.perf_counter()
    values = np.asarray(values, dtype=np.float32)
    if values.shape != (n, split.shots.n_channels, split.length) or not np.isfinite(values).all():
        raise TsproutError(f"the model drew series of shape {values.shape} that are not all finite numbers")
    seconds = {"fit": round(fitted - begun, 3), "sample": round(done - fitted, 3)}
    return values, facts | {"seconds": seconds}


def open_model(model: ModelSpec, device: str = "cpu") -> Synthesizer:
    """The pre-trained model or the baseline, not fitted.

    Raises:
        InputError: there is none.
    """
    if is_peer(model.model) and model.options:  # also where there is no such device: a head node only hashes it
        return Peer(made(model.model, device, model.options))
    return Sprout.from_pretrained(model.model, device=device)


def _fitted(cell: Cell, split: Split, device: str) -> Synthesizer:
    sprout, model = open_model(cell.model, device), cell.model
    if not isinstance(sprout, Sprout):
        return sprout.fit(split.shots, seed=cell.seed)
    if model.fit == "product":
        return sprout.fit(split.shots, mode=model.mode, budget=model.budget, seed=cell.seed)
    config = replace(SCRATCH, steps=model.fit_steps or SCRATCH.steps)
    return from_scratch(sprout.model, split.shots, config=config, seed=cell.seed)


def from_scratch(model: Denoiser, shots: SeriesSet, *, config: FinetuneConfig = SCRATCH, seed: int = 0) -> Sprout:
    """The network of ``model`` from fresh weights, fitted to the shots with part of them held back for the judge."""
    scaler = Scaler.fit(shots)
    latent = scaler.latent(shots)
    fresh = Denoiser(model.config, seed=seed).to(model.device)
    found = fit_model(
        fresh, latent, shots.lengths, "full", seconds=_NO_CLOCK, seed=seed, labels=shots.labels, config=config
    )
    return Sprout(
        found.model,
        shots=shots,
        scaler=scaler,
        fit_report=found.report,
        adapter=found.adapter,
        row=found.row,
        calibration=found.calibration,
    )


def _published(cell: Cell, split: Split, n: int, device: str) -> tuple[np.ndarray, dict[str, Any], float]:
    """Series, facts, and when the fit was over; scaled by the protocol's scaler, as published."""
    model = checkpoint.load(cell.model.model, device=device).model
    values = _values(split)
    shots = Shots.from_latent(values if split.scaled else split.scaler.transform(values), split.shots.lengths)
    steps = cell.model.fit_steps or STEPS
    tuned = finetune_as_published(model, shots, steps=steps, seed=cell.seed)
    fitted = time.perf_counter()
    drawn = draw(tuned.model, shots, n, seed=cell.seed, row=tuned.row, steps=cell.model.steps)
    drawn = drawn if split.scaled else split.scaler.inverse(drawn)
    return drawn, {"kept": "published", "steps": steps, "reason": "asked for", "notes": []}, fitted


def _values(split: Split) -> np.ndarray:
    return np.where(split.shots.observed, split.shots.values, np.nan)
