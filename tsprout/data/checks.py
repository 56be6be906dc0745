"""Whether a series set can be used as shots, said before anything expensive starts."""

from __future__ import annotations

import dataclasses

import numpy as np

from tsprout.data.roles import naming
from tsprout.errors import InputError
from tsprout.limits import MAX_CHANNELS, MAX_GUIDANCE, MAX_LENGTH, MIN_LENGTH
from tsprout.series import SeriesSet

# Codes that data loggers and statistical offices write for a missing value; how often one must be there, and how far
# from the other values, in units of their range.
_USUAL_CODES = {sign * float(nines) for sign in (-1, 1) for nines in ("99", "999", "9999", "99999", "999999")}
_USUAL_CODES |= {-200.0, -32768.0, 32767.0}
_AGAIN, _APART = 3, 0.1


def check_usable(series: SeriesSet, longest: int | None = MAX_LENGTH) -> list[str]:
    """Notices about a set of shots that can be used.

    Args:
        series: the set.
        longest: time steps that a series may have; ``None`` for any number.

    Raises:
        InputError: no series or channels, shorter than 4 or longer than ``longest`` time steps, a channel with nothing
            observed, infinite values.
    """
    if series.n_series == 0 or series.n_channels == 0:
        raise InputError(
            f"there are {series.n_series} series with {series.n_channels} channels; at least one is needed"
        )
    _check_lengths(series, longest)
    _check_values(series)
    notices = []
    if series.n_series == 1:
        notices.append(
            "there is only one series, so how series differ cannot be learnt; if it is a long recording, cut it into "
            "many with window="
        )
    for j, name in enumerate(series.channels):
        seen = series.values[:, j][series.observed[:, j]]
        if seen.min() == seen.max():
            notices.append(f"channel {name!r} is constant ({seen[0]:g}) and will stay so")
        elif (code := likely_code(seen)) is not None:
            share = 100 * float((seen == code).mean())
            notices.append(
                f"channel {name!r} is {code:g} in {share:.2g} % of its cells and nowhere near it in the others; "
                f"if that means missing, say missing_codes={code:g}"
            )
    blank = np.flatnonzero(~series.observed.any(axis=(1, 2)))
    if blank.size:
        named = ", ".join(repr(_plain(series.ids[i])) for i in blank[:5])
        notices.append(f"{blank.size} series hold no values at all: {named}")
    return notices


def likely_code(seen: np.ndarray) -> float | None:
    """A value among ``seen (m,)`` that looks like a code for missing, such as -999, or ``None``.

    It is one of the usual codes, the least or the largest value, found again and again, and far from all others.
    """
    for code in {float(seen.min()), float(seen.max())} & _USUAL_CODES:
        others = seen[seen != code]
        apart = np.abs(others - code).min(initial=np.inf) if others.size else 0.0
        if len(seen) - len(others) >= _AGAIN and others.size and apart > _APART * (others.max() - others.min()):
            return code
    return None


def _check_lengths(series: SeriesSet, most: int | None) -> None:
    longest, shortest = int(series.lengths.max()), int(np.argmin(series.lengths))
    if longest == 1:
        raise InputError(
            f"{f'each of the {series.n_series}' if series.n_series > 1 else 'the only'} series has a single time step",
            fix="Check which columns are the id and the time; where each row is a series, give orientation='wide'."
            if series.schema is not None and series.schema.long
            else f"At least {MIN_LENGTH} are needed.",
        )
    if series.lengths[shortest] < MIN_LENGTH:
        n = int((series.lengths < MIN_LENGTH).sum())
        raise InputError(
            f"at least {MIN_LENGTH} time steps are needed, the shortest length the model knows; "
            f"{n} series {'is' if n == 1 else 'are'} shorter",
            where=f"series {_plain(series.ids[shortest])!r}: {int(series.lengths[shortest])} time steps",
            fix="Leave such series out.",
        )
    if most is not None and longest > most:
        raise InputError(
            f"at most {most} time steps are possible",
            where=f"series {_plain(series.ids[int(np.argmax(series.lengths))])!r}: {longest} time steps",
            fix=f"Cut the series into windows, for instance window={_window(longest)}.",
        )


def _check_values(series: SeriesSet) -> None:
    infinite = np.isinf(series.values)
    if infinite.any():
        i, j, k = (int(x) for x in np.argwhere(infinite)[0])
        raise InputError(
            f"{int(infinite.sum())} infinite value(s)",
            where=f"series {_plain(series.ids[i])!r}, channel {series.channels[j]!r}, time step {k}",
            fix="Replace them with numbers, or with NaN if they are missing.",
        )
    blank = [name for j, name in enumerate(series.channels) if not series.observed[:, j].any()]
    if blank:
        kept = [name for name in series.channels if name not in blank]
        it = "them" if len(blank) > 1 else "it"
        raise InputError(
            f"nothing was observed in channel{'s' if len(blank) > 1 else ''} {', '.join(map(repr, blank))}",
            fix=f"{naming(kept)} leaves {it} out."
            if kept and series.schema is not None and series.schema.long
            else f"Fill or remove {it}.",
        )


def _window(length: int) -> int:
    """A window that gives a good number of series: a power of two between 16 and 256."""
    return int(min(256, max(16, 2 ** int(np.log2(length / 20)))))


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def validate(series: SeriesSet) -> SeriesSet:
    """The set itself, with the notices of :func:`check_usable` added to its schema.

    Raises:
        InputError: it cannot be used.
    """
    notices = check_usable(series)
    if series.schema is None or not notices:
        return series
    return dataclasses.replace(series, schema=series.schema.noticed(*notices))


def check_guidance(guidance: float | None, where: str) -> None:
    """Refuse a guidance that makes no sense; ``None`` is the model's own.

    Raises:
        InputError: it is not a number from 0 to :data:`MAX_GUIDANCE`.
    """
    number = isinstance(guidance, int | float | np.integer | np.floating) and not isinstance(guidance, bool)
    if guidance is not None and not (number and 0 <= guidance <= MAX_GUIDANCE):
        fix = f"Give a number from 0 to {MAX_GUIDANCE:g}; 1 follows the model."
        raise InputError(f"a guidance of {guidance} makes no sense", where=where, fix=fix)


def check_size(channels: int, length: int) -> None:
    """Refuse what no model here can draw.

    Raises:
        InputError: for a length outside 4 to 1024 or more than 256 channels.
    """
    if not MIN_LENGTH <= length <= MAX_LENGTH:
        raise InputError(
            f"series of {length} steps",
            where="length",
            fix=f"Lengths from {MIN_LENGTH} to {MAX_LENGTH} are possible; cut longer ones into windows.",
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise InputError(
            f"{channels} channels", fix=f"From 1 to {MAX_CHANNELS} are possible; choose some with channels."
        )
