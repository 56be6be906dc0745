"""Writers: whole files or none, streams, the look of what came in."""

from __future__ import annotations

import errno
import gzip
import tracemalloc
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from tsprout.data import files
from tsprout.errors import InputError, TsproutError
from tsprout.series import SeriesSet

ALL = [".csv", ".csv.gz", ".parquet", ".npz", ".npy", ".ts", ".jsonl", ".jsonl.gz"]


def some(n: int = 4, first: int = 0) -> SeriesSet:
    values = np.random.default_rng(first).normal(size=(n, 2, 6)).round(2)
    hours = np.datetime64("2024-01-01", "ns") + np.arange(6) * np.timedelta64(1, "h")
    return SeriesSet.from_arrays(
        values, channels=["a", "b"], ids=np.arange(first, first + n), times=hours, labels=np.arange(n) % 2
    )


def opened(path, like=None, n=8, **options):
    return files.open_writer(path, like or some(), n_series=n, channels=("a", "b"), length=6, **options)


@pytest.mark.parametrize("extension", ALL)
def test_batches_make_the_same_file_as_one_piece(tmp_path, extension):
    path, whole = tmp_path / f"a{extension}", tmp_path / f"b{extension}"
    parts = [some(3, 0), some(5, 3)]
    with opened(path) as writer:
        for part in parts:
            writer.write(part)
        assert not path.exists()
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    options = {"axes": "ncl"} if extension == ".npy" else {}
    back = files.read(path, **options)
    assert np.array_equal(back.values, np.concatenate([p.values for p in parts]))
    files.write(back, whole)
    assert files.read(whole, **options).equals(back)


@pytest.mark.parametrize("extension", ALL)
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_nothing_is_left_after_an_interruption(tmp_path, extension, error):
    with pytest.raises(error):
        with opened(tmp_path / f"a{extension}") as writer:
            writer.write(some())
            raise error
    assert list(tmp_path.iterdir()) == []


class FullDisk:
    """A file on a disk that is full after so many bytes."""

    def __init__(self, file, room: int) -> None:
        self._file, self.room = file, room

    def write(self, data) -> int:
        self.room -= len(memoryview(data).cast("B")) if len(data) else 0
        if self.room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self._file.write(data)

    def __getattr__(self, name):
        return getattr(self._file, name)


@pytest.mark.parametrize("extension", ALL)
@pytest.mark.parametrize("room", [0, 150])
def test_a_full_disk_is_said_and_nothing_is_left(tmp_path, extension, room):
    with pytest.raises(TsproutError, match="there is no space left on the disk"):
        with opened(tmp_path / f"a{extension}", n=404) as writer:
            writer._file = FullDisk(writer._file, room)
            writer.write(some(4))
            writer.write(some(400, 4))
    assert list(tmp_path.iterdir()) == []


def test_targets_that_cannot_be(tmp_path):
    path = tmp_path / "a.csv"
    files.write(some(), path)
    before = path.read_bytes()
    with pytest.raises(InputError, match="the output exists"):
        files.write(some(5), path)
    assert path.read_bytes() == before
    files.write(some(5), path, force=True)
    assert path.read_bytes() != before
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match="the output is a folder"):
        files.write(some(), tmp_path / "folder.csv", force=True)
    with pytest.raises(InputError, match="does not exist"):
        files.write(some(), tmp_path / "none" / "a.csv")
    with pytest.raises(InputError, match="not supported"):
        files.write(some(), tmp_path / "a.doc")


def test_a_file_that_came_meanwhile_is_not_replaced(tmp_path):
    target = tmp_path / "a.csv"
    with pytest.raises(InputError, match="the output exists"):
        with files.open_writer(target, None, n_series=1, channels=["x"], length=5) as writer:
            writer.write(SeriesSet.from_arrays(np.ones((1, 1, 5)), channels=["x"]))
            target.write_text("years")
    assert target.read_text() == "years"
    assert list(tmp_path.iterdir()) == [target]


