"""The job behind ``tsprout datasets shots``: a few real series of a public set in a file, as a model may see them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsprout.accounts import versions
from tsprout.errors import InputError
from tsprout.staging import check_file

if TYPE_CHECKING:
    from tsprout.series import SeriesSet


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
    split = draw(load_set(name), **options)
    parts = {"shots": split.shots, "held_out": split.reference, "validation": split.validation}
    tables = {paths[key]: as_table(part) for key, part in parts.items() if key in paths and part is not None}
    if len(tables) < len(paths):
        fix = "Leave --validation out."
        raise InputError(f"protocol {protocol} has no validation series of {split.name}", where="--validation", fix=fix)
    _write_together(tables)
    scaled = ("values are scaled by the protocol; they are not in the units of the source",) if split.scaled else ()
    return {
        "command": "datasets shots",
        "versions": versions(),
        "name": split.name,
        "protocol": split.protocol,
        "seed": split.seed,
        "length": split.length,
        "channels": list(split.shots.channels),
        "counts": {key: None if part is None else part.n_series for key, part in parts.items()},
        "scaled": split.scaled,
        "notes": [*split.notes, *scaled],
        "files": {key: str(path) for key, path in paths.items()},
    }


def as_table(series: SeriesSet) -> SeriesSet:
    """The set with its steps counted from 0 and names for its columns: an id, a step, the channels by name."""
    from dataclasses import replace

    import numpy as np

    from tsprout.data.schema import Schema

    taken = set(series.channels)
    id_column = next(name for name in ("id", "series_id", "item_id", "tsprout_id") if name not in taken)
    step = next(name for name in ("step", "time_step", "time_idx", "tsprout_step") if name not in taken)
    label = () if series.labels is None else (next(n for n in ("label", "class", "tsprout_label") if n not in taken),)
    schema = Schema(
        "pandas-long",
        (id_column, step, *label, *series.channels),
        id_column=id_column,
        time_column=step,
        label_column=label[0] if label else None,
    )
    times = np.broadcast_to(np.arange(series.length, dtype=np.int64), (series.n_series, series.length))
    return replace(series, times=times, schema=schema)


def _write_together(tables: Mapping[Path, SeriesSet]) -> None:
    """All files, or none of them: each is written beside its place, and moved there when all are complete."""
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
