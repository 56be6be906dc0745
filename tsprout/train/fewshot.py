"""Few-shot validation: how good are the samples of a model that is shown a few series of a set it knows nothing of?

The loss on held-out episodes says little about samples, so models are chosen by this. The tasks are in
``few_shot_tasks.toml``, beside the list of domains that are left out of pre-training for them: sets cut by the
``strict`` protocol, scaled from the shots alone as a user's file is. A model is shown the shots, corrected in level and
spread (:mod:`tsprout.train.calibration`), and its samples are held against unseen real series beside three things that
take no skill (:mod:`tsprout.metrics.yardstick`). No series of the catalogue's role ``eval`` can be a task.

One number sums up: the geometric mean, over tasks and fidelity metrics, of a score over that of copies of the shots,
both taken as no better than the floor. 1 is as good as handing the shots back; lower is better.
"""

from __future__ import annotations

import math
import time
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tsprout.data.catalog.entry import Catalogue, catalogue
from tsprout.data.protocols import Split, strict
from tsprout.data.scaling import Scaler
from tsprout.errors import InputError, TrainingError
from tsprout.metrics.base import LOWER
from tsprout.metrics.registry import METRICS, QUICK
from tsprout.metrics.yardstick import BESIDE, PAPER, Yardstick
from tsprout.model import Denoiser
from tsprout.train.calibration import calibrate
from tsprout.train.drawing import Drawing, draw_shown
from tsprout.train.shots import Shots

SIZE = 500
ROLES = ("pretrain", "extra")
# A hook of the pre-training: the averaged model, and numbers to log, of which "few-shot" is the one to minimise.
Hook = Callable[[Denoiser], dict[str, float]]
FIDELITY = {"fast": tuple(metric.name for metric in QUICK), "paper": PAPER}
# A score below this share of the metric's noise level is as good as 0: it keeps ratios of two tiny numbers from ruling.
_LEAST = 0.01


@dataclass(frozen=True)
class TaskName:
    """Which task: ``"set/shots/length/seed"``."""

    set: str
    shots: int
    length: int = 24
    seed: int = 0

    def __str__(self) -> str:
        return f"{self.set}/{self.shots}/{self.length}/{self.seed}"

    @classmethod
    def parse(cls, text: str) -> TaskName:
        """From ``"set/shots/length/seed"``, the last two of which may be left out.

        Raises:
            InputError: it is something else.
        """
        name, *numbers = text.split("/")
        try:
            values = [int(number) for number in numbers]
        except ValueError:
            values = []
        if not name or not 1 <= len(values) <= 3:
            raise InputError(f"{text!r} names no few-shot task", fix="Write set/shots/length/seed: SteamGen/10/24/0.")
        return cls(name, *values)


@dataclass(frozen=True)
class Plan:
    """The fixed list: ``domains`` left out, the ``sets`` choices are made by, ``fresh`` ones of the same domains that
    they are not, numbers of ``shots``, ``seeds``, the usual ``length``, and ``groups`` of tasks by name."""

    domains: tuple[str, ...]
    sets: tuple[str, ...]
    fresh: tuple[str, ...]
    shots: tuple[int, ...]
    seeds: tuple[int, ...]
    length: int
    groups: dict[str, tuple[TaskName, ...]] = field(default_factory=dict)

    def tasks(self, *wanted: str) -> tuple[TaskName, ...]:
        """Tasks by name or group: ``quick``, ``long``, or ``full`` (every set, number of shots and seed, and ``long``).

        Raises:
            InputError: something that is neither.
        """
        full = [TaskName(s, k, self.length, seed) for seed in self.seeds for s in self.sets for k in self.shots]
        groups = self.groups | {"full": (*full, *self.groups["long"])}
        found = [task for text in wanted for task in groups.get(text, ()) or (TaskName.parse(text),)]
        return tuple(dict.fromkeys(found))


def plan() -> Plan:
    """The list in ``few_shot_tasks.toml``."""
    values = tomllib.loads((Path(__file__).parent / "few_shot_tasks.toml").read_text(encoding="utf-8"))
    groups = {name: tuple(map(TaskName.parse, tasks)) for name, tasks in values.pop("groups").items()}
    lists: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    return Plan(**lists, groups=groups)


