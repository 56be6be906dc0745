"""What is wrong with a file is said: what, where (row, column), and what to do."""

from __future__ import annotations

import contextlib
import gzip
import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsprout.data import files, memory
from tsprout.data.files import delimited, dialect
from tsprout.data.reading import ReadOptions
from tsprout.errors import InputError, MissingExtraError, TsproutError

GOOD = "id,time,v,w\na,1,1.5,2\na,2,2.5,3\nb,1,3.5,4\nb,2,4.5,5\n"


def refusal(tmp_path, content, name="x.csv", **options) -> str:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as caught:
        files.read(path, **options)
    text = str(caught.value)
    assert str(path) in text or "encoding" in text or "orientation" in text
    return text


def test_missing_file_folder_and_extension(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        files.read(tmp_path / "none.csv")
    with pytest.raises(InputError, match="folder"):
        files.read(tmp_path)
    assert ".parquet" in refusal(tmp_path, "x", "a.doc")
    assert "Save the sheet as CSV" in refusal(tmp_path, "x", "a.xlsx")
    assert "never" in refusal(tmp_path, "x", "a.pkl")
    assert "supported" in refusal(tmp_path, "x", "a.gz")
    assert "npz" in refusal(tmp_path, "x", "a.dat")
    with pytest.raises(InputError, match="unknown format"):
        files.read(tmp_path / "a.dat", format="excel")


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.npz", "a.npy", "a.ts", "a.jsonl"])
def test_empty_files(tmp_path, name):
    assert "empty" in refusal(tmp_path, b"", name)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (" \n\n", ["empty"]),
        ("id,time,v\n", ["no rows"]),
        (GOOD.replace("2.5", "abc"), ["row 3", "'v'", "'abc'"]),
        (GOOD.replace("a,2,2.5,3", "\na,2,2.5,3x"), ["row 4", "'w'", "'3x'"]),
        (GOOD.replace("b,1,3.5,4", "b,1,3.5"), ["row 4", "4 cells", "3 were found"]),
        (GOOD.replace("b,1,3.5,4", "b,1,3.5,4,9"), ["row 4", "5 were found"]),
        (GOOD.replace("b,2", "b,1"), ["'b'", "time 1", "row 4", "row 5"]),
        (GOOD.replace("3.5", "inf"), ["row 4", "infinite", "'v'"]),
        (GOOD.replace("3.5", "1e300"), ["row 4", "infinite", "'v'"]),
        (GOOD.replace("b,1,", "b,,"), ["row 4", "time is missing", "'time'"]),
        (GOOD.replace("b,1,", ",1,"), ["row 4", "id is missing"]),
        ("id,time,v\n" + "a,2024-01-01,1\na,2024-02-30,2\n", ["row 3", "'2024-02-30'"]),
        ("id,time,v\n" + "a,2024-01-01,1\na,1066-10-14,2\n", ["row 3", "'1066-10-14'", "1678"]),
        ("id,time,v\na,soon,1\na,later,2\n", ["row 2", "'soon'"]),
        ("id,time,v\na,1,1\na,x,2\n", ["'x'", "row 3"]),
        ("id,time,v,v\na,1,2,3\n", ["'v'", "repeat"]),
        ("id,time,v,cost\na,1,2,$1\na,2,3,$2\n", ["'cost'", "signs", "'$1'", "ignore="]),
        ("id;time;v\na;1;20%\nb;1;3\n", ["'v'", "row 2", "without the sign"]),
        ("id;time;v\na;1;1.199,50\na;2;2,5\na;3;x\n", ["'v'", "row 2", "thousands='.'"]),
        ("shop,date,v,region\n1,2024-01-01,1.5,a\n2,2024-01-01,2.5,a\n1,2024-01-02,1.5,a\n2,2024-01-02,3.5,a\n",
         ["'region' was taken as the id", "id_column='shop'"]),
        ("shop,time,v\n1,8:00,2.5\n1,8:05,2.5\n", ["'8:00'", "into one column"]),
        ("id,time,label,v\na,1,1,2\na,2,0,3\n", ["'label'", "changes"]),
        ("country,q,v\na,Q1,2\na,Q2,3\nb,Q1,3\n", ["'country'", "to 'b'", "id_column="]),
        ("id,year,month,v\na,2000,1,2\na,2000,2,3\n", ["the same id and time", "into the time"]),
        ("id,time\na,1\na,2\n", ["no column of numbers"]),
        ("1.5,2.5\n3,4\n1,2\n", ["first row holds numbers"]),
        ("1,2,\n3,4,\n1,2,\n", ["first row holds numbers"]),
        ("v\n1\n2\n\n3,4\n", ["row 5", "2 were found"]),
        ("time,v\n1,2\n1,3\n", ["same time", "id_column"]),
        ("id,date,other,v\na,x,2024-01-01,1\n", ["'x'"]),
        ("id,begun,ended,v\na,2024-01-01,2024-01-02,1\n", ["more than one", "'begun'", "'ended'"]),
        ("id,0,1,2,3,size\na,1,2,3,4,5\n", ["'size'", "orientation"]),
        ("id,0,1,2,3\na,1,2,3,4\na,1,2,3,4\n", ["'a'", "row 2", "row 3", "long"]),
        (b"PAR1" + b"\0" * 50, ["Parquet"]),
        (b"a,b\n1,\x00\n", ["zero bytes"]),
        (b"\xf7a,b\n1,\x00\n", ["zero bytes"]),
        ("id,time,v\nm\u00fcller,1,2\n".encode("latin-1"), ["line 2", "0xfc", "latin-1", "encoding="]),
        ("id,time,v\na,1,2\n".encode("utf-16"), ["utf-16"]),
        (b"\x1f\x8b\x08 cut off", ["cannot be read"]),
        ("\ufeff", ["empty"]),
        ("\ufeff\n \n", ["empty"]),
        (GOOD.replace("2.5", '"2.5') + "a,2,3,4\n" * 20_000, ["too long", "quotation mark"]),
    ],
)  # fmt: skip
def test_csv(tmp_path, content, words):
    text = refusal(tmp_path, content)
    for word in words:
        assert word in text


