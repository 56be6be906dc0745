"""What cluster executors share: needs, errands, refusals; all without a cluster."""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from bench_help import install_models, tiny

from tsprout.bench import jobs
from tsprout.bench.cell import Job
from tsprout.bench.executors.choose import choose_executor
from tsprout.bench.executors.far import Mark, outcome, perform
from tsprout.bench.executors.ray import RayExecutor, check_address, waiting
from tsprout.bench.executors.slurm import SubmititExecutor
from tsprout.bench.runner import _jobs
from tsprout.bench.runspec import Needs, RunSpec, bytes_of, read_run
from tsprout.bench.spec import build
from tsprout.bench.store import SHARED, Store
from tsprout.cli import main
from tsprout.errors import InputError, MissingExtraError

GPU = {"device": "cuda", "threads": 4, "memory": "2GB", "needs": {"big*": {"gpus": 2, "cpus": 8}}}


def jobs_of(folder: Path, **more: Any) -> list[Job]:
    """The jobs of a specification, with the folder made."""
    spec, store = build(tiny(**more), "x"), Store(folder)
    store.prepare()
    return _jobs(spec, store, [(cell, f"{number:024d}") for number, cell in enumerate(spec.cells())])


def test_needs(tmp_path: Path) -> None:
    models = ["copies", {"model": "small"}, {"model": "small", "label": "bigger", "mode": "prompt"}]
    found = jobs_of(tmp_path, models=models, run=GPU)
    assert [job.needs for job in found] == [Needs(4, 0, 2**31), Needs(4, 1, 2**31), Needs(8, 2, 2**31)]
    assert [Job.from_json(job.to_json()) for job in found] == found
    assert RunSpec().needs_of("any", "cuda:1") == Needs(1, 1, 0)
    assert RunSpec(gpus=0.5).needs_of("any", None) == Needs(1, 0, 0)
    assert RunSpec().needs_of("any", "cpu") == Needs(1, 0, 0)
    assert bytes_of("1.5 gb", "x") == 3 * 2**29 and bytes_of("512", "x") == 512 and bytes_of("2MiB", "x") == 2**21
    assert str(Needs(0.5, 1, 2**30)) == "0.5 CPU and 1 GPU and 1 GB"


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"executor": "cloud"}, "no executor called 'cloud'"),
        ({"jobs": 0}, "jobs is 0"),
        ({"cpus": 0}, "more than 0 CPUs"),
        ({"gpus": 1.5}, "gpus is 1.5"),
        ({"memory": "much"}, "no amount of memory"),
        ({"needs": {"small": {"disk": 3}}}, "no need called 'disk'"),
        ({"needs": {"small": 3}}, "are no needs"),
        ({"needs": []}, None),
        ({"slurm": "long"}, "slurm is no mapping"),
    ],
)
def test_what_cannot_be_is_refused(values: dict[str, Any], what: str | None) -> None:
    if what is None:
        assert read_run(values, "x") == RunSpec()
        return
    with pytest.raises(InputError, match=what):
        read_run(values, "x")


def test_how_many_wait() -> None:
    nodes = [Needs(2, 0, 100), Needs(4, 1, 100)]
    assert waiting(nodes, [Needs(1)] * 6) == 0 and waiting(nodes, [Needs(1)] * 9) == 3
    assert waiting(nodes, [Needs(1, 1)] * 2) == 1 and waiting(nodes, [Needs(1, 0.5)] * 2) == 0
    assert waiting(nodes, [Needs(3), Needs(3)]) == 1 and waiting(nodes, [Needs(1, 0, 60)] * 3) == 1
    assert waiting([], [Needs(1)]) == 1


def test_an_errand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_models(tmp_path, monkeypatch)
    monkeypatch.setenv("TSPROUT_HERE", "1")
    (job,) = jobs_of(tmp_path / "out", models=["copies"])
    mark = Mark()
    errand = json.loads(mark.errand(job))
    method = "fork" if "fork" in multiprocessing.get_all_start_methods() else None  # all is loaded here
    assert errand["environment"]["TSPROUT_HERE"] == "1" and errand["cwd"] == os.getcwd()
    assert perform(json.dumps(errand), method=method) == {"error": "", "again": False}
    assert Store(job.folder).read(job.hashes[0]) is not None
    pauses: list[float] = []
    for wrong, what in (({"version": "0.0"}, "has tsprout"), ({"token": "other"}, "does not see the folder")):
        found = perform(json.dumps(errand | wrong), 3, pauses.append)
        with pytest.raises(InputError, match=what) as caught:
            outcome(job, found)
        assert caught.value.where == f"machine {socket.gethostname()}" and caught.value.fix
    assert pauses == [1.0, 1.0]
    other = Mark()
    other.errand(job)
    mark.remove()
    assert (tmp_path / "out" / SHARED).read_text() == other.token
    other.remove()
    assert not (tmp_path / "out" / SHARED).exists()


def test_addresses() -> None:
    check_address("auto")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{free.getsockname()[1]}"
    for address, what in ((nobody, "can be reached"), ("ray://a:1", "Ray client"), ("host", "no address")):
        with pytest.raises(InputError, match=what):
            check_address(address)


def test_missing_extras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("ray", "submitit"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match="extra 'ray'"):
        RayExecutor()
    with pytest.raises(MissingExtraError, match="extra 'slurm'"):
        SubmititExecutor(tmp_path)
    for executor in ("ray", "slurm"):
        assert main(["bench", "run", "smoke", "-o", str(tmp_path / "out"), "--executor", executor]) == 2
    assert not (tmp_path / "out").exists()


def test_options_choose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[RunSpec] = []

    def choose(run: RunSpec, folder: Path) -> Any:
        seen.append(run)
        raise InputError("enough")

    out = str(tmp_path / "out")
    place = tmp_path / "mine.yaml"
    place.write_text(json.dumps(tiny(models=["copies"], run={"executor": "ray", "address": "a:1", "temp": "t"})))
    with monkeypatch.context() as patched:
        patched.setattr(jobs, "choose_executor", choose)
        for more in (["--workers", "7"], ["--executor", "local", "--workers", "7"], ["--address", "b:2"]):
            assert main(["bench", "run", str(place), "-o", out, *more]) == 2
    first, second, third = seen
    assert (first.executor, first.address, first.jobs, first.workers) == ("ray", "a:1", 7, 1)
    assert (second.executor, second.address, second.temp, second.jobs, second.workers) == ("local", None, None, None, 7)
    assert (third.executor, third.address) == ("ray", "b:2")
    capsys.readouterr()
    assert main(["bench", "run", "smoke", "-o", out, "--executor", "cloud"]) == 2
    assert "no executor called 'cloud'" in capsys.readouterr().err
    with pytest.raises(InputError, match="executor ray only"):
        choose_executor(RunSpec(address="auto"), tmp_path)
