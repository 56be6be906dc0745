"""Score synthetic series against real ones, with a floor and two ceilings at one and the same sample size.

Most scores depend on how many series they are computed from, so every number of a row comes from ``m`` series against
``m``: a random half ``A`` of the real series is compared with ``m`` synthetic series (value), with the other half
(floor), with ``m`` draws from the shots (first ceiling) and with ``m`` series of noise (second ceiling), and this is
repeated over fresh halves. Were the real and the synthetic series independent draws from one distribution, value and
floor would have the same expectation whatever ``m`` is. The two halves are disjoint stretches of one recording
instead: where it drifts, they are a little more unlike than independent samples, and the floor lies a little too high.
Shots that are in ``A`` are never handed back against it: a generator that only repeats what it was shown cannot know a
series that it was not. Real series that are shots are left out altogether where enough others remain. Where the real
series *are* the shots, "as good as another real sample" says no more than that the synthetic series are as good as one
half of the shots is to the other half: a note says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import ArrayLike

from tsprout.errors import InputError
from tsprout.limits import check_seed
from tsprout.metrics import describe
from tsprout.metrics.base import PairMetric
from tsprout.metrics.copying import copying
from tsprout.metrics.reference import Reference, align, check
from tsprout.metrics.registry import pair_metrics
from tsprout.metrics.scores import Score, Scores
from tsprout.metrics.splits import Split, gapped, gaussian, split, spread, without_shots
from tsprout.progress import Progress

FEW = 20
# Cells of what is compared at a time, and over all repeats: hundreds of long channels would take minutes and gigabytes.
_CELLS, _CELLS_OF_ALL = 16_000_000, 4_000_000
_LEAST, _LEAST_REPEATS = 20, 4


def evaluate(
    real: ArrayLike,
    synthetic: ArrayLike,
    *,
    shots: ArrayLike,
    held_out: ArrayLike | None = None,
    metrics: Iterable[str | PairMetric] | None = None,
    seed: int = 0,
    max_series: int = 1000,
    progress: Progress | None = None,
) -> Scores:
    """Scores of ``synthetic`` with floor, ceilings and verdict.

    Args:
        real: ``(n, C, L)`` real series to compare with, best in the order of recording; may be the shots themselves.
        synthetic: ``(m, C, L')``; NaN in any array marks missing cells, and the longer one is cut.
        shots: ``(k, C, L'')`` the series the generator was shown.
        held_out: real series that it was not, to judge copying by; those of ``real`` that are not shots by default.
        metrics: names or metrics of two sets; the quick suite for None. Copying is always scored.
        seed: of every random draw.
        max_series: largest sample on each side of a comparison.
        progress: called as ``progress("score", done, total)``.

    Raises:
        InputError: an array cannot be scored, they do not fit each other, or the seed cannot be.
    """
    suite = pair_metrics(metrics)
    if max_series < 2:
        raise InputError(f"max_series is {max_series}", fix="Give at least 2.")
    check_seed(seed)
    n_real, n_synthetic = len(check(real, "real")), len(check(synthetic, "synthetic"))
    real_values, made = align(real, synthetic)
    real_values, shown = align(real_values, shots, ("real", "shot"))
    length = real_values.shape[-1]
    made, shown = made[..., :length], shown[..., :length]
    notes = _notes(np.shape(real), np.shape(synthetic), length)
    rng = np.random.default_rng([seed, 11])

    compared, note = without_shots(real_values, shown)
    notes += [note] if note else []
    cells = int(np.prod(compared.shape[1:]))
    if max_series > (fitting := max(_LEAST, _CELLS // cells)):
        if min(len(compared) // 2, n_synthetic) > fitting:
            notes.append(f"The series are so large that {fitting} a side are compared at a time.")
        max_series = fitting
    n_compared = len(compared)
    pool = compared[spread(n_compared, 2 * max_series, rng)]
    size = max(min(n_compared // 2, max_series, n_synthetic), 1)
    few = size < FEW // 2
    repeats = 25 if size < 25 else 10 if size < 100 else 6
    repeats = min(repeats, max(_LEAST_REPEATS, _CELLS_OF_ALL // (size * cells)))
    chosen = made[spread(n_synthetic, repeats * size, rng)]
    reference = Reference.fit(pool, seed=seed)
    noise = gaussian(shown, repeats * size if size < 250 else 2 * size, rng)
    sets = {"real": pool, "synthetic": chosen, "shots": shown, "noise": noise}
    splits = [split(pool, chosen, shown, noise, size, rng) for _ in range(repeats)] if n_compared > 1 else []

    total = len(suite) + 1
    with_gaps = gapped(sets, seed) if any(metric.fills for metric in suite) else sets
    prepared: dict[tuple[Callable[..., np.ndarray], bool], dict[str, np.ndarray]] = {}
    scores = []
    for done, metric in enumerate(suite):
        if progress is not None:
            progress("score", done, total)
        key = (metric.prepare, metric.fills)
        if key not in prepared:
            source = with_gaps if metric.fills else sets
            prepared[key] = {name: metric.prepare(values, reference) for name, values in source.items()}
        scores.append(_score(metric, prepared[key], splits[: metric.repeats], few, n_compared < describe.TINY, seed))
    if progress is not None:
        progress("score", len(suite), total)
    unseen = real_values if held_out is None else align(real_values, held_out, ("real", "held-out"))[1]
    found = copying(made, shown, unseen, seed=seed, reference=reference)
    scores += describe.copying_scores(found, few=few)
    if progress is not None:
        progress("score", total, total)
    if found.copied:
        verb = "series is a copy" if found.copied == 1 else "series are copies"
        notes.append(f"{found.copied:,} of {found.n_synthetic:,} synthetic {verb} of one of yours, value for value.")
    if not found.held_out:
        notes.append(
            "There are no unseen real series, so the synthetic ones are compared with the very series they were made "
            "from, and these stand in for unseen ones in the check for copies."
        )
    return Scores(
        scores=tuple(scores),
        n_real=n_real,
        n_synthetic=n_synthetic,
        n_shots=len(shown),
        sample_size=size,
        repeats=len(splits),
        held_out=found.held_out,
        few=few,
        seed=seed,
        notes=tuple(notes),
    )


def _notes(real: tuple[int, ...], synthetic: tuple[int, ...], length: int) -> list[str]:
    if real[-1] == synthetic[-1] == length:
        return []
    return [f"Only the first {length} time steps were compared, those that all sets have."]


def _score(
    metric: PairMetric, rows: dict[str, np.ndarray], splits: list[Split], few: bool, tiny: bool, seed: int
) -> Score:
    drawn: dict[str, list[float]] = {"value": [], "floor": [], "shots": [], "noise": []}
    for number, chosen in enumerate(splits):
        half = rows["real"][chosen.half]
        others = {
            "value": rows["synthetic"][chosen.synthetic],
            "floor": rows["real"][chosen.other],
            "shots": rows["shots"][chosen.shots],
            "noise": rows["noise"][chosen.noise],
        }
        for kind, other in others.items():
            drawn[kind].append(metric.compare(half, other, seed + number) if len(other) else float("nan"))
    return describe.pair_score(metric, drawn, few=few, tiny=tiny)
