r"""Counts and arrivals: Poisson and negative binomial with moving intensity, self-excitation, shot noise.

Cox 1955 (random intensity), Hawkes 1971 (self-excitation; here on a grid of unit steps), Campbell 1909 (shot noise).
"""

from __future__ import annotations

import numpy as np

from tsprout.data.processes.common import below, between, causal_filter, clocks, draw_period, log_between
from tsprout.data.processes.seasonal import draw_template, read_template

_MOST = 1e4


def counts(rng: np.random.Generator, intensity: np.ndarray, dispersion: float = 0.0) -> np.ndarray:
    r"""Counts of mean ``intensity``; variance :math:`\lambda + d \lambda^2` (Poisson at ``dispersion`` 0)."""
    if dispersion > 0:
        intensity = intensity * (dispersion * rng.standard_gamma(1 / dispersion, intensity.shape))
    return rng.poisson(np.minimum(intensity, _MOST)).astype(float)


def count_series(rng: np.random.Generator, n: int, factors: int, length: int) -> np.ndarray:
    """Counts whose log-intensity is a season, a slow walk, or both; levels differ between series."""
    log_mean = np.log(log_between(rng, 0.3, 60)) + between(rng, 0, 0.8) * rng.standard_normal((n, factors, 1))
    kind = rng.random()
    if kind < 0.75:
        turns = clocks(rng, n, length, draw_period(rng, length))
        template = draw_template(rng, factors, 256)
        log_mean = log_mean + read_template(template * (between(rng, 0.5, 2) / (np.abs(template).max() + 1e-9)), turns)
    if kind > 0.55:
        walk = np.cumsum(rng.standard_normal((n, factors, length)), axis=-1)
        log_mean = log_mean + walk * (between(rng, 0.3, 1.5) / np.sqrt(length))
    intensity = np.broadcast_to(np.exp(np.clip(log_mean, -6, 7)), (n, factors, length))
    return counts(rng, intensity, 0.0 if rng.random() < 0.6 else log_between(rng, 0.02, 1.0))


def hawkes_counts(
    rng: np.random.Generator, n: int, factors: int, length: int, base: float, branching: float, decay: float
) -> np.ndarray:
    r"""Self-exciting counts: :math:`\lambda_t = \mu + \alpha \sum_k (1 - d) d^{k-1} y_{t-k}`.

    Args:
        rng: randomness.
        n, factors, length: shape of the result.
        base: :math:`\mu`; the mean is :math:`\mu / (1 - \alpha)`.
        branching: :math:`\alpha < 1`, events that an event brings about.
        decay: :math:`d`, memory from step to step.
    """
    burn = 16
    path = np.empty((burn + length, n * factors))
    excited = np.full(n * factors, base * branching / (1 - branching))
    for t in range(burn + length):
        path[t] = rng.poisson(excited + base)
        excited = np.minimum(decay * excited + branching * (1 - decay) * path[t], _MOST)
    return path[burn:].T.reshape(n, factors, length)


def hawkes(rng: np.random.Generator, n: int, factors: int, length: int) -> np.ndarray:
    """Self-exciting counts with random parameters; at times their intensity, or their running sum."""
    out = hawkes_counts(
        rng, n, factors, length, log_between(rng, 0.05, 2), between(rng, 0.4, 0.95), between(rng, 0.2, 0.9)
    )
    kind = rng.random()
    if kind < 0.3:
        return np.cumsum(out, axis=-1)
    if kind < 0.6:
        return np.lib.stride_tricks.sliding_window_view(np.pad(out, ((0, 0), (0, 0), (3, 0)), mode="edge"), 4, -1).mean(
            -1
        )
    return out


def arrivals(rng: np.random.Generator, n: int, factors: int, length: int) -> np.ndarray:
    """Shot noise: arrivals of random size that fade; or bursts that switch on and off; or a stock that is refilled."""
    span = length + 32
    rate = log_between(rng, 1.5, 15) / length
    sizes = rng.standard_exponential((factors, n, span)) * (rng.random((factors, n, span)) < rate)
    kind = rng.random()
    if kind < 0.65:
        fade = np.exp(-np.arange(span) / max(0.4, length * log_between(rng, 0.02, 0.5)))
        return causal_filter(sizes, fade[None], length).swapaxes(0, 1)
    if kind < 0.85:
        long = max(1, round(length * log_between(rng, 0.03, 0.3)))
        on = causal_filter((sizes > 0).astype(float), (np.arange(span) < long)[None].astype(float), length) > 0.5
        lively = 1 + between(rng, 0, 0.6) * rng.standard_normal((factors, n, length)) * (below(rng, 2))
        return (on * lively).swapaxes(0, 1)
    return (np.cumsum(sizes, axis=-1) - np.arange(span) * (rate * between(rng, 0.5, 1)))[..., -length:].swapaxes(0, 1)
