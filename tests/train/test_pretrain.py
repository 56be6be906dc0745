"""Pre-training on a corpus of a few kilobytes: drops, resumption, validation, refusals."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_corpus import HELD, TRAINED, small_corpus
from tiny_models import PADDED, TRANSFORMER, same_weights, snapshot, woken

from tsprout.checkpoint import Checkpoint
from tsprout.data.corpus.draw import SetReader
from tsprout.data.corpus.episodes import Batch, EpisodeStream, StreamConfig
from tsprout.data.corpus.store import Corpus
from tsprout.errors import CheckpointError, InputError
from tsprout.model import Denoiser
from tsprout.train import pretrain as module
from tsprout.train.engine import EngineConfig
from tsprout.train.loop import STATE, LoopConfig
from tsprout.train.pretrain import PretrainConfig, config_to_dict, pretrain
from tsprout.train.validation import Validation, batch_loss

STREAM = StreamConfig(
    cells=128, targets=6, lengths=(8, 16), length_shares=(1, 1), channels=(1, 2), channel_shares=(1, 1)
)
CONFIG = PretrainConfig(replace(TRANSFORMER, rows=6), LoopConfig(4, 1e-3, seed=3), STREAM, pieces=2, validate_every=2)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return small_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two batches of validation."""
    plain = Validation.__init__
    monkeypatch.setattr(Validation, "__init__", lambda self, corpus, names: plain(self, corpus, names, batches=2))


@pytest.fixture
def unvalidated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Validation", lambda corpus, names: lambda model: {})


def batch() -> Batch:
    config = StreamConfig(
        cells=128,
        targets=4,
        synthetic_share=1.0,
        lengths=(8,),
        length_shares=(1,),
        channels=(2,),
        channel_shares=(1,),
    )
    return EpisodeStream(None, config, seed=1).batch(0)


def test_trains_logs_and_averages(corpus: Corpus, tmp_path: Path) -> None:
    lines: list[dict] = []
    model = pretrain(CONFIG, corpus, tmp_path / "out", log=lines.append).model
    assert not model.training
    assert not same_weights(model, Denoiser(CONFIG.model, seed=3).state_dict())
    assert [line["step"] for line in lines] == [2, 4]
    written = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    assert written == lines
    assert {"mean", "sigma 0.05", "sigma 30"} <= set(lines[0]["held out"])
    assert all(np.isfinite(v) for v in lines[0]["held out"].values())
    assert (tmp_path / "out" / STATE).is_file()


@pytest.mark.usefixtures("unvalidated")
@pytest.mark.parametrize("bfloat16", [False, True])
def test_stopped_and_resumed_is_the_same_as_unbroken(corpus: Corpus, tmp_path: Path, bfloat16: bool) -> None:
    config = replace(CONFIG, engine=EngineConfig(precision="bf16" if bfloat16 else "32"))
    unbroken = pretrain(config, corpus, tmp_path / "one").model
    pretrain(config, corpus, tmp_path / "two", seconds=0.0)  # stops after its first step
    resumed = pretrain(config, corpus, tmp_path / "two").model
    assert same_weights(resumed, snapshot(unbroken))


@pytest.mark.usefixtures("unvalidated")
def test_workers_change_nothing(corpus: Corpus, tmp_path: Path) -> None:
    alone = pretrain(CONFIG, corpus, tmp_path / "one").model
    two, one = (replace(CONFIG, engine=EngineConfig(workers=count)) for count in (2, 1))
    pretrain(two, corpus, tmp_path / "two", seconds=0.0)
    assert same_weights(pretrain(one, corpus, tmp_path / "two").model, snapshot(alone))


def test_held_out_sets_are_validated_on_and_not_trained_on(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, set[str]] = {"training": set(), "validation": set()}
    now = ["training"]
    plain, validation = SetReader.draw, Validation.__init__

    def spy(self, *args):
        drawn[now[0]].add(self.entry.name)
        return plain(self, *args)

    def validate(self, corpus, names):
        now[0] = "validation"
        validation(self, corpus, names)
        now[0] = "training"

    monkeypatch.setattr(SetReader, "draw", spy)
    monkeypatch.setattr(Validation, "__init__", validate)
    stream = replace(STREAM, synthetic_share=0.0, cells=512)
    pretrain(replace(CONFIG, stream=stream), corpus, tmp_path / "out")
    assert sorted(drawn["training"]) == TRAINED
    assert drawn["validation"] == {HELD}


def test_without_held_out_sets_there_is_no_validation(tmp_path: Path) -> None:
    index = small_corpus(tmp_path / "corpus").path + "/corpus.json"
    Path(index).write_text(Path(index).read_text().replace('"held_out": true', '"held_out": false'))
    lines: list[dict] = []
    pretrain(CONFIG, Corpus(tmp_path / "corpus"), tmp_path / "out", log=lines.append)
    assert [line["held out"] for line in lines] == [{}, {}]


@pytest.mark.usefixtures("unvalidated")
def test_what_is_drawn_is_what_the_configuration_says(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Batch] = []
    plain = module.noised

    def spy(model, batch, *rest, **more):
        seen.append(batch)
        return plain(model, batch, *rest, **more)

    monkeypatch.setattr(module, "noised", spy)
    pretrain(CONFIG, corpus, tmp_path / "out")
    expected = list(islice(EpisodeStream(corpus, STREAM, seed=CONFIG.loop.seed), 8))
    assert len(seen) == 8
    assert all(np.array_equal(a.targets, b.targets) for a, b in zip(seen, expected, strict=True))


