"""The catalogue: one table of a TOML file for each public data set, and nothing about data sets anywhere else.

::

    [ETTm1]
    role = "eval"                 # eval (never trained on), pretrain (of the paper) or extra
    domain = "energy"             # one of DOMAINS: what pre-training is balanced over
    kind = "recording"            # recording, collection (of recordings) or instances
    steps = 69680
    channels = 7
    sampling = "15 min"
    licence = "CC BY-ND 4.0"
    citation = "Zhou et al. 2021, Informer, arXiv 2012.07436"

    [ETTm1.source]                # where the public has it; formats.py says how its files are read
    urls = ["https://..."]
    format = "csv"
    checked = true                # somebody has seen that this recipe gives the content below

    [ETTm1.content]               # what must come out, whatever the file looked like
    digest = "..."

The package ships its own files; a ``catalogue.toml`` in a data folder adds to them.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from tsprout.data.catalog._facts import (
    DOMAINS,
    FORMATS,
    KINDS,
    ROLES,
    SIZES,
    Content,
    Entry,
    Pack,
    Paper,
    Part,
    Size,
    Source,
    expanded,
)
from tsprout.data.catalog._tables import made
from tsprout.errors import InputError

__all__ = [
    "DOMAINS",
    "FILES",
    "KINDS",
    "ROLES",
    "Catalogue",
    "Content",
    "Entry",
    "Pack",
    "Paper",
    "Part",
    "Size",
    "Source",
    "UnknownSetError",
    "bundled",
    "catalogue",
    "expanded",
    "read_catalogue",
    "read_entry",
]

FILES = ("evaluation.toml", "pretraining.toml", "extra.toml", "archive.toml")


_SIZE = {f.name for f in fields(Size)}
_NAME = re.compile(r"[A-Za-z0-9][\w.+-]*", re.ASCII)  # it becomes the name of a file


def read_entry(name: str, table: Mapping[str, Any], where: str) -> Entry:
    """The entry of a TOML table.

    Raises:
        InputError: a name that no file may have, a key that is unknown, missing or of the wrong type, or a role, kind,
            domain or format that does not exist.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"no data set can be called {name!r}",
            where=where,
            fix="Begin with a letter or a digit; then letters, digits and _ . + - are possible.",
        )
    if not isinstance(table, Mapping):
        raise InputError(
            f"{name} is not a table", where=where, fix=f"Every data set begins with a line [{name}] of its own."
        )
    own = dict(table)
    size = _size({key: own.pop(key) for key in list(own) if key in _SIZE}, where)
    for key, kind in (("source", Source), ("paper", Paper)):
        if key in own:
            own[key] = made(kind, own[key], f"{where}.{key}")
    if "content" in own:
        own["content"] = _content(own["content"], size, f"{where}.content")
    if "pack" in own:
        at = f"{where}.pack"
        pack = own["pack"] if isinstance(own["pack"], Mapping) else {"pack": own["pack"]}
        other = {key: value for key, value in pack.items() if key in _SIZE}
        rest = {key: value for key, value in pack.items() if key not in _SIZE}
        own["pack"] = made(Pack, rest | {"size": _size(other, at) if other else size}, at)
    entry = made(Entry, own | {"name": name, "size": size}, where)
    _one_of(entry.role, ROLES, "role", where)
    _one_of(entry.domain, DOMAINS, "domain", where)
    source = entry.source
    if source.format or source.urls:
        _one_of(source.format, FORMATS, "format", f"{where}.source")
    if len(source.sha256) not in (0, len(source.urls)):
        what = f"sha256 has {len(source.sha256)} checksums for {len(source.urls)} addresses"
        raise InputError(what, where=f"{where}.source", fix="Give one for each, or none.")
    if len(entry.channel_names) not in (0, size.channels):
        what = f"channel_names has {len(entry.channel_names)} names for {size.channels} channels"
        raise InputError(what, where=where, fix="Name all of them, or none.")
    return entry


def _one_of(value: str, known: tuple[str, ...], what: str, where: str) -> None:
    if value not in known:
        raise InputError(f"{what} {value!r} is not known", where=where, fix=f"Known: {', '.join(known)}.")


