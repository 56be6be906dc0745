r"""Copying: are synthetic series nearer to the shots than unseen real series are.

The distance of two series is the root mean squared difference over the cells both observe, in standard deviations of
the real channel; the distance to the shots is the one to the nearest shot. Fidelity scores cannot see a generator that
hands back what it was shown, they reward it. Two numbers do:

- *distance ratio*: median distance of synthetic series over median distance of unseen real ones. 1 is as far as unseen
  real series are; near 0 are copies; well above 1 the series are unlike the shots altogether.
- *near copies*: share of synthetic series nearer to a shot than the nearest 5 % of unseen real series are.

Without unseen real series the shots stand in for them: each one's distance to the others. Where shots are overlapping
windows in order, two neighbours on both sides do not count, for they share time steps with it. Copies that were
shifted in time or rescaled are not found.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tsprout.errors import InputError
from tsprout.metrics.base import LOWER, ONE, Metric
from tsprout.metrics.reference import Reference, align

PERCENTILE = 5.0
_CELLS = 1 << 23  # cells of the largest intermediate array
_RESAMPLES = 200
_ROUNDING = 1e-12  # of the squares that a distance is the difference of
_DRAWN = 1000  # most distances drawn in each resampling
_SHARED = 2  # neighbours of an overlapping window, on both sides, that share too much with it
_SAME = 1e-4  # of the usual distance: less than that is rounding
_NORMAL = 1.645  # standard deviations that hold 90 % of a normal distribution
_EXACT = 200  # with at most so many unseen real series their own share of near copies is measured, leaving one out

COPYING = Metric(
    name="copying",
    title="Distance to your series",
    direction=ONE,
    range=(0.0, float("inf")),
    unit="",
    explanation="Distance to the nearest of your series, over that of unseen real series; near 0 are copies.",
    group="copying",
)
NEAR_COPIES = Metric(
    name="near_copies",
    title="Near copies",
    direction=LOWER,
    range=(0.0, 1.0),
    unit="",
    explanation="Share of synthetic series that are nearer to one of your series than 95 % of unseen real series come.",
    group="copying",
)


@dataclass(frozen=True)
class Copying:
    """How near synthetic series come to the shots.

    Attributes:
        ratio: median distance over the reference's; NaN when there is no reference.
        ratio_low, ratio_high: what the ratio may as well be, given how few distances it comes from.
        chance_low, chance_high: 5 % and 95 % of the ratio of two sets that are both drawn from the reference.
        near_copies: share nearer than ``threshold``; ``near_low`` and ``near_high`` its 90 % interval (Wilson).
        chance_near: share expected of unseen real series; ``chance_near_high`` adds two standard errors.
        threshold: 5th percentile of the reference distances, in standard deviations.
        n_reference, n_synthetic: number of reference and of synthetic distances.
        held_out: whether the reference are unseen series; otherwise they are the shots, each one left out in turn.
        copied: synthetic series that are one of the shots, to a ten-thousandth of the usual distance; 0 where as
            many real ones coincide by chance, as series of few values do.
    """

    ratio: float
    ratio_low: float
    ratio_high: float
    chance_low: float
    chance_high: float
    near_copies: float
    chance_near: float
    chance_near_high: float
    threshold: float
    n_reference: int
    held_out: bool
    near_low: float = float("nan")
    near_high: float = float("nan")
    n_synthetic: int = 0
    copied: int = 0


def nearest(series: np.ndarray, shots: np.ndarray, *, skip_self: bool = False, skip: int = 0) -> np.ndarray:
    """Distance ``(n,)`` from every one of ``series`` (n, C, L) to the nearest of ``shots`` (k, C, L).

    Memory does not grow with ``n`` beyond the result. NaN where no cell is observed on both sides.

    Args:
        series, shots: standardised values, NaN where not observed.
        skip_self: the two sets are the same and a series does not count as its own neighbour.
        skip: with ``skip_self``, so many series before and after it do not either.
    """
    seen = ~np.isnan(shots.reshape(len(shots), -1))
    target = np.where(seen, shots.reshape(len(shots), -1), 0.0)
    weight, squares = seen.astype(np.float64), target**2
    complete = bool(seen.all())
    result = np.empty(len(series))
    rows = max(_CELLS // max(target.shape[1], len(shots)), 1)
    for start in range(0, len(series), rows):
        part = series[start : start + rows].reshape(-1, target.shape[1])
        own = ~np.isnan(part)
        part = np.where(own, part, 0.0)
        product = part @ target.T
        if complete and own.all():
            both = (part**2).sum(axis=1, keepdims=True) + squares.sum(axis=1)
            shared: np.ndarray = np.array(float(target.shape[1]))
        else:
            mask = own.astype(np.float64)
            both, shared = part**2 @ weight.T + mask @ squares.T, mask @ weight.T
        total = both - 2 * product
        # What rounding leaves of equal series differs between processors; it is no distance.
        total[total < _ROUNDING * both] = 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = np.where(shared > 0, total / shared, np.inf)
        if skip_self:
            apart = np.abs(start + np.arange(len(part))[:, None] - np.arange(len(shots)))
            distance[apart <= skip] = np.inf
        closest = distance.min(axis=1)
        result[start : start + rows] = np.where(np.isfinite(closest), np.sqrt(closest), np.nan)
    return result


def overlapping(series: np.ndarray) -> bool:
    """Whether ``series`` (k, C, L) are windows of one recording, in order: each begins with what the last ended in.

    One shift must serve most neighbours. Single steps, and stretches that do not move, agree by chance and do not
    count.
    """
    first, second = series[:-1], series[1:]
    for shift in range(1, series.shape[-1] - 1):
        end, start = first[..., shift:], second[..., :-shift]
        # The two steps at the ends rule out nearly every shift before all are looked at.
        if 2 * np.count_nonzero(_agree(end[..., [0, -1]], start[..., [0, -1]])) <= len(first):
            continue
        same = _agree(end, start)
        change = np.diff(end, axis=-1)
        if 2 * np.count_nonzero(same & (~np.isnan(change) & (change != 0)).any(axis=(1, 2))) > len(first):
            return True
    return False


def _agree(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Which series ``(k, C, L)`` agree in all cells, bool ``(k,)``."""
    return np.asarray(np.isclose(one, other, rtol=1e-5, atol=1e-8, equal_nan=True).all(axis=(1, 2)))


