"""Whole synthetic sets: finite, varied, seeded, seldom mere noise, and families that can be switched."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from tsprout.data import processes
from tsprout.data.processes import PROCESSES, WEIGHTS, draw_synthetic
from tsprout.errors import InputError


def autocorrelation(x: np.ndarray) -> np.ndarray:
    """At lag 1, within series, one number a channel."""
    d = x - x.mean(-1, keepdims=True)
    return (d[..., 1:] * d[..., :-1]).sum((0, 2)) / np.maximum((d * d).sum((0, 2)), 1e-12)


@pytest.mark.parametrize(
    ("n", "channels", "length", "draws"),
    [
        (1, 1, 4, 150),
        (6, 1, 24, 150),
        (20, 7, 24, 300),
        (3, 64, 16, 60),
        (2, 256, 4, 30),
        (2, 2, 512, 30),
        (1, 3, 1024, 8),
    ],
)
def test_sets_have_the_shape_asked_for(n: int, channels: int, length: int, draws: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for seed in range(draws):
            series = draw_synthetic(np.random.default_rng(seed), n, channels, length)
            assert series.shape == (n, channels, length)
            assert series.dtype == np.float32
            assert np.isfinite(series).all()
            assert np.abs(series).max() <= 1e4


def test_the_same_seed_gives_the_same_set_and_others_do_not() -> None:
    draws = [draw_synthetic(np.random.default_rng(s % 40), 5, 2, 24) for s in range(80)]
    assert len({d.tobytes() for d in draws}) == 40
    assert all(np.array_equal(draws[s], draws[s + 40]) for s in range(40))
    assert sum(len({x.tobytes() for x in d}) == 5 for d in draws[:40]) >= 34


def test_sets_differ_in_kind() -> None:
    draws = [draw_synthetic(np.random.default_rng(s), 12, 1, 48).astype(float)[:, 0] for s in range(300)]
    rough = np.array([autocorrelation(x[:, None])[0] for x in draws])
    unit = [(x - x.mean()) / (x.std() + 1e-9) for x in draws]
    tails, skew = np.array([(z**4).mean() for z in unit]), np.array([(z**3).mean() for z in unit])
    between = np.array([z.mean(-1).var() for z in unit])
    aligned = np.array([z.mean(0).var() for z in unit])
    low, high = (np.quantile([rough, tails, skew, between, aligned], q, axis=1) for q in (0.05, 0.95))
    assert low[0] < 0.2 < 0.9 < high[0]
    assert low[1] < 2.2 < 12 < high[1]
    assert low[2] < -0.5 < 1.5 < high[2]
    assert low[3] < 0.05 < 0.6 < high[3]
    assert low[4] < 0.05 < 0.5 < high[4]
    # Structure outweighs noise in most sets.
    assert (rough < 0.3).mean() < 0.25
    discrete = [len(np.unique(x)) <= 0.1 * x.size for x in draws]
    assert 0.03 < np.mean(discrete) < 0.4


def test_channels_are_coupled_in_some_sets_and_not_in_others() -> None:
    shares = []
    for seed in range(200):
        x = draw_synthetic(np.random.default_rng(seed), 30, 3, 24).astype(float)
        flat = x.swapaxes(0, 1).reshape(3, -1) + 1e-6 * np.random.default_rng(0).standard_normal((3, 720))
        shares.append(np.abs(np.corrcoef(flat)[np.triu_indices(3, 1)]).mean())
    assert np.quantile(shares, 0.1) < 0.2
    assert np.quantile(shares, 0.9) > 0.8


def test_shots_tell_of_targets() -> None:
    """Series of a set are nearer to each other, in level and roughness, than series of different sets."""
    roughness = np.array(
        [
            [autocorrelation(x[None, :1])[0] for x in draw_synthetic(np.random.default_rng(s), 2, 1, 64).astype(float)]
            for s in range(300)
        ]
    )
    assert np.corrcoef(roughness.T)[0, 1] > 0.6


def test_families_can_be_switched(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    def spy(name: str):
        def process(rng, n, factors, length):
            drawn.append(name)
            return PROCESSES_BEFORE[name](rng, n, factors, length)

        return process

    PROCESSES_BEFORE = dict(PROCESSES)
    monkeypatch.setattr(processes, "PROCESSES", {name: spy(name) for name in PROCESSES_BEFORE})
    for seed in range(30):
        draw_synthetic(np.random.default_rng(seed), 3, 2, 16, weights={"maps": 1.0, "growth": 2.0, "events": 0.0})
    assert set(drawn) == {"maps", "growth"}
    drawn.clear()
    for seed in range(400):
        draw_synthetic(np.random.default_rng(seed), 2, 1, 8, weights=WEIGHTS)
    assert set(drawn) == set(PROCESSES_BEFORE)


def test_the_weights_given_by_name_are_those_taken_without() -> None:
    one, same = (draw_synthetic(np.random.default_rng(3), 4, 2, 24, weights=w) for w in (None, WEIGHTS))
    assert np.array_equal(one, same)


@pytest.mark.parametrize("weights", [{"nonsense": 1.0}, {}, {"maps": 0.0}, {"maps": -1.0, "growth": 2.0}])
def test_weights_that_cannot_be_drawn_from(weights: dict[str, float]) -> None:
    with pytest.raises(InputError):
        draw_synthetic(np.random.default_rng(0), 2, 1, 8, weights=weights)


def test_a_family_that_runs_away_is_tamed() -> None:
    def wild(rng, n, factors, length):
        out = rng.standard_normal((n, factors, length))
        out[0, 0, :3] = np.nan, np.inf, 1e100
        return out

    out = processes.draw_family(np.random.default_rng(0), wild, 4, 2, 16)
    assert np.isfinite(out).all()
    assert out.std() == pytest.approx(1)


def test_a_set_that_runs_away_is_tamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_bend", lambda rng, series: series * np.where(series > 1, 1e8, np.inf))
    with np.errstate(invalid="ignore"):
        out = draw_synthetic(np.random.default_rng(0), 4, 2, 16)
    assert np.isfinite(out).all()
    assert np.abs(out).max() == 1e4


def test_every_coupling_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    for name in ("bracket", "derive", "bend_together", "lagged"):
        before = getattr(processes, name)
        monkeypatch.setattr(processes, name, lambda *a, name=name, before=before: drawn.append(name) or before(*a))
    for seed in range(200):
        draw_synthetic(np.random.default_rng(seed), 3, 3, 16)
    counted = {name: drawn.count(name) for name in drawn}
    assert len(counted) == 4
    assert all(3 <= times <= 70 for times in counted.values())


def test_bends_see_about_unit_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    """However far apart the levels, or a bounded channel would only show its ends."""
    seen: list[float] = []
    monkeypatch.setattr(processes, "_BENDS", [lambda rng, x: seen.append(x.std()) or x] * len(processes._BENDS))
    for seed in range(200):
        draw_synthetic(np.random.default_rng(seed), 8, 1, 16)
    assert 60 < len(seen) < 140
    assert max(seen) < 1.001
