"""A tiny pre-training to be called from the outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_corpus import small_corpus

from tsprout import cli
from tsprout.train.record import LOG

pytest.importorskip("lightning_fabric")
yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).resolve().parent.parent
Run = Callable[..., tuple[int, str, str]]
TINY = """
name: tiny
model: {width: 16, depth: 1, heads: 2, canonical: 8, rows: 6, prompt_depth: 2, steps: 3}
stream:
  {cells: 128, targets: 6, synthetic_share: 0.0, lengths: [8, 16], length_shares: [1, 1], channels: [1, 2],
   channel_shares: [1, 1]}
training: {steps: 6, learning_rate: 1e-3, pieces: 4, validate_every: 3, log_every: 2}
engine: {device: cpu, threads: 1}
"""


def tiny_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a tiny corpus and configuration in it; two batches of validation."""
    from tsprout.train.validation import Validation

    plain = Validation.__init__
    monkeypatch.setattr(Validation, "__init__", lambda self, corpus, names: plain(self, corpus, names, batches=2))
    small_corpus(tmp_path / "corpus")
    (tmp_path / "tiny.yaml").write_text(TINY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def caller(capsys: pytest.CaptureFixture[str]) -> Run:
    """A function that runs the command: its exit code, and what it said on both streams."""

    def call(*argv: Any) -> tuple[int, str, str]:
        capsys.readouterr()
        code = cli.main(["pretrain", *(str(part) for part in argv)])
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return code, said.out, said.err

    return call


def losses(out: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (out / LOG).read_text().splitlines()]


def outside(
    place: Path, *argv: str, module: tuple[str, ...] = ("tsprout",), group: int | None = None, **variables: str
) -> subprocess.Popen[str]:
    """The command in a process of its own, as a user starts it; only on the loopback.

    ``group``: the processes that a signal to the group reaches; 0 for a group of its own.
    """
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    environment |= variables
    return subprocess.Popen(
        [sys.executable, "-m", *module, "pretrain", "tiny.yaml", "--corpus", "corpus", *argv],
        cwd=place,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=group,
    )
