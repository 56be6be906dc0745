"""Copies of evaluation sets are recognised under any name and in many disguises; nothing else is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from real_sets import present, real
from tiny_corpus import noisy_walk

from tsprout.data.catalog.entry import catalogue
from tsprout.data.corpus import guard

# Sines of 24 steps, too short and smooth for any hash: recognised by the digest of the whole set alone.
UNPRINTED = {"Sine"}
STEPS, CHANNELS = 20_000, 3
EVALUATION = noisy_walk(STEPS, CHANNELS, seed=0)
PRINTS = {"Judge": guard.fingerprint([EVALUATION]), "Other": guard.fingerprint([noisy_walk(STEPS, 1, seed=1)])}


def gone(values: np.ndarray) -> np.ndarray:
    """A tenth of the cells missing, in stretches."""
    out = values.copy()
    for start in range(0, out.shape[1], 2000):
        out[:, start : start + 200] = np.nan
    return out


@pytest.mark.parametrize(
    "disguise",
    [
        lambda x: x,
        lambda x: x.astype(np.float32),
        lambda x: x[:, 7000:9000],
        lambda x: x[1:2, 5003:],
        lambda x: 37.5 * x,
        lambda x: x + 1e4,
        lambda x: -x,
        lambda x: 5 - 0.01 * x,
        lambda x: np.log(x - x.min() + 1),
        lambda x: np.cbrt(x),
        lambda x: x[[2, 0, 1]],
        lambda x: x * np.array([[1.0], [-1.0], [1.0]]),
        lambda x: x[:, ::2],
        lambda x: x[:, ::4],
        lambda x: x[:, 3::4],
        lambda x: -3 * x[[2, 1], 1::4] + 1,
        lambda x: (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True),
        gone,
        lambda x: np.concatenate([noisy_walk(3000, CHANNELS, seed=9), x[:, 100:2500]], axis=1),
    ],
)
def test_a_copy_in_disguise_is_found(disguise: Callable[[np.ndarray], np.ndarray]) -> None:
    found = guard.overlaps([disguise(EVALUATION)], PRINTS)
    assert list(found) == ["Judge"]
    assert found["Judge"] >= guard.ENOUGH


def test_pieces_in_any_order_among_others_are_found() -> None:
    windows = [EVALUATION[:, i : i + 96] for i in range(0, STEPS - 96, 96)]
    rng = np.random.default_rng(0)
    mixed = [windows[i] for i in rng.permutation(len(windows))[:100]] + [noisy_walk(96, 3, seed=i) for i in range(100)]
    assert list(guard.overlaps(mixed, PRINTS)) == ["Judge"]


def test_both_of_two_sets_are_named() -> None:
    both = [EVALUATION[:, :4000], noisy_walk(STEPS, 1, seed=1)[:, :4000]]
    assert list(guard.overlaps(both, PRINTS)) == ["Judge", "Other"]


def test_other_series_of_the_same_process_are_not() -> None:
    for seed in range(20, 30):
        assert guard.overlaps([noisy_walk(STEPS, CHANNELS, seed)], PRINTS) == {}
    # Nor are other things: ramps, constants, sines, counts, nothing at all.
    time = np.arange(50_000)
    rng = np.random.default_rng(0)
    for values in (time, np.zeros(9000), np.sin(time / 7), time % 2, rng.poisson(0.3, 50_000), np.full(9000, np.nan)):
        assert guard.overlaps([values[None].astype(float)], PRINTS) == {}
    assert guard.overlaps([], PRINTS) == {}
    assert guard.overlaps([EVALUATION], {}) == {}


def test_a_handful_of_hashes_is_no_accident_and_fewer_are() -> None:
    hashes = np.unique(guard.shingles(EVALUATION[0, :200]))
    for count, flagged in ((4, {}), (5, {"A": 5})):
        assert guard.overlaps([EVALUATION[:, :200]], {"A": hashes[:count]}) == flagged


def bumpy(count: int, seed: int) -> np.ndarray:
    """``(count, 2, 40)``: too short to be recognised by their increments."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, 2, 40)) + 0.3 * rng.standard_normal((count, 2, 40)).cumsum(axis=2)


def test_short_series_are_found_by_the_order_of_their_values() -> None:
    instances = bumpy(60, seed=0)
    assert all(len(guard.shingles(channel)) == 0 for channel in instances.reshape(-1, 40))
    prints = {"Short": guard.fingerprint(instances)}
    for disguise in (instances, instances[10:20], instances[::-1, ::-1], 3 - 2 * instances, np.exp(instances)):
        assert list(guard.overlaps(disguise, prints)) == ["Short"]
    # Cut as well.
    assert list(guard.overlaps(instances[:, :, 7:35], prints)) == ["Short"]
    assert guard.overlaps(bumpy(500, seed=1), prints) == {}


def test_windows_of_a_recording_are_found() -> None:
    recording = np.random.default_rng(3).standard_normal((2, 5000)).cumsum(axis=1)
    prints = {"Long": guard.fingerprint([recording])}
    starts = np.random.default_rng(0).integers(0, 4976, 400)
    assert list(guard.overlaps([recording[:, s : s + 24] for s in starts], prints)) == ["Long"]


