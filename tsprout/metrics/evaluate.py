"""Score synthetic series against real ones, with a floor and two ceilings at one and the same sample size.

Most scores depend on how many series they are computed from, so every number of a row comes from ``m`` series against
``m``: a random half ``A`` of the real series is compared with ``m`` synthetic series (value), with the other half
(floor), with ``m`` draws from the shots (first ceiling) and with ``m`` series of noise (second ceiling), and this is
repeated over fresh halves. Were the synthetic series drawn from the real distribution, value and floor would have the
same expectation whatever ``m`` is. Shots that are in ``A`` are never handed back against it: a generator that only
repeats what it was shown cannot know a series that it was not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tsprout.errors import InputError
from tsprout.metrics.base import Metric, PairMetric
from tsprout.metrics.copying import COPYING, NEAR_COPIES, Copying, copying, keys
from tsprout.metrics.reference import Reference, align, check, share_gaps
from tsprout.metrics.registry import pair_metrics
from tsprout.metrics.scores import Interval, Score, Scores, copying_verdict, fidelity_verdict, near_copies_verdict

Progress = Callable[[str, int, int], None]

FEW = 20
_MANY = 20  # draws from which quantiles are read
_ENOUGH = 5  # reference distances below which nothing is said about copying


@dataclass(frozen=True)
class _Split:
    """Positions of one comparison: in the real, the synthetic, the shots' and the noise series."""

    half: np.ndarray
    other: np.ndarray
    synthetic: np.ndarray
    shots: np.ndarray
    noise: np.ndarray


