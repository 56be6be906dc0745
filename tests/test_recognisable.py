"""What is copied from given series to new ones is pointed out where it may tell whose it was."""

from __future__ import annotations

import numpy as np

from tsprout.overview import recognisable
from tsprout.series import SeriesSet


def patients(**more: object) -> SeriesSet:
    return SeriesSet.from_arrays(np.zeros((6, 1, 4)), **more)  # type: ignore[arg-type]


def test_what_is_another_for_most_is_told() -> None:
    assert recognisable(patients()) == []
    assert recognisable(patients(static={"sex": ["f", "m"] * 3})) == []
    (text,) = recognisable(patients(static={"sex": ["f", "m"] * 3, "age": [51, 62, 73, 44, 62, 80]}))
    assert text.startswith("a new series takes 'age' and 'sex' of one of yours as they are")
    rng = np.random.default_rng(0)
    visits = np.sort(rng.integers(0, 10**6, (6, 4)), axis=1)
    (text,) = recognisable(patients(times=visits))
    assert "takes its time stamps of one of yours" in text
    day = (
        np.datetime64("2024-01-01", "ns")
        + np.arange(6)[:, None] * np.timedelta64(4, "D")
        + np.arange(4) * np.timedelta64(1, "D")
    )
    assert recognisable(patients(times=day, frequency="D")) == [], "windows of a recording are nobody's"
