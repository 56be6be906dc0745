r"""Bends: elementwise maps that give unit-scale channels another marginal, bound or resolution.

Each bend of :data:`BENDS` takes ``(rng, x)`` with ``x (n, channels, length)`` and returns the same shape.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tsprout.data.processes.common import below, between, log_between

Bend = Callable[[np.random.Generator, np.ndarray], np.ndarray]


def log_normal(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Positive and skewed."""
    return np.exp(between(rng, 0.2, 0.8) * np.clip(x, -5, 5))


def saturate(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Within (-1, 1)."""
    return np.tanh(log_between(rng, 0.5, 3) * x + between(rng, -1, 1))


def clip(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Stops at a floor, a ceiling or both."""
    low, high = between(rng, -2, 0), between(rng, 0.2, 2)
    kind = rng.random()
    return np.clip(x, low if kind < 0.7 else -np.inf, high if kind > 0.4 else np.inf)


def power(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Square, or a signed power: peaks stand out or shrink."""
    if rng.random() < 0.4:
        return np.square(np.clip(x, -10, 10) + between(rng, -1, 1))
    return np.sign(x) * np.minimum(np.abs(x), 20) ** between(rng, 0.4, 1.8)


def rectify(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Zero below a threshold, continuous: rain, sales, activity."""
    return np.maximum(x - between(rng, -1, 1.2), 0)


def inflate_zeros(rng: np.random.Generator, x: np.ndarray, share: float | None = None) -> np.ndarray:
    """Positive values of which a random ``share`` is 0, step by step."""
    share = between(rng, 0.1, 0.7) if share is None else share
    return np.where(rng.random(x.shape) < share, 0.0, np.exp(0.5 * np.clip(x, -5, 5)))


def whole(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Whole numbers, few or many levels."""
    return np.round(x * log_between(rng, 0.7, 8))


def binary(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """0 or 1."""
    return (x > between(rng, -1, 1)).astype(float)


def levels(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Some three to seven levels at random distances."""
    edges = np.sort(rng.standard_normal(2 + below(rng, 5)))
    heights = np.cumsum(0.2 + rng.standard_exponential(len(edges) + 1))
    return heights[np.searchsorted(edges, x)]


def heavy_tails(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Far values farther."""
    return np.sinh(between(rng, 0.7, 1.5) * np.clip(x, -4, 4))


def hold(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """A slow sensor: each value stands for a few steps."""
    length = x.shape[-1]
    every = 2 + below(rng, max(1, min(12, length // 3)))
    step = np.arange(length)
    return x[..., step - step % every]


def logistic(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """A share within (0, 1)."""
    return 1 / (1 + np.exp(-np.clip(between(rng, 0.7, 3) * x + between(rng, -2, 2), -30, 30)))


BENDS: dict[str, tuple[Bend, float]] = {
    "log_normal": (log_normal, 1.5),
    "saturate": (saturate, 0.8),
    "clip": (clip, 0.8),
    "power": (power, 0.8),
    "rectify": (rectify, 1.2),
    "inflate_zeros": (inflate_zeros, 0.3),
    "whole": (whole, 0.8),
    "binary": (binary, 0.6),
    "levels": (levels, 0.4),
    "heavy_tails": (heavy_tails, 0.4),
    "hold": (hold, 0.4),
    "logistic": (logistic, 0.8),
}
