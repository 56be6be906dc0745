"""``tsprout pretrain`` from the outside: configurations, exit codes, processes, what is said where and left on disk."""

from __future__ import annotations

import builtins
import io
import json
import os
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from pretrain_help import Run, caller, tiny_place
from tiny_corpus import HELD

from tsprout import pretraining, render_pretrain
from tsprout.checkpoint import load
from tsprout.console import Console
from tsprout.train.configuration import build, read_configuration
from tsprout.train.loop import STATE
from tsprout.train.record import LOG

pytest.importorskip("lightning_fabric")
yaml = pytest.importorskip("yaml")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return tiny_place(tmp_path, monkeypatch)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], place: Path) -> Run:
    return caller(capsys)


def test_for_a_program(run: Run, place: Path) -> None:
    code, out, err = run("tiny.yaml", "--corpus", "corpus", "-o", "out", "--json")
    assert code == 0, err
    account = json.loads(out)
    assert (account["steps"], account["stopped"], account["resumed"], account["processes"]) == (6, "steps", None, 1)
    assert account["held_out"]["mean"] > 0
    assert sorted(os.listdir("out")) == ["checkpoint", "config.yaml", LOG, STATE]
    assert build(yaml.safe_load(Path("out/config.yaml").read_text()), "") == read_configuration("tiny.yaml")
    assert "step 3, loss" in err and "held out" in err

    code, out, err = run("tiny.yaml", "--corpus", "corpus", "-o", "out", "--json", "--steps", "8")
    account = json.loads(out)
    assert (code, account["resumed"], account["steps"]) == (0, 6, 8)


def test_for_a_person(run: Run, place: Path) -> None:
    code, out, err = run("tiny.yaml", "--corpus", "corpus", "-o", "out")
    assert code == 0, err
    assert out.startswith("tiny: step 6 of 6, ") and "loss on held-out sets: sigma 0.05 " in out
    assert out.endswith("checkpoint: out/checkpoint\n")
    assert "1 process on cpu, until 6 steps" in err
    code, out, err = run("tiny.yaml", "--corpus", "corpus", "-o", "other", "--quiet")
    assert (code, out, err) == (0, "", "")


def test_what_it_leaves_is_a_model_that_fits_and_draws(run: Run, place: Path) -> None:
    from tsprout import Sprout
    from tsprout.doctor import golden_shots

    run("tiny.yaml", "--corpus", "corpus", "-o", "out", "-q")
    info = load("out/checkpoint").info
    assert (info["steps"], info["lengths"], info["channels"], info["validation"]) == (6, [8, 16], [1, 2], [HELD])
    assert info["windows"] > 0 and info["held_out_loss"]["mean"] > 0
    assert [fact["row"] for fact in info["sets"].values()] == [0, 1, 2, 3]
    assert list(info["sets"]) == ["Many", "Pieces", "Shapes", "Walk"]
    for name in ("out/checkpoint", "out"):  # the folder of the run will do
        drawn = Sprout.from_pretrained(name).fit(golden_shots(), "prompt").sample(3)
        assert drawn.values.shape == (3, 2, 24)
    code, out, _ = run(
        "tiny.yaml", "--corpus", "corpus", "-o", "next", "--start-from", "out/checkpoint", "--json", "--steps", 1
    )
    assert (code, json.loads(out)["rows_matched"]) == (0, 4)


def test_options_override_settings(run: Run, place: Path) -> None:
    code, _, err = run(
        *("tiny.yaml", "--corpus", "corpus", "-o", "out", "--precision", "bf16", "--workers", "1", "--steps", "1"),
        *("--set", "training.learning_rate=3e-4", "--set", "training.exclude_domains=[web]", "--tensorboard"),
    )
    assert code == 0, err
    used = yaml.safe_load(Path("out/config.yaml").read_text())
    assert (used["engine"]["precision"], used["engine"]["workers"]) == ("bf16", 1)
    assert (used["training"]["learning_rate"], used["training"]["exclude_domains"]) == (3e-4, ["web"])
    assert os.listdir("out/tensorboard")
    assert list(load("out/checkpoint").info["sets"]) == ["Pieces", "Shapes", "Walk"]


def test_a_budget_stops_a_run_that_goes_on_later(run: Run, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretraining, "parse_budget", lambda text: 0.0)
    code, out, err = run("tiny.yaml", "--corpus", "corpus", "-o", "out", "--budget", "1h")
    assert code == 0 and out.startswith("tiny: step 1 of 6")
    assert "the same command goes on from here" in err
    monkeypatch.undo()
    code, out, err = run("tiny.yaml", "--corpus", "corpus", "-o", "out", "--budget", "1x")
    assert code == 2 and "1x" in err


def test_a_corpus_too_wide_for_padding_is_refused_at_once(run: Run, place: Path) -> None:
    Path("padded.yaml").write_text(
        "extends: paper-padding\nmodel: {width: 16, canonical: 2, rows: 8}\nstream: {length: 8, windows: 4}\n"
        "training: {steps: 1, pieces: 1}\nengine: {device: cpu}\n"
    )
    code, _, err = run("padded.yaml", "-o", "out", "--corpus", "corpus")
    assert code == 2 and "pads channels to 2, and there are sets of 5" in err and "--set model.canonical=5" in err
    assert not Path("out").exists()


