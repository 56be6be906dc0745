"""Ids, labels, lengths and time stamps of synthetic series."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_models import waves

from tsprout.errors import InputError
from tsprout.identity import Pools, has_label, label_groups, new_ids, new_times, pools, templates, total
from tsprout.series import SeriesSet


def stamped(times: np.ndarray, lengths: list[int], **rest) -> SeriesSet:
    return SeriesSet.from_arrays(waves(len(lengths), 1, times.shape[-1]), lengths=lengths, times=times, **rest)


def of_all(count: int, shots: int) -> Pools:
    return [(np.arange(shots), count)]


def dealt(count: int, shots: int, seed: int, size: int = 7) -> np.ndarray:
    return np.concatenate(list(templates(of_all(count, shots), seed, size)))


def test_templates_are_dealt_as_they_are_needed() -> None:
    # As in one go, however many are taken at a time; and the first of more than memory holds come at once.
    whole = dealt(200, 9, 1, 200)
    for size in (1, 4, 9, 64):
        parts = list(templates(of_all(200, 9), 1, size))
        assert {len(part) for part in parts[:-1]} <= {size} and np.array_equal(np.concatenate(parts), whole)
    assert np.array_equal(next(templates(of_all(10**12, 9), 1, 64)), whole[:64])
    rng = np.random.default_rng([1, 1])
    assert np.array_equal(whole[:18], [*rng.permutation(9), *rng.permutation(9)])


def test_templates_keep_the_shares_of_the_shots() -> None:
    picked = dealt(25, 10, seed=1)
    counts = np.bincount(picked, minlength=10)
    assert len(picked) == 25 and set(counts) == {2, 3}
    assert sorted(picked[:10]) == list(range(10))
    assert np.array_equal(picked, dealt(25, 10, seed=1))
    assert not np.array_equal(picked, dealt(25, 10, seed=2))
    # The first ones do not depend on how many are asked for.
    assert np.array_equal(dealt(1000, 10, seed=1)[:25], picked)
    assert dealt(1, 3, seed=0).shape == (1,)


def test_so_many_of_each_label_have_templates_of_that_label_in_turn() -> None:
    labels = np.array([3, 1, 3, 1, 1, 2])
    shots = SeriesSet.from_arrays(waves(6), labels=labels)
    wanted = {"1": 7, 3: np.int64(4)}
    for size in (1, 4, 5, 100):
        parts = list(templates(pools(shots, wanted), 0, size))
        assert {len(part) for part in parts[:-1]} <= {size}
        picked = np.concatenate(parts)
        assert labels[picked].tolist() == [1] * 7 + [3] * 4 and len(picked) == total(wanted) == 11
        assert np.bincount(picked, minlength=6).tolist() in ([2, a, 2, b, c, 0] for a, b, c in _twos_and_a_three())
        assert np.array_equal(picked, np.concatenate(list(templates(pools(shots, wanted), 0, 11))))


def _twos_and_a_three() -> list[tuple[int, int, int]]:
    return [(3, 2, 2), (2, 3, 2), (2, 2, 3)]


@pytest.mark.parametrize(
    ("n", "words"),
    [
        (0, "asked for 0 series"),
        (2.0, "not a whole number"),
        ({}, "no label is named"),
        ({"c": 3}, "no series has the label 'c'"),
        ({"a": 0}, "asked for 0 series"),
        ({"a": 1, "b": "2"}, "not a whole number"),
    ],
)
def test_what_cannot_be_wanted_is_refused(n, words: str) -> None:
    shots = SeriesSet.from_arrays(waves(3), labels=np.array(["a", "b", "a"], dtype=object))
    with pytest.raises(InputError, match=words):
        pools(shots, n)
    with pytest.raises(InputError, match="The labels are a, b"):
        pools(shots, {"c": 3})
    with pytest.raises(InputError, match="the series have no labels"):
        pools(SeriesSet.from_arrays(waves(3)), {"a": 3})


@pytest.mark.parametrize(
    "labels", [np.array([0.0, 1.0, np.nan, 1.0]), np.array([0, 1, 2, 1]), np.array([0, 1, 3, 1.0])]
)
def test_labels_that_are_numbers_are_asked_for_as_numbers(labels: np.ndarray) -> None:
    for label in (1, 1.0, "1", "1.0", np.int64(1)):
        assert has_label(labels, label).tolist() == [False, True, False, True]
    for label in ("nan", None, "None", "one"):
        assert not has_label(labels, label).any()


def test_a_missing_label_is_none() -> None:
    labels = np.array(["a", None, float("nan"), "None"], dtype=object)
    assert has_label(labels, "a").tolist() == [True, False, False, False]
    assert has_label(labels, None).tolist() == [False, False, False, True]
    with pytest.raises(InputError, match=r"The labels are None, a\."):
        pools(SeriesSet.from_arrays(waves(4), labels=labels), {"b": 1})


def test_groups_are_of_one_label_and_length() -> None:
    labels = np.array(["a", "b", "a", "c"], dtype=object)
    shots = SeriesSet.from_arrays(waves(4), lengths=[16, 12, 12, 16], labels=labels)
    picked = dealt(20, 4, seed=0)
    lengths = shots.lengths[picked]
    groups = list(label_groups(shots, picked, lengths))
    assert len(groups) == 4
    assert sorted(np.concatenate([m for m, _, _ in groups])) == list(range(20))
    for members, prompt, length in groups:
        label = labels[picked[members[0]]]
        assert (labels[picked[members]] == label).all()
        assert (lengths[members] == length).all()
        assert prompt.tolist() == np.flatnonzero(labels == label).tolist()


def test_without_labels_all_shots_are_the_prompt() -> None:
    shots = SeriesSet.from_arrays(waves(3))
    groups = list(label_groups(shots, np.array([0, 2]), np.array([20, 20])))
    assert [(m.tolist(), p.tolist(), n) for m, p, n in groups] == [([0, 1], [0, 1, 2], 20)]


def test_ids_of_numbers_go_on() -> None:
    shots = SeriesSet.from_arrays(waves(3), ids=[7, 100, 3])
    assert new_ids(shots, 0, 3).tolist() == [101, 102, 103]
    assert new_ids(shots, 3, 2).tolist() == [104, 105]
    assert new_ids(shots, 0, 1).dtype == np.int64


@pytest.mark.parametrize(
    ("taken", "first"),
    [
        (["p1", "p2"], "synthetic-000003"),
        (["p1", "synthetic-000003"], "resynthetic-000003"),
        (["resynthetic-1", "synthetic-1"], "reresynthetic-000003"),
        (["resynthetic-1", "b"], "synthetic-000003"),
    ],
)
def test_ids_of_text_are_none_of_the_shots(taken: list[str], first: str) -> None:
    ids = new_ids(SeriesSet.from_arrays(waves(2), ids=taken), 2, 2)
    assert ids.dtype == object
    assert ids[0] == first
    assert len(set(ids) | set(taken)) == 4


def test_no_stamps_no_new_ones() -> None:
    assert new_times(SeriesSet.from_arrays(waves(2)), np.array([0]), 16) is None


def test_stamps_are_those_of_the_template() -> None:
    times = np.arange(16) + np.array([[0], [100]])
    shots = stamped(times, [16, 16])
    assert np.array_equal(new_times(shots, np.array([1, 0, 1]), 16), times[[1, 0, 1]])
    assert np.array_equal(new_times(shots, np.array([1]), 5), times[[1], :5])


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (np.array([0, 3, 6, 9]), [0, 3, 6, 9, 12, 15]),
        (np.array([0, 3, 6, 10]), [0, 3, 6, 10, 13, 16]),
        (np.array([0.0, 0.5, 1.0, 1.5]), [0, 0.5, 1, 1.5, 2, 2.5]),
        (np.array([4, 4, 4, 4]), [4, 4, 4, 4, 5, 6]),
    ],
)
def test_numbers_are_carried_on_in_their_own_step(row: np.ndarray, expected: list[float]) -> None:
    shots = stamped(np.stack([row, row]), [4, 4])
    out = new_times(shots, np.array([0, 1]), 6)
    assert out is not None
    assert out.dtype == shots.times.dtype
    assert out.tolist() == [expected, expected]


def test_dates_are_carried_on_by_their_frequency_or_their_step() -> None:
    months = np.array(["2024-11-01", "2024-12-01", "2025-01-01", "2025-02-01"], dtype="datetime64[ns]")
    shots = stamped(months[None], [4], frequency="MS")
    out = new_times(shots, np.array([0]), 6)
    assert out is not None and out.dtype == "datetime64[ns]"
    assert out[0, 4:].astype("datetime64[D]").astype(str).tolist() == ["2025-03-01", "2025-04-01"]
    hours = (np.datetime64("2024-01-01", "ns") + np.array([0, 1, 2, 5]) * np.timedelta64(1, "h"))[None]
    out = new_times(stamped(hours, [4]), np.array([0]), 6)
    assert out is not None
    assert (np.diff(out[0])[3:] == np.timedelta64(1, "h")).all()
    assert np.array_equal(out[:, :4], hours)


def test_a_shorter_template_is_carried_on_too() -> None:
    times = np.arange(16) + np.array([[0], [100]])
    out = new_times(stamped(times, [16, 4]), np.array([0, 1]), 16)
    assert out is not None
    assert out[1].tolist() == list(range(100, 116))


def test_a_single_stamp_takes_the_step_of_the_others_or_one() -> None:
    times = np.array([[0, 5, 10, 15], [100, 0, 0, 0]])
    out = new_times(stamped(times, [4, 1]), np.array([1]), 3)
    assert out is not None and out[0].tolist() == [100, 105, 110]
    assert new_times(stamped(times, [1, 1]), np.array([1]), 3)[0].tolist() == [100, 101, 102]
    assert new_times(stamped(times.astype(float), [1, 1]), np.array([1]), 3)[0].tolist() == [100.0, 101.0, 102.0]
    dates = np.datetime64("2024-01-01", "ns") + times * np.timedelta64(1, "s")
    out = new_times(stamped(dates, [1, 1]), np.array([0]), 3)
    assert out is not None and np.array_equal(np.diff(out[0]), np.full(2, np.timedelta64(1, "s").astype("m8[ns]")))
