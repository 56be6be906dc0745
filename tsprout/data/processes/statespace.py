r"""State-space and regime-switching processes.

Harvey 1989 (local level, local trend, stochastic trigonometric season), Hamilton 1989 (Markov switching),
Tong 1990 (self-exciting threshold autoregression).
"""

from __future__ import annotations

import numpy as np

from tsprout.data.processes.common import (
    below,
    between,
    causal_filter,
    clocks,
    draw_period,
    innovations,
    log_between,
    noise_size,
)

_CELLS = 256


def structural(rng: np.random.Generator, n: int, factors: int, length: int) -> np.ndarray:
    """Local level, local trend, a season whose amplitude wanders, and observation noise; any part may be missing."""
    shape = (n, factors, length)
    out = np.zeros(shape) + between(rng, 0, 1) * rng.standard_normal((n, factors, 1))
    parts = below(rng, 7) + 1
    if parts & 1:
        out += np.cumsum(innovations(rng, shape), axis=-1) * (log_between(rng, 0.1, 1.5) / np.sqrt(length))
    if parts & 2:
        slope = rng.standard_normal((n, factors, 1)) * between(rng, 0, 1.5) + rng.standard_normal((1, factors, 1))
        if rng.random() < 0.5:
            slope = slope + np.cumsum(rng.standard_normal(shape), axis=-1) * (between(rng, 0.5, 4) / np.sqrt(length))
        out += np.cumsum(np.broadcast_to(slope, shape), axis=-1) * (2 / length)
    if parts & 4:
        turns = 2 * np.pi * clocks(rng, n, length, draw_period(rng, length))[:, None]
        wander = log_between(rng, 0.02, 1.5) / np.sqrt(length)
        for order in range(1, 2 + (rng.random() < 0.5)):
            amplitude = rng.standard_normal((1, factors, 1)) + between(rng, 0, 0.5) * rng.standard_normal(
                (n, factors, 1)
            )
            amplitude = amplitude + wander * np.cumsum(rng.standard_normal(shape), axis=-1)
            out += amplitude / order * np.sin(order * turns + 6.28 * rng.random((factors, 1)))
    size = noise_size(rng, 0.5, 0.3)
    return out + size * rng.standard_normal(shape) if size else out


def markov_chain(rng: np.random.Generator, transition: np.ndarray, count: int, length: int) -> np.ndarray:
    """States ``(count, length)`` of independent chains from a uniform start, by a table of 256 cells a state.

    Args:
        rng: randomness.
        transition: ``(states, states)``, rows sum to 1; resolved to 1/256.
        count, length: chains and steps.
    """
    states = len(transition)
    edges = np.round(np.cumsum(transition, axis=1) * _CELLS)
    table = (np.arange(_CELLS) >= edges[:, :-1, None]).sum(1).ravel()
    draw = rng.integers(0, _CELLS, (length, count))
    path = np.empty((length, count), dtype=np.int64)
    state = rng.integers(0, states, count)
    for step in range(length):
        state = table[state * _CELLS + draw[step]]
        path[step] = state
    return path.T


def regimes(rng: np.random.Generator, n: int, factors: int, length: int) -> np.ndarray:
    """Markov-switching level, slope and volatility; perhaps all factors switch together, perhaps with inertia."""
    states = 2 + below(rng, 4)
    stay = 1 - np.minimum(log_between(rng, 0.4, 8) / length * np.exp(0.5 * rng.standard_normal((states, 1))), 0.9)
    elsewhere = rng.random((states, states)) + 0.05
    np.fill_diagonal(elsewhere, 0)
    transition = (1 - stay) * elsewhere / elsewhere.sum(1, keepdims=True) + stay * np.eye(states)
    together = rng.random() < 0.4
    path = markov_chain(rng, transition, n if together else n * factors, length)
    flat = path.reshape(n, 1, length) if together else path.reshape(n, factors, length)
    row = np.arange(factors)[:, None]
    level = rng.standard_normal((factors, states))
    kind = rng.random()
    out = level[row, flat]
    if kind < 0.25:
        out = np.cumsum(out, axis=-1) * (4 / length)
    elif kind < 0.55:
        inertia = np.exp(-np.arange(length) / (length * log_between(rng, 0.02, 0.4)))[None]
        first = out[..., :1]
        out = first + causal_filter((out - first).swapaxes(0, 1), inertia / inertia.sum(), length).swapaxes(0, 1)
    if rng.random() < 0.6:
        size = np.abs(rng.standard_normal((factors, states))) * log_between(rng, 0.02, 0.4)
        out = out + size[row, flat] * rng.standard_normal((n, factors, length))
    return out


def threshold(rng: np.random.Generator, n: int, factors: int, length: int) -> np.ndarray:
    r"""Threshold autoregression: above 0 the series decays slowly to one level, below it to another."""
    burn, count = 8, n * factors
    slow = 1 - np.array([log_between(rng, 0.02, 0.6), log_between(rng, 0.02, 0.6)])
    pull = (1 - slow) * np.array([-between(rng, -1, 2), between(rng, -1, 2)])
    noise = rng.standard_normal((burn + length, count)) * log_between(rng, 0.1, 0.6)
    x = rng.standard_normal(count)
    for row in noise:
        side = (x < 0).astype(np.int64)
        row += slow[side] * x + pull[side]
        x = row
    return noise[burn:].T.reshape(n, factors, length)
