r"""Linear recursions: ARMA with a season, long memory, random walks, and GARCH volatility.

Box & Jenkins 1970 (ARMA), Granger & Joyeux 1980 (fractional differences), Bollerslev 1986 (GARCH),
Taylor 1986 (stochastic volatility).
"""

from __future__ import annotations

import numpy as np

from tsprout.data.processes.common import below, between, causal_filter, draw_period, innovations, log_between


def impulse_response(
    sections: np.ndarray, ma: np.ndarray, span: int, season: tuple[int, float] = (0, 0.0)
) -> np.ndarray:
    r"""Response of :math:`\prod_s (1 - a_{s1} B - a_{s2} B^2)\,(1 - \Phi B^S)\,x = (1 + \sum_k b_k B^k)\,e`.

    Args:
        sections: stable autoregressive factors ``(factors, sections, 2)``.
        ma: moving-average coefficients ``(factors, order)``.
        span: time steps.
        season: ``(S, Phi)``; ``S = 0`` is no season.

    Returns:
        ``(factors, span)``.
    """
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(2 * span))
    response = np.ones((len(sections), span + 1), dtype=complex)
    delayed = turn
    for k in range(ma.shape[1]):
        response += ma[:, k, None] * delayed
        delayed = delayed * turn
    for s in range(sections.shape[1]):
        response /= 1 - turn * (sections[:, s, :1] + sections[:, s, 1:] * turn)
    if season[0]:
        response /= 1 - season[1] * turn ** season[0]
    return np.fft.irfft(response, 2 * span)[:, :span]


def arma(
    rng: np.random.Generator,
    n: int,
    sections: np.ndarray,
    ma: np.ndarray,
    length: int,
    season: tuple[int, float] = (0, 0.0),
) -> np.ndarray:
    """ARMA series ``(n, factors, length)`` after a run-up, of some innovations; see :func:`impulse_response`."""
    span = length + 40 + length // 4
    noise = innovations(rng, (len(sections), n, span))
    return causal_filter(noise, impulse_response(sections, ma, span, season), length).swapaxes(0, 1)


def autoregression(rng: np.random.Generator, n: int, factors: int, length: int) -> np.ndarray:
    """ARMA with random poles (pairs, or one real), perhaps a moving average and a seasonal factor."""
    count = 1 + (rng.random() < 0.5) + (rng.random() < 0.2)
    radius = 1 - 0.6 * rng.random((factors, count)) ** 2
    radius = np.minimum(radius, 0.985)
    angle = np.pi * rng.random((factors, count)) ** 2
    sections = np.stack([2 * radius * np.cos(angle), -(radius**2)], axis=-1)
    if rng.random() < 0.4:
        sections[:, 0, 0], sections[:, 0, 1] = radius[:, 0], 0.0
    order = below(rng, 3) if rng.random() < 0.5 else 0
    ma = 2 * rng.random((factors, order)) - 0.6
    season = (0, 0.0)
    if rng.random() < 0.25:
        season = (max(2, round(draw_period(rng, length // 2 + 2))), between(rng, 0.5, 0.95))
    return arma(rng, n, sections, ma, length, season)


def long_memory(rng: np.random.Generator, n: int, factors: int, length: int) -> np.ndarray:
    r"""Fractionally integrated noise :math:`(1 - B)^{-d} e`, :math:`0.2 \le d \le 1.5`."""
    span = length + 64
    k = np.arange(1, span)
    d = between(rng, 0.2, 1.3) + 0.2 * rng.random((factors, 1))
    response = np.concatenate([np.ones((factors, 1)), np.cumprod((k - 1 + d) / k, axis=1)], axis=1)
    return causal_filter(innovations(rng, (factors, n, span)), response, length).swapaxes(0, 1)


def integrate(steps: np.ndarray, start: np.ndarray | float = 0.0) -> np.ndarray:
    """Random walk: cumulative sum of ``steps (..., length)``, plus where it starts."""
    return np.cumsum(steps, axis=-1) + start


def random_walk(rng: np.random.Generator, n: int, factors: int, length: int) -> np.ndarray:
    """Random walk with drift, starts spread as by windows of a longer one; perhaps smooth, volatile, or jumping."""
    shape = (n, factors, length)
    steps = innovations(rng, shape)
    kind = rng.random()
    if kind < 0.25:
        # Steps that remember each other: a smooth path.
        steps = np.cumsum(steps, axis=-1) / length + rng.standard_normal((n, factors, 1)) * between(rng, 0, 1)
    elif kind < 0.4:
        steps = steps * np.exp(between(rng, 0.5, 1.5) * np.cumsum(rng.standard_normal(shape), -1) / np.sqrt(length))
    elif kind < 0.5:
        steps = steps * (rng.random(shape) < log_between(rng, 2 / length, 0.6))
    size = np.sqrt(length) * between(rng, 0, 4)
    start = size * rng.standard_normal((n, factors, 1)) if rng.random() < 0.6 else 0.0
    drift = between(rng, 0, 0.4) * rng.standard_normal((1, factors, 1))
    return integrate(steps + drift, start)


def garch_returns(rng: np.random.Generator, n: int, factors: int, length: int, alpha: float, beta: float) -> np.ndarray:
    r"""GARCH(1, 1) of unit variance: :math:`\sigma^2_t = \omega + \alpha r^2_{t-1} + \beta \sigma^2_{t-1}`.

    Args:
        rng: randomness.
        n, factors, length: shape of the result.
        alpha, beta: non-negative, of sum below 1; :math:`\omega = 1 - \alpha - \beta`.
    """
    burn = 16
    noise = rng.standard_normal((burn + length, n * factors))
    variance = np.ones(n * factors)
    for row in noise:
        row *= np.sqrt(variance)
        variance *= beta
        variance += alpha * (row * row)
        variance += 1 - alpha - beta
    return noise[burn:].T.reshape(n, factors, length)


def volatility(rng: np.random.Generator, n: int, factors: int, length: int) -> np.ndarray:
    """GARCH returns: mostly summed up to prices, at times their absolute values, or as they are."""
    alpha = between(rng, 0.05, 0.4)
    returns = garch_returns(rng, n, factors, length, alpha, between(rng, 0.4, 0.98) * (1 - alpha))
    kind = rng.random()
    if kind < 0.55:
        price = integrate(
            returns + 0.1 * rng.standard_normal(), between(rng, 0, 10) * rng.standard_normal((n, factors, 1))
        )
        return np.exp(np.clip(price * (0.3 / np.sqrt(length)), -5, 5)) if rng.random() < 0.5 else price
    if kind < 0.8:
        # Realised volatility: smoothed size of the returns.
        span = between(rng, 1.5, 6)
        weights = np.exp(-np.arange(length) / span)[None]
        return causal_filter(np.abs(returns).swapaxes(0, 1), weights, length).swapaxes(0, 1)
    return returns
