"""The executor that a specification asks for."""

from __future__ import annotations

from pathlib import Path

from tsprout.bench.executors.base import Executor
from tsprout.bench.executors.local import LocalExecutor
from tsprout.bench.runspec import RunSpec
from tsprout.errors import InputError


def choose_executor(run: RunSpec, folder: Path) -> Executor:
    """The executor of the section ``run`` for the benchmark in ``folder``.

    Raises:
        MissingExtraError: its extra is not installed.
        InputError: it cannot be used here.
    """
    if run.executor != "ray":
        for name in ("address", "temp"):
            if getattr(run, name) is not None:
                what = f"an {name}" if name == "address" else f"a folder {name}"
                raise InputError(f"{what} is of use to the executor ray only", where=f"executor {run.executor}")
    if run.executor == "ray":
        from tsprout.bench.executors.ray import RayExecutor

        return RayExecutor(run.address, run.jobs, run.temp)
    if run.executor == "slurm":
        from tsprout.bench.executors.slurm import SubmititExecutor

        return SubmititExecutor(folder, run.slurm, run.jobs)
    return LocalExecutor(run.workers)
