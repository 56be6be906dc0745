"""A score as a horizontal scale: its own value with interval, the floor as a band, both ceilings as marks.

The scale is as wide as the space it is given (positions in per cent), its text is not scaled. What lies far beyond the
value and the floor does not squeeze them: it is drawn at the edge, with an arrow.
"""

from __future__ import annotations

import math
from html import escape

from tsprout.metrics.base import HIGHER, ONE
from tsprout.metrics.scores import Interval, Score
from tsprout.report.svg import clean, number, tick_labels, ticks

_FAR = 1.5  # times the width of what value and floor need; a ceiling further out is drawn at the edge
_WILD = 10.0  # a ratio beyond it does not stretch the scale
_LEFT, _RIGHT = 2.0, 97.0  # per cent
_TRACK = 17.0  # pixels from above


def ends(score: Score) -> tuple[float, float]:
    """Smallest and largest value on the scale."""
    known = [end for part in (score.value, score.floor) for end in (part.low, part.mean, part.high)]
    known = [end for end in known if math.isfinite(end)] or [1.0]
    if score.direction == ONE:
        known = [2.0, *(end for end in known if abs(end) < _WILD)]
    best = score.range[1] if score.direction == HIGHER else score.range[0]
    low, high = min([*known, *([best] if math.isfinite(best) else [])]), max(known)
    if score.direction == HIGHER and math.isfinite(best):
        low, high = min(known), best
    for ceiling in sorted(part.mean for part in (score.shots, score.noise) if part.known):
        if low - _FAR * (high - low) <= ceiling <= high + _FAR * (high - low):
            low, high = min(low, ceiling), max(high, ceiling)
    margin = 0.06 * (high - low) or 0.5
    least, most = max(low - margin, score.range[0]), min(high + margin, score.range[1])
    if score.direction == HIGHER:
        return least, high if high == best else most
    return low if low == best else least, most


def scale(score: Score) -> str:
    """Inline SVG, 44 pixels high."""
    low, high = ends(score)
    parts = [_line(_LEFT, _RIGHT, _TRACK, "track"), _arrows(score, low, high)]
    at = ticks(low, high, 4)
    for value, words in zip(at, tick_labels(at)[0], strict=True):
        x = _at(float(value), low, high)
        parts.append(f'<line class="track" x1="{x}%" x2="{x}%" y1="{_TRACK}" y2="{_TRACK + 4}"/>')
        anchor = "start" if x < 6 else "end" if x > 94 else "middle"
        parts.append(f'<text x="{x}%" y="37" text-anchor="{anchor}">{escape(words)}</text>')
    if score.floor.known:
        parts.append(_band(score.floor, low, high))
        parts.append(_mark(score.floor.mean, low, high, "floor", "M0-7V7"))
    if score.noise.known:
        parts.append(_mark(score.noise.mean, low, high, "noise", "M-4-4L4 4M-4 4L4-4"))
    if score.shots.known:
        parts.append(_mark(score.shots.mean, low, high, "copied", "M0-5.5L5.5 0L0 5.5L-5.5 0z"))
    if score.value.known:
        if math.isfinite(score.value.low):
            start, stop = _at(score.value.low, low, high), _at(score.value.high, low, high)
            parts.append(_line(start, stop, _TRACK, "value"))
        parts.append(_mark(score.value.mean, low, high, "value", "M0 0h0"))
    size = f'class="scale" width="100%" height="42" role="img" aria-label="{escape(clean(spoken(score)))}"'
    return f"<svg {size}>{''.join(parts)}</svg>"


def spoken(score: Score) -> str:
    """The scale in words."""
    if not score.value.known:
        return f"{score.title}: does not apply"
    parts = [f"{score.title}: synthetic {interval(score.value)}"]
    for words, part in (("floor", score.floor), ("your series copied", score.shots), ("noise", score.noise)):
        if part.known:
            parts.append(f"{words} {interval(part) if words == 'floor' else number(part.mean)}")
    return ", ".join(parts)


def interval(part: Interval) -> str:
    """``mean (low to high)``, or what of it is known."""
    if not part.known:
        return "–"
    return number(part.mean) + (f" ({span(part)})" if span(part) else "")


def span(part: Interval) -> str:
    """``low to high``, empty where the interval is only a point."""
    if not part.known or math.isnan(part.low) or part.low == part.high:
        return ""
    return f"{number(part.low, 2)} to {number(part.high, 2)}"


def _at(value: float, low: float, high: float) -> float:
    share = min(max((value - low) / (high - low), 0.0), 1.0)
    return round(_LEFT + share * (_RIGHT - _LEFT), 2)


def _line(start: float, stop: float, y: float, style: str) -> str:
    return f'<line class="{style}" x1="{start}%" x2="{stop}%" y1="{y}" y2="{y}"/>'


def _band(part: Interval, low: float, high: float) -> str:
    if not math.isfinite(part.low):
        return ""
    start, stop = _at(part.low, low, high), _at(part.high, low, high)
    width = round(max(stop - start, 0.3), 2)
    return f'<rect class="floor" x="{start}%" width="{width}%" y="{_TRACK - 7}" height="14" rx="2"/>'


def _mark(value: float, low: float, high: float, style: str, path: str) -> str:
    beyond = "M8-4L13 0L8 4" if value > high else "M-8-4L-13 0L-8 4" if value < low else ""
    x = min(_at(value, low, high), 94.0) if value > high else _at(value, low, high)
    more = f'<path class="beyond" d="{beyond}"/>' if beyond else ""
    return f'<svg x="{x}%" y="{_TRACK}" overflow="visible"><path class="mark {style}" d="{path}"/>{more}</svg>'


def _arrows(score: Score, low: float, high: float) -> str:
    """The end of the scale that is best: an arrow head there, or a notch at 1."""
    if score.direction == ONE:
        return _mark(1.0, low, high, "best", "M0-12L-4-16H4z")
    x, head = (_RIGHT, "M0-4L6 0L0 4z") if score.direction == HIGHER else (_LEFT, "M0-4L-6 0L0 4z")
    return f'<svg x="{x}%" y="{_TRACK}" overflow="visible"><path class="mark best" d="{head}"/></svg>'