def test_what_was_announced_is_held_to(tmp_path):
    path = tmp_path / "a.csv"
    with pytest.raises(TsproutError, match="4 series were written, but 8"):
        with opened(path) as writer:
            writer.write(some())
    with pytest.raises(InputError, match="more series than the 8"):
        with opened(path) as writer:
            writer.write(some(9))
    with pytest.raises(InputError, match="do not match"):
        with opened(path) as writer:
            writer.write(replace(some(), channels=("x", "y")))
    with pytest.raises(InputError, match="length of 12"):
        with opened(path) as writer:
            writer.write(SeriesSet.from_arrays(np.ones((8, 2, 12)), channels=["a", "b"]))
    with pytest.raises(TsproutError, match="not open"):
        opened(path).write(some())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("extension", [".csv", ".parquet", ".npz", ".npy", ".jsonl"])
def test_no_series_at_all_is_a_file_without_any(tmp_path, extension):
    with opened(tmp_path / f"a{extension}", n=0):
        pass
    assert (tmp_path / f"a{extension}").exists()


@pytest.mark.parametrize("extension", [".csv", ".parquet", ".npz", ".npy", ".jsonl", ".ts"])
def test_memory_does_not_grow_with_the_number_of_series(tmp_path, extension):
    batch = some(60)

    def peak(batches: int) -> int:
        with opened(tmp_path / f"{batches}{extension}", n=60 * batches) as writer:
            writer.write(batch)
            tracemalloc.start()
            for _ in range(batches - 1):
                writer.write(batch)
            top = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return top

    assert peak(30) < peak(5) * 1.3 + 60_000


CSV_LOOKS = {
    "iso": "item_id,timestamp,flow,on,count\nx,2024-01-01 00:00:00,1.25,True,3\nx,2024-01-01 01:00:00,2.5,False,4\n",
    "zulu": "unique_id,ds,v\n7,2024-01-01T00:00:00Z,0.1\n7,2024-01-01T01:00:00Z,0.2\n",
    "offset": "id,t,v\na,2024-01-01T00:00:00.250+02:00,0.1\na,2024-01-01T00:00:00.500+02:00,0.2\n",
    "german": "id;date;v\na;31.01.2024;1,5\na;28.02.2024;2,25\n",
    "american": "id,date,v\na,1/31/2024 9:05,1\na,2/28/2024 13:05,2\n",
    "half day": "id,date,v\na,01/31/2024 09:05 AM,1\na,02/28/2024 01:05 PM,2\n",
    "months": "id,date,v\na,2024-01,1\na,2024-02,2\n",
    "compact": "id,date,v\na,20240131,1\na,20240228,2\n",
    "words": "id,date,v\na,31 Jan 2024,1\na,28 Feb 2024,2\n",
    "fixed": "id,step,v\n007,0,1.50\n007,1,2.00\n",
    "pointed": "id,step,v\na,0,1.0\na,1,2.25\n",
    "order": "v,step,class,id,site\n1,0,up,a,n\n2,1,up,a,n\n",
    "floats": "id,t,v\na,0.5,1\na,0.75,2\n",
    "gaps": "id,t,v,n\na,0,NaN,1\na,1,2.5,NaN\n",
    "tabs": "id\tt\tv\na\t0\t1\na\t1\t2\n",
    "rows": ",id,t,v\n0,a,0,1\n1,a,1,2\n",
    "one column": "v\n1.5\nNaN\n2.5\n",
    "calendar": "hour,v\n0,1\n1,2\n",
    "wide": "id,label,0,1,2,3\na,0,1.5,2,3,4\nb,1,5,6,7,\n",
    "wide dates": "id,2024-01,2024-02,2024-03,2024-04\na,1,2,3,4\n",
    "wide steps": "step_1,step_2,step_3,step_4,site\n1,2,3,4,n\n5,6,7,8,m\n",
    "lower bools": "id,t,v\na,0,true\na,1,\na,2,false\n",
    "loud bools": "id,t,v\na,0,TRUE\na,1,FALSE\n",
}  # fmt: skip


@pytest.mark.parametrize("look", CSV_LOOKS)
def test_csv_comes_out_as_it_came_in(tmp_path, look):
    path = tmp_path / ("a.tsv" if look == "tabs" else "a.csv")
    path.write_text(CSV_LOOKS[look])
    series = files.read(path)
    out = tmp_path / f"b{path.suffix}"
    files.write(series, out)
    assert out.read_text() == CSV_LOOKS[look]


