"""Objects in and out: numpy arrays, pandas and polars frames. All that knows of pandas and polars frames is here.

Frames pass through Arrow and the same code as files. What comes back is the same kind of object: same columns, order,
dtypes and index; integer columns that hold missing values become pandas' nullable integers.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprout.data.reading import ReadOptions, check_options, refuse_of_tables, refuse_thousands
from tsprout.data.schema import Schema
from tsprout.errors import InputError
from tsprout.series import SeriesSet

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_UNNAMED = "__index__"


def from_object(obj: Any, **options: Any) -> SeriesSet:
    """A series set of whatever holds series.

    Args:
        obj: a path (read with :func:`tsprout.data.files.read`), a :class:`SeriesSet` (passed through), a numpy array or
            torch tensor (with ``axes``), a list of arrays of one series each (``axes`` of each, when it has two), or a
            pandas or polars frame.
        **options: the options of :func:`tsprout.data.files.read`.

    Raises:
        InputError: another kind of object, an option there is not, or whatever is wrong with them.
    """
    return read_object(obj, options_of(options))


def to_fit(obj: Any, given: Mapping[str, Any]) -> SeriesSet:
    """:func:`from_object` for what is fitted: a column of a long table in which nothing was observed is left out.

    Elsewhere it is kept: what is filled, or compared with others, has it.
    """
    return read_object(obj, replace(options_of(dict(given)), without_empty=True))


def options_of(given: dict[str, Any]) -> ReadOptions:
    """The options of reading, those that were given.

    Raises:
        InputError: there is no such option.
    """
    check_options(given)
    return ReadOptions(**{k: v for k, v in given.items() if v is not None})


def read_object(obj: Any, chosen: ReadOptions) -> SeriesSet:
    """:func:`from_object` with its options together."""
    if isinstance(obj, str | os.PathLike):
        from tsprout.data import files

        return files.read_with(Path(obj), chosen)
    refuse_thousands(chosen, "the object")
    pandas, polars = sys.modules.get("pandas"), sys.modules.get("polars")
    if pandas is not None and isinstance(obj, pandas.Series):
        obj = framed(obj)
    if pandas is not None and isinstance(obj, pandas.DataFrame):
        return _from_pandas(obj, chosen)
    if polars is not None and isinstance(obj, polars.LazyFrame):
        obj = obj.collect()
    if polars is not None and isinstance(obj, polars.DataFrame):
        return _from_polars(obj, chosen)
    refuse_of_tables(chosen, "the object")
    if isinstance(obj, SeriesSet):
        return _passed(obj, chosen)
    if (torch := sys.modules.get("torch")) is not None and isinstance(obj, torch.Tensor):
        obj = obj.detach().cpu()
        obj = (obj.float() if obj.dtype == torch.bfloat16 else obj).numpy()
    if isinstance(obj, np.ndarray):
        from tsprout.data.files.arrays import from_numpy

        return from_numpy(obj, chosen, "numpy", "the array")
    if isinstance(obj, list | tuple) and obj and all(isinstance(a, np.ndarray) for a in obj):
        return _from_list(list(obj), chosen)
    raise InputError(
        f"cannot take series from an object of type {type(obj).__name__}",
        fix="Give a path, a SeriesSet, a numpy array with axes=, or a pandas or polars DataFrame.",
    )


def to_object(series: SeriesSet, schema: Schema | None = None) -> Any:
    """The same kind of object that came in; a set that came from a file, or from nowhere, stays a set.

    Args:
        series: the set.
        schema: how it should look; default: its own.
    """
    schema = series.schema if schema is None else schema
    if schema is None or schema.family not in ("numpy", "pandas", "polars"):
        return series
    if schema.family == "numpy":
        return _to_numpy(series, schema)
    from tsprout.data import tables
    from tsprout.data.by_column import turned_back

    if schema.by_column:
        series, schema = turned_back(series, schema)
    complete = tables.complete(schema, series, schema.format, series.n_series)
    table = tables.to_table(series, complete)
    return _to_pandas(table, complete) if schema.family == "pandas" else _to_polars(table)


def framed(series: pd.Series) -> pd.DataFrame:
    return series.to_frame(name="value" if series.name is None else series.name)


def _passed(series: SeriesSet, options: ReadOptions) -> SeriesSet:
    return series if options.window is None else series.windows(options.window, options.stride)


def _from_list(arrays: list[np.ndarray], options: ReadOptions) -> SeriesSet:
    from tsprout.data.files.arrays import from_numpy, unmasked
    from tsprout.series import check_axes, to_ncl

    arrays = [unmasked(array) for array in arrays]
    each = [to_ncl(a, check_axes(options.axes, a.shape))[0] for a in arrays]
    channels = {a.shape[0] for a in each}
    if len(channels) > 1:
        raise InputError(f"the arrays have different numbers of channels: {sorted(channels)}")
    longest = max(a.shape[1] for a in each)
    dtype = np.result_type(*arrays)
    if any(a.shape[1] < longest for a in each):
        dtype = np.promote_types(dtype, np.float32)
    stacked = np.full((len(each), channels.pop(), longest), np.nan if dtype.kind == "f" else 0, dtype)
    for i, array in enumerate(each):
        stacked[i, :, : array.shape[1]] = array
    if options.full_length:
        raise InputError("full_length= was given with a list, whose arrays have lengths of their own")
    whole = replace(options, axes="ncl", window=None, stride=None, full_length=True)
    series = from_numpy(stacked, whole, "numpy", "the list of arrays")
    lengths = np.array([a.shape[1] for a in each], np.int64)
    assert series.schema is not None
    schema = series.schema.replace(axes=options.axes or "l", meta={"list": True})
    return _passed(replace(series, lengths=lengths, schema=schema), options)


def _to_numpy(series: SeriesSet, schema: Schema) -> Any:
    from tsprout.data.files.arrays import as_array

    if not schema.meta.get("list"):
        return as_array(series, schema)
    return [as_array(_cut(series, i), schema) for i in range(series.n_series)]


def _cut(series: SeriesSet, i: int) -> SeriesSet:
    one, own = series[i], int(series.lengths[i])
    times = None if one.times is None else one.times[:, :own]
    return replace(one, values=one.values[..., :own], observed=one.observed[..., :own], times=times)


def _from_pandas(frame: pd.DataFrame, options: ReadOptions) -> SeriesSet:
    import pandas as pd
    import pyarrow as pa

    from tsprout.data import tables

    where = "the data frame"
    index_names: tuple[str | None, ...] = ()
    index_columns: tuple[str, ...] = ()
    if isinstance(frame.columns, pd.MultiIndex):
        raise InputError("the columns have several levels", where=where, fix="Flatten them to one name a column.")
    if not (isinstance(frame.index, pd.RangeIndex) and frame.index.name is None) and _telling(frame.index):
        index_names = tuple(None if name is None else str(name) for name in frame.index.names)
        last = frame.index.get_level_values(-1).dtype
        is_time = not (pd.api.types.is_string_dtype(last) or isinstance(last, pd.CategoricalDtype))
        unnamed = [_UNNAMED + str(k) for k in range(len(index_names))]
        if is_time:
            unnamed[-1] = "timestamp"
        index_columns = tuple(name or other for name, other in zip(index_names, unnamed, strict=True))
        if is_time and len(index_columns) == 2 and not pd.api.types.is_datetime64_any_dtype(frame.index.levels[0]):
            options = _of_levels(options, *index_columns)
        frame = frame.reset_index(names=list(index_columns))
    ints = tuple(str(c) for c in frame.columns if isinstance(c, int | np.integer) and not isinstance(c, bool))
    frame = frame.set_axis([str(c) for c in frame.columns], axis=1)
    if frame.empty:
        raise InputError("the data frame has no rows", where=where)
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()]
        raise InputError(
            f"column names repeat: {', '.join(map(repr, twice.unique()[:5]))}", where=where, fix="Rename them."
        )
    dtypes = {name: str(dtype) for name, dtype in frame.dtypes.items()}
    columns = {}
    for name in frame.columns:
        columns[name] = _arrow_column(frame[name], name, where)
    table = pa.table(columns)
    categories = {
        name: {"values": frame[name].cat.categories.tolist(), "ordered": bool(frame[name].cat.ordered)}
        for name in frame.columns
        if isinstance(frame[name].dtype, pd.CategoricalDtype)
        and pd.api.types.is_string_dtype(frame[name].cat.categories.dtype)
    }

    def row_name(i: int) -> str:
        return f"row {i} (counted from 0)"

    batches = table.combine_chunks().to_batches(1 << 18)
    return tables.read_arrow(
        batches,
        table.schema,
        options,
        where,
        row_name,
        "pandas",
        int_columns=ints,
        index_columns=index_columns,
        index_names=index_names,
        dtypes=dtypes,
        meta={"categories": categories} if categories else {},
    )


def _of_levels(options: ReadOptions, series: str, time: str) -> ReadOptions:
    """Two levels of an index are which series a row is of, and when, where nothing else is said of them."""
    said = {options.id_column, options.time_column, options.label_column, *options.ignore}
    said |= {*(options.channels or ()), *(options.static_columns or ())}
    if options.orientation not in (None, "long") or options.id_column or {series, time} & said:
        return options
    return replace(options, id_column=series, time_column=options.time_column or time)


def _telling(index: pd.Index) -> bool:
    """Whether an index says more than "row", so that it must be an id or a time."""
    import pandas as pd

    named = any(name is not None for name in index.names)
    return (
        named or isinstance(index, pd.DatetimeIndex | pd.MultiIndex) or not pd.api.types.is_integer_dtype(index.dtype)
    )


def _arrow_column(column: pd.Series, name: str, where: str) -> pa.Array:
    import pandas as pd
    import pyarrow as pa

    if isinstance(column.dtype, pd.PeriodDtype):
        raise InputError(
            f"column {name!r} holds periods", where=where, fix="Turn them into time stamps first: .dt.to_timestamp()."
        )
    try:
        array = pa.Array.from_pandas(column)
        return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        numeric = pd.to_numeric(column, errors="coerce")
        bad = np.flatnonzero(numeric.isna().to_numpy() & column.notna().to_numpy())
        if not bad.size:
            raise InputError(f"column {name!r} mixes types", where=where, fix="Convert it to one dtype.") from None
        raise InputError(
            f"{column.iloc[int(bad[0])]!r} in column {name!r} is not a number",
            where=f"{where}, row {int(bad[0])} (counted from 0)",
            fix="Correct it, or make it NaN.",
        ) from None


def _to_pandas(table: pa.Table, schema: Schema) -> pd.DataFrame:
    import pandas as pd

    dtypes = _dtypes(table, schema)
    frame = pd.DataFrame({name: _pandas_column(table.column(name), dtype, name) for name, dtype in dtypes.items()})
    for name, known in schema.meta.get("categories", {}).items():
        if name in frame.columns:
            values = frame[name].astype(object)
            new = [v for v in values.dropna().unique() if v not in known["values"]]
            frame[name] = pd.Categorical(values, [*known["values"], *new], ordered=known["ordered"])
    if schema.index_columns:
        frame = frame.set_index(list(schema.index_columns))
        frame.index.names = list(schema.index_names)
    if schema.int_columns:
        ints = set(schema.int_columns) | {c for c in schema.step_columns if c.isdigit()}
        frame.columns = pd.Index([int(c) if c in ints else c for c in frame.columns])
    return frame


def _dtypes(table: pa.Table, schema: Schema) -> dict[str, str | None]:
    """The dtype each column came in; ``None`` where nothing is known or it had to become a wider one."""
    from tsprout.data import tables

    came = {} if schema.arrow is None else {f.name: f.type for f in tables.unpack(schema.arrow)}
    like = schema.dtypes.get(tables.widest_step(schema)) if schema.step_columns else None
    dtypes: dict[str, str | None] = {}
    for field in table.schema:
        known = schema.dtypes.get(field.name, like if field.name in schema.step_columns else None)
        dtypes[field.name] = known if came.get(field.name, field.type) == field.type else None
    return dtypes


def _pandas_column(column: pa.ChunkedArray, dtype: str | None, name: str) -> pd.Series:
    import pandas as pd
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = pa.chunked_array([c.dictionary_decode() for c in column.chunks], column.type.value_type)
    if column.null_count and (pa.types.is_integer(column.type) or pa.types.is_boolean(column.type)):
        nullable = (
            "boolean" if pa.types.is_boolean(column.type) else str(column.type).replace("i", "I").replace("u", "U")
        )
        items = pd.array(column.to_pylist(), dtype=nullable)
        keep = dtype is not None and dtype.startswith(("Int", "UInt", "boolean"))
        return pd.Series(items, dtype=dtype if keep else None)
    series = column.to_pandas()
    if dtype is None or str(series.dtype) == dtype:
        return series
    try:
        return series.astype(dtype)
    except (ValueError, TypeError) as error:
        raise InputError(f"column {name!r} cannot be {dtype} again: {error}") from None


def _from_polars(frame: Any, options: ReadOptions) -> SeriesSet:
    from tsprout.data import tables

    if frame.height == 0:
        raise InputError("the data frame has no rows", where="the data frame")
    table = frame.to_arrow().combine_chunks()

    def row_name(i: int) -> str:
        return f"row {i} (counted from 0)"

    return tables.read_arrow(table.to_batches(1 << 18), table.schema, options, "the data frame", row_name, "polars")


def _to_polars(table: pa.Table) -> Any:
    import polars as pl

    return pl.from_arrow(table)
