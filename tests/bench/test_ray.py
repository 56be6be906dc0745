"""A real Ray of several nodes on this machine; one is killed while it works."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bench_help import LocalForked, install_models, outputs, tiny

from tsprout.bench.cell import Job
from tsprout.bench.executors.ray import QUEUE, RayExecutor
from tsprout.bench.runner import Event, _jobs, run
from tsprout.bench.runspec import Needs
from tsprout.bench.spec import build
from tsprout.bench.store import SHARED, Store
from tsprout.errors import InputError

pytest.importorskip("ray", reason="the extra ray is not installed")
VALUES = {"models": ["copies", {"model": "fake-shaky", "options": {"pause": 0.8}}, "fake-failing"], "shots": [4, 6]}
MEMORY = 80 * 2**20


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Two machines of one processor each: the head, on which the run is, and another, which can be lost."""
    with pytest.MonkeyPatch.context() as patched:
        models = tmp_path_factory.mktemp("ray")
        install_models(models, patched)
        patched.setenv("PYTHONPATH", str(models))
        patched.setenv("FAKE_DEATHS", str(models / "deaths"))
        patched.setenv("RAY_USAGE_STATS_ENABLED", "0")
        from ray.cluster_utils import Cluster

        quick = {"worker_niceness": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 3}
        head = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": MEMORY, "_system_config": quick}
        found = Cluster(initialize_head=True, head_node_args=head)
        try:
            found.other = found.add_node(num_cpus=1, object_store_memory=MEMORY)
            connected = RayExecutor(found.address)  # further executors use its connection, and the same workers
            yield found
            connected.close()
        finally:
            found.shutdown()


class Counting(RayExecutor):
    """Counts what is going on after each job begun."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.counts: list[int] = []

    def submit(self, job: Job) -> None:
        super().submit(job)
        self.counts.append(len(self._going))


def alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return "zombie" not in Path(f"/proc/{number}/status").read_text()


def until_busy(node: str, patience: float = 20) -> None:
    """Wait until the only processor of a node is at work."""
    from ray._private.state import available_resources_per_node

    late = time.monotonic() + patience
    while available_resources_per_node().get(node, {}).get("CPU", 0) and time.monotonic() < late:
        time.sleep(0.02)


def test_no_place_for_its_files() -> None:
    with pytest.raises(InputError, match="Ray cannot be used") as caught:
        RayExecutor(temp="/tmp/" + "long" * 30)
    assert "short" in str(caught.value.fix)


# The first to run: the workers it starts are there for the other test, which ends one of them.
@pytest.mark.slow
def test_a_node_is_killed_and_nothing_shows(cluster: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = build(tiny(**VALUES, run={"retries": 2}), "x")
    run(spec, tmp_path / "whole", LocalForked(2))

    def kill(event: Event) -> None:
        if event.done + event.failed == 1:
            until_busy(cluster.other.node_id)
            cluster.remove_node(cluster.other, allow_graceful=False)

    for turn in range(3):
        far, executor = tmp_path / f"far{turn}", Counting(cluster.address)
        account = run(spec, far, executor, watch=kill)
        assert account["missing"] == 0 and account["done"] == 4 and len(account["failed"]) == 2
        assert executor.counts[:5] == [1, 2, 3, 4, 4] and max(executor.counts[5:]) <= 2 + QUEUE
        assert not capsys.readouterr().out, "Ray has printed where the account is printed"
        assert outputs(far, tmp_path) == outputs(tmp_path / "whole", tmp_path)
        records = [Store(far).read(path.stem) for path in (far / "cells").glob("*.json")]
        if max(record["run"]["attempt"] for record in records if record) == 2:
            return
        # Killed between two jobs, it lost none: once more, with another node.
        cluster.other = cluster.add_node(num_cpus=1, object_store_memory=MEMORY)
    pytest.fail("three nodes were killed, and none of them had a job to lose")


@pytest.mark.slow
def test_single_jobs(cluster: Any, tmp_path: Path) -> None:
    """A time limit, a crash, a need that nobody meets, and what is going on when it is closed."""
    spec, store = build(tiny(models=["fake-slow", "fake-dying", "copies"]), "x"), Store(tmp_path / "out")
    store.prepare()
    pairs = [(cell, f"{number:024d}") for number, cell in enumerate(spec.cells())]
    slow, dying, copies = _jobs(spec, store, pairs)
    executor = RayExecutor(cluster.address, patience=0)
    slowed = Path(os.environ["FAKE_DEATHS"] + ".slow")
    try:
        assert executor.slots == QUEUE and not executor.finished(0)
        for job in (replace(slow, seconds=1.0), dying, replace(copies, needs=Needs(1, 1))):
            executor.submit(job)
        ended = {}
        until = time.monotonic() + 60
        while len(ended) < 3 and time.monotonic() < until:
            ended |= {each.job.name.split("/")[0]: each for each in executor.finished(1.0)}
        assert "stopped after 1 s" in ended["fake-slow"].error and not ended["fake-slow"].again
        assert "signal 9" in ended["fake-dying"].error and ended["fake-dying"].again
        assert "a machine with 1 CPU and 1 GPU; the biggest has 1 CPU" in ended["copies"].error
        slowed.unlink(missing_ok=True)
        executor.submit(slow)
        while not (slowed.exists() and slowed.read_text()) and time.monotonic() < until:
            time.sleep(0.05)
        number = int(slowed.read_text())
        assert alive(number) and (tmp_path / "out" / SHARED).exists()
    finally:
        executor.close()
    until = time.monotonic() + 10
    while alive(number) and time.monotonic() < until:
        time.sleep(0.05)
    assert not alive(number) and not (tmp_path / "out" / SHARED).exists()
