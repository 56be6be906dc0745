"""Arrow tables in and out, long and wide: what Parquet, pandas, polars and (by half) CSV share.

Reading decides the roles of the columns and feeds batches to a builder; writing completes a schema for the series at
hand and turns blocks of series into columns.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprout.data import numbers, wide, widening
from tsprout.data.columns import kind_of
from tsprout.data.long import LongBuilder, RowName, attach
from tsprout.data.reading import ReadOptions
from tsprout.data.roles import Roles, assign
from tsprout.data.schema import Schema
from tsprout.data.timestamps import TimeStyle, default_style, format_times, sniff_style
from tsprout.errors import InputError
from tsprout.series import SeriesSet

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_PER_BLOCK = 200_000


def text_kind(sample: list[Any]) -> str:
    """``time``, ``mixed`` (numbers among the texts) or ``text``."""
    present = [str(v) for v in sample if v is not None and str(v).strip()]
    style = sniff_style(present[:100]) if present else None
    if style is not None and style.kind == "datetime":
        return "time"
    numeric = sum(_numeric(v) for v in present[:1000])
    return "mixed" if numeric else "text"


def _numeric(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def read_arrow(
    batches: Iterable[pa.RecordBatch],
    arrow: pa.Schema,
    options: ReadOptions,
    where: str,
    row_name: RowName,
    family: str,
    **fields: Any,
) -> SeriesSet:
    """A series set of typed Arrow batches.

    Args:
        batches: the rows.
        arrow: their schema.
        row_name: a data row's number (from 0) in words.
        family: ``parquet``, ``pandas`` or ``polars``.
        **fields: further fields of the :class:`Schema`.

    Raises:
        InputError: as :func:`tsprout.data.files.read`.
    """
    iterator = iter(batches)
    first = next(iterator, None)
    kinds = {f.name: kind_of(f.type) for f in arrow}
    for name, kind in kinds.items():
        if kind == "text" and first is not None:
            kinds[name] = text_kind(first.column(name)[:1000].to_pylist())
    asked = {options.id_column, options.label_column, *(options.channels or ()), *(options.static_columns or ())}
    nested = [n for n, k in kinds.items() if k == "nested" and (options.channels is None or n in asked)]
    if nested:
        raise InputError(
            f"column {nested[0]!r} holds {arrow.field(nested[0]).type}, not one value a row",
            where=where,
            fix="Use a long table: id, time, and one column a channel.",
        )
    gappy = [] if first is None else [n for i, n in enumerate(arrow.names) if first.column(i).null_count]
    roles = assign(arrow.names, kinds, options, where, gappy)
    builder: LongBuilder = (wide.WideBuilder if roles.wide else LongBuilder)(roles, options, where, row_name)
    if first is not None:
        builder.add(first)
    for batch in iterator:
        builder.add(batch)
    series = builder.finish()
    kept = [n for n in arrow.names if n not in roles.ignored and kinds[n] != "nested"]
    dtypes = {**{n: str(arrow.field(n).type) for n in kept}, **fields.pop("dtypes", {})}
    schema = schema_of(f"{family}-{'wide' if roles.wide else 'long'}", kept, roles, builder, **fields).replace(
        dtypes={n: dtypes[n] for n in kept},
        arrow=pack(_subset(arrow, kept)),
    )
    if roles.time is not None and kind_of(arrow.field(roles.time).type) == "time":
        zone = getattr(arrow.field(roles.time).type, "tz", None)
        schema = schema.replace(time_format=None, timezone=zone)
    return attach(series, schema, options)


def _subset(arrow: pa.Schema, kept: list[str]) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([arrow.field(n) for n in kept], metadata=arrow.metadata)


def schema_of(form: str, columns: list[str], roles: Roles, builder: LongBuilder, **fields: Any) -> Schema:
    """The schema of what a builder has read."""
    style = builder.style
    return Schema(
        format=form,
        columns=tuple(columns),
        id_column=roles.id,
        time_column=roles.time,
        label_column=roles.label,
        row_number_column=roles.row_number,
        static_columns=tuple(roles.static),
        step_columns=tuple(roles.steps),
        time_kind=style.kind if style else None,
        time_format=style.format if style else None,
        time_digits=style.digits if style else 0,
        time_suffix=style.suffix if style else "",
        timezone=style.timezone if style else None,
        notices=tuple(builder.notices),
        **fields,
    )


def pack(arrow: pa.Schema) -> str:
    """An Arrow schema as text."""
    return base64.b64encode(arrow.serialize().to_pybytes()).decode("ascii")


def unpack(text: str) -> pa.Schema:
    """The Arrow schema :func:`pack` made."""
    import pyarrow as pa

    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))


def channel_dtype(schema: Schema, channel: str) -> str:
    """The dtype a channel came in, in whatever words; ``float64`` when nothing is known.

    A wide table has one for all its steps, the widest: one step may hold whole numbers by chance.
    """
    if schema.wide and schema.step_columns:
        return schema.dtypes.get(widest_step(schema), "float64")
    return schema.dtypes.get(channel, schema.dtypes.get("values", "float64"))


def widest_step(schema: Schema) -> str:
    """The step of a wide table whose dtype holds the most."""
    known = [c for c in schema.step_columns if c in schema.dtypes]
    return max(known, key=lambda c: widening.breadth(schema.dtypes[c])) if known else schema.step_columns[0]


def complete(known: Schema | None, series: SeriesSet, form: str, n_series: int) -> Schema:
    """A schema in format ``form`` with a column for everything these series have.

    A schema of that format is kept but for what is missing from it; any other is translated.
    """
    base = known or Schema("series-set")
    same = base.format == form
    schema = base if same else translated(base, series, form)
    taken = set(series.channels) | set(series.static)
    columns = list(schema.columns)
    changes: dict[str, Any] = {}

    def add(role: str, names: tuple[str, ...], at: int) -> int:
        name = next(n for n in (*names, *(f"{names[0]}_{k}" for k in range(99))) if n not in taken and n not in columns)
        columns.insert(at, name)
        changes[role] = name
        return at + 1

    at = 0
    if schema.id_column is None and (not same or not schema.columns or (n_series > 1 and not schema.wide)):
        at = add("id_column", ("id", "item_id", "series_id"), 0)
    elif schema.id_column in columns:
        at = columns.index(schema.id_column) + 1
    if not schema.wide and series.times is not None and schema.time_column is None:
        at = add("time_column", ("time", "timestamp", "datetime"), at)
    if series.labels is not None and schema.label_column is None:
        at = add("label_column", ("label", "class"), at)
    static = list(schema.static_columns)
    for name in series.static:
        if name not in static:
            columns.insert(at, name)
            static.append(name)
            at += 1
    values = wide.headers(schema, series.length, series) if schema.wide else list(series.channels)
    if schema.wide and series.n_channels != 1:
        raise InputError(
            f"a wide table holds one channel, but the series have {series.n_channels}",
            fix="Write a long table, or another format.",
        )
    old = set(schema.step_columns) if schema.wide else set()
    place = next((i for i, c in enumerate(columns) if c in old), len(columns))
    roles = {schema.id_column, schema.time_column, schema.label_column, schema.row_number_column, *static}
    roles |= set(changes.values())
    if schema.wide:
        columns = [c for c in columns[:place] if c not in old] + values + [c for c in columns[place:] if c not in old]
        changes["step_columns"] = tuple(values)
    columns = [c for c in columns if c in roles or c in set(values)]
    columns += [c for c in values if c not in columns]
    if series.times is not None and series.times.dtype.kind == "M" and schema.time_kind != "datetime":
        style = default_style(series.times, schema.timezone)
        changes |= {"time_kind": "datetime", "time_format": style.format, "time_digits": style.digits}
        changes |= {"time_suffix": style.suffix}
    return schema.replace(columns=tuple(columns), static_columns=tuple(static), **changes)


def translated(base: Schema, series: SeriesSet, form: str) -> Schema:
    """What a schema of another format says of these series, in ``form``."""
    words = {"int": "int64", "bool": "bool", "float": "float64"}
    dtypes = {c: words[numbers.number_kind(channel_dtype(base, c))] for c in series.channels}
    has_times = series.times is not None
    fields: dict[str, Any] = {"timezone": base.timezone, "notices": base.notices}
    if has_times and base.time_format is not None and series.times is not None and series.times.dtype.kind == "M":
        fields |= {"time_kind": "datetime", "time_format": base.time_format}
        fields |= {"time_digits": base.time_digits, "time_suffix": base.time_suffix}
    if form.endswith("-wide"):
        steps = base.step_columns
        dtypes |= dict.fromkeys(steps, words[numbers.number_kind(channel_dtype(base, wide.CHANNEL))])
        return Schema(form, base.columns if steps else (), id_column=base.id_column, label_column=base.label_column,
                      static_columns=base.static_columns, step_columns=steps, dtypes=dtypes, **fields)  # fmt: skip
    if base.long:
        return Schema(form, base.columns, id_column=base.id_column, time_column=base.time_column, dtypes=dtypes,
                      label_column=base.label_column, static_columns=base.static_columns, **fields)  # fmt: skip
    return Schema(form, dtypes=dtypes, **fields)


Render = Callable[[str, np.ndarray], Any]


def blocks(series: SeriesSet, rows: int = ROWS_PER_BLOCK) -> Iterator[SeriesSet]:
    """The set in pieces of about ``rows`` rows."""
    step = max(1, rows // max(series.length, 1))
    for start in range(0, series.n_series, step):
        yield series[start : start + step]


def columns_of(series: SeriesSet, schema: Schema, render: Render, first_row: int = 0) -> dict[str, Any]:
    """The Arrow columns of a block of series, by name, in the order of the schema.

    Args:
        render: turns a channel's ``float32`` column into an Arrow array.
        first_row: rows already written, for a running row number.
    """
    import pyarrow as pa

    n = series.n_series
    if schema.wide:
        rows = np.arange(n)
        width = len(schema.step_columns)
        matrix = np.full((n, width), np.nan, np.float32)
        matrix[:, : series.length] = series.values[:, 0, :width]
        place = {c: j for j, c in enumerate(schema.step_columns)}
    else:
        rows = np.repeat(np.arange(n), series.lengths)
        matrix = series.values.transpose(0, 2, 1)[series.within]
        place = {c: j for j, c in enumerate(series.channels)}

    out: dict[str, Any] = {}
    for name in schema.columns:
        if name in place:
            out[name] = render(name, np.ascontiguousarray(matrix[:, place[name]]))
        elif name == schema.id_column:
            out[name] = per_series(series.ids, rows)
        elif name == schema.time_column:
            out[name] = _time_column(series, schema)
        elif name == schema.label_column:
            out[name] = pa.nulls(len(rows)) if series.labels is None else per_series(series.labels, rows)
        elif name == schema.row_number_column:
            out[name] = pa.array(np.arange(first_row, first_row + len(rows)))
        else:
            column = series.static.get(name)
            out[name] = pa.nulls(len(rows)) if column is None else per_series(column, rows)
    return out


def per_series(column: np.ndarray, rows: np.ndarray) -> Any:
    """A per-series column as an Arrow array with one entry a row."""
    import pyarrow as pa

    try:
        values = pa.array(column.tolist() if column.dtype == object else column, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        values = pa.array([None if v is None else str(v) for v in column.tolist()], pa.string())
    if pa.types.is_string(values.type):
        return pa.DictionaryArray.from_arrays(pa.array(rows.astype(np.int32)), values)
    return values.take(pa.array(rows))


def _time_column(series: SeriesSet, schema: Schema) -> Any:
    import pyarrow as pa

    times = series.times
    if times is None:
        if schema.time_kind == "datetime":
            raise InputError(f"the series have no times, but there is a column {schema.time_column!r} for them")
        times = np.broadcast_to(np.arange(series.length), series.within.shape)
    flat = times[series.within]
    if flat.dtype.kind != "M":
        return pa.array(flat)
    if schema.time_format is not None and (schema.family == "csv" or _time_is_text(schema)):
        style = TimeStyle("datetime", schema.time_format, schema.time_digits, schema.time_suffix)
        return format_times(flat, style)
    array = pa.array(flat, pa.timestamp("ns"))
    return array if schema.timezone is None else array.cast(pa.timestamp("ns", "UTC"))


def time_texts(times: np.ndarray, schema: Schema) -> list[str]:
    """Stamps ``(n,)`` as the texts that the schema's time column holds."""
    if times.dtype.kind != "M":
        return [str(time) for time in times.tolist()]
    style = TimeStyle("datetime", schema.time_format, schema.time_digits, schema.time_suffix)
    texts: list[str] = format_times(times, style).dictionary_decode().to_pylist()
    return texts


