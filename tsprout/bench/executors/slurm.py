"""Jobs in a SLURM queue, through submitit (extra ``slurm``).

submitit pickles functions and their results. This does not: of submitit it takes the batch file, ``sbatch``, ``sacct``
and ``scancel``, and what it submits is a command, ``python -m tsprout.bench.executors.far FILE``, that reads and writes
JSON. Everything lies in the folder ``slurm`` of the benchmark: ``jobs`` (errands and what became of them), ``going`` (a
file named by the number of each job in the queue, by which the next run clears up after one that was killed), batch
files and logs.
"""

from __future__ import annotations

import logging
import math
import shlex
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tsprout.bench.cell import Job
from tsprout.bench.executors.base import Outcome
from tsprout.bench.executors.far import ENDED, Mark, outcome
from tsprout.bench.store import SLURM, read_json
from tsprout.errors import InputError, MissingExtraError

MOST = 100  # jobs in the queue
NAME = "tsprout-bench"
GRACE = 10.0  # minutes that SLURM gives a job beyond its own limit, which ends it more gently
SEEN = 15.0  # seconds for the last file of a job to arrive, once SLURM says that it has ended
_OURS = {"timeout_min", "name", "cpus_per_task", "gpus_per_node", "mem_gb", "nodes", "tasks_per_node"}
_TOOLS = ("sbatch", "srun", "sacct", "scancel")


@dataclass
class _Going:
    job: Job
    handle: Any
    errand: Path
    over: float | None = None


