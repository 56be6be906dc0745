"""DyConv is an ordinary convolution at its canonical size, and keeps the variance at every other."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tsprout.nn.dyconv import DyConv2d, DyPatchEmbed, conv_as_product, resize_kernel, resize_matrix

COUNTS = (1, 2, 3, 7, 16, 32, 63, 64, 65, 100, 128)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_canonical_size_is_an_ordinary_convolution() -> None:
    layer = DyConv2d(6, 5)
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(4, 5, 6, 7)
    plain = torch.nn.Conv2d(5, 6, 3, padding=1)
    plain.load_state_dict({"weight": layer.weight.detach(), "bias": layer.bias.detach()})
    assert torch.equal(layer(x, 6), plain(x))


def test_other_sizes_are_a_convolution_with_the_resized_kernel() -> None:
    layer = DyConv2d(6, 5)
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(2, 3, 4, 4)
    kernel = torch.einsum("po,qi,oiab->pqab", resize_matrix(9, 6, x), resize_matrix(3, 5, x), layer.weight)
    expected = F.conv2d(x, kernel * (5 / 3) ** 0.5, resize_matrix(9, 6, x) @ layer.bias, padding=1)
    torch.testing.assert_close(layer(x, 9), expected)


@pytest.mark.parametrize("side", [1, 3, 5])
def test_the_convolution_of_accelerators_is_the_same(side: int) -> None:
    x, weight, bias = torch.randn(2, 3, 4, 7), torch.randn(5, 3, side, side), torch.randn(5)
    torch.testing.assert_close(conv_as_product(x, weight, bias), F.conv2d(x, weight, bias, padding=side // 2))


def test_the_matrix_interpolates() -> None:
    like = torch.zeros(1)
    torch.testing.assert_close(resize_matrix(7, 7, like), torch.eye(7))
    for size in COUNTS:
        matrix = resize_matrix(size, 16, like)
        assert matrix.shape == (size, 16)
        torch.testing.assert_close(matrix.norm(dim=1), torch.ones(size))
    # Neighbours come from neighbours: twice as many places, and the largest entry wanders from left to right.
    assert resize_matrix(32, 16, like).argmax(1).diff().min() >= 0
    assert resize_matrix(3, 16, like.double()).dtype == torch.float64


def test_resizing_to_the_same_size_changes_nothing() -> None:
    kernel = torch.randn(4, 5, 3, 3)
    assert resize_kernel(kernel, 4, 5) is kernel


@pytest.mark.parametrize("channels", COUNTS)
def test_variance_going_in_is_kept(channels: int) -> None:
    layer = DyConv2d(64, 64)
    x = torch.randn(32, channels, 8, 8)
    inner = layer(x, 64)[..., 1:-1, 1:-1]
    assert float(inner.detach().std()) == pytest.approx(1.0, rel=0.2)


@pytest.mark.parametrize("channels", COUNTS)
def test_variance_coming_out_is_kept(channels: int) -> None:
    layer = DyConv2d(64, 64)
    out = layer(torch.randn(32, 64, 8, 8), channels)
    assert out.shape == (32, channels, 8, 8)
    assert float(out[..., 1:-1, 1:-1].detach().std()) == pytest.approx(1.0, rel=0.2)


@pytest.mark.parametrize("channels", COUNTS)
def test_variance_of_patches_is_kept(channels: int) -> None:
    layer = DyPatchEmbed(64, 64, 4)
    tokens = layer.embed(torch.randn(64, channels, 4, 6))
    assert tokens.shape == (64, 6, 64)
    assert float(tokens.detach().std()) == pytest.approx(1.0, rel=0.2)
    torch.nn.init.normal_(layer.out_of, std=64**-0.5)
    image = layer.unembed(torch.randn(64, 6, 64), channels)
    assert image.shape == (64, channels, 4, 6)
    assert float(image.detach().std()) == pytest.approx(1.0, rel=0.2)


def test_patches_at_canonical_size_are_a_strided_convolution() -> None:
    layer = DyPatchEmbed(8, 3, 4)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    series = torch.randn(2, 3, 20)
    image = series.unflatten(-1, (5, 4)).transpose(-1, -2)
    expected = F.conv1d(series, layer.into, layer.into_bias, stride=4).transpose(1, 2)
    torch.testing.assert_close(layer.embed(image), expected)
    tokens = torch.randn(2, 5, 8)
    transposed = F.conv_transpose1d(tokens.transpose(1, 2), layer.out_of.permute(1, 0, 2), stride=4)
    expected = transposed.unflatten(-1, (5, 4)).transpose(-1, -2) + layer.out_bias[..., None]
    torch.testing.assert_close(layer.unembed(tokens, 3), expected, rtol=1e-4, atol=1e-5)


def test_a_last_layer_starts_at_zero() -> None:
    assert not bool(DyConv2d(4, 4, zero=True)(torch.randn(1, 7, 3, 3), 5).any())


@pytest.mark.parametrize("channels", [1, 3, 4, 9])
def test_every_parameter_gets_a_gradient(channels: int) -> None:
    layer = DyConv2d(4, 4)
    (layer(torch.randn(2, channels, 3, 3), channels) ** 2).sum().backward()
    patch = DyPatchEmbed(6, 4, 2)
    torch.nn.init.normal_(patch.out_of)
    (patch.unembed(patch.embed(torch.randn(2, channels, 2, 3)), channels) ** 2).sum().backward()
    for parameter in (*layer.parameters(), *patch.parameters()):
        assert parameter.grad is not None and bool(parameter.grad.any())
