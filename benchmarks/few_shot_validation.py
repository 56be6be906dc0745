"""Score a checkpoint prompt-only on the few-shot tasks of the held-out domains (tsprout/train/fewshot.py).

    python benchmarks/few_shot_validation.py small
    python benchmarks/few_shot_validation.py runs/a --tasks quick long --suite paper --cache kept/ --json a.json

A bundled name or the folder of a checkpoint. Beside every score stand its floor (another real sample), copies of the
shots and noise; ``ratio`` is the geometric mean over tasks of score over copies, below 1 is better than handing the
shots back. ``--suite paper`` adds Context-FID and Disc on standardised series; it takes some 20 s a task.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from pathlib import Path

import torch

from tsprout.checkpoint import load
from tsprout.errors import TsproutError
from tsprout.train.fewshot import SIZE, left_out_sets, prepare, score

KINDS = ("mean", "floor", "copies", "noise")


def table(found: dict, by_task: str) -> str:
    """Markdown: one line a metric over all tasks, then one line a task with the metric ``by_task``."""
    lines = ["| metric | model | floor | copies | noise | ratio to copies | better than copies |", "|---" * 7 + "|"]
    for name in found["mean"]:
        means = [_number(found[kind].get(name)) for kind in KINDS]
        ratio, wins = found["ratio"].get(name), found["wins"].get(name)
        share = "" if wins is None or math.isnan(wins) else f"{100 * wins:.0f} %"
        lines.append(f"| {name} | {' | '.join(means)} | {_number(ratio)} | {share} |")
    lines += ["", f"| task ({by_task}) | model | floor | copies | noise | copying | few-shot | s |", "|---" * 8 + "|"]
    for name, task in found["tasks"].items():
        sides = [_number(task[kind].get(by_task)) for kind in ("value", "floor", "copies", "noise")]
        ratios = [math.log(v) for v in task["ratio"].values() if math.isfinite(v)]
        own = math.exp(sum(ratios) / len(ratios)) if ratios else math.nan
        copying = _number(task["value"]["copying"])
        lines.append(f"| {name} | {' | '.join(sides)} | {copying} | {_number(own)} | {task['seconds']:.1f} |")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.3g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="bundled name or folder")
    parser.add_argument("--tasks", nargs="+", default=["quick"], help="quick, long, full, or set/shots/length/seed")
    parser.add_argument("--suite", default="fast", choices=("fast", "paper"))
    parser.add_argument("-n", type=int, default=SIZE, help="series to draw for each task")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="of the solver")
    parser.add_argument("--no-calibration", action="store_true")
    parser.add_argument("--repeats", type=int, default=3, help="of the classifiers of the paper suite")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--cache", type=Path, help="folder for the scores of floor, copies and noise")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    loaded = load(options.checkpoint, device=options.device)
    begun = time.perf_counter()
    tasks = prepare(options.tasks, size=options.n, cache=options.cache, repeats=options.repeats)
    ready = time.perf_counter()
    found = score(
        loaded.model,
        tasks,
        n=options.n,
        seed=options.seed,
        steps=options.steps,
        calibrated=not options.no_calibration,
        suite=options.suite,
    )
    done = time.perf_counter()
    known = set(loaded.info.get("sets", {}))
    seen = sorted({task.name.set for task in tasks} & known)
    print(table(found, "frechet" if options.suite == "fast" else "cfid"))
    took = f"prepared {ready - begun:.1f} s, scored {done - ready:.1f} s"
    print(f"\nfew-shot {found['few-shot']:.4f} ({len(tasks)} tasks; {took})")
    if seen:
        print(f"It was trained on {len(seen)} of these sets, so this is no validation of it: {', '.join(seen)}.")
    if trained := sorted(set(left_out_sets()) & known - set(seen)):
        print(f"It was trained on other sets of the held-out domains: {', '.join(trained)}.")
    if options.json:
        options.json.write_text(json.dumps(found | {"seen in training": seen}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except TsproutError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
