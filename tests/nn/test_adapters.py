"""Which parameters a mode trains, and low-rank adapters that begin as the model they adapt."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from tiny_models import CONFIGS, TRANSFORMER, woken
from torch import nn

from tsprout.errors import InputError
from tsprout.model import Denoiser
from tsprout.model_config import CHOICES
from tsprout.nn.adapters import MODES, AdapterConfig, LowRankLinear, adapt, select_trainable


def loss(model: Denoiser) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    clean, noise = torch.randn(4, 2, 16, generator=generator), torch.randn(4, 2, 16, generator=generator)
    memory = None
    if model.has_prompt:
        shots = torch.randn(2, 3, 2, 16, generator=generator)
        memory = model.encode(shots, torch.rand(shots.shape, generator=generator) > 0.3, torch.tensor([True, False]))
    rows = torch.tensor([0, 1, 2, -1])
    return model.losses(clean, None, torch.rand(4, generator=generator) + 0.5, noise, rows, memory).mean()


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("mode", MODES)
def test_what_a_mode_trains_gets_a_gradient_and_moves_and_nothing_else_does(name: str, mode: str) -> None:
    model = woken(CONFIGS[name])
    select_trainable(model, mode)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    trained = [n for n, p in model.named_parameters() if p.requires_grad]
    assert trained
    if mode == "token":
        assert all("conditioner.token." in n for n in trained)
    if mode == "lora":
        assert all(n.endswith((".into", ".out_of")) for n in trained)
    if mode == "full":
        assert trained == list(before)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    for _ in range(2):
        optimizer.zero_grad()
        loss(model).backward()
        assert all((p.grad is not None) == (n in trained) for n, p in model.named_parameters())
        optimizer.step()
    moved = [n for n, p in model.named_parameters() if not torch.equal(p, before[n])]
    assert moved == trained


@pytest.mark.parametrize("name", CONFIGS)
def test_bias_mode_trains_every_bias_and_every_gain_and_no_kernel(name: str) -> None:
    model = Denoiser(CONFIGS[name])
    select_trainable(model, "bias")
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            assert not module.weight.requires_grad
            assert module.bias is None or module.bias.requires_grad
        if isinstance(module, nn.LayerNorm | nn.GroupNorm):
            assert module.weight.requires_grad and module.bias.requires_grad
    for key, parameter in model.named_parameters():
        if key.endswith(("query_scale", "key_scale", "into_bias", "out_bias")):
            assert parameter.requires_grad


def test_an_adapted_model_begins_as_the_model_it_was() -> None:
    model = woken(TRANSFORMER)
    twin = deepcopy(model)
    config = select_trainable(twin, "lora", seed=3)
    assert config == AdapterConfig()
    assert not any(type(m) is nn.Linear and "base" not in n for n, m in twin.named_modules())
    with torch.no_grad():
        assert torch.equal(loss(twin), loss(model))


@pytest.mark.parametrize("mixing", CHOICES["channel_mixing"])
def test_every_way_of_mixing_channels_can_be_adapted(mixing: str) -> None:
    model = Denoiser(replace(TRANSFORMER, channel_mixing=mixing))
    select_trainable(model, "lora")
    with torch.no_grad():
        assert torch.isfinite(loss(model)).all()


def test_a_low_rank_layer_is_the_sum_it_says() -> None:
    torch.manual_seed(0)
    layer = LowRankLinear(nn.Linear(5, 4), AdapterConfig(rank=2, alpha=6.0))
    nn.init.normal_(layer.out_of)
    x = torch.randn(3, 5)
    weight = layer.base.weight + 3.0 * layer.out_of @ layer.into
    torch.testing.assert_close(layer(x), nn.functional.linear(x, weight, layer.base.bias))


def test_a_low_rank_layer_lies_where_its_layer_lies() -> None:
    layer = LowRankLinear(nn.Linear(5, 4, device="meta"), AdapterConfig(rank=2))
    assert {p.device.type for p in layer.parameters()} == {"meta"}


def test_adapters_are_seeded_and_leave_the_global_generator_alone() -> None:
    def adapted(seed: int) -> dict[str, torch.Tensor]:
        model = Denoiser(TRANSFORMER)
        select_trainable(model, "lora", seed=seed)
        return model.state_dict()

    state = torch.get_rng_state()
    one, same, other = adapted(1), adapted(1), adapted(2)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(one[k], same[k]) for k in one)
    assert any(not torch.equal(one[k], other[k]) for k in one)


def test_adapting_twice_adapts_once() -> None:
    model = Denoiser(TRANSFORMER)
    adapt(model, AdapterConfig(rank=2))
    names = list(model.state_dict())
    adapt(model, AdapterConfig(rank=2))
    assert [n for n in model.state_dict() if ".base.base." in n] == []
    assert list(model.state_dict()) == names


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="no fine-tuning mode called 'half'"):
        select_trainable(Denoiser(TRANSFORMER), "half")
    with pytest.raises(InputError, match="no dataset token"):
        select_trainable(Denoiser(replace(TRANSFORMER, rows=0)), "token")
    with pytest.raises(InputError, match="rank of at least 1"):
        adapt(Denoiser(TRANSFORMER), AdapterConfig(rank=0))
