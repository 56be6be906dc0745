"""The ``[NAME.source.options]`` of an entry, checked against what its reader knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from tsprout.data.catalog._tables import made
from tsprout.data.catalog.entry import Entry, expanded
from tsprout.errors import InputError

T = TypeVar("T")


def chosen(kind: type[T], options: Mapping[str, Any], entry: Entry) -> T:
    """An instance of the dataclass of a reader's options; lists become tuples.

    Raises:
        InputError: an option that this reader does not have, or one of the wrong type.
    """
    known = f"The format {entry.source.format!r} knows {{}}."
    return made(kind, options, f"[{entry.name}.source.options]", what="option", known=known)


def one_of(value: str, known: tuple[str, ...], name: str, entry: Entry) -> None:
    """Refuse a word that an option does not have."""
    if value not in known:
        raise InputError(
            f"{name} = {value!r} is not known",
            where=f"[{entry.name}.source.options]",
            fix=f"Known: {', '.join(known)}.",
        )


def names(member: str | tuple[str, ...]) -> list[str]:
    """Members of an archive, with ``{a,b}`` and ``{1..3}`` written out."""
    given = (member,) if isinstance(member, str) else member
    return [name for text in given if text for name in expanded(text)]
