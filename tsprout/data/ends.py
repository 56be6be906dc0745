"""Where series end: steps without a value at the end of an array, a row or a column are padding, or missing values."""

from __future__ import annotations

import dataclasses

import numpy as np

from tsprout.data.reading import ReadOptions
from tsprout.data.schema import Schema
from tsprout.errors import InputError
from tsprout.series import SeriesSet

_ARRAYS = ("npz", "npy", "numpy")


def ended(series: SeriesSet, schema: Schema, options: ReadOptions) -> SeriesSet:
    """Series whose ends were told by their values (:func:`tsprout.arrays.infer_lengths`), as they are to count.

    With ``full_length`` all are as long as the array; otherwise shorter ones are pointed out in the schema's notices.

    Args:
        series: as read.
        schema: as it came.
        options: of reading.

    Raises:
        InputError: ``full_length`` was given, and lengths are known otherwise: by rows, by lists, or said.
    """
    arrays = schema.format in _ARRAYS and "lengths" not in schema.keys
    if not (arrays or schema.wide or options.orientation == "columns"):
        if options.full_length:
            what = "full_length= is for arrays without lengths, and for tables with a row or a column a series"
            raise InputError(what, fix="Leave it out.")
        return series
    short = int((series.lengths < series.length).sum())
    if not short:
        return series
    if options.full_length:
        return dataclasses.replace(series, lengths=np.full(series.n_series, series.length, np.int64))
    assert series.schema is not None
    text = (
        f"{short} of {series.n_series} series have no value in their last steps and count as shorter "
        f"({int(series.lengths.min())} to {series.length} steps); with full_length=True these are missing values"
    )
    return dataclasses.replace(series, schema=series.schema.noticed(text))
