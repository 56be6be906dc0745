"""Readers of downloaded files: every format in the layout of its source, damaged ones, and round trips of real sets."""

from __future__ import annotations

import builtins
import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from tsprout.data.catalog import sets
from tsprout.data.catalog.content import agreement
from tsprout.data.catalog.entry import Entry, Size, Source, bundled
from tsprout.data.catalog.folders import data_folders
from tsprout.data.catalog.formats import FORMATS, read_source
from tsprout.data.catalog.readers.contents import contents
from tsprout.errors import InputError, MissingExtraError

BUNDLED = {entry.name: entry for entry in bundled()}
NAN = np.nan


def made(format: str, size: Size, *urls: str, code: float | None = None, **options: Any) -> Entry:
    source = Source(urls or ("https://example.org/folder/Made.file",), format, options)
    return Entry("Made", "extra", "nature", size, "none", "none", missing_code=code, source=source)


def recording(steps: int, channels: int = 1) -> Size:
    return Size("recording", channels, steps)


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def zipped(path: Path, **members: str | bytes) -> Path:
    """A zip; ``__`` in a name is a folder, and the last ``_`` the dot before the extension."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            stem, _, end = name.replace("__", "/").rpartition("_")
            archive.writestr(f"{stem}.{end}", data)
    return path


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def tarred(path: Path, members: dict[str, bytes], mode: Literal["w", "w:gz"] = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


# --- text tables ------------------------------------------------------------------------------------------------------


def test_csv_keeps_columns_by_name_or_position_in_the_order_asked_for(tmp_path: Path) -> None:
    file = written(tmp_path / "x", "ds,y,temp\n2017-11-29,22.41,23.22\n2017-11-30,18.40,\n")
    by_name = read_source(made("csv", recording(2, 2), columns=["temp", "y"]), [file])
    by_place = read_source(made("csv", recording(2, 2), columns=[2, 1]), [file])
    dropped = read_source(made("csv", recording(2, 2), drop=["ds"]), [file])
    np.testing.assert_array_equal(by_name["series"], np.array([[23.22, 22.41], [NAN, 18.4]], np.float32))
    np.testing.assert_array_equal(by_place["series"], by_name["series"])
    np.testing.assert_array_equal(dropped["series"], by_name["series"][:, ::-1])
    assert by_name["series"].dtype == np.float32
    assert list(by_name["channels"]) == ["temp", "y"]


def test_csv_of_uci_has_semicolons_decimal_commas_codes_and_empty_rows(tmp_path: Path) -> None:
    text = "Date;Time;CO;PT08;;\n10/03/2004;18.00.00;2,6;1360;;\n10/03/2004;19.00.00;-200,0;-200;;\n;;;;;\n;;;;;\n"
    file = zipped(tmp_path / "x", Air_csv=text, Air_xlsx=b"more")
    entry = made(
        "csv", recording(2, 2), code=-200.0, member="Air.csv", sep=";", decimal=",", columns=[2, 3], rows=[0, 2]
    )
    np.testing.assert_array_equal(read_source(entry, [file])["series"], np.array([[2.6, 1360], [NAN, NAN]], np.float32))


def test_csv_with_several_codes_for_missing_values(tmp_path: Path) -> None:
    file = written(tmp_path / "a", "x,y\n1,-99\n-999.0,2\n-8,3\n")
    entry = replace(made("csv", recording(3, 2), "https://a/a.csv", missing=[-99.0, -999]), missing_code=-8)
    got = read_source(entry, [file])["series"]
    np.testing.assert_array_equal(got, np.array([[1, np.nan], [np.nan, 2], [np.nan, 3]], np.float32))


def test_csv_without_a_header_between_blanks_as_in_daisy(tmp_path: Path) -> None:
    file = written(tmp_path / "x", "  2.4795637e+002  4.7780814e-001\n  2.4687129e+002  2.0532842e+000\n")
    got = read_source(made("csv", recording(2, 2), sep="whitespace", header=False), [file])
    np.testing.assert_array_equal(got["series"], np.float32([[247.95637, 0.47780814], [246.87129, 2.0532842]]))
    assert "channels" not in got


def test_csv_in_gzip_newest_first(tmp_path: Path) -> None:
    file = written(tmp_path / "x", gzip.compress(b"Week,gasoline\n02/15/1991,6433\n02/8/1991,6621\n"))
    got = read_source(made("csv", recording(2), columns=[1], reverse=True), [file])
    np.testing.assert_array_equal(got["series"], [[6621], [6433]])


def test_csv_sorted_without_repeated_times_and_with_enough_values(tmp_path: Path) -> None:
    text = (
        "Datetime,AEP,COMED,NI\n2012-01-02,3,4,0\n2012-01-01,1,2,0\n2012-01-01,9,9,0\n2012-01-03,,5,0\n2012-01-04,,,0\n"
    )
    file = written(tmp_path / "x", text)
    entry = made("csv", recording(3, 2), sort_by="Datetime", columns=["AEP", "COMED"], observed=1)
    np.testing.assert_array_equal(read_source(entry, [file])["series"], [[1, 2], [3, 4], [NAN, 5]])


def test_csv_of_several_members_leaves_out_rows_without_a_required_value(tmp_path: Path) -> None:
    members = {f"Load__Task {i}__L{i}-train_csv": f"ZONEID,LOAD,w1\n1,,40\n1,{i},4{i}\n" for i in (1, 2, 11)}
    entry = made("csv", recording(3, 2), member="L{1,2,11}-train.csv", columns=["LOAD", "w1"], required="LOAD")
    got = read_source(entry, [zipped(tmp_path / "x", **members)])
    np.testing.assert_array_equal(got["series"], [[1, 41], [2, 42], [11, 411]])


def test_csv_side_by_side_with_remarks_at_the_end(tmp_path: Path) -> None:
    files = [written(tmp_path / n, f'"Date","T"\n"d",{n}.5\n"e",{n}\n\nDaily, Melbourne, 1981-1990\n\n') for n in "12"]
    entry = made(
        "csv", recording(2, 2), "https://a/max.csv", "https://a/min.csv", columns=[1], rows=[0, 2], join="columns"
    )
    got = read_source(replace(entry, channel_names=("max", "min")), files)
    np.testing.assert_array_equal(got["series"], [[1.5, 2.5], [1, 2]])
    assert list(got["channels"]) == ["max", "min"]


def test_csv_end_to_end_in_segments(tmp_path: Path) -> None:
    files = [written(tmp_path / "a", "1,2\n3,4\n"), written(tmp_path / "b", "5,6\n")]
    entry = made("csv", recording(3, 2), "https://a/machine-1-{1..2}.txt", header=False, join="segments")
    got = read_source(entry, files)
    np.testing.assert_array_equal(got["series"], [[1, 2], [3, 4], [5, 6]])
    assert list(got["segment_lengths"]) == [2, 1]
    assert [r.shape for r in sets.parse(entry, got, files[0]).recordings] == [(2, 2), (2, 1)]


def test_csv_as_a_collection_is_named_after_its_addresses(tmp_path: Path) -> None:
    files = [written(tmp_path / "a", "timestamp,value\nt,1\nt,2\n"), written(tmp_path / "b", "timestamp,value\nt,3\n")]
    entry = made("csv", Size("collection", 1, 3, 2), "https://a/data/real/{x,y}.csv", columns=[1], join="collection")
    got = read_source(entry, files)
    assert list(got["flat"]) == [1, 2, 3]
    assert list(got["lengths"]) == [2, 1]
    assert list(got["names"]) == ["real/x", "real/y"]


def test_csv_of_instances_a_line_and_channels_a_file(tmp_path: Path) -> None:
    files = [written(tmp_path / "a", "1 -0.5 0.25\n12 1 2\n"), written(tmp_path / "b", "1 7 8\n12 9 9\n")]
    size = Size("instances", 2, train=2, length=3)
    entry = made("csv", size, "https://a/{x,y}.txt", sep="whitespace", header=False, join="channels")
    got = read_source(entry, files)["train_X"]
    assert got.shape == (2, 3, 2)
    np.testing.assert_array_equal(got[0], [[1, 1], [-0.5, 7], [0.25, 8]])


def test_csv_in_another_encoding(tmp_path: Path) -> None:
    file = written(tmp_path / "x", "date,SWDR (W/m\u00b2)\n2020,1.5\n".encode("latin-1"))
    got = read_source(made("csv", recording(1), drop=[0], encoding="latin-1"), [file])
    assert got["series"][0, 0] == 1.5
    with pytest.raises(InputError, match="not the table"):
        read_source(made("csv", recording(1), drop=[0]), [file])


def test_xlsx_skips_the_row_of_units(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (("Elapsed time", "ECG1", "ECG2"), ("hh:mm:ss", "mV", "mV"), ("0:00", -0.02, -0.16), ("0:01", -0.01, 2)):
        book.active.append(row)
    book.save(tmp_path / "x.xlsx")
    got = read_source(made("xlsx", recording(2, 2), rows=[1], columns=[1, 2]), [tmp_path / "x.xlsx"])
    np.testing.assert_array_equal(got["series"], np.float32([[-0.02, -0.16], [-0.01, 2]]))
    with pytest.raises(InputError, match="workbook"):
        read_source(made("xlsx", recording(2, 2)), [written(tmp_path / "y", "<html>")])


# --- formats of time series -------------------------------------------------------------------------------------------

TS = """#A remark
@problemName Made
@timeStamps false
@missing true
@univariate false
@dimensions 2
@equalLength false
@classLabel true Up down
@data
"""


def test_ts_pads_to_the_longest_of_the_set_or_of_the_split(tmp_path: Path) -> None:
    pytest.importorskip("aeon")
    train, test = TS + "1,2:3,?:Up\n4,5,6:7,8,9:down\n", TS + "1,2,3,4:5,6,7,8:Up\n"
    file = zipped(tmp_path / "x", Made__Made_TRAIN_ts=train, Made__Made_TEST_ts=test, Made__Made_eq_TRAIN_ts="other")
    size = Size("instances", 2, train=2, test=1, length=4)
    got = read_source(made("ts", size, "https://a/Made.zip"), [file])
    assert got["train_X"].shape == (2, 4, 2)
    np.testing.assert_array_equal(got["train_X"][0], [[1, 3], [2, NAN], [NAN, NAN], [NAN, NAN]])
    assert list(got["train_y"]) == ["Up", "down"]
    assert got["train_y"].dtype.kind == "U"
    split = read_source(made("ts", size, "https://a/Made.zip", pad="split"), [file])
    assert split["train_X"].shape == (2, 3, 2)
    wide = read_source(made("ts", replace(size, length=7), "https://a/Made.zip"), [file])
    assert [wide[key].shape[1] for key in ("train_X", "test_X")] == [7, 7]
    files = [written(tmp_path / "a", train), written(tmp_path / "b", test)]
    two = read_source(made("ts", size, "https://a/Made_{TRAIN,TEST}.ts"), files)
    np.testing.assert_array_equal(two["train_X"], got["train_X"])


def test_ts_without_its_extra_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **more: Any) -> Any:
        if name.split(".")[0] in ("aeon", "rdata", "openpyxl"):
            raise ImportError(name)
        return real(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    file = zipped(tmp_path / "x", Made_TRAIN_ts=TS + "1:2:Up\n", Made_TEST_ts=TS + "1:2:Up\n")
    with pytest.raises(MissingExtraError, match=r"tsprout\[ts\]"):
        read_source(made("ts", Size("instances", 2), "https://a/Made.zip"), [file])
    with pytest.raises(MissingExtraError, match=r"tsprout\[rda\]"):
        read_source(made("rda", recording(1)), [written(tmp_path / "y", "anything")])


def test_ts_of_equal_lengths_must_have_the_length_of_the_catalogue(tmp_path: Path) -> None:
    pytest.importorskip("aeon")
    text = TS.replace("equalLength false", "equalLength true\n@seriesLength 3") + "1,2,3:4,5,6:Up\n"
    file = zipped(tmp_path / "x", Made_TRAIN_ts=text, Made_TEST_ts=text)
    for length in (3, 4):
        entry = made("ts", Size("instances", 2, train=1, test=1, length=length), "https://a/Made.zip")
        if length == 3:
            assert read_source(entry, [file])["train_X"].shape == (1, 3, 2)
        else:
            with pytest.raises(InputError, match=r"1 \+ 1 series of 3 x 2, not 1 \+ 1 series of 4 x 2"):
                read_source(entry, [file])


TSF = """# Dataset Information
@relation Made
@attribute series_name string
@attribute start_timestamp date
@frequency daily
@missing true
@equallength false
@data
T1:1915-01-01 00-00-00:11.5,?,10.8
T2:1915-01-01 00-00-00:1,2
"""


def test_tsf_is_a_collection_or_a_single_recording(tmp_path: Path) -> None:
    got = read_source(made("tsf", Size("collection", 1, 5, 2)), [zipped(tmp_path / "x", made_tsf=TSF)])
    np.testing.assert_array_equal(got["flat"], np.float32([11.5, NAN, 10.8, 1, 2]))
    assert list(got["names"]) == ["T1", "T2"]
    one = written(tmp_path / "y", TSF.rpartition("T2")[0])
    assert read_source(made("tsf", recording(3)), [one])["series"].shape == (3, 1)
    with pytest.raises(InputError, match="2 series, not one"):
        read_source(made("tsf", recording(5)), [written(tmp_path / "z", TSF)])


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("@attribute a string\n", "no @data"),
        ("@attribute a string\n@data\n", "no series"),
        ("@attribute a string\n@data\n1,2\n", "0 attributes, the header has 1"),
        ("@attribute a string\n@data\na:1,x\n", "not a number"),
    ],
)
def test_tsf_that_is_damaged(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(InputError, match=what):
        read_source(made("tsf", recording(1)), [written(tmp_path / "x", text)])


# --- numpy ------------------------------------------------------------------------------------------------------------


def test_npy_of_a_tar_in_the_order_of_the_recipe(tmp_path: Path) -> None:
    one, two = np.ones((2, 3)), np.full((1, 3), 2.0)
    file = tarred(tmp_path / "x", {"SMAP/train/B-1.npy": npy(one), "SMAP/train/A-1.npy": npy(two), "SMAP/a.csv": b"?"})
    got = read_source(made("npy", recording(3, 3), member="*train/{A-1,B-1}.npy", join="segments"), [file])
    np.testing.assert_array_equal(got["series"], np.concatenate([two, one]))
    assert list(got["segment_lengths"]) == [1, 2]


def test_npy_of_one_axis_and_npz_as_it_is(tmp_path: Path) -> None:
    got = read_source(made("npy", recording(4)), [written(tmp_path / "x", npy(np.arange(4)))])
    assert got["series"].shape == (4, 1)
    np.savez(tmp_path / "y.npz", series=np.ones((5, 2)), strange=np.ones(3))
    assert set(read_source(made("npz", recording(5, 2)), [tmp_path / "y.npz"])) == {"series"}


def test_pickles_are_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    np.save(out, np.array([1.5, 2.5], object), allow_pickle=True)
    with pytest.raises(InputError, match="not an array of numbers"):
        read_source(made("npy", recording(1)), [written(tmp_path / "x", out.getvalue())])
    np.savez(tmp_path / "y.npz", series=np.array([{"a": 1}], object))
    with pytest.raises(InputError, match="damaged"):
        read_source(made("npz", recording(1)), [tmp_path / "y.npz"])


# --- R ----------------------------------------------------------------------------------------------------------------


def r_file(path: Path, **objects: Any) -> Path:
    pytest.importorskip("rdata").write_rda(path, objects)
    return path


def factor(values: Sequence[str]) -> Any:
    """As R has it; the writer knows categories of Python's text only."""
    import pandas as pd

    return pd.Categorical(values, categories=pd.Index(sorted(set(map(str, values))), dtype=object))


