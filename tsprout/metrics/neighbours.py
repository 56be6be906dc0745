r"""Precision, density, coverage and recall: do two sets of series lie in the same places.

Around every series of a set lies a ball that reaches to its fifth nearest neighbour in that set (itself not counted),
in the space of random-convolution features. With real series :math:`x_i`, their balls :math:`B_i`, synthetic series
:math:`y_j` and theirs :math:`\hat B_j`:

- *precision* is the share of :math:`y_j` that lie in any :math:`B_i`: are synthetic series plausible;
- *density* is the mean number of :math:`B_i` that a :math:`y_j` lies in, over five: are they where real ones are dense;
- *coverage* is the share of :math:`B_i` that hold any :math:`y_j`: is every kind of real series there;
- *recall* is the share of :math:`x_i` that lie in any :math:`\hat B_j`.

Precision and recall are those of Kynkaanniemi et al. 2019 (arXiv 1904.06991), density and coverage those of Naeem et
al. 2020 (arXiv 2002.09797). None of them is 1 for a perfect generator: what another real sample scores is the floor.
Density is 1 there on average and well above 1 where synthetic series crowd in the middle of the real ones.
Both sets are cut to the size of the smaller one, because all four depend on the sizes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tsprout.metrics.base import HIGHER, ONE, PairMetric
from tsprout.metrics.reference import features

NEIGHBOURS = 5
MOST = 2000  # series of a set that are compared with each other


def thinned(rows: np.ndarray, most: int) -> np.ndarray:
    """At most ``most`` of ``rows``, evenly spread over the set."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).round().astype(int)]


def same_size(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both stacks of rows, thinned to the length of the shorter one and to at most :data:`MOST`."""
    size = min(len(first), len(second), MOST)
    return thinned(first, size), thinned(second, size)


def distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Euclidean distances ``(n, m)`` of the rows of ``first`` (n, d) and ``second`` (m, d), per root of ``d``."""
    from sklearn.metrics.pairwise import euclidean_distances

    return euclidean_distances(first, second) / np.sqrt(first.shape[1])


def reach(rows: np.ndarray, k: int) -> np.ndarray:
    """Distance ``(n,)`` from every row (n, d), n >= 2, to its ``k``-th nearest other row, or the furthest of fewer."""
    own = distances(rows, rows)
    np.fill_diagonal(own, np.inf)
    k = min(k, len(rows) - 1)
    return np.partition(own, k - 1, axis=1)[:, k - 1]


def precision(real: np.ndarray, synthetic: np.ndarray) -> float:
    """Share of ``synthetic`` rows (m, d) within the reach of any of the ``real`` rows (n, d)."""
    return float((distances(real, synthetic) <= reach(real, NEIGHBOURS)[:, None]).any(axis=0).mean())


def density(real: np.ndarray, synthetic: np.ndarray) -> float:
    """Mean number of ``real`` balls around a ``synthetic`` row, over what a real row is expected to find."""
    inside = distances(real, synthetic) <= reach(real, NEIGHBOURS)[:, None]
    return float(inside.sum(axis=0).mean() / min(NEIGHBOURS, len(real) - 1))


def coverage(real: np.ndarray, synthetic: np.ndarray) -> float:
    """Share of ``real`` balls that hold any of the ``synthetic`` rows."""
    return float((distances(real, synthetic) <= reach(real, NEIGHBOURS)[:, None]).any(axis=1).mean())


def recall(real: np.ndarray, synthetic: np.ndarray) -> float:
    """Share of ``real`` rows within the reach of any of the ``synthetic`` rows."""
    return precision(synthetic, real)


def _compare(share: Callable[[np.ndarray, np.ndarray], float]) -> Callable[[np.ndarray, np.ndarray, int], float]:
    def compare(real: np.ndarray, synthetic: np.ndarray, seed: int) -> float:
        if min(len(real), len(synthetic)) < 2:
            return float("nan")
        return share(*same_size(real, synthetic))

    return compare


PRECISION = PairMetric(
    name="precision",
    title="Precision",
    direction=HIGHER,
    range=(0.0, 1.0),
    unit="",
    explanation="Share of synthetic series that lie where real ones do; its floor says what real series score.",
    prepare=features,
    compare=_compare(precision),
    fills=True,
    group="diversity",
)

DENSITY = PairMetric(
    name="density",
    title="Density",
    direction=ONE,
    range=(0.0, float("inf")),
    unit="",
    explanation="How many real series lie around a synthetic one, over what a real one finds; above 1 in the middle.",
    prepare=features,
    compare=_compare(density),
    fills=True,
    group="diversity",
)

COVERAGE = PairMetric(
    name="coverage",
    title="Coverage",
    direction=HIGHER,
    range=(0.0, 1.0),
    unit="",
    explanation="Share of real series that have a synthetic one nearby; its floor says what real series score.",
    prepare=features,
    compare=_compare(coverage),
    fills=True,
    group="diversity",
)

RECALL = PairMetric(
    name="recall",
    title="Recall",
    direction=HIGHER,
    range=(0.0, 1.0),
    unit="",
    explanation="Share of real series that lie where synthetic ones do; its floor says what real series score.",
    prepare=features,
    compare=_compare(recall),
    fills=True,
    group="diversity",
)
