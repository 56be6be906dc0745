"""The container: checks, axis orders, selection, windows, putting together."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from tsprout.errors import InputError
from tsprout.series import SeriesSet, concatenate


def example() -> SeriesSet:
    values = np.arange(24, dtype=float).reshape(2, 3, 4)
    values[0, 1, 2] = np.nan
    values[1, :, 3] = np.nan
    hours = np.datetime64("2024-01-01", "ns") + np.arange(4) * np.timedelta64(1, "h")
    return SeriesSet.from_arrays(
        values,
        channels=["a", "b", "c"],
        ids=["x", "y"],
        times=hours,
        frequency="h",
        labels=["p", "q"],
        static={"s": [1, 2]},
    )


def test_nan_is_unobserved_and_padding_gives_the_length():
    s = example()
    assert (s.n_series, s.n_channels, s.length, len(s)) == (2, 3, 4, 2)
    assert s.lengths.tolist() == [4, 3]
    assert not s.observed[0, 1, 2]
    assert s.values.dtype == np.float32
    assert s.observed.sum() == 24 - 1 - 3
    assert "2 series" in repr(s)


def test_when_no_series_reaches_the_end_all_are_full_length():
    assert SeriesSet.from_arrays(np.full((2, 1, 3), np.nan)).lengths.tolist() == [3, 3]


def test_the_callers_array_is_neither_shared_nor_changed():
    array = np.ones((1, 1, 4), np.float32)
    s = SeriesSet.from_arrays(array, observed=np.array([[[1, 0, 1, 1]]]))
    assert np.isnan(s.values[0, 0, 1])
    assert array.sum() == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"values": np.ones((2, 3))}, "axes"),
        ({"values": [["a"]]}, "not numbers"),
        ({"values": [[1, 2], [3]]}, "rectangular"),
        ({"values": np.ones((1, 2, 3)), "channels": ["a"]}, "1 channel names for 2"),
        ({"values": np.ones((1, 2, 3)), "channels": ["a", "a"]}, "'a'"),
        ({"values": np.ones((2, 1, 3)), "ids": ["a", "a"]}, "ids repeat"),
        ({"values": np.ones((2, 1, 3)), "ids": ["a"]}, "ids"),
        ({"values": np.ones((2, 1, 3)), "lengths": [3]}, "lengths"),
        ({"values": np.ones((2, 1, 3)), "lengths": [3, 4]}, "between 0 and 3"),
        ({"values": np.ones((2, 1, 3)), "observed": np.ones((2, 3))}, "observed"),
        ({"values": np.ones((2, 1, 3)), "times": [1, 2]}, "times"),
        ({"values": np.ones((2, 1, 3)), "times": ["a", "b", "c"]}, "date-times"),
        ({"values": np.ones((2, 1, 3)), "labels": [1]}, "labels"),
        ({"values": np.ones((2, 1, 3)), "static": {"k": [1]}}, "'k'"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, words):
    with pytest.raises(InputError, match=words):
        SeriesSet.from_arrays(**arguments)


def test_infinite_values_are_named():
    values = np.ones((2, 2, 3))
    values[1, 0, 2] = np.inf
    with pytest.raises(InputError) as caught:
        SeriesSet.from_arrays(values, channels=["a", "b"], ids=["x", "y"])
    assert "series y" in str(caught.value)
    assert "'a'" in str(caught.value)
    assert "step 2" in str(caught.value)


@pytest.mark.parametrize("axes", ["ncl", "nlc", "nl", "lc", "cl", "l"])
def test_axis_orders(axes):
    sizes = {"n": 2, "c": 3, "l": 5}
    array = np.arange(np.prod([sizes[a] for a in axes])).reshape([sizes[a] for a in axes])
    s = SeriesSet.from_array(array, axes, observed=np.ones(array.shape))
    at = {"n": 0, "c": 0, "l": 4}
    assert s.values[0, 0, 4] == array[tuple(at[a] for a in axes)]
    assert s.values.shape == tuple(sizes[a] if a in axes else 1 for a in "ncl")


@pytest.mark.parametrize(("shape", "axes"), [((2, 3), None), ((2, 3), "ncl"), ((2, 3), "xy"), ((1, 1, 1, 1), None)])
def test_axes_that_do_not_say_enough(shape, axes):
    with pytest.raises(InputError, match="axes|axis"):
        SeriesSet.from_array(np.ones(shape), axes)


def test_from_array_checks_observed_and_needs_no_axes_for_one():
    assert SeriesSet.from_array(np.ones(4)).values.shape == (1, 1, 4)
    with pytest.raises(InputError, match="observed"):
        SeriesSet.from_array(np.ones(4), observed=np.ones(3))


def test_selection_always_gives_a_set():
    s = example()
    for index in (1, -1, slice(1, 2), [1], np.array([False, True])):
        one = s[index]
        assert one.ids.tolist() == ["y"]
        assert one.values.shape == (1, 3, 4)
        assert one.labels.tolist() == ["q"]
        assert one.static["s"].tolist() == [2]
    assert len(s[[]]) == 0
    assert [len(one) for one in s] == [1, 1]
    with pytest.raises(IndexError):
        s[2]


def test_equals_sees_every_difference_but_not_the_padding():
    s = example()
    assert s.equals(example())
    padded = replace(
        s,
        values=np.pad(s.values, [(0, 0), (0, 0), (0, 2)], constant_values=np.nan),
        times=np.pad(s.times, [(0, 0), (0, 2)]),
    )
    assert s.equals(padded)
    values = s.values.copy()
    values[0, 0, 0] += 1
    other_times = s.times + np.timedelta64(1, "h")
    changes = [
        {"values": values},
        {"channels": ("a", "b", "d")},
        {"ids": s.ids[::-1]},
        {"lengths": np.array([4, 2])},
        {"times": other_times},
        {"times": s.times.view(np.int64)},
        {"times": None},
        {"labels": None},
        {"labels": s.labels[::-1]},
        {"static": {}},
        {"static": {"s": np.array([1.0, np.nan])}},
    ]
    for change in changes:
        assert not s.equals(replace(s, **change)), change
    nan_static = replace(s, static={"s": np.array([1.0, np.nan])})
    assert nan_static.equals(nan_static)


def test_windows_of_one_long_recording():
    s = SeriesSet.from_array(np.arange(10.0), times=np.arange(10), labels=["k"])
    w = s.windows(4, 3)
    assert w.values[:, 0].tolist() == [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9]]
    assert w.times[1].tolist() == [3, 4, 5, 6]
    assert w.ids.tolist() == [0, 1, 2]
    assert w.labels.tolist() == ["k"] * 3
    assert s.windows(5).n_series == 2


def test_windows_of_several_series_leave_out_what_is_short_or_empty():
    values = np.arange(16.0).reshape(2, 1, 8)
    values[0, 0, 2:4] = np.nan
    values[1, 0, 3:] = np.nan
    w = SeriesSet.from_arrays(values, ids=["a", "b"]).windows(2)
    assert w.ids.tolist() == ["a:0", "a:4", "a:6", "b:0"]


@pytest.mark.parametrize(("window", "stride"), [(9, 1), (0, 1), (2, 0)])
def test_windows_that_cannot_be(window, stride):
    with pytest.raises(InputError, match="window"):
        SeriesSet.from_array(np.arange(8.0)).windows(window, stride)


def test_windows_where_nothing_was_observed():
    with pytest.raises(InputError, match="observed"):
        SeriesSet.from_array(np.full(8, np.nan)).windows(4)


def test_concatenate_pads_and_renumbers_when_it_must():
    a = SeriesSet.from_array(np.ones((2, 3)), "nl", times=np.arange(3))
    b = SeriesSet.from_array(np.ones((1, 5)), "nl", times=np.arange(5))
    both = concatenate([a, b])
    assert both.lengths.tolist() == [3, 3, 5]
    assert both.ids.tolist() == [0, 1, 2]
    assert both.values.shape == (3, 1, 5)
    s = example()
    assert concatenate([s[0], s[1]]).equals(s)


@pytest.mark.parametrize(
    "change", [{"channels": ("a", "b", "z")}, {"times": None}, {"labels": None}, {"static": {"t": np.array([1, 2])}}]
)
def test_concatenate_refuses_what_does_not_go_together(change):
    with pytest.raises(InputError):
        concatenate([example(), replace(example(), **change)])
    with pytest.raises(InputError, match="no series sets"):
        concatenate([])


def test_importing_it_imports_nothing_heavy():
    code = "import tsprout.series, sys; print([m for m in ('pandas', 'pyarrow', 'torch') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_times_that_are_missing() -> None:
    values = np.zeros((2, 1, 4))
    day = np.datetime64("2024-01-01", "ns") + np.arange(4) * np.timedelta64(1, "D")
    lost = day.copy()
    lost[2] = np.datetime64("NaT")
    with pytest.raises(InputError, match="the time is missing") as caught:
        SeriesSet.from_arrays(values, times=np.stack([day, lost]), ids=["a", "b"])
    assert caught.value.where == "series b, time step 2"
    assert SeriesSet.from_arrays(values, times=np.stack([day, lost]), lengths=[4, 2]).n_series == 2
    with pytest.raises(InputError, match="the time is missing"):
        SeriesSet.from_arrays(values, times=[0.0, 1.0, np.nan, 3.0])
    assert SeriesSet.from_arrays(values, times=[3, 2, 1, 0]).times is not None
