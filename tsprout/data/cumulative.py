r"""The scaling of a channel that never falls within a series, or never rises: a meter, a count so far, a wearing part.

Its levels often differ between series by far more than it moves in one, and no smooth scale keeps new series from
going the wrong way. So what is scaled is the first value of every series and then its moves, each on a scale of their
own, and a series comes back by adding them up: :math:`x_t = x_0 + s \sum_{i \le t} m_i`, with :math:`m \ge 0` and
:math:`s = \pm 1`. After a gap the move since the last observed step is shared out evenly over the steps that it took.

Sums go astray where series come together in the end (shares of a whole, saturating curves). These, and flags that
switch once, are scaled by their values, and what is drawn is brought into order by isotonic regression (the nearest
series that never goes the wrong way, in least squares).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import isotonic_regression

from tsprout.data.channel_scaling import ChannelScaling, Sides, channel_from_dict, fit_channel
from tsprout.data.transforms import Constant, Curve, Hurdle

LEAST_MOVES = 16
"""Moves one way that a channel must show, and none the other way."""
LEAST_SERIES, LEAST_ROUGH = 5, 2
"""Series that must move; fewer suffice where moves are rough, for smooth series keep to one way for a while anyway."""
_ROUGH = 0.3  # correlation of consecutive moves, up to which they are
_TOGETHER = 0.5  # spread of the series at their ends in units of the largest on the way, below which they come together


@dataclass(frozen=True)
class CumulativeScaling:
    """How such a channel is scaled.

    Attributes:
        whole: what its values keep to, decimals and bounds; and their scaling, where it is not by its moves.
        sign: 1 where it never falls, -1 where it never rises.
        start, moves: scaling of first values, and of moves times ``sign``; ``None`` for scaling by values.
    """

    whole: ChannelScaling
    sign: int
    start: ChannelScaling | None = None
    moves: ChannelScaling | None = None

    @property
    def channel(self) -> str:
        """Its name."""
        return self.whole.channel

    @property
    def strands(self) -> tuple[ChannelScaling, ...]:
        """What has a scale of its own: first values and moves, or the values."""
        return (self.whole,) if self.start is None or self.moves is None else (self.start, self.moves)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """``(n, length)`` in units of the channel to latents, both ``float64``, NaN where missing."""
        if self.start is None or self.moves is None:
            return self.whole.forward(x)
        return np.where(first_cells(x), self.start.forward(x), self.moves.forward(self.sign * moves_of(x)))

    def inverse(self, z: np.ndarray) -> np.ndarray:
        """Latents ``(n, length)`` to units of the channel, ``float64``, never against ``sign``; NaN where missing."""
        if self.start is None or self.moves is None:
            return self.whole.inverse(in_order(z, self.sign))
        first, seen = first_cells(z), np.isfinite(z)
        start = np.where(first, self.start.inverse(z), 0).sum(1, keepdims=True)
        moves = np.where(seen & ~first, np.maximum(self.moves.inverse(z), 0), np.where(first, 0, np.nan))
        x = start + self.sign * np.cumsum(np.nan_to_num(_carried_back(moves)), axis=1)
        return np.where(seen, self.whole.kept(x), np.nan)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :func:`cumulative_from_dict` reads them."""
        parts = {name: getattr(self, name) for name in ("whole", "start", "moves")}
        return {"sign": self.sign, **{name: None if part is None else part.to_dict() for name, part in parts.items()}}

    def describe(self) -> dict[str, Any]:
        """Plain values for a report; see :meth:`Scaler.describe`."""
        about, said = self.whole.describe(), f"never {'falls' if self.sign > 0 else 'rises'} within a series"
        if self.moves is None:
            return about | {"reason": f"{about['reason']}; {said}"}
        why = f"cumulative: {said}, so that its moves are scaled ({self.moves.reason})"
        return about | {"transform": "cumulative", "reason": why}


