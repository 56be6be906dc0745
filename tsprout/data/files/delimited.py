"""CSV and its kin (``;``, tab, ``|``, decimal comma, gzip): long and wide, read and written in streams."""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprout.data import numbers, tables
from tsprout.data.files import dialect as dialects
from tsprout.data.files import grouping
from tsprout.data.files._writer import Writer
from tsprout.data.files.dialect import Dialect
from tsprout.data.files.packing import is_called_packed, packer
from tsprout.data.long import LongBuilder, attach
from tsprout.data.memory import require
from tsprout.data.reading import ReadOptions
from tsprout.data.roles import Roles, assign
from tsprout.data.wide import WideBuilder
from tsprout.errors import InputError
from tsprout.series import SeriesSet
from tsprout.staging import readable_bytes

if TYPE_CHECKING:
    import pyarrow as pa

MANY_ROWS = 5_000_000
BLOCK_BYTES = 4 << 20
_NO_HEADER = "the file has no header; its columns are numbered from 0"
_LABELLED = ", but for the first, whole numbers that repeat, which is taken as the label"


def read(path: Path, options: ReadOptions) -> SeriesSet:
    """Read a CSV file; see :func:`tsprout.data.files.read`."""
    where = str(path)
    dialect = dialects.sniff(path, options)
    roles = assign(dialect.header, dialect.kinds, options, where, dialect.gappy())
    named = options.label_column is not None or dialect.headerless
    if not named and roles.label is not None and dialect.kinds[roles.label] == "float":
        roles.channels = [c for c in dialect.header if c in {*roles.channels, roles.label}]
        roles.label = None
    notices = _check_size(path, dialect, roles, options)

    def row_name(index: int) -> str:
        return dialects.row_name(dialect, index)

    builder: LongBuilder = (WideBuilder if roles.wide else LongBuilder)(roles, options, where, row_name)
    builder.notices += notices
    if dialect.thousands:
        builder.notices.append(f"digits of numbers are grouped by {dialect.thousands!r}; they are written without")
    if dialect.headerless:
        builder.notices.append(_NO_HEADER + (_LABELLED if roles.label is not None else ""))
    builder.count_decimals = True
    _stream(dialect, roles, builder, options)
    series = builder.finish(ids_are_text=True)
    kept = [c for c in dialect.header if c not in roles.ignored]
    dtypes, styles, words = _channel_facts(dialect, builder)
    if roles.id is not None:
        dtypes[roles.id] = "int64" if series.ids.dtype == np.int64 else "str"
    missing = Counter(
        cell for row in dialect.rows for cell in row if cell.strip() in dialect.nulls and cell.strip()
    ).most_common(1)
    schema = tables.schema_of(
        f"csv-{'wide' if roles.wide else 'long'}",
        kept,
        roles,
        builder,
        dtypes=dtypes,
        number_styles=styles,
        bool_texts=words,
        delimiter=dialect.delimiter,
        decimal_mark=dialect.decimal_mark,
        encoding=dialect.encoding,
        missing_text=missing[0][0] if missing else "",
        meta={"headerless": ending(path)} if dialect.headerless else {},
    )
    return attach(series, schema, options)


def _check_size(path: Path, dialect: Dialect, roles: Roles, options: ReadOptions) -> list[str]:
    size = path.stat().st_size * (5 if dialect.compressed else 1)
    rows = int(size / dialect.bytes_per_row)
    values = len(roles.steps or roles.channels)
    # Measured at its peak: text ids and times are held until the rows are dealt out to their series.
    needed = rows * (9 * values + 120)
    require(needed, options.available_memory, str(path))
    if rows < MANY_ROWS:
        return []
    return [f"a large file: about {rows:,} rows, which need about {readable_bytes(needed)} of memory while reading"]


