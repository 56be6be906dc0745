"""The figures of the report that show one channel each, a panel or two of about 340 pixels: small enough for a phone.

Every function takes a channel of both sets, ``(n_series, length)`` in its own units, NaN where nothing was seen, and
returns inline SVG without colours (:mod:`tsprout.report.svg`). Classes ``r`` and ``s`` stand for real and synthetic.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tsprout.report import curves
from tsprout.report.curves import Curve, finite
from tsprout.report.neighbours import Neighbours
from tsprout.report.svg import Panel, drawing, number, room_for, spread, tick_labels, ticks

WIDTH = 340.0
_RIGHT = 9.0
_BELOW = 32.0
_PATHS = 12
_DECADES = 5.0
_STILL = "does not move, or too little was observed"


def paths(real: np.ndarray, synthetic: np.ndarray, label: str, *, show: str = "rs", most: int = _PATHS) -> str:
    """Sample paths of both sets on one axis, or of one of them on the axis of both."""
    real, synthetic = real[spread(len(real), most)], synthetic[spread(len(synthetic), most)]
    ends = curves.limits(real, synthetic, reach=0.5)
    panel = _panel(190.0, (0.0, max(real.shape[-1], synthetic.shape[-1], 2) - 1.0), ends)
    for kind, values in (("r", real), ("s", synthetic)):
        if kind in show:
            style = f"{kind} few" if len(values) < 4 else kind
            panel.lines(np.arange(values.shape[-1], dtype=float), values, style)
    shown = [values for kind, values in (("r", real), ("s", synthetic)) if kind in show]
    _remark(panel, *shown)
    _steps(panel, "time step")
    return drawing(WIDTH, 190, label, panel.draw())


def marginals(real: np.ndarray, synthetic: np.ndarray, label: str) -> str:
    """Densities of all values, and synthetic against real quantiles."""
    ends = curves.limits(real, synthetic)
    at = ticks(*ends, 3)
    names, factor = tick_labels(at)
    density = Panel(6, 18, 182, 128, ends, (0.0, 1.0))
    pools = finite(real), finite(synthetic)
    edges = curves.bins(ends, *pools)
    heights = [curves.histogram(pool, edges) if pool.size else None for pool in pools]
    highest = max((float(bars.max()) for bars in heights if bars is not None), default=1.0)
    density.y = (0.0, 1.08 * highest)
    for bars, kind in zip(heights, "rs", strict=True):
        if bars is not None:
            density.stairs(edges, bars, kind, filled=kind == "r")
    density.text(density.left, 11, "density", style="title")
    density.x_axis(at, names, "value", factor=factor)
    left = 196 + room_for(names)
    side = WIDTH - _RIGHT - left
    against = Panel(left, 18, side, 128, ends, ends)
    against.text(left, 11, "quantiles", style="title")
    if all(pool.size for pool in pools):
        against.marks.append(
            f'<g class="line ideal"><path d="M0 128L{side:.1f} 0"/></g>'  # where both quantiles are equal
        )
        against.dots(curves.quantiles(pools[0]), curves.quantiles(pools[1]), "s quantile")
    else:
        against.note("no values", centred=True)
    against.y_axis(at, names)
    against.x_axis(at, names, "real")
    against.text(left + 4, 29, "synthetic", style="note halo")
    return drawing(WIDTH, 180, label, density.draw(), against.draw())


def autocorrelation(real: np.ndarray, synthetic: np.ndarray, label: str) -> str:
    """Mean autocorrelation of the series of both sets, with the band of the middle 80 %."""
    found = [(kind, curves.autocorrelation(values)) for kind, values in (("r", real), ("s", synthetic))]
    low = min((float(np.nanmin(curve.low)) for _, curve in found if curve.known), default=-0.2)
    last = max(float(curve.at[-1]) for _, curve in found)
    panel = _panel(170.0, (0.0, max(last, 1.0)), (max(min(low, 0.0) - 0.08, -1.02), 1.05))
    panel.rule(0.0)
    _bands(panel, found)
    _steps(panel, "lag, time steps")
    return drawing(WIDTH, 170, label, panel.draw())


def spectrum(real: np.ndarray, synthetic: np.ndarray, label: str) -> str:
    """Median power of both sets at every period, with the band of the middle 80 %, both axes logarithmic."""
    found = []
    for kind, values in (("r", real), ("s", synthetic)):
        curve = curves.spectrum(values)
        with np.errstate(divide="ignore", invalid="ignore"):
            found.append((kind, Curve(*(np.log10(row) for row in (curve.at, curve.middle, curve.low, curve.high)))))
    known = [curve for _, curve in found if curve.known]
    if not known:
        panel = Panel(8, 10, WIDTH - 17, 170 - 10 - _BELOW, (-1.0, 0.0), (0.0, 1.0))
        panel.note(_STILL, centred=True)
        panel.x_axis([], [], "period, time steps")
        return drawing(WIDTH, 170, label, panel.draw())
    high = max(float(curve.high.max()) for curve in known)
    high = max(high, max(float(curve.middle.max()) for curve in known))
    low = max(min(float(curve.low.min()) for curve in known), high - _DECADES)
    margin = 0.06 * (high - low) or 0.5
    powers = np.arange(np.ceil(low - margin), np.floor(high + margin) + 1)
    powers = powers[:: max(len(powers) // 5, 1)] if len(powers) > 1 else ticks(low - margin, high + margin, 4)
    labels = [_power(value) for value in powers]
    slowest, fastest = min(float(curve.at[0]) for curve in known), max(float(curve.at[-1]) for curve in known)
    wide = (slowest - 0.02, max(fastest, slowest + 0.1) + 0.02)
    left = room_for(labels)
    panel = Panel(left, 12, WIDTH - left - _RIGHT, 170 - 12 - _BELOW, wide, (low - margin, high + margin))
    panel.y_axis(powers, labels)
    _bands(panel, found)
    periods = np.array([p * 10**k for k in range(5) for p in (1, 2, 3, 5)])
    periods = periods[(periods >= 0.999 * 10 ** -wide[1]) & (periods <= 1.001 * 10 ** -wide[0])][::-1]
    longest = round(float(10**-slowest))
    if not len(periods) or longest > 1.25 * periods[0]:
        periods = np.concatenate([[longest], periods])
    panel.x_axis(-np.log10(periods), [f"{p:,}" for p in periods.tolist()], "period, time steps")
    return drawing(WIDTH, 170, label, panel.draw())


def distances(found: Neighbours, label: str) -> str:
    """How far synthetic and unseen real series are from the nearest shown one."""
    pools = [pool for pool in (found.reference, found.distances) if pool.size]
    high = max((float(np.quantile(pool, 0.99)) for pool in pools), default=1.0)
    high = max([high, *(float(pool.max()) for pool in pools if pool.max() < 1.5 * high)]) * 1.05 or 1.0
    edges = curves.bins((0.0, high), *pools)
    panel = Panel(8, 10, WIDTH - 16, 188 - 10 - _BELOW, (0.0, high), (0.0, 1.0))
    bars = [
        (kind, curves.histogram(pool, edges))
        for kind, pool in (("r", found.reference), ("s", found.distances))
        if pool.size
    ]
    panel.y = (0.0, 1.08 * max((float(heights.max()) for _, heights in bars), default=1.0))
    for kind, heights in bars:
        panel.stairs(edges, heights, kind, filled=kind == "r")
    at = ticks(0.0, high, 5)
    labels, factor = tick_labels(at)
    panel.x_axis(at, labels, "distance to the nearest, standard deviations", factor=factor)
    return drawing(WIDTH, 188, label, panel.draw())


def pair(
    synthetic: np.ndarray, shown: np.ndarray, ends: Sequence[tuple[float, float]], label: str, *, number_from: int = 1
) -> str:
    """One synthetic series ``(C, L)`` on top of its nearest shown one, a row a channel."""
    row = 150.0 if len(ends) == 1 else 76.0 if len(ends) < 4 else 46.0
    length = max(synthetic.shape[-1], shown.shape[-1], 2)
    parts = []
    for channel, span in enumerate(ends):
        left = 18.0 if len(ends) > 1 else 2.0
        panel = Panel(left, channel * row + 3, 240 - left - 2, row - 6, (-0.3, length - 0.7), span)
        for values, kind in ((shown, "r"), (synthetic, "s")):
            panel.line(np.arange(values.shape[-1], dtype=float), values[channel], f"{kind} few")
        if len(ends) > 1:
            panel.text(8, panel.top + panel.height / 2 + 4, str(number_from + channel), "middle", "note")
        panel.frame.append(f'<path class="grid" d="M{left} {panel.top + panel.height + 3:.1f}h{panel.width:.1f}"/>')
        parts.append(panel.draw())
    return drawing(240, row * len(ends) + 1, label, *parts)


def cloud(points: np.ndarray, n_real: int, titles: tuple[str, str], label: str) -> str:
    """A map of series: synthetic points, and real ones on top of them."""
    low, high = points.min(axis=0), points.max(axis=0)
    room = np.maximum(0.05 * (high - low), 0.02 * float((high - low).max()) + 1e-9)
    spans = [(float(a - m), float(b + m)) for a, b, m in zip(low, high, room, strict=True)]
    panel = Panel(22, 6, WIDTH - 28, 300 - 6 - 24, spans[0], spans[1])
    few = "large" if n_real <= 60 else ""
    panel.dots(points[n_real:, 0], points[n_real:, 1], "s")
    panel.dots(points[:n_real, 0], points[:n_real, 1], f"r {few} under")
    panel.dots(points[:n_real, 0], points[:n_real, 1], f"r {few}")
    panel.frame.append(
        f'<rect class="edge" x="{panel.left}" y="{panel.top}" width="{panel.width}" height="{panel.height}"/>'
    )
    panel.text(panel.left + panel.width / 2, 294, titles[0], "middle", "title")
    turned = f'<text class="title" transform="translate(13 {panel.top + panel.height / 2}) rotate(-90)"'
    panel.frame.append(f'{turned} text-anchor="middle">{titles[1]}</text>')
    return drawing(WIDTH, 300, label, panel.draw())


def _panel(height: float, x: tuple[float, float], y: tuple[float, float]) -> Panel:
    """A panel of the full width whose y axis is drawn."""
    at = ticks(*y, 4)
    labels, factor = tick_labels(at)
    left, top = room_for(labels), 16.0 if factor else 10.0
    panel = Panel(left, top, WIDTH - left - _RIGHT, height - top - _BELOW, x, y)
    panel.y_axis(at, labels, factor=factor)
    return panel


def _steps(panel: Panel, title: str) -> None:
    at = ticks(*panel.x, 6, whole=True)
    panel.x_axis(at, [f"{value:,.0f}" for value in at], title)


def _bands(panel: Panel, found: Sequence[tuple[str, Curve]]) -> None:
    for kind, curve in found:
        panel.band(curve.at, curve.low, curve.high, kind)
    for kind, curve in found:
        panel.line(curve.at, curve.middle, f"{kind} bold")
    if not any(curve.known for _, curve in found):
        panel.note(_STILL, centred=True)


def _remark(panel: Panel, *shown: np.ndarray) -> None:
    """Say in the panel what it cannot show: that there is nothing, or how many values lie outside."""
    if not any(finite(values).size for values in shown):
        panel.note("no values", centred=True)
        return
    beyond = sum(curves.outside(values, panel.y) for values in shown)
    if beyond:
        panel.note(f"{beyond:,} value{'s' if beyond > 1 else ''} outside")


def _power(value: float) -> str:
    if -2 <= value <= 3:
        return number(10**value, 1)
    return f"10{number(value, 1).translate(str.maketrans('−0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"
