"""What a score means in words, from where it stands between its floor and what takes no skill."""

from __future__ import annotations

import math
from dataclasses import dataclass

AS_GOOD = "as good as another real sample"
BETTER = "better than handing back your series"
WORSE = "worse than handing back your series"
SAME = "about as good as handing back your series"
WORSE_THAN_REAL = "worse than another real sample"
NO_BETTER_THAN_NOISE = "no better than noise"
BLIND = "this score cannot tell here"
UNCLEAR = "too few series to tell"
FAR_ENOUGH = "no nearer to your series than unseen real ones"
TOO_NEAR = "nearer to your series than unseen real ones"
SOME_NEAR = "more come close to one of yours than unseen real ones do"
COPIES = "close to copies of your series"
COPIED = "some are copies of yours, value for value"
TOO_FAR = "further from your series than unseen real ones"
LEAKS = "tells who was among your series"
HELPS = "helps"
HARMS = "harms"
NO_CHANGE = "makes no sure difference"
NOT_APPLICABLE = "does not apply"
# What the copying scores say, as a sentence; in this order, for what is said of one hides what follows.
OF_COPIES = {
    COPIES: "They are close to copies of your series.",
    COPIED: "Some of them are copies of your series, value for value.",
    TOO_NEAR: "They are nearer to your series than unseen real ones would be.",
    SOME_NEAR: "Most keep their distance, but more of them come close to one of your series than unseen real ones do.",
    TOO_FAR: "They are no copies, but further from your series than unseen real ones would be.",
    FAR_ENOUGH: "They show no sign of being copies.",
}
OF_LEAKS = "They tell which real series were among yours."

_COPIES_BELOW = 0.5
_NEAR_BELOW = 0.9  # with many series even a ratio that matters to nobody lies outside of chance
_GAP = 0.05  # share of the way from the shots to the floor that a generator must have gone to be better
_TWICE = 2.0  # times as bad as floor and shots is what can be told from a handful of series
TOLD = (AS_GOOD, BETTER, SAME, NO_BETTER_THAN_NOISE, WORSE_THAN_REAL, WORSE)


@dataclass(frozen=True)
class Interval:
    """A mean over repeated draws, and where 90 % of single draws lie; NaN when there is nothing."""

    mean: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")

    @property
    def known(self) -> bool:
        """Whether there is a value at all."""
        return math.isfinite(self.mean)


def fidelity_verdict(
    value: Interval,
    floor: Interval,
    shots: Interval,
    noise: Interval,
    *,
    few: bool,
    tiny: bool = False,
    tolerance: float = 1.25,
) -> str:
    """Where a value of which less is better stands between its floor and what handing back the shots scores.

    At the floor is what lies within its spread, or at most ``tolerance`` times its mean: the spread of halves of one
    sample is narrower than that of samples. With few series a claim needs more: a value that is worse than the mean
    floor but within one and a half times its spread says nothing, unless hardly any two draws overlap. Nor do draws
    that do not overlap say anything where there are so few series (``tiny``) that all draws are the same few again:
    there only what is twice as bad as floor and shots is told.

    Where noise is at the floor, a value that is there as well says nothing, however many series there are. Where the
    shots are the real series, "as good as another real sample" means as good as one half of the shots is to the other.
    Better than handing back the shots is what has gone a twentieth of the way from them to the floor, and is clearly
    better than noise; worse than handing them back is said whether it is better than noise or not.
    """
    if not value.known:
        return NOT_APPLICABLE
    if not floor.known:
        return UNCLEAR
    limit = max(floor.high, tolerance * floor.mean)
    apart = value.low > floor.high and not tiny
    known_high = max(end.high for end in (floor, shots) if end.known)
    if value.mean <= (limit if not few or apart else max(limit, _wider(floor).high)):
        if noise.known and noise.mean <= limit:
            return BLIND
        return UNCLEAR if few and value.mean > floor.mean else AS_GOOD
    if tiny and value.low <= _TWICE * known_high:
        return UNCLEAR
    noisy = noise.known and value.mean >= noise.low
    if noisy and few and value.mean < noise.mean:
        noise_verdict = UNCLEAR
    else:
        noise_verdict = NO_BETTER_THAN_NOISE
    if not shots.known:
        return noise_verdict if noisy else WORSE_THAN_REAL if apart else UNCLEAR
    if few and apart and value.low > shots.high:
        return WORSE
    shots = _wider(shots) if few else shots
    if shots.low <= value.mean <= shots.high:
        return UNCLEAR if few else noise_verdict if noisy else SAME
    if value.mean > shots.high:
        return WORSE
    if noisy:
        return noise_verdict
    return BETTER if shots.mean - value.mean >= _GAP * (shots.mean - floor.mean) else SAME


def copying_verdict(value: Interval, floor: Interval, *, enough: bool) -> str:
    """Where a distance ratio stands: 1 is as far from the shots as unseen real series are."""
    if not value.known:
        return NOT_APPLICABLE
    if not enough:
        return UNCLEAR
    if value.mean < min(_COPIES_BELOW, floor.low):
        return COPIES
    if value.mean < min(_NEAR_BELOW, floor.low):
        return TOO_NEAR
    return TOO_FAR if value.mean > max(floor.high, 1 / _COPIES_BELOW) else FAR_ENOUGH


def near_copies_verdict(value: Interval, floor: Interval, *, enough: bool, copied: bool = False) -> str:
    """Whether more synthetic series come near to a shot than unseen real series do; or some were ``copied``, which one
    is enough to say."""
    if not value.known:
        return NOT_APPLICABLE
    if copied:
        return COPIED
    if not enough:
        return UNCLEAR
    return FAR_ENOUGH if value.mean <= floor.high else SOME_NEAR


def _wider(interval: Interval) -> Interval:
    mean, low, high = interval.mean, interval.low, interval.high
    return Interval(mean, mean - 1.5 * (mean - low), mean + 1.5 * (high - mean))