def unseen(real: np.ndarray, shots: np.ndarray) -> np.ndarray:
    """Which of ``real`` (n, C, L) are not, cell for cell, among ``shots`` (k, C, L): bool ``(n,)``."""
    known = set(keys(shots))
    return np.array([key not in known for key in keys(real)])


def keys(series: np.ndarray) -> list[bytes]:
    """One key a series ``(n, C, L)``, equal exactly when all its float32 cells are."""
    cells = series.astype(np.float32)
    cells[np.isnan(cells)] = np.nan  # one bit pattern for all kinds of NaN
    return [row.tobytes() for row in cells + np.float32(0)]


def copying(
    synthetic: ArrayLike,
    shots: ArrayLike,
    real: ArrayLike | None = None,
    *,
    seed: int = 0,
    reference: Reference | None = None,
) -> Copying:
    """Compare distances to the shots of synthetic and of unseen real series.

    Args:
        synthetic: ``(n, C, L)``, any n.
        shots: ``(k, C, L)``, what the generator was shown.
        real: ``(m, C, L)`` real series; those that are among the shots are left out. With none left, or None, the
            shots are held against each other.
        seed: of the resampling behind the intervals.
        reference: scale to measure in; by default that of ``real``, or of the shots.

    Raises:
        InputError: the arrays do not fit each other.
    """
    shown, made = align(shots, synthetic, ("shot", "synthetic"))
    others = np.empty((0, *shown.shape[1:]))
    if real is not None:
        held, shown = align(real, shown, ("real", "shot"))
        others = held[unseen(held, shown)]
        made = made[..., : shown.shape[-1]]
        if reference is None:
            reference = Reference.fit(held)
    if reference is None:
        reference = Reference.fit(shown)
    if len(reference.mean) != shown.shape[1]:
        raise InputError("the reference was fitted to series with another number of channels")
    anchor = reference.standardise(shown)
    distances = nearest(reference.standardise(made), anchor)
    held_out = len(others) > 0
    if held_out:
        base = nearest(reference.standardise(others), anchor)
    else:
        base = nearest(anchor, anchor, skip_self=True, skip=_SHARED if overlapping(anchor) else 0)
    rng = np.random.default_rng([seed, 3])
    # Series of few values coincide by chance; how often, the real ones show. Shots that do are nobody's.
    alike = 0.0 if not held_out else 1 - len(set(names := keys(others))) / len(names)
    count = Counter(own := keys(shown))
    single = np.array([count[key] == 1 for key in own])
    nearest_single = distances if single.all() else np.full(len(made), np.nan)
    if single.any() and not single.all():
        nearest_single = nearest(reference.standardise(made), anchor[single])
    of = distances[~np.isnan(distances)]
    return _summarise(of, base[~np.isnan(base)], held_out, nearest_single, alike, rng)


