r"""Synthetic domains: each draw is a data set of its own, with a random process behind it.

One or more families of :data:`PROCESSES` give a few latent factors; couplings make channels of them (:mod:`.couple`);
levels and scales differ between series; bends give channels their marginals (:mod:`.marginals`). Hyper-parameters
belong to the draw, randomness to each series, so the series of a draw are exchangeable. Few-shot generation needs many
*sets*, not only many windows; compare KernelSynth (Chronos, arXiv 2403.07815), TimePFN (arXiv 2502.16294) and TempoPFN
(arXiv 2510.25502).

Every family has one signature, ``(rng, n, factors, length) -> (n, factors, length)`` float64, and no unit: sizes are
evened out here. All randomness comes from the generator given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import accumulate

import numpy as np

from tsprout.data.processes.common import below, between, innovations, log_between, pick, rms
from tsprout.data.processes.counts import arrivals, count_series, hawkes
from tsprout.data.processes.couple import bend_together, bracket, derive, draw_mixing, lagged, mix
from tsprout.data.processes.dynamics import attractor, delayed_feedback, limit_cycle, maps
from tsprout.data.processes.kernels import coloured_noise, gaussian_process
from tsprout.data.processes.linear import autoregression, long_memory, random_walk, volatility
from tsprout.data.processes.marginals import BENDS
from tsprout.data.processes.oscillators import modulation, oscillation
from tsprout.data.processes.seasonal import calendar, events, repeating
from tsprout.data.processes.shapes import growth, prototypes
from tsprout.data.processes.statespace import regimes, structural, threshold
from tsprout.errors import InputError

__all__ = ["PROCESSES", "WEIGHTS", "Process", "draw_family", "draw_synthetic"]

Process = Callable[[np.random.Generator, int, int, int], np.ndarray]

_FAMILIES: dict[str, tuple[Process, float]] = {
    "gaussian_process": (gaussian_process, 3.0),
    "coloured_noise": (coloured_noise, 1.0),
    "autoregression": (autoregression, 1.2),
    "long_memory": (long_memory, 0.5),
    "random_walk": (random_walk, 1.5),
    "volatility": (volatility, 0.8),
    "structural": (structural, 2.0),
    "regimes": (regimes, 1.0),
    "threshold": (threshold, 0.3),
    "seasonal": (repeating, 3.0),
    "calendar": (calendar, 1.5),
    "events": (events, 1.2),
    "prototypes": (prototypes, 2.5),
    "growth": (growth, 1.0),
    "oscillation": (oscillation, 2.0),
    "modulation": (modulation, 0.8),
    "limit_cycle": (limit_cycle, 0.5),
    "attractor": (attractor, 0.4),
    "maps": (maps, 0.3),
    "delayed_feedback": (delayed_feedback, 0.3),
    "count_series": (count_series, 0.8),
    "hawkes": (hawkes, 0.4),
    "arrivals": (arrivals, 0.8),
}
PROCESSES: dict[str, Process] = {name: process for name, (process, _) in _FAMILIES.items()}
#: How often each family is drawn; any total.
WEIGHTS: dict[str, float] = {name: weight for name, (_, weight) in _FAMILIES.items()}

_BENDS = [bend for bend, _ in BENDS.values()]
_BEND_SHARES = tuple(accumulate(weight for _, weight in BENDS.values()))
_LARGEST = 1e4


def _tame(x: np.ndarray) -> np.ndarray:
    return np.clip(np.nan_to_num(x), -_LARGEST, _LARGEST)


def draw_family(rng: np.random.Generator, process: Process, n: int, factors: int, length: int) -> np.ndarray:
    """Series of one family at unit deviation, ``(n, factors, length)``; at times windows of a few longer recordings."""
    if rng.random() < 0.08 and n >= 4 and length <= 256:
        recordings = process(rng, n // 4, factors, 4 * length)
        start, which = rng.integers(0, 3 * length, n), rng.integers(0, n // 4, n)
        part = np.lib.stride_tricks.sliding_window_view(recordings, length, axis=-1)[which, :, start]
    else:
        part = process(rng, n, factors, length)
    size = rms(part)
    if not math.isfinite(size):
        part = _tame(part)
        size = rms(part)
    return part / (size + 1e-9)


def _choices(weights: Mapping[str, float] | None) -> tuple[list[Process], tuple[float, ...]]:
    weights = WEIGHTS if weights is None else weights
    unknown = sorted(set(weights) - set(PROCESSES))
    if unknown or not weights or min(weights.values()) < 0 or sum(weights.values()) <= 0:
        raise InputError(
            f"no such families: {', '.join(unknown)}" if unknown else "no family has a positive weight",
            fix=f"Weigh some of {', '.join(PROCESSES)}.",
        )
    return [PROCESSES[name] for name in weights], tuple(accumulate(weights.values()))


_ALL = _choices(None)


def _latent(
    rng: np.random.Generator, n: int, factors: int, length: int, choices: tuple[list[Process], tuple[float, ...]]
) -> np.ndarray:
    """Factors ``(n, factors, length)`` of one family; or of several: added, one driving the other, or side by side."""
    families, shares = choices
    first = draw_family(rng, families[pick(rng, shares)], n, factors, length)
    kind = rng.random()
    if kind < 0.55:
        return first
    if kind < 0.75 and factors > 1:
        own = 1 + below(rng, factors - 1)
        second = draw_family(rng, families[pick(rng, shares)], n, own, length)
        return np.concatenate([first[:, own:], second], axis=1)
    second = draw_family(rng, families[pick(rng, shares)], n, factors, length)
    if kind < 0.92:
        return first + log_between(rng, 0.1, 1.2) * second
    return first * np.exp(between(rng, 0.2, 0.8) * np.clip(second, -4, 4))


def _unit(series: np.ndarray) -> np.ndarray:
    """Each channel at mean 0 and deviation 1, in place; constant channels at 0."""
    cells = series.shape[0] * series.shape[2]
    series -= (np.einsum("ncl->c", series) / cells)[:, None]
    series *= (1 / (np.sqrt(np.einsum("ncl,ncl->c", series, series) / cells) + 1e-9))[:, None]
    return series


def _spread(rng: np.random.Generator, series: np.ndarray) -> np.ndarray:
    """Levels and scales of each series' own: common to its channels, of each channel, in clusters, or by its start."""
    n, channels, _ = series.shape
    kind = rng.random()
    if kind < 0.3:
        size = log_between(rng, 0.1, 4)
        level = rng.standard_normal((n, 1, 1)) * rng.standard_normal((1, channels, 1))
        own = between(rng, 0, 0.5) * rng.standard_normal((n, channels, 1))
        series = series + size * (level + own)
    elif kind < 0.36:
        # Groups of series at the same level.
        groups = 2 + below(rng, 3)
        places = log_between(rng, 0.5, 3) * rng.standard_normal((groups, channels, 1))
        series = series + places[rng.integers(0, groups, n)]
    elif kind < 0.4:
        series = series - series[..., :1]
    elif kind < 0.45:
        series = series + log_between(rng, 0.1, 1) * innovations(rng, (n, channels, 1))
    if rng.random() < 0.35:
        offset = between(rng, 0, 3) if rng.random() < 0.4 else 0.0
        shape = (n, 1, 1) if rng.random() < 0.6 else (n, channels, 1)
        series = (series + offset) * np.exp(log_between(rng, 0.05, 0.8) * rng.standard_normal(shape))
    return series


