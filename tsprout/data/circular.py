r"""The scaling of a channel that goes round: a direction, a phase, the hour of the day.

After its greatest value comes its least, so that a small move across that edge looks like the largest there is, and
what a smooth scale makes of it is drawn anywhere between. Here a series is followed round instead: moves longer than
half the period :math:`P` are taken the other way, the unwound series :math:`u` is put so many whole turns back that its
mean lies within one turn of ``cut`` (the direction that series are seen in least), and is scaled by its values; what
comes back is :math:`u` modulo :math:`P`. A channel that only ever goes one way round is put in order by isotonic
regression, and one that does so at one speed (an hour beside hourly values) keeps to that speed exactly, and to the
phases of the shots where these are few.

Periods are those of clocks, calendars and circles: 360, :math:`2 \pi`, 24, and for whole numbers 7, 12 and 60, too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tsprout.data.channel_scaling import ChannelScaling, Sides, channel_from_dict, fit_channel
from tsprout.data.cumulative import LEAST_MOVES, first_cells, in_order, moves_of
from tsprout.data.transforms import Constant, Hurdle, Levels, number

# (period, where it may begin), of decimals and of whole numbers.
Begins = tuple[float, ...]
PERIODS: tuple[tuple[float, Begins], ...] = ((360.0, (0.0, -180.0)), (2 * math.pi, (0.0, -math.pi)), (24.0, (0.0,)))
WHOLE_PERIODS: tuple[tuple[float, Begins], ...] = (
    (7.0, (0.0, 1.0)),
    (12.0, (0.0, 1.0)),
    (24.0, (0.0, 1.0)),
    (60.0, (0.0,)),
    (360.0, (0.0, -180.0)),
)
_WIDEST = 400.0  # values beyond are on none of these turns
LEAST_ROUND, LEAST_SERIES = 3, 2
"""Moves across the edge that a channel must show, and series that must."""
_SEEN = 0.9  # of the period that values must range over
_NEAR = 0.25  # of the period: half of the moves across the edge are shorter, taken the short way
_FAR = 0.1  # of all moves may be longer than a quarter of the period: what jumps anywhere goes round nothing
_ALIKE = 4.0  # times as long as other moves those across the edge may be: what is on or off goes round nothing, either
_CHANGED = 0.01  # of the cells may come back as others: 0 as 360, where both are written for the same
_PHASES = 8  # of a steady pace that are few, if each is seen in two series


@dataclass(frozen=True)
class CircularScaling:
    """How such a channel is scaled.

    Attributes:
        whole: what its values keep to: decimals.
        period: of a turn, from ``lower``; ``closed``: values lie above ``lower`` up to the end of the turn, else from
            ``lower`` on and below it.
        grid, anchor: distance of neighbouring values, 0 for none, and one of them.
        cut: where the turn begins that the means of unwound series are put in.
        unwound: scaling of these.
        sign: 1 where it only ever goes up, -1 down, 0 both ways.
        speed: moves of every step, where all are the same; ``None`` where they are not.
        phases: where such series may be at step 0, if the shots show few; none for anywhere.
    """

    whole: ChannelScaling
    period: float
    lower: float
    closed: bool
    grid: float
    anchor: float
    cut: float
    unwound: ChannelScaling
    sign: int = 0
    speed: float | None = None
    phases: tuple[float, ...] = ()

    @property
    def channel(self) -> str:
        """Its name."""
        return self.whole.channel

    @property
    def strands(self) -> tuple[ChannelScaling, ...]:
        """What has a scale of its own: the unwound series."""
        return (self.unwound,)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """``(n, length)`` in units of the channel to latents, both ``float64``, NaN where missing."""
        return self.unwound.forward(_put_back(unwind(x, self.period, self.speed), self.period, self.cut))

    def inverse(self, z: np.ndarray) -> np.ndarray:
        """Latents ``(n, length)`` to units of the channel, ``float64``, NaN where missing."""
        u = self.unwound.inverse(z if self.sign == 0 or self.speed is not None else in_order(z, self.sign))
        if self.speed is not None:
            passed = self.speed * np.arange(z.shape[1])
            u = self._phase(_row_mean(u - passed)) + np.where(np.isfinite(z), passed, np.nan)
        return self._wound(u)

    def carried(self, x: np.ndarray) -> np.ndarray:
        """Series ``(n, length)`` of one ``speed``, in units, with gaps filled by where they are, whatever the phases of
        the shots; NaN is no matter, but a row of it alone."""
        assert self.speed is not None
        passed = self.speed * np.arange(x.shape[1])
        return self._wound(self._on_grid(_row_mean(unwind(x, self.period, self.speed) - passed)) + passed)

    def _wound(self, u: np.ndarray) -> np.ndarray:
        turned = self._on_grid(u) - self.lower
        within = self.period - np.mod(-turned, self.period) if self.closed else np.mod(turned, self.period)
        return self.whole.kept(self.lower + within)

    def _on_grid(self, u: np.ndarray) -> np.ndarray:
        # Before it is wound: 359.7 on whole degrees is 360, and that is 0.
        return np.round((u - self.anchor) / self.grid) * self.grid + self.anchor if self.grid else u

    def _phase(self, at: np.ndarray) -> np.ndarray:
        """The nearest, all the way round, that series ``(n, 1)`` may be at."""
        if not self.phases:
            return self._on_grid(at)
        known = np.array(self.phases)
        return known[np.abs(short(at - known, self.period)).argmin(1)][:, None]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :func:`circular_from_dict` reads them."""
        parts = {"whole": self.whole.to_dict(), "unwound": self.unwound.to_dict(), "phases": list(self.phases)}
        return vars(self) | parts

    def describe(self) -> dict[str, Any]:
        """Plain values for a report; see :meth:`Scaler.describe`."""
        way = {1: " up", -1: " down"}.get(self.sign, "")
        why = f"circular: goes round{way} every {self.period:g}, so that it is followed beyond the edge"
        turn = {"lower": self.lower, "upper": self.lower + self.period}
        return self.whole.describe() | turn | {"transform": "circular", "reason": why, "levels": None}


