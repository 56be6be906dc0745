"""The options that several commands share, and the frame around every command: console, errors, exit codes.

A command is a plain function; :func:`verb` gives it ``--json`` and ``--quiet`` and, where it asks for a ``reader``, all
the options about reading a file. Exit codes: 0 done, 1 ran and failed, 2 bad input, 130 interrupted, 143 terminated.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_type_hints

import typer

from tsprout.console import Console
from tsprout.errors import InputError, TsproutError
from tsprout.job_options import MODES, SOLVERS, TRANSFORMS, USUAL, ReaderOptions
from tsprout.limits import MAX_SEED, MIN_LENGTH

INTERRUPTED = 130
READING = "How the file is to be read (found by itself where not given)"

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on standard output, the rest on standard error.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no notes; warnings and errors only.")]
Force = Annotated[bool, typer.Option("--force", help="Replace an output that exists, once the new one is complete.")]
Seed = Annotated[
    int, typer.Option(min=0, max=MAX_SEED, help="The same seed gives the same series on the same machine.")
]
Model = Annotated[
    str, typer.Option(help="Bundled model or baseline (see tsprout models), folder, or hub id owner/name[@revision].")
]
Start = Annotated[
    str | None,
    typer.Option("--checkpoint", help="Pre-trained model that a baseline starts from, for --model imagenfew."),
]
Mode = Annotated[str, typer.Option(help=f"One of {', '.join(MODES)}.")]
Budget = Annotated[str, typer.Option(help="Time for fitting: 30s, 2m, 1h; up to twice as long on a slow machine.")]
Bounds = Annotated[
    list[str] | None,
    typer.Option(
        "--bounds", metavar="NAME=LOW:HIGH", help="What a channel's new values must keep; again for more channels."
    ),
]
Transforms = Annotated[
    list[str] | None,
    typer.Option(
        "--transform",
        metavar="NAME=TRANSFORM",
        help=f"How a channel is scaled, whatever its values suggest: {', '.join(TRANSFORMS[1:])}; again for more.",
    ),
]
Device = Annotated[str, typer.Option(help="Where the network works: cpu, cuda, cuda:1, ...")]
Count = Annotated[
    list[str] | None,
    typer.Option(
        "-n",
        metavar="COUNT",
        help=f"How many series to make, {USUAL} where not given; LABEL=COUNT for so many of a label, again for more.",
    ),
]
Length = Annotated[int | None, typer.Option(help="Steps of every new series; the input's own where not given.")]
Steps = Annotated[int | None, typer.Option(help="Solver steps; more is slower and finer.")]
Guidance = Annotated[
    float | None, typer.Option(help="How far to exaggerate what the shots say: 1 (usual once trained) not at all.")
]
Solver = Annotated[str | None, typer.Option(help=f"One of {', '.join(SOLVERS)}.")]


def _option(*names: str, help: str, metavar: str | None = None) -> Any:
    return typer.Option(*names, help=help, metavar=metavar, rich_help_panel=READING)


_READER: dict[str, Any] = {
    "format": Annotated[str | None, _option("--format", help="Format of the file, where its extension does not say.")],
    "id_column": Annotated[str | None, _option("--id-column", help="Column that names the series of a row.")],
    "time_column": Annotated[str | None, _option("--time-column", help="Column with the time of a row.")],
    "channels": Annotated[
        list[str] | None, _option("--channel", help="Column to use as a channel; give it again for more.")
    ],
    "label_column": Annotated[str | None, _option("--label-column", help="Column with a label for each series.")],
    "static_columns": Annotated[
        list[str] | None,
        _option("--static-column", help="Column with one value for each series; give it again for more."),
    ],
    "ignore": Annotated[list[str] | None, _option("--ignore", help="Column to leave out; give it again for more.")],
    "window": Annotated[int | None, _option("--window", help="Cut long recordings into series of so many steps.")],
    "stride": Annotated[
        int | None, _option("--stride", help="Steps from one window to the next; the window's length where not given.")
    ],
    "axes": Annotated[str | None, _option("--axes", help="Axis order of an array: ncl, nlc, nl, lc, cl or l.")],
    "wide": Annotated[
        bool | None, _option("--wide/--long", help="One row a series with steps as columns, or one row a step.")
    ],
    "by_column": Annotated[
        bool | None, _option("--by-column", help="One column a series, one row a step, perhaps with a time column.")
    ],
    "missing_codes": Annotated[
        list[str] | None,
        _option("--missing-code", help="A value that means missing, such as -200; give it again for more."),
    ],
    "thousands": Annotated[
        str | None,
        _option("--thousands", metavar="MARK", help="What groups digits, as in 1.234,5: one of . , ' space none."),
    ],
    "day_first": Annotated[
        bool | None, _option("--day-first/--month-first", help="How 03/04/2024 is meant, where no date decides it.")
    ],
    "every": Annotated[
        str | None,
        _option("--every", help="Regular step of the times, such as 15min, h or D: rows not there count as missing."),
    ],
    "full_length": Annotated[
        bool | None,
        _option("--full-length", help="Empty steps at the end of a series are missing values, and not its end."),
    ],
    "encoding": Annotated[str, _option("--encoding", help="Text encoding of the file.")],
}


def verb(function: Callable[..., Mapping[str, Any]]) -> Callable[..., None]:
    """Make a typer command of ``function(..., console=[, reader=])``, which returns the account that ``--json`` prints.

    An account with ``"ok": False`` leaves with exit code 1. Every exception becomes a message and an exit code
    (:func:`report`); none reaches the user as a traceback unless ``TSPROUT_DEBUG`` is set.
    """
    hints = get_type_hints(function, include_extras=True)
    own = [p.replace(annotation=hints[p.name]) for p in inspect.signature(function).parameters.values()]
    reads = any(parameter.name == "reader" for parameter in own)
    shown = [parameter for parameter in own if parameter.name not in ("console", "reader")]
    keyword = inspect.Parameter.KEYWORD_ONLY
    if reads:
        for name, annotation in _READER.items():
            default = "utf-8" if name == "encoding" else None
            shown.append(inspect.Parameter(name, keyword, default=default, annotation=annotation))
    for name, annotation in (("as_json", Json), ("quiet", Quiet)):
        shown.append(inspect.Parameter(name, keyword, default=False, annotation=annotation))

    @functools.wraps(function)
    def command(**given: Any) -> None:
        console = Console(as_json=given.pop("as_json"), quiet=given.pop("quiet"))
        try:
            if reads:
                given["reader"] = reader_options(given)
            account = function(console=console, **given)
            console.result(account)
        except BaseException as error:
            raise typer.Exit(report(console, error)) from None
        if account.get("ok") is False:
            raise typer.Exit(1)

    command.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
    return command


def reader_options(given: dict[str, Any]) -> ReaderOptions:
    """Take the reader's options out of ``given`` and return them as :class:`ReaderOptions`."""
    taken = {name: given.pop(name) for name in _READER}
    wide, by_column = taken.pop("wide"), taken.pop("by_column")
    if by_column and wide is not None:
        what = f"a table cannot be read by column and as {'wide' if wide else 'long'} at once"
        raise InputError(what, where="--by-column", fix="Give one of --wide, --long and --by-column.")
    for name in ("window", "stride"):
        least = MIN_LENGTH if name == "window" else 1
        if taken[name] is not None and taken[name] < least:
            raise InputError(f"{taken[name]} is too small", where=f"--{name}", fix=f"Give at least {least}.")
    for name in ("channels", "static_columns", "ignore", "missing_codes"):
        taken[name] = tuple(taken[name]) if taken[name] else None
    orientation = "columns" if by_column else None if wide is None else "wide" if wide else "long"
    return ReaderOptions(orientation=orientation, **taken)


