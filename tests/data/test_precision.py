"""What 32-bit numbers lose of a channel is told, wherever it comes from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tsprout.data import files
from tsprout.data.frames import from_object
from tsprout.data.precision import Precision

RANDOM = np.random.default_rng(0)
CARRIER = 1.4e9 + RANDOM.uniform(-13, 13, (3, 8))
NORTHING = 5_432_100 + RANDOM.uniform(0, 4.5, (3, 8)).round(3)
FINE = [
    RANDOM.normal(size=(3, 8)),
    1e6 + RANDOM.normal(size=(3, 8)) * 10,
    RANDOM.normal(size=(3, 8)) * 1e-30,
    np.full((3, 8), 0.1),
    0.1 + np.tile([0, 1e-17, 2e-17, 5e-17], (3, 2)),
    np.full((3, 8), np.nan),
    np.arange(24.0).reshape(3, 8) * 1e5,
]


def long(values: np.ndarray) -> pd.DataFrame:
    n, steps = values.shape
    return pd.DataFrame(
        {"id": np.repeat(list("abc")[:n], steps), "t": np.tile(np.arange(steps), n), "x": values.ravel()}
    )


def told(source: str, values: np.ndarray, tmp_path) -> str:
    """The notices about one channel in a file or object of that kind."""
    frame, path = long(values), tmp_path / f"a.{source.partition('-')[0]}"
    if source == "numpy":
        series = from_object(values, axes="nl", channels=["x"])
    elif source == "list":
        series = from_object(list(values), channels=["x"])
    elif source == "pandas":
        series = from_object(frame)
    else:
        if source == "csv":
            frame.to_csv(path, index=False)
        elif source == "parquet":
            frame.to_parquet(path)
        elif source == "csv-wide":
            pd.DataFrame(values).to_csv(path, index=False)
        elif source == "npy":
            np.save(path, values)
        elif source == "npz":
            np.savez(path, values=values[:, None], channels=["x"])
        elif source == "jsonl":
            path.write_text("".join(f'{{"target": {row.tolist()}, "channels": ["x"]}}\n' for row in values))
        elif source == "ts":
            pytest.importorskip("aeon")
            rows = "\n".join(",".join(map(repr, row.tolist())) for row in values)
            path.write_text(f"@problemName a\n@classLabel false\n@data\n{rows}\n")
        options = {"axes": "nl"} if source == "npy" else {}
        series = files.read(path, **options)
    return " | ".join(n for n in series.schema.notices if "32-bit" in n or "7 digits" in n)


SOURCES = ["csv", "csv-wide", "parquet", "pandas", "numpy", "list", "npy", "npz", "jsonl", "ts"]


@pytest.mark.parametrize("source", SOURCES)
def test_a_channel_that_varies_little_around_a_high_level_is_named(source, tmp_path):
    text = told(source, CARRIER, tmp_path)
    name = {"csv-wide": "value", "npy": "channel_0", "ts": "channel_0"}.get(source, "x")
    assert f"'{name}' varies little around 1.4e+09" in text
    assert "subtracting its level" in text
    assert text.count("32-bit") == 1
    assert "off by" in told(source, NORTHING, tmp_path)


@pytest.mark.parametrize("source", ["csv", "numpy"])
def test_a_channel_that_becomes_constant_is_named(source, tmp_path):
    assert "is constant as 32-bit numbers" in told(source, 1.4e9 + np.arange(24.0).reshape(3, 8), tmp_path)


@pytest.mark.parametrize("source", ["csv", "pandas", "numpy", "npz", "jsonl"])
def test_large_whole_numbers_are_named(source, tmp_path):
    values = np.arange(24).reshape(3, 8) * 10**6 + 2**24 + 1
    assert "above 16777216, which are kept to 7 digits only" in told(source, values, tmp_path)


@pytest.mark.parametrize("case", range(len(FINE)))
@pytest.mark.parametrize("source", ["csv-wide", "pandas", "numpy"])
def test_nothing_is_told_where_nothing_that_matters_is_lost(source, case, tmp_path):
    assert told(source, FINE[case], tmp_path) == ""
    assert told(source, FINE[case].astype(np.float32), tmp_path) == ""


def test_pieces_make_the_same_as_the_whole():
    values = CARRIER.ravel()
    whole, pieces = Precision(["x"]), Precision(["x"])
    whole.add(0, values, values.astype(np.float32))
    for part in np.array_split(np.append(values, np.nan), 5):
        pieces.add(0, part, part.astype(np.float32))
    assert whole.notices() == pieces.notices() != []


def test_arrays_of_objects_are_read_as_numbers():
    given = np.array([[1, 2, 3, 4], [2, 3, 4, None]], dtype=object)
    assert from_object(given, axes="nl").values[0, 0].tolist() == [1, 2, 3, 4]