def _size(table: Mapping[str, Any], where: str) -> Size:
    """A size that has what its kind needs, and nothing else."""
    size = made(Size, table, where)
    _one_of(size.kind, KINDS, "kind", where)
    needed = SIZES[size.kind]
    possible = {*needed, "kind", "channels", *(("test",) if size.kind == "instances" else ())}
    for key in needed:
        if key not in table:
            raise InputError(f"{key!r} is missing", where=where, fix=f"A {size.kind} needs {', '.join(needed)}.")
    for key in table:
        if key not in possible:
            raise InputError(f"{key!r} is not for kind = {size.kind!r}", where=where, fix=f"Remove {key}.")
        if key != "kind" and table[key] < 1:
            raise InputError(f"{key} = {table[key]} is not a count", where=where, fix="Give a positive number.")
    return size


def _content(table: Any, size: Size, where: str) -> Content:
    own = dict(table) if isinstance(table, Mapping) else {"content": table}
    for key in ("train", "test", "head"):
        if key in own:
            own[key] = made(Part, own[key], f"{where}.{key}")
    content = made(Content, own, where)
    every: dict[str, Content | Part] = {where: content}
    every |= {f"{where}.{key}": part for key, part in content.parts.items()}
    for at, facts in every.items():
        if (facts.mean is None) != (facts.deviation is None):
            raise InputError("mean and deviation belong together", where=at, fix="Give both, or neither.")
        for key, value in (("mean", facts.mean), ("deviation", facts.deviation)):
            if isinstance(value, tuple) and len(value) != size.channels:
                what = f"{key} has {len(value)} numbers for {size.channels} channels"
                raise InputError(what, where=at, fix="Give one for each channel, or one number for all.")
    return content


class Catalogue(Mapping[str, Entry]):
    """Entries by name; looking up takes aliases and any case, and suggests what may have been meant."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = {entry.name: entry for entry in entries}
        self._keys = {alias.lower(): e.name for e in self._entries.values() for alias in e.aliases}
        self._keys |= {name.lower(): name for name in self._entries}

    def __getitem__(self, name: str) -> Entry:
        try:
            return self._entries[self._keys[name.lower()]]
        except KeyError:
            close = difflib.get_close_matches(name.lower(), self._keys, n=3, cutoff=0.6)
            meant = f"Did you mean {' or '.join(self._keys[key] for key in close)}? " if close else ""
            raise UnknownSetError(f"no data set is called {name!r}", fix=f"{meant}See tsprout datasets ls.") from None

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._keys

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def of_role(self, *roles: str) -> list[Entry]:
        """The entries of some roles, in the catalogue's order."""
        return [entry for entry in self._entries.values() if entry.role in roles]


class UnknownSetError(InputError, KeyError):
    """A data set that no catalogue has (exit code 2)."""

    __str__ = InputError.__str__


def read_catalogue(path: Path) -> list[Entry]:
    """The entries of one TOML file.

    Raises:
        InputError: it is not TOML, or an entry is not complete.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"the catalogue cannot be read: {error.strerror}", where=str(path)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"this is not a TOML file: {error}", where=str(path)) from None
    return [read_entry(name, table, f"{path}, [{name}]") for name, table in tables.items()]


@cache
def bundled() -> tuple[Entry, ...]:
    """The entries that come with the package."""
    here = Path(__file__).parent
    return tuple(entry for name in FILES for entry in read_catalogue(here / name))


def catalogue(*folders: Path) -> Catalogue:
    """The bundled entries, and those of ``catalogue.toml`` in each of ``folders``, which replace ones of the same name.

    Raises:
        InputError: such a file cannot be read, would change the role of an evaluation set, or takes a name that
            another set has, in whatever case, or goes by as well.
    """
    entries = {entry.name: entry for entry in bundled()}
    reserved = {key: entry.name for entry in bundled() if entry.role == "eval" for key in _keys(entry)}
    for folder in folders:
        path = folder / "catalogue.toml"
        if not path.is_file():
            continue
        for entry in read_catalogue(path):
            where = f"{path}, [{entry.name}]"
            known = entries.get(entry.name)
            if known is not None and known.role == "eval" and entry.role != "eval":
                raise InputError("an evaluation set stays one", where=where, fix="Rename the entry.")
            taken = {key: other.name for other in entries.values() for key in _keys(other)} | reserved
            for key, said in _keys(entry).items():
                if taken.get(key, entry.name) != entry.name:
                    raise InputError(
                        f"{said!r} is a name of the data set {taken[key]}",
                        where=where,
                        fix="Choose another name or alias; upper and lower case count as the same.",
                    )
            entries[entry.name] = entry
            reserved |= dict.fromkeys(_keys(entry), entry.name) if entry.role == "eval" else {}
    return Catalogue(entries.values())


def _keys(entry: Entry) -> dict[str, str]:
    """What an entry is found by, in lower case, and as it is written."""
    return {text.lower(): text for text in (*entry.aliases, entry.name)}