def report(console: Console, error: BaseException) -> int:
    """Tell the user what stopped the command, and return the exit code it leaves with."""
    if os.environ.get("TSPROUT_DEBUG") and not isinstance(error, typer.Exit | BrokenPipeError):
        import traceback

        traceback.print_exception(error, file=console.err)
    match error:
        case typer.Exit():
            return int(error.exit_code)
        case TsproutError():
            known = error
        case KeyboardInterrupt():
            known = TsproutError("interrupted; nothing was left behind")
            known.exit_code = INTERRUPTED
        case SystemExit():
            return error.code if isinstance(error.code, int) else 1
        case BrokenPipeError():
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115  the reader of our output has left; say nothing more
            return 1
        case _:
            known = _unforeseen(error)
    console.error(known)
    return known.exit_code


def _unforeseen(error: BaseException) -> TsproutError:
    from tsprout.staging import from_os_error, is_disk_full

    if is_disk_full(error) and not isinstance(error, OSError):
        return from_os_error(OSError(28, str(error)))
    if isinstance(error, OSError):
        return from_os_error(error)
    if type(error).__name__ == "OutOfMemoryError":  # of torch, which is not imported for it
        fix = "Use --device cpu, or fewer or shorter series (--window)."
        return TsproutError("the device has not enough memory", where="--device", fix=fix)
    if isinstance(error, MemoryError):
        return TsproutError(
            "there is not enough memory", fix="Use fewer or shorter series (--window), or a machine with more memory."
        )
    text = " ".join(str(error).split())
    return TsproutError(
        f"something unforeseen went wrong: {type(error).__name__}: {text}",
        fix="This is a mistake in tsprout. Please report it with the output of the same command after "
        "'export TSPROUT_DEBUG=1'.",
    )
