"""Sampling and forward-pass cost, by alternating pairs in one run; the figure is a ratio of medians.

    python benchmarks/sampling_speed.py --series 256 --rounds 5

1. ``small`` with its own solver and steps against the ``paper`` configuration with 36 Heun steps, 24 time steps of
   7 channels.
2. One forward pass of ``small`` with 128 channels against 1 channel.
3. One forward pass of ``small`` at length 768 against length 24, at the batch sizes the sampler uses: as many time
   steps in all, so equal time is linear cost. With the same prompt (ten shots of 24), and with the prompt that series
   of 768 steps bring along (two shots of 768).

Weights do not change the time, so ``paper`` has fresh ones.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch

from tsprout.model import PAPER, SMALL, Denoiser


def alternate(a: Callable[[], object], b: Callable[[], object], rounds: int) -> dict[str, float]:
    """Median seconds of both, run in turn after one warm-up each, and the ratio b / a of the medians."""
    times: dict[str, list[float]] = {"a": [], "b": []}
    for number in range(rounds + 1):
        for name, run in (("a", a), ("b", b)):
            begun = time.perf_counter()
            run()
            if number:
                times[name].append(time.perf_counter() - begun)
    first, second = statistics.median(times["a"]), statistics.median(times["b"])
    return {"median a (s)": round(first, 4), "median b (s)": round(second, 4), "ratio b / a": round(second / first, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=256, help="series drawn a time")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    small, paper = Denoiser(SMALL).eval(), Denoiser(PAPER).eval()

    def draw(model: Denoiser) -> None:
        with torch.no_grad():
            memory = model.encode(torch.randn(1, 10, 7, 24)) if model.has_prompt else None
            model.sample((options.series, 7, 24), torch.Generator().manual_seed(0), memory=memory)

    def forward(channels: int, length: int, shots: tuple[int, int] = (10, 24)) -> Callable[[], None]:
        x = torch.randn(256 * 24 // length, channels, length)
        with torch.no_grad():
            memory = small.encode(torch.randn(1, shots[0], channels, shots[1]))

        def run() -> None:
            with torch.no_grad():
                small(x, torch.ones(1), None, memory)

        return run

    results = {
        f"sampling {options.series} series, b: paper with 36 Heun steps, a: small": alternate(
            lambda: draw(small), lambda: draw(paper), options.rounds
        ),
        "forward pass, length 24, b: 128 channels, a: 1 channel": alternate(
            forward(1, 24), forward(128, 24), 3 * options.rounds
        ),
        "forward pass, 7 channels, same prompt, b: 8 series of 768, a: 256 series of 24 (1 is linear)": alternate(
            forward(7, 24), forward(7, 768), 3 * options.rounds
        ),
        "forward pass, 7 channels, own prompt (2 shots of 768), b: 8 series of 768, a: 256 series of 24": alternate(
            forward(7, 24), forward(7, 768, (2, 768)), 3 * options.rounds
        ),
    }
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
