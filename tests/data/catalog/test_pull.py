"""Pulling from a server on this machine: where things go, what is fetched, and the receipt."""

from __future__ import annotations

import importlib
import io
import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

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
    serving,
)

from tsprout import __version__
from tsprout.data.catalog import sets
from tsprout.data.catalog.entry import Catalogue, Pack, Size, catalogue
from tsprout.data.catalog.pull import pull
from tsprout.errors import TsproutError

module = importlib.import_module("tsprout.data.catalog.pull")


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    isolate(monkeypatch, tmp_path / "cache")


@pytest.fixture
def server() -> Iterator[DataServer]:
    with serving() as made:
        yield made


def test_a_set_arrives_whole_with_its_receipt(server: DataServer, tmp_path: Path) -> None:
    url = server.url("walk.csv")
    seen: list[tuple[str, int, int]] = []
    found = patient(entry_of(url), tmp_path, progress=lambda *step: seen.append(step))
    path = tmp_path / "extra" / "Walk.npz"
    assert (found.path, found.bytes, found.urls) == (path, path.stat().st_size, (url,))
    assert found.complete and found.exact and not found.was_there
    assert files_in(tmp_path) == ["extra/Walk.json", "extra/Walk.npz"]
    assert not (tmp_path / "downloads").exists()
    assert seen[-1] == ("fetching", len(server.files["walk.csv"]), len(server.files["walk.csv"]))
    receipt = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert receipt["format"] == 1 and receipt["tsprout"] == __version__ and receipt["urls"] == [url]
    assert receipt["sha256"] == sets.file_digest(path)
    assert receipt["digest"] == found.digest == sets.digest({"series": WALK})
    (download,) = receipt["downloads"]
    assert download["sha256"] == sets.hashlib.sha256(server.files["walk.csv"]).hexdigest()
    real = sets.load_set("walk", folders=(tmp_path,), known=Catalogue([entry_of(url)]))
    assert np.array_equal(real.recordings[0], WALK.T) and real.channels == ("left", "right")


def test_what_is_there_is_not_fetched_again_unless_forced(server: DataServer, tmp_path: Path) -> None:
    entry = entry_of(server.url("walk.csv"))
    first = patient(entry, tmp_path)
    assert len(server.asked) == 1
    again = patient(entry, tmp_path)
    assert again.was_there and again.complete and again.exact and again.path == first.path
    assert len(server.asked) == 1
    assert not patient(entry, tmp_path, force=True).was_there
    assert len(server.asked) == 2
    assert files_in(tmp_path) == ["extra/Walk.json", "extra/Walk.npz"]


def test_in_the_cache_by_default_and_by_name(server: DataServer, tmp_path: Path) -> None:
    known = Catalogue([entry_of(server.url("walk.csv"))])
    assert pull("WALK", known=known).path == tmp_path / "cache" / "extra" / "Walk.npz"
    assert pull("walk", known=known).was_there


def test_a_partial_copy_is_not_the_set(server: DataServer, tmp_path: Path) -> None:
    path = tmp_path / "extra" / "Walk.npz"
    path.parent.mkdir()
    np.savez(path, series=WALK[:100])
    pack = Pack(sets.file_digest(path), Size("recording", 2, steps=100), "the first 100 rows only")
    entry = module.replace(entry_of(server.url("walk.csv")), pack=pack)
    assert sets.presence(entry, (tmp_path,)) == ("partial", path)
    found = patient(entry, tmp_path)
    assert found.complete and not found.was_there
    assert sets.presence(entry, (tmp_path,)) == ("here", path)
    assert sets.load_set("Walk", folders=(tmp_path,), known=Catalogue([entry])).complete


def test_an_archive_is_read_by_the_readers_of_the_catalogue(
    server: DataServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "tsprout.data.catalog.formats")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        lines = server.files["walk.csv"].decode().splitlines()
        rows = [f"{i};{line}" for i, line in enumerate(lines)]
        archive.writestr("data/walk.csv", "\n".join(rows).replace(",", ";").replace(".", ",") + "\n")
    server.files["walk.zip"] = packed.getvalue()
    options = {"member": "data/walk.csv", "sep": ";", "decimal": ",", "drop": [0]}
    found = patient(entry_of(server.url("walk.zip"), source={"options": options}), tmp_path)
    assert found.exact
    with np.load(found.path) as arrays:
        assert arrays["channels"].tolist() == ["left", "right"]


