"""Steps without a value at the end of a series: its end, or missing values where it is said so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tsprout import read
from tsprout.console import as_flags
from tsprout.data.files import write
from tsprout.data.frames import from_object
from tsprout.errors import InputError
from tsprout.series import SeriesSet


def ragged() -> np.ndarray:
    """Six series of twelve steps; the third has no value in its last one, and a gap."""
    values = np.random.default_rng(0).normal(size=(6, 12))
    values[2, [4, 11]] = np.nan
    return values


def forms(tmp_path: Path) -> dict[str, tuple[object, dict[str, object]]]:
    """The same series in every form in which nothing else says where they end."""
    values = ragged()
    np.save(tmp_path / "a.npy", values)
    np.savez(tmp_path / "a.npz", values=values[:, None])
    pd.DataFrame(values).to_csv(tmp_path / "wide.csv", index=False)
    pd.DataFrame(values.T).to_csv(tmp_path / "columns.csv", index=False)
    return {
        "array": (values, {"axes": "nl"}),
        "npy": (tmp_path / "a.npy", {"axes": "nl"}),
        "npz": (tmp_path / "a.npz", {}),
        "wide": (tmp_path / "wide.csv", {"orientation": "wide"}),
        "columns": (tmp_path / "columns.csv", {"orientation": "columns"}),
        "frame": (pd.DataFrame(values), {}),
    }


@pytest.mark.parametrize("form", ["array", "npy", "npz", "wide", "columns", "frame"])
def test_shorter_or_missing(tmp_path: Path, form: str) -> None:
    given, options = forms(tmp_path)[form]
    series = from_object(given, **options)
    assert series.lengths.tolist() == [12, 12, 11, 12, 12, 12]
    assert series.schema is not None
    (text,) = [notice for notice in series.schema.notices if "shorter" in notice]
    assert text.startswith("1 of 6 series have no value in their last steps and count as shorter (11 to 12 steps)")
    assert "--full-length" in as_flags(text)
    whole = from_object(given, full_length=True, **options)
    assert whole.lengths.tolist() == [12] * 6 and not whole.observed[2, 0, [4, 11]].any()
    assert not [notice for notice in whole.schema.notices if "shorter" in notice]  # type: ignore[union-attr]


def test_where_lengths_are_known_it_is_refused(tmp_path: Path) -> None:
    values = ragged()
    series = SeriesSet.from_arrays(values[:, None], lengths=[12] * 5 + [7])
    for name in ("long.csv", "a.ts", "a.jsonl", "a.npz"):
        write(series, tmp_path / name)
        assert read(tmp_path / name).lengths.tolist() == [12] * 5 + [7]
        with pytest.raises(InputError, match="full_length="):
            read(tmp_path / name, full_length=True)
    rows = [row[: 12 - k] for k, row in enumerate(values)]
    with pytest.raises(InputError, match="lengths of their own"):
        from_object(rows, axes="l", full_length=True)
    assert from_object(rows).lengths.tolist() == [12, 11, 10, 9, 8, 7]
    assert not from_object(rows).schema.notices  # type: ignore[union-attr]
    with pytest.raises(InputError, match="full_length cannot be"):
        from_object(values, axes="nl", full_length="yes")
