"""``tsprout pretrain`` from the outside: configurations, exit codes, processes, what is said where and left on disk."""

from __future__ import annotations

import builtins
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from tiny_corpus import HELD, small_corpus

from tsprout import cli, pretraining, render_pretrain
from tsprout.checkpoint import load
from tsprout.console import Console
from tsprout.train import configuration
from tsprout.train.configuration import build, parameter_count, read_configuration, shipped, to_yaml
from tsprout.train.loop import STATE
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


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a tiny corpus and configuration in it; two batches of validation."""
    from tsprout.train.validation import Validation

    plain = Validation.__init__
    monkeypatch.setattr(Validation, "__init__", lambda self, corpus, names: plain(self, corpus, names, batches=2))
    small_corpus(tmp_path / "corpus")
    (tmp_path / "tiny.yaml").write_text(TINY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], place: Path) -> Run:
    def call(*argv: Any) -> tuple[int, str, str]:
        capsys.readouterr()
        code = cli.main(["pretrain", *(str(part) for part in argv)])
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return code, said.out, said.err

    return call


def losses(out: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (out / LOG).read_text().splitlines()]


def outside(place: Path, *argv: str, module: tuple[str, ...] = ("tsprout",), **variables: str) -> subprocess.Popen[str]:
    """The command in a process of its own, as a user starts it; only on the loopback."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    environment |= variables
    return subprocess.Popen(
        [sys.executable, "-m", *module, "pretrain", "tiny.yaml", "--corpus", "corpus", *argv],
        cwd=place,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


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
    drawn = Sprout.from_pretrained("out/checkpoint").fit(golden_shots(), "prompt").sample(3)
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
    process = outside(place, "-o", "out", "--json", module=(*launcher, "tsprout"))
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
    started = [
        outside(place, "-o", "out", "--json", **facts, SLURM_PROCID=rank, SLURM_LOCALID=rank) for rank in ("0", "1")
    ]
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
    process = outside(place, "-o", "out", "--steps", "100000", "--set", "training.log_every=1")
    end = time.monotonic() + 120
    while not (place / "out" / LOG).exists() and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "the same command goes on there" in err.lower()
    last = json.loads((place / "out" / LOG).read_text().splitlines()[-1])["step"]
    assert f"stopped at step {last};" in err


def test_the_shipped_configurations(run: Run) -> None:
    code, out, _ = run("--list", "--json")
    assert code == 0
    found = {one["name"]: one for one in json.loads(out)["configurations"]}
    assert set(found) == set(shipped()) >= {"small", "base"}
    assert 25e6 <= found["base"]["parameters"] <= 40e6
    assert found["small"]["parameters"] == load("small").model.parameter_count
    code, out, _ = run("--list")
    assert code == 0 and f"{found['base']['parameters']:,}" in out


@pytest.mark.parametrize("name", shipped())
def test_a_configuration_reads_back(name: str) -> None:
    config = read_configuration(name)
    assert config.name == name
    assert build(yaml.safe_load(to_yaml(config)), "again") == config


@pytest.mark.parametrize(
    ("setting", "words", "fix"),
    [
        ("model.widht=3", "no setting called 'widht'", "Did you mean width?"),
        ("training.step=3", "no setting called 'step'", "Did you mean steps?"),
        ("training.drop_promt=0", "no setting called 'drop_promt'", "drop_prompt"),
        ("stream.kind=rows", "no stream of the kind 'rows'", "episodes, windows"),
        ("trainin.steps=3", "no section called 'trainin'", "Did you mean training?"),
        ("engine.precision=16", "precision cannot be '16'", "32, bf16"),
        ("training.steps=soon", "cannot be 'soon'", "a whole number"),
        ("training.steps=2.5", "cannot be 2.5", "a whole number"),
        ("training.steps=0", "steps is 0", "1 or more"),
        ("training.learning_rate=.nan", "learning_rate is nan", "0 or more"),
        ("training.ema=2", "ema is 2", "from 0 to 1"),
        ("training.betas=[0.9]", "betas are", "Give two"),
        ("model.guidance=.nan", "guidance is nan", "finite"),
        ("training.optimizer=sgd", "no optimizer called 'sgd'", "adamw, muon"),
        ("training.exclude_domains=web", "cannot be 'web'", "a list"),
        ("model.heads=3", "cannot be shared out over 3 heads", "multiple of heads"),
        ("model.width=-4", "no network", ""),
        ("model.backbone=mlp", "no backbone called 'mlp'", "transformer, unet"),
        ("stream.lengths=[8]", "lengths and their shares", "one share each"),
        ("stream.flip=3", "flip is 3", "from 0 to 1"),
        ("training=3", "cannot be read", "section.key=value"),
        ("training.steps=[1", "not YAML", ""),
        ("model=", "cannot be read", "section.key=value"),
    ],
)
def test_bad_settings(run: Run, setting: str, words: str, fix: str) -> None:
    code, out, err = run("tiny.yaml", "--corpus", "corpus", "-o", "out", "--set", setting)
    assert (code, out) == (2, "")
    text = " ".join(err.split())
    assert words in text and fix in text
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model: {width: 3", "bad.yaml, line 1, column"),
        ("- 1\n- 2", "this is no configuration"),
        ("model: 3", "not a section of settings"),
        ("training: {steps: 1, steps: 2}", "steps is there twice"),
        ("training: !!python/object/apply:os.system [ls]", "not YAML"),
    ],
)
def test_bad_files(run: Run, text: str, words: str) -> None:
    Path("bad.yaml").write_text(text)
    code, _, err = run("bad.yaml", "--corpus", "corpus", "-o", "out")
    assert code == 2 and words in " ".join(err.split())


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


def test_parameters_are_counted_without_memory() -> None:
    config = read_configuration("base").model
    begun = torch.zeros(1)
    assert parameter_count(config) == pytest.approx(34e6, rel=0.2)
    assert begun.device.type == "cpu" and torch.zeros(1).device.type == "cpu"
    assert configuration.SHIPPED.is_dir()


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
