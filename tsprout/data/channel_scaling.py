r"""The scaling of one channel: transform, standardisation, grid of values and bounds; how it is fitted and stored.

Forward, :math:`z = (u(x) - shift) / scale`; back, the same undone, then rounded to the grid that the values were
recorded on and clipped to the bounds. :mod:`tsprout.data.scaling` puts the channels of a series set together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tsprout.data import transform_choice as choice
from tsprout.data.transforms import (
    CURVES,
    Constant,
    Curve,
    Hurdle,
    Levels,
    Transform,
    number,
    transform_from_dict,
    transform_to_dict,
)
from tsprout.errors import InputError

Sides = tuple[float | None, float | None]
"""Lower and upper bound, ``None`` for an open side."""
TRANSFORMS = ("auto", *CURVES, "hurdle", "levels")
FAR = 4.0
"""Latent distance from the mean at which rare levels and rare bursts are kept, if :data:`LEAST_SPREAD` lets them."""
LEAST_SPREAD = 0.8
"""Standard deviation of the latents of a channel that no rare value may push below."""
MAX_ASKED_LEVELS = 256


@dataclass(frozen=True)
class ChannelScaling:
    """How one channel is scaled; every number in the units of the channel unless said otherwise.

    Attributes:
        channel: its name.
        transform: units to :math:`u`.
        shift, scale: :math:`u` to latent.
        lower, upper: bounds that synthetic values keep, ``None`` where there is none.
        decimals: places that values are rounded to (0: whole, negative: tens, hundreds...), ``None``: not rounded.
        minimum, maximum: seen in the shots; ``None`` for a channel without observed cells.
        zero_share: share of exact zeros among the observed cells.
        zero_band: what comes back closer to zero than this is exactly zero; 0 where the shots hold no zeros.
        reason: why this transform, for people.
        positive: all values seen are above 0, that is the only bound, and nobody has set it.
    """

    channel: str
    transform: Transform
    shift: float
    scale: float
    lower: float | None
    upper: float | None
    decimals: int | None
    minimum: float | None
    maximum: float | None
    zero_share: float
    zero_band: float
    reason: str
    positive: bool = False

    @property
    def integer(self) -> bool:
        """Whether the channel holds whole numbers only."""
        return self.decimals is not None and self.decimals <= 0

    @property
    def strands(self) -> tuple[ChannelScaling, ...]:
        """What has a scale of its own: all of it."""
        return (self,)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Units of the channel to latent, both ``float64`` of any shape."""
        return (self.transform.forward(x) - self.shift) / self.scale

    def inverse(self, z: np.ndarray) -> np.ndarray:
        """Latent to units of the channel, both ``float64`` of any shape, with all that the channel must keep to.

        Of a positive channel what is below half of the least value seen comes near to 0 and does not reach it, but by
        rounding: a price or a pressure of 0 is none.
        """
        x = self.transform.inverse(z * self.scale + self.shift)
        if isinstance(self.transform, Levels | Constant):
            return x
        if self.zero_band:
            x = np.where(np.abs(x) < self.zero_band, 0.0, x)
        if self.positive and self.minimum:
            knee = self.minimum / 2
            x = np.where(x < knee, knee / (2 - np.minimum(x / knee, 1)), x)
        x = self.kept(x)
        if self.positive and self.decimals is not None and self.decimals > 0:
            x = np.maximum(x, min(self.minimum or 0.0, 10.0**-self.decimals))
        return x

    def kept(self, x: np.ndarray) -> np.ndarray:
        """Values on the grid and within the bounds that the channel keeps to."""
        if self.decimals is not None:
            x = np.round(x, self.decimals)
            if self.decimals > 0:  # a series set holds the float32 nearest to 0.1, and so do the shots
                x = x.astype(np.float32).astype(np.float64)
        if self.lower is not None or self.upper is not None:
            x = np.clip(x, self.lower, self.upper)
        return x + 0.0  # -0.0 is 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :func:`channel_from_dict` reads them."""
        return {**vars(self), "transform": transform_to_dict(self.transform)}

    def describe(self) -> dict[str, Any]:
        """Plain values for a report; see :meth:`Scaler.describe`."""
        t = self.transform
        levels = [t.value] if isinstance(t, Constant) else list(t.values) if isinstance(t, Levels) else None
        return {
            "channel": self.channel,
            "transform": t.label,
            "reason": self.reason,
            "integer": self.integer,
            "binary": isinstance(t, Levels) and len(t.values) == 2,
            "constant": isinstance(t, Constant),
            "levels": levels,
            "decimals": self.decimals,
            "lower": self.lower,
            "upper": self.upper,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "zero_share": self.zero_share,
        }