def _stream(dialect: Dialect, roles: Roles, builder: LongBuilder, options: ReadOptions) -> None:
    import pyarrow as pa
    import pyarrow.csv as pacsv

    values = roles.steps or roles.channels
    texts = [c for c in (roles.id, roles.time, roles.label, *roles.static) if c is not None]
    types = {c: pa.bool_() if dialect.kinds[c] == "bool" else pa.float64() for c in values}
    grouped = [c for c in values if types[c] == pa.float64()] if dialect.thousands else []
    counted = roles.time is not None and dialect.thousands and dialect.kinds[roles.time] in ("int", "float")
    types |= dict.fromkeys([*texts, *grouped], pa.string())
    encoding = "utf8" if dialect.encoding.lower() in ("utf-8", "utf8", "utf-8-sig") else dialect.encoding
    total = dialect.path.stat().st_size
    try:
        reader = pacsv.open_csv(
            pa.input_stream(str(dialect.path), compression="gzip" if dialect.compressed else None),
            read_options=pacsv.ReadOptions(
                use_threads=False,
                block_size=max(BLOCK_BYTES, 8 * dialect.longest_line),
                encoding=encoding,
                column_names=dialect.header,
                skip_rows=dialect.blank_lines,
                skip_rows_after_names=0 if dialect.headerless else 1,
            ),
            parse_options=pacsv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=dialect.quoted),
            convert_options=pacsv.ConvertOptions(
                column_types=types,
                include_columns=[*texts, *values],
                null_values=list(dialect.nulls),
                true_values=["true", "True", "TRUE"],
                false_values=["false", "False", "FALSE"],
                strings_can_be_null=False,
                decimal_point=dialect.decimal_mark,
            ),
        )
        done = 0
        for batch in reader:
            builder.add(_ungrouped(_trimmed(batch, texts), grouped, dialect, roles.time if counted else None))
            done += batch.num_rows
            if options.progress is not None:
                options.progress("read", min(total, int(done * dialect.bytes_per_row)), total)
        if options.progress is not None:
            options.progress("read", total, total)
    except (pa.ArrowInvalid, pa.ArrowKeyError, UnicodeDecodeError, OSError) as error:
        raise _explained(error, dialect, values) from None


def _trimmed(batch: pa.RecordBatch, texts: list[str]) -> pa.RecordBatch:
    """A batch whose texts have no space around them, as numbers and times have none; what is empty is missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if name in texts:
            column = pc.utf8_trim_whitespace(column)
            column = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _ungrouped(batch: pa.RecordBatch, names: list[str], dialect: Dialect, time: str | None) -> pa.RecordBatch:
    """A batch in which the texts of some columns are the numbers that they stand for; of ``time`` they stay texts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not names:
        return batch
    columns = list(batch.columns)
    for j, name in enumerate(batch.schema.names):
        if name in names or name == time:
            cells = pc.utf8_trim_whitespace(columns[j])
            cells = pc.if_else(pc.is_in(cells, pa.array(dialect.nulls)), pa.scalar(None, pa.string()), cells)
            marked = pc.match_substring_regex(cells, f"^{grouping.pattern(dialect.thousands)}$")
            plain = pc.replace_substring_regex(cells, grouping.group_class(dialect.thousands), "")
            cells = pc.if_else(marked, plain, cells)
            if dialect.decimal_mark == ",":
                cells = pc.replace_substring(cells, ",", ".")
            try:
                columns[j] = cells if name == time else cells.cast(pa.float64())
            except pa.ArrowInvalid as error:
                raise pa.ArrowInvalid(f"conversion error: {error}") from None
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _explained(error: Exception, dialect: Dialect, values: list[str]) -> InputError:
    text = str(error)
    where = str(dialect.path)
    found = None
    if "Expected" in text:
        found = dialects.ragged(dialect)
    elif "invalid UTF8" in text or isinstance(error, UnicodeDecodeError) or "codec" in text:
        return InputError(
            f"the file is not all {dialect.encoding} text",
            where=where,
            fix="Say the encoding with encoding=; try latin-1, cp1252 or utf-16.",
        )
    elif "conversion error" in text:
        found = dialects.not_a_number(dialect, values)
    return found or InputError(f"cannot be read as CSV: {text}", where=where)


def _channel_facts(
    dialect: Dialect, builder: LongBuilder
) -> tuple[dict[str, str], dict[str, str], dict[str, tuple[str, str]]]:
    """Dtypes, number styles and words for false and true, by channel (or step) column."""
    dtypes: dict[str, str] = {}
    styles: dict[str, str] = {}
    words: dict[str, tuple[str, str]] = {}
    channels = builder.roles.channels
    # The steps of a wide table are one channel, and so are columns that are series: one of them may be whole by
    # chance, or have no values at all.
    alike = builder.roles.wide or builder.options.orientation == "columns"
    for group in [range(len(channels))] if alike else [[j] for j in range(len(channels))]:
        names = [channels[j] for j in group]
        cells = [cell for name in names for cell in dialect.cells(name)]
        kinds = {dialect.kinds[name] for name in names}
        kinds = kinds - {"empty"} or kinds
        if kinds == {"bool"}:
            dtypes |= dict.fromkeys(names, "bool")
            found = next(
                w for w in (("False", "True"), ("false", "true"), ("FALSE", "TRUE"), ("False", "True"))
                if any(c in w for c in cells) or w[0] == "FALSE"
            )  # fmt: skip
            words |= dict.fromkeys(names, found)
        elif kinds <= {"int", "bool"} and all(builder.whole[j] for j in group):
            dtypes |= dict.fromkeys(names, "int64")
        else:
            dtypes |= dict.fromkeys(names, "float64")
            decimals = [builder.decimals[j] for j in group]
            most = None if None in decimals else max(d for d in decimals if d is not None)
            style = numbers.written_style(cells, dialect.decimal_mark)
            styles |= dict.fromkeys(names, numbers.merge_style(style, most))
    return dtypes, styles, words


