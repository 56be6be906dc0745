"""Every job takes a baseline by name, and what baselines do not have is refused in words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tsprout import Sprout, cli
from tsprout.baselines import load
from tsprout.errors import CheckpointError, InputError
from tsprout.peer import Peer, device_for, is_peer

CSV = "id,time,x,y\n" + "".join(
    f"s{series},2024-01-{step + 1:02d},{np.sin(series + step / 2):.3f},{(series + step) % 4}\n"
    for series in range(6)
    for step in range(8)
)


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "real.csv").write_text(CSV, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return "real.csv"


def test_the_whole_job(real: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", real, "-o", "out", "-n", "12", "--model", "levels-shapes", "--seed", "5", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["fit"]["mode"] == "levels-shapes"
    assert summary["scores"]["scores"]
    assert {path.name for path in Path("out").iterdir()} == {
        "synthetic.csv",
        "summary.json",
        "report.html",
        "real_vs_synthetic.png",
    }
    lines = Path("out/synthetic.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "id,time,x,y"
    assert len(lines) == 1 + 12 * 8
    assert cli.main(["fit", real, "-o", "fitted", "--model", "levels-shapes", "--seed", "5", "--budget", "5s"]) == 0
    assert "whatever the budget" in capsys.readouterr().err
    assert cli.main(["sample", "fitted", "-n", "12", "-o", "again.csv", "--seed", "5"]) == 0
    assert Path("again.csv").read_bytes() == Path("out/synthetic.csv").read_bytes()
    assert cli.main(["fit", real, "-o", "fitted", "--model", "jitter"]) == 2
    assert cli.main(["fit", real, "-o", "fitted", "--model", "jitter", "--force"]) == 0


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (["--mode", "full"], "mode"),
        (["--steps", "3"], "steps"),
        (["--guidance", "1.5"], "guidance"),
        (["--solver", "heun"], "solver"),
        (["--length", "9"], "length"),
    ],
)
def test_options_that_make_no_sense(real: str, given: list[str], word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "absent.csv", "-o", "out", "--model", "copies", *given]) == 2
    said = capsys.readouterr().err
    assert f"takes no {word}" in said, "said before the file is looked at"
    fitted = Sprout.from_pretrained("copies").fit(real)
    with pytest.raises(InputError, match=f"takes no {word}"):
        if word == "mode":
            fitted.fit(real, "full")
        fitted.sample(2, **{word: 9})


def test_a_run_can_keep_its_model(real: str, capsys: pytest.CaptureFixture[str]) -> None:
    run = ["run", real, "-o", "out", "-n", "5", "--model", "levels-shapes"]
    assert cli.main([*run, "--keep-model", "out"]) == 2
    assert "a folder of its own" in capsys.readouterr().err
    for inside in (("out", "out/model"), ("kept/out", "kept")):
        assert cli.main([*run[:3], inside[0], *run[4:], "--keep-model", inside[1]]) == 2
        assert not Path(inside[0]).exists() and not Path(inside[1]).exists()
    assert cli.main([*run, "--keep-model", "kept"]) == 0
    assert "model    kept" in capsys.readouterr().out
    assert cli.main(["sample", "kept", "-n", "5", "-o", "again.csv"]) == 0
    assert Path("again.csv").read_bytes() == Path("out/synthetic.csv").read_bytes()
    assert cli.main([*run, "--keep-model", "kept"]) == 2  # both are there
    assert cli.main([*run, "--keep-model", "kept", "--force"]) == 0
    assert cli.main(["sample", "out", "-n", "5", "-o", "more.csv"]) == 2
    assert "--keep-model" in capsys.readouterr().err


def test_so_many_of_each_label(real: str, capsys: pytest.CaptureFixture[str]) -> None:
    kinds = {f"s{k}": "well" if k < 4 else "ill" for k in range(6)}
    rows = [line.split(",") for line in CSV.splitlines()]
    table = "\n".join(",".join([*row, kinds.get(row[0], "label")]) for row in rows) + "\n"
    Path("kinds.csv").write_text(table, encoding="utf-8")
    counts = ["-n", "ill=30", "-n", "well=4"]
    assert cli.main(["run", "kinds.csv", "-o", "out", "--model", "jitter", *counts, "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    # Two thirds of the real ones are well: of 34 to be scored 23, of which 19 are drawn for that alone.
    assert summary["sampling"] | {"n": 34, "labels": {"ill": 30, "well": 4}, "scored": 34} == summary["sampling"]
    assert "19 of them drawn for that alone" in summary["scores"]["notes"][-1]
    lines = Path("out/synthetic.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert [line.rsplit(",", 1)[1] for line in lines] == ["ill"] * 30 * 8 + ["well"] * 4 * 8
    assert cli.main(["fit", "kinds.csv", "-o", "fitted", "--model", "jitter"]) == 0
    assert cli.main(["sample", "fitted", "-o", "new.csv", *counts]) == 0
    assert len(Path("new.csv").read_text(encoding="utf-8").splitlines()) == 1 + 34 * 8
    assert "34 series (30 ill, 4 well)" in capsys.readouterr().out
    for command in (["run", "kinds.csv", "-o", "more", "--model", "jitter"], ["sample", "fitted", "-o", "more.csv"]):
        assert cli.main([*command, "-n", "dead=1"]) == 2
        assert "-n: no series has the label 'dead'\n  The labels are ill, well." in capsys.readouterr().err
    assert cli.main(["run", real, "-o", "more", "-n", "ill=1"]) == 2
    assert "-n: the series have no labels" in capsys.readouterr().err
    assert not Path("more").exists() and not Path("more.csv").exists()


def test_models_lists_them(real: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models"]) == 0
    shown = capsys.readouterr().out
    for name in ("copies", "levels-shapes", "gp"):
        assert name in shown
    assert cli.main(["sample", "copies", "-o", "x.csv"]) == 2
    assert "not been fitted" in capsys.readouterr().err
    assert cli.main(["sample", "copie", "-o", "x.csv"]) == 2
    assert "tsprout models" in capsys.readouterr().err


def test_front_door(real: str) -> None:
    assert is_peer("copies")
    assert not is_peer("small")
    assert not is_peer("./copies")
    peer = Sprout.from_pretrained("jitter")
    assert isinstance(peer, Peer)
    assert "not fitted" in repr(peer)
    fitted = peer.fit(real)
    assert peer.shots is None
    assert "6 series" in repr(fitted)
    assert fitted.fit_report is not None
    with pytest.raises(InputError, match="not pushed"):
        fitted.push_to_hub("owner/name")
    with pytest.raises(InputError, match="not pushed"):
        fitted.save_pretrained("x", push_to_hub=True)
    with pytest.raises(CheckpointError, match="revision"):
        Sprout.from_pretrained("jitter", revision="v1")


@pytest.mark.parametrize("damage", ["description", "version", "name", "shots", "other"])
def test_damaged_folders(real: str, damage: str) -> None:
    Sprout.from_pretrained("var").fit(real).save_pretrained("fitted")
    path = Path("fitted/baseline.json")
    facts = json.loads(path.read_text(encoding="utf-8"))
    if damage == "description":
        path.write_text(path.read_text(encoding="utf-8")[:50], encoding="utf-8")
    elif damage == "shots":
        Path("fitted/shots.safetensors").unlink()
    else:
        change = {"version": {"format_version": 99}, "name": {"name": "gone"}, "other": {"name": "gp"}}[damage]
        path.write_text(json.dumps(facts | change), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        Sprout.from_pretrained("fitted").sample(2)
    assert caught.value.fix


@pytest.mark.parametrize(
    ("name", "asked", "used"),
    [
        ("timegan", "cuda", "cuda"),
        ("timegan", "cuda:1", "cuda:1"),
        ("timegan", "cpu", "cpu"),
        ("timegan", "mps", "cpu"),
        ("gp", "cuda", "cpu"),
        ("small", "cuda", "cuda"),
        ("small", "mps", "mps"),
    ],
)
def test_baselines_with_a_network_and_no_others_use_a_gpu(
    name: str, asked: str, used: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert device_for(name, asked) == used
    if is_peer(name):
        monkeypatch.setattr("tsprout.peer.device_of", lambda name: None)
        peer = Sprout.from_pretrained(name, device=asked)
        assert isinstance(peer, Peer)
        assert peer.baseline.settings.get("device", "cpu") == used == peer.device
        assert bool(peer.notes) == (used == "cpu" != asked)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
@pytest.mark.parametrize("device", ["cuda", "cudaxx"])
def test_a_device_that_is_not_there_is_refused_at_once(device: str) -> None:
    with pytest.raises(InputError, match=f"no device {device!r}"):
        Sprout.from_pretrained("timegan", device=device)


def test_a_fitted_baseline_draws_where_it_is_asked_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shots = np.random.default_rng(0).random((4, 8, 1))
    deep, plain = tmp_path / "deep", tmp_path / "plain"
    Sprout.from_pretrained("timevae").fit(shots, axes="nlc").save_pretrained(deep)
    Sprout.from_pretrained("jitter").fit(shots, axes="nlc").save_pretrained(plain)
    assert [device_for(folder, "cuda:1") for folder in (deep, plain)] == ["cuda:1", "cpu"]
    facts = deep / "baseline.json"
    facts.write_text(
        facts.read_text(encoding="utf-8").replace('"device": "cpu"', '"device": "cuda:7"'), encoding="utf-8"
    )
    monkeypatch.setattr("tsprout.baselines.store.is_here", lambda name: True)
    with pytest.raises(InputError, match="no device 'cuda:7'"):
        load(deep)
    assert load(deep, device="cpu").settings["device"] == "cpu"
    monkeypatch.undo()
    again = load(deep)  # fitted where there is a GPU, and there is none here
    assert again.settings["device"] == "cpu"
    assert again.sample(3, seed=0).values.shape == (3, 1, 8)
    facts.write_text(facts.read_text(encoding="utf-8").replace("cuda:7", "cuda:+7"), encoding="utf-8")
    with pytest.raises(InputError, match="no device 'cuda:.7'"):
        load(deep)  # no name of a device: none of ours to mend
    for folder in (deep, plain):
        with pytest.raises(InputError, match="no device 'cuda:99'"):
            Sprout.from_pretrained(folder, device="cuda:99")
