"""The main job, measured: ``tsprout run`` on few-shot CSV files of evaluation sets, scored on unseen real series.

    python benchmarks/main_job.py --out results/ --seeds 3 --modes prompt full --markdown table.md

For every set, seed and mode: 10 windows of 24 steps are written as a CSV, ``tsprout run -n 1000`` is a process of its
own, and its output file is compared with up to 2,000 held-out real windows of other stretches of time (the strict
protocol, docs/protocols.md). Beside every score stand its floor (two halves of the real windows), and its ceilings (the
ten shots copied, and noise). A finished cell is not run again.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from tsprout.data import files
from tsprout.data.protocols import Split, strict
from tsprout.metrics.quick import quick_scores

SETS = ("ETTm1", "AirQuality", "ECG200", "SaugeenRiverFlow", "ILI")
SCORES = ("marginal", "autocorrelation", "correlation", "frechet", "discriminative", "copying", "near_copies")


def write_csv(task: Split, path: Path) -> None:
    """Shots as a long CSV, as a user would have them."""
    start = np.datetime64("2024-01-01T00:00:00")
    with open(path, "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["item_id", "timestamp", *task.channels])
        for i, series in enumerate(task.shots.values):
            for step in range(series.shape[1]):
                stamp = str(start + np.timedelta64(step, "h")).replace("T", " ")
                cells = ["" if np.isnan(v) else repr(float(np.float32(v))) for v in series[:, step]]
                out.writerow([f"window_{i}", stamp, *cells])


def run_cell(task: Split, mode: str, seed: int, budget: str, folder: Path) -> dict[str, object]:
    """One run of the command line, and the scores of what it wrote."""
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "shots.csv"
    write_csv(task, source)
    command = [sys.executable, "-m", "tsprout", "run", str(source), "-n", "1000", "-o", str(folder / "out"), "--force"]
    command += ["--mode", mode, "--seed", str(seed), "--budget", budget, "--json"]
    begun = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - begun
    if done.returncode:
        raise SystemExit(f"{task.name} {mode} seed {seed}: exit {done.returncode}\n{done.stderr}")
    summary = json.loads(done.stdout)
    synthetic = files.read(folder / "out" / "synthetic.csv").values
    scores = quick_scores(task.reference.values, synthetic, shots=task.shots.values, seed=seed)
    rows = {row["name"]: row for row in scores.table() if row["name"] in SCORES}
    peak = summary.get("peak_memory_bytes") or resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return {
        "set": task.name,
        "mode": mode,
        "seed": seed,
        "seconds": round(seconds, 1),
        "peak memory MB": round(peak / 1e6),
        "kept": summary["fit"]["mode"],
        "steps": summary["fit"]["steps"],
        "scores": {
            name: {key: row[key] for key in ("value", "floor", "shots_copied", "noise")} for name, row in rows.items()
        },
    }


def markdown(cells: list[dict]) -> str:
    """One table a set: modes side by side, mean and spread over seeds, with floor and ceilings."""
    lines = []
    for name in dict.fromkeys(cell["set"] for cell in cells):
        own = [cell for cell in cells if cell["set"] == name]
        modes = list(dict.fromkeys(cell["mode"] for cell in own))
        lines += [f"### {name}", "", f"| | {' | '.join(modes)} | floor | shots copied | noise |"]
        lines.append("|---" * (len(modes) + 4) + "|")
        for what in ("seconds", "peak memory MB", "steps"):
            values = [f"{statistics.mean(c[what] for c in own if c['mode'] == m):.0f}" for m in modes]
            lines.append(f"| {what} | {' | '.join(values)} | | | |")
        for score in SCORES:
            rows = {m: [c["scores"][score] for c in own if c["mode"] == m and score in c["scores"]] for m in modes}
            if not any(rows.values()) or all(r["value"] is None for m in modes for r in rows[m]):
                continue
            values = [_spread([r["value"] for r in rows[m]]) for m in modes]
            every = [r for m in modes for r in rows[m]]
            sides = [_spread([r[key] for r in every]) for key in ("floor", "shots_copied", "noise")]
            lines.append(f"| {score} | {' | '.join(values)} | {' | '.join(sides)} |")
        lines.append("")
    return "\n".join(lines)


def _spread(values: list[float | None]) -> str:
    known = [v for v in values if v is not None]
    if not known:
        return ""
    spread = f" ± {statistics.stdev(known):.3f}" if len(known) > 1 else ""
    return f"{statistics.mean(known):.3f}{spread}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument("--modes", nargs="+", default=["prompt", "full"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--shots", type=int, default=10)
    parser.add_argument("--length", type=int, default=24)
    parser.add_argument("--budget", default="60s")
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    cells = []
    for seed in range(options.seeds):
        for name in options.sets:
            task = strict(name, shots=options.shots, length=options.length, seed=seed)
            for mode in options.modes:
                folder = options.out / name / f"{mode}-{seed}"
                record = folder / "cell.json"
                if not record.exists():
                    cell = run_cell(task, mode, seed, options.budget, folder)
                    record.write_text(json.dumps(cell, indent=1))
                    brief = {k: round(v["value"], 3) for k, v in cell["scores"].items() if v["value"] is not None}
                    print(name, mode, seed, cell["seconds"], "s", cell["steps"], brief, flush=True)
                cells.append(json.loads(record.read_text()))
    if options.markdown:
        options.markdown.write_text(markdown(cells))


if __name__ == "__main__":
    main()
