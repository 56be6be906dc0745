"""Pre-training on a pack of a few kilobytes: drops, resumption, validation, refusals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import PADDED, TRANSFORMER, same_weights, snapshot, woken
from tiny_pack import HELD, write_pack

from tsprout.data.episodes import EpisodeStream
from tsprout.errors import CheckpointError, InputError
from tsprout.model import Denoiser
from tsprout.train import pretrain as module
from tsprout.train.loop import STATE, LoopConfig
from tsprout.train.pretrain import PretrainConfig, Validation, batch_loss, config_to_dict, pretrain

CONFIG = PretrainConfig(
    replace(TRANSFORMER, rows=6),
    LoopConfig(4, 1e-3, seed=3),
    cells=128,
    accumulate=2,
    bfloat16=False,
    validate_every=2,
    hold_out=(HELD,),
)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return write_pack(tmp_path / "pack")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short series, few channels and two batches of validation."""
    monkeypatch.setattr(
        module,
        "EpisodeStream",
        lambda domains, **rest: EpisodeStream(
            domains,
            **(rest | {"lengths": (8, 16), "length_shares": (1, 1), "channels": (1, 2), "channel_shares": (1, 1)}),
            targets=6,
        ),
    )
    plain = Validation.__init__
    monkeypatch.setattr(Validation, "__init__", lambda self, folder, names: plain(self, folder, names, batches=2))


def batch() -> module.Batch:
    return next(
        EpisodeStream(
            [],
            seed=1,
            synthetic_share=1.0,
            cells=128,
            targets=4,
            lengths=(8,),
            length_shares=(1,),
            channels=(2,),
            channel_shares=(1,),
        )
    )


def test_trains_logs_and_averages(pack: Path, tmp_path: Path) -> None:
    lines: list[dict] = []
    model = pretrain(CONFIG, pack, tmp_path / "out", log=lines.append)
    assert not model.training
    assert not same_weights(model, Denoiser(CONFIG.model, seed=3).state_dict())
    assert [line["step"] for line in lines] == [2, 4]
    written = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    assert written == lines
    assert {"mean", "sigma 0.05", "sigma 30"} <= set(lines[0]["held out"])
    assert all(np.isfinite(v) for v in lines[0]["held out"].values())
    assert (tmp_path / "out" / STATE).is_file()


@pytest.mark.parametrize("bfloat16", [False, True])
def test_stopped_and_resumed_is_the_same_as_unbroken(pack: Path, tmp_path: Path, bfloat16: bool) -> None:
    config = replace(CONFIG, hold_out=(), bfloat16=bfloat16)
    unbroken = pretrain(config, pack, tmp_path / "one")
    pretrain(config, pack, tmp_path / "two", seconds=0.0)  # stops after its first step
    resumed = pretrain(config, pack, tmp_path / "two")
    assert same_weights(resumed, snapshot(unbroken))


def test_held_out_sets_are_not_trained_on(pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained_on: list[str] = []
    quick = module.EpisodeStream

    def spy(domains, **rest):
        trained_on.extend(d.name for d in domains)
        return quick(domains, **rest)

    monkeypatch.setattr(module, "EpisodeStream", spy)
    monkeypatch.setattr(module, "Validation", lambda folder, names: lambda model: {})
    pretrain(replace(CONFIG, loop=LoopConfig(1)), pack, tmp_path / "out")
    assert sorted(trained_on) == ["Many", "Pieces", "UCR_Shapes", "Walk"]


def test_starts_from_weights_that_are_given(pack: Path, tmp_path: Path) -> None:
    base = woken(CONFIG.model)
    before = snapshot(base)
    config = replace(CONFIG, loop=LoopConfig(1, learning_rate=0.0, weight_decay=0.0), hold_out=())
    model = pretrain(config, pack, tmp_path / "out", start_from=base)
    assert all(torch.allclose(t, before[n], atol=1e-6) for n, t in model.state_dict().items())
    assert same_weights(base, before)


def test_refusals(pack: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="3 rows for 4 sets"):
        pretrain(replace(CONFIG, model=TRANSFORMER), pack, tmp_path / "out")
    with pytest.raises(InputError, match="no manifest"):
        pretrain(CONFIG, tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(InputError, match="not a pre-training set"):
        pretrain(replace(CONFIG, hold_out=("Judge",)), pack, tmp_path / "out")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / STATE).write_bytes(b"nonsense")
    with pytest.raises(CheckpointError):
        pretrain(CONFIG, pack, tmp_path / "out")


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


def test_validation_is_fixed_and_leaves_the_model_in_its_mode(pack: Path) -> None:
    validation = Validation(pack, (HELD,))
    model = woken(CONFIG.model).train()
    first = validation(model)
    assert model.training
    assert first == validation(model)
    assert first["mean"] == pytest.approx(np.mean([v for k, v in first.items() if k != "mean"]))
    assert Validation(pack, (HELD,))(model) == first


def test_the_configuration_is_json_able() -> None:
    facts = json.loads(json.dumps(config_to_dict(CONFIG)))
    assert facts["model"]["rows"] == 6
    assert facts["loop"]["steps"] == 4
    assert facts["hold_out"] == [HELD]
