"""Baselines: seconds to fit and to draw, and peak memory, of each, on the same job in the same run.

    python benchmarks/baselines.py                              # all of them; --models gp var: some
    python benchmarks/baselines.py --input shots.csv -n 1000    # on a file instead of the made job
    python benchmarks/baselines.py --checkpoint runs/paper-6m --options '{"timegan": {"iterations": 100}}'

Each is a process of its own, one after the other. Times are those of the fit and of the drawing alone, without starting
Python and reading; memory is the peak of the process, ``idle`` what Python with its libraries holds before any work.
A method of another library works in a second process: its start is part of the times, and the larger of the two peaks
is told. The job is ten series of seven channels and 24 steps, with levels, a season and a random walk, made from a
fixed seed. Prints a Markdown table, fastest first, with the hyper-parameters that are not the published ones; a method
that fails has its error there, and the rest go on.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

CHILD = "--child"


def job(path: Path | None, shape: tuple[int, int, int]) -> Any:
    """The series of ``path``, or made ones of ``(series, channels, steps)``."""
    import numpy as np

    from tsprout import SeriesSet, read

    if path is not None:
        return read(path)
    n, channels, length = shape
    rng = np.random.default_rng(0)
    season = np.sin(2 * np.pi * np.arange(length) / 12 + rng.uniform(0, 2 * np.pi, (n, channels, 1)))
    walk = 0.3 * rng.standard_normal((n, channels, length)).cumsum(axis=2)
    return SeriesSet.from_arrays(rng.normal(10, 2, (n, channels, 1)) + season + walk)


def measure(name: str, options: argparse.Namespace) -> dict[str, float]:
    """Fit and draw in this process: seconds, and megabytes before and at most."""
    from tsprout import Sprout
    from tsprout.accounts import peak_memory
    from tsprout.baselines import get, names
    from tsprout.peer import Peer

    series = job(options.input, tuple(options.shape))
    own = settings(name, options)
    sprout = Peer(get(name)(**own)) if name in names() else Sprout.from_pretrained(name)
    idle = peak_memory() or 0
    begun = time.perf_counter()
    fitted = sprout.fit(series, seed=0)
    between = time.perf_counter()
    for _ in fitted.sample_batches(options.n, seed=0):
        pass
    ended = time.perf_counter()
    most = max(peak_memory() or 0, peak_of_children())
    return {"fit": between - begun, "sample": ended - between, "idle": idle / 1e6, "peak": most / 1e6}


def settings(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Hyper-parameters of a baseline that are not its published ones, and the checkpoint of the one that needs it."""
    start = {"checkpoint": options.checkpoint} if name == "imagenfew" and options.checkpoint else {}
    return start | dict(json.loads(options.options).get(name, {}))


def peak_of_children() -> int:
    """Largest resident memory in bytes of a process that this one started and that has ended; 0 where unknown."""
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def apart(name: str, given: list[str], limit: float) -> dict[str, Any]:
    """What :func:`measure` finds in a process of its own; ``{"error": ...}`` where it fails or takes too long."""
    command = [sys.executable, __file__, CHILD, name, *given]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"stopped after {limit:.0f} s"}
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        # What was wrong is said on the line that names the error; what to do about it may follow.
        named = [line.partition(": ")[2] for line in lines if line.startswith("tsprout.errors.")]
        return {"error": (named or lines or ["no message"])[-1]}
    return dict(json.loads(done.stdout.splitlines()[-1]))


def table(found: dict[str, dict[str, Any]], n: int) -> str:
    """Markdown, fastest first, failures last."""
    lines = [
        f"| model | fit, s | draw {n}, s | peak memory, MB | above idle, MB | set otherwise |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, one in sorted(found.items(), key=lambda item: item[1].get("fit", 1e9) + item[1].get("sample", 0)):
        if "error" in one:
            lines.append(f"| {name} | {one['error']} | | | | |")
        else:
            above = one["peak"] - one["idle"]
            times = f"{one['fit']:.2f} | {one['sample']:.2f} | {one['peak']:.0f} | {above:.0f}"
            changed = ", ".join(f"{key} {value}" for key, value in one["settings"].items())
            lines.append(f"| {name} | {times} | {changed} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--models", nargs="+", metavar="NAME", help="baselines or checkpoints; all baselines by default"
    )
    parser.add_argument("--input", type=Path, help="file with the series, in the place of the made job")
    parser.add_argument("--shape", type=int, nargs=3, default=[10, 7, 24], metavar=("SERIES", "CHANNELS", "STEPS"))
    parser.add_argument("-n", type=int, default=1000, help="series to draw")
    parser.add_argument("--limit", type=float, default=3600, help="seconds after which a method is stopped")
    parser.add_argument("--checkpoint", help="of the paper's kind, for imagenfew, which has no time without one")
    parser.add_argument("--options", default="{}", help="JSON: hyper-parameters that are not the published, by model")
    parser.add_argument(CHILD, metavar="NAME", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(options.child, options)))
        return
    from tsprout.baselines import names

    given = ["--shape", *map(str, options.shape), "-n", str(options.n), "--options", options.options]
    given += [] if options.checkpoint is None else ["--checkpoint", options.checkpoint]
    given += [] if options.input is None else ["--input", str(options.input)]
    found: dict[str, dict[str, Any]] = {}
    for name in options.models or names():
        changed = {key: value for key, value in settings(name, options).items() if key != "checkpoint"}
        found[name] = apart(name, given, options.limit) | {"settings": changed}
        print(f"{name}: {found[name]}", file=sys.stderr, flush=True)
    print(f"{os.cpu_count()} cores, {os.environ.get('OMP_NUM_THREADS', 'all')} threads\n")
    print(table(found, options.n))


if __name__ == "__main__":
    main()
