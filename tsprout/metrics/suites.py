"""Suites of scores: ``quick`` (seconds), ``full`` (a minute: what else one would want to know), ``paper`` (minutes).

``full`` adds to the pairwise metrics what needs more than two sets: classification where there are labels, membership
inference, and whether synthetic series, added to the few real ones, make a better forecaster or classifier. ``paper``
has the three scores of arXiv 2505.20446 as they are there, and beside each a corrected variant.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from tsprout.metrics import describe
from tsprout.metrics.augmentation import AUGMENTATION, AUGMENTED_CLASSES, Gain, augmentation
from tsprout.metrics.base import Metric
from tsprout.metrics.classification import CLASSIFICATION, classes, with_labels
from tsprout.metrics.evaluate import Progress, evaluate
from tsprout.metrics.membership import MEMBERSHIP, Membership, membership
from tsprout.metrics.reference import Reference, align
from tsprout.metrics.registry import METRICS, SUITES, suite
from tsprout.metrics.scores import Score, Scores
from tsprout.metrics.splits import gaussian, halves
from tsprout.metrics.verdicts import (
    FAR_ENOUGH,
    HARMS,
    HELPS,
    LEAKS,
    NO_CHANGE,
    NOT_APPLICABLE,
    UNCLEAR,
    Interval,
    fidelity_verdict,
)

Labels = tuple[ArrayLike, ArrayLike, ArrayLike]
_PAPER_KEYS = {"disc": "discriminative", "pred": "predictive", "cfid": "context_fid"}


def score_suite(
    real: ArrayLike,
    synthetic: ArrayLike,
    *,
    shots: ArrayLike,
    held_out: ArrayLike | None = None,
    labels: Labels | None = None,
    name: str = "quick",
    seed: int = 0,
    repeats: int = 10,
    iterations: int | None = None,
    progress: Progress | None = None,
) -> Scores:
    """Scores of a suite by name.

    Args:
        real, synthetic, shots, held_out, seed, progress: see :func:`tsprout.metrics.evaluate.evaluate`.
        labels: of real, synthetic and shots, one a series each, where there are classes; the full suite uses them.
        name: ``quick``, ``full`` or ``paper``.
        repeats, iterations: of the networks of the paper suite; 10 and the paper's own by default.

    Raises:
        InputError: there is no such suite, an array cannot be scored, or they do not fit each other.
    """
    chosen = suite(name)
    if name == "paper":
        quick = evaluate(real, synthetic, shots=shots, held_out=held_out, metrics=(), seed=seed)
        found = _paper(real, synthetic, shots, repeats, iterations, quick.few, seed, progress)
        return replace(quick, scores=(*found, *quick.scores), notes=(*quick.notes, *_PAPER_NOTES))
    scores = evaluate(real, synthetic, shots=shots, held_out=held_out, metrics=chosen, seed=seed, progress=progress)
    if name == "quick":
        return scores
    found = list(scores.scores)
    steps = ["membership", "augmentation"] + ["classification"] * (labels is not None)
    for done, step in enumerate(steps):
        if progress is not None:
            progress("more scores", done, len(steps))
        if step == "membership":
            unseen = real if held_out is None else held_out
            found.append(_membership_score(membership(synthetic, shots, unseen, seed=seed), few=scores.few))
        elif step == "classification" and labels is not None:
            found += _classified(real, synthetic, shots, labels, seed)
        else:
            gain = augmentation(real, synthetic, shots, labels=labels, seed=seed)
            found.append(_gain_score(AUGMENTATION, gain.forecasting))
            if labels is not None:
                found.append(_gain_score(AUGMENTED_CLASSES, gain.classification))
    if progress is not None:
        progress("more scores", len(steps), len(steps))
    order = {metric: number for number, metric in enumerate(METRICS)}
    return replace(scores, scores=tuple(sorted(found, key=lambda score: order[score.name])))


def _classified(
    real: ArrayLike, synthetic: ArrayLike, shots: ArrayLike, labels: Labels, seed: int
) -> tuple[Score, ...]:
    known = classes(labels[0])
    first, made = align(real, synthetic)
    first, shown = align(first, shots, ("real", "shot"))
    sets = (first, made[..., : first.shape[-1]], shown)
    if len(known) < 2 or any(len(classes(own)) == 0 for own in labels):
        return ()
    own, other, third = (with_labels(x, y, known) for x, y in zip(sets, labels, strict=True))
    return (evaluate(own, other, shots=third, metrics=[CLASSIFICATION], seed=seed)[CLASSIFICATION.name],)


def _membership_score(found: Membership, *, few: bool) -> Score:
    value = Interval(found.advantage, max(found.low - 0.5, 0.0), max(found.high - 0.5, 0.0))
    chance = Interval(0.0, 0.0, found.chance_high - 0.5)
    verdict = LEAKS if found.area > found.chance_high else FAR_ENOUGH
    if not found.enough:
        value = chance = Interval()
        verdict = UNCLEAR
    handed_back = Interval(0.5, 0.5, 0.5) if found.enough else Interval()
    return describe.score(MEMBERSHIP, value, chance, handed_back, Interval(), few or not found.enough, verdict)


def _gain_score(metric: Metric, gain: Gain) -> Score:
    """The ratio of errors; handing back the shots adds nothing, so it scores 1."""
    value, floor = Interval(gain.ratio, gain.low, gain.high), Interval(gain.floor, gain.floor_low, gain.floor_high)
    if not value.known:
        return describe.score(metric, Interval(), Interval(), Interval(), Interval(), True, NOT_APPLICABLE)
    verdict = HELPS if gain.helps else HARMS if gain.low > 1 else NO_CHANGE
    return describe.score(metric, value, floor, Interval(1.0, 1.0, 1.0), Interval(), False, verdict)


_PAPER_NOTES = (
    "The paper's scores are computed on values in standard deviations of the real channels, against all real series; "
    "their floor is between two halves, and so a little high.",
)


def _paper(
    real: ArrayLike,
    synthetic: ArrayLike,
    shots: ArrayLike,
    repeats: int,
    iterations: int | None,
    few: bool,
    seed: int,
    progress: Progress | None,
) -> list[Score]:
    from tsprout.metrics.paper import paper_scores

    first, made = align(real, synthetic)
    first, shown = align(first, shots, ("real", "shot"))
    made = made[..., : first.shape[-1]]
    reference = Reference.fit(first)
    first, made, shown = (reference.standardise(x) for x in (first, made, shown))
    rng = np.random.default_rng([seed, 17])
    n = len(first)
    one, other = halves(n, n // 2, rng)
    pairs = {
        "value": (first, made),
        "floor": (first[one], first[other]),
        "shots": (first, shown[rng.integers(0, len(shown), n)]),
        "noise": (first, gaussian(shown, n, rng)),
    }
    keys = [key + ending for key in _PAPER_KEYS for ending in ("", "_capable")]
    found: dict[str, dict[str, Interval]] = {key: {} for key in keys}
    for number, (kind, (left, right)) in enumerate(pairs.items()):
        for place, key in enumerate(keys):
            if progress is not None:
                progress("paper scores", number * len(keys) + place, len(pairs) * len(keys))
            if min(len(left), len(right)) < 2:
                found[key][kind] = Interval()
                continue
            result = paper_scores(left, right, which=(key,), repeats=repeats, iterations=iterations, seed=seed)[key]
            finite = result.values[np.isfinite(result.values)]
            low, high = np.quantile(finite, [0.05, 0.95]) if finite.size else (np.nan, np.nan)
            found[key][kind] = Interval(float(result.mean), float(low), float(high))
    if progress is not None:
        progress("paper scores", len(pairs) * len(keys), len(pairs) * len(keys))
    scores = []
    for metric, key in zip(SUITES["paper"], sorted(keys, key=lambda k: k.endswith("_capable")), strict=True):
        own = found[key]
        verdict = fidelity_verdict(
            own["value"], own["floor"], own["shots"], own["noise"], few=few, tolerance=metric.tolerance
        )
        scores.append(describe.score(metric, **own, few=few, verdict=verdict))
    return scores
