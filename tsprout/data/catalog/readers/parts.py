"""Parts of a set, read from one file or member each, put together into the arrays of a data set file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tsprout.data.catalog.entry import Entry
from tsprout.data.catalog.readers.contents import PULL_AGAIN
from tsprout.errors import InputError

JOINS = ("rows", "segments", "columns", "collection", "channels")


def joined(
    parts: Sequence[np.ndarray], join: str, entry: Entry, labels: Sequence[str], columns: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """The arrays of a set.

    Args:
        parts: ``(rows, columns)`` each, float32.
        join: ``rows`` (end to end, one recording), ``segments`` (end to end, several recordings), ``columns`` (side by
            side), ``collection`` (each column of each part is a series), ``channels`` (rows are instances, a part is a
            channel).
        entry: names the channels, where it does.
        labels: of the parts: names of series, and where a part lies, in errors.
        columns: names of the columns, for channels that the entry does not name.

    Raises:
        InputError: the parts do not fit together.
    """
    if join == "collection":
        series = [part[:, i] for part in parts for i in range(part.shape[1])]
        named = [
            label if part.shape[1] == 1 else f"{label}|{i}"
            for part, label in zip(parts, labels, strict=True)
            for i in range(part.shape[1])
        ]
        return collection(series, named)
    if join in ("columns", "channels"):
        same = 2 if join == "channels" else 1
        for part, label in zip(parts, labels, strict=True):
            if part.shape[:same] != parts[0].shape[:same]:
                what = f"{label} has {_shape(part)}, {labels[0]} has {_shape(parts[0])}"
                raise InputError(f"the files do not fit side by side: {what}", where=entry.name, fix=PULL_AGAIN)
        if join == "channels":
            return {"train_X": np.stack(parts, axis=2), **_channels(entry, len(parts), ())}
        whole = np.concatenate(parts, axis=1)
        return {"series": whole, **_channels(entry, whole.shape[1], columns)}
    for part, label in zip(parts, labels, strict=True):
        if part.shape[1] != parts[0].shape[1]:
            what = f"{label} has {_shape(part)}, {labels[0]} has {_shape(parts[0])}"
            raise InputError(f"the files do not fit end to end: {what}", where=entry.name, fix=PULL_AGAIN)
    whole = np.concatenate(parts, axis=0)
    arrays = {"series": whole, **_channels(entry, whole.shape[1], columns)}
    if join == "segments":
        arrays["segment_lengths"] = np.array([len(part) for part in parts], np.int64)
    return arrays


def collection(series: Sequence[np.ndarray], names: Sequence[str]) -> dict[str, np.ndarray]:
    """``flat``, ``lengths`` and ``names`` of univariate series."""
    return {
        "flat": np.concatenate([np.asarray(one, np.float32) for one in series]),
        "lengths": np.array([len(one) for one in series], np.int64),
        "names": np.array([str(name) for name in names]),
    }


def _channels(entry: Entry, count: int, columns: Sequence[str]) -> dict[str, np.ndarray]:
    for names in (entry.channel_names, tuple(columns)):
        if len(names) == count:
            return {"channels": np.array([str(name) for name in names])}
    return {}


def _shape(part: np.ndarray) -> str:
    return f"{part.shape[0]:,} rows of {part.shape[1]:,}"
