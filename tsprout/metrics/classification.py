"""Classification: does a classifier trained on synthetic series know the classes of real ones.

Train on synthetic, test on real (Esteban, Hyland, Raetsch 2017, arXiv 1706.02633), with the classifier that ROCKET
made standard for time series: a ridge on random-convolution features. The score is the balanced error, the mean over
the real classes of the share of series that were given another class; guessing scores one minus one over the number of
classes, and a class that was not generated is always missed.

Labels travel as a last channel: :func:`with_labels` adds one that holds the number of the class at the first time step,
and :data:`CLASSIFICATION` takes it off again. So labelled sets can be cut, drawn from and compared like any others:

>>> import numpy as np
>>> values = np.random.default_rng(0).standard_normal((40, 1, 24))
>>> labels = np.repeat(["flat", "rising"], 20)
>>> values[20:] += np.arange(24)
>>> real = with_labels(values, labels, classes(labels))
>>> CLASSIFICATION(real[::2], real[1::2])
0.0

The floor is then what training on another real sample scores, and noise has labels at random.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from tsprout.errors import InputError
from tsprout.metrics.base import LOWER, PairMetric
from tsprout.metrics.reference import Reference, check, features

_RIDGES = (1e-3, 1e-2, 1e-1, 1.0)  # times the number of rows


def classes(*labels: ArrayLike) -> list[str]:
    """Sorted names of all classes in several label arrays; None, NaN and the empty string are no class."""
    return sorted({name for group in labels for name in _names(group) if name})


def with_labels(values: ArrayLike, labels: ArrayLike, known: list[str]) -> np.ndarray:
    """``values`` (n, C, L) with one more channel: at its first step the position of the label in ``known``, else NaN.

    Raises:
        InputError: an array that cannot be scored, or another number of labels than of series.
    """
    array, names = check(values, "labelled"), _names(labels)
    if len(names) != len(array):
        raise InputError(f"{len(array)} series have {len(names)} labels", fix="Give one label a series.")
    position = {name: float(number) for number, name in enumerate(known)}
    channel = np.full((len(array), 1, array.shape[2]), np.nan)
    channel[:, 0, 0] = [position.get(name, np.nan) for name in names]
    return np.concatenate([array, channel], axis=1)


def classification(
    real: ArrayLike, real_labels: ArrayLike, synthetic: ArrayLike, synthetic_labels: ArrayLike, *, seed: int = 0
) -> float:
    """Balanced error on ``real`` (n, C, L) of a classifier trained on ``synthetic`` (m, C, L), labels one a series.

    NaN where the real series have fewer than two classes or the synthetic ones no label at all.

    Raises:
        InputError: an array cannot be scored, channel counts differ, or labels and series are not as many.
    """
    known = classes(real_labels)
    labelled = [with_labels(real, real_labels, known), with_labels(synthetic, synthetic_labels, known)]
    if len(known) < 2 or any(np.isnan(part[:, -1]).all() for part in labelled):
        return float("nan")
    return CLASSIFICATION(*labelled, seed=seed)


def balanced_error(train: np.ndarray, target: np.ndarray, test: np.ndarray, truth: np.ndarray) -> float:
    """Balanced error of the ridge trained on ``train`` (n, d) with classes ``target`` (n,), on ``test`` (m, d).

    NaN where ``truth`` holds fewer than two classes or ``target`` is empty.
    """
    found = np.unique(truth)
    if len(found) < 2 or not len(target):
        return float("nan")
    answer = _answers(train, target, test) if len(np.unique(target)) > 1 else np.full(len(truth), target[0])
    return float(np.mean([np.mean(answer[truth == name] != name) for name in found]))


def _answers(train: np.ndarray, target: np.ndarray, test: np.ndarray) -> np.ndarray:
    from sklearn.linear_model import RidgeClassifierCV

    model = RidgeClassifierCV(alphas=[ridge * len(train) for ridge in _RIDGES], class_weight="balanced")
    return model.fit(train, target).predict(test)


def _names(labels: ArrayLike) -> list[str]:
    flat = np.asarray(labels, dtype=object).ravel()
    return ["" if name is None or name != name else str(name) for name in flat]


def _prepare(values: np.ndarray, reference: Reference) -> np.ndarray:
    """Rows ``(n, n_features + 1)``; the last column is the class, NaN for none, read from the last channel."""
    if values.shape[1] < 2:
        return np.full((len(values), 1), np.nan)
    own = replace(
        reference,
        mean=reference.mean[:-1],
        scale=reference.scale[:-1],
        constant=reference.constant[:-1],
        sample=reference.sample[:, :-1],
    )
    return np.concatenate([features(values[:, :-1], own), np.round(values[:, -1, :1])], axis=1)


def _compare(real: np.ndarray, synthetic: np.ndarray, seed: int) -> float:
    real, synthetic = real[~np.isnan(real[:, -1])], synthetic[~np.isnan(synthetic[:, -1])]
    return balanced_error(synthetic[:, :-1], synthetic[:, -1], real[:, :-1], real[:, -1])


CLASSIFICATION = PairMetric(
    name="classification",
    title="Classification error",
    direction=LOWER,
    range=(0.0, 1.0),
    unit="",
    explanation="Share of real series, averaged over classes, that a classifier trained on synthetic ones gets wrong.",
    prepare=_prepare,
    compare=_compare,
    fills=True,
    group="usefulness",
    tolerance=1.1,
)
