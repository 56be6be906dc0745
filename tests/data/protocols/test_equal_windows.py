"""Windows that equal a shot, as where nothing changes, are in no other role."""

from __future__ import annotations

import numpy as np
import pytest
from real_sets import ramp, recordings

from tsprout.data.protocols import strict
from tsprout.errors import InputError


def quiet(steps: int) -> np.ndarray:
    """``(2, steps)`` of which three quarters of the time nothing changes; missing cells and -0 among the constants."""
    values = ramp(steps, 2)
    values[:, np.arange(steps) % 2000 >= 500] = np.array([[np.nan], [0]])
    values[1, (np.arange(steps) % 2000 >= 1000) & ~np.isfinite(values[0])] = -0.0
    return values


@pytest.mark.parametrize("length", [12, 24])
def test_windows_that_equal_a_shot_are_left_out(length: int) -> None:
    made = recordings(quiet(40_000))
    split = strict(made, shots=20, length=length)
    for source, begin, values in zip(*split.origin["reference"].T.tolist(), split.reference.values, strict=True):
        np.testing.assert_array_equal(values, made.recordings[source][:, begin : begin + length])
    assert split.validation is not None
    known = {(values + 0).tobytes() for values in np.nan_to_num(split.shots.values)}
    held = [split.reference, split.validation]
    assert not known & {(values + 0).tobytes() for part in held for values in np.nan_to_num(part.values)}
    dropped = [2000 - split.reference.n_series, 500 - split.validation.n_series]
    assert min(dropped) > 0
    note = f"left out: {dropped[0]} of the reference and {dropped[1]} of the validation"
    assert any(note in said for said in split.notes)


def test_a_set_in_which_hardly_anything_changes() -> None:
    with pytest.raises(InputError, match="equal to one of the shots"):
        strict(recordings(np.zeros((1, 5000))), shots=3)
