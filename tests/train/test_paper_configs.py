"""The paper's pre-training as shipped configurations: its model, its optimiser, its windows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tiny_corpus import small_corpus

from tsprout.data.corpus.windows import WindowConfig
from tsprout.errors import InputError
from tsprout.model import PAPER
from tsprout.train.configuration import build, parameter_count, read_configuration, to_yaml
from tsprout.train.loop import LoopConfig
from tsprout.train.pretrain import pretrain

yaml = pytest.importorskip("yaml")

COUNTS = {
    "paper-6m": 6_386_144,
    "paper-15m": 13_969_680,
    "paper-26m": 24_576_832,
    "paper-40m": 38_210_736,
    "paper-padding": 6_122_743,
    "paper-no-token": 6_381_920,
}


@pytest.mark.parametrize("name", COUNTS)
def test_the_paper(name: str) -> None:
    config = read_configuration(name)
    assert config.name == name
    assert parameter_count(config.model) == COUNTS[name]
    assert config.loop == LoopConfig(steps=146_500)  # whose defaults are the paper's
    assert config.stream == WindowConfig(24, 128) and config.pieces * config.stream.windows == 2048
    assert 2.9e8 < config.loop.steps * 2048 < 3.1e8
    assert config.drop_token == 0 and config.model.prompt_depth == 0
    different = {"width", "rows", "channel_mixing", "canonical"}
    assert replace(config.model, **{k: getattr(PAPER, k) for k in different}) == PAPER
    assert build(yaml.safe_load(to_yaml(config)), "again", name) == config


def test_the_first_is_the_model_of_that_name() -> None:
    assert read_configuration("paper-6m").model == PAPER
    assert read_configuration("paper-6m", ["stream.length=64"]).stream == WindowConfig(64, 128)


def test_a_preset_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InputError, match="no model called 'huge'"):
        build({"model": {"preset": "huge"}}, "here")
    with pytest.raises(InputError, match="no setting called 'widht'"):
        build({"model": {"preset": "paper", "widht": 3}}, "here")


def test_windows_of_many_channel_counts_are_one_step(tmp_path: Path) -> None:
    corpus = small_corpus(tmp_path / "corpus")
    tiny = ["model.width=8", "model.blocks=1", "model.multipliers=[1, 2]", "model.canonical=8", "training.steps=3"]
    config = read_configuration("paper-6m", [*tiny, "training.pieces=2", "stream.windows=16"])
    found = pretrain(config, corpus, tmp_path / "run")
    assert (found.steps, found.windows) == (3, 3 * 2 * 16)
    assert found.sets == ["Many", "Pieces", "Shapes", "Walk"]
    again = pretrain(config, corpus, tmp_path / "again").model
    assert all((a == b).all() for a, b in zip(found.model.parameters(), again.parameters(), strict=True))
