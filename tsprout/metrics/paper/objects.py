"""The scores of this package as metrics of two sets; torch is loaded when the first of them is asked.

Each call trains its networks anew. Where one real set is compared with many others, the functions behind them are
cheaper: an encoder of :mod:`tsprout.metrics.paper.context_fid` serves all of them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tsprout.metrics.base import LOWER, Compare, PairMetric
from tsprout.metrics.paper.suite import paper_scores
from tsprout.metrics.reference import Reference


def as_given(values: np.ndarray, reference: Reference) -> np.ndarray:
    """The series themselves, in the caller's scaling and with their gaps: the networks see both to their own needs."""
    return values


def _compare(name: str) -> Compare:
    def compare(real: np.ndarray, synthetic: np.ndarray, seed: int) -> float:
        return paper_scores(real, synthetic, which=(name,), seed=seed)[name].mean

    return compare


def _metric(key: str, name: str, title: str, high: float, unit: str, explanation: str) -> PairMetric:
    prepare: Callable[[np.ndarray, Reference], np.ndarray] = as_given
    return PairMetric(
        name=name,
        title=title,
        direction=LOWER,
        range=(0.0, high),
        unit=unit,
        explanation=explanation,
        prepare=prepare,
        compare=_compare(key),
        group="paper",
        repeats=1,
        tolerance=1.05 if key.startswith("pred") else 1.25,
    )


PAPER: tuple[PairMetric, ...] = (
    _metric(
        "disc",
        "discriminative_paper",
        "Discriminative score (paper)",
        0.5,
        "",
        "How far from one half the accuracy of a small recurrent classifier is; series must come scaled.",
    ),
    _metric(
        "pred",
        "predictive_paper",
        "Predictive score (paper)",
        float("inf"),
        "",
        "Error on real series of a small forecaster of the last channel, trained on synthetic ones scaled to 0 to 1.",
    ),
    _metric(
        "cfid",
        "context_fid_paper",
        "Context-FID (paper)",
        float("inf"),
        "",
        "Frechet distance of learned embeddings of one encoder; series must come scaled.",
    ),
)
CAPABLE: tuple[PairMetric, ...] = (
    _metric(
        "disc_capable",
        "discriminative_capable",
        "Discriminative score (recurrent)",
        0.5,
        "",
        "How much better than by tossing a coin a recurrent classifier tells synthetic series from real ones.",
    ),
    _metric(
        "pred_capable",
        "predictive_capable",
        "Predictive score",
        float("inf"),
        "real standard deviations",
        "Error on real series, one step ahead, of a recurrent forecaster trained on synthetic ones.",
    ),
    _metric(
        "cfid_capable",
        "context_fid",
        "Context-FID",
        float("inf"),
        "",
        "Frechet distance of learned embeddings, averaged over several encoders.",
    ),
)
