"""Hypothesis strategies for small series sets of every kind a format may have to carry."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from tsprout.data.schema import Schema
from tsprout.series import SeriesSet, as_objects

# Words that no reader takes for a role, a missing value or a number.
_WORD = st.text("abcdeföäzß温度ΔЖ", min_size=1, max_size=6).filter(
    lambda w: w not in ("d", "date", "c", "case", "nan", "null", "none")
)
_FLOATS = st.one_of(st.floats(-1e6, 1e6, width=32), st.integers(-1000, 1000).map(lambda k: k / 8))


@st.composite
def series_sets(
    draw: Any,
    *,
    times: tuple[str, ...] = ("none", "int", "float", "datetime", "irregular", "zoned"),
    ids: tuple[str, ...] = ("int", "str", "spaced"),
    channels: int = 3,
    unequal: bool = True,
    extras: bool = True,
    numbers: tuple[str, ...] = ("float", "int"),
) -> SeriesSet:
    """A set of 1-4 series, 1-``channels`` channels and 2-7 time steps, with gaps."""
    n, c, length = draw(st.integers(1, 4)), draw(st.integers(1, channels)), draw(st.integers(2, 7))
    whole = draw(st.sampled_from(numbers)) == "int"
    cell = st.integers(-5000, 5000) if whole else _FLOATS
    flat = draw(st.lists(cell, min_size=n * c * length, max_size=n * c * length))
    values = np.array(flat, np.float32).reshape(n, c, length)
    gaps = draw(st.lists(st.booleans(), min_size=values.size, max_size=values.size)) if draw(st.booleans()) else []
    if gaps:
        values[np.array(gaps).reshape(values.shape)] = np.nan
    lengths = np.full(n, length)
    if unequal:
        lengths = np.array(draw(st.lists(st.integers(1, length), min_size=n, max_size=n)))
        lengths[draw(st.integers(0, n - 1))] = length
    names = draw(st.lists(_WORD, min_size=c, max_size=c, unique=True))
    labels, static = None, {}
    if extras and draw(st.booleans()):
        labels = as_objects(draw(st.lists(st.sampled_from(["up", "döwn", "x y"]), min_size=n, max_size=n)))
    if extras and draw(st.booleans()):
        static["where,to"] = as_objects(
            draw(st.lists(st.sampled_from(['no"rth', "s,w", "öst"]), min_size=n, max_size=n))
        )
    kind = draw(st.sampled_from(times))
    return SeriesSet.from_arrays(
        values,
        lengths=lengths,
        channels=names,
        ids=_ids(draw, n, draw(st.sampled_from(ids))),
        times=_times(draw, n, length, kind),
        labels=labels,
        static=static,
        schema=Schema("series-set", timezone="UTC") if kind == "zoned" else None,
    )


def _ids(draw: Any, n: int, kind: str) -> np.ndarray:
    if kind == "int":
        return np.array(draw(st.lists(st.integers(-99, 10**12), min_size=n, max_size=n, unique=True)), np.int64)
    words = draw(st.lists(_WORD, min_size=n, max_size=n, unique=True))
    return as_objects(w + (", b" if kind == "spaced" else "") for w in words)


def _times(draw: Any, n: int, length: int, kind: str) -> np.ndarray | None:
    if kind == "none":
        return None
    starts = np.array(draw(st.lists(st.integers(0, 10**5), min_size=n, max_size=n)))[:, None]
    if kind == "int":
        return starts + np.arange(length) * draw(st.integers(1, 5))
    if kind == "float":
        return starts * 0.25 + np.arange(length) * 0.125
    if kind == "irregular":
        steps = np.array(draw(st.lists(st.integers(1, 10**7), min_size=length, max_size=length))).cumsum()
        return (starts * 10**9 + steps * 10**6).astype("datetime64[ns]")
    unit = draw(st.sampled_from([60, 900, 3600, 86400, 604800])) * 10**9
    return (starts * 86400 * 10**9 + np.arange(length) * unit).astype("datetime64[ns]")
