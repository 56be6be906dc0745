"""Baselines: what a sceptic would ask the model to beat, all behind one contract (:mod:`tsprout.baselines.contract`).

>>> from tsprout.baselines import get, names
>>> copies = get("copies")().fit(shots, seed=0).sample(1000, seed=0)  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tsprout.baselines.registry import get, load, names

if TYPE_CHECKING:
    from tsprout.baselines.contract import Baseline, LatentBaseline

__all__ = ["Baseline", "LatentBaseline", "get", "load", "names"]


def __getattr__(name: str) -> Any:
    """The classes, once they are asked for: a list of names needs no numpy (PEP 562)."""
    if name not in ("Baseline", "LatentBaseline"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tsprout.baselines import contract

    return getattr(contract, name)
