from __future__ import annotations

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from real_sets import instances, ramp, recordings, with_values

from tsprout.data.catalog.sets import RealSet
from tsprout.data.protocols import SHARES, Split, strict
from tsprout.data.protocols.stretches import deal, first_equal
from tsprout.errors import InputError

ROLES = ("shots", "validation", "reference")


def check_no_leak(split: Split) -> None:
    """No step of a shot is in, or within ``length`` of, a window of another role; likewise for the others."""
    cells: dict[str, set[tuple[int, int]]] = {}
    for role in ROLES:
        cells[role] = {(s, t) for s, b in split.origin[role].tolist() for t in range(b, b + split.length)}
    for a, b in (("shots", "reference"), ("shots", "validation"), ("validation", "reference")):
        for source in {s for s, _ in cells[a]} & {s for s, _ in cells[b]}:
            mine = np.array([t for s, t in cells[a] if s == source])
            theirs = np.sort([t for s, t in cells[b] if s == source])
            after = np.searchsorted(theirs, mine)
            padded = np.concatenate([[-(10**9)], theirs, [10**9]])
            near = np.minimum(padded[after + 1] - mine, mine - padded[after])
            assert near.min() > split.length, (a, b, source)


def check_values(split: Split, made: RealSet) -> None:
    """Every series is what its origin says, bit by bit."""
    keep = [made.channels.index(name) for name in split.channels]
    sources = made.recordings or made.instances()[0]
    for role in ROLES:
        series = getattr(split, role)
        assert (0 if series is None else series.n_series) == len(split.origin[role])
        for row, (source, begin) in enumerate(split.origin[role].tolist()):
            expected = sources[source][keep, begin : begin + split.length]
            assert np.array_equal(series.values[row], expected, equal_nan=True)


def same(a: Split, b: Split) -> bool:
    held = [getattr(s, r) for s in (a, b) for r in ROLES]
    scaler = np.array_equal(a.scaler.offset, b.scaler.offset) and np.array_equal(a.scaler.scale, b.scaler.scale)
    pairs = zip(held[:3], held[3:], strict=True)
    return scaler and all(x is y is None or x.equals(y) for x, y in pairs)


def test_a_long_recording() -> None:
    made = recordings(ramp(20_000, 2))
    split = strict(made, shots=10)
    check_no_leak(split)
    check_values(split, made)
    assert (split.shots.n_series, split.validation.n_series, split.reference.n_series) == (10, 500, 2000)  # type: ignore[union-attr]
    assert not split.scaled and split.notes == ()
    # Shots do not overlap, and do not all start at the same time of the day.
    starts = np.sort(split.origin["shots"][:, 1])
    assert np.diff(starts).min() >= 24 and len(np.unique(starts % 24)) > 3
    assert split.scaler.offset[0] == pytest.approx(split.shots.values[:, 0].mean(dtype=np.float64))
    assert split.reference.ids[0] == f"made:{split.origin['reference'][0, 1]}"
    # About half of the steps are the shots', a tenth validation's, four tenths the reference's.
    assert 0.35 < strict(made, shots=1.0).shots.n_series * 24 / 20_000 < 0.5
    assert 0.25 < split.available / 20_000 < 0.4


def test_shots_start_at_every_hour_of_the_day() -> None:
    # Blocks of exactly eight days: their borders alone would start every shot at noon.
    split = strict(recordings(ramp(12 * 10 * 8 * 24)), shots=1.0)
    hours = np.bincount(split.origin["shots"][:, 1] % 24, minlength=24)
    assert (hours > 0).sum() > 12 and hours.max() < 0.3 * hours.sum()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("steps", [2900, 20_000])
