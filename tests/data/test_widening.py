"""What goes out is what was drawn: a type that is too narrow becomes a wider one, and nothing wraps around."""

from __future__ import annotations

import datetime
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tsprout.data import files
from tsprout.data.frames import from_object, to_object
from tsprout.data.widening import fitted
from tsprout.errors import InputError
from tsprout.identity import dressed, new_ids
from tsprout.series import SeriesSet


def drawn(shots: SeriesSet, n: int, length: int | None = None, level: float = 0, start: int = 0) -> SeriesSet:
    """``n`` series as a model might draw them: those of the shots in turn, moved by a level."""
    picked = (start + np.arange(n)) % len(shots)
    length = shots.length if length is None else length
    values = np.tile(shots.values[picked], -(-length // shots.length))[..., :length] + level
    return dressed(shots, values, np.full(n, length), picked, start)


def table(ids, values=None, times=None) -> pa.Table:
    """Two series of four steps."""
    ids = ids if isinstance(ids, pa.Array) else pa.array(ids)
    columns = {"id": ids.take(pa.array(np.repeat([0, 1], 4)))}
    columns["time"] = pa.array(np.tile(np.arange(4), 2)) if times is None else times
    columns["v"] = pa.array(np.arange(8) / 4) if values is None else values
    return pa.table(columns)


def shots_of(tmp_path, arrow: pa.Table, **options) -> SeriesSet:
    pq.write_table(arrow, tmp_path / "in.parquet")
    return files.read(tmp_path / "in.parquet", **options)


def written(tmp_path, *batches: SeriesSet) -> pa.Table:
    path = tmp_path / "out.parquet"
    first = batches[0]
    longest = max(b.length for b in batches)
    n = sum(map(len, batches))
    with files.open_writer(path, first, n_series=n, channels=first.channels, length=longest, force=True) as writer:
        for batch in batches:
            writer.write(batch)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.parquet", "out.parquet"]
    return pq.read_table(path)


def test_decimals_take_as_many_digits_as_the_values_need(tmp_path):
    money = pa.array([Decimal(8996 + 10 * k) / 100 for k in range(8)], pa.decimal128(4, 2))
    shots = shots_of(tmp_path, table(["a", "b"], money))
    back = written(tmp_path, drawn(shots, 4, level=100))
    assert back.schema.field("v").type == pa.decimal128(5, 2)
    assert back["v"].to_pylist()[0] == Decimal("189.96")
    assert min(back["v"].to_pylist()) > 100
    # Only a later batch needs them.
    back = written(tmp_path, drawn(shots, 2), drawn(shots, 3, level=1e7, start=2), drawn(shots, 2, start=5))
    assert back.schema.field("v").type == pa.decimal128(10, 2)
    assert [back["v"].to_pylist()[k] for k in (0, 8, 20)] == [Decimal("89.96"), Decimal("10000090"), Decimal("90.36")]
    assert written(tmp_path, drawn(shots, 2)).schema.field("v").type == pa.decimal128(4, 2)
    edge = replace(shots, values=np.full_like(shots.values, 99.995))
    assert min(written(tmp_path, edge)["v"].to_pylist()) > 99
    huge = drawn(shots, 1, level=1e37)
    assert written(tmp_path, huge).schema.field("v").type == pa.decimal256(39, 2)


@pytest.mark.parametrize("kind", ["int8", "Int8", "uint8"])
def test_pandas_ids_and_times_of_small_integers_do_not_wrap(kind):
    frame = table([3, 5], times=pa.array(np.tile([10, 20, 30, 40], 2))).to_pandas()
    frame = frame.astype({"id": kind, "time": kind})
    shots = from_object(frame)
    pd.testing.assert_frame_equal(to_object(shots), frame)
    out = to_object(drawn(shots, 300, length=40))
    assert out["id"].nunique() == 300
    assert out["id"].min() == 6 and out["id"].max() == 305
    assert out["time"].max() == 400
    assert (out.groupby("id")["time"].diff().dropna() == 10).all()
    few = to_object(drawn(shots, 5))
    assert (few["id"].dtype, few["time"].dtype) == (frame["id"].dtype, frame["time"].dtype)


def test_polars_and_parquet_ids_and_times_of_small_integers_do_not_wrap(tmp_path):
    ids, times = pa.array([3, 5], pa.int8()), pa.array(np.tile([10, 20, 30, 40], 2), pa.int8())
    arrow = table(ids, times=times)
    shots = from_object(pl.from_arrow(arrow))
    out = to_object(drawn(shots, 300, length=40))
    assert out["id"].n_unique() == 300
    assert out["time"].max() == 400
    assert to_object(drawn(shots, 5)).schema["id"] == pl.Int8
    shots = shots_of(tmp_path, arrow)
    back = written(tmp_path, drawn(shots, 100), drawn(shots, 100, start=100))
    assert back["id"].unique().to_pylist() == list(range(6, 206))
    assert (back.schema.field("id").type, back.schema.field("time").type) == (pa.int64(), pa.int8())


def test_pandas_reads_a_parquet_file_of_its_own_with_wider_columns(tmp_path):
    frame = table([3, 5]).to_pandas().astype({"id": "Int8"}).set_index("id")
    frame.to_parquet(tmp_path / "in.parquet")
    shots = files.read(tmp_path / "in.parquet")
    written(tmp_path, drawn(shots, 200))
    back = pd.read_parquet(tmp_path / "out.parquet")
    assert back.index.name == "id"
    assert back.index.max() == 205


def test_ids_near_the_largest_number_go_on_as_text():
    shots = SeriesSet.from_arrays(np.ones((2, 1, 4)), ids=[1, 2**63 - 3])
    assert new_ids(shots, 0, 3).tolist() == ["synthetic-000001", "synthetic-000002", "synthetic-000003"]
    assert new_ids(replace(shots, ids=np.array([1, 2**62])), 0, 2).tolist() == [2**62 + 1, 2**62 + 2]


def test_ids_beyond_the_largest_number_are_text(tmp_path):
    hashes = np.array([2**63 + 1, 5], np.uint64)
    assert SeriesSet.from_arrays(np.ones((2, 1, 4)), ids=hashes).ids.tolist() == ["9223372036854775809", "5"]
    assert SeriesSet.from_arrays(np.ones((2, 1, 4)), ids=[2**70, 5]).ids.tolist() == [str(2**70), "5"]
    np.savez(tmp_path / "a.npz", values=np.ones((2, 1, 4)), ids=hashes)
    assert files.read(tmp_path / "a.npz").ids.tolist() == ["9223372036854775809", "5"]
    (tmp_path / "a.jsonl").write_text(
        '{"target": [1, 2], "item_id": 9223372036854775809, "site": 9223372036854775810}\n'
    )
    series = files.read(tmp_path / "a.jsonl")
    assert (series.ids.tolist(), series.static["site"].tolist()) == ([str(2**63 + 1)], [str(2**63 + 2)])


@pytest.mark.parametrize("family", ["parquet", "pandas", "polars"])
def test_hashes_as_ids_and_static_columns(tmp_path, family):
    arrow = table(pa.array([2**63 + 1, 5], pa.uint64()))
    arrow = arrow.append_column("site", pa.array([2**63 + 2] * 4 + [7] * 4, pa.uint64()))
    make = {"parquet": lambda a: a, "pandas": pa.Table.to_pandas, "polars": pl.from_arrow}[family]
    shots = shots_of(tmp_path, arrow, static_columns=["site"])
    if family != "parquet":
        shots = from_object(make(arrow), static_columns=["site"])
    assert shots.ids.tolist() == ["9223372036854775809", "5"]
    assert any("kept as text" in notice for notice in shots.schema.notices)

    def out(series: SeriesSet) -> pl.DataFrame:
        return pl.from_arrow(written(tmp_path, series)) if family == "parquet" else pl.DataFrame(to_object(series))

    assert out(shots).equals(pl.from_arrow(arrow))
    new = out(drawn(shots, 3))
    assert new["id"].unique(maintain_order=True).to_list() == [f"synthetic-00000{k}" for k in (1, 2, 3)]
    assert set(new["site"].cast(pl.UInt64)) == {2**63 + 2, 7}


def test_times_beyond_the_largest_number_are_refused_in_words(tmp_path):
    late = pa.array(np.tile(np.arange(4, dtype=np.uint64) + 2**63, 2))
    with pytest.raises(InputError, match=r"'time': times go beyond"):
        shots_of(tmp_path, table(["a", "b"], times=late))
    with pytest.raises(InputError, match=r"'time': times go beyond"):
        from_object(pl.from_arrow(table(["a", "b"], times=late)))
    with pytest.raises(InputError, match="times go beyond"):
        SeriesSet.from_arrays(np.ones((1, 1, 4)), times=late.to_numpy()[:4])
    (tmp_path / "a.jsonl").write_text('{"target": [1, 2], "times": [1, 9223372036854775809]}\n')
    with pytest.raises(InputError, match="times go beyond"):
        files.read(tmp_path / "a.jsonl")
    near = SeriesSet.from_arrays(np.ones((1, 1, 4)), times=np.arange(4) + (2**63 - 5))
    with pytest.raises(InputError, match="times go beyond"):
        drawn(near, 1, length=6)
    for frequency, day in (("D", "2262-04-05"), (None, "2262-04-05"), ("YS", "2250-01-01")):
        step = np.timedelta64(365 if frequency == "YS" else 1, "D")
        dates = np.datetime64(day, "ns") + np.arange(4) * step
        shots = SeriesSet.from_arrays(np.ones((1, 1, 4)), times=dates, frequency=frequency)
        with pytest.raises(InputError, match="beyond the year 2262"):
            drawn(shots, 1, length=20)


DAYS = [datetime.datetime(2024, 1, 1), datetime.datetime(2024, 1, 2)]


@pytest.mark.parametrize("family", ["parquet", "pandas", "polars"])
@pytest.mark.parametrize(
    ("ids", "first"),
    [
        ([1.0, 4.0], 5),
        ([1.25, 4.5], "synthetic-000001"),
        (pa.array(DAYS, pa.timestamp("us")), "synthetic-000001"),
        (pa.array(DAYS, pa.timestamp("ns", "Europe/Berlin")), "synthetic-000001"),
        ([True, False], "synthetic-000001"),
        (pa.array([Decimal(1), Decimal(9)], pa.decimal128(1, 0)), 10),
        (pa.array(["x", "y"]).dictionary_encode().cast(pa.dictionary(pa.int8(), pa.string())), "synthetic-000001"),
    ],
)
def test_ids_of_every_type_can_be_written_again_and_be_followed(tmp_path, family, ids, first):
    arrow = table(ids)
    if family == "parquet":
        shots = shots_of(tmp_path, arrow, id_column="id")
        assert written(tmp_path, shots).to_pylist() == arrow.to_pylist()
        out = written(tmp_path, drawn(shots, 100), drawn(shots, 100, start=100))["id"].to_pylist()
    elif family == "pandas":
        frame = arrow.to_pandas()
        shots = from_object(frame, id_column="id")
        pd.testing.assert_frame_equal(to_object(shots), frame)
        out = to_object(drawn(shots, 200))["id"].tolist()
    else:
        shots = from_object(pl.from_arrow(arrow), id_column="id")
        assert to_object(shots).equals(pl.from_arrow(arrow))
        out = to_object(drawn(shots, 200))["id"].to_list()
    assert out[0] == first
    assert len(set(out)) == 200


def test_polars_enum_ids_are_an_enum_no_more_when_they_are_new():
    frame = pl.from_arrow(table(["x", "y"])).with_columns(pl.col("id").cast(pl.Enum(["x", "y", "é;1"])))
    shots = from_object(frame)
    assert to_object(shots).equals(frame)
    assert to_object(shots).schema["id"] == frame.schema["id"]
    out = to_object(drawn(shots, 2))
    assert out.schema["id"] == pl.Categorical
    assert out["id"].unique(maintain_order=True).to_list() == ["synthetic-000001", "synthetic-000002"]


WIDE = "id,0,1,2,3\na,0,1.125,2.5,3\nb,0,1.25,2.375,3.5\n"


def test_a_step_that_is_whole_by_chance_does_not_make_the_others_whole(tmp_path):
    (tmp_path / "a.csv").write_text(WIDE)
    shots = files.read(tmp_path / "a.csv")
    for name, format in (("a.jsonl", None), ("a.npz", None), ("b.csv", "csv-long"), ("a.parquet", "parquet-long")):
        files.write(shots, tmp_path / name, format=format)
        assert np.array_equal(files.read(tmp_path / name).values, shots.values), name
    files.write(drawn(shots, 2, level=0.375), tmp_path / "c.csv")
    lines = (tmp_path / "c.csv").read_text().splitlines()
    assert lines[1] == "synthetic-000001,0.375,1.5,2.875,3.375"
    # What was whole throughout stays so, empty steps or not.
    (tmp_path / "d.csv").write_text("id,0,1,2,3,4\na,0,1,2,3,\nb,0,1,2,3,\n")
    whole = files.read(tmp_path / "d.csv")
    files.write(drawn(whole, 1, level=0.375), tmp_path / "e.csv")
    assert (tmp_path / "e.csv").read_text().splitlines()[1].startswith("synthetic-000001,0,1,2,3")


def test_a_wide_table_has_one_style_of_numbers(tmp_path):
    text = "id,0,1,2,3\na,0.00,1.10,2.20,3.30\nb,0.50,1.00,2.00,3.00\n"
    (tmp_path / "a.csv").write_text(text)
    shots = files.read(tmp_path / "a.csv")
    files.write(shots, tmp_path / "b.csv")
    assert (tmp_path / "b.csv").read_text() == text
    assert set(shots.schema.number_styles.values()) == {"fixed2"}
    longer = replace(drawn(shots, 1, length=6), schema=shots.schema)
    files.write(longer, tmp_path / "c.csv")
    assert (tmp_path / "c.csv").read_text().splitlines()[1].endswith("0.00,1.10,2.20,3.30,0.00,1.10")


def test_wide_frames_widen_the_steps_that_were_whole_by_chance(tmp_path):
    frame = pd.read_csv(pd.io.common.StringIO(WIDE))
    assert str(frame["0"].dtype) == "int64"
    shots = from_object(frame)
    pd.testing.assert_frame_equal(to_object(shots), frame)
    out = to_object(drawn(shots, 2, length=6, level=0.375))
    assert out.iloc[0, 1:].tolist() == [0.375, 1.5, 2.875, 3.375, 0.375, 1.5]
    frame.to_parquet(tmp_path / "in.parquet")
    shots = files.read(tmp_path / "in.parquet")
    back = written(tmp_path, shots, drawn(shots, 2, level=0.375))
    assert back["0"].to_pylist() == [0, 0, 0.375, 0.375]
    assert pd.read_parquet(tmp_path / "out.parquet")["0"].tolist() == [0, 0, 0.375, 0.375]
    files.write(drawn(shots, 1, level=0.375), tmp_path / "a.jsonl")
    assert files.read(tmp_path / "a.jsonl").values[0, 0].tolist() == [0.375, 1.5, 2.875, 3.375]


def test_whole_numbers_in_a_column_of_objects_are_rounded_not_cut():
    frame = table(["a", "b"], pa.array(np.arange(8))).to_pandas().astype({"v": object})
    out = to_object(drawn(from_object(frame), 2, level=0.75))
    assert out["v"].tolist()[:4] == [1, 2, 3, 4]


def test_numbers_too_large_for_small_floats_widen_them():
    field, column = pa.field("x", pa.float16()), pa.array([1.5, 70_000.0, None])
    made, wider = fitted(column, field)
    assert made.to_pylist() == [1.5, 70_000.0, None] and wider.type == pa.float64()
    assert fitted(pa.array([1.5, 2.0]), field)[1] == field
