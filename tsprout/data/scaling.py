r"""Scaling of series to what a diffusion model likes, fitted on the shots alone and exactly undone afterwards.

Per channel a monotone transform :math:`u` (:mod:`tsprout.data.transforms`; which one is decided by
:mod:`tsprout.data.transform_choice`), then one shift and scale for the whole channel,
:math:`z = (u - shift) / scale`, so that the observed cells of the shots have zero mean and unit variance. Level
differences among the series are information and stay; where labels lie far apart, each label's level and spread are
taken out as well (:mod:`tsprout.data.label_scaling`), so that what its own series differ by has unit variance. Three
kinds of channel depart from unit variance on purpose: two-valued ones become -1 and +1 (unit second moment, however
rare one value is); where rare levels, or rare bursts among zeros, would lie beyond four units, the standard deviation
may go down to 0.8; constants are 0.

Everything is computed in ``float64``; latents are ``float32``, so what comes back is right to about :math:`10^{-6}` of
the channel's range, and *equal* for whole, decimal, two-valued, level and constant channels and for zeros. Missing
cells are NaN on both sides. Axis order ``(n_series, n_channels, length)``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprout.data.channel_scaling import TRANSFORMS, ChannelScaling, channel_from_dict, fit_channel
from tsprout.data.cumulative import CumulativeScaling, cumulative_from_dict, fit_cumulative
from tsprout.data.label_scaling import LabelScaling
from tsprout.data.transforms import Curve, number
from tsprout.errors import InputError

if TYPE_CHECKING:
    from tsprout.data.schema import Schema
    from tsprout.series import SeriesSet

Bounds = Mapping[str, tuple[float | None, float | None]]

AnyScaling = ChannelScaling | CumulativeScaling

VERSION = 1


class Scaler:
    """Invertible scaling of a series set, channel by channel. Make one with :meth:`fit`.

    Args:
        channels: one :class:`ChannelScaling` or :class:`CumulativeScaling` a channel, in order.
        labels: what is done within each label after that, if anything.
    """

    def __init__(self, channels: Sequence[AnyScaling], labels: LabelScaling | None = None) -> None:
        self.channels, self.labels = tuple(channels), labels

    @classmethod
    def fit(
        cls, shots: SeriesSet, *, bounds: Bounds | None = None, transforms: Mapping[str, str] | None = None
    ) -> Scaler:
        """Scaling from the observed cells of the shots, and nothing else.

        Args:
            shots: the few series.
            bounds: ``{channel: (lower, upper)}``, in the place of what the shots suggest for that channel; ``None``
                on a side means unbounded on that side.
            transforms: ``{channel: name}`` with a name of :data:`TRANSFORMS`, in the place of the automatic choice.

        Raises:
            InputError: unknown channel or transform, or data that violate the bounds.
        """
        whole = [name for name in shots.channels if _is_whole(shots.schema, name)]
        values = np.where(shots.observed, shots.values, np.nan)
        scaler = cls.fit_arrays(values, shots.channels, whole=whole, bounds=bounds, transforms=transforms)
        if shots.labels is None:
            return scaler
        # What has levels, spikes or nothing but one value keeps them where the scaling of the channel has put them.
        curved = (
            channel.forward(values[:, i].astype(np.float64)) if _is_curved(channel) else None
            for i, channel in enumerate(scaler.channels)
        )
        return cls(scaler.channels, LabelScaling.fit(curved, shots.labels))

    @classmethod
    def fit_arrays(
        cls,
        values: np.ndarray,
        channels: Sequence[str],
        *,
        whole: Sequence[str] = (),
        bounds: Bounds | None = None,
        transforms: Mapping[str, str] | None = None,
    ) -> Scaler:
        """The same from a bare array ``(n_series, n_channels, length)``, NaN where not observed.

        Args:
            values: floats, in the units of the input.
            channels: their names.
            whole: channels known to be of an integer or boolean type, whatever their values.
            bounds, transforms: as in :meth:`fit`.

        Raises:
            InputError: as :meth:`fit`, or an array of another shape or with infinite values.
        """
        array = _check_shape(values, len(channels))
        _check_names(bounds, channels, "bounds")
        _check_names(transforms, channels, "transforms")
        fitted: list[AnyScaling] = []
        for i, name in enumerate(channels):
            cells = array[:, i].astype(np.float64)
            if np.isinf(cells).any():
                raise InputError("there are infinite values", where=f"channel {name!r}", fix="Replace them with NaN.")
            given = None if bounds is None or name not in bounds else _check_bounds(name, bounds[name], cells)
            asked = "auto" if transforms is None else transforms.get(name, "auto")
            plain = fit_channel(name, cells, name in whole, given, asked)
            by_moves = fit_cumulative(plain, cells, name in whole) if asked == "auto" else None
            fitted.append(by_moves or plain)
        return cls(fitted)

    def transform(self, values: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """Units of the input to latents.

        Args:
            values: ``(n_series, n_channels, length)``, NaN where missing; any series with the same channels.
            labels: ``(n_series,)``, needed where the shots' labels lie far apart, and else without effect.

        Returns:
            ``float32``, same shape, NaN where ``values`` is NaN.

        Raises:
            InputError: another number of channels, or labels that the shots have not.
        """
        array = _check_shape(values, len(self.channels))
        out = np.empty(array.shape, np.float32)
        own = None if self.labels is None else self.labels.of(labels)
        for i, channel in enumerate(self.channels):
            cells = channel.forward(array[:, i].astype(np.float64))
            if own is not None:
                shift, scale = (side[:, i, None] for side in own)
                cells = np.divide(cells - shift, scale, out=cells * 0, where=scale > 0)
            out[:, i] = cells
        return out

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
        for i, channel in enumerate(self.channels):
            cells = array[:, i].astype(np.float64)
            if own is not None:
                shift, scale = (side[:, i, None] for side in own)
                cells = cells * scale + shift
            out[:, i] = channel.inverse(cells)
        return out

    def describe(self) -> list[dict[str, Any]]:
        """One dict a channel, of plain values.

        Keys: channel, transform, reason (a short sentence), integer, binary, constant, levels (the values of a
        two-valued, level or constant channel, else ``None``), decimals, lower, upper, minimum, maximum, zero_share,
        by_label (whether each label is scaled by itself).
        """
        own = np.zeros(len(self.channels), bool) if self.labels is None else self.labels.channels
        return [channel.describe() | {"by_label": bool(by)} for channel, by in zip(self.channels, own, strict=True)]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :meth:`from_dict` gives back a scaler that computes the same bits."""
        plain = {"version": VERSION, "channels": [c.to_dict() for c in self.channels]}
        return plain | ({} if self.labels is None else {"labels": self.labels.to_dict()})

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
            return cls(channels, None if own is None else LabelScaling.from_dict(own, len(channels)))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"the scaler is damaged: {type(error).__name__}: {error}") from error


def _channel_from_dict(entry: Mapping[str, Any]) -> AnyScaling:
    return cumulative_from_dict(entry) if "moves" in entry else channel_from_dict(entry)


def _is_curved(channel: AnyScaling) -> bool:
    return isinstance(channel, ChannelScaling) and isinstance(channel.transform, Curve)


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