def fit_channel(name: str, cells: np.ndarray, whole: bool, given: Sides | None, asked: str) -> ChannelScaling:
    """Fit the scaling of one channel.

    Args:
        name: of the channel, for messages.
        cells: ``(n_series, length)``, ``float64``, NaN where not observed.
        whole: known to be of an integer or boolean type.
        given: bounds from the user, or ``None`` for those that the shots suggest.
        asked: one of :data:`TRANSFORMS`.

    Raises:
        InputError: ``levels`` was asked for and there are too many.
    """
    profile = choice.Profile.of(cells)
    transform, why = _pick(name, profile, asked)
    lower, upper = choice.find_bounds(profile) if given is None else given
    decimals = choice.find_decimals(profile, whole) if profile.x.size else None
    if decimals is not None and decimals <= 0:  # a bound of 2.5 on whole numbers is one of 2
        lower = None if lower is None else float(math.ceil(lower))
        upper = None if upper is None else float(math.floor(upper))
    fitted = ChannelScaling(
        channel=name,
        transform=transform,
        shift=0.0,
        scale=1.0,
        lower=lower,
        upper=upper,
        decimals=decimals,
        minimum=float(profile.x[0]) if profile.x.size else None,
        maximum=float(profile.x[-1]) if profile.x.size else None,
        zero_share=float(np.mean(profile.x == 0)) if profile.x.size else 0.0,
        zero_band=_zero_band(profile.distinct),
        reason=f"{transform.label}: {why}",
        positive=given is None and (lower, upper) == (0, None) and bool(profile.x.size) and float(profile.x[0]) > 0,
    )
    return _keep_grid(_standardised(fitted, profile.x), profile, asked)


def _pick(name: str, profile: choice.Profile, asked: str) -> tuple[Transform, str]:
    """The transform of a channel, automatic or asked for, and why."""
    distinct = profile.distinct
    fixed = choice.find_constant(profile)
    if isinstance(fixed, Constant):
        what = "no observed cells" if fixed.value is None else f"every observed cell is {fixed.value:g}"
        return fixed, what if asked == "auto" else f"{what}, so that there is nothing to transform"
    if asked in CURVES:
        return choice.make_curve(asked, profile.x), "as asked"
    if asked == "hurdle":
        atom = 0.0 if 0.0 in distinct else float(distinct[np.argmax(profile.counts)])
        return choice.make_hurdle(profile, atom)[0], f"as asked, at {atom:g}"
    if asked == "levels":
        if distinct.size > MAX_ASKED_LEVELS:
            raise InputError(
                f"{distinct.size} distinct values are too many for levels (at most {MAX_ASKED_LEVELS})",
                where=f"transforms, channel {name!r}",
            )
        return Levels(tuple(distinct.tolist())), "as asked"
    if fixed is not None:
        return fixed, f"only {distinct[0]:g} and {distinct[1]:g} occur"
    if choice.find_levels(profile):
        return Levels(tuple(distinct.tolist())), f"only {distinct.size} distinct values, each kept as it is"
    spike = choice.find_spike(profile)
    if spike is not None:
        hurdle, why = choice.make_hurdle(profile, spike)
        share = profile.counts[np.searchsorted(distinct, spike)] / profile.x.size
        return hurdle, f"{share:.0%} of the cells are exactly {spike:g}; the rest: {why}"
    return choice.choose_curve(profile.x, profile.effective)


