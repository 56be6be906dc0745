"""One job: the cells of one model on one task, in a process of its own. Fit and draw once, score under every suite.

A cell ends as one file, written at once: its scores, or its error. Nothing is raised for what a model or a set does
wrong. What was drawn is kept until all suites are done, so that a job killed while it scored need not fit again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tsprout.accounts import peak_memory, versions
from tsprout.bench.generate import generate
from tsprout.bench.runspec import Needs
from tsprout.bench.scoring import score
from tsprout.bench.spec import FORMAT, Cell
from tsprout.bench.store import DONE, FAILED, Store, read_json, write_json
from tsprout.data.protocols import Split, parse_shots, protocol
from tsprout.data.protocols.strict import strict
from tsprout.errors import TsproutError
from tsprout.staging import write_file


@dataclass(frozen=True)
class Job:
    """Cells that share everything but the suite, with their hashes, and how to do them in at most ``seconds``."""

    folder: str
    cells: tuple[Cell, ...]
    hashes: tuple[str, ...]
    making: str
    seconds: float
    threads: int = 1
    device: str = "cpu"
    keep_series: bool = False
    attempt: int = 1
    needs: Needs = field(default_factory=Needs)

    def to_json(self) -> str:
        """For another process or machine; inverse of :meth:`from_json`."""
        plain = {"cells": [cell.to_dict() for cell in self.cells], "needs": vars(self.needs)}
        return json.dumps(vars(self) | plain)

    @classmethod
    def from_json(cls, text: str) -> Job:
        """From :meth:`to_json`."""
        values = json.loads(text)
        cells = tuple(map(Cell.from_dict, values["cells"]))
        own = {"cells": cells, "hashes": tuple(values["hashes"]), "needs": Needs(**values["needs"])}
        return cls(**(values | own))

    @property
    def name(self) -> str:
        """Of the first cell, without its suite where there are several."""
        name = self.cells[0].name
        return name if len(self.cells) == 1 else name.rpartition("/")[0]


def run_job(job: Job) -> None:
    """Do the cells of a job that have no record yet, and write one for each.

    Raises:
        TsproutError: a record cannot be written.
    """
    store = Store(job.folder)
    missing = [(cell, digest) for cell, digest in zip(job.cells, job.hashes, strict=True) if not store.read(digest)]
    if not missing:
        return
    try:
        split = cut(missing[0][0])
        values, facts = _drawn(job, store, missing[0][0], split)
    except Exception as error:
        for cell, digest in missing:
            store.write(digest, failure(cell, digest, job, error))
        return
    for cell, digest in missing:
        begun = time.perf_counter()
        try:
            found = score(cell, split, values, store.beside)
        except Exception as error:
            store.write(digest, failure(cell, digest, job, error))
            continue
        seconds = facts["seconds"] | {"score": round(time.perf_counter() - begun, 3)}
        told = {key: value for key, value in facts.items() if key != "seconds"} | {"task": list(split.notes)}
        record = _begun(cell, digest, DONE) | found | {"facts": told, "run": _run(job, seconds)}
        store.write(digest, record)
    if not job.keep_series:
        for path in (store.series(job.making), _facts_place(store, job)):
            path.unlink(missing_ok=True)


def cut(cell: Cell) -> Split:
    """Shots and reference of a cell.

    Raises:
        InputError: the set is not here, or is too small for what is asked.
    """
    shots = parse_shots(cell.shots)
    if cell.protocol == "strict":
        most = {} if cell.reference is None else {"most": cell.reference}
        return strict(cell.set, shots=shots, length=cell.length, seed=cell.seed, **most)
    # The subsets of the paper are one permutation's: its seeds are those of models and scores.
    return protocol(cell.protocol)(cell.set, shots=shots, length=cell.length, reference_size=cell.reference)


def failure(cell: Cell, digest: str, job: Job, error: Exception) -> dict[str, Any]:
    """The record of a cell that failed."""
    if isinstance(error, TsproutError):
        told = {"kind": type(error).__name__, "what": error.what, "where": error.where, "fix": error.fix}
    else:
        told = {"kind": type(error).__name__, "what": " ".join(str(error).split()), "where": None, "fix": None}
    return _begun(cell, digest, FAILED) | {"error": told, "run": _run(job, {})}


def _drawn(job: Job, store: Store, cell: Cell, split: Split) -> tuple[np.ndarray, dict[str, Any]]:
    place, beside = store.series(job.making), _facts_place(store, job)
    facts = read_json(beside)
    if facts is not None and place.exists():
        return np.load(place, allow_pickle=False), facts
    n = len(split.reference) if cell.series is None else cell.series
    values, facts = generate(cell, split, n, device=job.device)
    place.parent.mkdir(parents=True, exist_ok=True)
    # The series first: without the facts beside them they do not count.
    write_file(place, lambda file: np.save(file, values, allow_pickle=False))
    write_json(beside, facts)
    return values, facts


def _facts_place(store: Store, job: Job) -> Path:
    return store.series(job.making).with_suffix(".json")


def _begun(cell: Cell, digest: str, status: str) -> dict[str, Any]:
    return {"format": FORMAT, "hash": digest, "status": status, "cell": cell.to_dict()}


def _run(job: Job, seconds: dict[str, float]) -> dict[str, Any]:
    """What is not the same twice."""
    own = {"seconds": seconds, "peak_bytes": peak_memory(), "versions": versions()}
    return own | {"threads": job.threads, "device": job.device, "attempt": job.attempt}


def work(text: str, runs: Callable[[Job], None] = run_job) -> None:
    """The body of a worker process: a job as JSON; ends by itself when the process that started it has died."""
    import signal
    import threading

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the runner's to obey
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_outlive_nobody, daemon=True).start()
    job = Job.from_json(text)
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(job.threads)
    with threadpool_limits(job.threads):
        runs(job)


def _outlive_nobody() -> None:
    import os
    from multiprocessing import parent_process
    from multiprocessing.connection import wait

    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
