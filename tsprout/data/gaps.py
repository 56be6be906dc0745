"""Complete arrays out of series with gaps and of unequal length, for methods that know neither.

Arrays are latents ``(n_series, n_channels, length)``. Nothing here is learnt: what a method then sees in a gap is a
straight line, and beyond a series' end its own mirror image, which keeps level, spread and time scale. What lies beyond
the end is cut off again when series are drawn.
"""

from __future__ import annotations

import numpy as np


def complete(latent: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """``float32`` without NaN, same shape.

    Gaps are filled linearly in time, at the ends with the nearest value; a channel of which a series shows nothing with
    the mean of the other series at each step (0 where they show nothing either). Then each series is carried on beyond
    its own end by reflection.

    Args:
        latent: ``(n, channels, length)``, NaN where not observed.
        lengths: ``(n,)`` each series' own length, at least 1.

    """
    n, channels, length = latent.shape
    out = np.empty(latent.shape, dtype=np.float32)
    seen = np.isfinite(latent)
    counts = seen.sum(axis=0)
    mean = np.where(seen, latent, 0.0).sum(axis=0, dtype=np.float64) / np.maximum(counts, 1)
    for i in range(n):
        own = int(lengths[i])
        for j in range(channels):
            at = np.flatnonzero(seen[i, j, :own])
            out[i, j, :own] = np.interp(np.arange(own), at, latent[i, j, at]) if at.size else mean[j, :own]
        if own < length:
            mode = "reflect" if own > 1 else "edge"
            out[i] = np.pad(out[i, :, :own], ((0, 0), (0, length - own)), mode=mode)  # type: ignore[call-overload]
    return out
