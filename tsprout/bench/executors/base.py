"""What every executor is. It takes jobs and says which have ended; the results are files in the folder.

A job travels as text (:meth:`~tsprout.bench.cell.Job.to_json`), and :func:`~tsprout.bench.cell.work` does it in a
process of its own wherever the folder is, so that results do not depend on who started that process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tsprout.bench.cell import Job


@dataclass(frozen=True)
class Outcome:
    """A job that has ended. ``error``: why it did not end well, in words; ``again``: whether another try may help."""

    job: Job
    error: str = ""
    again: bool = False


class Executor(Protocol):
    """Does jobs elsewhere."""

    @property
    def slots(self) -> int:
        """How many jobs may be going on now; asked before every job, so that it may follow a cluster."""

    def submit(self, job: Job) -> None:
        """Begin a job; called while fewer than ``slots`` are going on."""

    def finished(self, seconds: float) -> list[Outcome]:
        """Jobs that have ended since the last call; waits for the first, at most so long."""

    def close(self) -> None:
        """End what is going on, at once."""