def fit_cumulative(
    whole: ChannelScaling, cells: np.ndarray, integer: bool, given: Sides | None
) -> CumulativeScaling | None:
    """The scaling of a channel that goes one way; ``None`` where it goes both ways, or shows too little to say.

    Args:
        whole: its scaling by its values.
        cells: ``(n_series, length)`` float64, NaN where missing.
        integer: known to be of an integer type.
        given: bounds from the user.
    """
    if isinstance(whole.transform, Constant):
        return None
    moves = moves_of(cells)
    ways = np.sign(moves)
    sign = 1 if np.nansum(ways) > 0 else -1
    right = ways == sign
    enough = LEAST_ROUGH if _rough(moves) else LEAST_SERIES
    if (ways == -sign).any() or right.sum() < LEAST_MOVES or right.any(1).sum() < enough:
        return None
    if not isinstance(whole.transform, Curve | Hurdle) or _come_together(cells):
        return CumulativeScaling(whole, sign)
    first = np.where(first_cells(cells), cells, np.nan)
    start = fit_channel(whole.channel, first, integer, given, "auto")
    return CumulativeScaling(whole, sign, start, fit_channel(whole.channel, sign * moves, False, (0.0, None), "auto"))


def cumulative_from_dict(entry: Mapping[str, Any]) -> CumulativeScaling:
    """What :meth:`CumulativeScaling.to_dict` wrote.

    Raises:
        KeyError, TypeError, ValueError: ``entry`` is not one.
    """
    if entry["sign"] not in (1, -1):
        raise ValueError("sign must be 1 or -1")
    parts = [entry[name] for name in ("start", "moves")]
    if (parts[0] is None) != (parts[1] is None):
        raise ValueError("a cumulative channel has a start and moves, or neither")
    whole, read = channel_from_dict(entry["whole"]), [None if p is None else channel_from_dict(p) for p in parts]
    return CumulativeScaling(whole, int(entry["sign"]), *read)


def first_cells(x: np.ndarray) -> np.ndarray:
    """Where the first observed cell of each row of ``(n, length)`` is."""
    seen = np.isfinite(x)
    return seen & (np.cumsum(seen, axis=1) == 1)


def moves_of(x: np.ndarray, *, per_step: bool = True) -> np.ndarray:
    """From the last observed cell before to each observed one, a step or in all: NaN in the first of a row and where
    missing."""
    seen, at = np.isfinite(x), np.arange(x.shape[1])
    last = np.maximum.accumulate(np.where(seen, at, -1), axis=1)
    before = np.concatenate([np.full((len(x), 1), -1), last[:, :-1]], axis=1)
    moved = x - np.take_along_axis(x, np.maximum(before, 0), axis=1)
    return np.where(before >= 0, moved / np.maximum(at - before, 1) if per_step else moved, np.nan)


def _carried_back(moves: np.ndarray) -> np.ndarray:
    """Every missing cell as the next one that is not."""
    at = np.where(np.isfinite(moves), np.arange(moves.shape[1]), moves.shape[1] - 1)
    return np.take_along_axis(moves, np.minimum.accumulate(at[:, ::-1], axis=1)[:, ::-1], axis=1)


def _rough(moves: np.ndarray) -> bool:
    """Whether consecutive moves within a series are unlike, or all the same.

    The correlation of a short series about its own mean is too low, by ``(1 + 3 r) / T`` (Kendall 1954).
    """
    seen = np.isfinite(moves)
    counts = seen.sum(1)
    away = moves - (np.where(seen, moves, 0).sum(1) / np.maximum(counts, 1))[:, None]
    both = seen[:, 1:] & seen[:, :-1]
    total = np.where(both, away[:, 1:] ** 2 + away[:, :-1] ** 2, 0).sum() / 2
    if total <= 0:
        return True
    found = np.where(both, away[:, 1:] * away[:, :-1], 0).sum() / total
    return bool(found + (1 + 3 * found) / counts[counts > 1].mean() < _ROUGH)


def _come_together(cells: np.ndarray) -> bool:
    """Whether series lie much closer to each other at their ends than they do on the way."""
    seen = np.isfinite(cells)
    ends = cells[seen & (np.cumsum(seen[:, ::-1], axis=1)[:, ::-1] == 1)]
    counts = seen.sum(0)
    mean = np.where(seen, cells, 0).sum(0) / np.maximum(counts, 1)
    spread = np.sqrt(np.where(seen, (cells - mean) ** 2, 0).sum(0) / np.maximum(counts, 1))
    return bool(ends.std() < _TOGETHER * spread[counts >= max(2, len(ends) / 2)].max(initial=0))


def in_order(z: np.ndarray, sign: int) -> np.ndarray:
    """Each row, where observed, as the nearest one that never goes against ``sign``."""
    out = z.copy()
    for row in np.flatnonzero((sign * moves_of(z) < 0).any(1)):
        seen = np.isfinite(z[row])
        out[row, seen] = sign * isotonic_regression(sign * z[row, seen]).x
    return out
