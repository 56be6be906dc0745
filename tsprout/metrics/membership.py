"""Membership inference: can someone who holds a series tell from the synthetic ones whether it was among the shots.

The attack knows the synthetic series only. Every candidate, shot or unseen real series, is as suspect as a synthetic
series comes near to it in the space of random-convolution features (Hilprecht et al. 2019, Monte Carlo and
reconstruction attacks on generative models, PoPETs 2019:4; Chen et al. 2020, GAN-Leaks, arXiv 1909.03935). The area
under the ROC curve of that ranking is the probability that a shot looks more suspect than an unseen series. The score
is the area minus one half: 0 for nothing leaked, 0.5 for every shot given away. With a few shots chance alone moves it
far, so the area that chance reaches in one case of twenty stands beside it.

Features see the shape of a series wherever in time it is, so a copy that was shifted or slightly changed still counts.
Shots and unseen series show the same gaps when they are tried, for gaps would tell them apart. Shots and unseen series
must be of one kind: where the unseen ones come from a later time, the area tells times apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tsprout.errors import InputError
from tsprout.metrics.base import LOWER, Metric
from tsprout.metrics.copying import unseen
from tsprout.metrics.neighbours import distances, thinned
from tsprout.metrics.reference import Reference, align, features, share_gaps
from tsprout.metrics.two_sample import standard_error

_ENOUGH = 5  # shots, and unseen real series
_MOST = 2000  # unseen real series that are tried
_CHUNK = 2000  # synthetic series at once
_NORMAL = 1.645  # standard deviations that hold 90 % of a normal distribution

MEMBERSHIP = Metric(
    name="membership",
    title="Membership advantage",
    direction=LOWER,
    range=(0.0, 0.5),
    unit="",
    explanation="How much better than by chance the synthetic series tell which real series the generator was shown.",
    group="copying",
)


@dataclass(frozen=True)
class Membership:
    """What the attack found. NaN with fewer than five shots or unseen real series.

    Attributes:
        area: area under the ROC curve of shots against unseen series; 0.5 is guessing.
        low, high: 90 % interval of the area (Hanley and McNeil 1982).
        chance_high: area that chance reaches in one case of twenty when nothing leaks.
        p_value: probability of an area at least this large when nothing leaks (Mann-Whitney).
        n_shots, n_held_out: series tried.
    """

    area: float
    low: float
    high: float
    chance_high: float
    p_value: float
    n_shots: int
    n_held_out: int

    @property
    def advantage(self) -> float:
        """The area above one half, 0 where it is below, NaN where it is unknown: the score."""
        return MEMBERSHIP.clip(self.area - 0.5)

    @property
    def enough(self) -> bool:
        """Whether there were enough series to say anything."""
        return bool(np.isfinite(self.area))


def membership(
    synthetic: ArrayLike,
    shots: ArrayLike,
    held_out: ArrayLike | None = None,
    *,
    seed: int = 0,
    reference: Reference | None = None,
) -> Membership:
    """Attack ``synthetic`` (m, C, L) with ``shots`` (k, C, L) as members and ``held_out`` (n, C, L) as non-members.

    Args:
        synthetic: generated series.
        shots: the series the generator was shown.
        held_out: real series; those that are among the shots are taken out.
        seed: of the random kernels, and of the gaps that shots and unseen series lend each other.
        reference: scale of the real series; measured on shots and unseen series together when not given.

    Raises:
        InputError: an array cannot be scored, or the channel counts differ.
    """
    shown, made = align(shots, synthetic, ("shot", "synthetic"))
    others = shown[:0]
    if held_out is not None:
        shown, real = align(shown, held_out, ("shot", "real"))
        others = thinned(real[unseen(real, shown)], _MOST)
    made = made[..., : shown.shape[-1]]
    nan = float("nan")
    if min(len(shown), len(others)) < _ENOUGH:
        return Membership(nan, nan, nan, nan, nan, len(shown), len(others))
    shown, others = (
        share_gaps(shown, others, np.random.default_rng([seed, 23])),
        share_gaps(others, shown, np.random.default_rng([seed, 29])),
    )
    candidates = np.concatenate([shown, others])
    reference = reference or Reference.fit(candidates, seed=seed)
    if len(reference.mean) != shown.shape[1]:
        raise InputError("the reference was fitted to series with another number of channels")
    return _attack(nearest_synthetic(candidates, made, reference), len(shown))


def nearest_synthetic(candidates: np.ndarray, made: np.ndarray, reference: Reference) -> np.ndarray:
    """Distance ``(n,)`` in feature space from each of ``candidates`` (n, C, L) to the nearest of ``made`` (m, C, L)."""
    rows = features(candidates, reference)
    closest = np.full(len(rows), np.inf)
    for start in range(0, len(made), _CHUNK):
        table = distances(rows, features(made[start : start + _CHUNK], reference))
        closest = np.minimum(closest, table.min(axis=1))
    return closest


def _attack(closest: np.ndarray, k: int) -> Membership:
    from scipy.stats import mannwhitneyu

    members, others = closest[:k], closest[k:]
    n = len(others)
    found = mannwhitneyu(members, others, alternative="less")
    area = 1 - float(found.statistic) / (k * n)
    margin = _NORMAL * max(standard_error(area, k, n), 0.5 / min(k, n))
    return Membership(
        area=area,
        low=max(area - margin, 0.0),
        high=min(area + margin, 1.0),
        chance_high=min(0.5 + _NORMAL * float(np.sqrt((k + n + 1) / (12 * k * n))), 1.0),
        p_value=float(found.pvalue),
        n_shots=k,
        n_held_out=n,
    )
