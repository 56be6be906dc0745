"""Scaling within labels: when, how far, undone, kept, refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

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


def test_a_single_series_of_a_label_gets_the_spread_of_the_others() -> None:
    values = noise(2, (11, 1, 24))
    values[5:10] += 1000
    values[10] = 5000 + 1e-3 * values[10]
    names = np.array(["a"] * 5 + ["b"] * 5 + ["c"], dtype=object)
    found = Scaler.fit(labelled(values, names)).labels
    assert found is not None
    a, b, c = found.scale[:, 0]
    assert min(a, b) <= c <= max(a, b)


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
    for damage in ({"shift": [[0.0]]}, {"scale": [[-1.0, 1.0], [1.0, 1.0]]}, {"labels": ["low"]}, {"scale": None}):
        with pytest.raises(InputError, match="damaged"):
            Scaler.from_dict(kept | {"labels": kept["labels"] | damage})
    with pytest.raises(InputError, match="damaged"):
        Scaler.from_dict(kept | {"labels": {"labels": ["low"]}})