def test_rda_frames_become_recordings_or_collections(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(
        {
            "Month": [2.0, 1.0, 1.0, 2.0],
            "Animal": factor(["Sheep", "Sheep", "Pigs", "Pigs"]),
            "State": factor(["A", "A", "B", "B"]),
            "Count": [4.0, 3.0, 1.0, NAN],
        }
    )
    file = r_file(tmp_path / "x.rda", animals=frame)
    entry = made("rda", Size("collection", 1, 4, 2), value="Count", keys=["Animal", "State"], order="Month")
    got = read_source(entry, [file])
    np.testing.assert_array_equal(got["flat"], [1, NAN, 3, 4])
    assert list(got["names"]) == ["Pigs|B", "Sheep|A"]
    series = read_source(made("rda", recording(4, 2), columns=["Count", "Month"]), [file])
    np.testing.assert_array_equal(series["series"], [[4, 2], [3, 1], [1, 1], [NAN, 2]])
    with pytest.raises(InputError, match=r"Columns there: Month, Animal, State, Count"):
        read_source(made("rda", recording(4), columns=["Demand"]), [file])
    with pytest.raises(InputError, match="There are: animals"):
        read_source(made("rda", recording(4), object="plants"), [file])
    with pytest.raises(InputError, match="not a vector of numbers"):
        read_source(made("rda", recording(4), columns=["State"]), [file])


def test_rda_numbers_may_be_whole_and_missing(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"Count": pd.array([4, None, 1], dtype="Int32"), "Day": pd.array([1, 2, 3], dtype="Int32")})
    file = r_file(tmp_path / "x.rda", days=frame)
    got = read_source(made("rda", recording(3), columns=["Count"], order="Day"), [file])
    np.testing.assert_array_equal(got["series"], [[4], [NAN], [1]])


