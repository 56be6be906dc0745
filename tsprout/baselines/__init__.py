"""Baselines: what a sceptic would ask the model to beat, all behind one contract (:mod:`tsprout.baselines.contract`).

>>> from tsprout.baselines import get, names
>>> copies = get("copies")().fit(shots, seed=0).sample(1000, seed=0)  # doctest: +SKIP
"""

from tsprout.baselines.contract import Baseline, LatentBaseline
from tsprout.baselines.registry import get, load, names

__all__ = ["Baseline", "LatentBaseline", "get", "load", "names"]
