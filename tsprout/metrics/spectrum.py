"""Spectrum error: is every rhythm, from slow swings to fine noise, as strong as in the real series.

Power spectra (mean removed per series, Hann window, positive frequencies) are averaged over the series of a set and
divided by their sum. The score is the mean absolute difference in decibel over frequencies and channels. Shares below
-40 dB count as -40 dB. Long series are read in at most 64 bands, ever wider towards high frequencies.
"""

from __future__ import annotations

import numpy as np

from tsprout.metrics.base import LOWER, PairMetric, mean_or_nan
from tsprout.metrics.reference import Reference, fill

_BANDS = 64
_FLOOR = 1e-4  # share of the power that counts as none


def power(values: np.ndarray, reference: Reference) -> np.ndarray:
    """Power ``(n, C, F)`` of every series at every frequency or band; F is 0 for fewer than 4 time steps."""
    length = values.shape[-1]
    if length < 4:
        return np.zeros((*values.shape[:2], 0))
    filled = fill(reference.standardise(values))
    centred = filled - filled.mean(axis=-1, keepdims=True)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(length) + 0.5) / length)
    spectrum = np.abs(np.fft.rfft(centred * window, axis=-1)[..., 1:]) ** 2
    if spectrum.shape[-1] <= _BANDS:
        return spectrum
    edges = np.unique(np.geomspace(1, spectrum.shape[-1], _BANDS + 1).astype(int)) - 1
    return np.add.reduceat(spectrum, edges[:-1], axis=-1)


def shares(rows: np.ndarray) -> np.ndarray:
    """Share ``(C, F)`` of the power of a set at every frequency, 0 everywhere for a channel that does not move."""
    mean = rows.mean(axis=0)
    total = mean.sum(axis=-1, keepdims=True)
    return mean / np.where(total > 1e-12, total, np.inf)


def _compare(real: np.ndarray, synthetic: np.ndarray, seed: int) -> float:
    first, second = (10 * np.log10(np.maximum(shares(rows), _FLOOR)) for rows in (real, synthetic))
    return mean_or_nan(np.abs(first - second))


SPECTRUM = PairMetric(
    name="spectrum",
    title="Spectrum error",
    direction=LOWER,
    range=(0.0, 40.0),
    unit="dB",
    explanation="How much too strong or too weak the rhythms are, from slow swings to fine noise.",
    prepare=power,
    compare=_compare,
    fills=True,
)
