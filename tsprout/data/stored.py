"""A series set as arrays and plain values, for folders that keep one: a checkpoint's shots, a fitted baseline's.

Nothing is lost but what JSON cannot hold; arrays are ``(n_series, n_channels, length)`` in the units of the set.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tsprout.data.schema import Schema
from tsprout.series import SeriesSet


def set_arrays(shots: SeriesSet) -> dict[str, np.ndarray]:
    """What of a set is numbers; times as whole nanoseconds where they are dates."""
    arrays = {
        "values": np.ascontiguousarray(shots.values),
        "observed": np.ascontiguousarray(shots.observed),
        "lengths": np.ascontiguousarray(shots.lengths),
    }
    if shots.times is not None:
        stamps = shots.times.astype("datetime64[ns]").view(np.int64) if shots.times.dtype.kind == "M" else shots.times
        arrays["times"] = np.ascontiguousarray(stamps)
    return arrays


def set_facts(shots: SeriesSet) -> dict[str, Any]:
    """What of a set is text, or small, as plain values for JSON."""
    return {
        "channels": list(shots.channels),
        "ids": _column(shots.ids),
        "time_kind": None if shots.times is None else shots.times.dtype.kind,
        "frequency": shots.frequency,
        "labels": None if shots.labels is None else _column(shots.labels),
        "static": {k: _column(v) for k, v in shots.static.items()},
        "schema": None if shots.schema is None else shots.schema.to_dict(),
    }


def _column(column: np.ndarray) -> dict[str, Any]:
    """One value a series, JSON-able; not-a-number and missing become null, what is not a number becomes text."""
    if column.dtype.kind in "mM":
        return {"dtype": column.dtype.str, "values": column.astype(np.int64).tolist()}
    kind = column.dtype.str if column.dtype.kind in "iufb" else "object"
    plain = [v.item() if isinstance(v, np.generic) else v for v in column.tolist()]
    values = [None if isinstance(v, float) and not math.isfinite(v) else v for v in plain]
    return {"dtype": kind, "values": [v if isinstance(v, int | float | bool | None) else str(v) for v in values]}


def _from_column(column: dict[str, Any]) -> np.ndarray:
    if column["dtype"] == "object":
        out = np.empty(len(column["values"]), dtype=object)
        out[:] = column["values"]
        return out
    if np.dtype(column["dtype"]).kind in "mM":
        return np.array(column["values"], dtype=np.int64).astype(column["dtype"])
    values = [math.nan if v is None else v for v in column["values"]]
    return np.array(values, dtype=column["dtype"])


def from_stored(arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> SeriesSet:
    """The set that :func:`set_arrays` and :func:`set_facts` described.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: they do not describe one; the caller says so in its own words.
    """
    times = arrays.get("times")
    if times is not None and facts["time_kind"] == "M":
        times = times.view("datetime64[ns]")
    return SeriesSet(
        values=arrays["values"],
        observed=arrays["observed"],
        lengths=arrays["lengths"],
        channels=tuple(facts["channels"]),
        ids=_from_column(facts["ids"]),
        times=times,
        frequency=facts["frequency"],
        labels=None if facts["labels"] is None else _from_column(facts["labels"]),
        static={k: _from_column(v) for k, v in facts["static"].items()},
        schema=None if facts["schema"] is None else Schema.from_dict(facts["schema"]),
    )
