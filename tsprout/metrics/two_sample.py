"""Two-sample test: how well a forest of trees tells synthetic series from real ones, and whether chance explains it.

A classifier two-sample test (Lopez-Paz and Oquab 2017, arXiv 1610.06545) with extremely randomised trees on
random-convolution features and values: a learner that finds thresholds and combinations where the ridge of
:mod:`tsprout.metrics.discriminative` finds weighted sums. Its out-of-fold answers are ranked: the area under the ROC
curve is the probability that a synthetic series looks more synthetic than a real one, 0.5 for a tossed coin. The score
is that area minus one half. Areas, unlike accuracies, use how sure the classifier is, and so see smaller differences.

Folds are stretches of consecutive series, as in the quick suite. The p-value is that of the Mann-Whitney statistics of
the folds taken together; it takes series for independent, so for overlapping windows it is too small.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tsprout.metrics.base import LOWER, PairMetric
from tsprout.metrics.discriminative import folds
from tsprout.metrics.neighbours import same_size
from tsprout.metrics.reference import Reference, align, features, share_gaps

N_TREES = 20  # and as many as there are series a side when these are fewer, but ten at least
_LEAF = 2
_NORMAL = 1.645  # standard deviations that hold 90 % of a normal distribution


@dataclass(frozen=True)
class TwoSample:
    """What the classifier found.

    Attributes:
        area: area under the ROC curve, averaged over folds; 0.5 is guessing. NaN with fewer than two series a side.
        low, high: 90 % interval of the area, by its standard error (Hanley and McNeil 1982).
        p_value: probability of an area at least this large were the two sets drawn from one distribution.
        n: series on each side.
    """

    area: float
    low: float
    high: float
    p_value: float
    n: int

    @property
    def advantage(self) -> float:
        """The area minus one half: the score."""
        return self.area - 0.5


def two_sample(real: ArrayLike, synthetic: ArrayLike, *, seed: int = 0) -> TwoSample:
    """Test whether ``synthetic`` (m, C, L) and ``real`` (n, C, L) come from one distribution; NaN marks missing cells.

    Raises:
        InputError: an array cannot be scored, or the channel counts differ.
    """
    first, second = align(real, synthetic)
    first, second = (
        share_gaps(first, second, np.random.default_rng([seed, 1])),
        share_gaps(second, first, np.random.default_rng([seed, 2])),
    )
    reference = Reference.fit(first, seed=seed)
    return _test(features(first, reference), features(second, reference), seed)


def standard_error(area: float, n: int, m: int) -> float:
    """Standard error of an area under the ROC curve of ``n`` against ``m`` answers (Hanley and McNeil 1982)."""
    first, second = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (n - 1) * (first - area**2) + (m - 1) * (second - area**2)
    return float(np.sqrt(max(variance, 0.0) / (n * m)))


def chance_spread(counts: np.ndarray) -> float:
    """Standard deviation of the mean area of folds of ``counts`` series a side, where answers are random."""
    return float(np.sqrt(np.sum(2 * counts + 1) / 12) / np.sum(counts))


def _areas(real: np.ndarray, synthetic: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Area and number of series a side, in every fold."""
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.metrics import roc_auc_score

    size = len(real)
    rows = np.concatenate([real, synthetic]).astype(np.float32)
    target = np.repeat([0, 1], size)
    fold = np.tile(folds(size), 2)
    count = min(max(size, 10), N_TREES)
    areas, counts = [], []
    for held in range(int(fold.max()) + 1):
        test = fold == held
        trees = ExtraTreesClassifier(count, min_samples_leaf=_LEAF, random_state=seed)
        answer = trees.fit(rows[~test], target[~test]).predict_proba(rows[test])[:, 1]
        areas.append(roc_auc_score(target[test], answer))
        counts.append(int(test.sum()) // 2)
    return np.array(areas), np.array(counts)


def _test(real: np.ndarray, synthetic: np.ndarray, seed: int) -> TwoSample:
    nan = float("nan")
    if min(len(real), len(synthetic)) < 2:
        return TwoSample(nan, nan, nan, nan, min(len(real), len(synthetic)))
    from scipy.stats import norm

    first, second = same_size(real, synthetic)
    size = len(first)
    areas, counts = _areas(first, second, seed)
    area = float(np.average(areas, weights=counts))
    margin = _NORMAL * max(standard_error(area, size, size), 0.5 / size)
    return TwoSample(
        area=area,
        low=max(area - margin, 0.0),
        high=min(area + margin, 1.0),
        p_value=float(norm.sf((area - 0.5) / chance_spread(counts))),
        n=size,
    )


def _compare(real: np.ndarray, synthetic: np.ndarray, seed: int) -> float:
    if min(len(real), len(synthetic)) < 2:
        return float("nan")
    areas, counts = _areas(*same_size(real, synthetic), seed)
    return float(np.average(areas, weights=counts)) - 0.5


TWO_SAMPLE = PairMetric(
    name="two_sample",
    title="Two-sample test",
    direction=LOWER,
    range=(0.0, 0.5),
    unit="",
    explanation="How much better than by chance a forest of trees ranks synthetic series apart from real ones.",
    prepare=features,
    compare=_compare,
    fills=True,
    repeats=6,
)
