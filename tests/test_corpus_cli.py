"""``tsprout corpus`` from the outside: exit codes, what is said where, what is left on disk."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_corpus import HELD, TRAINED, data_folder, noisy_walk

from tsprout import cli
from tsprout.data.catalog import sets
from tsprout.data.corpus import guard
from tsprout.data.corpus.store import Corpus

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """``run("info", path)`` -> exit code, standard output, standard error; in an empty folder, beside tiny data."""
    monkeypatch.setenv("TSPROUT_DATA", str(data_folder(tmp_path / "data")))
    monkeypatch.setattr("tsprout.data.catalog.folders.pack_folder", lambda: None)
    monkeypatch.setattr(sets, "pack_folder", lambda: None)
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.chdir(place)

    def call(*argv: Any) -> tuple[int, str, str]:
        capsys.readouterr()
        code = cli.main(["corpus", *(str(part) for part in argv)])
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return code, said.out, said.err

    return call


def everything_in(folder: str | Path = ".") -> list[str]:
    return sorted(os.listdir(folder))


def names(corpus: str) -> list[str]:
    return [entry.name for entry in Corpus(corpus).sets]


def own_csv(path: Path, steps: int = 80) -> Path:
    rows = [f"{t},{x:.4f}" for t, x in enumerate(noisy_walk(steps, 1, seed=3)[0])]
    path.write_text("\n".join(["step,load", *rows]) + "\n", encoding="utf-8")
    return path


def test_build_for_a_person(run: Run) -> None:
    code, out, err = run("build", "-o", "made")
    assert code == 0, err
    assert everything_in() == ["made"]
    assert everything_in("made") == ["corpus.json", "pieces.parquet", "shard-00000.arrow"]
    assert names("made") == sorted([*TRAINED, HELD])
    assert out.startswith("5 sets, 20,080 values, ") and "in 1 shard\n" in out
    for domain in ("industry", "nature", "shape", "web"):
        assert domain in out
    assert out.endswith("written to made\n")
    assert "note: Priced is left out: a vendor's terms" in err
    assert "note: Near is left out: it records the same as the evaluation set Judge" in err
    assert "note: not here: " in err and "tsprout datasets pull fetches them" in err
    assert "Judge is left out" not in err


def test_build_as_json(run: Run) -> None:
    code, out, err = run("build", "-o", "made", "--set", "walk", "--set", "Shapes", "--json")
    assert code == 0
    account = json.loads(out)
    assert account["command"] == "corpus build" and account["corpus"] == "made"
    assert [(e["name"], e["kind"], e["series"], e["channels"]) for e in account["sets"]] == [
        ("Shapes", "instances", 50, 1),
        ("Walk", "recordings", 1, 3),
    ]
    assert account["left_out"] == {} and account["absent"] == []
    assert sum(found["share"] for found in account["domains"].values()) == pytest.approx(1)
    assert "written to made" in err
    code, out, _ = run("info", "made", "--json")
    assert json.loads(out)["sets"] == account["sets"]


def test_quiet_says_nothing(run: Run) -> None:
    assert run("build", "-o", "made", "--set", "Walk", "--quiet") == (0, "", "")
    assert run("info", "made", "--quiet") == (0, "", "")
    code, out, err = run("info", "made", "--json", "--quiet")
    assert (code, err) == (0, "") and json.loads(out)["values"] == 6000


def test_info_for_a_person(run: Run) -> None:
    run("build", "-o", "made")
    code, out, err = run("info", "made")
    assert (code, err) == (0, "")
    lines = {line.split()[0]: line.split() for line in out.splitlines() if line.strip()}
    assert lines["Walk"] == ["Walk", "nature", "1", "3", "6,000", lines["Walk"][-1]]
    assert lines["Held"][-2:] == ["held", "out"]
    drawn = [float(lines[name][-1].rstrip("%")) for name in TRAINED]
    assert sum(drawn) == pytest.approx(100, abs=0.05)
    # A set in a domain of its own; drawn by size at temperature 1.
    _, out, _ = run("info", "made", "--temperature", 1, "--json")
    shares = {entry["name"]: entry["share"] for entry in json.loads(out)["sets"]}
    sizes = {entry.name: entry.values for entry in Corpus("made").sets if not entry.held_out}
    assert {n: shares[n] for n in TRAINED} == pytest.approx({n: s / sum(sizes.values()) for n, s in sizes.items()})


def test_the_choices(run: Run, tmp_path: Path) -> None:
    own = own_csv(tmp_path / "load.csv")
    code, _, err = run("build", "-o", "made", "--exclude", "Many", "--exclude", HELD, "--add", own, "--any-licence")
    assert code == 0, err
    assert names("made") == ["Pieces", "Priced", "Shapes", "Walk", "load"]
    assert "note: Many is left out: excluded by the caller" in err
    assert Corpus("made").sets[-1].domain == "own"


def test_the_seed_orders_the_series(run: Run) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        assert run("build", "-o", name, "--set", "Shapes", "--seed", seed)[0] == 0
    a, b, c = (Path(name, "shard-00000.arrow").read_bytes() for name in "abc")
    assert a == b != c


def test_an_output_that_exists_is_replaced_only_when_forced(run: Run) -> None:
    assert run("build", "-o", "made", "--set", "Walk")[0] == 0
    code, out, err = run("build", "-o", "made", "--set", "Many")
    assert (code, out) == (2, "")
    assert "the output folder exists" in err and "--force" in err
    assert names("made") == ["Walk"]
    assert run("build", "-o", "made", "--set", "Many", "--force")[0] == 0
    assert names("made") == ["Many"] and everything_in() == ["made"]
    # Nobody's other files are thrown away.
    Path("made/notes.txt").touch()
    code, _, err = run("build", "-o", "made", "--set", "Walk", "--force")
    assert code == 2 and "notes.txt" in err
    assert names("made") == ["Many"]


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (["--set", "Wlak"], ["no data set is called 'Wlak'", "Did you mean Walk?"]),
        (["--exclude", "Wlak"], ["no data set is called 'Wlak'"]),
        (["--set", "Judge"], ["Judge cannot be in a corpus: it is an evaluation set", "Leave it out."]),
        (["--set", "ETTm1"], ["ETTm1 cannot be in a corpus: it is an evaluation set"]),
        (["--set", "ETTh1", "--any-licence"], ["ETTh1 cannot be in a corpus", "the evaluation set ETTm1"]),
        (["--set", "Priced"], ["Priced cannot be in a corpus: a vendor's terms"]),
        (["--set", "BikeSharing"], ["not here: BikeSharing", "tsprout datasets pull BikeSharing"]),
        (["--add", "nowhere.csv"], ["nowhere.csv"]),
        (["--seed", "-1"], ["--seed"]),
    ],
)
def test_what_cannot_be_done_is_said(run: Run, choice: list[str], words: list[str]) -> None:
    code, out, err = run("build", "-o", "made", *choice)
    assert (code, out) == (2, "")
    assert all(word in err for word in words)
    assert everything_in() == []


def test_errors_as_json(run: Run) -> None:
    code, out, _ = run("build", "-o", "made", "--set", "Judge", "--json")
    error = json.loads(out)["error"]
    assert code == error["exit_code"] == 2
    assert error["kind"] == "InputError" and "evaluation set" in error["what"]
    assert everything_in() == []


def test_a_renamed_evaluation_set_is_refused(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = own_csv(tmp_path / "mine.csv", steps=400)
    values = np.loadtxt(own, delimiter=",", skiprows=1)[:, 1]
    monkeypatch.setattr(guard, "known", lambda: {"Judge": guard.fingerprint([5 - 2 * values[None]])})
    code, out, err = run("build", "-o", "made", "--set", "Walk", "--add", own)
    assert (code, out) == (2, "")
    assert "mine.csv holds values of the evaluation set Judge; nothing may be trained on them" in err
    assert everything_in() == []


def test_no_data_at_all(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TSPROUT_DATA", str(tmp_path / "nothing"))
    code, out, err = run("build", "-o", "made")
    assert (code, out) == (2, "")
    assert "there is no data set to build a corpus of" in err
    assert "nothing" in err and "tsprout datasets pull --role pretrain" in err
    assert everything_in() == []
    own = own_csv(tmp_path / "load.csv")
    assert run("build", "-o", "made", "--add", own)[0] == 0
    assert names("made") == ["load"]


def test_info_of_what_is_not_a_corpus(run: Run) -> None:
    for place in ("nowhere", ".", "nosuch://place"):
        code, out, err = run("info", place)
        assert (code, out) == (2, "")
        assert "there is no corpus" in err and "tsprout corpus build" in err


@pytest.mark.parametrize("name", ["corpus.json", "pieces.parquet"])
def test_info_of_a_damaged_corpus(run: Run, name: str) -> None:
    assert run("build", "-o", "made", "--set", "Walk")[0] == 0
    path = Path("made", name)
    path.write_bytes(path.read_bytes()[:-40])
    code, out, err = run("info", "made")
    assert (code, out) == (2, "")
    assert f"made: the corpus is damaged: {name}" in err and "Build it again" in err


def test_a_temperature_that_makes_no_sense(run: Run) -> None:
    run("build", "-o", "made", "--set", "Walk")
    for temperature in ("0", "-3", "nan"):
        code, _, err = run("info", "made", "--temperature", temperature)
        assert code == 2 and "makes no sense" in err


def test_own_files_alone_are_read_as_asked(run: Run, tmp_path: Path) -> None:
    array = np.random.default_rng(0).standard_normal((6, 30, 2)).astype(np.float32)
    np.save(tmp_path / "mine.npy", array)
    code, _, err = run("build", "-o", "made", "--only-added", "--add", tmp_path / "mine.npy")
    assert code == 2 and "Pass axes" in err
    code, _, err = run("build", "-o", "made", "--only-added", "--add", tmp_path / "mine.npy", "--axes", "nlc")
    assert code == 0, err
    corpus = Corpus("made")
    assert [(e.name, e.pieces, e.channels) for e in corpus.sets] == [("mine", 6, 2)]
    assert run("build", "-o", "none", "--only-added")[0] == 2
