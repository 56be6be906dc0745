"""The one container that crosses every boundary: a set of time series with everything known about them.

Axis order is ``(n_series, n_channels, length)`` throughout. Values are in the units of the input, ``float32``. A cell
that was not observed, because it is missing or lies beyond its series' own length, holds NaN and is ``False``
in ``observed``; missing values and unequal lengths are data, not errors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprout.arrays import (
    AXES,
    as_objects,
    check_axes,
    check_times,
    infer_lengths,
    numbers,
    per_series,
    repeated,
    same,
    time_rows,
    to_ncl,
    unique_ids,
)
from tsprout.errors import InputError

__all__ = ["AXES", "SeriesSet", "as_objects", "check_axes", "concatenate", "to_ncl"]

if TYPE_CHECKING:
    from tsprout.data.schema import Schema


@dataclass(frozen=True, eq=False)
class SeriesSet:
    """A set of time series. Build it with :meth:`from_arrays` or :meth:`from_array`, which check what they are given.

    Attributes:
        values: ``float32`` ``(n_series, n_channels, length)``; NaN where not observed.
        observed: ``bool``, same shape.
        lengths: ``int64`` ``(n_series,)``, each series' own length.
        channels: names of the channels.
        ids: ``(n_series,)``, ``int64`` or an object array of ``str``.
        times: ``None`` or ``(n_series, length)`` of ``datetime64[ns]`` (UTC when time zones are known), ``int64`` or
            ``float64``; unspecified beyond a series' length.
        frequency: pandas offset alias when all series are regular, else ``None``.
        labels: ``None`` or ``(n_series,)``.
        static: per-series columns by name, each ``(n_series,)``.
        schema: how the set came in and should go out.
    """

    values: np.ndarray
    observed: np.ndarray
    lengths: np.ndarray
    channels: tuple[str, ...]
    ids: np.ndarray
    times: np.ndarray | None = None
    frequency: str | None = None
    labels: np.ndarray | None = None
    static: dict[str, np.ndarray] = field(default_factory=dict)
    schema: Schema | None = None

    @property
    def n_series(self) -> int:
        """Number of series."""
        return int(self.values.shape[0])

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return int(self.values.shape[1])

    @property
    def length(self) -> int:
        """Length of the longest series, in time steps."""
        return int(self.values.shape[2])

    @property
    def within(self) -> np.ndarray:
        """Which steps lie within each series' own length, observed or not: ``bool`` ``(n_series, length)``."""
        return np.arange(self.length) < self.lengths[:, None]

    def __len__(self) -> int:
        return self.n_series

    def __repr__(self) -> str:
        return f"SeriesSet({self.n_series} series, {self.n_channels} channels, length {self.length})"

    def __getitem__(self, index: Any) -> SeriesSet:
        """The series at an int, a slice, an index array or a boolean mask; always a set, also for an int."""
        if isinstance(index, int | np.integer):
            if not -self.n_series <= index < self.n_series:
                raise IndexError(f"series {index} asked for, but there are {self.n_series}")
            index = np.array([int(index)])
        elif not isinstance(index, slice):
            index = np.asarray(index)
            if index.size == 0:
                index = index.astype(np.int64)
        return replace(
            self,
            values=self.values[index],
            observed=self.observed[index],
            lengths=self.lengths[index],
            ids=self.ids[index],
            times=None if self.times is None else self.times[index],
            labels=None if self.labels is None else self.labels[index],
            static={name: column[index] for name, column in self.static.items()},
        )

    def __iter__(self) -> Iterator[SeriesSet]:
        return (self[i] for i in range(self.n_series))

    @classmethod
    def from_arrays(
        cls,
        values: Any,
        observed: Any = None,
        lengths: Any = None,
        channels: Sequence[str] | None = None,
        ids: Any = None,
        times: Any = None,
        frequency: str | None = None,
        labels: Any = None,
        static: Mapping[str, Any] | None = None,
        schema: Schema | None = None,
    ) -> SeriesSet:
        """Check arrays and make a set of them; NaN becomes "not observed".

        Args:
            values: numbers, ``(n_series, n_channels, length)``.
            observed: ``bool``, same shape; what is ``False`` is made NaN.
            lengths: own length of each series. When left out, trailing steps with nothing observed are padding,
                provided that some series reaches the end of the array; otherwise every series has the full length.
            channels: names; default ``channel_0``, ``channel_1``...
            ids: ints or strings, unique; default ``0, 1, ...``.
            times: ``(n_series, length)`` or ``(length,)`` for all series.
            labels: ``(n_series,)``.
            static: columns ``(n_series,)`` by name.

        Raises:
            InputError: shapes that do not fit together, infinite values, names or ids that repeat.
        """
        array = numbers(values)
        if array.ndim != 3:
            raise InputError(
                f"values have {array.ndim} axes, but 3 are needed: (n_series, n_channels, length)",
                fix="Use SeriesSet.from_array(array, axes=...) and say which axis is which.",
            )
        n, c, length = array.shape
        names = tuple(f"channel_{i}" for i in range(c)) if channels is None else tuple(str(name) for name in channels)
        if len(names) != c:
            raise InputError(f"{len(names)} channel names for {c} channels")
        if len(set(names)) != c:
            raise InputError(f"channel names repeat: {repeated(names)}")
        id_array = np.arange(n, dtype=np.int64) if ids is None else unique_ids(ids, n)
        with np.errstate(over="ignore"):
            out = np.array(array, dtype=np.float32, order="C")
        mask = ~np.isnan(out)
        if observed is not None:
            given = np.asarray(observed)
            if given.shape != out.shape:
                raise InputError(f"observed has shape {given.shape}, but values have {out.shape}")
            mask &= given.astype(bool)
        if lengths is None:
            own = infer_lengths(mask)
        else:
            own = np.asarray(lengths, dtype=np.int64)
            if own.shape != (n,):
                raise InputError(f"lengths has shape {own.shape}, but there are {n} series")
            if n and (own.min() < 0 or own.max() > length):
                raise InputError(f"lengths must lie between 0 and {length}; found {own.min()} to {own.max()}")
            mask &= (np.arange(length) < own[:, None])[:, None, :]
        infinite = np.isinf(out) & mask
        if infinite.any():
            i, j, k = (int(x) for x in np.argwhere(infinite)[0])
            raise InputError(
                f"{int(infinite.sum())} infinite value(s) (or too large for float32)",
                where=f"series {id_array[i]!s}, channel {names[j]!r}, time step {k}",
                fix="Replace them with numbers, or with NaN if they are missing.",
            )
        out[~mask] = np.nan
        stamps = None if times is None else time_rows(times, n, length)
        if stamps is not None:
            check_times(stamps, own, id_array)
        return cls(
            values=out,
            observed=mask,
            lengths=own,
            channels=names,
            ids=id_array,
            times=stamps,
            frequency=frequency,
            labels=None if labels is None else per_series(labels, n, "labels"),
            static={str(k): per_series(v, n, f"static column {k!r}") for k, v in (static or {}).items()},
            schema=schema,
        )

    @classmethod
    def from_array(cls, array: Any, axes: str | None = None, **rest: Any) -> SeriesSet:
        """Make a set of one bare array, with the axis order said explicitly.

        Args:
            array: one to three axes.
            axes: one letter an axis, ``n`` series, ``c`` channels, ``l`` time steps: ``ncl``, ``nlc``, ``nl``, ``lc``,
                ``cl`` or ``l``. May be left out only for one axis (``l``).
            **rest: as in :meth:`from_arrays`; an ``observed`` given here has the same axes as ``array``.

        Raises:
            InputError: ``axes`` is missing for an array with two or more axes, unknown, or does not fit.
        """
        given = numbers(array)
        axes = check_axes(axes, given.shape)
        if rest.get("observed") is not None:
            observed = np.asarray(rest["observed"])
            if observed.shape != given.shape:
                raise InputError(f"observed has shape {observed.shape}, but the array has {given.shape}")
            rest["observed"] = to_ncl(observed, axes)
        return cls.from_arrays(to_ncl(given, axes), **rest)

    def equals(self, other: SeriesSet) -> bool:
        """Whether two sets hold the same data: values, lengths, names, ids, times, labels, static columns.

        How they came in (``schema``) and the derived ``frequency`` are not compared, nor anything beyond a series' own
        length.
        """
        if (self.n_series, self.channels) != (other.n_series, other.channels):
            return False
        if not np.array_equal(self.lengths, other.lengths) or list(self.ids) != list(other.ids):
            return False
        longest = int(self.lengths.max(initial=0))
        mine, theirs = self.values[:, :, :longest], other.values[:, :, :longest]
        if not np.array_equal(mine, theirs, equal_nan=True):
            return False
        if (self.times is None) != (other.times is None) or (self.labels is None) != (other.labels is None):
            return False
        if self.times is not None and other.times is not None:
            within = self.within[:, :longest]
            if self.times.dtype.kind != other.times.dtype.kind:
                return False
            if not np.array_equal(self.times[:, :longest][within], other.times[:, :longest][within]):
                return False
        if self.labels is not None and other.labels is not None and not same(self.labels, other.labels):
            return False
        if list(self.static) != list(other.static):
            return False
        return all(same(column, other.static[name]) for name, column in self.static.items())

    def windows(self, window: int, stride: int | None = None, *, rest: bool = False) -> SeriesSet:
        """Cut every series into windows of ``window`` steps that start ``stride`` steps apart (default: ``window``).

        String ids become ``id:start``; integer ids are renumbered. Series shorter than the window and windows in which
        nothing was observed are left out; with ``rest`` the former are kept as they are, and of each series its last
        ``window`` steps, too.

        Raises:
            InputError: no window is left, or ``window`` or ``stride`` is below 1.
        """
        stride = window if stride is None else stride
        if window < 1 or stride < 1:
            raise InputError(f"window and stride must be at least 1; given {window} and {stride}")
        counts = np.where(self.lengths >= window, (self.lengths - window) // stride + 1, 0)
        if counts.sum() == 0:
            raise InputError(
                f"no series is as long as the window of {window} time steps",
                where=f"longest series: {int(self.lengths.max(initial=0))} time steps",
                fix="Use a smaller window.",
            )
        source = np.repeat(np.arange(self.n_series), counts)
        starts = (np.arange(source.size) - np.repeat(np.cumsum(counts) - counts, counts)) * stride
        if rest:
            more = np.flatnonzero((counts == 0) | ((self.lengths - window) % stride != 0))
            starts = np.concatenate([starts, np.maximum(self.lengths[more] - window, 0)])
            source = np.concatenate([source, more])
            order = np.lexsort((starts, source))
            source, starts = source[order], starts[order]
        if self.n_series == 1:
            view = np.lib.stride_tricks.sliding_window_view(self.observed[0], window, axis=-1)
            keep = view[:, starts].any(axis=(0, 2))
        else:
            keep = np.array([self.observed[i, :, s : s + window].any() for i, s in zip(source, starts, strict=True)])
        source, starts = source[keep], starts[keep]
        if not source.size:
            raise InputError("nothing was observed in any window")
        shape = (source.size, self.n_channels, window)
        values, observed = np.empty(shape, np.float32), np.empty(shape, bool)
        times = None if self.times is None else np.empty((source.size, window), self.times.dtype)
        for k, (i, s) in enumerate(zip(source, starts, strict=True)):
            values[k], observed[k] = self.values[i, :, s : s + window], self.observed[i, :, s : s + window]
            if times is not None and self.times is not None:
                times[k] = self.times[i, s : s + window]
        if self.ids.dtype == object:
            ids: np.ndarray = as_objects(f"{self.ids[i]}:{s}" for i, s in zip(source, starts, strict=True))
        else:
            ids = np.arange(source.size, dtype=np.int64)
        return replace(
            self,
            values=values,
            observed=observed,
            lengths=np.minimum(self.lengths[source], window).astype(np.int64),
            ids=ids,
            times=times,
            labels=None if self.labels is None else self.labels[source],
            static={name: column[source] for name, column in self.static.items()},
        )


def concatenate(sets: Sequence[SeriesSet]) -> SeriesSet:
    """Put sets with the same channels one after the other; shorter ones are padded.

    The schema and frequency are those of the first set; times, labels and static columns must be there in all sets or
    in none. Ids are kept when they stay unique and of one kind, otherwise renumbered.

    Raises:
        InputError: no sets, or sets that do not go together.
    """
    if not sets:
        raise InputError("no series sets to put together")
    first = sets[0]
    for other in sets[1:]:
        if other.channels != first.channels:
            raise InputError(f"channels differ: {list(first.channels)} and {list(other.channels)}")
        if (other.times is None) != (first.times is None) or (other.labels is None) != (first.labels is None):
            raise InputError("times or labels are there in one series set but not in another")
        if set(other.static) != set(first.static):
            raise InputError(f"static columns differ: {list(first.static)} and {list(other.static)}")
    length = max(s.length for s in sets)

    def padded(array: np.ndarray, fill: Any) -> np.ndarray:
        width = [(0, 0)] * (array.ndim - 1) + [(0, length - array.shape[-1])]
        return np.pad(array, width, constant_values=fill)

    def padded_times(array: np.ndarray) -> np.ndarray:
        return padded(array, np.datetime64("NaT") if array.dtype.kind == "M" else 0)

    times = [s.times for s in sets if s.times is not None]
    labels = [s.labels for s in sets if s.labels is not None]
    ids = np.concatenate([s.ids for s in sets])
    if len({s.ids.dtype for s in sets}) > 1 or len(set(ids)) < len(ids):
        ids = np.arange(len(ids), dtype=np.int64)
    return replace(
        first,
        values=np.concatenate([padded(s.values, np.nan) for s in sets]),
        observed=np.concatenate([padded(s.observed, False) for s in sets]),
        lengths=np.concatenate([s.lengths for s in sets]),
        ids=ids,
        times=np.concatenate([padded_times(rows) for rows in times]) if times else None,
        frequency=first.frequency if len({s.frequency for s in sets}) == 1 else None,
        labels=np.concatenate(labels) if labels else None,
        static={name: np.concatenate([s.static[name] for s in sets]) for name in first.static},
    )
