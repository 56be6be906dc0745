"""The command line: one function a verb, no logic, only calls into the floors below.

Nothing heavy is imported here, so that ``tsprout --help`` answers at once; each verb imports what it needs.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from tsprout import __version__
from tsprout.cli_bench import bench
from tsprout.cli_corpus import corpus
from tsprout.cli_datasets import datasets
from tsprout.cli_pretrain import pretrain
from tsprout.console import Console
from tsprout.errors import InputError
from tsprout.job_options import FitOptions, ReaderOptions, SampleOptions, parse_bounds, parse_count, parse_transforms
from tsprout.limits import DRAWS
from tsprout.options import (
    Bounds,
    Budget,
    Count,
    Device,
    Force,
    Guidance,
    Length,
    Mode,
    Model,
    Seed,
    Solver,
    Start,
    Steps,
    Transforms,
    report,
    verb,
)

app = typer.Typer(
    name="tsprout",
    help="A handful of time series in, thousands of realistic synthetic ones out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(datasets, name="datasets")
app.add_typer(corpus, name="corpus")
app.add_typer(bench, name="bench")
app.command()(pretrain)

File = Annotated[
    Path, typer.Argument(metavar="FILE", help="Series: .csv, .parquet, .npz, .npy, .ts or .jsonl.", show_default=False)
]


def _version(asked: bool) -> None:
    if asked:
        print(f"tsprout {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


def _fitting(
    model: str,
    mode: str,
    budget: str,
    seed: int,
    checkpoint: str | None,
    bounds: Sequence[str] | None,
    device: str,
    transforms: Sequence[str] | None,
) -> FitOptions:
    """Options of fitting as the commands that fit are given them."""
    known = parse_bounds(bounds or ()), device, parse_transforms(transforms or ())
    return FitOptions(model, mode, budget, seed, checkpoint, *known)


@app.command()
@verb
def run(
    file: File,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="Folder to make.", show_default=False)],
    n: Count = None,
    model: Model = "small",
    checkpoint: Start = None,
    mode: Mode = "auto",
    budget: Budget = "60s",
    bounds: Bounds = None,
    transform: Transforms = None,
    device: Device = "cpu",
    seed: Seed = 0,
    length: Length = None,
    steps: Steps = None,
    solver: Solver = None,
    guidance: Guidance = None,
    keep_model: Annotated[
        Path | None,
        typer.Option("--keep-model", metavar="MODEL", help="Keep the fitted model, too: a folder for tsprout sample."),
    ] = None,
    force: Force = False,
    *,
    reader: ReaderOptions,
    console: Console,
) -> Mapping[str, Any]:
    """Do the whole job: new series, a summary with scores, and a picture, in one folder."""
    from tsprout import job, render

    fitting = _fitting(model, mode, budget, seed, checkpoint, bounds, device, transform)
    sampling = SampleOptions(parse_count(n or ()), length, steps, solver, seed, guidance)
    with render.watched(console) as progress:
        account = job.run(
            file,
            out,
            reader=reader,
            fitting=fitting,
            sampling=sampling,
            keep_model=keep_model,
            force=force,
            progress=progress,
            on_read=lambda described: render.input_lines(console, described),
        )
    render.run(console, account)
    return account


@app.command()
@verb
def inspect(file: File, *, reader: ReaderOptions, console: Console) -> Mapping[str, Any]:
    """Say what is in a file: series, channels, gaps, and how each channel would be scaled."""
    from tsprout import job, overview, render

    with render.watched(console) as progress:
        account = overview.inspect(job.read_input(file, reader, progress), file)
    render.inspect(console, account)
    return account


@app.command()
@verb
def fit(
    file: File,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="MODEL", help="Model folder to make.", show_default=False)
    ],
    model: Model = "small",
    checkpoint: Start = None,
    mode: Mode = "auto",
    budget: Budget = "60s",
    bounds: Bounds = None,
    transform: Transforms = None,
    device: Device = "cpu",
    seed: Seed = 0,
    force: Force = False,
    *,
    reader: ReaderOptions,
    console: Console,
) -> Mapping[str, Any]:
    """Adapt the model to the series of a file and keep it as a folder."""
    from tsprout import job, render

    options = _fitting(model, mode, budget, seed, checkpoint, bounds, device, transform)
    with render.watched(console) as progress:
        account = job.fit(file, out, reader=reader, options=options, force=force, progress=progress)
    render.fit(console, account)
    return account


@app.command()
@verb
def sample(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A folder made by tsprout fit.", show_default=False)],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="File to make.", show_default=False)],
    n: Count = None,
    seed: Seed = 0,
    length: Length = None,
    steps: Steps = None,
    solver: Solver = None,
    guidance: Guidance = None,
    device: Device = "cpu",
    format: Annotated[str | None, typer.Option(help="Format, where the extension does not say.")] = None,
    force: Force = False,
    *,
    console: Console,
) -> Mapping[str, Any]:
    """Draw series from a fitted model into a file; its extension chooses the format."""
    from tsprout import job, render

    options = SampleOptions(parse_count(n or ()), length, steps, solver, seed, guidance)
    with render.watched(console) as progress:
        account = job.sample(model, out, options=options, device=device, format=format, force=force, progress=progress)
    render.sample(console, account)
    return account


@app.command()
@verb
def impute(
    file: File,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="File to make.", show_default=False)],
    draws: Annotated[int, typer.Option(help="A gap gets the median of so many draws; of 1 that draw.")] = DRAWS,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Fill hidden values, too, and say how far off they are.")
    ] = True,
    model: Model = "small",
    mode: Mode = "prompt",
    budget: Budget = "60s",
    bounds: Bounds = None,
    transform: Transforms = None,
    device: Device = "cpu",
    seed: Seed = 0,
    force: Force = False,
    *,
    reader: ReaderOptions,
    console: Console,
) -> Mapping[str, Any]:
    """Fill what is missing in series, and leave everything else of the file as it is."""
    from tsprout import job_impute, render

    options = _fitting(model, mode, budget, seed, None, bounds, device, transform)
    with render.watched(console) as progress:
        account = job_impute.impute(
            file, out, reader=reader, options=options, draws=draws, check=check, force=force, progress=progress
        )
    render.impute(console, account)
    return account


@app.command()
@verb
def evaluate(
    real: Annotated[Path, typer.Argument(metavar="REAL", help="Real series.", show_default=False)],
    synthetic: Annotated[Path, typer.Argument(metavar="SYNTHETIC", help="Synthetic series.", show_default=False)],
    shots: Annotated[Path | None, typer.Option(metavar="FILE", help="The series the generator was shown.")] = None,
    held_out: Annotated[Path | None, typer.Option(metavar="FILE", help="Real series it was not shown.")] = None,
    suite: Annotated[
        str, typer.Option(help="quick (seconds), full (a minute) or paper (ten minutes and more).")
    ] = "quick",
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the report as a page.")] = None,
    fail_under: Annotated[
        list[str] | None, typer.Option(metavar="NAME=NUMBER", help="Leave with 1 if the score is below.")
    ] = None,
    fail_over: Annotated[
        list[str] | None, typer.Option(metavar="NAME=NUMBER", help="Leave with 1 if the score is above.")
    ] = None,
    seed: Seed = 0,
    force: Force = False,
    *,
    reader: ReaderOptions,
    console: Console,
) -> Mapping[str, Any]:
    """Score synthetic series against real ones, with a floor, ceilings and a verdict for every score."""
    from tsprout import evaluation, render

    with render.watched(console) as progress:
        account = evaluation.evaluate_files(
            real,
            synthetic,
            shots=shots,
            held_out=held_out,
            suite=suite,
            seed=seed,
            html=html,
            force=force,
            fail_under=fail_under,
            fail_over=fail_over,
            reader=reader,
            progress=progress,
        )
    render.evaluation(console, account)
    return account


@app.command()
@verb
def push(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Folder or bundled name.", show_default=False)],
    name: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="Where to, on the hub.", show_default=False)],
    private: Annotated[bool | None, typer.Option("--private/--public", help="Who may see what is made.")] = None,
    revision: Annotated[str | None, typer.Option(help="Branch; made if there is none.")] = None,
    message: Annotated[str | None, typer.Option("-m", "--message", help="Of the commit.")] = None,
    include_shots: Annotated[
        bool, typer.Option("--include-shots", help="Publish the series that a fitted model contains.")
    ] = False,
    *,
    console: Console,
) -> Mapping[str, Any]:
    """Publish a model on the Hugging Face hub (needs the extra 'hub')."""
    from tsprout import publish, render
    from tsprout.hub import PushOptions

    options = PushOptions(private, message, revision, include_shots=include_shots)
    account = publish.push(model, name, options)
    render.push(console, account)
    return account


@app.command()
@verb
def doctor(*, console: Console) -> Mapping[str, Any]:
    """Check this installation: versions, threads, memory, devices, extras, and the bundled model."""
    from tsprout import doctor as checks
    from tsprout import render

    account = checks.doctor()
    render.doctor(console, account)
    return account


@app.command()
@verb
def models(*, console: Console) -> Mapping[str, Any]:
    """List the models that come with the package, and the baselines."""
    from tsprout import doctor as checks
    from tsprout import render

    account = checks.models()
    render.models(console, account)
    return account


def main(argv: list[str] | None = None) -> int:
    """Run the command line on ``argv`` (without the program's name) and return its exit code."""
    given = sys.argv[1:] if argv is None else list(argv)
    warnings.filterwarnings("ignore")
    # Threads that spin long while they wait for each other are several times slower as soon as anything else runs.
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminated)
    try:
        code = typer.main.get_command(app)(args=given, prog_name="tsprout", standalone_mode=False)
    except Exception as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # typer has printed the help, and keeps the class to itself
            return InputError.exit_code
        return report(Console(as_json="--json" in given), _as_input_error(error))
    return code if isinstance(code, int) else 0


def _terminated(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def _as_input_error(error: Exception) -> Exception:
    """The usage errors of the option parser, in our own words; any other exception unchanged."""
    message = getattr(error, "format_message", None)
    if message is None:
        return error
    context = getattr(error, "ctx", None)
    help_command = f"{context.command_path} --help" if context is not None else "tsprout --help"
    return InputError(message(), fix=f"See {help_command}.")


if __name__ == "__main__":
    sys.exit(main())
