"""R's saved objects (``rda``), read through the package rdata (the extra ``rda``); nothing in them is run.

Options:

=========== =====================================================================================================
``object``  its name; the only one by default
``columns`` of a data frame: a recording with these channels
``value``   of a data frame: a collection, one series for each combination of ``keys``, in the order of its names
``keys``    columns, joined with ``|`` into a name
``order``   a column that rows are sorted by
=========== =====================================================================================================

Without them the object is a list of series, a collection: each a vector, or a list with ``x`` and ``xx`` (history and
what came after, as in Mcomp), joined end to end.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tsprout.data.catalog.entry import Entry
from tsprout.data.catalog.readers.contents import PULL_AGAIN, contents
from tsprout.data.catalog.readers.options import chosen
from tsprout.data.catalog.readers.parts import collection, joined
from tsprout.errors import InputError, MissingExtraError


@dataclass(frozen=True)
class RdaOptions:
    """See the table of the module."""

    object: str = ""
    columns: tuple[str, ...] = ()
    value: str = ""
    keys: tuple[str, ...] = ()
    order: str = ""


def read_rda(files: Sequence[Path], options: Mapping[str, Any], entry: Entry) -> dict[str, np.ndarray]:
    """The arrays of a data frame or of a list of series."""
    own = chosen(RdaOptions, options, entry)
    part = contents(files[0])[0]
    objects = _objects(part.data, part.where)
    where = f"{part.where}, {own.object or next(iter(objects), '')}"
    if own.object not in objects and (own.object or len(objects) != 1):
        listed = f"There are: {', '.join(objects)}."
        raise InputError(f"there is no object {own.object!r}", where=part.where, fix=f"{listed} {PULL_AGAIN}")
    found = objects[own.object] if own.object else next(iter(objects.values()))
    if own.columns or own.value:
        wanted = [*own.columns, *own.keys, *filter(None, (own.value, own.order))]
        frame = {name: _column(found, name, where) for name in wanted}
        if len({len(column) for column in frame.values()}) != 1:
            raise InputError("the columns differ in length", where=where, fix=PULL_AGAIN)
        if own.order:
            sorter = np.argsort(frame[own.order], kind="stable")
            frame = {name: column[sorter] for name, column in frame.items()}
        if own.columns:
            values = np.stack([_vector(frame[name], f"{where}${name}") for name in own.columns], axis=1)
            return joined([values.astype(np.float32)], "rows", entry, [where], own.columns)
        return _by_key(frame, own, where)
    return _list_of_series(found, where)


def _objects(data: bytes, where: str) -> dict[str, Any]:
    try:
        import rdata
    except ImportError:
        raise MissingExtraError(
            "reading .rda files needs the package rdata", where=where, fix="Install it: pip install 'tsprout[rda]'."
        ) from None
    known = {**rdata.conversion.DEFAULT_CLASS_MAP, "ts": _as_it_is, "msts": _as_it_is, "data.frame": _as_it_is}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = rdata.conversion.convert(rdata.parser.parse_data(data, extension=".rda"), known)
    except Exception as error:  # the parser raises whatever a damaged file makes it stumble over
        raise InputError(f"the R file cannot be read: {error!r}", where=where, fix=PULL_AGAIN) from None
    if not isinstance(found, Mapping) or not found:
        raise InputError("the R file has no named object", where=where, fix=PULL_AGAIN)
    return dict(found)


def _as_it_is(value: Any, attributes: Mapping[str, Any]) -> Any:
    """For classes whose own conversion needs more (a calendar, row names) than the values do."""
    return value


def _column(frame: Any, name: str, where: str) -> np.ndarray:
    if not isinstance(frame, Mapping):
        raise InputError("the object is not a data frame", where=where, fix=PULL_AGAIN)
    if name not in frame:
        listed = f"Columns there: {', '.join(frame)}."
        raise InputError(f"there is no column {name!r}", where=where, fix=f"{listed} {PULL_AGAIN}")
    return _vector(frame[name], where) if _numeric(frame[name]) else np.asarray(frame[name])


def _numeric(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "fiub"


def _vector(value: Any, where: str) -> np.ndarray:
    """A vector of numbers as float64, NA as NaN."""
    if not _numeric(value):
        raise InputError("this is not a vector of numbers", where=where, fix=PULL_AGAIN)
    return np.ma.filled(np.ma.asarray(value).astype(np.float64), np.nan).ravel()


def _by_key(frame: Mapping[str, np.ndarray], own: RdaOptions, where: str) -> dict[str, np.ndarray]:
    rows = np.array(["|".join(str(frame[key][i]) for key in own.keys) for i in range(len(frame[own.value]))])
    names, first = np.unique(rows, return_inverse=True)
    values = _vector(frame[own.value], f"{where}${own.value}")
    return collection([values[first == i] for i in range(len(names))], list(names))


def _list_of_series(found: Any, where: str) -> dict[str, np.ndarray]:
    items = list(found.items()) if isinstance(found, Mapping) else list(enumerate(found, 1))
    series, names = [], []
    for key, one in items:
        at, name = f"{where}[[{key!r}]]", str(key)
        if isinstance(one, Mapping):
            if "x" not in one:
                raise InputError("this is not a series: it has no x", where=at, fix=PULL_AGAIN)
            pieces = [_vector(one[part], f"{at}${part}") for part in ("x", "xx") if one.get(part) is not None]
            series.append(np.concatenate(pieces))
            kinds = [str(np.asarray(one[part]).ravel()[0]) for part in ("period", "type") if one.get(part) is not None]
            name = "|".join([name, *kinds])
        else:
            series.append(_vector(one, at))
        names.append(name)
    if not series:
        raise InputError("the list is empty", where=where, fix=PULL_AGAIN)
    return collection(series, names)
