r"""Repeating templates: one period, day within week, and baselines with events.

:math:`x_i(t) = A_i\, g(t / P + \varphi_i) + \dots` with a template :math:`g` of any shape, held as a table over one
turn. Calendar effects and outliers after the family lists of TempoPFN (arXiv 2510.25502) and ForecastPFN
(arXiv 2311.01933).
"""

from __future__ import annotations

import numpy as np

from tsprout.data.processes.common import (
    below,
    between,
    causal_filter,
    clocks,
    draw_period,
    log_between,
    noise_size,
)


def draw_template(rng: np.random.Generator, factors: int, points: int) -> np.ndarray:
    """Templates ``(factors, points)`` over one turn: harmonics, bumps, daylight, squares, saw teeth or steps."""
    turn = np.arange(points) / points
    shift = rng.random((factors, 1))
    kind = rng.random()
    if kind < 0.35:
        order = np.arange(1, 2 + below(rng, 6))
        size = rng.standard_normal((factors, len(order), 2)).view(complex)[..., 0] / order ** between(rng, 0.3, 2)
        return (size @ np.exp(2j * np.pi * order[:, None] * turn)).real
    if kind < 0.6:
        out = np.zeros((factors, points))
        sharp = log_between(rng, 1, 150)
        for _ in range(1 + below(rng, 3)):
            height = 0.3 + rng.standard_exponential((factors, 1))
            out += height * np.exp(sharp * (np.cos(2 * np.pi * (turn - rng.random((factors, 1)))) - 1))
        return out * (1 if rng.random() < 0.75 else -1)
    if kind < 0.72:
        # Day and night: zero for part of the turn.
        return np.maximum(np.sin(2 * np.pi * (turn + shift)) - between(rng, -0.6, 0.5), 0) ** between(rng, 0.4, 2)
    if kind < 0.82:
        return ((turn + shift) % 1 < between(rng, 0.1, 0.6)).astype(float)
    if kind < 0.9:
        skew, place = between(rng, 0.02, 0.98), (turn + shift) % 1
        return np.minimum(place / skew, (1 - place) / (1 - skew))
    heights = rng.standard_normal((factors, 3 + below(rng, 6)))
    return heights[:, (turn * heights.shape[1]).astype(np.int64)]


def read_template(table: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """Nearest entries of ``table (factors, points)`` at phases ``turns (n, length)``: ``(n, factors, length)``."""
    points = table.shape[1]
    index = (turns * points).astype(np.int64) % points
    return table.take(index, axis=1).swapaxes(0, 1)


def _points(length: int) -> int:
    return 256 if length <= 64 else 1024


def repeating(rng: np.random.Generator, n: int, factors: int, length: int) -> np.ndarray:
    """One template, perhaps a second of another period; amplitude, trend and noise of each series' own."""
    period = draw_period(rng, length)
    turns = clocks(rng, n, length, period)
    if rng.random() < 0.25:
        # Each series a little faster or slower.
        turns = turns + np.arange(length) * (between(rng, 0.01, 0.15) * rng.standard_normal((n, 1)) / period)
    out = read_template(draw_template(rng, factors, _points(length)), turns)
    if len(out) < n or rng.random() < 0.6:
        # Series that share the clock must not be equal.
        out = out * np.exp(between(rng, 0.02, 0.7) * rng.standard_normal((n, factors, 1)))
    if rng.random() < 0.2:
        out = out * (1 + between(rng, -0.9, 2) * np.linspace(0, 1, length))
    if rng.random() < 0.3:
        second = clocks(rng, n, length, period / between(rng, 2, 8))
        out = out + between(rng, 0.1, 0.6) * read_template(draw_template(rng, factors, _points(length)), second)
    if rng.random() < 0.5:
        slope = between(rng, 0, 0.6) * rng.standard_normal((n, factors, 1)) + 0.5 * rng.standard_normal((1, factors, 1))
        out = out + slope * np.linspace(-1, 1, length)
    size = noise_size(rng)
    return out + size * rng.standard_normal((n, factors, length)) if size else out


def calendar(rng: np.random.Generator, n: int, factors: int, length: int) -> np.ndarray:
    """Hours of a day times days of a week: each day repeats the template at a size of weekday and series."""
    hours = max(2, min(round(draw_period(rng, length)), length))
    days = 7 if rng.random() < 0.7 else 2 + below(rng, 9)
    aligned = rng.random() < 0.6
    start = below(rng, hours) if aligned else rng.integers(0, hours, (n, 1))
    first = below(rng, days) if rng.random() < 0.2 else rng.integers(0, days, (n, 1))
    step = np.arange(length) + start + np.zeros((n, 1), dtype=np.int64)
    count = step // hours
    week = np.exp(between(rng, 0.05, 0.5) * rng.standard_normal((factors, days)))
    week[:, : 1 + below(rng, 2)] *= between(rng, 0.1, 1)
    size = week[:, (count + first) % days].swapaxes(0, 1)
    own = np.exp(between(rng, 0, 0.5) * rng.standard_normal((n, int(count.max()) + 1)))
    size = size * np.take_along_axis(own, count, axis=1)[:, None]
    shape = read_template(draw_template(rng, factors, 256), step / hours)
    out = size * (shape + between(rng, 0, 2))
    noise = noise_size(rng, 0.4, 0.3)
    return out + noise * rng.standard_normal((n, factors, length)) if noise else out


def events(rng: np.random.Generator, n: int, factors: int, length: int) -> np.ndarray:
    """A quiet or slowly moving baseline with pulses, dips, shifts and outliers, at own or at common moments."""
    span = length + min(length, 64) // 2
    rate = log_between(rng, 0.5, 6) / length
    when = rng.random((factors, 1 if rng.random() < 0.25 else n, span)) < rate
    height = (
        1 + between(rng, 0, 1) * rng.standard_normal((factors, n, 1))
        if rng.random() < 0.6
        else rng.standard_normal((factors, n, span))
    )
    lag, width = np.arange(span), max(0.5, length * log_between(rng, 0.01, 0.3))
    kind = rng.random()
    if kind < 0.35:
        response = np.exp(-lag / width)
    elif kind < 0.6:
        response = np.exp(-0.5 * ((lag - 3 * width) / width) ** 2)
    elif kind < 0.72:
        response = (lag < 2 * width).astype(float)
    elif kind < 0.84:
        # Onset, then a slow decay.
        response = lag / width * np.exp(1 - lag / width)
    elif kind < 0.92:
        response = np.exp(-lag / width) * np.cos(lag * (2 * np.pi / (width * between(rng, 0.5, 3))))
    else:
        response = np.ones(span)
    out = causal_filter(when * height, response[None], length).swapaxes(0, 1)
    if rng.random() < 0.5:
        walk = np.cumsum(rng.standard_normal((n, factors, length)), axis=-1) / np.sqrt(length)
        out = out + log_between(rng, 0.05, 0.8) * walk
    size = noise_size(rng, 0.3, 0.2)
    # A domain of rare events still has to have some.
    size = size or 0.01
    return out + size * rng.standard_normal((n, factors, length))