@pytest.mark.parametrize(
    "channel",
    [
        np.arange(60.0),  # no turn
        np.sin(np.arange(60) / 3),  # hardly any
        np.round(noisy_walk(60, 1, 0)[0]),  # many equal steps
        np.full(60, np.nan),
        noisy_walk(guard.RUN - 1, 1, 0)[0],  # too short
    ],
)
def test_what_says_too_little_has_no_order_hash(channel: np.ndarray) -> None:
    assert len(guard.orders(channel[None])) == 0


def test_every_run_of_a_short_series_has_the_hash_of_its_order() -> None:
    rows = np.random.default_rng(0).standard_normal((3, 30))
    rows[1, 3] = np.nan
    hashes = guard.orders(rows)
    runs = [row[s : s + guard.RUN] for row in rows for s in range(7)]
    turns = [(np.diff(np.sign(np.diff(run))) != 0).sum() for run in runs]
    kept = [run for run, n in zip(runs, turns, strict=True) if n >= guard.RUN_TURNS and np.isfinite(run).all()]
    assert len(hashes) == len(kept) == 17
    assert len(np.unique(hashes)) == 17
    assert np.array_equal(guard.orders(-5 * rows), hashes)
    assert not np.isin(guard.orders(rows[:, ::-1]), hashes).any()


def naive(channel: np.ndarray) -> list[tuple[int, ...]]:
    """The runs that have a hash, written out."""
    runs = []
    for start in range(len(channel) - guard.WIDTH):
        steps = np.diff(channel[start : start + guard.WIDTH + 1])
        signs = np.sign(steps)
        turns = (signs[1:] * signs[:-1] < 0).sum()
        before = start and np.sign(channel[start] - channel[start - 1]) * signs[0] < 0
        if np.isfinite(steps).all() and turns + bool(before) >= guard.TURNS and (signs == 0).sum() <= guard.TIES:
            up = tuple(int(s) for s in signs)
            runs.append(min(up, tuple(-s for s in up)))
    return runs


def test_every_run_has_the_hash_of_its_signs() -> None:
    rng = np.random.default_rng(0)
    for decimals in (0, 6):
        channel = (0.3 * rng.standard_normal(3000).cumsum() + rng.standard_normal(3000)).round(decimals)
        channel[rng.integers(0, 3000, 12)] = np.nan
        hashes, runs = guard.shingles(channel).tolist(), naive(channel)
        assert len(hashes) == len(runs) > 300
        # The same hash where, and only where, the signs are the same or all opposite.
        assert len(set(hashes)) == len(set(runs)) == len(set(zip(hashes, runs, strict=True)))
    assert len(guard.shingles(np.arange(guard.WIDTH * 1.0))) == 0


def test_a_fingerprint_is_a_sample_without_order() -> None:
    prints = guard.fingerprint([EVALUATION], most=250)
    assert prints.dtype == np.uint64 and len(prints) == 500
    assert len(np.unique(prints)) == 500
    parts = [EVALUATION[2:], EVALUATION[:2]]
    assert np.array_equal(guard.fingerprint(parts, most=250), prints)


def test_long_series_are_read_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = [EVALUATION[:, i : i + 1000] for i in range(0, STEPS, 1000)]
    whole = guard.overlaps(pieces, PRINTS)
    monkeypatch.setattr(guard, "_BLOCK", 5000)
    assert len(list(guard._joined(pieces))) > 5
    assert guard.overlaps(pieces, PRINTS) == whole
    assert np.array_equal(guard.fingerprint(pieces), guard.fingerprint(tuple(pieces)))


# The real sets


@pytest.mark.data
def test_every_evaluation_set_here_is_recognised_and_no_other_set_is() -> None:
    entries, here = catalogue(), present()
    if not here:
        real(next(iter(entries)))  # says what to do
    for name in here:
        given = real(name)
        pieces = list(given.recordings) if given.recordings else list(given.instances()[0])
        if entries[name].role == "eval":
            if name in UNPRINTED:
                continue
            assert name in guard.known()
            # Channels in another order, other units, upside down, and of recordings a third of the time.
            middle = pieces if not given.recordings else [p[:, p.shape[1] // 3 : p.shape[1] * 2 // 3] for p in pieces]
            found = guard.overlaps([3 - 0.5 * p[::-1] for p in middle[:1000]])
            assert name in found
            assert set(found) - {name} <= set(entries[name].near)
        else:
            expected = ["ETTm1"] if name == "ETTh1" else []
            assert list(guard.overlaps(pieces)) == expected, name


def test_known_prints_are_of_evaluation_sets() -> None:
    entries = catalogue()
    assert len(guard.known()) >= 9
    for name, prints in guard.known().items():
        assert entries[name].role == "eval"
        assert prints.dtype == np.uint64 and len(np.unique(prints)) == len(prints) > 400
