"""The tables of a benchmark: a score a table, a data set and number of shots a line, a model a column.

Our columns come first; what takes no skill (another real sample, copies, noise) and published figures follow, each
marked, and are neither ranked nor bold. Averages are over the sets that all of our models have done, and a published
column has one only where it covers the same sets. The same scores give the same tables, in whatever order they came.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from tsprout.bench.published import LENGTH, PROTOCOL, Published
from tsprout.bench.ranks import rank_rows, wins
from tsprout.bench.results import UNRANKED, Results, loss, mean_sd, title
from tsprout.bench.store import FAILED
from tsprout.metrics.base import HIGHER
from tsprout.metrics.registry import METRICS
from tsprout.metrics.yardstick import BESIDE

OURS, TAKES_NO_SKILL, PUBLISHED = "ours", "beside", "published"
_BESIDE_TITLES = {"floor": "real again", "copies": "shots copied", "noise": "noise"}
_NO_SKILL = "no model: another real sample, the shots handed back, Gaussian noise; measured beside ours, not ranked"


@dataclass(frozen=True)
class Column:
    """``name`` of a model; ``kind``: ours, beside or published; ``mark`` of its footnote."""

    name: str
    kind: str = OURS
    mark: str = ""


@dataclass(frozen=True)
class Entry:
    """A cell of a table: its text, and whether it is the best of ours on its line."""

    text: str
    best: bool = False


@dataclass(frozen=True)
class Row:
    """``shots`` and ``name`` of a line; ``kind``: ``set``, or ``summary`` for averages, wins and ranks."""

    shots: str
    name: str
    entries: tuple[Entry, ...]
    kind: str = "set"


@dataclass(frozen=True)
class Table:
    """A table, with the footnotes of its marks and remarks."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    footnotes: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass
class _Line:
    """Mean, spread and number of seeds of every column on one set."""

    name: str
    figures: list[tuple[float, float, int]] = field(default_factory=list)
    failed: list[bool] = field(default_factory=list)


def tables(results: Results, published: Published | None = None, metrics: Sequence[str] = ()) -> list[Table]:
    """All tables: by suite, score and length.

    Args:
        results: of a benchmark.
        published: figures to put beside ours, where protocol, length, set and shots are theirs.
        metrics: only these scores; all by default.
    """
    found = []
    for suite in results.unique("suite"):
        for metric in results.metrics(suite):
            if not metrics or metric in metrics:
                found += [_table(results, suite, metric, length, published) for length in results.unique("length")]
    return found


def shots_name(shots: str) -> str:
    """``#10`` for a number, ``5%`` for a share."""
    return shots if shots.endswith("%") else f"#{shots}"


def _table(results: Results, suite: str, metric: str, length: int, published: Published | None) -> Table:
    ours = [Column(name) for name in results.unique("model")]
    beside = [Column(_BESIDE_TITLES[kind], TAKES_NO_SKILL, "°") for kind in BESIDE]
    footnotes = [("°", _NO_SKILL)]
    theirs, keys = [], []
    if published is not None and results.protocol == PROTOCOL and length == LENGTH:
        wanted = {(s, k, metric) for s in results.unique("set") for k in results.unique("shots")}
        keys = [key for key, figures in published.figures.items() if wanted & figures.keys()]
        marks = {source: f"†{chr(ord('a') + i)}" for i, source in enumerate(published.sources)}
        theirs = [Column(model, PUBLISHED, marks[source]) for source, model in keys]
        for source in dict.fromkeys(source for source, _ in keys):
            footnotes.append((marks[source], f"published, not measured here: {source}"))
    columns = (*ours, *beside, *theirs)
    rows, seeds = [], len(results.unique("seed"))
    for shots in results.unique("shots"):
        lines = []
        for name in results.unique("set"):
            line = _line(results, suite, metric, length, shots, name)
            for key in keys:
                assert published is not None
                mean, sd = published.figures[key].get((name, shots, metric), (math.nan, math.nan))
                line.figures.append((mean, sd, seeds))
                line.failed.append(False)
            lines.append(line)
            rows.append(_row(line, shots, metric, len(ours), seeds))
        rows += _summary(lines, shots, metric, len(ours), len(theirs))
    better = "Higher" if metric in METRICS and METRICS[metric].direction == HIGHER else "Lower"
    notes = [f"Mean ± standard deviation over seeds (of published figures: as printed). {better} is better."]
    if metric in UNRANKED:
        notes = ["Mean ± standard deviation over seeds. Neither less nor more is better: see the column real again."]
    if seeds > 1:
        notes.append(f"Of {seeds} seeds; [n] where only n are done.")
    counts = results.counts()
    if counts["done"] < counts["cells"]:
        notes.append(f"{counts['missing']} of {counts['cells']} cells are missing, {counts['failed']} failed.")
    heading = f"{title(metric)} ({suite}), protocol {results.protocol}, length {length}"
    return Table(heading, columns, tuple(rows), tuple(footnotes), tuple(notes))


