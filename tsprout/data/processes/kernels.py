r"""Gaussian processes with composed kernels, and coloured noise.

Rasmussen & Williams 2006 ch. 4 (kernels; sums and products are kernels again), Duvenaud 2014 (composition), after the
idea of KernelSynth (Chronos, arXiv 2403.07815). Stationary kernels are held as values at lags ``0 .. length - 1``,
``(kernels, length)``. Short series are drawn by a Cholesky factor that all series share, long ones by circulant
embedding (Dietrich & Newsam 1997). Coloured noise after Timmer & König 1995.
"""

from __future__ import annotations

import math

import numpy as np

from tsprout.data.processes.common import below, between, draw_period, log_between

_CHOLESKY_LENGTH = 160
_OWN_KERNEL_LENGTH = 64


def rbf(lag: np.ndarray, scale: np.ndarray | float) -> np.ndarray:
    r""":math:`\exp(-r^2 / 2 s^2)`: smooth."""
    return np.exp(-0.5 * (lag / scale) ** 2)


def exponential(lag: np.ndarray, scale: np.ndarray | float) -> np.ndarray:
    r""":math:`\exp(-r / s)`: Ornstein-Uhlenbeck, rough."""
    return np.exp(-lag / scale)


def matern(lag: np.ndarray, scale: np.ndarray | float) -> np.ndarray:
    r"""Matérn 3/2: differentiable once."""
    r = math.sqrt(3) * lag / scale
    return (1 + r) * np.exp(-r)


def rational_quadratic(lag: np.ndarray, scale: np.ndarray | float, alpha: float = 1.0) -> np.ndarray:
    r""":math:`(1 + r^2 / 2 \alpha s^2)^{-\alpha}`: many scales at once."""
    return (1 + lag**2 / (2 * alpha * np.square(scale))) ** -alpha


def periodic(lag: np.ndarray, period: float, scale: float) -> np.ndarray:
    r""":math:`\exp(-2 \sin^2(\pi r / p) / s^2)`: repeats for ever."""
    return np.exp(-2 * np.sin(np.pi / period * lag) ** 2 / scale**2)


def white(lag: np.ndarray) -> np.ndarray:
    """1 at lag 0, else 0."""
    return (lag == 0).astype(float)


def _base(rng: np.random.Generator, lag: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """One base kernel ``(kernels, length)``; each kernel stretches the common scale by its ``spread (kernels, 1)``."""
    length, kind = len(lag), rng.random()
    if kind < 0.35:
        return rbf(lag, spread * length * log_between(rng, 0.05, 1.5))
    if kind < 0.5:
        return matern(lag, spread * length * log_between(rng, 0.08, 3))
    if kind < 0.6:
        return exponential(lag, spread * length * log_between(rng, 0.2, 5))
    if kind < 0.7:
        return rational_quadratic(lag, spread * length * log_between(rng, 0.05, 1), log_between(rng, 0.2, 3))
    return periodic(lag, draw_period(rng, length), log_between(rng, 0.3, 3)) * np.ones_like(spread)


def draw_kernel(rng: np.random.Generator, kernels: int, length: int) -> np.ndarray:
    """Random sums of products ``(kernels, length)``, of one structure and different scales."""
    lag = np.arange(length)
    spread = np.exp(0.4 * rng.standard_normal((kernels, 1)))
    total = np.zeros((kernels, length))
    for _ in range(1 + (rng.random() < 0.5) + (rng.random() < 0.2)):
        term = _base(rng, lag, spread)
        if rng.random() < 0.35:
            term = term * _base(rng, lag, spread)
        total += rng.standard_exponential((kernels, 1)) * term
    if rng.random() < 0.35:
        total += log_between(rng, 1e-4, 0.1) * total[:, :1] * white(lag)
    return total


def sample(rng: np.random.Generator, kernel: np.ndarray, n: int, factors: int) -> np.ndarray:
    """Independent draws ``(n, factors, length)``.

    Args:
        rng: randomness.
        kernel: ``(factors or 1, length)`` values at each lag; factors share a single one.
        n, factors: how many.
    """
    length = kernel.shape[-1]
    if length > _CHOLESKY_LENGTH:
        return _sample_circulant(rng, kernel, n, factors)
    step = np.arange(length)
    covariance = kernel[:, np.abs(step - step[:, None])]
    covariance[:, step, step] += 1e-6 * kernel[:, :1] + 1e-12
    root = np.linalg.cholesky(covariance)
    return (rng.standard_normal((factors, n, length)) @ root.swapaxes(-1, -2)).swapaxes(0, 1)


def _sample_circulant(rng: np.random.Generator, kernel: np.ndarray, n: int, factors: int) -> np.ndarray:
    """By the spectrum of the kernel wrapped into a circle of twice the length; negative power is cut off."""
    length = kernel.shape[-1]
    total = 2 * length - 2
    power = np.maximum(np.fft.rfft(np.concatenate([kernel, kernel[:, -2:0:-1]], axis=1)).real, 0)
    weight = np.full(power.shape[-1], 2.0)
    weight[[0, -1]] = 1.0
    power *= kernel[:, :1] * total / np.maximum((power * weight).sum(-1, keepdims=True), 1e-12)
    noise = rng.standard_normal((n, factors, power.shape[-1], 2)).view(complex)[..., 0]
    return np.fft.irfft(noise * np.sqrt(power * total / weight), n=total)[..., :length]


def gaussian_process(rng: np.random.Generator, n: int, factors: int, length: int) -> np.ndarray:
    """A composed kernel; perhaps times an envelope (a linear or changing factor), perhaps plus a linear kernel."""
    kernel = draw_kernel(rng, factors if length <= _OWN_KERNEL_LENGTH else 1, length)
    out = sample(rng, kernel, n, factors)
    clock = np.linspace(-1, 1, length)
    kind = rng.random()
    if kind < 0.08:
        out = out * (clock - between(rng, -1.5, 1.5))
    elif kind < 0.2:
        out = out * (1 + between(rng, 0.5, 4) / (1 + np.exp(-log_between(rng, 1, 20) * (clock - between(rng, -1, 1)))))
    if rng.random() < 0.25:
        out = out + (rng.standard_normal((n, factors, 1)) * between(rng, 0, 2)) * clock
    if rng.random() < 0.3:
        # A mean function that all series share.
        out = out + between(rng, 0.5, 3) * sample(rng, draw_kernel(rng, 1, length), 1, factors)
    return out


def coloured_noise(rng: np.random.Generator, n: int, factors: int, length: int) -> np.ndarray:
    r"""Power-law spectrum :math:`(f + f_0)^{-\beta}` with a few spectral lines."""
    total = 2 * length
    frequency = np.fft.rfftfreq(total)
    steepness = between(rng, 0.8, 4) + 0.3 * rng.standard_normal((factors, 1))
    power = (frequency + 1.0 / between(rng, length / 4, 4 * length)) ** -steepness
    for _ in range(below(rng, 4)):
        line, width = log_between(rng, 0.4 / length, 0.3), between(rng, 0.2, 2) / total
        peak = np.exp(-0.5 * ((frequency - line) / width) ** 2)
        power = power + rng.standard_exponential() * power.sum(-1, keepdims=True) * peak / (peak.sum() + 1e-9)
    noise = rng.standard_normal((n, factors, len(frequency), 2)).view(complex)[..., 0]
    return np.fft.irfft(noise * np.sqrt(power), n=total)[..., :length]
