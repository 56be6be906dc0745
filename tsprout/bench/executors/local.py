"""Processes of this machine, one for every job."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from types import ModuleType

from tsprout.bench.cell import Job, work
from tsprout.bench.executors.base import Outcome

# Loaded when they are first needed elsewhere, and by nearly every job.
PRELOAD = ["tsprout.metrics.paper.suite", "tsprout.metrics.paper.context_fid", "tsprout.metrics.paper.discriminative"]
PRELOAD += ["tsprout.metrics.yardstick", "scipy.linalg", "scipy.stats", "sklearn.linear_model"]


class LocalExecutor:
    """Processes of this machine, one for every job, killed when its time is over.

    They are forked from a server that has loaded everything, where the system can (Linux, macOS).
    """

    def __init__(self, slots: int = 1, method: str | None = None) -> None:
        chosen = method or ("forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn")
        self._context = multiprocessing.get_context(chosen)
        if chosen == "forkserver":
            self._context.set_forkserver_preload(["tsprout.bench.cell", *PRELOAD])
        self.slots = slots
        self._running: list[tuple[Job, BaseProcess, float]] = []

    def submit(self, job: Job) -> None:
        """See :meth:`Executor.submit`."""
        process = self._context.Process(target=work, args=(job.to_json(),), daemon=True)  # type: ignore[attr-defined]
        with _no_main():
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


@contextmanager
def _no_main() -> Iterator[None]:
    """Jobs know nothing of the program that began them: it is not run again in each of their processes."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _outcome(job: Job, process: BaseProcess) -> Outcome:
    process.join()
    code = process.exitcode or 0
    if code == 0:
        return Outcome(job)
    if code < 0:
        hint = ", which is often a lack of memory" if code == -9 else ""
        return Outcome(job, f"its process was ended by signal {-code}{hint}", again=True)
    return Outcome(job, f"its process left with code {code}", again=True)
