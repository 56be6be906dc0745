"""Whole commands: seconds and peak memory of what a user waits for, each a process of its own.

    python benchmarks/job_speed.py --rounds 5

The commands take turns, so that a machine that slows down slows all of them; medians are printed, and the ratio to a
bare ``import torch``, which every command that draws has to pay. The large job is there for its memory; two solver
steps a series do for that.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


def measured(command: list[str]) -> tuple[float, float]:
    """Wall seconds and peak memory in MB of a command; stops the benchmark if it fails."""
    begun = time.perf_counter()
    pid = os.posix_spawnp(
        command[0],
        command,
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_WRONLY, 0) for fd in (1, 2)],
    )
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)}: status {status}")
    return time.perf_counter() - begun, usage.ru_maxrss / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--large", type=int, default=100_000, help="series of the large job, run once; 0 leaves it out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rng = np.random.default_rng(0)
        walk = rng.standard_normal((10, 24, 7)).cumsum(1)
        rows = ["item_id,timestamp," + ",".join(f"c{i}" for i in range(7))]
        for i in range(10):
            rows += [f"s{i},{t}," + ",".join(f"{v:.3f}" for v in walk[i, t]) for t in range(24)]
        source = folder / "shots.csv"
        source.write_text("\n".join(rows) + "\n")
        python = sys.executable
        run = [python, "-m", "tsprout", "run", str(source), "--mode", "prompt", "--force", "-o"]
        commands = {
            "import torch": [python, "-c", "import torch"],
            "import tsprout": [python, "-c", "import tsprout"],
            "tsprout --help": [python, "-m", "tsprout", "--help"],
            "tsprout run --mode prompt -n 1000": [*run, str(folder / "out")],
            "demo (run, 30 s budget)": [python, "-m", "tsprout.demo", str(folder / "demo")],
        }
        times: dict[str, list[tuple[float, float]]] = {key: [] for key in commands}
        for _ in range(options.rounds):
            for key, command in commands.items():
                times[key].append(measured(command))
        bare = statistics.median(seconds for seconds, _ in times["import torch"])
        results = {}
        for key, found in times.items():
            seconds = statistics.median(s for s, _ in found)
            results[key] = {
                "median seconds": round(seconds, 2),
                "times import torch": round(seconds / bare, 2),
                "peak MB": round(max(m for _, m in found)),
            }
        if options.large:
            seconds, peak = measured([*run, str(folder / "large"), "-n", str(options.large), "--steps", "2"])
            results[f"tsprout run --mode prompt -n {options.large} --steps 2"] = {
                "seconds": round(seconds, 1),
                "peak MB": round(peak),
            }
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
