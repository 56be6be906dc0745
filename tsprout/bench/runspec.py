"""How cells are run: the section ``run`` of a specification. Nothing in it is part of any result.

::

    run:
      executor: ray                     local (default), ray or slurm
      address: auto                     of a Ray cluster; a Ray of this machine alone where not given
      jobs: 50                          most at once on ray or slurm; workers is for local
      cpus: 2                           of a job; threads where not given
      gpus: 0.5                         of a job; 1 where device is cuda and the model can use it, else 0
      memory: 4GB
      needs: {paper-6m*: {gpus: 1}}     of models, by label; the first pattern that fits
      slurm: {partition: long}          parameters of submitit's executor
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from tsprout.budget import parse_budget
from tsprout.errors import InputError
from tsprout.settings import known, typed

EXECUTORS = ("local", "ray", "slurm")
_SIZES = {"": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}
_DEVICE = re.compile(r"cpu|cuda(:\d+)?|mps")
_NEEDS = ("cpus", "gpus", "memory")


@dataclass(frozen=True)
class Needs:
    """What a cluster is to keep free for a job: processors, GPUs (parts of one are possible on Ray), bytes."""

    cpus: float = 1.0
    gpus: float = 0.0
    memory: int = 0

    def __str__(self) -> str:
        parts = [f"{self.cpus:g} CPU"]
        parts += [f"{self.gpus:g} GPU"] if self.gpus else []
        return " and ".join(parts + ([f"{self.memory / 2**30:.3g} GB"] if self.memory else []))


@dataclass(frozen=True)
class RunSpec:
    """How cells are run.

    Attributes:
        timeout: of one cell; ``retries``: further tries of one whose process or machine died.
        workers: processes at once of the executor ``local``; ``jobs``: most at once of the others.
        threads: of each process.
        keep_series: what was drawn stays in the folder, so that another suite need not fit again.
        device: of the models.
        executor, address: where; ``temp``: folder for the files of a Ray of this machine alone.
        cpus, gpus, memory: of a job on a cluster; ``needs``: the same for models by their label.
        slurm: parameters of submitit's executor.
    """

    timeout: str = "2h"
    retries: int = 1
    workers: int = 1
    threads: int = 1
    keep_series: bool = False
    device: str = "cpu"
    executor: str = "local"
    address: str | None = None
    temp: str | None = None
    jobs: int | None = None
    cpus: float | None = None
    gpus: float | None = None
    memory: str | None = None
    needs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    slurm: Mapping[str, Any] = field(default_factory=dict)

    def needs_of(self, label: str, device: str | None) -> Needs:
        """Of a job of a model that uses ``device``; ``None``: a baseline, which uses none."""
        given: dict[str, Any] = {key: getattr(self, key) for key in _NEEDS if getattr(self, key) is not None}
        if device is None:
            given.pop("gpus", None)
        given |= next((own for pattern, own in self.needs.items() if fnmatchcase(label, pattern)), {})
        gpus = 1.0 if device is not None and device.startswith("cuda") else 0.0
        memory = bytes_of(given.get("memory", "0"), "memory")
        return Needs(float(given.get("cpus", self.threads)), float(given.get("gpus", gpus)), memory)


def read_run(values: Any, where: str) -> RunSpec:
    """The section as YAML gives it.

    Raises:
        InputError: an unknown name or a value that cannot be.
    """
    if not isinstance(values, Mapping):
        raise InputError("this is not a section of settings", where=where)
    known(values, [f.name for f in dataclasses.fields(RunSpec)], where, "setting")
    plain = dict(values)
    needs, slurm = plain.pop("needs", None) or {}, plain.pop("slurm", None) or {}
    for key, each in (("needs", needs), ("slurm", slurm)):
        if not isinstance(each, Mapping):
            raise InputError(f"{key} is no mapping", where=where, fix=f"Write {key}: {{name: value}}.")
    own = {str(pattern): _needs(each, f"{where}: needs: {pattern}") for pattern, each in needs.items()}
    found = RunSpec(**typed(RunSpec, plain, where), needs=own, slurm=dict(slurm))
    parse_budget(found.timeout)
    if not _DEVICE.fullmatch(found.device):
        fix = "Choose one of: cpu, cuda, cuda:0 (the first of several), mps."
        raise InputError(f"there is no device called {found.device!r}", where=where, fix=fix)
    if min(found.workers, found.threads) < 1 or found.retries < 0:
        raise InputError("workers and threads are 1 or more, retries 0 or more", where=where)
    if found.jobs is not None and found.jobs < 1:
        raise InputError(f"jobs is {found.jobs}", where=where, fix="Give 1 or more, or leave it out.")
    _needs({key: getattr(found, key) for key in _NEEDS if getattr(found, key) is not None}, where)
    if found.executor not in EXECUTORS:
        choose(found.executor, EXECUTORS, "executor", where)
    return found


def bytes_of(text: str, where: str) -> int:
    """``4GB``, ``500 MB`` in bytes, as SLURM counts them.

    Raises:
        InputError: it is no amount of memory.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)I?(B?)\s*", str(text).upper())
    if match is None or bool(match[2]) > bool(match[3]):
        raise InputError(f"{text!r} is no amount of memory", where=where, fix="Write it like 4GB or 500MB.")
    return int(float(match[1]) * _SIZES[match[2] + "B" if match[2] else ""])


def choose(value: Any, among: Sequence[str], what: str, where: str) -> None:
    """Refuse a word that is not among those known."""
    raise InputError(f"there is no {what} called {value!r}", where=where, fix=f"Choose one of: {', '.join(among)}.")


def _needs(values: Any, where: str) -> dict[str, Any]:
    if not isinstance(values, Mapping):
        raise InputError("these are no needs", where=where, fix="Write {cpus: 2, gpus: 1, memory: 4GB}.")
    known(values, _NEEDS, where, "need")
    found = typed(RunSpec, values, where)
    if not 0 < float(found.get("cpus", 1)) < float("inf") or not 0 <= float(found.get("gpus", 0)) < float("inf"):
        raise InputError("a job needs more than 0 CPUs, and 0 GPUs or more", where=where)
    if found.get("gpus", 0) > 1 and not float(found["gpus"]).is_integer():
        raise InputError(f"gpus is {found['gpus']:g}", where=where, fix="Give a whole number, or a part of one GPU.")
    bytes_of(found.get("memory", "0"), where)
    return found
