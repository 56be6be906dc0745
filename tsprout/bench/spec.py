"""What a benchmark is to measure, as YAML: strict names, strict types, and the cells that follow from it.

::

    name: few-shot
    protocol: strict                    or paper
    sets: [ETTh2, Sine]
    shots: [10, 25, 5%]
    lengths: [24]
    seeds: [0, 1, 2]
    reference: 4000                     most real series to compare with; all where not given
    series: 1000                        to draw; as many as the reference has where not given
    suites: [quick, {name: paper, which: [disc, cfid], repeats: 3}]
    models: [copies, {model: small, mode: prompt, label: prompt}]
    run: {timeout: 1h, retries: 1, workers: 2, threads: 1}          see tsprout.bench.runspec

A cell is one model on one task (set, shots, length, seed) under one suite. Its hash covers everything that changes its
scores; its label does not, so that a column can be renamed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tsprout.bench.runspec import RunSpec, choose, read_run
from tsprout.budget import parse_budget
from tsprout.data.catalog.entry import catalogue
from tsprout.data.catalog.folders import data_folders
from tsprout.data.protocols import PROTOCOLS, parse_shots
from tsprout.diffusion.samplers import SOLVERS
from tsprout.errors import InputError
from tsprout.fitting import MODES
from tsprout.limits import MAX_LENGTH, MIN_LENGTH
from tsprout.metrics.paper.suite import NAMES
from tsprout.settings import known, parse, typed

FORMAT = 1  # of the results; raised when the same cell would be computed in another way
SHIPPED = Path(__file__).parent / "specs"
SUITES = ("quick", "paper")
FITS = ("product", "published", "scratch")
_LISTS = ("sets", "shots", "lengths", "seeds", "suites", "models")
_KEYS = ("name", "protocol", *_LISTS, "reference", "series", "run")


@dataclass(frozen=True)
class ModelSpec:
    """A column of the tables.

    Attributes:
        model: bundled name, baseline, folder or hub id.
        label: what tables call it; made of the rest where not given.
        fit: ``product`` as :meth:`Sprout.fit` does, ``published`` as arXiv 2505.20446 fine-tunes, ``scratch`` for the
            same network from fresh weights.
        mode, budget: of ``product``.
        steps, solver: of sampling.
        fit_steps: of ``published`` and, at most, of ``scratch``.
        version: a word that tells this from an earlier run of changed code; part of the hash.
        options: hyper-parameters of a baseline.
    """

    model: str
    label: str = ""
    fit: str = "product"
    mode: str = "auto"
    budget: str = "60s"
    steps: int | None = None
    solver: str | None = None
    fit_steps: int | None = None
    version: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def identity(self, *, baseline: bool) -> dict[str, Any]:
        """What of it changes what is drawn; what it has no use for is left out."""
        found: dict[str, Any] = {"version": self.version}
        if baseline:  # of others the weights say which, wherever they lie
            return found | {"model": self.model, "options": dict(self.options)}
        found |= {"fit": self.fit, "steps": self.steps, "solver": self.solver}
        if self.fit != "product":
            return found | {"fit_steps": self.fit_steps}
        return found | {"mode": self.mode} | ({} if self.mode == "prompt" else {"budget": parse_budget(self.budget)})


@dataclass(frozen=True)
class SuiteSpec:
    """A suite of scores.

    Attributes:
        name: ``quick`` or ``paper``; ``label``: what tables call it.
        which, repeats, encoders, iterations: of ``paper``, see :func:`tsprout.metrics.paper.paper_scores`.
        size, splits: series on each side and comparisons of a :class:`~tsprout.metrics.yardstick.Yardstick`; of no use
            to ``paper`` under the protocol ``paper``, which compares at full size.
    """

    name: str
    label: str = ""
    which: tuple[str, ...] = ("disc", "cfid", "pred")
    repeats: int = 10
    encoders: int = 1
    iterations: int | None = None
    size: int = 500
    splits: int = 3

    def identity(self, protocol: str) -> dict[str, Any]:
        """What of it changes a score under ``protocol``."""
        found: dict[str, Any] = {"name": self.name}
        if self.name == "paper":
            found |= {key: getattr(self, key) for key in ("repeats", "encoders", "iterations")}
            found["which"] = list(self.which)
        if (self.name, protocol) != ("paper", "paper"):
            found |= {"size": self.size, "splits": self.splits}
        return found


@dataclass(frozen=True)
class Cell:
    """One model on one task under one suite."""

    model: ModelSpec
    set: str
    protocol: str
    shots: str
    length: int
    seed: int
    suite: SuiteSpec
    reference: int | None = None
    series: int | None = None

    @property
    def name(self) -> str:
        """``model/set/shots/length/seed/suite`` for people and for ``--only``."""
        return "/".join(map(str, (self.model.label, self.set, self.shots, self.length, self.seed, self.suite.label)))

    @property
    def task(self) -> dict[str, Any]:
        """Which real series: JSON-able."""
        keys = ("set", "protocol", "shots", "length", "seed", "reference")
        return {key: getattr(self, key) for key in keys}

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; inverse of :meth:`from_dict`."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Cell:
        """From :meth:`to_dict`."""
        suite = dict(values["suite"], which=tuple(values["suite"]["which"]))
        return cls(**(dict(values) | {"model": ModelSpec(**values["model"]), "suite": SuiteSpec(**suite)}))


@dataclass(frozen=True)
class Spec:
    """A whole benchmark; the fields are those of the file."""

    name: str
    protocol: str
    sets: tuple[str, ...]
    shots: tuple[str, ...]
    lengths: tuple[int, ...]
    seeds: tuple[int, ...]
    suites: tuple[SuiteSpec, ...]
    models: tuple[ModelSpec, ...]
    reference: int | None = None
    series: int | None = None
    run: RunSpec = field(default_factory=RunSpec)

    def cells(self) -> list[Cell]:
        """All cells in a fixed order: whole tasks first, for a run that is stopped to have complete rows."""
        return [
            Cell(model, name, self.protocol, shots, length, seed, suite, self.reference, self.series)
            for seed in self.seeds
            for length in self.lengths
            for shots in self.shots
            for name in self.sets
            for model in self.models
            for suite in self.suites
        ]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, without what does not touch results."""
        return {key: value for key, value in dataclasses.asdict(self).items() if key != "run"}