def time_array(times: np.ndarray, schema: Schema, kind: pa.DataType) -> pa.Array:
    """Stamps ``(n,)`` as an Arrow array of the type ``kind`` that the schema's time column has."""
    import pyarrow as pa

    if kind_of(kind) == "text":
        return pa.array(time_texts(times, schema)).cast(kind)
    if times.dtype.kind != "M":
        return pa.array(times).cast(kind, safe=False)
    zone = getattr(kind, "tz", None)
    return pa.array(times.astype("datetime64[ns]"), pa.timestamp("ns", zone)).cast(kind, safe=False)


def _time_is_text(schema: Schema) -> bool:
    return schema.arrow is not None and kind_of(unpack(schema.arrow).field(schema.time_column).type) == "text"


def to_table(series: SeriesSet, schema: Schema, first_row: int = 0, target: pa.Schema | None = None) -> pa.Table:
    """A block of series as an Arrow table in the schema's own types, or wider ones where these are too narrow.

    Args:
        first_row: rows already written, for a running row number.
        target: types that are to be kept to instead, as those of the blocks before.

    Raises:
        InputError: labels or times do not fit the column type that came in.
    """
    import pyarrow as pa

    if target is None and schema.arrow:
        target = unpack(schema.arrow)
    known = {} if target is None else {f.name: f for f in target}
    like = widest_step(schema) if schema.wide and schema.step_columns else None

    def render(name: str, column: np.ndarray) -> pa.Array:
        source = name if like is None else like
        if source in known and numbers.number_kind(str(known[source].type)) == "int":
            return numbers.to_arrow(column, str(known[source].type))
        return numbers.to_arrow(column, schema.dtypes.get(source, "float64"))

    fields, arrays, changed = [], [], []
    for name, column in columns_of(series, schema, render, first_row).items():
        field = known.get(name)
        if field is None and like in known and name in schema.step_columns:
            field = known[like].with_name(name)
        if field is None:
            column = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
            column = column.cast(pa.string()) if pa.types.is_null(column.type) else column
            field = pa.field(name, column.type)
        else:
            before = field.type
            column, field = widening.fitted(column, field, is_id=name == schema.id_column)
            changed += [field] if field.type != before else []
        fields.append(field.with_nullable(True) if column.null_count else field)
        arrays.append(column)
    metadata = target.metadata if target is not None and set(target.names) == {f.name for f in fields} else None
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=widening.redescribed(metadata, changed)))