def test_files_of_the_same_name_have_places_of_their_own(server: DataServer, tmp_path: Path) -> None:
    entry = entry_of(server.url("a/part.csv"), server.url("b/part.csv"))
    names = [fetch.path.name for fetch in module.planned(entry, tmp_path)]
    assert names == ["part.csv", "2-part.csv"]
    assert patient(entry, tmp_path, keep_downloads=True).exact
    assert (tmp_path / "downloads" / "Walk" / "2-part.csv").read_bytes() == server.files["b/part.csv"]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://x.org/a/b.csv?raw=true#top", "b.csv"),
        ("https://x.org/a%2F..%2Fb%20c.csv", "a_.._b c.csv"),
        ("https://x.org/..", ""),
        ("https://x.org/", ""),
        ("https://x.org/f%C3%A9%3A1.zip", "fé_1.zip"),
    ],
)
def test_names_of_files(url: str, name: str) -> None:
    assert module.file_name(url) == name


def test_a_dry_run_writes_nothing_and_asks_nobody(server: DataServer, tmp_path: Path) -> None:
    url = server.url("walk.csv")
    found = patient(entry_of(url), tmp_path / "new", dry_run=True)
    assert found.path == tmp_path / "new" / "extra" / "Walk.npz" and not found.complete
    (fetch,) = found.files
    assert (fetch.url, fetch.there, fetch.path) == (url, False, tmp_path / "new" / "downloads" / "Walk" / "walk.csv")
    assert server.asked == [] and list(tmp_path.iterdir()) == []


def test_a_file_put_there_by_hand_is_used_and_left(tmp_path: Path) -> None:
    entry = entry_of(f"http://127.0.0.1:{closed_port()}/walk.csv")
    place = tmp_path / "downloads" / "Walk" / "walk.csv"
    place.parent.mkdir(parents=True)
    place.write_bytes(csv_of(WALK))
    assert patient(entry, tmp_path).exact
    assert place.read_bytes() == csv_of(WALK)
    assert files_in(tmp_path) == ["downloads/Walk/walk.csv", "extra/Walk.json", "extra/Walk.npz"]


def test_a_download_of_before_is_used_and_removed(server: DataServer, tmp_path: Path) -> None:
    entry = entry_of(server.url("a/part.csv"), server.url("b/part.csv"))
    kept = server.files.pop("b/part.csv")
    with pytest.raises(TsproutError, match="404"):
        patient(entry, tmp_path)
    assert (tmp_path / "downloads" / "Walk" / "part.csv").is_file()
    server.files["b/part.csv"] = kept
    patient(entry, tmp_path)
    assert [path for path, _ in server.asked].count("a/part.csv") == 1
    assert files_in(tmp_path) == ["extra/Walk.json", "extra/Walk.npz"]


def test_values_within_rounding_are_taken_and_said_to_be(server: DataServer, tmp_path: Path) -> None:
    server.files["walk.csv"] = csv_of(WALK + np.float32(0.001))
    found = patient(entry_of(server.url("walk.csv")), tmp_path)
    assert found.complete and not found.exact
    assert patient(entry_of(server.url("walk.csv")), tmp_path).was_there
    assert json.loads((tmp_path / "extra" / "Walk.json").read_text())["exact"] is False


def test_a_generated_set_can_be_kept_as_a_file(tmp_path: Path) -> None:
    entry = catalogue()["Sine"]
    assert pull(entry, tmp_path, dry_run=True).generator == "sine"
    found = pull(entry, tmp_path)
    assert found.exact and found.files == ()
    assert json.loads((tmp_path / "eval" / "Sine.json").read_text())["generator"] == "sine"
    assert sets.load_set("Sine", folders=(tmp_path,)).path == found.path
