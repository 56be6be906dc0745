"""``tsprout datasets`` from the outside: exit codes, what is said where, what is left on disk."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_server import WALK, DataServer, caller, closed_port, entry_table, files_in, isolate, serving, write_catalogue

from tsprout import datasets
from tsprout.data.catalog import sets
from tsprout.data.catalog.entry import bundled, catalogue

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The only data folder; no file of a real set is near."""
    isolate(monkeypatch, tmp_path / "cache")
    monkeypatch.setattr(datasets, "ATTEMPTS", 1)
    return tmp_path / "cache"


@pytest.fixture
def server(cache: Path) -> Iterator[DataServer]:
    """A server, and a catalogue with ``Walk`` and ``Halves`` at it, and ``Gone`` and ``Lost`` at ports that refuse."""
    with serving() as made:
        nowhere = f"http://127.0.0.1:{closed_port()}"
        tables = {
            "Walk": entry_table(made.url("walk.csv"), aliases=["stroll"]),
            "Halves": entry_table(made.url("a/part.csv"), made.url("b/part.csv"), role="pretrain"),
            "Gone": entry_table(f"{nowhere}/gone.csv"),
            "Lost": entry_table(f"{nowhere}/lost.csv"),
        }
        write_catalogue(cache, tables)
        yield made


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """``run("ls")`` -> exit code, standard output, standard error; in an empty folder."""
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.chdir(place)
    return caller(capsys, "datasets")


def test_ls_names_every_set_within_80_columns(run: Run) -> None:
    code, out, _ = run("ls")
    lines = out.splitlines()
    assert code == 0 and max(map(len, lines)) <= 80
    words = {line.split()[0] for line in lines if line}
    assert {entry.name for entry in bundled()} <= words
    assert f"{len(bundled())} sets, 1 of them here" in out  # Sine is made where it is needed


def test_ls_of_a_kind(run: Run, server: DataServer) -> None:
    assert run("pull", "Walk")[0] == 0
    _, out, _ = run("ls", "--role", "extra", "--domain", "nature", "--here", "--json")
    (row,) = json.loads(out)["sets"]
    assert (row["name"], row["role"], row["here"], row["sampling"]) == ("Walk", "extra", "here", "1 day")
    assert row["size"] == {"kind": "recording", "channels": 2, "steps": 4000}
    _, out, _ = run("ls", "--role", "extra", "--domain", "nature")
    (line,) = [line for line in out.splitlines() if line.startswith("Walk")]
    assert line.split() == ["Walk", "nature", "4000x2", "day", "here"]
    assert "eval" not in out
    assert run("ls", "--role", "test")[0] == 2
    code, _, err = run("ls", "--domain", "weathr")
    assert code == 2 and "weather" in err


def test_info_says_all_that_is_known(run: Run, server: DataServer, cache: Path) -> None:
    code, out, _ = run("info", "ETTm1", "stroll")
    assert code == 0
    for words in (
        "CC BY-ND 4.0",
        catalogue()["ETTm1"].source.urls[0],
        "34,369 windows",
        "HUFL",
        "tsprout datasets pull ETTm1",
    ):
        assert words in out
    assert server.url("walk.csv") in out and "stroll" in out and str(cache / "extra" / "Walk.npz") in out
    _, out, _ = run("info", "AirQuality", "ECG5000", "MuJoCo", "Sine")
    for words in (
        "(9,357 printed)",
        "-200.0",
        "made by       mujoco",
        "made in memory",
        "500 + 4,500 series of 140 x 1",
    ):
        assert words in out
    run("pull", "Walk")
    (about,) = json.loads(run("info", "walk", "--json")[1])["sets"]
    assert about["complete"] and about["digest"] == about["content"]["digest"] and about["damaged"] is None
    assert "complete, " in run("info", "walk")[1]


def test_info_of_a_damaged_and_of_a_partial_file(run: Run, server: DataServer, cache: Path) -> None:
    run("pull", "Walk")
    np.savez(cache / "extra" / "Walk.npz", series=WALK + 1)
    code, out, err = run("info", "Walk")
    assert code == 0 and "damaged" in out and "pull Walk --force" in err
    assert json.loads(run("info", "Walk", "--json")[1])["sets"][0]["complete"] is False
    path = cache / "extra" / "Half.npz"
    np.savez(path, series=WALK[:9])
    pack = {"sha256": sets.file_digest(path), "partial": "the first rows only", "kind": "recording"}
    table = entry_table(server.url("walk.csv"), pack={**pack, "steps": 9, "channels": 2})
    write_catalogue(cache, {"Half": table})
    assert f"in part (the first rows only), {path}" in run("info", "Half")[1]
    (row,) = json.loads(run("ls", "--here", "--role", "extra", "--json")[1])["sets"]
    assert row["here"] == "partial"


