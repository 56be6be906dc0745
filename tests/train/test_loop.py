"""The loop resumes with the same bits, saves whole or not at all, and stops at what is not finite."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import TRANSFORMER, same_weights, snapshot
from torch import Tensor, nn

from tsprout.errors import CheckpointError, InputError, TrainingError, TsproutError
from tsprout.model import Denoiser
from tsprout.train.loop import STATE, Ema, Loop, LoopConfig, build_optimizers

OPTIMIZERS = [
    "adamw",
    "muon",
]


class Stream:
    """Batches from a numpy generator, with a position."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(5)

    def __next__(self) -> Tensor:
        return torch.from_numpy(self.rng.standard_normal((8, 2, 16)).astype(np.float32))

    def state_dict(self) -> dict[str, Any]:
        return {"bit_generator": self.rng.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.rng.bit_generator.state = state["bit_generator"]


def make(config: LoopConfig, *, dropout: float = 0.0) -> Loop:
    model = Denoiser(replace(TRANSFORMER, dropout=dropout), seed=1)
    stream = Stream()

    def loss(generator: torch.Generator) -> Tensor:
        clean = next(stream)
        sigma = model.training_sigma(len(clean), generator)
        return model.losses(clean, None, sigma, torch.randn(clean.shape, generator=generator)).mean()

    return Loop(model, loss, config, position=stream)


def linear(bias: bool = True) -> tuple[nn.Module, Any]:
    torch.manual_seed(0)
    model = nn.Linear(3, 2, bias=bias)
    return model, lambda generator: (model(torch.randn(4, 3, generator=generator)) ** 2).mean()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_interrupted_and_resumed_is_the_same_as_unbroken(tmp_path: Path, optimizer: str, dropout: float) -> None:
    config = LoopConfig(9, 1e-3, warmup=3, cooldown=0.4, optimizer=optimizer, ema=0.9, seed=4)
    torch.manual_seed(98)
    unbroken = make(config, dropout=dropout)
    losses: list[float] = []
    assert unbroken.run(on_step=lambda _, value: losses.append(value))

    broken: list[float] = []
    first = make(config, dropout=dropout)
    assert not first.run(on_step=lambda step, value: broken.append(value) or step == 4, checkpoint=tmp_path)
    assert first.step == 4
    torch.manual_seed(99)  # the global generator is in another state after a restart
    second = make(config, dropout=dropout)
    second.load(tmp_path)
    assert second.step == 4
    assert second.run(on_step=lambda _, value: broken.append(value))

    assert broken == losses
    assert same_weights(second.model, snapshot(unbroken.model))
    assert all(torch.equal(second.ema.average[n], unbroken.ema.average[n]) for n in unbroken.ema.average)
    assert torch.equal(second.generator.get_state(), unbroken.generator.get_state())
    assert second.position.state_dict() == unbroken.position.state_dict()


def test_training_leaves_the_global_generator_alone() -> None:
    state = torch.get_rng_state()
    make(LoopConfig(2, 1e-3), dropout=0.3).run()
    assert torch.equal(torch.get_rng_state(), state)


def test_seeds_decide(tmp_path: Path) -> None:
    def trained(seed: int) -> dict[str, Tensor]:
        loop = make(LoopConfig(2, 1e-3, seed=seed))
        loop.run()
        return loop.model.state_dict()

    one, same, other = trained(1), trained(1), trained(2)
    assert all(torch.equal(one[k], same[k]) for k in one)
    assert any(not torch.equal(one[k], other[k]) for k in one)


@pytest.mark.parametrize("moment", ["write", "replace"])
def test_a_failed_save_leaves_the_old_state_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    loop = make(LoopConfig(3, 1e-3))
    loop.advance()
    loop.save(tmp_path)
    before = (tmp_path / STATE).read_bytes()
    loop.advance()

    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, {"write": "fsync", "replace": "replace"}[moment], fail)
    with pytest.raises(TsproutError, match="no space left"):
        loop.save(tmp_path)
    monkeypatch.undo()
    assert [p.name for p in tmp_path.iterdir()] == [STATE]
    assert (tmp_path / STATE).read_bytes() == before
    loop.save(tmp_path)
    assert (tmp_path / STATE).read_bytes() != before


