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
from tsprout.data.reading import ReadOptions
from tsprout.data.timestamps import offset_zone
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
        ("MS", without(pd.date_range("2004-01-01", periods=240, freq="MS"), 5, 20), 240),
        ("QS", without(pd.date_range("2004-01-01", periods=40, freq="QS"), 5), 40),
        ("YS", without(pd.date_range("1924-01-01", periods=90, freq="YS"), 5), 90),
        (pd.Timedelta("90min"), without(pd.date_range("2024-01-01", periods=40, freq="90min"), 5), 40),
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
        ("0.5", np.arange(5), "whole numbers"),
        ("100YS", pd.to_datetime(["1700-01-01", "1800-01-01", "2200-01-01", "2261-01-01"]), "beyond the years"),
        ("h", pd.to_datetime(["2024-01-01 00:00", "2024-01-01 01:00", "2024-01-01 02:16"]), "between two steps"),
        ("nan", np.arange(5), "a step of"),
    ],
)
def test_a_step_that_does_not_fit_is_refused(every: str, stamps: Any, what: str) -> None:
    with pytest.raises(InputError, match=what):
        from_object(table(stamps), every=every)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "+02:00"])
@pytest.mark.parametrize("every", ["MS", "D", "B", "6h"])
def test_days_and_months_begin_where_the_stamps_are_from(zone: str, every: str) -> None:
    at = offset_zone(zone)
    stamps = pd.date_range("2024-03-01", periods=40 if every != "6h" else 200, freq=every, tz=at)
    series = from_object(table(without(stamps, 3, 4, 7)), every=every)
    assert series.times is not None and series.length == len(stamps)
    assert pd.DatetimeIndex(series.times[0]).tz_localize("UTC").equals(stamps.tz_convert("UTC").as_unit("ns"))
    if zone == "+02:00":  # as text says it, too
        frame = table(without(stamps, 3, 4, 7).strftime("%Y-%m-%d %H:%M:%S%z"))
        assert np.array_equal(from_object(frame, every=every).times, series.times)


def test_steps_without_a_row_are_as_late_as_others() -> None:
    stamps = pd.date_range("2024-01-01 00:14", periods=9, freq="h").delete(4)
    stamps = stamps[:1].union(stamps[1:] - pd.Timedelta("13min"))
    series = from_object(table(stamps), every="h")
    assert str(series.times[0, 4])[:16] == "2024-01-01T04:01"


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


def whole(series: Any, value: float) -> Any:
    """All cells within a series' length, those that were missing with one value."""
    within = np.arange(series.length) < series.lengths[:, None, None]
    values = np.where(series.observed, series.values, value).astype(np.float32)
    return replace(series, values=values, observed=series.observed | within)


