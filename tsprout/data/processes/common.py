r"""What the families share: fast scalar draws, innovations, periods and clocks, causal filters.

A scalar ``rng.random()`` costs a fraction of ``rng.choice`` or ``rng.integers``; a domain makes dozens of such draws.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

CALENDAR = (3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 24, 30, 48, 52, 60, 96, 144, 168, 288, 365)
_MATRIX_SPAN = 192


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """A uniform number."""
    return low + (high - low) * rng.random()


def log_between(rng: np.random.Generator, low: float, high: float) -> float:
    """A log-uniform number, ``0 < low < high``."""
    return low * (high / low) ** rng.random()


def below(rng: np.random.Generator, count: int) -> int:
    """A whole number of ``0 .. count - 1``."""
    return int(rng.random() * count)


def pick(rng: np.random.Generator, cumulative: Sequence[float]) -> int:
    """An index, by cumulative weights (any total)."""
    return min(bisect_right(cumulative, rng.random() * cumulative[-1]), len(cumulative) - 1)


def noise_size(rng: np.random.Generator, silent: float = 0.45, largest: float = 0.4) -> float:
    """Deviation of added white noise: none with probability ``silent``, else log-uniform up to ``largest``."""
    return 0.0 if rng.random() < silent else log_between(rng, 0.01, largest)


def innovations(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """White noise of about unit variance: Gaussian, Laplace, Student's t or contaminated normal."""
    kind = rng.random()
    noise = rng.standard_normal(shape)
    if kind < 0.7:
        return noise
    if kind < 0.8:
        return noise * np.sqrt(rng.standard_exponential(shape))
    if kind < 0.87:
        freedom = between(rng, 2.5, 6)
        return noise / np.sqrt(np.maximum(rng.standard_gamma(freedom / 2, shape) / (freedom / 2), 0.02))
    return noise * np.where(rng.random(shape) < between(rng, 0.01, 0.1), between(rng, 3, 10), 1.0)


def draw_period(rng: np.random.Generator, length: int) -> float:
    """A period in time steps: a calendar's number, or anything between three steps and three lengths."""
    if rng.random() < 0.5:
        return float(CALENDAR[below(rng, max(1, bisect_right(CALENDAR, 2 * length)))])
    return log_between(rng, 3, max(6, 3 * length))


def clocks(rng: np.random.Generator, n: int, length: int, period: float) -> np.ndarray:
    """Phase in turns, ``(n or 1, length)``: all series aligned, jittered, or each cut at a moment of its own."""
    kind = rng.random()
    if kind < 0.45:
        start = rng.random((1, 1))
    elif kind < 0.6:
        start = rng.random() + between(rng, 0, 0.15) * rng.standard_normal((n, 1))
    else:
        start = np.floor(rng.random((n, 1)) * period) / period + rng.random()
    return np.arange(length) / period + start


def causal_filter(noise: np.ndarray, response: np.ndarray, length: int) -> np.ndarray:
    r"""Last ``length`` steps of :math:`x_t = \sum_k h_k e_{t-k}`.

    Args:
        noise: ``(factors, n, span)``, ``span >= length``.
        response: impulse response ``(factors or 1, span)``.
        length: steps to keep; the ``span - length`` before them are the run-up.

    Returns:
        ``(factors, n, length)``.
    """
    span = noise.shape[-1]
    if span > _MATRIX_SPAN:
        spectrum = np.fft.rfft(noise, 2 * span) * np.fft.rfft(response, 2 * span)[:, None]
        return np.fft.irfft(spectrum, 2 * span)[..., span - length : span]
    lag = np.arange(span - length, span) - np.arange(span)[:, None]
    matrix = np.where(lag >= 0, response[:, np.maximum(lag, 0)], 0.0)
    return noise @ matrix


def rms(x: np.ndarray) -> float:
    """Deviation of all values of an array; not finite if any of them is not."""
    flat = x.ravel(order="K")
    square = float(np.dot(flat, flat)) / flat.size
    # Rounding can bring the difference of a constant below zero.
    return math.sqrt(max(square - float(np.add.reduce(flat) / flat.size) ** 2, 0.0)) if square < math.inf else math.inf