def test_ctrl_c_while_saving_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = make(LoopConfig(3, 1e-3))

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        loop.save(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_training_before_it_spoils_the_weights(value: float) -> None:
    model, plain = linear()
    calls = 0

    def loss(generator: torch.Generator) -> Tensor:
        nonlocal calls
        calls += 1
        return plain(generator) * (value if calls == 3 else 1)

    loop = Loop(model, loss, LoopConfig(5, 1e-2))
    with pytest.raises(TrainingError, match="step 2") as caught:
        loop.run()
    assert caught.value.fix
    assert loop.step == 2
    assert all(bool(p.isfinite().all()) for p in model.parameters())


def test_a_gradient_that_is_not_finite_stops_training_too() -> None:
    model, _ = linear()
    loop = Loop(model, lambda g: (model(torch.zeros(1, 3)) * 0).sum().sqrt(), LoopConfig(5, 1e-2))
    with pytest.raises(TrainingError):
        loop.advance()


def test_gradients_are_clipped() -> None:
    model, plain = linear()
    seen = []
    loop = Loop(model, lambda g: 1e4 * plain(g), LoopConfig(1, 1e-2, clip=0.5))
    model.weight.register_post_accumulate_grad_hook(lambda p: seen.append(float(p.grad.norm())))
    step = loop.optimizers[0].step
    loop.optimizers[0].step = lambda: (
        seen.append(float(sum(p.grad.norm() ** 2 for p in model.parameters()) ** 0.5)),
        step(),
    )
    loop.advance()
    assert seen[0] > 100
    assert seen[1] == pytest.approx(0.5, rel=1e-3)


def test_learning_rate() -> None:
    config = LoopConfig(100, 1.0, warmup=10, cooldown=0.2)
    assert [config.rate(s) for s in (0, 4, 9, 50, 80, 90, 99)] == pytest.approx([0.1, 0.5, 1, 1, 1, 0.5, 0.05])
    assert [LoopConfig(10, 3.0).rate(s) for s in (0, 9)] == [3.0, 3.0]
    model, loss = linear()
    loop = Loop(model, loss, LoopConfig(4, 1.0, warmup=4))
    loop.advance()
    loop.advance()
    assert loop.optimizers[0].param_groups[0]["lr"] == 0.5


def test_average() -> None:
    model, loss = linear()
    ema = Ema(model, 0.5)
    start = snapshot(model)
    with torch.no_grad():
        model.weight.add_(1.0)
    # The decay begins at a tenth and rises to what was asked for.
    ema.update(model, 0)
    torch.testing.assert_close(ema.average["weight"], start["weight"] + 0.9)
    ema.update(model, 1000)
    torch.testing.assert_close(ema.average["weight"], start["weight"] + 0.95)
    ema.copy_to(model)
    torch.testing.assert_close(model.weight.detach(), start["weight"] + 0.95)
    assert torch.equal(model.bias, start["bias"])


def test_only_what_requires_a_gradient_is_trained() -> None:
    model, loss = linear()
    model.bias.requires_grad_(False)
    before = snapshot(model)
    loop = Loop(model, loss, LoopConfig(2, 1e-2))
    loop.run()
    assert torch.equal(model.bias, before["bias"])
    assert not torch.equal(model.weight, before["weight"])
    assert list(loop.ema.average) == ["weight"]


def test_muon_takes_the_hidden_matrices_and_adamw_the_rest() -> None:
    model = Denoiser(TRANSFORMER)
    muon, adamw = build_optimizers(model, LoopConfig(1, optimizer="muon"))
    names = {id(p): n for n, p in model.named_parameters()}
    of_muon = {names[id(p)] for g in muon.param_groups for p in g["params"]}
    of_adamw = {names[id(p)] for g in adamw.param_groups for p in g["params"]}
    assert of_muon | of_adamw == set(names.values())
    assert not of_muon & of_adamw
    assert "backbone.layers.0.own.query_key_value.weight" in of_muon
    assert "backbone.conditioner.token.table" in of_adamw
    assert "backbone.patch.into" in of_adamw
    only_matrices, only_vectors = linear(bias=False)[0], nn.LayerNorm(3)
    assert [type(o).__name__ for o in build_optimizers(only_matrices, LoopConfig(1, optimizer="muon"))] == ["Muon"]
    assert [type(o).__name__ for o in build_optimizers(only_vectors, LoopConfig(1, optimizer="muon"))] == ["AdamW"]


def test_optimisers_that_cannot_be() -> None:
    model, _ = linear()
    with pytest.raises(InputError, match="no optimiser called 'sgd'"):
        build_optimizers(model, LoopConfig(1, optimizer="sgd"))
    with pytest.raises(InputError, match="nothing to train"):
        build_optimizers(model.requires_grad_(False), LoopConfig(1))


def test_stops_by_the_clock_and_saves_at_intervals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, loss = linear()
    now = iter(range(0, 1000, 10))
    monkeypatch.setattr("tsprout.train.loop.time.monotonic", lambda: float(next(now)))
    loop = Loop(model, loss, LoopConfig(50, 1e-2))
    saved = []
    monkeypatch.setattr(loop, "save", lambda folder: saved.append(loop.step))
    assert not loop.run(checkpoint=tmp_path, every_seconds=25, seconds=75)
    assert loop.step == 8
    assert saved == [3, 6, 8]


def test_more_steps_can_be_asked_for_after_the_end(tmp_path: Path) -> None:
    loop = make(LoopConfig(2, 1e-3))
    assert loop.run(checkpoint=tmp_path)
    longer = make(LoopConfig(4, 1e-3))
    longer.load(tmp_path)
    assert longer.run()
    assert longer.step == 4


def test_a_loop_without_a_stream_and_before_its_first_step_can_be_saved(tmp_path: Path) -> None:
    model, loss = linear()
    Loop(model, loss, LoopConfig(3, 1e-2)).save(tmp_path)
    loop = Loop(model, loss, LoopConfig(3, 1e-2))
    loop.load(tmp_path)
    assert loop.step == 0


def test_no_state_is_said(tmp_path: Path) -> None:
    model, loss = linear()
    with pytest.raises(CheckpointError, match="no training state") as caught:
        Loop(model, loss, LoopConfig(3)).load(tmp_path)
    assert caught.value.fix and caught.value.where


@pytest.mark.parametrize("damage", ["truncated", "pickle", "foreign"])
def test_a_damaged_state_is_refused(tmp_path: Path, damage: str) -> None:
    model, loss = linear()
    loop = Loop(model, loss, LoopConfig(3, 1e-2))
    loop.advance()
    loop.save(tmp_path)
    path = tmp_path / STATE
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-20])
    elif damage == "pickle":
        torch.save({"a": torch.ones(2)}, path)
    else:
        from safetensors.torch import save_file

        save_file({"a": torch.ones(2)}, path)
    with pytest.raises(CheckpointError, match="cannot be used") as caught:
        Loop(model, loss, LoopConfig(3)).load(tmp_path)
    assert caught.value.fix and caught.value.where


def test_a_state_of_something_else_is_refused(tmp_path: Path) -> None:
    model, loss = linear()
    loop = Loop(model, loss, LoopConfig(3, 1e-2))
    loop.advance()
    loop.save(tmp_path)
    wider = nn.Linear(4, 2)
    with pytest.raises(CheckpointError, match="size mismatch"):
        Loop(wider, loss, LoopConfig(3)).load(tmp_path)
    model.bias.requires_grad_(False)
    with pytest.raises(CheckpointError, match="trains other parameters"):
        Loop(model, loss, LoopConfig(3)).load(tmp_path)
    model.bias.requires_grad_(True)
    with pytest.raises(CheckpointError, match="another optimiser"):
        Loop(model, loss, LoopConfig(3, optimizer="muon")).load(tmp_path)
