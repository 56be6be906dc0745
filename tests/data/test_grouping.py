"""Digits in groups: read as what they are where that is beyond doubt, asked about where it is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tsprout.data import files
from tsprout.data.files.grouping import found, pattern, ungrouped
from tsprout.data.original import Original
from tsprout.data.roles import ReadOptions
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
    assert (tmp_path / "out.csv").read_text() == GERMAN.replace(";;", ";1000000;")


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
    ],
)
def test_what_groups_digits(columns: list[list[str]], mark: str) -> None:
    assert found(columns, "here") == mark


@pytest.mark.parametrize("mark", [".", ","])
def test_doubt_is_asked_about(tmp_path: Path, mark: str) -> None:
    cells = [cell.replace(".", mark) for cell in ("12", "1.234", "999", "2.345", "3.456")]
    with pytest.raises(InputError, match="may be 1234 or 1.234"):
        found([cells], "here")
    path = tmp_path / "x.csv"
    path.write_text("id;time;v\n" + "".join(f"a;{k};{cell}\n" for k, cell in enumerate(cells)))
    with pytest.raises(InputError, match="thousands="):
        files.read(path)
    assert files.read(path, thousands=mark).values.max() == 3456
    if mark == ".":
        assert files.read(path, thousands="none").values.max() == 999
    with pytest.raises(InputError, match="thousands cannot be 'x'"):
        files.read(path, thousands="x")


def test_only_what_is_grouped_is_ungrouped() -> None:
    assert ungrouped("1.234,5", ".") == "1234,5"
    assert ungrouped("12.34", ".") == "12.34" and ungrouped("1.234", "") == "1.234"
    assert ungrouped("1\u2019234", "'") == "1234"
    with pytest.raises(KeyError):
        pattern("x")
