"""Channels that hardly differ and keep an order: scaled by what lies between them (the product), or each by itself.

    python benchmarks/relative.py --modes prompt auto

Twenty shots of 24 steps of a recording, cut at random, and up to 400 other windows that share no step with them as the
reference; 250 drawn. Score over that of handing the shots back (geometric mean of the quick metrics, below 1 is
better), the error of correlations, the classifier's score and copying (``tsprout.metrics.yardstick``); for prices the
share of days on which lowest, opening, closing and highest price are not in order.
"""

from __future__ import annotations

import argparse
import math
from contextlib import contextmanager

import numpy as np
import torch

from tsprout import SeriesSet, Sprout
from tsprout.data import relative
from tsprout.data.catalog.sets import load_set
from tsprout.metrics.yardstick import Yardstick

LENGTH, SHOTS, OTHERS, DRAWN, LATEST = 24, 20, 400, 250, 6000
PRICES = {"AAPL, four prices": ("Stock_AAPL", [0, 1, 2, 3]), "XLP, four prices": ("Stock_XLP", [0, 1, 2, 3])}
TASKS: dict[str, tuple[str, list[int] | None]] = {
    **PRICES,
    "AAPL, prices and volume": ("Stock_AAPL", None),
}


def cut(task: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Shots and reference, ``(n, channels, length)``."""
    name, channels = TASKS[task]
    values = load_set(name).recordings[0][:, -LATEST:]
    values = values if channels is None else values[channels]
    rng, found = np.random.default_rng(seed), list[int]()
    for at in rng.permutation(values.shape[1] - LENGTH).tolist():
        near = len(found) >= SHOTS and min(abs(at - other) for other in found[:SHOTS]) < LENGTH
        if not near and np.isfinite(values[:, at : at + LENGTH]).all():
            found.append(at)
        if len(found) == SHOTS + OTHERS:
            break
    windows = np.stack([values[:, at : at + LENGTH] for at in found])
    return windows[:SHOTS], windows[SHOTS:]


@contextmanager
def _by_itself():
    usual, relative.NEAR = relative.NEAR, -1.0
    try:
        yield
    finally:
        relative.NEAR = usual


def drawn(shots: np.ndarray, mode: str, seed: int) -> np.ndarray:
    fitted = Sprout.from_pretrained().fit(SeriesSet.from_arrays(shots), mode, budget="10m", seed=seed)
    return fitted.sample(DRAWN, seed=seed).values


def row(made: np.ndarray, ruler: Yardstick, prices: bool) -> list[str]:
    found, copies = ruler.score(made), ruler.beside()["copies"]
    kept = [k for k in found if not k.startswith(("copy", "near")) and min(found[k], copies.get(k, 0)) > 0]
    ratio = math.exp(float(np.mean([math.log(found[k] / copies[k]) for k in kept])))
    wrong = ""
    if prices:
        opening, high, low, close = made.transpose(1, 0, 2)
        bad = (low > np.minimum(opening, close)) | (high < np.maximum(opening, close))
        wrong = f"{100 * bad.mean():.0f} %"
    scores = (ratio, found["correlation"], found["discriminative"], found["copying"])
    return [*(f"{score:.3f}" for score in scores), wrong]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--modes", nargs="+", default=["prompt"])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    head = "| set | mode | scaled | score over copies | correlation | classifier | copying | out of order |"
    print(head, "|---" * 8 + "|", sep="\n", flush=True)
    for task in options.tasks:
        shots, rest = cut(task, options.seed)
        ruler = Yardstick(rest, shots, size=len(rest) // 2)
        for mode in options.modes:
            with _by_itself():
                made = drawn(shots, mode, options.seed)
            print("|", " | ".join([task, mode, "by itself", *row(made, ruler, task in PRICES)]), "|", flush=True)
            made = drawn(shots, mode, options.seed)
            print("|", " | ".join([task, mode, "by difference", *row(made, ruler, task in PRICES)]), "|", flush=True)


if __name__ == "__main__":
    main()
