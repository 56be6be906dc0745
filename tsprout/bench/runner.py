"""Does what is missing of a benchmark: any executor, tries again what crashed, records what failed, goes on."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tsprout.bench.cell import Job, failure
from tsprout.bench.digests import cell_hash, check_model, data_digest, making_hash, model_digest
from tsprout.bench.executors import Executor, Outcome
from tsprout.bench.runspec import Needs
from tsprout.bench.spec import FORMAT, Cell, Spec
from tsprout.bench.store import DONE, FAILED, PLAN, Store, write_json
from tsprout.budget import parse_budget
from tsprout.errors import InputError, TsproutError
from tsprout.peer import device_for, is_peer

_GLANCE = 1.0  # seconds between two looks at the clock


@dataclass(frozen=True)
class Event:
    """What a watcher is told when a job has ended, and once before the first.

    ``done``, ``failed`` and ``total`` count the cells asked for; ``seconds`` the job took; ``left``: an estimate of the
    seconds left, ``None`` while there is none; ``error``: of the job, in words.
    """

    done: int
    failed: int
    total: int
    job: str = ""
    seconds: float = 0.0
    left: float | None = None
    error: str = ""


Watch = Callable[[Event], None]


def run(
    spec: Spec,
    out: str | Path,
    executor: Executor,
    *,
    only: Sequence[str] = (),
    seconds: float | None = None,
    retry: bool = False,
    watch: Watch | None = None,
) -> dict[str, Any]:
    """Do the cells of ``spec`` that have no result in the folder ``out`` yet.

    Args:
        spec: what is asked for.
        out: made if it is not there; a benchmark in it goes on.
        executor: closed at the end, however it comes.
        only: patterns, of which one must fit a cell's name: ``small*/ETTh2/*``, ``*/paper``; all where empty.
        seconds: begin nothing after so long.
        retry: cells that failed before, too.
        watch: told how it goes.

    Returns:
        JSON-able: counts of cells, those that failed with their errors, whether time ran out.

    Raises:
        InputError: the folder, a model or a pattern cannot be used.
    """
    store = Store(out)
    for known in (model_digest, data_digest):  # files may have changed since the last run of this process
        known.cache_clear()
    try:
        for model in spec.models:
            check_model(model)
        store.prepare()
        with store.alone():
            store.tidy()
            return _run(spec, store, executor, only, seconds, retry, watch or (lambda event: None))
    finally:
        executor.close()


def _run(
    spec: Spec,
    store: Store,
    executor: Executor,
    only: Sequence[str],
    seconds: float | None,
    retry: bool,
    watch: Watch,
) -> dict[str, Any]:
    device = spec.run.device
    every = [(cell, cell_hash(cell, device)) for cell in spec.cells()]
    write_json(store.folder / PLAN, plan(spec, every))
    asked = [(cell, digest) for cell, digest in every if chosen(cell, only)]
    if not asked:
        raise InputError("no cell has a name like that", where="--only", fix=f"Names are like {every[0][0].name}.")
    state = {digest: _status(store, digest, retry) for _, digest in asked}
    pending = deque(_jobs(spec, store, [pair for pair in asked if not state[pair[1]]]))
    for job in pending:
        for digest in job.hashes:
            store.cell(digest).unlink(missing_ok=True)  # of a failure that is tried again
    begun, going, ended, started = time.monotonic(), 0, 0, {}
    total, stopped = len(pending), False

    def tell(job: str = "", took: float = 0.0, error: str = "") -> None:
        values = [state[digest] for _, digest in asked]
        left = (time.monotonic() - begun) / ended * (total - ended) if ended else None
        watch(Event(values.count(DONE), values.count(FAILED), len(values), job, took, left, error))

    tell()
    while pending or going:
        stopped = bool(pending) and seconds is not None and time.monotonic() - begun >= seconds
        while pending and going < executor.slots and not stopped:
            job = pending.popleft()
            started[job.making] = time.monotonic()
            executor.submit(job)
            going += 1
        if stopped and not going:
            break
        for outcome in executor.finished(_GLANCE):
            going -= 1
            again, error = settle(store, outcome, spec.run.retries)
            if again is not None:
                pending.appendleft(again)
                continue
            ended += 1
            for digest in outcome.job.hashes:
                state[digest] = _status(store, digest, False)
            tell(outcome.job.name, time.monotonic() - started[outcome.job.making], error)
    return _account(spec, store, asked, stopped, time.monotonic() - begun)


def settle(store: Store, outcome: Outcome, retries: int) -> tuple[Job | None, str]:
    """What is left of a job that ended: the same again, or, once that is of no use, a record of what went wrong.

    Returns:
        the job to try again or ``None``, and the error of the first cell that has one.
    """
    job = outcome.job
    pairs = list(zip(job.cells, job.hashes, strict=True))
    missing = [pair for pair in pairs if store.read(pair[1]) is None]
    if missing and outcome.again and job.attempt <= retries:
        return replace(
            job,
            cells=tuple(cell for cell, _ in missing),
            hashes=tuple(digest for _, digest in missing),
            attempt=job.attempt + 1,
        ), ""
    error = TsproutError(outcome.error or "its process left no result")
    for cell, digest in missing:
        store.write(digest, failure(cell, digest, job, error))
    records = (store.read(digest) for _, digest in pairs)
    return None, next((r["error"]["what"] for r in records if r is not None and r["status"] == FAILED), "")


def plan(spec: Spec, every: Sequence[tuple[Cell, str]]) -> dict[str, Any]:
    """What tables are made by: the specification, and its cells in their order."""
    cells = [
        {
            "name": cell.name,
            "hash": digest,
            "model": cell.model.label,
            "set": cell.set,
            "shots": cell.shots,
            "length": cell.length,
            "seed": cell.seed,
            "suite": cell.suite.label,
        }
        for cell, digest in every
    ]
    return {"format": FORMAT, "name": spec.name, "protocol": spec.protocol, "spec": spec.to_dict(), "cells": cells}


def chosen(cell: Cell, only: Sequence[str]) -> bool:
    """Whether a cell is asked for."""
    return not only or any(fnmatchcase(cell.name, pattern) for pattern in only)


def _jobs(spec: Spec, store: Store, missing: Sequence[tuple[Cell, str]]) -> list[Job]:
    groups: dict[str, dict[str, Cell]] = {}
    for cell, digest in missing:
        groups.setdefault(making_hash(cell, spec.run.device), {})[digest] = cell
    seconds = parse_budget(spec.run.timeout)
    return [
        Job(
            folder=str(store.folder.absolute()),
            cells=tuple(cells.values()),
            hashes=tuple(cells),
            making=making,
            seconds=seconds * len(cells),
            threads=spec.run.threads,
            device=spec.run.device,
            keep_series=spec.run.keep_series,
            needs=_needs(spec, next(iter(cells.values()))),
        )
        for making, cells in groups.items()
    ]


def _needs(spec: Spec, cell: Cell) -> Needs:
    used = device_for(cell.model.model, spec.run.device, cell.model.options)
    return spec.run.needs_of(cell.model.label, None if used == "cpu" and is_peer(cell.model.model) else used)


def _status(store: Store, digest: str, retry: bool) -> str:
    """``done``, ``failed``, or an empty text for what is to be done."""
    record = store.read(digest)
    status = "" if record is None else str(record["status"])
    return "" if retry and status == FAILED else status


def _account(
    spec: Spec, store: Store, asked: Sequence[tuple[Cell, str]], stopped: bool, seconds: float
) -> dict[str, Any]:
    records = [(cell, store.read(digest)) for cell, digest in asked]
    failed = [{"cell": cell.name, **r["error"]} for cell, r in records if r is not None and r["status"] == FAILED]
    done = sum(r is not None and r["status"] == DONE for _, r in records)
    return {
        "command": "bench run",
        "name": spec.name,
        "out": str(store.folder),
        "cells": len(asked),
        "done": done,
        "failed": failed,
        "missing": len(asked) - done - len(failed),
        "stopped": "time" if stopped else None,
        "seconds": round(seconds, 1),
        "ok": not failed,
    }
