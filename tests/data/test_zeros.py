"""Channels that are zero in the same cells stay so; what is nearly so is left alone."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tsprout.data.scaling import Scaler
from tsprout.data.zeros import Together
from tsprout.errors import InputError
from tsprout.imputing import _settled
from tsprout.series import SeriesSet


def sales(n: int = 12, length: int = 20, seed: int = 0) -> np.ndarray:
    """Units, revenue at a price of 3 to 4, and a temperature, ``(n, 3, length)``; in a third of the cells nothing."""
    rng = np.random.default_rng(seed)
    units = rng.poisson(9, (n, length)) + 1.0
    units[rng.random(units.shape) < 1 / 3] = 0
    return np.stack([units, units * rng.uniform(3, 4, units.shape), rng.normal(15, 5, units.shape)], axis=1)


def fitted(values: np.ndarray, **rest) -> Scaler:
    return Scaler.fit(SeriesSet.from_arrays(values, channels=["units", "revenue", "warmth"]), **rest)


def noisy(scaler: Scaler, values: np.ndarray) -> np.ndarray:
    latent = scaler.transform(values)
    return latent + np.random.default_rng(1).normal(0, 0.7, latent.shape).astype(np.float32)


def test_what_is_zero_together_is_drawn_so() -> None:
    values = sales()
    scaler = fitted(values)
    assert [group.members for group in scaler.together] == [(0, 1)]
    assert "zero where units is" in scaler.describe()[1]["reason"]
    bare = Scaler(scaler.channels, scaler.labels)
    latent = noisy(scaler, values)
    before, after = bare.inverse(latent), scaler.inverse(latent)
    assert ((before[:, 0] == 0) != (before[:, 1] == 0)).sum() > 10, "or there is nothing to mend"
    assert ((after[:, 0] == 0) == (after[:, 1] == 0)).all()
    assert np.array_equal(after[:, [0, 2]], before[:, [0, 2]])
    kept = (before[:, 0] == 0) == (before[:, 1] == 0)
    assert np.array_equal(after[:, 1][kept], before[:, 1][kept])
    mended = ~kept & (before[:, 0] != 0)
    price = after[:, 1][mended] / after[:, 0][mended]
    assert mended.any() and np.isin(after[:, 1][mended].astype(np.float32), values[:, 1].astype(np.float32)).all()
    assert 2 < np.median(price) < 5
    again = Scaler.from_dict(json.loads(json.dumps(scaler.to_dict())))
    assert np.array_equal(again.inverse(latent), after)
    np.testing.assert_allclose(scaler.inverse(scaler.transform(values)), values, rtol=1e-5)


def test_what_is_nearly_so_or_hardly_shown_is_left_alone() -> None:
    values = sales()
    one = values.copy()
    one[3, 1, np.flatnonzero(one[3, 0] == 0)[0]] = 2.5
    few = sales(2, 9)
    hidden = values.copy()
    hidden[::4, 1] = np.nan
    for each in (one, few, hidden):
        assert not fitted(each).together
    assert not fitted(values, transforms={"revenue": "identity"}).together
    some = values.copy()
    some[0, 1, :9] = np.nan
    assert fitted(some).together


def test_members_that_are_never_seen_together_are_no_group() -> None:
    units = sales(40)[:, 0]
    values = np.stack([units, 2 * units, 3 * units], axis=1)
    for j in (0, 1, 2):
        nonzero = np.flatnonzero(units.ravel())[j::14]
        values[:, j].reshape(-1)[nonzero] = np.nan
    assert len(fitted(values).together) == 1
    few = np.stack([units, 2 * units, 3 * units], axis=1)
    few[::2, 1], few[1::2, 2] = np.nan, np.nan
    assert not fitted(few).together


def test_what_is_known_decides_when_gaps_are_filled() -> None:
    scaler = fitted(sales())
    values = np.array([[[5.0, 0, 0, 7, 4], [0, 3, 12, 20, 0], [1, 2, 3, 4, 5]]])
    known = np.array([[[True, True, False, False, True], [False, False, True, False, True], [True] * 5]])
    out = _settled(scaler, values, known)
    assert out[0, 0, 0] == 5 and out[0, 1, 0] > 0
    assert out[0, 1, 1] == 0
    assert out[0, 0, 2] > 0 and out[0, 1, 2] == 12
    assert out[0, :2, 3].tolist() == [7, 20]
    assert out[0, :2, 4].tolist() == [4, 0], "what is known is left, whatever it is"


@pytest.mark.parametrize(
    "broken",
    [
        {"members": [0]},
        {"members": [0, 0]},
        {"members": [0, 9]},
        {"cells": []},
        {"cells": [[1.0]]},
        {"cells": [[1, None]]},
    ],
)
def test_a_damaged_group_is_refused(broken: dict) -> None:
    whole = fitted(sales()).to_dict()
    whole["together"] = [whole["together"][0] | broken]
    with pytest.raises(InputError, match="damaged"):
        Scaler.from_dict(whole)


def test_missing_values_stay_missing() -> None:
    group = Together((0, 1), np.array([[1.0, 3.0], [2.0, 6.0]]))
    values = np.array([[[np.nan, 2.0, 0.0], [0.0, np.nan, np.nan]]])
    group.settle(values)
    np.testing.assert_array_equal(values, [[[np.nan, 2.0, 0.0], [0.0, np.nan, np.nan]]])