def test_rda_lists_of_series_with_history_and_future(tmp_path: Path) -> None:
    series = {
        "N0001": {"x": np.array([1.0, 2.0]), "xx": np.array([3.0]), "period": "YEARLY", "type": "MICRO"},
        "N0002": np.array([4, 5]),
    }
    got = read_source(made("rda", Size("collection", 1, 5, 2)), [r_file(tmp_path / "x.rda", M3=series)])
    assert list(got["flat"]) == [1, 2, 3, 4, 5]
    assert list(got["names"]) == ["N0001|YEARLY|MICRO", "N0002"]
    with pytest.raises(InputError, match="it has no x"):
        read_source(made("rda", recording(1)), [r_file(tmp_path / "y.rda", M3={"N": {"y": np.ones(2)}})])


# --- what can go wrong ------------------------------------------------------------------------------------------------


def cut(make: Callable[[Path], Path]) -> Callable[[Path], Path]:
    def damaged(path: Path) -> Path:
        return written(path, make(path).read_bytes()[:-30])

    return damaged


TEXT = "".join(f"{i},{i * i}\n" for i in range(300))


@pytest.mark.parametrize(
    ("format", "options", "make", "what"),
    [
        ("csv", {"member": "a.csv"}, cut(lambda p: zipped(p, a_csv=TEXT)), "zip archive is damaged"),
        ("csv", {}, cut(lambda p: written(p, gzip.compress(TEXT.encode()))), "compressed file is damaged"),
        ("npy", {"member": "a.npy"}, cut(lambda p: tarred(p, {"a.npy": npy(np.ones(3))})), "damaged"),
        ("csv", {"member": "b.csv"}, lambda p: zipped(p, a_csv=TEXT), r"no member 'b.csv'\nIt has: a.csv"),
        ("csv", {}, lambda p: zipped(p, a_csv=TEXT, c_csv=TEXT), "holds 2 files"),
        ("csv", {"member": "a.csv"}, lambda p: written(p, "<html>Not found</html>"), "neither a zip nor a tar"),
        ("csv", {}, lambda p: written(p, b""), "the file is empty"),
        ("csv", {"columns": ["y"]}, lambda p: written(p, "ds,z\n1,2\n"), r"no column 'y'\nColumns there: ds, z\."),
        ("csv", {"columns": [5]}, lambda p: written(p, "ds,z\n1,2\n"), "no column 5"),
        ("csv", {}, lambda p: written(p, "y\n1\n2\nn.n.\n"), "column 'y', data row 3: 'n.n.' is not a number"),
        ("csv", {}, lambda p: written(p, "y\n1\n2,3,4\n5,6\n"), "not the table"),
        ("csv", {"encoding": "klingon"}, lambda p: written(p, "y\n1\n"), "klingon"),
        ("csv", {"seperator": ";"}, lambda p: written(p, "y\n1\n"), r"unknown option: seperator\n.*sep"),
        ("csv", {"join": "knit"}, lambda p: written(p, "y\n1\n"), "'knit' is not known"),
        ("csv", {}, lambda p: written(p, "y\n1\n2\n"), "has changed: it has 2 steps x 1, not 1 steps x 1"),
        ("npy", {}, lambda p: written(p, npy(np.ones((2, 2, 2)))), "3 axes"),
        ("npz", {}, lambda p: written(p, "no"), "damaged"),
        ("rda", {}, lambda p: written(p, "no"), "R file cannot be read"),
        ("ts", {}, lambda p: zipped(p, Made_TRAIN_ts="1,2\n", Made_TEST_ts="1,2\n"), "neither a header line"),
        ("parquet", {}, lambda p: written(p, "no"), "'parquet' is not known"),
        ("", {}, lambda p: written(p, "no"), "no files to read"),
    ],
)
def test_what_can_go_wrong_is_said(
    tmp_path: Path, format: str, options: dict[str, Any], make: Callable[[Path], Path], what: str
) -> None:
    if format == "rda":
        pytest.importorskip("rdata")
    if format == "ts":
        pytest.importorskip("aeon")
    entry = made(format, recording(1), "https://a/Made.zip", **options)
    with pytest.raises(InputError, match=what) as caught:
        read_source(entry, [make(tmp_path / "file")])
    assert caught.value.exit_code == 2
    assert caught.value.where
    assert caught.value.fix


