"""The job behind ``tsprout impute``: read, fit, fill the gaps, and say how well gaps like these are filled.

The model is shown the series themselves, or, of long ones, windows (:func:`shown`).

What is told beside the file is found on values that are there: every series is given gaps of another one's pattern, a
model that has not seen what they hide fills them, and so does a straight line.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprout.accounts import Stopwatch, peak_memory, versions
from tsprout.baselines import registry
from tsprout.errors import InputError
from tsprout.job import fit_report, fit_series, load_model, placed
from tsprout.job_options import FitOptions, ReaderOptions
from tsprout.limits import DRAWS, MAX_DRAWS, MAX_LENGTH, MIN_LENGTH, check_whole
from tsprout.progress import Progress
from tsprout.staging import check_apart, check_file, write_file

if TYPE_CHECKING:
    from tsprout.data.original import Original
    from tsprout.series import SeriesSet

WHOLE, WINDOW = 256, 48  # steps of series that are filled as they are, and of windows of longer ones, at least
_WINDOWS = 4000  # shown, about so many at most
_RANGE = 0.8  # of the draws, that hidden values should lie in as often
_TELLING = 10  # draws say something of their range
_CELLS = 2**25  # of all draws of hidden values, at most
_STEPS, _STRETCH = 20_000, 5_000  # of series in which values are hidden, in all and of one


def impute(
    path: str | Path,
    out: str | Path,
    *,
    reader: ReaderOptions | None = None,
    options: FitOptions | None = None,
    draws: int = DRAWS,
    check: bool = True,
    force: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write a file again with what is missing filled and everything else as it was.

    In another format than it came in, and in ``.ts``, values are written to the seven digits that are kept of them.

    Args:
        path: the file.
        out: the file to make, of any format.
        reader: how to read it; series of more than ``window`` steps are filled in windows of so many. By default those
            of more than :data:`WHOLE` are, in windows of :data:`WINDOW` or twice the longest stretch without any value.
        options: the model and how to adapt it; ``prompt`` is the mode that takes seconds.
        draws: how often a gap is drawn: it gets the median of so many.
        check: fill hidden values, too, and say how far off they are; takes as long again.
        force: replace a file.

    Returns:
        an account of what was read, filled and found.

    Raises:
        InputError: an option, the file or the output cannot be used (before any work where that can be known).
    """
    from tsprout.data import files
    from tsprout.data.scaling import Scaler
    from tsprout.imputing import by_moves, gaps
    from tsprout.overview import describe

    reader, options = reader or ReaderOptions(), options or FitOptions(mode="prompt")
    if options.model in registry.names():
        raise InputError(f"{options.model} cannot fill gaps", where="--model", fix="Choose a pre-trained model.")
    options.check()
    if reader.stride is not None:
        raise InputError("windows that are filled overlap by half", where="--stride", fix="Leave it out.")
    if not 1 <= check_whole(draws, "--draws") <= MAX_DRAWS:
        raise InputError(f"{draws} draws", where="--draws", fix=f"Give 1 to {MAX_DRAWS}.")
    target = check_file(out, force=force)
    check_apart(path, out)
    files.family_of(target)
    watch = Stopwatch()
    with watch.stage("read"):
        original = _read(path, reader, progress)
        real = original.series
        with placed(path):
            shots = shown(real, reader.window)
    missing, notes = gaps(real), []
    account: dict[str, Any] = {"command": "impute", "versions": versions(), "input": describe(real, path, shots=shots)}
    account |= {**options.to_dict(), "device": options.device, "fit": {}, "check": None}
    account["imputed"] = {"cells": 0, "left": 0, "series": 0, "draws": draws}
    if shots is not real:
        notes.append(f"series of more than {shots.length} steps are filled in windows of so many, half overlapping")
        account["imputed"]["window"] = shots.length
    if not missing.any():
        with watch.stage("write"):
            if files.extension(Path(path), reader.format) == files.extension(target, None):
                write_file(target, lambda file: file.write(Path(path).read_bytes()))
            else:
                original.write(real, target, force=force)
    else:
        moves = []
        if options.mode != "prompt":
            moves = by_moves(Scaler.fit(shots, bounds=options.bounds, transforms=options.transforms))
        if moves:
            fix = "Say --mode prompt, or --transform NAME=identity for these channels."
            what = f"{', '.join(map(repr, moves))} would be learnt by differences, which gaps break"
            raise InputError(what, where="--mode", fix=fix)
        with watch.stage("load"):
            base = load_model(options.model, device=options.device)
        if check:
            with watch.stage("check"):
                window = None if shots is real else shots.length
                account["check"] = _checked(base, real, window, options, draws, progress)
        with watch.stage("fit"):
            sprout = fit_series(base, shots, options, progress)
        with watch.stage("impute"):
            filled = sprout.impute(real, draws=draws, seed=options.seed, progress=progress)
        with watch.stage("write"):
            if not original.write(filled, target, force=force):
                notes.append("the file was written anew, with values to seven digits")
        if original.more_rows:
            notes.append(f"rows added, for steps that had none: {original.more_rows:,}")
        account |= {"input": describe(real, path, sprout.scaler, shots), "device": sprout.device}
        account["fit"] = fit_report(sprout)
        left = gaps(filled)
        account["imputed"] |= {"cells": int((missing & ~left).sum()), "left": int(left.sum())}
        account["imputed"]["series"] = int((missing & ~left).any(axis=(1, 2)).sum())
        notes += _left(real)
    return account | {
        "notes": notes,
        "seconds": watch.rounded(),
        "peak_memory_bytes": peak_memory(),
        "files": {"imputed": str(out)},
    }


