r"""The scaling of a channel that is never below others and hardly differs from them: by how far it lies above.

Lowest, opening, closing and highest price of a day, bid and ask, a part and nearly all of it: such channels move
together, and a diffusion model draws each a little off, so that what lies between them, a ripple on the scale of
either, is noise, and the highest price falls below the lowest. So such a channel :math:`x_j` is scaled by its
difference from the greatest of those that it is never below, :math:`x_j - \max_{i \in F_j} x_i \ge 0`, which keeps the
order, whatever is drawn. Channels come in the order of their means, so that there is always one to begin with.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tsprout.data.channel_scaling import ChannelScaling, channel_from_dict, fit_channel
from tsprout.data.circular import CircularScaling
from tsprout.data.cumulative import CumulativeScaling
from tsprout.data.transform_choice import Profile, choose_curve
from tsprout.data.transforms import Constant, Curve, Levels

NEAR = 0.05
"""Share of its variance that the difference of a channel from one below it may have."""
_LOOKED_AT = 4096  # cells, before all of them are
LEAST_CELLS, SEEN = 48, 0.9
"""Cells in which a channel must be observed, in two series or more, and the share of them in which another must be."""


@dataclass(frozen=True)
class RelativeScaling:
    """How such a channel is scaled.

    Attributes:
        whole: what its values keep to: decimals and bounds. What it says of the scale is not used.
        others: positions of the channels that it is never below, and their ``names``.
        apart: scaling of the difference from the greatest of them.
    """

    whole: ChannelScaling
    others: tuple[int, ...]
    names: tuple[str, ...]
    apart: ChannelScaling

    @property
    def channel(self) -> str:
        """Its name."""
        return self.whole.channel

    @property
    def strands(self) -> tuple[ChannelScaling, ...]:
        """What has a scale of its own: the difference."""
        return (self.apart,)

    def forward(self, values: np.ndarray, own: np.ndarray) -> np.ndarray:
        """Latents, ``(n, length)``, of ``own`` beside all ``values (n, channels, length)`` of the same series, all in
        their units and ``float64``; NaN where it is missing, or all the others are."""
        return self.apart.forward(own - _greatest(values, self.others))

    def inverse(self, values: np.ndarray, z: np.ndarray) -> np.ndarray:
        """From latents ``z`` beside the values of the others, in units of the channel."""
        return self.whole.kept(_greatest(values, self.others) + np.maximum(self.apart.inverse(z), 0))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :func:`relative_from_dict` reads them."""
        plain = {"others": list(self.others), "names": list(self.names)}
        return plain | {"whole": self.whole.to_dict(), "apart": self.apart.to_dict()}

    def describe(self) -> dict[str, Any]:
        """Plain values for a report; see :meth:`Scaler.describe`."""
        why = f"relative: never below {', '.join(self.names)}, so that the difference is scaled ({self.apart.reason})"
        return self.whole.describe() | {"transform": "relative", "reason": why}


Scaling = ChannelScaling | CumulativeScaling | RelativeScaling | CircularScaling


def related(values: np.ndarray, channels: Sequence[Scaling], usable: Sequence[bool]) -> list[Scaling]:
    """The same channels, those that are never below others and hardly differ from them scaled by the difference.

    Args:
        values: ``(n_series, n_channels, length)``, NaN where missing.
        channels: their scaling by themselves.
        usable: which may be changed.
    """
    found, before = list(channels), list[int]()
    seen = np.isfinite(values)
    # Where all are observed: a mean of other cells than its neighbour's may lie below it.
    counted = whole if (whole := seen & seen.all(axis=1, keepdims=True)).any() else seen
    means = np.where(counted, values, 0).sum((0, 2), dtype=np.float64) / np.maximum(counted.sum((0, 2)), 1)
    for j in np.argsort(means, kind="stable").tolist():
        channel, own = channels[j], seen[:, j]
        levelled = isinstance(channel, ChannelScaling) and isinstance(channel.transform, Levels | Constant)
        if levelled or isinstance(channel, CircularScaling):
            continue
        curved = isinstance(channel, ChannelScaling) and isinstance(channel.transform, Curve)
        if usable[j] and curved and own.sum() >= LEAST_CELLS and own.any(1).sum() > 1:
            near = [i for i in before if seen[:, i][own].mean() >= SEEN]
            found[j] = _relative(values, channels, j, near) or channel
        before.append(j)
    for j in reversed(parents_first(found)):
        _hand_down(found, j)
    return found