def test_other_encodings_come_out_as_they_came_in(tmp_path):
    text = "id,t,größe\nä,0,1\nä,1,2\n"
    for encoding in ("latin-1", "utf-16", "utf-8-sig"):
        (tmp_path / "a.csv").write_bytes(text.encode(encoding))
        series = files.read(tmp_path / "a.csv", encoding=encoding)
        assert series.channels == ("größe",)
        files.write(series, tmp_path / "b.csv", force=True)
        assert (tmp_path / "b.csv").read_bytes() == text.encode(encoding)
    with pytest.raises(InputError, match="'Δ' cannot be written in latin-1"):
        files.write(
            replace(series, ids=np.array(["Δ"], object), schema=series.schema.replace(encoding="latin-1")),
            tmp_path / "c.csv",
        )


def test_no_float32_noise(tmp_path):
    values = np.array([0.1, 1 / 3, 123456.78, 1e-20, 1e20, -0.0, 16777216]).astype(np.float32)
    files.write(SeriesSet.from_array(values), tmp_path / "a.csv")
    cells = [line.split(",")[1] for line in (tmp_path / "a.csv").read_text().splitlines()[1:]]
    assert cells[0] == "0.1"
    assert cells[2] == "123456.78"
    assert cells[5] == "0"
    assert np.array_equal(np.array(cells, np.float32), values)


def test_synthetic_values_have_no_more_decimals_than_the_input(tmp_path):
    (tmp_path / "a.csv").write_text("id,t,v,n\na,0,1.25,3\na,1,2.5,4\n")
    like = files.read(tmp_path / "a.csv")
    new = replace(like, values=np.array([[[0.123456, 7.891]], [[2.2, 1.7]]], np.float32).reshape(1, 2, 2))
    files.write(new, tmp_path / "b.csv")
    assert (tmp_path / "b.csv").read_text() == "id,t,v,n\na,0,0.12,2\na,1,7.89,2\n"


def test_many_series_from_one_recording_get_an_id_column(tmp_path):
    (tmp_path / "a.csv").write_text("date,v\n" + "".join(f"2024-01-{d:02d},{d}\n" for d in range(1, 25)))
    windows = files.read(tmp_path / "a.csv", window=8, stride=4)
    assert windows.n_series == 5
    assert windows.frequency == "D"
    files.write(windows, tmp_path / "b.csv")
    assert (tmp_path / "b.csv").read_text().startswith("id,date,v\n0,2024-01-01,1\n")
    assert files.read(tmp_path / "b.csv").equals(windows)


def test_wide_tables_grow_and_shrink(tmp_path):
    for text, longer in [
        ("id,0,1,2,3\na,1,2,3,4\n", "id,0,1,2,3,4,5"),
        ("id,t01,t02,t03,t04\na,1,2,3,4\n", "id,t01,t02,t03,t04,t05,t06"),
        ("id,2024-01-01,2024-01-02,2024-01-03,2024-01-04\na,1,2,3,4\n", "2024-01-04,2024-01-05,2024-01-06"),
    ]:
        (tmp_path / "a.csv").write_text(text)
        like = files.read(tmp_path / "a.csv")
        six = SeriesSet.from_arrays(
            np.ones((1, 1, 6)), channels=["value"], frequency=like.frequency, schema=like.schema
        )
        files.write(six, tmp_path / "b.csv", force=True)
        assert (tmp_path / "b.csv").read_text().splitlines()[0].endswith(longer)
        assert (tmp_path / "b.csv").read_text().splitlines()[1].count("1") == 6
        three = replace(six, values=six.values[..., :3], observed=six.observed[..., :3])
        files.write(three, tmp_path / "b.csv", force=True)
        assert (tmp_path / "b.csv").read_text().splitlines()[0] == ",".join(text.splitlines()[0].split(",")[:4])
    with pytest.raises(InputError, match="one channel"):
        files.write(some(), tmp_path / "c.csv", format="csv-wide")


