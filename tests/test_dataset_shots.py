"""``tsprout datasets shots`` from the outside: the files it makes, all or none, and what it refuses."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_server import WALK, caller, entry_table, files_in, isolate, write_catalogue

from tsprout.data import files
from tsprout.data.catalog.sets import digest

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _walk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A data folder with the one set ``Walk``."""
    cache = tmp_path / "cache"
    isolate(monkeypatch, cache)
    write_catalogue(cache, {"Walk": entry_table("https://example.org/walk.csv")})
    (cache / "extra").mkdir()
    np.savez(cache / "extra" / "Walk.npz", series=WALK, channels=np.array(["left", "right"]))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """``run("ls")`` -> exit code, standard output, standard error; in an empty folder."""
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.chdir(place)
    return caller(capsys, "datasets")


def test_shots_of_a_set(run: Run) -> None:
    options = ("--held-out", "held.csv", "--validation", "val.parquet", "--length", 12, "--seed", 3)
    code, out, err = run("shots", "Walk", "-k", 7, "-o", "shots.csv", *options)
    assert code == 0, err
    assert files_in(Path()) == ["held.csv", "shots.csv", "val.parquet"]
    assert "7  shots.csv" in out and "held out" in out
    lines = Path("shots.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "id,step,left,right" and len(lines) == 1 + 7 * 12
    found, held, val = (files.read(path) for path in ("shots.csv", "held.csv", "val.parquet"))
    assert found.values.shape == (7, 2, 12) and found.channels == held.channels == val.channels
    assert found.times is not None and found.times[0].tolist() == list(range(12))
    for key, values in zip(found.ids, found.values, strict=True):
        start = int(str(key).partition(":")[2])
        assert np.allclose(values, WALK.T[:, start : start + 12], atol=1e-3)
    assert not set(map(str, held.ids)) & set(map(str, found.ids))
    first = Path("shots.csv").read_bytes()
    assert run("shots", "Walk", "-k", 7, "-o", "again.csv", "--length", 12, "--seed", 3)[0] == 0
    assert Path("again.csv").read_bytes() == first


def test_shots_account_and_shares(run: Run) -> None:
    account = json.loads(run("shots", "Walk", "-k", "5%", "-o", "s.npz", "--protocol", "paper", "--json")[1])
    assert account["protocol"] == "paper" and account["scaled"] and account["channels"] == ["left", "right"]
    assert account["counts"]["shots"] == int(0.05 * account["counts"]["held_out"])
    assert account["counts"]["validation"] is None and account["files"] == {"shots": "s.npz"}
    assert any("not in the units" in note for note in account["notes"])
    assert files.read("s.npz").n_series == account["counts"]["shots"]


def test_shots_of_a_set_that_needs_no_file(run: Run) -> None:
    code, _, err = run("shots", "Sine", "-k", 5, "-o", "sine.csv")
    assert code == 0, err
    assert len(Path("sine.csv").read_text(encoding="utf-8").splitlines()) == 1 + 5 * 24


def test_sines_of_any_length(run: Run) -> None:
    code, _, err = run("shots", "Sine", "--length", 64, "-k", 3, "-o", "sine.npz")
    assert code == 0, err
    assert files.read("sine.npz").values.shape == (3, 6, 64)
    code, _, err = run("shots", "Sine", "--length", 513, "-k", 3, "-o", "long.npz")
    assert code == 2 and "longest length that works is 512" in err


def test_columns_get_out_of_the_way_of_channels() -> None:
    from tsprout.dataset_shots import as_table
    from tsprout.series import SeriesSet

    series = SeriesSet.from_arrays(np.zeros((2, 3, 4)), channels=["id", "step", "label"], labels=np.array(["a", "b"]))
    schema = as_table(series).schema
    assert schema is not None
    assert schema.columns == ("item_id", "time", "LABEL", "id", "step", "label")


def place_set(name: str, size: dict[str, Any] | None = None, **arrays: Any) -> None:
    """A set of the catalogue, with these values, in the data folder."""
    cache = Path(os.environ["TSPROUT_DATA"])
    values = next(array for key, array in arrays.items() if key in ("series", "train_X")).astype(float)
    content = {"digest": digest(arrays), "mean": float(values.mean()), "deviation": float(values.std())}
    entry = entry_table(f"https://example.org/{name}.csv", content=content, **(size or {}))
    entry = {key: value for key, value in entry.items() if value is not None}
    write_catalogue(cache, {name: entry})
    np.savez(cache / "extra" / f"{name}.npz", **arrays)


def test_a_channel_called_t(run: Run) -> None:
    place_set("Weatherlike", series=WALK, channels=np.array(["T", "RH"]))
    assert run("shots", "Weatherlike", "-k", 5, "-o", "s.csv", "--length", 12)[0] == 0
    assert Path("s.csv").read_text(encoding="utf-8").startswith("id,time,T,RH\n")
    found = files.read("s.csv")
    assert found.values.shape == (5, 2, 12) and found.channels == ("T", "RH")


@pytest.mark.parametrize(
    ("label", "expected"), [("{}.0", [0, 1, 2]), ("{}.5", ["value 0.5", "value 1.5", "value 2.5"])]
)
def test_labels_that_are_numbers(run: Run, label: str, expected: list[object]) -> None:
    values = np.random.default_rng(0).normal(size=(60, 12, 2)).astype(np.float32)
    labels = np.array([label.format(i % 3) for i in range(60)])
    size = {"kind": "instances", "steps": None, "train": 60, "length": 12}
    place_set("Gestures", size, train_X=values, train_y=labels, channels=np.array(["x", "y"]))
    code, out, err = run(
        "shots", "Gestures", "-k", 20, "-o", "s.csv", "--held-out", "h.parquet", "--length", 12, "--json"
    )
    assert code == 0, err
    for path in ("s.csv", "h.parquet"):
        found = files.read(path)
        assert found.channels == ("x", "y") and found.labels is not None
        assert sorted(set(found.labels.tolist())) == expected
    said = any("'value '" in note for note in json.loads(out)["notes"])
    assert said == isinstance(expected[0], str)


def test_a_channel_called_class_where_there_are_no_labels(run: Run) -> None:
    place_set("Walks", series=WALK, channels=np.array(["class", "x"]))
    account = json.loads(run("shots", "Walks", "-k", 5, "-o", "s.csv", "--length", 12, "--json")[1])
    assert any("--channel" in note and "'class'" in note for note in account["notes"])
    assert files.read("s.csv", channels=["class", "x"]).values.shape == (5, 2, 12)


def test_bare_arrays_say_how_to_read_them(run: Run) -> None:
    code, out, err = run("shots", "Walk", "-k", 5, "-o", "s.npy", "--length", 12)
    assert code == 0 and "--axes ncl" in out + err
    assert files.read("s.npy", axes="ncl").values.shape == (5, 2, 12)
    assert "--axes" not in "".join(run("shots", "Walk", "-k", 5, "-o", "s.npz", "--length", 12)[1:])


def test_a_reference_nobody_asked_for_is_not_made(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from tsprout.data.protocols import paper

    cut, sizes = paper.__globals__["as_series"], []

    def counting(real: Any, sources: Any, labels: Any, origin: np.ndarray, *rest: Any) -> Any:
        sizes.append(len(origin))
        return cut(real, sources, labels, origin, *rest)

    monkeypatch.setitem(paper.__globals__, "as_series", counting)
    options = ("shots", "Walk", "-k", 5, "--protocol", "paper", "--json")
    alone = json.loads(run(*options, "-o", "s.csv")[1])
    assert max(sizes) == 5
    both = json.loads(run(*options, "-o", "again.csv", "--held-out", "h.csv")[1])
    assert alone["counts"] == both["counts"] and both["counts"]["held_out"] == max(sizes) > 2000
    assert Path("s.csv").read_bytes() == Path("again.csv").read_bytes()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("-k", "0", "-o", "s.csv"), "0 shots"),
        (("-k", "few", "-o", "s.csv"), "few"),
        (("-k", "5", "-o", "s.xyz"), ".xyz"),
        (("-k", "5", "-o", "nowhere/s.csv"), "does not exist"),
        (("-k", "5", "-o", "there.csv"), "--force"),
        (("-k", "5", "-o", "s.csv", "--held-out", "there.csv"), "--force"),
        (("-k", "5", "-o", "s.csv", "--held-out", "s.csv"), "same name"),
        (("-k", "5", "-o", "s.csv", "--held-out", "h.xyz"), ".xyz"),
        (("-k", "5", "-o", "s.csv", "--protocol", "loose"), "strict"),
        (("-k", "5", "-o", "s.csv", "--length", "9999"), "9999"),
        (("-k", "5", "-o", "s.csv", "--protocol", "paper", "--validation", "v.csv"), "--validation"),
    ],
)
def test_shots_that_cannot_be(run: Run, options: tuple[str, ...], words: str) -> None:
    Path("there.csv").write_text("mine", encoding="utf-8")
    code, out, err = run("shots", "Sine", *options)
    assert code == 2 and out == ""
    assert words in err, err
    assert os.listdir() == ["there.csv"] and Path("there.csv").read_text(encoding="utf-8") == "mine"


def test_shots_of_a_set_that_is_not_here(run: Run) -> None:
    code, _, err = run("shots", "ETTm1", "-k", 5, "-o", "s.csv")
    assert code == 2 and "tsprout datasets pull ETTm1" in err and os.listdir() == []


def test_all_files_of_the_shots_or_none(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("s.csv").write_text("mine", encoding="utf-8")
    write, done = files.write, []

    def second_fails(series: Any, path: Any, **options: Any) -> None:
        done.append(path)
        if len(done) == 2:
            raise OSError(28, "No space left on device")
        write(series, path, **options)

    monkeypatch.setattr(files, "write", second_fails)
    code, _, err = run("shots", "Sine", "-k", 5, "-o", "s.csv", "--held-out", "h.csv", "--force")
    assert code == 1 and "no space" in err
    assert os.listdir() == ["s.csv"] and Path("s.csv").read_text(encoding="utf-8") == "mine"