def _hand_down(channels: list[Scaling], j: int) -> None:
    """No channel may rise above the upper bound of one that is never below it: that one could not follow."""
    channel = channels[j]
    if not isinstance(channel, RelativeScaling) or channel.whole.upper is None:
        return
    for i in channel.others:
        other = channels[i]
        own = other if isinstance(other, ChannelScaling) else other.whole
        grid = 10.0 ** (own.decimals or 0)
        upper = channel.whole.upper if own.decimals is None else math.floor(channel.whole.upper * grid + 1e-6) / grid
        if own.upper is None or own.upper > upper:
            own = replace(own, upper=upper)
            channels[i] = own if isinstance(other, ChannelScaling) else replace(other, whole=own)


def _relative(values: np.ndarray, channels: Sequence[Scaling], j: int, before: list[int]) -> RelativeScaling | None:
    """The scaling of channel ``j`` by how far it lies above some of those ``before`` it; ``None`` where it does not."""
    whole = channels[j]
    assert isinstance(whole, ChannelScaling)
    own = values[:, j].astype(np.float64)
    cells = np.isfinite(own)
    below = []
    for i in _maybe_below(values, cells, j, before):
        gap = own[cells] - values[:, i][cells]
        gap = gap[np.isfinite(gap)]
        if gap.min() >= 0 and gap.var() <= NEAR * own[cells].var() and not _finer(channels[i], whole):
            below.append(i)
    if not below:
        return None
    others = tuple(below)
    gap = own - _greatest(values, others)
    # On a curve, whatever share of it is zero: what falls below zero is drawn as zero, and labels are scaled by it.
    profile = Profile.of(gap)
    curve, why = choose_curve(profile.x, profile.effective)
    apart = fit_channel(whole.channel, gap, False, (0.0, None), curve.kind)
    if isinstance(apart.transform, Curve):
        apart = replace(apart, reason=f"{apart.transform.label}: {why}")
    return RelativeScaling(whole, others, tuple(channels[i].channel for i in others), apart)


def _maybe_below(values: np.ndarray, cells: np.ndarray, j: int, before: list[int]) -> list[int]:
    """Those ``before`` that some cells do not rule out: many pairs of long channels would take long."""
    row, column = (at[:: max(1, len(at) // _LOOKED_AT)] for at in np.nonzero(cells))
    some = values[row, :, column]
    over = np.any(some[:, before] > some[:, [j]], axis=0).tolist()
    return [i for i, is_over in zip(before, over, strict=True) if not is_over]


def _finer(other: Scaling, whole: ChannelScaling) -> bool:
    """Whether rounding ``whole`` could bring it below a channel that is recorded on a finer grid."""
    own = other if isinstance(other, ChannelScaling) else other.whole
    return whole.decimals is not None and (own.decimals is None or own.decimals > whole.decimals)


def _greatest(values: np.ndarray, others: tuple[int, ...]) -> np.ndarray:
    """The greatest of those of some channels that are observed, ``(n, length)`` float64."""
    return np.fmax.reduce([values[:, i].astype(np.float64) for i in others])


def relative_from_dict(entry: Mapping[str, Any]) -> RelativeScaling:
    """What :meth:`RelativeScaling.to_dict` wrote.

    Raises:
        KeyError, TypeError, ValueError: ``entry`` is not one.
    """
    others, names = tuple(entry["others"]), tuple(map(str, entry["names"]))
    whole_numbers = all(isinstance(i, int) and not isinstance(i, bool) and i >= 0 for i in others)
    if not others or len(names) != len(others) or not whole_numbers:
        raise ValueError("others must be positions of channels, with a name each")
    whole, apart = (channel_from_dict(entry[name]) for name in ("whole", "apart"))
    return RelativeScaling(whole, others, names, apart)


def parents_first(channels: Sequence[Scaling]) -> list[int]:
    """Positions of the channels so that each comes after those that it is told from.

    Raises:
        ValueError: there is no such order, or a position that is none.
    """
    order, left = list[int](), list(range(len(channels)))
    while left:
        ready = [i for i in left if set(getattr(channels[i], "others", ())) <= set(order)]
        if not ready:
            raise ValueError("channels are told from each other in a circle, or from one that there is not")
        order += ready
        left = [i for i in left if i not in ready]
    return order