def test_columns_asked_for_that_are_not_there(tmp_path):
    text = refusal(tmp_path, GOOD, channels=["vv"])
    assert "'vv'" in text
    assert "Did you mean 'v'" in text
    assert "'w'" in text
    assert "two roles" in refusal(tmp_path, GOOD, id_column="v", time_column="v")
    assert "no time column" in refusal(tmp_path, GOOD, orientation="wide", time_column="time")


def test_options_that_cannot_be(tmp_path):
    (tmp_path / "a.csv").write_text(GOOD)
    with pytest.raises(InputError, match="orientation"):
        files.read(tmp_path / "a.csv", orientation="sideways")
    with pytest.raises(InputError, match="without a window"):
        files.read(tmp_path / "a.csv", stride=3)
    for encoding in ("klingon", "rot13", "base64"):
        with pytest.raises(InputError, match="unknown encoding"):
            files.read(tmp_path / "a.csv", encoding=encoding)


def test_errors_far_behind_the_sample(tmp_path, monkeypatch):
    monkeypatch.setattr(dialect, "SAMPLE_BYTES", 200)
    body = "".join(f"a,{i},{i / 4}\n" for i in range(500))
    assert "row 502" in refusal(tmp_path, "id,time,v\n" + body + "a,501,oops\n")
    assert "row 502" in refusal(tmp_path, "id,time,v\n" + body + "a,501\n")
    assert "all utf-8" in refusal(tmp_path, ("id,time,v\n" + body + "\u00fc,501,2\n").encode("latin-1"))
    bools = "id,time,v\n" + "".join(f"a,{i},True\n" for i in range(100))
    text = refusal(tmp_path, bools + "a,100,maybe\n")
    assert "'maybe'" in text
    assert "true/false" in text


def test_unquotable_reasons_are_passed_on(tmp_path):
    assert "time" in refusal(tmp_path, GOOD, time_column="id")


