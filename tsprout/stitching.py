"""Long recordings filled window by window, so that no seam shows.

Every other window is filled first, and of each what lies around its middle is kept; then the windows between these,
around what the first ones were given. So each gap is drawn with what stands on both of its sides, draw by draw.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Piece(NamedTuple):
    """A window that begins at step ``start``, and the steps from ``low`` to below ``high`` that are kept of it."""

    start: int
    low: int
    high: int


def pieces(empty: np.ndarray, window: int) -> tuple[list[Piece], list[Piece]]:
    """Windows that fill a recording, half overlapping, those to be filled first and those after them.

    Args:
        empty: cells to be filled, ``(channels, length)``, longer than the window.
        window: steps.
    """
    length, column = empty.shape[-1], np.atleast_1d(empty.any(axis=0))
    # Where the windows begin that a model is shown: what repeats stands in them as it does in these.
    starts = np.unique([*range(0, length - window + 1, max(1, window // 2)), length - window])
    seams = (starts[1:] + starts[:-1] + window) // 2
    lows, highs = [0, *seams.tolist()], [*seams.tolist(), length]
    whole = [Piece(*each) for each in zip(starts.tolist(), lows, highs, strict=True)]
    wanted = [[piece for piece in whole[first::2] if column[piece.low : piece.high].any()] for first in (0, 1)]
    return wanted[0], wanted[1]


def stitched(
    recording: np.ndarray,
    empty: np.ndarray,
    window: int,
    draws: int,
    at_once: int,
    draw: Callable[[np.ndarray], np.ndarray],
    tell: Callable[[int], None],
) -> np.ndarray:
    """A recording filled several times.

    Args:
        recording: ``(channels, length)``, NaN where nothing is known.
        empty: cells to be filled, the same shape.
        window: steps.
        draws: how many times.
        at_once: so many windows, times draws, are drawn together at most, and one window's draws at least.
        draw: fills windows ``(m, channels, window)``.
        tell: told how many pieces have been done more.

    Returns:
        ``(draws, channels, length)``, of its type.
    """
    out = np.repeat(recording[None], draws, axis=0)
    size = max(1, at_once // draws)
    for turn in pieces(empty, window):
        for first in range(0, len(turn), size):
            some = turn[first : first + size]
            rows = np.concatenate([out[..., piece.start : piece.start + window] for piece in some])
            drawn = draw(rows).reshape(len(some), draws, len(recording), window)
            for piece, each in zip(some, drawn, strict=True):
                kept, own = out[..., piece.low : piece.high], each[..., piece.low - piece.start :]
                np.copyto(kept, own[..., : kept.shape[-1]], where=empty[:, piece.low : piece.high])
            tell(len(some))
    return out