def test_files_that_do_not_fit_together(tmp_path: Path) -> None:
    files = [written(tmp_path / "a", "1,2\n3,4\n"), written(tmp_path / "b", "5\n")]
    for join in ("rows", "columns", "channels"):
        entry = made("csv", recording(3, 2), "https://a/{x,y}.txt", header=False, join=join)
        with pytest.raises(InputError, match=r"a/y has 1 rows of 1, a/x has 2 rows of 2"):
            read_source(entry, files)
    with pytest.raises(InputError, match="1 files for 2 addresses"):
        read_source(entry, files[:1])


def test_what_unfolds_to_too_much_is_refused_before_it_is_held(tmp_path: Path) -> None:
    bomb = b"0" * 1_000_000
    for path in (
        zipped(tmp_path / "a", a_csv=bomb),
        tarred(tmp_path / "b", {"a.csv": bomb}),
        tarred(tmp_path / "d", {"a.csv": bomb}, "w"),
        written(tmp_path / "c", gzip.compress(bomb)),
    ):
        with pytest.raises(InputError, match=r"at most 10\.0 kB"):
            contents(path, most=10_000)


def test_a_member_cannot_leave_the_archive(tmp_path: Path) -> None:
    file = tmp_path / "x.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("../../outside.csv", "y\n1\n")
        archive.writestr("__MACOSX/._outside.csv", "?")
    assert contents(file)[0].data == b"y\n1\n"
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"]


