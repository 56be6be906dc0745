"""Correlation matrices of the channels as heat maps: real, synthetic, and what the second has more than the first."""

from __future__ import annotations

from html import escape

import numpy as np

from tsprout.metrics.correlation import correlations
from tsprout.metrics.reference import Reference
from tsprout.report.svg import drawing, room_for, shorten, spread

MOST = 32  # channels of a matrix
_NAMED = 12  # channels up to which the rows carry names
_LEVELS = 10
_CELLS = 8_000_000
_SIZE = 260.0


def matrices(real: np.ndarray, synthetic: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Correlations ``(C, C)`` of real and synthetic series ``(n, C, L)``; NaN where a channel does not move."""
    rows = max(_CELLS // max(real.shape[1] * max(real.shape[2], synthetic.shape[2]), 1), 20)
    first, second = (values[spread(len(values), rows)].astype(np.float64) for values in (real, synthetic))
    reference = Reference.fit(first)
    return correlations(reference.standardise(first)), correlations(reference.standardise(second))


def heat(matrix: np.ndarray, names: tuple[str, ...], label: str) -> str:
    """A matrix of numbers between -1 and 1 (differences up to 2 count as 1)."""
    count = len(matrix)
    named = count <= _NAMED
    left = room_for([_row(i, name) for i, name in enumerate(names)]) if named else 26.0
    cell = _SIZE / count
    parts = [_cells(matrix, left, cell)]
    parts.append(f'<rect class="edge" x="{left:.1f}" y="4" width="{_SIZE:g}" height="{_SIZE:g}"/>')
    for i, name in enumerate(names):
        if not named and i % 5 != 4 and i != 0:
            continue
        at = (i + 0.5) * cell
        words = _row(i, name) if named else str(i + 1)
        parts.append(f'<text x="{left - 5:.1f}" y="{at + 8:.1f}" text-anchor="end">{escape(words)}</text>')
        parts.append(f'<text x="{left + at:.1f}" y="{_SIZE + 17:.1f}" text-anchor="middle">{i + 1}</text>')
    return drawing(left + _SIZE + 6, _SIZE + 22, label, *parts)


def key() -> str:
    """The colours from -1 to 1."""
    steps = np.linspace(-1, 1, 2 * _LEVELS + 1)
    cells = "".join(_cells(np.array([[value]]), 6 + 10.0 * i, 10.0, top=2) for i, value in enumerate(steps))
    ends = "".join(
        f'<text x="{6 + 10 * at:g}" y="26" text-anchor="middle">{words}</text>'
        for at, words in ((0.8, "−1"), (10.5, "0"), (20.2, "+1"))
    )
    return drawing(222, 30, "Colour key from minus one over zero to plus one", cells, ends)


def _row(i: int, name: str) -> str:
    return f"{shorten(name, 9)} {i + 1}"


def _cells(matrix: np.ndarray, left: float, cell: float, top: float = 4.0) -> str:
    """One path for every shade, so that a large matrix stays small on disk."""
    shade = np.round(np.clip(np.nan_to_num(matrix), -1, 1) * _LEVELS).astype(int)
    shade[np.isnan(matrix)] = _LEVELS + 1
    parts = []
    for level in np.unique(shade[shade != 0]).tolist():
        squares = "".join(
            f"M{left + j * cell:.1f} {top + i * cell:.1f}h{cell:.2f}v{cell:.2f}h-{cell:.2f}z"
            for i, j in zip(*(axis.tolist() for axis in np.nonzero(shade == level)), strict=True)
        )
        kind = "none" if level > _LEVELS else "plus" if level > 0 else "minus"
        faint = "" if level > _LEVELS else f' fill-opacity="{abs(level) / _LEVELS:g}"'
        parts.append(f'<path class="cell {kind}"{faint} d="{squares}"/>')
    return "".join(parts)