def test_memory_is_estimated_before_reading(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(GOOD)
    with pytest.raises(InputError, match=r"needs about .* of memory, but 100 B are available"):
        files.read_with(path, ReadOptions(available_memory=100))
    series = files.read(path)
    for name in ("a.parquet", "a.npz", "a.npy", "a.jsonl", "a.ts"):
        files.write(series, tmp_path / name)
        with pytest.raises(InputError, match="of memory"):
            files.read_with(tmp_path / name, ReadOptions(available_memory=10, axes="ncl"))


def test_large_files_are_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "MANY_ROWS", 3)
    (tmp_path / "a.csv").write_text(GOOD)
    seen = []
    series = files.read(tmp_path / "a.csv", progress=lambda *step: seen.append(step))
    assert "large file" in series.schema.notices[0]
    assert seen[-1][0] == "read"
    assert 0 < seen[-1][1] <= seen[-1][2]


def test_available_memory(tmp_path, monkeypatch):
    assert memory.available() > 0
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "none")
    monkeypatch.setattr(memory, "OWN_GROUP", tmp_path / "none")
    assert memory.available() > 0
    monkeypatch.setattr(memory.os, "sysconf", lambda name: (_ for _ in ()).throw(ValueError(name)))
    assert memory.available() is None
    memory.require(10**18, None, "x")