class SubmititExecutor:
    """Jobs as SLURM jobs.

    Args:
        folder: of the benchmark, shared by all machines.
        settings: parameters of submitit's executor, such as ``slurm_partition``; ``slurm_`` may be left out.
        most: jobs in the queue at once.
        cluster: ``slurm``; ``local`` for submitit's own processes of this machine, to try it out.
        poll: seconds between two questions to SLURM.

    Raises:
        MissingExtraError: the extra is not installed.
        InputError: there is no SLURM here, or a parameter that submitit does not know.
    """

    def __init__(
        self,
        folder: str | Path,
        settings: Mapping[str, Any] | None = None,
        most: int | None = None,
        cluster: str = "slurm",
        poll: float = 15.0,
        seen: float = SEEN,
    ) -> None:
        try:
            import submitit
        except ImportError as error:
            fix = 'pip install "tsprout[slurm]" installs it.'
            raise MissingExtraError("the executor slurm needs the extra 'slurm'", fix=fix) from error
        if cluster == "slurm" and (absent := [tool for tool in _TOOLS if shutil.which(tool) is None]):
            fix = "Start it on a machine from which jobs are submitted."
            raise InputError(f"SLURM is not here: there is no {', '.join(absent)}", where="executor slurm", fix=fix)
        logging.getLogger("submitit").setLevel(logging.ERROR)
        self._folder = Path(folder).absolute() / SLURM
        self._slots, self._poll, self._cluster, self._seen = most or MOST, poll, cluster, seen
        self._settings = {_full(key): value for key, value in (settings or {}).items()}
        if taken := sorted({key.removeprefix("slurm_") for key in self._settings} & _OURS):
            fix = "Use timeout, cpus, gpus and memory of the section run."
            raise InputError(f"{taken[0]} is not set here", where="run: slurm", fix=fix)
        self._executor: Any = submitit.AutoExecutor(self._folder, cluster=cluster)
        self._failed: type[Exception] = submitit.core.utils.FailedJobError
        self._update({})
        self._going: list[_Going] = []
        self._mark, self._begun, self._asked = Mark(), False, -math.inf

    @property
    def slots(self) -> int:
        """See :attr:`Executor.slots`."""
        return self._slots

    def submit(self, job: Job) -> None:
        """See :meth:`Executor.submit`.

        Raises:
            InputError: SLURM does not take the job.
        """
        if not self._begun:
            self._begin()
        path = self._folder / "jobs" / f"{job.making}.{job.attempt}.json"
        path.with_name(path.name + ENDED).unlink(missing_ok=True)
        path.write_text(self._mark.errand(job), encoding="utf-8")
        needs = job.needs
        own: dict[str, Any] = {"timeout_min": math.ceil(job.seconds / 60 + GRACE)}
        if self._cluster == "slurm":
            own |= {"name": NAME, "nodes": 1, "tasks_per_node": 1, "cpus_per_task": math.ceil(needs.cpus)}
            own |= {"gpus_per_node": math.ceil(needs.gpus)} if needs.gpus else {}
            own |= {"mem_gb": math.ceil(needs.memory / 2**20) / 1024} if needs.memory else {}
        self._update(own)
        command = shlex.join([sys.executable, "-m", "tsprout.bench.executors.far", str(path)])
        inner = self._executor._executor
        try:
            handle = inner._submit_command(command)
        except (self._failed, RuntimeError, OSError, subprocess.SubprocessError) as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            told = next((line for line in lines if "sbatch: error" in line), lines[0] if lines else "no reason given")
            raise InputError(f"SLURM does not take the job: {told}", where=job.name, fix="See run: slurm.") from error
        (self._folder / "going" / handle.job_id).touch()
        self._going.append(_Going(job, handle, path))

    def finished(self, seconds: float) -> list[Outcome]:
        """See :meth:`Executor.finished`.

        Raises:
            InputError: a machine does not see the folder, or has another version.
        """
        until = time.monotonic() + seconds
        while True:
            ended = self._look()
            left = until - time.monotonic()
            if ended or left <= 0:
                return ended
            time.sleep(min(left, 0.2))

    def close(self) -> None:
        """See :meth:`Executor.close`: everything of ours in the queue is cancelled."""
        for each in self._going:
            with suppress(Exception):
                if self._cluster == "slurm":
                    each.handle.cancel(check=False)
                else:
                    each.handle._process.terminate()
                    each.handle._process.wait()
            self._gone(each)
        self._going = []
        self._mark.remove()

    def _begin(self) -> None:
        """Make the folders, and clear the queue of what a run that was killed left there."""
        self._begun = True
        for name in ("jobs", "going"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        old = sorted(path for path in (self._folder / "going").iterdir() if path.name.isdigit())
        if old and self._cluster == "slurm":
            # By name, too: the number may be another job's by now.
            subprocess.run(
                ["scancel", f"--name={NAME}", *(path.name for path in old)], check=False, capture_output=True
            )
        for path in old:
            path.unlink(missing_ok=True)

    def _look(self) -> list[Outcome]:
        asked = bool(self._going) and time.monotonic() - self._asked >= self._poll
        if asked:
            self._asked = time.monotonic()
            if self._cluster == "slurm":
                self._going[0].handle.watcher.update()  # of all at once
        ended, left = [], []
        for each in self._going:
            found = read_json(each.errand.with_name(each.errand.name + ENDED))
            if found is None:
                if each.over is None and asked and _over(each.handle, self._cluster):
                    each.over = time.monotonic()
                if each.over is None or time.monotonic() - each.over < self._seen:
                    left.append(each)
                    continue
                found = self._lost(each)
            else:
                each.errand.unlink(missing_ok=True)
                each.errand.with_name(each.errand.name + ENDED).unlink(missing_ok=True)
            self._gone(each)
            ended.append((each.job, found))
        self._going = left
        return [outcome(job, found) for job, found in ended]

    def _lost(self, each: _Going) -> dict[str, Any]:
        state = _state(each.handle, self._cluster)
        log = next(iter(sorted(self._folder.glob(f"{each.handle.job_id}_*.err"))), None)
        told = f"; its log is {log}" if log is not None else ""
        return {"error": f"SLURM ended it: {state}{told}", "again": not state.startswith("TIMEOUT")}

    def _gone(self, each: _Going) -> None:
        (self._folder / "going" / each.handle.job_id).unlink(missing_ok=True)

    def _update(self, own: Mapping[str, Any]) -> None:
        fixed = {"slurm_additional_parameters": {"no_requeue": True}} if self._cluster == "slurm" else {}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._executor.update_parameters(**{**fixed, **self._settings, **own})
        except (NameError, ValueError, TypeError, AssertionError) as error:
            lines = " ".join(str(error).split())
            raise InputError(f"submitit does not take this: {lines}", where="run: slurm") from error


def _full(key: str) -> str:
    return key if key.startswith("slurm_") else f"slurm_{key}"


def _state(handle: Any, cluster: str) -> str:
    if cluster == "slurm":
        return str(handle.watcher.get_state(handle.job_id, mode="cache")).upper()
    return str(handle.state)


def _over(handle: Any, cluster: str) -> bool:
    if cluster != "slurm":
        return bool(handle.done())
    state = _state(handle, cluster)
    return state == "PREEMPTED" or bool(handle.watcher.is_done(handle.job_id, mode="cache"))