def _line(results: Results, suite: str, metric: str, length: int, shots: str, name: str) -> _Line:
    line, every = _Line(name), list(results.of(suite=suite, length=length, shots=shots, set=name))
    for model in results.unique("model"):
        own = [r for r in every if r.cell["model"] == model]
        line.figures.append(mean_sd([r.value(metric) for r in own]))
        line.failed.append(any(r.status == FAILED for r in own))
    for kind in BESIDE:
        # The same for all models: the first that has it, seed by seed.
        by_seed: dict[int, float] = {}
        for r in every:
            value = r.value(metric, kind)
            if math.isfinite(value):
                by_seed.setdefault(r.cell["seed"], value)
        mean, sd, _ = mean_sd([by_seed[seed] for seed in sorted(by_seed)])
        line.figures.append((mean, sd, len(results.unique("seed"))))
        line.failed.append(False)
    return line


def _row(line: _Line, shots: str, metric: str, ours: int, seeds: int) -> Row:
    texts = [
        _text(*figure, seeds) if figure[2] and math.isfinite(figure[0]) else ("failed" if failed else "")
        for figure, failed in zip(line.figures, line.failed, strict=True)
    ]
    shown = [loss(metric, round(figure[0], 3)) for figure in line.figures[:ours]]
    least = min((v for v in shown if math.isfinite(v)), default=math.nan)
    best = [i < ours and metric not in UNRANKED and shown[i] == least for i in range(len(texts))]
    return Row(shots, line.name, tuple(Entry(text, b) for text, b in zip(texts, best, strict=True)))


def _text(mean: float, sd: float, n: int, seeds: int) -> str:
    tail = f" ± {sd:.3f}" if math.isfinite(sd) else ""
    return f"{mean:.3f}{tail}" + (f" [{n}]" if n < seeds else "")


def _summary(lines: list[_Line], shots: str, metric: str, ours: int, theirs: int) -> list[Row]:
    import numpy as np

    whole = [line for line in lines if all(math.isfinite(f[0]) for f in line.figures[:ours])]
    if not whole:
        return []
    width = len(whole[0].figures)
    means = []
    for i in range(width):
        values = [line.figures[i][0] for line in whole]
        means.append(f"{math.fsum(values) / len(values):.3f}" if all(map(math.isfinite, values)) else "")
    rows = [Row(shots, f"average of {len(whole)}", tuple(map(Entry, means)), "summary")]
    if metric in UNRANKED or ours < 2:
        return rows
    losses = np.array([[loss(metric, f[0]) for f in line.figures[:ours]] for line in whole])
    blank = [""] * (width - ours)
    won = [*map(str, wins(losses)), *blank]
    ranked = [*(f"{rank:.2f}" for rank in rank_rows(losses).mean(axis=0)), *blank]
    rows += [
        Row(shots, f"wins of {len(whole)}", tuple(map(Entry, won)), "summary"),
        Row(shots, "mean rank", tuple(map(Entry, ranked)), "summary"),
    ]
    if theirs:
        published = np.array([[f[0] if math.isfinite(f[0]) else math.inf for f in e.figures[-theirs:]] for e in whole])
        both = wins(np.concatenate([losses, published], axis=1))
        won = [*map(str, both[:ours]), *[""] * (width - ours - theirs), *map(str, both[ours:])]
        name = f"wins of {len(whole)}, † included"
        rows.append(Row(shots, name, tuple(map(Entry, won)), "summary"))
    return rows
