"""Several scores of this package at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from numpy.typing import ArrayLike

from tsprout.errors import InputError
from tsprout.metrics.paper.repeats import Repeats
from tsprout.progress import Progress

NAMES = ("disc", "pred", "cfid", "disc_capable", "pred_capable", "cfid_capable")


def paper_scores(
    real: ArrayLike,
    synthetic: ArrayLike,
    *,
    which: Iterable[str] = ("disc", "pred", "cfid"),
    repeats: int = 10,
    encoders: int = 1,
    capable: int | None = None,
    iterations: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Repeats]:
    """Scores of ``synthetic`` against ``real``, each with all its repeats trained together.

    Args:
        real, synthetic: ``(n, C, L)``, scaled as the paper scales them.
        which: of ``disc``, ``pred``, ``cfid`` (the paper's) and ``disc_capable``, ``pred_capable``, ``cfid_capable``.
        repeats: of the paper's first two.
        capable: repeats, or encoders, of the corrected ones; each has its own number by default.
        encoders: of the paper's context-FID, which has one.
        iterations: steps of training if other than each score's own, for a first look.
        seed: everything random follows from it.
        progress: called as ``progress(stage, done, total)``.

    Raises:
        InputError: a name is unknown, or the arrays cannot be scored or do not fit.
    """
    chosen = tuple(which)
    unknown = [name for name in chosen if name not in NAMES]
    if unknown:
        raise InputError(f"there is no score {unknown[0]!r}", fix=f"Choose from {', '.join(NAMES)}.")
    if min(repeats, encoders, 1 if capable is None else capable) < 1:
        raise InputError(
            f"{min(repeats, encoders, 1 if capable is None else capable)} repeats measure nothing",
            fix="Give at least 1.",
        )
    functions = _functions()
    found = {}
    for name in chosen:
        options: dict[str, Any] = {} if iterations is None else {"iterations": iterations}
        if name in ("disc", "pred"):
            options["repeats"] = repeats
        elif name == "cfid":
            options["encoders"] = encoders
        elif capable is not None:
            options["encoders" if name == "cfid_capable" else "repeats"] = capable
        found[name] = functions[name](real, synthetic, seed=seed, progress=progress, **options)
    return found


def _functions() -> dict[str, Callable[..., Repeats]]:
    from tsprout.metrics.paper import context_fid, discriminative, predictive

    return {
        "disc": discriminative.discriminative_paper,
        "pred": predictive.predictive_paper,
        "cfid": context_fid.context_fid_paper,
        "disc_capable": discriminative.discriminative_capable,
        "pred_capable": predictive.predictive_capable,
        "cfid_capable": context_fid.context_fid,
    }