def wilson(share: float, n: int) -> tuple[float, float]:
    """90 % interval of a ``share`` of ``n`` cases (Wilson 1927)."""
    centre = (share + _NORMAL**2 / (2 * n)) / (1 + _NORMAL**2 / n)
    reach = _NORMAL * np.sqrt(share * (1 - share) / n + _NORMAL**2 / (4 * n**2)) / (1 + _NORMAL**2 / n)
    return float(max(min(centre - reach, share), 0.0)), float(min(max(centre + reach, share), 1.0))


def _summarise(
    distances: np.ndarray,
    base: np.ndarray,
    held_out: bool,
    singles: np.ndarray,
    alike: float,
    rng: np.random.Generator,
) -> Copying:
    nan = float("nan")
    middle = float(np.median(base)) if base.size else 0.0
    if not distances.size or middle <= 0.0:
        return Copying(
            nan, nan, nan, nan, nan, nan, nan, nan, nan, int(base.size), held_out, nan, nan, int(distances.size)
        )
    ratio = float(np.median(distances)) / middle
    medians = [
        np.median(base[rng.integers(base.size, size=(_RESAMPLES, min(count, _DRAWN)))], axis=1)
        for count in (distances.size, base.size)
    ]
    drawn = medians[0] / np.maximum(medians[1], 1e-3 * middle)
    low, high = (float(level) for level in np.quantile(drawn, [0.05, 0.95]))
    threshold = float(np.percentile(base, PERCENTILE))
    chance = PERCENTILE / 100
    if 1 < base.size <= _EXACT:
        left_out = [base[i] < np.percentile(np.delete(base, i), PERCENTILE) for i in range(base.size)]
        chance = float(np.mean(left_out))
    margin = 2 * np.sqrt(chance * (1 - chance) * (1 / base.size + 1 / distances.size))
    near = float(np.mean(distances < threshold))
    near_low, near_high = wilson(near, distances.size)
    same = singles <= _SAME * middle
    alike = max(alike, float(np.mean(base <= _SAME * middle)))
    # Where no two real series are the same, a single one that is a shot is no chance.
    beyond = alike == 0 or wilson(float(same.mean()), same.size)[0] > alike
    return Copying(
        ratio=ratio,
        ratio_low=ratio / high,
        ratio_high=ratio / low if low > 0 else float("inf"),
        chance_low=low,
        chance_high=high,
        near_copies=near,
        chance_near=chance,
        chance_near_high=min(chance + float(margin), 1.0),
        threshold=threshold,
        n_reference=int(base.size),
        held_out=held_out,
        near_low=near_low,
        near_high=near_high,
        n_synthetic=int(distances.size),
        copied=int(same.sum()) if beyond else 0,
    )