def test_parquet_keeps_every_type(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(
        {
            "ds": pa.array([0, 3_600_000, 7_200_000, 10_800_000], pa.timestamp("ms", "Europe/Berlin")),
            "unique_id": pa.array(["a", "a", "b", "b"]).dictionary_encode(),
            "small": pa.array([1, 2, 3, None], pa.int8()),
            "flag": pa.array([True, False, True, True]),
            "f32": pa.array([0.5, 1.5, 2.5, 3.5], pa.float32()),
            "money": pa.array([Decimal(k) / 4 for k in range(4)], pa.decimal128(10, 2)),
            "site": pa.array(["n", "n", "s", "s"], pa.large_string()),
            "label": pa.array([1, 1, 0, 0], pa.int16()),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    series = files.read(tmp_path / "a.parquet")
    assert series.times[0, 1] == np.datetime64("1970-01-01T01:00")
    assert series.channels == ("small", "flag", "f32", "money")
    files.write(series, tmp_path / "b.parquet")
    back = pq.read_table(tmp_path / "b.parquet")
    assert back.schema.equals(table.schema)
    assert back.to_pylist() == table.to_pylist()
    loud = replace(series, values=np.full_like(series.values, 1000), observed=np.ones_like(series.observed))
    files.write(loud, tmp_path / "c.parquet")
    assert pq.read_table(tmp_path / "c.parquet")["small"].to_pylist() == [127] * 4


@pytest.mark.parametrize("kind", ["date32[day]", "time32[s]", "time64[us]", "duration[ms]", "double", "string"])
def test_parquet_times_of_other_types(tmp_path, kind):
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"date32[day]": pa.date32(), "time32[s]": pa.time32("s"), "time64[us]": pa.time64("us")}
    types |= {"duration[ms]": pa.duration("ms"), "double": pa.float64()}
    column = pa.array([1, 2, 3]).cast(pa.int32() if "32" in kind else pa.int64())
    column = pa.array(["2024-01-01", "2024-01-02", "2024-01-03"]) if kind == "string" else column.cast(types[kind])
    table = pa.table({"time": column, "v": [1.0, 2.0, 3.0]})
    pq.write_table(table, tmp_path / "a.parquet")
    files.write(files.read(tmp_path / "a.parquet"), tmp_path / "b.parquet")
    assert pq.read_table(tmp_path / "b.parquet").to_pylist() == table.to_pylist()


def test_what_does_not_fit_its_column_is_refused_but_for_ids(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"id": [1, 1], "label": [3, 3], "t": [1, 2], "v": [1, 2]})
    pq.write_table(table, tmp_path / "a.parquet")
    series = files.read(tmp_path / "a.parquet")
    with pytest.raises(InputError, match="'label' cannot be written as int64"):
        files.write(replace(series, labels=np.array(["new"], object)), tmp_path / "b.parquet")
    files.write(replace(series, ids=np.array(["new"], object)), tmp_path / "b.parquet")
    assert pq.read_table(tmp_path / "b.parquet")["id"].to_pylist() == ["new", "new"]


def test_arrays_keep_axes_dtype_and_keys(tmp_path):
    for axes, shape in [("nlc", (2, 5, 3)), ("nl", (2, 5)), ("lc", (5, 3)), ("l", (5,)), ("cl", (3, 5))]:
        array = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
        np.savez(tmp_path / "a.npz", X=array)
        files.write(files.read(tmp_path / "a.npz", axes=axes), tmp_path / "b.npz", force=True)
        with np.load(tmp_path / "b.npz") as back:
            assert back.files == ["X"]
            assert back["X"].dtype == np.int16
            assert np.array_equal(back["X"], array)
    gap = replace(files.read(tmp_path / "a.npz", axes="cl"), values=np.full((1, 3, 5), np.nan, np.float32))
    with pytest.raises(InputError, match="missing values cannot be written as int16"):
        files.write(gap, tmp_path / "c.npz")


def test_npz_values_are_series_channels_steps_unless_said_otherwise(tmp_path):
    np.savez(tmp_path / "a.npz", values=np.zeros((2, 3, 5)))
    assert files.read(tmp_path / "a.npz").values.shape == (2, 3, 5)
    assert files.read(tmp_path / "a.npz", axes="nlc").values.shape == (2, 5, 3)
    np.savez(tmp_path / "a.npz", X=np.zeros((2, 3, 5)))
    with pytest.raises(InputError, match="which axis is which"):
        files.read(tmp_path / "a.npz")


def test_npz_with_its_own_masks_and_names(tmp_path):
    observed = np.array([[[1, 0, 1]], [[1, 1, 1]]], bool)
    hours = np.datetime64("2024-01-01", "ns") + np.arange(3) * np.timedelta64(1, "h")
    np.savez(
        tmp_path / "a.npz",
        values=np.arange(6).reshape(2, 1, 3),
        observed=observed,
        who=["p", "q"],
        when=np.stack([hours, hours]),
        what=[1, 2],
        age=[30, 40],
        other=["x"],
        axes="ncl",
    )
    series = files.read(
        tmp_path / "a.npz", id_column="who", time_column="when", label_column="what", static_columns=["age"]
    )
    assert series.ids.tolist() == ["p", "q"]
    assert series.frequency == "h"
    assert "other" in series.schema.notices[0]
    files.write(series, tmp_path / "b.npz")
    with np.load(tmp_path / "b.npz") as back:
        assert np.array_equal(back["observed"], observed)
        assert back["values"].tolist() == [[[0, 0, 2]], [[3, 4, 5]]]
        assert back["when"].dtype == "datetime64[ns]"
    with pytest.raises(InputError, match="no times"):
        files.write(replace(series, times=None), tmp_path / "c.npz")


def test_missing_codes(tmp_path):
    (tmp_path / "a.csv").write_text("id,t,v\na,0,-999\na,1,gone\na,2,3\n")
    assert np.isnan(files.read(tmp_path / "a.csv", missing_codes=[-999, "gone"]).values[0, 0, :2]).all()
    series = SeriesSet.from_array(np.array([1.0, -999, 3]))
    for extension in (".npz", ".npy", ".jsonl", ".ts"):
        files.write(series, tmp_path / f"a{extension}")
        options = {"axes": "ncl"} if extension == ".npy" else {}
        for codes in (-999, "-999", ["gone", "-999.0"]):
            back = files.read(tmp_path / f"a{extension}", missing_codes=codes, **options)
            assert np.isnan(back.values[0, 0, 1]), (extension, codes)
    np.save(tmp_path / "b.npy", np.array([1, -999.9, 3], np.float32))
    assert np.isnan(files.read(tmp_path / "b.npy", missing_codes="-999.9").values[0, 0, 1])


GLUONTS = [
    '{"start": "2024-01-01 00:00:00", "target": [1.5, 2.0, null], "item_id": "a", "feat_static_cat": [3], "freq": "H"}',
    '{"start": "2024-01-05 00:00:00", "target": [1.5], "item_id": "b", "feat_static_cat": [5], "freq": "H"}',
]


@pytest.mark.parametrize(
    "lines",
    [
        GLUONTS,
        ['{"target": [1, 2, 3], "start": "2024-01-01", "freq": "M", "label": 3, "place": "n"}'],
        ['{"target": [1, NaN, 3], "start": "2024-01-15", "freq": "Q"}'],
        ['{"target": [[1.5, "NaN"], [3.25, 4.5]], "start": "2024-01-10"}'],
        ['{"target": [1, 2], "start": "2024-01-10", "freq": "W-SUN"}'],
        ['{"target": [1, null], "start": "2024-01-06", "freq": "B"}'],
        ['{"item_id": 4, "times": [1, 3], "target": [1, 2], "channels": ["speed"]}'],
    ],
)
def test_json_lines_come_out_as_they_came_in(tmp_path, lines):
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines) + "\n")
    series = files.read(path)
    if lines is not GLUONTS and '"B"' in lines[0]:
        assert series.times[0, 0] == np.datetime64("2024-01-08")
        return
    files.write(series, tmp_path / "b.jsonl")
    assert (tmp_path / "b.jsonl").read_text() == path.read_text()


