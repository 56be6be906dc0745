"""What a job needs on another machine: an errand, as text, and who runs it there, in a process as at home.

An errand is the job with the working folder and the ``TSPROUT_...`` variables of the runner, its version, and a mark
that it has written into the folder of the benchmark. A machine that does not find the mark does not see that folder,
and says so.

``python -m tsprout.bench.executors.far FILE`` runs the errand in a file and writes what became of it beside it, as
``FILE.ended``: JSON in, JSON out, nothing pickled.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tsprout import __version__
from tsprout.bench.cell import Job
from tsprout.bench.executors.base import Outcome
from tsprout.bench.executors.local import LocalExecutor
from tsprout.bench.store import SHARED, read_json, write_json
from tsprout.errors import InputError
from tsprout.staging import from_os_error

ENDED = ".ended"
PATIENCE = 10.0  # seconds that a file another machine wrote may take to be seen


class Mark:
    """The mark of a run in the folder of its benchmark, made when first asked for."""

    def __init__(self) -> None:
        self.token = uuid.uuid4().hex
        self._place: Path | None = None

    def errand(self, job: Job) -> str:
        """``job`` for another machine.

        Raises:
            TsproutError: the folder cannot be written to.
        """
        if self._place is None:
            place = Path(job.folder) / SHARED
            try:
                place.write_text(self.token, encoding="ascii")
            except OSError as error:
                raise from_os_error(error, place) from error
            self._place = place
        own = {key: value for key, value in os.environ.items() if key.startswith("TSPROUT_")}
        plain = {"job": job.to_json(), "cwd": os.getcwd(), "environment": own}
        return json.dumps(plain | {"token": self.token, "version": __version__})

    def remove(self) -> None:
        """Take the mark away, unless another run has made its own."""
        if self._place is not None and _marked(self._place.parent) == self.token:
            self._place.unlink(missing_ok=True)


def perform(
    text: str, patience: float = PATIENCE, wait: Callable[[float], None] = time.sleep, method: str | None = None
) -> dict[str, Any]:
    """Run an errand here, in a process of its own (``method``: how it is started), for as long as its job is given.

    Returns:
        ``error`` and ``again`` of an :class:`~tsprout.bench.executors.base.Outcome`; or ``refusal``: what is wrong with
        this machine, so that no job can be done here.
    """
    errand = json.loads(text)
    job, host = Job.from_json(errand["job"]), socket.gethostname()
    if errand["version"] != __version__:
        what = f"it has tsprout {__version__}, the run was begun by {errand['version']}"
        return {"refusal": {"what": what, "where": f"machine {host}", "fix": "Install the same version on both."}}
    tries = max(1, round(patience))
    for left in reversed(range(tries)):
        if _marked(Path(job.folder)) == errand["token"]:
            break
        if left:
            wait(1.0)
    else:
        what = f"it does not see the folder of the benchmark, {job.folder}"
        fix = "Use a folder that all machines share and mount at the same place."
        return {"refusal": {"what": what, "where": f"machine {host}", "fix": fix}}
    os.environ.update(errand["environment"])
    if os.path.isdir(errand["cwd"]):
        os.chdir(errand["cwd"])
    executor = LocalExecutor(1, method)
    try:
        executor.submit(job)
        ended: list[Outcome] = []
        while not ended:
            ended = executor.finished(60.0)
    finally:
        executor.close()
    told = f"on {host}: {ended[0].error}" if ended[0].error else ""
    return {"error": told, "again": ended[0].again}


def outcome(job: Job, found: Mapping[str, Any]) -> Outcome:
    """What :func:`perform` returned.

    Raises:
        InputError: the machine cannot be used.
    """
    if refusal := found.get("refusal"):
        raise InputError(refusal["what"], where=refusal["where"], fix=refusal["fix"])
    return Outcome(job, str(found["error"]), bool(found["again"]))


def _marked(folder: Path) -> str:
    try:
        os.listdir(folder)  # makes disks of a network look anew
        return (folder / SHARED).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""


def main(place: str) -> None:
    """Run the errand in a file, once: a file that has ended is left alone."""
    path = Path(place)
    ended = path.with_name(path.name + ENDED)
    if read_json(ended) is None:
        # Forked from here, where nothing but imports has been done: a server to fork from would import all of it again.
        fork = "fork" if "fork" in multiprocessing.get_all_start_methods() else None
        write_json(ended, perform(path.read_text(encoding="utf-8"), method=fork))


if __name__ == "__main__":
    main(sys.argv[1])