@pytest.mark.parametrize("verb", [("info",), ("pull",), ("shots", "-o", "x.csv", "-k", "5")])
def test_unknown_names(run: Run, verb: tuple[str, ...]) -> None:
    code, out, err = run(verb[0], "ETTm3", *verb[1:])
    assert code == 2 and out == ""
    assert "ETTm3" in err and "Did you mean ETTm" in err and "tsprout datasets ls" in err
    error = json.loads(run(verb[0], "ETTm3", *verb[1:], "--json")[1])["error"]
    assert error["kind"] == "UnknownSetError" and error["exit_code"] == 2


def test_pull_and_pull_again(run: Run, server: DataServer, cache: Path) -> None:
    code, out, _ = run("pull", "walk", "Halves")
    assert code == 0
    assert str(cache / "extra" / "Walk.npz") in out and str(cache / "pretrain" / "Halves.npz") in out
    assert files_in(cache) == [
        "catalogue.toml",
        "extra/Walk.json",
        "extra/Walk.npz",
        "pretrain/Halves.json",
        "pretrain/Halves.npz",
    ]
    asked = len(server.asked)
    code, out, _ = run("pull", "Walk")
    assert code == 0 and "is here already" in out and len(server.asked) == asked
    account = json.loads(run("pull", "Walk", "--force", "--json")[1])
    assert account["ok"] and account["folder"] == str(cache) and account["failed"] == []
    (walk,) = account["pulled"]
    assert walk["complete"] and walk["exact"] and not walk["was_there"] and walk["bytes"] > 0
    assert len(server.asked) == asked + 1


def test_pull_to_a_folder(run: Run, server: DataServer, tmp_path: Path) -> None:
    assert run("pull", "Walk", "--to", tmp_path / "mine", "--quiet") == (0, "", "")
    assert files_in(tmp_path / "mine") == ["extra/Walk.json", "extra/Walk.npz"]
    assert f"TSPROUT_DATA={tmp_path / 'mine'}" in run("pull", "Walk", "--to", tmp_path / "mine")[2]


def test_a_dry_run_says_what_from_where_to_where(run: Run, server: DataServer, cache: Path) -> None:
    code, out, _ = run("pull", "Walk", "Sine", "--dry-run")
    assert code == 0 and server.asked == []
    for words in (
        server.url("walk.csv"),
        str(cache / "downloads" / "Walk" / "walk.csv"),
        "32.0 kB",
        "made here (sine)",
    ):
        assert words in out
    assert files_in(cache) == ["catalogue.toml"]
    account = json.loads(run("pull", "--role", "eval", "--dry-run", "--json")[1])
    assert {row["name"] for row in account["pulled"]} == {e.name for e in bundled() if e.role == "eval"}
    every = json.loads(run("pull", "--all", "--dry-run", "--json")[1])
    assert len(every["pulled"]) == len(bundled()) + 4
    assert run("pull")[0] == 2


def test_one_that_cannot_be_fetched(run: Run, server: DataServer, cache: Path) -> None:
    code, out, err = run("pull", "Gone")
    assert code == 1 and out == ""
    assert "gone.csv" in err and str(cache / "downloads" / "Gone" / "gone.csv") in err
    assert "then run the same command again" in err
    assert json.loads(run("pull", "Gone", "--json")[1])["error"]["exit_code"] == 1


def test_several_of_which_some_cannot_be_fetched(run: Run, server: DataServer, cache: Path) -> None:
    server.files["walk.csv"] = b"left,right\nx,y\n"
    code, out, err = run("pull", "Gone", "Walk", "Halves", "Lost")
    assert code == 1
    assert "Halves" in out and (cache / "pretrain" / "Halves.npz").is_file()
    for words in ("gone.csv", "lost.csv", "not a CSV file", "3 data sets failed, 1 of 4 done"):
        assert words in err
    account = json.loads(run("pull", "Gone", "Halves", "--json")[1])
    assert not account["ok"] and [row["name"] for row in account["pulled"]] == ["Halves"]
    assert account["failed"][0]["name"] == "Gone" and account["failed"][0]["fix"]


