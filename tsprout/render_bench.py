"""A benchmark as a person sees it: how far it is, what failed, and what came out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsprout.console import Console
from tsprout.errors import TsproutError
from tsprout.render import counted
from tsprout.render_pretrain import readable_time

if TYPE_CHECKING:
    from tsprout.bench.runner import Event, Watch

INTERRUPTED = 130


@contextmanager
def watched(console: Console, out: Path) -> Iterator[Watch | None]:
    """A line a job with the time left, on standard error, none with ``--quiet``; Ctrl-C says that work is kept."""
    seen: list[Event] = []

    def watch(event: Event) -> None:
        seen.append(event)
        if event.error:
            console.warn(f"{event.job}: {event.error}")
        console.note(_line(event))

    try:
        yield None if console.quiet else watch
    except KeyboardInterrupt:
        done = f"{seen[-1].done + seen[-1].failed:,} of {seen[-1].total:,} cells are" if seen else "what is done is"
        fix = f"The same command goes on in {out}."
        error = TsproutError(f"interrupted; {done} kept", fix=fix)
        error.exit_code = INTERRUPTED
        raise error from None


def _line(event: Event) -> str:
    parts = [f"[{event.done + event.failed:,}/{event.total:,}]"]
    if event.job:
        parts.append(f"{event.job}: {readable_time(event.seconds)}")
    else:
        parts.append("cells are done already" if event.done + event.failed else "cells are done")
    if event.failed:
        parts.append(f"({event.failed:,} failed)")
    if event.left:
        parts.append(f", {readable_time(event.left)} left")
    return " ".join(parts).replace(" ,", ",")


def ran(console: Console, account: Mapping[str, Any]) -> None:
    """What is done, what failed, what is missing."""
    for failed in account["failed"][:5]:
        console.warn(f"{failed['cell']}: {failed['what']}")
    if len(account["failed"]) > 5:
        console.warn(f"{len(account['failed']) - 5:,} more cells failed; see tsprout bench export")
    console.say(
        f"{account['name']}: {account['done']:,} of {counted(account['cells'], 'cell')} done, "
        f"{len(account['failed']):,} failed, {account['missing']:,} missing, {readable_time(account['seconds'])}"
    )
    if account["stopped"] == "time":
        console.note("the time is over; the same command goes on from here")
    console.say(f"tables: tsprout bench table {account['out']}")


def listed(console: Console, account: Mapping[str, Any]) -> None:
    """The shipped specifications."""
    rows = [
        [s["name"], s["protocol"], str(s["sets"]), ", ".join(s["shots"]), ", ".join(map(str, s["lengths"])),
         str(len(s["models"])), f"{s['cells']:,}"]
        for s in account["specs"]
    ]  # fmt: skip
    console.table(["name", "protocol", "sets", "shots", "lengths", "models", "cells"], rows)


def table(console: Console, account: Mapping[str, Any]) -> None:
    """The tables themselves, or where they are."""
    if account["out"] is None:
        if not console.as_json:
            console.out.write(account["text"])
    else:
        console.say(f"{counted(account['tables'], 'table')} in {account['out']}")
    _unfinished(console, account)


def plotted(console: Console, account: Mapping[str, Any]) -> None:
    """How many pictures there are, and which could not be drawn."""
    for note in account["notes"]:
        console.note(note)
    console.say(f"{counted(len(account['files']), 'picture')} in {account['out']}")


def compared(console: Console, account: Mapping[str, Any]) -> None:
    """A line a score."""
    rows = [
        [s["suite"], s["metric"], str(s["wins"]), str(s["losses"]), str(s["ties"]), _number(s["median_difference"]),
         _number(s["p"])]
        for s in account["scores"]
    ]  # fmt: skip
    heading = f"{account['one']} against {account['other']}, tasks that both have done"
    console.table(["suite", "score", "wins", "losses", "ties", "median difference", "p"], rows, heading)
    _unfinished(console, account)


def exported(console: Console, account: Mapping[str, Any]) -> None:
    """Where the scores are."""
    console.say(f"{counted(account['cells'], 'cell')} in {account['out']}")
    _unfinished(console, account)


def _unfinished(console: Console, account: Mapping[str, Any]) -> None:
    if account["done"] < account["cells"]:
        left = f"{account['missing']:,} are missing, {account['failed']:,} failed"
        console.note(f"not all of {counted(account['cells'], 'cell')} are done: {left}")


def _number(value: float) -> str:
    return f"{value:.3g}" if value is not None and math.isfinite(value) else "-"
