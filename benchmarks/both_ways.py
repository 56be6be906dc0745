"""For comparisons of how made channels are scaled: as the product has them, or by their values as any other channel."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
import torch

from tsprout import SeriesSet, Sprout


def asked(text: str | None) -> argparse.Namespace:
    """``modes`` and ``seed`` from the command line; one thread from here on."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modes", nargs="+", default=["prompt"])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    return options


def both_ways(
    shots: SeriesSet, options: argparse.Namespace, ours: str, n: int
) -> Iterator[tuple[str, str, np.ndarray]]:
    """``n`` series drawn in each mode and way, ``(n, channels, length)``, after the mode and the name of the way."""
    plain = dict.fromkeys(shots.channels, "identity")
    for mode in options.modes:
        for name, transforms in (("as any other", plain), (ours, None)):
            fitted = Sprout.from_pretrained().fit(shots, mode, budget="10m", transforms=transforms)
            yield mode, name, fitted.sample(n, seed=options.seed).values
