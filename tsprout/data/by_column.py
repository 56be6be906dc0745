"""Tables with one column a series and one row a time step: a long table of one recording, turned.

Such a table is read as one recording whose channels are the columns (:mod:`tsprout.data.long`), and then turned into as
many series of one channel; on its way out it is turned back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tsprout.data import numbers, widening
from tsprout.data.columns import decode_ids
from tsprout.data.schema import Schema
from tsprout.data.wide import CHANNEL
from tsprout.errors import InputError
from tsprout.series import SeriesSet


def turned(series: SeriesSet, schema: Schema, *, cut: bool) -> SeriesSet:
    """Each channel of one recording as a series of its own, with a schema that says so.

    Empty cells at the end of a column are the end of a shorter series, where another one goes on.

    Args:
        series: one, of as many channels as there are columns.
        schema: of the table.
        cut: the series are to be cut into windows, which have times of their own: they go out as a long table.
    """
    names = list(series.channels)
    kinds = [schema.dtypes.get(name, "float64") for name in names]
    whole = {numbers.number_kind(kind) for kind in kinds} == {"int"}
    # Signed and unsigned numbers have only this in common.
    common = "int64" if whole and len(set(kinds)) > 1 else max(kinds, key=widening.breadth)
    facts = {"dtypes": {**schema.dtypes, CHANNEL: common}}
    for field in ("number_styles", "bool_texts"):
        known = getattr(schema, field)
        alike = [known[name] for name in names if name in known]
        facts[field] = {**known, CHANNEL: alike[0]} if alike else known
    if cut:
        kept = tuple(name for name in schema.columns if name == schema.time_column)
        schema = schema.replace(columns=kept, arrow=None, row_number_column=None, index_columns=(), index_names=())
    return dataclasses.replace(
        SeriesSet.from_arrays(
            series.values[0, :, None],
            channels=[CHANNEL],
            ids=decode_ids(names, True),
            times=None if series.times is None else series.times[0],
        ),
        frequency=series.frequency,
        schema=schema.replace(by_column=not cut, **facts),
    )


def turned_back(series: SeriesSet, schema: Schema) -> tuple[SeriesSet, Schema]:
    """Series of one channel as one recording with a channel for each, and the schema of such a table.

    Raises:
        InputError: they are of more channels, or have times of their own.
    """
    own, longest = series.times, int(np.argmax(series.lengths))
    if series.n_channels != 1 or (own is not None and not ((own == own[longest]) | ~series.within).all()):
        what = "have times of their own" if series.n_channels == 1 else f"have {series.n_channels} channels"
        fix = "Write a long table (csv-long or parquet-long), or another format."
        raise InputError(f"a table with a column a series cannot hold series that {what}", fix=fix)
    names = _names(series, schema)
    new = [name for name in names if name not in schema.dtypes]
    like = {field: getattr(schema, field) for field in ("dtypes", "number_styles", "bool_texts")}
    facts = {
        field: {**known, **({} if CHANNEL not in known else dict.fromkeys(new, known[CHANNEL]))}
        for field, known in like.items()
    }
    numbered = {*schema.int_columns, *(name for name in new if name.isdigit() and schema.int_columns)}
    whole = SeriesSet.from_arrays(
        np.where(series.within, series.values[:, 0], np.nan)[None],
        channels=names,
        times=None if own is None else own[[longest]],
    )
    made = schema.replace(by_column=False, int_columns=tuple(sorted(numbered)), **facts)
    return dataclasses.replace(whole, frequency=series.frequency, schema=made), made


def _names(series: SeriesSet, schema: Schema) -> list[str]:
    """The ids as headers, apart from those of the other columns."""
    others: Sequence[str | None] = (schema.time_column, schema.row_number_column)
    return [f"{name}_" if name in others else name for name in map(str, series.ids.tolist())]
