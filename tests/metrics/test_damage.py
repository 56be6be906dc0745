"""Every metric of two sets against every kind of damage: what must move, what must stay, and more damage moves further.

One structured set: three clusters of different rhythm and level, an autoregression, a channel that follows another and
one with heavy tails. *moved* lists the metrics that must leave the spread of their floor at full damage and get worse
with its size, *still* those that must not leave it.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsprout.metrics import QUICK, copying
from tsprout.metrics.base import HIGHER, LOWER, PairMetric
from tsprout.metrics.classification import CLASSIFICATION, classification
from tsprout.metrics.forecasting import FORECASTING
from tsprout.metrics.membership import membership
from tsprout.metrics.mmd import MMD
from tsprout.metrics.neighbours import COVERAGE, DENSITY, PRECISION, RECALL
from tsprout.metrics.reference import Reference
from tsprout.metrics.spread import SPREAD, VARIETY
from tsprout.metrics.tails import TAILS
from tsprout.metrics.two_sample import TWO_SAMPLE

FULLER = (
    TAILS,
    MMD,
    TWO_SAMPLE,
    PRECISION,
    DENSITY,
    COVERAGE,
    RECALL,
    SPREAD,
    VARIETY,
    FORECASTING,
    CLASSIFICATION,
)
METRICS = {metric.name: metric for metric in (*QUICK, *FULLER)}
N, LENGTH = 150, 24


def toy(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Series ``(n, 4, 24)`` and their cluster ``(n,)``."""
    rng = np.random.default_rng(seed)
    kind = rng.permutation(np.arange(n) % 3)
    period, level = np.array([6.0, 8.0, 12.0])[kind][:, None], np.array([-2.0, 0.0, 2.0])[kind][:, None]
    slow = np.zeros((n, LENGTH))
    slow[:, 0] = rng.standard_normal(n) / 0.6
    for t in range(1, LENGTH):
        slow[:, t] = 0.8 * slow[:, t - 1] + rng.standard_normal(n)
    saw = level + 2 * ((np.arange(LENGTH) / period + rng.random((n, 1))) % 1.0) + 0.15 * slow
    follower = 2 * saw + 0.4 * rng.standard_normal((n, LENGTH)) + 10
    late = np.concatenate([np.zeros((n, 1)), slow[:, :-1]], axis=1)
    heavy = 0.6 * late + 0.5 * rng.standard_t(3, (n, LENGTH))
    return np.stack([saw, follower, slow, heavy], axis=1), kind


