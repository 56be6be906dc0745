"""What the figures of the report show of one channel: ranges, densities, quantiles, autocorrelation and spectra.

Input is one channel ``(n_series, length)`` in its own units, NaN where nothing was observed. Bands hold the middle 80 %
of the series.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tsprout.metrics.reference import fill

BAND = (0.1, 0.9)
_BINS = 40
_QUANTILES = 33
_FREQUENCIES = 60
_STILL = 2e-7  # of the largest value; what moves less is the rounding of float32


@dataclass(frozen=True)
class Curve:
    """A curve with a band: the middle over the series, and between which values the middle 80 % of them lie."""

    at: np.ndarray
    middle: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def known(self) -> bool:
        """Whether there is anything to draw."""
        return bool(np.isfinite(self.middle).any())


def finite(values: np.ndarray) -> np.ndarray:
    """All observed values in a row, float64."""
    return values[np.isfinite(values)].astype(np.float64)


def limits(real: np.ndarray, synthetic: np.ndarray, *, reach: float = 0.0) -> tuple[float, float]:
    """A range that holds every real value and the bulk of the synthetic ones, with a margin.

    Synthetic values further out than ``reach`` times the range of the real ones are left out if they are the outermost
    half per cent: one wild value must not flatten everything else.
    """
    pools = [pool for pool in (finite(real), finite(synthetic)) if pool.size]
    if not pools:
        return -1.0, 1.0
    low, high = min(float(pool.min()) for pool in pools), max(float(pool.max()) for pool in pools)
    if len(pools) == 2 and pools[0].max() > pools[0].min():
        away = reach * float(pools[0].max() - pools[0].min())
        low = max(low, min(float(pools[0].min()) - away, float(np.quantile(pools[1], 0.005))))
        high = min(high, max(float(pools[0].max()) + away, float(np.quantile(pools[1], 0.995))))
    largest = max(abs(low), abs(high))
    margin = 0.05 * (high - low) if high - low > _STILL * largest else 0.1 * largest or 1.0
    return low - margin, high + margin


def outside(values: np.ndarray, ends: tuple[float, float]) -> int:
    """How many observed values lie outside of a range."""
    seen = finite(values)
    return int(np.count_nonzero((seen < ends[0]) | (seen > ends[1])))


def histogram(pool: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Heights of bars whose area is 1 together; what lies outside is counted in the outermost bars."""
    heights, _ = np.histogram(np.clip(pool, edges[0], edges[-1]), bins=edges)
    return np.asarray(heights / (max(pool.size, 1) * np.diff(edges)))


def bins(ends: tuple[float, float], *pools: np.ndarray) -> np.ndarray:
    """Edges of equally wide bins, fewer where the smaller pool is small."""
    fewest = min((pool.size for pool in pools if pool.size), default=0)
    return np.linspace(*ends, int(np.clip(2 * np.sqrt(fewest), 8, _BINS)) + 1)


def quantiles(pool: np.ndarray) -> np.ndarray:
    """Quantiles from 1 % to 99 %."""
    return np.asarray(np.quantile(pool, np.linspace(0.01, 0.99, _QUANTILES)))


def autocorrelation(values: np.ndarray) -> Curve:
    """Autocorrelation of every series about its own mean, at lags from 0 to half the length (to the end if short)."""
    length = values.shape[-1]
    lags = np.arange(min(length - 1, max(24, length // 2)) + 1)
    seen = np.isfinite(values)
    count = np.maximum(seen.sum(axis=-1, keepdims=True), 1)
    filled = np.where(seen, values, 0.0).astype(np.float64)
    centred = np.where(seen, filled - filled.sum(axis=-1, keepdims=True) / count, 0.0)
    transformed = np.fft.rfft(centred, 2 * length, axis=-1)
    products = np.fft.irfft(np.abs(transformed) ** 2, 2 * length, axis=-1)[:, lags]
    spread = products[:, :1] / count
    moves = spread > np.maximum((_STILL * np.abs(filled).max(axis=-1, keepdims=True, initial=0.0)) ** 2, 1e-300)
    return _curve(lags.astype(float), (products / np.where(moves, products[:, :1], 1.0))[moves[:, 0]])


def spectrum(values: np.ndarray) -> Curve:
    """Power at every frequency (cycles a time step), in squared units, Hann window, mean of each series removed."""
    length = values.shape[-1]
    observed = np.isfinite(values).any(axis=-1)
    if length < 4 or not observed.any():
        return _curve(np.empty(0), np.empty((0, 0)))
    filled = fill(values[observed][:, None].astype(np.float64))[:, 0]
    centred = filled - filled.mean(axis=-1, keepdims=True)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(length) + 0.5) / length)
    power = np.abs(np.fft.rfft(centred * window, axis=-1)[:, 1:]) ** 2 / np.sum(window**2)
    frequencies = np.arange(1, power.shape[1] + 1) / length
    if len(frequencies) > _FREQUENCIES:
        edges = np.unique(np.geomspace(1, len(frequencies) + 1, _FREQUENCIES + 1).astype(int)) - 1
        width = np.diff(edges)
        power = np.add.reduceat(power, edges[:-1], axis=1) / width
        frequencies = np.add.reduceat(frequencies, edges[:-1]) / width
    if np.abs(centred).max() <= _STILL * np.abs(filled).max():
        return _curve(np.empty(0), np.empty((0, 0)))
    return _curve(
        frequencies, np.maximum(power, 1e-12 * power.max()), median=True
    )  # a mean of powers is that of the largest few


def _curve(at: np.ndarray, rows: np.ndarray, *, median: bool = False) -> Curve:
    if not rows.size:
        return Curve(at, np.full(len(at), np.nan), np.full(len(at), np.nan), np.full(len(at), np.nan))
    low, high = np.quantile(rows, BAND, axis=0)
    return Curve(at, np.median(rows, axis=0) if median else rows.mean(axis=0), low, high)
