"""What a CSV file looks like, from its first megabyte: encoding, delimiter, header, and what each column holds.

Also the slow, exact search for the line of a file where something is wrong, used only once something is.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tsprout.data.columns import has_sign
from tsprout.data.files import grouping
from tsprout.data.files.packing import is_packed, unpacked
from tsprout.data.reading import ReadOptions
from tsprout.data.roles import is_nameless
from tsprout.data.tables import text_kind
from tsprout.errors import InputError

SAMPLE_BYTES = 1 << 20
NULLS = (
    "",
    "NA",
    "N/A",
    "NaN",
    "nan",
    "NAN",
    "null",
    "NULL",
    "Null",
    "None",
    "none",
    "-nan",
    "#N/A",
    "<NA>",
    "n/a",
    "?",
    *(" " * blanks for blanks in range(1, 9)),
)
_MAGIC = {
    b"PAR1": "a Parquet file",
    b"PK\x03\x04": "a ZIP archive, such as .npz or .xlsx",
    b"\x93NUMPY": "a numpy file",
    b"\x89HDF": "an HDF5 file",
    b"\x80\x04": "a pickle",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
}


@dataclass
class Dialect:
    """How a CSV file is written; ``rows`` are the sample's data rows, ``blank_lines`` stand before the header,
    ``thousands`` groups digits, ``headerless`` says that all rows are data."""

    path: Path
    encoding: str
    delimiter: str
    decimal_mark: str
    header: list[str]
    rows: list[list[str]]
    bytes_per_row: float
    compressed: bool
    quoted: bool
    longest_line: int
    nulls: tuple[str, ...]
    blank_lines: int = 0
    thousands: str = ""
    headerless: bool = False
    kinds: dict[str, str] = field(default_factory=dict)

    def cells(self, name: str) -> list[str]:
        """The sample's cells of one column that are not missing, digits ungrouped."""
        j = self.header.index(name)
        cells = [row[j].strip() for row in self.rows if j < len(row) and row[j].strip() not in self.nulls]
        return [grouping.ungrouped(cell, self.thousands) for cell in cells] if self.thousands else cells

    def groups(self, name: str) -> bool:
        """Whether the sample's cells of one column show digits in groups."""
        j = self.header.index(name)
        whole = re.compile(grouping.pattern(self.thousands)) if self.thousands else None
        return whole is not None and any(whole.fullmatch(row[j].strip()) for row in self.rows if j < len(row))

    def gappy(self) -> set[str]:
        """Columns with an empty cell in the sample."""
        return {
            name for j, name in enumerate(self.header) if any(j < len(row) and not row[j].strip() for row in self.rows)
        }


def sniff(path: Path, options: ReadOptions) -> Dialect:
    """Look at the start of a file.

    Raises:
        InputError: the file is empty, is not text, is in another encoding, has no header or no rows, or digits may be
            grouped or not.
    """
    where = str(path)
    try:
        with unpacked(path) as raw:
            data = raw.read(SAMPLE_BYTES)
            more = bool(raw.read(1))
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot be read: {error}", where=where) from None
    if not data.strip():
        raise _empty(where)
    text = decode(data, options.encoding, where, final=not more)
    # Where Arrow ends a line, too; Python would end one at a form feed and the like.
    lines = re.split(r"\r\n|\r|\n", text)
    lines = lines if lines[-1] else lines[:-1]
    complete = lines[:-1] if more and len(lines) > 1 else lines
    body = [line for line in complete if line.strip()]
    if not body:
        raise _empty(where)
    blank = complete.index(body[0])
    delimiter = _delimiter(body, path)
    rest = io.StringIO("\n".join(complete[blank:]) + "\n")
    try:
        records = [row for row in csv.reader(rest, delimiter=delimiter) if row]
    except csv.Error as error:
        raise _endless(where, error) from None
    made = _without_header(records, options, path)
    header = _named_apart([name.strip() for name in records[0]]) if made is None else made
    rows = records[1:] if made is None else records
    if not rows:
        raise InputError(
            "there is a header but no rows of data", where=where, fix="Give a file with at least one series."
        )
    cells = [c for row in rows[:200] for c in row]
    comma = sum(bool(re.fullmatch(r"[+-]?\d+,\d+", c.strip())) for c in cells)
    point = sum(bool(re.fullmatch(r"[+-]?\d+\.\d+", c.strip())) for c in cells)
    mark = "," if delimiter != "," and comma and not point else "."
    nulls = tuple(dict.fromkeys((*NULLS, *(str(c) for c in options.missing_codes))))
    size = sum(len(line) + 1 for line in body[1:]) * len(data) / max(len(text), 1)
    dialect = Dialect(
        path=path,
        encoding=options.encoding,
        delimiter=delimiter,
        decimal_mark=mark,
        header=header,
        rows=rows,
        bytes_per_row=max(1.0, size / len(rows)),
        compressed=is_packed(path),
        quoted='"' in text,
        longest_line=max(len(line) for line in body),
        nulls=nulls,
        blank_lines=blank,
        headerless=made is not None,
    )
    if options.thousands is None:
        told = {options.id_column, options.time_column, options.label_column, *(options.static_columns or ())}
        told |= set(options.ignore)
        dialect.thousands = grouping.found((dialect.cells(name) for name in header if name not in told), where)
    elif options.thousands != "none":
        dialect.thousands = options.thousands
    dialect.decimal_mark = grouping.decimal_of(dialect.thousands, mark)
    dialect.kinds = {name: _kind(dialect.cells(name), dialect.decimal_mark) for name in header}
    return dialect


