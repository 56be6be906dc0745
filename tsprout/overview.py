"""What is in a series set, as plain values: the ``input`` part of every summary, and what ``tsprout inspect`` shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tsprout.data.scaling import Scaler
    from tsprout.series import SeriesSet

FEW = 5


def inspect(series: SeriesSet, path: str | Path) -> dict[str, Any]:
    """What ``tsprout inspect`` answers: the description of a set, with the transform each channel would get."""
    from tsprout.data.scaling import Scaler

    return {"command": "inspect", "input": describe(series, path, Scaler.fit(series))}


def describe(
    series: SeriesSet, path: str | Path, scaler: Scaler | None = None, shots: SeriesSet | None = None
) -> dict[str, Any]:
    """Counts, lengths, missing share, channels and notices of ``series``.

    Args:
        series: a set.
        path: the file it came from, only to name it.
        scaler: fitted on them; adds what was chosen for each channel.
        shots: what a model is shown of them, which warnings are about: by default the set itself. It can be used
            (:func:`tsprout.data.checks.check_usable`).
    """
    schema = series.schema
    own = int(series.lengths.sum()) * series.n_channels
    return {
        "file": str(path),
        "format": None if schema is None else schema.format,
        "n_series": series.n_series,
        "n_channels": series.n_channels,
        "length": series.length,
        "lengths": {"shortest": int(series.lengths.min()), "longest": int(series.lengths.max())},
        "missing_share": 1 - int(series.observed.sum()) / own,
        "frequency": series.frequency,
        "columns": columns(series),
        "labels": series.labels is not None,
        "static": sorted(series.static),
        "channels": channels(series, scaler),
        "notices": [] if schema is None else list(schema.notices),
        "warnings": [*warnings(series), *recognisable(series)] if shots is None else warnings(shots),
    }


def columns(series: SeriesSet) -> dict[str, Any]:
    """Which column was taken as what: ``id``, ``time`` and ``label`` (``None``: none), and those whose values are
    ``copied`` from the given series to new ones; and whether a ``series`` is a ``column``, a ``row``, or ``None`` of
    them."""
    schema = series.schema
    found = {role: getattr(schema, f"{role}_column", None) for role in ("id", "time", "label")}
    each = None if schema is None else "column" if schema.by_column else "row" if schema.wide else None
    return {**found, "copied": sorted(series.static), "series": each}


def channels(series: SeriesSet, scaler: Scaler | None = None) -> list[dict[str, Any]]:
    """A dict for each channel: name, least, median, greatest value, missing share, and what the scaler says of it."""
    import numpy as np

    from tsprout.data.numbers import clean

    chosen = [{} for _ in series.channels] if scaler is None else scaler.describe()
    own = int(series.lengths.sum())
    found = []
    for index, name in enumerate(series.channels):
        values = clean(series.values[:, index][series.observed[:, index]])
        entry = {
            "channel": name,
            "min": float(values.min()),
            "median": float(np.median(values)),
            "max": float(values.max()),
            "missing_share": 1 - values.size / own,
        }
        found.append({**entry, **{key: value for key, value in chosen[index].items() if key not in entry}})
    return found


def one_value_each(series: SeriesSet) -> list[str]:
    """Channels that differ between series and never within one: an age or a size rather than something measured."""
    import numpy as np

    least = np.where(series.observed, series.values, np.inf).min(axis=2)
    most = np.where(series.observed, series.values, -np.inf).max(axis=2)
    seen = series.observed.any(axis=2)
    still = ((least == most) | ~seen).all(axis=0)
    varied = np.where(seen, least, np.inf).min(axis=0) < np.where(seen, most, -np.inf).max(axis=0)
    return [name for name, flat, several in zip(series.channels, still, varied, strict=True) if flat and several]


def recognisable(series: SeriesSet) -> list[str]:
    """That what is copied to new series may give away whose it was, where it is another for most of those given."""
    taken: list[list[Any]] = [column.astype(str).tolist() for column in series.static.values()]
    uneven = series.times is not None and series.frequency is None and bool((series.lengths > 2).any())
    if series.times is not None and uneven:
        taken.append([row[:own].tobytes() for row, own in zip(series.times, series.lengths, strict=True)])
    if not taken or series.n_series < 2 or len(set(zip(*taken, strict=True))) <= series.n_series // 2:
        return []
    names = [*(["its time stamps"] if uneven else []), *map(repr, sorted(series.static))]
    return [f"a new series takes {' and '.join(names)} of one of yours as they are, which may tell whose they were"]


def warnings(series: SeriesSet) -> list[str]:
    """What is odd, or makes good results unlikely, each as a sentence."""
    from tsprout.data.checks import check_usable

    said = check_usable(series)
    said += [
        f"channel {name!r} has one value in each series, which new series may not keep to; if it describes a series "
        "as a whole, name it with static_columns="
        for name in one_value_each(series)
        if series.schema is not None and series.schema.long
    ]
    if 1 < series.n_series < FEW:
        said.append(f"there are only {series.n_series} series; 5 to 50 show far better what varies and what does not")
    return said
