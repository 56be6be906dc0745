"""How series are to be read: the options of :func:`tsprout.read`, and what is refused where they mean nothing."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, TypedDict

from tsprout.data.timestamps import alias_of
from tsprout.errors import InputError
from tsprout.limits import check_whole

ORIENTATIONS = ("long", "wide", "columns")
THOUSANDS = (None, "none", ".", ",", "'", " ")


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, Iterable) and not isinstance(value, str) else [value]


# What is made of options as Python users give them. A frame's column may well be called 1.
_PLAIN: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("id_column", "time_column", "label_column"), str),
    "every": lambda step: alias_of(round(step.total_seconds() * 1e9)) if hasattr(step, "total_seconds") else str(step),
    **dict.fromkeys(("channels", "static_columns", "ignore"), lambda value: tuple(map(str, _listed(value)))),
    "missing_codes": lambda value: tuple(_listed(value)),
    "thousands": lambda mark: " " if mark == "space" else mark,
    "window": partial(check_whole, where="window"),
    "stride": partial(check_whole, where="stride"),
}


@dataclass(frozen=True)
class ReadOptions:
    """The options of :func:`tsprout.data.files.read`, together. Of names and codes, one or several may be given: they
    are kept as tuples."""

    format: str | None = None
    id_column: str | None = None
    time_column: str | None = None
    channels: Sequence[str] | None = None
    label_column: str | None = None
    static_columns: Sequence[str] | None = None
    ignore: Sequence[str] = ()
    axes: str | None = None
    window: int | None = None
    stride: int | None = None
    orientation: str | None = None
    missing_codes: Sequence[str | float] = ()
    thousands: str | None = None
    day_first: bool | None = None
    every: str | None = None
    full_length: bool = False
    encoding: str = "utf-8"
    progress: Callable[[str, int, int], None] | None = None
    available_memory: int | None = None
    without_empty: bool = False  # leave out columns of a long table in which nothing was observed
    rows: Callable[..., None] | None = None  # told, of a long table, the series and the time step of each row

    def __post_init__(self) -> None:
        for name, plain in _PLAIN.items():
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, plain(value))
        if self.orientation not in (None, *ORIENTATIONS):
            raise InputError(f"unknown orientation {self.orientation!r}", fix="Use 'long', 'wide' or 'columns'.")
        if self.thousands not in THOUSANDS:
            fix = "Use one of . , ' space none."
            raise InputError(f"thousands cannot be {self.thousands!r}", where="thousands", fix=fix)
        if self.day_first not in (None, True, False):
            raise InputError(f"day_first cannot be {self.day_first!r}", fix="Give True or False.")
        if self.full_length not in (True, False):
            raise InputError(f"full_length cannot be {self.full_length!r}", fix="Give True or False.")
        if self.stride is not None and self.window is None:
            raise InputError("a stride was given without a window", fix="Give window, too.")


class Reading(TypedDict, total=False):
    """The options of :func:`tsprout.read` as keywords of what reads on the way to something else."""

    format: str | None
    id_column: str | None
    time_column: str | None
    channels: Sequence[str] | None
    label_column: str | None
    static_columns: Sequence[str] | None
    ignore: Sequence[str] | None
    axes: str | None
    window: int | None
    stride: int | None
    orientation: str | None
    missing_codes: Sequence[str | float] | None
    thousands: str | None
    day_first: bool | None
    every: Any
    full_length: bool | None
    encoding: str


_OURS = ("available_memory", "without_empty", "rows")
_OPTIONS = tuple(option.name for option in fields(ReadOptions) if option.name not in _OURS)


def check_options(names: Iterable[str]) -> None:
    """Refuse an option of :func:`tsprout.data.files.read` that there is not.

    Raises:
        InputError: see above.
    """
    for name in names:
        if name not in _OPTIONS:
            if name == "labels":
                fix = "Labels of arrays go with them: SeriesSet.from_arrays(values, labels=...)."
                raise InputError("there is no option 'labels'", fix=fix)
            near = difflib.get_close_matches(name, _OPTIONS, 1)
            fix = f"Did you mean {near[0]!r}?" if near else f"Options of reading are {', '.join(_OPTIONS)}."
            raise InputError(f"there is no option {name!r}", fix=fix)


def refuse_of_tables(options: ReadOptions, where: str) -> None:
    """Refuse what is said of columns and rows where there are none.

    Raises:
        InputError: something was.
    """
    refuse_every(options, where)
    refuse_thousands(options, where)
    if options.ignore:
        raise InputError("ignore= is for columns of tables", where=where, fix="Leave it out.")


def refuse_thousands(options: ReadOptions, where: str) -> None:
    """Refuse a mark between digits where numbers are no text.

    Raises:
        InputError: one was given.
    """
    if options.thousands is not None:
        raise InputError("thousands= is for numbers in CSV files", where=where, fix="Leave it out.")


def refuse_every(options: ReadOptions, where: str) -> None:
    """Refuse a regular step where there are no rows with times that it could be of.

    Raises:
        InputError: one was given.
    """
    if options.every is not None:
        fix = "Leave it out."
        raise InputError("every= is for tables with a row a time step and a time column", where=where, fix=fix)
