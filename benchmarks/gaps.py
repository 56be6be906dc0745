"""Series with gaps: what is drawn after them, beside what is drawn after the same series without.

    python benchmarks/gaps.py --modes prompt auto

Twenty-five windows of 24 steps of sets that the bundled model has not seen and that are not for evaluation, whole, and
with three in ten cells (``points``) or eight steps of all channels (``block``) taken away. Quick scores of 300 series
drawn against 300 unseen ones, which are whole.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from imputation import LENGTH, SETS, hidden, windows

from tsprout import SeriesSet, Sprout
from tsprout.metrics import quick_scores

SHOTS, DRAWN = 25, 300
SCORES = ("autocorrelation", "increments", "spectrum", "frechet", "discriminative", "copying")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modes", nargs="+", default=["prompt"])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=["BikeSharing", "SteamGen", "VicElec", "MBA_ECG"])
    parser.add_argument("--gaps", nargs="+", choices=("none", "points", "block"), default=["none", "points", "block"])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| set, gaps, mode | " + " | ".join(SCORES) + " |", "|---" * (len(SCORES) + 1) + "|", sep="\n")
    for name in options.sets:
        rng = np.random.default_rng(options.seed)
        both = windows(name, SHOTS + DRAWN, rng)
        shots, unseen = both[:SHOTS], both[SHOTS:]
        for kind in options.gaps:
            given = shots if kind == "none" else np.where(hidden(kind, shots.shape, rng), np.nan, shots)
            series = SeriesSet.from_arrays(given, lengths=np.full(SHOTS, LENGTH))
            for mode in options.modes:
                made = Sprout.from_pretrained().fit(series, mode, budget="10m", seed=options.seed)
                drawn = made.sample(DRAWN, seed=options.seed).values
                scores = quick_scores(unseen, drawn, shots=shots, seed=options.seed, max_series=DRAWN).scores
                found = {score.name: score.value.mean for score in scores}
                cells = [f"{found[score]:.3f}".lstrip("0") for score in SCORES]
                print(f"| {name}, {kind}, {mode} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