# --- rows of the sources, as they were seen, and the real sets --------------------------------------------------------

# Lines of the sources' files (or of another public copy of the same file), and the step of the set they are.
SEEN = {
    "AirQuality": (
        "Date;Time;CO(GT);PT08.S1(CO);NMHC(GT);C6H6(GT);PT08.S2(NMHC);NOx(GT);PT08.S3(NOx);NO2(GT);PT08.S4(NO2);"
        "PT08.S5(O3);T;RH;AH;;\n04/04/2005;13.00.00;2,1;1003;-200;9,5;961;235;702;156;1041;770;28,3;13,5;0,5139;;\n"
        "04/04/2005;14.00.00;2,2;1071;-200;11,9;1047;265;654;168;1129;816;28,5;13,1;0,5028;;\n",
        -2,
    ),
    "ETTh1": (
        "date,HUFL,HULL,MUFL,MULL,LUFL,LULL,OT\n2016-07-01 00:00:00,5.827,2.009,1.599,0.462,4.203,1.340,30.531\n"
        "2016-07-01 01:00:00,5.693,2.076,1.492,0.426,4.142,1.371,27.787\n",
        0,
    ),
    "ILI": (
        "date,% WEIGHTED ILI,%UNWEIGHTED ILI,AGE 0-4,AGE 5-24,ILITOTAL,NUM. OF PROVIDERS,OT\n"
        "2020-06-30 00:00:00,0.963716,1.01376,3955,3843,15307,3027,1509928\n",
        -1,
    ),
    "Weather": (
        "date," + ",".join("abcdefghijklmnopqrstu") + "\n2020-01-21 19:50:00,1011.77,-0.71,271.54,-3.58,80.8,5.8,4.69,"
        "1.11,2.89,4.63,1291.4,0.32,0.76,142.9,0.0,0.0,0.0,0.0,0.0,11.85,437.8\n",
        20 * 144 + 118,
    ),
    "PSM": (
        "timestamp_(min)," + ",".join(f"feature_{i}" for i in range(25)) + "\n398,0.76472031,0.768129075,0.630662229,"
        "0.489880913,0.611610006,0.541943653,0.619318182,0.553247734,0.619256163,0.611993012,0.628398333,0.667624819,"
        "0.163665416,0.147875542,0.218842957,0.341695468,0.619399801,0.665246271,0.635138029,0.667076167,0.003372681,"
        "0.056939502,0.491799729,0.013071895,0.165898618\n",
        398,
    ),
    "Stocks": ("Open,High,Low,Close,Adj_Close,Volume\n1196,1202.290039,1193.079956,1197.25,1197.25,865500", -1),
    "BikeSharing": (
        "instant,dteday,season,yr,mnth,hr,holiday,weekday,workingday,weathersit,temp,atemp,hum,windspeed,casual,"
        "registered,cnt\n17378,2012-12-31,1,1,12,22,0,1,1,1,0.26,0.2727,0.56,0.1343,13,48,61\n"
        "17379,2012-12-31,1,1,12,23,0,1,1,1,0.26,0.2727,0.65,0.1343,12,37,49\n",
        -2,
    ),
    "AustralianTourism": (
        "," + ",".join(f"c{i}" for i in range(96)) + "\n35,69544,31845,22758,10784,4157,9252,5288,9909,2162,3536,887,"
        "811,"
        "8079,4458,5695,1619,2178,331,398,3159,1888,2910,678,1477,281,391,1014,525,1267,332,750,104,165,1519,7733,1818,"
        "3470,4176,5733,551,1611,1228,2308,236,651,451,360,2501,5578,2055,2403,2223,3472,851,768,1241,937,133,198,160,"
        "238,1342,1817,1077,811,1313,1597,363,315,539,938,160,121,181,210,419,595,200,325,836,431,165,167,331,419,67,37,"
        "27,138,21504,12159,19781,4791,7941,1603,1765\n",
        -1,
    ),
    "GasRateCO2": ("GasRate(ft3/min),CO2%\n-0.182,57.3\n-0.262,57.0\n", -2),
    "IceCreamHeater": ("Month,heater,ice cream\n2004-01,27,13\n2004-02,18,15\n2004-03,14,16\n", 0),
    "NYCTaxi": ("time,#Passengers\n2015-01-31 23:00:00,26591\n2015-01-31 23:30:00,26288\n", -2),
    "TaylorLoad": ("Y\n25996\n24610\n23132\n", -3),
    "HeartRateMIT": ("Heart rate\n99.5679\n99.1835\n98.8567\n", -3),
    "USGasoline": ("Week,gasoline\n02/22/1991,6582\n02/15/1991,6433\n02/8/1991,6621\n", 0),
    "DK_carbon_2024": (
        "Datetime (UTC),Country,Zone name,Zone id,CI direct,CI LCA,Low carbon,Renewable,Source,Estimated,Method\n"
        "2024/12/31 23:00,Denmark,Denmark,DK,16.47,39.47,96.95,93.98,entsoe.eu,FALSE,\n",
        -1,
    ),
    "SteamGen": ("  2.4687129e+002  2.0532842e+000 -1.2401930e+000  7.7678673e+000\n", -1),
    "ElecDemandVictoria": ("ds,y\n2014-12-31 23:00:00,4.1359\n2014-12-31 23:30:00,4.2170\n", -2),
    "ERCOT_DAM_price": ("ds,y,x\n2017-11-29 23:00:00,19.64,21.50\n2017-11-30 00:00:00,18.40,18.29\n", -2),
    "RTE_Load": ("ds,y\n2018-12-31 22:00:00,59901\n2018-12-31 23:00:00,63977\n", -2),
    "SF_PV": ("ds,y\n2015-12-31 23:00:00,0\n2016-01-01 00:00:00,0\n", -2),
    "WikiPeytonManning": ("ds,y\n2016-01-18,10.3338\n2016-01-19,9.1259\n2016-01-20,8.8914\n", -3),
    "YosemiteTemps": ("ds,y\n2017-07-04 23:55:00,42.1\n2017-07-05 00:00:00,41.4\n", -2),
    "SeattleTrail": (
        "Date,Total,a,b,c,d\n2019-12-31T18:00:00.000,14,4,6,0,4\n2019-12-31T19:00:00.000,6,2,1,1,2\n"
        "2019-12-31T20:00:00.000,2,0,0,0,2\n2019-12-31T21:00:00.000,3,1,2,0,0\n2019-12-31T22:00:00.000,1,0,0,0,1\n"
        "2019-12-31T23:00:00.000,2,1,0,1,0\n",
        -6,
    ),
    "Stock_AAPL": (
        "Date,Open,High,Low,Close,Adj Close,Volume\n"
        "2018-12-31,158.529999,159.360001,156.479996,157.740005,157.066376,35003500\n",
        -1,
    ),
    "Stock_AMZN": (
        "Date,Open,High,Low,Close,Adj Close,Volume\n"
        "2018-12-31,1510.800049,1520.760010,1487.000000,1501.969971,1501.969971,6954500\n",
        -1,
    ),
    "Stock_FB": (
        "Date,Open,High,Low,Close,Adj Close,Volume\n"
        "2018-12-31,134.449997,134.639999,129.949997,131.089996,131.089996,24625300\n",
        -1,
    ),
    "SunspotsDaily": ("date,a,b,c\n2023/2/27 0:00,127,17,32\n2023/2/28 0:00,92,11.9,34\n", -2),
    "SunspotsMonthly": ('"Month","Sunspots"\n"1983-11",33.3\n"1983-12",33.4\n', -2),
    "WTH_US_climate": (
        "date," + ",".join("abcdefghijkl") + "\n12/31/2013 23:00,10,30,-1,29,28,-2,92,5,110,21.52,30.18,-1.5\n",
        -1,
    ),
}


