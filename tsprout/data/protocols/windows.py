"""Windows of recordings and instances, known by where they lie: rows ``(source, first step)``.

A *source* is one recording ``(channels, steps)`` or one instance. ``sources`` is a tuple of recordings, or an array of
instances ``(n, channels, steps)``, of which only the first steps are ever used: where archives align their instances
(onset of a gesture, a heart beat), a window from the middle would be another kind of series.
"""

from __future__ import annotations

import numpy as np

from tsprout.data.catalog.sets import RealSet
from tsprout.series import SeriesSet, as_objects

Sources = tuple[np.ndarray, ...] | np.ndarray


def own_lengths(sources: Sources) -> np.ndarray:
    """Steps of every source, int64; of instances up to the last step with a value."""
    if isinstance(sources, tuple):
        return np.array([source.shape[1] for source in sources], np.int64)
    seen: np.ndarray = np.asarray(np.isfinite(sources).any(axis=1))
    steps = seen.shape[1]
    return np.where(seen.any(axis=1), steps - np.argmax(seen[:, ::-1], axis=1), 0).astype(np.int64)


def usable(sources: Sources, length: int) -> list[np.ndarray]:
    """For every source, whether the window at each first step has at least half of its cells.

    Returns:
        One ``bool`` array a source: ``(steps - length + 1,)`` for recordings, ``(1,)`` for instances; empty where the
        source is too short.
    """
    if not isinstance(sources, tuple):
        if sources.shape[2] < length:
            return [np.zeros(0, bool)] * len(sources)
        missing = np.isnan(sources[:, :, :length]).sum(axis=(1, 2))
        return list((2 * missing <= sources.shape[1] * length)[:, None])
    found = []
    for source in sources:
        total = np.concatenate([[0], np.cumsum(np.isnan(source).sum(axis=0))])
        found.append(2 * (total[length:] - total[:-length]) <= len(source) * length)
    return found


def grid(
    stretches: np.ndarray, good: list[np.ndarray], length: int, stride: int, phase: np.ndarray | None = None
) -> np.ndarray:
    """Usable windows ``stride`` steps apart in every stretch.

    Args:
        stretches: ``(n, 3)``: source, first step, and the step after the last.
        good: of :func:`usable`.
        phase: ``(n,)`` in [0, 1): where within the first stride (or what room there is) the first window begins.

    Returns:
        ``int64 (windows, 2)``: source, first step.
    """
    source, begin, end = stretches.T
    room = end - begin - length + 1
    shift = np.zeros(len(room), np.int64) if phase is None else (phase * np.minimum(stride, room)).astype(np.int64)
    counts = np.where(room >= 1, (room - 1 - shift) // stride + 1, 0)
    first = np.cumsum(counts) - counts
    starts = np.repeat(begin + shift, counts) + (np.arange(counts.sum()) - np.repeat(first, counts)) * stride
    sources = np.repeat(source, counts)
    offsets = np.cumsum([0] + [len(each) for each in good])
    keep = np.concatenate([*good, np.zeros(0, bool)])[offsets[sources] + starts]
    return np.stack([sources[keep], starts[keep]], axis=1)


def most_windows(stretches: np.ndarray, length: int, stride: int) -> int:
    """A number that ``len(grid(...))`` cannot exceed."""
    room = stretches[:, 2] - stretches[:, 1] - length
    return int(np.where(room >= 0, room // stride + 1, 0).sum())


def thinned(origin: np.ndarray, most: int | None) -> np.ndarray:
    """At most ``most`` rows, spread evenly; the distances vary by one step, so that no daily cycle is hit in step."""
    if most is None or len(origin) <= most:
        return origin
    return origin[np.arange(most) * len(origin) // most]


def cut(sources: Sources, origin: np.ndarray, length: int) -> np.ndarray:
    """The values of windows, ``(n, channels, length)``; all of one recording, from the first, are a view of it."""
    if not isinstance(sources, tuple):
        return sources[origin[:, 0], :, :length]
    if len(sources) == 1 and len(origin) and np.array_equal(origin[:, 1], np.arange(len(origin))):
        view = np.lib.stride_tricks.sliding_window_view(sources[0], length, axis=1)
        return view[:, : len(origin)].transpose(1, 0, 2)
    out = np.empty((len(origin), sources[0].shape[0], length), np.float32)
    for source in np.unique(origin[:, 0]):
        rows = np.flatnonzero(origin[:, 0] == source)
        view = np.lib.stride_tricks.sliding_window_view(sources[source], length, axis=1)
        out[rows] = view[:, origin[rows, 1]].transpose(1, 0, 2)
    return out


def as_series(
    real: RealSet, sources: Sources, labels: np.ndarray | None, origin: np.ndarray, length: int, keep: np.ndarray | None
) -> SeriesSet:
    """Windows as a series set.

    Args:
        labels: one an instance, or ``None``.
        keep: the channels to keep, by number; all by default.
    """
    values = cut(sources, origin, length)
    channels = real.channels
    if keep is not None:
        values, channels = values[:, keep], tuple(channels[i] for i in keep)
    rows = origin.tolist()
    if not isinstance(sources, tuple):
        ids = [f"{real.name}.{source}" for source, _ in rows]
    elif len(sources) == 1:
        ids = [f"{real.name}:{start}" for _, start in rows]
    else:
        ids = [f"{real.name}.{source}:{start}" for source, start in rows]
    return SeriesSet.from_arrays(
        values,
        lengths=np.full(len(rows), length, np.int64),
        channels=channels,
        ids=as_objects(ids),
        labels=None if labels is None else labels[origin[:, 0]],
    )
