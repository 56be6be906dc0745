"""Copies of evaluation sets are recognised under any name and in many disguises; nothing else is."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from real_sets import present, real
from tiny_corpus import noisy_walk

from tsprout.data.catalog.entry import catalogue
from tsprout.data.corpus import guard

# Sines of 24 steps, too short and smooth for any hash: recognised by the digest of the whole set alone.
UNPRINTED = {"Sine"}
# Channels in few levels, or that hardly vary.
COARSE = {"ETTm2": ("LULL", "OT"), "Weather": ("rain (mm)", "raining (s)")}
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
        assert guard.overlaps([np.asarray(values, float)[None]], PRINTS) == {}
    assert guard.overlaps([], PRINTS) == {}
    assert guard.overlaps([EVALUATION], {}) == {}


def test_a_handful_of_hashes_is_no_accident_and_fewer_are() -> None:
    hashes = np.unique(guard.shingles(EVALUATION[0, :200]))
    for count, flagged in ((4, {}), (5, {"A": 5})):
        assert guard.overlaps([EVALUATION[:, :200]], {"A": hashes[:count]}) == flagged


def bumpy(count: int, seed: int) -> np.ndarray:
    """``(count, 2, 40)``: too short to be recognised by the signs of their increments."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, 2, 40)) + 0.3 * rng.standard_normal((count, 2, 40)).cumsum(axis=2)


def smooth(count: int, seed: int) -> np.ndarray:
    """``(count, 2, 80)``: sums of three slow sines, which turn too rarely for that."""
    rng = np.random.default_rng(seed)
    time = np.arange(80) / 80
    phase, size = rng.uniform(0, 2 * np.pi, (count, 2, 3, 1)), rng.uniform(0.5, 1, (count, 2, 3, 1))
    rate = np.array([1.3, 2.7, 4.1])[:, None]
    return (size * np.sin(2 * np.pi * rate * time + phase)).sum(axis=2)


@pytest.mark.parametrize("kind", [bumpy, smooth])
def test_short_and_smooth_series_are_found_by_their_increments(kind: Callable[[int, int], np.ndarray]) -> None:
    instances = kind(60, 0)
    assert all(len(guard.shingles(channel)) == 0 for channel in instances.reshape(-1, instances.shape[-1]))
    prints = {"Short": guard.fingerprint(instances)}
    for disguise in (instances, instances[10:20], instances[:, ::-1], 3 - 2 * instances, instances[..., ::-1]):
        assert list(guard.overlaps(disguise, prints)) == ["Short"]
    # Cut, and stored with fewer digits.
    assert list(guard.overlaps(instances[:, :, 7:31], prints)) == ["Short"]
    assert list(guard.overlaps(instances.astype(np.float32).round(5), prints)) == ["Short"]
    assert guard.overlaps(kind(500, 1), prints) == {}


@pytest.mark.parametrize("length", [16, 24])
def test_windows_of_a_recording_are_found(length: int) -> None:
    recording = np.random.default_rng(3).standard_normal((2, 5000)).cumsum(axis=1)
    prints = {"Long": guard.fingerprint([recording])}
    starts = np.random.default_rng(0).integers(0, 5000 - length, 400)
    assert list(guard.overlaps([recording[:, s : s + length] for s in starts], prints)) == ["Long"]


@pytest.mark.parametrize("stride", [3, 6, 8, 12])
def test_thinned_out_and_averaged_copies_are_found(stride: int) -> None:
    assert list(guard.overlaps([EVALUATION[:, 1::stride]], PRINTS)) == ["Judge"]
    if stride == 6:
        means = EVALUATION[:, 3 : 3 + 6 * 3000].reshape(CHANNELS, 3000, 6).mean(axis=2)
        assert list(guard.overlaps([means], PRINTS)) == ["Judge"]


@pytest.mark.parametrize(
    "channel",
    [
        np.arange(60.0),  # all increments alike
        np.arange(60) % 5,  # few sizes
        np.round(noisy_walk(60, 1, 0)[0]),
        np.zeros(60),
        np.full(60, np.nan),
        noisy_walk(guard.RUN, 1, 0)[0],  # too short
    ],
)
def test_what_says_too_little_has_no_hash_of_ratios(channel: np.ndarray) -> None:
    assert len(guard.ratios(channel)) == 0


