"""Rows of a long table with the same id and time: what tells them apart, if anything does."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tsprout.data.roles import Roles


def telling(columns: Mapping[str, np.ndarray], times: np.ndarray) -> str | None:
    """The first of some columns ``(rows,)`` of whole numbers, or codes, that with the time is another in every row, and
    has less values than there are rows."""
    for name, column in columns.items():
        whole = np.isfinite(column) & (column == np.rint(column))
        if whole.all() and len(np.unique(column)) <= len(column) // 2:
            order = np.lexsort((times, column))
            same = (np.diff(column[order]) == 0) & (times[order][1:] == times[order][:-1])
            if not same.any():
                return name
    return None


def put_back(times: np.ndarray) -> bool:
    """Whether times that are there twice are those of hours at night, on Sundays of the months in which the clocks of
    some country are put back."""
    if times.dtype.kind != "M" or not times.size:
        return False
    days = times.astype("datetime64[D]")
    months = set((times.astype("datetime64[M]").astype(int) % 12 + 1).tolist())
    hours = (times - days) // np.timedelta64(1, "h")
    sundays = (days.astype(int) + 3) % 7 == 6  # 1970 began on a Thursday
    return months <= {3, 4, 9, 10, 11} and bool(sundays.all() and (hours < 4).all())


def ways_apart(roles: Roles, other: str | None) -> str:
    """What to do where rows of a table with these roles have the same id and time; ``other`` would tell them apart."""
    if roles.guessed_id is not None:
        better = "" if other is None else f" With id_column={other!r} no two rows have the same."
        return f"Column {roles.guessed_id!r} was taken as the id, as the only one of text; name the right one.{better}"
    if roles.id is None:
        name = roles.like_id or other
        told = "=." if name is None else f"={name!r}."
        return f"If the table holds several series, name the column that tells them apart with id_column{told}"
    return (
        "Keep one row for each; or put what tells them apart (an hour, a month) into the time, or make each "
        "variable a column of its own."
    )
