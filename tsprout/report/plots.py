"""Real beside synthetic as a picture: sample paths on the same axis, and how the values are distributed.

One row a channel: real paths, synthetic paths, densities of both. Values are in the units of the input; cells that were
not observed are left open. Drawn with matplotlib's object interface only, so that no window, style or figure of the
caller is touched.
"""

from __future__ import annotations

import logging
import textwrap
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprout.errors import InputError
from tsprout.staging import write_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tsprout.series import SeriesSet

# blue and vermilion of Okabe and Ito's palette, told apart with every common kind of colour blindness and in grey
REAL = "#0072B2"
SYNTHETIC = "#D55E00"
_INK = "#333333"
_FAINT = "#D9D9D9"
_BINS = 40
_DPI = 130
_NAME = 19  # longest line of a channel name, in characters; there are two lines
_FALLBACKS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Microsoft YaHei",
    "PingFang SC",
    "Hiragino Sans",
    "Malgun Gothic",
)


def overlay(
    real: SeriesSet,
    synthetic: SeriesSet,
    path: str | Path,
    *,
    title: str | None = None,
    max_channels: int = 8,
    max_series: int = 12,
) -> Path:
    """Write a PNG with sample paths and densities of ``real`` and ``synthetic``, a row a channel.

    Args:
        real, synthetic: sets with the same number of channels.
        path: where the PNG goes; it appears whole or not at all, and replaces an older one.
        title: heading; by default the counts.
        max_channels: channels shown, the first ones.
        max_series: paths shown in each panel, spread evenly over the set. Densities use all series.

    Returns:
        the path.

    Raises:
        InputError: a set is empty, or the channel counts differ.
        TsproutError: the file cannot be written.
    """
    if real.n_channels != synthetic.n_channels:
        raise InputError(
            f"the real series have {real.n_channels} channels and the synthetic ones {synthetic.n_channels}",
            fix="Plot sets with the same channels.",
        )
    if not len(real) or not len(synthetic) or not real.n_channels:
        raise InputError("there is nothing to plot", fix="Give at least one real and one synthetic series.")
    if max_channels < 1 or max_series < 1:
        raise InputError(f"cannot show {max_channels} channels of {max_series} series", fix="Ask for at least one.")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*[Gg]lyph.*")  # a channel name the font cannot spell
        figure = _figure(real, synthetic, title, max_channels, max_series)
        return save_figure(figure, Path(path))


def _figure(real: SeriesSet, synthetic: SeriesSet, title: str | None, max_channels: int, max_series: int) -> Figure:
    figure_class, settings = drawing_tools()
    shown = min(real.n_channels, max_channels)
    more = real.n_channels - shown
    height = 1.55 * shown + 1.25 + (0.25 if more else 0.0)
    with settings:
        figure = figure_class(figsize=(10.5, height), dpi=_DPI, facecolor="white")
        left, right = 1.0 / 10.5, 1 - 0.2 / 10.5
        grid = figure.add_gridspec(
            shown,
            3,
            width_ratios=(1.0, 1.0, 0.72),
            left=left,
            right=right,
            top=1 - 0.85 / height,
            bottom=(0.55 + (0.25 if more else 0.0)) / height,
            wspace=0.16,
            hspace=0.28,
        )
        first: Axes | None = None
        for row in range(shown):
            limits = _limits(real.values[:, row], synthetic.values[:, row])
            paths = figure.add_subplot(grid[row, 0], sharex=first)
            first = first or paths
            others = figure.add_subplot(grid[row, 1], sharex=first, sharey=paths)
            density = figure.add_subplot(grid[row, 2])
            _paths(paths, real.values[:, row], REAL, max_series)
            _paths(others, synthetic.values[:, row], SYNTHETIC, max_series)
            _densities(density, real.values[:, row], synthetic.values[:, row], limits)
            paths.set_ylim(*limits)
            for axes, values in ((paths, real.values[:, row]), (others, synthetic.values[:, row])):
                _remark(axes, values, limits)
            paths.set_ylabel(_short(real.channels[row]), color=_INK, parse_math=False, labelpad=6)
            others.tick_params(labelleft=False)
            last = row == shown - 1
            for axes in (paths, others):
                axes.tick_params(labelbottom=last)
                axes.set_xlim(0, max(real.length, synthetic.length, 2) - 1)
            if last:
                paths.set_xlabel("time step")
                others.set_xlabel("time step")
                density.set_xlabel("value")
        _headings(figure, real, synthetic, title, height, (left, right), grid)
        if more:
            text = f"{more} more channel{'s' if more > 1 else ''} not shown"
            figure.text(left, 0.12 / height, text, color=_INK, fontsize=8.5, style="italic")
    return figure


def drawing_tools() -> tuple[type[Figure], Any]:
    """The figure class, and a context in which the caller's style does not apply; its start-up chatter is muted."""
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        from matplotlib import rc_context, rcParamsDefault
        from matplotlib.figure import Figure
        from matplotlib.font_manager import fontManager

        installed = set(fontManager.get_font_names())
    finally:
        logger.setLevel(level)
    style = {
        key: value for key, value in rcParamsDefault.items() if key.startswith(("axes.", "font.", "xtick.", "ytick."))
    }
    style |= {
        "font.family": ["DejaVu Sans", *(name for name in _FALLBACKS if name in installed)],
        "font.size": 9.0,
        "axes.edgecolor": _INK,
        "axes.labelcolor": _INK,
        "axes.linewidth": 0.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.color": _INK,
        "ytick.color": _INK,
        "xtick.labelsize": 8.0,
        "ytick.labelsize": 8.0,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "text.usetex": False,
    }
    return Figure, rc_context(style)


