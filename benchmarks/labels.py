"""Series of several labels whose levels lie apart: each label scaled by itself, all by one scale, or fitted one by one.

    python benchmarks/labels.py --seeds 0 --modes prompt auto

A label is a recording (a ticker, a station, a customer), a series a window of 24 steps of it; five shots of each, cut
at random, and up to 200 other windows that share no step with a shot as the reference. 200 series of each label are
scored against its own reference (``tsprout.metrics.yardstick``): the geometric mean over labels and quick metrics of
score over that of handing the shots back, below 1 is better; and copying. ``by label`` is the product, ``one scale``
the same without scaling within labels, ``each fitted`` one fit for every label.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from contextlib import contextmanager

import numpy as np
import torch

from tsprout import SeriesSet, Sprout
from tsprout.data import label_scaling
from tsprout.data.catalog.sets import load_set
from tsprout.metrics.yardstick import Yardstick

LENGTH, SHOTS, REFERENCE, DRAWN = 24, 5, 200, 200
Windows = dict[str, tuple[np.ndarray, np.ndarray]]  # by label: shots and reference, (n, channels, length)
# Name: set and which of its recordings (or channels, of a single one) are labels; "" for one set a label.
TASKS: dict[str, list[tuple[str, int | None]]] = {
    "share prices": [(f"Stock_{ticker}", None) for ticker in ("AAPL", "AMZN", "DIS", "FB", "XLP")],
    "regional load": [("PJM_load", channel) for channel in (0, 3, 5, 8)],
    "hourly series": [("M4Hourly", recording) for recording in (0, 50, 120, 200, 300)],
    "retail turnover": [("AusRetail", recording) for recording in (3, 40, 77, 110)],
    "exchange rates": [("ExchangeRate", channel) for channel in (0, 1, 2, 5, 7)],
    "temperatures": [("GEFCom2012_temp", recording) for recording in (0, 3, 6, 9)],
}
_LATEST = 8000  # steps of a recording


def recording(name: str, which: int | None) -> np.ndarray:
    """``(channels, steps)``: opening and closing prices of a share, else one channel."""
    found = load_set(name).recordings
    if which is None:
        return found[0][[0, 3], -1200:]
    one = found[which] if len(found) > 1 else found[0][which : which + 1]
    return one[:, np.isfinite(one).all(0)][:, :_LATEST]


def cut(task: str, seed: int) -> Windows:
    """Shots and reference of each label."""
    rng, out = np.random.default_rng(seed), {}
    for name, which in TASKS[task]:
        values = recording(name, which)
        starts = rng.permutation(values.shape[1] - LENGTH)
        shots, others = starts[:SHOTS], starts[SHOTS:]
        clear = others[(np.abs(others[:, None] - shots) >= LENGTH).all(1)][:REFERENCE]
        shown, rest = (np.stack([values[:, at : at + LENGTH] for at in some]) for some in (shots, clear))
        out[f"{name} {'' if which is None else which}".strip()] = shown, rest
    return out


def labelled(windows: Windows) -> SeriesSet:
    """The shots of all labels."""
    labels = [label for label, (shots, _) in windows.items() for _ in shots]
    return SeriesSet.from_arrays(np.concatenate([shots for shots, _ in windows.values()]), labels=np.array(labels))


@contextmanager
def _one_scale():
    usual, label_scaling.FAR_APART = label_scaling.FAR_APART, math.inf
    try:
        yield
    finally:
        label_scaling.FAR_APART = usual


def by_label(windows: Windows, mode: str, seed: int) -> dict[str, np.ndarray]:
    fitted = Sprout.from_pretrained().fit(labelled(windows), mode, budget="10m", seed=seed)
    drawn = fitted.sample(DRAWN * len(windows), seed=seed)
    return {label: drawn.values[drawn.labels == label] for label in windows}


def one_scale(windows: Windows, mode: str, seed: int) -> dict[str, np.ndarray]:
    with _one_scale():
        return by_label(windows, mode, seed)


def each_fitted(windows: Windows, mode: str, seed: int) -> dict[str, np.ndarray]:
    return {
        label: Sprout.from_pretrained()
        .fit(SeriesSet.from_arrays(shots), mode, budget="10m", seed=seed)
        .sample(DRAWN, seed=seed)
        .values
        for label, (shots, _) in windows.items()
    }


WAYS: dict[str, Callable[[Windows, str, int], dict[str, np.ndarray]]] = {
    "by label": by_label,
    "one scale": one_scale,
    "each fitted": each_fitted,
}


def judged(made: dict[str, np.ndarray], windows: Windows) -> tuple[float, float]:
    """Score over that of copies, and copying; geometric means over labels and metrics."""
    ratios, near = [], []
    for label, (shots, rest) in windows.items():
        ruler = Yardstick(rest, shots, size=len(rest) // 2)
        found, copies = ruler.score(made[label]), ruler.beside()["copies"]
        near.append(found.pop("copying"))
        names = [name for name in found if name in copies and copies[name] > 0 and found[name] > 0]
        ratios += [math.log(found[name] / copies[name]) for name in names if not name.startswith(("copying", "near"))]
    return math.exp(float(np.mean(ratios))), math.exp(float(np.mean(np.log(near))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--modes", nargs="+", default=["prompt", "auto"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| labels | mode | seed | way | score over copies | copying | s |", "|---" * 7 + "|", sep="\n", flush=True)
    for mode in options.modes:
        for seed in options.seeds:
            for task in options.tasks:
                windows = cut(task, seed)
                for way in options.ways:
                    begun = time.perf_counter()
                    ratio, near = judged(WAYS[way](windows, mode, seed), windows)
                    cells = [task, mode, seed, way, f"{ratio:.2f}", f"{near:.2f}", f"{time.perf_counter() - begun:.0f}"]
                    print("|", " | ".join(map(str, cells)), "|", flush=True)


if __name__ == "__main__":
    main()
