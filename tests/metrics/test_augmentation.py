"""Good synthetic series help as much as real ones, bad ones harm, and nothing unseen means no answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tsprout.metrics.augmentation import AUGMENTATION, AUGMENTED_CLASSES, _draw, augmentation


def process(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two classes of noisy rhythms with two channels, the second a late echo of the first."""
    rng = np.random.default_rng(seed)
    kind = rng.permutation(np.arange(n) % 2)
    period = np.array([6.0, 7.5])[kind][:, None]
    wave = np.sin(2 * np.pi * (np.arange(22) / period + rng.random((n, 1)))) + 0.7 * rng.standard_normal((n, 22))
    return np.stack([wave[:, 2:], wave[:, :-2]], axis=1), kind


REAL, KINDS = process(120, 1)
SHOTS, SHOT_KINDS = process(8, 2)
GOOD, GOOD_KINDS = process(150, 3)


@pytest.fixture(scope="module")
def good():
    return augmentation(REAL, GOOD, SHOTS, labels=(KINDS, GOOD_KINDS, SHOT_KINDS))


def test_series_of_the_same_kind_help_as_much_as_real_ones(good):
    for gain in (good.forecasting, good.classification):
        assert gain.helps
        assert gain.low <= gain.ratio <= gain.high < 1
        assert gain.ratio == pytest.approx(gain.floor, abs=0.15)
    gain = good.forecasting
    assert gain.ratio == pytest.approx(gain.error_synthetic / gain.error_shots)
    gain = good.classification
    assert gain.ratio == pytest.approx((gain.error_synthetic + 1 / 60) / (gain.error_shots + 1 / 60))
    assert (good.n_shots, good.n_added, good.n_test, good.repeats) == (8, 60, 60, 5)


def test_series_that_were_added_are_never_tested_on():
    for n, added, tested in ((4, 2, 2), (9, 4, 5), (100, 30, 50)):
        more, test, made, again = _draw(n, 60, 8, added, tested, np.random.default_rng(n))
        assert (len(set(more)), len(set(test)), len(set(made))) == (added, tested, added)
        assert len(again) == added and set(again) <= set(range(8))
        assert not set(more) & set(test)


def test_few_series_that_are_added_have_their_neighbour_tested_on():
    # 40 stretches of 10 have 40 borders; drawn one by one, half of the 400 series would have a neighbour over there
    more, test, _, _ = _draw(400, 300, 8, 200, 200, np.random.default_rng(0))
    assert np.isin(more + 1, test).sum() <= 40


def test_the_ceilings_are_measured(good):
    for gain in (good.forecasting, good.classification):
        assert gain.shots_low <= gain.shots <= gain.shots_high
        assert gain.noise_low <= gain.noise <= gain.noise_high
        assert gain.ratio < min(gain.shots, gain.noise)
    # what handing back the shots really does, though not from the same draws
    back = augmentation(REAL, SHOTS[np.arange(60) % 8], SHOTS).forecasting
    assert good.forecasting.shots == pytest.approx(back.ratio, abs=0.05)
    assert good.forecasting.shots != 1
    assert good.forecasting.noise > 1


def test_what_helps_no_more_than_noise_does_not_help(good):
    gain = good.forecasting
    assert replace(gain, noise=1.2, shots=1.0).helps
    assert not replace(gain, noise=gain.ratio - 0.01).helps
    assert not replace(gain, shots=gain.ratio - 0.01).helps


def test_noise_does_not_help(good):
    noise = REAL.std() * np.random.default_rng(0).standard_normal(GOOD.shape)
    found = augmentation(REAL, noise, SHOTS, repeats=2)
    assert found.forecasting.ratio > 1
    assert not found.forecasting.helps
    assert found.forecasting.floor == pytest.approx(good.forecasting.floor, abs=0.05)


def test_handing_back_the_shots_changes_little():
    found = augmentation(REAL, SHOTS[np.arange(60) % 8], SHOTS, repeats=2)
    assert found.forecasting.ratio == pytest.approx(1, abs=0.1)


def test_shuffled_labels_harm_the_classifier_alone(good):
    wrong = np.random.default_rng(0).permutation(GOOD_KINDS)
    found = augmentation(REAL, GOOD, SHOTS, labels=(KINDS, wrong, SHOT_KINDS), repeats=2)
    assert found.classification.ratio > good.classification.ratio + 0.2
    assert found.forecasting.ratio == pytest.approx(good.forecasting.ratio, abs=0.05)


def test_without_unseen_series_or_labels_there_is_no_answer():
    for real in (SHOTS, np.concatenate([SHOTS, REAL[:3]])):
        found = augmentation(real, GOOD, SHOTS)
        assert found.repeats == found.n_added == 0
        assert np.isnan(found.forecasting.ratio)
        assert not found.forecasting.helps
    nothing = augmentation(SHOTS, GOOD, SHOTS, labels=(SHOT_KINDS, GOOD_KINDS, SHOT_KINDS))
    assert np.isnan(nothing.classification.ratio)
    assert np.isnan(augmentation(REAL, GOOD, SHOTS, repeats=1).classification.ratio)


def test_shots_gaps_single_series_and_repeats():
    holes = np.where(np.random.default_rng(0).random(REAL.shape) < 0.2, np.nan, REAL)
    found = augmentation(np.concatenate([SHOTS, holes]), GOOD[:, :, :15], SHOTS[:1], repeats=2, seed=5)
    again = augmentation(np.concatenate([SHOTS, holes]), GOOD[:, :, :15], SHOTS[:1], repeats=2, seed=5)
    assert found.forecasting == again.forecasting
    assert found.n_shots == 1
    assert np.isfinite(found.forecasting.ratio)
    still = np.ones((9, 2, 5))
    assert np.isnan(augmentation(still * np.arange(9)[:, None, None], GOOD, still).forecasting.ratio)


def test_the_metrics_say_what_they_are():
    for metric in (AUGMENTATION, AUGMENTED_CLASSES):
        assert metric.direction == "lower"
        assert metric.explanation.endswith(".")
