r"""The scaling of a channel that never falls within a series, or never rises: a meter, a count so far, a wearing part.

Its levels often differ between series by far more than it moves in one, and no smooth scale keeps new series from
going the wrong way. So what is scaled is the first value of every series and then its moves, each on a scale of their
own, and a series comes back by adding them up: :math:`x_t = x_0 + s \sum_{i \le t} m_i`, with :math:`m \ge 0` and
:math:`s = \pm 1`. After a gap the move since the last observed step is shared out evenly over the steps that it took.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tsprout.data.channel_scaling import ChannelScaling, channel_from_dict, fit_channel
from tsprout.data.transforms import Constant, Levels

LEAST_MOVES = 16
"""Moves one way that a channel must show, in two series or more, and none the other way."""
_ONE_END = 0.2  # share of the series that end at the same outermost value, from which it is a level that they reach


@dataclass(frozen=True)
class CumulativeScaling:
    """How such a channel is scaled.

    Attributes:
        whole: what its values keep to: decimals and bounds. What it says of the scale is not used.
        sign: 1 where it never falls, -1 where it never rises.
        start, moves: scaling of first values, and of moves times ``sign``.
    """

    whole: ChannelScaling
    sign: int
    start: ChannelScaling
    moves: ChannelScaling

    def forward(self, x: np.ndarray) -> np.ndarray:
        """``(n, length)`` in units of the channel to latents, both ``float64``, NaN where missing."""
        return np.where(_first(x), self.start.forward(x), self.moves.forward(self.sign * _moves(x)))

    def inverse(self, z: np.ndarray) -> np.ndarray:
        """Latents ``(n, length)`` to units of the channel, ``float64``, never against ``sign``; NaN where missing."""
        first, seen = _first(z), np.isfinite(z)
        start = np.where(first, self.start.inverse(z), 0).sum(1, keepdims=True)
        moves = np.where(seen & ~first, np.maximum(self.moves.inverse(z), 0), np.where(first, 0, np.nan))
        x = start + self.sign * np.cumsum(np.nan_to_num(_carried_back(moves)), axis=1)
        return np.where(seen, self.whole.kept(x), np.nan)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :func:`cumulative_from_dict` reads them."""
        parts = {name: getattr(self, name).to_dict() for name in ("whole", "start", "moves")}
        return {"channel": self.whole.channel, "sign": self.sign, **parts}

    def describe(self) -> dict[str, Any]:
        """Plain values for a report; see :meth:`Scaler.describe`."""
        said = "never falls" if self.sign > 0 else "never rises"
        why = f"cumulative: {said} within a series, so that its moves are scaled ({self.moves.reason})"
        return self.whole.describe() | {"transform": "cumulative", "reason": why, "levels": None}


def fit_cumulative(whole: ChannelScaling, cells: np.ndarray, integer: bool) -> CumulativeScaling | None:
    """The scaling of a channel by its moves; ``None`` where it goes both ways, or shows too little to say.

    Args:
        whole: its scaling by its values.
        cells: ``(n_series, length)`` float64, NaN where missing.
        integer: known to be of an integer type.
    """
    if isinstance(whole.transform, Levels | Constant):
        return None
    moves = _moves(cells)
    ways = np.sign(moves)
    sign = 1 if np.nansum(ways) > 0 else -1
    right = ways == sign
    if (ways == -sign).any() or right.sum() < LEAST_MOVES or right.any(1).sum() < 2:
        return None
    seen = np.isfinite(cells)
    ends = cells[seen & (np.cumsum(seen[:, ::-1], axis=1)[:, ::-1] == 1)]
    outermost = whole.maximum if sign > 0 else whole.minimum
    if (ends == outermost).sum() >= max(2, _ONE_END * len(ends)):
        return None
    first = np.where(_first(cells), cells, np.nan)
    bounds = None if whole.lower is None and whole.upper is None else (whole.lower, whole.upper)
    start = fit_channel(whole.channel, first, integer, bounds, "auto")
    return CumulativeScaling(whole, sign, start, fit_channel(whole.channel, sign * moves, False, (0.0, None), "auto"))


def cumulative_from_dict(entry: Mapping[str, Any]) -> CumulativeScaling:
    """What :meth:`CumulativeScaling.to_dict` wrote.

    Raises:
        KeyError, TypeError, ValueError: ``entry`` is not one.
    """
    if entry["sign"] not in (1, -1):
        raise ValueError("sign must be 1 or -1")
    whole, start, moves = (channel_from_dict(entry[name]) for name in ("whole", "start", "moves"))
    return CumulativeScaling(whole, int(entry["sign"]), start, moves)


def _first(x: np.ndarray) -> np.ndarray:
    """Where the first observed cell of each row is."""
    seen = np.isfinite(x)
    return seen & (np.cumsum(seen, axis=1) == 1)


def _moves(x: np.ndarray) -> np.ndarray:
    """From the last observed cell before to each observed one, a step: NaN in the first of a row and where missing."""
    seen, at = np.isfinite(x), np.arange(x.shape[1])
    last = np.maximum.accumulate(np.where(seen, at, -1), axis=1)
    before = np.concatenate([np.full((len(x), 1), -1), last[:, :-1]], axis=1)
    moved = (x - np.take_along_axis(x, np.maximum(before, 0), axis=1)) / np.maximum(at - before, 1)
    return np.where(before >= 0, moved, np.nan)


def _carried_back(moves: np.ndarray) -> np.ndarray:
    """Every missing cell as the next one that is not."""
    at = np.where(np.isfinite(moves), np.arange(moves.shape[1]), moves.shape[1] - 1)
    return np.take_along_axis(moves, np.minimum.accumulate(at[:, ::-1], axis=1)[:, ::-1], axis=1)
