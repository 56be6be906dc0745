"""A run does what is missing, whatever became of the last one; what fails is recorded and stops nothing."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import time
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from bench_help import LocalForked, child, install_models, outputs, tiny

from tsprout.bench.executors import LocalExecutor, Outcome
from tsprout.bench.jobs import table
from tsprout.bench.runner import Event, run
from tsprout.bench.spec import build
from tsprout.bench.store import CELLS, SERIES, Store
from tsprout.data.protocols import strict
from tsprout.errors import InputError

once = cache(strict)


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fake models, and tasks that are cut once: cutting takes longer than all else that is done for a cell."""
    install_models(tmp_path, monkeypatch)
    monkeypatch.setattr("tsprout.bench.cell.strict", once)


class Inline:
    """Jobs in this process."""

    slots = 2

    def __init__(self) -> None:
        self.jobs: list[str] = []
        self.ended: list[Outcome] = []

    def submit(self, job: Any) -> None:
        from tsprout.bench.cell import Job, run_job

        self.jobs.append(job.name)
        run_job(Job.from_json(job.to_json()))
        self.ended.append(Outcome(job))

    def finished(self, seconds: float) -> list[Outcome]:
        ended, self.ended = self.ended, []
        return ended

    def close(self) -> None:
        pass


def cells(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (folder / CELLS).iterdir()}


def test_only_what_is_missing(tmp_path: Path) -> None:
    out, events = tmp_path / "out", list[Event]()
    values = tiny(models=["copies", "jitter"], shots=[4, 5])
    first = Inline()
    account = run(build(values, "x"), out, first, only=["*/Sine/4/*"], watch=events.append)
    assert (account["cells"], account["done"], account["failed"], account["ok"]) == (2, 2, [], True)
    assert first.jobs == ["copies/Sine/4/12/0/quick", "jitter/Sine/4/12/0/quick"]
    assert [(e.done, e.total) for e in events] == [(0, 2), (1, 2), (2, 2)] and events[-1].left == 0
    before = cells(out)
    more = Inline()
    account = run(build(values | {"models": ["copies", "jitter", "fake-shaky"]}, "x"), out, more)
    assert account["done"] == account["cells"] == 6 and len(more.jobs) == 4
    assert before.items() <= cells(out).items()
    assert not list((out / SERIES).iterdir())
    nothing = Inline()
    run(build(values, "x"), out, nothing)
    assert not nothing.jobs
    record = json.loads(next(iter(cells(out).values())))
    assert record["scores"].keys() >= {"value", "floor", "copies", "noise"} and record["sizes"]["compared"] == 10
    assert record["run"]["seconds"].keys() == {"fit", "sample", "score"} and record["run"]["versions"]["torch"]
    with pytest.raises(InputError, match="no cell has a name"):
        run(build(values, "x"), out, Inline(), only=["nothing"])


def test_order_of_the_run_does_not_show(tmp_path: Path) -> None:
    values = tiny(models=["fake-shaky", "fake-failing"], seeds=[0, 1])
    one, other = tmp_path / "one", tmp_path / "other"
    run(build(values, "x"), one, Inline())
    once.cache_clear()  # the tasks too must be the same in another order
    for pattern in ("*/1/quick", "fake-failing*", "*"):
        run(build(values, "x"), other, Inline(), only=[pattern])
    assert outputs(one, tmp_path) == outputs(other, tmp_path)


def test_a_failure_is_recorded_and_tried_again_when_asked(tmp_path: Path) -> None:
    spec = build(tiny(models=["fake-failing", "copies"], sets=["Sine", "ETTh2"], reference=40), "x")
    account = run(spec, tmp_path / "out", Inline(), only=["*/Sine/*"])
    assert account["done"] == 1 and not account["ok"]
    assert account["failed"][0]["cell"] == "fake-failing/Sine/4/12/0/quick"
    assert account["failed"][0]["kind"] == "ZeroDivisionError"
    assert account["failed"][0]["what"] == "it cannot | be <drawn>"
    again = Inline()
    assert run(spec, tmp_path / "out", again, only=["*/Sine/*"])["failed"] and not again.jobs
    assert run(spec, tmp_path / "out", again, only=["*/Sine/*"], retry=True)["failed"]
    assert again.jobs == ["fake-failing/Sine/4/12/0/quick"]
    text = table(tmp_path / "out", format="md", metrics=["marginal"])["text"]
    assert "failed" in text and "2 of 4 cells are missing, 1 failed." in text