@pytest.mark.usefixtures("unvalidated")
def test_starts_from_weights_that_are_given(corpus: Corpus, tmp_path: Path) -> None:
    base = woken(CONFIG.model)
    before = snapshot(base)
    config = replace(CONFIG, loop=LoopConfig(1, learning_rate=0.0, weight_decay=0.0))
    info = {"sets": {"Walk": {"row": 1}, "Many": {"row": 4}, "Gone": {"row": 0}, "Pieces": {"row": 99}}}
    found = pretrain(config, corpus, tmp_path / "out", start=Checkpoint(base, info))
    assert found.started is not None and (found.started.matched, found.started.sets) == (2, 4)
    after = snapshot(found.model)
    table, null = (f"backbone.conditioner.token.{name}" for name in ("table", "null"))
    assert all(torch.allclose(t, before[n], atol=1e-6) for n, t in after.items() if n != table)
    rows = {"Many": 4, "Pieces": None, "Shapes": None, "Walk": 1}  # in the order of the stream's sets
    expected = torch.stack([before[null] if row is None else before[table][row] for row in rows.values()])
    torch.testing.assert_close(after[table][:4], expected)
    torch.testing.assert_close(after[table][4:], before[null].expand(2, -1))
    assert same_weights(base, before)


def test_weights_of_another_shape_are_refused(corpus: Corpus, tmp_path: Path) -> None:
    base = woken(replace(CONFIG.model, width=32))
    with pytest.raises(InputError, match="width 16 and not 32"):
        pretrain(CONFIG, corpus, tmp_path / "out", start=Checkpoint(base))
    with pytest.raises(InputError, match="fitted"):
        pretrain(CONFIG, corpus, tmp_path / "out", start=Checkpoint(woken(CONFIG.model), fitted={}))


def test_refusals(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="3 rows for 4 sets"):
        pretrain(replace(CONFIG, model=TRANSFORMER), corpus, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / STATE).write_bytes(b"nonsense")
    with pytest.raises(CheckpointError):
        pretrain(CONFIG, corpus, tmp_path / "out")


def test_conditions_are_dropped_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    model = woken(replace(TRANSFORMER, rows=6))
    some = batch()
    some.rows[:] = np.arange(len(some.rows)) + 4  # of six rows, the last two are known and the others are not
    seen: list[tuple] = []
    plain = Denoiser.losses

    def spy(self, clean, observed, sigma, noise, rows, memory):
        seen.append((rows.tolist(), memory.present.tolist()))
        return plain(self, clean, observed, sigma, noise, rows, memory)

    monkeypatch.setattr(Denoiser, "losses", spy)
    episodes, per = some.targets.shape[:2]
    for drop_prompt, drop_token in ((0.0, 0.0), (1.0, 1.0)):
        losses = batch_loss(
            model, some, torch.Generator().manual_seed(0), drop_prompt=drop_prompt, drop_token=drop_token
        )
        assert losses.shape == (episodes * per,)
    kept = np.repeat([4, 5] + [-1] * (episodes - 2), per).tolist()
    assert seen == [(kept, [True] * episodes), ([-1] * (episodes * per), [False] * episodes)]


def test_every_weight_is_trained_by_enough_batches() -> None:
    for config in (TRANSFORMER, PADDED):
        model = woken(config)
        some = batch()
        some.shots_observed[:, 0, 0, 3] = False
        some.rows[:] = np.arange(len(some.rows)) % 3
        generator = torch.Generator().manual_seed(1)
        for _ in range(4):
            batch_loss(model, some, generator, drop_prompt=0.5, drop_token=0.5).mean().backward()
        assert [n for n, p in model.named_parameters() if p.grad is None or not bool(p.grad.any())] == []


def test_unobserved_targets_do_not_count() -> None:
    model = woken(TRANSFORMER)
    one, other = batch(), batch()
    hidden = np.random.default_rng(0).random(one.targets.shape) < 0.3
    for some, value in ((one, 0.0), (other, 77.0)):
        some.targets_observed[hidden] = False
        some.targets[hidden] = value
    losses = [
        batch_loss(model, b, torch.Generator().manual_seed(0), drop_prompt=0.0, drop_token=1.0) for b in (one, other)
    ]
    assert torch.equal(*losses)


def test_validation_is_fixed_and_leaves_the_model_in_its_mode(corpus: Corpus) -> None:
    validation = Validation(corpus, (HELD,))
    model = woken(CONFIG.model).train()
    first = validation(model)
    assert model.training
    assert first == validation(model)
    assert first["mean"] == pytest.approx(np.mean([v for k, v in first.items() if k != "mean"]))
    assert Validation(corpus, (HELD,))(model) == first


def test_the_configuration_is_json_able() -> None:
    facts = json.loads(json.dumps(config_to_dict(CONFIG)))
    assert facts["model"]["rows"] == 6
    assert facts["loop"]["steps"] == 4
    assert facts["stream"]["lengths"] == [8, 16]
