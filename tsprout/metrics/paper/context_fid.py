r"""Context-FID: Frechet distance of learned embeddings (arXiv 2108.00981), as arXiv 2505.20446 and done with care.

.. math:: d^2 = |\mu - \hat\mu|^2 + \operatorname{tr}(S + \hat S - 2 (S^{1/2} \hat S S^{1/2})^{1/2})

of the 320 numbers that a TS2Vec encoder, trained on the real series, makes of each. Not divided by their number, with
plain covariances. An encoder is trained once and serves every set that is compared with the same real one:

>>> import numpy as np
>>> from tsprout.metrics.paper import context_fid
>>> real, synthetic = np.random.default_rng(0).standard_normal((2, 40, 1, 12))
>>> encoder = context_fid.fit(real, iterations=2)
>>> known = encoder.embed(real)
>>> float(context_fid.frechet(known, known)[0]) < 1e-6
True
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from tsprout.metrics.paper.repeats import Repeats
from tsprout.metrics.paper.ts2vec import TS2Vec
from tsprout.metrics.reference import Reference, align, check, fill, share_gaps
from tsprout.progress import Progress

FEW = "A spread needs two series at least on both sides."
_LIMIT = 1e4  # standard deviations


def fit(
    real: ArrayLike,
    *,
    encoders: int = 1,
    seed: int = 0,
    iterations: int | None = None,
    progress: Progress | None = None,
) -> TS2Vec:
    """Encoders trained on ``real`` (n, C, L), NaN allowed; see :meth:`tsprout.metrics.paper.ts2vec.TS2Vec.fit`.

    Raises:
        InputError: the array cannot be scored.
    """
    values = np.clip(check(real, "real"), -_LIMIT, _LIMIT)
    return TS2Vec.fit(values, encoders=encoders, seed=seed, iterations=iterations, progress=progress)


def frechet(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Squared Frechet distance ``(E,)`` of embeddings ``(E, n, d)`` and ``(E, m, d)``; NaN with fewer than two rows."""
    if min(first.shape[1], second.shape[1]) < 2:
        return np.full(len(first), np.nan)
    return np.array([_distance(a, b) for a, b in zip(first, second, strict=True)])


def context_fid_paper(
    real: ArrayLike,
    synthetic: ArrayLike,
    *,
    encoders: int = 1,
    seed: int = 0,
    iterations: int | None = None,
    progress: Progress | None = None,
) -> Repeats:
    """Context-FID exactly as the paper measures it: 0 is best, no upper end.

    One encoder, trained on all of ``real``. The number depends on the encoder's chance start, on the scaling, and on
    the number of series: two halves of one set do not score 0.

    Args:
        real, synthetic: ``(n, C, L)``, scaled as the paper scales them; NaN where nothing was observed.
        encoders: more than one to see how much the start matters; trained together.
        seed: everything random follows from it.
        iterations: steps of training, if other than the paper's.
        progress: called as ``progress("encoder", done, total)``.

    Raises:
        InputError: an array is not three-dimensional, holds infinite values, or the channel counts differ.
    """
    first, second = align(real, synthetic)
    return _score(first, second, encoders, seed, iterations, progress)


def context_fid(
    real: ArrayLike,
    synthetic: ArrayLike,
    *,
    encoders: int = 5,
    max_series: int = 2000,
    seed: int = 0,
    iterations: int | None = None,
    progress: Progress | None = None,
) -> Repeats:
    """Context-FID that does not hang on one encoder: the mean over ``encoders`` of them, trained together.

    What else differs from :func:`context_fid_paper`: values are in standard deviations of the real channels; both sets
    show the same gaps, and these are filled, where the paper's encoder passes over every step that lacks one channel;
    and they are cut by chance to the same number of series, ``max_series`` at most, because the
    distance of two samples falls with their size.

    Args:
        real, synthetic: ``(n, C, L)`` in any unit, NaN where nothing was observed.
        encoders: how many.
        max_series: largest sample of each set that is embedded.
        seed, iterations, progress: as in :func:`context_fid_paper`.

    Raises:
        InputError: an array is not three-dimensional, holds infinite values, or the channel counts differ.
    """
    first, second = align(real, synthetic)
    reference = Reference.fit(first)
    first, second = (
        fill(reference.standardise(share_gaps(values, others, np.random.default_rng([seed, number]))))
        for number, (values, others) in enumerate(((first, second), (second, first)), start=1)
    )
    size = min(len(first), len(second), max_series)
    return _score(first, second, encoders, seed, iterations, progress, size)


def _score(
    first: np.ndarray,
    second: np.ndarray,
    encoders: int,
    seed: int,
    iterations: int | None,
    progress: Progress | None,
    size: int | None = None,
) -> Repeats:
    if min(len(first), len(second)) < 2:
        return Repeats.unknown(encoders, FEW)
    encoder = fit(first, encoders=encoders, seed=seed, iterations=iterations, progress=progress)
    if size is not None:
        rng = np.random.default_rng([seed, 131])
        first, second = (values[np.sort(rng.permutation(len(values))[:size])] for values in (first, second))
    rows = [encoder.embed(np.clip(values, -_LIMIT, _LIMIT)) for values in (first, second)]
    return Repeats.of(frechet(*rows))


def _distance(first: np.ndarray, second: np.ndarray) -> float:
    first, second = first.astype(np.float64), second.astype(np.float64)
    shift = np.sum((first.mean(0) - second.mean(0)) ** 2)
    one, other = (np.cov(rows, rowvar=False) for rows in (first, second))
    values, vectors = np.linalg.eigh(one)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    overlap = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ other @ root), 0.0)).sum()
    return max(float(shift + np.trace(one) + np.trace(other) - 2 * overlap), 0.0)
