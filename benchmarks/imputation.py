"""Gaps filled: by the model, beside what costs nothing.

    python benchmarks/imputation.py --modes prompt auto --shots 10 25 --seeds 3

Windows of 24 steps of sets that the bundled model has not seen and that are not for evaluation, as a user would have
them: so many series, all of them with gaps, and nothing else. ``points``: three in ten cells; ``block``: eight steps of
all channels, somewhere; ``sensor``: eight steps of half of the channels (of sets with several); ``end``: the last
eight steps. Errors of what was hidden, in standard deviations of a channel: mean absolute error of the median of the
draws, and the continuous ranked probability score, which is the absolute error for one who draws once (Gneiting and
Raftery 2007), with the share of hidden values between the tenth and the ninetieth part of the draws (.8 is right).
``linear``: straight lines; ``nearest``: the hidden cells of the series most like it, moved to its level; ``gaussian``:
what :mod:`tsprout.covariance` expects and how much it varies, without a model.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

from tsprout import SeriesSet, Sprout
from tsprout.covariance import covariance
from tsprout.data.catalog.sets import load_set
from tsprout.data.gaps import complete
from tsprout.data.scaling import Scaler

LENGTH = 24
SETS = ("BikeSharing", "SteamGen", "VicElec", "MBA_ECG", "SeattleTrail", "UEA_BasicMotions", "UCR_PowerCons")
KINDS = ("points", "block", "sensor", "end")


def windows(
    name: str, n: int, rng: np.random.Generator, length: int = LENGTH, channels: int | None = None
) -> np.ndarray:
    """``(n, channels, length)`` without gaps, from anywhere in the set; of so many channels at most."""
    found: list[np.ndarray] = []
    recordings = [each for each in load_set(name).recordings if each.shape[1] >= length]
    while len(found) < n:
        recording = recordings[rng.integers(len(recordings))]
        start = int(rng.integers(recording.shape[1] - length + 1))
        if np.isfinite(window := recording[:channels, start : start + length]).all():
            found.append(window)
    return np.stack(found).astype(np.float32)


def hidden(kind: str, shape: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    """Which cells are hidden, ``(n, channels, LENGTH)``."""
    n, channels, length = shape
    out = np.zeros(shape, bool)
    if kind == "points":
        return rng.random(shape) < 0.3
    for i in range(n):
        for j in range(channels) if kind != "sensor" else rng.permutation(channels)[: channels // 2]:
            start = length - 8 if kind == "end" else int(rng.integers(1, length - 8)) if kind == "sensor" else 0
            out[i, j, start : start + 8] = True
        if kind == "block":
            out[i] = np.roll(out[i], int(rng.integers(1, length - 8)), axis=1)
    return out


def nearest(seen: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """See the text of the module; ``seen`` is complete, and right where ``kept``."""
    out = seen.copy()
    for i in range(len(seen)):
        moved = seen - ((seen - seen[i]) * kept[i]).sum(-1, keepdims=True) / np.maximum(
            kept[i].sum(-1, keepdims=True), 1
        )
        apart = (((moved - seen[i]) * kept[i]) ** 2).sum((1, 2))
        apart[i] = np.inf
        out[i] = np.where(kept[i], seen[i], moved[apart.argmin()])
    return out


def gaussian(series: SeriesSet, draws: int, rng: np.random.Generator) -> np.ndarray:
    """``(draws, n, channels, length)`` of a Gaussian, given what is known, in scaled values and back."""
    scaler = Scaler.fit(series, differences=False)
    latent = scaler.latent(series)
    flat, known = latent.reshape(len(latent), -1).astype(np.float64), np.isfinite(latent).reshape(len(latent), -1)
    spread = covariance(latent, np.isfinite(latent)) + 1e-6 * np.eye(flat.shape[1])
    lines = complete(latent, series.lengths).reshape(flat.shape)
    out = np.repeat(lines[None], draws, axis=0).astype(np.float64)
    for i, a in enumerate(known):
        mean, pull = lines.mean(0), spread[~a][:, a] @ np.linalg.inv(spread[a][:, a])
        left = np.linalg.cholesky(spread[~a][:, ~a] - pull @ spread[a][:, ~a])
        out[:, i, ~a] = mean[~a] + pull @ (flat[i] - mean)[a] + rng.standard_normal((draws, (~a).sum())) @ left.T
    shape = (-1, *latent.shape[1:])
    return scaler.inverse(out.reshape(shape).astype(np.float32)).reshape(draws, *latent.shape)


def errors(truth: np.ndarray, gap: np.ndarray, draws: np.ndarray) -> list[float]:
    """Mean absolute error, score and coverage; of one draw the first two are the same and there is no third."""
    scale = truth.std(axis=(0, 2), keepdims=True)
    apart = np.abs(np.median(draws, axis=0) - truth) / scale
    if len(draws) == 1:
        return [apart[gap].mean(), apart[gap].mean(), np.nan]
    pairs = np.abs(draws[:, None] - draws[None]) / scale
    score = (np.abs(draws - truth) / scale).mean(0) - pairs.sum((0, 1)) / (2 * len(draws) * (len(draws) - 1))
    low, high = np.quantile(draws, [0.1, 0.9], axis=0)
    return [apart[gap].mean(), score[gap].mean(), ((low <= truth) & (truth <= high))[gap].mean()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modes", nargs="*", default=["prompt"])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--shots", nargs="+", type=int, default=[25])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--draws", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(1)
    names = ["linear", "nearest", "gaussian", *options.modes]
    print("| set, shots, gaps | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|", sep="\n")
    for name in options.sets:
        for count in options.shots:
            for kind in KINDS:
                found = []
                for seed in range(options.seeds):
                    rng = np.random.default_rng([seed, count])
                    truth = windows(name, count, rng)
                    gap = hidden(kind, truth.shape, rng)
                    if not gap.any():
                        continue
                    series = SeriesSet.from_arrays(np.where(gap, np.nan, truth), lengths=np.full(count, LENGTH))
                    lines = complete(np.where(gap, np.nan, truth), series.lengths)
                    made = [lines[None], nearest(lines, ~gap)[None], gaussian(series, options.draws, rng)]
                    for mode in options.modes:
                        fitted = Sprout.from_pretrained().fit(series, mode, budget="10m", seed=seed)
                        made.append(fitted.completions(draws=options.draws, seed=seed))
                    found.append([errors(truth, gap, each) for each in made])
                if found:
                    cells = [
                        " / ".join(f"{v:.3f}".lstrip("0") for v in each if v == v) for each in np.mean(found, axis=0)
                    ]
                    print(f"| {name}, {count}, {kind} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