def _empty(where: str) -> InputError:
    return InputError("the file is empty", where=where, fix="Give a file with a header and at least one series.")


def decode(data: bytes, encoding: str, where: str, final: bool = True) -> str:
    """Bytes as text, or an explanation why they are none."""
    for magic, what in _MAGIC.items():
        if data.startswith(magic):
            raise InputError(
                f"this is not a text file; it looks like {what}",
                where=where,
                fix="Give it the extension of its format.",
            )
    try:
        "".encode(encoding)  # a codec of something else than text, such as base64, is refused, too
        decoder = codecs.getincrementaldecoder(encoding)()
    except LookupError:
        raise InputError(f"unknown encoding {encoding!r}", fix="Try utf-8, utf-16, latin-1 or cp1252.") from None
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = decoder.decode(data, final)
    except UnicodeDecodeError as error:
        if b"\x00" in data and not wide:
            raise _not_text(where) from None
        line = data[: error.start].count(b"\n") + 1
        likely = "utf-16" if wide else "latin-1 or cp1252 (western European), utf-16, shift_jis or gb18030"
        raise InputError(
            f"byte {data[error.start]:#04x} is not {encoding} text",
            where=f"{where}, line {line}",
            fix=f"Say the encoding with encoding=; try {likely}.",
        ) from None
    except UnicodeError as error:  # no mark of the byte order
        fix = "Say which it is: encoding='utf-16-le' or encoding='utf-16-be'."
        raise InputError(f"this is not {encoding} text: {error}", where=where, fix=fix) from None
    if "\x00" in text:
        raise _not_text(where)
    return text.removeprefix("\ufeff")


def _endless(where: str, error: csv.Error) -> InputError:
    fix = "Look for a quotation mark that is opened and never closed."
    return InputError(f"a cell is too long to be one: {error}", where=where, fix=fix)


def _not_text(where: str) -> InputError:
    return InputError(
        "this is not a text file: it contains zero bytes",
        where=where,
        fix="If it is text in another encoding, try encoding='utf-16'; otherwise use the extension of its format.",
    )


def _delimiter(lines: list[str], path: Path) -> str:
    candidates = ["\t", ",", ";", "|"] if ".tsv" in path.name.lower() else [",", ";", "\t", "|"]
    counts = {}
    for d in candidates:
        widths = [len(row) for row in csv.reader(lines[:20], delimiter=d)]
        counts[d] = (widths.count(widths[0]), widths[0]) if widths[0] > 1 else (0, 1)
    steady = max(counts.values())[0]
    # The first candidate that splits (nearly) all rows alike into the most columns.
    return max(candidates, key=lambda d: counts[d][1] if counts[d][0] * 2 >= steady and counts[d][0] else 0)


def _named_apart(header: list[str]) -> list[str]:
    """The header with every column without a name but the first one numbered, as pandas does."""
    first = header.index("") if "" in header else -1
    return [name or ("" if j == first else f"Unnamed: {j}") for j, name in enumerate(header)]


def _without_header(records: list[list[str]], options: ReadOptions, path: Path) -> list[str] | None:
    """Names for the columns of a file whose first row is data; ``None`` where it is a header.

    Raises:
        InputError: the first row holds numbers, and nothing says what a row is.
    """
    first = [cell.strip() for cell in records[0]]
    while len(first) > 1 and is_nameless(first[-1]):  # lines that end with delimiters
        first = first[:-1]
    # The UCR archive's own files, which have no header, are called so.
    labelled = _begins_with_labels(records)
    ucr = ".tsv" in path.name.lower() and labelled
    if options.orientation is not None or ucr:
        if not ucr and _is_header(first, records[1:], options.orientation == "wide"):
            return None
    else:
        numeric = [float(cell) for cell in first if _is_number(cell)]
        rising = all(b > a for a, b in itertools.pairwise(numeric))
        if len(numeric) < len(first) or (rising and len(first) >= 4):
            return None
        raise InputError(
            f"the first row holds numbers ({', '.join(first[:4])}...), not the names of the columns",
            where=str(path),
            fix="Add a header row, or say what a row is: a series with orientation='wide', a time step with "
            "orientation='long'.",
        )
    wide = options.orientation in (None, "wide")
    named = ["label"] if labelled else ["id"] if _kind_of(first[0]) == "text" else []
    named = named if wide else []
    return named + [str(k) for k in range(len(records[0]) - len(named))]


