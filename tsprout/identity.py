"""Who a synthetic series is: its length, label, static columns, time stamps and id, taken after those of the shots.

Every synthetic series has one of the shots as its *template*. Templates are dealt out in turn, in shuffled order, so
that lengths, labels and static columns keep the shares they have among the shots, and then change hands among series of
one label and length (:mod:`tsprout.likeness`). Values come from the model alone. Where so many series are asked for of
each label, templates are dealt within it, label after label.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tsprout.arrays import COUNT_LATER, INT64, TIMES_TOO_LARGE
from tsprout.errors import InputError
from tsprout.limits import check_whole
from tsprout.series import SeriesSet

# Ids of shots leave room for so many more, or new ones are texts: the first batch must decide as the last one would.
_ROOM = 10**12
_TOO_LATE = "times go beyond the year 2262 when they are carried on"

Wanted = int | Mapping[Any, int]
"""How many series to draw: in all, or of each label that is named."""

Pools = Sequence[tuple[np.ndarray, int]]
"""Indices of the shots that templates are dealt from, and to how many series, one lot after the other."""


def total(n: Wanted) -> int:
    """How many series that is."""
    return sum(n.values()) if isinstance(n, Mapping) else n


def pools(shots: SeriesSet, n: Wanted) -> Pools:
    """Where the templates of ``n`` series come from: all shots, or those of each label.

    Raises:
        InputError: a number is below 1 or not whole, or no shot has such a label.
    """
    if not isinstance(n, Mapping):
        return [(np.arange(len(shots)), _at_least_one(n, "n"))]
    if shots.labels is None or not n:
        what = "the series have no labels" if shots.labels is None else "no label is named"
        raise InputError(what, where="n", fix="Ask for a number of series.")
    found = []
    for label, count in n.items():
        members = np.flatnonzero(has_label(shots.labels, label))
        if not members.size:
            known = sorted({str(own) for own in shots.labels if own is not None and own == own})
            fix = f"The labels are {', '.join(known[:10])}{' ...' if len(known) > 10 else ''}."
            raise InputError(f"no series has the label {str(label)!r}", where="n", fix=fix)
        found.append((members, _at_least_one(count, f"n, label {str(label)!r}")))
    return found


def has_label(labels: np.ndarray, label: object) -> np.ndarray:
    """Which of some ``labels (n,)`` are this one, as a person writes it: 2 is 2.0 where they are numbers."""
    if labels.dtype.kind in "iuf":
        try:
            return np.asarray(labels == float(str(label)))
        except ValueError:
            return np.zeros(len(labels), bool)
    known = np.array([own is not None and own == own for own in labels], dtype=bool)
    return known & (labels.astype(str) == str(label))


def _at_least_one(count: object, where: str) -> int:
    number = check_whole(count, where)
    if number < 1:
        raise InputError(f"asked for {number} series", where=where, fix="Ask for at least one.")
    return number


def templates(wanted: Pools, seed: int, size: int) -> Iterator[np.ndarray]:
    """Index of the template shot of each synthetic series, ``size`` of them at a time, and the same for any size."""
    rng, dealt = np.random.default_rng([seed, 1]), np.empty(0, dtype=np.int64)
    for members, count in wanted:
        while count > 0:
            more = members[rng.permutation(len(members))][:count]
            count -= len(more)
            dealt = np.concatenate([dealt, more])
            while len(dealt) >= size:
                yield dealt[:size]
                dealt = dealt[size:]
    if len(dealt):
        yield dealt


def label_groups(
    shots: SeriesSet, picked: np.ndarray, lengths: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Split synthetic series with templates ``picked`` into those of one label and length.

    Yields ``(members, prompt, length)``: positions within the batch, indices of the shots of that label, length.
    """
    label = np.zeros(len(shots), dtype=np.int64)
    if shots.labels is not None:
        label = np.unique(shots.labels.astype(str), return_inverse=True)[1]
    keys = label[picked] * (int(lengths.max()) + 1) + lengths
    for key in np.unique(keys):
        members = np.flatnonzero(keys == key)
        yield members, np.flatnonzero(label == label[picked[members[0]]]), int(lengths[members[0]])


