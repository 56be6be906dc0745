"""Whether two sets of series are in the same units: what is refused, and what the report has to remark on.

Standardised series beside raw ones, or watts beside kilowatts, would look like the failure of a generator. Input are
channels ``(n_series, length)``, NaN where nothing was observed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tsprout.errors import InputError
from tsprout.series import SeriesSet

# How far apart two sets of one channel may lie: real standard deviations between medians, and ratio of spreads.
_FAR, _WIDE = 5.0, 20.0  # a channel beyond both is in other units; the same data may be beyond neither
_ALL_FAR, _ALL_WIDE = 20.0, 50.0  # beyond either in every channel
_NOTED = 10.0  # a spread so many times another is remarked on
_STILL = 2e-7  # of the largest value; what moves less is the rounding of float32
_SCALED = 4.0  # what looks standardised or squeezed into a range, where the real one is so much off


@dataclass(frozen=True)
class _Beside:
    """A channel of another set beside the real one, measured on the middle 98 % of the values.

    Attributes:
        gap: real standard deviations between the medians.
        ratio: of the spreads, other over real; 0 where the other does not move.
        shrunk: it hardly moves and its level did not shrink along: a generator that collapsed, no other unit.
        scaled: the other looks standardised, or squeezed into a range of one or two, and the real one does not.
        looks: how it looks then, whether the real one does or not; else empty.
        apart: as the same data cannot be, whichever few series of it are taken.
    """

    gap: float
    ratio: float
    shrunk: bool
    scaled: bool
    looks: str
    apart: bool


def _beside(real: np.ndarray, other: np.ndarray) -> _Beside | None:
    """``(n, L)`` each, NaN where nothing was observed; None where the real channel does not move or one is empty."""
    pools = [_middle(values[np.isfinite(values)].astype(np.float64)) for values in (real, other)]
    if not all(pool.size for pool in pools):
        return None
    made, (level, new) = pools[1], (float(np.median(pool)) for pool in pools)
    spread, width = (float(pool.std()) if pool.std() > _STILL * np.abs(pool).max() else 0.0 for pool in pools)
    if spread <= 0:
        return None
    gap, ratio = abs(new - level) / spread, width / spread
    along = level != 0 and ratio > 0 and 1 / _SCALED < new / level / ratio < _SCALED
    looks, whole = "", other[np.isfinite(other)].astype(np.float64)
    low, high = float(whole.min()), float(whole.max())
    if abs(float(whole.mean())) < 0.2 and 0.8 < float(whole.std()) < 1.25:
        looks = "standardised"
    else:
        for bottom, span in ((0, 1), (-1, 2)):
            inside = bottom - 0.01 * span <= made.min() and made.max() <= bottom + 1.01 * span
            if inside and 0.6 * span < high - low < 1.5 * span:
                looks = f"squeezed into {bottom} to 1"
                break
    scaled = bool(looks) and (gap > _SCALED or not 1 / _SCALED <= ratio <= _SCALED)
    # Few of many series may all lie at one level or move little; in other units they move as none of the real ones do.
    moves, others = _moves(real), _moves(other)
    unlike = bool(len(moves) and len(others)) and not (
        np.quantile(moves, 0.01) / 2 <= np.median(others) <= 2 * np.quantile(moves, 0.99)
    )
    outside = not float(np.nanmin(real)) <= new <= float(np.nanmax(real))
    apart = (unlike and ratio > 0 and not 1 / _WIDE <= ratio <= _WIDE) or (
        outside and abs(new - level) > _FAR * max(spread, width)
    )
    return _Beside(gap, ratio, ratio < 1 / _WIDE and not along, scaled, looks, apart)


def _middle(pool: np.ndarray) -> np.ndarray:
    return np.clip(pool, *np.quantile(pool, [0.01, 0.99])) if pool.size else pool


def _moves(values: np.ndarray) -> np.ndarray:
    """How far the values of each series lie from its own mean, of those series ``(n, L)`` that move."""
    seen = values[np.isfinite(values).any(axis=1)].astype(np.float64)
    spreads = np.nanstd(seen, axis=1)
    return np.asarray(spreads[spreads > _STILL * np.nanmax(np.abs(seen), axis=1)] if len(seen) else spreads)


def check_units(real: SeriesSet, other: SeriesSet, name: str = "synthetic") -> list[str]:
    """Refuse to compare values in other units, such as standardised ones with raw ones: it would look like failure.

    Shots and unseen series (``name`` is ``shot`` or ``held-out``) are claimed to be of the same data, so that a channel
    far from the real one is enough. A generator may be as bad as it likes: collapsed, noisy, or some standard
    deviations off. It is taken for one in other units where every channel looks standardised or squeezed into a range,
    where every channel is very far, or where one is both far and spreads many times more or less.

    Returns:
        a note for every synthetic channel that is oddly far from the real one, but not refused.

    Raises:
        InputError: other units; it names the channel, or says that it is all of them.
    """
    found = {
        channel: beside
        for index, channel in enumerate(real.channels)
        if (beside := _beside(real.values[:, index], other.values[:, index])) is not None
    }
    where, fix = f"{name} series", "Bring both into the same units; what tsprout writes has those of the input."
    if found and all(each.looks for each in found.values()) and any(each.scaled for each in found.values()):
        looks = next(each.looks for each in found.values() if each.scaled)
        every = "every channel is" if len(found) > 1 else "the values are"
        raise InputError(
            f"{every} {looks} and the real series are not: they are in different units", where=where, fix=fix
        )
    for channel, each in found.items():
        both = each.gap > _FAR and not 1 / _WIDE < each.ratio < _WIDE and not each.shrunk
        if each.apart if name != "synthetic" else both:
            raise InputError(
                f"channel {channel!r} seems to be in different units: {_apart(each)}", where=where, fix=fix
            )
    if name != "synthetic":
        return []
    if found and all((e.gap > _ALL_FAR or e.ratio > _ALL_WIDE) and not e.shrunk for e in found.values()):
        raise InputError(
            "no channel has the level and spread of the real one: the two seem to be in different units",
            where=where,
            fix=fix,
        )
    return [
        f"Channel {channel}: {_apart(each)}; are the synthetic series in other units?"
        for channel, each in found.items()
        if each.gap > _FAR or each.ratio > _NOTED or 0 < each.ratio < 1 / _NOTED
    ]


def _apart(beside: _Beside) -> str:
    said = f"its median is {beside.gap:.3g} standard deviations from the real one"
    if beside.ratio > 0 and not 0.5 < beside.ratio < 2:
        more = beside.ratio > 1
        said += (
            f", and it spreads {beside.ratio if more else 1 / beside.ratio:.3g} times as {'much' if more else 'little'}"
        )
    return said
