"""All metrics by name, and the suites they form."""

from __future__ import annotations

from collections.abc import Iterable

from tsprout.errors import InputError
from tsprout.metrics.autocorrelation import AUTOCORRELATION, INCREMENTS
from tsprout.metrics.base import Metric, PairMetric
from tsprout.metrics.copying import COPYING, NEAR_COPIES
from tsprout.metrics.correlation import CORRELATION
from tsprout.metrics.discriminative import DISCRIMINATIVE
from tsprout.metrics.frechet import FRECHET
from tsprout.metrics.marginal import MARGINAL
from tsprout.metrics.spectrum import SPECTRUM

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        MARGINAL,
        AUTOCORRELATION,
        INCREMENTS,
        CORRELATION,
        SPECTRUM,
        FRECHET,
        DISCRIMINATIVE,
        COPYING,
        NEAR_COPIES,
    )
}
QUICK: tuple[PairMetric, ...] = tuple(metric for metric in METRICS.values() if isinstance(metric, PairMetric))


def pair_metrics(chosen: Iterable[str | PairMetric] | None = None) -> tuple[PairMetric, ...]:
    """Metrics of two sets by name, or as they are; the quick suite for None.

    Raises:
        InputError: a name is unknown, or names a metric that needs more than two sets.
    """
    if chosen is None:
        return QUICK
    found = []
    for item in chosen:
        metric = METRICS.get(item) if isinstance(item, str) else item
        if not isinstance(metric, PairMetric):
            names = ", ".join(known.name for known in QUICK)
            raise InputError(f"there is no metric {item!r} of two sets", fix=f"Choose from {names}.")
        found.append(metric)
    return tuple(found)
