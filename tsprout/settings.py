"""Settings that people write as YAML: strict names, strict types; configurations and benchmarks are read by it."""

from __future__ import annotations

import difflib
import types
from collections.abc import Mapping, Sequence
from typing import Any, Union, get_args, get_origin, get_type_hints

from tsprout.errors import InputError, MissingExtraError


def parse(text: str, where: str) -> Any:
    """What YAML text says; ``where`` names it in errors.

    Raises:
        InputError: it is not YAML, has a name twice, or names an object of Python.
        MissingExtraError: the extra ``train`` is not installed.
    """
    yaml = yaml_module()

    class Loader(yaml.SafeLoader):  # type: ignore[name-defined]
        """Refuses a key that is there twice, of which YAML silently takes the last."""

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen: set[Any] = set()
            for key, _ in node.value:
                if not isinstance(key.value, str):
                    raise yaml.constructor.ConstructorError(None, None, "a name must be one word", key.start_mark)
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"{key.value} is there twice", key.start_mark)
                seen.add(key.value)
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(text, Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = where if mark is None else f"{where}, line {mark.line + 1}, column {mark.column + 1}"
        raise InputError(
            f"this is not YAML: {getattr(error, 'problem', None) or error}", where=place, fix="Correct it there."
        ) from error


def known(values: Mapping[str, Any], names: Sequence[str], where: str, what: str, more: Sequence[str] = ()) -> None:
    """Refuse a key that is none of ``names``, with the nearest of them, or of ``more``, which are known elsewhere.

    Raises:
        InputError: see above.
    """
    for key in values:
        if key not in names:
            near = difflib.get_close_matches(str(key), [*names, *more], 1)
            fix = f"Did you mean {near[0]}?" if near else f"It knows: {', '.join([*names, *more])}."
            raise InputError(f"there is no {what} called {key!r}", where=where, fix=fix)


def typed(cls: Any, values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Values as YAML gives them in the types of the fields of a data class.

    Raises:
        InputError: a value of another kind.
    """
    hints = get_type_hints(cls)
    return {key: _as(hints[key], value, f"{where}: {key}") for key, value in values.items()}


def _as(kind: Any, value: Any, where: str) -> Any:
    """``value`` as YAML gives it in the type of a field, or an error; YAML reads 1e-3 as text and off as a boolean."""
    if get_origin(kind) in (Union, types.UnionType):
        if value is None and type(None) in get_args(kind):
            return None
        return _as(next(part for part in get_args(kind) if part is not type(None)), value, where)
    if get_origin(kind) is tuple:
        if isinstance(value, list | tuple):
            return tuple(_as(get_args(kind)[0], part, where) for part in value)
    elif kind is bool and isinstance(value, bool):
        return value
    elif kind is int and isinstance(value, int | float) and not isinstance(value, bool) and float(value).is_integer():
        return int(value)
    elif kind is float and not isinstance(value, bool):
        try:
            return float(value)
        except (TypeError, ValueError):
            pass
    elif kind is str and isinstance(value, str | int | bool):
        return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
    wanted = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}.get(kind, "a list")
    raise InputError(f"this cannot be {value!r}", where=where, fix=f"Give {wanted}.")


def yaml_module() -> Any:
    """The package ``yaml``.

    Raises:
        MissingExtraError: the extra ``train`` is not installed.
    """
    try:
        import yaml
    except ImportError as error:
        raise MissingExtraError(
            "reading a configuration needs the extra 'train'", fix='pip install "tsprout[train]" installs it.'
        ) from error
    return yaml