def fit_circular(whole: ChannelScaling, cells: np.ndarray, given: Sides | None = None) -> CircularScaling | None:
    """The scaling of a channel that goes round; ``None`` where it does not, or shows too little to say.

    Args:
        whole: its scaling by its values.
        cells: ``(n_series, length)`` float64, NaN where missing.
        given: bounds from the user, within which the whole turn must lie.
    """
    # A spike among directions is no direction: calm is written as 0. What is on or off has none, either.
    kind = whole.transform
    two = isinstance(kind, Levels) and len(kind.values) == 2
    found = None if two or isinstance(kind, Constant | Hurdle) else _turn(whole, cells)
    if found is None:
        return None
    period, lower, grid, anchor = found
    sign, speed = _pace(cells, period)
    if not _within(given, lower, lower + period - grid) or not _goes_round(cells, period, lower, grid, speed):
        return None
    edge = 1e-6 * period
    ends, starts = (np.sum(np.abs(cells - end) <= edge) for end in (lower + period, lower))
    free = unwind(cells, period, speed)
    seen = np.isfinite(cells).any(1)
    cut = _least_seen(np.mod(_row_mean(free)[seen, 0], period), period)
    unwound = fit_channel(whole.channel, _put_back(free, period, cut), False, (None, None), "identity")
    circular = CircularScaling(
        whole=replace(whole, lower=None, upper=None),
        period=period,
        lower=lower,
        closed=bool(ends > starts),
        grid=grid,
        anchor=anchor,
        cut=cut,
        unwound=replace(unwound, decimals=None),  # what is wound up again has a grid of its own
        sign=sign,
        speed=speed,
        phases=() if speed is None else _few_phases(free[seen], period, speed),
    )
    back = circular.inverse(circular.forward(cells))
    changed = np.abs(back - cells)[np.isfinite(cells)] > max(grid / 2, 1e-3 * period)
    return None if changed.mean() > _CHANGED else circular


def circular_from_dict(entry: Mapping[str, Any]) -> CircularScaling:
    """What :meth:`CircularScaling.to_dict` wrote.

    Raises:
        KeyError, TypeError, ValueError: ``entry`` is not one.
    """
    period, lower, grid, anchor, cut = (number(entry[name]) for name in ("period", "lower", "grid", "anchor", "cut"))
    speed = None if entry["speed"] is None else number(entry["speed"])
    sign, closed = entry["sign"], entry["closed"]
    if period <= 0 or grid < 0 or sign not in (1, 0, -1) or not isinstance(closed, bool):
        raise ValueError("a turn needs a period above 0, a grid, and a way round")
    whole, unwound = (channel_from_dict(entry[name]) for name in ("whole", "unwound"))
    phases = tuple(map(number, entry["phases"]))
    return CircularScaling(whole, period, lower, closed, grid, anchor, cut, unwound, int(sign), speed, phases)


def unwind(x: np.ndarray, period: float, speed: float | None = None) -> np.ndarray:
    """Each row of ``(n, length)`` followed round from its first value, every move taken the short way; or along a
    ``speed``, whatever gaps there are."""
    if speed is not None:
        return x - period * np.round(_beside_pace(x, speed) / period)
    moves = moves_of(x, per_step=False)
    turns = np.cumsum(np.nan_to_num(np.round(moves / period)), axis=1)
    return np.where(np.isfinite(x), x - period * turns, np.nan)


def short(moves: np.ndarray, period: float | np.ndarray) -> np.ndarray:
    """``moves`` taken the short way round."""
    return moves - period * np.round(moves / period)


