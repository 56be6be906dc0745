"""What comes before training: two sets aligned, without gaps, as one tensor, and batches cut from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from tsprout.metrics.reference import Reference, align, fill, share_gaps

_LIMIT = 1e6  # beyond it a value is as wrong as it can be, and float32 stays safe
_STRETCHES = 20


def prepared(real: ArrayLike, synthetic: ArrayLike, *, seed: int, standardise: bool) -> tuple[np.ndarray, np.ndarray]:
    """Both sets ``(n, C, L)``, cut to the same length and without gaps.

    Each set first takes the gaps of the other, so that gaps tell nothing; then all are bridged by straight lines.

    Args:
        real, synthetic: ``(n, C, L)``, NaN where nothing was observed.
        seed: of the draw of gaps.
        standardise: whether to measure in standard deviations of the real channels.

    Raises:
        InputError: an array is not three-dimensional, holds infinite values, or the channel counts differ.
    """
    first, second = align(real, synthetic)
    first, second = (
        share_gaps(first, second, np.random.default_rng([seed, 1])),
        share_gaps(second, first, np.random.default_rng([seed, 2])),
    )
    if standardise:
        reference = Reference.fit(first)
        first, second = reference.standardise(first), reference.standardise(second)
    return np.clip(fill(first), -_LIMIT, _LIMIT), np.clip(fill(second), -_LIMIT, _LIMIT)


def stacked(*sets: np.ndarray) -> Tensor:
    """All series of ``sets`` (n, C, L) one after the other as float32 ``(N, L, C)``."""
    return torch.from_numpy(np.concatenate(sets).astype(np.float32)).transpose(1, 2).contiguous()


def take(data: Tensor, chosen: np.ndarray) -> Tensor:
    """Series at positions ``chosen`` (R, B) of ``data`` (N, L, C) as ``(L, R, C, B)``."""
    repeats, batch = chosen.shape
    rows = data.index_select(0, torch.from_numpy(np.ascontiguousarray(chosen).ravel()))
    return rows.view(repeats, batch, *data.shape[1:]).permute(2, 0, 3, 1).contiguous()


def stretch_split(
    sizes: Sequence[int], rngs: Sequence[np.random.Generator], parts: tuple[float, ...]
) -> list[list[np.ndarray]]:
    """Positions ``(R, k)`` in every set and part: stretches of neighbours stay together, the same in all sets.

    Windows cut from one recording overlap. Were they spread at random, a network could recognise a window that it is
    tested on by its neighbours in training.

    Args:
        sizes: series in each set, one at least for every part.
        rngs: one generator a repeat.
        parts: shares of the parts but the first, which gets the rest.

    Returns:
        ``[set][part]``. The repeats get equally many positions; which ones exceed that is left to chance.
    """
    found: list[list[list[np.ndarray]]] = [[[] for _ in range(len(parts) + 1)] for _ in sizes]
    for rng in rngs:
        orders = {count: rng.permutation(count) for count in sorted({min(size, _STRETCHES) for size in sizes})}
        for number, size in enumerate(sizes):
            count = min(size, _STRETCHES)
            stretch = orders[count][np.arange(size) * count // size]
            begun = 0
            for part, share in enumerate(parts, start=1):
                width = min(max(round(share * count), 1), count - begun - len(parts) + part - 1)
                found[number][part].append(
                    rng.permutation(np.flatnonzero((stretch >= begun) & (stretch < begun + width)))
                )
                begun += width
            found[number][0].append(rng.permutation(np.flatnonzero(stretch >= begun)))
    return [[_even(rows) for rows in parts_of_set] for parts_of_set in found]


def _even(rows: list[np.ndarray]) -> np.ndarray:
    length = min(map(len, rows))
    return np.stack([row[:length] for row in rows])