def test_json_lines_leave_out_what_is_no_column(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"target": [1, 2], "feat_dynamic_real": [[1, 2]]}\n')
    series = files.read(tmp_path / "a.jsonl")
    assert "feat_dynamic_real" in series.schema.notices[0]
    with pytest.raises(InputError, match="'freq'"):
        files.write(replace(series, static={"freq": np.array([1])}, schema=None), tmp_path / "b.jsonl")


def test_ts_labels_that_cannot_be_written(tmp_path):
    for label in ("two words", "a:b", None):
        series = SeriesSet.from_arrays(np.ones((1, 1, 4)), labels=np.array([label], object))
        with pytest.raises(InputError, match="cannot be written"):
            files.write(series, tmp_path / "a.ts")


@pytest.mark.parametrize("ends", ["", ",", ",,,"])
def test_what_a_delimiter_at_a_lines_end_makes_is_no_column(tmp_path, ends):
    lines = ["id,t,v", "a,1,2", "a,2,3", "b,1,4", "b,2,5"]
    (tmp_path / "in.csv").write_text("".join(f"{line}{ends}\n" for line in lines))
    series = files.read(tmp_path / "in.csv")
    assert (series.channels, len(series)) == (("v",), 2)
    assert sum("without a name or a value" in notice for notice in series.schema.notices) == bool(ends)
    files.write(series, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().splitlines() == lines


@pytest.mark.parametrize("lead", ["\n", "\n\n", "\r\n \t\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_lines_before_the_header_may_be_blank(tmp_path, lead, encoding):
    text = f"{lead}id,t,x\na,1,2\na,2,3\n"
    (tmp_path / "in.csv").write_bytes(text.encode(encoding))
    series = files.read(tmp_path / "in.csv", encoding=encoding)
    assert (series.channels, series.values.tolist()) == (("x",), [[[2, 3]]])
    (tmp_path / "in.csv").write_bytes(text.replace("2,3", "2,oops").encode(encoding))
    with pytest.raises(InputError, match=f"row {3 + len(lead.splitlines())}: 'oops'"):
        files.read(tmp_path / "in.csv", encoding=encoding)


def test_a_form_feed_ends_no_line(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("\x0c\nid,t,v\na,0,1\na,1,2\nb,0,3\nb,1,4\n", newline="")
    assert files.read(path).values.ravel().tolist() == [1, 2, 3, 4]


def test_space_around_ids_and_labels_tells_nothing_apart(tmp_path):
    rows = ["s1,1,up,n ,2", "s1 ,2, up,n,3", " s2,1,up ,m,4", "s2,2,up,m,5"]
    (tmp_path / "in.csv").write_text("\n".join(["id,t,label,site,v", *rows, ""]))
    series = files.read(tmp_path / "in.csv")
    assert (series.ids.tolist(), series.labels.tolist()) == (["s1", "s2"], ["up", "up"])
    assert series.static["site"].tolist() == ["n", "m"]
    (tmp_path / "in.csv").write_text("id,t,v\n ,1,2\n")
    with pytest.raises(InputError, match="the id is missing"):
        files.read(tmp_path / "in.csv")


def test_columns_without_a_name_but_with_values_are_channels(tmp_path):
    (tmp_path / "in.csv").write_text("id,t,v,,\na,1,2,7,8\na,2,3,8,9\n")
    series = files.read(tmp_path / "in.csv")
    assert len(series.channels) == 3
    files.write(series, tmp_path / "out.csv")
    assert files.read(tmp_path / "out.csv").equals(series)


@pytest.mark.parametrize(
    ("lines", "n", "id_column", "time_column"),
    [
        ([",v", "p1,1.5", "p1,2.5", "p2,3.5", "p2,4.5"], 2, "", None),
        ([",v", "2024-01-01,1.5", "2024-01-02,2.5", "2024-01-03,3.5"], 1, None, ""),
        ([",0,1,2,3", "p1,1.5,2.5,3.5,4.5", "p2,1.5,2.5,3.5,5.5"], 2, "", None),
        (["country,year,v", "a,1999,1.5", "a,2000,2.5", "b,1999,3.5", "b,2000,4.5"], 2, "country", "year"),
    ],
)
def test_an_index_without_a_name_and_a_year_are_kept(tmp_path, lines, n, id_column, time_column):
    (tmp_path / "in.csv").write_text("\n".join([*lines, ""]))
    series = files.read(tmp_path / "in.csv")
    assert (len(series), series.n_channels) == (n, 1)
    assert (series.schema.id_column, series.schema.time_column) == (id_column, time_column)
    files.write(series, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().splitlines() == lines


def test_a_label_for_each_series_is_no_label_unless_asked_for(tmp_path):
    rows = [f"{k},{t},L{k},{t + k}" for k in range(5) for t in range(3)]
    (tmp_path / "in.csv").write_text("\n".join(["id,t,label,v", *rows, ""]))
    series = files.read(tmp_path / "in.csv")
    assert series.labels is None
    assert list(series.static["label"]) == [f"L{k}" for k in range(5)]
    assert any("not taken as a label" in notice for notice in series.schema.notices)
    assert list(files.read(tmp_path / "in.csv", label_column="label").labels) == [f"L{k}" for k in range(5)]


def test_notices_say_what_was_done(tmp_path):
    def notices(text: str, **options) -> str:
        (tmp_path / "a.csv").write_text(text)
        return " | ".join(files.read(tmp_path / "a.csv", **options).schema.notices)

    assert "sorted" in notices("id,t,v\na,1,2\na,0,1\nb,0,5\n")
    assert notices("t,id,v\n0,a,1\n0,b,2\n1,a,3\n1,b,4\n") == ""
    assert "one series" in notices("t,v\n0,1\n1,2\n")
    decimals = "subject,v\n1.0,3\n1.0,4\n2.0,5\n2.0,6\n"
    assert "column 'subject' is called like an id" in notices(decimals)
    assert "called like an id" not in notices(decimals, id_column="subject")
    assert "called like an id" not in notices(decimals, channels=["v"])
    with pytest.raises(InputError, match="same time") as caught:
        notices("id,t,v\n1.0,0,3\n1.0,1,4\n2.0,0,5\n2.0,1,6\n")
    assert "id_column='id'" in (caught.value.fix or "")
    assert "left out: 'w'" in notices("id,t,v,w\na,0,1,2\n", channels="v")
    assert "two ways" in notices("id,date,v\na,01/02/2024,1\na,01/03/2024,2\n")
    assert "two ways" in notices("01/02/2024,01/03/2024,01/04/2024,01/05/2024\n1,2,3,4\n", orientation="wide")
    assert "two ways" not in notices("id,date,v\na,01/02/2024,1\na,01/03/2024,2\n", day_first=True)
    (tmp_path / "a.jsonl").write_text('{"start": "03/04/2024", "freq": "D", "target": [1, 2, 3, 4]}\n')
    assert "two ways" in " ".join(files.read(tmp_path / "a.jsonl").schema.notices)
    assert "evenly" in notices("id,date,v\na,2024-01-01,1\na,2024-01-02,2\na,2024-01-09,2\n")
    assert "UTC" in notices("id,date,v\na,2024-01-01T00:00:00+01:00,1\na,2024-07-01T00:00:00+02:00,2\n")
    assert "7 digits" in notices("id,t,v\na,0,123456789\n")
    assert "taken as the series' id" in notices("who,t,v\na,0,1\nb,0,1\n")
    assert "orientation='wide'" in notices("s1,s2,s3,s4\n1,2,3,4\n5,6,7,8\n")


@pytest.mark.parametrize("start", [1_700_000_000_000_000_001, 2**63 - 90])
def test_epoch_nanoseconds_are_whole_numbers_to_the_last_digit(tmp_path, start):
    rows = [f"s{i},{start + i + 10 * t},{i + t / 8}" for i in range(2) for t in range(8)]
    given = "\n".join(["id,time,x", *rows]) + "\n"
    (tmp_path / "a.csv").write_text(given)
    series = files.read(tmp_path / "a.csv")
    assert series.times is not None and series.times.dtype == np.int64
    files.write(series, tmp_path / "b.csv")
    assert (tmp_path / "b.csv").read_text() == given


@pytest.mark.parametrize("extension", [".csv.GZ", ".jsonl.Gz"])
def test_what_is_called_packed_is_packed_and_read_by_what_it_is(tmp_path, extension):
    path = tmp_path / f"a{extension}"
    files.write(some(), path)
    assert path.read_bytes()[:2] == b"\x1f\x8b"
    assert files.read(path).equals(some())
    plain = tmp_path / f"b{extension}"
    plain.write_bytes(gzip.decompress(path.read_bytes()))
    assert files.read(plain).equals(some())
    files.write(some(), tmp_path / f"another name{extension}")
    assert (tmp_path / f"another name{extension}").read_bytes() == path.read_bytes()
