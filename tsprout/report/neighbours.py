"""Two views of whole series for the report: where they lie on a map, and which of the shown ones each is nearest to.

Both measure in standard deviations of the real channel, on the time steps that all sets have. Input is
``(n_series, n_channels, length)``, NaN where nothing was observed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tsprout.metrics.copying import nearest, unseen
from tsprout.metrics.reference import Reference, fill
from tsprout.report.svg import spread

MAPPED = 500  # most series of each kind on a map
_COLUMNS = 2048  # most numbers a series is described by
_CELLS = 20_000_000  # most cells of the synthetic series whose distances are measured
_WILD = 8.0  # standard deviations; a value further out counts as that far out
_ALIKE = 50  # as many real as synthetic series on a map, but where there are fewer so many of the other kind
FEWEST = 12  # series that a map by t-SNE needs


@dataclass(frozen=True)
class Map:
    """Positions of real and synthetic series.

    Attributes:
        pca: ``(n, 2)``, or None when there is nothing to spread out.
        shares: how much of the variance each of the two axes of ``pca`` holds.
        tsne: ``(n, 2)``, or None.
        n_real: the first so many positions are those of real series.
    """

    pca: np.ndarray | None
    shares: tuple[float, float]
    tsne: np.ndarray | None
    n_real: int


@dataclass(frozen=True)
class Neighbours:
    """Distances to the nearest of the shown series.

    Attributes:
        distances: of the synthetic series, NaN where no cell is shared.
        reference: of unseen real series, or of the shown ones to each other.
        held_out: whether the reference are unseen series.
        pairs: ``(synthetic, shown, distance)``, spread from the nearest to the farthest.
    """

    distances: np.ndarray
    reference: np.ndarray
    held_out: bool
    pairs: tuple[tuple[int, int, float], ...]


def embed(real: np.ndarray, synthetic: np.ndarray, *, seed: int = 0) -> Map:
    """Principal components and t-SNE of at most 500 series of each kind, as many of the one as of the other.

    Otherwise the kind with more series would seem to be spread wider and to lie denser. Fewer than 50 of a kind are
    shown beside 50 of the other, or they would have nothing around them.
    """
    from threadpoolctl import threadpool_limits

    length = min(real.shape[-1], synthetic.shape[-1])
    most = min(max(min(len(real), len(synthetic)), _ALIKE), MAPPED)
    first, second = real[spread(len(real), most), :, :length], synthetic[spread(len(synthetic), most), :, :length]
    reference = Reference.fit(first.astype(np.float64))
    rows = np.concatenate([_describe(first, reference), _describe(second, reference)])
    centred = rows - rows.mean(axis=0)
    with threadpool_limits(limits=1):  # the order of a sum depends on the threads, and a map amplifies it
        left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
        scores = left * sizes
        if len(rows) < 3 or sizes[0] <= 1e-9:
            return Map(None, (0.0, 0.0), None, len(first))
        scores = scores[:, :50] * np.sign(scores[np.abs(scores[:, :50]).argmax(axis=0), np.arange(min(50, len(sizes)))])
        variance = sizes**2 / np.sum(sizes**2)
        pca = np.pad(scores[:, :2], ((0, 0), (0, max(2 - scores.shape[1], 0))))
        shares = (float(variance[0]), float(variance[1]) if len(variance) > 1 else 0.0)
        return Map(pca, shares, _tsne(scores, seed), len(first))


def _describe(values: np.ndarray, reference: Reference) -> np.ndarray:
    """Rows ``(n, columns)``: standardised values, neighbouring time steps averaged where there are very many."""
    rows = np.empty((0, 0))
    n, channels, length = values.shape
    steps = int(np.clip(_COLUMNS // channels, 1, length))
    edges = np.linspace(0, length, steps + 1).round().astype(int)
    described = []
    for series in values:
        known = np.clip(fill(reference.standardise(series[None].astype(np.float64)))[0], -_WILD, _WILD)
        described.append((np.add.reduceat(known, edges[:-1], axis=-1) / np.diff(edges)).ravel())
    return np.stack(described) if described else rows


def _tsne(rows: np.ndarray, seed: int) -> np.ndarray | None:
    if len(rows) < FEWEST or len(np.unique(rows.round(6), axis=0)) < FEWEST:
        return None
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(rows) - 1) / 4)
    model = TSNE(2, perplexity=perplexity, init="pca", random_state=seed, max_iter=500, n_jobs=1)
    if rows.shape[1] < 2:
        rows = np.pad(rows, ((0, 0), (0, 1)))
    return np.asarray(model.fit_transform(rows.astype(np.float32) / rows[:, 0].std()))


def find(synthetic: np.ndarray, shots: np.ndarray, real: np.ndarray, *, pairs: int = 8) -> Neighbours:
    """Distances of synthetic and of unseen real series to the shown ones, and ``pairs`` of them to look at."""
    length = min(synthetic.shape[-1], shots.shape[-1], real.shape[-1])
    made, shown, held = synthetic[..., :length], shots[..., :length], real[..., :length]
    most = max(_CELLS // max(made.shape[1] * length, 1), 50)
    chosen = spread(len(made), most)
    others = held[unseen(held, shown)]
    others = others[spread(len(others), most)]
    reference = Reference.fit(held[spread(len(held), most)].astype(np.float64))
    anchor = reference.standardise(shown.astype(np.float64))
    distances = nearest(reference.standardise(made[chosen].astype(np.float64)), anchor)
    held_out = len(others) > 0
    base = (
        nearest(reference.standardise(others.astype(np.float64)), anchor)
        if held_out
        else nearest(anchor, anchor, skip_self=True)
    )
    known = np.flatnonzero(np.isfinite(distances))
    order = known[np.argsort(distances[known], kind="stable")]
    found = []
    for position in order[spread(len(order), pairs)]:
        series = reference.standardise(made[chosen[position]].astype(np.float64))
        gaps = np.array([_distance(series, other) for other in anchor])
        found.append((int(chosen[position]), int(np.nanargmin(gaps)), float(distances[position])))
    return Neighbours(distances[known], base[np.isfinite(base)], held_out, tuple(found))


def _distance(first: np.ndarray, second: np.ndarray) -> float:
    squares = (first - second) ** 2
    return float(np.sqrt(np.nanmean(squares))) if np.isfinite(squares).any() else float("nan")