def left_out_sets(known: Catalogue | None = None) -> tuple[str, ...]:
    """Names of all sets that a model chosen here must not be trained on: those of the domains left out."""
    domains = plan().domains
    return tuple(e.name for e in (known or catalogue()).of_role(*ROLES) if e.domain in domains)


@dataclass(frozen=True, eq=False)
class Task:
    """A prepared task.

    Attributes:
        name: which one.
        split: shots and reference, in the units of the source.
        scaler: fitted on the shots, as for a user's file.
        latent: ``(k, channels, length)`` the shots scaled, float32, NaN where not observed.
        yardstick: what synthetic series are compared with.
    """

    name: TaskName
    split: Split
    scaler: Scaler
    latent: np.ndarray
    yardstick: Yardstick

    @cached_property
    def shots(self) -> Shots:
        """The scaled shots as tensors."""
        return Shots.from_latent(self.latent, self.split.shots.lengths)


def prepare(
    names: Iterable[TaskName | str] | None = None, *, size: int = SIZE, cache: str | Path | None = None, **options: Any
) -> list[Task]:
    """Cut, scale and hold in memory the tasks of ``names``, once for many models.

    Args:
        names: of tasks or groups, see :meth:`Plan.tasks`; ``quick`` by default.
        size: series on each side of a comparison, at most.
        cache: a folder for the scores of floor, copies and noise.
        **options: of :class:`~tsprout.metrics.yardstick.Yardstick`: ``which``, ``repeats``, ``seed``, ...

    Raises:
        InputError: an unknown or missing set, one of the evaluation, or one that has too few windows.
    """
    wanted = ["quick"] if names is None else [str(name) for name in names]
    known = catalogue()
    tasks = plan().tasks(*wanted)
    for name in tasks:
        if known[name.set].role not in ROLES:
            raise InputError(f"{name.set} is an evaluation set: no model is chosen by it", where=str(name))
    return [prepare_task(name, size=size, cache=cache, **options) for name in tasks]


def prepare_task(
    name: TaskName, *, split: Split | None = None, size: int = SIZE, cache: str | Path | None = None, **options: Any
) -> Task:
    """One task; ``split`` in the place of the one that the strict protocol cuts.

    Raises:
        InputError: see :func:`prepare`.
    """
    cut = split or strict(name.set, shots=name.shots, length=name.length, seed=name.seed)
    shots = cut.shots
    values = np.where(shots.observed, shots.values, np.nan)
    scaler = Scaler.fit(replace(shots, labels=None))  # models are asked for the set, not for a label
    ruler = Yardstick(cut.reference.values, values, size=size, cache=cache, **options)
    return Task(name, cut, scaler, scaler.transform(values), ruler)


@torch.no_grad()
def draw(
    model: Denoiser,
    shots: Shots,
    n: int,
    *,
    seed: int = 0,
    steps: int | None = None,
    calibrated: bool = True,
    row: int | None = None,
) -> np.ndarray:
    """``n`` scaled series, as long as the first shot, from a model shown them: float32 ``(n, channels, length)``.

    Args:
        model: any denoiser; one without a prompt encoder is shown nothing.
        shots: scaled.
        n: how many.
        seed: of the noise and of the calibration.
        steps: of the solver; by default the model's.
        calibrated: correct level, spread and spectrum as the product does where it shows a model the shots and does not
            train it; no effect on one without a prompt encoder.
        row: in the model's token table; none by default.

    Raises:
        TrainingError: the model draws values that are not finite.
    """
    was = model.training
    model.eval()
    fix = calibrate(model, shots, seed=seed, row=row, how=Drawing(steps)) if calibrated and model.has_prompt else None
    generator = torch.Generator().manual_seed(seed)
    drawn = draw_shown(model, shots, n, int(shots.lengths[0]), generator, seed=seed, row=row, how=Drawing(steps))
    model.train(was)
    if fix is not None:
        drawn = fix.apply(drawn)
    if not np.isfinite(drawn).all():
        raise TrainingError("the model draws values that are not finite", fix="Go back to an earlier checkpoint.")
    return drawn


def ratio(metric: str, value: float, beside: dict[str, dict[str, float]]) -> float:
    """A score over that of copies, both no better than the floor and a hundredth of noise; NaN where one is unknown."""
    least = max(beside["floor"][metric], _LEAST * beside["noise"][metric], 1e-9)
    return max(value, least) / max(beside["copies"][metric], least)