def dressed(shots: SeriesSet, values: np.ndarray, lengths: np.ndarray, picked: np.ndarray, start: int) -> SeriesSet:
    """Values as a set, each with what it takes from its template.

    Args:
        shots: the templates.
        values: ``(m, channels, length)`` in the units of the shots; what lies beyond ``lengths`` is dropped.
        lengths: ``(m,)``.
        picked: ``(m,)`` template of each.
        start: how many were drawn before, for the ids.
    """
    values = np.where(np.arange(values.shape[-1]) < lengths[:, None, None], values, np.nan)
    return SeriesSet.from_arrays(
        values.astype(np.float32),
        lengths=lengths,
        channels=shots.channels,
        ids=new_ids(shots, start, len(picked)),
        times=new_times(shots, picked, int(lengths.max())),
        frequency=shots.frequency,
        labels=None if shots.labels is None else shots.labels[picked],
        static={name: column[picked] for name, column in shots.static.items()},
        schema=shots.schema,
    )


def new_ids(shots: SeriesSet, start: int, count: int) -> np.ndarray:
    """Ids of the kind the shots have, none of them a shot's: numbers go on, texts are ``synthetic-000001``.

    Shots that are called so themselves get ``resynthetic-000001``, and so on. Numbers that leave no room for more below
    the largest ``int64`` are followed by texts.
    """
    if shots.ids.dtype.kind in "iu" and int(shots.ids.max()) <= INT64.max - _ROOM:
        return np.arange(start, start + count, dtype=np.int64) + int(shots.ids.max()) + 1
    prefix = "synthetic"
    while any(str(i).startswith(f"{prefix}-") for i in shots.ids):
        prefix = f"re{prefix}"
    out = np.empty(count, dtype=object)
    out[:] = [f"{prefix}-{i + 1:06d}" for i in range(start, start + count)]
    return out


def new_times(shots: SeriesSet, picked: np.ndarray, length: int) -> np.ndarray | None:
    """Time stamps ``(len(picked), length)`` of the templates, carried on in their own step where they are too short."""
    if shots.times is None:
        return None
    if length <= shots.length and bool((shots.lengths[picked] >= length).all()):
        return shots.times[picked, :length]
    own = {int(i): _extended(shots, int(i), length) for i in np.unique(picked)}
    return np.stack([own[int(i)] for i in picked])


def _extended(shots: SeriesSet, index: int, length: int) -> np.ndarray:
    assert shots.times is not None
    own = int(shots.lengths[index])
    stamps = shots.times[index, :own]
    if length <= own:
        return stamps[:length]
    if stamps.dtype.kind == "M" and shots.frequency is not None:
        import pandas as pd

        try:
            return pd.date_range(stamps[0], periods=length, freq=shots.frequency).to_numpy().astype("datetime64[ns]")
        except pd.errors.OutOfBoundsDatetime:
            raise InputError(_TOO_LATE, fix=COUNT_LATER) from None
    step = _step(shots, index)
    if stamps.dtype.kind in "iM":
        last = int(stamps[-1].astype(np.int64)) + int(np.array(step).astype(np.int64)) * (length - own)
        if last > INT64.max:
            raise InputError(TIMES_TOO_LARGE if stamps.dtype.kind == "i" else _TOO_LATE, fix=COUNT_LATER)
    more = stamps[-1] + step * np.arange(1, length - own + 1)
    return np.concatenate([stamps, more.astype(stamps.dtype)])


def _step(shots: SeriesSet, index: int) -> Any:
    """Median gap between the stamps of one shot; of all shots where it has no gap; 1, or a second, where none has."""
    assert shots.times is not None
    gaps = np.diff(shots.times[index, : int(shots.lengths[index])])
    if len(gaps) == 0:
        gaps = np.concatenate([np.diff(t[:own]) for t, own in zip(shots.times, shots.lengths, strict=True)])
    if shots.times.dtype.kind == "M":
        nanoseconds = np.median(gaps.astype(np.int64)) if len(gaps) else 1e9
        return np.timedelta64(int(nanoseconds), "ns")
    step = float(np.median(gaps)) if len(gaps) else 1.0
    return max(1, round(step)) if shots.times.dtype.kind in "iu" else step
