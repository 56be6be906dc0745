"""Columns that are no channels: text that changes, nothing at all, and what nobody wants."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tsprout.data import files
from tsprout.data.frames import from_object, to_fit, to_object
from tsprout.errors import InputError

ROWS = [("a", 1, 1.5, "ok", None, 7), ("a", 2, 2.5, "", None, 7), ("b", 1, 3.5, "dropped out", None, 8)]
FRAME = pd.DataFrame(ROWS, columns=["id", "time", "v", "note", "comment", "age"]).astype({"comment": float})


def test_text_that_changes_and_columns_without_a_value_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "x.csv", index=False)
    for series in (to_fit(tmp_path / "x.csv", {}), to_fit(FRAME, {})):
        assert series.channels == ("v", "age")
        assert series.schema is not None and series.schema.columns == ("id", "time", "v", "age")
        said = " ".join(series.schema.notices)
        assert "'note' changes within series and is left out" in said
        assert "columns without any value are left out: 'comment'" in said
    assert list(to_object(to_fit(FRAME, {})).columns) == ["id", "time", "v", "age"]


def test_what_is_not_fitted_keeps_columns_without_a_value(tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "x.csv", index=False)
    for series in (files.read(tmp_path / "x.csv"), from_object(FRAME)):
        assert series.channels == ("v", "comment", "age")


def test_what_was_asked_for_is_not_left_out(tmp_path: Path) -> None:
    assert to_fit(FRAME, {"channels": ["v", "comment"]}).channels == ("v", "comment")
    with pytest.raises(InputError, match="changes within series 'a'"):
        from_object(FRAME, static_columns=["note"])


def test_ignored_columns(tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "x.csv", index=False)
    series = files.read(tmp_path / "x.csv", ignore=["note", "age"])
    assert series.channels == ("v", "comment") and series.schema is not None
    assert not any("note" in notice or "age" in notice for notice in series.schema.notices)  # it was asked for
    assert files.read(tmp_path / "x.csv", ignore="age").channels == ("v", "comment")
    with pytest.raises(InputError, match="no column 'nobody'"):
        files.read(tmp_path / "x.csv", ignore=["nobody"])
    with pytest.raises(InputError, match="two roles"):
        files.read(tmp_path / "x.csv", ignore=["v"], channels=["v"])
    wide = pd.DataFrame(np.arange(12).reshape(2, 6), columns=["size", *"01234"])
    assert from_object(wide, ignore=["size"]).values.shape == (2, 1, 5)
    np.save(tmp_path / "x.npy", np.zeros((2, 3)))
    with pytest.raises(InputError, match="columns of tables"):
        files.read(tmp_path / "x.npy", axes="nl", ignore=["v"])


def test_a_column_ts_is_the_time(tmp_path: Path) -> None:
    text = "ts,acc\n" + "".join(f"{1_709_280_000 + 60 * k},{k % 3}.5\n" for k in range(9))
    (tmp_path / "x.csv").write_text(text)
    series = files.read(tmp_path / "x.csv")
    assert series.channels == ("acc",) and series.times is not None and series.times[0, 1] == 1_709_280_060