def score(
    model: Denoiser,
    tasks: Sequence[Task],
    *,
    n: int = SIZE,
    seed: int = 0,
    steps: int | None = None,
    calibrated: bool = True,
    suite: str = "fast",
) -> dict[str, Any]:
    """Score a model prompt-only on tasks. Deterministic in all arguments.

    Args:
        model: any denoiser.
        tasks: from :func:`prepare`.
        n: series to draw for each, at least the tasks' sample size.
        seed, steps, calibrated: see :func:`draw`.
        suite: ``fast`` or ``paper``.

    Returns:
        JSON-able: ``tasks`` by name, each with ``value``, ``floor``, ``copies``, ``noise`` and ``ratio`` by metric and
        the ``seconds`` it took; then as :func:`summarise` has them.

    Raises:
        InputError: no tasks, an unknown suite, or too small an ``n``.
        TrainingError: the model draws values that are not finite.
    """
    found = {}
    for task in tasks:
        begun = time.perf_counter()
        latent = draw(model, task.shots, n, seed=seed, steps=steps, calibrated=calibrated)
        value = task.yardstick.score(task.scaler.inverse(latent), suite)
        found[str(task.name)] = entry(value, task.yardstick.beside(suite)) | {"seconds": time.perf_counter() - begun}
    return {"tasks": found} | summarise(list(found.values()))


def entry(value: dict[str, float], beside: dict[str, dict[str, float]]) -> dict[str, Any]:
    """The account of one comparison: ``value``, what stands beside it, and the ``ratio`` of each fidelity score."""
    ratios = {
        name: ratio(name, v, beside) for name, v in value.items() if name in beside["copies"] and _is_fidelity(name)
    }
    return {"value": value} | {kind: dict(beside[kind]) for kind in BESIDE} | {"ratio": ratios}


def _is_fidelity(name: str) -> bool:
    metric = METRICS.get(name)
    return metric is None or (metric.direction == LOWER and metric.group != "copying")


def summarise(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Over tasks: ``mean`` of every score, and of those beside it (``floor``, ...); ``ratio``: geometric mean of the
    score over copies, ``wins``: share of tasks better than copies; ``few-shot``: geometric mean of the ratios.

    Raises:
        InputError: there is nothing to sum up.
    """
    if not entries:
        raise InputError("there are no few-shot tasks to score", fix="Name some, or a group such as quick.")
    kinds = ("value", *BESIDE)
    means = {kind: _by_name(_mean, [e[kind] for e in entries]) for kind in kinds}
    ratios = _by_name(_geometric, [e["ratio"] for e in entries])
    wins = _by_name(lambda values: _mean([float(v < 1) for v in values]), [e["ratio"] for e in entries])
    summed = {"mean" if kind == "value" else kind: means[kind] for kind in kinds}
    return summed | {"ratio": ratios, "wins": wins, "few-shot": _geometric(list(ratios.values()))}


def _by_name(over: Callable[[list[float]], float], rows: list[dict[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: over([row[name] for row in rows if math.isfinite(row.get(name, math.nan))]) for name in names}


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else math.nan


def _geometric(values: list[float]) -> float:
    finite = [v for v in values if math.isfinite(v)]
    return float(np.exp(np.mean(np.log(finite)))) if finite else math.nan


class FewShotValidation:
    """A :data:`Hook` for pre-training: scores a model on tasks that are prepared once.

    Args:
        tasks: from :func:`prepare`.
        n, seed, steps, calibrated, suite: see :func:`score`.
    """

    def __init__(self, tasks: Sequence[Task], **options: Any) -> None:
        self.tasks, self.options = list(tasks), options

    def __call__(self, model: Denoiser) -> dict[str, float]:
        """``few-shot`` to be minimised, then each score's mean, and its ratio to that of copies as ``name / copies``.

        Raises:
            TrainingError: the model draws values that are not finite.
        """
        found = score(model, self.tasks, **self.options)
        ratios = {f"{name} / copies": value for name, value in found["ratio"].items()}
        return {"few-shot": found["few-shot"]} | found["mean"] | ratios
