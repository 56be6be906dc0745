"""Files without a header: the UCR archive's by themselves, others where it is said what a row is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tsprout import Sprout, read
from tsprout.console import as_flags
from tsprout.data.files import write
from tsprout.errors import InputError


def ucr(path: Path, labelled: bool = True, mark: str = "\t", ends: str = "") -> np.ndarray:
    """Twelve series of fifteen steps with classes 1 and 2, a shorter one among them."""
    values = np.random.default_rng(0).normal(size=(12, 15)).round(4)
    lines = []
    for k, row in enumerate(values):
        cells = [f"{value:.4f}" for value in row]
        if k == 3:
            cells[-4:] = ["NaN"] * 4
        lines.append(mark.join([str(1 + k % 2), *cells] if labelled else cells) + ends)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return values


def test_the_archives_files_are_read_and_written_as_they_are(tmp_path: Path) -> None:
    values = ucr(tmp_path / "Gun_TRAIN.tsv")
    series = read(tmp_path / "Gun_TRAIN.tsv")
    assert (series.n_series, series.channels, series.length) == (12, ("value",), 15)
    assert series.labels is not None and series.labels.tolist() == [1, 2] * 6
    assert series.lengths.tolist() == [15] * 3 + [11] + [15] * 8
    assert series.values[0, 0] == pytest.approx(values[0], rel=1e-6)
    assert series.times is None
    assert series.schema is not None and "no header" in series.schema.notices[0]
    write(series, tmp_path / "again.tsv")
    assert (tmp_path / "again.tsv").read_text() == (tmp_path / "Gun_TRAIN.tsv").read_text()
    drawn = Sprout.from_pretrained("copies").fit(tmp_path / "Gun_TRAIN.tsv").sample({1: 3, 2: 2})
    write(drawn, tmp_path / "new.tsv")
    rows = [line.split("\t") for line in (tmp_path / "new.tsv").read_text().splitlines()]
    assert len(rows) == 5 and sorted(row[0] for row in rows) == ["1", "1", "1", "2", "2"]
    assert {len(row) for row in rows} == {16}


def test_other_files_where_it_is_said_what_a_row_is(tmp_path: Path) -> None:
    path = tmp_path / "plain.csv"
    values = ucr(path, labelled=False, mark=",")
    with pytest.raises(InputError, match="first row holds numbers") as caught:
        read(path)
    assert "--wide" in as_flags(caught.value.fix or "") and "--long" in as_flags(caught.value.fix or "")
    wide = read(path, orientation="wide")
    assert (wide.n_series, wide.n_channels, wide.length, wide.labels) == (12, 1, 15, None)
    assert wide.values[0, 0] == pytest.approx(values[0], rel=1e-6)
    steps = read(path, orientation="long")
    assert (steps.n_series, steps.n_channels, steps.length) == (1, 15, 12)
    assert steps.channels[:2] == ("0", "1") and steps.values[0, 0] == pytest.approx(values[:, 0], rel=1e-6)
    columns = read(path, orientation="columns")
    assert (columns.n_series, columns.n_channels, columns.length) == (15, 1, 12)
    for series in (wide, steps, columns):
        write(series, tmp_path / "again.csv", force=True)
        assert (tmp_path / "again.csv").read_text().replace("NaN", "") == path.read_text().replace("NaN", "")
    cut = read(path, orientation="long", window=4)
    write(cut, tmp_path / "cut.csv")
    assert (tmp_path / "cut.csv").read_text().startswith("id,0,1,"), "with an id the columns need names"


def test_a_label_is_told_by_what_it_holds(tmp_path: Path) -> None:
    ucr(tmp_path / "a.csv", mark=";")
    series = read(tmp_path / "a.csv", orientation="wide")
    assert series.labels is not None and series.length == 15
    ucr(tmp_path / "b.tsv", ends="\t")
    assert read(tmp_path / "b.tsv").labels is not None, "lines may end with a tab"
    (tmp_path / "counts.tsv").write_text("3\t5\t9\t2\t4\n3\t1\t0\t2\t4\n3\t5\t6\t2\t8\n")
    with pytest.raises(InputError, match="first row holds numbers"):
        read(tmp_path / "counts.tsv")
    counts = read(tmp_path / "counts.tsv", orientation="wide")
    assert counts.labels is None and counts.length == 5
    named = read(tmp_path / "counts.tsv", orientation="wide", label_column="0")
    assert named.labels is not None and named.length == 4


def test_a_wrong_cell_is_named_by_its_own_row(tmp_path: Path) -> None:
    ucr(tmp_path / "a.tsv")
    lines = (tmp_path / "a.tsv").read_text().splitlines()
    lines[6] = lines[6].replace(lines[6].split("\t")[4], "wrong")
    (tmp_path / "a.tsv").write_text("\n".join(lines))
    with pytest.raises(InputError, match="'wrong'") as caught:
        read(tmp_path / "a.tsv", orientation="wide")
    assert "row 7" in str(caught.value)


def test_gaps_are_filled_in_the_file_itself(tmp_path: Path) -> None:
    from tiny_models import TRANSFORMER

    from tsprout import checkpoint, cli
    from tsprout.model import Denoiser

    checkpoint.save(checkpoint.Checkpoint(Denoiser(TRANSFORMER)), tmp_path / "tiny")
    ucr(tmp_path / "a.tsv")
    lines = [line.split("\t") for line in (tmp_path / "a.tsv").read_text().splitlines()]
    lines[0][3] = lines[5][9] = "NaN"
    (tmp_path / "a.tsv").write_text("\n".join("\t".join(line) for line in lines) + "\n")
    arguments = ["impute", str(tmp_path / "a.tsv"), "-o", str(tmp_path / "full.tsv"), "--model", str(tmp_path / "tiny")]
    assert cli.main([*arguments, "--mode", "prompt", "--draws", "2", "--no-check", "-q"]) == 0
    full = [line.split("\t") for line in (tmp_path / "full.tsv").read_text().splitlines()]
    changed = [(i, j) for i, row in enumerate(full) for j, cell in enumerate(row) if cell != lines[i][j]]
    assert changed == [(0, 3), (5, 9)]


@pytest.mark.parametrize(
    ("text", "orientation", "shape"),
    [
        ("2024-01-01,5,3\n2024-01-02,2,8\n2024-01-03,4,1\n2024-01-04,6,2\n", "columns", (2, 1, 4)),
        ("5,,3\n6,2,8\n1,4,9\n2,2,2\n", "columns", (3, 1, 4)),
        ("1.5,2.5,3.5,4.5\n2.25,1.5,3,4\n1,2.5,3.5,4\n1,2,3,4.5\n", "columns", (4, 1, 4)),
        ("1.5,2.5,3.5,4.5\n2.25,1.5,3,4\n1,2.5,3.5,4\n1,2,3,4.5\n", "long", (1, 4, 4)),
        ("s0,-0.7,0.3,0.2,0.4\ns1,0.1,0.5,-0.2,0.6\n", "wide", (2, 1, 4)),
        ("0,1,2\n5.5,6.5,7.5\n4,3,2\n1,5,2\n6,7,8\n", "columns", (3, 1, 4)),
        ("id,0,1,2,3\na,1,2,3,4\nb,4,3,2,1\n", "wide", (2, 1, 4)),
        ("0.0,0.5,1.0,1.5\n3,2,5,1\n4,1,2,2\n", "wide", (2, 1, 4)),
    ],
)
def test_a_first_row_is_a_header_where_it_differs_or_counts(
    tmp_path: Path, text: str, orientation: str, shape: tuple[int, int, int]
) -> None:
    (tmp_path / "a.csv").write_text(text)
    assert read(tmp_path / "a.csv", orientation=orientation).values.shape == shape


def test_labels_of_the_older_archive_and_rising_first_rows(tmp_path: Path) -> None:
    rows = [f"{k % 2 + 1}.0000000e+00\t" + "\t".join(f"{k + j / 4:.4e}" for j in range(8)) for k in range(8)]
    (tmp_path / "old.tsv").write_text("\n".join(rows) + "\n")
    series = read(tmp_path / "old.tsv")
    assert series.values.shape == (8, 1, 8) and series.labels is not None and series.times is None
    assert series.labels.tolist() == [1.0, 2.0] * 4
    write(series[:2], tmp_path / "two.tsv")
    assert read(tmp_path / "two.tsv").values.shape == (2, 1, 8)
    write(series, tmp_path / "named.csv")
    back = read(tmp_path / "named.csv")
    assert back.labels is not None and back.values.shape == (8, 1, 8), "a file called otherwise has a header"
