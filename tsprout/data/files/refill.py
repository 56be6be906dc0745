"""Files written again with values in cells that were missing, and all else as it was: no digit of another cell changes.

Of CSV the other bytes of a line are those that were read; JSON lines without gaps are copied. Of ``.ts`` there is no
such way.
"""

from __future__ import annotations

import codecs
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, cast

import numpy as np

from tsprout.data import numbers, tables
from tsprout.data.columns import is_number_text, missing_numbers
from tsprout.data.files import dialect, grouping
from tsprout.data.files.packing import is_called_packed, packer, unpacked
from tsprout.data.original import Cells
from tsprout.data.reading import ReadOptions
from tsprout.errors import TsproutError
from tsprout.staging import check_file, write_file

if TYPE_CHECKING:
    import pyarrow as pa


def write(source: Path, target: Path, options: ReadOptions, cells: Cells, *, force: bool = False) -> None:
    """Write ``source`` to ``target`` with ``cells`` filled.

    Args:
        source: the file that was read.
        target: of the same family; packed by gzip if it is called so.
        options: how it was read.
        cells: what to put where.
        force: replace a file.

    Raises:
        InputError: the target exists, or cannot be.
        TsproutError: the disk is full, or the source is another one by now.
    """
    assert cells.read.schema is not None
    fill = FAMILIES[cells.read.schema.family]

    def put(sink: BinaryIO) -> None:
        if not is_called_packed(target):
            fill(source, sink, options, cells)
            return
        with packer(sink) as packed:
            fill(source, cast("IO[bytes]", packed), options, cells)

    check_file(target, force=force)
    write_file(target, put, sync=True)


def _changed(source: Path) -> TsproutError:
    fix = "Leave it alone while it is worked on, and try again."
    return TsproutError("the file is not the one that was read", where=str(source), fix=fix)


def _opened(
    source: Path, sink: IO[bytes], encoding: str, stack: ExitStack
) -> tuple[io.TextIOWrapper, io.TextIOWrapper]:
    """The text of a file, and where to write it: a mark of the byte order, where there is one, is a character of it."""
    file = stack.enter_context(unpacked(source))
    start = file.read(4)
    file.seek(0)
    name = codecs.lookup(encoding).name
    if name in ("utf-16", "utf-32"):
        name += "-be" if start.startswith((codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)) else "-le"
    name = "utf-8" if name == "utf-8-sig" else name
    text = stack.enter_context(io.TextIOWrapper(file, encoding=name, newline=""))
    return text, io.TextIOWrapper(sink, encoding=name, newline="")


def _csv(source: Path, sink: IO[bytes], options: ReadOptions, cells: Cells) -> None:
    form = dialect.sniff(source, options)
    news = groupby(_texts(cells, form), key=lambda cell: cell[0])
    row, changes = next(news, (-1, iter(())))
    codes = missing_numbers(options.missing_codes)

    def missing(cell: str) -> bool:
        plain = cell.strip().strip('"').strip()
        number = plain.replace(form.decimal_mark, ".")
        return plain in form.nulls or (is_number_text(number) and float(number) in codes)

    lines = _lines(cells, form)
    with ExitStack() as stack:
        text, out = _opened(source, sink, form.encoding, stack)
        first = 0 if form.headerless else -1  # that of the header; what comes before a record is with it
        for number, record in enumerate(_records(text, form), first):
            if number == row:
                own = [cell[1:] for cell in changes]
                if (changed := _replaced(record, form.delimiter, own, missing)) is None:
                    raise _changed(source)
                record = changed
                row, changes = next(news, (-1, iter(())))
            out.write(_followed(record, lines.pop(number), form) if number in lines else record)
        out.flush()
        out.detach()
    if row >= 0 or lines:
        raise _changed(source)


def _lines(cells: Cells, form: dialect.Dialect) -> dict[int, list[list[str | None]]]:
    """By the row before, the cells of rows that the table gets; ``None`` for what the row before says, too."""
    schema = cells.read.schema
    assert schema is not None
    if cells.rows is None or not len(added := cells.added()):
        return {}
    columns: list[list[str | None]] = []
    for name in form.header:
        if (values := added.values(name)) is not None:
            columns.append([text or "" for text in _written(values, name, cells, form)])
        elif name == schema.time_column:
            columns.append(list(tables.time_texts(added.times(), schema)))
        else:
            columns.append([None if added.repeated(name) else ""] * len(added))
    rows: dict[int, list[list[str | None]]] = {}
    for after, *row in zip(added.after.tolist(), *columns, strict=True):
        rows.setdefault(after, []).append(row)
    return rows


