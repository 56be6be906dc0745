"""Copies are caught, and what is as far from the shots as unseen series is not."""

from __future__ import annotations

import numpy as np
import pytest

from tsprout.errors import InputError
from tsprout.metrics import METRICS, copying, quick_scores
from tsprout.metrics.copying import keys, nearest, overlapping, unseen, wilson
from tsprout.metrics.describe import copying_scores
from tsprout.metrics.reference import Reference

RNG = np.random.default_rng(0)


def smooth(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.standard_normal((n, 2, 24)), axis=-1) + rng.standard_normal((n, 2, 1)) * 5


SHOTS, UNSEEN, MADE = smooth(10, 1), smooth(300, 2), smooth(400, 3)


def slow_nearest(series: np.ndarray, shots: np.ndarray) -> list[float]:
    return [min(np.sqrt(np.nanmean((one - other) ** 2)) for other in shots) for one in series]


def test_nearest_is_the_root_mean_square_over_shared_cells(monkeypatch):
    import sys

    module = sys.modules["tsprout.metrics.copying"]
    series, shots = MADE[:30].copy(), SHOTS.copy()
    assert nearest(series, shots) == pytest.approx(slow_nearest(series, shots))
    series[RNG.random(series.shape) < 0.3] = np.nan
    shots[RNG.random(shots.shape) < 0.3] = np.nan
    expected = slow_nearest(series, shots)
    assert nearest(series, shots) == pytest.approx(expected)
    monkeypatch.setattr(module, "_CELLS", 100)
    assert nearest(series, shots) == pytest.approx(expected)
    assert nearest(shots, shots, skip_self=True).min() > 0.1
    assert nearest(shots, shots).max() < 1e-6


def test_series_without_shared_cells_have_no_distance():
    first, second = np.zeros((1, 1, 4)), np.zeros((1, 1, 4))
    first[..., :2], second[..., 2:] = np.nan, np.nan
    assert np.isnan(nearest(first, second)).all()


def test_unseen_series_of_the_same_kind_are_as_far_as_they_should_be():
    found = copying(MADE, SHOTS, UNSEEN)
    assert found.held_out
    assert found.n_reference == 300
    assert found.chance_low < found.ratio < found.chance_high
    assert found.ratio_low < found.ratio < found.ratio_high
    assert found.near_copies < found.chance_near_high


def test_nearness_grows_with_the_share_of_copies_and_their_exactness():
    ratios, shares = [], []
    for share in (0.0, 0.3, 0.6, 1.0):
        mixed = MADE.copy()
        count = int(share * len(mixed))
        mixed[:count] = SHOTS[RNG.integers(10, size=count)] + 0.1 * RNG.standard_normal((count, 2, 24))
        found = copying(mixed, SHOTS, UNSEEN)
        ratios.append(found.ratio)
        shares.append(found.near_copies)
        assert found.near_copies == pytest.approx(share, abs=0.06)
    assert ratios == sorted(ratios, reverse=True)
    assert shares == sorted(shares)
    exactness = [
        copying(SHOTS + dose * RNG.standard_normal(SHOTS.shape), SHOTS, UNSEEN).ratio for dose in (0, 0.3, 1, 3)
    ]
    assert exactness[0] == pytest.approx(0, abs=1e-6)
    assert exactness == sorted(exactness)


def test_without_unseen_series_the_shots_stand_in():
    for real in (None, SHOTS, SHOTS[:, :, :]):
        found = copying(MADE, SHOTS, real)
        assert not found.held_out
        assert found.n_reference == 10
        assert 0.7 < found.ratio < 1.4
    assert copying(SHOTS, SHOTS).ratio == pytest.approx(0, abs=1e-6)


def test_shots_among_the_real_series_are_not_taken_for_unseen():
    mixed = np.concatenate([SHOTS, UNSEEN])
    assert unseen(mixed, SHOTS).tolist() == [False] * 10 + [True] * 300
    assert copying(MADE, SHOTS, mixed).n_reference == 300


