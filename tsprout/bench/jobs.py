"""The commands of ``tsprout bench`` as plain functions that return plain accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tsprout.bench import plots, renderings, results, runner
from tsprout.bench.executors.choose import choose_executor
from tsprout.bench.published import read_published
from tsprout.bench.ranks import duel
from tsprout.bench.runspec import EXECUTORS, choose
from tsprout.bench.spec import read_spec, shipped
from tsprout.bench.tables import tables
from tsprout.budget import parse_budget
from tsprout.devices import device_of
from tsprout.errors import InputError
from tsprout.staging import check_apart, check_file, from_os_error, write_file

EXPORTS = {".csv": results.scores_csv, ".json": results.scores_json}


@dataclass(frozen=True)
class BenchOptions:
    """What the command line says beside the specification; ``None``: what that says."""

    only: Sequence[str] = ()
    also: Sequence[str] = ()
    limit_time: str | None = None
    workers: int | None = None
    threads: int | None = None
    retry_failed: bool = False
    executor: str | None = None
    address: str | None = None


def run(spec: str, out: Path, options: BenchOptions, watch: runner.Watch | None = None) -> dict[str, Any]:
    """Run a specification (shipped, or a file) in a folder, or go on there; see :func:`tsprout.bench.runner.run`.

    Raises:
        InputError: specification, options or folder cannot be used.
        MissingExtraError: the executor needs an extra.
    """
    seconds = None if options.limit_time is None else parse_budget(options.limit_time)
    read = read_spec(spec, options.also)
    if options.executor is not None and options.executor not in EXECUTORS:
        choose(options.executor, EXECUTORS, "executor", "--executor")
    given: dict[str, Any] = {key: getattr(options, key) for key in ("threads", "executor", "address")}
    # Where an executor is not that of the specification, its address is none of this one.
    elsewhere = options.executor not in (None, read.run.executor)
    base = replace(read.run, address=None, temp=None) if elsewhere else read.run
    given["workers" if (options.executor or base.executor) == "local" else "jobs"] = options.workers
    read = replace(read, run=replace(base, **{key: value for key, value in given.items() if value is not None}))
    if read.run.executor == "local":
        for device in (read.run.device, *(str(m.options["device"]) for m in read.models if "device" in m.options)):
            device_of(device, where="run: device")
    executor = choose_executor(read.run, out)
    retry = options.retry_failed
    return runner.run(read, out, executor, only=options.only, seconds=seconds, retry=retry, watch=watch)


def specs() -> dict[str, Any]:
    """The shipped specifications with what they measure."""
    found = []
    for name in shipped():
        spec = read_spec(name)
        found.append(
            {
                "name": name,
                "protocol": spec.protocol,
                "sets": len(spec.sets),
                "shots": list(spec.shots),
                "lengths": list(spec.lengths),
                "models": [model.label for model in spec.models],
                "cells": len(spec.cells()),
            }
        )
    return {"command": "bench run --list", "specs": found}


def table(
    *sources: Path,
    out: Path | None = None,
    format: str | None = None,
    published: Path | None = None,
    metrics: Sequence[str] = (),
    force: bool = False,
) -> dict[str, Any]:
    """The tables of a benchmark as text, and in ``out`` if given.

    Args:
        *sources: folders and exported files, see :func:`tsprout.bench.results.read_results`.
        out: a file; its extension chooses the format where none is given.
        format: of :data:`tsprout.bench.renderings.FORMATS`.
        published: CSV of figures to put beside ours.
        metrics: only these scores.
        force: replace ``out``.

    Raises:
        InputError: there is no benchmark, a format or score is unknown, or the output cannot be written.
    """
    by_name = "md" if out is None else renderings.EXTENSIONS.get(out.suffix.lower())
    if format is None and by_name is None:
        fix = f"Use {', '.join(renderings.EXTENSIONS)}, or say the format."
        raise InputError("the extension says no format", where=str(out), fix=fix)
    chosen = format or by_name
    if chosen not in renderings.FORMATS:
        fix = f"Choose one of: {', '.join(renderings.FORMATS)}."
        raise InputError(f"there is no format {chosen!r}", where="--format", fix=fix)
    _check_apart(sources, out)
    read = results.read_results(*sources)
    _check_metrics(read, metrics)
    made = tables(read, None if published is None else read_published(published), metrics)
    text = renderings.FORMATS[chosen](made, str(read.plan["name"] or "benchmark"))
    _write(text, out, force=force)
    written = None if out is None else str(out)
    return _counted("bench table", read) | {"format": chosen, "out": written, "tables": len(made), "text": text}


def plot(*sources: Path, out: Path, metrics: Sequence[str] = (), force: bool = False) -> dict[str, Any]:
    """The pictures of a benchmark, as PNG in the folder ``out``, which is made.

    Raises:
        InputError: there is no benchmark, the folder cannot be made, or it has such pictures and ``force`` is not set.
    """
    read = results.read_results(*sources)
    _check_metrics(read, metrics)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise from_os_error(error, out) from error
    written, notes = plots.write_plots(read, out, metrics, force=force)
    return _counted("bench plot", read) | {"out": str(out), "files": [path.name for path in written], "notes": notes}


def compare(*sources: Path, one: str, other: str) -> dict[str, Any]:
    """Two models by score: wins, losses, ties over tasks, and whether they differ.

    Raises:
        InputError: there is no benchmark, or no such model in it.
    """
    read = results.read_results(*sources)
    found = [
        duel(read, suite, metric, one, other)
        for suite in read.unique("suite")
        for metric in read.metrics(suite)
        if metric != "near_copies"
    ]
    return _counted("bench compare", read) | {"one": one, "other": other, "scores": found}


def export(*sources: Path, out: Path, times: Path | None = None, force: bool = False) -> dict[str, Any]:
    """Every score in full precision as CSV or JSON, by the extension of ``out``; times, if wanted, in their own file.

    Raises:
        InputError: there is no benchmark, the extension is another, or the output cannot be written.
    """
    if out.suffix.lower() not in EXPORTS:
        raise InputError("the extension says no format", where=str(out), fix=f"Use {' or '.join(EXPORTS)}.")
    for path in (out, times):
        if path is not None:
            check_file(path, force=force)
            _check_apart(sources, path)
    read = results.read_results(*sources)
    _write(EXPORTS[out.suffix.lower()](read), out, force=force)
    _write(results.times_csv(read), times, force=force)
    return _counted("bench export", read) | {"out": str(out), "times": None if times is None else str(times)}


def _check_apart(sources: Sequence[Path], out: Path | None) -> None:
    for source in sources:
        if out is not None and source.is_file():
            check_apart(source, out)


def _counted(command: str, read: results.Results) -> dict[str, Any]:
    failed = [f"{r.cell['name']}: {r.error}" for r in read.cells if r.error]
    return {"command": command, "name": read.plan["name"], **read.counts(), "errors": failed}


def _check_metrics(read: results.Results, metrics: Sequence[str]) -> None:
    known = list(dict.fromkeys(m for suite in read.unique("suite") for m in read.metrics(suite)))
    for metric in metrics:
        if metric not in known:
            fix = f"Choose from: {', '.join(known) or 'none yet'}."
            raise InputError(f"no cell has a score {metric!r}", where="--metric", fix=fix)


def _write(text: str, out: Path | None, *, force: bool) -> None:
    if out is None:
        return
    check_file(out, force=force)
    write_file(out, text)
