"""Channels that are zero in the same cells: as the product draws them, and each with its own zeros.

    python benchmarks/zeros.py --modes prompt auto

Made data, twenty shots of 28 days, 300 drawn: units sold of a product, more of them at the weekend and none on some
days, and revenue at a price of its own with discounts; rain, and for how many minutes of the hour it fell. ``one of
two``: share of cells in which only one of a pair is zero, of units and rain each; ``price``: 5 to 95 % of revenue over
units and the product's price, where something is sold and earned.
"""

from __future__ import annotations

import numpy as np
from both_ways import asked

from tsprout import SeriesSet, Sprout

LENGTH, SHOTS, DRAWN = 28, 20, 300
CHANNELS = ("units", "revenue", "rain", "minutes")


def series(n: int, seed: int) -> np.ndarray:
    """``(n, 4, length)`` float32."""
    rng, day = np.random.default_rng(seed), np.arange(LENGTH)
    rate = rng.lognormal(1, 0.8, (n, 1)) * np.where(day % 7 > 4, 2, 1)
    units = rng.poisson(rate)
    revenue = np.round(units * np.where(rng.random((n, LENGTH)) < 0.1, 8, 10), 2)
    wet = rng.random((n, LENGTH)) < 0.35
    minutes = np.where(wet, rng.integers(1, 61, (n, LENGTH)), 0)
    rain = np.round(minutes / 60 * rng.gamma(2, 1.5, (n, LENGTH)) + 0.1 * wet, 1)
    return np.stack([units, revenue, rain, minutes], 1).astype(np.float32)


def told(values: np.ndarray) -> list[str]:
    """See the text of the module."""
    zero = values == 0
    apart = [f"{100 * np.mean(zero[:, a] != zero[:, b]):.1f} %" for a, b in ((0, 1), (2, 3))]
    both = ~zero[:, 0] & ~zero[:, 1]
    low, high = np.quantile(values[:, 1][both] / values[:, 0][both] / 10, [0.05, 0.95])
    return [*apart, *[f"{100 * zero[:, a].mean():.0f} %" for a in (0, 2)], f"{low:.2f} to {high:.2f}"]


def main() -> None:
    options = asked(__doc__)
    head = ["mode", "zeros", "one of two, units", "rain", "no units", "no rain", "price"]
    print("| " + " | ".join(head) + " |", "|---" * len(head) + "|", sep="\n")
    print("|", " | ".join(["", "real", *told(series(DRAWN, options.seed + 1))]), "|", flush=True)
    shots = SeriesSet.from_arrays(series(SHOTS, options.seed), channels=CHANNELS)
    for mode in options.modes:
        fitted = Sprout.from_pretrained().fit(shots, mode, budget="10m")
        assert fitted.scaler is not None
        groups = fitted.scaler.together
        for name, kept in (("each its own", ()), ("together", groups)):
            fitted.scaler.together = kept
            print("|", " | ".join([mode, name, *told(fitted.sample(DRAWN, seed=options.seed).values)]), "|", flush=True)


if __name__ == "__main__":
    main()
