"""Bare arrays and columns as a series set holds them, or an error that says what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tsprout.errors import InputError

INT64 = np.iinfo(np.int64)
TIMES_TOO_LARGE = "times go beyond the largest whole number that can be kept, 2**63 - 1"
COUNT_LATER = "Count time from a later start, or in a coarser unit."
AXES = ("ncl", "nlc", "nl", "lc", "cl", "l")


def check_axes(axes: str | None, shape: tuple[int, ...]) -> str:
    """The axis order of an array of this shape, or an :class:`InputError` that says what is needed."""
    fitting = [a for a in AXES if len(a) == len(shape)]
    if axes is None and len(shape) == 1:
        return "l"
    if axes is None:
        raise InputError(
            f"an array of shape {shape} does not say which axis is which",
            fix=f"Pass axes, with n for series, c for channels, l for time steps: one of {', '.join(fitting) or AXES}.",
        )
    axes = axes.lower() if isinstance(axes, str) else axes
    if axes not in AXES:
        raise InputError(f"unknown axes {axes!r}", fix=f"Use one of {', '.join(AXES)}.")
    if len(axes) != len(shape):
        raise InputError(
            f"axes {axes!r} names {len(axes)} axes, but the array has {len(shape)}: {shape}",
            fix=f"Use one of {', '.join(fitting)}." if fitting else "Arrays have one, two or three axes.",
        )
    return axes


def to_ncl(array: np.ndarray, axes: str) -> np.ndarray:
    """View an array with the given ``axes`` as ``(n_series, n_channels, length)``."""
    order = [axes.index(a) for a in "ncl" if a in axes]
    missing = tuple(i for i, a in enumerate("ncl") if a not in axes)
    return np.expand_dims(array.transpose(order), missing)


def as_objects(items: Any) -> np.ndarray:
    """A one-dimensional object array of the items, whatever they are."""
    listed = list(items)
    out = np.empty(len(listed), dtype=object)
    out[:] = listed
    return out


def numbers(values: Any) -> np.ndarray:
    """An array of numbers.

    Raises:
        InputError: it is none.
    """
    try:
        array = np.asarray(values)
        if array.dtype == object:
            array = array.astype(np.float64)
    except (ValueError, TypeError) as error:
        raise InputError(f"values are not a rectangular array of numbers: {error}") from None
    if array.dtype.kind not in "biuf":
        raise InputError(f"values are not numbers: dtype {array.dtype}")
    return array


def infer_lengths(observed: np.ndarray) -> np.ndarray:
    """Own lengths from trailing unobserved steps; the full length for all when no series reaches the end."""
    n, _, length = observed.shape
    some: np.ndarray = np.asarray(observed.any(axis=1))
    own = np.where(some.any(axis=1), length - np.argmax(some[:, ::-1], axis=1) if length else 0, length)
    own = own.astype(np.int64)
    return own if n == 0 or bool(some[:, -1:].any()) else np.full(n, length, np.int64)


def unique_ids(ids: Any, n: int) -> np.ndarray:
    """Ids ``(n,)`` as ``int64`` where all are whole numbers and fit it, else as objects of ``str``.

    Raises:
        InputError: another number of them, or one is there twice.
    """
    array = ids if isinstance(ids, np.ndarray) else as_objects(ids)
    if array.shape != (n,):
        raise InputError(f"ids has shape {array.shape}, but there are {n} series")
    whole = array.dtype.kind in "iu" or (
        array.dtype == object and all(isinstance(i, int | np.integer) and not isinstance(i, bool) for i in array)
    )
    out = array.astype(np.int64) if whole and within_int64(array) else as_objects(str(i) for i in array)
    if len(set(out.tolist())) < n:
        raise InputError(f"series ids repeat: {repeated(out.tolist())}")
    return out


def within_int64(whole: Any) -> bool:
    """Whether all of these whole numbers, an array or a list, fit ``int64``."""
    return not len(whole) or (int(min(whole)) >= INT64.min and int(max(whole)) <= INT64.max)


def time_rows(times: Any, n: int, length: int) -> np.ndarray:
    """Times ``(n, length)`` as ``datetime64[ns]``, ``int64`` or ``float64``; one row serves all series.

    Raises:
        InputError: of another shape or kind.
    """
    array = np.asarray(times)
    if array.ndim == 1:
        array = np.broadcast_to(array, (n, array.shape[0]))
    if array.shape != (n, length):
        raise InputError(f"times has shape {array.shape}, but {(n, length)} is needed")
    kinds = {"M": "datetime64[ns]", "i": "int64", "u": "int64", "f": "float64"}
    if array.dtype.kind not in kinds:
        raise InputError(f"times must be date-times, integers or floats; found dtype {array.dtype}")
    if array.dtype.kind == "u" and array.size and array.max() > INT64.max:
        raise InputError(TIMES_TOO_LARGE, fix=COUNT_LATER)
    return np.array(array, dtype=kinds[array.dtype.kind])


def check_times(times: np.ndarray, lengths: np.ndarray, ids: np.ndarray) -> None:
    """Refuse times ``(n, length)`` that are missing within the ``lengths (n,)`` of their series.

    Raises:
        InputError: see above.
    """
    within = np.arange(times.shape[1]) < lengths[:, None]
    missing = (np.isnat(times) if times.dtype.kind == "M" else np.isnan(times)) & within
    if missing.any():
        i, t = (int(x) for x in np.argwhere(missing)[0])
        raise InputError(
            "the time is missing", where=f"series {ids[i]!s}, time step {t}", fix="Give every step a time."
        )


def per_series(column: Any, n: int, what: str) -> np.ndarray:
    """A column ``(n,)``, text as objects; ``what`` names it in errors.

    Raises:
        InputError: of another shape.
    """
    array = column if isinstance(column, np.ndarray) else np.asarray(column)
    if array.shape != (n,):
        raise InputError(f"{what} has shape {array.shape}, but there are {n} series")
    return as_objects(array.tolist()) if array.dtype.kind in "US" else array


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two columns hold the same, NaN being the same as NaN."""
    if a.dtype.kind == "f" and b.dtype.kind == "f":
        return np.array_equal(a, b, equal_nan=True)
    return a.tolist() == b.tolist()


def repeated(items: Sequence[Any]) -> str:
    """What is there more than once, for a person: at most five."""
    seen: set[Any] = set()
    twice = list(dict.fromkeys(i for i in items if i in seen or seen.add(i)))  # type: ignore[func-returns-value]
    return ", ".join(repr(i) for i in twice[:5]) + (" ..." if len(twice) > 5 else "")
