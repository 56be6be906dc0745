"""All metrics by name, and the suites they form."""

from __future__ import annotations

from collections.abc import Iterable

from tsprout.errors import InputError
from tsprout.metrics.augmentation import AUGMENTATION, AUGMENTED_CLASSES
from tsprout.metrics.autocorrelation import AUTOCORRELATION, INCREMENTS
from tsprout.metrics.base import Metric, PairMetric
from tsprout.metrics.classification import CLASSIFICATION
from tsprout.metrics.copying import COPYING, NEAR_COPIES
from tsprout.metrics.correlation import CORRELATION
from tsprout.metrics.discriminative import DISCRIMINATIVE
from tsprout.metrics.forecasting import FORECASTING
from tsprout.metrics.frechet import FRECHET
from tsprout.metrics.marginal import MARGINAL
from tsprout.metrics.membership import MEMBERSHIP
from tsprout.metrics.mmd import MMD
from tsprout.metrics.neighbours import COVERAGE, DENSITY, PRECISION, RECALL
from tsprout.metrics.paper.objects import CAPABLE, PAPER
from tsprout.metrics.spectrum import SPECTRUM
from tsprout.metrics.spread import SPREAD, VARIETY
from tsprout.metrics.tails import TAILS
from tsprout.metrics.two_sample import TWO_SAMPLE

QUICK: tuple[PairMetric, ...] = (
    MARGINAL,
    AUTOCORRELATION,
    INCREMENTS,
    CORRELATION,
    SPECTRUM,
    FRECHET,
    DISCRIMINATIVE,
)
FULL: tuple[PairMetric, ...] = (
    MARGINAL,
    TAILS,
    *QUICK[1:],
    MMD,
    TWO_SAMPLE,
    PRECISION,
    DENSITY,
    COVERAGE,
    RECALL,
    SPREAD,
    VARIETY,
    FORECASTING,
)
# CLASSIFICATION joins the full suite where there are labels; those after it need shots and unseen series as well.
SUITES: dict[str, tuple[PairMetric, ...]] = {"quick": QUICK, "full": FULL, "paper": (*PAPER, *CAPABLE)}
METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        *FULL,
        CLASSIFICATION,
        COPYING,
        NEAR_COPIES,
        MEMBERSHIP,
        AUGMENTATION,
        AUGMENTED_CLASSES,
        *SUITES["paper"],
    )
}


def suite(name: str) -> tuple[PairMetric, ...]:
    """The metrics of a suite.

    Raises:
        InputError: there is none of that name.
    """
    if name not in SUITES:
        raise InputError(f"there is no suite {name!r}", fix=f"Choose from {', '.join(SUITES)}.")
    return SUITES[name]


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
            names = ", ".join(known.name for known in METRICS.values() if isinstance(known, PairMetric))
            raise InputError(f"there is no metric {item!r} of two sets", fix=f"Choose from {names}.")
        found.append(metric)
    return tuple(found)