def _is_header(first: list[str], rows: list[list[str]], wide: bool) -> bool:
    """Whether a first row names columns: what it holds is of another kind than what stands below, or it counts."""
    numeric = [float(cell) for cell in first if _is_number(cell)]
    steps = {round(b - a, 9) for a, b in itertools.pairwise(numeric)}
    rising, whole = all(step > 0 for step in steps), all(number.is_integer() for number in numeric)
    if numeric and rising and (whole or (wide and len(steps) == 1 and len(numeric) > 2)):
        return True
    below = rows[0] if rows else []
    pairs = [(_kind_of(a), _kind_of(b.strip())) for a, b in zip(first, below, strict=False)]
    return not numeric or any(a != b for a, b in pairs if "empty" not in (a, b))


def _kind_of(cell: str) -> str:
    if cell in NULLS:
        return "empty"
    return "number" if _is_number(cell) else text_kind([cell])


def _begins_with_labels(records: list[list[str]]) -> bool:
    """Whether the first cells of rows are whole numbers, few of them different, and others are not whole."""
    labels = [row[0].strip() for row in records if row]
    whole = all(re.fullmatch(r"[+-]?\d+(\.0*)?([eE]\+?0+)?", label) for label in labels)
    cells = [float(cell) for row in records[:20] for cell in row[1:] if _is_number(cell)]
    broken = any(not cell.is_integer() for cell in cells)
    few = len(set(labels)) <= max(len(labels) // 2, min(len(labels), 3))
    return whole and broken and few and len(records[0]) > 4


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _kind(cells: list[str], mark: str) -> str:
    if not cells:
        return "empty"
    if all(c.lower() in ("true", "false") for c in cells):
        return "bool"
    if all(re.fullmatch(r"[+-]?\d+", c) for c in cells):
        return "int"
    plain = [c.replace(",", ".") if mark == "," else c for c in cells]
    return "float" if all(_is_number(c) for c in plain) else text_kind(plain)


def records(dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """All rows but a header, each with the line of the file it ends on."""
    encoding = "utf-8-sig" if dialect.encoding.lower().replace("_", "-") in ("utf-8", "utf8") else dialect.encoding
    with io.TextIOWrapper(unpacked(dialect.path), encoding=encoding, errors="replace", newline="") as text:
        reader = csv.reader(text, delimiter=dialect.delimiter)
        for _ in range(dialect.blank_lines):
            next(reader, None)
        header_seen = dialect.headerless
        try:
            for row in reader:
                if row and header_seen:
                    yield reader.line_num, row
                header_seen = header_seen or bool(row)
        except csv.Error as error:
            raise _endless(f"{dialect.path}, line {reader.line_num}", error) from None


def row_name(dialect: Dialect, index: int) -> str:
    """Data row ``index`` (from 0) as the row of the file a person sees (the header is row 1)."""
    for i, (line, _) in enumerate(records(dialect)):
        if i == index:
            return f"row {line}"
    return f"data row {index + 1}"


def ragged(dialect: Dialect) -> InputError | None:
    """An error that names the first row with another number of cells than the header, if there is one."""
    for line, row in records(dialect):
        if len(row) != len(dialect.header):
            return InputError(
                f"{len(dialect.header)} cells were expected, as in the header, but {len(row)} were found",
                where=f"{dialect.path}, row {line}",
                fix="Correct the row; quote text that contains the delimiter.",
            )
    return None


def not_a_number(dialect: Dialect, columns: list[str]) -> InputError | None:
    """An error that names the first cell of these columns that is not a number, if there is one."""
    places = [(dialect.header.index(name), name) for name in columns]
    for line, row in records(dialect):
        for j, name in places:
            cell = row[j].strip() if j < len(row) else ""
            number = grouping.ungrouped(cell, dialect.thousands)
            if dialect.decimal_mark == ",":
                number = number.replace(".", "?").replace(",", ".")
            words = ("true", "false") if dialect.kinds[name] == "bool" else ()
            fits = cell.lower() in words if words else _is_number(number) and "_" not in number
            if cell not in dialect.nulls and not fits:
                fix = "Correct it, empty the cell if the value is missing, or name its code with missing_codes=."
                if has_sign(cell):
                    fix = "Write numbers without the sign of a currency or percent."
                elif mark := next((m for m in ".,' " if re.fullmatch(grouping.pattern(m), cell)), None):
                    fix = f"If it is one with its digits grouped, say so: thousands={mark!r}."
                return InputError(
                    f"{cell!r} in column {name!r} is not a {'true/false value' if words else 'number'}",
                    where=f"{dialect.path}, row {line}",
                    fix=fix,
                )
    return None