def test_keys_are_equal_for_equal_cells_only():
    first = np.array([[[1.0, np.nan]], [[1.0, -np.nan]], [[1.0, 2.0]], [[-0.0, 2.0]], [[0.0, 2.0]]])
    found = keys(first)
    assert found[0] == found[1]
    assert found[3] == found[4]
    assert len(set(found)) == 3


def test_identical_shots_leave_nothing_to_compare_with():
    same = np.repeat(SHOTS[:1], 5, axis=0)
    found = copying(MADE, same)
    assert np.isnan(found.ratio)
    assert np.isnan(copying(MADE, SHOTS[:1]).near_copies)


def test_the_scale_can_be_given_and_must_fit():
    wide = Reference.fit(UNSEEN * 10)
    assert copying(MADE, SHOTS, UNSEEN, reference=wide).threshold < copying(MADE, SHOTS, UNSEEN).threshold / 5
    with pytest.raises(InputError, match="another number of channels"):
        copying(MADE, SHOTS, reference=Reference.fit(UNSEEN[:, :1]))


def test_a_hundred_thousand_series_fit_in_little_memory():
    import tracemalloc

    many = np.zeros((100_000, 1, 24), dtype=np.float64)
    shots = np.ones((50, 1, 24))
    tracemalloc.start()
    nearest(many, shots)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 400e6


def test_copies_please_fidelity_and_are_caught_here():
    copies = UNSEEN + 1e-3 * RNG.standard_normal(UNSEEN.shape)
    scores = quick_scores(UNSEEN, copies, shots=UNSEEN, max_series=100)
    for name in ("autocorrelation", "increments", "spectrum", "frechet"):
        assert scores[name].verdict == "as good as another real sample", name
    assert scores["copying"].verdict == "close to copies of your series"
    assert scores["near_copies"].value.mean == 1
    assert scores["near_copies"].verdict == "more come close to one of yours than unseen real ones do"
    assert "copies of your series" in scores.summary()
    assert METRICS["copying"].direction == "one"


def windows(stride: int, n: int = 40) -> np.ndarray:
    walk = np.cumsum(np.random.default_rng(8).standard_normal((2, 24 + stride * n)), axis=-1)
    return np.stack([walk[:, stride * i : stride * i + 24] for i in range(n)])


def test_overlapping_windows_in_order_are_recognised():
    for stride in (1, 5, 20):
        assert overlapping(windows(stride)), stride
        assert overlapping(windows(stride).astype(np.float32))
    assert not overlapping(windows(24))
    assert not overlapping(SHOTS)
    assert not overlapping(windows(1)[RNG.permutation(40)])
    assert not overlapping(np.zeros((9, 1, 24)))
    assert not overlapping(SHOTS[:1])
    assert not overlapping(SHOTS[..., :1])


def test_overlapping_neighbours_do_not_stand_in_for_unseen_series():
    shots, made = windows(1), smooth(60, 9)
    found, apart = copying(made, shots), nearest(shots, shots, skip_self=True)
    assert nearest(shots, shots, skip_self=True, skip=2).mean() > 1.3 * apart.mean()
    assert found.ratio < copying(made, shots[np.random.default_rng(0).permutation(40)]).ratio / 1.3
    assert found.n_reference == 40


def test_near_copies_has_the_interval_of_a_share():
    assert wilson(0.1, 50) == pytest.approx((0.0495, 0.1916), abs=1e-3)
    assert wilson(0.0, 10)[0] == 0 and wilson(1.0, 10)[1] == 1
    found = copying(MADE[:50], SHOTS, UNSEEN)
    assert 0 <= found.near_low < found.near_copies + 1e-9 < found.near_high < 0.3
    near = copying_scores(found, few=False)[1]
    assert (near.value.low, near.value.high) == (found.near_low, found.near_high)
    assert "than 95 % of unseen real series come" in near.explanation


def test_four_synthetic_series_are_too_few_to_tell_copies():
    for count, clear in ((4, False), (5, True)):
        found = copying(SHOTS[:count], SHOTS, UNSEEN)
        assert found.n_synthetic == count
        said = [score.verdict != "too few series to tell" for score in copying_scores(found, few=False)]
        assert said == [clear, True], "that they are copies is clear of a single one"
