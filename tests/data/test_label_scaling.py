"""Scaling within labels: when, how far, undone, kept, refused."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from tiny_models import TRANSFORMER, woken

from tsprout import Sprout
from tsprout.data.label_scaling import LabelScaling
from tsprout.data.scaling import Scaler
from tsprout.errors import InputError
from tsprout.series import SeriesSet

LABELS = np.array(["low"] * 6 + ["high"] * 6, dtype=object)


def noise(seed: int, shape: tuple[int, ...] = (12, 1, 24)) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def labelled(values: np.ndarray, labels: np.ndarray | None = LABELS) -> SeriesSet:
    return SeriesSet.from_arrays(values, labels=labels)


def apart() -> np.ndarray:
    """Two channels: one with labels far apart, and of unlike spread; the other the same for all."""
    values = noise(0, (12, 2, 24))
    values[6:, 0] = 1e4 + 50 * values[6:, 0]
    values[3, 0, 5:9] = np.nan
    return values


def test_what_the_series_of_a_label_differ_by_has_unit_variance() -> None:
    values = apart()
    scaler = Scaler.fit(labelled(values))
    latent = scaler.transform(values, LABELS)
    for own in (slice(0, 6), slice(6, 12)):
        assert np.nanmean(latent[own, 0]) == pytest.approx(0, abs=1e-4)
        assert 0.5 < np.nanstd(latent[own, 0]) < 2
    assert [about["by_label"] for about in scaler.describe()] == [True, False]
    plain = Scaler.fit(labelled(values, None))
    np.testing.assert_array_equal(latent[:, 1], plain.transform(values)[:, 1])
    assert np.nanstd(plain.transform(values)[:6, 0]) < 1e-3


def test_it_is_undone_and_kept_to_the_bit() -> None:
    values = apart()
    scaler = Scaler.fit(labelled(values))
    latent = scaler.transform(values, LABELS)
    back = scaler.inverse(latent, LABELS)
    np.testing.assert_array_equal(np.isnan(back), np.isnan(values))
    for own in (slice(0, 6), slice(6, 12)):
        np.testing.assert_allclose(back[own], values[own], rtol=1e-5, atol=1e-4)
    again = Scaler.from_dict(json.loads(json.dumps(scaler.to_dict())))
    np.testing.assert_array_equal(again.transform(values, LABELS), latent)
    np.testing.assert_array_equal(again.inverse(latent, LABELS), back)
    one = np.arange(11, -1, -1)
    np.testing.assert_array_equal(scaler.transform(values[one], LABELS[one]), latent[one])


@pytest.mark.parametrize(("labels", "each"), [(2, 2), (2, 5), (3, 6), (10, 2)])
def test_labels_that_say_nothing_are_hardly_ever_heeded(labels: int, each: int) -> None:
    """Series that differ in level, dealt into labels by chance."""
    names, shape = np.arange(labels * each) % labels, (labels * each, 1, 24)
    sets = [0.1 * noise(seed, shape) + noise(seed + 1000, (*shape[:2], 1)) for seed in range(100)]
    heeded = [LabelScaling.fit([one[:, 0].astype(np.float64)], names) is not None for one in sets]
    assert sum(heeded) <= 12


def test_labels_of_one_series_each_are_left_alone() -> None:
    values = noise(1) + 100 * np.arange(12)[:, None, None]
    names = np.array([f"site {i}" for i in range(12)], dtype=object)
    assert Scaler.fit(labelled(values, names)).labels is None
    assert Scaler.fit(labelled(values, np.array(["all"] * 12, dtype=object))).labels is None


@pytest.mark.parametrize("ripple", [1e-3, 1.0, 30.0])
def test_a_single_series_of_a_label_has_a_scale_near_its_own(ripple: float) -> None:
    values = noise(2, (11, 1, 24))
    values[5:10] += 1000
    values[10] = 5000 + ripple * values[10]
    names = np.array(["a"] * 5 + ["b"] * 5 + ["c"], dtype=object)
    scaler = Scaler.fit(labelled(values, names))
    assert scaler.labels is not None
    alone = scaler.transform(values, names)[10].std()
    assert 0.33 < alone < 3.01
    assert alone == pytest.approx(1, rel=0.3) or ripple != 1


@pytest.mark.parametrize("sizes", [(60000.0, 3000.0, 0.1, 1e-5), (1e6, 1e-4)])
def test_however_small_a_label_is_beside_others_its_moves_have_unit_variance(sizes: tuple[float, ...]) -> None:
    moves = np.exp(0.02 * noise(4, (5 * len(sizes), 1, 24)).astype(np.float64).cumsum(2))
    values = (np.repeat(sizes, 5)[:, None, None] * moves).astype(np.float32)
    names = np.repeat([f"coin {i}" for i in range(len(sizes))], 5)
    scaler = Scaler.fit(labelled(values, names))
    latent = scaler.transform(values, names)
    for k in range(len(sizes)):
        assert 0.5 < latent[5 * k : 5 * k + 5].std() < 2
    np.testing.assert_allclose(scaler.inverse(latent, names), values, rtol=1e-3)


def test_a_label_of_one_series_may_vary_where_all_others_are_constant() -> None:
    values = np.repeat(np.arange(12.0), 2)[:, None, None] * np.ones((1, 1, 24))
    values = np.concatenate([values, 12 + 3 * noise(5, (1, 1, 24))]).astype(np.float32)
    names = np.array([f"l{i // 2}" for i in range(24)] + ["z"], dtype=object)
    scaler = Scaler.fit(labelled(values, names))
    back = scaler.inverse(scaler.transform(values, names), names)
    np.testing.assert_allclose(back, values, rtol=1e-5, atol=1e-4)


def test_channels_with_a_spike_are_named_where_labels_lie_far_apart() -> None:
    rng = np.random.default_rng(0)
    sales = rng.poisson(np.repeat([1000, 5], 6)[:, None, None], (12, 1, 24)) * (rng.random((12, 1, 24)) > 0.2)
    scaler = Scaler.fit(labelled(sales.astype(np.float32)))
    assert scaler.labels is None and scaler.unscaled == ("channel_0",)
    notes = Sprout(woken(TRANSFORMER)).fit(labelled(sales.astype(np.float32)), "prompt").fit_report.notes
    assert any("fit each label by itself" in note for note in notes)
    assert Scaler.fit(labelled(apart())).unscaled == ()


def test_many_labels_take_no_time() -> None:
    names = np.array([f"l{i}" for i in range(20000)])
    found = LabelScaling(tuple(sorted(names)), np.zeros((20000, 1)), np.ones((20000, 1)))
    begun = time.process_time()
    found.of(names)
    assert time.process_time() - begun < 1


@pytest.mark.parametrize("kind", ["two values", "constant"])
def test_channels_of_few_values_are_left_alone(kind: str) -> None:
    values = np.zeros((12, 1, 24), np.float32)
    values[6:] = kind == "two values"
    values[0, 0, 0] = kind == "two values"
    scaler = Scaler.fit(labelled(values))
    assert scaler.labels is None
    np.testing.assert_array_equal(scaler.inverse(scaler.transform(values, LABELS), LABELS), values)


def test_a_channel_that_is_constant_within_every_label_comes_back_as_it_is() -> None:
    values = np.zeros((12, 2, 24), np.float32)
    values[:, 1] = noise(3)[:, 0]
    values[:, 0] = np.repeat([1.5, 2.25, 70.125], 4)[:, None]
    names = np.repeat(np.array(["a", "b", "c"], dtype=object), 4)
    scaler = Scaler.fit(labelled(values, names), transforms={"channel_0": "identity"})
    latent = scaler.transform(values, names)
    assert scaler.labels is not None and (latent[:, 0] == 0).all()
    np.testing.assert_array_equal(scaler.inverse(latent + 0.3, names)[:, 0], values[:, 0])


def test_what_cannot_be_scaled_is_refused() -> None:
    values = apart()
    scaler = Scaler.fit(labelled(values))
    with pytest.raises(InputError, match="these series have none"):
        scaler.transform(values)
    with pytest.raises(InputError, match="label 'medium'"):
        scaler.inverse(values, np.array(["low", "medium"] * 6))
    kept = scaler.to_dict()
    for damage in (
        {"shift": [[0.0]]},
        {"scale": [[-1.0, 1.0], [1.0, 1.0]]},
        {"scale": [[np.inf, 1.0], [1.0, 1.0]]},
        {"labels": ["low"]},
        {"labels": ["low", "low"]},
        {"scale": None},
    ):
        with pytest.raises(InputError, match="damaged"):
            Scaler.from_dict(kept | {"labels": kept["labels"] | damage})
    with pytest.raises(InputError, match="damaged"):
        Scaler.from_dict(kept | {"labels": {"labels": ["low"]}})
