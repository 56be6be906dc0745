"""The paper suite: the scores of arXiv 2505.20446 and their corrected variants, judged at one sample size.

All of them depend on how many series they are computed from, Context-FID most of all. So value, floor, shots and noise
come from ``m`` series against ``m``, over several halves of the real series as in the quick suite, with fresh networks
for each; that is what the verdict rests on. A published figure is one of all real series against as many synthetic
ones. Where there are as many, the paper's own scores are computed at that size too, and told in a note.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tsprout.metrics import describe
from tsprout.metrics.base import PairMetric
from tsprout.metrics.paper.repeats import Repeats
from tsprout.metrics.reference import Reference, align
from tsprout.metrics.registry import SUITES
from tsprout.metrics.scores import Score
from tsprout.metrics.splits import gaussian, split, spread, without_shots
from tsprout.metrics.verdicts import NOT_APPLICABLE, Interval, fidelity_verdict
from tsprout.progress import Progress

SPLITS = 3
ENCODERS = 2  # of Context-FID in every split
MOST = 4000  # largest sample on each side of a judged comparison
_CAPABLE = 2  # repeats of the corrected scores in every split
_KEYS = ("disc", "pred", "cfid", "disc_capable", "pred_capable", "cfid_capable")
_TOLD = (("disc", "Disc"), ("pred", "Pred"), ("cfid", "Context-FID"))
_SCALE = "The paper's scores are computed on values in standard deviations of the real channels."


@dataclass(frozen=True)
class PaperScores:
    """The six scores in the order of the suite, sentences on how to read them, and the series on each side."""

    scores: tuple[Score, ...]
    notes: tuple[str, ...]
    sample_size: int


def paper_suite(
    real: ArrayLike,
    synthetic: ArrayLike,
    shots: ArrayLike,
    *,
    repeats: int = 10,
    iterations: int | None = None,
    few: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> PaperScores:
    """Judge ``synthetic`` (m, C, L) against ``real`` (n, C, L) with floor and ceilings.

    Args:
        real, synthetic, shots: see :func:`tsprout.metrics.evaluate.evaluate`; gaps are NaN.
        repeats: of the paper's classifier and forecaster, at least so many over all halves.
        iterations: steps of training if other than each score's own.
        few: whether there are so few series that a claim needs more.
        seed: everything random follows from it.
        progress: called as ``progress("paper scores", done, total)``.

    Raises:
        InputError: an array cannot be scored, or they do not fit each other.
    """
    from tsprout.metrics.paper import paper_scores

    first, made = align(real, synthetic)
    first, shown = align(first, shots, ("real", "shot"))
    made = made[..., : first.shape[-1]]
    reference = Reference.fit(first)
    first, made, shown = (reference.standardise(x) for x in (first, made, shown))
    rng = np.random.default_rng([seed, 17])
    pool, _ = without_shots(first, shown)
    size = min(len(pool) // 2, len(made), MOST)
    full = size > 1 and len(made) >= len(first)
    noise = gaussian(shown, max(size, 1), rng)
    splits = [split(pool, made, shown, noise, size, rng) for _ in range(SPLITS)] if size > 1 else []
    total, done = len(splits) * 4 * len(_KEYS) + len(_TOLD) * full, 0
    drawn: dict[str, dict[str, list[float]]] = {key: {} for key in _KEYS}
    said: dict[str, None] = {}

    def measured(key: str, left: np.ndarray, right: np.ndarray, count: int, turn: int) -> Repeats:
        nonlocal done
        if progress is not None:
            progress("paper scores", done, total)
        done += 1
        return paper_scores(
            left,
            right,
            which=(key,),
            repeats=count,
            encoders=ENCODERS,
            capable=_CAPABLE,
            iterations=iterations,
            seed=seed + turn,
        )[key]

    metrics = dict(zip(_KEYS, SUITES["paper"], strict=True))
    for turn, chosen in enumerate(splits):
        half = pool[chosen.half]
        others = {
            "value": made[chosen.synthetic],
            "floor": pool[chosen.other],
            "shots": shown[chosen.shots],
            "noise": noise[chosen.noise],
        }
        for kind, other in others.items():
            for key in _KEYS:
                if len(other) < 2:
                    done += 1
                    continue
                found = measured(key, half, other, math.ceil(repeats / SPLITS), turn)
                drawn[key].setdefault(kind, []).extend(found.values.tolist())
                if found.note:
                    said[f"{metrics[key].title}: {found.note}"] = None
    notes = [_SCALE, *said]
    if full:
        same = made[spread(len(made), len(first), rng)]
        means = [f"{title} {measured(key, first, same, repeats, 0).mean:.3g}" for key, title in _TOLD]
        notes.append(
            f"The scores are computed on {size} series against {size}; at full size, {len(first)} against "
            f"{len(same)}: {', '.join(means)}."
        )
    elif splits:
        notes.append(
            f"The scores are computed on {size} series against {size}; for figures to hold against published ones give "
            "as many synthetic series as the reference has."
        )
    if progress is not None:
        progress("paper scores", total, total)
    tiny = len(pool) < describe.TINY
    scores = [_judged(metrics[key], drawn[key], first.shape[1], few=few, tiny=tiny) for key in _KEYS]
    return PaperScores(tuple(scores), tuple(notes), max(size, 0))


def _judged(metric: PairMetric, drawn: dict[str, list[float]], channels: int, *, few: bool, tiny: bool) -> Score:
    found: dict[str, Interval] = {
        kind: describe.interval(metric, drawn.get(kind, [])) for kind in ("value", "floor", "shots", "noise")
    }
    verdict = fidelity_verdict(**found, few=few, tiny=tiny, tolerance=metric.tolerance)
    if channels == 1 and metric.name == "predictive_paper":  # its input are all channels but the last
        verdict = NOT_APPLICABLE
    return describe.score(metric, **found, few=few, verdict=verdict)
