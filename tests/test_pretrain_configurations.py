"""Configurations of ``tsprout pretrain``: the shipped ones, what they extend, and what is refused in one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pretrain_help import Run, caller, tiny_place

from tsprout import pretraining
from tsprout.checkpoint import load
from tsprout.data.corpus.episodes import StreamConfig
from tsprout.data.corpus.windows import WindowConfig
from tsprout.errors import InputError
from tsprout.train import configuration
from tsprout.train.configuration import build, parameter_count, read_configuration, shipped, to_yaml

pytest.importorskip("lightning_fabric")
yaml = pytest.importorskip("yaml")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return tiny_place(tmp_path, monkeypatch)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], place: Path) -> Run:
    return caller(capsys)


def test_the_shipped_configurations(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, _ = run("--list", "--json")
    assert code == 0
    found = {one["name"]: one for one in json.loads(out)["configurations"]}
    assert set(found) == set(shipped()) >= {"small", "base"}
    assert 25e6 <= found["base"]["parameters"] <= 40e6
    assert found["small"]["parameters"] == load("small").model.parameter_count
    monkeypatch.setattr(pretraining, "configurations", lambda: {"configurations": list(found.values())})
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


def test_parameters_are_counted_without_memory() -> None:
    config = read_configuration("base").model
    begun = torch.zeros(1)
    assert parameter_count(config) == pytest.approx(34e6, rel=0.2)
    assert begun.device.type == "cpu" and torch.zeros(1).device.type == "cpu"
    assert configuration.SHIPPED.is_dir()


def written(folder: Path, **files: str) -> str:
    """Files ``name.yaml`` in a folder; the path of the first."""
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return str(folder / f"{next(iter(files))}.yaml")


def test_a_file_extends_a_shipped_one(tmp_path: Path) -> None:
    name = written(tmp_path, mine="extends: paper-6m\nmodel: {width: 8}\ntraining: {steps: 7}\nengine:\n")
    plain, found = read_configuration("paper-6m"), read_configuration(name)
    assert found.name == "mine" and (found.model.width, found.loop.steps) == (8, 7)
    assert found == replace(plain, name="mine", model=replace(plain.model, width=8), loop=replace(plain.loop, steps=7))
    # What the command line says comes last, and what a run writes down needs no other file.
    assert read_configuration(name, ["training.steps=9"]).loop.steps == 9
    assert build(yaml.safe_load(to_yaml(found)), "again") == found


def test_a_file_extends_one_beside_it_which_extends_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "first.yaml").write_text("name: first\nextends: paper-6m\nmodel: {width: 8, blocks: 2}\n")
    name = written(
        tmp_path,
        third="extends: second.yaml\nname: last\ntraining: {pieces: 2}",
        second="extends: deep/first.yaml\nmodel: {blocks: 3}\ntraining: {pieces: 4, steps: 5}",
    )
    monkeypatch.chdir(tmp_path / "deep")  # a file is found beside the one that names it, wherever it is read from
    found = read_configuration(name)
    assert (found.name, found.model.width, found.model.blocks) == ("last", 8, 3)
    assert (found.pieces, found.loop.steps, found.stream.windows) == (2, 5, 128)


def test_a_stream_of_another_kind_takes_nothing_over(tmp_path: Path) -> None:
    name = written(tmp_path, mine="extends: paper-6m\nstream: {kind: episodes, cells: 99}\n")
    assert read_configuration(name).stream == StreamConfig(cells=99)
    name = written(tmp_path, mine="extends: paper-6m\nstream: {length: 36}\n")
    assert read_configuration(name).stream == WindowConfig(36, 128)


@pytest.mark.parametrize(
    ("files", "what", "fix"),
    [
        ({"a": "extends: paper-7m"}, "no such configuration", "Did you mean paper-6m?"),
        ({"a": "extends: b.yaml"}, "no such configuration", "a YAML file"),
        ({"a": "extends: [small]"}, "cannot extend ['small']", "beside this one"),
        ({"a": "extends:"}, "cannot extend None", "beside this one"),
        ({"a": "extends: a.yaml"}, "a.yaml extends a.yaml", "Break the circle"),
        ({"a": "extends: b.yaml", "b": "extends: a.yaml"}, "a.yaml extends b.yaml extends a.yaml", "circle"),
        ({"a": "extends: b.yaml", "b": "- 1"}, "this is no configuration", "sections"),
        ({"a": "extends: b.yaml", "b": "model: {widht: 3}"}, "no setting called 'widht'", "width"),
        ({"a": "extends: b.yaml\nmodel: 3", "b": "model: {width: 32}"}, "not a section", ""),
        ({"a": "extends: small\nstream: {kind: windows, cells: 3}"}, "no setting called 'cells'", ""),
        ({"a": "extend: small"}, "no section called 'extend'", "Did you mean extends?"),
    ],
)
def test_what_cannot_be_extended(tmp_path: Path, files: dict[str, str], what: str, fix: str) -> None:
    with pytest.raises(InputError) as caught:
        read_configuration(written(tmp_path, **files))
    assert what in caught.value.what and fix in str(caught.value.fix) and "a.yaml" in str(caught.value.where)
