"""Tables against a result set made by hand: means, spreads, wins, ranks, marks, escapes."""

from __future__ import annotations

import csv
import io
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench_help import made_results, tiny

from tsprout.bench import jobs
from tsprout.bench.plots import cliques
from tsprout.bench.published import read_published
from tsprout.bench.ranks import Ranks, ranks, wins
from tsprout.bench.renderings import html, latex, markdown
from tsprout.bench.results import read_results, scores_csv
from tsprout.bench.spec import Spec, build
from tsprout.bench.tables import tables
from tsprout.cli import main
from tsprout.errors import InputError

BESIDE = {"floor": {"cfid": 0.1}, "copies": {"cfid": 2.0}, "noise": {"cfid": 9.0}}
NASTY = "a_b <i>|$\\x"


def spec(**more: Any) -> Spec:
    models = ["copies", {"model": "jitter", "label": NASTY}, {"model": "mixup", "label": "third"}]
    values = {"sets": ["Sine", "ILI", "ETTh2"], "lengths": [24], "seeds": [0, 1], "protocol": "paper", "shots": [10]}
    suites = {"suites": [{"name": "paper", "which": ["cfid"]}], "models": models}
    return build(tiny(**(values | suites | more)), "x")


def scores() -> dict[tuple[str, str, str, int], Any]:
    found: dict[tuple[str, str, str, int], Any] = {}
    for name, values in {
        "copies": {"Sine": (1.0, 3.0), "ILI": (0.5, 0.5), "ETTh2": (1.0, 1.0)},
        NASTY: {"Sine": (1.0, 1.0), "ILI": (0.5, 0.5), "ETTh2": (2.0, 4.0)},
        "third": {"Sine": (4.0, 4.0), "ILI": (0.7, 0.9)},
    }.items():
        for each, pair in values.items():
            found |= {(name, each, "10", seed): {"cfid": value} for seed, value in enumerate(pair)}
    found["third", "ETTh2", "10", 0] = "it broke"
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made_results(tmp_path / "made", spec(), scores(), BESIDE)
    return tmp_path / "made"


@pytest.fixture
def figures(tmp_path: Path) -> Path:
    place = tmp_path / "published.csv"
    place.write_text(
        "dataset,subset,metric,model,mean,std,source\n"
        'Sine,#10,context_fid,Paper & Co,0.125,.01,"arXiv 1, Table 2"\n'
        'ILI,#10,context_fid,Paper & Co,0.375,,"arXiv 1, Table 2"\n'
        "Sine,#10,context_fid,Paper & Co,0.5,,arXiv 3\n"
        "Sine,5%,context_fid,Else,7.5,,arXiv 3\n",
        encoding="utf-8",
    )
    return place


def test_figures(folder: Path) -> None:
    (made,) = tables(read_results(folder))
    assert made.title == "Context-FID (paper), protocol paper, length 24"
    assert [c.name for c in made.columns] == ["copies", NASTY, "third", "real again", "shots copied", "noise"]
    assert [c.kind for c in made.columns] == ["ours"] * 3 + ["beside"] * 3
    texts = {row.name: [entry.text for entry in row.entries] for row in made.rows}
    assert texts["Sine"] == ["2.000 ± 1.414", "1.000 ± 0.000", "4.000 ± 0.000"] + [
        "0.100 ± 0.000",
        "2.000 ± 0.000",
        "9.000 ± 0.000",
    ]
    assert texts["ETTh2"][:3] == ["1.000 ± 0.000", "3.000 ± 1.414", "failed"]
    # Of the two sets that all have done; equal scores are wins of both, and share their rank.
    assert texts["average of 2"] == ["1.250", "0.750", "2.400", "0.100", "2.000", "9.000"]
    assert texts["wins of 2"][:3] == ["1", "2", "0"]
    assert texts["mean rank"][:3] == ["1.75", "1.25", "3.00"]
    best = {row.name: [entry.best for entry in row.entries] for row in made.rows if row.kind == "set"}
    assert best["Sine"] == [False, True, False] + [False] * 3
    assert best["ILI"] == [True, True, False] + [False] * 3
    assert "1 of 18 cells are missing, 1 failed." in made.notes


