"""One run at a time works in the folder of a pre-training, and what its weights have seen is known ever after."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from tiny_corpus import small_corpus

from tsprout import locks, pretraining
from tsprout.checkpoint import Checkpoint, load
from tsprout.errors import InputError
from tsprout.pretraining import PretrainOptions
from tsprout.run_folder import LOCK, STARTED, check_out, holding, read_seen, seen_by
from tsprout.train import fewshot
from tsprout.train.engine import Engine
from tsprout.train.loop import STATE

pytest.importorskip("lightning_fabric")
pytest.importorskip("yaml")

ROOT = Path(__file__).resolve().parent.parent
TINY = """
model: {width: 16, depth: 1, heads: 2, canonical: 8, rows: 6, prompt_depth: 2, steps: 3}
stream:
  {cells: 64, targets: 4, synthetic_share: 0.0, lengths: [8], length_shares: [1], channels: [1], channel_shares: [1]}
training: {steps: 2, validate_every: 0}
engine: {device: cpu, threads: 1}
"""
needs_locks = pytest.mark.skipif(locks.fcntl is None, reason="no flock here")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("store") / "corpus"
    small_corpus(folder)
    return str(folder)


@pytest.fixture
def config(tmp_path: Path) -> str:
    (tmp_path / "tiny.yaml").write_text(TINY)
    return str(tmp_path / "tiny.yaml")


@needs_locks
def test_a_second_run_is_refused_and_a_killed_one_gone_on_with(tmp_path: Path, corpus: str, config: str) -> None:
    out = tmp_path / "out"
    argv = ["pretrain", config, "--corpus", corpus, "-o", str(out), "--workers", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tsprout", *argv, "--steps", "1000000", "-q"],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )
    try:
        end = time.monotonic() + 120
        while not (out / STATE).exists() and time.monotonic() < end and process.poll() is None:
            time.sleep(0.05)
        before = (out / STATE).read_bytes()
        with pytest.raises(InputError, match="another run is at work") as caught:
            pretraining.pretrain(config, out, corpus=corpus)
        assert str(out) in str(caught.value.where) and caught.value.exit_code == 2
        process.kill()  # not the worker that draws ahead for it
        process.wait(20)
        assert (out / LOCK).exists() and (out / STATE).read_bytes() == before
        account = pretraining.pretrain(config, out, corpus=corpus)
        assert (account["resumed"], account["steps"]) == (0, 2)
        assert not (out / LOCK).exists()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)


class _Rank(Engine):
    """A rank of two; ``told``: whether another one was refused."""

    def __init__(self, rank: int, told: bool = False) -> None:
        super().__init__()
        self.rank, self.world, self.told = rank, 2, told

    def any(self, *flags: bool) -> tuple[bool, ...]:
        return tuple(flag or self.told for flag in flags)


@needs_locks
def test_only_the_first_rank_locks_and_all_are_refused(tmp_path: Path) -> None:
    with holding(tmp_path, _Rank(0)), holding(tmp_path, _Rank(1)):
        assert os.listdir(tmp_path) == [LOCK]
        with pytest.raises(InputError, match="another run is at work"), holding(tmp_path, _Rank(0)):
            pass
    with pytest.raises(InputError, match="first process"), holding(tmp_path, _Rank(1, told=True)):
        pass


def test_a_run_that_is_refused_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError), holding(tmp_path / "a" / "b", Engine()):
        assert (tmp_path / "a" / "b").is_dir()
        raise ValueError
    assert os.listdir(tmp_path) == []
    with holding(tmp_path / "kept", Engine()):
        (tmp_path / "kept" / "result").touch()
    assert os.listdir(tmp_path / "kept") == ["result"]
    (tmp_path / "file").touch()
    with pytest.raises(InputError), holding(tmp_path / "file" / "out", Engine()):
        pass


def test_a_run_killed_before_its_first_state_is_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").touch()
    with pytest.raises(InputError, match="holds other files"):
        check_out(tmp_path)
    (tmp_path / LOCK).touch()
    check_out(tmp_path)


def domains(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(fewshot, "plan", lambda: SimpleNamespace(domains=names))
    monkeypatch.setattr(fewshot, "prepare", lambda: ["a task"])
    monkeypatch.setattr(fewshot, "FewShotValidation", lambda tasks: lambda model: {"few-shot": 1.0})


def test_scores_on_what_the_start_has_seen_are_refused(
    tmp_path: Path, corpus: str, config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    domains(monkeypatch, "web")
    one, two, three = (tmp_path / name for name in ("one", "two", "three"))

    def train(out: Path, *settings: str, start: Path | None = None, steps: int = 1) -> None:
        options = PretrainOptions(steps=steps, start_from=start and str(start), overrides=settings)
        pretraining.pretrain(config, out, corpus=corpus, options=options)

    train(one)  # on all domains
    assert {about["domain"] for about in load(one / "checkpoint").info["sets"].values()} >= {"web"}
    apart, scored = "training.exclude_domains=[web]", "training.few_shot_every=1"
    with pytest.raises(InputError, match="that the checkpoint to start from was trained on: Many") as caught:
        train(two, apart, scored, start=one / "checkpoint")
    assert caught.value.where == "--start-from" and "few_shot_every to 0" in str(caught.value.fix)
    assert not two.exists()
    # Begun without scores, with scores later on: the folder knows, and so does the next checkpoint.
    train(two, apart, start=one / "checkpoint")
    assert json.loads((two / STARTED).read_text())["Many"] == "web"
    with pytest.raises(InputError, match="to start from was trained on: Many"):
        train(two, apart, scored, steps=2)
    assert load(two / "checkpoint").info["sets_before"]["Many"] == "web"
    with pytest.raises(InputError, match="to start from was trained on: Many"):
        train(three, apart, scored, start=two / "checkpoint")
    # A start that has not seen them is one to score.
    train(tmp_path / "clean", apart)
    train(three, apart, scored, start=tmp_path / "clean" / "checkpoint")
    assert "few_shot" in (three / "log.jsonl").read_text()


def test_domains_of_older_checkpoints_are_the_catalogues(tmp_path: Path) -> None:
    info = {"sets": {"ETTh1": {"row": 0, "licence": ""}, "Mine": {"row": 1}}, "sets_before": {"Older": "web"}}
    seen = seen_by(Checkpoint(None, info))  # type: ignore[arg-type]
    assert seen["Older"] == "web" and seen["Mine"] == "" and seen["ETTh1"]
    assert seen_by(Checkpoint(None, {"sets": None})) == {}  # type: ignore[arg-type]
    assert read_seen(tmp_path) == {}
    (tmp_path / STARTED).write_text("{")
    assert read_seen(tmp_path) == {}
