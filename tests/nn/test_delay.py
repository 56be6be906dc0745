"""The delay embedding is inverted exactly, for every length and for a grid of delays and dimensions."""

from __future__ import annotations

import pytest
import torch

from tsprout.errors import InputError
from tsprout.nn.delay import Grid, embed, exact_grid, grid_mask, invert, padded_grid


def series(length: int) -> torch.Tensor:
    return torch.randn(2, 3, length, generator=torch.Generator().manual_seed(length))


def check(grid: Grid, length: int) -> None:
    x = series(length)
    image = embed(x, grid)
    assert image.shape == (2, 3, grid.rows, grid.columns)
    assert torch.equal(invert(image, grid), x)


def test_every_length_from_4_to_1024_is_inverted_exactly() -> None:
    for length in range(4, 1025):
        for grid in (exact_grid(length), exact_grid(length, 4), padded_grid(length)):
            check(grid, length)


@pytest.mark.parametrize("dimension", [1, 2, 3, 4, 7, 8, 16, 31])
@pytest.mark.parametrize("delay", [1, 2, 3, 5, 8, 16])
def test_a_grid_of_delays_and_dimensions(delay: int, dimension: int) -> None:
    if delay > dimension:
        with pytest.raises(InputError, match="cannot be inverted"):
            padded_grid(24, delay, dimension)
        return
    for length in (1, 4, 5, 7, 8, 9, 23, 24, 25, 64, 100):
        for square in (True, False):
            check(padded_grid(length, delay, dimension, square=square), length)


@pytest.mark.parametrize("length", [4, 5, 13, 24, 37, 97, 127, 500, 1021, 1024])
@pytest.mark.parametrize("dimension", [None, 1, 3, 4, 6, 11])
def test_the_exact_grid_has_no_padding_and_is_near_square(length: int, dimension: int | None) -> None:
    grid = exact_grid(length, dimension)
    assert grid.exact
    assert bool(grid_mask(grid).all())
    assert not bool((embed(torch.ones(length), grid) == 0).any())
    if dimension is None:
        assert max(grid.rows, grid.columns) <= 2 * min(grid.rows, grid.columns)


def test_24_becomes_6_by_4() -> None:
    grid = exact_grid(24)
    assert (grid.rows, grid.columns) == (6, 4)
    assert torch.equal(embed(torch.arange(24.0), grid), torch.arange(24.0).reshape(4, 6).T)


def test_the_papers_grid_of_length_24() -> None:
    grid = padded_grid(24)
    assert (grid.rows, grid.columns) == (8, 8)
    assert not grid.exact
    mask = grid_mask(grid)
    assert int(mask.sum()) == 24
    assert bool(mask[:, :3].all())
    image = embed(torch.arange(1.0, 25.0), grid)
    assert torch.equal(image[:, :3], torch.arange(1.0, 25.0).reshape(3, 8).T)
    assert not bool(image[:, 3:].any())


def test_overlapping_columns_repeat_the_steps_they_share() -> None:
    grid = padded_grid(8, 2, 4, square=False)
    expected = torch.tensor([[0.0, 2, 4], [1, 3, 5], [2, 4, 6], [3, 5, 7]])
    assert torch.equal(embed(torch.arange(8.0), grid), expected)
    # A time step is read from the first cell that holds it.
    changed = expected.clone()
    changed[0, 1] = 99
    assert torch.equal(invert(changed, grid), torch.arange(8.0))


def test_padding_stays_zero_next_to_missing_values() -> None:
    x = torch.arange(10.0)
    x[0] = float("nan")
    image = embed(x, padded_grid(10))
    assert int(image.isnan().sum()) == 1
    assert not bool(image[~grid_mask(padded_grid(10))].any())


def test_gradients_pass_both_ways() -> None:
    grid = padded_grid(10, 3, 4)
    x = torch.randn(10, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: invert(torch.sin(embed(t, grid)), grid), (x,))


@pytest.mark.parametrize(("length", "delay", "dimension"), [(0, 8, 8), (24, 0, 8), (24, 8, 0)])
def test_sizes_below_one_are_refused(length: int, delay: int, dimension: int) -> None:
    with pytest.raises(InputError, match="positive"):
        padded_grid(length, delay, dimension)


@pytest.mark.parametrize(("length", "dimension"), [(0, None), (24, 0)])
def test_exact_sizes_below_one_are_refused(length: int, dimension: int | None) -> None:
    with pytest.raises(InputError, match="positive"):
        exact_grid(length, dimension)
