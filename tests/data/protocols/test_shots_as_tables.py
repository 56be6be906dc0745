"""The shots of every set, written as tables and read back without any option: nothing may get lost or mixed up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from real_sets import present, real

import tsprout
from tsprout.data import files
from tsprout.data.protocols import paper
from tsprout.dataset_shots import as_table, free_name, label_words
from tsprout.series import SeriesSet

PRESENT = present()
EXTENSIONS = ("csv", "tsv", "parquet")


def read_back(series: SeriesSet, place: Path, words: dict[str, int | str] | None = None) -> None:
    """Write the set in every format of tables, read it, and compare."""
    table = as_table(series, words)
    for extension in EXTENSIONS:
        path = place / f"shots.{extension}"
        files.write(table, path)
        found = tsprout.read(path)
        assert found.channels == series.channels, extension
        np.testing.assert_array_equal(found.values, series.values, err_msg=extension)
        assert found.ids.tolist() == series.ids.tolist(), extension
        assert found.times is not None and found.times.tolist() == [[*range(series.length)]] * series.n_series
        if series.labels is None:
            assert found.labels is None, extension
            continue
        assert found.labels is not None and table.labels is not None, extension
        assert found.labels.tolist() == table.labels.tolist(), extension
        for own, label in zip(series.labels.tolist(), found.labels.tolist(), strict=True):
            same = own == label if isinstance(label, str) else float(own) == label
            assert same or label == f"value {own}", extension


@pytest.mark.data
@pytest.mark.skipif(not PRESENT, reason="no data sets here: set TSPROUT_DATA")
@pytest.mark.parametrize("name", PRESENT or ["none"])
def test_every_set_present(name: str, tmp_path: Path) -> None:
    made = real(name)
    shots = paper(made, shots=3, reference_size=1).shots
    own = made.instances()[1] if not made.recordings else None
    words = None if own is None else label_words(own.tolist())
    read_back(shots, tmp_path, words)


NAMES = [
    ("T", "RH"),
    ("t", "time", "ds", "date"),
    ("id", "step", "label"),
    ("item_id", "timestamp", "class", "x"),
    ("ITEM_ID", "Timestamp", "Label", "sensor_id", "TimeStamp"),
    ("item_id", "Item_ID", "TIMESTAMP", "timestamp", "label", "LABEL", "Class"),
    ("0", "1", "2", "3", "4"),
    ("t1", "t2", "t3", "t4"),
    ("hour", "day", "month", "series"),
]


LABELS: list[list[object] | None] = [
    None,
    [1, 2, 1],
    ["7.0", "1.0", "7.0"],
    ["a", "b", "7.0"],
    ["0.5", "1.0", "nan"],
]
# Where there is no label at all the reader takes such a channel for it, whatever is written: the account says so.
CASES = [
    (names, labels)
    for names in NAMES
    for labels in LABELS
    if labels is not None or not {"label", "class"} & {name.lower() for name in names}
]


@pytest.mark.parametrize(("names", "labels"), CASES)
@pytest.mark.parametrize("whole", [False, True])
def test_whatever_channels_are_called(
    names: tuple[str, ...], labels: list[object] | None, whole: bool, tmp_path: Path
) -> None:
    values = np.random.default_rng(0).integers(-9, 9, (3, len(names), 5)) * (1.0 if whole else 0.125)
    values[:, :, 1:3] = np.nan
    values[0, 0] = np.nan
    named = np.array(["walk:7", "walk:3", "walk:19"], object)
    read_back(SeriesSet.from_arrays(values, channels=names, ids=named, labels=labels), tmp_path)


def test_plain_names_where_nothing_is_in_their_way() -> None:
    known = ("item_id", "unique_id", "id", "sample")
    assert free_name(("id",), known, ["x", "sample"]) == "id"
    assert free_name(("id", "unique_id"), known, ["x", "ID"]) == "unique_id"
    assert free_name(("id",), known, ["x", "Unique_ID "]) == "item_id"
    assert free_name(("id",), known, ["item_id"]) == "ITEM_ID"
    assert free_name(("id",), known, ["item_id", "ITEM_ID"]) == "ITEM_Id"


def test_label_words() -> None:
    assert label_words(["7.0", "-1", 3]) == {"7.0": 7, "-1": -1, "3": 3}
    assert label_words(["1", "a"]) == {"1": "1", "a": "a"}
    assert label_words(["1", "0.5"]) == {"1": "value 1", "0.5": "value 0.5"}
    assert label_words(["1", "1.0"]) == {"1": "value 1", "1.0": "value 1.0"}
    assert label_words([]) == {}