def test_a_task_that_cannot_be_cut_is_a_failure(tmp_path: Path) -> None:
    spec = build(tiny(models=["copies"], shots=[4, 10_000_000]), "x")
    account = run(spec, tmp_path / "out", Inline())
    assert account["done"] == 1 and account["failed"][0]["kind"] == "InputError"


def test_crash_and_timeout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deaths = tmp_path / "deaths"
    monkeypatch.setenv("FAKE_DEATHS", str(deaths))
    run_section = {"timeout": "5s", "retries": 2}
    spec = build(tiny(models=["fake-dying", "fake-slow", "copies"], run=run_section), "x")
    account = run(spec, tmp_path / "out", LocalForked(2), only=["fake-*"])
    errors = {each["cell"].split("/")[0]: each["what"] for each in account["failed"]}
    assert "signal 9" in errors["fake-dying"] and deaths.read_text() == "xxx"
    assert "stopped after 5 s" in errors["fake-slow"]
    monkeypatch.setattr("tsprout.bench.executors.local.PRELOAD", [])  # more than one small job is worth
    rest = build(tiny(models=["fake-dying", "fake-slow", "copies"]), "x")
    assert run(rest, tmp_path / "out", LocalExecutor(1))["done"] == 1


def test_time_limit(tmp_path: Path) -> None:
    account = run(build(tiny(), "x"), tmp_path / "out", Inline(), seconds=0)
    assert account["stopped"] == "time" and account["missing"] == 2 and account["done"] == 0


def test_a_folder_of_others_and_two_runs(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "thesis.tex").write_text("")
    with pytest.raises(InputError, match="other files"):
        run(build(tiny(), "x"), tmp_path / "own", Inline())
    store = Store(tmp_path / "out")
    store.prepare()
    half = store.beside / ".floor.npy.1.partial"
    half.write_text("being written")
    with store.alone(), pytest.raises(InputError, match="another run"):
        run(build(tiny(), "x"), tmp_path / "out", Inline())
    assert half.exists(), "what another run is writing is left alone"
    run(build(tiny(), "x"), tmp_path / "out", Inline(), seconds=0)
    assert not half.exists()


def test_interrupted(tmp_path: Path) -> None:
    class Interrupted(Inline):
        closed = False

        def finished(self, seconds: float) -> list[Outcome]:
            raise KeyboardInterrupt

        def close(self) -> None:
            self.closed = True

    executor = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        run(build(tiny(), "x"), tmp_path / "out", executor)
    assert executor.closed


def finished(folder: Path) -> int:
    """How many cells have a result."""
    return len(list((folder / CELLS).glob("[!.]*.json")))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
def test_killed_at_random_moments(tmp_path: Path) -> None:
    """Broken off by SIGKILL again and again: tables and exports are those of an unbroken run, byte for byte."""
    suites = [{"name": "quick", "size": 10, "splits": 1}, {"name": "quick", "label": "more", "size": 12, "splits": 1}]
    values = tiny(models=["fake-shaky", "fake-failing"], shots=[4, 6], suites=suites)
    run(build(values, "x"), tmp_path / "whole", Inline())
    wanted = outputs(tmp_path / "whole", tmp_path)
    context, chance = multiprocessing.get_context("fork"), random.Random(7)
    broken, done = tmp_path / "broken", [0]
    for _ in range(3):
        process = context.Process(target=child, args=(values, str(broken)))
        process.start()
        # Once it has got on by a cell, and then at any moment.
        until = time.monotonic() + 30
        while process.is_alive() and finished(broken) <= done[-1] and time.monotonic() < until:
            time.sleep(0.01)
        process.join(chance.uniform(0.0, 0.3))
        if process.is_alive():
            os.kill(process.pid or 0, signal.SIGKILL)
            done.append(finished(broken))
        process.join()
    everything = len(build(values, "x").cells())
    assert any(0 < count < everything for count in done), "no kill hit a run that was under way"
    time.sleep(0.1)
    account = run(build(values, "x"), broken, LocalForked(2))
    assert account["missing"] == 0 and len(account["failed"]) == 4
    assert outputs(broken, tmp_path) == wanted
    assert not list((broken / SERIES).iterdir())
