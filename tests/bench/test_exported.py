"""Exported results are read again as they were, and put beside others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bench.test_tables import BESIDE, NASTY, scores, spec
from bench_help import made_results

from tsprout.bench import jobs
from tsprout.bench.results import read_results, scores_csv, times_csv
from tsprout.cli import main
from tsprout.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made_results(tmp_path / "made", spec(), scores(), BESIDE)
    return tmp_path / "made"


def test_what_was_exported_gives_the_same_tables_and_pictures(folder: Path, tmp_path: Path) -> None:
    jobs.export(folder, out=tmp_path / "tiny.csv", times=tmp_path / "tiny-times.csv")
    read = read_results(tmp_path / "tiny.csv")
    assert scores_csv(read) == scores_csv(read_results(folder)) and read.plan["name"] == "tiny"
    assert jobs.table(tmp_path / "tiny.csv")["text"] == jobs.table(folder)["text"]
    assert (
        jobs.compare(tmp_path / "tiny.csv", one="copies", other=NASTY)["scores"]
        == (jobs.compare(folder, one="copies", other=NASTY)["scores"])
    )
    both = read_results(tmp_path / "tiny-times.csv", tmp_path / "tiny.csv")
    assert times_csv(both) == (tmp_path / "tiny-times.csv").read_text()
    account = jobs.plot(tmp_path / "tiny.csv", tmp_path / "tiny-times.csv", out=tmp_path / "plots")
    assert account["files"] == ["paper-cfid-shots.png", "paper-cfid-time.png", "paper-cfid-ranks.png"]


def test_later_results_replace_and_add(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs.export(folder, out=tmp_path / "old.csv")
    more = spec(models=["copies", {"model": "mixup", "label": "fourth"}], sets=["ILI"])
    new = {(name, "ILI", "10", seed): {"cfid": 0.25} for name in ("copies", "fourth") for seed in (0, 1)}
    made_results(tmp_path / "new", more, new, BESIDE)
    merged = read_results(tmp_path / "old.csv", tmp_path / "new")
    assert merged.unique("model") == ["copies", NASTY, "third", "fourth"]
    assert len(merged.cells) == 18 + 2
    values = {(r.cell["model"], r.cell["seed"]): r.value("cfid") for r in merged.of(set="ILI")}
    assert values["copies", 0] == values["fourth", 1] == 0.25 and values[NASTY, 0] == 0.5
    empty = spec(models=["copies", {"model": "mixup", "label": "third"}])
    made_results(tmp_path / "empty", empty, {}, BESIDE)
    again = read_results(tmp_path / "old.csv", tmp_path / "empty")
    assert scores_csv(again) == (tmp_path / "old.csv").read_text(), "what is not done takes no place"
    out = tmp_path / "merged.csv"
    assert main(["bench", "export", str(tmp_path / "old.csv"), str(tmp_path / "new"), "-o", str(out)]) == 0
    assert out.read_text() == scores_csv(merged)
    capsys.readouterr()
    assert (
        main(["bench", "compare", str(tmp_path / "old.csv"), str(tmp_path / "new"), "copies", "third", "--json"]) == 0
    )
    assert json.loads(capsys.readouterr().out)["one"] == "copies"


def test_files_that_are_none_are_refused_in_words(folder: Path, tmp_path: Path) -> None:
    jobs.export(folder, out=tmp_path / "x.csv", times=tmp_path / "x-times.csv")
    good = (tmp_path / "x.csv").read_text()
    bad = tmp_path / "bad.csv"
    for text, words in (
        ("a,b\n1,2\n", "no column 'model'"),
        (good.replace("metric", "metrics"), "no column 'metric'"),
        (good.replace("done", "perhaps", 1), "status 'perhaps'"),
        (good.replace(",24,0,", ",24,first,", 1), "'first' in column 'seed'"),
        (good.replace("1.0", "one", 1), "'one' is not a number"),
        (good.replace("paper,", "strict,", 1), "2 protocols"),
        (good + "paper,copies\n", "another number of cells"),
        ("", "no column"),
    ):
        bad.write_text(text)
        with pytest.raises(InputError, match=words) as caught:
            read_results(bad)
        assert "bad.csv" in str(caught.value.where)
    bad.write_bytes(b"\xff\xfe\x00protocol")
    with pytest.raises(InputError, match="cannot be read"):
        read_results(bad)
    bad.write_text(good.replace("\npaper,", "\nstrict,"))
    with pytest.raises(InputError, match="its protocol is strict, and paper"):
        read_results(tmp_path / "x.csv", bad)
    with pytest.raises(InputError, match="no scores"):
        read_results(tmp_path / "x-times.csv")
    with pytest.raises(InputError, match="no benchmark here"):
        read_results(tmp_path / "nowhere")
