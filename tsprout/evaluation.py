"""How good are synthetic series: :func:`evaluate` for a notebook, :func:`evaluate_files` for the command line.

>>> import tsprout
>>> report = tsprout.evaluate("real.csv", "synthetic.csv", shots="shots.csv", suite="full")  # doctest: +SKIP
>>> report.table, report.verdict  # doctest: +SKIP
>>> report.to_html("report.html")  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprout.accounts import to_json, versions
from tsprout.errors import InputError
from tsprout.metrics.scores import Score, Scores
from tsprout.series import SeriesSet
from tsprout.staging import check_file, from_os_error

if TYPE_CHECKING:
    import pandas as pd

    from tsprout.job import ReaderOptions

Progress = Callable[[str, int, int], None]
# Beyond these, two sets are not in the same units: real standard deviations between medians, and ratio of spreads.
_FAR, _WIDE = 20.0, 50.0


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

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {"suite": self.suite, "versions": versions(), **self.scores.to_dict()}

    def to_json(self, path: str | Path | None = None) -> str:
        """The same as JSON, written to ``path`` where one is given."""
        text = to_json(self.to_dict()) + "\n"
        if path is not None:
            try:
                Path(path).write_text(text, encoding="utf-8")
            except OSError as error:
                raise from_os_error(error, path) from error
        return text

    def to_html(self, path: str | Path | None = None, *, title: str | None = None) -> str:
        """The report as one self-contained page, written to ``path`` where one is given."""
        from tsprout.report.html import render_report, write_report

        options: dict[str, Any] = {"shots": self.shots, "title": title, "facts": self.facts()}
        if path is None:
            return render_report(self.real, self.synthetic, self.scores, **options)
        write_report(path, self.real, self.synthetic, self.scores, **options)
        return Path(path).read_text(encoding="utf-8")

    def plot(self, path: str | Path) -> Path:
        """Sample paths and densities, channel by channel, as a PNG."""
        from tsprout.report.plots import overlay

        return overlay(self.real, self.synthetic, path)

    def facts(self) -> dict[str, str]:
        """What the report says of how it came about."""
        found = versions()
        kept = {"tsprout": found["tsprout"]} if "tsprout" in found else {}
        return {"suite": self.suite, "seed": str(self.scores.seed), **kept}

    def failures(self, under: Mapping[str, float], over: Mapping[str, float]) -> list[str]:
        """A sentence for every score below its limit in ``under`` or above that in ``over``.

        Raises:
            InputError: a name that this report has no score of.
        """
        found = []
        for limits, below in ((under, True), (over, False)):
            for name, limit in limits.items():
                try:
                    value = self.scores[name].value.mean
                except KeyError:
                    known = ", ".join(score.name for score in self.scores)
                    where = "--fail-under" if below else "--fail-over"
                    raise InputError(f"there is no score {name!r}", where=where, fix=f"Choose from {known}.") from None
                if not np.isfinite(value):
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
    **reading: Any,
) -> Report:
    """Compare synthetic series with real ones.

    Args:
        real, synthetic: paths, frames, arrays (with ``axes``) or :class:`SeriesSet`, as ``Sprout.fit`` takes them.
        shots: the series the generator was shown; by default the real ones, and the report then says that nothing
            unseen is there to compare with.
        held_out: real series it was not shown, to judge copying by; by default the real ones that are not shots.
        suite: ``quick`` (seconds), ``full`` (a minute) or ``paper`` (minutes).
        seed: everything random follows from it.
        progress: called as ``progress(stage, done, total)``.
        **reading: options of :func:`tsprout.read`, for all of them.

    Raises:
        InputError: an object cannot be read; channels, lengths or units of the sets do not fit; or no such suite.
    """
    from tsprout.data.frames import from_object
    from tsprout.metrics.registry import suite as known_suite
    from tsprout.metrics.suites import score_suite

    known_suite(suite)
    own = from_object(real, **reading)
    others = {
        name: fitted(own, from_object(given, **reading), name)
        for name, given in (("synthetic", synthetic), ("shot", shots), ("held-out", held_out))
        if given is not None
    }
    made, shown, unseen = others["synthetic"], others.get("shot"), others.get("held-out")
    check_units(own, made)
    known = own if shown is None else shown
    labels = None
    if own.labels is not None and made.labels is not None and known.labels is not None:
        labels = (own.labels, made.labels, known.labels)
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
    return Report(scores, own, made, shown, suite)


def fitted(real: SeriesSet, other: SeriesSet, name: str) -> SeriesSet:
    """``other`` with the channels of ``real``, in their order.

    Raises:
        InputError: it has other channels, or series of another length.
    """
    where = f"{name} series"
    missing = [channel for channel in real.channels if channel not in other.channels]
    if missing or other.n_channels != real.n_channels:
        extra = [channel for channel in other.channels if channel not in real.channels]
        parts = [f"not there: {', '.join(missing)}"] * bool(missing) + [f"only there: {', '.join(extra)}"] * bool(extra)
        raise InputError(
            f"the channels differ from those of the real series ({'; '.join(parts)})",
            where=where,
            fix="Give both the same channels, or name those to compare with channels=[...].",
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


def check_units(real: SeriesSet, synthetic: SeriesSet) -> None:
    """Refuse to compare values in other units, such as standardised ones with raw ones: it would look like failure.

    Raises:
        InputError: every channel lies far from its real one, or spreads many times more or less there.
    """
    apart = []
    for index in range(real.n_channels):
        own, made = (s.values[:, index][s.observed[:, index]].astype(np.float64) for s in (real, synthetic))
        if not len(own) or not len(made):
            continue
        spread, other = own.std(), made.std()
        if spread <= 0:
            continue
        far = abs(np.median(made) - np.median(own)) / spread
        apart.append(far > _FAR or other > _WIDE * spread or (other < spread / _WIDE and far > 1))
    if apart and all(apart):
        raise InputError(
            "no channel has the level and spread of the real one: the two seem to be in different units",
            where="synthetic series",
            fix="Bring both into the same units; what tsprout writes has those of the input.",
        )


def parse_limits(given: list[str] | None, where: str) -> dict[str, float]:
    """``["copying=0.8"]`` as ``{"copying": 0.8}``.

    Raises:
        InputError: not a name and a number.
    """
    found = {}
    for text in given or []:
        name, _, number = text.partition("=")
        try:
            found[name.strip()] = float(number)
        except ValueError:
            raise InputError(
                f"{text!r} is not NAME=NUMBER", where=where, fix="Write for instance copying=0.8."
            ) from None
    return found


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
        InputError: see :func:`evaluate`; or the page cannot be written.
    """
    under, over = parse_limits(fail_under, "--fail-under"), parse_limits(fail_over, "--fail-over")
    if html is not None:
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
    failed = report.failures(under, over)
    if html is not None:
        report.to_html(html, title=f"{Path(synthetic).name} beside {Path(real).name}")
    return {
        "command": "evaluate",
        "ok": not failed,
        "failed": failed,
        "files": {"real": str(real), "synthetic": str(synthetic), "html": None if html is None else str(html)},
        "scores": report.to_dict(),
    }
