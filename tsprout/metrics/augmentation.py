"""Augmentation: do synthetic series, added to the few real ones, make a better forecaster or classifier.

The question of someone who has ten series: the same model is trained on the shots alone, on the shots with synthetic
series added, and on the shots with as many more real ones added, and tested on real series that none of them saw. The
score is the second error over the first: below 1 the synthetic series help, above 1 they harm. The third over the
first is the floor: what as many real series would have done. Two more models show what takes no skill: with the shots
themselves added, drawn with replacement, and with Gaussian noise of the right mean and spread (which may help, as any
regularisation may). Forecasters and their error are those of :mod:`tsprout.metrics.forecasting`; where labels exist
the classifier is that of :mod:`tsprout.metrics.classification`. All is repeated over halves of the unseen series (one
half to add, one to test on), which are stretches of consecutive ones so that windows to add do not overlap those to
test on, and over draws of synthetic ones. To a classification error one more wrong series is added, before and
after, so that none before and none after is no change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tsprout.metrics.base import LOWER, Metric
from tsprout.metrics.classification import balanced_error, classes, with_labels
from tsprout.metrics.copying import unseen
from tsprout.metrics.forecasting import error, filled
from tsprout.metrics.reference import Reference, align, features, share_gaps
from tsprout.metrics.splits import gaussian, halves, spread

REPEATS = 5
_LEAST = 4  # unseen real series below which nothing is said
_MOST = 1000  # series added, and tested on

AUGMENTATION = Metric(
    name="augmentation",
    title="Error after adding synthetic series",
    direction=LOWER,
    range=(0.0, float("inf")),
    unit="",
    explanation="Forecasting error with synthetic series added to yours, over that of yours alone; below 1 they help.",
    group="usefulness",
)
AUGMENTED_CLASSES = Metric(
    name="augmented_classes",
    title="Classification error after adding synthetic series",
    direction=LOWER,
    range=(0.0, float("inf")),
    unit="",
    explanation="Classification error with synthetic series added to yours, over that of yours alone.",
    group="usefulness",
)

_Score = Callable[[np.ndarray, np.ndarray, int], float]


@dataclass(frozen=True)
class Gain:
    """What adding series does to the error of one task. NaN where the task does not apply.

    Attributes:
        ratio: mean error with synthetic series added over mean error of the shots alone; below 1 they help.
        low, high: smallest and largest ratio of any repeat.
        floor: the same ratio for as many more real series; ``floor_low`` and ``floor_high`` its extremes.
        shots: the same ratio for as many draws from the shots; ``shots_low`` and ``shots_high`` its extremes.
        noise: the same ratio for as many series of noise; ``noise_low`` and ``noise_high`` its extremes.
        error_shots, error_synthetic, error_real: mean errors with nothing, synthetic and real series added.
    """

    ratio: float
    low: float
    high: float
    floor: float
    floor_low: float
    floor_high: float
    shots: float
    shots_low: float
    shots_high: float
    noise: float
    noise_low: float
    noise_high: float
    error_shots: float
    error_synthetic: float
    error_real: float

    @property
    def helps(self) -> bool:
        """Whether every single repeat had a smaller error with synthetic series added, and shots or noise do less."""
        return self.high < 1 and not self.ratio >= min(self.shots, self.noise)


@dataclass(frozen=True)
class Augmentation:
    """What adding synthetic series to the shots is good for.

    Attributes:
        forecasting, classification: gain of the two tasks; the latter NaN without labels.
        n_shots, n_added, n_test: series trained on, added to them, and tested on.
        repeats: how often, 0 where there are too few unseen series.
    """

    forecasting: Gain
    classification: Gain
    n_shots: int
    n_added: int
    n_test: int
    repeats: int


def augmentation(
    real: ArrayLike,
    synthetic: ArrayLike,
    shots: ArrayLike,
    *,
    labels: tuple[ArrayLike, ArrayLike, ArrayLike] | None = None,
    seed: int = 0,
    repeats: int = REPEATS,
) -> Augmentation:
    """Compare training on ``shots`` (k, C, L) alone, with ``synthetic`` (m, C, L), and with more of ``real`` (n, C, L).

    Args:
        real: real series; those that are among the shots are taken out.
        synthetic: generated series.
        shots: the few series the generator was shown.
        labels: one label a series of real, synthetic and shots, where there are classes.
        seed: of every random draw.
        repeats: how many random halves of the real series are tried.

    Raises:
        InputError: an array cannot be scored, channel counts differ, or labels and series are not as many.
    """
    held_out, made = align(real, synthetic)
    held_out, shown = align(held_out, shots, ("real", "shot"))
    length = held_out.shape[-1]
    made, shown = share_gaps(made[..., :length], held_out, np.random.default_rng([seed, 19])), shown[..., :length]
    known = classes(labels[0], labels[2]) if labels else []
    noise = gaussian(shown, _MOST, np.random.default_rng([seed, 31]))
    noise = share_gaps(noise, held_out, np.random.default_rng([seed, 37]))
    sets = [held_out, made, shown]
    codes = [np.full(len(part), np.nan) for part in sets]
    if labels and len(known) > 1:
        codes = [with_labels(part, names, known)[:, -1, 0] for part, names in zip(sets, labels, strict=True)]
    fresh = unseen(held_out, shown)
    reference = Reference.fit(np.concatenate([shown, held_out[fresh]]), seed=seed)
    series = [filled(part, reference) for part in (held_out[fresh], made, shown, noise)]
    codes[0] = codes[0][fresh]
    n = len(series[0])
    repeats = repeats if n >= _LEAST else 0
    added, tested = min(n // 2, len(made), _MOST), min(n - n // 2, _MOST)
    draws = [
        _draw(n, len(made), len(shown), added, tested, np.random.default_rng([seed, 17, turn]))
        for turn in range(repeats)
    ]
    forecasts = _gain(series, draws, lambda train, test, turn: error(train, test, seed=seed + turn), 0.0)
    answers = _gain([], [], _class_error, 0.0)
    if repeats and len(known) > 1:
        rows = [features(part, reference) for part in (held_out[fresh], made, shown, noise)]
        codes.append(np.random.default_rng([seed, 41]).choice(codes[2], len(noise)))
        marked = [np.column_stack([part, names]) for part, names in zip(rows, codes, strict=True)]
        answers = _gain(marked, draws, _class_error, 1 / max(tested, 1))
    return Augmentation(forecasts, answers, len(shown), added if repeats else 0, tested if repeats else 0, repeats)


_Draw = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _draw(n: int, m: int, k: int, added: int, tested: int, rng: np.random.Generator) -> _Draw:
    """Positions of the real series to add and to test on, and of the synthetic ones and of the shots to add."""
    first, second = halves(n, n, rng)
    more, test = first[spread(len(first), added, rng)], second[spread(len(second), tested, rng)]
    return more, test, np.sort(rng.choice(m, added, replace=False)), rng.choice(k, added)


def _class_error(train: np.ndarray, test: np.ndarray, turn: int) -> float:
    train, test = train[~np.isnan(train[:, -1])], test[~np.isnan(test[:, -1])]
    return balanced_error(train[:, :-1], train[:, -1], test[:, :-1], test[:, -1])


def _gain(sets: list[np.ndarray], draws: list[_Draw], score: _Score, grain: float) -> Gain:
    """Errors of one task over all draws; ``sets`` are the unseen real, the synthetic, the shown and the noise rows.

    ``grain`` is added to every error before ratios are taken.
    """
    found = []
    for turn, (more, test, made, again) in enumerate(draws):
        unseen_rows, synthetic, shown, noise = sets
        extra = (shown[:0], synthetic[made], unseen_rows[more], shown[again], noise[: len(made)])
        found.append([score(np.concatenate([shown, rows]), unseen_rows[test], turn) for rows in extra])
    table = np.array(found).reshape(-1, 5)
    table = table[np.isfinite(table).all(axis=1)]
    means = table.mean(axis=0) if len(table) else np.full(5, np.nan)
    alone, errors = means[0], means[:3].tolist()
    if not alone + grain > 0:
        nan = float("nan")
        return Gain(*[nan] * 12, *errors)
    mean = (means[1:] + grain) / (alone + grain)
    ratios = (table[:, 1:] + grain) / np.maximum(table[:, :1] + grain, 1e-3 * alone)
    spans = np.stack([mean, ratios.min(axis=0), ratios.max(axis=0)], axis=1).tolist()
    return Gain(*[end for span in spans for end in span], *errors)
