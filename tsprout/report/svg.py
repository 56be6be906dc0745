"""A small writer of SVG charts: numbers, ticks, and a panel with two axes that lines, bands and dots are put on.

Nothing here knows a colour: every mark carries a class, and the style sheet of the page gives it its colour, so that
one drawing serves light, dark and print. Marks live in a nested ``<svg>`` that cuts off what lies outside of the axes.
Coordinates are pixels with one decimal, y grows downwards.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np

_MOST_POINTS = 160  # of a path; what a panel of 300 pixels can show
_TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")  # of direction
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def clean(text: object) -> str:
    """Text from a user without characters that no page can hold or that would reorder what stands beside it."""
    known = str(text).encode("utf-8", "replace").decode("utf-8")
    return " ".join("".join(" " if unicodedata.category(c) == "Cc" or c in _TURNING else c for c in known).split())


def shorten(text: object, most: int) -> str:
    """At most ``most`` characters of the cleaned text, the last one an ellipsis when there were more."""
    known = clean(text)
    return known if len(known) <= most else known[: most - 1].rstrip() + "…"


def label_width(text: str) -> float:
    """Pixels that a label takes, on the safe side of what common fonts make of it."""
    return sum(_letter(letter) for letter in text)


def _letter(letter: str) -> float:
    if unicodedata.east_asian_width(letter) in "WF":
        return 13.0
    if letter in "mwMW@%…" or unicodedata.category(letter) in ("Sm", "So"):
        return 11.0
    if letter in "iljftr.,:;|'() I":
        return 4.6
    return 8.6 if letter.isupper() else 7.2


def number(value: float, digits: int = 3) -> str:
    """A value for a person: three significant digits, thousands separated, a power of ten where it is out of hand."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)) + 1e-12)
    if -4 <= size < 7:
        text = f"{value:,.{max(digits - 1 - size, 0)}f}"
        text = text.rstrip("0").rstrip(".") if "." in text and digits > 3 else text
        return text.replace("-", "−")
    mantissa = value / 10.0**size if size > -300 else value * 10.0**300 / 10.0 ** (size + 300)
    return f"{mantissa:.{digits - 1}f}×10{str(size).translate(_SUPERSCRIPT)}".replace("-", "−")


