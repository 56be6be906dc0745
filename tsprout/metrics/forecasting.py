r"""Forecasting: is a forecaster trained on synthetic series as good on real ones as one trained on real series.

Train on synthetic, test on real (Esteban, Hyland, Raetsch 2017, arXiv 1706.02633). From the last few values of all
channels, and where in the series they lie, three regressors of different kinds (ridge, nearest neighbours, extremely
randomised trees) learn how far each channel moves in one step, and in a quarter of the length. The error on real series
is divided by that of the forecast that nothing moves:

.. math:: \frac1C \sum_c \frac{\langle |x_{c,t+h} - \hat x_{c,t+h}| \rangle}{\langle |x_{c,t+h} - x_{c,t}| \rangle}

averaged over regressors and horizons. 1 is no better than the last value; the floor is what training on another real
sample gives. Values are in standard deviations of the real channel, gaps filled. Long or numerous series are read at
random places, wide ones in evenly chosen channels. A channel that hardly moves is measured against a twentieth of the
mean movement.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tsprout.metrics.base import LOWER, PairMetric
from tsprout.metrics.reference import Reference, fill

REGRESSORS = ("ridge", "neighbours", "trees")
_ORDER = 8  # most past values a forecast is made from
_INPUTS = 64  # most past values of all channels together
_CHANNELS = 32
_ROWS = 1500  # most places forecasts are learnt from, and tested at
_TREES = 20
_LEAST = 0.05  # of the mean movement of all channels
_LIMIT = 1e4  # standard deviations


@dataclass(frozen=True, eq=False)
class Lagged:
    """Forecasting problems cut from series.

    Attributes:
        inputs: ``(k, d)`` position in the series and past values.
        moves: ``(k, C)`` true value minus the last value seen.
    """

    inputs: np.ndarray
    moves: np.ndarray


def filled(values: np.ndarray, reference: Reference) -> np.ndarray:
    """Rows ``(n, C', L)`` without gaps in units of the real channel, of at most 32 evenly chosen channels."""
    n_channels = values.shape[1]
    chosen = np.unique(np.linspace(0, n_channels - 1, min(_CHANNELS, n_channels)).round().astype(int))
    return np.clip(fill(reference.standardise(values))[:, chosen], -_LIMIT, _LIMIT)


def horizons(length: int) -> tuple[int, ...]:
    """Steps ahead that are forecast: one, and a quarter of the length; none for a single time step."""
    return tuple(sorted({1, max(length // 4, 1)})) if length > 1 else ()


def lagged(rows: np.ndarray, ahead: int, rng: np.random.Generator, most: int = _ROWS) -> Lagged:
    """At most ``most`` randomly placed problems, ``ahead`` steps into the future, of ``rows`` (n, C, L), no gaps."""
    n, n_channels, length = rows.shape
    order = max(min(_ORDER, _INPUTS // n_channels, length // 2, length - ahead), 1)
    places = length - ahead - order + 1
    chosen = np.arange(n * places) if n * places <= most else np.sort(rng.choice(n * places, most, replace=False))
    series, start = chosen // places, chosen % places
    windows = np.lib.stride_tricks.sliding_window_view(rows, order + ahead, axis=-1)[series, :, start]
    past, last = windows[..., :order], windows[..., order - 1]
    inputs = np.concatenate([start[:, None] / max(places - 1, 1), past.reshape(len(past), -1)], axis=1)
    return Lagged(inputs, windows[..., -1] - last)


def predict(name: str, train: Lagged, inputs: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Movements ``(m, C)`` that the regressor ``name`` of :data:`REGRESSORS` learns from ``train`` and forecasts."""
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.linear_model import Ridge
    from sklearn.neighbors import KNeighborsRegressor

    count = len(train.inputs)
    if name == "ridge":
        model = Ridge(alpha=1.0 + 0.01 * count)
    elif name == "neighbours":
        model = KNeighborsRegressor(n_neighbors=min(10, count), algorithm="brute")
    else:
        model = ExtraTreesRegressor(_TREES, min_samples_leaf=3, max_features=0.3, random_state=seed)
    moves = train.moves[:, 0] if train.moves.shape[1] == 1 else train.moves
    return model.fit(train.inputs, moves).predict(inputs).reshape(len(inputs), -1)


def errors(train: np.ndarray, test: np.ndarray, *, seed: int = 0) -> dict[tuple[str, int], float]:
    """Error of every regressor and horizon trained on ``train`` (n, C, L), on ``test`` (m, C, L), over the naive one's.

    Both without gaps. Empty for a single time step, and where no channel of ``test`` moves.
    """
    found = {}
    for ahead in horizons(test.shape[-1]):
        past = lagged(train, ahead, np.random.default_rng([seed, ahead, 1]))
        future = lagged(test, ahead, np.random.default_rng([seed, ahead, 2]))
        naive = np.abs(future.moves).mean(axis=0)
        if not naive.any():
            continue
        naive = np.maximum(naive, _LEAST * naive.mean())
        for name in REGRESSORS:
            missed = np.abs(future.moves - predict(name, past, future.inputs, seed=seed)).mean(axis=0)
            found[name, ahead] = float(np.mean(missed / naive))
    return found


def error(train: np.ndarray, test: np.ndarray, *, seed: int = 0) -> float:
    """Mean of :func:`errors`; NaN where nothing can be forecast."""
    found = errors(train, test, seed=seed) if len(train) and len(test) else {}
    return float(np.mean(list(found.values()))) if found else float("nan")


def _compare(real: np.ndarray, synthetic: np.ndarray, seed: int) -> float:
    return error(synthetic, real, seed=seed)


FORECASTING = PairMetric(
    name="forecasting",
    title="Forecasting error",
    direction=LOWER,
    range=(0.0, float("inf")),
    unit="",
    explanation="Error on real series of forecasters trained on synthetic ones, over that of repeating the last value.",
    prepare=filled,
    compare=_compare,
    fills=True,
    group="usefulness",
    tolerance=1.05,
)
