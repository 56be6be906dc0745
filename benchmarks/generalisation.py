"""How far one checkpoint reaches: prompt-only samples at lengths and channel counts in and beyond the trained range.

    python benchmarks/generalisation.py runs/small/ --json reach.json
    python benchmarks/generalisation.py small --lengths 24 512 --channels 1 128

Ten shots and 24 steps unless they are what is varied. Lengths: recordings that every corpus holds out for
validation, cut by the strict protocol, and synthetic sets drawn anew. Channels: synthetic sets drawn anew, since
no such recording has more than seven. Scores are the quick metrics; ``ratio`` is the geometric mean, over
sets and metrics, of score over that of copies (1 is as good as handing the shots back, lower is better), ``floor`` the
same of another real sample, ``copying`` the distance to the shots over that of unseen series (0: copies, 1: like new
ones).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tsprout.checkpoint import load
from tsprout.data.processes import draw_synthetic
from tsprout.data.protocols import Split
from tsprout.data.protocols.scaler import Standardizer
from tsprout.errors import InputError, TsproutError
from tsprout.model import Denoiser
from tsprout.series import SeriesSet
from tsprout.train.fewshot import Task, TaskName, prepare_task, ratio, score

LENGTHS = (8, 12, 24, 48, 96, 192, 256, 384, 512)
CHANNELS = (1, 2, 4, 8, 16, 32, 64, 96, 128)
RECORDINGS = ("BikeSharing", "SeattleTrail", "SteamGen", "MBA_ECG", "VicElec")
SHOTS = 10


def synthetic_task(number: int, channels: int, length: int, size: int) -> Task:
    """Set ``number`` of a fixed series of synthetic ones: shots, and ``2 * size`` others to compare with."""
    rng = np.random.default_rng([2026, number, channels, length])
    series = draw_synthetic(rng, SHOTS + 2 * size, channels, length)
    shots, rest = SeriesSet.from_arrays(series[:SHOTS]), SeriesSet.from_arrays(series[SHOTS:])
    whole = Standardizer(np.zeros(channels), np.ones(channels), "z-score")
    origin: dict[str, np.ndarray] = {}
    split = Split("synthetic", "strict", length, number, shots, None, rest, whole, False, origin, SHOTS, 2 * size, ())
    return prepare_task(TaskName(f"synthetic-{number}", SHOTS, length, number), split=split, size=size)


def row(model: Denoiser, tasks: list[Task], size: int) -> dict[str, Any]:
    """One line of a table: ratios and copying over ``tasks``, and how many of them there are."""
    begun = time.perf_counter()
    found = score(model, tasks, n=size)
    floors = [
        math.log(ratio(name, task["floor"][name], task))
        for task in found["tasks"].values()
        for name in task["ratio"]
        if math.isfinite(task["floor"][name])
    ]
    copying = [task["value"]["copying"] for task in found["tasks"].values()]
    return {
        "ratio": found["few-shot"],
        "floor": math.exp(sum(floors) / len(floors)),
        "copying": float(np.nanmean(copying)),
        "sets": len(tasks),
        "by metric": found["ratio"],
        "seconds": round(time.perf_counter() - begun, 1),
    }


def recorded(length: int, size: int) -> list[Task]:
    """Tasks of the recordings that are long enough."""
    tasks = []
    for name in RECORDINGS:
        try:
            tasks.append(prepare_task(TaskName(name, SHOTS, length, 0), size=size))
        except InputError as error:
            print(f"{name} at {length}: {error}", file=sys.stderr)
    return tasks


def tables(found: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """What a model card shows, see ``tsprout.card``."""
    about = (
        "Prompt-only samples of ten shots: quick metrics, geometric mean of score over that of handing the shots back "
        "(lower is better), the same of another real sample (floor), and the distance to the shots over that of unseen "
        "series (0: copies)."
    )
    made = []
    for kind, lines in found.items():
        what, of = kind.split(", ")
        rows = [
            {what: k, "ratio to copies": f"{r['ratio']:.2f}", "floor": f"{r['floor']:.2f}"}
            | {"copying": f"{r['copying']:.2f}", "sets": r["sets"]}
            for k, r in lines.items()
        ]
        if rows:
            made.append({"title": f"Reach: {what}, {of} sets", "about": about, "rows": rows})
    return made


def markdown(table: dict[str, Any]) -> str:
    """A table of :func:`tables`, without its words."""
    head = list(table["rows"][0])
    lines = [head, ["---"] * len(head), *([str(row[key]) for key in head] for row in table["rows"])]
    return "\n".join([f"{table['title']}\n", *(f"| {' | '.join(cells)} |" for cells in lines)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="bundled name or folder")
    parser.add_argument("--lengths", type=int, nargs="*", default=list(LENGTHS))
    parser.add_argument("--channels", type=int, nargs="*", default=list(CHANNELS))
    parser.add_argument("--synthetic", type=int, default=4, help="synthetic sets a line")
    parser.add_argument("-n", type=int, default=200, help="series to draw, and most on each side of a score")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    loaded = load(asked.checkpoint)
    if seen := sorted(set(RECORDINGS) & set(loaded.info.get("sets", {}))):
        print(f"this checkpoint was trained on: {', '.join(seen)}", file=sys.stderr)
    found: dict[str, dict[str, Any]] = {"length, recorded": {}, "length, synthetic": {}, "channels, synthetic": {}}

    def note(kind: str, key: int, tasks: list[Task]) -> None:
        if tasks:
            found[kind][str(key)] = row(loaded.model, tasks, asked.n)
            print(kind, key, json.dumps(found[kind][str(key)]), file=sys.stderr, flush=True)

    def drawn(channels: int, length: int) -> list[Task]:
        return [synthetic_task(number, channels, length, asked.n) for number in range(asked.synthetic)]

    for length in asked.lengths:
        note("length, recorded", length, recorded(length, asked.n))
        note("length, synthetic", length, drawn(3, length))
    for channels in asked.channels:
        note("channels, synthetic", channels, drawn(channels, 24))
    made = tables(found)
    print("\n\n".join(map(markdown, made)))
    if asked.json:
        asked.json.write_text(json.dumps({"tables": made, "found": found}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except TsproutError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
