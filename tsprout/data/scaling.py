r"""Scaling of series to what a diffusion model likes, fitted on the shots alone and exactly undone afterwards.

Per channel a monotone transform :math:`u` (:mod:`tsprout.data.transforms`; which one is decided by
:mod:`tsprout.data.transform_choice`), then one shift and scale for the whole channel,
:math:`z = (u - shift) / scale`, so that the observed cells of the shots have zero mean and unit variance. Level
differences among the series are information and stay; where labels lie far apart, each label's level and spread are
taken out as well (:mod:`tsprout.data.label_scaling`), so that what its own series differ by has unit variance. Three
kinds of channel depart from unit variance on purpose: two-valued ones become -1 and +1 (unit second moment, however
rare one value is); where rare levels, or rare bursts among zeros, would lie beyond four units, the standard deviation
may go down to 0.8; constants are 0. Channels that go one way only and channels that hardly differ from others are
scaled by differences (:mod:`tsprout.data.cumulative`, :mod:`tsprout.data.relative`), and what goes round is followed
beyond its edge (:mod:`tsprout.data.circular`). What is zero together is made so on the way back
(:mod:`tsprout.data.zeros`).

Everything is computed in ``float64``; latents are ``float32``, so what comes back is right to about :math:`10^{-6}` of
the channel's range, and *equal* for whole, decimal, two-valued, level and constant channels and for zeros. Missing
cells are NaN on both sides. Axis order ``(n_series, n_channels, length)``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprout.data.channel_scaling import TRANSFORMS, Sides, channel_from_dict, fit_channel
from tsprout.data.circular import circular_from_dict, fit_circular
from tsprout.data.cumulative import cumulative_from_dict, first_cells, fit_cumulative
from tsprout.data.label_scaling import LabelScaling, lie_apart
from tsprout.data.relative import RelativeScaling, Scaling, parents_first, related, relative_from_dict
from tsprout.data.transforms import Curve, Hurdle, number
from tsprout.data.zeros import Together, together, together_from_dict
from tsprout.errors import InputError

if TYPE_CHECKING:
    from tsprout.data.schema import Schema
    from tsprout.series import SeriesSet

Bounds = Mapping[str, Sides]

VERSION = 1


class Scaler:
    """Invertible scaling of a series set, channel by channel. Make one with :meth:`fit`.

    Args:
        channels: how each is scaled, in order.
        labels: what is done within each label after that, if anything.
        unscaled: names of channels whose labels lie far apart, but that cannot be scaled so.
        together: channels that are zero in the same cells.

    Raises:
        ValueError: channels are told from each other in a circle.
    """

    def __init__(
        self,
        channels: Sequence[Scaling],
        labels: LabelScaling | None = None,
        unscaled: Sequence[str] = (),
        together: Sequence[Together] = (),
    ) -> None:
        self.channels, self.labels, self.unscaled = tuple(channels), labels, tuple(unscaled)
        self.together = tuple(together)
        self._order = parents_first(self.channels)
        self._first_strand = np.cumsum([0, *(len(channel.strands) for channel in self.channels)]).tolist()

    @classmethod
    def fit(
        cls,
        shots: SeriesSet,
        *,
        bounds: Bounds | None = None,
        transforms: Mapping[str, str] | None = None,
        differences: bool = True,
        around: bool | None = None,
    ) -> Scaler:
        """Scaling from the observed cells of the shots, and nothing else.

        Args:
            shots: the few series.
            bounds: ``{channel: (lower, upper)}``, in the place of what the shots suggest for that channel; ``None``
                on a side means unbounded on that side.
            transforms: ``{channel: name}`` with a name of :data:`TRANSFORMS`, in the place of the automatic choice.
            differences: scale channels by differences where these are what matters; else all by their values.
            around: follow what goes round beyond its edge; as ``differences`` where nothing is said.

        Raises:
            InputError: unknown channel or transform, or data that violate the bounds.
        """
        whole = [name for name in shots.channels if _is_whole(shots.schema, name)]
        values = _observed(shots)
        how: dict[str, Any] = {"bounds": bounds, "transforms": transforms, "differences": differences, "around": around}
        scaler = cls.fit_arrays(values, shots.channels, whole=whole, **how)
        if shots.labels is None:
            return scaler
        labels, unscaled = shots.labels, list[str]()

        def strands() -> Iterator[np.ndarray | None]:
            for i, channel in enumerate(scaler.channels):
                latent = scaler._latent(values, i)
                for part, (_, here) in zip(channel.strands, scaler._cut(i, latent), strict=True):
                    cells = latent if here is None else np.where(here, latent, np.nan)
                    # What has levels or a spike keeps them where the scaling of the channel has put them.
                    yield cells if isinstance(part.transform, Curve) else None
                    if isinstance(part.transform, Hurdle) and lie_apart(cells, labels):
                        unscaled.append(channel.channel)

        found = LabelScaling.fit(strands(), labels)
        return cls(scaler.channels, found, list(dict.fromkeys(unscaled)), scaler.together)

    @classmethod
    def fit_arrays(
        cls,
        values: np.ndarray,
        channels: Sequence[str],
        *,
        whole: Sequence[str] = (),
        bounds: Bounds | None = None,
        transforms: Mapping[str, str] | None = None,
        differences: bool = True,
        around: bool | None = None,
    ) -> Scaler:
        """The same from a bare array ``(n_series, n_channels, length)``, NaN where not observed.

        Args:
            values: floats, in the units of the input.
            channels: their names.
            whole: channels known to be of an integer or boolean type, whatever their values.
            bounds, transforms, differences, around: as in :meth:`fit`.

        Raises:
            InputError: as :meth:`fit`, or an array of another shape or with infinite values.
        """
        array = _check_shape(values, len(channels))
        _check_names(bounds, channels, "bounds")
        _check_names(transforms, channels, "transforms")
        fitted: list[Scaling] = []
        for i, name in enumerate(channels):
            cells = array[:, i].astype(np.float64)
            if np.isinf(cells).any():
                raise InputError("there are infinite values", where=f"channel {name!r}", fix="Replace them with NaN.")
            given = None if bounds is None or name not in bounds else _check_bounds(name, bounds[name], cells)
            asked = "auto" if transforms is None else transforms.get(name, "auto")
            plain = fit_channel(name, cells, name in whole, given, asked)
            found: Scaling | None = None
            if differences and asked == "auto":
                found = fit_cumulative(plain, cells, name in whole, given)
            if found is None and asked == "auto" and (differences if around is None else around):
                found = fit_circular(plain, cells, given)
            fitted.append(found or plain)
        auto = [(transforms or {}).get(name, "auto") == "auto" for name in channels]
        scaled = related(array, fitted, [differences and each for each in auto])
        return cls(scaled, together=together(array, scaled, auto))

    def transform(self, values: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """Units of the input to latents.

        Args:
            values: ``(n_series, n_channels, length)``, NaN where missing; any series with the same channels.
            labels: ``(n_series,)``, needed where the shots' labels lie far apart, and else without effect.

        Returns:
            ``float32``, same shape, NaN where ``values`` is NaN, and in a channel that is scaled by how far it lies
            above others where all of these are.

        Raises:
            InputError: another number of channels, or labels that the shots have not.
        """
        array = _check_shape(values, len(self.channels))
        out = np.empty(array.shape, np.float32)
        own = None if self.labels is None else self.labels.of(labels)
        known = array.copy() if any(isinstance(channel, RelativeScaling) for channel in self.channels) else array
        for i in self._order:
            latent = self._latent(known, i)
            out[:, i] = self._within_labels(i, latent, own)
            if known is not array:  # what has no latent cannot be told from when values come back
                known[:, i][np.isnan(latent)] = np.nan
        return out

    def latent(self, series: SeriesSet) -> np.ndarray:
        """:meth:`transform` of the observed values of a set, with its labels."""
        return self.transform(_observed(series), series.labels)

    def _latent(self, array: np.ndarray, i: int) -> np.ndarray:
        channel, cells = self.channels[i], array[:, i].astype(np.float64)
        return channel.forward(array, cells) if isinstance(channel, RelativeScaling) else channel.forward(cells)

    def _within_labels(
        self, i: int, cells: np.ndarray, own: tuple[np.ndarray, np.ndarray] | None, *, undo: bool = False
    ) -> np.ndarray:
        """Latents of a channel scaled by those of each series' ``own`` label, or back."""
        for strand, here in [] if own is None else self._cut(i, cells):
            shift, scale = (side[:, strand, None] for side in own or ())
            if undo:
                scaled = cells * scale + shift
            else:
                scaled = np.divide(cells - shift, scale, out=cells * 0, where=scale > 0)
            cells = scaled if here is None else np.where(here, scaled, cells)
        return cells

    def _cut(self, i: int, latent: np.ndarray) -> list[tuple[int, np.ndarray | None]]:
        """The strands of a channel: their numbers, and which cells of ``(n, length)`` are theirs, ``None`` for all."""
        number, channel = self._first_strand[i], self.channels[i]
        if len(channel.strands) == 1:
            return [(number, None)]
        first = first_cells(latent)
        return [(number, first), (number + 1, ~first)]

    def inverse(self, latent: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """Latents to units of the input; whole, two-valued, level, constant and bounded channels stay so.

        Args:
            latent: ``(n_series, n_channels, length)``, NaN where missing.
            labels: as in :meth:`transform`.

        Returns:
            ``float64``, same shape, NaN where ``latent`` is NaN and in channels that were never observed.

        Raises:
            InputError: another number of channels, or labels that the shots have not.
        """
        array = _check_shape(latent, len(self.channels))
        out = np.empty(array.shape, np.float64)
        own = None if self.labels is None else self.labels.of(labels)
        for i in self._order:
            channel = self.channels[i]
            cells = self._within_labels(i, array[:, i].astype(np.float64), own, undo=True)
            out[:, i] = channel.inverse(out, cells) if isinstance(channel, RelativeScaling) else channel.inverse(cells)
        for group in self.together:
            group.settle(out)
        return out

    def describe(self) -> list[dict[str, Any]]:
        """One dict a channel, of plain values.

        Keys: channel, transform, reason (a short sentence), integer, binary, constant, levels (the values of a
        two-valued, level or constant channel, else ``None``), decimals, lower, upper, minimum, maximum, zero_share,
        by_label (whether each label is scaled by itself).
        """
        own = np.zeros(self._first_strand[-1], bool) if self.labels is None else self.labels.strands
        parts = [bool(own[a:b].any()) for a, b in pairwise(self._first_strand)]
        found = [channel.describe() | {"by_label": by} for channel, by in zip(self.channels, parts, strict=True)]
        for group in self.together:
            for i in group.members[1:]:
                found[i]["reason"] += f"; zero where {self.channels[group.members[0]].channel} is"
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :meth:`from_dict` gives back a scaler that computes the same bits."""
        plain = {"version": VERSION, "channels": [c.to_dict() for c in self.channels]}
        plain |= {} if self.labels is None else {"labels": self.labels.to_dict()}
        return plain | ({"together": [group.to_dict() for group in self.together]} if self.together else {})

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Scaler:
        """The scaler that :meth:`to_dict` wrote.

        Raises:
            InputError: another version, or not a scaler.
        """
        if not isinstance(data, Mapping) or "version" not in data:
            raise InputError("this is not a scaler of tsprout")
        if data["version"] != VERSION:
            raise InputError(
                f"the scaler has version {data['version']!r}, and this tsprout reads version {VERSION}",
                fix="Use the tsprout that wrote it, or fit again.",
            )
        try:
            channels = [_channel_from_dict(entry) for entry in data["channels"]]
            own = data.get("labels")
            strands = sum(len(channel.strands) for channel in channels)
            groups = [together_from_dict(entry, len(channels)) for entry in data.get("together", ())]
            labels = None if own is None else LabelScaling.from_dict(own, strands)
            return cls(channels, labels, together=groups)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"the scaler is damaged: {type(error).__name__}: {error}") from error


def _channel_from_dict(entry: Mapping[str, Any]) -> Scaling:
    if "apart" in entry:
        return relative_from_dict(entry)
    if "period" in entry:
        return circular_from_dict(entry)
    return cumulative_from_dict(entry) if "moves" in entry else channel_from_dict(entry)


def _observed(series: SeriesSet) -> np.ndarray:
    return np.where(series.observed, series.values, np.nan)


def _is_whole(schema: Schema | None, channel: str) -> bool:
    """Whether the schema says that a channel came as integers or booleans, in any library's spelling of its types."""
    if schema is None:
        return False
    if schema.wide and schema.step_columns:
        dtypes = [schema.dtypes.get(step, "") for step in schema.step_columns]
    else:
        dtypes = [schema.dtypes.get(channel, schema.dtypes.get("values", ""))]
    return all(dtype.lower().startswith(("int", "uint", "bool")) for dtype in dtypes)


def _check_shape(values: np.ndarray, n_channels: int) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != 3 or array.shape[1] != n_channels:
        raise InputError(
            f"an array of shape {array.shape} does not go with {n_channels} channel(s)",
            fix="The axis order is (n_series, n_channels, length).",
        )
    return array


def _check_names(options: Mapping[str, Any] | None, channels: Sequence[str], where: str) -> None:
    for name, value in (options or {}).items():
        if name not in channels:
            raise InputError(
                f"there is no channel {name!r}", where=where, fix=f"The channels are: {', '.join(map(str, channels))}."
            )
        if where == "transforms" and value not in TRANSFORMS:
            raise InputError(
                f"unknown transform {value!r}",
                where=f"transforms, channel {name!r}",
                fix=f"Choose one of: {', '.join(TRANSFORMS)}.",
            )


def _check_bounds(
    name: str, given: tuple[float | None, float | None], cells: np.ndarray
) -> tuple[float | None, float | None]:
    """Bounds from the user as floats, checked against the observed cells."""
    where = f"bounds, channel {name!r}"
    try:
        lower, upper = (None if side is None else number(side) for side in given)
    except (TypeError, ValueError) as error:
        raise InputError(f"bounds must be two numbers, or None for no bound; given {given!r}", where=where) from error
    if lower is not None and upper is not None and lower >= upper:
        raise InputError(f"the lower bound {lower:g} is not below the upper bound {upper:g}", where=where)
    seen = cells[~np.isnan(cells)]
    # A bound of 0.1 allows the float32 nearest to 0.1, which is a little more.
    if lower is not None and (low := float(seen.min(initial=np.inf))) < min(lower, float(np.float32(lower))):
        raise InputError(f"the value {low:g} lies below the bound {lower:g}", where=where, fix="Lower the bound.")
    if upper is not None and (high := float(seen.max(initial=-np.inf))) > max(upper, float(np.float32(upper))):
        raise InputError(f"the value {high:g} lies above the bound {upper:g}", where=where, fix="Raise the bound.")
    return lower, upper
