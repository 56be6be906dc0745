r"""Aligned shapes: noisy, warped copies of a few prototypes, and curves of growth and decay.

The series of many small data sets (beats of a heart, gestures, outlines, batches) are variations of a few shapes that
fill the window. Cylinder-bell-funnel after Saito 1994; growth curves are the logistic, Gompertz, exponential, Bateman
and Hill functions.
"""

from __future__ import annotations

import numpy as np

from tsprout.data.processes.common import below, between, log_between, noise_size


def draw_prototypes(rng: np.random.Generator, count: int, points: int) -> np.ndarray:
    """Shapes ``(count, points)`` over the window: smooth curves, bumps, broken lines, steps or beats."""
    u = np.linspace(0, 1, points)
    kind = rng.random()
    if kind < 0.35:
        order = np.arange(1, 4 + below(rng, 10))
        size = rng.standard_normal((count, len(order))) / order ** between(rng, 0.7, 2)
        return size @ np.sin(np.pi * order[:, None] * u + 6.28 * rng.random((len(order), 1)))
    if kind < 0.65:
        out = np.zeros((count, points))
        narrow = log_between(rng, 0.01, 0.15)
        for _ in range(1 + below(rng, 5)):
            width = narrow * np.exp(0.5 * rng.standard_normal((count, 1)))
            out += rng.standard_normal((count, 1)) * np.exp(-0.5 * ((u - rng.random((count, 1))) / width) ** 2)
        return out
    if kind < 0.85:
        knots = 3 + below(rng, 8)
        heights = rng.standard_normal((count, knots))
        if rng.random() < 0.4:
            heights = np.cumsum(heights, axis=1)
        place = u * (knots - 1)
        left = np.minimum(place.astype(np.int64), knots - 2)
        rest = place - left if rng.random() < 0.7 else np.round(place - left)
        return heights[:, left] * (1 - rest) + heights[:, left + 1] * rest
    # Cylinder, bell, funnel: a plateau or ramp between two moments.
    start, end = between(rng, 0.05, 0.4), between(rng, 0.5, 0.95)
    inside = (u > start) & (u < end)
    ramp = (u - start) / (end - start)
    tilt = rng.random((count, 1))
    return inside * (tilt * ramp + (1 - tilt) * np.where(rng.random((count, 1)) < 0.5, 1.0, 1 - ramp))


def prototypes(rng: np.random.Generator, n: int, factors: int, length: int) -> np.ndarray:
    """One to five prototypes; each series takes one, stretches, shifts, bends and scales it."""
    points = 4 * length if length <= 64 else 2 * length
    count = 1 + min(below(rng, 6), 4)
    table = draw_prototypes(rng, count * factors, points).reshape(count, factors, points)
    chosen = (rng.random((n, 1, 1)) * count).astype(np.int64)
    warp = log_between(rng, 0.005, 0.2) if rng.random() < 0.8 else 0.0
    u = np.linspace(0, 1, length)
    z = rng.standard_normal((4, n, 1))
    place = u ** np.exp(warp * z[0]) + 0.4 * warp * z[1] + (0.5 * warp * z[2]) * (u - 0.5)
    index = np.clip((place * (points - 1) + 0.5).astype(np.int64), 0, points - 1)
    out = table[chosen, np.arange(factors)[:, None], index[:, None]]
    kind = rng.random()
    if kind < 0.7:
        out = out * np.exp(log_between(rng, 0.03, 0.8) * z[3][:, None])
    if kind < 0.35:
        out = out * (1 + between(rng, 0.02, 0.4) * rng.standard_normal((n, factors, 1)))
    if rng.random() < 0.5:
        drift = np.cumsum(rng.standard_normal((n, factors, length)), axis=-1)
        out = out + (log_between(rng, 0.02, 0.5) / np.sqrt(length)) * drift
    size = noise_size(rng, 0.6, 0.25)
    return out + size * rng.standard_normal((n, factors, length)) if size else out


def growth(rng: np.random.Generator, n: int, factors: int, length: int) -> np.ndarray:
    """Monotone and one-peak curves whose rate and moment vary between series, seen from an early or late start."""
    u = np.linspace(0, 1, length)
    spread = log_between(rng, 0.03, 0.6)
    z = rng.standard_normal((3, n, factors, 1))
    rate = log_between(rng, 1.5, 30) * np.exp(spread * z[0] + 0.4 * rng.standard_normal((factors, 1)))
    moment = between(rng, 0, 1) + 0.5 * spread * z[1] + 0.1 * rng.standard_normal((factors, 1))
    kind = rng.random()
    if kind < 0.25:
        out = 1 / (1 + np.exp(np.clip(rate * (moment - u), -50, 50)))
    elif kind < 0.4:
        out = np.exp(-np.exp(np.clip(rate * (moment - u), -50, 5)))
    elif kind < 0.6:
        out = np.exp(-rate / 4 * u)
    elif kind < 0.75:
        since = np.maximum(u - 0.3 * np.maximum(moment, 0), 0)
        out = np.exp(-rate / 5 * since) - np.exp(-rate * since)
    elif kind < 0.87:
        out = np.exp(-0.5 * ((u - moment) * rate / 3) ** 2)
    else:
        out = u ** np.clip(rate / 6, 0.2, 5)
    out = out * np.exp(between(rng, 0, 0.5) * z[2]) * rng.choice((-1.0, 1.0), (1, factors, 1))
    size = noise_size(rng, 0.4, 0.1)
    return out + size * rng.standard_normal((n, factors, length)) if size else out
