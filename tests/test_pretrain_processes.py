"""``tsprout pretrain`` as many processes, by whatever starts them, and as one that is told to stop."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from pathlib import Path

import pytest
import torch
from pretrain_help import Run, caller, losses, outside, tiny_place

from tsprout.checkpoint import load
from tsprout.train.record import LOG

pytest.importorskip("lightning_fabric")
yaml = pytest.importorskip("yaml")


# Whoever starts it: how many it runs as is asked, not what it learns.
BRIEF = ("-o", "out", "--json", "--steps", "2", "--set", "training.validate_every=0")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return tiny_place(tmp_path, monkeypatch)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], place: Path) -> Run:
    return caller(capsys)


def test_two_processes_give_the_curve_of_one(run: Run, place: Path) -> None:
    two = outside(place, "-o", "two", "--devices", "2", "--json")
    assert run("tiny.yaml", "--corpus", "corpus", "-o", "one", "-q")[0] == 0
    out, err = two.communicate(timeout=180)
    assert two.returncode == 0, err
    assert json.loads(out)["processes"] == 2  # one object, although two processes ran
    assert losses(place / "one") == pytest.approx(losses(place / "two"), rel=1e-5)
    ours, theirs = (load(place / name / "checkpoint").model.state_dict() for name in ("one", "two"))
    for name, weight in ours.items():
        torch.testing.assert_close(weight, theirs[name], atol=1e-5, rtol=1e-3)
    # What two processes left, one goes on with.
    code, out, err = run("tiny.yaml", "--corpus", "corpus", "-o", "two", "--json", "--steps", "7")
    assert (code, json.loads(out)["resumed"]) == (0, 6)


@pytest.mark.slow
def test_torchrun_starts_the_same_command(place: Path) -> None:
    launcher = ("torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1", "--nproc-per-node", "2", "-m")
    process = outside(place, *BRIEF, module=(*launcher, "tsprout"))
    out, err = process.communicate(timeout=180)
    assert process.returncode == 0, err
    assert json.loads(out)["processes"] == 2


@pytest.mark.slow
def test_slurm_starts_the_same_command(place: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    facts = {
        "SLURM_NTASKS": "2",
        "SLURM_NTASKS_PER_NODE": "2",
        "SLURM_NNODES": "1",
        "SLURM_NODEID": "0",
        "SLURM_JOB_NAME": "train",
    }
    facts |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    started = [outside(place, *BRIEF, **facts, SLURM_PROCID=rank, SLURM_LOCALID=rank) for rank in ("0", "1")]
    first, second = (process.communicate(timeout=180) for process in started)
    assert [process.returncode for process in started] == [0, 0], first[1] + second[1]
    assert json.loads(first[0])["processes"] == 2
    assert second == ("", "")


def test_processes_that_cannot_be_are_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    given = ("tiny.yaml", "--corpus", "corpus", "-o", "out")
    if not torch.cuda.is_available():
        code, _, err = run(*given, "--set", "engine.device=gpu")
        assert code == 2 and "no GPU" in err
    monkeypatch.setenv("RANK", "0")
    for name, value in (("WORLD_SIZE", "1"), ("LOCAL_RANK", "0"), ("LOCAL_WORLD_SIZE", "1"), ("GROUP_RANK", "0")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setattr("torch.distributed.is_torchelastic_launched", lambda: True)
    code, _, err = run(*given, "--devices", "2")
    assert code == 2 and "does not match the world size (1)" in err
    assert not Path("out").exists()


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_sigterm_saves_and_leaves(place: Path) -> None:
    # A terminal and a scheduler tell all processes of a job, those that draw ahead too.
    for_long = ("--steps", "100000", "--workers", "2", "--set", "training.log_every=1")
    process = outside(place, "-o", "out", *for_long, group=0)
    end = time.monotonic() + 120
    while not (place / "out" / LOG).exists() and time.monotonic() < end:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert "the same command goes on there" in err.lower()
    last = json.loads((place / "out" / LOG).read_text().splitlines()[-1])["step"]
    assert f"stopped at step {last};" in err