def ending(path: Path) -> str:
    """The extension of a file, not that of its packing."""
    return (Path(path.stem) if is_called_packed(path) else path).suffix.lower()


class CsvWriter(Writer):
    """Writes CSV in the dialect that came in."""

    def _begin(self, batch: SeriesSet) -> None:
        self.schema = tables.complete(self.known, batch, self.form, self.n_series)
        s = self.schema
        self._rows = 0
        self._zip = packer(self.file) if is_called_packed(self.path) else None
        self._like = tables.widest_step(s) if s.wide and s.step_columns else None
        name = s.encoding.lower()
        self._encoder = None if name in ("utf-8", "utf8") else codecs.getincrementalencoder(s.encoding)()
        self._missing = s.missing_text or ("NaN" if len(s.columns) == 1 else "")
        buffer = io.StringIO()
        # Columns that came without names stay so, unless there is one more that says which series a row is of, or the
        # file is called otherwise: those of the UCR archive are known by their name.
        if s.meta.get("headerless") != ending(self.path) or not (s.wide or s.id_column is None):
            csv.writer(buffer, delimiter=s.delimiter, lineterminator="\n").writerow(s.columns)
        self._put(buffer.getvalue().encode("utf-8"))

    def _put(self, data: bytes) -> None:
        if self._encoder is not None:
            try:
                data = self._encoder.encode(data.decode("utf-8"))
            except UnicodeEncodeError as error:
                raise InputError(
                    f"{error.object[error.start]!r} cannot be written in {self.schema.encoding}", where=str(self.path)
                ) from None
        (self._zip or self.file).write(data)

    def _add(self, batch: SeriesSet) -> None:
        for block in tables.blocks(batch):
            self._add_block(block)

    def _add_block(self, block: SeriesSet) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        columns = [self._text(c) for c in tables.columns_of(block, self.schema, self._render, self._rows).values()]
        self._rows += len(columns[0])
        lines = pc.binary_join_element_wise(*columns, self.schema.delimiter) if len(columns) > 1 else columns[0]
        text = pc.binary_join_element_wise(lines, "", "\n").cast(pa.large_string())
        if len(text):
            # The bytes of an Arrow text array lie one after the other: they are the lines of the file.
            _, offsets, data = text.buffers()
            first, last = np.frombuffer(offsets, np.int64)[[text.offset, text.offset + len(text)]].tolist()
            self._put(data.slice(first, last - first).to_pybytes())

    def _text(self, column: Any) -> Any:
        """A column as text without nulls, quoted where it must be."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if not pa.types.is_dictionary(column.type):
            return column.cast(pa.string()).fill_null("")
        values = column.dictionary
        special = pc.match_substring_regex(values, f'["\\r\\n{self.schema.delimiter}]')
        quoted = pc.binary_join_element_wise('"', pc.replace_substring(values, '"', '""'), '"', "")
        chosen = pc.if_else(special, quoted, values)
        return pa.DictionaryArray.from_arrays(column.indices, chosen).dictionary_decode().fill_null("")

    def _render(self, name: str, values: np.ndarray) -> Any:
        import pyarrow as pa

        s = self.schema
        like = self._like or name
        dtype = s.dtypes.get(like, "float64")
        style = s.number_styles.get(like, "short")
        words = s.bool_texts.get(like, ("False", "True"))
        column = numbers.to_text(values, dtype, style, words, s.decimal_mark)
        if self._missing and column.null_count:
            column = column.cast(pa.string()).fill_null(self._missing)
        return column

    def _end(self) -> None:
        if self._zip is not None:
            self._zip.close()