def test_order_of_files_does_not_show(folder: Path, tmp_path: Path) -> None:
    made_results(tmp_path / "reverse", spec(), scores(), BESIDE, reverse=True)
    one, other = read_results(folder), read_results(tmp_path / "reverse")
    assert scores_csv(one) == scores_csv(other)
    for render in (markdown, latex, html):
        assert render(tables(one), "x") == render(tables(other), "x")


def test_published_figures_are_marked(folder: Path, figures: Path) -> None:
    (made,) = tables(read_results(folder), read_published(figures))
    theirs = [(i, c) for i, c in enumerate(made.columns) if c.kind == "published"]
    assert [(c.name, c.mark) for _, c in theirs] == [("Paper & Co", "†a"), ("Paper & Co", "†b")]
    assert dict(made.footnotes)["†a"] == "published, not measured here: arXiv 1, Table 2"
    rows = {row.name: [row.entries[i] for i, _ in theirs] for row in made.rows}
    assert [e.text for e in rows["Sine"]] == ["0.125 ± 0.010", "0.500"]
    assert [e.text for e in rows["ILI"]] == ["0.375", ""]
    assert [e.text for e in rows["average of 2"]] == ["0.250", ""]
    assert [e.text for e in rows["wins of 2"]] == ["", ""]
    both = {row.name: [entry.text for entry in row.entries] for row in made.rows}["wins of 2, † included"]
    assert both == ["0", "0", "0", "", "", "", "2", "0"]
    assert not any(entry.best for entries in rows.values() for entry in entries)
    text = jobs.table(folder, published=figures)["text"]
    assert "| Paper & Co †a | Paper & Co †b |" in text and "†a published, not measured here: arXiv 1, Table 2" in text
    assert (
        r"Paper \& Co\textsuperscript{\textdagger{}a}" in jobs.table(folder, published=figures, format="latex")["text"]
    )
    lines = csv.DictReader(io.StringIO(jobs.table(folder, published=figures, format="csv")["text"]))
    kinds = {(line["column"], line["kind"], line["source"]) for line in lines}
    assert ("Paper & Co", "published", "published, not measured here: arXiv 3") in kinds
    assert ("third", "ours", "measured") in kinds


def test_published_figures_of_another_protocol_stay_away(tmp_path: Path, figures: Path) -> None:
    for name, more in (("strict", {"protocol": "strict"}), ("long", {"lengths": [36]})):
        made_results(tmp_path / name, spec(**more), scores(), BESIDE)
        (made,) = tables(read_results(tmp_path / name), read_published(figures))
        assert not [c for c in made.columns if c.kind == "published"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a,b\n", "no column 'dataset'"),
        (
            "dataset,subset,metric,model,mean,std,source\nSine,#10,disc,X,many,,arXiv\n",
            "line 2: 'many' is not a number",
        ),
        ("dataset,subset,metric,model,mean,std,source\nSine,#10,disc,X,1,,\n", "its source"),
    ],
)
def test_bad_figures(tmp_path: Path, text: str, what: str) -> None:
    place = tmp_path / "bad.csv"
    place.write_text(text)
    with pytest.raises(InputError) as caught:
        read_published(place)
    assert what in str(caught.value)


def test_escapes(folder: Path) -> None:
    made = tables(read_results(folder))
    assert r"a\_b &lt;i&gt;\|$\\x" in markdown(made, "x")
    assert r"a\_b <i>|\$\textbackslash{}x" in latex(made, "x")
    page = html(made, "<script>alert(1)</script>")

    class Parser(HTMLParser):
        tags: list[str] = []  # noqa: RUF012  one parser

        def handle_starttag(self, tag: str, attrs: Any) -> None:
            self.tags.append(tag)

    parser = Parser()
    parser.feed(page)
    assert "i" not in parser.tags and "script" not in parser.tags and "http" not in page.split("<body>")[1]
    assert "a_b &lt;i&gt;|$\\x" in page and page.count("<td>failed") + page.count('<td class="ours">failed') == 1


