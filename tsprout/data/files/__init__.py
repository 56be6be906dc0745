"""Files in and out. One reader and one writer a format, which mirror each other; this is the switchboard.

========== ============================================ ====================================
extension  format                                       module
========== ============================================ ====================================
.csv .tsv  long, wide or a column a series, also .gz    :mod:`tsprout.data.files.delimited`
.parquet   long, wide or a column a series              :mod:`tsprout.data.files.parquet`
.npz       archives of arrays                           :mod:`tsprout.data.files.archives`
.npy       arrays                                       :mod:`tsprout.data.files.arrays`
.ts        aeon / sktime                                :mod:`tsprout.data.files.ts`
.jsonl     GluonTS JSON lines                           :mod:`tsprout.data.files.jsonl`
========== ============================================ ====================================
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsprout.data.files.packing import is_called_packed
from tsprout.errors import InputError
from tsprout.series import SeriesSet
from tsprout.staging import check_file

if TYPE_CHECKING:
    from tsprout.data.files._writer import Writer
    from tsprout.data.reading import ReadOptions
    from tsprout.data.schema import Schema

EXTENSIONS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".npz": "npz",
    ".npy": "npy",
    ".ts": "ts",
    ".jsonl": "jsonl",
    ".json": "jsonl",
}
SPREADSHEETS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")
PICKLES = (".pkl", ".pickle", ".joblib", ".pt", ".pth")


def read(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    id_column: str | None = None,
    time_column: str | None = None,
    channels: Sequence[str] | None = None,
    label_column: str | None = None,
    static_columns: Sequence[str] | None = None,
    ignore: Sequence[str] | None = None,
    axes: str | None = None,
    window: int | None = None,
    stride: int | None = None,
    orientation: str | None = None,
    missing_codes: Sequence[str | float] | None = None,
    thousands: str | None = None,
    day_first: bool | None = None,
    every: Any = None,
    full_length: bool = False,
    encoding: str = "utf-8",
    progress: Callable[[str, int, int], None] | None = None,
) -> SeriesSet:
    """Read a file of time series.

    Args:
        path: the file; its extension says the format.
        format: ``csv``, ``parquet``, ``npz``, ``npy``, ``ts`` or ``jsonl``, where the extension does not say it.
        id_column, time_column, label_column: columns (arrays, keys) by name, where they are not found by themselves.
        channels: the columns to read as channels; for bare arrays, names for them.
        static_columns: per-series columns; those of text are found by themselves.
        ignore: columns of a table to leave out.
        axes: axis order of a bare array, such as ``nlc``.
        window, stride: cut each series into windows of so many time steps, so many steps apart.
        orientation: what a row of a table is, where it could be either: ``long`` (a time step) or ``wide`` (a series);
            ``columns`` where each column is a series.
        missing_codes: what else means "missing", such as -999.
        thousands: what groups the digits of numbers in a CSV file: ``"."``, ``","``, ``"'"``, ``" "`` or ``"none"``;
            found by itself where it is beyond doubt.
        day_first: whether 03/04/2024 is the 3rd of April; where no date of the file decides it, month first is taken,
            with a notice.
        every: the regular step of the times of a long table, such as ``15min``, ``h``, ``D``, a number or a
            ``timedelta``: steps of which there is no row count as missing.
        full_length: steps without a value at the end of an array's series, or of a row or column that is a series,
            are missing values; otherwise, where others go on, such a series is a shorter one.
        encoding: of text files.
        progress: called as ``progress("read", done, total)``.

    Returns:
        The set; how it came in, and notices for the user, are in its ``schema``.

    Raises:
        InputError: whatever is wrong with the file, with where and what to do.
    """
    from tsprout.data.reading import ReadOptions

    if not isinstance(path, str | os.PathLike):
        fix = "Give a path; of arrays SeriesSet.from_array(array, axes) makes series, and Sprout.fit takes objects."
        raise InputError(f"a file is read, not an object of type {type(path).__name__}", where="path", fix=fix)
    options = ReadOptions(
        format=format,
        id_column=id_column,
        time_column=time_column,
        channels=channels,
        label_column=label_column,
        static_columns=static_columns,
        ignore=() if ignore is None else ignore,
        axes=axes,
        window=window,
        stride=stride,
        orientation=orientation,
        missing_codes=() if missing_codes is None else missing_codes,
        thousands=thousands,
        day_first=day_first,
        every=every,
        full_length=full_length,
        encoding=encoding,
        progress=progress,
    )
    return read_with(Path(path), options)


def read_with(path: Path, options: ReadOptions) -> SeriesSet:
    """:func:`read` with its options together."""
    from tsprout.data.reading import refuse_of_tables, refuse_thousands

    if path.is_dir():
        raise InputError("this is a folder, not a file", where=str(path), fix="Give one file of it.")
    if not path.exists():
        raise InputError("there is no such file", where=str(path), fix="Check the name and the folder.")
    family = family_of(path, options.format)
    if not os.access(path, os.R_OK):
        raise InputError("the file may not be read", where=str(path), fix="Check its permissions.")
    if path.stat().st_size == 0:
        raise InputError("the file is empty", where=str(path), fix="Give a file with at least one series.")
    if family == "csv":
        from tsprout.data.files import delimited

        return delimited.read(path, options)
    if family == "parquet":
        from tsprout.data.files import parquet

        refuse_thousands(options, str(path))

        return parquet.read(path, options)
    refuse_of_tables(options, str(path))
    if family == "npz":
        from tsprout.data.files import archives

        return archives.read_npz(path, options)
    if family == "npy":
        from tsprout.data.files import arrays

        return arrays.read_npy(path, options)
    if family == "ts":
        from tsprout.data.files import ts

        return ts.read(path, options)
    from tsprout.data.files import jsonl

    return jsonl.read(path, options)


def extension(path: Path, format: str | None = None) -> str:
    """The end of a path that says its format: ``.csv``, ``.csv.gz``; that of ``format`` where the path says another."""
    packed = path.suffix if is_called_packed(path) else ""
    inner = path.with_suffix("").suffix if packed else path.suffix
    if format is not None and EXTENSIONS.get(inner.lower()) != (family := family_of(path, format)):
        inner = f".{family}"
    return inner + packed


def family_of(path: Path, format: str | None = None) -> str:
    """The format family of a path: ``csv``, ``parquet``, ``npz``, ``npy``, ``ts`` or ``jsonl``.

    Raises:
        InputError: an extension or format that is not supported.
    """
    known = ", ".join(sorted(set(EXTENSIONS)))
    if format is not None:
        family = format.partition("-")[0]
        if family not in EXTENSIONS.values():
            raise InputError(
                f"unknown format {format!r}", fix=f"Formats: {', '.join(sorted(set(EXTENSIONS.values())))}."
            )
        return family
    suffixes = [s.lower() for s in path.suffixes]
    if is_called_packed(path):
        suffixes.pop()
        family = EXTENSIONS.get(suffixes[-1] if suffixes else "", "")
        if family in ("csv", "jsonl"):
            return family
    elif suffixes and suffixes[-1] in EXTENSIONS:
        return EXTENSIONS[suffixes[-1]]
    if suffixes and suffixes[-1] in PICKLES:
        raise InputError(
            "pickled files are never read or written (loading one can run any code)",
            where=str(path),
            fix=f"Use one of {known}.",
        )
    if suffixes and suffixes[-1] in SPREADSHEETS:
        fix = "Save the sheet as CSV first."
        raise InputError("spreadsheets are not read or written", where=str(path), fix=fix)
    raise InputError(
        f"the extension {path.suffix!r} is not supported",
        where=str(path),
        fix=f"Supported: {known} (and .csv.gz, .jsonl.gz). Say format= for a file with another extension.",
    )


def open_writer(
    path: str | os.PathLike[str],
    like: SeriesSet | Schema | None,
    *,
    n_series: int,
    channels: Sequence[str],
    length: int,
    format: str | None = None,
    force: bool = False,
) -> Writer:
    """A context manager that writes batches of series to one file; see :class:`tsprout.data.files._writer.Writer`.

    Args:
        path: where to; the extension says the format.
        like: what came in, so that what goes out has its columns, order, dtypes and formats.
        n_series: how many series there will be, all batches together.
        channels: their names.
        length: of the longest series, in time steps.
        format: the format, where the extension does not say it; ``csv-wide`` and the like choose the shape of a table.
        force: overwrite an existing file.

    Raises:
        InputError: the path exists (without ``force``), is a folder, or has an extension that is not supported.
    """
    target = Path(path)
    family = family_of(target, format)
    known = like.schema if isinstance(like, SeriesSet) else like
    check_file(target, force=force)
    kind: type[Writer]
    form = family
    if family in ("csv", "parquet"):
        asked = format is not None and "-" in format
        shape = (format or "").partition("-")[2] if asked else "wide" if known is not None and known.wide else "long"
        form = f"{family}-{shape}"
    if family == "csv":
        from tsprout.data.files.delimited import CsvWriter as kind
    elif family == "parquet":
        from tsprout.data.files.parquet import ParquetWriter as kind
    elif family == "npz":
        from tsprout.data.files.archives import NpzWriter as kind
    elif family == "npy":
        from tsprout.data.files.arrays import NpyWriter as kind
    elif family == "ts":
        from tsprout.data.files.ts import TsWriter as kind
    else:
        from tsprout.data.files.jsonl import JsonlWriter as kind
    if known is not None and known.by_column and form in ("csv-long", "parquet-long") and format in (None, family):
        from tsprout.data.files.by_column import ColumnsWriter

        whole = ColumnsWriter(target, known, form, n_series, channels, length, force)
        whole.kind = kind
        return whole
    return kind(target, known, form, n_series, channels, length, force)


def write(series: Any, path: str | os.PathLike[str], *, format: str | None = None, force: bool = False) -> None:
    """Write a set, or a data frame of series, to a file in one go; see :func:`open_writer`.

    Raises:
        InputError: as :func:`open_writer`; or it is an array, which does not say which axis is which.
    """
    if not isinstance(series, SeriesSet):
        from tsprout.data.frames import from_object

        series = from_object(series)
    with open_writer(
        path,
        series,
        n_series=series.n_series,
        channels=series.channels,
        length=series.length,
        format=format,
        force=force,
    ) as writer:
        writer.write(series)