def fingerprint(values: Mapping[str, Any]) -> str:
    """24 hexadecimal digits of a hash of plain values, the same whatever the order of keys."""
    text = json.dumps(values, sort_keys=True, allow_nan=False, ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:24]


def shipped() -> list[str]:
    """Names of the specifications inside the package."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def read_spec(name: str | Path, also: Sequence[str] = ()) -> Spec:
    """The specification of a file, or a shipped one by its name.

    Args:
        name: path, or one of :func:`shipped`.
        also: further models, each as YAML: a name, or ``{model: runs/mine, fit: published}``.

    Raises:
        InputError: there is no such file, it is not YAML, or it has an unknown name or a value that cannot be.
        MissingExtraError: the extra ``train`` is not installed.
    """
    path = SHIPPED / f"{name}.yaml" if str(name) in shipped() else Path(name)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fix = f"Name a YAML file, or one of: {', '.join(shipped())}."
        raise InputError("there is no such specification that can be read", where=str(name), fix=fix) from error
    values = parse(text, str(name))
    if not isinstance(values, dict):
        raise InputError("this is no specification", where=str(name), fix=f"It has: {', '.join(_KEYS)}.")
    if also and isinstance(values.get("models"), list):
        values["models"] = [*values["models"], *(parse(each, "--also") for each in also)]
    return build(values, str(name), path.stem)


def build(values: Mapping[str, Any], where: str, name: str = "") -> Spec:
    """The specification of a mapping as YAML gives it; ``where`` names it in errors.

    Raises:
        InputError: an unknown name or a value that cannot be.
    """
    known(values, _KEYS, where, "setting")
    lists: dict[str, list[Any]] = {}
    for key in _LISTS:
        given = values.get(key)
        if not isinstance(given, list) or not given:
            raise InputError(f"{key} is not a list with something in it", where=where, fix=f"Write {key}: [...].")
        lists[key] = given
    protocol = values.get("protocol", "strict")
    if protocol not in PROTOCOLS:
        choose(protocol, tuple(PROTOCOLS), "protocol", where)
    lengths = tuple(_whole(each, MIN_LENGTH, f"{where}: lengths", MAX_LENGTH) for each in lists["lengths"])
    seeds = tuple(_whole(each, 0, f"{where}: seeds") for each in lists["seeds"])
    most = {
        key: None if values.get(key) is None else _whole(values[key], 4, f"{where}: {key}")
        for key in ("reference", "series")
    }
    sets = catalogue(*data_folders())
    spec = Spec(
        name=str(values.get("name") or name),
        protocol=protocol,
        sets=tuple(sets[str(each)].name for each in lists["sets"]),
        shots=tuple(_shots(each, f"{where}: shots") for each in lists["shots"]),
        suites=tuple(_suite(each, f"{where}: suites") for each in lists["suites"]),
        models=tuple(_model(each, f"{where}: models") for each in lists["models"]),
        run=read_run(values.get("run") or {}, f"{where}: run"),
        lengths=lengths,
        seeds=seeds,
        reference=most["reference"],
        series=most["series"],
    )
    for key, labels in (
        *((key, list(getattr(spec, key))) for key in ("sets", "shots", "lengths", "seeds")),
        ("suites", [suite.label for suite in spec.suites]),
        ("models", [model.label for model in spec.models]),
    ):
        if twice := [each for each in labels if labels.count(each) > 1]:
            raise InputError(f"{twice[0]} is there twice", where=f"{where}: {key}", fix="Give each its own label.")
    return spec


def _model(value: Any, where: str) -> ModelSpec:
    if isinstance(value, str):
        value = {"model": value}
    if not isinstance(value, Mapping) or "model" not in value:
        raise InputError(f"{value!r} is no model", where=where, fix="Write a name, or {model: name, ...}.")
    names = [f.name for f in dataclasses.fields(ModelSpec)]
    known(value, names, where, "setting")
    given = dict(value)
    options = given.pop("options", None) or {}
    if not isinstance(options, Mapping):
        raise InputError("options are no mapping", where=where, fix="Write options: {name: value}.")
    model = ModelSpec(**typed(ModelSpec, given, where), options=dict(options))
    if model.fit not in FITS:
        choose(model.fit, FITS, "fit", where)
    if model.mode not in MODES:
        choose(model.mode, tuple(MODES), "mode", where)
    for key in ("steps", "fit_steps"):
        if getattr(model, key) is not None and getattr(model, key) < 1:
            raise InputError(f"{key} is {getattr(model, key)}", where=where, fix="Give 1 or more.")
    if model.fit == "product" and model.fit_steps is not None:
        raise InputError("fit_steps is of no use to fit: product", where=where, fix="Give a budget.")
    if model.solver is not None and model.solver not in SOLVERS:
        choose(model.solver, tuple(SOLVERS), "solver", where)
    parse_budget(model.budget)
    try:
        json.dumps(model.options, allow_nan=False)
    except (TypeError, ValueError):
        raise InputError("options hold what is no plain value", where=where, fix="Give numbers and words.") from None
    if "/" in model.label:
        raise InputError(f"the label {model.label!r} has a slash", where=where, fix="Leave it out.")
    base = model.model.rstrip("/").rpartition("/")[2]
    tail = model.fit if model.fit != "product" else model.mode if model.mode != "auto" else ""
    return dataclasses.replace(model, label=model.label or f"{base} {tail}".strip())


def _suite(value: Any, where: str) -> SuiteSpec:
    if isinstance(value, str):
        value = {"name": value}
    if not isinstance(value, Mapping) or "name" not in value:
        raise InputError(f"{value!r} is no suite", where=where, fix="Write a name, or {name: paper, ...}.")
    known(value, [f.name for f in dataclasses.fields(SuiteSpec)], where, "setting")
    suite = SuiteSpec(**typed(SuiteSpec, value, where))
    if suite.name not in SUITES:
        choose(suite.name, SUITES, "suite", where)
    for score in suite.which:
        if score not in NAMES:
            choose(score, NAMES, "score", where)
    if not suite.which or min(suite.repeats, suite.encoders, suite.splits) < 1 or suite.size < 2:
        raise InputError("a suite needs a score, one repeat, encoder and split, and two series", where=where)
    if suite.iterations is not None and suite.iterations < 1:
        raise InputError(f"iterations is {suite.iterations}", where=where, fix="Give 1 or more, or leave it out.")
    return dataclasses.replace(suite, label=(suite.label or suite.name).replace("/", "-"))


def _shots(value: Any, where: str) -> str:
    text = str(value).strip().removeprefix("#")
    parse_shots(text)
    return text if text.endswith("%") else str(int(text))


def _whole(value: Any, least: int, where: str, most: int | None = None) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least or (most and value > most):
        wanted = f"from {least} to {most}" if most else f"{least} or more"
        raise InputError(f"this cannot be {value!r}", where=where, fix=f"Give a whole number, {wanted}.")
    return value
