"""The job behind ``tsprout impute``: read, fit, fill the gaps, and say how well gaps like these are filled.

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
from tsprout.job import Progress, fit_report, fit_series, load_model, read_input
from tsprout.job_options import FitOptions, ReaderOptions
from tsprout.limits import DRAWS, MAX_DRAWS, check_whole
from tsprout.staging import check_file, write_file

if TYPE_CHECKING:
    from tsprout.series import SeriesSet

_RANGE = 0.8  # of the draws, that hidden values should lie in as often
_TELLING = 10  # draws say something of their range
_CELLS = 2**25  # of all draws of hidden values, at most


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
    """Fill what is missing in the series of a file; what is there stays, to the seven digits that are kept of a value.

    A file in which nothing is missing is copied.

    Args:
        path: the file.
        out: the file to make, of any format.
        reader: how to read it; series are taken whole, not in windows.
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
    if reader.window is not None or reader.stride is not None:
        fix = "Leave them out; series of up to 1024 steps are filled as they are."
        raise InputError("windows are no series to fill", where="--window", fix=fix)
    if not 1 <= check_whole(draws, "--draws") <= MAX_DRAWS:
        raise InputError(f"{draws} draws", where="--draws", fix=f"Give 1 to {MAX_DRAWS}.")
    target = check_file(out, force=force)
    watch = Stopwatch()
    with watch.stage("read"):
        real = _read(path, reader, progress)
    missing = gaps(real)
    account: dict[str, Any] = {"command": "impute", "versions": versions(), "input": describe(real, path)}
    account |= {**options.to_dict(), "device": options.device, "fit": {}, "check": None, "notes": []}
    account["imputed"] = {"cells": 0, "left": 0, "series": 0, "draws": draws}
    if not missing.any() and files.extension(Path(path), reader.format) == files.extension(target, None):
        with watch.stage("write"):
            write_file(target, lambda file: file.write(Path(path).read_bytes()))
    else:
        apart = []
        if options.mode != "prompt":
            apart = by_moves(Scaler.fit(real, bounds=options.bounds, transforms=options.transforms))
        if apart:
            fix = "Say --mode prompt, or --transform NAME=identity for these channels."
            what = f"{', '.join(map(repr, apart))} would be learnt by differences, which gaps break"
            raise InputError(what, where="--mode", fix=fix)
        with watch.stage("load"):
            base = load_model(options.model, device=options.device)
        if check and missing.any():
            with watch.stage("check"):
                account["check"] = _checked(base, real, options, draws, progress)
        with watch.stage("fit"):
            sprout = fit_series(base, real, options, progress)
        with watch.stage("impute"):
            filled = sprout.impute(real, draws=draws, seed=options.seed, progress=progress)
        size: dict[str, Any] = {"n_series": len(real), "channels": real.channels, "length": real.length}
        with watch.stage("write"), files.open_writer(target, real, **size, force=force) as writer:
            writer.write(filled)
        account |= {"input": describe(real, path, sprout.scaler), "device": sprout.device, "fit": fit_report(sprout)}
        left = gaps(filled)
        account["imputed"] |= {"cells": int((missing & ~left).sum()), "left": int(left.sum())}
        account["imputed"]["series"] = int((missing & ~left).any(axis=(1, 2)).sum())
        account["notes"] += _left(real, left)
    return account | {
        "seconds": watch.rounded(),
        "peak_memory_bytes": peak_memory(),
        "files": {"imputed": str(out)},
    }


def _read(path: str | Path, reader: ReaderOptions, progress: Progress | None) -> SeriesSet:
    try:
        return read_input(path, reader, progress)
    except InputError as error:
        if "window" in (error.fix or ""):
            error.fix = "Cut it into series of at most 1024 steps first, each with an id of its own."
        raise


def _left(real: SeriesSet, left: np.ndarray) -> list[str]:
    """What is still missing, and why."""
    notes = []
    around = [repr(name) for j, name in enumerate(real.channels) if left[:, j].any()]
    if around:
        notes.append(f"gaps in {', '.join(around)} are left: what goes round is not filled")
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


def _checked(
    base: Any, real: SeriesSet, options: FitOptions, draws: int, progress: Progress | None
) -> dict[str, Any] | None:
    """How far off hidden values are, in standard deviations of their channel; ``None`` where none could be hidden."""
    from tsprout.data.gaps import complete
    from tsprout.imputing import median

    hide = hidden(real, options.seed)
    scale = np.nanstd(np.where(real.observed, real.values, np.nan).astype(np.float64), axis=(0, 2))
    hide &= (scale > 0)[:, None]
    if not hide.any():
        return None
    without = replace(real, values=np.where(hide, np.nan, real.values), observed=real.observed & ~hide)
    sprout = fit_series(base, without, options, progress)
    most = max(1, _CELLS // (draws * real.n_channels * real.length))
    rows = np.flatnonzero(hide.any(axis=(1, 2)))
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(int)]
    real, without, hide = real[rows], without[rows], hide[rows]
    drawn = sprout.completions(without, draws=draws, seed=options.seed, progress=progress)
    hide &= np.isfinite(drawn[0])  # but what goes round
    if not hide.any():
        return None
    lines = complete(without.values, without.lengths)
    low, high = np.quantile(drawn, [(1 - _RANGE) / 2, (1 + _RANGE) / 2], axis=0)

    def error(filled: np.ndarray) -> float:
        return float((np.abs(filled - real.values) / scale[:, None])[hide].mean())

    within = ((low <= real.values) & (real.values <= high))[hide].mean()
    return {
        "hidden": int(hide.sum()),
        "error": error(median(drawn)),
        "error_of_straight_lines": error(lines),
        "within": float(within) if draws >= _TELLING else None,
        "of": _RANGE,
    }
