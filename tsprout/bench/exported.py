"""What ``tsprout bench export`` wrote, read again: results to be put beside others, whoever measured them where."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tsprout.bench.results import EXPORTED, KINDS, TIMES, Result
from tsprout.bench.store import DONE, FAILED
from tsprout.errors import InputError

_WHOLE = ("length", "seed")
_STATUS = {DONE: DONE, FAILED: FAILED, "missing": ""}


def read_scores(path: Path) -> tuple[str, list[Result]]:
    """The protocol and the cells of a CSV of scores, in its order; without times.

    Raises:
        InputError: it is no such file.
    """
    protocols: dict[str, None] = {}
    cells: dict[tuple[Any, ...], Result] = {}
    for line, row in _rows(path, ("protocol", *EXPORTED, "status", "metric", *KINDS, "error")):
        where = f"{path}, row {line}"
        protocols[row["protocol"]] = None
        cell = _cell(row, where)
        if row["status"] not in _STATUS:
            raise InputError(f"a status {row['status']!r} is unknown", where=where)
        known = cells.setdefault(tuple(cell.values()), Result(cell, _STATUS[row["status"]], {}, {}, row["error"]))
        for kind in KINDS if row["metric"] else ():
            if (value := _number(row[kind], where)) is not None:
                known.scores.setdefault(kind, {})[row["metric"]] = value
    if len(protocols) != 1:
        raise InputError(f"it holds {len(protocols)} protocols, and one is needed", where=str(path))
    return next(iter(protocols)), list(cells.values())


def read_times(path: Path) -> dict[tuple[Any, ...], dict[str, float]]:
    """Seconds by the values of :data:`EXPORTED`, of a CSV of times.

    Raises:
        InputError: it is no such file.
    """
    found = {}
    for line, row in _rows(path, (*EXPORTED, *TIMES)):
        where = f"{path}, row {line}"
        taken = {key: _number(row[key], where) for key in TIMES}
        seconds = {key: value for key, value in taken.items() if value is not None}
        found[key_of(_cell(row, where))] = seconds
    return found


def holds_times(path: Path) -> bool:
    """Whether a CSV is one of times rather than scores."""
    return "protocol" not in next(csv.reader(_lines(path)), [])


def key_of(cell: dict[str, Any]) -> tuple[Any, ...]:
    """What tells a cell from others of a benchmark."""
    return tuple(cell[key] for key in EXPORTED)


def _lines(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return file.readlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", where=str(path)) from None


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(_lines(path))
    absent = [name for name in columns if name not in (reader.fieldnames or ())]
    if absent:
        fix = "Give a folder of tsprout bench run, or files of tsprout bench export (.csv)."
        raise InputError(f"there is no column {absent[0]!r}", where=str(path), fix=fix)
    for row in reader:
        if None in row.values() or None in row:
            raise InputError(
                "the row has another number of cells than the header", where=f"{path}, row {reader.line_num}"
            )
        yield reader.line_num, row


def _cell(row: dict[str, str], where: str) -> dict[str, Any]:
    cell: dict[str, Any] = {key: row[key] for key in EXPORTED}
    for key in _WHOLE:
        if not cell[key].isascii() or not cell[key].isdigit():
            raise InputError(f"{cell[key]!r} in column {key!r} is not a whole number", where=where)
        cell[key] = int(cell[key])
    return cell | {"name": "/".join(str(cell[key]) for key in EXPORTED), "hash": ""}


def _number(text: str, where: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{text!r} is not a number", where=where) from None
    return value if math.isfinite(value) else None
