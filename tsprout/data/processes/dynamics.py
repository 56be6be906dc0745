r"""Dynamical systems: limit cycles, chaotic flows, maps, and a delayed feedback; all series step together.

Van der Pol 1926, Lotka 1925 / Volterra 1926, FitzHugh 1961, Lorenz 1963, Rössler 1976, May 1976 (logistic map),
Hénon 1976, Mackey & Glass 1977. Flows are integrated by the classical Runge-Kutta rule and held inside a box.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tsprout.data.processes.common import below, between, log_between

Field = Callable[[np.ndarray], np.ndarray]
_BOX = 100.0


def integrate_field(field: Field, state: np.ndarray, step: float, length: int, burn: int = 0) -> np.ndarray:
    """Runge-Kutta 4 trajectories ``(length, dimensions, m)`` from ``state (dimensions, m)``; the start is one of them.

    Args:
        field: velocity of a state, same shape.
        state: where to start.
        step: time between two results.
        length: states kept.
        burn: states passed over first.
    """
    path = np.empty((length, *state.shape))
    half = step / 2
    for t in range(-burn, length):
        if t >= 0:
            path[t] = state
        a = field(state)
        b = field(state + half * a)
        c = field(state + half * b)
        b += c
        b *= 2
        c *= step
        c += state
        b += a
        b += field(c)
        b *= step / 6
        b += state
        state = np.minimum(np.maximum(b, -_BOX), _BOX)
    return path


def _quadratic(velocity: Callable[..., tuple]) -> Field:
    def field(state: np.ndarray) -> np.ndarray:
        out = np.empty_like(state)
        for row, value in enumerate(velocity(*state)):
            out[row] = value
        return out

    return field


def lorenz(sigma: float = 10.0, rho: float | np.ndarray = 28.0, beta: float = 8 / 3) -> Field:
    """Convection rolls; chaotic at the default."""
    return _quadratic(lambda x, y, z: (sigma * (y - x), x * (rho - z) - y, x * y - beta * z))


def rossler(a: float = 0.2, b: float = 0.2, c: float | np.ndarray = 5.7) -> Field:
    """One-scroll chaos: slow turns in a plane, with excursions."""
    return _quadratic(lambda x, y, z: (-y - z, x + a * y, b + z * (x - c)))


def van_der_pol(mu: float | np.ndarray) -> Field:
    """Relaxation oscillator."""
    return _quadratic(lambda x, y: (y, mu * (1 - x * x) * y - x))


def lotka_volterra(a: float | np.ndarray, b: float) -> Field:
    """Prey and predators, both near 1."""
    return _quadratic(lambda x, y: (a * x * (1 - y), b * y * (x - 1)))


def fitzhugh_nagumo(current: float | np.ndarray, slow: float = 0.08) -> Field:
    """Excitable membrane: spikes when the current is about 0.35 to 1.4."""
    return _quadratic(lambda v, w: (v - v * v * v / 3 - w + current, slow * (v + 0.7 - 0.8 * w)))


def _to_series(path: np.ndarray, n: int, factors: int) -> np.ndarray:
    """``(length, dimensions, n * trajectories)`` to ``(n, factors, length)``: dimensions become factors."""
    length, dimensions, _ = path.shape
    return path.reshape(length, dimensions, n, -1).transpose(2, 3, 1, 0).reshape(n, -1, length)[:, :factors]


def _sampled(field: Field, state: np.ndarray, step: float, limit: float, length: int, burn: int) -> np.ndarray:
    """Trajectories seen every ``step``, integrated in up to three smaller ones where that is above ``limit``."""
    inner = min(3, math.ceil(step / limit))
    return integrate_field(field, state, min(step / inner, limit), length * inner, burn)[::inner]


def limit_cycle(rng: np.random.Generator, n: int, factors: int, length: int) -> np.ndarray:
    """Van der Pol, Lotka-Volterra or FitzHugh-Nagumo; a parameter differs a little between series."""
    m = n * -(-factors // 2)
    own = np.exp(between(rng, 0, 0.2) * np.clip(np.repeat(rng.standard_normal(n), m // n), -2, 2))
    cycles = log_between(rng, 0.7, 4)
    kind = rng.random()
    if kind < 0.4:
        mu = log_between(rng, 0.2, 3)
        field, state = van_der_pol(mu * own), rng.uniform(-2, 2, (2, m))
        period, limit = 2 * np.pi * (1 + mu / 4), 0.2 / max(mu, 1.0)
    elif kind < 0.75:
        field, state = lotka_volterra(own, 1.0), np.exp(between(rng, 0.2, 0.6) * rng.standard_normal((2, m)))
        period, limit = 6.5, 0.12
    else:
        field, state = fitzhugh_nagumo(between(rng, 0.35, 0.9) * own), rng.uniform(-1.5, 1.5, (2, m))
        period, limit = 40.0, 0.5
    return _to_series(_sampled(field, state, cycles * period / length, limit, length, below(rng, 8)), n, factors)


def attractor(rng: np.random.Generator, n: int, factors: int, length: int) -> np.ndarray:
    """Lorenz or Rössler trajectories from random places near the attractor, of a common parameter."""
    m = n * -(-factors // 3)
    loops = log_between(rng, 0.7, 8) / length
    if rng.random() < 0.6:
        state = 5 * rng.standard_normal((3, m)) + np.array([[0.0], [0.0], [24.0]])
        return _to_series(_sampled(lorenz(rho=between(rng, 24, 40)), state, 0.75 * loops, 0.04, length, 12), n, factors)
    radius, turn = rng.uniform(2.0, 5.5, m), rng.uniform(0, 2 * np.pi, m)
    state = np.stack([radius * np.cos(turn), radius * np.sin(turn), rng.uniform(0, 0.1, m)])
    return _to_series(_sampled(rossler(c=between(rng, 4, 7)), state, 6 * loops, 0.12, length, 4), n, factors)


def logistic_map(state: np.ndarray, rate: float | np.ndarray, length: int) -> np.ndarray:
    r""":math:`x_{t+1} = r x_t (1 - x_t)`, ``(m,)`` starts of the unit interval to ``(length, m)``."""
    path = np.empty((length, *state.shape))
    for t in range(length):
        path[t] = state
        state = np.minimum(np.maximum(rate * state * (1 - state), 1e-9), 1 - 1e-9)
    return path


def henon_map(state: np.ndarray, a: float, b: float, length: int) -> np.ndarray:
    r""":math:`x_{t+1} = 1 - a x_t^2 + b x_{t-1}`; starts ``(2, m)`` to ``(length, m)``, held within 3 of 0."""
    path = np.empty((length, state.shape[1]))
    before, now = state
    for t in range(length):
        path[t] = now
        before, now = now, np.minimum(np.maximum(1 - a * now * now + b * before, -3), 3)
    return path


def maps(rng: np.random.Generator, n: int, factors: int, length: int) -> np.ndarray:
    """Logistic or Hénon map, periodic to chaotic; at times every state is held for a few steps."""
    hold = 1 if rng.random() < 0.5 else min(2 + below(rng, 5), length)
    steps = -(-length // hold)
    if rng.random() < 0.6:
        path = logistic_map(rng.uniform(0.05, 0.95, n * factors), between(rng, 2.8, 4.0), steps)
    else:
        path = henon_map(rng.uniform(-0.5, 0.5, (2, n * factors)), between(rng, 0.9, 1.4), 0.3, steps)
    out = path.T.reshape(n, factors, steps)
    return np.repeat(out, hold, axis=-1)[..., :length] if hold > 1 else out


def delayed_feedback(rng: np.random.Generator, n: int, factors: int, length: int) -> np.ndarray:
    r"""Mackey-Glass: :math:`x' = 0.2\, x_\tau / (1 + x_\tau^{10}) - 0.1\, x`, delay 12 to 30 time units."""
    step = between(rng, 0.8, 2.0)
    delay = max(4, round(between(rng, 12, 30) / step))
    path = np.empty((delay + 1 + length, n * factors))
    slow = rng.standard_normal((2, n * factors)) * 0.25
    path[: delay + 1] = 0.9 + slow[0] + slow[1] * np.linspace(-1, 1, delay + 1)[:, None]
    np.maximum(path[: delay + 1], 0.05, out=path[: delay + 1])
    for t in range(delay, delay + length):
        past = path[t - delay]
        fifth = past * past
        fifth = fifth * fifth * past
        path[t + 1] = (1 - 0.1 * step) * path[t] + (0.2 * step) * past / (1 + fifth * fifth)
    return path[delay + 1 :].T.reshape(n, factors, length)
