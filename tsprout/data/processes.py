r"""Synthetic domains: each draw is a data set of its own, with a random process behind it.

A latent process (Gaussian processes by random spectra, autoregressions, random walks, seasonal templates, regimes and
pulses, damped and chaotic oscillation) is drawn for a few factors, mixed into channels with random couplings and lags,
bent by a random marginal (exponential, saturated, zero-inflated, counted), and spread over series with random levels
and scales. Few-shot generation needs many *sets*, not only many windows (compare TimePFN, arXiv 2502.16294).
"""

from __future__ import annotations

import numpy as np


def _smooth(rng: np.random.Generator, n: int, factors: int, length: int) -> np.ndarray:
    """Gaussian process with a random power-law spectrum and a few spectral lines."""
    total = 2 * length
    frequency = np.fft.rfftfreq(total)
    power = (frequency + 1.0 / rng.uniform(length / 4, 4 * length)) ** -rng.uniform(0.2, 3.5, size=(factors, 1))
    for _ in range(int(rng.integers(0, 4))):
        line, width = rng.uniform(0.5 / length, 0.4), rng.uniform(0.2, 2) / total
        power = power + rng.exponential(3) * power.mean() * len(frequency) * 0.2 * np.exp(
            -0.5 * ((frequency - line) / width) ** 2
        )
    noise = rng.standard_normal((n, factors, len(frequency), 2)) @ np.array([1, 1j])
    return np.fft.irfft(noise * np.sqrt(power), n=total)[..., :length]


