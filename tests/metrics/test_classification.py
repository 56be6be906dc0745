"""Classes that synthetic series have right, mixed up, or do not have at all."""

from __future__ import annotations

import numpy as np
import pytest

from tsprout.errors import InputError
from tsprout.metrics import evaluate
from tsprout.metrics.classification import CLASSIFICATION, balanced_error, classes, classification, with_labels


def labelled(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Sines of three periods, one period a class."""
    rng = np.random.default_rng(seed)
    kind = rng.permutation(np.arange(n) % 3)
    period = np.array([5.0, 8.0, 13.0])[kind][:, None]
    values = np.sin(2 * np.pi * (np.arange(24) / period + rng.random((n, 1)))) + 0.3 * rng.standard_normal((n, 24))
    return values[:, None], np.array(["fast", "middle", "slow"])[kind]


REAL, NAMES = labelled(150, 1)
MADE, MADE_NAMES = labelled(150, 2)


def mixed_up(names: np.ndarray, share: float) -> np.ndarray:
    result = names.copy()
    count = int(share * len(names))
    result[:count] = np.random.default_rng(3).permutation(names[:count])
    return result


def test_right_classes_are_learnt_and_shuffled_ones_are_not():
    found = [classification(REAL, NAMES, MADE, mixed_up(MADE_NAMES, share)) for share in (0, 0.6, 1.0)]
    assert found[0] < 0.05
    assert found == sorted(found)
    assert found[-1] == pytest.approx(2 / 3, abs=0.17)


def test_a_class_that_was_not_generated_is_missed():
    kept = MADE_NAMES != "slow"
    assert classification(REAL, NAMES, MADE[kept], MADE_NAMES[kept]) == pytest.approx(1 / 3, abs=0.04)
    only = MADE_NAMES == "fast"
    assert classification(REAL, NAMES, MADE[only], MADE_NAMES[only]) == pytest.approx(2 / 3)


def test_classes_count_alike_however_rare_they_are():
    rows = np.array([[0.0], [0.1], [1.0], [1.1]] * 5)
    target = np.array([0, 0, 1, 1] * 5)
    test, truth = np.zeros((10, 1)), np.array([0] * 9 + [1])
    assert balanced_error(rows, target, test, truth) == 0.5
    assert np.isnan(balanced_error(rows, target, test, np.zeros(10)))
    assert np.isnan(balanced_error(rows[:0], target[:0], test, truth))


def test_without_labels_there_is_nothing_to_say():
    nothing = [None] * 150
    assert np.isnan(classification(REAL, nothing, MADE, MADE_NAMES))
    assert np.isnan(classification(REAL, NAMES, MADE, nothing))
    assert np.isnan(classification(REAL, ["one"] * 150, MADE, MADE_NAMES))
    assert np.isnan(CLASSIFICATION(REAL, MADE))


def test_series_without_a_label_are_left_out():
    some = NAMES.astype(object)
    some[::3] = None
    some[1::3] = np.nan
    assert classes(some, [""], [2, 1.0]) == ["1.0", "2", "fast", "middle", "slow"]
    assert classification(REAL, some, MADE, MADE_NAMES) < 0.08


def test_a_floor_and_ceilings_come_with_the_score():
    known = classes(NAMES)
    real, made = with_labels(REAL, NAMES, known), with_labels(MADE, mixed_up(MADE_NAMES, 0.7), known)
    scores = evaluate(real, made, shots=with_labels(*labelled(10, 5), known), metrics=[CLASSIFICATION])
    score = scores["classification"]
    assert score.floor.mean < 0.05
    assert score.floor.mean <= score.shots.mean < score.noise.mean
    assert score.noise.mean == pytest.approx(2 / 3, abs=0.15)
    assert score.value.mean > score.floor.high


def test_padding_gaps_and_lengths_leave_the_labels_alone():
    padded = np.concatenate([REAL, np.full((150, 1, 6), np.nan)], axis=-1)
    holes = np.where(np.random.default_rng(0).random(MADE.shape) < 0.1, np.nan, MADE)
    assert with_labels(padded, NAMES, classes(NAMES)).shape == (150, 2, 30)
    assert classification(padded, NAMES, MADE, MADE_NAMES) == classification(REAL, NAMES, MADE, MADE_NAMES)
    assert classification(padded, NAMES, holes, MADE_NAMES) < 0.15


def test_labels_must_be_as_many_as_series():
    with pytest.raises(InputError, match="150 series have 3 labels"):
        classification(REAL, NAMES, MADE, MADE_NAMES[:3])
