"""Gaps of long recordings filled in windows: which length of windows, and whether in windows at all.

    python benchmarks/recordings.py --windows 48 96 192
    python benchmarks/recordings.py --steps 400 --count 6 --windows 48 96 192 0     # 0: whole

Recordings of sets that the bundled model has not seen, of up to six channels, with a seventh of the cells missing, in
each channel elsewhere: ``points``, stretches of 8 (``short``) and of 32 steps (``long``). The model is shown the half
overlapping windows of the same recordings, gaps and all, and not trained. Errors as in ``imputation.py``: mean absolute
error of the median of the draws, continuous ranked probability score, share of hidden values in the middle 80 %.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from imputation import errors, windows

from tsprout import SeriesSet, Sprout
from tsprout.data.gaps import complete

SETS = ("VicElec", "BikeSharing", "SteamGen", "MBA_ECG", "SeattleTrail")
STRETCHES = {"points": 1, "short": 8, "long": 32}
SHARE, CHANNELS = 0.15, 6


def hidden(size: int, shape: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    """Which cells are hidden, in stretches of ``size``."""
    if size == 1:
        return rng.random(shape) < SHARE
    out = np.zeros(shape, bool)
    for row in out.reshape(-1, shape[-1]):
        for start in rng.integers(1, shape[-1] - size, int(SHARE * shape[-1] / size)):
            row[start : start + size] = True
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--windows", nargs="+", type=int, default=[96])
    parser.add_argument("--draws", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(1)
    names = ["linear", *(str(window) if window else "whole" for window in options.windows)]
    print(f"| set, gaps | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|", sep="\n")
    for name in options.sets:
        truth = windows(name, options.count, np.random.default_rng(0), options.steps, CHANNELS)
        for kind, size in STRETCHES.items():
            gap = hidden(size, truth.shape, np.random.default_rng(1))
            lengths = np.full(options.count, options.steps)
            series = SeriesSet.from_arrays(np.where(gap, np.nan, truth), lengths=lengths)
            made = [complete(series.values, lengths)[None]]
            for window in options.windows:
                fitted = Sprout.from_pretrained().fit(
                    series.windows(window, window // 2) if window else series, "prompt"
                )
                made.append(fitted.completions(series, draws=options.draws))
            cells = [
                " / ".join(f"{v:.3f}".lstrip("0") for v in errors(truth, gap, each)[: 3 if len(each) > 1 else 1])
                for each in made
            ]
            print(f"| {name}, {kind} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
