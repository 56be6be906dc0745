"""Rows that are not there: series whose times skip steps, put on the regular grid that they keep to otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np

from tsprout.data.timestamps import alias_of, expand, normal_alias, offset_zone, shown
from tsprout.errors import InputError

_OFF = 0.25  # of a step: so far off the grid a stamp still counts for the step beside it
_MOST, _SPARE = 20, 1000  # steps a row, and besides: more are a slip of the hand
_FEW = 0.2  # share of rows not there, up to which it is said that they could count: a fifth, so not weekends
_STEP = "Give the usual step of the times, such as '15min', 'h', 'D', 'MS', or a number where times are numbers."


def on_grid(
    times: np.ndarray, counts: np.ndarray, every: str, zone: str | None, ids: Any, where: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which step of a regular grid each row is.

    The grid of a series begins at its first stamp. A row keeps its own stamp, which may be off by a quarter of a step;
    steps without a row are as late as rows mostly are.

    Args:
        times: ``(n_series, length)``, rising; ``datetime64[ns]``, int or float.
        counts: rows of each series.
        every: the step: a pandas offset alias (with date-times), or a number.
        zone: where days and months begin, of date-times in UTC; a name, or an offset such as ``+01:00``.
        ids, where: of the series, and of their file, for errors.

    Returns:
        the step of each row ``(n_series, length)``, how many steps each series has, and the times of all of these,
        padded.

    Raises:
        InputError: the step cannot be read, would make more than twenty steps of a row, or does not fit the times.
    """
    grids, places = [], []
    for row, count, name in zip(times, counts.tolist(), ids, strict=True):
        own = row[:count]
        grid = _grid(own, every, zone)
        middles = grid[:-1] + (grid[1:] - grid[:-1]) / 2
        place = np.searchsorted(middles, own)
        gap = np.diff(grid, append=grid[-1:] + (grid[-1:] - grid[-2:-1]))[place]
        off = np.abs(own - grid[place]) > _OFF * gap
        place_of = f"{where}, series {name!s}"
        if off.any():
            what = f"the time {shown(own[np.argmax(off)])} lies between two steps of {every!r}"
            raise InputError(what, where=place_of, fix=_STEP)
        same = place[1:] == place[:-1]
        if same.any():
            first = int(np.argmax(same))
            what = f"the times {shown(own[first])} and {shown(own[first + 1])} are in one step of {every!r}"
            raise InputError(what, where=place_of, fix=_STEP)
        late = np.sort(own - grid[place])[count // 2]
        grid = (grid[: place[-1] + 1] + late).astype(own.dtype)
        grid[place] = own
        grids.append(grid)
        places.append(place)
    steps = np.zeros(times.shape, np.int64)
    longest = max(map(len, grids))
    padded = np.zeros((len(grids), longest), times.dtype)
    for i, (grid, place) in enumerate(zip(grids, places, strict=True)):
        steps[i, : len(place)] = place
        padded[i, : len(grid)] = grid
    return steps, np.array([len(grid) for grid in grids]), padded


def _grid(own: np.ndarray, every: str, zone: str | None) -> np.ndarray:
    """From the first stamp to beyond the last one, at least two."""
    if own.dtype.kind == "M":
        return _dates(own, every, zone)
    try:
        step = float(every)
    except ValueError:
        raise InputError(f"every={every!r} is not a number, and the times are", where="every", fix=_STEP) from None
    if not 0 < step < np.inf or (own.dtype.kind == "i" and step != int(step)):
        of = "" if own.dtype.kind == "f" else ", where times are whole numbers"
        raise InputError(f"a step of {every}{of}", where="every", fix=_STEP)
    steps = _checked((float(own[-1]) - float(own[0])) / step, len(own), every)
    return own[0] + np.arange(steps + 2) * (int(step) if own.dtype.kind == "i" else step)


def _dates(own: np.ndarray, every: str, zone: str | None) -> np.ndarray:
    import pandas as pd

    try:
        offset = pd.tseries.frequencies.to_offset(normal_alias(every))
    except ValueError:
        raise InputError(f"unknown step {every!r}", where="every", fix=_STEP) from None
    try:
        span = pd.Timedelta(offset)  # of a month there is none
    except (ValueError, TypeError):
        span = None
    if (offset.n if span is None else span.value) <= 0:
        raise InputError(f"a step of {every!r}", where="every", fix=_STEP)
    at = offset_zone(zone)
    calendar = span is None or not span % pd.Timedelta(days=1)
    first, last = (pd.Timestamp(stamp) for stamp in own[[0, -1]])
    if calendar and at is not None:  # days and months begin at midnight there, not in UTC
        first, last = (stamp.tz_localize("UTC").tz_convert(at).tz_localize(None) for stamp in (first, last))
    try:
        steps = (last - first) / span if span is not None else len(pd.date_range(first, last, freq=offset))
        grid = expand(first.to_datetime64(), every, _checked(steps, len(own), every) + 2)
        if not calendar or at is None:
            return grid
        there = pd.DatetimeIndex(grid).tz_localize(at, ambiguous=np.ones(len(grid), bool), nonexistent="shift_forward")
        return there.tz_convert("UTC").tz_localize(None).as_unit("ns").to_numpy()
    except (pd.errors.OutOfBoundsDatetime, OverflowError):
        raise InputError(f"steps of {every!r} lead beyond the years 1678 to 2261", where="every", fix=_STEP) from None


def _checked(steps: float, rows: int, every: str) -> int:
    if steps > _MOST * rows + _SPARE:
        raise InputError(f"every={every!r} makes {steps:,.0f} steps of {rows:,} rows", where="every", fix=_STEP)
    return int(steps)


def few_absent(times: np.ndarray, counts: np.ndarray) -> tuple[str, int] | None:
    """The usual step of date-times ``(n_series, length)`` that skip some, and how many; ``None`` where that is not how
    they are: they keep to no step, or skip more than a fifth."""
    moves = np.diff(times.view(np.int64), axis=1)[np.arange(1, times.shape[1]) < counts[:, None]]
    if not moves.size:
        return None
    found, often = np.unique(moves, return_counts=True)
    step = int(found[np.argmax(often)])
    if step <= 0 or (found % step).any():
        return None
    absent = int((moves // step - 1).sum())
    if not 0 < absent <= _FEW * (absent + int(counts.sum())):
        return None
    return alias_of(step), absent
