"""The comparison on held-out domains: cells, going on after a stop, and the sums of the tables. All of it tiny."""

from __future__ import annotations

import importlib
import json
import math
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import real_sets
from tiny_models import PADDED, TRANSFORMER, woken

from tsprout.checkpoint import Checkpoint, save
from tsprout.data.protocols import strict
from tsprout.train.fewshot import Task, TaskName, prepare_task
from tsprout.train.finetune import FinetuneConfig

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
ARGUMENTS = "--sets NYCTaxi SteamGen --shots 6 --seeds 3 -n 20 --budget 2s --paper-steps 2 --scratch-steps 4"
ARGUMENTS += " --scores cfid disc --repeats 1 --iterations 2"


@pytest.fixture
def held_out(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, with tasks cut from invented recordings."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for name in ("held_out", "held_out_tables"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    module = importlib.import_module("held_out")

    def made(name: TaskName, **options: Any) -> Task:
        rng = np.random.default_rng([len(name.set), name.seed])
        series = np.stack([np.sin(np.arange(4000) / 3), np.cos(np.arange(4000) / 5)])
        recording = real_sets.recordings(series + 0.2 * rng.standard_normal(series.shape))
        split = strict(recording, shots=name.shots, length=name.length, seed=name.seed)
        return prepare_task(name, split=split, **options)

    monkeypatch.setattr("tsprout.budget.MIN_BUDGET", 2.0)
    monkeypatch.setattr(module, "prepare_task", made)
    monkeypatch.setattr(module, "SCRATCH", FinetuneConfig(steps=4, batch=8, episodes=2, evaluate_every=2))
    return module


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """What to call it with: tiny checkpoints, two tasks."""
    save(Checkpoint(woken(TRANSFORMER)), tmp_path / "small")
    save(Checkpoint(woken(PADDED)), tmp_path / "paper")
    folders = [
        "--out",
        str(tmp_path / "out"),
        "--checkpoint",
        str(tmp_path / "small"),
        "--paper",
        str(tmp_path / "paper"),
    ]
    return [*folders, *ARGUMENTS.split()]


def times(out: Path) -> dict[str, int]:
    return {str(p.relative_to(out)): p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()}


def test_a_run_a_stop_and_the_rest(
    held_out: ModuleType, arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    table, account = tmp_path / "table.md", tmp_path / "account.json"
    held_out.main([*arguments, "--table", str(table), "--json", str(account)])
    told = capsys.readouterr().out
    assert told.count("] NYCTaxi/6/24/3") == told.count("] SteamGen/6/24/3") == 4
    first = times(out)
    cells = json.loads(account.read_text())["cells"]
    assert {(c["task"]["set"], c["contender"]) for c in cells} == {
        (name, who) for name in ("NYCTaxi", "SteamGen") for who in held_out.CONTENDERS
    }
    by = {c["contender"]: c for c in cells if c["task"]["set"] == "SteamGen"}
    assert {c["facts"]["kept"] for c in (by["prompt"], by["paper"], by["scratch"])} == {"prompt", "paper", "full"}
    assert 0 < by["scratch"]["facts"]["steps"] <= 4 and by["paper"]["facts"]["steps"] == 2
    assert {"cfid", "disc", "frechet", "copying"} <= set(by["paper"]["value"])
    drawn = {who: np.load(out / "cells" / "SteamGen-6-24-3" / f"{who}.npy") for who in by}
    assert all(values.shape == (20, 2, 24) and np.isfinite(values).all() for values in drawn.values())
    assert not np.array_equal(drawn["prompt"], drawn["scratch"])
    for word in ("prompt better than", "Context-FID", "| floor |", "| copies |", "2 tasks, 2 sets"):
        assert word in table.read_text()

    held_out.main(arguments)
    assert times(out) == first and "] " not in capsys.readouterr().out.split("###")[0]

    (out / "cells" / "NYCTaxi-6-24-3" / "auto.json").unlink()
    held_out.main(arguments)
    again = times(out)
    assert {path for path in again if again[path] != first[path]} == {"cells/NYCTaxi-6-24-3/auto.json"}

    held_out.main([*arguments, "--paper-steps", "3", "--contenders", "prompt", "paper"])
    changed = {path for path, when in times(out).items() if again[path] != when}
    assert changed == {
        f"cells/{s}-6-24-3/paper{end}" for s in ("NYCTaxi", "SteamGen") for end in (".npy", ".made.json", ".json")
    }


def test_scores_alone_are_done_anew_where_only_they_change(
    held_out: ModuleType, arguments: list[str], tmp_path: Path
) -> None:
    few = ["--sets", "SteamGen", "--contenders", "prompt"]
    held_out.main([*arguments, *few])
    before = times(tmp_path / "out")
    held_out.main([*arguments, *few, "--scores", "cfid"])
    cell = "cells/SteamGen-6-24-3/prompt"
    after = times(tmp_path / "out")
    assert {p for p in before if after[p] != before[p]} == {f"{cell}.json"}
    assert "disc" not in json.loads((tmp_path / "out" / f"{cell}.json").read_text())["value"]


def test_the_time_limit_begins_no_more_cells(
    held_out: ModuleType, arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held_out.main([*arguments, "--seconds", "0"])
    told = capsys.readouterr().out
    assert "8 of 8 cells" in told and "No task is finished" in told
    assert not (tmp_path / "out" / "cells").exists()


def test_the_paper_needs_its_checkpoint(held_out: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stopped:
        held_out.main(["--out", str(tmp_path)])
    assert stopped.value.code == 2


def cell(name: str, contender: str, cfid: float, *, seed: int = 3, copying: float = 1.0) -> dict[str, Any]:
    beside = {
        "floor": {"cfid": 0.5, "copying": 1.0},
        "copies": {"cfid": 4.0, "copying": 0.0, "near_copies": 1.0},
        "noise": {"cfid": 20.0, "copying": 3.0},
    }
    facts = {"kept": contender, "steps": 7, "fit seconds": 2.0, "sample seconds": 1.0}
    task = {"set": name, "shots": 10, "length": 24, "seed": seed}
    return {"task": task, "contender": contender, "value": {"cfid": cfid, "copying": copying}, **beside, "facts": facts}


def test_known_sums(held_out: ModuleType) -> None:
    tables = importlib.import_module("held_out_tables")
    cells = [cell("a", "prompt", 1.0, seed=s, copying=0.9) for s in (3, 4)] + [cell("b", "prompt", 4.0, seed=3)]
    cells += [cell("a", "paper", v, seed=s, copying=1.5) for s, v in ((3, 2.0), (4, 0.8))] + [cell("b", "paper", 6.0)]
    cells += [cell("c", "prompt", 100.0)]
    summed = tables.account(cells, ["prompt", "paper"], fresh=["b"])
    assert summed["left out"] == 1
    every = summed["groups"]["all"]
    assert (every["tasks"], every["sets"], every["seeds"]) == (3, 2, 2)
    prompt = every["scores"]["prompt"]["cfid"]
    assert prompt["mean"] == pytest.approx(2.0)
    assert prompt["over seeds"] == pytest.approx(abs(2.5 - 1) / math.sqrt(2))
    assert prompt["over sets"] == pytest.approx(3 / math.sqrt(2))
    assert prompt["ratio"] == pytest.approx((0.25 * 0.25 * 1) ** (1 / 3))
    assert every["scores"]["copies"]["cfid"]["mean"] == 4.0 and "ratio" not in every["scores"]["copies"]["cfid"]
    assert every["wins"]["paper"] == {"cfid": [2, 3], "copying": [2, 3]}
    assert every["wins"]["copies"] == {"cfid": [2, 3]}
    assert summed["groups"]["sets that no choice was made by"]["tasks"] == 1
    text = tables.markdown(summed)
    assert "| paper | 2 of 3 | 2 of 3 |" in text and "1 tasks are left out" in text
    assert tables.account([], ["prompt"])["groups"] == {}
