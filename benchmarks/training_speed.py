"""Training throughput of ``small`` beside ``paper-6m``, by alternating steps in one run; a ratio of medians.

    python benchmarks/training_speed.py --threads 2 --rounds 5

Windows of 24 steps x 7 channels. Each trains as its configuration says: optimiser, precision, pieces and averages.
``small`` on its usual batches of episodes with their prompts, of which only the targets count as windows; ``paper-6m``
on 2048 windows a step. Batches are drawn beforehand (workers do that in a real run). Every round times one step of
``paper-6m`` and as many of ``small`` as come near it.

The operations of a step are counted (``tsprout.train.flops``), and their rate is set against the rate at which this
machine multiplies matrices, measured in the same run: 1024 x 1024, and the products each model mostly consists of. On a
GPU also the time that the paper's 3e8 windows take.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import islice

import numpy as np
import torch

from tsprout.data.corpus.episodes import Batch, EpisodeStream
from tsprout.model import Denoiser
from tsprout.train.configuration import read_configuration
from tsprout.train.engine import COMPILE, Engine, EngineConfig
from tsprout.train.flops import training_flops
from tsprout.train.loop import Loop
from tsprout.train.pretrain import PretrainConfig
from tsprout.train.validation import batch_loss

LENGTH, CHANNELS, PAPERS_WINDOWS = 24, 7, 3e8
# Rows, inner side and columns of a product that a model mostly consists of, and what it is.
SHAPES = {
    "1024 x 1024 x 1024": (1024, 1024, 1024),
    "small: feed-forward of 336 windows": (336 * 6, 128, 512),
    "paper-6m: 3 x 3 convolution of 128 windows, 8 x 8 cells, 32 channels": (128 * 64, 9 * 32, 32),
    "paper-6m: 3 x 3 convolution of 128 windows, 4 x 4 cells, 64 channels": (128 * 16, 9 * 64, 64),
}


def synchronised(device: torch.device) -> None:
    """Wait for a GPU, whose calls return before they are done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def product_rate(shape: tuple[int, int, int], dtype: torch.dtype, device: torch.device, seconds: float) -> float:
    """Median operations per second of a matrix product, timed for about so long."""
    rows, inner, columns = shape
    a = torch.randn(rows, inner, device=device).to(dtype)
    b = torch.randn(inner, columns, device=device).to(dtype)
    a @ b
    synchronised(device)
    begun = time.perf_counter()
    a @ b
    synchronised(device)
    # A processor without 16-bit arithmetic is a hundred times slower at it.
    once = time.perf_counter() - begun
    calls, times = (max(1, min(20, int(seconds / 5 / max(once, 1e-9))))), []
    while len(times) < 2 or time.perf_counter() - begun < seconds:
        synchronised(device)
        start = time.perf_counter()
        for _ in range(calls):
            a @ b
        synchronised(device)
        times.append((time.perf_counter() - start) / calls)
    return 2 * rows * inner * columns / statistics.median(times)


class Run:
    """A configuration ready to train on batches that are drawn already."""

    def __init__(self, config: PretrainConfig, batches: list[Batch], device: torch.device) -> None:
        self.batches, self.device = batches, device
        self.model = Denoiser(config.model).to(device)
        engine = Engine(config.engine)
        engine.device = device
        engine.prepare(self.model)
        self.number = 0

        def loss(generator: torch.Generator) -> torch.Tensor:
            batch = batches[self.number % len(batches)]
            self.number += 1
            drop = {"drop_prompt": config.drop_prompt, "drop_token": config.drop_token}
            return batch_loss(self.model, batch, generator, **drop).mean()

        self.loop = Loop(self.model.train(), loss, config.loop, pieces=config.pieces, engine=engine)
        self.pieces = config.pieces
        self.precision = config.engine.precision

    def flops_per_window(self) -> float:
        """Operations of forward and backward pass, prompts included, per window."""
        plain = Denoiser(self.model.config)
        windows = sum(b.targets.shape[0] * b.targets.shape[1] for b in self.batches)
        return training_flops(plain, self.batches) / windows

    def steps(self, count: int) -> float:
        """Windows per second over so many steps."""
        first = self.number
        synchronised(self.device)
        begun = time.perf_counter()
        for _ in range(count):
            self.loop.advance()
        synchronised(self.device)
        seconds = time.perf_counter() - begun
        used = [self.batches[i % len(self.batches)].targets.shape for i in range(first, self.number)]
        return sum(shape[0] * shape[1] for shape in used) / seconds


