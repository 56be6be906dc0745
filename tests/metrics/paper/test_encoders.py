"""Encoders trained as one: the network, the loss, and what becomes of gaps, against plain ways to write them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tsprout.metrics.paper import context_fid
from tsprout.metrics.paper.contrast import hierarchical_loss
from tsprout.metrics.paper.repeats import generators
from tsprout.metrics.paper.ts2vec import DEPTH, OUTPUTS, WIDTH, Layer, Network, TS2Vec, crop


def plain(network: Network, x: Tensor, kept: Tensor, e: int) -> Tensor:
    """Encoder ``e`` in convolutions with all three taps, on ``x`` (B, L, C)."""

    def convolve(layer: Layer, y: Tensor) -> Tensor:
        outputs, inputs = layer.weight.shape[2], y.shape[1]
        taps = layer.weight[e].view(-1, inputs, outputs)
        if len(taps) == 1 and layer is not network.layers[-1]:
            taps = torch.stack([torch.randn_like(taps[0]), taps[0], torch.randn_like(taps[0])])  # meet only zeros
        reach = len(taps) // 2 * layer.dilation
        return functional.conv1d(y, taps.permute(2, 1, 0), layer.bias[e, 0], padding=reach, dilation=layer.dilation)

    y = ((x @ network.layers[0].weight[e] + network.layers[0].bias[e]) * kept).transpose(1, 2)
    for block in range(DEPTH + 1):
        z = convolve(network.layers[1 + 2 * block], functional.gelu(y))
        z = convolve(network.layers[2 + 2 * block], functional.gelu(z))
        y = z + (convolve(network.layers[-1], y) if block == DEPTH else y)
    return y.transpose(1, 2)


@pytest.mark.parametrize(("length", "seen"), [(24, 24), (24, 9), (24, 16), (5, 5), (1, 1), (70, 40)])
def test_network_is_a_stack_of_dilated_convolutions(length: int, seen: int) -> None:
    network = Network.fresh(3, length, generators(0, 2, 1))
    torch.manual_seed(0)
    x, kept = torch.randn(2, 4, seen, 3), (torch.rand(2, 4, seen, 1) < 0.5).float()
    found = network(x, kept)
    assert found.shape == (2, 4, seen, OUTPUTS)
    for e in range(2):
        torch.testing.assert_close(found[e], plain(network, x[e], kept[e], e), atol=1e-5, rtol=1e-4)


def test_start_is_pytorchs_even_where_taps_are_left_out() -> None:
    limit = 1 / np.sqrt(3 * WIDTH)
    for dilation in (1, 32):
        layer = Layer.fresh(WIDTH, WIDTH, generators(0, 2, 1), 3, dilation, 24)
        assert layer.weight.shape == (2, WIDTH * (3 if dilation == 1 else 1), WIDTH)
        assert float(layer.weight.abs().max()) == pytest.approx(limit, rel=0.01)
    assert nn.Conv1d(WIDTH, WIDTH, 3).weight.abs().max() <= limit


def naive_loss(first: Tensor, second: Tensor) -> float:
    """The two losses of one level, sum by sum, for views ``(B, T, D)``."""
    losses = []
    for here, there in ((first, second), (second, first)):
        for i in range(len(here)):
            for t in range(here.shape[1]):
                own = here[i, t]
                right = torch.exp(own @ there[i, t])
                time = sum(torch.exp(own @ there[i, s]) for s in range(here.shape[1])) + sum(
                    torch.exp(own @ here[i, s]) for s in range(here.shape[1]) if s != t
                )
                series = sum(torch.exp(own @ there[j, t]) for j in range(len(here))) + sum(
                    torch.exp(own @ here[j, t]) for j in range(len(here)) if j != i
                )
                both = -torch.log(right / series)
                losses.append(both - torch.log(right / time) if here.shape[1] > 1 else both)
    return 0.5 * float(torch.stack(losses).mean())


def test_loss_is_the_papers() -> None:
    torch.manual_seed(0)
    first, second = torch.randn(2, 2, 3, 5, 4, dtype=torch.float64)
    levels = [(first, second)]
    for width in (2, 1):
        levels.append(
            tuple(torch.stack([v[:, :, 2 * k : 2 * k + 2].amax(2) for k in range(width)], 2) for v in levels[-1])
        )
    found = hierarchical_loss(first, second)
    for e in range(2):
        expected = np.mean([naive_loss(a[e], b[e]) for a, b in levels])
        assert float(found[e]) == pytest.approx(expected, rel=1e-5)


def test_views_that_agree_cost_less() -> None:
    torch.manual_seed(0)
    first, other = torch.randn(2, 1, 8, 6, 16)
    assert float(hierarchical_loss(first, first)) < float(hierarchical_loss(first, other))
    assert float(hierarchical_loss(first[:, :1, :1], first[:, :1, :1])) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("length", [1, 2, 24])
def test_crops_overlap_inside_the_series(length: int) -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        a1, a2, b1, b2 = crop(length, rng)
        assert 0 <= a1 <= a2 < b1 <= b2 <= length
        assert b1 - a2 >= min(2, length)


def series(n: int, seed: int = 0, length: int = 12) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).standard_normal((n, 2, length)), axis=-1)


def test_an_encoder_is_the_same_alone_and_among_others() -> None:
    alone = TS2Vec.fit(series(20), encoders=1, seed=3, iterations=4).embed(series(5, 1))
    among = TS2Vec.fit(series(20), encoders=3, seed=3, iterations=4).embed(series(5, 1))
    assert alone.shape == (1, 5, OUTPUTS)
    assert among[:1] == pytest.approx(alone, abs=1e-5)
    assert np.abs(among[1] - among[0]).max() > 0.05
    again = TS2Vec.fit(series(20), encoders=3, seed=3, iterations=4).embed(series(5, 1))
    assert (again == among).all()


def test_training_lowers_the_loss_and_weights_are_averaged() -> None:
    encoder = TS2Vec.fit(series(40), encoders=2, iterations=30)
    fresh = Network.fresh(2, 12, generators(0, 2, 121))
    x = torch.from_numpy(series(40).transpose(0, 2, 1)).float().expand(2, -1, -1, -1)
    torch.manual_seed(0)
    masks = [(torch.rand(2, 40, 12, 1) < 0.5).float() for _ in range(2)]

    def loss(network: Network) -> Tensor:
        with torch.no_grad():
            return hierarchical_loss(*(network(x, mask) for mask in masks))

    assert (loss(encoder.network) < 0.9 * loss(fresh)).all()


def test_what_lies_in_a_gap_does_not_matter_and_a_gap_is_no_zero() -> None:
    encoder = TS2Vec.fit(series(20), iterations=3)
    gappy, half = series(4, 5), series(4, 5)
    gappy[:, :, 5] = np.nan
    half[:, 0, 5] = np.nan
    zero = np.nan_to_num(gappy)
    assert (encoder.embed(gappy) == encoder.embed(half)).all()
    assert np.abs(encoder.embed(gappy) - encoder.embed(zero)).max() > 1e-4
    holes = np.where(np.random.default_rng(0).random((20, 2, 12)) < 0.3, np.nan, series(20))
    assert np.isfinite(TS2Vec.fit(holes, iterations=3).embed(holes)).all()


def test_long_series_are_seen_in_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tsprout.metrics.paper.ts2vec.LONGEST", 8)
    monkeypatch.setattr("tsprout.metrics.paper.ts2vec.hierarchical_loss", check := Checked())
    assert TS2Vec.fit(series(20, length=30), iterations=8).embed(series(3, length=30)).shape == (1, 3, OUTPUTS)
    assert max(check.steps) <= 8


class Checked:
    """The loss, which remembers how many steps it saw."""

    def __init__(self) -> None:
        self.steps: list[int] = []

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        self.steps.append(first.shape[2])
        return hierarchical_loss(first, second)


def test_embedding_does_not_depend_on_how_it_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = TS2Vec.fit(series(20), encoders=2, iterations=2)
    whole = encoder.embed(series(30))
    monkeypatch.setattr("tsprout.metrics.paper.ts2vec._CELLS", 50_000)
    assert encoder.embed(series(30)) == pytest.approx(whole, abs=1e-5)


def test_frechet_distance_of_gaussians_is_the_closed_form() -> None:
    rng = np.random.default_rng(0)
    first = rng.standard_normal((1, 20_000, 2))
    second = rng.standard_normal((1, 20_000, 2)) * np.array([2.0, 3.0]) + np.array([1.0, -1.0])
    assert context_fid.frechet(first, second)[0] == pytest.approx(1 + 1 + 1 + 4, rel=0.03)
    assert context_fid.frechet(first, first)[0] == pytest.approx(0, abs=1e-9)
    assert np.isnan(context_fid.frechet(first[:, :1], second)).all()


def test_frechet_distance_with_fewer_rows_than_numbers() -> None:
    rows = np.random.default_rng(0).standard_normal((1, 10, 40)).astype(np.float32)
    assert context_fid.frechet(rows, rows)[0] == pytest.approx(0, abs=1e-5)
    assert context_fid.frechet(rows, rows + 1)[0] == pytest.approx(40, rel=1e-4)
