"""``tsprout bench``: run a benchmark, and read what came out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from tsprout.console import Console
from tsprout.errors import InputError
from tsprout.options import Force, verb

bench = typer.Typer(help="Compare models on many tasks: run, table, plot, compare, export.", no_args_is_help=True)

Sources = Annotated[
    list[Path],
    typer.Argument(
        metavar="RESULTS...", help="Folders of bench run, .csv of bench export; the last counts.", show_default=False
    ),
]
Metrics = Annotated[list[str] | None, typer.Option("--metric", help="Only this score, such as cfid; repeatable.")]


@bench.command()
@verb
def run(
    spec: Annotated[
        str | None, typer.Argument(metavar="SPEC", help="YAML file, or a name of --list.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FOLDER", help="Folder of the results; gone on with.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Cells model/set/shots/length/seed/suite; * stands for anything."),
    ] = None,
    also: Annotated[
        list[str] | None, typer.Option(metavar="MODEL", help="A further model: a name, or {model: folder, ...}.")
    ] = None,
    limit_time: Annotated[str | None, typer.Option(help="Begin nothing after so long: 30m, 2h.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Jobs at once; the specification's otherwise.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of each.")] = None,
    executor: Annotated[
        str | None, typer.Option(help="local, ray or slurm; the specification's otherwise.", show_default=False)
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="Of a Ray cluster: auto, host:port. Without: a Ray of this machine.")
    ] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Cells that failed before, too.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="List the shipped specifications and leave.")] = False,
    *,
    console: Console,
) -> Mapping[str, Any]:
    """Do what is missing of a benchmark; stop it at any time, the same command goes on."""
    from tsprout import render_bench
    from tsprout.bench import jobs

    if listing:
        found = jobs.specs()
        render_bench.listed(console, found)
        return found
    if spec is None or out is None:
        fix = "For example: tsprout bench run smoke -o bench/. See tsprout bench run --list."
        raise InputError("a specification and a folder are needed", fix=fix)
    patterns, models = tuple(only or ()), tuple(also or ())
    options = jobs.BenchOptions(patterns, models, limit_time, workers, threads, retry_failed, executor, address)
    with render_bench.watched(console, out) as watch:
        account = jobs.run(spec, out, options, watch)
    render_bench.ran(console, account)
    return account


@bench.command()
@verb
def table(
    results: Sources,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE", help="File; the screen otherwise.")] = None,
    format: Annotated[
        str | None, typer.Option(help="md, latex, csv or html, where the extension does not say.")
    ] = None,
    published: Annotated[
        Path | None, typer.Option(metavar="FILE", help="CSV of published figures, put beside ours and marked.")
    ] = None,
    metric: Metrics = None,
    force: Force = False,
    *,
    console: Console,
) -> Mapping[str, Any]:
    """The tables: every set and number of shots, averages, wins, ranks."""
    from tsprout import render_bench
    from tsprout.bench import jobs

    account = jobs.table(
        *results, out=out, format=format, published=published, metrics=tuple(metric or ()), force=force
    )
    render_bench.table(console, account)
    return account


@bench.command()
@verb
def plot(
    results: Sources,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="For the pictures.", show_default=False)],
    metric: Metrics = None,
    force: Force = False,
    *,
    console: Console,
) -> Mapping[str, Any]:
    """The pictures: scores over shots, quality against time and copying, critical differences."""
    from tsprout import render_bench
    from tsprout.bench import jobs

    account = jobs.plot(*results, out=out, metrics=tuple(metric or ()), force=force)
    render_bench.plotted(console, account)
    return account


@bench.command()
@verb
def compare(
    results: Sources,
    one: Annotated[str, typer.Argument(metavar="MODEL", help="By its label.", show_default=False)],
    other: Annotated[str, typer.Argument(metavar="OTHER", help="By its label.", show_default=False)],
    *,
    console: Console,
) -> Mapping[str, Any]:
    """Two models, score by score: wins, losses, and whether they differ."""
    from tsprout import render_bench
    from tsprout.bench import jobs

    account = jobs.compare(*results, one=one, other=other)
    render_bench.compared(console, account)
    return account


@bench.command()
@verb
def export(
    results: Sources,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help=".csv or .json.", show_default=False)],
    times: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the times, too, as CSV.")] = None,
    force: Force = False,
    *,
    console: Console,
) -> Mapping[str, Any]:
    """Every score in full precision, a line each."""
    from tsprout import render_bench
    from tsprout.bench import jobs

    account = jobs.export(*results, out=out, times=times, force=force)
    render_bench.exported(console, account)
    return account