def ticks(low: float, high: float, most: int = 5, *, whole: bool = False) -> np.ndarray:
    """Round numbers between ``low`` and ``high``, at most about ``most`` and at least two where that is possible.

    They are 1, 2 or 5 times a power of ten apart.
    """
    span = high - low
    if not (span > 0 and math.isfinite(span)):
        return np.array([low])
    rough = span / max(most, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    smallest = next(factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    found = np.array([low])
    for factor in [smallest, *(factor for factor in (5, 2, 1, 0.5) if factor < smallest)]:
        step = max(power * factor, 1.0) if whole else power * factor
        found = np.arange(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1) * step
        if len(found) > 1 + (most > 3):
            break
    return found


def tick_labels(values: np.ndarray) -> tuple[list[str], str]:
    """Labels of round numbers, and what has to be added to or multiplied with each of them (empty for nothing)."""
    if len(values) < 2:
        return [number(float(value)) for value in values], ""
    step = float(values[1] - values[0])
    largest = float(np.abs(values).max())
    offset, note = 0.0, ""
    if step < 2e-4 * largest:
        offset = float(values[0])
        note = f"{'+' if offset > 0 else '−'} {_exact(abs(offset))}"
        values, largest = values - offset, float(values[-1]) - offset
    size = math.floor(math.log10(max(largest, 1e-300)))
    if size >= 5 or size < -3:
        exponent = size if offset else 3 * (size // 3)
        values, step = values / 10.0**exponent, step / 10.0**exponent
        note = f"{note} ×10{str(exponent).translate(_SUPERSCRIPT)}".strip()
    decimals = max(-math.floor(math.log10(step) + 1e-9), 0)
    rounded = np.round(values, decimals)
    return ["0" if value == 0 else f"{value:,.{decimals}f}".replace("-", "−") for value in rounded], note


def _exact(value: float) -> str:
    return f"{value:,.0f}" if value >= 1e3 and float(value).is_integer() else f"{value:.9g}"


def spread(n: int, most: int) -> np.ndarray:
    """At most ``most`` of ``n`` positions, evenly spread, the first and the last one among them."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int)) if n else np.arange(0)


def thin(xs: np.ndarray, ys: np.ndarray, most: int = _MOST_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """A path of at most ``most`` points that shows the same: lowest and highest value of each stretch, gaps kept."""
    if len(ys) <= most:
        return xs, ys
    kept = []
    for part in np.array_split(np.arange(len(ys)), most // 2):
        seen = part[np.isfinite(ys[part])]
        if not len(seen) or len(seen) < len(part) / 2:
            kept += [part[0]] if not len(seen) else [seen[0], part[~np.isfinite(ys[part])][0]]
            continue
        kept += [seen[np.argmin(ys[seen])], seen[np.argmax(ys[seen])]]
    order = np.unique(kept)
    return xs[order], ys[order]


def coordinates(px: np.ndarray, py: np.ndarray) -> str:
    """Path data through the points; a gap lifts the pen, and a point between two gaps becomes a dash."""
    known = np.isfinite(px) & np.isfinite(py)
    xs = np.round(np.where(known, px, 0) * 10).astype(np.int64).tolist()
    ys = np.round(np.where(known, py, 0) * 10).astype(np.int64).tolist()
    flags = [*known.tolist(), False]
    words: list[str] = []
    drawing = False
    for i, (x, y) in enumerate(zip(xs, ys, strict=True)):
        if not flags[i]:
            drawing = False
        elif drawing:
            words.append(f"l{_tenth(x - xs[i - 1])} {_tenth(y - ys[i - 1])}")
        else:
            alone = not flags[i + 1]
            words.append(f"M{_tenth(x - 10)} {_tenth(y)}h2" if alone else f"M{_tenth(x)} {_tenth(y)}")
            drawing = True
    return "".join(words).replace(" -", "-")


def _tenth(value: int) -> str:
    whole, rest = divmod(abs(value), 10)
    sign = "-" if value < 0 else ""
    return f"{sign}{whole}" if not rest else f"{sign}{whole or ''}.{rest}"


@dataclass
class Panel:
    """A box with axes, ``left, top, width, height`` in pixels of the drawing it stands in.

    Attributes:
        x, y: smallest and largest value of each axis; their logarithm to base 10 for logarithmic axes.
        marks: what is drawn inside of the box.
        frame: axes, labels and notes around it.
    """

    left: float
    top: float
    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]
    marks: list[str] = field(default_factory=list)
    frame: list[str] = field(default_factory=list)

    def px(self, values: np.ndarray | float) -> np.ndarray:
        """Pixels from the left end of the box."""
        low, high = self.x
        return np.clip((np.asarray(values, float) - low) / (high - low), -9, 9) * self.width

    def py(self, values: np.ndarray | float) -> np.ndarray:
        """Pixels from the upper end of the box."""
        low, high = self.y
        return (1 - np.clip((np.asarray(values, float) - low) / (high - low), -9, 9)) * self.height

    def line(self, xs: np.ndarray, ys: np.ndarray, style: str) -> None:
        """One path."""
        self.lines(xs, np.asarray(ys)[None], style)

    def lines(self, xs: np.ndarray, rows: np.ndarray, style: str) -> None:
        """A group of paths that share a style."""
        drawn = [coordinates(self.px(x), self.py(y)) for x, y in (thin(xs, row) for row in rows)]
        paths = "".join(f'<path d="{data}"/>' for data in drawn if data)
        if paths:
            self.marks.append(f'<g class="line {style}">{paths}</g>')

    def band(self, xs: np.ndarray, low: np.ndarray, high: np.ndarray, style: str) -> None:
        """The area between two curves."""
        known = np.isfinite(low) & np.isfinite(high)
        if known.sum() > 1:
            xs, low, high = xs[known], low[known], high[known]
            px, py = self.px(np.concatenate([xs, xs[::-1]])), self.py(np.concatenate([high, low[::-1]]))
            self.marks.append(f'<path class="band {style}" d="{coordinates(px, py)}z"/>')

    def stairs(self, edges: np.ndarray, heights: np.ndarray, style: str, *, filled: bool) -> None:
        """A histogram: an area or its outline."""
        xs, ys = np.repeat(edges, 2), np.concatenate([[0.0], np.repeat(heights, 2), [0.0]])
        data = coordinates(self.px(xs), self.py(ys))
        if filled:
            self.marks.append(f'<path class="area {style}" d="{data}z"/>')
        self.marks.append(f'<g class="line bold {style}"><path d="{data}"/></g>')

    def dots(self, xs: np.ndarray, ys: np.ndarray, style: str) -> None:
        """A cloud of points."""
        px, py = np.round(self.px(xs) * 10).astype(int), np.round(self.py(ys) * 10).astype(int)
        data = "".join(f"M{_tenth(x)} {_tenth(y)}h0" for x, y in zip(px.tolist(), py.tolist(), strict=True))
        self.marks.append(f'<path class="dots {style}" d="{data}"/>')

    def rule(self, value: float, style: str = "", *, upright: bool = False) -> None:
        """A straight line across the box at one value."""
        at = float(self.px(value) if upright else self.py(value))
        x1, y1, x2, y2 = (at, 0, at, self.height) if upright else (0, at, self.width, at)
        self.marks.append(f'<path class="rule {style}" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"/>')

    def text(self, x: float, y: float, words: str, anchor: str = "start", style: str = "") -> None:
        """Words at pixels of the drawing."""
        style = f' class="{style}"' if style else ""
        turn = "" if anchor == "start" else f' text-anchor="{anchor}"'
        self.frame.append(f'<text x="{x:.1f}" y="{y:.1f}"{turn}{style}>{escape(words)}</text>')

    def note(self, words: str, *, centred: bool = False) -> None:
        """A remark inside of the box: in its middle, or in its upper right corner."""
        if centred:
            self.text(self.left + self.width / 2, self.top + self.height / 2 + 4, words, "middle", "note")
        else:
            self.text(self.left + self.width - 2, self.top + 9, words, "end", "note halo")

    def x_axis(self, at: Sequence[float] | np.ndarray, labels: Sequence[str], title: str, *, factor: str = "") -> None:
        """Base line, ticks and title below the box; labels that would touch their neighbour are left out."""
        bottom = self.top + self.height
        self.frame.append(f'<path class="axis" d="M{self.left:.1f} {bottom:.1f}h{self.width:.1f}"/>')
        taken = -math.inf
        for value, words in zip(at, labels, strict=True):
            x = self.left + float(self.px(value))
            half = label_width(words) / 2
            x_text = min(max(x, half), self.left + self.width + 8 - half)
            if x_text - half < taken or not -0.5 <= x - self.left <= self.width + 0.5:
                continue
            taken = x_text + half + 2
            self.frame.append(f'<path class="axis" d="M{x:.1f} {bottom:.1f}v3"/>')
            self.text(x_text, bottom + 14, words, "middle")
        self.text(self.left + self.width / 2, bottom + 28, f"{title} {factor}".strip(), "middle", "title")

    def y_axis(self, at: Sequence[float] | np.ndarray, labels: Sequence[str], *, factor: str = "") -> None:
        """Grid lines and labels at the left of the box."""
        for value, words in zip(at, labels, strict=True):
            y = float(self.py(value))
            if -0.5 <= y <= self.height + 0.5:
                self.frame.append(f'<path class="grid" d="M{self.left:.1f} {self.top + y:.1f}h{self.width:.1f}"/>')
                self.text(self.left - 5, self.top + y + 3.6, words, "end")
        if factor:
            self.text(self.left, self.top - 4, factor, "start", "note")

    def draw(self) -> str:
        """The panel as SVG, to be put into :func:`drawing`."""
        box = f'x="{self.left:.1f}" y="{self.top:.1f}" width="{self.width:.1f}" height="{self.height:.1f}"'
        grid = "".join(part for part in self.frame if 'class="grid"' in part)
        rest = "".join(part for part in self.frame if 'class="grid"' not in part)
        return f"{grid}<svg {box}>{''.join(self.marks)}</svg>{rest}"


def room_for(labels: Sequence[str]) -> float:
    """Pixels that labels at the left of a panel take."""
    return 8.0 + max((label_width(words) for words in labels), default=7.0)


def drawing(width: float, height: float, label: str, *parts: str) -> str:
    """An inline SVG that scales to the width it is given; ``label`` is what a screen reader says."""
    size = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    return f'<svg {size} role="img" aria-label="{escape(clean(label))}">{"".join(parts)}</svg>'
