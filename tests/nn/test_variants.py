"""Every variant of the model keeps the contract of a backbone, and does what its name says."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from tiny_models import PADDED, TRANSFORMER, UNET, woken
from torch.utils.flop_counter import FlopCounterMode

from tsprout.errors import InputError
from tsprout.model import CHOICES, SMALL, Denoiser, ModelConfig
from tsprout.nn.attention import FeedForward, GatedFeedForward
from tsprout.nn.channels import LearnedResize, PadResize
from tsprout.nn.dyconv import DyConv2d, DyPatchEmbed, resize_matrix
from tsprout.nn.transformer import Layer, Transformer
from tsprout.nn.unet import Block

INVARIANT = replace(TRANSFORMER, channel_mixing="invariant")
VARIANTS = {
    "transformer padded": replace(TRANSFORMER, channel_mixing="padded", canonical=64),
    "transformer learned": replace(TRANSFORMER, channel_mixing="learned"),
    "transformer invariant": INVARIANT,
    "invariant without prompt": replace(INVARIANT, prompt_depth=0),
    "unet padded": replace(UNET, channel_mixing="padded", canonical=64),
    "unet learned": replace(UNET, channel_mixing="learned"),
    "paper padded": replace(PADDED, channel_mixing="padded", canonical=64),
    "transformer pooled": replace(TRANSFORMER, prompt_use="pooled"),
    "transformer cross": replace(TRANSFORMER, prompt_use="cross"),
    "unet pooled": replace(UNET, prompt_use="pooled"),
    "unet cross": replace(UNET, prompt_use="cross"),
    "unet without attention": replace(UNET, attention_sides=()),
    "paper without attention": replace(PADDED, attention_sides=()),
    "every other attention": replace(TRANSFORMER, depth=3, attention_every=2),
    "transformer swiglu": replace(TRANSFORMER, feed_forward="swiglu"),
    "unet swiglu": replace(UNET, feed_forward="swiglu"),
}


def prompt(model: Denoiser, channels: int, length: int, groups: int = 2) -> object:
    """A memory of ``groups`` sets, the last of them without a prompt and with gaps; ``None`` for a model without."""
    if not model.has_prompt:
        return None
    generator = torch.Generator().manual_seed(4)
    shots = torch.randn(groups, 3, channels, length, generator=generator)
    observed = torch.rand(shots.shape, generator=generator) > 0.2
    return model.encode(shots, observed, torch.arange(groups) < max(1, groups - 1))


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize(("channels", "length"), [(1, 24), (3, 9), (64, 24), (2, 3)])
def test_shapes_and_gradients(name: str, channels: int, length: int) -> None:
    model = woken(VARIANTS[name])
    x = torch.randn(4, channels, length, generator=torch.Generator().manual_seed(0))
    out = model(x, torch.tensor([0.1, 1.0, 5.0, 40.0]), torch.tensor([-1, 0, 1, 2]), prompt(model, channels, length))
    assert out.shape == x.shape
    assert bool(out.isfinite().all())
    (out**2).sum().backward()
    missing = [n for n, p in model.named_parameters() if p.grad is None]
    assert missing == []
    idle = [n for n, p in model.named_parameters() if p.grad is not None and not bool(p.grad.any())]
    # One channel has the same place in every resize, and one column nobody to attend to.
    assert idle == [] or min(channels, length) < 4


@pytest.mark.parametrize("name", VARIANTS)
def test_one_noise_level_for_all_is_the_same_as_one_each(name: str) -> None:
    model = woken(VARIANTS[name])
    x, memory = torch.randn(4, 3, 16), prompt(model, 3, 16)
    with torch.no_grad():
        one = model(x, torch.ones(1), torch.ones(1, dtype=torch.long), None)
        each = model(x, torch.ones(4), torch.ones(4, dtype=torch.long), None)
        torch.testing.assert_close(one, each, rtol=1e-4, atol=1e-5)
        # Every group reads its own prompt, and nothing of a neighbour.
        whole = model(x, torch.ones(4), None, memory)
        if memory is not None:
            shots = torch.randn(1, 3, 3, 16)
            absent = model.encode(shots, present=torch.tensor([False]))
            torch.testing.assert_close(whole[2:], model(x[2:], torch.ones(2), None, absent), rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(whole[2:], model(x[2:], torch.ones(2)), rtol=1e-4, atol=1e-5)
            assert float((whole[:2] - model(x[:2], torch.ones(2))).abs().max()) > 1e-3


@pytest.mark.parametrize("name", VARIANTS)
def test_a_fresh_model_gives_nothing_from_its_network(name: str) -> None:
    x, config = torch.randn(2, 3, 16), VARIANTS[name]
    skip = config.sigma_data**2 / (1 + config.sigma_data**2)
    torch.testing.assert_close(Denoiser(config)(x, torch.ones(1)), skip * x)


# Channels


@pytest.mark.parametrize("channels", [2, 7, 64])
def test_shuffled_channels_shuffle_the_output_of_an_invariant_model(channels: int) -> None:
    model, order = woken(INVARIANT), torch.randperm(channels, generator=torch.Generator().manual_seed(1))
    x, shots = torch.randn(4, channels, 22), torch.randn(2, 3, channels, 22).cumsum(-1)
    observed = torch.rand(shots.shape) > 0.3
    with torch.no_grad():
        plain = model(x, torch.ones(4), None, model.encode(shots, observed))
        other = model(x[:, order], torch.ones(4), None, model.encode(shots[:, :, order], observed[:, :, order]))
        torch.testing.assert_close(plain[:, order], other, rtol=1e-4, atol=1e-4)
        # And to know the channels by their prompt does make a difference.
        wrong = model(x[:, order], torch.ones(4), None, model.encode(shots, observed))
    assert float((plain[:, order] - wrong).abs().max()) > 1e-2


def test_kernels_resized_over_the_order_see_it() -> None:
    order = torch.tensor([2, 0, 1])
    for config in (TRANSFORMER, VARIANTS["transformer padded"], VARIANTS["transformer learned"]):
        model, x = woken(config), torch.randn(2, 3, 16)
        with torch.no_grad():
            assert float((model(x, torch.ones(2))[:, order] - model(x[:, order], torch.ones(2))).abs().max()) > 1e-2


def test_channels_of_an_invariant_model_depend_on_each_other() -> None:
    model, x = woken(INVARIANT), torch.randn(1, 5, 16)
    changed = x.clone()
    changed[:, 4] = 3
    with torch.no_grad():
        difference = (model(x, torch.ones(1)) - model(changed, torch.ones(1))).abs().amax(dim=(0, 2))
    assert bool((difference[:4] > 1e-4).all())


def test_an_invariant_model_learns_how_channels_hang_together() -> None:
    # The second channel is minus the first: at the noise of these levels a channel by itself cannot be told as well.
    model = Denoiser(replace(INVARIANT, width=32, prompt_depth=0, rows=0, sigma_data=1.0), seed=1)
    optimizer, generator = torch.optim.Adam(model.parameters(), lr=5e-3), torch.Generator().manual_seed(0)
    coins = torch.Generator().manual_seed(1)

    def drawn(n: int) -> torch.Tensor:
        first = torch.randn(n, 1, 1, generator=coins).expand(-1, -1, 8)
        return torch.cat([first, -first], dim=1)

    for _ in range(250):
        clean = drawn(64)
        noise = torch.randn(clean.shape, generator=generator)
        model.losses(clean, None, torch.full((64,), 2.0), noise).mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    clean = drawn(512)
    with torch.no_grad():
        estimate = model(clean + 2 * torch.randn(clean.shape, generator=generator), torch.full((1,), 2.0))
    error = float(((estimate - clean) ** 2).mean())
    # Best possible from 16 values, and from the 8 of one channel alone: 1 / (1 + n / 4).
    assert 1 / 5 < error + 0.03 < 0.8 * (1 / 3)


def test_the_cost_of_invariance_stays_within_bounds() -> None:
    def cost(config: ModelConfig, channels: int) -> int:
        model = Denoiser(config).requires_grad_(False)
        with FlopCounterMode(display=False) as counter:
            model(torch.randn(16, channels, 24), torch.ones(16), None, None)
        return counter.get_total_flops()

    for channels, most in ((1, 1.3), (7, 1.6), (64, 5.0)):
        ratio = cost(replace(SMALL, channel_mixing="invariant"), channels) / cost(SMALL, channels)
        assert ratio < most, f"{channels} channels: {ratio:.2f} times"


def test_padding_is_a_plain_convolution_over_zeros() -> None:
    layer = DyConv2d(5, 8, resize=PadResize())
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(2, 3, 6, 6)
    zeros = torch.zeros(2, 5, 6, 6)
    expected = F.conv2d(torch.cat([x, zeros], dim=1), layer.weight, layer.bias, padding=1)
    torch.testing.assert_close(layer(x, 5), expected)
    torch.testing.assert_close(layer(x, 2), expected[:, :2])


@pytest.mark.parametrize("name", ["transformer padded", "unet padded", "paper padded"])
def test_more_channels_than_there_is_padding_for_are_refused(name: str) -> None:
    model = woken(VARIANTS[name])
    with pytest.raises(InputError, match="pads channels to 64, and there are 65"):
        model(torch.randn(1, 65, 16), torch.ones(1))


def test_a_learned_resize_starts_as_interpolation_and_can_leave_it() -> None:
    torch.manual_seed(0)
    layer, like = LearnedResize(16), torch.zeros(1)
    torch.testing.assert_close(layer(7, 16, like), resize_matrix(7, 16, like))
    torch.nn.init.normal_(layer.fall.weight)
    moved = layer(7, 16, like).detach()
    assert float((moved - resize_matrix(7, 16, like)).abs().max()) > 0.1
    torch.testing.assert_close(moved.norm(dim=1), torch.ones(7))
    same = DyPatchEmbed(8, 16, 4)
    other = DyPatchEmbed(8, 16, 4, resize=layer)
    other.load_state_dict(same.state_dict(), strict=False)
    image = torch.randn(2, 16, 4, 3)
    # At the canonical size the kernel is used as it is.
    assert torch.equal(same.embed(image), other.embed(image))


# Prompt, attention, feed-forward


def test_what_is_used_of_a_prompt() -> None:
    x, shots = torch.randn(2, 3, 16), torch.randn(1, 4, 3, 16)
    for config in (TRANSFORMER, UNET):
        pooled, cross = (woken(replace(config, prompt_use=use)) for use in ("pooled", "cross"))
        assert not any("cross" in name or "null_token" in name for name in pooled.state_dict())
        assert not any("pool" in name or "null_vector" in name for name in cross.state_dict())
        for model, idle, used in ((pooled, "tokens", "vector"), (cross, "vector", "tokens")):
            memory = model.encode(shots)
            same, other = (replace(memory, **{part: getattr(memory, part) + 1}) for part in (idle, used))
            with torch.no_grad():
                plain = model(x, torch.ones(2), None, memory)
                assert torch.equal(plain, model(x, torch.ones(2), None, same))
                assert not torch.equal(plain, model(x, torch.ones(2), None, other))


def test_attention_can_be_switched_off() -> None:
    net = Denoiser(replace(UNET, attention_sides=(), prompt_depth=0, rows=0)).backbone
    assert all(b.attention is None and b.attention_norm is None for b in net.modules() if isinstance(b, Block))
    reading = Denoiser(replace(UNET, attention_sides=())).backbone
    assert [b.cross is not None for b in reading.middle] == [True, False]
    net = Denoiser(replace(TRANSFORMER, depth=5, attention_every=2)).backbone
    assert isinstance(net, Transformer)
    assert [m.own is not None for m in net.layers if isinstance(m, Layer)] == [True, False, True, False, True]


@pytest.mark.parametrize("width", [16, 64, 128, 384])
def test_both_feed_forwards_have_about_as_many_parameters(width: int) -> None:
    plain, gated = (sum(p.numel() for p in kind(width).parameters()) for kind in (FeedForward, GatedFeedForward))
    assert gated == pytest.approx(plain, rel=0.1 if width < 64 else 0.02)


# Settings


def test_old_configurations_are_the_default_ones() -> None:
    new = ("channel_mixing", "prompt_use", "attention_every", "feed_forward", "weighting", "noise")
    old = {k: v for k, v in SMALL.to_dict().items() if k not in (*new, "noise_low", "noise_high")}
    assert ModelConfig.from_dict(old) == SMALL


@pytest.mark.parametrize("setting", CHOICES)
def test_kinds_that_do_not_exist_are_refused(setting: str) -> None:
    with pytest.raises(InputError, match=f"{setting} cannot be 'none'"):
        Denoiser(replace(TRANSFORMER, **{setting: "none"}))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (replace(UNET, channel_mixing="invariant"), "by their order"),
        (replace(UNET, attention_every=2), "of the transformer"),
        (replace(TRANSFORMER, attention_every=0), "attention_every is 0"),
        (replace(TRANSFORMER, noise_low=0.0), "no range"),
        (replace(TRANSFORMER, noise_low=2.0, noise_high=1.0), "no range"),
    ],
)
def test_settings_that_make_no_model_are_refused(config: ModelConfig, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Denoiser(config)
