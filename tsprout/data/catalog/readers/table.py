"""Tables of text (``csv``) and of a spreadsheet (``xlsx``), in memory: a row is a time step, a column a channel.

Options, all of them optional:

============ =========================================================================================================
``member``   of an archive; several are read one after the other (patterns and ``{a,b}`` as in :mod:`.contents`)
``sep``      between cells; ``whitespace`` for any amount of it
``decimal``  the decimal mark
``header``   ``false``: the first row is data
``encoding`` of the text
``columns``  to keep, in this order: names, or positions from 0
``drop``     columns to leave out, instead
``rows``     ``[first]`` or ``[first, end]`` of the data, counted from 0; nothing behind ``end`` is looked at
``sort_by``  a column; of rows with the same value the first stays
``required`` a column; rows without a value there are left out
``observed`` how many values a row must have at least
``reverse``  ``true``: newest first
``missing``  numbers that stand for a missing value, such as ``[-99.0, -999.0]``
``join``     of several files: see :func:`.parts.joined`
============ =========================================================================================================

What ``missing`` names and an entry's ``missing_code`` become NaN. Numbers are read to the last bit, kept as float32.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprout.data.catalog.entry import Entry
from tsprout.data.catalog.readers.contents import PULL_AGAIN, Content, contents
from tsprout.data.catalog.readers.options import chosen, names, one_of
from tsprout.data.catalog.readers.parts import JOINS, joined
from tsprout.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    import pandas as pd

Column = str | int


@dataclass(frozen=True)
class TableOptions:
    """See the table of the module."""

    member: str | tuple[str, ...] = ""
    sep: str = ","
    decimal: str = "."
    header: bool = True
    encoding: str = "utf-8"
    columns: tuple[Column, ...] = ()
    drop: tuple[Column, ...] = ()
    rows: tuple[int, ...] = ()
    sort_by: Column | None = None
    required: Column | None = None
    observed: int = 0
    reverse: bool = False
    missing: tuple[float, ...] = ()
    join: str = "rows"


def read_csv(files: Sequence[Path], options: Mapping[str, Any], entry: Entry) -> dict[str, np.ndarray]:
    """The arrays of text tables; see :func:`tsprout.data.catalog.formats.read_source`."""
    own = _options(options, entry)
    found = [part for file in files for part in contents(file, names(own.member))]
    return _arrays([(part.where, _text(part, own)) for part in found], own, entry)


def read_xlsx(files: Sequence[Path], options: Mapping[str, Any], entry: Entry) -> dict[str, np.ndarray]:
    """The arrays of the first sheets of workbooks, through openpyxl (the extra ``xlsx``)."""
    own = _options(options, entry)
    return _arrays([(str(file), _sheet(file, own)) for file in files], own, entry)


def _options(options: Mapping[str, Any], entry: Entry) -> TableOptions:
    own = chosen(TableOptions, options, entry)
    one_of(own.join, JOINS, "join", entry)
    return own


def _text(part: Content, own: TableOptions) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_csv(
            io.BytesIO(part.data),
            sep=r"\s+" if own.sep == "whitespace" else own.sep,
            decimal=own.decimal,
            header=0 if own.header else None,
            encoding=own.encoding,
            index_col=False,
            nrows=own.rows[1] if len(own.rows) > 1 else None,
            float_precision="round_trip" if own.decimal == "." else None,
            low_memory=False,
        )
    except (ValueError, LookupError) as error:
        what = str(error).splitlines()[0] if str(error) else "it is empty"
        raise InputError(f"this is not the table it should be: {what}", where=part.where, fix=PULL_AGAIN) from None


def _sheet(file: Path, own: TableOptions) -> pd.DataFrame:
    import zipfile

    import pandas as pd

    try:
        return pd.read_excel(file, header=0 if own.header else None, engine="openpyxl")
    except ImportError:
        raise MissingExtraError(
            "reading .xlsx files needs the package openpyxl",
            where=str(file),
            fix="Install it: pip install 'tsprout[xlsx]'.",
        ) from None
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise InputError(f"the workbook cannot be read: {error}", where=str(file), fix=PULL_AGAIN) from None


def _arrays(found: list[tuple[str, pd.DataFrame]], own: TableOptions, entry: Entry) -> dict[str, np.ndarray]:
    parts: list[np.ndarray] = []
    columns: list[str] = []
    codes = own.missing if entry.missing_code is None else (*own.missing, entry.missing_code)
    for where, frame in found:
        kept = _kept(frame, own, where)
        columns += [str(name) for name in kept.columns] if own.join == "columns" or not columns else []
        parts.append(_numbers(kept, where, codes))
    urls = entry.source.urls
    labels = [_label(url) for url in urls] if len(urls) == len(parts) else [where for where, _ in found]
    return joined(parts, own.join, entry, labels, columns if own.header else ())


def _label(url: str) -> str:
    """``folder/name`` of a URL."""
    path = PurePosixPath(url)
    return f"{path.parent.name}/{path.stem}"


def _kept(frame: pd.DataFrame, own: TableOptions, where: str) -> pd.DataFrame:
    """The rows and columns that belong to the set."""
    if own.rows:
        frame = frame.iloc[own.rows[0] : own.rows[1] if len(own.rows) > 1 else None]
    if own.sort_by is not None:
        by = frame.columns[_position(frame, own.sort_by, where)]
        frame = frame.sort_values(by, kind="stable").drop_duplicates(by)
    if own.required is not None:
        frame = frame[frame.iloc[:, _position(frame, own.required, where)].notna()]
    if own.columns:
        frame = frame.iloc[:, [_position(frame, column, where) for column in own.columns]]
    elif own.drop:
        gone = {_position(frame, column, where) for column in own.drop}
        frame = frame.iloc[:, [i for i in range(frame.shape[1]) if i not in gone]]
    if own.observed:
        frame = frame[frame.notna().sum(axis=1) >= own.observed]
    return frame.iloc[::-1] if own.reverse else frame


def _position(frame: pd.DataFrame, column: Column, where: str) -> int:
    known = [str(name) for name in frame.columns]
    if isinstance(column, int):
        if column < len(known):
            return column
    elif column in known:
        return known.index(column)
    listed = f"Columns there: {', '.join(known[:40])}{', ...' if len(known) > 40 else ''}."
    raise InputError(f"there is no column {column!r}", where=where, fix=f"{listed} {PULL_AGAIN}")


def _numbers(frame: pd.DataFrame, where: str, codes: Sequence[float]) -> np.ndarray:
    """``(rows, columns)`` float32; the codes are NaN.

    Raises:
        InputError: a cell is not a number.
    """
    import pandas as pd

    out = np.empty(frame.shape, np.float64)
    for i in range(frame.shape[1]):
        cells = frame.iloc[:, i]
        values = pd.to_numeric(cells, errors="coerce").to_numpy(np.float64, na_value=np.nan)
        strange = np.isnan(values) & cells.notna().to_numpy()
        if strange.any():
            at = int(np.flatnonzero(strange)[0])
            raise InputError(
                f"{str(cells.iloc[at])[:40]!r} is not a number",
                where=f"{where}, column {str(frame.columns[i])!r}, data row {cells.index[at] + 1}",
                fix=PULL_AGAIN,
            )
        out[:, i] = values
    out[np.isin(out, codes)] = np.nan
    return out.astype(np.float32)
