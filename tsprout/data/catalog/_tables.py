"""A table of TOML as an instance of a dataclass: every key known, none missing, each value of the type it must have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from tsprout.errors import InputError

T = TypeVar("T")
_SAID = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def made(kind: Callable[..., T], table: Any, where: str, *, what: str = "key", known: str = "Known: {}.") -> T:
    """An instance of the dataclass ``kind`` with the values of a table; lists become tuples.

    Args:
        kind: a dataclass whose fields are text, numbers, truth values, tuples of those, tables, or other dataclasses.
        table: as TOML gives it, except that values which are dataclasses are made already.
        where: the table's place, for errors.
        what, known: how errors call a key, and list those there are.

    Raises:
        InputError: it is no table, a key is unknown or missing, or a value has the wrong type.
    """
    if not isinstance(table, Mapping):
        raise InputError(f"this must be a table, not {table!r:.60}", where=where, fix="Write it as [table].")
    own = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    strange = sorted(set(table) - set(own))
    if strange:
        listed = known.format(", ".join(sorted(own)) or "none")
        raise InputError(f"unknown {what}: {', '.join(strange)}", where=where, fix=listed)
    for name, field in own.items():
        if name not in table and field.default is MISSING and field.default_factory is MISSING:
            raise InputError(f"{name!r} is missing", where=where, fix=f"Add {name} = {_example(_hints(kind)[name])}.")
    values = {}
    for name, value in table.items():
        hint = _hints(kind)[name]
        if not _fits(value, hint):
            raise InputError(f"{name} = {value!r:.60} must be {_said(hint)}", where=where, fix=f"Correct {name}.")
        values[name] = tuple(value) if isinstance(value, list) else value
    return kind(**values)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _choices(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _fits(value: Any, hint: Any) -> bool:
    return any(_is(value, choice) for choice in _choices(hint))


def _is(value: Any, hint: Any) -> bool:
    origin = get_origin(hint)
    if origin is tuple:
        return isinstance(value, list | tuple) and all(_fits(item, get_args(hint)[0]) for item in value)
    if origin is not None:
        return isinstance(value, Mapping)
    if isinstance(value, bool):
        return hint is bool
    return isinstance(value, (int, float) if hint is float else hint)


def _said(hint: Any) -> str:
    words = []
    for choice in _choices(hint):
        if choice is NoneType:
            continue
        if get_origin(choice) is tuple:
            words.append(f"a list: each of it {_said(get_args(choice)[0])}")
        else:
            words.append("a table" if is_dataclass(choice) or get_origin(choice) else _SAID[choice])
    return " or ".join(words)


def _example(hint: Any) -> str:
    return {str: '"..."', int: "1", float: "1.0", bool: "true"}.get(hint, "...")