def _standardised(fitted: ChannelScaling, x: np.ndarray) -> ChannelScaling:
    """With shift and scale from the observed cells ``x``; sorted, so that the order of the series cannot matter."""
    transform = fitted.transform
    if isinstance(transform, Constant):
        return fitted
    if isinstance(transform, Levels) and len(transform.values) == 2:
        return replace(fitted, shift=0.5, scale=0.5)
    u = transform.forward(x)
    shift = float(np.mean(u))
    scale = float(np.std(u))
    away = np.abs(u - shift)
    if not isinstance(transform, Curve):
        far = np.quantile(away[u != 0], 0.9) if isinstance(transform, Hurdle) else away.max()
        scale = min(max(scale, float(far) / FAR), scale / LEAST_SPREAD)
    return replace(fitted, shift=shift, scale=scale)


def _keep_grid(fitted: ChannelScaling, profile: choice.Profile, asked: str) -> ChannelScaling:
    """Make sure that whole numbers come back equal: ``float32`` latents are too coarse for huge ones on a log curve.

    Whole numbers then get the identity, if that is fine enough; of other grids only the rounding is dropped.
    """
    if fitted.decimals is None or isinstance(fitted.transform, Levels | Constant) or _exact(fitted, profile.distinct):
        return fitted
    if not fitted.integer:
        return replace(fitted, decimals=None)
    if asked != "auto":
        return fitted
    plain: Transform
    if isinstance(fitted.transform, Hurdle):
        plain = choice.make_hurdle(profile, fitted.transform.atom, "identity")[0]
    else:
        plain = choice.make_curve("identity", profile.x)
    why = f"{plain.label}: {fitted.reason}, but whole numbers this large come back exactly only so"
    straight = _standardised(replace(fitted, transform=plain, reason=why), profile.x)
    return straight if _exact(straight, profile.distinct) else fitted


def _zero_band(distinct: np.ndarray) -> float:
    """Half a band around zero that holds the round-off of a zero and no other value seen; 0 without zeros."""
    if not (distinct == 0).any() or distinct.size < 2:
        return 0.0
    return float(min(np.abs(distinct[distinct != 0]).min() / 2, 2e-6 * (distinct[-1] - distinct[0])))


def _exact(fitted: ChannelScaling, distinct: np.ndarray) -> bool:
    """Whether the values come back equal, as ``float32``, through ``float32`` latents."""
    back = fitted.inverse(fitted.forward(distinct).astype(np.float32).astype(np.float64))
    return bool((back.astype(np.float32) == distinct.astype(np.float32)).all())


def channel_from_dict(entry: Mapping[str, Any]) -> ChannelScaling:
    """The channel that :meth:`ChannelScaling.to_dict` wrote.

    Raises:
        KeyError, TypeError, ValueError: ``entry`` is not one; the caller says so in its own words.
    """
    maybe = {
        key: None if entry[key] is None else number(entry[key]) for key in ("lower", "upper", "minimum", "maximum")
    }
    decimals = entry["decimals"]
    if decimals is not None and (isinstance(decimals, bool) or not isinstance(decimals, int)):
        raise TypeError(f"decimals must be a whole number, not {decimals!r}")
    scale = number(entry["scale"])
    if scale <= 0:
        raise ValueError("scale must be positive")
    return ChannelScaling(
        channel=str(entry["channel"]),
        transform=transform_from_dict(entry["transform"]),
        shift=number(entry["shift"]),
        scale=scale,
        decimals=decimals,
        zero_share=number(entry["zero_share"]),
        zero_band=number(entry["zero_band"]),
        reason=str(entry["reason"]),
        positive=bool(entry.get("positive", False)),
        **maybe,
    )
