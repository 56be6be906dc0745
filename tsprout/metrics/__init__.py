"""Metrics: functions of two arrays ``(n_series, n_channels, length)``, NaN = missing; they know nothing of models.

>>> import numpy as np
>>> from tsprout.metrics import METRICS, quick_scores
>>> rng = np.random.default_rng(0)
>>> real, synthetic = rng.standard_normal((2, 100, 1, 24))
>>> METRICS["marginal"](real, synthetic) < 0.2
True
>>> quick_scores(real, synthetic, shots=real[:10])["marginal"].verdict
'as good as another real sample'
"""

from __future__ import annotations

from tsprout.metrics.base import Metric, PairMetric
from tsprout.metrics.copying import Copying, copying
from tsprout.metrics.evaluate import evaluate
from tsprout.metrics.quick import quick_scores
from tsprout.metrics.registry import METRICS, QUICK
from tsprout.metrics.scores import Interval, Score, Scores

__all__ = [
    "METRICS",
    "QUICK",
    "Copying",
    "Interval",
    "Metric",
    "PairMetric",
    "Score",
    "Scores",
    "copying",
    "evaluate",
    "quick_scores",
]