def _followed(record: str, rows: list[list[str | None]], form: dialect.Dialect) -> str:
    """A row and, behind it, rows that are added."""
    _, body, end = _ends(record)
    before, end = _split(body, form.delimiter)[0], end or "\n"
    more = [form.delimiter.join(before[j] if c is None else c for j, c in enumerate(row)) for row in rows]
    return end.join([record.rstrip("\r\n"), *more]) + (end if record.endswith(("\r", "\n")) else "")


def _texts(cells: Cells, form: dialect.Dialect) -> list[tuple[int, int, str]]:
    """``(row, column, text)`` of what is new, by rows."""
    schema = cells.read.schema
    assert schema is not None
    like = tables.widest_step(schema) if schema.wide and schema.step_columns else None
    found = []
    for name, rows, values in cells.columns():
        place = form.header.index(name)
        texts = _written(values, like or name, cells, form)
        found += [(row, place, text or "") for row, text in zip(rows.tolist(), texts, strict=True)]
    return sorted(found)


def _written(values: np.ndarray, column: str, cells: Cells, form: dialect.Dialect) -> list[str | None]:
    """Values as they are written in a column, ``None`` where there is none."""
    import pyarrow as pa

    schema = cells.read.schema
    assert schema is not None
    words = schema.bool_texts.get(column, ("False", "True"))
    style = schema.number_styles.get(column, "short")
    texts = numbers.to_text(values, schema.dtypes.get(column, "float64"), style, words, form.decimal_mark)
    listed: list[str | None] = texts.cast(pa.string()).to_pylist()
    if form.thousands and form.groups(column):
        listed = [text and grouping.grouped(text, form.thousands, form.decimal_mark) for text in listed]
    return listed


def _records(lines: Iterator[str], form: dialect.Dialect) -> Iterator[str]:
    """The header with all that comes before it, then the rows, each with the blank lines before it: as they are."""
    record, blank = "", ""
    for number, line in enumerate(lines):
        if not record and (number < form.blank_lines or not line.strip("\r\n")):
            blank += line
            continue
        record += line
        if not (form.quoted and '"' in record and _split(record, form.delimiter)[1]):  # a cell goes on in the next line
            yield blank + record
            record, blank = "", ""
    yield blank + record


def _replaced(
    record: str, delimiter: str, changes: list[tuple[int, str]], missing: Callable[[str], bool]
) -> str | None:
    """A row with other texts in some places; ``None`` where one of these is not there, or not ``missing``."""
    blank, body, end = _ends(record)
    parts, _ = _split(body, delimiter)
    for place, text in changes:
        if place >= len(parts) or not missing(parts[place]):
            return None
        parts[place] = text
    return blank + delimiter.join(parts) + end


def _ends(record: str) -> tuple[str, str, str]:
    """The blank lines before a row, the row, and the end of its line."""
    body = record.strip("\r\n")
    start = record.index(body)
    return record[:start], body, record[start + len(body) :]


def _split(body: str, delimiter: str) -> tuple[list[str], bool]:
    """The cells of a row, as they are written, and whether the last one is quoted and goes on.

    A quote that is not the first character of a cell stands for itself, as it does to the reader.
    """
    parts: list[str] = []
    at = 0
    while True:
        closed = at
        while body.startswith('"', closed):  # the end of what is quoted, but for quotes in pairs
            closed = body.find('"', closed + 1) + 1
            if not closed:
                return [*parts, body[at:]], True
        end = body.find(delimiter, closed)
        if end < 0:
            return [*parts, body[at:]], False
        parts.append(body[at:end])
        at = end + len(delimiter)


# JSON has no numbers as they are written: while a line is taken apart they are texts that no other text is like.
_KEPT = re.compile(r'"\\u0000number (\S+?)"')


def _kept(number: str) -> str:
    return f"\0number {number}"


def _jsonl(source: Path, sink: IO[bytes], options: ReadOptions, cells: Cells) -> None:
    assert cells.read.schema is not None
    whole, nested = cells.read.schema.dtypes["values"] == "int64", cells.read.schema.meta["nested"]
    number = 0
    with ExitStack() as stack:
        text, out = _opened(source, sink, options.encoding, stack)
        for line in text:
            if not line.strip():
                out.write(line)
                continue
            if number >= len(cells.new):
                raise _changed(source)
            if cells.new[number].any():
                row = json.loads(line, parse_float=_kept, parse_int=_kept, parse_constant=_kept)
                channels = row["target"] if nested else [row["target"]]
                values = numbers.clean(cells.values[number])
                for j, t in np.argwhere(cells.new[number]).tolist():
                    channels[j][t] = round(values[j, t]) if whole else float(values[j, t])
                between = (", ", ": ") if ", " in line else (",", ":")
                # What was written as an escape may be no character of the encoding.
                text_of = json.dumps(row, ensure_ascii=line.isascii() or "\\u" in line, separators=between)
                line = _KEPT.sub(r"\1", text_of) + line[len(line.rstrip("\r\n")) :]
            out.write(line)
            number += 1
        out.flush()
        out.detach()
    if number != len(cells.new):
        raise _changed(source)


