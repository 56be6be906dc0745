"""What was read is given back with gaps filled and all else, to the last digit and byte, as it was."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tsprout.data import files
from tsprout.data.original import Original
from tsprout.data.reading import ReadOptions
from tsprout.errors import InputError, TsproutError
from tsprout.series import SeriesSet

EXACT = 1.123456789012345


def filled(series: SeriesSet, value: float = 7.25) -> SeriesSet:
    """All cells within a series' length, those that were missing with one value."""
    within = np.arange(series.length) < series.lengths[:, None, None]
    values = np.where(series.observed, series.values, value).astype(np.float32)
    return replace(series, values=values, observed=series.observed | within)


def again(text: str | bytes, path: Path, name: str = "in.csv", out: str = "out.csv", **options: Any) -> str:
    """A file, filled: what it holds then."""
    source = path / name
    source.write_bytes(text if isinstance(text, bytes) else text.encode())
    original = Original.read(source, ReadOptions(**options))
    assert original.write(filled(original.series), path / out)
    return (path / out).read_bytes().decode()


def test_csv_keeps_every_other_byte(tmp_path: Path) -> None:
    text = (
        '\ufeff"id";time;x;remark;y\r\n\r\n'
        'b;2;"1,123456789012345";"a;b";\r\n'  # rows out of order
        'a;2;;"says ""no""\nand more";5,0\r\n'  # a cell of two lines
        "a;1;NA;;4,5\r\n"
        "b;1;3,25;;1,0\r\n\r\n"
        "b;3; 9,5 ;;NA\r\n"
        "a;3;1,0;;2,0\r\na;4;1,0;;2,0\r\nb;4;1,0;;2,0"  # no end of the last line
    )
    expected = (
        text.replace('"a;b";\r\n', '"a;b";7,2\r\n').replace("a;2;;", "a;2;7,25;").replace("a;1;NA", "a;1;7,25")
    ).replace(";;NA", ";;7,2")
    assert again(text, tmp_path, channels=["x", "y"]) == expected


