r"""Which transform a channel gets, decided from the observed cells of the shots alone.

The statistics must hold for a hundred cells that are strongly autocorrelated, so they are L-moments (Hosking 1990),
which one outlier cannot carry away, and their limits widen as the *effective* number of cells shrinks. The questions:

1. nothing observed, one value, two values, a few levels that were visited again and again: :class:`Constant`,
   :class:`Levels`;
2. a spike: zero, the smallest or the largest value takes up at least a tenth of the cells, or any value three tenths:
   :class:`Hurdle`, with a curve for the rest;
3. a curve: the identity unless its L-skewness, L-kurtosis or farthest value is beyond its limit *and* another curve is
   better by a good margin.

Saturated bounds (a pile at 100 %) need no logit, which could never reach them: values are clipped to the bound instead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tsprout.data.transforms import Constant, Curve, Hurdle, Levels

# L-skewness 0.2 is a gamma law of skewness 1.2; L-kurtosis 0.1226 is Gaussian, 0.2226 nearly that of a Laplace law.
L_SKEWNESS_LIMIT = 0.2
L_KURTOSIS_GAUSS = 0.1226
L_KURTOSIS_LIMIT = 0.1
FARTHEST_LIMIT = 6.0
MARGIN, NATURAL_MARGIN = 0.6, 0.75
"""Another curve must bring the worst of the three ratios below this share of what the identity has; the second is for
the logarithm of what starts near zero, which needs the least persuasion."""
MIN_EFFECTIVE = 50
"""Below so many effective cells the limits on the L-moments grow, up to twice as large."""
MAX_LEVELS = 10
MIN_CELLS_PER_LEVEL = 10
MIN_VISITS_PER_LEVEL = 3
MIN_BINARY_CELLS = 10
EDGE_SPIKE, INNER_SPIKE, MIN_SPIKE_CELLS = 0.1, 0.3, 8
GAP = 1.5
"""Gap of a hurdle, in standard deviations of the values that are not at the spike."""
MAX_DECIMALS = 6
ALTERNATIVES = ("log1p", "asinh", "reflected_log1p")


@dataclass(frozen=True)
class Profile:
    """What the shots say about one channel.

    Attributes:
        cells: ``(n_series, length)``, ``float64``; NaN where not observed.
        x: observed cells, ascending.
        distinct: distinct values, ascending.
        counts: cells of each distinct value.
        visits: for each distinct value, stretches of consecutive time steps in which it was held.
        effective: how many independent cells the observed ones are worth.
    """

    cells: np.ndarray
    x: np.ndarray
    distinct: np.ndarray
    counts: np.ndarray
    visits: np.ndarray
    effective: float

    @classmethod
    def of(cls, cells: np.ndarray) -> Profile:
        """Profile of ``cells`` ``(n_series, length)``, NaN where not observed."""
        cells = cells + 0.0  # -0.0 is 0.0
        seen = ~np.isnan(cells)
        x = np.sort(cells[seen])
        distinct, counts = np.unique(x, return_counts=True)
        start = seen.copy()
        start[:, 1:] &= cells[:, 1:] != cells[:, :-1]
        visits = np.zeros(distinct.size, np.int64)
        np.add.at(visits, np.searchsorted(distinct, cells[start]), 1)
        return cls(cells, x, distinct, counts, visits, effective_cells(cells))

    def series_with(self, value: float) -> int:
        """Number of series that hold a value somewhere."""
        return int((self.cells == value).any(axis=1).sum())


def effective_cells(cells: np.ndarray) -> float:
    r"""Effective number of cells :math:`n (1 - r) / (1 + r)`, never below the number of series with any observed cell.

    :math:`r` is the lag-one autocorrelation by von Neumann's ratio,
    :math:`1 - \overline{\Delta^2} / (2 \operatorname{var})`, around the mean of *all* series: differences in level
    among the series count as dependence.
    """
    seen = ~np.isnan(cells)
    n, series = int(seen.sum()), int(seen.any(axis=1).sum())
    steps = np.diff(cells, axis=1)
    steps = steps[~np.isnan(steps)]
    spread = float(np.std(cells[seen])) if n else 0.0
    if not steps.size or spread == 0:
        return float(series)
    r = 1 - float(np.mean((steps / spread) ** 2)) / 2
    r = min(max(r, 0.0), 1.0)
    return max(float(series), n * (1 - r) / (1 + r))


def l_moments(x: np.ndarray) -> tuple[float, float, float]:
    """L-scale, L-skewness and L-kurtosis of ascending ``x`` (Hosking 1990, unbiased probability weighted moments)."""
    n = x.size
    if n < 4:
        return 0.0, 0.0, L_KURTOSIS_GAUSS
    y = x - x.mean()
    i = np.arange(n, dtype=np.float64)
    w1 = i / (n - 1)
    w2 = w1 * (i - 1) / (n - 2)
    w3 = w2 * (i - 2) / (n - 3)
    b0, b1, b2, b3 = (float(np.mean(w * y)) for w in (np.ones(n), w1, w2, w3))
    scale = 2 * b1 - b0
    if scale <= 0:
        return 0.0, 0.0, L_KURTOSIS_GAUSS
    return scale, (6 * b2 - 6 * b1 + b0) / scale, (20 * b3 - 30 * b2 + 12 * b1 - b0) / scale


def departure(u: np.ndarray, effective: float) -> float:
    """How far ascending ``u`` is from a Gaussian: the worst of three ratios to their limits; 1 is still acceptable."""
    spread = float(np.std(u))
    if spread == 0:
        return 0.0
    _, skewness, kurtosis = l_moments(u)
    slack = min(2.0, max(1.0, math.sqrt(MIN_EFFECTIVE / effective)))
    mean = float(np.mean(u))
    farthest = max(float(u[-1]) - mean, mean - float(u[0])) / spread
    return max(
        abs(skewness) / (L_SKEWNESS_LIMIT * slack),
        (kurtosis - L_KURTOSIS_GAUSS) / (L_KURTOSIS_LIMIT * slack),
        farthest / FARTHEST_LIMIT,
    )


def robust_scale(x: np.ndarray) -> float:
    """A positive spread of ascending ``x``, in its units: of the middle half, or of wider parts where that has none."""
    for tail, gauss in ((0.25, 1.349), (0.1, 2.563), (0.02, 4.107)):
        low, high = np.quantile(x, [tail, 1 - tail])
        if high > low:
            return float(high - low) / gauss
    spread = float(np.std(x))
    return spread if spread > 0 else 1.0


def make_curve(kind: str, x: np.ndarray, natural: bool = False) -> Curve:
    """The curve of one kind that suits ascending ``x``.

    A log curve starts at the lowest value seen. Its scale makes the 10 %, 50 % and 90 % points evenly spaced: with
    :math:`q` measured from the lowest value, :math:`(q_1 + s)(q_3 + s) = (q_2 + s)^2`. ``natural`` says that ``x`` are
    distances, whose logarithm makes sense however far the lowest is from zero.
    """
    low, high = float(x[0]), float(x[-1])
    if kind == "reflected_log1p":
        up = make_curve("log1p", -x[::-1])
        return Curve(kind, -up.centre, up.scale, low, high)
    if kind != "log1p":
        return Curve(kind, float(np.median(x)), robust_scale(x), low, high)
    q1, q2, q3 = (float(q) - low for q in np.quantile(x, [0.1, 0.5, 0.9]))
    middle = q2 if q2 > 0 else float(np.mean(x)) - low
    bend = q1 + q3 - 2 * q2
    scale = (q2 * q2 - q1 * q3) / bend if bend > 0 else 10 * middle
    # With a much smaller scale the curve would stretch the lowest values into a tail of their own, sooner where the
    # lowest value is nothing but the lowest one seen.
    scale = min(max(scale, (0.05 if natural or starts_at_zero(x) else 0.25) * middle), 10 * middle)
    return Curve(kind, low, scale if scale > 0 else 1.0, low, high)


def starts_at_zero(x: np.ndarray) -> bool:
    """Whether ascending ``x`` is non-negative and comes near zero: less than half the median."""
    return bool(x[0] >= 0 and x[0] <= 0.5 * np.median(x))


def choose_curve(x: np.ndarray, effective: float, natural: bool = False) -> tuple[Curve, str]:
    """The curve for ascending ``x``, and why, in plain words."""
    identity = make_curve("identity", x)
    plain = departure(identity.forward(x), effective)
    if plain <= 1:
        return identity, "no strong skew, heavy tail or outlier"
    curves = [make_curve(kind, x, natural) for kind in ALTERNATIVES]
    scores = [departure(curve.forward(x), effective) for curve in curves]
    best = int(np.argmin(scores))
    why = describe_shape(x)
    logarithm = curves[best].kind == "log1p" and (natural or starts_at_zero(x))
    if scores[best] > (NATURAL_MARGIN if logarithm else MARGIN) * plain:
        return identity, f"{why}, but no other transform is clearly better"
    return curves[best], why


def describe_shape(x: np.ndarray) -> str:
    """Skewness and tails of ascending ``x`` in a few words; the numbers are the ordinary moments people know."""
    tail = max(1, x.size // 100)
    _, skewness, _ = l_moments(x[tail:-tail])  # a few outliers on one side are no skew
    spread = float(np.std(x))
    z = (x - x.mean()) / (spread if spread > 0 else 1.0)
    sign = "non-negative, " if x[0] >= 0 else ""
    if abs(skewness) > L_SKEWNESS_LIMIT / 2:
        side = "right" if skewness > 0 else "left"
        return f"{sign}{side}-skewed (skewness {np.mean(z**3):.1f})"
    farthest = float(np.abs(z).max())
    return f"{sign}heavy tails or outliers (excess kurtosis {np.mean(z**4) - 3:.1f}, farthest value {farthest:.0f} sd)"


def find_levels(profile: Profile) -> bool:
    """Whether a channel of three or more distinct values is a set of levels: few, and visited again and again.

    The share of levels seen on one visit only estimates how likely the next visit is to a new value (Good-Turing).
    Visits are counted, not cells, so that values each series merely holds throughout (an age, a dose) are no levels.
    """
    k = profile.distinct.size
    return (
        3 <= k <= MAX_LEVELS
        and profile.x.size >= MIN_CELLS_PER_LEVEL * k
        and int(profile.visits.sum()) >= MIN_VISITS_PER_LEVEL * k
        and int((profile.visits == 1).sum()) <= max(1, k // 4)
    )


def find_spike(profile: Profile) -> float | None:
    """The value that gets a band of its own, or ``None``.

    It must stand out from the third most common value threefold (two spikes, one at each end, are common), which keeps
    ordinary counts from being taken for zero-inflated, and must be there in two series at least.
    """
    counts = profile.counts
    if counts.size < 4:
        return None
    third = int(np.partition(counts, -3)[-3])
    best: tuple[int, float] | None = None
    for i in np.flatnonzero(counts >= max(MIN_SPIKE_CELLS, EDGE_SPIKE * profile.x.size, 3 * third)):
        value, count = float(profile.distinct[i]), int(counts[i])
        edge = value == 0 or i in (0, counts.size - 1)
        if not edge and count < INNER_SPIKE * profile.x.size:
            continue
        if not _is_shared(profile, value):
            continue
        # Exact zeros are the ones that people look for.
        if best is None or (value == 0, count) > (best[1] == 0, best[0]):
            best = count, value
    return None if best is None else best[1]


def make_hurdle(profile: Profile, atom: float, kind: str | None = None) -> tuple[Hurdle, str]:
    """The hurdle for a spike at ``atom``, and why the rest has the curve it has; ``kind`` forces that curve."""
    distance = np.sort(np.abs(profile.x[profile.x != atom] - atom))
    effective = profile.effective * distance.size / profile.x.size
    if kind is None:
        curve, why = choose_curve(distance, max(effective, 1.0), natural=True)
    else:
        curve, why = make_curve(kind, distance, natural=True), "as asked"
    spread = float(np.std(curve.forward(distance)))
    return Hurdle(atom, GAP, spread if spread > 0 else 1.0, curve), why


def find_constant(profile: Profile) -> Constant | Levels | None:
    """The transform of an empty, constant or two-valued channel; ``None`` for all others.

    Two values in a handful of cells are no evidence, unless they are 0 and 1 or -1 and 1.
    """
    values = [float(v) for v in profile.distinct]
    if len(values) < 2:
        return Constant(values[0] if values else None)
    if len(values) == 2 and (profile.x.size >= MIN_BINARY_CELLS or values in ([0.0, 1.0], [-1.0, 1.0])):
        return Levels((values[0], values[1]))
    return None


def find_decimals(profile: Profile, whole: bool) -> int | None:
    """Decimal places the values were recorded to: 0 for whole numbers, -2 for hundreds, ``None`` for no such grid.

    A value that lies on a grid is as much evidence for it, in bits, as the grid is coarser there than ``float32``.

    Args:
        whole: the column is known to be of an integer type; the values then need not be many.
    """
    v = profile.distinct[profile.distinct != 0]
    largest = float(np.abs(v).max(initial=0.0))
    spacing = np.spacing(np.abs(v).astype(np.float32)).astype(np.float64)
    few = profile.distinct.size < 5 and profile.x.size < 20
    for places in range(-MAX_DECIMALS, MAX_DECIMALS + 1):
        step = 10.0**-places
        bits = float(np.log2(np.maximum(step / spacing, 1.0)).sum())
        if places == 0:  # the grid that needs least evidence: people do record whole numbers
            enough = whole or (not few and (bits >= 20 or largest < 2**23))
        else:
            enough = v.size >= (10 if places < 0 else 3) and bits >= 20 and largest >= step
        if not enough:
            continue
        if bool((np.round(v, places).astype(np.float32) == v.astype(np.float32)).all()):
            return places
    return None


def find_bounds(profile: Profile) -> tuple[float | None, float | None]:
    """Lowest and highest possible value, each ``None`` where the shots give no evidence of one."""
    if not profile.x.size:
        return None, None
    low, high = float(profile.x[0]), float(profile.x[-1])
    for start, end in ((0.0, 1.0), (-1.0, 1.0), (0.0, 100.0)):
        near = 0.02 * (end - start)
        if start <= low <= start + near and end - near <= high <= end:
            return start, end
    # Several series that end exactly at 1 or 100 are shares or percentages.
    if low >= 0 and high in (1.0, 100.0) and _is_shared(profile, high):
        return 0.0, high
    lower = low if _piles_up(profile, 0) else 0.0 if low >= 0 else None
    return lower, high if _piles_up(profile, -1) else None


def _piles_up(profile: Profile, end: int) -> bool:
    """Whether the outermost value is far more common than those next to it, in two series or more."""
    counts = profile.counts if end == 0 else profile.counts[::-1]
    if counts.size < 5 or counts[0] < max(5, 0.02 * profile.x.size) or counts[0] < 3 * counts[1:4].mean():
        return False
    return _is_shared(profile, float(profile.distinct[end]))


def _is_shared(profile: Profile, value: float) -> bool:
    """Whether a value occurs in two series, or in the only one."""
    return profile.series_with(value) >= min(2, profile.cells.shape[0])
