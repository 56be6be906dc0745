"""From numbers to scores: intervals, verdicts, and the titles and directions of the metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tsprout.metrics.base import LOWER, Metric, PairMetric
from tsprout.metrics.copying import COPYING, NEAR_COPIES, Copying
from tsprout.metrics.scores import Score
from tsprout.metrics.verdicts import Interval, copying_verdict, fidelity_verdict, near_copies_verdict

TINY = 6  # real series below which all draws are much the same
_MANY = 20  # draws from which quantiles are read
_ENOUGH = 5  # reference distances, and synthetic series, below which nothing is said about copying


def pair_score(metric: PairMetric, drawn: Mapping[str, Sequence[float]], *, few: bool, tiny: bool = False) -> Score:
    """The score of repeated comparisons: numbers for ``value``, ``floor``, ``shots`` and ``noise``.

    The verdict is made of losses (:meth:`~tsprout.metrics.base.Metric.loss`), so that it knows no direction.
    """
    found = {kind: interval(metric, values) for kind, values in drawn.items()}
    judged = found
    if metric.direction != LOWER:
        losses = {k: [metric.loss(v) if np.isfinite(v) else v for v in values] for k, values in drawn.items()}
        judged = {kind: interval(None, values) for kind, values in losses.items()}
    verdict = fidelity_verdict(
        judged["value"],
        judged["floor"],
        judged["shots"],
        judged["noise"],
        few=few,
        tiny=tiny,
        tolerance=metric.tolerance,
    )
    return score(metric, **found, few=few, verdict=verdict)


def interval(metric: Metric | None, values: Sequence[float]) -> Interval:
    """Mean of the finite values and where 90 % of single ones lie, clipped to the range of the metric."""
    finite = np.array([value for value in values if np.isfinite(value)])
    if not finite.size:
        return Interval()
    mean = float(finite.mean())
    if finite.size >= _MANY or finite.size == 1:
        low, high = np.quantile(finite, [0.05, 0.95])
    else:  # too few draws for quantiles: a t interval for one more draw, its quantile by a fraction good to 1 %
        reach = 1.645 * (1 + 1.6 / (finite.size - 1)) * float(finite.std(ddof=1))
        low, high = mean - reach, mean + reach
    if metric is None:
        return Interval(mean, float(low), float(high))
    return Interval(metric.clip(mean), metric.clip(float(low)), metric.clip(float(high)))


def copying_scores(found: Copying, *, few: bool) -> list[Score]:
    """Distance ratio and near copies as scores: their floor is chance, and handing back the shots scores 0 and 1."""
    enough = min(found.n_reference, found.n_synthetic) >= _ENOUGH
    ratio = Interval(found.ratio, found.ratio_low, found.ratio_high)
    chance = Interval(1.0, found.chance_low, found.chance_high) if ratio.known else Interval()
    near = Interval(found.near_copies, found.near_low, found.near_high)
    near_chance = Interval(found.chance_near, 0.0, found.chance_near_high) if near.known else Interval()
    handed_back = (Interval(0.0, 0.0, 0.0), Interval(1.0, 1.0, 1.0)) if ratio.known else (Interval(), Interval())
    few = few or not enough
    return [
        score(COPYING, ratio, chance, handed_back[0], Interval(), few, copying_verdict(ratio, chance, enough=enough)),
        score(
            NEAR_COPIES,
            near,
            near_chance,
            handed_back[1],
            Interval(),
            few,
            near_copies_verdict(near, near_chance, enough=enough, copied=found.copied > 0),
        ),
    ]


def score(
    metric: Metric, value: Interval, floor: Interval, shots: Interval, noise: Interval, few: bool, verdict: str
) -> Score:
    """A score with all that is known of its metric."""
    return Score(
        name=metric.name,
        title=metric.title,
        direction=metric.direction,
        range=metric.range,
        unit=metric.unit,
        explanation=metric.explanation,
        value=value,
        floor=floor,
        shots=shots,
        noise=noise,
        few=few,
        verdict=verdict,
        group=metric.group,
    )
