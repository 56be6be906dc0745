"""Channels that are zero in the same cells: units sold and revenue, rain and for how long it fell.

A diffusion model draws each channel's zeros a little by itself, so that something is earned where nothing is sold.
Where the shots show no such cell, most of them decide in each cell whether all are zero. What is zero and should not be
gets the value that it has in the cell of the shots in which the others are nearest (a hot deck, Andridge and Little
2010). Nothing else is changed, and what the model is shown is as it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tsprout.data.channel_scaling import ChannelScaling
from tsprout.data.transforms import Constant

LEAST, SEEN = 10, 0.9
"""Cells in which both are zero, and in which neither is, in two series or more; share of cells that show both."""
_KEPT = 512  # cells of the shots to take values from
_AT_ONCE = 4096  # cells that look for theirs


@dataclass(frozen=True, eq=False)
class Together:
    """Channels at positions ``members``, in order, and their values ``cells (k, members)`` where they are not zero."""

    members: tuple[int, ...]
    cells: np.ndarray

    @property
    def _spread(self) -> np.ndarray:
        return np.maximum(self.cells.std(axis=0), 1e-12 + 1e-9 * np.abs(self.cells).max(axis=0))

    def settle(self, values: np.ndarray, known: np.ndarray | None = None) -> None:
        """Make them zero together in ``values (n, channels, length)``, in place; cells that are ``known`` are left.

        The first of those that are known in a cell decides; where none is, most of them, and the first where they are
        divided.
        """
        own = values[:, self.members]
        fixed = np.zeros(own.shape, bool) if known is None else known[:, self.members]
        seen, zero = np.isfinite(own), own == 0
        votes = 2 * zero.sum(axis=1) - seen.sum(axis=1)
        decided = np.where(fixed.any(axis=1), _at(zero, fixed.argmax(axis=1)), (votes > 0) | (votes == 0) & zero[:, 0])
        own[decided[:, None] & seen & ~fixed] = 0
        short = ~decided[:, None] & zero & ~fixed
        i, j, t = np.nonzero(short)
        for start in range(0, len(i), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            beside, told = own[i[part], :, t[part]], (seen & ~zero)[i[part], :, t[part]]
            apart = np.where(told[:, None], (beside[:, None] - self.cells) / self._spread, 0)
            own[i[part], j[part], t[part]] = self.cells[(apart**2).sum(axis=2).argmin(axis=1), j[part]]
        values[:, self.members] = own

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :func:`together_from_dict` reads them."""
        return {"members": list(self.members), "cells": self.cells.tolist()}


def _at(array: np.ndarray, member: np.ndarray) -> np.ndarray:
    """``array (n, members, length)`` at one member a cell, ``(n, length)``."""
    return np.take_along_axis(array, member[:, None], axis=1)[:, 0]


def together(values: np.ndarray, channels: Sequence[Any], usable: Sequence[bool]) -> tuple[Together, ...]:
    """Which channels are zero in the same cells of the shots.

    Args:
        values: ``(n_series, n_channels, length)``, NaN where missing.
        channels: their scaling.
        usable: which may be taken for such.
    """
    groups: list[list[int]] = []
    for j, channel in enumerate(channels):
        if not usable[j] or not isinstance(channel, ChannelScaling) or isinstance(channel.transform, Constant):
            continue
        if (values[:, j] == 0).sum() < LEAST:
            continue
        group = next((g for g in groups if _alike(values[:, g[0]], values[:, j])), None)
        if group is None:
            groups.append([j])
        else:
            group.append(j)
    found = (Together(tuple(group), _deck(values, group)) for group in groups if len(group) > 1)
    return tuple(each for each in found if len(each.cells))  # gaps may leave no cell that shows all of them


def _alike(first: np.ndarray, second: np.ndarray) -> bool:
    seen = np.isfinite(first) & np.isfinite(second)
    zero = (first == 0) & seen
    if ((second == 0)[seen] != zero[seen]).any():
        return False
    some = (zero, seen & ~zero)
    enough = all(each.sum() >= LEAST and each.any(axis=1).sum() > 1 for each in some)
    return enough and seen.sum() >= SEEN * max(np.isfinite(first).sum(), np.isfinite(second).sum())


def _deck(values: np.ndarray, members: list[int]) -> np.ndarray:
    """Cells ``(k, members)`` in which all are observed and not zero, evenly over the values of the first."""
    cells = values[:, members].transpose(0, 2, 1).reshape(-1, len(members)).astype(np.float64)
    cells = cells[(np.isfinite(cells) & (cells != 0)).all(axis=1)]
    cells = cells[np.argsort(cells[:, 0], kind="stable")]
    return cells[np.linspace(0, len(cells) - 1, min(len(cells), _KEPT)).astype(int)]


def together_from_dict(entry: Mapping[str, Any], channels: int) -> Together:
    """What :meth:`Together.to_dict` wrote, of so many channels.

    Raises:
        KeyError, TypeError, ValueError: ``entry`` is not one.
    """
    members, cells = tuple(entry["members"]), np.array(entry["cells"], dtype=np.float64)
    if len(members) < 2 or len(set(members)) < len(members) or not all(m in range(channels) for m in members):
        raise ValueError("members must be positions of two channels or more")
    if cells.ndim != 2 or cells.shape[1] != len(members) or not len(cells) or not np.isfinite(cells).all():
        raise ValueError("cells must be numbers, one for each member")
    return Together(members, cells)
