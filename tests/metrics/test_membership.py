"""Shots that leaked are found, shots that did not are not, and few series say so."""

from __future__ import annotations

import numpy as np
import pytest

from tsprout.errors import InputError
from tsprout.metrics.membership import MEMBERSHIP, membership, nearest_synthetic
from tsprout.metrics.reference import Reference, features


def walks(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.standard_normal((n, 2, 24)), axis=-1) + 3 * rng.standard_normal((n, 2, 1))


SHOTS, UNSEEN, MADE = walks(10, 1), walks(200, 2), walks(400, 3)
RNG = np.random.default_rng(0)


def test_copies_give_every_shot_away():
    found = membership(SHOTS[np.arange(100) % 10], SHOTS, UNSEEN)
    assert found.area == 1
    assert found.advantage == 0.5
    assert found.p_value < 1e-6
    assert found.low > 0.8
    assert found.enough


def test_a_generator_that_never_saw_the_shots_gives_nothing_away():
    found = [membership(walks(300, 10 + seed), walks(10, 50 + seed), UNSEEN) for seed in range(12)]
    assert np.mean([one.area for one in found]) == pytest.approx(0.5, abs=0.1)
    assert np.mean([one.area > one.chance_high for one in found]) < 0.3
    assert min(one.advantage for one in found) >= 0
    assert found[0].chance_high == pytest.approx(0.5 + 1.645 * np.sqrt(211 / (12 * 10 * 200)))


def test_the_area_grows_with_how_exact_the_copies_are():
    areas = []
    for dose in (3.0, 1.0, 0.1):
        copies = SHOTS[np.arange(100) % 10] + dose * RNG.standard_normal((100, 2, 24))
        areas.append(membership(np.concatenate([MADE, copies]), SHOTS, UNSEEN).area)
    assert areas == sorted(areas)
    assert areas[-1] > 0.97


def test_distance_is_to_the_nearest_however_many_there_are(monkeypatch):
    import sys

    reference = Reference.fit(UNSEEN)
    first, second = features(SHOTS, reference), features(MADE, reference)
    expected = [min(np.linalg.norm(one - other) for other in second) / np.sqrt(first.shape[1]) for one in first]
    assert nearest_synthetic(SHOTS, MADE, reference) == pytest.approx(expected, abs=1e-5)
    monkeypatch.setattr(sys.modules["tsprout.metrics.membership"], "_CHUNK", 30)
    assert nearest_synthetic(SHOTS, MADE, reference) == pytest.approx(expected, abs=1e-5)


def test_shots_among_the_held_out_series_are_taken_out():
    both = membership(MADE, SHOTS, np.concatenate([SHOTS, UNSEEN]))
    assert both.n_held_out == 200
    assert both == membership(MADE, SHOTS, UNSEEN)


def test_few_series_say_nothing():
    for shots, held_out in ((SHOTS[:4], UNSEEN), (SHOTS, UNSEEN[:4]), (SHOTS, None), (SHOTS, SHOTS)):
        found = membership(MADE, shots, held_out)
        assert not found.enough
        assert np.isnan([found.area, found.advantage, found.low, found.high, found.p_value]).all()
    assert membership(MADE, SHOTS[:5], UNSEEN[:5]).enough


def test_gaps_lengths_and_one_channel_are_welcome():
    shots, unseen = SHOTS.copy(), UNSEEN.copy()
    shots[RNG.random(shots.shape) < 0.1], unseen[RNG.random(unseen.shape) < 0.1] = np.nan, np.nan
    assert membership(SHOTS, shots, unseen).area > 0.9
    assert membership(SHOTS[:, :1, :12], SHOTS[:, :1], UNSEEN[:, :1]).area == 1


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="channels"):
        membership(MADE[:, :1], SHOTS, UNSEEN)
    with pytest.raises(InputError, match="another number of channels"):
        membership(MADE, SHOTS, UNSEEN, reference=Reference.fit(UNSEEN[:, :1]))


def test_the_metric_says_its_range():
    assert MEMBERSHIP.direction == "lower"
    assert MEMBERSHIP.range == (0.0, 0.5)


def test_gaps_of_one_side_give_nothing_away():
    holes = np.random.default_rng(4).random((200, 2, 24)) < 0.9
    holes[..., 0] = False
    unseen = np.where(holes, np.nan, UNSEEN)
    for shots, others in ((SHOTS, unseen), (unseen[:10], walks(200, 5))):
        assert 0.25 < membership(MADE, shots, others).area < 0.75