def test_what_is_missing_is_said(run: Run, place: Path) -> None:
    code, _, err = run("tiny.yaml")
    assert code == 2 and "a configuration and a folder are needed" in err
    assert "Did you mean small?" in run("smal", "-o", "out")[2]
    assert "no corpus to train on" in run("tiny.yaml", "-o", "out")[2]
    code, _, err = run("tiny.yaml", "-o", "out", "--corpus", "nowhere")
    assert code == 2 and "there is no corpus" in err
    (place / "mine").mkdir()
    (place / "mine" / "thesis.txt").write_text("x")
    code, _, err = run("tiny.yaml", "-o", "mine", "--corpus", "corpus")
    assert code == 2 and "holds other files" in err
    assert os.listdir("mine") == ["thesis.txt"]
    code, _, err = run("tiny.yaml", "-o", "tiny.yaml", "--corpus", "corpus")
    assert code == 2 and "a folder is needed" in err


def test_a_changed_configuration_is_refused(run: Run, place: Path) -> None:
    run("tiny.yaml", "--corpus", "corpus", "-o", "out", "-q", "--steps", "1")
    code, _, err = run("tiny.yaml", "--corpus", "corpus", "-o", "out", "--set", "training.pieces=2")
    assert code == 2 and "pieces was 4 and is 2" in err


@pytest.mark.parametrize(("package", "extra"), [("lightning_fabric", "train"), ("yaml", "train")])
def test_a_missing_extra_is_said(run: Run, monkeypatch: pytest.MonkeyPatch, package: str, extra: str) -> None:
    plain = builtins.__import__

    def without(name: str, *args: Any, **more: Any) -> Any:
        if name.split(".")[0] == package:
            raise ImportError(name)
        return plain(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    code, _, err = run("tiny.yaml", "--corpus", "corpus", "-o", "out")
    assert code == 2 and f"tsprout[{extra}]" in err
    assert not Path("out").exists()


def test_what_a_killed_run_left_half_written_is_removed(run: Run, place: Path) -> None:
    run("tiny.yaml", "--corpus", "corpus", "-o", "out", "-q", "--steps", "1")
    (place / "out" / f".{STATE}.partial").write_bytes(b"half")
    (place / "out" / ".checkpoint.tsprout-12345678").mkdir()
    assert run("tiny.yaml", "--corpus", "corpus", "-o", "out", "-q", "--steps", "2")[0] == 0
    assert sorted(os.listdir("out")) == ["checkpoint", "config.yaml", LOG, STATE]


def test_few_shot_scores_are_logged(run: Run, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = ModuleType("tsprout.train.fewshot")
    fake.plan = lambda: SimpleNamespace(domains=("web", "shape"))
    fake.prepare = lambda: ["a task"]
    fake.FewShotValidation = lambda tasks: lambda model: {"few-shot": float(len(tasks)) + model.training}
    monkeypatch.setitem(sys.modules, "tsprout.train.fewshot", fake)
    given = ("tiny.yaml", "--corpus", "corpus", "-o", "out", "--set", "training.few_shot_every=4")
    code, _, err = run(*given, "--set", "training.exclude_domains=[web]")
    assert code == 2 and "would be trained on: shape" in err and "[web, shape]" in err
    code, _, err = run(*given, "--set", "training.exclude_domains=[web,shape]")
    assert code == 0 and "few-shot 1" in err
    found = [json.loads(line) for line in Path("out", LOG).read_text().splitlines()]
    assert {line["step"]: line["few_shot"] for line in found if "few_shot" in line} == {
        4: {"few-shot": 1.0},
        6: {"few-shot": 1.0},
    }


def test_synthetic_episodes_need_no_corpus(run: Run) -> None:
    code, _, err = run("tiny.yaml", "-o", "out", "--set", "stream.synthetic_share=1", "--steps", "1")
    assert code == 0, err
    assert load("out/checkpoint").info["sets"] == {}


def test_the_live_line_on_a_terminal() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    err = Terminal()
    facts = {"name": "tiny", "parameters": 1234, "processes": 2, "device": "cpu", "steps": 1000, "seconds": 7200.0}
    held = {"step": 9, "loss": 0.5, "windows_per_second": 77.0, "rate": 1e-3, "held out": {"mean": 0.625}}
    with render_pretrain.watched(Console(err=err)) as watching:
        assert watching.begin and watching.live and watching.log
        watching.begin(facts)
        watching.live(1, 0.75, 77.0)
        time.sleep(0.01)
        watching.log(held)
        watching.live(900, 0.75, 77.0)
    said = err.getvalue()
    assert "tiny: 1,234 parameters, 2 processes on cpu, until 1,000 steps or 2h 00m" in said
    assert "step 9, loss 0.5000, held out 0.6250, 77 windows/s, rate 0.001" in said
    for part in ("900 of 1,000", "loss 0.7500", "77 windows/s", "0s left", "held out 0.6250"):
        assert part in said, part
    for console in (Console(err=err, quiet=True), Console(err=io.StringIO(), quiet=True)):
        with render_pretrain.watched(console) as watching:
            assert watching.live is watching.log is watching.begin is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0s"), (45, "45s"), (200, "3m 20s"), (18180, "5h 03m"), (187200, "2d 04h")]
)
def test_readable_time(seconds: float, text: str) -> None:
    assert render_pretrain.readable_time(seconds) == text
