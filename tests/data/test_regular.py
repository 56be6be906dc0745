"""Rows that are not there: where they are counted as missing, where it is only said that they could be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tsprout.data import files
from tsprout.data.frames import from_object
from tsprout.data.original import Original
from tsprout.data.roles import ReadOptions
from tsprout.errors import InputError


def table(stamps: Any, **columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"time": stamps, "x": np.arange(len(stamps)) + 0.5} | columns)


def without(index: Any, *places: int) -> Any:
    return index.delete(list(places)) if hasattr(index, "delete") else np.delete(index, places)


@pytest.mark.parametrize(
    ("every", "stamps", "length"),
    [
        ("15min", without(pd.date_range("2024-01-01", periods=20, freq="15min"), 3, 4, 9), 20),
        ("D", without(pd.date_range("2024-01-01", periods=40, freq="D"), 7), 40),
        ("30D", without(pd.date_range("2020-01-01", periods=12, freq="30D"), 7, 8), 12),
        ("MS", without(pd.date_range("2024-01-01", periods=30, freq="MS"), 5, 20), 30),
        ("B", without(pd.date_range("2024-01-01", periods=30, freq="B"), 4), 30),
        (5, without(np.arange(100, 200, 5), 3, 8), 20),
        (0.1, without(np.arange(30) * 0.1, 11, 12, 13), 30),
    ],
)
def test_steps_without_a_row_are_missing(every: Any, stamps: Any, length: int) -> None:
    frame = table(stamps)
    series = from_object(frame, every=every)
    assert series.length == length and series.observed.sum() == len(stamps)
    assert np.array_equal(series.values[series.observed], frame["x"].astype(np.float32))
    assert series.times is not None and np.array_equal(series.times[0][series.observed[0, 0]], np.asarray(stamps))
    assert (np.diff(series.times[0].astype("int64") if series.times.dtype.kind == "M" else series.times[0]) > 0).all()
    assert series.schema is not None and "without a row count as missing" in " ".join(series.schema.notices)


def test_each_series_has_a_grid_of_its_own_and_stamps_may_be_a_little_off(tmp_path: Path) -> None:
    one = pd.to_datetime(["2024-01-01 00:00:03", "2024-01-01 01:00:00", "2024-01-01 03:00:50", "2024-01-01 04:00:00"])
    two = pd.date_range("2024-05-01 00:30", periods=4, freq="h")
    frame = pd.concat([table(one, id="a"), table(two, id="b")]).sample(frac=1, random_state=1)
    series = from_object(frame, every="h")
    assert series.lengths.tolist() == [4, 5] or series.lengths.tolist() == [5, 4]
    a = list(series.ids).index("a")
    assert series.observed[a, 0].tolist() == [True, True, False, True, True]
    assert pd.Timestamp(series.times[a, 0]) == one[0] and pd.Timestamp(series.times[a, 2]).hour == 2
    frame.to_csv(tmp_path / "in.csv", index=False)
    assert files.read(tmp_path / "in.csv", every="1h").equals(series)


@pytest.mark.parametrize(
    ("every", "stamps", "what"),
    [
        ("h", pd.to_datetime(["2024-01-01 00:00", "2024-01-01 01:00", "2024-01-01 02:30"]), "between two steps"),
        ("h", pd.to_datetime(["2024-01-01 00:00", "2024-01-01 01:00", "2024-01-01 01:10"]), "in one step"),
        ("s", pd.date_range("2024-01-01", periods=5, freq="D"), "steps of 5 rows"),
        ("fortnight", pd.date_range("2024-01-01", periods=5, freq="D"), "unknown step"),
        ("-1h", pd.date_range("2024-01-01", periods=5, freq="h"), "a step of"),
        ("h", np.arange(5), "not a number"),
        ("0", np.arange(5), "a step of"),
        ("nan", np.arange(5), "a step of"),
    ],
)
def test_a_step_that_does_not_fit_is_refused(every: str, stamps: Any, what: str) -> None:
    with pytest.raises(InputError, match=what):
        from_object(table(stamps), every=every)


def test_where_there_are_no_times_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no time column"):
        from_object(pd.DataFrame({"x": [1.0, 2, 3, 4], "y": [1.0, 2, 3, 5]}), every="h")
    with pytest.raises(InputError, match="for tables"):
        from_object(np.ones((3, 5)), axes="nl", every="h")
    with pytest.raises(InputError, match="for tables"):
        from_object(pd.DataFrame([[1.0, 2, 3, 4], [1, 2, 3, 4]]), orientation="wide", every="h")
    np.save(tmp_path / "in.npy", np.ones(9))
    with pytest.raises(InputError, match="for tables"):
        files.read(tmp_path / "in.npy", every=1)


def test_few_rows_that_are_not_there_are_pointed_out_and_weekends_are_not() -> None:
    hours = without(pd.date_range("2024-01-01", periods=50, freq="h"), 4, 5)
    notices = from_object(table(hours)).schema.notices
    assert any("every='h' steps without a row (2 of them)" in text for text in notices)
    days = from_object(table(pd.date_range("2024-01-01", periods=40, freq="D").delete(5)))
    assert any("every='D' steps without a row (1 of them)" in text for text in days.schema.notices)
    weekdays = pd.date_range("2024-01-01", periods=60, freq="D")
    weekdays = weekdays[(weekdays.dayofweek < 5) & (weekdays != "2024-01-10")]
    uneven = pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-05 01:00", "2024-01-09"], format="mixed")
    for stamps in (weekdays, uneven):
        notices = from_object(table(stamps)).schema.notices
        assert any("not evenly" in text for text in notices) and not any("every" in text for text in notices)


def test_windows_of_a_recording_with_rows_that_are_not_there_keep_time() -> None:
    hours = without(pd.date_range("2024-01-01", periods=96, freq="h"), 30, 31, 60)
    series = from_object(table(hours), every="h", window=24)
    assert len(series) == 4 and series.observed.sum() == 93
    assert all(pd.Timestamp(row[0]).hour == 0 for row in series.times)


def test_filled_they_get_a_row(tmp_path: Path) -> None:
    frame = table(without(pd.date_range("2024-01-01", periods=12, freq="h"), 4), note="a")
    frame.loc[2, "x"] = np.nan
    frame.to_csv(tmp_path / "in.csv", index=False)
    for source in (frame, tmp_path / "in.csv"):
        original = Original.read(source, ReadOptions(every="h", channels=["x"]))
        whole = original.series
        values, observed = np.nan_to_num(whole.values), np.ones_like(whole.observed)
        filled = replace(whole, values=values, observed=observed)
        if source is frame:
            out = original.filled(filled)
        else:
            assert not original.write(filled, tmp_path / "out.csv")
            out = pd.read_csv(tmp_path / "out.csv", parse_dates=["time"])
        assert len(out) == 12 and out["x"].iloc[[2, 4]].tolist() == [0, 0]
        assert out["time"].tolist() == list(pd.date_range("2024-01-01", periods=12, freq="h"))
