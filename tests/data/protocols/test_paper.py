from __future__ import annotations

import numpy as np
import pytest
from real_sets import instances, ramp, real, recordings

from tsprout.data.catalog.entry import Paper
from tsprout.data.protocols import paper
from tsprout.errors import InputError


def test_a_recording_with_known_windows() -> None:
    made = recordings(ramp(100, 2), paper=Paper(windows=27, fit_steps=60, unused=10))
    split = paper(made, shots=5, length=8)
    assert split.available == 60 - 10 - 7 == split.reference.n_series and split.validation is None
    # The scaler sees the unused steps too.
    assert split.scaler.offset.tolist() == [29.5, 1e6 + 29.5]
    assert split.scaler.scale.tolist() == pytest.approx([np.arange(60).std()] * 2)
    back = split.scaler.inverse(split.reference.values)
    np.testing.assert_allclose(back[:, 0, 0], np.arange(43), atol=1e-4)
    np.testing.assert_allclose(back[:, 0, -1], np.arange(43) + 7, atol=1e-4)
    assert split.origin["reference"].tolist() == [[0, i] for i in range(43)]
    assert np.array_equal(split.shots.values, split.reference.values[split.origin["shots"][:, 1]])
    assert split.reference.ids[3] == "made:3" and split.scaled


def test_without_a_plan_the_first_seventy_percent() -> None:
    assert paper(recordings(ramp(100)), shots=1, length=8).available == 63
    two = paper(recordings(ramp(100), ramp(50), kind="collection"), shots=1, length=8)
    assert two.available == 63 + 28 and two.origin["reference"][-1].tolist() == [1, 27]


def test_recordings_end_to_end_are_one() -> None:
    joined = recordings(ramp(40), ramp(60) + 100, paper=Paper(windows=93))
    split = paper(joined, shots=1.0, length=8)
    assert split.available == 93 == split.shots.n_series
    assert any("borders" in note for note in split.notes)
    across = split.scaler.inverse(split.reference.values[36:37])[0, 0]
    np.testing.assert_allclose(across, [36, 37, 38, 39, 100, 101, 102, 103], atol=1e-4)


def test_every_hundredth_window_where_the_paper_says_so() -> None:
    made = recordings(ramp(1023), paper=Paper(windows=10))
    assert paper(made, shots=1).origin["reference"][:, 1].tolist() == list(range(0, 1000, 100))


def test_instances_are_cut_at_their_start() -> None:
    train, test = np.random.default_rng(0).normal(size=(2, 30, 2, 40))
    made = instances(train, test, [["a", "b"] * 15, ["c"] * 30])
    split = paper(made, shots=10, length=12)
    assert split.reference.n_series == 30 and set(split.reference.labels) == {"a", "b"}
    np.testing.assert_allclose(split.scaler.inverse(split.reference.values), train[:, :, :12], atol=1e-5)
    np.testing.assert_allclose(split.scaler.offset, train.mean(axis=(0, 2)), atol=1e-6)
    both = paper(instances(train, test, paper=Paper(windows=60, splits=("train", "test"))), shots=1, length=12)
    assert both.available == 60 and np.array_equal(both.scaler.offset, split.scaler.offset)
    few = paper(instances(train, paper=Paper(windows=7, most=7, scaling="minmax")), shots=1, length=40)
    assert few.available == 7 and few.scaler.kind == "min-max"
    assert few.reference.values.min() == 0 and few.reference.values.max() == 1


def test_short_instances_are_left_out_with_a_note() -> None:
    train = np.random.default_rng(0).normal(size=(30, 1, 40))
    train[:10, :, 20:] = np.nan
    split = paper(instances(train), shots=1, length=24)
    assert split.available == 20 and "10 of 30 series are shorter" in " ".join(split.notes)


def test_more_shots_than_windows() -> None:
    split = paper(recordings(ramp(30)), shots=50, length=12)
    assert split.shots.n_series == split.available == 10
    assert any("50 shots were asked for" in note for note in split.notes)


def test_no_window_is_long_enough() -> None:
    with pytest.raises(InputError, match="The longest window is 21 steps"):
        paper(recordings(ramp(30)), shots=1, length=24)


def test_shots_are_nested_and_the_permutation_fixed() -> None:
    made = recordings(ramp(1000))
    ten, more, again = (paper(made, shots=k) for k in (10, 25, 10))
    assert np.array_equal(ten.origin["shots"], more.origin["shots"][:10])
    assert ten.shots.equals(again.shots) and ten.reference.equals(again.reference)
    assert not np.array_equal(ten.origin["shots"], paper(made, shots=10, seed=1).origin["shots"])
    assert paper(made, shots=0.05).shots.n_series == int(0.05 * 677)


def test_reference_size() -> None:
    split = paper(recordings(ramp(1000)), shots=3, reference_size=50)
    assert split.reference.n_series == 50 and split.available == 677
    assert np.ptp(np.diff(split.origin["reference"][:, 1])) <= 1
    with pytest.raises(InputError, match="reference_size"):
        paper(recordings(ramp(1000)), shots=3, reference_size=0)


def test_missing_code_is_put_back_before_the_scaler_sees_it() -> None:
    values = ramp(100)
    values[0, 10] = np.nan
    coded = paper(recordings(values, code=-200.0), shots=1, length=8)
    assert np.isfinite(coded.reference.values).all()
    assert coded.scaler.inverse(coded.reference.values)[10, 0, 0] == pytest.approx(-200)
    whole = np.where(np.isnan(values), -200, values)[0, :70]
    assert coded.scaler.offset[0] == pytest.approx(whole.mean())
    plain = paper(recordings(values), shots=1, length=8)
    assert np.isnan(plain.reference.values).sum() == 8


@pytest.mark.data
@pytest.mark.parametrize(("name", "code", "cells"), [("AirQuality", -200, 16701), ("Weather", -9999, None)])
def test_real_missing_codes(name: str, code: float, cells: int | None) -> None:
    split = paper(real(name), shots=5)
    assert np.isfinite(split.reference.values).all() and any(str(code) in note for note in split.notes)
    steps = split.scaler.inverse(split.reference.values[:, :, 0].T)
    tail = split.scaler.inverse(split.reference.values[-1, :, 1:])
    coded = np.concatenate([steps, tail], axis=1)
    count = int((np.abs(coded - code) < 0.02).sum())
    train = real(name).recordings[0][:, : coded.shape[1]]
    assert count == np.isnan(train).sum() > 0
    if cells is not None:
        assert count == cells
