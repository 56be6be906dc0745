"""Who is better, over many tasks: wins, mean ranks, and how far ranks must lie apart to mean something.

J. Demšar, "Statistical comparisons of classifiers over multiple data sets", JMLR 7, 2006: Friedman's test over ranks;
two models differ at 5 % where their mean ranks lie :math:`CD = q_{0.05} \\sqrt{k (k + 1) / 6 N}` apart (Nemenyi), with
:math:`k` models and :math:`N` tasks. Seeds of one data set are not independent, so a block is a set with its number of
shots and length, and its score the mean over seeds. Two models are compared by the signed ranks of Wilcoxon.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tsprout.bench.results import Results, loss, mean_sd
from tsprout.errors import InputError


@dataclass(frozen=True)
class Ranks:
    """``mean`` rank of every model over ``blocks`` tasks, 1 is best; the ``critical`` difference; ``p`` of Friedman."""

    models: tuple[str, ...]
    mean: tuple[float, ...]
    blocks: int
    critical: float
    p: float


def losses(results: Results, suite: str, metric: str, models: Sequence[str] = ()) -> tuple[list[str], np.ndarray]:
    """Models, and their losses ``(blocks, models)``, means over seeds; only blocks that all models have done."""
    chosen = list(models) or results.unique("model")
    rows = []
    for length in results.unique("length"):
        for shots in results.unique("shots"):
            for name in results.unique("set"):
                row = []
                for model in chosen:
                    cells = results.of(suite=suite, length=length, shots=shots, set=name, model=model)
                    row.append(mean_sd([loss(metric, r.value(metric)) for r in cells])[0])
                if all(map(math.isfinite, row)):
                    rows.append(row)
    return chosen, np.array(rows, float).reshape(len(rows), len(chosen))


def rank_rows(values: np.ndarray) -> np.ndarray:
    """Ranks within every row ``(n, k)``, 1 for the smallest; equal ones share the mean of theirs."""
    from scipy.stats import rankdata

    return np.asarray(rankdata(values, axis=1)) if values.size else values


def ranks(models: Sequence[str], values: np.ndarray) -> Ranks:
    """Mean ranks of ``values (blocks, models)``, less is better.

    Raises:
        InputError: fewer than two models or blocks.
    """
    from scipy.stats import friedmanchisquare, studentized_range

    n, k = values.shape
    if n < 2 or k < 2:
        raise InputError(
            f"{k} models on {n} tasks that all of them have done cannot be ranked", fix="Two of each are needed."
        )
    mean = rank_rows(values).mean(axis=0)
    critical = float(studentized_range.ppf(0.95, k, np.inf)) / math.sqrt(2) * math.sqrt(k * (k + 1) / (6 * n))
    p = float(friedmanchisquare(*values.T).pvalue) if k > 2 and np.ptp(values, axis=1).any() else math.nan
    return Ranks(tuple(models), tuple(map(float, mean)), n, critical, p)


def wins(values: np.ndarray) -> list[int]:
    """On how many rows of ``values (blocks, models)`` each model is best; equal ones all are."""
    if not values.size:
        return [0] * values.shape[1]
    return [int(count) for count in (values == values.min(axis=1, keepdims=True)).sum(axis=0)]


def duel(results: Results, suite: str, metric: str, one: str, other: str) -> dict[str, float | int | str]:
    """``one`` against ``other``: wins, losses, ties, median difference of losses, and p of Wilcoxon's signed ranks.

    Raises:
        InputError: a model is not in the plan.
    """
    from scipy.stats import wilcoxon

    known = results.unique("model")
    for name in (one, other):
        if name not in known:
            raise InputError(f"there is no model {name!r}", fix=f"Choose from: {', '.join(known)}.")
    _, values = losses(results, suite, metric, (one, other))
    difference = values[:, 0] - values[:, 1]
    moved = difference[difference != 0]
    return {
        "suite": suite,
        "metric": metric,
        "tasks": len(values),
        "wins": int((difference < 0).sum()),
        "losses": int((difference > 0).sum()),
        "ties": int((difference == 0).sum()),
        "median_difference": float(np.median(difference)) if len(difference) else math.nan,
        "p": float(wilcoxon(moved).pvalue) if len(moved) > 1 else math.nan,
    }
