"""Fast models as an installed package adds them, specifications of seconds, and results made up, for the benchmark."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tsprout.bench.executors import LocalExecutor
from tsprout.bench.jobs import export, table
from tsprout.bench.runner import plan
from tsprout.bench.runner import run as run_bench
from tsprout.bench.spec import Spec, build
from tsprout.bench.store import CELLS, PLAN, Store, write_json

_MODELS = """
import os, signal, time
from dataclasses import dataclass

import numpy as np

from tsprout.baselines.copies import Copies


@dataclass(eq=False)
class Shaky(Copies):
    name = "fake-shaky"
    summary = "copies with noise"
    source = "nobody, 2020"
    size: float = 0.1
    pause: float = 0.0

    def _draw(self, own, lengths, picked, seed):
        time.sleep(self.pause)
        noise = np.random.default_rng(seed).standard_normal(own[picked].shape).astype(np.float32)
        return own[picked] + self.size * noise


class Failing(Copies):
    name = "fake-failing"

    def _draw(self, own, lengths, picked, seed):
        raise ZeroDivisionError("it cannot | be <drawn>")


class Dying(Copies):
    name = "fake-dying"

    def _draw(self, own, lengths, picked, seed):
        with open(os.environ["FAKE_DEATHS"], "a") as file:
            file.write("x")
        os.kill(os.getpid(), signal.SIGKILL)


class Slow(Copies):
    name = "fake-slow"

    def _draw(self, own, lengths, picked, seed):
        if "FAKE_DEATHS" in os.environ:
            with open(os.environ["FAKE_DEATHS"] + ".slow", "w") as file:
                file.write(str(os.getpid()))
        time.sleep(600)
"""
_POINTS = """[tsprout.baselines]
fake-shaky = tsprout_fake_models:Shaky
fake-failing = tsprout_fake_models:Failing
fake-dying = tsprout_fake_models:Dying
fake-slow = tsprout_fake_models:Slow
"""


def install_models(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a package that adds ``fake-shaky``, ``-failing``, ``-dying`` and ``-slow`` on the path."""
    (folder / "tsprout_fake_models.py").write_text(_MODELS, encoding="utf-8")
    info = folder / "tsprout_fake_models-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tsprout-fake-models\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(_POINTS, encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "tsprout_fake_models", raising=False)


def tiny(**more: Any) -> dict[str, Any]:
    """A specification of two models on one made-up set, as YAML gives it."""
    whole: dict[str, Any] = {
        "name": "tiny",
        "protocol": "strict",
        "sets": ["Sine"],
        "shots": [4],
        "lengths": [12],
        "seeds": [0],
        "reference": 40,
        "series": 20,
        "suites": [{"name": "quick", "size": 10, "splits": 1}],
        "models": ["copies", "fake-shaky"],
    }
    return whole | more


class LocalForked(LocalExecutor):
    """Processes forked from the test's own, which has everything loaded, where that can be."""

    def __init__(self, slots: int = 1) -> None:
        super().__init__(slots, "fork" if "fork" in multiprocessing.get_all_start_methods() else None)


def outputs(folder: Path, place: Path) -> bytes:
    """Everything that is made of the scores."""
    for kind in ("csv", "json"):
        export(folder, out=place / f"scores.{kind}", force=True)
    texts = [table(folder, format=kind)["text"] for kind in ("md", "latex", "csv", "html")]
    return "".join(texts).encode() + b"".join((place / f"scores.{kind}").read_bytes() for kind in ("csv", "json"))


def child(values: dict[str, Any], out: str) -> None:
    """The body of a process that may be killed: a benchmark with processes of its own."""
    run_bench(build(values, "tiny"), out, LocalForked())


def made_results(
    folder: Path,
    spec: Spec,
    scores: Mapping[tuple[str, str, str, int], Mapping[str, float] | str | None],
    beside: Mapping[str, Mapping[str, float]] | None = None,
    reverse: bool = False,
) -> Store:
    """Results that nobody measured: ``scores[label, set, shots, seed]``, a text for a failure, ``None`` for nothing."""
    store = Store(folder)
    (folder / CELLS).mkdir(parents=True, exist_ok=True)
    every = [(cell, f"{number:024d}") for number, cell in enumerate(spec.cells())]
    write_json(folder / PLAN, plan(spec, every))
    for number, (cell, digest) in enumerate(reversed(every) if reverse else every):
        found = scores.get((cell.model.label, cell.set, cell.shots, cell.seed))
        seconds = {"fit": float(number), "sample": 1.0, "score": 1.0}
        own: dict[str, Any] = {"hash": digest, "run": {"seconds": seconds}}
        if isinstance(found, str):
            store.write(digest, own | {"status": "failed", "error": {"what": found}})
        elif found is not None:
            kinds = {kind: dict(values) for kind, values in (beside or {}).items()}
            store.write(digest, own | {"status": "done", "scores": {"value": dict(found), "within": {}} | kinds})
    return store
