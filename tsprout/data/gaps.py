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
    length = latent.shape[-1]
    seen, within = np.isfinite(latent), np.arange(length) < np.asarray(lengths)[:, None, None]
    out = np.where(seen & within, latent, 0.0).astype(np.float32)
    mean = np.where(seen, latent, 0.0).sum(axis=0, dtype=np.float64) / np.maximum(seen.sum(axis=0), 1)
    for i, j in np.argwhere((within & ~seen).any(axis=-1)).tolist():
        own = int(lengths[i])
        at = np.flatnonzero(seen[i, j, :own])
        out[i, j, :own] = np.interp(np.arange(own), at, latent[i, j, at]) if at.size else mean[j, :own]
    for i in np.flatnonzero(np.asarray(lengths) < length).tolist():
        own = int(lengths[i])
        mode = "reflect" if own > 1 else "edge"
        out[i] = np.pad(out[i, :, :own], ((0, 0), (0, length - own)), mode=mode)  # type: ignore[call-overload]
    return out
