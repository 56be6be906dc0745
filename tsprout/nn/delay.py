r"""Delay embedding: a series as the columns of a small image (its *grid*), and back.

A series :math:`x_0 \dots x_{L-1}` becomes the trajectory matrix whose column :math:`j` is the stretch
:math:`x_{s_j} \dots x_{s_j+n-1}`; with a constant delay :math:`m` the starts are :math:`s_j = jm` (Takens 1981; Naiman
et al., "Utilizing Image Transforms and Diffusion Models for Generative Modeling of Short and Long Time Series",
arXiv 2410.19538). Two kinds of grid are built here:

- :func:`padded_grid`, the papers': constant delay, what is left over is zero, padded to a square. Its mask says which
  cells hold a value (length 24 with ``m = n = 8`` fills 3 of 8 columns).
- :func:`exact_grid`: every cell holds a value. Starts advance by ``n`` and the last column ends on the last time step,
  overlapping the one before it where ``n`` does not divide the length. Nothing is padded, for any length.

Both are exactly invertible, because inversion reads each time step from the first cell that holds it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from tsprout.errors import InputError


@dataclass(frozen=True)
class Grid:
    """Where each time step of a series of ``length`` steps lies in an image of ``rows`` by ``columns`` cells.

    ``starts[j]`` is the time step in the first row of column ``j``; the first ``dimension`` rows of the first
    ``len(starts)`` columns hold values as far as the series reaches, all other cells are padding.
    """

    length: int
    dimension: int
    starts: tuple[int, ...]
    rows: int
    columns: int

    @property
    def exact(self) -> bool:
        """Whether no cell is padding."""
        last = self.starts[-1] + self.dimension
        return (self.rows, self.columns) == (self.dimension, len(self.starts)) and last <= self.length


@lru_cache(maxsize=1024)
def padded_grid(length: int, delay: int = 8, dimension: int = 8, *, square: bool = True) -> Grid:
    """The papers' grid: starts ``0, m, 2m, ...`` until the series is covered, padded with zeros to a square.

    Args:
        length: time steps of the series, at least 1.
        delay: ``m``, time steps from one column to the next; at most ``dimension``, or time steps would be lost.
        dimension: ``n``, time steps in a column.
        square: pad the shorter side with zeros to the longer one.

    Raises:
        InputError: if ``delay`` exceeds ``dimension`` or anything is below 1.
    """
    if min(length, delay, dimension) < 1:
        raise InputError(f"delay embedding needs positive sizes, got length {length}, m {delay}, n {dimension}")
    if delay > dimension:
        raise InputError(
            f"a delay m = {delay} above the dimension n = {dimension} skips time steps and cannot be inverted",
            fix="Choose m <= n.",
        )
    columns = 1 + max(0, math.ceil((length - dimension) / delay))
    side = max(dimension, columns)
    rows, width = (side, side) if square else (dimension, columns)
    return Grid(length, dimension, tuple(j * delay for j in range(columns)), rows, width)


@lru_cache(maxsize=1024)
def exact_grid(length: int, dimension: int | None = None) -> Grid:
    """A rectangle without padding: ``dimension`` rows, as many columns as the length needs.

    Without ``dimension`` the sides are chosen near-square, dividing the length where that is possible with a ratio of
    sides of at most 2 (24 becomes 6 x 4).

    Raises:
        InputError: if ``length`` or ``dimension`` is below 1.
    """
    if length < 1 or (dimension is not None and dimension < 1):
        raise InputError(f"delay embedding needs positive sizes, got length {length}, n {dimension}")
    if dimension is None:
        root = math.ceil(math.sqrt(length))
        dividing = [n for n in range(root, 2 * root + 1) if length % n == 0 and n <= 2 * (length // n)]
        dimension = dividing[0] if dividing else root
    dimension = min(dimension, length)
    columns = math.ceil(length / dimension)
    starts = tuple(min(j * dimension, length - dimension) for j in range(columns))
    return Grid(length, dimension, starts, dimension, columns)


@lru_cache(maxsize=1024)
def _indices_on(grid: Grid, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """:func:`_indices` kept on a device: every copy there would make the host wait for it."""
    with torch.inference_mode(False):
        step, mask, place = (tensor.to(device) for tensor in _indices(grid))
    return step, mask, place


@lru_cache(maxsize=1024)
def _indices(grid: Grid) -> tuple[Tensor, Tensor, Tensor]:
    """Cell -> time step (0 where padding), cell mask, and time step -> first cell that holds it."""
    starts = torch.tensor(grid.starts)
    step = torch.zeros(grid.rows, grid.columns, dtype=torch.long)
    mask = torch.zeros(grid.rows, grid.columns, dtype=torch.bool)
    held = starts + torch.arange(grid.dimension)[:, None]
    mask[: grid.dimension, : len(starts)] = held < grid.length
    step[: grid.dimension, : len(starts)] = torch.where(held < grid.length, held, 0)
    time = torch.arange(grid.length)
    # The first column that has not ended before a time step.
    column = torch.searchsorted(starts, time - grid.dimension, right=True)
    return step, mask, (time - starts[column]) * grid.columns + column


def grid_mask(grid: Grid) -> Tensor:
    """Boolean ``(rows, columns)``: which cells hold a value."""
    return _indices(grid)[1]


def embed(series: Tensor, grid: Grid) -> Tensor:
    """Series ``(..., length)`` to images ``(..., rows, columns)``; padding is zero."""
    step, mask, _ = _indices_on(grid, series.device)
    image = series[..., step]
    return image if grid.exact else torch.where(mask, image, 0)


def invert(image: Tensor, grid: Grid) -> Tensor:
    """Images ``(..., rows, columns)`` to series ``(..., length)``: the exact inverse of :func:`embed`."""
    return image.flatten(-2)[..., _indices_on(grid, image.device)[2]]