def _autoregressive(rng: np.random.Generator, n: int, factors: int, length: int) -> np.ndarray:
    """Autoregression with random poles, by its frequency response; innovations perhaps heavy-tailed."""
    total = 2 * length + 64
    shape = (n, factors, total)
    noise = rng.standard_normal(shape) if rng.random() < 0.6 else rng.standard_t(3, shape)
    response = np.ones((factors, total // 2 + 1), dtype=complex)
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(total))
    for _ in range(int(rng.integers(1, 4))):
        radius, angle = rng.uniform(0.3, 0.99, (factors, 1)), rng.uniform(0, np.pi, (factors, 1))
        response /= 1 - 2 * radius * np.cos(angle) * turn + (radius * turn) ** 2
    return np.fft.irfft(np.fft.rfft(noise) * response, n=total)[..., -length:]


def _walk(rng: np.random.Generator, n: int, factors: int, length: int) -> np.ndarray:
    """Random walk with drift and perhaps clustered volatility."""
    steps = rng.standard_normal((n, factors, length))
    if rng.random() < 0.4:
        slow = np.cumsum(rng.standard_normal((n, factors, length)), axis=-1) / np.sqrt(length)
        steps = steps * np.exp(rng.uniform(0.5, 1.5) * slow)
    start = rng.standard_normal((n, factors, 1)) * rng.uniform(0, 3) * np.sqrt(length)
    return np.cumsum(steps + rng.normal(0, 0.2, (1, factors, 1)), axis=-1) + start


def _seasonal(rng: np.random.Generator, n: int, factors: int, length: int) -> np.ndarray:
    """A random periodic template, with amplitude, phase and noise of each series' own, and a trend."""
    period = length / rng.uniform(0.3, 6)
    harmonics = int(rng.integers(1, 6))
    order = np.arange(1, harmonics + 1)
    amplitude = rng.standard_normal((factors, harmonics)) / order ** rng.uniform(0, 2)
    phase = rng.uniform(0, 2 * np.pi, (factors, harmonics))
    common = rng.uniform(0, 2 * np.pi) if rng.random() < 0.5 else rng.uniform(0, 2 * np.pi, (n, 1, 1, 1))
    jitter = rng.normal(0, rng.uniform(0, 0.5), (n, 1, 1, 1))
    clock = 2 * np.pi * np.arange(length) / period + common + jitter
    wave = (amplitude[None, ..., None] * np.sin(order[:, None] * clock + phase[None, ..., None])).sum(2)
    wave = wave * np.exp(rng.normal(0, rng.uniform(0, 0.6), (n, factors, 1)))
    trend = rng.normal(0, rng.uniform(0, 1), (n, factors, 1)) * np.linspace(-1, 1, length)
    return wave + trend + rng.uniform(0, 0.6) * rng.standard_normal((n, factors, length))


def _regimes(rng: np.random.Generator, n: int, factors: int, length: int) -> np.ndarray:
    """Piecewise levels, with pulses that fade."""
    rate = rng.uniform(0.5, 6) / length
    switch = rng.random((n, factors, length)) < rate
    states = rng.standard_normal(int(rng.integers(2, 6)))
    index = np.cumsum(switch, axis=-1) + rng.integers(0, 64, (n, factors, 1))
    level = states[rng.integers(0, len(states), 4096)[(index * 7919) % 4096]]
    pulses = (rng.random((n, factors, length)) < rng.uniform(0, 3) / length) * rng.exponential(3, (n, factors, length))
    decay = rng.uniform(0.2, 0.98) ** np.arange(length)
    faded = np.fft.irfft(np.fft.rfft(pulses, 2 * length) * np.fft.rfft(decay, 2 * length), 2 * length)[..., :length]
    return level + faded + rng.uniform(0, 0.4) * rng.standard_normal((n, factors, length))


def _oscillation(rng: np.random.Generator, n: int, factors: int, length: int) -> np.ndarray:
    """Damped oscillation from random states, or the logistic map smoothed a little."""
    if rng.random() < 0.3:
        state = rng.uniform(0.1, 0.9, (n, factors))
        rate = rng.uniform(3.5, 4.0)
        out = np.empty((n, factors, length))
        for step in range(length):
            out[..., step] = state
            state = np.clip(rate * state * (1 - state), 1e-6, 1 - 1e-6)
        return out
    clock = np.arange(length)
    speed = 2 * np.pi * rng.uniform(0.5, 8, (1, factors, 1)) / length
    speed = speed * np.exp(rng.normal(0, rng.uniform(0, 0.2), (n, 1, 1)))
    damping = rng.uniform(0, 4) / length
    start = rng.standard_normal((n, factors, 1, 2))
    swing = start[..., 0] * np.sin(speed * clock) + start[..., 1] * np.cos(speed * clock)
    return swing * np.exp(-damping * clock)


_PROCESSES = (_smooth, _smooth, _autoregressive, _walk, _seasonal, _seasonal, _regimes, _oscillation)


def _marginal(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """A random bend of one channel's values ``(n, length)``, which have about unit variance."""
    kind = rng.random()
    if kind < 0.6:
        return x
    if kind < 0.7:
        return np.exp(rng.uniform(0.2, 0.7) * np.clip(x, -4, 4))
    if kind < 0.78:
        return np.tanh(rng.uniform(0.5, 2) * x)
    if kind < 0.86:
        return np.maximum(x - rng.normal(0, 0.7), 0)
    if kind < 0.93:
        return np.round(x * rng.uniform(0.7, 4))
    return (x > rng.normal(0, 0.7)).astype(float)


def draw_synthetic(rng: np.random.Generator, n: int, channels: int, length: int) -> np.ndarray:
    """One synthetic set: ``(n, channels, length)`` float32 series of a freshly drawn process."""
    rank = int(rng.integers(1, min(channels, 6) + 1))
    latent = np.zeros((n, rank, length))
    for _ in range(1 if rng.random() < 0.5 else 2):
        part = _PROCESSES[int(rng.integers(len(_PROCESSES)))](rng, n, rank, length)
        latent += rng.uniform(0.3, 1) * part / (part.std() + 1e-9)
    mixing = rng.standard_normal((channels, rank)) * (rng.random((channels, rank)) < rng.uniform(0.3, 1))
    mixing[np.arange(channels), rng.integers(0, rank, channels)] += rng.choice([-1, 1], channels)
    series = np.einsum("cr,nrl->ncl", mixing, latent)
    if rng.random() < 0.3:
        series = np.stack(
            [np.roll(series[:, c], int(rng.integers(0, max(2, length // 6))), -1) for c in range(channels)], 1
        )
    own = rng.uniform(0, 0.5) * rng.random((1, channels, 1))
    series = series / (series.std(axis=(0, 2), keepdims=True) + 1e-9) + own * rng.standard_normal(series.shape)
    series = np.stack([_marginal(rng, series[:, c]) for c in range(channels)], axis=1)
    if rng.random() < 0.5:
        size = rng.uniform(0, 2) * series.std()
        shared = rng.standard_normal((n, 1, 1)) * rng.choice([-1, 0, 1], (1, channels, 1))
        series = series + size * (shared + 0.5 * rng.standard_normal((n, channels, 1)))
    if rng.random() < 0.3:
        series = series * np.exp(rng.normal(0, rng.uniform(0, 0.7), (n, 1, 1)))
    return series.astype(np.float32)
