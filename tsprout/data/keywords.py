"""The options of reading as Python users give them: spelling, whole numbers, names of columns."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from tsprout.data.roles import ReadOptions
from tsprout.errors import InputError
from tsprout.limits import check_whole

_NAMES = tuple(field.name for field in fields(ReadOptions) if field.name != "available_memory")


def checked(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of :func:`tsprout.data.files.read`, column names as text: a frame's column may well be called 1.

    Raises:
        InputError: there is no such option, or a number is not whole.
    """
    for name in options:
        if name not in _NAMES:
            near = difflib.get_close_matches(name, _NAMES, 1)
            fix = f"Did you mean {near[0]!r}?" if near else f"Options of reading are {', '.join(_NAMES)}."
            raise InputError(f"there is no option {name!r}", fix=fix)
    taken = dict(options)
    for name in ("window", "stride"):
        if taken.get(name) is not None:
            taken[name] = check_whole(taken[name], name)
    for name in ("channels", "static_columns"):
        value = taken.get(name)
        if value is not None:
            several = [value] if isinstance(value, str) or not isinstance(value, Iterable) else value
            taken[name] = tuple(str(each) for each in several)
    for name in ("id_column", "time_column", "label_column"):
        if taken.get(name) is not None:
            taken[name] = str(taken[name])
    return taken
