"""Digits in groups: read as what they are where that is beyond doubt, asked about where it is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tsprout.data import files
from tsprout.data.files import dialect
from tsprout.data.files.grouping import found, pattern, ungrouped
from tsprout.data.frames import from_object
from tsprout.data.original import Original
from tsprout.data.reading import ReadOptions
from tsprout.errors import InputError

GERMAN = "id;date;units;money\n" + "".join(
    f"{name};0{day}.01.2024;{units};{money}\n"
    for name in "ab"
    for day, units, money in ((1, "999", "1.199,50"), (2, "1.199", "12,00"), (3, "", "1.234.567,10"))
)


def test_a_spreadsheet_in_german(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(GERMAN)
    series = files.read(tmp_path / "x.csv")
    assert series.schema is not None
    np.testing.assert_allclose(series.values[0], [[999, 1199, np.nan], [1199.5, 12, 1234567.1]], rtol=1e-6)
    assert series.schema.decimal_mark == "," and series.schema.dtypes["units"] == "int64"
    assert any("grouped by '.'" in notice for notice in series.schema.notices)
    files.write(series, tmp_path / "again.csv")
    lines = (tmp_path / "again.csv").read_text().splitlines()
    assert lines[1:3] == ["a;01.01.2024;999;1199,50", "a;02.01.2024;1199;12,00"]
    assert files.read(tmp_path / "again.csv").equals(series)


def test_what_is_filled_leaves_the_rest_as_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(GERMAN)
    original = Original.read(tmp_path / "x.csv", ReadOptions())
    values = np.where(original.series.observed, original.series.values, 1e6).astype(np.float32)
    filled = type(original.series).from_arrays(
        values, lengths=original.series.lengths, channels=original.series.channels, ids=original.series.ids
    )
    original.write(filled, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == GERMAN.replace(";;", ";1.000.000;")


@pytest.mark.parametrize(
    ("columns", "mark"),
    [
        ([["1.5", "2", "1.125"]], ""),
        ([["1.234", "2.345", "3.456"]], ""),  # always three decimals
        ([["0.125", "1", "1.125", "2.250", "3.375"]], ""),
        ([["1", "999", "1.001", "1.002"]], ""),  # two may be an accident
        ([["1,234.5", "12"]], ","),
        ([["1'234", "12.5"]], "'"),
        ([["1\u202f234", "12,5"]], " "),
        ([["12", "1.234", "2.345", "3.456"], ["1,5", "2,25"]], "."),
        ([["12", "1,234", "2,345", "3,456"], ["1.5", "2.25"]], ","),
        ([["01.01.2024", "02.01.2024"], ["a.b", "1.234.567.x"]], ""),
        ([["1.234.567", "12"], ["1.5", "2.5"]], ""),  # decimals in another column: no groups
        ([["192.168.100.101", "192.168.100.102"], ["1.234", "2.345"]], ""),  # addresses
        ([["12 345", "23 456"], ["1.5"]], ""),  # codes
        ([["1.234,56", "12,5"], ["0.545", "1.545"]], ""),  # 0.545 has no groups, so its mark stands before decimals
        ([["1.234,56", "12,5"], ["1.545", "2.545"]], "."),
        ([["1.234.567", "999", "1.234"]], "."),
    ],
)
def test_what_groups_digits(columns: list[list[str]], mark: str) -> None:
    assert found(columns, "here") == mark


@pytest.mark.parametrize("other", ["12", "1994"])
@pytest.mark.parametrize("mark", [".", ","])
def test_doubt_is_asked_about(tmp_path: Path, mark: str, other: str) -> None:
    cells = [cell.replace(".", mark) for cell in (other, "1.234", "999", "2.345", "3.456")]
    with pytest.raises(InputError, match="may be 1234 or 1.234"):
        found([cells], "here")
    path = tmp_path / "x.csv"
    path.write_text("id;time;v\n" + "".join(f"a;{k};{cell}\n" for k, cell in enumerate(cells)))
    with pytest.raises(InputError, match="thousands="):
        files.read(path)
    assert files.read(path, thousands=mark).values.max() == 3456
    if mark == ".":
        assert files.read(path, thousands="none").values.max() == max(999, int(other))
    with pytest.raises(InputError, match="thousands cannot be 'x'"):
        files.read(path, thousands="x")


def test_only_what_is_grouped_is_ungrouped() -> None:
    assert ungrouped("1.234,5", ".") == "1234,5"
    assert ungrouped("12.34", ".") == "12.34" and ungrouped("1.234", "") == "1.234"
    assert ungrouped("1\u2019234", "'") == "1234"
    with pytest.raises(KeyError):
        pattern("x")


def test_only_columns_of_quantities_are_looked_at(tmp_path: Path) -> None:
    rows = [f"192.168.100.{101 + k};{t};{1 + t / 7:.3f};{t % 3}.{k}{t % 10}1,5" for k in range(4) for t in range(20)]
    (tmp_path / "x.csv").write_text("device;time;load;code\n" + "\n".join(rows).replace(";0.", ";3."))
    series = files.read(tmp_path / "x.csv", ignore=["code"])
    assert series.channels == ("load",) and series.values.max() == pytest.approx(3.714)
    assert series.ids[0] == "192.168.100.101"


def test_numeric_times_and_cells_beyond_the_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f"a;{t:,};{t * 3 / 2:,.2f}" for t in range(990, 1020)]
    (tmp_path / "x.csv").write_text("id;time;v\n" + "\n".join(rows) + "\n")
    series = files.read(tmp_path / "x.csv")
    assert series.times is not None and series.times[0, [0, -1]].tolist() == [990, 1019]
    assert series.values[0, 0, -1] == pytest.approx(1528.5)
    monkeypatch.setattr(dialect, "SAMPLE_BYTES", 200)
    body = "id;time;v\n" + "".join(f"a;{t};{t},5\n" for t in range(100))
    for late in ("1.234.567,5", "1.234"):
        (tmp_path / "late.csv").write_text(body + f"a;100;{late}\n")
        with pytest.raises(InputError, match=r"row 102.*\n.*thousands='\.'"):
            files.read(tmp_path / "late.csv")
        assert files.read(tmp_path / "late.csv", thousands=".").values.max() > 1000


def test_where_numbers_are_no_text_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"target": [1, 2]}')
    for given in (tmp_path / "x.jsonl", pd.DataFrame({"v": [1.0, 2.0]})):
        with pytest.raises(InputError, match="numbers in CSV files"):
            from_object(given, thousands=".")
    assert ReadOptions(thousands="space").thousands == " "


def test_a_dash_among_grouped_numbers_is_a_bad_cell_and_no_id(tmp_path: Path) -> None:
    rows = [
        f"{day:02d}.10.2023 {hour:02d}:00;1{day % 10}.0{hour:02d},6;{hour},5"
        for day in range(1, 9)
        for hour in range(24)
    ]
    rows[30] = rows[30].rsplit(";", 2)[0] + ";-;4,5"
    path = tmp_path / "load.csv"
    path.write_text("Zeitstempel;Last [MW];Temperatur\n" + "\n".join(rows) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"'-' in column 'Last \[MW\]' is not a number") as caught:
        files.read(path, window=24)
    assert "missing_codes=" in str(caught.value.fix)
    series = files.read(path, window=24, missing_codes=["-"])
    assert (series.n_series, series.n_channels) == (8, 2)
    assert series.values[0, 0, 1] == pytest.approx(11001.6)