@pytest.fixture(autouse=True, scope="module")
def fewer_trees():
    """What is learnt is learnt by half the trees: damage shows all the same, in half the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules["tsprout.metrics.two_sample"], "N_TREES", 10)
        patch.setattr(sys.modules["tsprout.metrics.forecasting"], "_TREES", 10)
        yield


REAL, _ = toy(N, 1)
MADE, KIND = toy(N, 9)
SHOTS, _ = toy(10, 77)
CENTRE, SCALE = MADE.mean(axis=(0, 2), keepdims=True), MADE.std(axis=(0, 2), keepdims=True)
RULER = Reference.fit(REAL)


@cache
def real_rows(prepare: Callable) -> np.ndarray:
    return prepare(REAL, RULER)


def score(name: str, values: np.ndarray) -> float:
    metric = METRICS[name]
    return metric.clip(metric.compare(real_rows(metric.prepare), metric.prepare(values, RULER), 0))


@cache
def floor(name: str) -> tuple[float, ...]:
    """What other real samples score, the undamaged one included."""
    return tuple(score(name, values) for values in (MADE, *(toy(N, seed)[0] for seed in (2, 3, 4))))


def badness(name: str, value: float) -> float:
    """Distance from what real samples score on average, in the direction that is worse; both for a ratio."""
    centre = float(np.mean(floor(name)))
    if METRICS[name].direction == LOWER:
        return value - centre
    return centre - value if METRICS[name].direction == HIGHER else abs(value - centre)


def margin(name: str) -> float:
    """How far real samples stray from their mean, twice over and never less than a hundredth."""
    return 2 * max(badness(name, value) for value in floor(name)) + 0.01


def first_part(changed: np.ndarray, share: float) -> np.ndarray:
    """The share of series in the front changed, the others as they were."""
    count = round(share * N)
    return np.concatenate([changed[:count], MADE[count:]])


def shifted(dose: float) -> np.ndarray:
    return MADE + dose * SCALE


def stretched(dose: float) -> np.ndarray:
    return CENTRE + (MADE - CENTRE) * (1 + dose)


def shrunk(dose: float) -> np.ndarray:
    return CENTRE + (MADE - CENTRE) * (1 - dose)


def reversed_in_time(dose: float) -> np.ndarray:
    return first_part(MADE[:, :, ::-1], dose)


def swapped(dose: float) -> np.ndarray:
    return first_part(MADE[:, [2, 1, 0, 3]], dose)


def unpaired(dose: float) -> np.ndarray:
    return first_part(np.stack([np.roll(MADE[:, c], 17 * c, axis=0) for c in range(4)], axis=1), dose)


def mode_dropped(dose: float) -> np.ndarray:
    lost, kept = np.flatnonzero(KIND == 2), np.flatnonzero(KIND == 0)
    lost = lost[: round(dose * len(lost))]
    values = MADE.copy()
    values[lost] = MADE[kept[np.arange(len(lost)) % len(kept)]]
    return values


def noisy(dose: float) -> np.ndarray:
    return MADE + dose * SCALE * np.random.default_rng(5).standard_normal(MADE.shape)


def tails_cut(dose: float) -> np.ndarray:
    return np.clip(MADE, *(np.quantile(MADE, level, axis=(0, 2), keepdims=True) for level in (dose, 1 - dose)))


def shots_repeated(dose: float) -> np.ndarray:
    rng = np.random.default_rng(6)
    return first_part(SHOTS[rng.integers(10, size=N)] + 0.03 * SCALE * rng.standard_normal(MADE.shape), dose)


LEARNT = {"frechet", "discriminative", "mmd", "two_sample", "coverage"}
MIXED_UP = {"precision", "density", "variety"}
ORDER = {"autocorrelation", "increments", "spectrum", "correlation"}
VALUES = {"marginal", "tails"}
DAMAGE: list[tuple[Callable[[float], np.ndarray], tuple[float, float, float], set[str], set[str]]] = [
    (shifted, (0.15, 0.5, 1.5), LEARNT | VALUES | {"precision", "density", "recall", "forecasting"}, ORDER),
    (stretched, (0.15, 0.5, 1.0), LEARNT | VALUES | {"precision", "density", "recall", "spread", "variety"}, ORDER),
    (shrunk, (0.1, 0.3, 0.6), LEARNT | VALUES | {"recall", "spread", "variety", "forecasting"}, ORDER),
    (reversed_in_time, (0.3, 0.6, 1.0), LEARNT | {"precision", "density", "forecasting"}, ORDER | VALUES | {"spread"}),
    (swapped, (0.3, 0.6, 1.0), LEARNT | ORDER | {"precision", "density", "marginal", "forecasting"}, set()),
    (
        unpaired,
        (0.3, 0.6, 1.0),
        LEARNT | MIXED_UP | {"correlation", "forecasting"},
        {"marginal", "tails", "autocorrelation", "increments", "recall"},
    ),
    (
        mode_dropped,
        (0.3, 0.6, 1.0),
        LEARNT | {"marginal", "spectrum", "variety", "forecasting"},
        {"precision", "increments"},
    ),
    (noisy, (0.1, 0.4, 1.0), LEARNT | ORDER | MIXED_UP | VALUES | {"forecasting"}, set()),
    (tails_cut, (0.002, 0.01, 0.04), {"tails"}, ORDER | {"precision", "forecasting", "spread"}),
    (
        shots_repeated,
        (0.3, 0.6, 1.0),
        LEARNT | {"recall", "variety", "forecasting"},
        {"precision", "tails"},
    ),
]


@pytest.mark.parametrize(("damage", "doses", "moved", "still"), DAMAGE, ids=[case[0].__name__ for case in DAMAGE])
def test_damage_moves_what_it_must_and_nothing_else(damage, doses, moved, still):
    found = {name: [badness(name, score(name, damage(dose))) for dose in doses] for name in sorted(moved)}
    small = {name: values for name, values in found.items() if values[-1] <= margin(name)}
    assert not small, {name: margin(name) for name in small}
    slack = {name: 0.02 + 0.02 * abs(values[-1]) for name, values in found.items()}
    assert not {name: v for name, v in found.items() if min(v[1] - v[0], v[2] - v[1]) < -slack[name]}
    stirred = {name: badness(name, score(name, damage(doses[-1]))) for name in sorted(still)}
    assert not {name: (value, margin(name)) for name, value in stirred.items() if value > margin(name) + 0.02}


def test_a_real_sample_scores_what_real_samples_score():
    fresh = toy(N, 21)[0]
    strays = {name: badness(name, score(name, fresh)) for name in METRICS if name != "classification"}
    assert not {name: (value, margin(name)) for name, value in strays.items() if value > margin(name) + 0.02}


def test_some_damage_moves_every_metric_and_only_the_broad_ones_notice_all():
    moved, still = (set().union(*(case[column] for case in DAMAGE)) for column in (2, 3))
    assert set(METRICS) - moved == {"classification"}
    assert set(METRICS) - still == {"classification", *LEARNT, "density", "variety"}


def test_shuffled_labels_move_the_labelled_metric():
    real, names = toy(N, 1)
    rng = np.random.default_rng(0)
    found = [classification(real, names, MADE, first_labels) for first_labels in _shuffles(rng)]
    assert found[0] < 0.1
    assert found[0] < found[1] < found[2]
    assert found[2] > 0.45


def _shuffles(rng: np.random.Generator) -> list[np.ndarray]:
    order = rng.permutation(N)
    result = []
    for share in (0.0, 0.7, 1.0):
        labels, count = KIND.copy(), round(share * N)
        labels[order[:count]] = rng.permutation(KIND[order[:count]])
        result.append(labels)
    return result


def test_copies_of_real_series_please_fidelity_and_are_caught_by_all_copying_scores():
    shots = toy(N, 31)[0]  # as many shots as series: handing them back is another real sample
    copies = shots + 0.02 * SCALE * np.random.default_rng(3).standard_normal(shots.shape)
    for name in ("marginal", "autocorrelation", "correlation", "spectrum", "mmd", "frechet", "coverage", "variety"):
        assert badness(name, score(name, copies)) < margin(name) + 0.03, name
    honest, caught = copying(MADE, shots, REAL), copying(copies, shots, REAL)
    assert caught.ratio < 0.2 < 0.9 < honest.ratio
    assert caught.near_copies == 1
    assert honest.near_copies < honest.chance_near_high
    assert membership(copies, shots, REAL).advantage > 0.49
    assert membership(MADE, shots, REAL).advantage < 0.1


def test_the_copying_scores_grow_with_the_share_of_copies():
    found = [shots_repeated(dose) for dose in (0.0, 0.3, 1.0)]
    shares = [copying(values, SHOTS, REAL).near_copies for values in found]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    areas = [membership(values, SHOTS, REAL).area for values in found]
    assert areas[0] < 0.75 < 0.98 < areas[1] <= areas[2]


@settings(max_examples=8, deadline=None)
@given(
    n=st.integers(1, 12),
    m=st.integers(1, 12),
    channels=st.integers(1, 4),
    lengths=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    holes=st.floats(0, 0.9),
    constant=st.booleans(),
)
def test_any_shape_scores_in_range_without_a_warning(n, m, channels, lengths, holes, constant):
    rng = np.random.default_rng(n * 100 + m)
    real, made = (
        np.cumsum(rng.standard_normal((k, channels, length)), axis=-1)
        for k, length in zip((n, m), lengths, strict=True)
    )
    if constant:
        real[:, 0] = made[:, 0] = 7.0
    for values in (real, made):
        values[rng.random(values.shape) < holes] = np.nan
        values[0, :, 0] = 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for metric in FULLER:
            found = metric(real, made)
            assert np.isnan(found) or metric.range[0] <= found <= metric.range[1], metric.name
        labels = np.arange(max(n, m)) % 2
        assert not classification(real, labels[:n], made, labels[:m]) > 1


@pytest.mark.parametrize("metric", FULLER[:-1], ids=lambda metric: metric.name)
def test_scores_repeat_scales_do_not_matter_and_wild_values_stay_finite(metric: PairMetric):
    real, made = REAL[:60].copy(), MADE[:60].copy()
    factor = np.array([1e4, 1.0, 1e-4, 10.0])[:, None]
    found = metric(real, made)
    assert metric(real, made) == found
    assert metric(real * factor, made * factor) == pytest.approx(found, rel=0.05, abs=0.02)
    made[0, 0, 0], made[1, 1, 3] = 1e30, -1e30
    assert np.isfinite(metric(real, made))
