"""Tables with a column a series: read, drawn, filled and written as they came."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import tsprout
from tsprout import Sprout, cli, read
from tsprout.data.files import open_writer, write
from tsprout.data.frames import from_object, to_object
from tsprout.errors import InputError


def sites(n: int = 6, length: int = 30, seed: int = 0) -> pd.DataFrame:
    """Hourly series of some sites side by side, the second one shorter."""
    rng = np.random.default_rng(seed)
    values = np.round(20 + rng.normal(0, 5, n) + 2 * rng.normal(size=(length, n)).cumsum(0), 2)
    frame = pd.DataFrame(values, columns=[f"site {chr(65 + k)}" for k in range(n)])
    frame.iloc[-5:, 1] = np.nan
    frame.insert(0, "hour", pd.date_range("2024-05-01", periods=length, freq="h"))
    return frame


def test_each_column_is_a_series(tmp_path: Path) -> None:
    frame = sites()
    frame["place"] = "north"
    frame.to_csv(tmp_path / "sites.csv", index=False)
    series = read(tmp_path / "sites.csv", orientation="columns", time_column="hour")
    assert (series.n_series, series.channels, series.length) == (6, ("value",), 30)
    assert series.ids.tolist() == [f"site {c}" for c in "ABCDEF"]
    assert series.lengths.tolist() == [30, 25, 30, 30, 30, 30]
    assert series.frequency == "h"
    assert series.values[3, 0] == pytest.approx(frame["site D"].to_numpy(), rel=1e-6)
    assert series.schema is not None and series.schema.by_column
    assert any("'place'" in notice for notice in series.schema.notices)
    some = read(tmp_path / "sites.csv", orientation="columns", channels=["site F", "site C"], ignore=["place"])
    assert set(some.ids.tolist()) == {"site F", "site C"}
    one = read(tmp_path / "sites.csv", ignore=["place"])
    assert one.n_series == 1 and any("orientation='columns'" in notice for notice in one.schema.notices)


@pytest.mark.parametrize("name", ["sites.csv", "sites.csv.gz", "sites.tsv", "sites.parquet"])
def test_files_come_back_as_they_were(tmp_path: Path, name: str) -> None:
    frame, path = sites(), tmp_path / name
    if name.endswith("parquet"):
        frame.to_parquet(path, index=False)
    else:
        frame.to_csv(path, index=False, sep="\t" if "tsv" in name else ",", date_format="%Y-%m-%d %H:%M")
    series = read(path, orientation="columns")
    write(series, tmp_path / f"again-{name}")
    back = read(tmp_path / f"again-{name}", orientation="columns")
    assert back.equals(series)
    if name == "sites.csv":
        assert (tmp_path / f"again-{name}").read_text() == path.read_text().replace("\r\n", "\n")
    with open_writer(tmp_path / f"two-{name}", series, n_series=6, channels=["value"], length=30) as writer:
        writer.write(series[:1])
        writer.write(series[1:])
    assert read(tmp_path / f"two-{name}", orientation="columns").equals(series)


def test_what_is_drawn_is_a_column_each(tmp_path: Path) -> None:
    frame = sites()
    frame.to_csv(tmp_path / "sites.csv", index=False)
    sprout = Sprout.from_pretrained("jitter").fit(tmp_path / "sites.csv", orientation="columns")
    drawn = sprout.sample(40)
    write(drawn, tmp_path / "new.csv")
    table = pd.read_csv(tmp_path / "new.csv")
    assert list(table.columns[:2]) == ["hour", "synthetic-000001"] and table.shape == (30, 41)
    assert table["hour"].tolist() == frame["hour"].astype(str).tolist()
    decimals = table.iloc[:, 1:].stack().dropna().map(lambda value: round(value, 2) == value)
    assert decimals.all(), "two decimals, as they came"
    sprout.save_pretrained(tmp_path / "fitted")
    again = Sprout.from_pretrained(tmp_path / "fitted").sample(40)
    write(again, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "new.csv").read_bytes()
    write(drawn, tmp_path / "long.csv", format="csv-long")
    assert read(tmp_path / "long.csv").n_series == 40


@pytest.mark.parametrize("kind", ["pandas", "indexed", "polars", "numbered"])
def test_frames(kind: str) -> None:
    frame = sites()
    given = {"pandas": frame, "indexed": frame.set_index("hour"), "polars": pl.from_pandas(frame)}.get(kind)
    if kind == "numbered":
        given = frame.set_axis(["hour", *range(1, 7)], axis=1)
    series = from_object(given, orientation="columns")
    assert series.n_series == 6
    back = to_object(series)
    assert type(back) is type(given)
    assert back.equals(given), f"{back}"
    made = Sprout.from_pretrained("copies").fit(given, orientation="columns").sample(8)
    assert type(made) is type(given)
    assert list(made.columns)[-1] == ("synthetic-000008" if kind != "numbered" else 14)


def test_windows_go_out_as_a_long_table(tmp_path: Path) -> None:
    sites(3, 48).to_csv(tmp_path / "sites.csv", index=False)
    series = read(tmp_path / "sites.csv", orientation="columns", window=12)
    assert series.n_series == 4 + 3 + 4 and series.length == 12
    assert series.schema is not None and not series.schema.by_column
    drawn = Sprout.from_pretrained("copies").fit(series).sample(5)
    write(drawn, tmp_path / "new.csv")
    assert list(pd.read_csv(tmp_path / "new.csv").columns) == ["id", "hour", "value"]


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A folder with an untrained model."""
    from tiny_models import TRANSFORMER

    from tsprout import checkpoint
    from tsprout.model import Denoiser

    checkpoint.save(checkpoint.Checkpoint(Denoiser(TRANSFORMER)), tmp_path / "tiny")
    return tmp_path / "tiny"