def test_wide_csv_packed_and_in_another_encoding(tmp_path: Path) -> None:
    text = "name\t0\t1\t2\t3\nä\t1.5\t\t2.5\t3.123456789\nö\tNA\t1\t2\t\n"
    (tmp_path / "in.tsv").write_bytes(text.encode("latin-1"))
    original = Original.read(tmp_path / "in.tsv", ReadOptions(encoding="latin-1"))
    assert original.write(filled(original.series), tmp_path / "out.csv.gz")
    # The empty cell at the end of a row is the end of a shorter series.
    expected = text.replace("\t\t2.5", "\t7.25\t2.5").replace("NA", "7.25")
    assert gzip.decompress((tmp_path / "out.csv.gz").read_bytes()).decode("latin-1") == expected
    wide = "id,time,x\na,1,1\na,2,\na,3,3\na,4,4\n".encode("utf-16")
    (tmp_path / "wide.csv").write_bytes(wide)
    original = Original.read(tmp_path / "wide.csv", ReadOptions(encoding="utf-16"))
    original.write(filled(original.series, 6), tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes().decode("utf-16") == wide.decode("utf-16").replace("2,", "2,6")


def test_codes_for_missing_and_truth_values(tmp_path: Path) -> None:
    text = "id,time,x,on\na,1,-999,TRUE\na,2,2,\na,3,3,FALSE\na,4,-999.0,TRUE\n"
    expected = "id,time,x,on\na,1,1.0,TRUE\na,2,2,TRUE\na,3,3,FALSE\na,4,1.0,TRUE\n"
    (tmp_path / "in.csv").write_text(text)
    original = Original.read(tmp_path / "in.csv", ReadOptions(missing_codes=["-999"]))
    original.write(filled(original.series, 1.0), tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == expected


def test_quotes_within_a_cell_stand_for_themselves(tmp_path: Path) -> None:
    text = 'id,time,size,x,fit,note,end\na,1,2",1,6",,z\na,2,2",,6",,z\na,3,5" pipe,,"a ""b"", c",,z\na,4,,4,,"",z\n'
    expected = text.replace('2",,6",', '2",7,6",').replace("pipe,,", "pipe,7,")
    assert again(text, tmp_path, channels=["x"]) == expected


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8-sig", "utf-8", "cp1252"])
@pytest.mark.parametrize("marked", [True, False])
def test_the_order_of_bytes_stays(encoding: str, marked: bool, tmp_path: Path) -> None:
    mark = {"utf-16": "", "utf-16-be": "\ufeff", "utf-8-sig": "", "utf-8": "\ufeff", "cp1252": ""}[encoding]
    raw = ((mark if marked else "") + "id,time,x\nä,1,1\nä,2,\nä,3,3\nä,4,4\n").encode(encoding)
    if not marked and encoding in ("utf-16", "utf-8-sig"):
        raw = raw[2 if encoding == "utf-16" else 3 :]
    told = "utf-16" if encoding == "utf-16-be" and marked else encoding
    (tmp_path / "in.csv").write_bytes(raw)
    if encoding == "utf-16" and not marked:
        with pytest.raises(InputError, match="does not start with BOM"):
            files.read(tmp_path / "in.csv", encoding="utf-16")
        return
    original = Original.read(tmp_path / "in.csv", ReadOptions(encoding=told))
    original.write(filled(original.series, 6), tmp_path / "out.csv")
    plain = "utf-8" if encoding == "utf-8-sig" else "utf-16-le" if encoding == "utf-16" else encoding
    assert (tmp_path / "out.csv").read_bytes() == raw.replace("2,\n".encode(plain), "2,6\n".encode(plain))


def test_cells_of_blanks_are_gaps(tmp_path: Path) -> None:
    text = "id,time,x\na,1,1\na,2, \na,3,   \na,4,4\n"
    assert again(text, tmp_path) == "id,time,x\na,1,1\na,2,7\na,3,7\na,4,4\n"


def test_gaps_that_are_left_stay_as_they_are(tmp_path: Path) -> None:
    text = "id,time,x,y\na,1,NA,1\na,2,2,\na,3,3,3\na,4,4,4\n"
    (tmp_path / "in.csv").write_text(text)
    original = Original.read(tmp_path / "in.csv", ReadOptions())
    some = filled(original.series)
    kept = replace(some, observed=some.observed & (original.series.observed | (np.arange(2) == 1)[:, None]))
    original.write(kept, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == text.replace("2,2,\n", "2,2,7\n")


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "t": [3, 1, 2, 1, 2, 3],
            "id": list("aaabbb"),
            "v": [EXACT, None, 3, 4, 5, None],
            "k": pd.array([1, None, 3, 4, 5, 6], dtype="Int64"),
            "on": [True, None, False, True, True, None],
            "f": np.array([1, np.nan, 3, 4, 5, 6], np.float32),
        },
        index=[9, 8, 7, 6, 5, 4],
    )


def test_pandas_keeps_rows_index_types_and_digits() -> None:
    given = frame()
    original = Original.read(given, ReadOptions())
    out = original.filled(filled(original.series, 1.0))
    expected = given.copy()
    for name in expected.columns[2:]:
        missing = expected[name].isna()
        expected.loc[missing, name] = True if name == "on" else 1
    pd.testing.assert_frame_equal(out, expected)
    assert out["v"].iloc[0] == EXACT and given.isna().any().any()


def test_a_pandas_series_and_an_index(tmp_path: Path) -> None:
    index = pd.date_range("2024-01-01", periods=5, name="when")
    given = pd.Series([1.0, EXACT, np.nan, 4, 5], index=index, name="x")
    original = Original.read(given, ReadOptions())
    out = original.filled(filled(original.series))
    pd.testing.assert_series_equal(out, given.fillna(7.25))


def test_wide_pandas_with_numbers_for_names() -> None:
    given = pd.DataFrame([[1.0, 2, 3, EXACT], [1, np.nan, 3, 4]])
    original = Original.read(given, ReadOptions(orientation="wide"))
    pd.testing.assert_frame_equal(original.filled(filled(original.series)), given.fillna(7.25))


def test_polars_and_parquet(tmp_path: Path) -> None:
    pl = pytest.importorskip("polars")
    given = pl.from_pandas(frame())
    original = Original.read(given, ReadOptions())
    out = original.filled(filled(original.series, 1.0))
    assert out.schema == given.schema and out["v"][0] == EXACT and out.null_count().sum_horizontal()[0] == 0
    assert Original.read(given.lazy(), ReadOptions()).filled(filled(original.series, 1.0)).equals(out)
    given.write_parquet(tmp_path / "in.parquet", compression="zstd")
    original = Original.read(tmp_path / "in.parquet", ReadOptions())
    assert original.write(filled(original.series, 1.0), tmp_path / "out.parquet")
    assert pl.read_parquet(tmp_path / "out.parquet").equals(out)


@pytest.mark.parametrize("axes", ["nlc", "ncl", "cl", "lc", "nl", "l"])
def test_arrays_of_any_axes(axes: str) -> None:
    shape = {"n": 3, "c": 2, "l": 5}
    given = np.random.default_rng(0).random([shape[a] for a in axes])
    given.flat[[1, 3]] = np.nan
    original = Original.read(given, ReadOptions(axes=axes))
    out = original.filled(filled(original.series))
    assert np.array_equal(out, np.where(np.isnan(given), 7.25, given)) and np.isnan(given).sum() == 2


def test_masked_whole_and_listed_arrays() -> None:
    masked = np.ma.array(np.arange(8), mask=np.arange(8) == 2)
    original = Original.read(masked, ReadOptions())
    out = original.filled(filled(original.series, 5))
    assert out.dtype == masked.dtype and out.tolist() == [0, 1, 5, 3, 4, 5, 6, 7]
    assert isinstance(out, np.ma.MaskedArray) and not out.mask.any()
    left = original.filled(original.series)
    assert left.mask.tolist() == masked.mask.tolist()
    codes = np.array([1, -9, 3, 4], np.int16)
    original = Original.read(codes, ReadOptions(missing_codes=[-9]))
    assert original.filled(filled(original.series, 2)).tolist() == [1, 2, 3, 4]
    listed = [np.array([1, np.nan, EXACT]), np.array([1.0, 2, 3, np.nan, 5])]
    original = Original.read(listed, ReadOptions())
    assert isinstance(Original.read(tuple(listed), ReadOptions()).filled(filled(original.series)), tuple)
    big = np.array([1, -9, 3, 4], ">i4")
    out = Original.read(big, ReadOptions(missing_codes=[-9]))
    assert out.filled(filled(out.series, 6.7)).tolist() == [1, 7, 3, 4]
    one, two = original.filled(filled(original.series))
    assert one.tolist() == [1, 7.25, EXACT] and two.tolist() == [1, 2, 3, 7.25, 5]


def test_archives_keep_what_was_not_read(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((3, 5, 2))
    observed = np.ones(values.shape, bool)
    observed[1, 2, 1] = False
    np.savez_compressed(tmp_path / "in.npz", values=values, axes="nlc", channels=["p", "q"], observed=observed, own=[1])
    original = Original.read(tmp_path / "in.npz", ReadOptions(channels=["q"]))
    assert original.write(filled(original.series), tmp_path / "out.npz")
    out = np.load(tmp_path / "out.npz")
    assert set(out.files) == {"values", "axes", "channels", "observed", "own"} and out["observed"].all()
    assert np.array_equal(out["values"], np.where(observed, values, 7.25))
    np.save(tmp_path / "in.npy", np.where(observed, values, np.nan))
    original = Original.read(tmp_path / "in.npy", ReadOptions(axes="nlc"))
    original.write(filled(original.series), tmp_path / "out.npy")
    assert np.array_equal(np.load(tmp_path / "out.npy"), out["values"])


def test_json_lines_keep_other_keys_and_lines_without_gaps(tmp_path: Path) -> None:
    whole = '{"start": "2024-01-01",  "target": [1.10, 5, 3.123456789012]}'
    text = f'{{"start": "2024-01-01", "freq": "D", "target": [1.1, null, {EXACT}], "x": {{"k": [1]}}}}\n\n{whole}'
    out = again(text, tmp_path, "in.jsonl", "out.jsonl")
    first, blank, last = out.split("\n")
    assert json.loads(first) == json.loads(text.split("\n")[0]) | {"target": [1.1, 7.25, EXACT]}
    assert blank == "" and last == whole
    several = '{"target": [[1, null, 3], [4, 5, "NaN"]]}\n{"target": [[1, 2, 3], [4, 5, 6]]}\n'
    expected = several.replace("null", "7").replace('"NaN"', "7")
    assert again(several, tmp_path, "in.jsonl", "out2.jsonl") == expected


def test_json_lines_keep_numbers_and_texts_as_they_are_written(tmp_path: Path) -> None:
    numbers = "1.50,3e2,12345678901234567890.5,null,-0.0,7"
    line = f'{{"target":[{numbers}],"item_id":"\\ud83d","z":12345678901234567890.50,"n":[1.10,NaN]}}\n'
    assert again(line, tmp_path, "in.jsonl", "out.jsonl") == line.replace("null", "7.25")
    text = '{"target": [1, null, 3, 4], "item_id": "é\\u20ac"}\n'.encode("latin-1")
    (tmp_path / "latin.jsonl").write_bytes(text)
    original = Original.read(tmp_path / "latin.jsonl", ReadOptions(encoding="latin-1"))
    original.write(filled(original.series, 6), tmp_path / "latin-out.jsonl")
    out = (tmp_path / "latin-out.jsonl").read_bytes()
    assert json.loads(out.decode("latin-1")) == json.loads(text.decode("latin-1")) | {"target": [1, 6, 3, 4]}


def test_categories_decimals_and_categories_that_no_row_has() -> None:
    given = frame()[["t", "id"]].assign(c=pd.Categorical([1.0, None, 2, 1, 2, 2]))
    given["d"] = [Decimal("1.50"), None, Decimal("2.25"), Decimal("3.00"), Decimal("4.00"), Decimal("5.00")]
    given["id"] = pd.Categorical(given["id"], ["a", "z", "b"])
    given = given.reset_index(drop=True)
    original = Original.read(given, ReadOptions(channels=["c", "d"]))
    assert original.series.ids.tolist() == ["a", "b"]
    out = original.filled(filled(original.series))
    assert out["c"].tolist() == [1, 7.25, 2, 1, 2, 2] and isinstance(out["c"].dtype, pd.CategoricalDtype)
    assert out["d"].tolist()[:3] == [Decimal("1.50"), Decimal("7.25"), Decimal("2.25")]


def test_parquet_keeps_groups_and_packing(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"id": ["a"] * 9, "time": range(9), "x": [1.0, None, *range(2, 9)], "n": [[1]] * 9})
    packed = {"id": "snappy", "time": "none", "x": "gzip", "n.list.element": "zstd"}
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=4, compression=packed)
    original = Original.read(tmp_path / "in.parquet", ReadOptions(channels=["x"]))
    original.write(filled(original.series), tmp_path / "out.parquet")
    before, after = (pq.ParquetFile(tmp_path / f"{name}.parquet") for name in ("in", "out"))
    assert after.read()["x"].to_pylist()[1] == 7.25 and after.read()["n"].equals(before.read()["n"])
    for group in range(3):
        one, two = before.metadata.row_group(group), after.metadata.row_group(group)
        assert one.num_rows == two.num_rows
        assert [one.column(j).compression for j in range(4)] == [two.column(j).compression for j in range(4)]