def _limits(*groups: np.ndarray) -> tuple[float, float]:
    """A y range that holds all finite values of the real group and the bulk of the synthetic one, with a margin."""
    pools = [group[np.isfinite(group)].astype(np.float64) for group in groups]
    pools = [pool for pool in pools if pool.size]
    if not pools:
        return -1.0, 1.0
    low, high = min(pool.min() for pool in pools), max(pool.max() for pool in pools)
    if len(pools) == 2 and pools[0].max() > pools[0].min():
        # one wild synthetic value must not flatten everything else into a line
        reach = 1.0 * (pools[0].max() - pools[0].min())
        low = max(low, min(pools[0].min() - reach, np.quantile(pools[1], 0.01)))
        high = min(high, max(pools[0].max() + reach, np.quantile(pools[1], 0.99)))
    margin = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
    return float(low - margin), float(high + margin)


def _paths(axes: Axes, values: np.ndarray, colour: str, max_series: int) -> None:
    chosen = np.unique(np.linspace(0, len(values) - 1, min(max_series, len(values))).round().astype(int))
    alpha = 0.9 if len(chosen) <= 3 else 0.65
    for series in values[chosen]:
        axes.plot(np.arange(len(series)), series, color=colour, alpha=alpha, linewidth=0.9, solid_capstyle="round")
        alone = _alone(series)
        if alone.size:  # a value between two gaps has no line to be seen by
            axes.plot(alone, series[alone], ".", color=colour, alpha=alpha, markersize=3)
    axes.grid(True, axis="y", color=_FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.locator_params(axis="y", nbins=5)
    axes.locator_params(axis="x", integer=True, nbins=6)


def _remark(axes: Axes, values: np.ndarray, limits: tuple[float, float]) -> None:
    """Say in the panel what it cannot show: that there is nothing, or how many values lie outside."""
    seen = values[np.isfinite(values)]
    outside = int(np.count_nonzero((seen < limits[0]) | (seen > limits[1])))
    if not seen.size:
        axes.text(0.5, 0.5, "no values", transform=axes.transAxes, ha="center", va="center", color=_INK, fontsize=8.5)
    elif outside:
        text = f"{outside:,} of {seen.size:,} values outside"
        axes.text(0.99, 0.97, text, transform=axes.transAxes, ha="right", va="top", color=_INK, fontsize=7.5)


def _alone(series: np.ndarray) -> np.ndarray:
    seen = np.concatenate([[False], np.isfinite(series), [False]])
    return np.flatnonzero(seen[1:-1] & ~seen[:-2] & ~seen[2:])


def _densities(axes: Axes, real: np.ndarray, synthetic: np.ndarray, limits: tuple[float, float]) -> None:
    """Histograms of both, each with area 1: filled for the real series, a line for the synthetic ones."""
    pools = [group[np.isfinite(group)] for group in (real, synthetic)]
    fewest = min((pool.size for pool in pools if pool.size), default=0)
    edges = np.linspace(*limits, int(np.clip(2 * np.sqrt(fewest), 8, _BINS)) + 1)
    for pool, colour, filled in zip(pools, (REAL, SYNTHETIC), (True, False), strict=True):
        if not pool.size:
            continue
        heights, _ = np.histogram(np.clip(pool, *limits), bins=edges)
        heights = heights / (pool.size * np.diff(edges))
        axes.stairs(heights, edges, color=colour, fill=filled, alpha=0.35 if filled else 1.0, linewidth=1.3)
        if filled:
            axes.stairs(heights, edges, color=colour, linewidth=0.8)
    axes.set_xlim(*limits)
    axes.set_ylim(bottom=0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.locator_params(axis="x", nbins=5)


def _headings(
    figure: Figure,
    real: SeriesSet,
    synthetic: SeriesSet,
    title: str | None,
    height: float,
    sides: tuple[float, float],
    grid: Any,
) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    text = title or f"{_count(len(real), 'real')} and {_count(len(synthetic), 'synthetic')} series"
    figure.text(
        sides[0], 1 - 0.17 / height, text, va="top", fontsize=11.5, fontweight="bold", color=_INK, parse_math=False
    )
    handles = [
        Patch(facecolor=REAL, edgecolor=REAL, alpha=0.6, label=f"real ({len(real):,})"),
        Line2D([], [], color=SYNTHETIC, linewidth=1.6, label=f"synthetic ({len(synthetic):,})"),
    ]
    figure.legend(
        handles=handles,
        loc="upper right",
        bbox_to_anchor=(sides[1], 1 - 0.1 / height),
        ncols=2,
        frameon=False,
        fontsize=9,
        borderaxespad=0.0,
    )
    _, tops, lefts, rights = grid.get_grid_positions(figure)
    for column, heading in enumerate(("real, sample paths", "synthetic, sample paths", "all values")):
        middle = (lefts[column] + rights[column]) / 2
        colour = (REAL, SYNTHETIC, _INK)[column]
        figure.text(middle, tops[0] + 0.09 / height, heading, ha="center", va="bottom", fontsize=9.5, color=colour)


def _count(n: int, kind: str) -> str:
    return f"{n:,} {kind}"


def _short(name: str) -> str:
    """The name on at most two lines."""
    lines = textwrap.wrap(str(name), _NAME, max_lines=2, placeholder="…") or [""]
    return "\n".join(line if len(line) <= _NAME else f"{line[: _NAME - 1]}…" for line in lines)


def save_figure(figure: Figure, path: Path) -> Path:
    """Write a picture as PNG, whole or not at all; the path.

    Raises:
        TsproutError: it cannot be written.
    """
    return write_file(path, lambda file: figure.savefig(file, format="png", metadata={"Software": None}))