def pack(name: str) -> dict[str, np.ndarray]:
    """The set's arrays as they lie in a data folder; skips where it is in none."""
    path = sets.find(BUNDLED[name], data_folders())
    if path is None:
        pytest.skip(f"no real data: {name}.npz is in none of the data folders (TSPROUT_DATA)")
    return sets.read_arrays(path)


@pytest.mark.data
@pytest.mark.parametrize("name", SEEN)
def test_rows_of_the_source_are_rows_of_the_set(tmp_path: Path, name: str) -> None:
    entry, (text, start) = BUNDLED[name], SEEN[name]
    assert entry.source.checked
    real = pack(name)["series"]
    options = {k: v for k, v in entry.source.options.items() if k not in ("member", "rows")}
    source = replace(entry.source, urls=("https://a/b.csv",), options=options)
    lone = replace(entry, source=source)
    rows = FORMATS["csv"]([written(tmp_path / "x", text)], options, lone)["series"]
    start %= len(real)
    np.testing.assert_allclose(rows, real[start : start + len(rows)], rtol=1e-6)


def text_of(values: np.ndarray, sep: str = ",", missing: str = "", decimal: str = ".") -> list[str]:
    """A line a row, with as many digits as float32 needs."""
    lines = []
    for row in np.atleast_2d(values).astype(np.float32):
        cells = [missing if v != v else str(v).replace(".", decimal) for v in row]
        lines.append(sep.join(cells))
    return lines