@pytest.mark.parametrize("name", ["sites.csv", "sites.parquet", "frame"])
def test_gaps_are_filled_and_all_else_stays(tiny: Path, tmp_path: Path, name: str) -> None:
    frame = sites(8)
    holes = frame.copy()
    holes.iloc[10:12, 3] = np.nan
    holes.iloc[0, 5] = np.nan
    holes["remark"] = "fine"
    path = tmp_path / name
    if name == "frame":
        sprout = Sprout.from_pretrained(tiny).fit(holes, mode="prompt", orientation="columns")
        filled = sprout.impute(holes, draws=2, orientation="columns")
    else:
        holes.to_csv(path, index=False) if name.endswith("csv") else holes.to_parquet(path, index=False)
        full = tmp_path / f"full-{name}"
        arguments = ["impute", str(path), "-o", str(full), "--by-column", "--mode", "prompt", "--model", str(tiny)]
        assert cli.main([*arguments, "--draws", "2", "--no-check", "--quiet"]) == 0
        filled = pd.read_csv(full, parse_dates=["hour"]) if name.endswith("csv") else pd.read_parquet(full)
    assert list(filled.columns) == list(holes.columns) and len(filled) == 30
    known = holes.notna().to_numpy()
    old, new = holes.reset_index(drop=True), filled.reset_index(drop=True)
    changed = (new.notna().to_numpy()) & ~known
    assert np.argwhere(changed).tolist() == [[0, 5], [10, 3], [11, 3]]
    assert all((old[c][old[c].notna()] == new[c][old[c].notna()]).all() for c in old.columns)


def test_rows_at_the_end_and_rows_that_are_not_there_are_filled(tiny: Path, tmp_path: Path) -> None:
    frame = sites(8).drop(index=[7])
    frame.iloc[-2:, 1:] = np.nan
    frame.to_csv(tmp_path / "sites.csv", index=False)
    arguments = ["impute", str(tmp_path / "sites.csv"), "-o", str(tmp_path / "full.csv"), "--by-column", "--every", "h"]
    assert cli.main([*arguments, "--model", str(tiny), "--mode", "prompt", "--draws", "2", "--no-check", "-q"]) == 0
    full = pd.read_csv(tmp_path / "full.csv", parse_dates=["hour"])
    assert full["hour"].tolist() == pd.date_range("2024-05-01", periods=30, freq="h").tolist()
    assert full.notna().all().all(), "as no column goes on, all of them do"


def test_what_such_a_table_cannot_have(tmp_path: Path) -> None:
    frame = sites()
    for given in ({"id_column": "site A"}, {"label_column": "site A"}, {"static_columns": ["site A"]}):
        with pytest.raises(InputError, match="a column a series"):
            from_object(frame, orientation="columns", **given)
    with pytest.raises(InputError, match="no column of numbers"):
        from_object(frame[["hour"]], orientation="columns")
    with pytest.raises(InputError, match="'long', 'wide' or 'columns'"):
        from_object(frame, orientation="column")
    series = from_object(frame, orientation="columns")
    apart = tsprout.SeriesSet.from_arrays(
        series.values[:2], channels=["value"], times=np.arange(60).reshape(2, 30), schema=series.schema
    )
    with pytest.raises(InputError, match="times of their own"):
        write(apart, tmp_path / "apart.csv")
    assert not (tmp_path / "apart.csv").exists()


def test_a_series_called_as_the_time_is(tmp_path: Path) -> None:
    series = from_object(sites(), orientation="columns")
    ids = np.array(["hour", *map(str, series.ids[1:])], object)
    odd = tsprout.SeriesSet.from_arrays(
        series.values, lengths=series.lengths, channels=["value"], ids=ids, times=series.times, schema=series.schema
    )
    assert set(to_object(odd).columns) == {"hour", "hour_", *(f"site {c}" for c in "BCDEF")}


def test_what_has_no_columns_is_refused(tmp_path: Path) -> None:
    values = np.zeros((5, 2, 8))
    np.savez(tmp_path / "x.npz", values=values)
    for given, more in ((tmp_path / "x.npz", {}), (values, {"axes": "ncl"}), ([np.zeros(8)] * 3, {})):
        with pytest.raises(InputError, match="is for tables"):
            from_object(given, orientation="columns", **more)


@pytest.mark.parametrize(("one", "other"), [("csv", "parquet"), ("parquet", "csv"), ("frame", "csv")])
def test_another_format_has_the_same_columns(tmp_path: Path, one: str, other: str) -> None:
    frame, source = sites(), tmp_path / f"sites.{one}"
    if one != "frame":
        frame.to_csv(source, index=False) if one == "csv" else frame.to_parquet(source, index=False)
    series = from_object(frame if one == "frame" else source, orientation="columns")
    write(series, tmp_path / f"new.{other}")
    new = pd.read_csv(tmp_path / "new.csv") if other == "csv" else pd.read_parquet(tmp_path / "new.parquet")
    assert list(new.columns) == list(frame.columns)
    back = read(tmp_path / f"new.{other}", orientation="columns")
    assert back.ids.tolist() == series.ids.tolist()
    assert back.values == pytest.approx(series.values, nan_ok=True) and np.array_equal(back.times, series.times)


def test_signed_and_unsigned_columns_keep_their_signs() -> None:
    frame = pd.DataFrame({"a": np.arange(20, dtype="u4"), "b": -np.arange(20, dtype="i2")})
    made = Sprout.from_pretrained("copies").fit(frame, orientation="columns").sample(6)
    assert made.to_numpy().min() < -15
    with pytest.raises(InputError, match="leave out orientation='columns'|rows have the same"):
        from_object(frame.assign(time=0), orientation="columns")