def test_parquet(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    assert "not a complete Parquet" in refusal(tmp_path, b"PAR1 nonsense PAR1", "a.parquet")
    table = pa.table({"id": ["a", "a"], "time": [1, 2], "v": [1.0, 2.0], "deep": [[1], [2]]})
    pq.write_table(table, tmp_path / "b.parquet")
    with pytest.raises(InputError, match="'deep' holds list"):
        files.read(tmp_path / "b.parquet")
    assert files.read(tmp_path / "b.parquet", channels=["v"]).channels == ("v",)
    data = (tmp_path / "b.parquet").read_bytes()
    assert "not a complete" in refusal(tmp_path, data[: len(data) // 2], "c.parquet")
    pq.write_table(table.slice(0, 0), tmp_path / "d.parquet")
    with pytest.raises(InputError, match="no rows"):
        files.read(tmp_path / "d.parquet")
    for column, words in [
        (["1.5", "x"], "'x' in column 'v'"),
        (["1.5", "2"], "not numbers"),
        ([1.0, float("inf")], "row 2: infinite"),
    ]:
        pq.write_table(pa.table({"id": ["a", "a"], "time": [1, 2], "v": column}), tmp_path / "e.parquet")
        with pytest.raises(InputError, match=words):
            files.read(tmp_path / "e.parquet", channels=["v"])
    for column, words in [
        ([True, False], "cannot be the time"),
        ([1.0, float("nan")], "row 2"),
        ([1, None], "row 2"),
        (pa.array([10**12, 0], pa.timestamp("s")), "1678"),
    ]:
        pq.write_table(pa.table({"id": ["a", "a"], "time": column, "v": [1, 2]}), tmp_path / "f.parquet")
        with pytest.raises(InputError, match=words):
            files.read(tmp_path / "f.parquet")


def test_numpy_files(tmp_path):
    path = tmp_path / "a.npz"
    objects = np.array([np.ones(2), np.ones(3)], dtype=object)
    np.savez(path, values=objects, allow_pickle=True)
    with pytest.raises(InputError, match="pickled"):
        files.read(path)
    np.save(tmp_path / "a.npy", objects, allow_pickle=True)
    with pytest.raises(InputError, match="pickled"):
        files.read(tmp_path / "a.npy", axes="nl")
    assert "pickled" in refusal(tmp_path, pickle.dumps([1]), "b.npy", axes="l")
    np.savez(path, values=np.ones((2, 1, 4)), axes="ncl")
    assert "not a complete" in refusal(tmp_path, path.read_bytes()[:100], "b.npz")
    assert ".npz" in refusal(tmp_path, path.read_bytes(), "c.npy")
    np.save(tmp_path / "d.npy", np.ones((4, 5)))
    with pytest.raises(InputError, match="which axis is which"):
        files.read(tmp_path / "d.npy")
    np.savez(path, p=np.ones((2, 3)), q=np.ones((2, 3)))
    with pytest.raises(InputError, match="p \\(2, 3\\)"):
        files.read(path)
    np.savez(path, values=np.ones((2, 3, 4)), channels=["a", "b", "c"])
    assert files.read(path).channels == ("a", "b", "c")
    assert files.read(path, channels=["c", "a"]).channels == ("c", "a")
    with pytest.raises(InputError, match="no channel 'z'"):
        files.read(path, channels=["z"])
    with pytest.raises(InputError, match="no array 'who'"):
        files.read(path, id_column="who")
    np.savez(path, values=np.full((2, 3, 4), np.inf), axes="ncl")
    with pytest.raises(InputError, match=r"a\.npz, series 0"):
        files.read(path)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (['{"target": [1, 2]}', "{broken"], ["line 2", "JSON"]),
        (['{"target": [1, 2]}', "[1, 2]"], ["line 2", "'target'"]),
        (['{"target": []}'], ["line 1"]),
        (['{"target": [1, "x"]}'], ["line 1", "not a number"]),
        (['{"target": [1, Infinity]}'], ["line 1", "infinite"]),
        (['{"target": [[1, 2], [1]]}'], ["line 1", "different lengths"]),
        (['{"target": [1]}', '{"target": [[1], [2]]}'], ["line 2", "2 channels"]),
        (['{"target": [1], "item_id": "a"}', '{"target": [1]}'], ["line 2", "'item_id'"]),
        (['{"target": [1], "item_id": "a"}', '{"target": [1], "item_id": "a"}'], ["repeat"]),
        (['{"target": [1], "start": "soon", "freq": "D"}'], ["line 1", "'soon'"]),
        (['{"target": [1], "start": "2024-01-01", "freq": "D"}', '{"target": [1], "start": "2024-13-01", "freq": "D"}'],
         ["line 2", "2024-13-01"]),
        (['{"target": [1, 2], "times": [1]}'], ["line 1", "1 times for 2"]),
        (['{"target": [1], "feat_static_cat": [1]}', '{"target": [1], "feat_static_cat": [1, 2]}'],
         ["feat_static_cat"]),
        ([" "], ["empty"]),
        (['{"target": [1], "feat_static_cat": [1]}', '{"target": [1], "feat_static_cat": 1}'], ["feat_static_cat"]),
        (['{"target": [1], "channels": 5}'], ["line 1", "'channels'"]),
        (['{"target": [1], "times": 5}'], ["line 1", "'times'"]),
        (['{"target": [1, 2], "times": [1, "a"]}'], ["line 1", "'times'"]),
        (['{"target": [1], "times": [1]}', '{"target": [1], "times": ["2024-01-01"]}'], ["numbers", "texts"]),
        (['{"target": [1], "start": ["2024"], "freq": "D"}'], ["line 1", "'start'"]),
        (['{"target": [1], "start": "2024-01-01", "freq": 5}'], ["line 1", "'freq'"]),
        (['{"target": [1, 2], "start": "2024-01-01", "freq": "-1D"}'], ["forward"]),
        (['{"target": [1, 2], "start": "2024-01-01", "freq": "0D"}'], ["forward"]),
        (['{"target": [1, 2, 3], "start": "2261-01-01", "freq": "YS"}'], ["beyond the year 2262"]),
        (['{"target": [1' + "0" * 400 + "]}"], ["line 1", "not a number"]),
        (['{"target": [1' + "0" * 5000 + "]}"], ["line 1", "too long"]),
        (['{"target": ' + "[" * 100_000 + "]" * 100_000 + "}"], ["line 1", "too deep"]),
    ],
)  # fmt: skip
def test_json_lines(tmp_path, lines, words):
    text = refusal(tmp_path, "\n".join(lines), "a.jsonl")
    for word in words:
        assert word in text


def test_json_lines_frequency_keys_and_encoding(tmp_path):
    bad = {"target": [1], "start": "2024-01-01", "freq": "fortnightly"}
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(bad))
    with pytest.raises(InputError, match="unknown frequency"):
        files.read(path)
    assert "no key 'who'" in refusal(tmp_path, '{"target": [1]}', "b.jsonl", id_column="who")
    assert "encoding=" in refusal(tmp_path, b'{"target": [1], "item_id": "\xfc"}', "c.jsonl")
    assert "encoding" in refusal(tmp_path, gzip.compress(b'{"target": [1]}' * 99)[:30], "d.jsonl.gz")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("@problemName a\n@classLabel false\n1,2,3\n@data\n", ["line 3", "'1,2,3'"]),
        ("@problemName a\n@classLabel false\n", ["no @data"]),
        ("@problemName a\n@classLabel false\n@data\n", ["no series"]),
        ("@classLabel false\n@data\n1,2\n\n3,4\n", ["line 4", "empty line"]),
        ("@timestamps true\n@classLabel false\n@data\n(0,1),(1,2)\n", ["line 1", "time stamps"]),
        ("@classLabel false\n@univariate false\n@data\n1,2:3,4\n1,2\n", ["line 5", "dimensions"]),
        ("@classLabel false\n@data\n1,2\n3,4,5\n", ["line 4", "number of observations"]),
        ("@classLabel false\n@data\n1,x\n", ["'x'"]),
        ("@missing maybe so\n@classLabel false\n@data\n1,2\n", ["boolean"]),
        ("@classLabel false\n@data\n1,inf\n", ["line 3", "infinite"]),
        (b"@classLabel false\n@data\n\xfc\n", ["encoding="]),
    ],
)  # fmt: skip
def test_ts(tmp_path, content, words):
    pytest.importorskip("aeon")
    text = refusal(tmp_path, content, "a.ts")
    for word in words:
        assert word in text


