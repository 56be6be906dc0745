"""How tasks are cut: targets never overlap the shots in time, nor are they the same series."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from tiny_corpus import corpus_of

from tsprout.data.corpus.draw import Drawn, SetReader


def ramp(time: int, channels: int = 2) -> np.ndarray:
    """Every cell says when it was: channel ``c`` at time ``t`` is ``t + 10000 c``."""
    return np.arange(time) + 10_000.0 * np.arange(channels)[:, None]


def reader(folder: Path, pieces: list[np.ndarray], *, batch_values: int = 1 << 20, **facts: Any) -> SetReader:
    return SetReader(corpus_of(folder, batch_values=batch_values, A={"pieces": pieces, **facts}), "A")


def parts(drawn: Drawn | None) -> tuple[np.ndarray, np.ndarray]:
    """Shots and targets."""
    assert drawn is not None and drawn.windows.dtype == np.float32
    return drawn.windows[: drawn.shots], drawn.windows[drawn.shots :]


def steps_of(windows: np.ndarray) -> list[set[int]]:
    return [{int(v) % 10_000 for v in window.ravel()} for window in windows]


# Within a recording


@pytest.mark.parametrize("time", [72, 100, 500, 5000])
def test_targets_never_overlap_the_shots_in_time(tmp_path: Path, time: int) -> None:
    source = reader(tmp_path, [ramp(time)])
    rng = np.random.default_rng(time)
    strides = set()
    for _ in range(300):
        shots, targets = int(rng.integers(1, 20)), int(rng.integers(1, 17))
        own, other = parts(source.draw(rng, 2, 24, shots, targets))
        assert 1 <= len(own) <= shots
        assert other.shape == (targets, 2, 24)
        taken = set().union(*steps_of(own))
        # Not a step, and neither a step between two steps of a stride.
        stride = int(own[0, 0, 1] - own[0, 0, 0])
        for window in other:
            first, last = int(window.min()) % 10_000, int(window[0].max()) % 10_000
            assert not taken & set(range(first, last + 1))
        for window in (*own, *other):
            assert np.allclose(np.diff(window, axis=-1), stride)
        # Shots are not repeated, so that k shots are k shots.
        assert sum(map(len, steps_of(own))) == len(taken)
        strides.add(stride)
    # Six windows must fit, so that the smallest recordings are taken as they are.
    assert strides == {72: {1}, 100: {1}, 500: {1, 2, 3}, 5000: {1, 2, 3, 4}}[time]


def test_channels_are_a_random_subset_in_random_order(tmp_path: Path) -> None:
    source = reader(tmp_path, [ramp(500, channels=5)])
    rng = np.random.default_rng(0)
    orders = set()
    for _ in range(50):
        own, other = parts(source.draw(rng, 3, 24, 2, 2))
        picked = (own[0, :, 0] // 10_000).astype(int)
        assert len(set(picked)) == 3
        assert all(np.array_equal(picked, (window[:, 0] // 10_000).astype(int)) for window in (*own, *other))
        orders.add(tuple(picked))
    assert len(orders) > 20
    assert source.draw(rng, 6, 24, 2, 2) is None


def test_longer_recordings_are_drawn_more_often(tmp_path: Path) -> None:
    source = reader(tmp_path, [ramp(60), ramp(300) + 100_000, ramp(900) + 200_000])
    rng, counts = np.random.default_rng(0), np.zeros(3)
    for _ in range(600):
        own, other = parts(source.draw(rng, 1, 24, 2, 2))
        found = {int(window[0, 0]) // 100_000 for window in (*own, *other)}
        assert len(found) == 1
        counts[found.pop()] += 1
    # The first is too short for three windows.
    assert counts[0] == 0
    assert counts[2] / 600 == pytest.approx(0.75, abs=0.06)


# Across recordings


def recognised(windows: np.ndarray, recordings: list[np.ndarray]) -> list[int]:
    """Which recording each window ``(1, length)`` was cut from and standardised by; exactly one must fit."""
    scaled = np.stack([(r[0] - r[0].mean()) / r[0].std() for r in recordings])
    places = sliding_window_view(scaled, windows.shape[-1], axis=1)
    fits = [(np.abs(places - window[0]).max(axis=2) < 1e-4).any(axis=1) for window in windows]
    assert (np.sum(fits, axis=1) == 1).all()
    return [int(row.argmax()) for row in fits]


def noise(count: int, time: int) -> list[np.ndarray]:
    return [np.random.default_rng(i).normal(100 * i, 1 + i, (1, time)) for i in range(count)]


@pytest.mark.parametrize("count", [8, 12, 60])
def test_across_short_recordings_shots_and_targets_come_from_different_ones(tmp_path: Path, count: int) -> None:
    recordings = noise(count, 40)
    source = reader(tmp_path, recordings)
    rng = np.random.default_rng(0)
    for _ in range(40):
        own, other = (recognised(x, recordings) for x in parts(source.draw(rng, 1, 24, 6, 8)))
        assert 1 <= len(own) <= min(6, count // 2) and len(other) == 8
        assert not set(own) & set(other)
        assert len(set(own)) == len(own)


def test_recordings_long_enough_for_both_give_both(tmp_path: Path) -> None:
    recordings = noise(12, 150)
    source = reader(tmp_path, recordings)
    rng, across = np.random.default_rng(0), 0
    for _ in range(200):
        drawn = source.draw(rng, 1, 24, 3, 3)
        assert drawn is not None
        # Within one recording the values are its own, which begin at 100 for all but the first.
        across += np.abs(drawn.windows).max() < 10
    assert 50 < across < 120


def test_a_recording_of_which_a_channel_is_missing_gives_no_warning(tmp_path: Path) -> None:
    recordings = [np.random.default_rng(i).standard_normal((2, 30)) for i in range(20)]
    for recording in recordings[::2]:
        recording[1] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        source = reader(tmp_path, recordings)
        for seed in range(20):
            drawn = source.draw(np.random.default_rng(seed), 2, 24, 4, 4)
            assert drawn is not None and 0.5 < np.isfinite(drawn.windows).mean() < 1


# Instances


def numbered(count: int, channels: int = 1, time: int = 60) -> list[np.ndarray]:
    """Instance ``i`` at time ``t`` is ``1000 i + t``."""
    return [np.tile(1000.0 * i + np.arange(time), (channels, 1)) for i in range(count)]


def test_instances_are_either_shot_or_target(tmp_path: Path) -> None:
    labels = np.repeat([0, 1, 2], 10)
    source = reader(tmp_path, numbered(30, channels=2), instances=True, labels=labels)
    rng = np.random.default_rng(0)
    strides, of_one_class, starts = set(), 0, set()
    for _ in range(300):
        shots, targets = int(rng.integers(1, 33)), int(rng.integers(1, 17))
        drawn = parts(source.draw(rng, 2, 16, shots, targets))
        own, other = ((x[:, 0, 0] // 1000).astype(int) for x in drawn)
        assert 1 <= len(own) <= shots and len(other) == targets
        assert not set(own) & set(other)
        assert len(set(own)) == len(own)
        strides |= set(np.diff(drawn[0][:, 0], axis=-1).ravel().astype(int))
        starts.add(len(set((np.concatenate(drawn)[:, 0, 0] % 1000).tolist())) > 1)
        of_one_class += len(set(labels[np.concatenate([own, other])])) == 1
    assert strides == {1, 2, 3}
    assert starts == {True, False}
    assert of_one_class > 30


def test_a_class_too_small_is_never_asked_alone(tmp_path: Path) -> None:
    source = reader(tmp_path, numbered(45), instances=True, labels=[0] * 5 + [-1] * 40)
    for seed in range(100):
        drawn = source.draw(np.random.default_rng(seed), 1, 16, 2, 10)
        assert drawn is not None and (drawn.windows[:, 0, 0] // 1000 >= 5).any()


def test_a_set_of_few_instances_still_gives_both(tmp_path: Path) -> None:
    source = reader(tmp_path, numbered(2, time=20), instances=True)
    own, other = parts(source.draw(np.random.default_rng(0), 1, 16, 10, 5))
    assert own.shape == (1, 1, 16) and other.shape == (5, 1, 16)
    assert own[0, 0, 0] // 1000 not in other[:, 0, 0] // 1000


def test_ragged_instances_are_cut_where_all_have_values(tmp_path: Path) -> None:
    lengths = [20, 30, 60, 90] * 5
    pieces = [np.full((1, n), float(i)) for i, n in enumerate(lengths)]
    source = reader(tmp_path, pieces, instances=True)
    for seed in range(100):
        drawn = source.draw(np.random.default_rng(seed), 1, 24, 4, 4)
        assert drawn is not None
        # Each window lies in one instance, and the shortest have no window of this length.
        assert (drawn.windows == drawn.windows[..., :1]).all()
        assert all(lengths[int(i)] >= 24 for i in drawn.windows[:, 0, 0])


# Sets that lie in many record batches


def test_of_many_batches_one_is_drawn_from_at_a_time(tmp_path: Path) -> None:
    recordings = noise(60, 40)
    source = reader(tmp_path, recordings, batch_values=400)
    places = source.pieces.place
    assert len(set(places)) == 6
    rng, seen = np.random.default_rng(0), set()
    for _ in range(40):
        own, other = (recognised(x, recordings) for x in parts(source.draw(rng, 1, 24, 3, 4)))
        assert not set(own) & set(other) and len(set(own)) == 3
        touched = set(places[own + other])
        assert len(touched) == 1
        seen |= touched
    assert len(seen) == 6


def test_a_few_batches_are_mixed(tmp_path: Path) -> None:
    source = reader(tmp_path, numbered(24, time=30), batch_values=6 * 30, instances=True)
    assert len(set(source.pieces.place)) == 4
    drawn = source.draw(np.random.default_rng(0), 1, 24, 8, 8)
    assert drawn is not None
    assert len(set(source.pieces.place[(drawn.windows[:, 0, 0] // 1000).astype(int)])) == 4


def test_instances_of_many_batches(tmp_path: Path) -> None:
    source = reader(tmp_path, numbered(60, time=30), batch_values=10 * 30, instances=True)
    rng, seen = np.random.default_rng(0), set()
    for _ in range(40):
        own, other = ((x[:, 0, 0] // 1000).astype(int) for x in parts(source.draw(rng, 1, 24, 3, 4)))
        assert not set(own) & set(other) and len(set(own)) == 3
        touched = set(source.pieces.place[np.concatenate([own, other])])
        assert len(touched) == 1
        seen |= touched
    assert len(seen) == 6


@pytest.mark.parametrize("per_batch", [1, 2, 3])
def test_instances_too_large_for_company_are_drawn_all_the_same(tmp_path: Path, per_batch: int) -> None:
    source = reader(tmp_path, numbered(24, time=30), batch_values=per_batch * 30, instances=True)
    for seed in range(20):
        own, other = parts(source.draw(np.random.default_rng(seed), 1, 24, 4, 5))
        assert len(own) == 4
        assert len(set((np.concatenate([own, other])[:, 0, 0] // 1000).tolist())) == 9


def test_long_recordings_in_a_batch_of_their_own(tmp_path: Path) -> None:
    source = reader(tmp_path, [ramp(400, 1) + 1000 * i for i in range(9)], batch_values=400)
    assert len(set(source.pieces.place)) == 9
    rng, seen = np.random.default_rng(0), set()
    for _ in range(100):
        own, other = parts(source.draw(rng, 1, 24, 2, 2))
        seen |= set((own[:, 0, 0] // 1000).astype(int).tolist())
        assert not set().union(*steps_of(own)) & set().union(*steps_of(other))
    assert seen == set(range(9))


# Nothing to draw, and drawing again


def test_too_short_is_none(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    short = [np.zeros((1, 20))] * 9
    cases: list[tuple[list[np.ndarray], dict[str, Any]]] = [
        ([ramp(60)], {}),  # not for three windows
        ([ramp(20)] * 12, {}),
        (short, {"instances": True}),
        ([np.zeros((1, 50)), *short], {"instances": True}),  # one alone is not shot and target
        (short, {"instances": True, "batch_values": 20}),
        ([ramp(30)] * 7, {}),  # too few to draw across
    ]
    for number, (pieces, facts) in enumerate(cases):
        source = reader(tmp_path / str(number), pieces, **facts)
        for _ in range(20):
            assert source.draw(rng, 1, 24, 2, 2) is None


def test_the_same_seed_draws_the_same(tmp_path: Path) -> None:
    cases: list[tuple[str, list[np.ndarray], dict[str, Any]]] = [
        ("one", [ramp(500)], {}),
        ("across", noise(30, 40), {"batch_values": 200}),
        ("instances", numbered(30), {"instances": True}),
    ]
    for name, pieces, facts in cases:
        source = reader(tmp_path / name, pieces, **facts)
        again = SetReader(source.corpus, "A")
        first, second, other = (
            r.draw(np.random.default_rng(s), 1, 24, 5, 5) for r, s in ((source, 1), (again, 1), (source, 2))
        )
        assert first is not None and second is not None and other is not None
        assert first.shots == second.shots and np.array_equal(first.windows, second.windows)
        assert not np.array_equal(first.windows[0], other.windows[0])