def shown(real: SeriesSet, window: int | None = None) -> SeriesSet:
    """What a model is shown of series that it is to fill: themselves, but of long ones half overlapping windows.

    Args:
        real: the series.
        window: steps; where one has more than :data:`WHOLE` by default :data:`WINDOW`, or twice the longest stretch in
            which nothing is observed, up to :data:`WHOLE`.

    Raises:
        InputError: the window has not 4 to 1024 steps, or nothing is observed in any, of a channel.
    """
    from tsprout.data.checks import check_usable

    longest = int(real.lengths.max())
    if window is not None and not MIN_LENGTH <= window <= MAX_LENGTH:
        raise InputError(f"a window of {window} steps", where="--window", fix=f"Give {MIN_LENGTH} to {MAX_LENGTH}.")
    if longest <= (window or WHOLE):
        return real
    window = window or min(WHOLE, max(WINDOW, 2 * _longest_gap(real)))
    stride = max(window // 2, int(real.lengths.sum()) // _WINDOWS)
    shots = real.windows(window, stride, rest=True)
    check_usable(shots)
    return shots


def _longest_gap(series: SeriesSet) -> int:
    """The most steps on end of a series in which nothing is observed."""
    seen, at = series.observed.any(axis=1), np.arange(series.length)
    last = np.maximum.accumulate(np.where(seen, at, -1), axis=1)
    return int(np.where(series.within, at - last, 0).max())


def _read(path: str | Path, reader: ReaderOptions, progress: Progress | None) -> Original:
    from tsprout.data.checks import check_usable
    from tsprout.data.frames import options_of
    from tsprout.data.original import Original

    given = replace(reader, window=None).to_dict()
    with placed(path):
        original = Original.read(path, replace(options_of(given | {"progress": progress}), without_empty=True))
        check_usable(original.series, longest=None)
    return original


def _left(real: SeriesSet) -> list[str]:
    """What stays missing, and why."""
    notes = []
    if (shorter := int((real.lengths < real.length).sum())) and real.times is None:
        notes.append(f"{shorter} series end before others do; empty cells beyond their last value are left")
    return notes


def hidden(series: SeriesSet, seed: int) -> np.ndarray:
    """Cells ``(n, channels, length)`` to hide: of each series those that another one misses, dealt by chance.

    A channel of a series keeps at least half of its values.
    """
    from tsprout.imputing import gaps

    missing, rng = gaps(series), np.random.default_rng([seed, 4])
    patterns = missing[missing.any(axis=(1, 2))]
    out = np.zeros_like(missing)
    for i in range(len(series)):
        pattern = patterns[rng.integers(len(patterns))]
        if len(patterns) == 1 or len(series) == 1:  # its own, moved elsewhere
            pattern = np.roll(pattern, int(rng.integers(1, max(2, series.length))), axis=-1)
        hide = pattern & series.observed[i]
        hide &= 2 * hide.sum(axis=-1, keepdims=True) <= series.observed[i].sum(axis=-1, keepdims=True)
        out[i] = hide
    return out


def _densest(marks: np.ndarray, length: int) -> int:
    """Where the stretch with the most of ``marks (steps,)`` begins."""
    before = np.concatenate([[0], np.cumsum(marks)])
    return int(np.argmax(before[length:] - before[:-length]))


def _stretches(series: SeriesSet, starts: list[int], length: int) -> SeriesSet:
    """So many steps of each series, from its ``start`` on; without times."""
    parts = [slice(start, start + length) for start in starts]
    return replace(
        series,
        values=np.stack([each[:, part] for each, part in zip(series.values, parts, strict=True)]),
        observed=np.stack([each[:, part] for each, part in zip(series.observed, parts, strict=True)]),
        lengths=np.clip(series.lengths - np.array(starts), 0, length),
        times=None,
    )


def _checked(
    base: Any, real: SeriesSet, window: int | None, options: FitOptions, draws: int, progress: Progress | None
) -> dict[str, Any] | None:
    """How far off hidden values are, in standard deviations of their channel; ``None`` where none could be hidden."""
    from tsprout.data.circular import unwind
    from tsprout.data.gaps import complete
    from tsprout.imputing import apart, median, periods

    hide = hidden(real, options.seed)
    scale = np.nanstd(np.where(real.observed, real.values, np.nan).astype(np.float64), axis=(0, 2))
    hide &= (scale > 0)[:, None]
    if not hide.any():
        return None
    without = replace(real, values=np.where(hide, np.nan, real.values), observed=real.observed & ~hide)
    sprout = fit_series(base, shown(without, window), options, progress)
    length = min(real.length, _STRETCH)
    most = max(1, min(_CELLS // (draws * real.n_channels * length), _STEPS // length))
    rows = np.flatnonzero(hide.any(axis=(1, 2)))
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(int)]
    starts = [_densest(each, length) for each in hide[rows].any(axis=1)]
    real, without = (_stretches(each[rows], starts, length) for each in (real, without))
    hide = real.observed & ~without.observed
    drawn = sprout.completions(without, draws=draws, seed=options.seed, progress=progress)
    period = periods(sprout.scaler)
    lines = without.values.astype(np.float64)
    for j in np.flatnonzero(period > 0):
        lines[:, j] = unwind(lines[:, j], float(period[j, 0]))
    lines = complete(lines, without.lengths)
    low, high = np.quantile(apart(drawn, real.values, period), [(1 - _RANGE) / 2, (1 + _RANGE) / 2], axis=0)

    def error(filled: np.ndarray) -> float:
        return float((np.abs(apart(filled, real.values, period)) / scale[:, None])[hide].mean())

    within = ((low <= 0) & (high >= 0))[hide].mean()
    middle = np.stack([median(each, period) for each in drawn.swapaxes(0, 1)])
    return {
        "hidden": int(hide.sum()),
        "error": error(middle),
        "error_of_straight_lines": error(lines),
        "within": float(within) if draws >= _TELLING else None,
        "of": _RANGE,
    }
