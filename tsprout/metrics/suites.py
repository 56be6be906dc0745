"""Suites of scores: ``quick`` (seconds), ``full`` (a minute: what else one would want to know), ``paper`` (minutes).

``full`` adds to the pairwise metrics what needs more than two sets: classification where there are labels, membership
inference, and whether synthetic series, added to the few real ones, make a better forecaster or classifier. ``paper``
has the three scores of arXiv 2505.20446 as they are there, and beside each a corrected variant
(:mod:`tsprout.metrics.paper_suite`).
"""

from __future__ import annotations

from dataclasses import replace

from numpy.typing import ArrayLike

from tsprout.metrics import describe
from tsprout.metrics.augmentation import AUGMENTATION, AUGMENTED_CLASSES, Gain, augmentation
from tsprout.metrics.base import Metric
from tsprout.metrics.classification import CLASSIFICATION, classes, with_labels
from tsprout.metrics.evaluate import evaluate
from tsprout.metrics.membership import MEMBERSHIP, Membership, membership
from tsprout.metrics.paper_suite import SPLITS, paper_suite
from tsprout.metrics.reference import align
from tsprout.metrics.registry import METRICS, suite
from tsprout.metrics.scores import Score, Scores
from tsprout.metrics.verdicts import (
    FAR_ENOUGH,
    HARMS,
    HELPS,
    LEAKS,
    NO_CHANGE,
    NOT_APPLICABLE,
    UNCLEAR,
    Interval,
)
from tsprout.progress import Progress

Labels = tuple[ArrayLike, ArrayLike, ArrayLike]


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
        InputError: there is no such suite, an array cannot be scored, or they do not fit each other, or the seed
            is below 0.
    """
    chosen = suite(name)
    if name == "paper":
        quick = evaluate(real, synthetic, shots=shots, held_out=held_out, metrics=(), seed=seed)
        found = paper_suite(
            real, synthetic, shots, repeats=repeats, iterations=iterations, few=quick.few, seed=seed, progress=progress
        )
        return replace(
            quick,
            scores=(*found.scores, *quick.scores),
            sample_size=found.sample_size,
            repeats=SPLITS,
            notes=(*quick.notes, *found.notes),
        )
    scores = evaluate(real, synthetic, shots=shots, held_out=held_out, metrics=chosen, seed=seed, progress=progress)
    if name == "quick":
        return scores
    listed = list(scores.scores)
    steps = ["membership", "augmentation"] + ["classification"] * (labels is not None)
    for done, step in enumerate(steps):
        if progress is not None:
            progress("more scores", done, len(steps))
        if step == "membership":
            unseen = real if held_out is None else held_out
            listed.append(_membership_score(membership(synthetic, shots, unseen, seed=seed), few=scores.few))
        elif step == "classification" and labels is not None:
            listed += _classified(real, synthetic, shots, labels, seed)
        else:
            gain = augmentation(real, synthetic, shots, labels=labels, seed=seed)
            listed.append(_gain_score(AUGMENTATION, gain.forecasting))
            if labels is not None:
                listed.append(_gain_score(AUGMENTED_CLASSES, gain.classification))
    if progress is not None:
        progress("more scores", len(steps), len(steps))
    order = {metric: number for number, metric in enumerate(METRICS)}
    return replace(scores, scores=tuple(sorted(listed, key=lambda score: order[score.name])))


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
    """The ratio of errors, beside what as many real series, the shots again, and noise would have done."""
    value, floor = Interval(gain.ratio, gain.low, gain.high), Interval(gain.floor, gain.floor_low, gain.floor_high)
    if not value.known:
        return describe.score(metric, Interval(), Interval(), Interval(), Interval(), True, NOT_APPLICABLE)
    verdict = HELPS if gain.helps else HARMS if gain.low > 1 else NO_CHANGE
    shots = Interval(gain.shots, gain.shots_low, gain.shots_high)
    noise = Interval(gain.noise, gain.noise_low, gain.noise_high)
    return describe.score(metric, value, floor, shots, noise, False, verdict)
