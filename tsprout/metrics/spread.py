"""Spread and variety: do synthetic series differ from each other as much as real ones do.

Distances are taken in the space of random-convolution features, within each set, and both numbers are the synthetic
set's over the real one's:

- *spread* is the median distance of two series. Below 1 the series are too much alike, above 1 too unlike.
- *variety* is the median distance of a series to the nearest other one of its set. A generator that repeats a few
  series keeps its spread and loses its variety.

Both sets are cut to the size of the smaller one: in a larger set the nearest neighbour is nearer.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tsprout.metrics.base import ONE, PairMetric
from tsprout.metrics.neighbours import distances, reach, same_size
from tsprout.metrics.reference import features

_FLAT = 1e-6  # distance, in real standard deviations of the features, of series that are the same


def spread(rows: np.ndarray) -> float:
    """Median distance of two different ``rows`` (n, d), n >= 2."""
    return float(np.median(distances(rows, rows)[np.triu_indices(len(rows), k=1)]))


def variety(rows: np.ndarray) -> float:
    """Median distance of one of ``rows`` (n, d), n >= 2, to its nearest other one."""
    return float(np.median(reach(rows, 1)))


def _compare(real: np.ndarray, synthetic: np.ndarray, seed: int) -> float:
    return _ratio(spread, real, synthetic)


def _compare_variety(real: np.ndarray, synthetic: np.ndarray, seed: int) -> float:
    return _ratio(variety, real, synthetic)


def _ratio(measure: Callable[[np.ndarray], float], real: np.ndarray, synthetic: np.ndarray) -> float:
    if min(len(real), len(synthetic)) < 2:
        return float("nan")
    first, second = same_size(real, synthetic)
    base = measure(first)
    return measure(second) / base if base > _FLAT else float("nan")


SPREAD = PairMetric(
    name="spread",
    title="Spread",
    direction=ONE,
    range=(0.0, float("inf")),
    unit="",
    explanation="How much two synthetic series differ, over how much two real ones do; below 1 they are too alike.",
    prepare=features,
    compare=_compare,
    fills=True,
    group="diversity",
)

VARIETY = PairMetric(
    name="variety",
    title="Variety",
    direction=ONE,
    range=(0.0, float("inf")),
    unit="",
    explanation="Distance of a synthetic series to the next synthetic one, over that of real ones; near 0 they repeat.",
    prepare=features,
    compare=_compare_variety,
    fills=True,
    group="diversity",
)
