from __future__ import annotations

import numpy as np
import pytest

from tsprout.data.protocols import Standardizer
from tsprout.errors import InputError


def test_known_answer() -> None:
    values = np.array([[[1.0, 3.0], [5.0, 5.0]], [[5.0, np.nan], [5.0, 5.0]]], np.float32)
    scaler = Standardizer.fit(values)
    assert scaler.offset.tolist() == [3, 5]
    assert scaler.scale.tolist() == pytest.approx([np.sqrt(8 / 3), 1])
    out = scaler.transform(values)
    assert out.dtype == np.float32 and np.isnan(out[1, 0, 1]) and (out[:, 1] == 0).all()
    np.testing.assert_allclose(scaler.inverse(out), values, rtol=1e-6)


def test_min_max() -> None:
    scaler = Standardizer.fit(np.array([[2.0, 6.0, 4.0], [7.0, 7.0, 7.0]]), "min-max")
    assert scaler.transform(np.array([[2.0, 6.0], [7.0, 8.0]])).tolist() == [[0, 1], [0, 1]]


def test_a_constant_that_floats_cannot_average() -> None:
    scaler = Standardizer.fit(np.full((1, 100_003), np.float32(0.1)))
    assert scaler.scale.tolist() == [1]
    assert (scaler.transform(np.full((1, 5), np.float32(0.1))) == 0).all()


def test_an_empty_channel_is_left_as_it_is() -> None:
    scaler = Standardizer.fit(np.full((2, 1, 3), np.nan))
    assert (scaler.offset[0], scaler.scale[0]) == (0, 1)


def test_refusals() -> None:
    values = np.array([[2.0, 6.0, 4.0], [7.0, 7.0, np.nan]])
    assert np.array_equal(Standardizer.fit(values, "none").transform(values), values.astype(np.float32), equal_nan=True)
    with pytest.raises(InputError, match="z-score, min-max and none"):
        Standardizer.fit(np.zeros((1, 2)), "robust")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="axes"):
        Standardizer.fit(np.zeros(3))
    with pytest.raises(InputError, match="2 channels"):
        Standardizer.fit(np.zeros((2, 3))).transform(np.zeros((3, 2)))