def _bend(rng: np.random.Generator, series: np.ndarray) -> np.ndarray:
    """One bend for all channels, or up to three for random groups of them, or none."""
    kind = rng.random()
    channels = series.shape[1]
    if kind < 0.5:
        return series
    # Bends are made for unit scale; a wide spread of levels would drive all series to their ends.
    series = series / max(1.0, rms(series))
    if kind < 0.7 or channels == 1:
        return _BENDS[pick(rng, _BEND_SHARES)](rng, series)
    groups = rng.random(channels)
    for low in range(1 + below(rng, 3)):
        some = np.flatnonzero((groups >= low / 3) & (groups < (low + 1) / 3))
        if len(some):
            series[:, some] = _BENDS[pick(rng, _BEND_SHARES)](rng, series[:, some])
    return series


def draw_synthetic(
    rng: np.random.Generator, n: int, channels: int, length: int, *, weights: Mapping[str, float] | None = None
) -> np.ndarray:
    """One synthetic set of exchangeable series of a freshly drawn process.

    Args:
        rng: the only source of randomness.
        n: series, at least 1.
        channels: channels of a series, at least 1.
        length: time steps, at least 2.
        weights: families of :data:`PROCESSES` to draw from and how often; :data:`WEIGHTS` without.

    Returns:
        ``(n, channels, length)`` float32, finite, within 1e4 of 0, of about unit scale.

    Raises:
        InputError: weights of unknown families, or none positive.
    """
    choices = _ALL if weights is None else _choices(weights)
    most = min(channels, 6)
    rank = most if rng.random() < 0.25 else 1 + int(most * rng.random() ** 1.3)
    # One factor makes all channels copies of each other; few sets are like that.
    rank = max(rank, min(2, channels) if rng.random() < 0.85 else 1)
    late = 1 + below(rng, max(1, length // 4)) if channels > 1 and rng.random() < 0.2 else 0
    series = mix(_latent(rng, n, rank, length + late, choices), draw_mixing(rng, channels, rank))
    if late:
        lags = (rng.random(channels) * (late + 1)).astype(np.int64)
        series = lagged(series, np.sort(lags) if rng.random() < 0.5 else lags, length)
    series = _unit(series)
    if channels > 1:
        kind = rng.random()
        if kind < 0.08:
            series = _unit(bend_together(rng, series))
        elif kind < 0.13:
            series = _unit(bracket(rng, series))
        elif kind < 0.25:
            derive(rng, series)
            series = _unit(series)
    if rng.random() < 0.3:
        sizes = log_between(rng, 0.01, 0.4) * rng.random((channels, 1))
        shape = series.shape if rng.random() < 0.8 else (n, 1, length)
        series = series + sizes * rng.standard_normal(shape)
    series = _bend(rng, _spread(rng, series)).astype(np.float32)
    if not (series.max() <= _LARGEST and series.min() >= -_LARGEST):
        series = _tame(series)
    return series
