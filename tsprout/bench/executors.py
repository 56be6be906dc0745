"""Where jobs are done. An executor takes jobs and says which have ended; the results are files in the folder.

Another one (a cluster, a queue) needs the four members of :class:`Executor`: a job travels as text
(:meth:`~tsprout.bench.cell.Job.to_json`), and :func:`~tsprout.bench.cell.run_job` does it wherever the folder is.
"""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Protocol

from tsprout.bench.cell import Job, work

# Loaded when they are first needed elsewhere, and by nearly every job.
_PRELOAD = ["tsprout.metrics.paper.suite", "tsprout.metrics.paper.context_fid", "tsprout.metrics.paper.discriminative"]
_PRELOAD += ["tsprout.metrics.yardstick", "scipy.linalg", "scipy.stats", "sklearn.linear_model"]


@dataclass(frozen=True)
class Outcome:
    """A job that has ended. ``error``: why it did not end well, in words; ``again``: whether another try may help."""

    job: Job
    error: str = ""
    again: bool = False


class Executor(Protocol):
    """Does jobs elsewhere."""

    slots: int

    def submit(self, job: Job) -> None:
        """Begin a job; called while fewer than ``slots`` are going on."""

    def finished(self, seconds: float) -> list[Outcome]:
        """Jobs that have ended since the last call; waits for the first, at most so long."""

    def close(self) -> None:
        """End what is going on, at once."""


class LocalExecutor:
    """Processes of this machine, one for every job, killed when its time is over.

    They are forked from a server that has loaded everything, where the system can (Linux, macOS).
    """

    def __init__(self, slots: int = 1, method: str | None = None) -> None:
        chosen = method or ("forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn")
        self._context = multiprocessing.get_context(chosen)
        if chosen == "forkserver":
            self._context.set_forkserver_preload(["tsprout.bench.cell", *_PRELOAD])
        self.slots = slots
        self._running: list[tuple[Job, BaseProcess, float]] = []

    def submit(self, job: Job) -> None:
        """See :meth:`Executor.submit`."""
        process = self._context.Process(target=work, args=(job.to_json(),), daemon=True)  # type: ignore[attr-defined]
        process.start()
        self._running.append((job, process, time.monotonic() + job.seconds))

    def finished(self, seconds: float) -> list[Outcome]:
        """See :meth:`Executor.finished`."""
        if self._running:
            nearest = min(deadline for _, _, deadline in self._running) - time.monotonic()
            wait([process.sentinel for _, process, _ in self._running], max(0.0, min(seconds, nearest)))
        ended, left = [], []
        for job, process, deadline in self._running:
            if not process.is_alive():
                ended.append(_outcome(job, process))
            elif time.monotonic() >= deadline:
                process.kill()
                process.join()
                ended.append(Outcome(job, f"it was stopped after {job.seconds:.0f} s, the time it is given"))
            else:
                left.append((job, process, deadline))
        self._running = left
        return ended

    def close(self) -> None:
        """See :meth:`Executor.close`."""
        for _, process, _ in self._running:
            process.kill()
        for _, process, _ in self._running:
            process.join()
        self._running = []


def _outcome(job: Job, process: BaseProcess) -> Outcome:
    process.join()
    code = process.exitcode or 0
    if code == 0:
        return Outcome(job)
    if code < 0:
        hint = ", which is often a lack of memory" if code == -9 else ""
        return Outcome(job, f"its process was ended by signal {-code}{hint}", again=True)
    return Outcome(job, f"its process left with code {code}", again=True)
