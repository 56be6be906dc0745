"""Both backbones: shapes for every size, gradients, equivalences, and the paper's architecture."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny_models import CONFIGS, PADDED, TRANSFORMER, UNET, woken
from torch import nn

from tsprout.errors import InputError
from tsprout.model import PAPER, SMALL, Denoiser, ModelConfig
from tsprout.nn.dyconv import DyConv2d
from tsprout.nn.unet import Block, Down, UNet

GOLDEN = {
    "transformer": [
        0.6267,
        -0.7049,
        0.6908,
        1.2371,
        -0.8642,
        -0.0323,
        -0.2617,
        0.5533,
        -1.4556,
        0.6796,
        -0.5537,
        1.083,
    ],
    "unet": [2.0638, -0.6369, 1.8451, 1.9768, 1.5461, 2.083, 5.1353, 3.2064, 4.2868, 3.2928, 7.022, 5.781],
    "padded": [1.2273, 1.4894, -0.1313, 1.5305, 0.131, -1.4241, 0.2806, 9.1605, -11.2568, 2.1925, 2.8107, -15.7926],
}


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize(
    ("channels", "length"), [(1, 8), (1, 24), (2, 9), (3, 31), (7, 24), (5, 64), (64, 96), (2, 256)]
)
def test_shapes_and_gradients(name: str, channels: int, length: int) -> None:
    model = woken(CONFIGS[name])
    x = torch.randn(4, channels, length, generator=torch.Generator().manual_seed(0))
    memory = model.encode(torch.randn(2, 3, channels, length)) if model.has_prompt else None
    out = model(x, torch.tensor([0.1, 1.0, 5.0, 40.0]), torch.tensor([-1, 0, 1, 2]), memory)
    assert out.shape == x.shape
    assert bool(out.isfinite().all())
    (out**2).sum().backward()
    without = [n for n, p in model.named_parameters() if p.grad is None]
    assert without == []


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize(("channels", "length"), [(256, 8), (1, 4), (2, 4), (2, 5), (1, 1024), (3, 1023)])
def test_the_ends_of_the_range(name: str, channels: int, length: int) -> None:
    config = CONFIGS[name]
    # A padded grid of 1024 steps is 128 x 128 cells: attention over all of them would be a test of patience.
    model = woken(replace(config, attention_sides=(4,)) if name == "padded" else config)
    x = torch.randn(1, channels, length)
    with torch.no_grad():
        memory = model.encode(x[None]) if model.has_prompt else None
        assert model(x, torch.ones(1), None, memory).isfinite().all()


@pytest.mark.parametrize("name", CONFIGS)
def test_every_parameter_has_an_effect(name: str) -> None:
    # The null vectors of a prompt need a batch in which it is dropped.
    model = woken(CONFIGS[name])
    x = torch.randn(4, 3, 24)
    memory = None
    if model.has_prompt:
        observed = torch.rand(2, 3, 3, 24) > 0.2
        memory = model.encode(torch.randn(2, 3, 3, 24), observed, torch.tensor([True, False]))
    (model(x, torch.rand(4) + 0.5, torch.tensor([-1, 0, 1, 2]), memory) ** 2).sum().backward()
    idle = [n for n, p in model.named_parameters() if p.grad is None or not bool(p.grad.any())]
    assert idle == []
    for key, parameter in model.named_parameters():
        if "modulate" in key and parameter.grad is not None:
            assert bool(parameter.grad.reshape(len(parameter), -1).any(dim=1).all()), f"{key} has rows without effect"


def formula(config: ModelConfig) -> torch.Tensor:
    """What a model computes whose weights and inputs come from a formula, which no torch can change."""
    model = Denoiser(config).eval()
    with torch.no_grad():
        for i, parameter in enumerate(model.parameters()):
            wave = torch.sin(0.7 * torch.arange(parameter.numel()) + i).view_as(parameter)
            parameter.copy_(0.2 * wave + (1.0 if "norm" in [*model.state_dict()][i] or parameter.ndim == 1 else 0.0))
        steps = torch.arange(20.0)
        shots = torch.stack([torch.sin(steps / k) for k in (2.0, 3.0, 5.0, 7.0)]).reshape(1, 2, 2, 20)
        memory = model.encode(shots, shots > -0.9) if model.has_prompt else None
        x = torch.stack([torch.cos(steps / k) for k in (2.0, 3.0, 4.0, 6.0)]).reshape(2, 2, 20)
        out = model(x, torch.tensor([0.4, 3.0]), torch.tensor([1, -1]), memory)
    return out[:, :, ::7].flatten()


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name: str) -> None:
    # Whatever changes these numbers makes every checkpoint there is another model.
    torch.testing.assert_close(formula(CONFIGS[name]), torch.tensor(GOLDEN[name]), rtol=5e-3, atol=5e-3)


@pytest.mark.parametrize("name", CONFIGS)
def test_series_of_a_batch_do_not_see_each_other(name: str) -> None:
    model = woken(CONFIGS[name])
    x = torch.randn(3, 2, 16)
    sigma = torch.tensor([0.5, 1.0, 2.0])
    with torch.no_grad():
        whole = model(x, sigma, torch.tensor([0, -1, 2]))
        alone = model(x[1:2], sigma[1:2], torch.tensor([-1]))
    torch.testing.assert_close(whole[1:2], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CONFIGS)
def test_one_noise_level_for_all_is_the_same_as_one_each(name: str) -> None:
    model = woken(CONFIGS[name])
    x = torch.randn(3, 2, 16)
    memory = model.encode(torch.randn(1, 4, 2, 16)) if model.has_prompt else None
    with torch.no_grad():
        one = model(x, torch.ones(1), torch.ones(1, dtype=torch.long), memory)
        each = model(x, torch.ones(3), torch.ones(3, dtype=torch.long), memory)
    torch.testing.assert_close(one, each, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("config", [TRANSFORMER, UNET], ids=["transformer", "unet"])
def test_each_group_reads_its_own_prompt(config) -> None:
    model = woken(config)
    shots, x = torch.randn(2, 3, 2, 16), torch.randn(4, 2, 16)
    with torch.no_grad():
        both = model(x, torch.ones(4), None, model.encode(shots))
        second = model(x[2:], torch.ones(2), None, model.encode(shots[1:]))
    torch.testing.assert_close(both[2:], second, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("config", [TRANSFORMER, UNET], ids=["transformer", "unet"])
def test_no_memory_is_an_absent_prompt(config) -> None:
    model = woken(config)
    x = torch.randn(4, 2, 16)
    absent = model.encode(torch.randn(1, 3, 2, 16), present=torch.tensor([False]))
    with torch.no_grad():
        torch.testing.assert_close(model(x, torch.ones(4)), model(x, torch.ones(4), None, absent), rtol=1e-4, atol=1e-5)


def test_a_fresh_model_gives_nothing_from_its_network() -> None:
    # The last layer starts at zero, so the estimate is the scaled input alone.
    for config in CONFIGS.values():
        x = torch.randn(2, 3, 16)
        sigma = torch.tensor([1.0, 2.0])
        skip = config.sigma_data**2 / (sigma**2 + config.sigma_data**2)
        torch.testing.assert_close(Denoiser(config)(x, sigma), skip[:, None, None] * x)


def test_the_paper_configuration_is_the_papers_architecture() -> None:
    model = Denoiser(PAPER)
    assert 6e6 <= model.parameter_count <= 7e6
    net = model.backbone
    assert isinstance(net, UNet)
    grid = net.grid(24)
    assert (grid.rows, grid.columns, len(grid.starts), grid.dimension) == (8, 8, 3, 8)
    assert isinstance(net.first, DyConv2d) and isinstance(net.last, DyConv2d)
    assert net.first.weight.shape == net.last.weight.shape == (128, 128, 3, 3)
    assert net.first.bias.shape == net.last.bias.shape == (128,)
    blocks = [m for m in net.down if isinstance(m, Block)]
    assert [b.conv2.out_channels for b in blocks] == [32] * 3 + [64] * 3 + [64] * 3 + [128] * 3
    assert sum(isinstance(m, Down) for m in net.down) == 3
    assert [b.conv2.out_channels for b in net.up if isinstance(b, Block)] == [128] * 4 + [64] * 8 + [32] * 4
    # Attention at sides 8, 4 and 2: the first three of the four levels.
    assert [b.attention is not None for b in blocks] == [True] * 9 + [False] * 3
    assert net.conditioner.token is not None and net.conditioner.token.table.shape == (32, 128)
    assert not model.has_prompt
    assert (PAPER.sigma_data, PAPER.sigma_min, PAPER.sigma_max, PAPER.rho) == (0.5, 0.002, 80.0, 7.0)
    assert (PAPER.noise_mean, PAPER.noise_std) == (-1.2, 1.2)
    calls = 0

    def count() -> None:
        nonlocal calls
        calls += 1

    drawn = model.eval().sample((1, 2, 24), torch.Generator().manual_seed(0), on_step=count)
    assert calls == 71
    assert drawn.shape == (1, 2, 24)


def test_levels_of_the_papers_unet_see_8_4_2_and_1_cells() -> None:
    model = Denoiser(PAPER)
    sides = []
    hooks = [
        m.register_forward_hook(lambda _, args, out: sides.append(tuple(out.shape[-2:])))
        for m in model.backbone.down
        if isinstance(m, Block)
    ]
    with torch.no_grad():
        model(torch.randn(1, 6, 24), torch.ones(1))
    for hook in hooks:
        hook.remove()
    assert sides == [(8, 8)] * 3 + [(4, 4)] * 3 + [(2, 2)] * 3 + [(1, 1)] * 3


def test_padding_of_the_grid_is_neither_noisy_nor_read() -> None:
    model = woken(PADDED)
    seen = []
    model.backbone.first.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    with torch.no_grad():
        model(torch.randn(2, 3, 24), torch.ones(2))
    assert not bool(seen[0][..., 3:].any())
    assert bool((seen[0][..., :3] != 0).all())


def test_the_small_configuration_keeps_its_weights() -> None:
    # A checkpoint in the making depends on these; see also the bundled one.
    model = Denoiser(replace(SMALL, rows=160))
    assert model.parameter_count == 2_665_088
    shapes = {n: tuple(p.shape) for n, p in model.state_dict().items()}
    assert shapes["backbone.patch.into"] == (128, 64, 4)
    assert shapes["backbone.conditioner.token.table"] == (160, 128)


def test_dropout_acts_in_training_only() -> None:
    for config in (TRANSFORMER, UNET):
        model = woken(replace(config, dropout=0.5))
        x = torch.randn(2, 2, 16)
        with torch.no_grad():
            assert torch.equal(model(x, torch.ones(2)), model(x, torch.ones(2)))
            model.train()
            assert not torch.equal(model(x, torch.ones(2)), model(x, torch.ones(2)))


def test_group_norm_divides_any_width() -> None:
    net = UNet(6, multipliers=(1, 3), blocks=1, canonical=4)
    assert all(m.num_channels % m.num_groups == 0 for m in net.modules() if isinstance(m, nn.GroupNorm))


def test_a_unet_without_a_prompt_says_so() -> None:
    with pytest.raises(InputError, match="no prompt encoder"):
        Denoiser(PADDED).encode(torch.randn(1, 2, 3, 16))
    with pytest.raises(InputError, match="no prompt encoder"):
        Denoiser(replace(TRANSFORMER, prompt_depth=0)).encode(torch.randn(1, 2, 3, 16))
