"""What a metric is: a name, a direction, a range, one plain sentence, and a function of two sets of series.

A metric of two sets works in two steps, so that one set can be compared with many others at the price of one pass:
``prepare`` turns every series into a row of numbers (in the units of a :class:`~tsprout.metrics.reference.Reference`
fitted to the real series), ``compare`` turns two stacks of rows into one number. Arrays are ``(n_series, n_channels,
length)`` of any float type; NaN marks a cell that was not observed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from tsprout.metrics.reference import Reference, align, share_gaps

LOWER = "lower"
HIGHER = "higher"
ONE = "one"

_ONE_MOST = float(np.log(10))  # ten times too much is as bad as a loss of this direction gets

Prepare = Callable[[np.ndarray, Reference], np.ndarray]
Compare = Callable[[np.ndarray, np.ndarray, int], float]


@dataclass(frozen=True)
class Metric:
    """How to name, read and orient a number.

    Attributes:
        name: key in the registry, snake case.
        title: what a table shows.
        direction: ``"lower"`` (0 is best), ``"higher"``, or ``"one"`` (1 is best).
        range: smallest and largest possible value.
        unit: unit of the value, empty for a pure number.
        explanation: one plain sentence.
        group: what it is about: ``fidelity``, ``diversity``, ``copying``, ``usefulness`` or ``paper``.
    """

    name: str
    title: str
    direction: str
    range: tuple[float, float]
    unit: str
    explanation: str
    group: str = field(default="fidelity", kw_only=True)

    def clip(self, value: float) -> float:
        """The value moved into :attr:`range`; NaN (not applicable) stays NaN."""
        return float(np.clip(value, *self.range)) if np.isfinite(value) else float("nan")

    def loss(self, value: float) -> float:
        """The value as something of which 0 is best and more is worse, whatever the direction.

        Of a ratio it is the size of its logarithm, bounded, so that a single ratio near 0 does not rule a mean.
        """
        if self.direction == HIGHER:
            return max(1.0 - value, 0.0)
        return min(abs(float(np.log(max(value, 1e-6)))), _ONE_MOST) if self.direction == ONE else value


@dataclass(frozen=True)
class PairMetric(Metric):
    """A metric of two sets of series, callable on two arrays.

    Attributes:
        prepare: ``(values (n, C, L), reference) -> rows (n, ...)``; every row depends on its own series only.
        compare: ``(real rows, synthetic rows, seed) -> number``, NaN where the metric does not apply.
        fills: whether ``prepare`` fills gaps; then both sets must show the same gaps before they are compared.
        repeats: at most so many comparisons make its value, for one that takes long.
        tolerance: what is at most so many times its mean floor is as good as the floor. A metric of which 0 is best
            may lie a quarter above; an error that even real series cannot bring near 0 may not.
    """

    prepare: Prepare
    compare: Compare
    fills: bool = False
    repeats: int | None = None
    tolerance: float = 1.25

    def __call__(self, real: ArrayLike, synthetic: ArrayLike, *, seed: int = 0) -> float:
        """Score of ``synthetic`` against ``real``, both ``(n, C, L)``; NaN where the metric does not apply.

        Raises:
            InputError: an array is not three-dimensional, holds infinite values, or the channel counts differ.
        """
        first, second = align(real, synthetic)
        if self.fills:
            first, second = (
                share_gaps(first, second, np.random.default_rng([seed, 1])),
                share_gaps(second, first, np.random.default_rng([seed, 2])),
            )
        reference = Reference.fit(first, seed=seed)
        return self.clip(self.compare(self.prepare(first, reference), self.prepare(second, reference), seed))


def mean_or_nan(values: np.ndarray) -> float:
    """Mean of the finite entries; NaN where there is none."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else float("nan")