def _beside_pace(x: np.ndarray, speed: float) -> np.ndarray:
    """How far each of ``(n, length)`` lies from where its row's first value and a ``speed`` lead."""
    away = x - speed * np.arange(x.shape[1])
    return away - np.where(first_cells(x), away, 0).sum(1, keepdims=True)


def _within(given: Sides | None, lower: float, upper: float) -> bool:
    """Whether bounds leave room for the turn."""
    low, high = given or (None, None)
    return (low is None or low <= lower) and (high is None or high >= upper)


def _goes_round(cells: np.ndarray, period: float, lower: float, grid: float, speed: float | None) -> bool:
    """Whether enough moves cross the edge, and are like others taken the short way."""
    moves = moves_of(cells, per_step=False)
    across = np.abs(moves) > period / 2  # NaN is not
    if across.sum() < LEAST_ROUND or across.any(1).sum() < LEAST_SERIES:
        return False
    if speed is not None:
        return True
    paces = np.abs(short(moves, period))
    moved = paces > 1e-6 * period
    others = paces[moved & ~across]
    if not len(others) or np.mean(paces[moved] > period / 4) > _FAR:
        return False
    if np.median(paces[across]) > min(_NEAR * period, _ALIKE * np.median(others)):
        return False
    # A counter that is set back lands on its least value from anywhere.
    landed, left = cells[across], (cells - moves)[across]
    if np.ptp(landed) == 0 and np.ptp(left) > max(grid, 1e-6 * period):
        return False
    # A wind may keep to the north, but nothing goes round a clock without its afternoon.
    middle = np.abs(cells - lower - period / 2) < period / 4
    return period > 100 or bool(middle.any())


def _few_phases(free: np.ndarray, period: float, speed: float) -> tuple[float, ...]:
    """Where steady series are at step 0, from 0 to ``period``; none where these are many."""
    at = np.mod(_row_mean(free - speed * np.arange(free.shape[1]))[:, 0], period)
    phases, counts = np.unique(np.mod(np.round(at / period * 1e5) / 1e5, 1) * period, return_counts=True)
    return tuple(phases.tolist()) if len(phases) <= _PHASES and counts.min() > 1 else ()


def _turn(whole: ChannelScaling, cells: np.ndarray) -> tuple[float, float, float, float] | None:
    """Period, where it begins, grid and anchor, of those that the values fit into; ``None`` where there is none."""
    values = np.unique(cells[np.isfinite(cells)])
    low, high = float(values[0]), float(values[-1])
    if max(-low, high) > _WIDEST:
        return None
    unit = 0.0 if whole.decimals is None else 10.0 ** -max(whole.decimals, 0)
    step = float(np.gcd.reduce(np.round(np.diff(values) / unit).astype(np.int64))) * unit if unit else 0.0
    for period, begins in WHOLE_PERIODS if whole.integer else PERIODS:
        slack = 1e-4 * period
        starts = [start for start in begins if start - slack <= low and high <= start + period + slack]
        # Hours run to 23, weekdays from 0 or 1, but nobody has seen all of 360 directions.
        wide = high - low >= _SEEN * period and (not whole.integer or period == 360)
        if starts and (wide or (whole.integer and high - low == period - step)):
            even = bool(step) and abs(period / step - round(period / step)) < 1e-9
            return period, max(starts), step if even else unit, low if even else 0.0
    return None


def _pace(cells: np.ndarray, period: float) -> tuple[int, float | None]:
    """Which way series go, 0 for both, and how far in a step, if always as far."""
    beside = np.diff(cells, axis=1)
    moves = short(beside[np.isfinite(beside)], period)
    if len(moves) < LEAST_MOVES or (np.any(moves < 0) and np.any(moves > 0)):
        return 0, None
    sign, speed = int(np.sign(moves.sum())), float(np.median(moves))
    astray = np.abs(short(_beside_pace(cells, speed), period))
    steady = sign != 0 and bool(np.nanmax(astray) <= 1e-4 * period)
    return sign, speed if steady else None


def _put_back(u: np.ndarray, period: float, cut: float) -> np.ndarray:
    """Each row so many whole turns away that its mean lies within a turn of ``cut``."""
    return u - period * np.floor((_row_mean(u) - cut) / period)


def _row_mean(u: np.ndarray) -> np.ndarray:
    """Of what is observed in each row of ``(n, length)``: ``(n, 1)``, 0 where nothing is."""
    seen = np.isfinite(u)
    mean: np.ndarray = np.where(seen, u, 0).sum(1, keepdims=True) / np.maximum(seen.sum(1, keepdims=True), 1)
    return mean


def _least_seen(directions: np.ndarray, period: float) -> float:
    """The middle of the widest arc without any of ``directions (n,)``, each from 0 to ``period``."""
    at = np.sort(directions)
    arcs = np.diff(np.append(at, at[0] + period))
    widest = int(np.argmax(arcs))
    return float(np.mod(at[widest] + arcs[widest] / 2, period))
