"""Objects: the same kind comes out that went in, with the same columns, order, dtypes and index."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from strategies import series_sets

from tsprout.data import files
from tsprout.data.checks import check_usable, likely_code, validate
from tsprout.data.frames import from_object, to_object
from tsprout.data.reading import Reading
from tsprout.data.roles import naming
from tsprout.data.schema import Schema
from tsprout.errors import InputError
from tsprout.series import SeriesSet

HOURS = pd.date_range("2024-01-01", periods=4, freq="h", tz="Europe/Berlin", unit="us")
quick = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


def long_frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "flow": np.array([0.1, 0.2, np.nan, 0.4] * 2, np.float32),
            "ds": list(HOURS) * 2,
            "unique_id": ["a"] * 4 + ["b"] * 4,
            "count": np.arange(8, dtype=np.int32),
            "open": pd.array([True, None] * 4, dtype="boolean"),
            "maybe": pd.array([1, None] * 4, dtype="Int16"),
            "kind": pd.Categorical(["x"] * 4 + ["y"] * 4),
        }
    ).astype({"ds": HOURS.dtype})


def test_a_long_frame_comes_back_the_same():
    frame = long_frame()
    series = from_object(frame)
    assert series.channels == ("flow", "count", "open", "maybe")
    assert series.frequency == "h"
    assert series.times[0, 0] == np.datetime64("2023-12-31T23:00")
    pd.testing.assert_frame_equal(to_object(series), frame)
    assert Schema.from_dict(series.schema.to_dict()) == series.schema


def test_gaps_turn_integers_into_nullable_ones():
    frame = pd.DataFrame({"id": [1, 1], "t": [0, 1], "n": [3, 4], "b": [True, False]})
    series = from_object(frame)
    pd.testing.assert_frame_equal(to_object(series), frame)
    gap = SeriesSet.from_arrays(
        [[[3, np.nan], [1, np.nan]]], ids=[1], channels=["n", "b"], times=[0, 1], lengths=[2], schema=series.schema
    )
    out = to_object(gap)
    assert str(out["n"].dtype) == "Int64"
    assert str(out["b"].dtype) == "boolean"
    assert out["n"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    "frame",
    [
        long_frame().set_index("ds").loc[lambda f: f["unique_id"] == "a"],
        long_frame().set_index(["unique_id", "ds"]),
        pd.DataFrame({"v": [1.0, 2, 3]}, index=pd.date_range("2024-01-01", periods=3, unit="ns")),
        pd.DataFrame({"v": [1.0, 2, 3]}, index=pd.Index([3, 4, 5], name="step")),
        pd.DataFrame([[1.5, 2, 3, 4], [5, 6, 7, 8]], columns=[0, 1, 2, 3]),
        pd.DataFrame([[1.5, 2, 3, 4], [5, 6, 7, 8]], columns=[0, 1, 2, 3], index=pd.Index(["a", "b"], name="id")),
        pd.DataFrame([[1.5, 2, 3, 4], [5, 6, 7, 8]], columns=[0, 1, 2, 3], index=["a", "b"]),
        pd.DataFrame({"v": [1.0, 2, 3, 4]}, index=["a", "a", "b", "b"]),
        pd.DataFrame({"id": ["a", "b"], 0: [1, 2], 1: [3, 4], 2: [5, 6], 3: [7, 8]}),
        pd.DataFrame({"id": ["a", "a"], "date": ["2024-01-01", "2024-01-02"], "v": [1, 2]}),
    ],
)
def test_index_and_headers_come_back(frame):
    out = to_object(from_object(frame))
    pd.testing.assert_frame_equal(out, frame, check_freq=False)


def test_a_wide_frame_grows():
    frame = pd.DataFrame([[1, 2, 3, 4]], columns=[0, 1, 2, 3], dtype="int16")
    like = from_object(frame)
    six = SeriesSet.from_arrays(np.ones((2, 1, 6)), channels=["value"], schema=like.schema)
    out = to_object(six)
    assert list(out.columns) == [0, 1, 2, 3, 4, 5]
    assert str(out[5].dtype) == "int16"


def test_polars_frames():
    frame = pl.from_pandas(long_frame())
    out = to_object(from_object(frame))
    assert out.schema == frame.schema
    assert out.equals(frame)
    assert to_object(from_object(frame.lazy())).equals(frame)
    wide = pl.DataFrame({"id": ["a", "b"], "0": [1, 2], "1": [3, 4], "2": [5, 6], "3": [7, None]})
    assert to_object(from_object(wide)).equals(wide)


@quick
@given(series_sets())
@pytest.mark.parametrize("family", ["pandas", "polars"])
def test_any_set_survives_a_frame(family, series):
    schema = Schema(f"{family}-long", timezone=series.schema.timezone if series.schema else None)
    frame = to_object(series, schema)
    label = None if series.labels is None else "label"
    time = None if series.times is None else "time"
    back = from_object(frame, id_column="id", time_column=time, label_column=label, channels=list(series.channels))
    assert back.equals(series)
    again = to_object(back)
    assert again.equals(frame)


def test_numpy_arrays_keep_axes_and_dtype():
    array = np.arange(30, dtype=np.int32).reshape(2, 5, 3)
    out = to_object(from_object(array, axes="nlc"))
    assert out.dtype == np.int32
    assert np.array_equal(out, array)
    gaps = np.array([[1, np.nan, 3, 4]])
    assert np.array_equal(to_object(from_object(gaps, axes="nl")), gaps, equal_nan=True)
    series = from_object(array, axes="nlc")
    holes = SeriesSet.from_arrays(np.full((1, 3, 4), np.nan), lengths=[4], schema=series.schema)
    assert to_object(holes).dtype == np.float64
    with pytest.raises(InputError, match="which axis"):
        from_object(array)


def test_lists_of_arrays():
    arrays = [np.arange(4.0), np.arange(6.0)]
    series = from_object(arrays)
    assert series.lengths.tolist() == [4, 6]
    out = to_object(series)
    assert [a.tolist() for a in out] == [a.tolist() for a in arrays]
    two = [np.ones((4, 2)), np.ones((5, 2))]
    assert [a.shape for a in to_object(from_object(two, axes="lc"))] == [(4, 2), (5, 2)]
    with pytest.raises(InputError, match="numbers of channels"):
        from_object([np.ones((4, 2)), np.ones((4, 3))], axes="lc")


def test_sets_paths_and_series(tmp_path):
    series = SeriesSet.from_array(np.arange(8.0))
    assert from_object(series) is series
    assert from_object(series, window=4).n_series == 2
    assert to_object(series) is series
    (tmp_path / "a.csv").write_text("id,t,v\na,0,1\na,1,2\n")
    assert from_object(tmp_path / "a.csv").n_series == 1
    assert from_object(str(tmp_path / "a.csv"), channels=["v"]).channels == ("v",)
    column = pd.Series([1.0, 2, 3, 4], index=pd.date_range("2024", periods=4), name="flow")
    assert from_object(column, window=2).channels == ("flow",)


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (pd.DataFrame({"id": [], "v": []}), "no rows"),
        (pl.DataFrame({"id": [], "v": []}), "no rows"),
        (pd.DataFrame({"id": ["a", "a"], "v": [1, "x"]}), "'x' in column 'v'.*|row 1"),
        (pd.DataFrame({"id": ["a", "a"], "v": ["1", "x"]}), "'x' in column 'v' is not a number"),
        (pd.DataFrame({"id": ["a", "a"], "v": [{}, 1]}), "'v'"),
        (pd.DataFrame([[1, 2]], columns=["v", "v"]), "'v'"),
        (pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "b"), ("c", "d")])), "several levels"),
        (pd.DataFrame({"id": ["a"], "t": pd.period_range("2024", periods=1, freq="M"), "v": [1]}), "periods"),
        (pd.DataFrame({"id": ["a", "a"], "t": [1, 1], "v": [1, 2]}), "row 0 .*row 1"),
        ({"id": [1]}, "dict"),
    ],
)
def test_what_cannot_be_read(frame, words):
    with pytest.raises(InputError, match=words):
        from_object(frame)


def test_usable_sets_and_their_notices():
    values = np.random.default_rng(0).normal(size=(1, 2, 10))
    values[:, 1] = 3
    series = SeriesSet.from_arrays(values, channels=["a", "b"])
    notices = check_usable(series)
    assert "only one series" in notices[0]
    assert "'b' is constant (3)" in notices[1]
    assert validate(series) is series
    schema = Schema("npz", notices=("first",))
    noticed = validate(SeriesSet.from_arrays(values, channels=["a", "b"], schema=schema))
    assert noticed.schema.notices == ("first", *notices)
    two = SeriesSet.from_arrays(np.concatenate([values, np.full_like(values, np.nan)]), lengths=[10, 10])
    assert "hold no values at all: 1" in check_usable(two)[-1]
    fine = SeriesSet.from_arrays(np.random.default_rng(0).normal(size=(2, 1, 4)))
    assert check_usable(fine) == []


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ([-200, 2.5, -200, 3.1, -200, 2.2], -200),
        ([9999, 9999, 9999, 0, 120], 9999),
        ([-999, 4, -999, 4, -999, 4], -999),
        ([-200, 2.5, -200, 3.1, 2.2], None),  # twice may be chance
        ([-201, 2.5, -201, 3.1, -201, 2.2], None),  # not a usual code
        ([-200, -190, -200, 300, -200, 2.2], None),  # near another
        ([99, 99, 99, 98, 3, 40], None),
        ([-99, -99, -99, -99], None),  # constant
        ([1.5, 2.5, 3.5, 9999], None),
    ],
)
def test_values_that_look_like_codes_for_missing(values, code):
    assert likely_code(np.array(values, np.float32)) == code
    told = " ".join(check_usable(SeriesSet.from_arrays(np.array([[values]], np.float32), channels=["x"])))
    assert ("missing_codes" in told) == (code is not None)
    assert code is None or f"missing_codes={code}" in told


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.ones((0, 1, 5)), "0 series"),
        (np.ones((3, 1, 3)), "3 time steps: at least 4 time steps.*3 series are shorter"),
        (np.ones((3, 1, 1)), "each of the 3 series has a single time step\nAt least 4"),
        (np.ones((1, 1, 1)), "the only series has a single time step"),
        (np.ones((1, 1, 3)), "shortest length the model knows; 1 series is shorter"),
        (np.ones((1, 1, 1025)), "at most 1024.*\n.*window=32"),
        (np.array([[[1, 2, 3, 4], [np.nan] * 4]]), "channel 'channel_1'\nFill or remove it"),
        (np.full((1, 2, 4), np.nan), "channels 'channel_0', 'channel_1'\nFill or remove them"),
    ],
)
def test_unusable_sets(values, words):
    with pytest.raises(InputError, match=words):
        check_usable(SeriesSet.from_arrays(values))


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["load", "air temp"], "channels=['load', 'air temp']"),
        (["it's"], 'channels=["it\'s"]'),
        (["a\\b"], "Naming the other channels with channels="),
        (['12"'], "Naming the other channels with channels="),
        ([], "Naming the other channels with channels="),
        ([f"x{n}" for n in range(13)], "Naming the other channels with channels="),
    ],
)
def test_how_to_ask_for_some_channels(names, told):
    assert naming(names) == told


def test_infinite_values_are_unusable():
    series = SeriesSet.from_arrays(np.ones((2, 1, 5)), ids=["p", "q"])
    series.values[1, 0, 3] = np.inf
    with pytest.raises(InputError, match="series 'q', channel 'channel_0', time step 3"):
        check_usable(series)


def test_schemas_refuse_what_they_do_not_know():
    with pytest.raises(InputError, match="unknown format"):
        Schema("excel")
    with pytest.raises(InputError, match="unknown"):
        Schema.from_dict({"format": "npz", "colour": 1})
    with pytest.raises(InputError, match="no format"):
        Schema.from_dict({})


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
@pytest.mark.parametrize("listed", [False, True])
def test_masked_cells_are_missing(dtype, listed):
    array = np.arange(48, dtype=dtype).reshape(2, 2, 12)
    array[0, 1, 3] = -999
    masked = np.ma.masked_equal(array, -999)
    series = from_object(list(masked) if listed else masked, axes="cl" if listed else "ncl")
    assert np.argwhere(~series.observed).tolist() == [[0, 1, 3]]
    assert np.isnan(series.values[0, 1, 3])
    whole = from_object(np.ma.asarray(np.abs(array)), axes="ncl")
    assert whole.observed.all() and to_object(whole).dtype == dtype


def test_columns_called_by_numbers():
    frame = pd.DataFrame({"id": np.repeat([0, 1, 2], 8), "t": np.tile(np.arange(8), 3), 1: np.arange(24.0), 2: 1.0})
    assert from_object(frame, id_column="id", channels=[1]).channels == ("1",)
    with pytest.raises(InputError, match="no column '3'"):
        from_object(frame, id_column="id", channels=[3])


def test_a_text_column_with_gaps_is_no_id(tmp_path: Path) -> None:
    rows = {"time": range(6), "x": np.arange(6.0), "remark": ["a", None, "b", None, "c", None]}
    frame = pd.DataFrame(rows)
    frame.to_csv(tmp_path / "in.csv", index=False)
    for source in (frame, tmp_path / "in.csv"):
        series = from_object(source, channels=["x"])
        assert series.n_series == 1 and series.schema is not None and series.schema.id_column is None
    wide = pd.DataFrame([[1.0, 2, 3, 4], [5, 6, 7, 9]], columns=["0", "1", "2", "3"]).assign(note=["a", None])
    assert from_object(wide).schema.id_column is None


def test_what_reads_on_the_way_takes_all_that_read_takes() -> None:
    own = dict(inspect.signature(files.read).parameters)
    assert set(Reading.__annotations__) == set(own) - {"path", "progress"}


def test_tensors_capitals_and_objects_in_the_wrong_place(tmp_path):
    import torch

    import tsprout
    from tsprout.data.frames import from_object

    values = np.random.default_rng(0).normal(size=(5, 8, 2)).astype(np.float32)
    assert from_object(torch.from_numpy(values), axes="NLC").equals(from_object(values, axes="nlc"))
    with pytest.raises(InputError, match="a file is read, not an object of type ndarray"):
        tsprout.read(values, axes="nlc")
    with pytest.raises(InputError, match="does not say which axis is which"):
        tsprout.write(values, tmp_path / "x.npz")
    frame = pd.DataFrame({"id": ["a"] * 4 + ["b"] * 4, "t": [0, 1, 2, 3] * 2, "v": np.arange(8.0) / 4})
    tsprout.write(frame, tmp_path / "x.csv")
    assert pd.read_csv(tmp_path / "x.csv").equals(frame)
    with pytest.raises(InputError, match="no option 'labels'") as caught:
        from_object(values, axes="nlc", labels=[1] * 5)
    assert "from_arrays" in str(caught.value.fix)


@pytest.mark.parametrize("names", [("item", "when"), (None, None), ("site", None)])
def test_two_levels_of_an_index_are_series_and_time(names):
    from tsprout.data.frames import from_object, to_object

    hours = pd.date_range("2024-01-01", periods=6, freq="h")
    index = pd.MultiIndex.from_product([["a", "b", "c"], hours], names=names)
    frame = pd.DataFrame({"x": np.arange(18.0) / 4, "y": np.arange(18)}, index=index)
    series = from_object(frame)
    assert series.n_series == 3 and series.ids.tolist() == ["a", "b", "c"] and series.frequency == "h"
    assert to_object(series).equals(frame)
    numbered = frame.set_axis(pd.MultiIndex.from_product([[7, 8, 9], hours], names=names))
    assert from_object(numbered).ids.tolist() == [7, 8, 9]
    other = frame.reset_index(names=["k", "t"]).assign(id=np.repeat([1, 2, 3], 6)).set_index(["k", "t"])
    assert from_object(other, id_column="id", ignore=["k"]).ids.tolist() == [1, 2, 3]
