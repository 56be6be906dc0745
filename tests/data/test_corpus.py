"""What may be loaded, how it is cut, and that targets never overlap the shots in time."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from tiny_pack import HELD, write_pack

from tsprout.data import corpus
from tsprout.data.corpus import EXCLUDED, HELD_OUT, Domain, draw_series, load_domains, moments, tame
from tsprout.errors import InputError


def ramp(time: int, channels: int = 2) -> np.ndarray:
    """Every cell says when it was: channel ``c`` at time ``t`` is ``t + 10000 c``."""
    return (np.arange(time) + 10_000.0 * np.arange(channels)[:, None]).astype(np.float64)


def steps_of(windows: np.ndarray) -> list[set[int]]:
    return [{int(v) % 10_000 for v in window.ravel()} for window in windows]


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return write_pack(tmp_path)


def test_loads_what_it_may(pack: Path) -> None:
    domains = load_domains(pack, exclude=[HELD])
    assert [d.name for d in domains] == ["Many", "Pieces", "UCR_Shapes", "Walk"]
    assert [d.row for d in domains] == [0, 1, 2, 3]
    assert [d.channels for d in domains] == [1, 2, 1, 3]
    assert [d.weight for d in domains] == [1, 1, 0.3, 1]
    many, pieces, shapes, walk = domains
    assert [r.shape for r in many.recordings] == [(1, 100)] * 12
    # The first piece is too short to cut anything from.
    assert [r.shape for r in pieces.recordings] == [(2, 290), (2, 300)]
    assert shapes.instances is not None and shapes.instances.shape == (50, 1, 140)
    assert shapes.labels is not None and shapes.labels.tolist() == [0] * 10 + [1] * 10 + [0] * 15 + [1] * 15
    assert walk.recordings[0].shape == (3, 2000)


def test_evaluation_sets_cannot_be_named_and_are_never_read(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    plain = np.load
    monkeypatch.setattr(np, "load", lambda path, **rest: opened.append(Path(path).stem) or plain(path, **rest))
    load_domains(pack, exclude=[HELD])
    assert not {"Judge", "ETTh1", HELD} & set(opened)
    assert set(opened) == {"Walk", "Pieces", "Many", "UCR_Shapes"}
    with pytest.raises(InputError, match="not a pre-training set: Judge"):
        load_domains(pack, only=["Judge"])
    with pytest.raises(InputError, match="not a pre-training set: Nowhere"):
        load_domains(pack, only=["Walk", "Nowhere"])
    assert "Judge" not in opened


def test_sets_left_out_cannot_be_asked_for(pack: Path) -> None:
    with pytest.raises(InputError, match="CC BY-ND"):
        load_domains(pack, only=["ETTh1"])
    with pytest.raises(InputError, match="excluded by the caller"):
        load_domains(pack, only=["Walk"], exclude=["Walk"])
    assert [d.name for d in load_domains(pack, only=[HELD])] == [HELD]


def test_no_pack_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no manifest") as caught:
        load_domains(tmp_path)
    assert "TSPROUT_DATA" in str(caught.value)


def test_a_set_too_short_for_anything_is_passed_over(tmp_path: Path) -> None:
    short = {"role": "extra", "series": np.ones((5, 1), np.float32)}
    assert "Short" not in [d.name for d in load_domains(write_pack(tmp_path, Short=short))]


def test_infinite_cells_become_missing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    instances, series = rng.standard_normal((8, 40, 1)).astype(np.float32), rng.standard_normal((80, 1))
    instances[0, 0], series[3] = np.inf, -np.inf
    pack = write_pack(
        tmp_path, A={"role": "extra", "train_X": instances}, B={"role": "extra", "series": series.astype(np.float32)}
    )
    a, b = load_domains(pack, only=["A", "B"])
    assert a.instances is not None and np.isnan(a.instances[0, 0, 0]) and not np.isinf(a.instances).any()
    assert a.labels is None
    assert np.isnan(b.recordings[0][0, 3]) and not np.isinf(b.recordings[0]).any()


def test_taming() -> None:
    rng = np.random.default_rng(0)
    values = np.stack(
        [
            rng.standard_normal(2000),  # mild: as it is
            np.exp(3 * rng.standard_normal(2000)),  # positive and skewed: logarithm
            rng.standard_t(1.2, 2000),  # heavy tails on both sides
            np.full(2000, 3.0),  # constant
            np.full(2000, np.nan),  # nothing
        ]
    ).astype(np.float32)
    values[0, 5] = np.nan
    before = values.copy()
    out = tame(values)
    assert np.array_equal(values, before, equal_nan=True)
    assert out.dtype == np.float32
    assert np.array_equal(out[[0, 3, 4]], values[[0, 3, 4]], equal_nan=True)
    for row in (1, 2):
        assert np.abs(out[row] - np.median(out[row])).max() / out[row].std() < 10
        # Monotone, so that the order of the values stays.
        assert (np.diff(out[row][np.argsort(values[row])]) >= 0).all()


def test_moments() -> None:
    values = np.array([[1.0, 3.0, np.nan], [np.nan, np.nan, np.nan], [2.0, np.inf, 4.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mean, std = moments(values, axis=(1,))
    np.testing.assert_array_equal(mean, [[2], [np.nan], [3]])
    np.testing.assert_array_equal(std, [[1], [np.nan], [1]])


@pytest.mark.parametrize("time", [72, 100, 500, 5000])
def test_targets_never_overlap_the_shots_in_time(time: int) -> None:
    domain = Domain("ramp", 0, 1.0, [ramp(time)])
    rng = np.random.default_rng(time)
    for _ in range(300):
        shots, targets = int(rng.integers(1, 20)), int(rng.integers(1, 17))
        drawn = draw_series(rng, domain, 2, 24, shots, targets)
        assert drawn is not None
        own, other = drawn
        assert 1 <= len(own) <= shots
        assert other.shape == (targets, 2, 24)
        taken = set().union(*steps_of(own))
        # Not a step, and neither a step between two steps of a stride.
        stride = int(own[0, 0, 1] - own[0, 0, 0])
        for window in other:
            first, last = int(window.min()) % 10_000, int(window[0].max()) % 10_000
            assert not taken & set(range(first, last + 1))
        for window in own:
            assert np.allclose(np.diff(window, axis=-1), stride)
        # Shots are not repeated, so that k shots are k shots.
        assert sum(map(len, steps_of(own))) == len(taken)


def test_channels_are_a_random_subset_in_random_order() -> None:
    domain = Domain("ramp", 0, 1.0, [ramp(500, channels=5)])
    rng = np.random.default_rng(0)
    orders = set()
    for _ in range(50):
        drawn = draw_series(rng, domain, 3, 24, 2, 2)
        assert drawn is not None
        picked = (drawn[0][0, :, 0] // 10_000).astype(int)
        assert len(set(picked)) == 3
        assert np.array_equal(picked, (drawn[1][0, :, 0] // 10_000).astype(int))
        orders.add(tuple(picked))
    assert len(orders) > 20
    assert draw_series(rng, domain, 6, 24, 2, 2) is None


@pytest.mark.parametrize("count", [8, 12, 60])
def test_across_short_recordings_shots_and_targets_come_from_different_ones(count: int) -> None:
    # Every recording grows at its own rate, which windows show at any place and in any scale.
    rates = 1.01 + np.arange(count) / 100
    domain = Domain("short", 0, 1.0, [rate ** np.arange(40.0)[None] for rate in rates])
    rng = np.random.default_rng(0)
    for _ in range(100):
        drawn = draw_series(rng, domain, 1, 24, 6, 8)
        assert drawn is not None
        own, other = (np.round((x[:, 0, 20] - x[:, 0, 19]) / (x[:, 0, 19] - x[:, 0, 18]), 4).tolist() for x in drawn)
        assert set(own) | set(other) <= set(np.round(rates, 4).tolist())
        assert 1 <= len(own) <= 6 and len(other) == 8
        assert not set(own) & set(other)
        assert len(set(own)) == len(own)


def test_across_recordings_each_is_standardised_by_itself() -> None:
    recordings = [np.random.default_rng(i).normal(100 * i, 1 + i, (1, 30)) for i in range(30)]
    drawn = draw_series(np.random.default_rng(0), Domain("levels", 0, 1.0, recordings), 1, 24, 10, 10)
    assert drawn is not None
    assert np.abs(np.concatenate(drawn)).max() < 5


def test_a_recording_of_which_a_channel_is_missing_gives_no_warning() -> None:
    recordings = [np.random.default_rng(i).standard_normal((2, 30)) for i in range(20)]
    for recording in recordings[::2]:
        recording[1] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = draw_series(np.random.default_rng(0), Domain("gaps", 0, 1.0, recordings), 2, 24, 4, 4)
    assert drawn is not None


def test_too_short_is_none() -> None:
    rng = np.random.default_rng(0)
    assert draw_series(rng, Domain("short", 0, 1.0, [ramp(60)]), 1, 24, 2, 2) is None
    assert draw_series(rng, Domain("short", 0, 1.0, instances=np.zeros((9, 1, 20))), 1, 24, 2, 2) is None
    assert draw_series(rng, Domain("one", 0, 1.0, instances=np.zeros((1, 1, 50))), 1, 24, 2, 2) is None


def test_instances_are_either_shot_or_target() -> None:
    instances = np.arange(30.0)[:, None, None] * 1000 + np.arange(60.0)
    labels = np.repeat([0, 1, 2], 10)
    domain = Domain("shapes", 0, 1.0, instances=np.repeat(instances, 2, axis=1), labels=labels)
    rng = np.random.default_rng(0)
    strides, of_one_class = set(), 0
    for _ in range(300):
        shots, targets = int(rng.integers(1, 33)), int(rng.integers(1, 17))
        drawn = draw_series(rng, domain, 2, 16, shots, targets)
        assert drawn is not None
        own, other = ((x[:, 0, 0] // 1000).astype(int) for x in drawn)
        assert 1 <= len(own) <= shots and len(other) == targets
        assert not set(own) & set(other)
        assert len(set(own)) == len(own)
        strides |= set(np.diff(drawn[0][:, 0], axis=-1).ravel().astype(int))
        of_one_class += len(set(labels[np.concatenate([own, other])])) == 1
    assert strides == {1, 2, 3}
    assert of_one_class > 30


def test_a_domain_of_few_instances_still_gives_both() -> None:
    domain = Domain("two", 0, 1.0, instances=np.arange(2.0)[:, None, None] + np.zeros((2, 1, 20)))
    drawn = draw_series(np.random.default_rng(0), domain, 1, 16, 10, 5)
    assert drawn is not None
    assert drawn[0].shape == (1, 1, 16) and drawn[1].shape == (5, 1, 16)
    assert drawn[0][0, 0, 0] not in drawn[1]


def test_the_same_seed_draws_the_same() -> None:
    domain = Domain("ramp", 0, 1.0, [ramp(500)])
    draws = [draw_series(np.random.default_rng(s), domain, 2, 24, 5, 5) for s in (1, 1, 2)]
    assert all(d is not None for d in draws)
    assert all(np.array_equal(a, b) for a, b in zip(draws[0], draws[1], strict=True))
    assert not np.array_equal(draws[0][0], draws[2][0])


def real_pack() -> Path:
    found = Path(os.environ.get("TSPROUT_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
    if not (found / "manifest.json").is_file():
        pytest.skip("no data pack: set TSPROUT_DATA to its folder")
    return found


@pytest.mark.data
def test_the_real_pack() -> None:
    import json

    pack = real_pack()
    entries = json.loads((pack / "manifest.json").read_text())["datasets"]
    by_role = {role: {d["name"] for d in entries if d["role"] == role} for role in ("pretrain", "extra", "eval")}
    assert set(HELD_OUT) <= by_role["pretrain"] | by_role["extra"]
    assert set(EXCLUDED) <= by_role["pretrain"] | by_role["extra"]
    assert not set(HELD_OUT) & set(EXCLUDED)
    for name in sorted(by_role["eval"]):
        with pytest.raises(InputError):
            load_domains(pack, only=[name])
    few = load_domains(pack, only=["BikeSharing", "NN5", "Trace"])
    assert [d.name for d in few] == ["BikeSharing", "NN5", "Trace"]
    rng = np.random.default_rng(0)
    for domain in few:
        drawn = draw_series(rng, domain, 1, 24, 10, 16)
        assert drawn is not None
        assert np.isfinite(drawn[0]).mean() > 0.5


def test_roles() -> None:
    assert corpus.ROLES == ("pretrain", "extra")
