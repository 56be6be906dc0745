"""Jobs on a Ray cluster, or on a Ray of this machine alone (extra ``ray``).

A Ray task does next to nothing: it runs an errand (:mod:`tsprout.bench.executors.far`), which does the job in a process
as the local executor does, so that results are the same. Ray tries nothing again by itself; the runner does.
What Ray sends its workers (a reference to a function here, a text) it pickles itself; no file is.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from tsprout.bench.cell import Job
from tsprout.bench.executors.base import Outcome
from tsprout.bench.executors.far import Mark, outcome, perform
from tsprout.bench.runspec import Needs
from tsprout.errors import InputError, MissingExtraError

QUEUE = 2  # jobs that wait in Ray for a place, so that one is there when a place becomes free
PATIENCE = 60.0  # seconds that a cluster has to come up with a machine big enough
_STORE = 100 * 2**20  # bytes of shared memory: nothing but short texts travels


def errand(text: str) -> str:
    """The body of a Ray task."""
    return json.dumps(perform(text))


class RayExecutor:
    """Jobs as Ray tasks.

    Args:
        address: ``auto``, or ``host:port`` of a cluster, on one of whose machines this runs; without it, what the
            variable ``RAY_ADDRESS`` says, else a Ray of this machine that ends with the run. A Ray that is initialised
            already is used, and left as it is.
        most: jobs at once; as many as fit, and a few more, where not given.
        temp: folder for the files of a Ray of this machine; a new one among the temporary files, removed at the end,
            where neither this nor the variable ``RAY_TMPDIR`` says.
        patience: seconds to wait for a machine big enough for a job.

    Raises:
        MissingExtraError: the extra is not installed.
        InputError: there is no cluster at the address, or it cannot be used.
    """

    def __init__(
        self, address: str | None = None, most: int | None = None, temp: str | None = None, patience: float = PATIENCE
    ) -> None:
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        try:
            import ray
        except ImportError as error:
            fix = 'pip install "tsprout[ray]" installs it.'
            raise MissingExtraError("the executor ray needs the extra 'ray'", fix=fix) from error
        self._ray: Any = ray
        self._most, self._patience = most, patience
        self._going: dict[Any, Job] = {}
        self._mark = Mark()
        self._fitted: set[Needs] = set()
        self._waiting_since: dict[Needs, float] = {}
        self._seen: tuple[float, list[Needs]] = (-1.0, [])
        self._own = not ray.is_initialized()
        self._temp: str | None = None
        if self._own:
            self._connect(address or os.environ.get("RAY_ADDRESS") or None, temp)
        self._task = ray.remote(max_retries=0)(errand)

    @property
    def slots(self) -> int:
        """Those going on, and so many more that no more than :data:`QUEUE` wait; follows the cluster."""
        room = max(0, QUEUE - waiting(self._nodes(), [job.needs for job in self._going.values()]))
        many = len(self._going) + room
        return many if self._most is None else min(many, self._most)

    def submit(self, job: Job) -> None:
        """See :meth:`Executor.submit`."""
        needs = job.needs
        task = self._task.options(
            num_cpus=needs.cpus,
            num_gpus=needs.gpus,
            memory=needs.memory or None,
            name=job.name,
            scheduling_strategy="SPREAD",
        )
        self._going[task.remote(self._mark.errand(job))] = job

    def finished(self, seconds: float) -> list[Outcome]:
        """See :meth:`Executor.finished`.

        Raises:
            InputError: a machine does not see the folder, or has another version.
        """
        going = list(self._going)
        if not going:
            return []
        self._ray.wait(going, num_returns=1, timeout=seconds)
        ended, _ = self._ray.wait(going, num_returns=len(going), timeout=0)
        return [self._outcome(reference) for reference in ended] + self._hopeless()

    def close(self) -> None:
        """See :meth:`Executor.close`. Other work on the cluster is left alone."""
        for reference in self._going:
            with suppress(Exception):
                self._ray.cancel(reference, force=True)
        self._going = {}
        self._mark.remove()
        if self._own:
            self._ray.shutdown()
        if self._temp is not None:
            shutil.rmtree(self._temp, ignore_errors=True)

    def _outcome(self, reference: Any) -> Outcome:
        job = self._going.pop(reference)
        try:
            found = json.loads(self._ray.get(reference))
        except self._ray.exceptions.NodeDiedError:
            return Outcome(job, "the machine it ran on was lost", again=True)
        except self._ray.exceptions.OutOfMemoryError:
            return Outcome(job, "Ray ended it for lack of memory on its machine", again=True)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, ImportError):
                what = f"tsprout cannot be used there: {' '.join(str(error.cause).split())}"
                fix = "Install the same tsprout on all machines of the cluster."
                raise InputError(what, where="Ray worker", fix=fix) from error
            return Outcome(job, f"Ray could not do it: {_first(error.cause or error)}")
        except self._ray.exceptions.RayError as error:
            return Outcome(job, f"its worker was lost: {_first(error)}", again=True)
        return outcome(job, found)

    def _hopeless(self) -> list[Outcome]:
        """Jobs that no machine has ever been big enough for, once the cluster has had its time."""
        nodes, now, given_up = self._nodes(), time.monotonic(), []
        for reference, job in list(self._going.items()):
            needs = job.needs
            if needs in self._fitted or any(_fits(needs, node) for node in nodes):
                self._fitted.add(needs)
            elif now - self._waiting_since.setdefault(needs, now) >= self._patience:
                self._ray.cancel(reference, force=True)
                del self._going[reference]
                biggest = max(nodes, key=lambda node: (node.gpus, node.cpus), default=None)
                has = "the cluster has none" if biggest is None else f"the biggest has {biggest}"
                given_up.append(Outcome(job, f"it needs a machine with {needs}; {has}"))
        return given_up

    def _nodes(self) -> list[Needs]:
        """What the machines have in all, looked up once a second."""
        if time.monotonic() - self._seen[0] > 1.0:
            nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
            every = [Needs(n.get("CPU", 0.0), n.get("GPU", 0.0), int(n.get("memory", 0))) for n in nodes]
            self._seen = (time.monotonic(), every)
        return self._seen[1]

    def _connect(self, address: str | None, temp: str | None) -> None:
        logging.getLogger("ray").setLevel(logging.CRITICAL)
        _silence(self._ray)
        plain: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
        if address in (None, "local"):
            plain |= {"address": "local", "include_dashboard": False, "object_store_memory": _STORE}
            if temp is None and "RAY_TMPDIR" not in os.environ:
                # Ray needs a short path: the names of its sockets are long, and there is a limit to them.
                temp = self._temp = tempfile.mkdtemp(prefix="tsprout-")
            plain |= {} if temp is None else {"_temp_dir": os.path.abspath(temp)}
        else:
            plain |= {"address": address}
            check_address(str(address))
        try:
            self._ray.init(**plain)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            self._ray.shutdown()
            if self._temp is not None:
                shutil.rmtree(self._temp, ignore_errors=True)
            fix = "Start one with 'ray start --head', or give the address of one; this must be one of its machines."
            if plain["address"] == "local":
                fix = "Choose another folder with run.temp; its path must be short."
            raise InputError(f"Ray cannot be used: {_first(error)}", where=plain["address"], fix=fix) from error


def _silence(ray: Any) -> None:
    """Ray prints what becomes of machines on standard output, where ``--json`` prints one object and nothing else."""
    worker: Any = getattr(getattr(ray, "_private", None), "worker", None)
    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = lambda *data, **how: None


def check_address(address: str, seconds: float = 5.0) -> None:
    """Refuse an address at which nobody listens; Ray itself would try for long, or end the process.

    Raises:
        InputError: see above, or it is of a kind that cannot be used.
    """
    if address == "auto":
        return
    fix = "Give auto or host:port, as 'ray status' and 'ray start' print them, on a machine of the cluster."
    if "://" in address:
        raise InputError("a Ray client cannot run a benchmark", where=address, fix=fix)
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise InputError("this is no address of a Ray cluster", where=address, fix=fix)
    try:
        socket.create_connection((host.strip("[]"), int(port)), seconds).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"no Ray cluster can be reached ({error})", where=address, fix=fix) from error


def waiting(nodes: Sequence[Needs], jobs: Sequence[Needs]) -> int:
    """How many of the jobs do not find a place, when each in turn takes the first machine that has room."""
    free = list(nodes)
    left = 0
    for needs in jobs:
        place = next((number for number, node in enumerate(free) if _fits(needs, node)), None)
        if place is None:
            left += 1
            continue
        node = free[place]
        free[place] = Needs(node.cpus - needs.cpus, node.gpus - needs.gpus, node.memory - needs.memory)
    return left


def _fits(needs: Needs, node: Needs) -> bool:
    return needs.cpus <= node.cpus and needs.gpus <= node.gpus and needs.memory <= node.memory


def _first(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
