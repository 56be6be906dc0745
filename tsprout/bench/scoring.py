"""Scores of one cell beside floor, copies and noise, at one sample size or as published.

Under the protocol ``strict``, and for the quick suite under either, a :class:`~tsprout.metrics.yardstick.Yardstick`
compares as many series on both sides, of halves of the reference without the shots. The paper suite under the protocol
``paper`` is arXiv 2505.20446's: all of the reference, shots included, against as many synthetic series, in the units of
the protocol. Its floor is one half of the reference against the other, so at half the size: Context-FID has a larger
floor there than at full size.

What does not depend on the model is computed once for a task, under a lock, and kept in a folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tsprout.bench.digests import task_hash
from tsprout.bench.spec import Cell, SuiteSpec
from tsprout.bench.store import read_json, write_json
from tsprout.data.protocols import Split
from tsprout.locks import Lock
from tsprout.metrics.copying import COPYING, NEAR_COPIES, copying
from tsprout.metrics.splits import gaussian, halves
from tsprout.metrics.yardstick import BESIDE, Yardstick

Found = dict[str, dict[str, float]]


def score(cell: Cell, split: Split, values: np.ndarray, beside: Path) -> dict[str, Any]:
    """Scores by kind (``value``, ``floor``, ``copies``, ``noise``, and ``within``: spread over repeats) and metric.

    Args:
        cell: its suite and seed.
        split: shots and reference.
        values: ``(n, channels, length)`` what was drawn, in the units of ``split``.
        beside: folder that keeps what all models share.

    Returns:
        ``scores`` as above, and ``sizes``: series of the reference, drawn, and on each side of a comparison.

    Raises:
        InputError: there are too few series.
    """
    exact = cell.suite.name == "paper" and cell.protocol == "paper"
    shots = np.where(split.shots.observed, split.shots.values, np.nan)
    real = np.where(split.reference.observed, split.reference.values, np.nan)
    beside.mkdir(parents=True, exist_ok=True)
    lock = Lock(beside / task_hash(cell))
    if exact:
        found = {"value": _exact(real, values, cell.suite, cell.seed)}
        found["within"] = found["value"].pop("within")
        near = copying(values, shots, real, seed=cell.seed)
        found["value"] |= {COPYING.name: near.ratio, NEAR_COPIES.name: near.near_copies}
        place = beside / f"{task_hash(cell)}.{len(values)}.json"
        with lock:
            known = read_json(place)
            if known is None:
                known = _exact_beside(real, shots, len(values), cell.suite, cell.seed)
                write_json(place, known)
        size = len(real)
    else:
        kind = "fast" if cell.suite.name == "quick" else "paper"
        ruler = _ruler(cell.suite, real, shots, cell.seed, beside)
        with lock:
            known = ruler.beside(kind)
        found, size = {"value": ruler.score(values, kind), "within": {}}, ruler.size
    scores = found | {kind: dict(known[kind]) for kind in BESIDE}
    return {"scores": scores, "sizes": {"reference": len(real), "synthetic": len(values), "compared": size}}


def _ruler(suite: SuiteSpec, real: np.ndarray, shots: np.ndarray, seed: int, cache: Path) -> Yardstick:
    return Yardstick(
        real,
        shots,
        size=suite.size,
        splits=suite.splits,
        which=suite.which,
        repeats=suite.repeats,
        encoders=suite.encoders,
        iterations=suite.iterations,
        seed=seed,
        cache=cache,
    )


def _exact(real: np.ndarray, made: np.ndarray, suite: SuiteSpec, seed: int) -> dict[str, Any]:
    """Means by score, and ``within``: standard deviations over repeats, as the paper prints them."""
    from tsprout.metrics.paper import paper_scores

    scores = paper_scores(
        real,
        made,
        which=suite.which,
        repeats=suite.repeats,
        encoders=suite.encoders,
        iterations=suite.iterations,
        seed=seed,
    )
    found: dict[str, Any] = {name: each.mean for name, each in scores.items()}
    spread = {name: float(np.std(each.values)) for name, each in scores.items() if len(each.values) > 1}
    return found | {"within": spread}


def _exact_beside(real: np.ndarray, shots: np.ndarray, n: int, suite: SuiteSpec, seed: int) -> Found:
    rng = np.random.default_rng([seed, 37])
    first, second = halves(len(real), len(real) // 2, rng)
    pools = {
        "floor": (real[first], real[second]),
        "copies": (real, shots[rng.choice(len(shots), n)]),
        "noise": (real, gaussian(shots, n, rng)),
    }
    found: Found = {}
    for kind, (one, other) in pools.items():
        found[kind] = _exact(one, other, suite, seed)
        found[kind].pop("within")
    found["floor"][COPYING.name], found["copies"][COPYING.name] = 1.0, 0.0
    found["copies"][NEAR_COPIES.name] = 1.0
    near = copying(pools["noise"][1], shots, real, seed=seed)
    found["noise"] |= {COPYING.name: near.ratio, NEAR_COPIES.name: near.near_copies}
    return found
