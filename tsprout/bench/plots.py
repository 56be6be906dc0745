"""The pictures of a benchmark: scores over shots, quality against time and against copying, critical differences.

Quality is the score over that of copies of the shots, both no better than the floor
(:func:`tsprout.train.fewshot.ratio`), as a geometric mean over tasks: 1 is as good as handing the shots back, less is
better. Drawn with matplotlib's object interface only, as :mod:`tsprout.report.plots` does.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsprout.bench.ranks import Ranks, losses, ranks
from tsprout.bench.results import UNRANKED, Result, Results, mean_sd, title
from tsprout.bench.tables import shots_name
from tsprout.errors import InputError
from tsprout.report.plots import drawing_tools, save_figure
from tsprout.staging import check_file
from tsprout.train.fewshot import ratio

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette, then the same with other marks.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_MARKS = "osD^vPX"
_INK, _FAINT = "#333333", "#D9D9D9"


def write_plots(
    results: Results, folder: Path, metrics: Sequence[str] = (), *, force: bool = False
) -> tuple[list[Path], list[str]]:
    """Write the pictures of every suite and score as PNG into ``folder``, which exists.

    Args:
        results: of a benchmark.
        folder: for the pictures.
        metrics: only these scores.
        force: replace pictures of the same name; else nothing is drawn where there are some.

    Returns:
        the files, and sentences on pictures that there is too little for.

    Raises:
        InputError: a picture is there and ``force`` is not set.
        TsproutError: a file cannot be written.
    """
    pictures = [
        (suite, metric, name, folder / f"{_file_name(suite)}-{_file_name(metric)}-{name}.png")
        for suite in results.unique("suite")
        for metric in results.metrics(suite)
        if metric not in UNRANKED and (not metrics or metric in metrics)
        for name in PLOTS
    ]
    for *_, place in pictures:
        check_file(place, force=force)
    written, notes = [], []
    for suite, metric, name, place in pictures:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of fonts that lack a letter of a label
            try:
                figure = PLOTS[name](results, suite, metric)
            except InputError as error:
                notes.append(f"{name} of {title(metric)} ({suite}): {error.what}")
                continue
            written.append(save_figure(figure, place))
    return written, notes


def over_shots(results: Results, suite: str, metric: str) -> Figure:
    """Mean score of every model over the numbers of shots, a panel a length; dotted: the floor; dashed: copies.

    Raises:
        InputError: there are no scores.
    """
    shots, lengths = results.unique("shots"), results.unique("length")
    figure_class, context = drawing_tools()
    with context:
        figure = figure_class(figsize=(1.5 + 3.6 * len(lengths), 3.8), dpi=130, layout="constrained")
        panels = figure.subplots(1, len(lengths), sharey=True, squeeze=False)[0]
        drawn = False
        for axes, length in zip(panels, lengths, strict=True):
            for number, model in enumerate(results.unique("model")):
                cells = [list(results.of(suite=suite, length=length, shots=k, model=model)) for k in shots]
                found = [mean_sd([r.value(metric) for r in each]) for each in cells]
                drawn |= any(n for _, _, n in found)
                axes.plot(range(len(shots)), [mean for mean, _, _ in found], **_style(number), label=model)
            for kind, dots in (("floor", ":"), ("copies", "--")):
                beside = [
                    mean_sd([r.value(metric, kind) for r in results.of(suite=suite, length=length, shots=k)])[0]
                    for k in shots
                ]
                label = {"floor": "real again", "copies": "shots copied"}[kind]
                if len(shots) > 1:
                    axes.plot(range(len(shots)), beside, dots, color=_INK, linewidth=1, label=label)
                elif math.isfinite(beside[0]):
                    axes.axhline(beside[0], linestyle=dots, color=_INK, linewidth=1, label=label)
            axes.set_xticks(range(len(shots)), [shots_name(k) for k in shots])
            axes.set_title(f"length {length}", fontsize=9.5)
            axes.set_xlabel("shots")
            _grid(axes)
        if not drawn:
            raise InputError("no cell has this score yet")
        panels[0].set_ylabel(title(metric))
        _legend(figure, panels[0])
    return figure


def against_time(results: Results, suite: str, metric: str) -> Figure:
    """Quality over the mean seconds of fitting and drawing, a dot a model."""

    def seconds(cells: list[Result]) -> float:
        return mean_sd([r.seconds.get("fit", math.nan) + r.seconds.get("sample", math.nan) for r in cells])[0]

    return _dots(results, suite, metric, seconds, "seconds to fit and draw, mean over tasks", log=True)


def against_copying(results: Results, suite: str, metric: str) -> Figure:
    """Quality over the copying ratio, a dot a model; 1: as far from the shots as unseen real series, 0: copies."""

    def copied(cells: list[Result]) -> float:
        return mean_sd([r.value("copying") for r in cells])[0]

    return _dots(results, suite, metric, copied, "distance to the shots over that of unseen real series", log=False)


def critical_differences(results: Results, suite: str, metric: str) -> Figure:
    """Mean ranks on a line, best at the left; bars join models that do not differ at 5 %.

    Raises:
        InputError: there are fewer than two models or tasks that all have done.
    """
    models, values = losses(results, suite, metric)
    found = ranks(models, values)
    figure_class, context = drawing_tools()
    with context:
        k = len(found.models)
        figure = figure_class(figsize=(7.2, 1.5 + 0.3 * k), dpi=130, layout="constrained")
        axes = figure.subplots()
        order = sorted(range(k), key=lambda i: (found.mean[i], found.models[i]))
        for place, i in enumerate(order):
            axes.plot([found.mean[i]] * 2, [0, place + 1], color=_FAINT, linewidth=1)
            axes.plot(found.mean[i], place + 1, "o", color=_COLOURS[0], markersize=5)
            text = f"  {found.models[i]}  {found.mean[i]:.2f}"
            axes.text(found.mean[i], place + 1, text, va="center", color=_INK, fontsize=8.5, parse_math=False)
        for number, (first, last) in enumerate(cliques(found)):
            height = -0.35 - 0.3 * number
            axes.plot([first - 0.02, last + 0.02], [height] * 2, color=_INK, linewidth=3, solid_capstyle="butt")
        axes.set_xlim(0.9, k + 0.35 * k)
        axes.set_xticks(range(1, k + 1))
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.invert_yaxis()
        p = f", Friedman p = {found.p:.2g}" if math.isfinite(found.p) else ""
        axes.set_xlabel(f"mean rank over {found.blocks} tasks, {title(metric)}")
        axes.set_title(f"critical difference {found.critical:.2f} at 5 %{p}", fontsize=9.5)
    return figure


def cliques(found: Ranks) -> list[tuple[float, float]]:
    """First and last rank of every largest group of models within the critical difference, of two or more."""
    order = sorted(found.mean)
    groups: list[tuple[int, int]] = []
    for i, first in enumerate(order):
        last = max(j for j in range(i, len(order)) if order[j] - first <= found.critical)
        if last > i and not any(a <= i and last <= b for a, b in groups):
            groups.append((i, last))
    return [(order[a], order[b]) for a, b in groups]


PLOTS: dict[str, Callable[[Results, str, str], Any]] = {
    "shots": over_shots,
    "time": against_time,
    "copying": against_copying,
    "ranks": critical_differences,
}


def quality(results: Results, suite: str, metric: str, model: str) -> float:
    """Geometric mean over cells of the score over that of copies; NaN where there is none."""
    found = []
    for r in results.of(suite=suite, model=model):
        value = r.value(metric)
        kinds = {kind: {metric: r.value(metric, kind)} for kind in ("floor", "copies", "noise")}
        if math.isfinite(value) and all(math.isfinite(own[metric]) for own in kinds.values()):
            found.append(math.log(ratio(metric, value, kinds)))
    return math.exp(math.fsum(found) / len(found)) if found else math.nan


def _dots(
    results: Results, suite: str, metric: str, across: Callable[[list[Result]], float], label: str, *, log: bool
) -> Figure:
    figure_class, context = drawing_tools()
    with context:
        figure = figure_class(figsize=(6.4, 4.2), dpi=130, layout="constrained")
        axes, drawn = figure.subplots(), 0
        for number, model in enumerate(results.unique("model")):
            x, y = across(list(results.of(suite=suite, model=model))), quality(results, suite, metric, model)
            if math.isfinite(x) and math.isfinite(y):
                drawn += 1
                axes.plot(max(x, 1e-3) if log else x, y, **(_style(number) | {"linestyle": "none"}), label=model)
        if not drawn:
            raise InputError("no cell has what is needed yet")
        if log:
            axes.set_xscale("log")
            low, high = axes.get_xlim()
            axes.set_xlim(low / 3, high * 3)  # or a narrow range would have no power of ten to be read by
        else:
            axes.axvline(1, color=_FAINT, linewidth=1)
        axes.axhline(1, color=_INK, linewidth=1, linestyle="--")
        axes.set_xlabel(label)
        axes.set_ylabel(f"{title(metric)} over that of copies")
        _grid(axes)
        _legend(figure, axes)
    return figure


def _style(number: int) -> dict[str, Any]:
    colour, mark = _COLOURS[number % len(_COLOURS)], _MARKS[number // len(_COLOURS) % len(_MARKS)]
    return {"color": colour, "marker": mark, "markersize": 5, "linewidth": 1.3}


def _grid(axes: Any) -> None:
    axes.grid(True, color=_FAINT, linewidth=0.5)
    axes.set_axisbelow(True)


def _legend(figure: Figure, axes: Any) -> None:
    legend = figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper", frameon=False, fontsize=8.5)
    for text in legend.get_texts():
        text.set_parse_math(False)


def _file_name(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in text)