def test_every_role_in_every_third(steps: int, seed: int) -> None:
    split = strict(recordings(ramp(steps)), shots=1.0, seed=seed)
    for role in ROLES:
        begins = split.origin[role][:, 1]
        assert np.unique(begins * 3 // steps).tolist() == [0, 1, 2], role


def test_seeds_differ_and_repeat() -> None:
    made = recordings(ramp(5000))
    splits = [strict(made, shots=10, seed=seed) for seed in range(5)]
    for i, a in enumerate(splits):
        assert same(a, strict(made, shots=10, seed=i))
        for b in splits[:i]:
            assert not np.array_equal(a.origin["shots"], b.origin["shots"])
            assert not np.array_equal(a.origin["reference"], b.origin["reference"])


def test_shots_are_nested_and_the_reference_stays() -> None:
    made = recordings(ramp(20_000))
    most = strict(made, shots=100)
    for k in (5, 10, 25, 50):
        fewer = strict(made, shots=k)
        assert np.array_equal(fewer.origin["shots"], most.origin["shots"][:k])
        assert np.array_equal(fewer.origin["reference"], most.origin["reference"])


@pytest.mark.parametrize("share", SHARES)
def test_shares_of_the_pool(share: float) -> None:
    split = strict(recordings(ramp(20_000)), shots=share)
    assert split.shots.n_series == max(1, int(share * split.pool + 1e-9))
    assert strict(recordings(ramp(300)), shots=0.001).shots.n_series == 1


def test_overlap_only_where_needed_and_said() -> None:
    made = recordings(ramp(966))
    few, many = strict(made, shots=5), strict(made, shots=100)
    assert not few.notes and np.diff(np.sort(few.origin["shots"][:, 1])).min() >= 24
    assert any("overlap" in note for note in many.notes)
    assert len(np.unique(many.origin["shots"], axis=0)) == 100
    check_no_leak(many)


def test_too_many_shots_says_how_many_there_are() -> None:
    made = recordings(ramp(400))
    with pytest.raises(InputError, match="has only (\\d+) windows") as caught:
        strict(made, shots=10_000)
    number = int(str(caught.value).split("has only ")[1].split()[0])
    assert strict(made, shots=number).shots.n_series == number
    with pytest.raises(InputError):
        strict(made, shots=number + 1)


def test_too_short_says_which_length_works() -> None:
    made = recordings(ramp(300))
    with pytest.raises(InputError, match="longest length that works is") as caught:
        strict(made, shots=1, length=256)
    longest = int(str(caught.value).rstrip(".").rsplit(" ", 1)[1])
    assert strict(made, shots=1, length=longest).reference.n_series >= 20
    with pytest.raises(InputError):
        strict(made, shots=1, length=longest + 1)
    with pytest.raises(InputError, match="too small"):
        strict(instances(ramp(9 * 30).reshape(9, 1, 30)), shots=1)
    with pytest.raises(InputError, match="at least 20"):
        strict(made, shots=1, most=5)


def test_equal_instances_share_a_role_and_are_one_shot() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(size=(60, 1, 40)).astype(np.float32)
    # Copies in TRAIN and TEST, one that differs behind the window, one with -0 for 0, one with missing values.
    base[0, 0, :3] = [0.0, np.nan, 1.0]
    copy = base.copy()
    copy[0, 0, 0] = -0.0
    copy[1, 0, 30:] += 1
    made = instances(base, copy)
    for seed in range(5):
        split = strict(made, shots=25, seed=seed)
        roles = {role: set(np.unique(split.origin[role][:, 0] % 60).tolist()) for role in ROLES}
        assert not roles["shots"] & roles["reference"] and not roles["shots"] & roles["validation"]
        assert not roles["validation"] & roles["reference"]
        assert len(roles["shots"]) == 25
        assert any("60 series are copies" in note for note in split.notes)


def test_classes_are_dealt_evenly() -> None:
    labels = ["a"] * 80 + ["b"] * 20
    train, test = np.random.default_rng(0).normal(size=(2, 100, 1, 30))
    split = strict(instances(train, test, [labels, labels]), shots=1.0)
    assert split.shots.labels is not None and split.validation is not None
    for role, parts in (("shots", (80, 20)), ("validation", (16, 4)), ("reference", (64, 16))):
        own = getattr(split, role).labels.tolist()
        assert (own.count("a"), own.count("b")) == pytest.approx(parts, abs=2), role


def test_a_small_set_of_instances_makes_room() -> None:
    made = instances(np.random.default_rng(0).normal(size=(50, 1, 30)))
    ten, most = strict(made, shots=10), strict(made, shots=30)
    assert np.array_equal(ten.origin["shots"], most.origin["shots"][:10])
    assert most.reference.n_series == 20 and most.validation is None
    assert any("validation" in note for note in most.notes)
    check_no_leak(most)
    with pytest.raises(InputError, match="only 30 windows"):
        strict(made, shots=31)


def test_missing_values() -> None:
    values = np.tile(ramp(4000, 3) % 1e6, 1)
    values[1, :] = np.nan
    values[0, ::7] = np.nan
    values[:, 1000:1500] = np.nan
    made = recordings(values)
    split = strict(made, shots=10)
    assert split.channels == ("c0", "c2") and any("c1" in note for note in split.notes)
    assert np.isnan(split.shots.values).any()
    for role in ROLES:
        for _, begin in split.origin[role].tolist():
            assert 2 * np.isnan(values[:, begin : begin + 24]).sum() <= 72
    check_values(split, made)
    with pytest.raises(InputError):
        strict(recordings(np.full((1, 500), np.nan)), shots=1)


def test_many_recordings_are_dealt_whole() -> None:
    made = recordings(*[ramp(60 + i) + 1000 * i for i in range(40)], kind="collection")
    split = strict(made, shots=20)
    sources = {role: set(split.origin[role][:, 0].tolist()) for role in ROLES}
    assert not sources["shots"] & sources["reference"] and not sources["shots"] & sources["validation"]
    short = recordings(*[ramp(60 + i) for i in range(40)], ramp(5), kind="collection")
    assert any("1 of 41 recordings are shorter" in note for note in strict(short, shots=5).notes)
    assert any("40 recordings are dealt to roles as wholes" in note for note in strict(short, shots=5).notes)
    few = recordings(*[ramp(3000) + 10_000 * i for i in range(4)], kind="collection")
    assert not any("as wholes" in note for note in strict(few, shots=5).notes)


def test_recordings_side_by_side_are_cut_alike() -> None:
    made = recordings(*[ramp(3000) + 10_000 * i for i in range(4)], kind="collection")
    split = strict(made, shots=40)
    together = {role: np.unique(split.origin[role][:, 1]) for role in ROLES}
    near = np.abs(together["shots"][:, None] - together["reference"][None]).min()
    assert near >= 48
    check_no_leak(split)


def test_first_equal_and_deal() -> None:
    rows = [np.array([0.0, np.nan]), np.array([-0.0, np.nan]), np.array([1.0, 2.0]), np.array([[1.0, 2.0]])]
    assert first_equal([row.astype(np.float32) for row in rows]).tolist() == [0, 0, 2, 3]
    roles = deal([1] * 100, [0] * 100, (0.5, 0.1, 0.4), np.random.default_rng(0))
    assert np.bincount(roles).tolist() == [50, 10, 40]


@st.composite
def sets(draw: st.DrawFn) -> RealSet:
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    channels = draw(st.integers(1, 3))
    kind = draw(st.sampled_from(["recording", "segments", "collection", "instances"]))
    if kind == "instances":
        n, length = draw(st.integers(45, 120)), draw(st.integers(12, 40))
        values = rng.integers(0, draw(st.sampled_from([2, 1000])), (n, channels, length)).astype(np.float32)
        if draw(st.booleans()):
            values[rng.random(values.shape) < 0.2] = np.nan
        half = n // 2
        labels = rng.integers(0, 3, n).astype(str)
        return instances(values[:half], values[half:], [labels[:half], labels[half:]])
    count = {"recording": 1, "segments": draw(st.integers(2, 5)), "collection": draw(st.integers(2, 40))}[kind]
    arrays = [rng.normal(size=(channels, draw(st.integers(150, 900)))) for _ in range(count)]
    if draw(st.booleans()):
        for array in arrays:
            array[rng.random(array.shape) < 0.1] = np.nan
    return recordings(*arrays, kind="collection" if kind == "collection" else "recording")


def disturbed(made: RealSet, split: Split, role: str, inside: bool) -> RealSet:
    """The set with every value inside (or outside) the windows of a role doubled and negated: equal ones stay equal."""
    arrays = [a.copy() for a in made.recordings] or list(made.instances()[0])
    for source, array in enumerate(arrays):
        mask = np.zeros(array.shape[1], bool)
        for begin in split.origin[role][split.origin[role][:, 0] == source, 1].tolist():
            mask[begin : begin + split.length] = True
        chosen = mask if inside else ~mask
        array[:, chosen] *= -2
    if made.recordings:
        return with_values(made, arrays)
    stacked = np.stack(arrays)
    assert made.train is not None
    return with_values(made, [stacked[: len(made.train)], stacked[len(made.train) :]])


@settings(max_examples=60, deadline=None)
@given(made=sets(), length=st.integers(4, 24), shots=st.sampled_from([1, 5, 12, 0.1, 1.0]), seed=st.integers(0, 99))
def test_invariants(made: RealSet, length: int, shots: float, seed: int) -> None:
    try:
        split = strict(made, shots=shots, length=length, seed=seed, most=100)
    except InputError:
        event("refused")
        return
    event("split")
    check_no_leak(split)
    check_values(split, made)
    assert split.reference.n_series >= 20
    for role in ROLES:
        assert len(np.unique(split.origin[role], axis=0)) == len(split.origin[role])
    if not made.recordings:
        hashes = {
            role: {getattr(split, role).values[i].tobytes() for i in range(len(split.origin[role]))}
            for role in ROLES
            if getattr(split, role) is not None
        }
        assert not hashes["shots"] & hashes["reference"] and len(hashes["shots"]) == split.shots.n_series
        assert not hashes.get("validation", set()) & (hashes["shots"] | hashes["reference"])
        if len(np.unique(first_equal(made.instances()[0][:, :, :length]))) < len(made.instances()[0]):
            return
    # The shots and their scaler do not depend on any other value, nor does the reference depend on theirs.
    blind = strict(disturbed(made, split, "shots", inside=False), shots=shots, length=length, seed=seed, most=100)
    assert blind.shots.equals(split.shots) and blind.shots.values.tobytes() == split.shots.values.tobytes()
    assert blind.scaler.offset.tobytes() == split.scaler.offset.tobytes()
    assert blind.scaler.scale.tobytes() == split.scaler.scale.tobytes()
    other = strict(disturbed(made, split, "shots", inside=True), shots=shots, length=length, seed=seed, most=100)
    # But for windows that equalled a shot.
    kept = np.isin(other.origin["reference"] @ [10**6, 1], split.origin["reference"] @ [10**6, 1])
    assert other.reference[kept].equals(split.reference)
    assert kept.all() or any("equal to a shot" in note for note in split.notes)
    assert not other.shots.equals(split.shots) or not np.nan_to_num(split.shots.values).any()
