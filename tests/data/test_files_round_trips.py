"""read(write(x)) equals x, for every format; and what was read is written the same again."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from strategies import series_sets

from tsprout.data import files
from tsprout.data.schema import Schema
from tsprout.series import SeriesSet

quick = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


def there_and_back(series: SeriesSet, extension: str, **options) -> SeriesSet:
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder) / f"a{extension}", Path(folder) / f"b{extension}"
        files.write(series, first)
        back = files.read(first, **options)
        assert Schema.from_dict(back.schema.to_dict()) == back.schema
        files.write(back, second)
        again = files.read(second, **options)
        assert again.equals(back)
        assert again.schema.replace(notices=(), meta={}) == back.schema.replace(notices=(), meta={})
        if extension in (".csv", ".jsonl", ".npy"):
            assert second.read_bytes() == first.read_bytes()
    return back


def long_options(series: SeriesSet) -> dict:
    """Say what detection cannot be asked to guess from words like these."""
    time = None if series.times is None else "time"
    label = None if series.labels is None else "label"
    return {"id_column": "id", "time_column": time, "label_column": label, "channels": list(series.channels)}


@quick
@given(series_sets())
@pytest.mark.parametrize("extension", [".csv", ".csv.gz", ".parquet"])
def test_long_table(extension, series):
    back = there_and_back(series, extension, **long_options(series))
    assert back.equals(series)


@quick
@given(series_sets(numbers=("int",)))
def test_long_csv_is_found_by_itself(series):
    if series.times is not None and not np.isnan(series.values).all(axis=(0, 2)).any():
        assert there_and_back(series, ".csv").equals(series)


@quick
@given(series_sets(channels=1, unequal=False, times=("none",)))
@pytest.mark.parametrize("extension", [".csv", ".parquet"])
def test_wide_table(extension, series):
    plain = SeriesSet.from_arrays(
        series.values, channels=["value"], ids=series.ids, labels=series.labels, static=series.static
    )
    with tempfile.TemporaryDirectory() as folder:
        path, again = Path(folder) / f"a{extension}", Path(folder) / f"b{extension}"
        files.write(plain, path, format=f"{extension[1:]}-wide")
        back = files.read(path, orientation="wide")
        assert back.equals(plain)
        assert back.schema.wide
        files.write(back, again)
        assert files.read(again, orientation="wide").equals(plain)


@quick
@given(series_sets())
@pytest.mark.parametrize("extension", [".npz", ".jsonl"])
def test_formats_that_hold_everything(extension, series):
    assert there_and_back(series, extension).equals(series)


@quick
@given(series_sets(unequal=False, times=("none",), extras=False))
def test_npy(series):
    bare = SeriesSet.from_array(series.values, "ncl")
    assert there_and_back(bare, ".npy", axes="ncl").equals(bare)


@quick
@given(series_sets(times=("none",), extras=False))
def test_ts(series):
    pytest.importorskip("aeon")
    back = there_and_back(series, ".ts")
    assert back.equals(replace(series, ids=np.arange(len(series))))


def test_ts_labels_keep_their_case_and_numbers_are_numbers(tmp_path):
    pytest.importorskip("aeon")
    values = np.arange(12.0).reshape(2, 1, 6)
    for labels in (["Up", "nanA"], [1, 2], [0.5, 1.25]):
        series = SeriesSet.from_arrays(values, labels=np.array(labels))
        files.write(series, tmp_path / "a.ts", force=True)
        assert files.read(tmp_path / "a.ts").labels.tolist() == labels


@pytest.mark.parametrize("extension", [".csv", ".parquet", ".npz", ".jsonl"])
def test_missing_labels_and_numeric_static_columns_survive(tmp_path, extension):
    series = SeriesSet.from_arrays(
        np.arange(24.0).reshape(3, 2, 4),
        labels=np.array(["a", None, "b"], dtype=object),
        static={"age": np.array([3, 5, 7]), "weight": np.array([0.5, np.nan, 2.5])},
    )
    path = tmp_path / f"a{extension}"
    files.write(series, path)
    options = {} if extension in (".npz", ".jsonl") else {"static_columns": ["age", "weight"]}
    assert files.read(path, **options).equals(series)


@pytest.mark.parametrize("source", [".csv", ".parquet", ".npz", ".jsonl"])
@pytest.mark.parametrize("target", [".csv", ".parquet", ".npz", ".jsonl"])
def test_any_format_can_be_written_from_any_other(tmp_path, source, target):
    times = np.datetime64("2024-03-01T00:00", "ns") + np.arange(5) * np.timedelta64(15, "m")
    series = SeriesSet.from_arrays(
        np.arange(20).reshape(2, 2, 5), channels=["flow", "level"], ids=["p", "q"], times=times, labels=["u", "v"]
    )
    files.write(series, tmp_path / f"a{source}")
    first = files.read(tmp_path / f"a{source}")
    files.write(first, tmp_path / f"b{target}")
    second = files.read(tmp_path / f"b{target}")
    assert second.equals(series)
    assert second.frequency == "15min"


def test_static_columns_that_are_named_join_those_that_are_found(tmp_path: Path) -> None:
    path = tmp_path / "sites.csv"
    rows = [
        f"{name},{t},{t * 0.5},{site},{age}" for name, site, age in (("a", "n", 3), ("b", "s", 4)) for t in range(5)
    ]
    path.write_text("id,t,x,site,age\n" + "\n".join(rows) + "\n")
    found = files.read(path, static_columns=["age"])
    assert found.channels == ("x",)
    assert set(found.static) == {"site", "age"}
    files.write(found, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_text().splitlines()[0] == "id,t,x,site,age"