def with_values(column: pa.Array, rows: np.ndarray, values: np.ndarray) -> pa.Array:
    """An Arrow column, in its type, with ``values (m,)`` in its ``rows (m,)``."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    mask = np.zeros(len(column), bool)
    mask[rows] = True
    new = numbers.to_arrow(values, str(column.type)).cast(column.type, safe=False)
    return pc.replace_with_mask(column, pa.array(mask), new)


def with_rows(table: pa.Table, cells: Cells) -> pa.Table:
    """An Arrow table with values in cells that were missing, and rows for steps that have none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    def put(name: str, column: pa.Array) -> None:
        nonlocal table
        place = table.schema.get_field_index(name)
        table = table.set_column(place, table.schema.field(place).with_type(column.type).with_nullable(True), column)

    for name, rows, values in cells.columns():
        put(name, with_values(table.column(name), rows, values))
    if cells.rows is None or not len(added := cells.added()):
        return table
    schema = cells.read.schema
    assert schema is not None
    old, new = added.places(table.num_rows)
    table = table.take(pa.array(old))
    for name in table.column_names:
        column = table.column(name).combine_chunks()
        if (more := added.values(name)) is not None:
            values = numbers.to_arrow(more, str(column.type)).cast(column.type, safe=False)
        elif name == schema.time_column:
            values = tables.time_array(added.times(), schema, column.type)
        elif added.repeated(name):
            continue
        else:
            values = pa.nulls(len(added), column.type)
        put(name, pc.replace_with_mask(column, pa.array(new), values))
    return table


def _parquet(source: Path, sink: IO[bytes], options: ReadOptions, cells: Cells) -> None:
    import pyarrow.parquet as pq

    with pq.ParquetFile(source) as file:
        table, groups = file.read(use_threads=False), file.metadata
        first = groups.row_group(0)
        columns = [first.column(j) for j in range(first.num_columns)]
        packed = {c.path_in_schema: "NONE" if c.compression == "UNCOMPRESSED" else c.compression for c in columns}
    if cells.rows is not None and len(cells.rows[0]) != table.num_rows:
        raise _changed(source)
    pq.write_table(with_rows(table, cells), sink, compression=packed, row_group_size=max(1, first.num_rows))


def with_cells(array: np.ndarray, cells: Cells, names: np.ndarray | None = None, mark: bool = False) -> np.ndarray:
    """A copy of the array that series were read from, in its dtype, with values in cells that were missing.

    Args:
        array: of any of the axis orders.
        cells: what to put where.
        names: of the array's channels, where only some were read.
        mark: put ``True`` there instead.
    """
    schema = cells.read.schema
    assert schema is not None and schema.axes is not None
    masked = isinstance(array, np.ma.MaskedArray)
    out = np.array(array.data if masked else array)
    order = ["ncl".index(a) for a in schema.axes]
    dropped = tuple(i for i in range(3) if i not in order)
    places = list(np.nonzero(cells.new))
    values = cells.values[tuple(places)]
    if names is not None:
        known = [str(name) for name in names]
        places[1] = np.array([known.index(name) for name in cells.read.channels])[places[1]]
    at = tuple(places[i] for i in order)
    assert all(cells.new.shape[i] == 1 for i in dropped)
    if mark:
        out[at] = True
        return out
    if out.dtype.kind in "biu":
        out[at] = numbers.to_arrow(values, out.dtype.newbyteorder("=").name).to_numpy(zero_copy_only=False)
    else:
        out[at] = numbers.clean(values) if out.dtype.itemsize > 4 else values
    if not masked:
        return out
    left = np.ma.getmaskarray(array).copy()
    left[at] = False
    return np.ma.array(out, mask=left)


def _npy(source: Path, sink: IO[bytes], options: ReadOptions, cells: Cells) -> None:
    array = with_cells(np.load(source, allow_pickle=False), cells)
    np.lib.format.write_array(sink, array, allow_pickle=False)


def _npz(source: Path, sink: IO[bytes], options: ReadOptions, cells: Cells) -> None:
    schema = cells.read.schema
    assert schema is not None
    with zipfile.ZipFile(source) as old, np.load(source, allow_pickle=False) as file:
        packed = old.infolist()[0].compress_type
        with zipfile.ZipFile(sink, "w", packed, allowZip64=True) as archive:
            for key in file.files:
                array, names = file[key], file["channels"] if "channels" in file.files else None
                if key == schema.meta["values"]:
                    array = with_cells(array, cells, names)
                elif key == "observed":
                    array = with_cells(array, cells, names, mark=True)
                with archive.open(f"{key}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, array, allow_pickle=False)


FAMILIES = {"csv": _csv, "parquet": _parquet, "npz": _npz, "npy": _npy, "jsonl": _jsonl}
