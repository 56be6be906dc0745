"""numpy's own files: ``npy`` (one array each, which may lie in an archive) and ``npz`` (the arrays of a data set file).

Options of ``npy``: ``member`` and ``join``, as of tables. ``npz`` has none. Pickled objects are refused.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tsprout.data.catalog.entry import Entry
from tsprout.data.catalog.readers.contents import PULL_AGAIN, contents
from tsprout.data.catalog.readers.options import chosen, names, one_of
from tsprout.data.catalog.readers.parts import JOINS, joined
from tsprout.errors import InputError

KEYS = ("series", "segment_lengths", "flat", "lengths", "train_X", "train_y", "test_X", "test_y", "names", "channels")


@dataclass(frozen=True)
class NpyOptions:
    """``member``: of an archive, one or more. ``join``: of several arrays."""

    member: str | tuple[str, ...] = ""
    join: str = "rows"


@dataclass(frozen=True)
class NoOptions:
    """The format has none."""


def read_npy(files: Sequence[Path], options: Mapping[str, Any], entry: Entry) -> dict[str, np.ndarray]:
    """Arrays of ``(steps, channels)``, or of ``(steps,)`` for one channel."""
    own = chosen(NpyOptions, options, entry)
    one_of(own.join, JOINS, "join", entry)
    parts, labels = [], []
    for file in files:
        for part in contents(file, names(own.member)):
            try:
                array = np.load(io.BytesIO(part.data), allow_pickle=False)
                values = np.asarray(array, np.float32)
            except (ValueError, TypeError, AttributeError, OSError, EOFError) as error:
                raise InputError(
                    f"this is not an array of numbers: {error}", where=part.where, fix=PULL_AGAIN
                ) from None
            if values.ndim not in (1, 2):
                raise InputError(f"the array has {values.ndim} axes, not 2", where=part.where, fix=PULL_AGAIN)
            if entry.missing_code is not None:
                values[values == np.float32(entry.missing_code)] = np.nan
            parts.append(values.reshape(len(values), -1))
            labels.append(part.where)
    return joined(parts, own.join, entry, labels)


def read_npz(files: Sequence[Path], options: Mapping[str, Any], entry: Entry) -> dict[str, np.ndarray]:
    """A data set file as :mod:`tsprout.data.catalog.sets` describes it."""
    chosen(NoOptions, options, entry)
    where = str(files[0])
    try:
        with np.load(files[0], allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files if key in KEYS}
    except (ValueError, TypeError, AttributeError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"the file is damaged: {error}", where=where, fix=PULL_AGAIN) from None
    if not arrays:
        raise InputError("it has none of the arrays of a data set", where=where, fix=f"Known: {', '.join(KEYS)}.")
    return arrays
