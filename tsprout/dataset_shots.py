"""The job behind ``tsprout datasets shots``: a few real series of a public set in a file, as a model may see them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsprout.accounts import versions
from tsprout.errors import InputError
from tsprout.staging import check_file

if TYPE_CHECKING:
    from tsprout.series import SeriesSet

NO_CLASS = "value "


def shots(
    name: str,
    out: str | Path,
    *,
    count: str,
    protocol: str = "strict",
    length: int = 24,
    seed: int | None = None,
    held_out: str | Path | None = None,
    validation: str | Path | None = None,
    force: bool = False,
) -> dict[str, Any]:
    """Draw the few series of a set that a model may see into a file, and on demand those it may not into others.

    Args:
        name: a set.
        out: the file of the shots; its extension chooses the format, as for the other two.
        count: a number (``10``), or a share (``5%``).
        protocol: of :data:`tsprout.data.protocols.PROTOCOLS`.
        length: steps of each series.
        seed: of what is drawn; the protocol's own where not given.
        held_out, validation: files for the reference, and for the series to choose settings with.
        force: replace files that exist.

    Returns:
        an account with the counts, the files, and what a user should know of the split.

    Raises:
        InputError: an option, the set or an output cannot be used (before any work where that can be known).
    """
    outputs = {"shots": out, "held_out": held_out, "validation": validation}
    paths = {key: check_file(path, force=force) for key, path in outputs.items() if path is not None}
    if len({path.resolve() for path in paths.values()}) < len(paths):
        raise InputError("two outputs have the same name", where=str(out), fix="Give each a name of its own.")

    from tsprout.data import files, protocols
    from tsprout.data.catalog.sets import load_set

    for path in paths.values():
        files.family_of(path)
    wanted, draw = protocols.parse_shots(count), protocols.protocol(protocol)
    options: dict[str, Any] = {"shots": wanted, "length": length} | ({} if seed is None else {"seed": seed})
    unasked = protocol == "paper" and held_out is None
    if unasked:
        options["reference_size"] = 1  # nobody asked for it, and all its windows may be a gigabyte
    real = load_set(name)
    split = draw(real, **options)
    words = label_words(v for y in (real.train_labels, real.test_labels) if y is not None for v in y.tolist())
    parts = {"shots": split.shots, "held_out": split.reference, "validation": split.validation}
    tables = {paths[key]: as_table(part, words) for key, part in parts.items() if key in paths and part is not None}
    if len(tables) < len(paths):
        fix = "Leave --validation out."
        raise InputError(f"protocol {protocol} has no validation series of {split.name}", where="--validation", fix=fix)
    _write_together(tables)
    counts = {key: None if part is None else part.n_series for key, part in parts.items()}
    return {
        "command": "datasets shots",
        "versions": versions(),
        "name": split.name,
        "protocol": split.protocol,
        "seed": split.seed,
        "length": split.length,
        "channels": list(split.shots.channels),
        "counts": counts | ({"held_out": split.available} if unasked else {}),
        "scaled": split.scaled,
        "notes": [*split.notes, *_advice(split.scaled, words, tables)],
        "files": {key: str(path) for key, path in paths.items()},
    }


def as_table(series: SeriesSet, words: Mapping[str, int | str] | None = None) -> SeriesSet:
    """The set as a table that the reader takes back as it is, without any option.

    Its steps count from 0; an id, a step and, where there are labels, a label come first, under names that the reader
    prefers to those of all channels.

    Args:
        series: the set.
        words: how labels are written, of :func:`label_words`; those of ``series`` alone where not given.
    """
    from dataclasses import replace

    import numpy as np

    from tsprout.data.roles import ID_NAMES, LABEL_NAMES, TIME_NAMES
    from tsprout.data.schema import Schema
    from tsprout.series import as_objects

    id_column = free_name(("id",), ID_NAMES, series.channels)
    step = free_name(("step", "time"), TIME_NAMES, series.channels)
    label, labels = None, None
    if series.labels is not None:
        label = free_name(("label",), LABEL_NAMES, series.channels)
        words = label_words(series.labels.tolist()) if words is None else words
        written = [words[str(value)] for value in series.labels.tolist()]
        whole = all(isinstance(word, int) for word in written)
        labels = np.array(written, np.int64) if whole else as_objects(written)
    schema = Schema(
        "pandas-long",
        (id_column, step, *([label] if label else []), *series.channels),
        id_column=id_column,
        time_column=step,
        label_column=label,
    )
    times = np.broadcast_to(np.arange(series.length, dtype=np.int64), (series.n_series, series.length))
    return replace(series, times=times, labels=labels, schema=schema)


def free_name(plain: Sequence[str], known: Sequence[str], channels: Iterable[str]) -> str:
    """A name for a column which the reader takes for it, whatever the channels are called.

    The reader looks for ``known`` names in their order, regardless of case, and at the first column of a name first.

    Args:
        plain: those of ``known`` to use, one after the other, unless a channel has that or one that comes before it.
        known: the names that the reader knows for this kind of column, the one it prefers first.
        channels: names of the channels, which are written behind the column.
    """
    taken = tuple(channels)
    low = {channel.strip().lower() for channel in taken}
    first = next((place for place, name in enumerate(known) if name in low), len(known))
    if first > 0:
        return next((name for name in plain if known.index(name) < first), known[0])
    # A channel has the best name of all: then the same name in another spelling, for the column comes first.
    spellings = map("".join, product(*((letter.upper(), letter) for letter in known[0])))
    return next(name for name in spellings if name not in taken)


def label_words(labels: Iterable[Any]) -> dict[str, int | str]:
    """How each label is written, by its text: the reader takes columns of whole numbers or of text for labels.

    Whole numbers, also as 7.0, become integers. Other numbers would be read as a channel and get a word before them.
    """
    texts = {str(label) for label in labels}
    try:
        numbers = {text: float(text) for text in texts}
    except ValueError:
        return {text: text for text in texts}
    whole = all(number.is_integer() and abs(number) < 2**53 for number in numbers.values())
    if whole and len(set(numbers.values())) == len(texts):
        return {text: int(number) for text, number in numbers.items()}
    return {text: f"{NO_CLASS}{text}" for text in texts}


def _advice(scaled: bool, words: Mapping[str, int | str], tables: Mapping[Path, SeriesSet]) -> list[str]:
    """What a user should know of the files."""
    from tsprout.data.files import family_of
    from tsprout.data.roles import LABEL_NAMES

    notes = ["values are scaled by the protocol; they are not in the units of the source"] if scaled else []
    if any(str(word).startswith(NO_CLASS) for word in words.values()):
        notes.append(f"labels are numbers and no classes: they are written as {NO_CLASS!r} and the number")
    for path, table in tables.items():
        family = family_of(path)
        if family == "npy":
            notes.append(f"{path.name} holds values only, no ids and no names: read it with --axes ncl")
        alike = [channel for channel in table.channels if channel.strip().lower() in LABEL_NAMES]
        if family in ("csv", "parquet") and alike and table.labels is None:
            notes.append(f"{path.name}: read it with --channel for each channel, or {alike[0]!r} is taken for a label")
    return notes


def _write_together(tables: Mapping[Path, SeriesSet]) -> None:
    """Each file is written beside its place, and moved there once all are complete."""
    from tsprout.data import files

    mark = secrets.token_hex(4)
    staged = {path.with_name(f".tsprout-{mark}-{path.name}"): path for path in tables}
    try:
        for stage, path in staged.items():
            files.write(tables[path], stage)
        for stage, path in staged.items():
            os.replace(stage, path)
    except BaseException:
        for stage in staged:
            with suppress(OSError):
                stage.unlink(missing_ok=True)
        raise