def dated(values: np.ndarray, header: str = "", **more: str) -> str:
    width = values.shape[1]
    lines = [header or ",".join(["date", *(f"c{i}" for i in range(width))])]
    return "\n".join([*lines, *(f"2016-07-01 00:00:00,{line}" for line in text_of(values, **more))]) + "\n"


def as_air_quality(folder: Path, real: dict[str, np.ndarray]) -> Sequence[Path]:
    head = "Date;Time;CO(GT);PT08.S1(CO);NMHC(GT);C6H6(GT);PT08.S2(NMHC);NOx(GT);PT08.S3(NOx);NO2(GT);PT08.S4(NO2);"
    lines = text_of(real["series"], ";", "-200,0", ",")
    text = [head + "PT08.S5(O3);T;RH;AH;;", *(f"10/03/2004;18.00.00;{line};;" for line in lines), *[";" * 16] * 114]
    return [zipped(folder / "x", AirQualityUCI_csv="\r\n".join(text), AirQualityUCI_xlsx=b"")]


def as_melbourne(folder: Path, real: dict[str, np.ndarray]) -> Sequence[Path]:
    foot = "\nDaily maximum temperatures in Melbourne, Australia, 1981-1990\n\n"
    text = [dated(real["series"][:, i : i + 1], '"Date","Temperature"') + foot for i in (0, 1)]
    return [written(folder / "max", text[0]), written(folder / "min", text[1])]


def as_saugeen(folder: Path, real: dict[str, np.ndarray]) -> Sequence[Path]:
    head = (
        "# x\n@relation Saugeen\n@attribute series_name string\n@attribute start_timestamp date\n@horizon 30\n@data\n"
    )
    line = "T1:1915-01-01 00-00-00:" + ",".join(text_of(real["series"].T)[0].split(","))
    return [zipped(folder / "x", saugeenday_dataset_tsf=f"{head}{line}\n")]


def as_weather(folder: Path, real: dict[str, np.ndarray]) -> Sequence[Path]:
    text = dated(real["series"], "date," + ",".join(f"SWDR (W/m\u00b2) {i}" for i in range(21)), missing="-9999.0")
    return [zipped(folder / "x", weather__weather_csv=text.encode("latin-1"))]


def as_exchange(folder: Path, real: dict[str, np.ndarray]) -> Sequence[Path]:
    return [written(folder / "x", gzip.compress("\n".join(text_of(real["series"])).encode()))]


def as_gasoline(folder: Path, real: dict[str, np.ndarray]) -> Sequence[Path]:
    return [written(folder / "x", dated(real["series"][::-1], "Week,gasoline"))]


def as_nab(folder: Path, real: dict[str, np.ndarray]) -> Sequence[Path]:
    cuts = np.split(real["flat"], np.cumsum(real["lengths"])[:-1])
    return [written(folder / f"{i}", dated(c[:, None], "timestamp,value")) for i, c in enumerate(cuts)]


def as_msl(folder: Path, real: dict[str, np.ndarray]) -> Sequence[Path]:
    cuts = np.split(real["series"], np.cumsum(real["segment_lengths"])[:-1])
    members = {f"SMAP/train/{n}.npy": npy(c.astype(float)) for n, c in zip(real["segment_names"], cuts, strict=True)}
    other = {name.replace("train", "test"): npy(np.zeros((5, 55))) for name in members}
    return [tarred(folder / "x", dict(reversed((other | members).items())))]


def as_cricket(folder: Path, real: dict[str, np.ndarray]) -> Sequence[Path]:
    text = ["\n".join(text_of(real["train_X"][:, :, i], " ")) + "\n" for i in range(6)]
    return [written(folder / str(i), one) for i, one in enumerate(text)]