def test_ranks_are_those_of_demsar() -> None:
    # Demšar (2006), section 3.2.3: four algorithms, 14 data sets, critical difference 1.25 at 5 %.
    rng = np.random.default_rng(0)
    found = ranks(("a", "b", "c", "d"), rng.random((14, 4)))
    assert found.critical == pytest.approx(1.25, abs=0.005) and found.blocks == 14
    assert sum(found.mean) == pytest.approx(10)
    assert wins(np.array([[1.0, 1.0], [2.0, 3.0]])) == [2, 1]
    with pytest.raises(InputError, match="cannot be ranked"):
        ranks(("a",), rng.random((3, 1)))


def test_cliques() -> None:
    found = Ranks(("a", "b", "c", "d"), (1.0, 1.5, 2.6, 4.0), 9, 1.2, 0.01)
    assert cliques(found) == [(1.0, 1.5), (1.5, 2.6)]


def test_a_table_on_the_screen_says_what_failed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "table", str(folder)]) == 0
    said = capsys.readouterr()
    assert "not all of 18 cells are done: 1 are missing, 1 failed" in said.err and "not all of" not in said.out


def test_compare(folder: Path) -> None:
    (line,) = jobs.compare(folder, one="copies", other=NASTY)["scores"]
    assert (line["tasks"], line["wins"], line["losses"], line["ties"]) == (3, 1, 1, 1)
    with pytest.raises(InputError, match="no model 'fourth'"):
        jobs.compare(folder, one="copies", other="fourth")


def test_export_and_plots(folder: Path, tmp_path: Path) -> None:
    account = jobs.export(folder, out=tmp_path / "scores.csv", times=tmp_path / "times.csv")
    assert (account["done"], account["failed"], account["missing"]) == (16, 1, 1)
    lines = list(csv.DictReader(io.StringIO((tmp_path / "scores.csv").read_text())))
    assert len(lines) == 18 and {line["status"] for line in lines} == {"done", "failed", "missing"}
    assert "fit" not in lines[0] and (tmp_path / "times.csv").read_text().startswith("model,set")
    with pytest.raises(InputError, match="the output exists"):
        jobs.export(folder, out=tmp_path / "scores.csv")
    account = jobs.plot(folder, out=tmp_path / "plots")
    assert account["files"] == ["paper-cfid-shots.png", "paper-cfid-time.png", "paper-cfid-ranks.png"]
    assert account["notes"] == ["copying of Context-FID (paper): no cell has what is needed yet"]
    assert all((tmp_path / "plots" / name).read_bytes().startswith(b"\x89PNG") for name in account["files"])


def test_pictures_are_replaced_only_when_told(folder: Path, tmp_path: Path) -> None:
    old = tmp_path / "paper-cfid-ranks.png"
    old.write_text("mine")
    with pytest.raises(InputError, match="the output exists") as caught:
        jobs.plot(folder, out=tmp_path)
    assert "force=True" in str(caught.value.fix) and caught.value.where == str(old)
    assert [path.name for path in tmp_path.glob("*.png")] == [old.name] and old.read_text() == "mine"
    assert main(["bench", "plot", str(folder), "-o", str(tmp_path), "--force"]) == 0
    assert old.read_bytes().startswith(b"\x89PNG")


def test_a_device_that_is_not_here_is_refused_before_anything_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    place = tmp_path / "spec.yaml"
    plain = "sets: [Sine]\nshots: [4]\nlengths: [12]\nseeds: [0]\nsuites: [quick]\nmodels: [copies]\n"
    place.write_text(plain + "run: {device: 'cuda:1'}\n")
    with pytest.raises(InputError, match="no device 'cuda:1'"):
        jobs.run(str(place), tmp_path / "out", jobs.BenchOptions())
    for device in ("cuda:1", "gpu", "cuda:one"):
        place.write_text(plain.replace("[copies]", f"[{{model: timevae, options: {{device: '{device}'}}}}]"))
        with pytest.raises(InputError, match=f"no device {device!r}"):
            jobs.run(str(place), tmp_path / "out", jobs.BenchOptions())
    assert not (tmp_path / "out").exists()


def test_no_benchmark(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no benchmark here"):
        jobs.table(tmp_path)
