"""Objects given back with their gaps filled: arrays, lists and frames, with all else as it was."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprout.data.frames import framed

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from tsprout.data.original import Added, Cells


def refilled(obj: Any, cells: Cells) -> Any:
    """A copy of the array, list or frame that series were read from, with values in cells that were missing and all
    else as it was."""
    from tsprout.data.files.refill import with_cells, with_rows

    if isinstance(obj, np.ndarray):
        return with_cells(obj, cells)
    if isinstance(obj, list | tuple):
        return type(obj)(with_cells(array, cells.of(i)) for i, array in enumerate(obj))
    pandas, polars = sys.modules.get("pandas"), sys.modules.get("polars")
    if pandas is not None and isinstance(obj, pandas.Series):
        return _refilled_pandas(framed(obj), cells).iloc[:, 0].rename(obj.name)
    if pandas is not None and isinstance(obj, pandas.DataFrame):
        return _refilled_pandas(obj, cells)
    assert polars is not None
    obj = obj.collect() if isinstance(obj, polars.LazyFrame) else obj
    table = with_rows(obj.to_arrow(compat_level=polars.CompatLevel.oldest()), cells)
    return polars.from_arrow(table).cast(dict(obj.schema))


def _refilled_pandas(frame: pd.DataFrame, cells: Cells) -> pd.DataFrame:
    from tsprout.data import tables

    schema = cells.read.schema
    assert schema is not None and schema.arrow is not None
    kinds = {field.name: field.type for field in tables.unpack(schema.arrow)}
    out, names = frame.copy(), [str(name) for name in frame.columns]
    for name, rows, values in cells.columns():
        place = names.index(name)
        out.isetitem(place, _with_values(out.iloc[:, place], rows, values, kinds[name]))
    if cells.rows is None or not len(added := cells.added()):
        return out
    indexed = out.reset_index(names=list(schema.index_columns)) if schema.index_columns else out
    out = _with_rows(indexed, added, kinds)
    if schema.index_columns:
        out = out.set_index(list(schema.index_columns))
        out.index.names = list(schema.index_names)
        out.columns = frame.columns
    return out


def _with_rows(frame: pd.DataFrame, added: Added, kinds: dict[str, pa.DataType]) -> pd.DataFrame:
    import pandas as pd

    from tsprout.data import tables

    schema = added.cells.read.schema
    assert schema is not None
    old, new = added.places(len(frame))
    out = frame.iloc[old]
    for place, name in enumerate(map(str, frame.columns)):
        column = out.iloc[:, place].copy()
        if (more := added.values(name)) is not None:
            column = _with_values(column.where(~new), np.flatnonzero(new), more, kinds[name])
        elif name == schema.time_column:
            column.iloc[new] = tables.time_array(added.times(), schema, kinds[name]).to_pandas().array
        elif not added.repeated(name):
            column = column.where(~new)
        out.isetitem(place, column)
    return out.reset_index(drop=True) if isinstance(frame.index, pd.RangeIndex) else out


def _with_values(column: pd.Series, rows: np.ndarray, values: np.ndarray, kind: pa.DataType) -> pd.Series:
    """A copy of a column, of its dtype, with values in some rows; ``kind``: what it is to Arrow."""
    import pandas as pd

    from tsprout.data import numbers

    out = column.copy()
    if isinstance(out.dtype, pd.CategoricalDtype):
        known = out.cat.categories
        new = numbers.to_arrow(values, str(known.dtype)).to_pandas()
        out = out.cat.add_categories([value for value in new.dropna().unique() if value not in known])
        out.iloc[rows] = new.array
    elif out.dtype == object:
        out.iloc[rows] = numbers.to_arrow(values, str(kind)).cast(kind, safe=False).to_pylist()
    else:
        out.iloc[rows] = numbers.to_arrow(values, str(out.dtype)).to_pandas().array
    return out
