"""Attention against torch's own, rotary positions against what they promise."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tsprout.nn import attention
from tsprout.nn.attention import Attention, FeedForward, rotate, turn_of


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_matches_torchs_attention() -> None:
    layer = Attention(12, 3, period=None)
    torch.nn.init.uniform_(layer.query_scale, 0.5, 1.5)
    torch.nn.init.uniform_(layer.key_scale, 0.5, 1.5)
    x = torch.randn(2, 5, 12)
    query, key, value = (t.unflatten(-1, (3, 4)).transpose(1, 2) for t in layer.query_key_value(x).chunk(3, dim=-1))
    query, key = F.rms_norm(query, (4,)) * layer.query_scale, F.rms_norm(key, (4,)) * layer.key_scale
    expected = layer.out(F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(-2))
    torch.testing.assert_close(layer(x), expected)


def test_masked_keys_do_not_matter() -> None:
    layer = Attention(8, 2, period=None, cross=True)
    x, context = torch.randn(2, 3, 8), torch.randn(2, 4, 8)
    mask = torch.tensor([[True, True, False, False], [True, False, True, True]])
    before = layer(x, context=context, key_mask=mask)
    context[~mask] = 1e3
    assert torch.equal(layer(x, context=context, key_mask=mask), before)
    assert not torch.equal(layer(x, context=context), before)
    alone = layer(x[:1], context=context[:1, :2])
    torch.testing.assert_close(before[:1], alone)


@pytest.mark.parametrize("width", [1, 2, 5, 8])
def test_rotation_keeps_length_and_depends_on_differences_only(width: int) -> None:
    a, b = torch.randn(1, 1, 6, width), torch.randn(1, 1, 6, width)
    positions = torch.tensor([[0.0, 1, 2, 5, 20, 100]])
    here, there = turn_of(positions, width, 4.0), turn_of(positions + 33, width, 4.0)
    torch.testing.assert_close(rotate(a, here).norm(dim=-1), a.norm(dim=-1))
    products = rotate(a, here) @ rotate(b, here).transpose(-1, -2)
    later = rotate(a, there) @ rotate(b, there).transpose(-1, -2)
    torch.testing.assert_close(products, later, rtol=1e-4, atol=1e-4)


def test_rotation_at_zero_is_none_and_one_period_is_a_radian() -> None:
    x = torch.tensor([1.0, 0.0]).reshape(1, 1, 1, 2)
    assert torch.equal(rotate(x, turn_of(torch.zeros(1, 1), 2, 4.0)), x)
    one = torch.tensor(1.0)
    turned = rotate(x, turn_of(torch.full((1, 1), 4.0), 2, 4.0))
    torch.testing.assert_close(turned.flatten(), torch.stack([one.cos(), one.sin()]))


def test_positions_matter_only_with_a_period() -> None:
    x = torch.randn(1, 4, 8)
    one, other = torch.arange(4.0)[None], torch.tensor([[0.0, 9, 1, 4]])
    with_period, without = Attention(8, 2, period=4.0), Attention(8, 2, period=None)
    assert not torch.equal(*(with_period(x, with_period.turn(where)) for where in (one, other)))
    assert without.turn(one) is None
    assert torch.equal(without(x, without.turn(one)), without(x))


def test_the_fused_kernel_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = Attention(8, 2, period=4.0, cross=True)
    x, context, where = torch.randn(2, 3, 8), torch.randn(2, 9, 8), torch.arange(9.0)[None]
    mask = torch.rand(2, 9) > 0.3

    def out() -> list[torch.Tensor]:
        told = {"turn": layer.turn(where[:, :3]), "context": context, "context_turn": layer.turn(where)}
        return [layer(x, **told), layer(x, **told, key_mask=mask)]

    plain = out()
    monkeypatch.setattr(attention, "_FUSED_FROM", 8)
    for one, other in zip(plain, out(), strict=True):
        assert not torch.equal(one, torch.zeros_like(one))
        torch.testing.assert_close(one, other)


def test_feed_forward() -> None:
    layer = FeedForward(6, factor=2)
    x = torch.randn(3, 4, 6)
    expected = layer.fall(F.gelu(layer.rise(x), approximate="tanh"))
    assert layer.rise.out_features == 12
    assert torch.equal(layer(x), expected)
