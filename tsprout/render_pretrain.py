"""A pre-training as a person sees it: a live line while it runs, and what came out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tsprout.console import Console
from tsprout.pretraining import Watching
from tsprout.render import counted


@contextmanager
def watched(console: Console) -> Iterator[Watching]:
    """A bar with loss, windows a second and the time left on a terminal; elsewhere a line for every line of the log.

    Both go to standard error; with ``--quiet`` there is neither, and no bar with ``--json``.
    """
    if console.quiet:
        yield Watching()
    elif console.as_json or not console.err.isatty():
        yield Watching(begin=lambda facts: console.note(_opening(facts)), log=lambda line: console.note(_logged(line)))
    else:
        with _bar(console) as watching:
            yield watching


@contextmanager
def _bar(console: Console) -> Iterator[Watching]:
    from rich.console import Console as RichConsole
    from rich.progress import BarColumn, Progress, TextColumn

    text = TextColumn("{task.completed:,.0f} of {task.total:,.0f}")
    bars = Progress(
        TextColumn("{task.description}"), BarColumn(), text, TextColumn("{task.fields[told]}"),
        console=RichConsole(file=console.err, highlight=False), transient=True,
    )  # fmt: skip
    state: dict[str, Any] = {}

    def begin(facts: dict[str, Any]) -> None:
        console.note(_opening(facts))
        state.update(facts, begun=time.monotonic(), first=None)
        state["bar"] = bars.add_task("pretrain", total=facts["steps"], told="")

    def live(step: int, loss: float, speed: float) -> None:
        now = time.monotonic()
        if state["first"] is None:
            state["first"] = (step, now)
        done, since = step - state["first"][0], now - state["first"][1]
        left = (state["steps"] - step) * since / done if done else None
        if state["seconds"] is not None:
            rest = max(0.0, state["seconds"] - (now - state["begun"]))
            left = rest if left is None else min(left, rest)
        state["loss"] = loss if "loss" not in state else 0.98 * state["loss"] + 0.02 * loss
        told = f"loss {state['loss']:.4f}  {speed:,.0f} windows/s" + (f"  {readable_time(left)} left" if left else "")
        held = f"  held out {state['held']:.4f}" if "held" in state else ""
        bars.update(state["bar"], completed=step, told=told + held)

    def log(line: dict[str, Any]) -> None:
        if line.get("held out"):
            state["held"] = line["held out"]["mean"]
            bars.console.print(_logged(line), markup=False, highlight=False)

    with bars:
        yield Watching(begin, live, log)


def _opening(facts: Mapping[str, Any]) -> str:
    count = facts["processes"]
    where = f"{count:,} process{'' if count == 1 else 'es'} on {facts['device']}"
    until = f"{facts['steps']:,} steps" + (f" or {readable_time(facts['seconds'])}" if facts["seconds"] else "")
    return f"{facts['name']}: {facts['parameters']:,} parameters, {where}, until {until}"


def _logged(line: Mapping[str, Any]) -> str:
    parts = [f"step {line['step']:,}", f"loss {line['loss']:.4f}"]
    if line.get("held out"):
        parts.append(f"held out {line['held out']['mean']:.4f}")
    parts += [f"{name} {value:.4g}" for name, value in line.get("few_shot", {}).items()]
    parts += [f"{line['windows_per_second']:,.0f} windows/s", f"rate {line['rate']:.3g}"]
    return ", ".join(parts)


def readable_time(seconds: float) -> str:
    """``"45s"``, ``"3m 20s"``, ``"5h 03m"``, ``"2d 04h"``."""
    whole = round(seconds)
    for size, unit, smaller, name in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            return f"{whole // size}{unit} {whole % size // smaller:02d}{name}"
    return f"{whole}s"


def pretrained(console: Console, account: Mapping[str, Any]) -> None:
    """Where the run stands, and where its checkpoint is."""
    if account["resumed"] is not None:
        console.note(f"went on from step {account['resumed']:,}")
    if account["rows_matched"] is not None:
        sets = counted(account["sets"], "set")
        console.note(f"{account['rows_matched']:,} of {sets} found their token in the checkpoint it began with")
    console.say(
        f"{account['name']}: step {account['steps']:,} of {account['steps_asked']:,}, {account['windows']:,} windows, "
        f"{readable_time(account['seconds'])} of training"
    )
    if account["held_out"]:
        console.say("loss on held-out sets: " + ", ".join(f"{k} {v:.4f}" for k, v in account["held_out"].items()))
    if account["stopped"] == "time":
        console.note("the budget is spent; the same command goes on from here")
    console.say(f"checkpoint: {account['checkpoint']}")


def listed(console: Console, account: Mapping[str, Any]) -> None:
    """The shipped configurations."""
    rows = [
        [c["name"], c["backbone"], f"{c['parameters']:,}", c["stream"], f"{c['steps']:,}", f"{c['pieces']:,}"]
        for c in account["configurations"]
    ]
    console.table(["name", "backbone", "parameters", "stream", "steps", "pieces"], rows)
