"""One cell: the ways of fitting, the paper's scores at full size, what all models share, and the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench_help import LocalForked, tiny
from tiny_models import PADDED, TRANSFORMER, woken

from tsprout.bench import scoring
from tsprout.bench.cell import cut
from tsprout.bench.executors import choose
from tsprout.bench.generate import generate
from tsprout.bench.spec import build
from tsprout.cli import main
from tsprout.errors import TsproutError
from tsprout.synthesizer import Sprout

EXACT = {"name": "paper", "which": ["disc", "cfid"], "repeats": 2, "iterations": 2}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("models")
    Sprout(woken(TRANSFORMER)).save_pretrained(place / "prompted")
    Sprout(woken(PADDED)).save_pretrained(place / "padded")
    return place


@pytest.mark.parametrize("protocol", ["strict", "paper"])
@pytest.mark.parametrize(
    ("model", "kept"),
    [
        ({"model": "prompted", "mode": "prompt"}, "prompt"),
        ({"model": "prompted", "fit": "scratch", "fit_steps": 2}, "full"),
        ({"model": "padded", "fit": "published", "fit_steps": 2}, "published"),
    ],
)
def test_ways_of_fitting(folders: Path, protocol: str, model: dict[str, Any], kept: str) -> None:
    own = model | {"model": str(folders / model["model"])}
    spec = build(tiny(models=[own, own | {"label": "again", "version": "2"}], protocol=protocol), "x")
    split = cut(spec.cells()[0])
    values, facts = generate(spec.cells()[0], split, 7)
    assert values.shape == (7, 6, 12) and values.dtype == np.float32 and facts["kept"] == kept
    assert facts["seconds"].keys() == {"fit", "sample"}
    again, _ = generate(spec.cells()[1], split, 7)
    assert np.array_equal(values, again)


def test_a_published_way_for_the_wrong_model(folders: Path) -> None:
    spec = build(tiny(models=[{"model": str(folders / "prompted"), "fit": "published"}]), "x")
    with pytest.raises(TsproutError, match="prompt encoder"):
        generate(spec.cells()[0], cut(spec.cells()[0]), 3)


def test_the_papers_scores_at_full_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = build(tiny(protocol="paper", suites=[EXACT], models=["copies"], series=None), "x").cells()[0]
    split = cut(cell)
    assert len(split.reference) == 40 and split.scaled
    found = scoring.score(cell, split, split.reference.values, tmp_path)
    assert found["sizes"] == {"reference": 40, "synthetic": 40, "compared": 40}
    scores = found["scores"]
    assert scores["value"]["cfid"] == pytest.approx(0, abs=1e-3) and scores["within"].keys() == {"disc"}
    assert scores["noise"]["cfid"] > scores["value"]["cfid"] and scores["copies"]["copying"] == 0
    assert set(scores["floor"]) == {"disc", "cfid", "copying"}
    calls: list[int] = []
    monkeypatch.setattr(scoring, "_exact_beside", lambda *given: calls.append(1))
    again = scoring.score(cell, split, split.reference.values, tmp_path)
    assert again == found and not calls
    assert not [path for path in tmp_path.iterdir() if "lock" in path.name or "busy" in path.name]


def test_the_paper_protocol_keeps_its_subset_and_the_strict_one_does_not() -> None:
    for protocol, same in (("paper", True), ("strict", False)):
        spec = build(tiny(protocol=protocol, seeds=[0, 1], models=["copies"]), "x")
        first, second = (cut(cell).shots.values for cell in spec.cells())
        assert np.array_equal(first, second) == same


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "LocalExecutor", LocalForked)
    place, out = tmp_path / "mine.yaml", str(tmp_path / "out")
    values = tiny(models=["copies", "jitter"])
    place.write_text(json.dumps(values))
    assert main(["bench", "run", str(place), "-o", out, "--json", "--limit-time", "1h", "--only", "nothing"]) == 2
    assert "no cell has a name" in json.loads(capsys.readouterr().out)["error"]["what"]
    assert main(["bench", "run", str(place), "-o", out, "--json", "--also", "{model: mixup, label: third}"]) == 0
    printed = capsys.readouterr()
    account = json.loads(printed.out)
    assert account["done"] == account["cells"] == 3 and "[3/3]" in printed.err and "left" in printed.err
    assert main(["bench", "table", out, "--metric", "frechet"]) == 0
    assert "| #4 | Sine |" in capsys.readouterr().out
    page = tmp_path / "page.html"
    assert main(["bench", "table", out, "-o", str(page), "-q"]) == 0 and page.read_text().startswith("<!doctype html>")
    assert main(["bench", "table", out, "-o", str(page)]) == 2
    assert main(["bench", "table", out, "--metric", "speed"]) == 2
    assert main(["bench", "table", out, "--format", "docx"]) == 2
    assert main(["bench", "table", out, "-o", str(page.with_suffix(".docx"))]) == 2
    assert not page.with_suffix(".docx").exists()
    capsys.readouterr()
    assert main(["bench", "compare", out, "copies", "third", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["scores"][0]["tasks"] == 1
    assert main(["bench", "compare", out, "copies", "third"]) == 0
    assert main(["bench", "export", out, "-o", str(tmp_path / "s.csv")]) == 0
    assert main(["bench", "export", out, "-o", str(tmp_path / "s.xls")]) == 2
    assert main(["bench", "plot", out, "-o", str(tmp_path / "plots"), "--metric", "frechet"]) == 0
    assert (tmp_path / "plots" / "quick-frechet-copying.png").exists()
    assert main(["bench", "run", "--list"]) == 0 and "paper-168" in capsys.readouterr().out
    assert main(["bench", "run", "smoke"]) == 2