def as_livestock(folder: Path, real: dict[str, np.ndarray]) -> Sequence[Path]:
    pd = pytest.importorskip("pandas")
    keys = np.repeat(np.array([str(n).split("|") for n in real["names"]]), real["lengths"], axis=0)
    month = np.concatenate([np.arange(n, dtype=float) for n in real["lengths"]])
    columns = {"Month": month, "Animal": factor(keys[:, 0]), "State": factor(keys[:, 1])}
    frame = pd.DataFrame({**columns, "Count": real["flat"].astype(float)})
    mixed = frame.sample(frac=1, random_state=0).reset_index(drop=True)
    return [r_file(folder / "x.rda", aus_livestock=mixed)]


def as_nn5(folder: Path, real: dict[str, np.ndarray]) -> Sequence[Path]:
    cuts = np.split(real["flat"].astype(float), np.cumsum(real["lengths"])[:-1])
    return [r_file(folder / "x.rda", nn5=dict(zip(map(str, real["names"]), cuts, strict=True)))]


def as_m1(folder: Path, real: dict[str, np.ndarray]) -> Sequence[Path]:
    listed = {}
    cuts = np.split(real["flat"].astype(float), np.cumsum(real["lengths"])[:-1])
    for name, values in zip(real["names"], cuts, strict=True):
        key, period, kind = str(name).split("|")
        listed[key] = {"st": key, "x": values[:-6], "xx": values[-6:], "period": period, "type": kind}
    return [r_file(folder / "x.rda", M1=listed)]


def as_gefcom(folder: Path, real: dict[str, np.ndarray]) -> Sequence[Path]:
    parts = np.array_split(real["series"], 15)
    head = "ZONEID,TIMESTAMP,LOAD," + ",".join(f"w{i}" for i in range(1, 26)) + "\n"
    text = ["\n".join(f"1,112001 1:00,{line}" for line in text_of(part)) for part in parts]
    text[0] = "1,112001 1:00,," + ",".join(["46"] * 25) + "\n" + text[0]
    members = {f"Load__Task {i}__L{i}-train_csv": head + one for i, one in enumerate(text, 1)}
    return [zipped(folder / "x", **members, Load__Task_pdf=b"")]


def as_mba(folder: Path, real: dict[str, np.ndarray]) -> Sequence[Path]:
    openpyxl = pytest.importorskip("openpyxl")
    files = []
    for i, half in enumerate(np.array_split(real["series"], 2)):
        book = openpyxl.Workbook(write_only=True)
        sheet = book.create_sheet()
        sheet.append(["'Elapsed time'", "'ECG1'", "'ECG2'"])
        sheet.append(["'hh:mm:ss.mmm'", "'mV'", "'mV'"])
        for row in half:
            sheet.append(["'0:00.000'", *(float(str(value)) for value in row)])
        book.save(folder / f"{i}.xlsx")
        files.append(folder / f"{i}.xlsx")
    return files


LAYOUTS = {
    "AirQuality": as_air_quality,
    "MelbourneTemps": as_melbourne,
    "SaugeenRiverFlow": as_saugeen,
    "Weather": as_weather,
    "ExchangeRate": as_exchange,
    "USGasoline": as_gasoline,
    "NAB_real": as_nab,
    "MSL": as_msl,
    "CricketGestures": as_cricket,
    "AusLivestock": as_livestock,
    "NN5": as_nn5,
    "M1": as_m1,
    "GEFCom2014_load": as_gefcom,
    "MBA_ECG": as_mba,
}


@pytest.mark.data
@pytest.mark.parametrize("name", LAYOUTS)
def test_a_set_in_the_layout_of_its_source_comes_out_with_its_digest(tmp_path: Path, name: str) -> None:
    entry, real = BUNDLED[name], pack(name)
    got = read_source(entry, LAYOUTS[name](tmp_path, real))
    assert sets.digest(got) == entry.content.digest
    for key in ("names", "channels"):
        if key in real:
            assert list(got[key]) == list(map(str, real[key]))


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "half"),
    [
        ("UEA_BasicMotions", False),
        ("UEA_Covid3Month", False),
        ("UEA_JapaneseVowels", False),
        ("UCR_ACSF1", True),
        ("UCR_ArrowHead", True),
        ("UCR_GunPoint", True),
        ("UCR_OSULeaf", True),
        ("UCR_PickupGestureWiimoteZ", True),
    ],
)
def test_problems_that_come_with_aeon_are_the_sets(tmp_path: Path, name: str, half: bool) -> None:
    """The original ``.ts`` files; the data pack holds some of the sets in half precision."""
    aeon = pytest.importorskip("aeon.datasets")
    entry = BUNDLED[name]
    assert entry.source.checked
    pack(name)
    problem = name.partition("_")[2]
    files = [Path(aeon.__file__).parent / "data" / problem / f"{problem}_{split}.ts" for split in ("TRAIN", "TEST")]
    if len(entry.source.urls) == 1:
        with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                archive.write(file, file.name)
        files = [tmp_path / "x.zip"]
    got = read_source(entry, files)
    assert agreement(entry, got, files[0], sets.digest(got)) in ("exact", "close")
    if half:
        got = {key: x.astype(np.float16) if key.endswith("_X") else x for key, x in got.items()}
    assert sets.digest(got) == entry.content.digest