def test_every_run_has_a_hash_of_its_ratios_whichever_way_it_goes() -> None:
    channel = np.random.default_rng(0).standard_normal(40)
    hashes = guard.ratios(channel)
    assert len(hashes) == len(np.unique(hashes)) == 40 - guard.RUN
    for other in (-5 * channel + 3, channel[::-1], 2 - channel[::-1]):
        assert set(guard.ratios(other)) == set(hashes)
    gone = channel.copy()
    gone[20] = np.nan
    assert set(guard.ratios(gone)) < set(hashes)
    assert not set(guard.ratios(np.exp(channel))) & set(hashes)


def test_what_repeats_itself_has_no_hash_of_signs() -> None:
    rng = np.random.default_rng(0)
    for period in (2, 3, 7, 12):
        pattern = rng.standard_normal(period).tolist() * 30
        assert len(guard.shingles(np.array(pattern))) == 0


def naive(channel: np.ndarray) -> list[tuple[int, ...]]:
    """The runs that have a hash, written out."""
    runs = []
    for start in range(len(channel) - guard.WIDTH):
        steps = np.diff(channel[start : start + guard.WIDTH + 1])
        signs = np.sign(steps)
        turns = (signs[1:] * signs[:-1] < 0).sum()
        before = start and np.sign(channel[start] - channel[start - 1]) * signs[0] < 0
        every = np.sign(np.nan_to_num(np.diff(channel)))
        if any(
            sum(t < p or every[t] == every[t - p] for t in range(start, start + guard.WIDTH)) >= guard.REPEATS
            for p in range(2, guard.PERIODS + 1)
        ):
            continue
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


def pieces_of(name: str, steps: int = 10**9, series: int = 10**9) -> list[np.ndarray]:
    """The pieces of a set, or a part of them."""
    given = real(name)
    return [p[:, :steps] for p in (given.recordings or list(given.instances()[0]))[:series]]


@pytest.mark.data
@pytest.mark.parametrize("name", sorted(guard.known()))
def test_every_evaluation_set_is_recognised(name: str) -> None:
    pieces, channels = pieces_of(name), real(name).channels
    # Each channel that varies, by itself; then in another order, other units, upside down, a third of the time.
    for channel in range(len(channels)):
        alone = guard.overlaps([p[channel : channel + 1] for p in pieces[:1000]])
        assert name in alone or channels[channel] in COARSE.get(name, ()), channels[channel]
    middle = pieces if len(pieces) > 1 else [p[:, p.shape[1] // 3 : p.shape[1] * 2 // 3] for p in pieces]
    found = guard.overlaps([3 - 0.5 * p[::-1] for p in middle[:1000]])
    assert name in found
    assert set(found) - {name} <= set(catalogue()[name].near)


@pytest.mark.data
def test_no_other_set_is_taken_for_one_nor_trained_on_though_held_out() -> None:
    entries, here = catalogue(), present()
    if not here:
        real(next(iter(entries)))  # says what to do
    held = {name: guard.fingerprint(pieces_of(name, 1_500, 30)) for name in here if entries[name].held_out}
    prints = {**guard.known(), **held}

    def none_of_them(names: list[str], prints: Mapping[str, np.ndarray]) -> None:
        # What all together do not hold none of them holds; only where they do is each looked at by itself.
        for start in range(0, len(names), 20):
            some = {name: pieces_of(name, 1_500, 30) for name in names[start : start + 20]}
            if guard.overlaps([piece for pieces in some.values() for piece in pieces], prints):
                found = {name: guard.overlaps(pieces, prints) for name, pieces in some.items()}
                assert not any(found.values()), found

    others = [name for name in here if entries[name].role != "eval" and name != "ETTh1"]
    apart = [name for name in others if entries[name].held_out or entries[name].left_out]
    none_of_them(apart, guard.known())
    none_of_them([name for name in others if name not in apart], prints)
    if "ETTh1" in here:
        assert set(guard.overlaps(pieces_of("ETTh1", 3_000, 50))) == {"ETTm1"}


def test_known_prints_are_of_evaluation_sets() -> None:
    entries = catalogue()
    assert len(guard.known()) >= 9
    for name, prints in guard.known().items():
        assert entries[name].role == "eval"
        assert prints.dtype == np.uint64 and len(np.unique(prints)) == len(prints) > 400
