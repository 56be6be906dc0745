"""How good are synthetic series: :func:`evaluate` for a notebook, :func:`evaluate_files` for the command line.

>>> import tsprout
>>> report = tsprout.evaluate("real.csv", "synthetic.csv", shots="shots.csv", suite="full")  # doctest: +SKIP
>>> report.table, report.verdict  # doctest: +SKIP
>>> report.to_html("report.html")  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from tsprout.accounts import to_json, versions
from tsprout.errors import InputError, NotThereError
from tsprout.limits import check_seed
from tsprout.metrics.scores import Score, Scores
from tsprout.progress import Progress
from tsprout.report.units import check_units
from tsprout.series import SeriesSet
from tsprout.staging import check_apart, check_file, write_file

if TYPE_CHECKING:
    import pandas as pd

    from tsprout.data.reading import Reading
    from tsprout.job_options import ReaderOptions

# Columns that may be left out of what is compared with the real series.
_OPTIONAL = ("label_column", "static_columns", "id_column", "time_column", "ignore")


@dataclass(frozen=True, eq=False)
class Report:
    """What :func:`evaluate` found. ``scores``: every one with floor, ceilings, spread and verdict."""

    scores: Scores
    real: SeriesSet
    synthetic: SeriesSet
    shots: SeriesSet | None
    suite: str

    def __repr__(self) -> str:
        return f"Report({self.suite}: {self.verdict})"

    @property
    def verdict(self) -> str:
        """One sentence."""
        return self.scores.summary()

    @property
    def table(self) -> pd.DataFrame:
        """A row a score: value with its interval, floor, ceilings, direction and verdict."""
        import pandas as pd

        return pd.DataFrame(self.scores.table()).set_index("name")

    def __getitem__(self, name: str) -> Score:
        return self.scores[name]

    def __iter__(self) -> Iterator[Score]:
        return iter(self.scores)

    def __len__(self) -> int:
        return len(self.scores)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {"suite": self.suite, "versions": versions(), **self.scores.to_dict()}

    def to_json(self, path: str | Path | None = None, *, force: bool = False) -> str:
        """The same as JSON, written to ``path`` where one is given.

        Raises:
            InputError: there is such a file and ``force`` is not set, or it cannot be written.
        """
        text = to_json(self.to_dict()) + "\n"
        if path is not None:
            check_file(path, force=force)
            write_file(path, text)
        return text

    def to_html(self, path: str | Path | None = None, *, title: str | None = None, force: bool = False) -> str:
        """The report as one self-contained page, written to ``path`` where one is given.

        Raises:
            InputError: there is such a file and ``force`` is not set, or it cannot be written.
        """
        from tsprout.report.html import render_report, write_report

        options: dict[str, Any] = {"shots": self.shots, "title": title, "facts": self.facts()}
        if path is None:
            return render_report(self.real, self.synthetic, self.scores, **options)
        check_file(path, force=force)
        write_report(path, self.real, self.synthetic, self.scores, **options)
        return Path(path).read_text(encoding="utf-8")

    def plot(self, path: str | Path, *, force: bool = False) -> Path:
        """Sample paths and densities, channel by channel, as a PNG.

        Raises:
            InputError: there is such a file and ``force`` is not set, or it cannot be written.
        """
        from tsprout.report.plots import overlay

        check_file(path, force=force)
        return overlay(self.real, self.synthetic, path)

    def facts(self) -> dict[str, str]:
        """What the report says of how it came about."""
        return {"Suite": self.suite}

    def failures(self, under: Mapping[str, float], over: Mapping[str, float]) -> list[str]:
        """A sentence for every score below its limit in ``under`` or above that in ``over``.

        Raises:
            InputError: see :func:`check_limits`.
        """
        check_limits(under, over, self.suite)
        values = {score.name: score.value.mean for score in self.scores}
        found = []
        for limits, below in ((under, True), (over, False)):
            for name, limit in limits.items():
                value = values.get(name, float("nan"))
                if not isfinite(value):
                    found.append(f"{name} could not be computed")
                elif value < limit if below else value > limit:
                    found.append(f"{name} is {value:.4g}, {'below' if below else 'above'} {limit:g}")
        return found


def evaluate(
    real: Any,
    synthetic: Any,
    *,
    shots: Any = None,
    held_out: Any = None,
    suite: str = "quick",
    seed: int = 0,
    progress: Progress | None = None,
    **reading: Unpack[Reading],
) -> Report:
    """Compare synthetic series with real ones.

    Args:
        real, synthetic: paths, frames, arrays (with ``axes``) or :class:`SeriesSet`, as ``Sprout.fit`` takes them.
        shots: the series the generator was shown; by default the real ones, and the report then says that nothing
            unseen is there to compare with.
        held_out: real series it was not shown, to judge copying by; by default the real ones that are not shots.
        suite: ``quick`` (seconds), ``full`` (a minute) or ``paper`` (ten minutes and more for thousands of series).
        seed: everything random follows from it.
        progress: called as ``progress(stage, done, total)``.
        **reading: options of :func:`tsprout.read`, for all of them; label, static, id and time columns need to be in
            the real series only.

    Raises:
        InputError: an object cannot be read; channels, lengths or units of the sets do not fit; the seed cannot be;
            or there is no such suite.
    """
    from tsprout.data.frames import from_object
    from tsprout.metrics.registry import suite as known_suite
    from tsprout.metrics.suites import score_suite

    known_suite(suite)
    seed = check_seed(seed)
    if synthetic is None:
        raise InputError("there are no synthetic series to compare", where="synthetic", fix="Give them second.")
    own = from_object(real, **reading)
    others = {
        name: _read_other(given, reading)
        for name, given in (("synthetic", synthetic), ("shot", shots), ("held-out", held_out))
        if given is not None
    }
    notes = []
    if len({_unnamed(each) for each in (own, *others.values())}) > 1 and own.n_channels > 1:
        notes.append("Channels without names are matched with the others by their position.")
    own = _named_after(own, next((each for each in others.values() if not _unnamed(each)), own))
    others = {name: fitted(own, each, name) for name, each in others.items()}
    for name, each in others.items():
        notes += check_units(own, each, name)
    made, shown, unseen = others["synthetic"], others.get("shot"), others.get("held-out")
    known = own if shown is None else shown
    labels = None
    if own.labels is not None and made.labels is not None and known.labels is not None:
        labels = (own.labels, made.labels, known.labels)
    elif own.labels is not None and (suite == "full" or reading.get("label_column")):
        bare = " and ".join(name for name, each in (("synthetic", made), ("shot", known)) if each.labels is None)
        notes.append(f"Classification is left out: the {bare} series have no labels.")
    scores = score_suite(
        own.values,
        made.values,
        shots=known.values,
        held_out=None if unseen is None else unseen.values,
        labels=labels,
        name=suite,
        seed=seed,
        progress=progress,
    )
    return Report(replace(scores, notes=(*scores.notes, *notes)), own, made, shown, suite)


def _read_other(given: Any, reading: Mapping[str, Any]) -> SeriesSet:
    """Series to compare with the real ones, read without those optional columns that are not there."""
    from tsprout.data.frames import from_object

    options = dict(reading)
    while True:
        try:
            return from_object(given, **options)
        except NotThereError as error:
            absent = {key: options[key] for key in _OPTIONAL if error.name in _named(options.get(key))}
            if not absent:
                raise
            for key, names in absent.items():
                options[key] = [other for other in _named(names) if other != error.name] or None


def _named(given: str | Sequence[str] | None) -> Sequence[str]:
    """The columns that an option names."""
    return [given] if isinstance(given, str) else given or ()


def _unnamed(series: SeriesSet) -> bool:
    """Whether the channels have no names but those that arrays get."""
    return series.channels == tuple(f"channel_{index}" for index in range(series.n_channels))


def _named_after(series: SeriesSet, other: SeriesSet) -> SeriesSet:
    """``series`` with the names of ``other``, by position, where only one of the two has names of its own."""
    if other.n_channels != series.n_channels or other.channels == series.channels or not _unnamed(series):
        return series
    return replace(series, channels=other.channels, schema=None)


def fitted(real: SeriesSet, other: SeriesSet, name: str) -> SeriesSet:
    """``other`` with the channels of ``real``, in their order; by position where only one of the two names them.

    Raises:
        InputError: it has other channels, or series of another length.
    """
    where = f"{name} series"
    other = _named_after(other, real)
    missing = [channel for channel in real.channels if channel not in other.channels]
    if missing or other.n_channels != real.n_channels:
        extra = [channel for channel in other.channels if channel not in real.channels]
        parts = [f"not there: {', '.join(missing)}"] * bool(missing) + [f"only there: {', '.join(extra)}"] * bool(extra)
        raise InputError(
            f"the channels differ from those of the real series ({'; '.join(parts)})",
            where=where,
            fix="Give both the same channels, or name those to compare with channels=.",
        )
    regular = len(set(real.lengths.tolist())) == len(set(other.lengths.tolist())) == 1
    ratio = np.median(other.lengths) / np.median(real.lengths)
    if (regular and other.length != real.length) or not 2 / 3 <= ratio <= 3 / 2:
        raise InputError(
            f"they have {int(np.median(other.lengths))} time steps and the real series {int(np.median(real.lengths))}",
            where=where,
            fix="Compare series of one length; window=N cuts recordings into series of N steps.",
        )
    if other.channels == real.channels:
        return other
    order = [other.channels.index(channel) for channel in real.channels]
    return replace(
        other, values=other.values[:, order], observed=other.observed[:, order], channels=real.channels, schema=None
    )


def parse_limits(given: list[str] | None, where: str) -> dict[str, float]:
    """``["copying=0.8"]`` as ``{"copying": 0.8}``.

    Raises:
        InputError: not a name and a finite number.
    """
    found = {}
    for text in given or []:
        name, _, number = text.partition("=")
        fix = "Write for instance copying=0.8."
        try:
            limit = float(number)
        except ValueError:
            raise InputError(f"{text!r} is not NAME=NUMBER", where=where, fix=fix) from None
        if not isfinite(limit):
            raise InputError(f"{text!r} is no limit: the number must be finite", where=where, fix=fix)
        found[name.strip()] = limit
    return found


def check_limits(under: Mapping[str, float], over: Mapping[str, float], suite: str) -> None:
    """Refuse limits that the suite cannot judge, before anything is computed.

    Raises:
        InputError: a name that the suite has no score of, a limit that is not finite or on the good side of its score.
    """
    from tsprout.metrics.base import HIGHER, LOWER
    from tsprout.metrics.copying import COPYING, NEAR_COPIES
    from tsprout.metrics.registry import METRICS
    from tsprout.metrics.registry import suite as known_suite

    known = {metric.name: metric for metric in (*known_suite(suite), COPYING, NEAR_COPIES)}
    if suite == "full":
        known = {name: metric for name, metric in METRICS.items() if metric.group != "paper"}
    sides = (("--fail-under", under, LOWER, "--fail-over"), ("--fail-over", over, HIGHER, "--fail-under"))
    for where, limits, wrong, instead in sides:
        for name, limit in limits.items():
            if name not in known:
                raise InputError(
                    f"there is no score {name!r} in the {suite} suite",
                    where=where,
                    fix=f"Choose from {', '.join(known)}.",
                )
            if not isfinite(limit):
                raise InputError(f"the limit of {name} is {limit}", where=where, fix="Give a finite number.")
            if known[name].direction == wrong:
                raise InputError(
                    f"of {name} {wrong} is better, so that this would fail what is good",
                    where=where,
                    fix=f"Write {instead} {name}={limit:g}.",
                )


def evaluate_files(
    real: Path,
    synthetic: Path,
    *,
    shots: Path | None = None,
    held_out: Path | None = None,
    suite: str = "quick",
    seed: int = 0,
    html: Path | None = None,
    force: bool = False,
    fail_under: list[str] | None = None,
    fail_over: list[str] | None = None,
    reader: ReaderOptions | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """What ``tsprout evaluate`` does; the account has ``ok`` false where a score is beyond a limit.

    Raises:
        InputError: see :func:`evaluate` and :func:`check_limits`; or the page cannot be written, or would replace one
            of the files it is about.
    """
    under, over = parse_limits(fail_under, "--fail-under"), parse_limits(fail_over, "--fail-over")
    check_limits(under, over, suite)
    if html is not None:
        for given in (real, synthetic, shots, held_out):
            if given is not None:
                check_apart(given, html)
        check_file(html, force=force)
    options = {} if reader is None else reader.to_dict()
    report = evaluate(
        str(real),
        str(synthetic),
        shots=None if shots is None else str(shots),
        held_out=None if held_out is None else str(held_out),
        suite=suite,
        seed=seed,
        progress=progress,
        **options,
    )
    if html is not None:
        report.to_html(html, title=f"{Path(synthetic).name} beside {Path(real).name}", force=force)
    failed = report.failures(under, over)
    return {
        "command": "evaluate",
        "ok": not failed,
        "failed": failed,
        "files": {"real": str(real), "synthetic": str(synthetic), "html": None if html is None else str(html)},
        "scores": report.to_dict(),
    }
