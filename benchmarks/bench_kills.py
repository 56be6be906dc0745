"""A benchmark killed at random moments (SIGKILL): are its tables and exports those of an unbroken run?

    python benchmarks/bench_kills.py --out kills/ --kills 20

Simple baselines on generated sines, so that a cell takes a fraction of a second and most kills meet one at work.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import random
import signal
import time
from importlib import import_module
from pathlib import Path

from tsprout.bench.executors import PRELOAD, LocalExecutor
from tsprout.bench.jobs import export, table
from tsprout.bench.runner import run
from tsprout.bench.spec import build
from tsprout.bench.store import CELLS

VALUES = {
    "name": "kills",
    "protocol": "strict",
    "sets": ["Sine"],
    "shots": [5, 10],
    "lengths": [24],
    "seeds": [0, 1],
    "reference": 100,
    "series": 60,
    "suites": [{"name": "quick", "size": 10, "splits": 1}, {"name": "quick", "label": "more", "size": 20, "splits": 1}],
    "models": ["copies", "jitter", "mixup", "scaling", "levels-shapes"],
}


def once(out: str) -> None:
    """A run with a process of its own for every job."""
    run(build(VALUES, "kills"), out, LocalExecutor(1, "fork"))


def digest(folder: Path, place: Path) -> str:
    """Of every table and export."""
    found = hashlib.sha256()
    for kind in ("csv", "json"):
        export(folder, place / f"scores.{kind}", force=True)
        found.update((place / f"scores.{kind}").read_bytes())
    for kind in ("md", "latex", "csv", "html"):
        found.update(str(table(folder, format=kind)["text"]).encode())
    return found.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="a new folder")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--longest", type=float, default=4.0, help="seconds until a kill, at most")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True)
    for name in PRELOAD:  # once here, and not in every process that is forked
        import_module(name)
    chance, context, killed = random.Random(asked.seed), multiprocessing.get_context("fork"), 0
    broken, whole = asked.out / "broken", asked.out / "whole"
    for number in range(asked.kills):
        process = context.Process(target=once, args=(str(broken),))
        process.start()
        process.join(chance.uniform(0.05, asked.longest))
        if process.is_alive():
            os.kill(process.pid or 0, signal.SIGKILL)
            killed += 1
        process.join()
        done = len(list((broken / CELLS).glob("*.json")))
        print(f"{number + 1}: {done} cells are done", flush=True)
    time.sleep(0.2)
    once(str(broken))
    begun = time.monotonic()
    once(str(whole))
    same = digest(broken, asked.out) == digest(whole, asked.out)
    print(
        f"{killed} kills; an unbroken run takes {time.monotonic() - begun:.0f} s; tables and exports identical: {same}"
    )
    raise SystemExit(not same)


if __name__ == "__main__":
    main()
