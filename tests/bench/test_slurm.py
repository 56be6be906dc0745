"""SLURM through submitit: with programs that play SLURM, and with submitit's own local processes."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bench_help import LocalForked, install_models, outputs, tiny
from fake_slurm import install_slurm, lose

from tsprout.bench.executors.base import Outcome
from tsprout.bench.executors.slurm import SubmititExecutor
from tsprout.bench.runner import _jobs, run
from tsprout.bench.runspec import Needs
from tsprout.bench.spec import build
from tsprout.bench.store import SLURM, Store
from tsprout.errors import InputError

pytest.importorskip("submitit", reason="the extra slurm is not installed")


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Fake models for all processes, and the folder of a fake SLURM."""
    install_models(tmp_path, monkeypatch)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    install_slurm(tmp_path / "slurm", monkeypatch)
    return tmp_path / "slurm"


def jobs_of(folder: Path, **more: Any) -> list[Any]:
    spec, store = build(tiny(**more), "x"), Store(folder)
    store.prepare()
    return _jobs(spec, store, [(cell, f"{number:024d}") for number, cell in enumerate(spec.cells())])


def wait_for(executor: SubmititExecutor, count: int = 1) -> list[Outcome]:
    ended: list[Outcome] = []
    until = time.monotonic() + 60
    while len(ended) < count and time.monotonic() < until:
        ended += executor.finished(1.0)
    return ended


def no_pickles(folder: Path) -> bool:
    return not [path for path in folder.rglob("*") if path.suffix in (".pkl", ".pickle")]


def test_the_same_as_at_home(tmp_path: Path, slurm: Path) -> None:
    values = tiny(models=["fake-shaky", "fake-failing"], run={"slurm": {"partition": "long"}})
    run(build(values, "x"), tmp_path / "whole", LocalForked())
    account = run(
        build(values, "x"), tmp_path / "far", SubmititExecutor(tmp_path / "far", {"partition": "long"}, poll=2.0)
    )
    assert account["done"] == 1 and len(account["failed"]) == 1
    assert outputs(tmp_path / "far", tmp_path) == outputs(tmp_path / "whole", tmp_path)
    script = (slurm / "1.sh").read_text()
    for line in ("--partition=long", "--cpus-per-task=1", "--no-requeue", "--time=130", "--job-name=tsprout-bench"):
        assert f"#SBATCH {line}" in script, line
    assert no_pickles(tmp_path / "far")
    for name in ("jobs", "going"):
        assert not list((tmp_path / "far" / SLURM / name).iterdir())


def test_lost_over_and_cancelled(tmp_path: Path, slurm: Path) -> None:
    (job,) = jobs_of(tmp_path / "out", models=["fake-slow"])
    executor = SubmititExecutor(tmp_path / "out", poll=0, seen=0)
    for state, again in (("NODE_FAIL", True), ("TIMEOUT", False)):
        executor.submit(replace(job, needs=Needs(2.5, 1, 2**30)))
        number = str(len(list(slurm.glob("*.pid"))))
        assert not executor.finished(0)
        lose(slurm, number, state)
        (ended,) = wait_for(executor)
        assert state in ended.error and ended.again == again
    script = (slurm / "1.sh").read_text()
    for line in ("--cpus-per-task=3", "--gpus-per-node=1", "--mem=1GB"):
        assert f"#SBATCH {line}" in script, line
    executor.submit(job)
    executor.close()
    assert (slurm / "3.state").read_text() == "CANCELLED"
    # A run that was killed leaves its job in the queue; the next one takes it away.
    killed = SubmititExecutor(tmp_path / "out")
    killed.submit(job)
    following = SubmititExecutor(tmp_path / "out")
    following.submit(job)
    assert (slurm / "4.state").read_text() == "CANCELLED"
    following.close()
    assert (slurm / "5.state").read_text() == "CANCELLED"


def test_refusals(tmp_path: Path, slurm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (job,) = jobs_of(tmp_path / "out", models=["copies"])
    for settings, what in (({"colour": "red"}, "does not take this"), ({"mem_gb": 3}, "is not set here")):
        with pytest.raises(InputError, match=what):
            SubmititExecutor(tmp_path / "out", settings)
    (slurm / "refuse").touch()
    with pytest.raises(InputError, match="sbatch: error: invalid partition"):
        SubmititExecutor(tmp_path / "out").submit(job)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="there is no sbatch, srun, sacct, scancel"):
        SubmititExecutor(tmp_path / "out")


def test_submitits_own_processes(tmp_path: Path, slurm: Path) -> None:
    (job,) = jobs_of(tmp_path / "out", models=["fake-slow"])
    executor = SubmititExecutor(tmp_path / "out", cluster="local", poll=0)
    executor.submit(replace(job, seconds=1.0))
    (ended,) = wait_for(executor)
    executor.close()
    assert "stopped after 1 s" in ended.error and not ended.again and no_pickles(tmp_path / "out")