def episodes(config: PretrainConfig, count: int) -> list[Batch]:
    """Batches of the configuration's own stream, but of one size, and synthetic, so that no corpus is needed."""
    stream = replace(
        config.stream, synthetic_share=1.0, lengths=(LENGTH,), length_shares=(1.0,), channels=(CHANNELS,),
        channel_shares=(1.0,),
    )  # fmt: skip
    return list(islice(EpisodeStream(None, stream), count))


def windows(config: PretrainConfig, count: int) -> list[Batch]:
    """Pieces of windows without shots."""
    rng = np.random.default_rng(0)
    none = np.empty((1, 0, CHANNELS, LENGTH), np.float32)
    out = []
    for _ in range(count):
        targets = rng.standard_normal((1, config.stream.windows, CHANNELS, LENGTH)).astype(np.float32)
        out.append(Batch(none, none.astype(bool), targets, np.ones_like(targets, bool), np.array([0])))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--small-steps", type=int, default=0, help="steps of small a round; by default as long as paper-6m"
    )
    parser.add_argument(
        "--paper-pieces", type=int, default=16, help="fewer make a trial shorter, and are no longer 2048"
    )
    parser.add_argument("--small-precision", choices=("32", "bf16"), help="by default the configuration's")
    parser.add_argument("--paper-precision", default="32", choices=("32", "bf16"))
    parser.add_argument("--compile", default="off", choices=COMPILE)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement of a matrix product")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)

    carried = EngineConfig(compile=options.compile, threads=options.threads)
    small, paper = read_configuration("small"), read_configuration("paper-6m")
    small = replace(small, engine=replace(carried, precision=options.small_precision or small.engine.precision))
    paper = replace(paper, pieces=options.paper_pieces, engine=replace(carried, precision=options.paper_precision))
    runs = {
        "small": Run(small, episodes(small, 6), device),
        "paper-6m": Run(paper, windows(paper, 1), device),
    }
    products: dict[str, Callable[[], dict[str, float]]] = {
        name: lambda dtype=dtype: {  # type: ignore[misc]
            what: product_rate(shape, dtype, device, options.seconds) for what, shape in SHAPES.items()
        }
        for name, dtype in (("32", torch.float32), ("bf16", torch.bfloat16))
    }
    before = {name: measure() for name, measure in products.items()}
    flops = {name: run.flops_per_window() for name, run in runs.items()}

    for run in runs.values():
        run.steps(1)
    begun = time.perf_counter()
    runs["small"].steps(1)
    one = time.perf_counter() - begun
    begun = time.perf_counter()
    runs["paper-6m"].steps(1)
    steps = options.small_steps or max(1, round((time.perf_counter() - begun) / one))
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(options.rounds):
        rates["small"].append(runs["small"].steps(steps))
        rates["paper-6m"].append(runs["paper-6m"].steps(1))
    # Before and after, for a machine that others use as well is not equally fast throughout.
    peak = {name: {k: max(v, before[name][k]) for k, v in measure().items()} for name, measure in products.items()}

    found = {}
    for name, run in runs.items():
        speed = statistics.median(rates[name])
        achieved = speed * flops[name]
        found[name] = {
            "parameters": run.model.parameter_count,
            "windows per second": round(speed, 1),
            "all rounds": [round(rate, 1) for rate in rates[name]],
            "precision": run.precision,
            "MFLOP per window": round(flops[name] / 1e6, 2),
            "achieved GFLOP/s": round(achieved / 1e9, 2),
            "share of the matrix products' rate": {
                f"{precision}, {what}": round(achieved / rate, 3)
                for precision, of in peak.items()
                for what, rate in of.items()
                if what.startswith(("1024", name))
            },
            "hours for 3e8 windows": round(PAPERS_WINDOWS / speed / 3600, 2),
        }
    place = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {options.threads} threads"
    answer = {
        "device": place,
        "torch": torch.__version__,
        "compile": options.compile,
        "small / paper-6m, windows per second": round(
            statistics.median(rates["small"]) / statistics.median(rates["paper-6m"]), 2
        ),
        **found,
        "matrix products, GFLOP/s": {p: {k: round(v / 1e9, 1) for k, v in of.items()} for p, of in peak.items()},
    }
    print(json.dumps(answer, indent=2))


if __name__ == "__main__":
    main()
