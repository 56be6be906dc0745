"""The accounts of the jobs as a person reads them: calm, short, and with every warning said."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tsprout.console import Console
from tsprout.progress import Progress
from tsprout.staging import readable_bytes


def number(value: Any) -> str:
    """Four significant digits; ``"-"`` for what is missing or not finite."""
    if value is None or value != value:
        return "-"
    return f"{value:,.0f}" if isinstance(value, int) or (abs(value) >= 1e4 and abs(value) < 1e9) else f"{value:.4g}"


def counted(count: int, word: str) -> str:
    """``"1 channel"``, ``"3 channels"``; series is its own plural."""
    return f"{count:,} {word}" if count == 1 or word == "series" else f"{count:,} {word}s"


PERIODS = {"s": "second", "min": "minute", "h": "hour", "D": "day", "W": "week", "B": "business day"}
PERIODS |= {"MS": "month", "ME": "month", "QS": "quarter", "QE": "quarter", "YS": "year", "YE": "year"}


def every(frequency: str) -> str:
    """A pandas offset alias in words where it is a common one: ``"hour"`` for ``"h"``, but ``"15min"`` as it is."""
    return PERIODS.get(frequency.partition("-")[0], frequency)


def input_lines(console: Console, described: Mapping[str, Any]) -> None:
    """What was read, with notices and warnings."""
    shortest, longest = described["lengths"]["shortest"], described["lengths"]["longest"]
    steps = counted(longest, "step") if shortest == longest else f"{shortest:,} to {longest:,} steps"
    parts = [counted(described["n_series"], "series"), counted(described["n_channels"], "channel"), steps]
    if described["frequency"]:
        parts.append(f"one every {every(described['frequency'])}")
    if described["missing_share"] > 0:
        parts.append(f"{100 * described['missing_share']:.1f} % missing")
    console.say(f"{described['file']}: {', '.join(parts)}")
    if taken := read_as(described["columns"]):
        console.say(f"read as: {taken}")
    for text in described["notices"]:
        console.note(text)
    for text in described["warnings"]:
        console.warn(text)


def read_as(columns: Mapping[str, Any]) -> str:
    """Which column was taken as what, such as ``id 'patient', time 'time'``; empty where none was."""
    each = [f"a series a {columns['series']}"] if columns["series"] else []
    named = [f"{role} {columns[role]!r}" for role in ("id", "time", "label") if columns[role] is not None]
    copied = [", ".join(map(repr, columns["copied"])) + " (copied to new series)"] if columns["copied"] else []
    return ", ".join([*each, *named, *copied])


def inspect(console: Console, account: Mapping[str, Any]) -> None:
    """The input, and a row for each channel with the transform it would get."""
    described = account["input"]
    input_lines(console, described)
    rows = []
    for entry in described["channels"]:
        transform = str(entry.get("transform", "-"))
        kinds = [kind for kind in ("constant", "binary", "integer") if entry.get(kind)]
        rows.append(
            [
                entry["channel"],
                number(entry["min"]),
                number(entry["median"]),
                number(entry["max"]),
                f"{100 * entry['missing_share']:.1f}%",
                kinds[0] if kinds else "real",
                f"{transform}, by label" if entry.get("by_label") else transform,
                str(entry.get("reason", "")).removeprefix(f"{transform}: "),
            ]
        )
    console.say()
    console.table(["channel", "min", "median", "max", "missing", "kind", "transform", "because"], rows)


def fit_lines(console: Console, account: Mapping[str, Any]) -> None:
    """Which mode was kept and why."""
    report = account["fit"]
    if report:
        seconds = account["seconds"].get("fit")
        spent = f" ({seconds:.1f} s)" if seconds is not None else ""
        console.say(f"kept mode {report.get('mode')}{spent}: {report.get('reason', '')}")
        for text in report.get("notes", ()):
            console.note(str(text))


def fit(console: Console, account: Mapping[str, Any]) -> None:
    """The account of ``tsprout fit``."""
    input_lines(console, account["input"])
    fit_lines(console, account)
    console.say(f"model: {account['files']['model']}")


def push(console: Console, account: Mapping[str, Any]) -> None:
    """The account of ``tsprout push``."""
    if account["shots"]:
        console.warn("the series it was fitted to were pushed with it")
    console.say(f"{', '.join(account['files'])} in {account['seconds']['push']:.1f} s: {account['commit']}")


def sample(console: Console, account: Mapping[str, Any]) -> None:
    """The account of ``tsprout sample``."""
    console.say(f"{_made(account)} in {account['seconds']['sample']:.1f} s: {account['files']['synthetic']}")


def _made(account: Mapping[str, Any]) -> str:
    """How many series, and of which labels where that was asked for."""
    sampling = account["sampling"]
    each = ", ".join(f"{count:,} {label}" for label, count in sampling.get("labels", {}).items())
    return counted(sampling["n"], "series") + (f" ({each})" if each else "")


def impute(console: Console, account: Mapping[str, Any]) -> None:
    """The account of ``tsprout impute``."""
    input_lines(console, account["input"])
    fit_lines(console, account)
    made, check = account["imputed"], account["check"]
    if not made["cells"] + made["left"]:
        console.note("nothing is missing")
    else:
        of = f"{counted(made['cells'], 'missing value')} in {counted(made['series'], 'series')}"
        console.say(f"{of} filled in {account['seconds']['impute']:.1f} s")
    if check is not None:
        told = f"{counted(check['hidden'], 'value')} hidden in gaps like these and filled again: off by "
        told += f"{number(check['error'])} standard deviations on average, straight lines by "
        told += number(check["error_of_straight_lines"])
        if check["within"] is not None:
            told += (
                f"; {100 * check['within']:.0f} % lie in the range of the middle {100 * check['of']:.0f} % of the draws"
            )
        console.say(told)
        if check["hidden"] >= 30 and check["error"] > check["error_of_straight_lines"]:
            console.warn("straight lines fill gaps like these better than the model does")
    for text in account["notes"]:
        console.note(text)
    console.say(f"filled: {account['files']['imputed']}")


def run(console: Console, account: Mapping[str, Any]) -> None:
    """The account of ``tsprout run`` after its input lines, which are shown as soon as they are known."""
    fit_lines(console, account)
    scores(console, account["scores"])
    files, seconds = account["files"], account["seconds"]
    memory = account["peak_memory_bytes"]
    held = f", {readable_bytes(memory)} of memory at most" if memory else ""
    console.say()
    console.say(f"{_made(account)} in {seconds['total']:.1f} s{held}")
    console.say(f"  series   {files['synthetic']}")
    console.say(f"  report   {files['report']}")
    console.say(f"  picture  {files['picture']}")
    console.say(f"  summary  {files['summary']}")
    if "model" in files:
        console.say(f"  model    {files['model']}")


def scores(console: Console, found: Mapping[str, Any]) -> None:
    """A small table: each score beside what another real sample, the input handed back, and plain noise would get."""
    columns = ("value", "floor", "shots_copied", "noise")
    rows = [
        [str(entry["title"]), *(number(entry[column]) for column in columns), str(entry["verdict"])]
        for entry in found["scores"].values()
        if entry["value"] is not None
    ]
    if rows:
        console.say()
        console.table(["score", "synthetic", "floor (real)", "input itself", "noise", "verdict"], rows)
    console.say(str(found["summary"]))
    for text in found["notes"]:
        if text != found["summary"]:
            console.note(str(text))


def evaluation(console: Console, account: Mapping[str, Any]) -> None:
    """The scores, the page if one was written, and what is beyond a limit; with ``quiet`` the verdict alone."""
    if console.quiet and not console.as_json:
        print(account["scores"]["summary"], file=console.out)
    scores(console, account["scores"])
    if account["files"]["html"]:
        console.say(f"report: {account['files']['html']}")
    for text in account["failed"]:
        console.warn(text)


@contextmanager
def watched(console: Console) -> Iterator[Progress | None]:
    """Bars on a terminal, a line now and then elsewhere."""
    with console.progress() as bars, spoken(console, bars) as progress:
        yield progress


@contextmanager
def spoken(console: Console, bars: Progress | None, every_seconds: float = 30.0) -> Iterator[Progress | None]:
    """``bars`` where there are any; else a line on standard error every so many seconds, unless ``quiet``.

    A thread says it, because a single step may take longer than that.
    """
    if bars is not None or console.quiet:
        yield bars
        return
    start, ended = time.monotonic(), threading.Event()
    state = ["reading"]

    def report(stage: str, done: int, total: int) -> None:
        state[0] = f"{stage}: {done:,} of {total:,}" if total else stage

    def speak() -> None:
        while not ended.wait(every_seconds):
            print(f"{state[0]} ({time.monotonic() - start:.0f} s)", file=console.err, flush=True)

    thread = threading.Thread(target=speak, daemon=True)
    thread.start()
    try:
        yield report
    finally:
        ended.set()
        thread.join()


def doctor(console: Console, account: Mapping[str, Any]) -> None:
    """A row for each check, the extras, and what to do about what is not well."""
    rows = [["ok" if item["ok"] else "not ok", item["check"], item["found"]] for item in account["checks"]]
    rows += [["ok" if there else "absent", f"extra {name}", ""] for name, there in account["extras"].items()]
    console.table(["", "check", "found"], rows)
    for item in account["checks"]:
        if not item["ok"]:
            console.warn(f"{item['check']}: {item['fix']}")
    console.say("all is well" if account["ok"] else "something is not well")


def models(console: Console, account: Mapping[str, Any]) -> None:
    """A row for each bundled checkpoint, and one for each baseline."""
    rows = [
        [
            card["name"],
            f"{card['parameters']:,}",
            readable_bytes(card["bytes"]),
            _span(card, "lengths"),
            _span(card, "channels"),
            str(card["format"]),
            str(card["info"].get("licence", "-")),
        ]
        for card in account["models"]
    ]
    if rows:
        console.table(["model", "parameters", "size", "lengths", "channels", "format", "licence"], rows)
    else:
        console.say("no model is bundled with this installation")
    baselines = account.get("baselines", [])
    if baselines:
        console.say()
        usable = [entry for entry in baselines if entry["error"] is None]
        console.table(["baseline", "draws", "from"], [[e["name"], e["summary"], e["package"]] for e in usable])
    for entry in baselines:
        if entry.get("lacks") is not None:
            console.say(f"{entry['name']} needs {entry['lacks']}")
        if entry["error"] is not None:
            console.warn(f"{entry['name']} cannot be used: {entry['error']}")


def _span(card: Mapping[str, Any], what: str) -> str:
    possible, trained = "{} to {}".format(*card[what]), card["info"].get(what)
    return possible if trained is None else "{} (trained on {} to {})".format(possible, *trained)