def test_filled_they_get_a_row_of_the_file(tmp_path: Path) -> None:
    text = (
        "site;when;kind;x;k;remark\r\n"
        'b;01.02.2024 00:00;"dry;cold";1,123456789012;7;"first, of b"\r\n'
        "a;01.02.2024 00:00;wet;2,5;1;\r\n"
        'b;01.02.2024 03:00;"dry;cold";;8;\r\n'
        "a;01.02.2024 01:00;wet;;2;seen\r\n"
        "a;01.02.2024 03:00;wet;4,5;4;\r\n"
        'b;01.02.2024 04:00;"dry;cold";3,5;9;\r\n'
        "a;01.02.2024 04:00;wet;4,5;5;"
    )
    lines = text.split("\r\n")
    lines[3] = 'b;01.02.2024 03:00;"dry;cold";6;8;'
    lines[4] = "a;01.02.2024 01:00;wet;6;2;seen"
    added = ['b;01.02.2024 01:00;"dry;cold";6;6;', 'b;01.02.2024 02:00;"dry;cold";6;6;']
    lines = [*lines[:2], *added, *lines[2:5], "a;01.02.2024 02:00;wet;6;6;", *lines[5:]]
    (tmp_path / "in.csv").write_bytes(text.encode())
    options = ReadOptions(every="h", id_column="site", channels=["x", "k"], static_columns=["kind"], day_first=True)
    original = Original.read(tmp_path / "in.csv", options)
    assert original.write(whole(original.series, 6), tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes().decode().split("\r\n") == lines


def exact() -> pd.DataFrame:
    zoned = pd.date_range("2024-01-01 01:00", periods=12, freq="h", tz="Europe/Madrid").delete([4, 5])
    frame = table(zoned, id="a", k=pd.array([*range(9), None], dtype="Int32"), remark=[f"r{i}" for i in range(10)])
    frame["x"] = frame["x"].where(frame.index != 2) + 1.123456789012345
    return frame


def test_filled_they_get_a_row_of_the_frame() -> None:
    given = exact()
    options = ReadOptions(every="h", id_column="id", channels=["x", "k"])
    original = Original.read(given, options)
    out = original.filled(whole(original.series, 6))
    assert out.index.tolist() == list(range(12)) and out.dtypes.equals(given.dtypes)
    assert out["time"].tolist() == list(pd.date_range("2024-01-01 01:00", periods=12, freq="h", tz="Europe/Madrid"))
    assert out["x"].iloc[[2, 4, 5]].tolist() == [6, 6, 6] and out["k"].iloc[[4, 5, 11]].tolist() == [6, 6, 6]
    kept = out[~out["time"].isin(out["time"].iloc[[4, 5]])].reset_index(drop=True)
    seen = given["x"].notna() & given["k"].notna()
    pd.testing.assert_frame_equal(kept[seen], given[seen])
    assert out["remark"].iloc[[4, 5]].isna().all() and (out["id"] == "a").all()
    # Not filled, they are still there.
    left = original.filled(original.series)
    assert len(left) == 12 and left["x"].isna().sum() == 3
    labelled = original.filled(whole(Original.read(given.set_index("id"), options).series, 6))
    assert len(labelled) == 12


@pytest.mark.parametrize("kind", ["text", "date", "int"])
def test_times_of_other_types(kind: str) -> None:
    days = pd.date_range("2024-01-01", periods=9, freq="D").delete(3)
    times = {
        "text": days.strftime("%d.%m.%Y").tolist(),
        "date": days.date.tolist(),
        "int": [1, 3, 5, 9, 11, 13, 15, 17],
    }
    given = table(days).assign(time=times[kind])
    original = Original.read(given, ReadOptions(every="2" if kind == "int" else "D", day_first=True))
    out = original.filled(whole(original.series, 6))
    assert out["time"].iloc[3] == {"text": "04.01.2024", "date": days[2].date() + pd.Timedelta(days=1), "int": 7}[kind]
    assert out["x"].iloc[3] == 6 and out["time"].dtype == given["time"].dtype and len(out) == 9


def test_filled_they_get_a_row_in_arrow(tmp_path: Path) -> None:
    pl = pytest.importorskip("polars")
    given = pl.from_pandas(exact())
    options = ReadOptions(every="h", id_column="id", channels=["x", "k"])
    original = Original.read(given, options)
    out = original.filled(whole(original.series, 6))
    assert out.schema == given.schema and len(out) == 12
    assert out["x"].to_list()[1] == given["x"].to_list()[1] and out["x"].to_list()[4] == 6
    assert out["remark"].to_list()[3:7] == ["r3", None, None, "r4"] and out["time"].is_sorted()
    given.write_parquet(tmp_path / "in.parquet")
    original = Original.read(tmp_path / "in.parquet", options)
    assert original.write(whole(original.series, 6), tmp_path / "out.parquet")
    assert pl.read_parquet(tmp_path / "out.parquet").equals(out)


def test_an_index_of_times_gets_them() -> None:
    given = exact().set_index(["id", "time"])[["x", "k"]]
    original = Original.read(given, ReadOptions(every="h"))
    out = original.filled(whole(original.series, 6))
    assert len(out) == 12 and out.index.names == ["id", "time"] and not out.isna().any().any()
    assert out["x"].iloc[1] == given["x"].iloc[1]
    one = pd.Series([1.0, 1.123456789012345, 3, 4], without(pd.date_range("2024-01-01", periods=5, freq="h"), 2))
    original = Original.read(one, ReadOptions(every="h"))
    expected = one.reindex(pd.date_range("2024-01-01", periods=5, freq="h")).fillna(6)
    pd.testing.assert_series_equal(original.filled(whole(original.series, 6)), expected, check_freq=False)
