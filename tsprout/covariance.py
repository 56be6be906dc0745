r"""How the cells of series vary together, from few series with gaps.

Of :math:`n` series, each one long vector of its :math:`C L` cells, the covariance is half the sample's and half that
averaged over time, since few series say little of single steps:

.. math:: S = \frac1n \sum_k \operatorname{E}\big[(x_k - \mu)(x_k - \mu)^\top\big], \quad
    \bar S_{(i, t), (j, u)} = \frac{1}{L} \sum_s S'_{(i, s), (j, s + u - t)},

where :math:`S'` is about the mean of each channel and :math:`S` about that of each step. What is not observed enters by
its expectation given the rest, under the covariance of the round before (EM: Dempster, Laird and Rubin 1977; Little and
Rubin 2019, section 11.2).
"""

from __future__ import annotations

import numpy as np

_ROUNDS = 6
_FLOOR = 1e-3  # of the mean variance: what a first guess of a variance, or a pivot, is at least


def covariance(values: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """``(channels * length, channels * length)`` float64, symmetric, positive up to rounding.

    Args:
        values: ``(n, channels, length)``; what is not observed is not looked at.
        observed: the same shape, boolean.
    """
    n, channels, length = values.shape
    seen = observed.reshape(n, -1)
    x = np.where(seen, values.reshape(n, -1), 0.0).astype(np.float64)
    counts = observed.sum((0, 2))
    level = np.repeat(np.where(observed, values, 0.0).sum((0, 2)) / np.maximum(counts, 1), length)
    spread = _first(np.where(seen, x - level, 0.0).reshape(values.shape), observed)
    for _ in range(1 if seen.all() else _ROUNDS):
        filled, left = _expected(x, seen, level, spread)
        mean = (filled.sum(0) + level) / (n + 1)  # of few series, a little towards the level
        level = np.repeat(filled.reshape(values.shape).mean((0, 2)), length)
        sample, around = ((filled - about).T @ (filled - about) / n + left for about in (mean, level))
        spread = (sample + _over_time(around, channels)) / 2
    return spread


def _expected(x: np.ndarray, seen: np.ndarray, level: np.ndarray, spread: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Series with their gaps as expected, and the mean covariance that is left in them."""
    filled, left = x.copy(), np.zeros_like(spread)
    least = _FLOOR * max(float(np.diagonal(spread).mean()), 1e-12)
    masks, which = np.unique(seen, axis=0, return_inverse=True)
    for number, here in enumerate(masks):
        if here.all():
            continue
        some, gone = np.flatnonzero(which.ravel() == number), ~here
        own = spread[np.ix_(here, here)] + least * np.eye(int(here.sum()))
        pull = np.linalg.solve(own, spread[np.ix_(here, gone)]).T
        filled[np.ix_(some, gone)] = level[gone] + (x[np.ix_(some, here)] - level[here]) @ pull.T
        left[np.ix_(gone, gone)] += (
            len(some) / len(x) * (spread[np.ix_(gone, gone)] - pull @ spread[np.ix_(here, gone)])
        )
    return filled, left


def _first(away: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """A first guess from ``away`` ``(n, channels, length)``, 0 where not observed: the mean product at each lag."""
    _, channels, length = away.shape
    spectra = [np.fft.rfft(part, 2 * length, axis=-1) for part in (away, observed.astype(np.float64))]
    products, pairs = (np.fft.irfft(np.einsum("nif,njf->ijf", part.conj(), part), axis=-1) for part in spectra)
    lag = np.arange(length) - np.arange(length)[:, None]
    mean = (products / np.maximum(pairs, 1))[..., lag] * (1 - np.abs(lag) / length)
    guess = mean.transpose(0, 2, 1, 3).reshape(channels * length, -1)
    # Lags are seen unequally often where there are gaps, and such a matrix need not be a covariance.
    values, vectors = np.linalg.eigh((guess + guess.T) / 2)
    return (vectors * np.maximum(values, _FLOOR * max(values.mean(), 1e-12))) @ vectors.T


def _over_time(spread: np.ndarray, channels: int) -> np.ndarray:
    """Each lag's mean over time, a wider lag's share being less (so that what comes out is a covariance, too)."""
    length = len(spread) // channels
    blocks = spread.reshape(channels, length, channels, length).transpose(0, 2, 1, 3)
    lag = np.arange(length) - np.arange(length)[:, None]
    sums = np.stack([np.trace(blocks, offset=k, axis1=2, axis2=3) for k in range(1 - length, length)], axis=-1) / length
    return sums[..., lag + length - 1].transpose(0, 2, 1, 3).reshape(spread.shape)
