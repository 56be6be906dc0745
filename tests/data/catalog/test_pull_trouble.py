"""What goes wrong while a set is pulled, and afterwards: nothing by halves, nothing wrong, and words that help."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_server import (
    WALK,
    DataServer,
    closed_port,
    csv_of,
    entry_of,
    files_in,
    isolate,
    patient,
    read_source,
    serving,
)

from tsprout.data.catalog import _keep, sets
from tsprout.data.catalog.entry import Catalogue, Entry, Pack
from tsprout.data.catalog.pull import pull
from tsprout.errors import InputError, TsproutError

module = importlib.import_module("tsprout.data.catalog.pull")


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    isolate(monkeypatch, tmp_path / "cache")


@pytest.fixture
def server() -> Iterator[DataServer]:
    with serving() as made:
        yield made


def test_a_broken_download_goes_on_where_it_stopped(server: DataServer, tmp_path: Path) -> None:
    entry, size = entry_of(server.url("walk.csv")), len(server.files["walk.csv"])
    server.cuts = [size // 2]
    with pytest.raises(TsproutError, match="broke off"):
        patient(entry, tmp_path, attempts=1)
    assert not (tmp_path / "extra" / "Walk.npz").exists()
    (plan,) = patient(entry, tmp_path, dry_run=True).files
    assert not plan.there and plan.bytes == size // 2
    patient(entry, tmp_path)
    assert server.asked[-1] == ("walk.csv", f"bytes={size // 2}-")
    assert files_in(tmp_path) == ["extra/Walk.json", "extra/Walk.npz"]


def test_without_a_network_it_says_what_to_put_where(tmp_path: Path) -> None:
    port = closed_port()
    urls = [f"http://127.0.0.1:{port}/{part}/part.csv" for part in "ab"]
    with pytest.raises(TsproutError) as caught:
        patient(entry_of(*urls, source={"page": "https://example.org/walk"}), tmp_path)
    said = str(caught.value)
    downloads = tmp_path / "downloads" / "Walk"
    for words in (*urls, str(downloads / "part.csv"), str(downloads / "2-part.csv"), "https://example.org/walk"):
        assert words in said, said
    assert "then run the same command again" in said
    assert "refused" in said


@pytest.mark.parametrize(
    ("values", "words"),
    [(WALK[:-1], "3,999 steps x 2"), (WALK + 1, "not the values"), (WALK[:, :1], "x 1")],
    ids=["shorter", "other values", "a channel less"],
)
def test_a_source_that_has_changed_is_refused(
    server: DataServer, tmp_path: Path, values: np.ndarray, words: str
) -> None:
    server.files["walk.csv"] = csv_of(values)

    def ragged(entry: Entry, files: Sequence[Path]) -> dict[str, np.ndarray]:
        return {"series": values}

    sys.modules["tsprout.data.catalog.formats"].read_source = ragged  # type: ignore[attr-defined]
    with pytest.raises(InputError, match=words):
        patient(entry_of(server.url("walk.csv")), tmp_path)
    assert not (tmp_path / "extra" / "Walk.npz").exists()
    sys.modules["tsprout.data.catalog.formats"].read_source = read_source  # type: ignore[attr-defined]


def test_a_digest_without_moments_must_be_met(server: DataServer, tmp_path: Path) -> None:
    entry = entry_of(server.url("walk.csv"), content={"digest": "0" * 64, "mean": None, "deviation": None})
    with pytest.raises(InputError, match="not the values"):
        patient(entry, tmp_path)


def test_a_file_that_is_not_what_it_should_be(server: DataServer, tmp_path: Path) -> None:
    server.files["walk.csv"] = b"left,right\nnot,numbers\n"
    with pytest.raises(InputError, match="Remove what is in .*downloads"):
        patient(entry_of(server.url("walk.csv")), tmp_path)
    entry = entry_of(server.url("walk.csv"), source={"sha256": ["0" * 64]})
    with pytest.raises(TsproutError, match="0000"):
        patient(entry, tmp_path)


def test_a_folder_that_cannot_be_written(server: DataServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    entry = entry_of(server.url("walk.csv"))
    with pytest.raises(InputError, match="TSPROUT_DATA"):
        patient(entry, tmp_path / "file" / "data")

    def refuse(*args: Any, **options: Any) -> Any:
        raise OSError(errno.EROFS, "Read-only file system", str(tmp_path))

    monkeypatch.setattr(module.tempfile, "TemporaryFile", refuse)
    with pytest.raises(InputError, match="cannot be written") as caught:
        patient(entry, tmp_path / "data")
    assert "TSPROUT_DATA" in str(caught.value) and "--to" in str(caught.value)
    assert server.asked == []


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_what_stops_the_writing_leaves_the_old_set_or_none(
    server: DataServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    entry = entry_of(server.url("walk.csv"))
    patient(entry, tmp_path)
    before = {path: path.read_bytes() for path in (tmp_path / "extra").iterdir()}

    def stop(file: Any, **arrays: Any) -> None:
        file.write(b"half")
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(_keep.np, "savez_compressed", stop)
        with pytest.raises((TsproutError, KeyboardInterrupt)) as caught:
            patient(entry, tmp_path, force=True)
    if isinstance(error, OSError):
        assert "no space left" in str(caught.value) and "run the same command again" in str(caught.value)
    assert {path: path.read_bytes() for path in (tmp_path / "extra").iterdir()} == before
    assert (tmp_path / "downloads" / "Walk" / "walk.csv").is_file()  # and the next attempt begins with it
    asked = len(server.asked)
    patient(entry, tmp_path, force=True)
    assert len(server.asked) == asked


@pytest.mark.parametrize("harm", ["bits", "receipt", "cut"])
def test_a_damaged_file_is_noticed_and_pulled_again(server: DataServer, tmp_path: Path, harm: str) -> None:
    entry = entry_of(server.url("walk.csv"))
    path = patient(entry, tmp_path).path
    if harm == "bits":
        np.savez(path, series=WALK + np.float32(1e-4))
    elif harm == "cut":
        os.truncate(path, 1000)
    else:
        path.with_suffix(".json").write_text("{", encoding="utf-8")
    known = Catalogue([entry])
    with pytest.raises(InputError, match="damaged") as caught:
        sets.load_set("Walk", folders=(tmp_path,), known=known)
    assert "ull the set again" in str(caught.value)
    assert not patient(entry, tmp_path).was_there
    assert sets.load_set("Walk", folders=(tmp_path,), known=known).complete


def test_the_pack_is_held_to_the_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sets, "pack_folder", lambda: tmp_path)
    entry = entry_of()
    path = tmp_path / "extra" / "Walk.npz"
    path.parent.mkdir()
    np.savez(path, series=WALK)
    packed = module.replace(entry, pack=Pack(sets.file_digest(path), entry.size))
    assert sets.load_set("Walk", folders=(tmp_path,), known=Catalogue([packed])).complete
    other = module.replace(entry, pack=Pack("0" * 64, entry.size))
    with pytest.raises(InputError, match="damaged"):
        sets.load_set("Walk", folders=(tmp_path,), known=Catalogue([other]))
    assert sets.load_set("Walk", folders=(tmp_path,), known=Catalogue([other]), check=False).complete


def test_a_set_without_a_source(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no source"):
        pull(entry_of(source={"page": "https://example.org"}), tmp_path)