def test_ts_without_aeon(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "aeon.datasets", None)
    path = tmp_path / "a.ts"
    path.write_text("@classLabel false\n@data\n1,2\n")
    with pytest.raises(MissingExtraError, match=r"tsprout\[ts\]"):
        files.read(path)


_SCALAR = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.floats(), st.sampled_from(["a", "D", "2024-01-01"])
)
_JSON = st.recursive(_SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("k"), inner))
_KEYS = ("start", "freq", "target", "times", "channels", "item_id", "label", "feat_static_cat", "feat_static_real", "x")
_GOOD = {"start": st.just("2024-01-01"), "freq": st.just("D"), "target": st.just([1, 2]), "times": st.just([1, 2])}
_ROW = st.fixed_dictionaries({}, optional={key: st.one_of(_GOOD.get(key, _JSON), _JSON) for key in _KEYS})


@settings(max_examples=300, deadline=None)
@given(rows=st.lists(_ROW, min_size=1, max_size=3))
def test_whatever_json_lines_hold_is_read_or_refused_in_words(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "a.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    with contextlib.suppress(TsproutError):
        assert len(files.read(path)) == len(rows)


def test_arrays_that_lie(tmp_path):
    import io

    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**7, 10**6)})
    path = tmp_path / "huge.npy"
    path.write_bytes(header.getvalue() + bytes(64))
    with pytest.raises(InputError, match="not a complete numpy file"):
        files.read(path, axes="nl")
    values = np.random.default_rng(0).normal(size=(3, 1, 8))
    for more, words in (
        ({"channels": np.array("x")}, "channels has 0 axes"),
        ({"lengths": np.array([8, 7.5, 8])}, "lengths are float64"),
        ({"lengths": np.array(8)}, "lengths has 0 axes"),
        ({"labels": np.arange(3), "labels__missing": np.zeros(2, bool)}, "does not say what is missing"),
        ({"labels__missing": np.zeros(3, bool)}, "does not say what is missing"),
    ):
        np.savez(tmp_path / "x.npz", values=values, **more)
        with pytest.raises(InputError, match=words):
            files.read(tmp_path / "x.npz")


def test_the_hour_that_is_there_twice(tmp_path):
    import pandas as pd

    hours = pd.date_range("2023-10-28", periods=72, freq="h", tz="Europe/Berlin").tz_localize(None)
    frame = pd.DataFrame({"time": hours, "load": np.arange(72.0)})
    frame.to_csv(tmp_path / "load.csv", index=False)
    with pytest.raises(InputError, match="rows have the same time") as caught:
        files.read(tmp_path / "load.csv")
    assert str(caught.value.fix).startswith("If the clock was put back then, write times in UTC")
    frame.loc[5, "time"] = frame.loc[4, "time"]
    frame.to_csv(tmp_path / "load.csv", index=False)
    with pytest.raises(InputError) as caught:
        files.read(tmp_path / "load.csv")
    assert "clock" not in str(caught.value.fix)
