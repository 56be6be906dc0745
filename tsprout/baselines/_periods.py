"""The period of a set of series, and the parts of a seasonal-trend decomposition.

Smoothing is local linear regression with tricube weights, as in STL (Cleveland et al., *STL: a seasonal-trend
decomposition procedure based on loess*, Journal of Official Statistics 6, 1990). On evenly spaced steps it is one
matrix, the same for all series of a length.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from tsprout.baselines._blocks import autocovariances

LEAST_CORRELATION = 0.3


def find_period(latent: np.ndarray, lengths: np.ndarray) -> int | None:
    """Steps after which the series repeat themselves, or ``None``.

    The first, among the lags up to half a series, of the highest peaks of the autocorrelation (over all channels and
    series, straight lines taken out), which must be 0.3 at least.

    Args:
        latent: ``(n, channels, length)``, complete.
        lengths: ``(n,)``.
    """
    flat = np.zeros(latent.shape)
    for row, own, out in zip(latent, lengths, flat, strict=True):
        steps = np.arange(own) - (own - 1) / 2
        values = row[:, :own] - row[:, :own].mean(axis=1, keepdims=True)
        slope = values @ steps / max(float(steps @ steps), 1.0)
        out[:, :own] = values - slope[:, None] * steps
    total = autocovariances(flat, lengths).sum(axis=0)
    most = int(np.median(lengths)) // 2
    if total[0] <= 1e-9 or most < 2:
        return None
    # Fewer products are summed at greater lags: undone here, so that they compare.
    count = np.maximum((lengths[:, None] - np.arange(len(total))).clip(0).sum(axis=0), 1)
    correlation = total / total[0] * lengths.sum() / count
    peaks = [
        k
        for k in range(2, min(most, len(total) - 2) + 1)
        if correlation[k] >= max(correlation[k - 1], correlation[k + 1], LEAST_CORRELATION)
    ]
    if not peaks:
        return None
    highest = max(correlation[k] for k in peaks)
    return next(k for k in peaks if correlation[k] >= 0.9 * highest)


@lru_cache(maxsize=64)
def loess_matrix(length: int, span: int) -> np.ndarray:
    """``(length, length)``: row ``t`` holds the weights of a local line through the ``span`` steps nearest to ``t``."""
    steps = np.arange(length, dtype=np.float64)
    out = np.empty((length, length))
    for t in range(length):
        away = np.abs(steps - t)
        # Where there are fewer steps than the span, STL widens the window in proportion.
        reach = np.sort(away)[min(span, length) - 1] + max(span - length, 0) / 2
        weight = np.clip(1 - (away / max(reach * 1.001, 1.0)) ** 3, 0, None) ** 3
        weight /= weight.sum()
        centre = weight @ steps
        variance = weight @ (steps - centre) ** 2
        tilt = (t - centre) * (steps - centre) / variance if variance > 1e-9 else 0.0
        out[t] = weight * (1 + tilt)
    out.setflags(write=False)
    return out


def decompose(series: np.ndarray, period: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Trend, season and remainder of series ``(n, channels, length)``, which add up to them.

    With a period the season is that of STL's periodic option: means of the steps a period apart, once the trend is
    out, of mean zero; the trend's window is STL's default, one and a half periods. Without one the trend's window is
    a third of the length, seven steps at least, and the season is zero.
    """
    values = series.astype(np.float64)
    length = values.shape[-1]
    season = np.zeros_like(values)
    if period is None or 2 * period > length:
        trend = values @ loess_matrix(length, max(7, length // 3)).T
        return trend, season, values - trend
    smooth = loess_matrix(length, int(np.ceil(1.5 * period)) | 1).T
    phase = np.arange(length) % period
    means = (phase[:, None] == np.arange(period)) / np.bincount(phase, minlength=period)
    trend = np.zeros_like(values)
    for _ in range(3):
        cycle = (values - trend) @ means
        cycle -= cycle.mean(axis=-1, keepdims=True)
        season = cycle[..., phase]
        trend = (values - season) @ smooth
    return trend, season, values - season - trend
