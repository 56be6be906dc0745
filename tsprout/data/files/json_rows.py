"""The lines of a GluonTS file: objects, of which each key that is used holds what it should."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tsprout.data.files.packing import unpacked
from tsprout.errors import InputError


def rows(path: Path, encoding: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each object with the line it is on, counted from 1; blank lines are passed over.

    Raises:
        InputError: a line is no such object, or the file is not text in this encoding.
    """
    try:
        with io.TextIOWrapper(unpacked(path), encoding=encoding) as text:
            for number, line in enumerate(text, 1):
                if line.strip():
                    yield number, _checked(line, f"{path}, line {number}")
    except (UnicodeError, LookupError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"not {encoding} text: {error}", where=str(path), fix="Set encoding=.") from None


def _checked(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        what = f"not valid JSON: {error.msg} (column {error.colno})"
        raise InputError(what, where=where, fix="Each line must be one complete JSON object.") from None
    except (ValueError, RecursionError):  # Python reads numbers of 4,300 digits, and some thousand brackets in brackets
        what = "not valid JSON: a number is too long, or lists lie too deep within each other"
        raise InputError(what, where=where, fix="Each line must be one JSON object.") from None
    if not isinstance(row, dict) or not isinstance(row.get("target"), list) or not row["target"]:
        raise InputError(
            "there is no list of numbers under the key 'target'",
            where=where,
            fix='Each line is an object: {"start": "2024-01-01", "target": [1, 2, 3], "item_id": "a"}.',
        )
    wanted = {
        "start": ("a time stamp", lambda value: isinstance(value, str | int | float)),
        "freq": ("the name of a frequency, such as 'h' or 'D'", lambda value: isinstance(value, str)),
        "channels": ("a list of names", lambda value: _is_list_of(value, str)),
        "times": ("a list of times", lambda value: _is_list_of(value, str) or _is_list_of(value, int, float)),
    }
    for key, (what, fits) in wanted.items():
        if row.get(key) is not None and not fits(row[key]):
            raise InputError(f"under the key {key!r} is not {what}", where=where, fix="Correct it, or leave it out.")
    return row


def _is_list_of(value: Any, *kinds: type) -> bool:
    return isinstance(value, list) and all(isinstance(v, kinds) and not isinstance(v, bool) for v in value)