def test_a_cache_that_cannot_be_made(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TSPROUT_DATA", str(tmp_path / "file" / "data"))
    code, _, err = run("pull", "Sine")
    assert code == 2 and "TSPROUT_DATA" in err


def test_interrupted(run: Run, server: DataServer, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*args: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["tsprout.data.catalog.formats"], "read_source", stop)
        code, out, err = run("pull", "Walk", "Halves")
    assert code == 130 and out == ""
    assert "half-written" in err and str(cache / "downloads" / "Walk") in err
    assert not (cache / "extra" / "Walk.npz").exists() and not (cache / "pretrain").exists()
    asked = len(server.asked)
    assert run("pull", "Walk")[0] == 0 and len(server.asked) == asked


def test_what_is_not_stated_is_said_to_be(run: Run, server: DataServer, cache: Path) -> None:
    table = {key: value for key, value in entry_table(server.url("walk.csv")).items() if key != "sampling"}
    write_catalogue(cache, {"Plain": table})
    assert re.search(r"^  sampling +not stated$", run("info", "Plain")[1], re.MULTILINE)


def test_nobody_has_checked_a_recipe_who_does_not_say_so(run: Run, server: DataServer, cache: Path) -> None:
    assert re.search(r"^  checked +no;", run("info", "Walk")[1], re.MULTILINE)
    write_catalogue(cache, {"Sure": entry_table(server.url("walk.csv"), source={"checked": True})})
    assert re.search(r"^  checked +yes$", run("info", "Sure")[1], re.MULTILINE)
    assert re.search(r"^  checked +yes$", run("info", "ETTh2")[1], re.MULTILINE)


def test_a_set_of_which_nothing_is_known(run: Run, server: DataServer, cache: Path) -> None:
    bare = {"digest": None, "missing": None, "mean": None, "deviation": None}
    write_catalogue(cache, {"Bare": entry_table(server.url("walk.csv"), content=bare)})
    said = "unverified: nothing but the shape is known"
    assert said in run("pull", "Bare")[1] and said in run("pull", "Bare")[1]
    _, out, _ = run("info", "Bare")
    assert said in out and f"its digest    {sets.digest({'series': WALK})}" in out and "[Bare.content]" in out
    (about,) = json.loads(run("info", "Bare", "--json")[1])["sets"]
    assert about["agreement"] == "unverified" and about["found"]["missing"] == 0 and len(about["found"]["mean"]) == 2
    (again,) = json.loads(run("pull", "Bare", "--json")[1])["pulled"]
    assert again["was_there"] and not again["exact"] and again["agreement"] == "unverified"


def test_an_extra_that_is_not_installed_is_known_before_the_download(
    run: Run, server: DataServer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server.url("walk.csv")
    write_catalogue(cache, {name: entry_table(url, source={"format": name}) for name in ("ts", "xlsx", "rda")})
    for name, package in (("ts", "aeon"), ("xlsx", "openpyxl"), ("rda", "rdata"), ("MuJoCo", "dm_control")):
        monkeypatch.setitem(sys.modules, package, None)
        extra = name.lower()
        code, _, err = run("pull", name)
        assert code == 2 and package in err and f"pip install 'tsprout[{extra}]'" in err
        code, out, _ = run("pull", name, "--dry-run")
        assert code == 0 and f"needs the package {package}" in out and f"tsprout[{extra}]" in out
    assert server.asked == [] and files_in(cache) == ["catalogue.toml"]


def test_a_dry_run_lists_a_few_files_and_counts_the_rest(run: Run) -> None:
    code, out, _ = run("pull", "SMD", "--dry-run")
    assert code == 0 and out.count("\n    -> ") == 6
    assert "and 22 more files (28 in all, 28 to be fetched; --json has all)" in out
    (account,) = json.loads(run("pull", "SMD", "--dry-run", "--json")[1])["pulled"]
    assert len(account["files"]) == 28
    out = run("pull", "ETTm1", "--dry-run")[1]
    assert out.count("\n    -> ") == 1 and "more file" not in out


def test_a_damaged_file_before_a_good_one(
    run: Run, server: DataServer, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = tmp_path / "pack"
    assert run("pull", "Walk", "--to", pack)[0] == run("pull", "Walk")[0] == 0
    monkeypatch.setattr("tsprout.data.catalog.folders.pack_folder", lambda: pack)
    (cache / "extra" / "Walk.npz").write_bytes(b"harm")
    code, out, err = run("info", "Walk")
    assert code == 0 and "damaged" in out and f"used in its place: {pack / 'extra' / 'Walk.npz'}" in out
    assert err.count("tsprout datasets pull Walk --force") == 1
    assert "is here already" not in run("pull", "Walk")[1]
    _, out, err = run("info", "Walk")
    assert err == "" and f"complete, {cache / 'extra' / 'Walk.npz'}" in out


def test_a_mistake_in_the_catalogue_is_no_crash(run: Run, cache: Path) -> None:
    cache.mkdir(exist_ok=True)
    for text, words in (
        ('name = "x"', "[name]: name is not a table"),
        ("[starlightcurves]\nchannels = 1", "[starlightcurves]: 'kind' is missing"),
        ('[Mine]\nkind = "recording"\nchannels = 1', "[Mine]: 'steps' is missing"),
    ):
        (cache / "catalogue.toml").write_text(text, encoding="utf-8")
        code, out, err = run("ls")
        assert code == 2 and out == "" and "catalogue.toml" in err
        assert words in err


def test_help_is_quick_and_complete(run: Run) -> None:
    for verb, words in (("ls", "--here"), ("info", "NAME"), ("pull", "--dry-run"), ("shots", "--held-out")):
        code, out, _ = run(verb, "--help")
        assert code == 0 and words in out
