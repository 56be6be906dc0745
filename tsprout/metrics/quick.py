"""The quick suite: what ``tsprout run`` prints and the tables of experiments are made of. Seconds, numpy only."""

from __future__ import annotations

from numpy.typing import ArrayLike

from tsprout.metrics.evaluate import evaluate
from tsprout.metrics.scores import Scores
from tsprout.progress import Progress


def quick_scores(
    real: ArrayLike,
    synthetic: ArrayLike,
    *,
    shots: ArrayLike,
    seed: int = 0,
    max_series: int = 1000,
    progress: Progress | None = None,
) -> Scores:
    """Quick scores of ``synthetic`` (m, C, L) against ``real`` (n, C, L), NaN where a cell is missing.

    Args:
        real: real series, best ones the generator has not seen; ``shots`` themselves when there are no others.
        synthetic: generated series.
        shots: the few series the generator was shown.
        seed: of every random draw.
        max_series: largest sample on each side of a comparison.
        progress: called as ``progress("score", done, total)``.

    Raises:
        InputError: an array is not ``(n_series, n_channels, length)``, holds infinite values, or they do not fit.
    """
    return evaluate(real, synthetic, shots=shots, seed=seed, max_series=max_series, progress=progress)
