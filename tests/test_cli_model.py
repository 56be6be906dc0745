"""The command line with a real, tiny, untrained model: the parts fit together, and damaged models are refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from tsprout import cli

CSV = "id,time,x,y\n" + "".join(
    f"s{series},2024-01-{step + 1:02d},{np.sin(series + step / 2):.3f},{(series + step) % 4}\n"
    for series in range(6)
    for step in range(8)
)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder with an untrained model, beside ``real.csv``, in the current folder."""
    import torch

    from tsprout import checkpoint
    from tsprout.model import Denoiser, ModelConfig

    torch.manual_seed(0)
    tiny = Denoiser(ModelConfig(width=16, depth=1, heads=2, rows=2, steps=3))
    checkpoint.save(checkpoint.Checkpoint(tiny), tmp_path / "base")
    (tmp_path / "real.csv").write_text(CSV, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return "base"


@pytest.mark.parametrize("mode", ["prompt", "auto", "token"])
def test_run(model: str, mode: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tsprout.fitting.affordable_steps", lambda seconds, cost, most: 2)
    arguments = ["run", "real.csv", "-o", "out", "-n", "12", "--model", model, "--mode", mode, "--budget", "5s"]
    code = cli.main([*arguments, "--json"])
    said = capsys.readouterr()
    assert code == 0, said.err
    summary = json.loads(said.out)
    assert summary["fit"]["requested"] == mode
    assert summary["fit"]["reason"]
    lines = Path("out/synthetic.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "id,time,x,y"
    assert len(lines) == 1 + 12 * 8
    whole = {line.rsplit(",", 1)[1] for line in lines[1:]}
    assert whole <= {"0", "1", "2", "3"}


def test_a_saved_model_draws_the_same_bytes(model: str) -> None:
    run = ["run", "real.csv", "-o", "out", "-n", "9", "--model", model, "--mode", "prompt", "--seed", "5"]
    assert cli.main(run) == 0
    assert cli.main(["fit", "real.csv", "-o", "fitted", "--model", model, "--mode", "prompt", "--seed", "5"]) == 0
    for name in ("a.csv", "b.csv"):
        assert cli.main(["sample", "fitted", "-n", "9", "-o", name, "--seed", "5"]) == 0
    assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes()
    assert Path("a.csv").read_bytes() == Path("out/synthetic.csv").read_bytes()


def test_impossible_length_is_refused_before_the_fit(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "real.csv", "-o", "out", "--model", model, "--length", "5000"]) == 2
    assert "1024" in capsys.readouterr().err
    assert not Path("out").exists()


@pytest.mark.parametrize(
    "damage",
    ["truncated weights", "truncated configuration", "another version", "pickle", "pickle in a folder", "not there"],
)
def test_models_that_are_refused(model: str, damage: str, capsys: pytest.CaptureFixture[str]) -> None:
    config, weights = Path(model, "config.json"), Path(model, "model.safetensors")
    if damage == "truncated weights":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif damage == "truncated configuration":
        config.write_text(config.read_text(encoding="utf-8")[:40], encoding="utf-8")
    elif damage == "another version":
        config.write_text(json.dumps({**json.loads(config.read_text()), "format_version": 99}), encoding="utf-8")
    elif damage == "pickle":
        Path("model.pt").write_bytes(b"\x80\x04.")
        model = "model.pt"
    elif damage == "pickle in a folder":
        config.unlink()
        weights.rename(Path(model, "model.pt"))
    else:
        model = "nowhere"
    before = sorted(os.listdir())
    for command in (["run", "real.csv", "-o", "out", "--model", model], ["sample", model, "-n", "2", "-o", "new.csv"]):
        assert cli.main(command) == 2
        said = capsys.readouterr().err
        assert "error: " in said
        assert "Traceback" not in said
        assert "\n  " in said  # what to do
    assert sorted(os.listdir()) == before
