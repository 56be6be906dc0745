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

    [ETTm1.source]                # where the public has it, and how its files are read (formats.py)
    urls = ["https://..."]
    format = "csv"

    [ETTm1.content]               # what must come out, whatever the file looked like
    digest = "..."

The package ships its own files; a ``catalogue.toml`` in a data folder adds to them.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

from tsprout.errors import InputError

ROLES = ("eval", "pretrain", "extra")
KINDS = ("recording", "collection", "instances")
DOMAINS = (
    "economy",
    "energy",
    "environment",
    "finance",
    "health",
    "industry",
    "motion",
    "nature",
    "physiology",
    "shape",
    "simulation",
    "sound",
    "spectroscopy",
    "telemetry",
    "transport",
    "weather",
    "web",
)
FILES = ("evaluation.toml", "pretraining.toml", "extra.toml", "archive.toml")


@dataclass(frozen=True)
class Size:
    """How much there is. Counts that a kind does not have, or that are not known, are ``None``.

    ``recording``: ``steps``. ``collection``: ``series`` recordings of ``steps`` in all. ``instances``: ``train`` and
    ``test`` series of ``length`` steps (of the longest).
    """

    kind: str
    channels: int
    steps: int | None = None
    series: int | None = None
    train: int | None = None
    test: int | None = None
    length: int | None = None

    def __str__(self) -> str:
        if self.kind == "recording":
            return f"{self.steps:,} steps x {self.channels}"
        if self.kind == "collection":
            return f"{self.series:,} series, {self.steps:,} steps x {self.channels}"
        test = "" if self.test is None else f" + {self.test:,}"
        return f"{self.train:,}{test} series of {self.length} x {self.channels}"


def expanded(text: str) -> list[str]:
    """What a text with ``{a,b}`` or ``{1..3}`` stands for, the last such part changing fastest.

    >>> expanded("{a,b}{1..2}.csv")
    ['a1.csv', 'a2.csv', 'b1.csv', 'b2.csv']
    """
    part = re.search(r"\{([^{}]*)\}", text)
    if part is None:
        return [text]
    span = re.fullmatch(r"(\d+)\.\.(\d+)", part[1])
    choices = [str(i) for i in range(int(span[1]), int(span[2]) + 1)] if span else part[1].split(",")
    rest = expanded(text[part.end() :])
    return [text[: part.start()] + choice + end for choice in choices for end in rest]


@dataclass(frozen=True)
class Source:
    """Where the public has a set: files to fetch, the reader for them and its options; or ``generator`` by name.

    ``urls``: ``{a,b}`` and ``{1..3}`` in one are written out, in their order. ``page``: for people. ``checked``:
    whether the recipe has been seen to give the digest, or rows of the source were seen to be rows of the set.
    """

    urls: tuple[str, ...] = ()
    format: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    sha256: tuple[str, ...] = ()
    generator: str = ""
    page: str = ""
    checked: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "urls", tuple(url for text in self.urls for url in expanded(text)))


@dataclass(frozen=True)
class Content:
    """What the values of the complete set are known to be.

    ``digest``: of the values (:func:`tsprout.data.catalog.sets.digest`). ``missing``: cells. ``mean``, ``deviation``:
    over all observed cells, for sources that are not equal to the last bit. Each ``None`` where not known.
    """

    digest: str | None = None
    missing: int | None = None
    mean: float | None = None
    deviation: float | None = None


@dataclass(frozen=True)
class Pack:
    """The file of the data pack: ``<role>/<name>.npz``. ``partial`` says what it lacks; ``size`` is its own."""

    sha256: str
    size: Size
    partial: str = ""


@dataclass(frozen=True)
class Paper:
    """How arXiv 2505.20446 cuts and scales the set; see :mod:`tsprout.data.protocols.paper`.

    ``windows``: of 24 steps; ``printed``: what the paper's table says where it says something else, and ``note`` why.
    ``fit_steps``: steps of the training split. ``unused``: steps at its end that its
    windows do not use. ``splits``: of instances, which count. ``scaling``: ``zscore`` or ``minmax``.
    """

    windows: int
    printed: int | None = None
    scaling: str = "zscore"
    fit_steps: int | None = None
    unused: int = 0
    splits: tuple[str, ...] = ("train",)
    most: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Entry:
    """One public data set.

    ``missing_code``: what the benchmark's own files hold where a value is missing. ``near``: evaluation sets that
    record the same thing. ``left_out``: why it is not in the bundled corpus. ``held_out``: kept for validation.
    """

    name: str
    role: str
    domain: str
    size: Size
    licence: str
    citation: str
    sampling: str = ""
    channel_names: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    missing_code: float | None = None
    near: tuple[str, ...] = ()
    left_out: str = ""
    held_out: bool = False
    note: str = ""
    source: Source = field(default_factory=Source)
    content: Content = field(default_factory=Content)
    pack: Pack | None = None
    paper: Paper | None = None


_SIZE = {f.name for f in fields(Size)}
_NESTED = {"source": Source, "content": Content, "paper": Paper}


def _made(kind: type, table: Mapping[str, Any], where: str) -> Any:
    known = {f.name for f in fields(kind)}
    strange = sorted(set(table) - known)
    if strange:
        raise InputError(f"unknown key: {', '.join(strange)}", where=where, fix=f"Known: {', '.join(sorted(known))}.")
    try:
        return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in table.items()})
    except TypeError as error:
        raise InputError(str(error).partition("() ")[2] or str(error), where=where) from None


def read_entry(name: str, table: Mapping[str, Any], where: str) -> Entry:
    """The entry of a TOML table.

    Raises:
        InputError: a key that is unknown or missing, or a role, kind or domain that does not exist.
    """
    own = dict(table)
    size = {key: own.pop(key) for key in list(own) if key in _SIZE}
    for key, kind in _NESTED.items():
        if key in own:
            own[key] = _made(kind, own[key], f"{where}.{key}")
    made_size = _made(Size, size, where)
    if "pack" in own:
        pack = dict(own["pack"])
        other = {key: pack.pop(key) for key in list(pack) if key in _SIZE}
        own["pack"] = _made(
            Pack, pack | {"size": _made(Size, other, f"{where}.pack") if other else made_size}, f"{where}.pack"
        )
    entry: Entry = _made(Entry, own | {"name": name, "size": made_size}, where)
    for value, known, what in (
        (entry.role, ROLES, "role"),
        (entry.domain, DOMAINS, "domain"),
        (made_size.kind, KINDS, "kind"),
    ):
        if value not in known:
            raise InputError(f"{what} {value!r} is not known", where=where, fix=f"Known: {', '.join(known)}.")
    return entry


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
        InputError: such a file cannot be read, or would change the role of an evaluation set.
    """
    entries = {entry.name: entry for entry in bundled()}
    for folder in folders:
        path = folder / "catalogue.toml"
        if not path.is_file():
            continue
        for entry in read_catalogue(path):
            known = entries.get(entry.name)
            if known is not None and known.role == "eval" and entry.role != "eval":
                raise InputError(
                    "an evaluation set stays one", where=f"{path}, [{entry.name}]", fix="Rename the entry."
                )
            entries[entry.name] = entry
    return Catalogue(entries.values())