def evaluate(
    real: ArrayLike,
    synthetic: ArrayLike,
    *,
    shots: ArrayLike,
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
        metrics: names or metrics of two sets; the quick suite for None. Copying is always scored.
        seed: of every random draw.
        max_series: largest sample on each side of a comparison.
        progress: called as ``progress("score", done, total)``.

    Raises:
        InputError: an array cannot be scored, or they do not fit each other.
    """
    suite = pair_metrics(metrics)
    if max_series < 2:
        raise InputError(f"max_series is {max_series}", fix="Give at least 2.")
    n_real, n_synthetic = len(check(real, "real")), len(check(synthetic, "synthetic"))
    real_values, made = align(real, synthetic)
    real_values, shown = align(real_values, shots, ("real", "shot"))
    length = real_values.shape[-1]
    made, shown = made[..., :length], shown[..., :length]
    notes = _notes(np.shape(real), np.shape(synthetic), length)
    rng = np.random.default_rng([seed, 11])

    pool = real_values[_spread(n_real, 2 * max_series, rng)]
    size = max(min(n_real // 2, max_series, n_synthetic), 1)
    few = size < FEW // 2
    repeats = 25 if size < 25 else 10 if size < 100 else 5
    chosen = made[_spread(n_synthetic, repeats * size, rng)]
    reference = Reference.fit(pool, seed=seed)
    noise = _noise(shown, repeats * size if size < 250 else 2 * size, rng)
    sets = {"real": pool, "synthetic": chosen, "shots": shown, "noise": noise}
    splits = [_split(pool, chosen, shown, noise, size, rng) for _ in range(repeats)] if n_real > 1 else []

    total = len(suite) + 1
    gapped = _gapped(sets, seed) if any(metric.fills for metric in suite) else sets
    prepared: dict[tuple[Callable[..., np.ndarray], bool], dict[str, np.ndarray]] = {}
    scores = []
    for done, metric in enumerate(suite):
        if progress is not None:
            progress("score", done, total)
        key = (metric.prepare, metric.fills)
        if key not in prepared:
            source = gapped if metric.fills else sets
            prepared[key] = {name: metric.prepare(values, reference) for name, values in source.items()}
        scores.append(_score(metric, prepared[key], splits, few=few, seed=seed))
    if progress is not None:
        progress("score", len(suite), total)
    found = copying(made, shown, real_values, seed=seed, reference=reference)
    scores += _copying_scores(found, few=few)
    if progress is not None:
        progress("score", total, total)
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


def _spread(n: int, most: int, rng: np.random.Generator) -> np.ndarray:
    """At most ``most`` of ``n`` positions, drawn at random, in order."""
    return np.arange(n) if n <= most else np.sort(rng.choice(n, most, replace=False))


def _noise(shots: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """``n`` series of independent Gaussian cells with the mean and spread of every channel of ``shots``."""
    own = Reference.fit(shots)
    spread = np.where(own.constant, 0.0, own.scale)
    return own.mean[:, None] + spread[:, None] * rng.standard_normal((n, *shots.shape[1:]))


def _gapped(sets: dict[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
    """The sets, each with the gaps of real as well as of synthetic series, so that gaps tell none from another."""
    real, synthetic = sets["real"], sets["synthetic"]
    lenders = {"real": (synthetic,), "synthetic": (real,), "shots": (synthetic,), "noise": (real, synthetic)}
    result = {}
    for number, (name, values) in enumerate(sets.items()):
        for lender in lenders[name]:
            values = share_gaps(values, lender, np.random.default_rng([seed, 13, number]))
        result[name] = values
    return result


def _split(
    real: np.ndarray, synthetic: np.ndarray, shots: np.ndarray, noise: np.ndarray, size: int, rng: np.random.Generator
) -> _Split:
    order = rng.permutation(len(real))
    half, other = np.sort(order[:size]), np.sort(order[size : 2 * size])
    known = set(keys(real[half]))
    fresh = np.flatnonzero([key not in known for key in keys(shots)])
    return _Split(
        half=half,
        other=other,
        synthetic=_spread(len(synthetic), size, rng),
        shots=rng.choice(fresh, size) if fresh.size else fresh,
        noise=_spread(len(noise), size, rng),
    )


def _score(metric: PairMetric, rows: dict[str, np.ndarray], splits: list[_Split], *, few: bool, seed: int) -> Score:
    drawn: dict[str, list[float]] = {"value": [], "floor": [], "shots": [], "noise": []}
    for number, split in enumerate(splits):
        half = rows["real"][split.half]
        others = {
            "value": rows["synthetic"][split.synthetic],
            "floor": rows["real"][split.other],
            "shots": rows["shots"][split.shots],
            "noise": rows["noise"][split.noise],
        }
        for kind, other in others.items():
            drawn[kind].append(metric.compare(half, other, seed + number) if len(other) else float("nan"))
    found = {kind: _interval(metric, values) for kind, values in drawn.items()}
    verdict = fidelity_verdict(found["value"], found["floor"], found["shots"], found["noise"], few=few)
    return _describe(metric, **found, few=few, verdict=verdict)


def _interval(metric: Metric, values: list[float]) -> Interval:
    finite = np.array([value for value in values if np.isfinite(value)])
    if not finite.size:
        return Interval()
    mean = float(finite.mean())
    if finite.size >= _MANY or finite.size == 1:
        low, high = np.quantile(finite, [0.05, 0.95])
    else:  # too few draws for quantiles: a t interval for one more draw, its quantile by a fraction good to 1 %
        reach = 1.645 * (1 + 1.6 / (finite.size - 1)) * float(finite.std(ddof=1))
        low, high = mean - reach, mean + reach
    return Interval(metric.clip(mean), metric.clip(float(low)), metric.clip(float(high)))


def _copying_scores(found: Copying, *, few: bool) -> list[Score]:
    enough = found.n_reference >= _ENOUGH
    ratio = Interval(found.ratio, found.ratio_low, found.ratio_high)
    chance = Interval(1.0, found.chance_low, found.chance_high) if ratio.known else Interval()
    near = Interval(found.near_copies, found.near_copies, found.near_copies)
    near_chance = Interval(found.chance_near, 0.0, found.chance_near_high) if near.known else Interval()
    handed_back = (Interval(0.0, 0.0, 0.0), Interval(1.0, 1.0, 1.0)) if ratio.known else (Interval(), Interval())
    few = few or not enough
    return [
        _describe(
            COPYING, ratio, chance, handed_back[0], Interval(), few, copying_verdict(ratio, chance, enough=enough)
        ),
        _describe(
            NEAR_COPIES,
            near,
            near_chance,
            handed_back[1],
            Interval(),
            few,
            near_copies_verdict(near, near_chance, enough=enough),
        ),
    ]


def _describe(
    metric: Metric, value: Interval, floor: Interval, shots: Interval, noise: Interval, few: bool, verdict: str
) -> Score:
    return Score(
        name=metric.name,
        title=metric.title,
        direction=metric.direction,
        range=metric.range,
        unit=metric.unit,
        explanation=metric.explanation,
        value=value,
        floor=floor,
        shots=shots,
        noise=noise,
        few=few,
        verdict=verdict,
    )
