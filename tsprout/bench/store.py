"""The folder of a benchmark: every file is whole or not there, whenever the run is killed.

::

    plan.json        the specification, and the cells that follow from it with their hashes; of the last run
    cells/           one file a cell, named by its hash: scores, or the error
    beside/          floor, copies and noise of the tasks, shared by all models
    series/          what was drawn, until all suites of the cell are done (or for good: run.keep_series)
    slurm/           scripts, job files and logs of the SLURM executor
    .running         the lock of the run that is at work; .shared: its mark, by which other machines know the folder
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tsprout.accounts import plain
from tsprout.errors import InputError
from tsprout.locks import alone
from tsprout.staging import PARTIAL, from_os_error, write_file

PLAN, CELLS, BESIDE, SERIES, SLURM = "plan.json", "cells", "beside", "series", "slurm"
DONE, FAILED = "done", "failed"
_LOCK, SHARED = ".running", ".shared"


class Store:
    """The files of one benchmark."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    @property
    def beside(self) -> Path:
        """Folder of what all models share."""
        return self.folder / BESIDE

    def series(self, making: str) -> Path:
        """Where what was drawn lies."""
        return self.folder / SERIES / f"{making}.npy"

    def cell(self, digest: str) -> Path:
        """The file of a cell."""
        return self.folder / CELLS / f"{digest}.json"

    def read(self, digest: str) -> dict[str, Any] | None:
        """The record of a cell; ``None`` where there is none that can be read."""
        found = read_json(self.cell(digest))
        return found if isinstance(found, dict) and found.get("status") in (DONE, FAILED) else None

    def write(self, digest: str, record: Mapping[str, Any]) -> None:
        """Keep the record of a cell."""
        write_json(self.cell(digest), record)

    def prepare(self) -> None:
        """Make the folder, or refuse one that is not a benchmark's.

        Raises:
            InputError: it is a file, or holds other files.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError("the output is a file, a folder is needed", where=str(self.folder))
        known = {PLAN, CELLS, BESIDE, SERIES, SLURM}
        try:
            here = {path.name for path in self.folder.iterdir()} if self.folder.is_dir() else set()
            if PLAN not in here and {name for name in here - known if not name.startswith(".")}:
                raise InputError(
                    "the folder holds other files, and no benchmark to go on with",
                    where=str(self.folder),
                    fix="Choose an empty folder.",
                )
            for name in (CELLS, BESIDE, SERIES):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise from_os_error(error, self.folder) from error

    def tidy(self) -> None:
        """Remove what a killed run left half written; for who holds the folder, as another run's files are its own."""
        for name in (CELLS, BESIDE, SERIES):
            for path in (self.folder / name).glob(f".*{PARTIAL}"):
                path.unlink(missing_ok=True)

    def alone(self) -> AbstractContextManager[None]:
        """Hold the folder, so that no second run does the same work; see :func:`tsprout.locks.alone`.

        Raises:
            InputError: another run holds it.
        """
        return alone(self.folder, _LOCK)

    def plan(self) -> dict[str, Any]:
        """The plan of the last run.

        Raises:
            InputError: there is none.
        """
        found = read_json(self.folder / PLAN)
        if not isinstance(found, dict) or not isinstance(found.get("cells"), list):
            fix = "Name the folder of a benchmark: tsprout bench run SPEC -o FOLDER."
            raise InputError("there is no benchmark here", where=str(self.folder), fix=fix)
        return found


def read_json(path: Path) -> Any:
    """Its content; ``None`` where there is none that can be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Strict JSON with sorted keys, numbers that are not finite as null; whole or not at all."""
    text = json.dumps(plain(values), indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"
    write_file(path, text)