def test_another_format_is_written_anew(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,time,x\na,1,1.5\na,2,\na,3,3\na,4,4\n")
    original = Original.read(tmp_path / "in.csv", ReadOptions())
    assert not original.write(filled(original.series), tmp_path / "out.npz")
    assert np.load(tmp_path / "out.npz")["values"].tolist() == [[[1.5, 7.25, 3, 4]]]


def test_of_a_path_the_series_are_given_back_and_a_set_stays_a_set(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,time,x,y\na,1,1.5,1\na,2,,2\na,3,3,3\na,4,4,4\n")
    original = Original.read(str(tmp_path / "in.csv"), ReadOptions())
    some = filled(original.series)
    turned = replace(some, values=some.values[:, ::-1], observed=some.observed[:, ::-1], channels=some.channels[::-1])
    assert original.filled(turned).equals(some)
    of_frame = files.read(tmp_path / "in.csv")
    assert Original.read(of_frame, ReadOptions()).filled(some).equals(some)


@pytest.mark.parametrize("name", ["in.csv", "in.jsonl", "in.parquet"])
def test_a_file_that_has_changed_meanwhile_is_not_written(name: str, tmp_path: Path) -> None:
    source, out = tmp_path / name, tmp_path / f"out{name[2:]}"
    table = pd.DataFrame({"id": ["a"] * 5, "time": range(5), "x": [1.0, 2, 3, 4, None], "y": 1.0})

    def put(frame: pd.DataFrame) -> None:
        if name.endswith("csv"):
            frame.to_csv(source, index=False)
        elif name.endswith("parquet"):
            frame.to_parquet(source)
        else:
            source.write_text("".join('{"target": [1, null, 3, 4]}\n' for _ in range(len(frame) // 2)))

    put(table)
    original = Original.read(source, ReadOptions())
    changes = [table[:3]] + ([table.assign(x=table["x"].fillna(5.0))] if name.endswith("csv") else [])
    for changed in changes:
        put(changed)
        with pytest.raises(TsproutError, match="not the one that was read"):
            original.write(filled(original.series), out)
        assert not out.exists()
    out.write_text("mine")
    with pytest.raises(InputError):
        original.write(filled(original.series), out)
    assert out.read_text() == "mine"


TEXTS = ["a", "", "x,y", 'he said "no"', "line\nbreak", " pad ", '5"', '"', "é", "NA", "1.5"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chance=st.randoms(use_true_random=False), every=st.booleans())
def test_any_csv_differs_where_something_was_missing_and_nowhere_else(
    tmp_path: Path, chance: random.Random, every: bool
) -> None:
    steps = [(i, t) for i in "ab" for t in range(8) if not every or t in (0, 7) or chance.random() < 0.7]
    chance.shuffle(steps)
    rows = [[i, str(t), chance.choice(["", "NA", "1.25", "-3"]), chance.choice(TEXTS), "4"] for i, t in steps]
    rows[0][2], rows[1][4] = "2.123456789012", ""
    for row in rows:  # never the same throughout a series, or added rows would have it, too
        row[3] = f"{row[3]}first" if row[1] == "0" else row[3]
    text, delimiter = io.StringIO(), chance.choice(",;\t|")
    quoting = chance.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    writer = csv.writer(text, delimiter=delimiter, lineterminator=chance.choice(["\n", "\r\n"]), quoting=quoting)
    writer.writerows([["id", "time", "x", "remark", "y"], *rows])
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_bytes(text.getvalue().encode())
    options = ReadOptions(id_column="id", time_column="time", channels=["x", "y"], every="1" if every else None)
    original = Original.read(source, options)
    original.write(filled(original.series, 7), out, force=True)
    made = list(csv.reader(io.StringIO(out.read_bytes().decode(), newline=""), delimiter=delimiter))[1:]
    assert len(made) == (16 if every else len(rows))
    kept = [row for row in made if (row[0], int(row[1])) in steps]
    assert kept == [[*row[:2], "7" if row[2] in ("", "NA") else row[2], row[3], row[4] or "7"] for row in rows]
    assert all(row[2] == row[4] == "7" and row[3] == "" for row in made if row not in kept)
