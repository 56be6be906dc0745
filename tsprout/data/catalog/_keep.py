"""A data set's file and its receipt, each whole or not at all, and what the system may refuse on the way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from tsprout import __version__
from tsprout.data.catalog.folders import VARIABLE
from tsprout.data.catalog.sets import file_digest, receipt_place
from tsprout.errors import InputError
from tsprout.staging import from_os_error, is_disk_full, staged_file

RECEIPT = 1  # version of the receipt's form


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Say what the system refuses when a data folder is written in words a person can act on."""
    try:
        yield
    except OSError as error:
        known = from_os_error(error, folder)
        if is_disk_full(error):
            known.fix = "Free some space, then run the same command again; what has been downloaded stays and is used."
            raise known from None
        raise InputError(
            f"the data folder cannot be written: {known.what}",
            where=str(folder),
            fix=f"Set {VARIABLE} to a folder that you may write, or name one (--to FOLDER).",
        ) from None


def keep(target: Path, arrays: Mapping[str, np.ndarray], about: dict[str, object]) -> None:
    """The set's file, then its receipt; an old receipt goes first, so that it never stands beside another file."""
    receipt = receipt_place(target)

    def values(file: IO[bytes]) -> None:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]

    def paper(file: IO[bytes]) -> None:
        text = {"format": RECEIPT, "name": target.stem, "sha256": checksum, **about, "tsprout": __version__}
        file.write((json.dumps(text, indent=2) + "\n").encode())

    checksum = _whole(target, values, lambda: receipt.unlink(missing_ok=True))
    _whole(receipt, paper)


def _whole(path: Path, write: Callable[[IO[bytes]], None], before: Callable[[], None] = lambda: None) -> str:
    """Have a file written beside ``path`` and put in its place when it is complete; the sha256 of it.

    ``before`` is called at the last moment.
    """
    checksum = ""

    def complete(partial: Path) -> None:
        nonlocal checksum
        checksum = file_digest(partial)
        before()

    with staged_file(path, sync=True, before=complete) as file:
        write(file)
    return checksum
