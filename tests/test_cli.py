"""The command line from the outside: exit codes, what is said where, what is left on disk. The model is a fake one."""

from __future__ import annotations

import gzip
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fake_sprout import FakeSprout

from tsprout import cli, job, options, render
from tsprout.console import Console
from tsprout.metrics import Scores

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeSprout]:
    """A fresh fake in the place of Sprout, which a test may bend."""
    bent = type("BentSprout", (FakeSprout,), {})
    monkeypatch.setattr("tsprout.synthesizer.Sprout", bent)
    return bent


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """``run("inspect", path)`` -> exit code, standard output, standard error; in an empty folder."""
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.chdir(place)

    def call(*argv: Any) -> tuple[int, str, str]:
        capsys.readouterr()
        code = cli.main([str(part) for part in argv])
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return code, said.out, said.err

    return call


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither scores, picture nor report, which take seconds: for tests of other things."""
    none = Scores((), 0, 0, 0, 0, 0, held_out=False, few=True, seed=0, notes=("none",))
    monkeypatch.setattr(job, "score", lambda *args, **options: none)
    monkeypatch.setattr(job, "picture", lambda real, synthetic, path: path.touch())
    monkeypatch.setattr(job, "page", lambda real, synthetic, scores, path, **options: path.touch())


def long_csv(path: Path, n_series: int = 6, length: int = 12) -> Path:
    """Daily sines of two channels as a long CSV."""
    lines = ["id,date,load,count"]
    for series in range(n_series):
        for step in range(length):
            wave = np.sin(2 * np.pi * (step / 6 + series / n_series))
            lines.append(f"s{series},2024-01-{step + 1:02d},{10 + wave:.4f},{(series + step) % 5}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return long_csv(tmp_path / "real.csv")


def everything_in(folder: str | Path = ".") -> list[str]:
    return sorted(os.listdir(folder))


def test_run_does_the_whole_job(run: Run, source: Path) -> None:
    code, out, err = run("run", source, "-n", 30, "-o", "out", "--seed", 3)
    assert code == 0, err
    assert everything_in("out") == ["real_vs_synthetic.png", "report.html", "summary.json", "synthetic.csv"]
    assert everything_in() == ["out"]
    lines = Path("out/synthetic.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "id,date,load,count"
    assert len(lines) == 1 + 30 * 12
    assert Path("out/real_vs_synthetic.png").read_bytes().startswith(b"\x89PNG")
    assert "real.csv" in Path("out/report.html").read_text(encoding="utf-8")
    for words in (
        "6 series, 2 channels, 12 steps",
        "kept mode prompt",
        "Nothing was trained.",
        "verdict",
        "summary.json",
    ):
        assert words in out
    assert "note: a note of the fit" in err


@pytest.mark.parametrize("ends", [".csv.gz", ".gz", ".2024.gz"])
def test_a_compressed_input_gives_a_compressed_output(run: Run, source: Path, ends: str) -> None:
    packed = source.with_suffix(ends)
    packed.write_bytes(gzip.compress(source.read_bytes()))
    code, _, err = run("run", packed, "-n", 3, "-o", "out", "--format", "csv")
    assert code == 0, err
    assert "synthetic.csv.gz" in everything_in("out")
    lines = gzip.decompress(Path("out/synthetic.csv.gz").read_bytes()).decode().splitlines()
    assert lines[0] == "id,date,load,count" and len(lines) == 1 + 3 * 12
    assert run("run", packed, "-n", 3, "-o", "out", "--format", "csv", "--force")[0] == 0


@pytest.mark.parametrize(
    ("name", "made"), [("a.dat", "csv"), ("a", "csv"), ("a.npz", "csv"), ("a.npz.gz", "csv.gz"), ("a.txt", "txt")]
)
def test_what_comes_out_can_be_read_by_its_name(run: Run, source: Path, name: str, made: str) -> None:
    text = source.read_bytes()
    Path(name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    code, _, err = run("run", name, "-n", 3, "-o", "out", "--format", "csv")
    assert code == 0, err
    assert run("inspect", f"out/synthetic.{made}")[0] == 0


def test_the_summary_accounts_for_everything(run: Run, source: Path) -> None:
    code, out, _ = run("run", source, "-n", 5, "-o", "out", "--seed", 3, "--budget", "5s", "--steps", 4, "--json")
    assert code == 0
    summary = json.loads(Path("out/summary.json").read_text(encoding="utf-8"))
    assert json.loads(out) == summary
    assert summary["seed"] == 3
    assert summary["budget"] == "5s"
    assert summary["versions"]["tsprout"]
    described = summary["input"]
    assert (described["n_series"], described["n_channels"], described["length"]) == (6, 2, 12)
    assert [entry["channel"] for entry in described["channels"]] == ["load", "count"]
    assert all(entry["transform"] and entry["reason"] for entry in described["channels"])
    assert summary["fit"]["reason"] == "Nothing was trained."
    expected = {"n": 5, "length": None, "steps": 4, "solver": None, "guidance": None, "seed": 3, "scored": 5}
    assert summary["sampling"] == expected
    assert set(summary["seconds"]) == {"read", "load", "fit", "sample", "score", "report", "total"}
    assert summary["peak_memory_bytes"] > 10**7
    for score in summary["scores"]["scores"].values():
        assert {"value", "floor", "shots_copied", "noise", "verdict"} <= set(score)
    assert Path(summary["files"]["picture"]).is_file()


@pytest.mark.usefixtures("quick")
def test_same_seed_same_bytes(run: Run, source: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert run("run", source, "-n", 4, "-o", name, "--seed", seed)[0] == 0
    first, again, other = (Path(name, "synthetic.csv").read_bytes() for name in "abc")
    assert first == again
    assert first != other


@pytest.mark.usefixtures("quick")
def test_quiet_says_nothing(run: Run, source: Path) -> None:
    assert run("run", source, "-n", 2, "-o", "out", "--quiet") == (0, "", "")


def test_inspect(run: Run, source: Path) -> None:
    code, out, _ = run("inspect", source)
    assert code == 0
    assert "6 series" in out
    assert "load" in out
    assert "integer" in out
    assert "read as: id" in out
    code, out, _ = run("inspect", source, "--json")
    account = json.loads(out)
    assert account["command"] == "inspect"
    assert account["input"]["frequency"] in ("D", "24h")
    assert everything_in() == []


def test_a_column_with_one_value_in_each_series_is_pointed_out(run: Run, tmp_path: Path) -> None:
    rows = [f"{series},{step},{step % 3},{20 + series},5" for series in range(5) for step in range(8)]
    aged = tmp_path / "aged.csv"
    aged.write_text("\n".join(["id,time,value,age,room", *rows]) + "\n", encoding="utf-8")
    code, _, err = run("inspect", aged)
    assert code == 0
    assert "channel 'age' has one value in each series" in err
    assert "channel 'value' has one" not in err
    assert "channel 'room' has one" not in err
    assert "one value in each" not in run("inspect", aged, "--static-column", "age")[2]


@pytest.mark.parametrize(("alias", "words"), [("h", "hour"), ("W-SUN", "week"), ("MS", "month"), ("15min", "15min")])
def test_frequencies_in_words(alias: str, words: str) -> None:
    assert render.every(alias) == words


def test_reader_options_reach_the_reader(run: Run, tmp_path: Path) -> None:
    rows = "\n".join(f"{step};{step % 7};{step % 3};{-200 if step == 4 else step % 5}" for step in range(40))
    odd = tmp_path / "odd.csv"
    odd.write_text(f"tick;use;drop;gaps\n{rows}\n", encoding="utf-16")
    code, out, err = run(
        *("inspect", odd, "--time-column", "tick", "--channel", "use", "--channel", "gaps", "--encoding", "utf-16"),
        *("--window", 10, "--stride", 5, "--long", "--missing-code", "-200", "--json"),
    )
    assert code == 0, err
    described = json.loads(out)["input"]
    assert [entry["channel"] for entry in described["channels"]] == ["use", "gaps"]
    assert (described["n_series"], described["length"]) == (7, 10)
    assert described["missing_share"] > 0


def test_bounds_reach_the_scaler_and_the_account(run: Run, source: Path) -> None:
    given = ("--bounds", "load=-1.5:12", "--bounds", "count=:9")
    for arguments in (("run", source, "-n", 5, "-o", "out"), ("fit", source, "-o", "model")):
        code, out, err = run(*arguments, *given, "--json")
        assert code == 0, err
        told = json.loads(out)
        assert told["bounds"] == {"load": [-1.5, 12.0], "count": [None, 9.0]}
        assert [(entry["lower"], entry["upper"]) for entry in told["input"]["channels"]] == [(-1.5, 12.0), (None, 9.0)]
    assert "bounds" not in json.loads(run("fit", source, "-o", "other", "--json")[1])


def test_transforms_reach_the_scaler_and_the_account(run: Run, source: Path) -> None:
    for arguments in (("run", source, "-n", 5, "-o", "out"), ("fit", source, "-o", "model")):
        code, out, err = run(*arguments, "--transform", "load=asinh", "--json")
        assert code == 0, err
        told = json.loads(out)
        assert told["transforms"] == {"load": "asinh"}
        assert told["input"]["channels"][0]["transform"] == "asinh"
    assert "transforms" not in json.loads(run("fit", source, "-o", "other", "--json")[1])


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ("lode=asinh", "--transform: there is no channel 'lode'"),
        ("lode=0:9", "--bounds: there is no channel 'lode'"),
        ("load=10:", "--bounds, channel 'load': the value 9"),
    ],
)
def test_bounds_that_the_series_do_not_keep(run: Run, source: Path, bounds: str, words: str) -> None:
    option = "--transform" if "asinh" in bounds else "--bounds"
    code, _, err = run("run", source, "-o", "out", option, bounds)
    assert code == 2 and words in err
    assert everything_in() == []


@pytest.mark.parametrize(
    ("flags", "first", "said"),
    [
        ((), "1/4/24", "read as month/day/year (the other way with --day-first)"),
        (("--day-first",), "1/4/24", ""),
        (("--month-first",), "1/4/24", ""),
        (("--day-first",), "1/13/24", "the date '1/13/24' is not day/month/year\n  Leave out --day-first."),
        (("--month-first",), "13/1/24", "the date '13/1/24' is not month/day/year\n  Leave out --month-first."),
    ],
)
def test_days_and_months(run: Run, tmp_path: Path, flags: tuple[str, ...], first: str, said: str) -> None:
    rows = "".join(
        f"{series},{first if step == 1 else f'{step}/4/24'},{step + series}\n"
        for series in (1, 2, 3)
        for step in range(1, 9)
    )
    (tmp_path / "dates.csv").write_text("id,day,x\n" + rows)
    code, out, err = run("inspect", tmp_path / "dates.csv", *flags)
    assert (code, said in err) == (2 if "Leave out" in said else 0, True), err
    if code == 0:
        assert ("two ways" in err) == (not flags)
        assert ("every day" in out) == ("--day-first" in flags)


def test_fit_then_sample(run: Run, source: Path) -> None:
    code, out, err = run("fit", source, "-o", "model", "--mode", "prompt")
    assert code == 0, err
    assert "kept mode prompt" in out
    assert everything_in() == ["model"]
    assert (Path("model") / "config.json").is_file()
    code, out, err = run("sample", "model", "-n", 7, "-o", "new.npz")
    assert code == 0, err
    assert "7 series" in out
    with np.load("new.npz") as archive:
        assert archive["values"].shape == (7, 2, 12)
    code, out, _ = run("sample", "model", "-n", 3, "-o", "longer.npz", "--length", 20, "--json")
    assert code == 0
    assert json.loads(out)["sampling"]["n"] == 3
    with np.load("longer.npz") as archive:
        assert archive["values"].shape == (3, 2, 20)


def test_fit_json(run: Run, source: Path) -> None:
    code, out, _ = run("fit", source, "-o", "model", "--json")
    assert code == 0
    assert json.loads(out)["files"] == {"model": "model"}


def test_every_verb_that_loads_a_model_takes_a_device(run: Run, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, load = [], FakeSprout.from_pretrained

    def from_pretrained(name: str = "small", *, device: str = "cpu") -> FakeSprout:
        asked.append((name, device))
        loaded = load(name)
        loaded.device = device
        return loaded

    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr(FakeSprout, "from_pretrained", from_pretrained)
    code, out, _ = run("run", source, "-o", "out", "-n", 3, "--device", "cuda", "--json")
    assert (code, json.loads(out)["device"]) == (0, "cuda")
    assert run("fit", source, "-o", "model", "--device", "cuda:1")[0] == 0
    code, out, _ = run("sample", "model", "-n", 3, "-o", "new.csv", "--device", "cuda:1", "--json")
    assert (code, json.loads(out)["device"]) == (0, "cuda:1")
    assert asked == [("small", "cuda"), ("small", "cuda:1"), ("model", "cuda:1")]
    assert run("sample", "model", "-n", 3, "-o", "newer.csv", "--device", "cuda:2")[0] == 2
    assert not Path("newer.csv").exists()


def test_an_unfitted_model_cannot_be_sampled(run: Run) -> None:
    code, _, err = run("sample", "small", "-n", 3, "-o", "new.csv")
    assert code == 2
    assert "has not been fitted" in err
    assert "tsprout fit" in err
    assert everything_in() == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-n", "0"], "-n: asked for 0 series"),
        (["-n", "-3"], "-n: asked for -3 series"),
        (["-n", "many"], "-n: 'many' is not a number or LABEL=COUNT"),
        (["-n", "ill=many"], "-n: 'ill=many' is not a number or LABEL=COUNT"),
        (["-n", "1", "-n", "2"], "-n: '1' is not a number or LABEL=COUNT"),
        (["-n", "ill=1", "-n", "ill=2"], "the label 'ill' is given a number twice"),
        (["-n", "ill=0"], "-n: asked for 0 series"),
        (["-n", "ill=1"], "-n: the series have no labels"),
        (["--budget", "0.2s"], "The minimum is 5s"),
        (["--budget", "0"], "The minimum is"),
        (["--budget", "soon"], "30s, 2m or 1h"),
        (["--budget", "3 weeks"], "30s, 2m or 1h"),
        (["--mode", "magic"], "Choose from auto, prompt"),
        (["--solver", "euler"], "Choose from heun"),
        (["--device", "abacus"], "--device: this machine has no device 'abacus'"),
        (["--device", "cuda:99"], "--device: this machine has no device 'cuda:99'"),
        (["--guidance", "-1"], "number from 0"),
        (["--steps", "0"], "--steps: 0 is too small"),
        (["--length", "3"], "--length: 3 is too small"),
        (["--length", "1025"], "--length: 1025 is too large"),
        (["--window", "3"], "--window: 3 is too small"),
        (["--stride", "0"], "--stride: 0 is too small"),
        (["--seed", "-1"], "--seed"),
        (["--seed", str(2**63)], "--seed"),
        (["--bounds", "load"], "'load' is not NAME=LOW:HIGH"),
        (["--bounds", "load=:"], "NAME=LOW:HIGH"),
        (["--bounds", "load=low:9"], "NAME=LOW:HIGH"),
        (["--bounds", "=0:9"], "NAME=LOW:HIGH"),
        (["--bounds", "load=nan:9"], "NAME=LOW:HIGH"),
        (["--bounds", "load=0:inf"], "NAME=LOW:HIGH"),
        (["--bounds", "load=0:", "--bounds", "load=:99"], "'load' is given bounds twice"),
        (["--model", "copies", "--bounds", "load=0:"], "the baseline copies takes no bounds"),
        (["--transform", "load"], "'load' is not NAME=TRANSFORM"),
        (["--transform", "load=sqrt"], "with one of: auto, identity, asinh"),
        (["--transform", "=identity"], "NAME=TRANSFORM"),
        (["--transform", "load=asinh", "--transform", "load=auto"], "'load' is given a transform twice"),
        (["--model", "copies", "--transform", "load=asinh"], "--transform: the baseline copies takes no transforms"),
        (["--what"], "No such option"),
    ],
)
def test_impossible_options(run: Run, source: Path, arguments: list[str], words: str) -> None:
    code, out, err = run("run", source, "-o", "out", *arguments)
    assert code == 2
    assert words in err
    assert out == ""
    assert everything_in() == []
    code, out, _ = run("run", source, "-o", "out", *arguments, "--json")
    assert code == 2
    assert json.loads(out)["error"]["exit_code"] == 2


@pytest.mark.parametrize("group", [[], ["datasets"], ["corpus"], ["bench"]])
def test_a_command_without_anything_prints_its_help_alone(group: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(group) == 2
    said = capsys.readouterr()
    assert "Usage:" in said.out and said.err == ""


def test_options_are_refused_before_any_work(run: Run, monkeypatch: pytest.MonkeyPatch, source: Path) -> None:
    monkeypatch.setattr(job, "read_input", lambda *args: pytest.fail("read before the options were checked"))
    Path("out").mkdir()
    Path("new.csv").touch()
    assert run("run", source, "-o", "out")[0] == 2
    assert run("fit", source, "-o", "out")[0] == 2
    assert run("fit", source, "-o", "m", "--budget", "0s")[0] == 2
    code, _, err = run("sample", "no-such-model", "-n", 3, "-o", "new.csv")
    assert code == 2
    assert "the output exists" in err


@pytest.mark.usefixtures("quick")
def test_force(run: Run, source: Path) -> None:
    assert run("run", source, "-n", 2, "-o", "out")[0] == 0
    before = Path("out/synthetic.csv").read_bytes()
    code, _, err = run("run", source, "-n", 3, "-o", "out")
    assert code == 2
    assert "--force" in err
    assert Path("out/synthetic.csv").read_bytes() == before
    assert run("run", source, "-n", 3, "-o", "out", "--force")[0] == 0
    assert Path("out/synthetic.csv").read_bytes() != before
    assert everything_in() == ["out"]
    assert run("fit", source, "-o", "model")[0] == 0
    assert run("fit", source, "-o", "model")[0] == 2
    assert run("fit", source, "-o", "model", "--force")[0] == 0
    assert run("sample", "model", "-n", 2, "-o", "new.csv")[0] == 0
    assert run("sample", "model", "-n", 2, "-o", "new.csv")[0] == 2
    assert run("sample", "model", "-n", 2, "-o", "new.csv", "--force")[0] == 0


def test_force_does_not_replace_the_folder_of_the_input(run: Run) -> None:
    long_csv(Path("real.csv"))
    code, _, err = run("run", "real.csv", "-o", ".", "--force")
    assert code == 2
    assert "real.csv" in err
    assert everything_in() == ["real.csv"]


def break_in(error: BaseException) -> Callable[[int], None]:
    def before_batch(done: int) -> None:
        if done:
            raise error

    return before_batch


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (SystemExit(143), 143, ""),
        (MemoryError(), 1, "not enough memory"),
        (torch.OutOfMemoryError("CUDA out of memory"), 1, "the device has not enough memory"),
        (OSError(28, "No space left on device"), 1, "no space left on the disk"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), 1, "no space left on the disk"),
        (RuntimeError("odd\nthing"), 1, "something unforeseen went wrong: RuntimeError: odd thing"),
    ],
)
@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("forced", [False, True])
def test_whatever_happens_nothing_half_written_is_left(
    run: Run, source: Path, fake: type[FakeSprout], error: BaseException, code: int, words: str, forced: bool
) -> None:
    if forced:
        assert run("run", source, "-n", 2, "-o", "out")[0] == 0
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    fake.before_batch = staticmethod(break_in(error))
    fake.batch_size = 8
    found, _, err = run("run", source, "-n", 20, "-o", "out", *(["--force"] if forced else []))
    assert found == code
    assert words in err
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before
    assert everything_in() == (["out"] if forced else [])


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("odd")])
def test_sample_leaves_no_partial_file(run: Run, source: Path, fake: type[FakeSprout], error: BaseException) -> None:
    assert run("fit", source, "-o", "model")[0] == 0
    fake.before_batch = staticmethod(break_in(error))
    FakeSprout.before_batch, kept = fake.before_batch, FakeSprout.before_batch
    try:
        code, _, err = run("sample", "model", "-n", 200, "-o", "new.csv")
    finally:
        FakeSprout.before_batch = staticmethod(kept)
    assert code in (1, 130), err
    assert everything_in() == ["model"]


def test_debug_shows_the_traceback(
    source: Path, fake: type[FakeSprout], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TSPROUT_DEBUG", "1")
    monkeypatch.setattr(fake, "fit", break_in(RuntimeError("odd")))
    assert cli.main(["run", str(source), "-o", str(source.parent / "out")]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_disk_too_small_is_refused_at_once(run: Run, source: Path) -> None:
    code, _, err = run("run", source, "-n", 10**15, "-o", "out")
    assert code == 2
    assert "are free on its disk" in err
    assert everything_in() == []


def test_no_command_and_unknown_command(run: Run) -> None:
    assert "Usage" in run()[1]
    code, out, err = run("rum")
    assert code == 2
    assert "run" in err
    assert run("--help")[0] == 0
    assert run("--version")[1].startswith("tsprout ")
    code, _, err = run("inspect")
    assert code == 2
    assert "FILE" in err


def test_models_and_doctor_are_commands(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from tsprout import doctor

    code, out, _ = run("models", "--json")
    assert code == 0
    assert json.loads(out)["command"] == "models"
    card = {"name": "tiny", "parameters": 12345, "bytes": 5000, "lengths": [4, 99], "channels": [1, 7], "format": "3.7"}
    card["info"] = {}
    trained = {**card, "info": {"licence": "CC0", "lengths": [8, 16]}}
    monkeypatch.setattr(doctor, "models", lambda: {"command": "models", "models": [card, trained]})
    _, out, _ = run("models")
    for words in ("12,345", "5.0 kB", "4 to 99 (trained on 8 to 16)", "1 to 7", "3.7", "CC0"):
        assert words in out
    monkeypatch.setattr(doctor, "models", lambda: {"command": "models", "models": []})
    assert "no model is bundled" in run("models")[1]
    bad = {"check": "torch", "ok": False, "found": "too old", "fix": "Install a newer one."}
    good = {"check": "python", "ok": True, "found": "3.11", "fix": None}
    for checks, expected in (([good], 0), ([good, bad], 1)):
        account = {"ok": expected == 0, "checks": checks, "extras": {"ts": True, "hub": False}}
        monkeypatch.setattr(doctor, "doctor", lambda account=account: account)
        code, out, _ = run("doctor", "--json")
        assert code == expected
        assert json.loads(out)["ok"] is (expected == 0)
        code, out, err = run("doctor")
        assert code == expected
        assert "absent" in out
        assert ("Install a newer one." in err) is (expected == 1)


def test_the_reader_of_our_output_may_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    assert options.report(Console(), BrokenPipeError()) == 1
    assert sys.stdout.name == os.devnull
    sys.stdout.close()


@pytest.mark.parametrize(("error", "code"), [(SystemExit("text"), 1), (SystemExit(7), 7)])
def test_exit_codes_of_others_are_kept(error: SystemExit, code: int) -> None:
    assert options.report(Console(), error) == code


def test_main_works_outside_the_main_thread(run: Run) -> None:
    from threading import Thread

    codes: list[int] = []
    thread = Thread(target=lambda: codes.append(cli.main(["--version"])))
    thread.start()
    thread.join()
    assert codes == [0]


def test_python_dash_m() -> None:
    from tsprout import __main__

    assert __main__.main is cli.main


def test_termination_tidies_up() -> None:
    with pytest.raises(SystemExit) as caught:
        cli._terminated(15, None)
    assert caught.value.code == 143


@pytest.mark.usefixtures("quick")
def test_few_series_are_warned_of(run: Run, tmp_path: Path) -> None:
    for count, words in ((1, "there is only one series"), (3, "there are only 3 series")):
        code, _, err = run("run", long_csv(tmp_path / f"{count}.csv", count), "-n", 4, "-o", f"out{count}")
        assert code == 0, err
        assert words in err
