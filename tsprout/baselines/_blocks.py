r"""Blocks of consecutive steps, drawn with replacement, and how long they should be.

Politis and Romano, *A circular block-resampling procedure for stationary data*, 1992. Length by Politis and White,
*Automatic block-length selection for the dependent bootstrap*, Econometric Reviews 23 (2004), with the correction of
Patton, Politis and White (2009): :math:`b = (2 \hat G^2 / \hat D)^{1/3} n^{1/3}`, :math:`\hat G = \sum_k \lambda(k / M)
|k| \hat R(k)`, :math:`\hat D = \frac{4}{3} \hat g(0)^2`, with autocovariances :math:`\hat R` and the flat-top window
:math:`\lambda`.
"""

from __future__ import annotations

import numpy as np


def block_places(count: int, length: int, block: int, rng: np.random.Generator) -> np.ndarray:
    """Indices ``(count, length)`` into ``length`` steps: blocks of ``block``, wrapped around at the end."""
    starts = rng.integers(0, length, (count, -(-length // block), 1))
    return ((starts + np.arange(block)) % length).reshape(count, -1)[:, :length]


def autocovariances(latent: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Of each channel, ``(channels, longest)`` by lag, over deviations of each series from its own mean.

    The sums of products at each lag are divided by the number of steps, as usual, so that they are non-negative
    definite.
    """
    longest = int(lengths.max())
    size = 2 ** int(np.ceil(np.log2(2 * longest)))
    total = np.zeros((latent.shape[1], longest))
    for row, own in zip(latent, lengths, strict=True):
        steps = row[:, :own].astype(np.float64)
        power = np.abs(np.fft.rfft(steps - steps.mean(axis=1, keepdims=True), size)) ** 2
        total += np.fft.irfft(power, size)[:, :longest]
    return total / lengths.sum()


def best_block(latent: np.ndarray, lengths: np.ndarray) -> int:
    """The rule's block length for a typical series, mean over the channels that vary; at least 1.

    Args:
        latent: ``(n, channels, length)``, complete.
        lengths: ``(n,)``.
    """
    n, cells = int(np.median(lengths)), int(lengths.sum())
    most = max(1, min(int(np.ceil(3 * np.sqrt(n))), n // 3))
    limit, run = 2 * np.sqrt(np.log10(cells) / cells), max(5, int(np.ceil(np.sqrt(np.log10(cells)))))
    found = []
    for covariance in autocovariances(latent, lengths):
        if covariance[0] <= 1e-12:
            continue
        # The last lag before a run of them that are not significant.
        small = np.abs(covariance[1:] / covariance[0]) < limit
        last = next((k for k in range(len(small)) if small[k : k + run].all()), len(small))
        window = min(max(2 * last, 1), len(covariance) - 1)
        lags = np.arange(1, window + 1)
        flat = np.clip(2 * (1 - lags / window), 0, 1)
        g = 2 * (flat * lags * covariance[1 : window + 1]).sum()
        spectrum = max(covariance[0] + 2 * (flat * covariance[1 : window + 1]).sum(), 1e-6 * covariance[0])
        best = (2 * g**2 / (4 / 3 * spectrum**2)) ** (1 / 3) * n ** (1 / 3)
        found.append(min(max(best, 1.0), float(most)))
    return max(1, round(float(np.mean(found)))) if found else 1
