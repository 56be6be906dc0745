"""What the user sees: plain lines, warnings, errors, a progress bar, or one JSON object.

Two streams with two jobs. Results go to standard output; notices, warnings, errors and progress go to standard error.
With ``json`` standard output holds exactly one JSON object, strict (no NaN), whatever happens; human text then goes
to standard error. ``quiet`` leaves only results, warnings and errors. rich is imported when something is drawn.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

from tsprout.accounts import to_json
from tsprout.errors import TsproutError
from tsprout.progress import Progress

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

# How the command line spells the arguments of the Python functions whose errors it shows.
FLAGS = {"channels": "channel", "static_columns": "static-column", "missing_codes": "missing-code"}
_ARGUMENT = re.compile(
    r"\b(format|id_column|time_column|channels|label_column|static_columns|axes|window|stride|orientation"
    r"|missing_codes|day_first|every|full_length|encoding|force|ignore|thousands)"
    r"=(?:(['\"])([^'\"]+)\2|(-?\w+)|(\[(?:'[^']*'|\"[^\"]*\"|[, ])*\]))?"
)

# Columns of a table that goes into a file or pipe, which has no width of its own.
WIDTH = 120


def as_flags(text: str) -> str:
    """``text`` with ``window=24`` and the like, which Python users write, as ``--window 24``; a list, as one a name."""

    def flag(found: re.Match[str]) -> str:
        name, value = found.group(1), found.group(3) or found.group(4)
        if name == "orientation":
            return f"--{'by-column' if value == 'columns' else value}" if value else "--wide, --long or --by-column"
        if name == "day_first":
            return "--month-first" if value == "False" else "--day-first"
        spelled = FLAGS.get(name, name.replace("_", "-"))
        listed = ["".join(quoted) for quoted in re.findall(r"'([^']*)'|\"([^\"]*)\"", found.group(5) or "")]
        values = [value] if value and value != "True" else listed
        return " ".join(f"--{spelled} {shlex.quote(each)}" for each in values) or f"--{spelled}"

    return _ARGUMENT.sub(flag, text)


def error_dict(error: TsproutError) -> dict[str, Any]:
    """What ``--json`` prints for an error: kind, what, where, what to do, and the exit code."""
    return {
        "error": {
            "kind": type(error).__name__,
            "what": as_flags(error.what),
            "where": error.where,
            "fix": None if error.fix is None else as_flags(error.fix),
            "exit_code": error.exit_code,
        }
    }


@dataclass
class Console:
    """The one object through which a command speaks; ``as_json`` and ``quiet`` are the user's two switches."""

    as_json: bool = False
    quiet: bool = False
    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)

    def _rich(self, stream: TextIO) -> RichConsole:
        from rich.console import Console as RichConsole

        return RichConsole(file=stream, highlight=False, soft_wrap=True, width=None if stream.isatty() else WIDTH)

    def _print(self, text: str, stream: TextIO, style: str | None = None) -> None:
        self._rich(stream).print(text, style=style, markup=False)

    def say(self, text: str = "") -> None:
        """A line of the result for a person; to standard error beside ``--json``, silent with ``--quiet``."""
        if not self.quiet:
            self._print(text, self.err if self.as_json else self.out)

    def note(self, text: str) -> None:
        """Something done on the user's behalf that is good to know (standard error, silent with ``--quiet``)."""
        if not self.quiet:
            self._print(f"note: {as_flags(text)}", self.err, "dim")

    def warn(self, text: str) -> None:
        """Something that makes the result worth less; always said (standard error)."""
        self._print(f"warning: {as_flags(text)}", self.err, "yellow")

    def error(self, error: TsproutError) -> None:
        """What was wrong, where, and what to do (standard error; the same as JSON on standard output)."""
        place = f"{error.where}: " if error.where else ""
        self._print(f"error: {place}{as_flags(error.what)}", self.err, "bold red")
        if error.fix:
            self._print(f"  {as_flags(error.fix)}", self.err)
        if self.as_json:
            self.result(error_dict(error))

    def result(self, value: Mapping[str, Any]) -> None:
        """The machine-readable result: one JSON object on standard output, only with ``--json``."""
        if self.as_json:
            self.out.write(to_json(value) + "\n")
            self.out.flush()

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], title: str | None = None) -> None:
        """A small table; columns after the first whose every cell is a number are set flush right."""
        if self.quiet:
            return
        from rich.markup import escape
        from rich.table import Table

        table = Table(title=escape(title) if title else None, title_justify="left", box=None, pad_edge=False)
        for index, name in enumerate(columns):
            numbers = all(_is_number(row[index]) for row in rows)
            table.add_column(escape(name), justify="right" if index and numbers else "left", overflow="fold")
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        stream = self.err if self.as_json else self.out
        rich = self._rich(stream)
        rich.soft_wrap = False
        rich.print(table)

    @contextmanager
    def progress(self) -> Iterator[Progress | None]:
        """A bar a stage with the time left, on standard error; None (no bar) unless that is a terminal."""
        if self.quiet or self.as_json or not self.err.isatty():
            yield None
            return
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self._rich(self.err), transient=True) as bars:
            tasks: dict[str, Any] = {}

            def report(stage: str, done: int, total: int) -> None:
                if stage not in tasks:
                    tasks[stage] = bars.add_task(stage, total=total or None)
                bars.update(tasks[stage], completed=done, total=total or None)

            yield report


def _is_number(cell: str) -> bool:
    if cell in ("", "-"):
        return True
    try:
        float(cell.replace(",", "").rstrip("%"))
    except ValueError:
        return False
    return True
