"""The published model as a baseline: fine-tuned as published, whatever ablation the checkpoint is."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
import torch
from small_baselines import set_of, tiny_checkpoint, waves
from tiny_models import PADDED, woken

from tsprout import cli
from tsprout.baselines import get, load, registry
from tsprout.bench.digests import cell_hash, check_model
from tsprout.bench.spec import build
from tsprout.checkpoint import Checkpoint, save
from tsprout.errors import InputError
from tsprout.published import ImagenFew

SERIES = set_of(10 + 3 * waves(5))


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """As by the entry point of the installed package, whatever version of it is installed."""
    point = EntryPoint("imagenfew", "tsprout.published:ImagenFew", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == registry.GROUP else [])


def test_it_is_registered_above_the_others() -> None:
    text = (Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert 'imagenfew = "tsprout.published:ImagenFew"' in text
    assert get("imagenfew") is ImagenFew


def test_it_needs_a_checkpoint() -> None:
    with pytest.raises(InputError, match="pre-trained"):
        ImagenFew().fit(SERIES, seed=0)


@pytest.mark.parametrize(
    "change", [{}, {"rows": 0}, {"channel_mixing": "padded"}], ids=["paper", "no token", "padding"]
)
def test_every_ablation_draws_and_comes_back(change: dict[str, object], tmp_path: Path) -> None:
    save(Checkpoint(woken(replace(PADDED, **change))), tmp_path / "model")  # type: ignore[arg-type]
    fitted = ImagenFew(checkpoint=str(tmp_path / "model"), steps=3).fit(SERIES, seed=1)
    made = fitted.sample(4, seed=2)
    assert made.values.shape == (4, 2, 12) and np.isfinite(made.values).all()
    fitted.save(tmp_path / "fitted")
    assert load(tmp_path / "fitted").sample(4, seed=2).equals(made)
    again = ImagenFew(checkpoint=str(tmp_path / "model"), steps=3).fit(SERIES, seed=1)
    assert again.sample(4, seed=2).equals(made)


def test_it_comes_back_on_its_device(tmp_path: Path) -> None:
    save(Checkpoint(woken(PADDED)), tmp_path / "model")
    fitted = ImagenFew(checkpoint=str(tmp_path / "model"), steps=1).fit(SERIES, seed=1)
    asked: list[object] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tsprout.devices.device_of", lambda name: asked.append(name) or torch.device("meta"))
        again = ImagenFew(checkpoint="", steps=1, device="cuda:1")
        again._restore(fitted._parts[0]._state())
    assert asked == ["cuda:1"]
    assert again._tuned is not None and again._tuned.model.device.type == "meta"


def test_settings_reach_the_fine_tuning() -> None:
    """Its settings reach the function that it calls, step by step."""
    told: list[int] = []
    few = ImagenFew(checkpoint=tiny_checkpoint(), steps=4).fit(
        SERIES, seed=0, progress=lambda _, at, __: told.append(at)
    )
    assert told == [1, 2, 3, 4]
    untrained = ImagenFew(checkpoint=tiny_checkpoint(), steps=1).fit(SERIES, seed=0)
    assert not few.sample(3, seed=0).equals(untrained.sample(3, seed=0))


CSV = "id,time,x,y\n" + "".join(
    f"s{series},2024-01-{step + 1:02d},{np.sin(series + step / 2):.3f},{(series + step) % 4}\n"
    for series in range(5)
    for step in range(8)
)


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file in the current folder; and fits of three steps."""
    (tmp_path / "real.csv").write_text(CSV, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ImagenFew.__init__, "__kwdefaults__", ImagenFew.__init__.__kwdefaults__ | {"steps": 3})
    return "real.csv"


def test_the_whole_job_from_a_checkpoint(real: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--model", "imagenfew", "--checkpoint", tiny_checkpoint(), "--seed", "5"]
    assert cli.main(["run", real, "-o", "out", "-n", "9", *given, "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["model"], summary["checkpoint"]) == ("imagenfew", tiny_checkpoint())
    assert summary["fit"]["mode"] == "imagenfew"
    assert json.loads(Path("out/summary.json").read_text(encoding="utf-8"))["checkpoint"] == tiny_checkpoint()
    assert cli.main(["fit", real, "-o", "fitted", *given]) == 0
    assert cli.main(["sample", "fitted", "-n", "9", "-o", "again.csv", "--seed", "5"]) == 0
    assert Path("again.csv").read_bytes() == Path("out/synthetic.csv").read_bytes()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["imagenfew"], "needs a pre-trained checkpoint"),
        (["imagenfew", "--checkpoint", "nowhere"], "nowhere"),
        (["imagenfew", "--checkpoint", "small"], "without a prompt encoder"),
        (["copies", "--checkpoint", "small"], "copies takes no checkpoint"),
        (["small", "--checkpoint", "small"], "small starts from no other checkpoint"),
    ],
    ids=["none", "absent", "of another kind", "a baseline without", "a model"],
)
@pytest.mark.parametrize("verb", ["run", "fit"])
def test_checkpoints_that_make_no_sense(
    verb: str, given: list[str], words: str, real: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([verb, "absent.csv", "-o", "out", "--model", *given]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert words in said, "said before the file is looked at"
    assert "Give a folder" in said or "Leave it out" in said or "Name" in said or "tsprout models" in said


def test_the_list_of_models_says_what_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models"]) == 0
    assert "imagenfew needs a pre-trained checkpoint: --checkpoint FOLDER" in " ".join(capsys.readouterr().out.split())


def spec(**options: str) -> dict[str, object]:
    model = {"model": "imagenfew", "options": options}
    return {"sets": ["Sine"], "shots": [4], "lengths": [12], "seeds": [0], "suites": ["quick"], "models": [model]}


def test_a_benchmark_knows_it_by_its_weights(tmp_path: Path) -> None:
    """The same weights elsewhere are the same model, others in the same place are another."""

    def made(place: str, **change: object) -> str:
        save(Checkpoint(woken(replace(PADDED, **change))), tmp_path / place)  # type: ignore[arg-type]
        return cell_hash(build(spec(checkpoint=str(tmp_path / place)), "spec").cells()[0])

    assert made("one") == made("two") != made("three", rows=0)
    steps = {**spec(checkpoint=str(tmp_path / "one")), "models": [{"model": "imagenfew", "options": {"steps": 3}}]}
    assert cell_hash(build(steps, "spec").cells()[0]) != made("four")


@pytest.mark.parametrize("options", [{}, {"checkpoint": "nowhere"}, {"checkpoint": "small"}])
def test_a_benchmark_refuses_before_any_work(options: dict[str, str]) -> None:
    model = build(spec(**options), "spec").models[0]
    with pytest.raises(InputError, match="checkpoint|nowhere|prompt"):
        check_model(model)
