r"""From latent factors to channels: mixing, lags, nonlinear couplings, derived channels.

The linear part is the linear model of coregionalisation :math:`x = M z`, so channels covary as :math:`M M^\top` when
the factors are white; Journel & Huijbregts 1978.
"""

from __future__ import annotations

import numpy as np

from tsprout.data.processes.common import below, between, log_between, pick

_MODES = (0.3, 0.6, 0.8, 1.0)


def mix(latent: np.ndarray, mixing: np.ndarray) -> np.ndarray:
    """``(n, factors, length)`` by ``mixing (channels, factors)`` to ``(n, channels, length)``."""
    return np.matmul(mixing, latent)


def draw_mixing(rng: np.random.Generator, channels: int, factors: int) -> np.ndarray:
    """Mixing ``(channels, factors)`` with no empty row: one factor a channel, groups, sparse or dense."""
    main = np.zeros((channels, factors))
    order = np.arange(channels) % factors
    kind = pick(rng, _MODES)
    if kind == 0 and factors < channels and rng.random() < 0.85:
        # Factors that are shown twice would make exact copies.
        kind = 1 + below(rng, 3)
    if kind == 0:
        # Channel c shows factor c, of either sign or only of one.
        main[np.arange(channels), order] = 1.0 if rng.random() < 0.6 else np.where(rng.random(channels) < 0.7, 1, -1)
        return main
    if kind == 1:
        # Groups: the factor of the group, and a little of the others.
        main[np.arange(channels), rng.permutation(order)] = 0.5 + rng.random(channels)
        return main + log_between(rng, 0.02, 0.6) * rng.standard_normal((channels, factors))
    if kind == 2:
        # One common factor, and a share of an own one.
        main[:, 0] = 1.0
        return main + log_between(rng, 0.03, 1) * rng.standard_normal((channels, factors))
    full = rng.standard_normal((channels, factors)) * (rng.random((channels, factors)) < between(rng, 0.3, 1))
    full[np.arange(channels), order] += np.where(rng.random(channels) < 0.5, 1, -1)
    return full


def lagged(series: np.ndarray, lags: np.ndarray, length: int) -> np.ndarray:
    """The last ``length`` steps of ``(n, channels, length + most)``, each channel ``lags (channels,)`` steps late."""
    total = series.shape[-1]
    out = np.empty((*series.shape[:-1], length))
    for c, lag in enumerate(lags.tolist()):
        out[:, c] = series[:, c, total - length - lag : total - lag]
    return out


def bend_together(rng: np.random.Generator, series: np.ndarray) -> np.ndarray:
    """Nonlinear coupling of unit-scale channels with their neighbours: gain, product, or threshold."""
    other = np.roll(series, 1, axis=1)
    kind = rng.random()
    if kind < 0.4:
        return series * (1 + between(rng, 0.3, 0.9) * np.tanh(other))
    if kind < 0.6:
        return series * other
    if kind < 0.8:
        return series + between(rng, 0.3, 1) * (other * other - 1)
    return np.where(other > between(rng, -0.5, 0.5), series, between(rng, -0.3, 0.5) * series)


def derive(rng: np.random.Generator, series: np.ndarray) -> None:
    """Overwrite a few channels, in place, by functions of others: sums, differences, ratios, copies, constants."""
    channels, length = series.shape[1:]
    for _ in range(1 + below(rng, min(3, channels - 1))):
        target = below(rng, channels)
        source = (target + 1 + below(rng, channels - 1)) % channels
        x = series[:, source]
        kind = rng.random()
        if kind < 0.2:
            series[:, target] = np.cumsum(x, axis=-1) / length
        elif kind < 0.4:
            series[:, target, 1:] = x[:, 1:] - x[:, :-1]
            series[:, target, 0] = series[:, target, 1]
        elif kind < 0.5:
            series[:, target] = x / (1 + np.abs(series[:, target]))
        elif kind < 0.6:
            # A copy, perhaps with measurement noise.
            size = below(rng, 2) * log_between(rng, 0.01, 0.2)
            series[:, target] = x + size * rng.standard_normal(x.shape)
        elif kind < 0.7:
            series[:, target] = np.maximum.accumulate(x, axis=-1)
        elif kind < 0.8:
            series[:, target] = np.abs(x)
        elif kind < 0.9:
            series[:, target] = x - series.mean(axis=1)
        elif kind < 0.95:
            series[:, target] = np.linspace(-1, 1, length)
        else:
            series[:, target] = x[:, :1]
    if rng.random() < 0.05:
        series[:, below(rng, channels)] = rng.standard_normal()


def bracket(rng: np.random.Generator, series: np.ndarray) -> np.ndarray:
    """Near copies of channel 0, as high, low and close of a price are of one course: ``(n, channels, length)``."""
    n, channels, length = series.shape
    width = log_between(rng, 0.01, 0.3) * np.abs(rng.standard_normal((n, 1, length)))
    offset = np.linspace(-1, 1, channels)[:, None] + 0.3 * rng.standard_normal((n, channels, length))
    out = series[:, :1] + width * offset
    if channels > 3 and rng.random() < 0.7:
        out[:, -1] = series[:, -1]
    return out
