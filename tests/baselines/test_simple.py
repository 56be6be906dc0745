"""What each simple method does, against what is known of it."""

from __future__ import annotations

import numpy as np
import pytest
from baselines.cases import waves

from tsprout.baselines import get
from tsprout.baselines._blocks import best_block, block_places
from tsprout.baselines._periods import decompose, find_period, loess_matrix
from tsprout.baselines._shrunk import gaussian, shrinkage
from tsprout.data.gaps import complete
from tsprout.series import SeriesSet


def draw(name: str, values: np.ndarray, n: int = 60, **settings: object) -> np.ndarray:
    """``n`` series drawn by a method fitted to ``values``."""
    return get(name)(**settings).fit(SeriesSet.from_arrays(values), seed=0).sample(n, seed=0).values


def test_gaps_are_bridged_and_ends_mirrored() -> None:
    nan = np.nan
    latent = np.array([[[nan, 1, nan, 3, nan, nan]], [[nan] * 6], [[5, 5, 5, 5, 5, 5]]])
    found = complete(latent, np.array([5, 6, 3]))
    assert found[0, 0].tolist() == [1, 1, 2, 3, 3, 3]
    assert found[1, 0].tolist() == [5, 3, 5, 4, 5, 5]
    ramp = complete(np.arange(8.0)[None, None], np.array([4]))
    assert ramp[0, 0].tolist() == [0, 1, 2, 3, 2, 1, 0, 1]


def test_copies_are_the_shots_each_as_often() -> None:
    real = waves(4, 2, 10)
    drawn = draw("copies", real, 8)
    nearest = np.abs(drawn[:, None] - real[None]).max(axis=(2, 3))
    assert nearest.min(axis=1).max() < 1e-4
    assert np.bincount(nearest.argmin(axis=1)).tolist() == [2, 2, 2, 2]


def test_jitter_and_scaling_have_their_size() -> None:
    real = waves(4, 1, 50)
    for name, settings, expected in (("jitter", {"sigma": 0.2}, 0.2), ("scaling", {"sigma": 0.2}, 0.2)):
        away = draw(name, real, 400, **settings) - np.tile(draw("copies", real, 400), 1)
        assert away.std() / real.std() == pytest.approx(expected, rel=0.1)


def test_warped_series_begin_and_end_as_the_shots_and_keep_their_channels_together() -> None:
    real = np.concatenate([waves(3, 1, 40)] * 2, axis=1)
    drawn, copies = draw("time-warp", real), draw("copies", real)
    assert np.allclose(drawn[:, :, [0, -1]], copies[:, :, [0, -1]], atol=1e-3)
    assert np.allclose(drawn[:, 0], drawn[:, 1], atol=1e-3)
    assert np.abs(drawn - copies).max() > 1
    assert np.allclose(draw("time-warp", real, sigma=0.0), copies, atol=1e-3)
    ramp = np.arange(40, dtype=np.float32)[None, None] + np.array([0, 1, 2], np.float32)[:, None, None] / 3
    assert (np.diff(draw("time-warp", ramp, sigma=2.0)) > 0).all(), "time runs forwards"


def test_mixtures_lie_between_two_shots() -> None:
    real = waves(3, 1, 30)
    drawn = draw("mixup", real, 50, alpha=1.0)
    for one in drawn:
        fit, *_ = np.linalg.lstsq(real[:, 0].T.astype(float), one[0].astype(float), rcond=None)
        assert fit.sum() == pytest.approx(1, abs=1e-2)
        assert np.sort(fit)[0] == pytest.approx(0, abs=1e-2)


def test_blocks_are_consecutive_and_longer_where_memory_is() -> None:
    places = block_places(5, 20, 4, np.random.default_rng(0))
    assert places.shape == (5, 20)
    assert ((np.diff(places.reshape(5, 5, 4)) % 20) == 1).all()
    rng = np.random.default_rng(0)
    white = rng.standard_normal((5, 1, 200))
    slow = np.zeros_like(white)
    for t in range(1, 200):
        slow[:, :, t] = 0.9 * slow[:, :, t - 1] + white[:, :, t]
    lengths = np.full(5, 200)
    assert best_block(white, lengths) < 5 < best_block(slow, lengths)
    assert best_block(np.zeros((2, 1, 30)), lengths[:2] * 0 + 30) == 1


def test_block_bootstrap_keeps_the_values_of_its_shot() -> None:
    real = waves(3, 2, 24)
    drawn = draw("block-bootstrap", real, 9)
    seen = {tuple(pair) for pair in np.round(real.transpose(0, 2, 1).reshape(-1, 2), 2).tolist()}
    assert {tuple(pair) for pair in np.round(drawn.transpose(0, 2, 1).reshape(-1, 2), 2).tolist()} <= seen


def test_shrinkage_is_that_of_scikit_learn() -> None:
    from sklearn.covariance import ledoit_wolf_shrinkage

    for shape in ((5, 20), (40, 6), (3, 3)):
        rows = np.random.default_rng(1).standard_normal(shape) @ np.diag(np.arange(1, shape[1] + 1))
        rows -= rows.mean(axis=0)
        assert shrinkage(rows)[0] == pytest.approx(ledoit_wolf_shrinkage(rows, assume_centered=True))
    rows = np.random.default_rng(2).standard_normal((4000, 2)) @ np.array([[1, 0.8], [0, 0.6]]) * [1, 10]
    root = gaussian(rows)[1]
    assert root @ root.T == pytest.approx(np.cov(rows.T), rel=0.02)


def test_shrinkage_needs_no_matrix_of_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    import tracemalloc

    rows = np.random.default_rng(0).standard_normal((30_000, 8))
    tracemalloc.start()
    shrinkage(rows)
    assert tracemalloc.get_traced_memory()[1] < 10 * rows.nbytes, "30,000 by 30,000 would be 7 GB"
    tracemalloc.stop()
    whole = shrinkage(rows[:50])
    monkeypatch.setattr("tsprout.baselines._shrunk._CELLS_AT_ONCE", 24)
    assert shrinkage(rows[:50]) == pytest.approx(whole), "whatever the blocks"


def test_levels_and_shapes() -> None:
    real = waves(12, 2, 24) - 20  # not positive: nothing is bent
    drawn = draw("levels-shapes", real, 600)
    assert drawn.mean(axis=2).std(axis=0) == pytest.approx(real.mean(axis=2).std(axis=0, ddof=1), rel=0.15)
    shapes = (real - real.mean(axis=2, keepdims=True)) / real.std(axis=2, keepdims=True)
    found = (drawn - drawn.mean(axis=2, keepdims=True)) / drawn.std(axis=2, keepdims=True)
    assert np.abs(found[:, None] - shapes[None]).max(axis=(2, 3)).min(axis=1).max() < 1e-3


def test_gaussian_has_the_second_moments_of_the_shots() -> None:
    real = waves(200, 1, 6)
    drawn = draw("gaussian", real, 2000)[:, 0]
    assert drawn.mean(axis=0) == pytest.approx(real[:, 0].mean(axis=0), abs=0.5)
    assert np.cov(drawn.T) == pytest.approx(np.cov(real[:, 0].T), rel=0.2)


def test_components_span_the_shots_and_keep_their_spread() -> None:
    real = waves(8, 2, 20) - 20
    drawn = draw("pca-kde", real, 500)
    flat = (real - real.mean(axis=0)).reshape(8, -1).astype(float)
    away = (drawn - real.mean(axis=0)).reshape(500, -1)
    within = away @ np.linalg.pinv(flat) @ flat
    assert np.abs(within - away).max() < 0.05
    assert drawn.mean(axis=2).std(axis=0) == pytest.approx(real.mean(axis=2).std(axis=0), rel=0.15)


def test_autoregression_finds_the_law_and_stays_stable() -> None:
    rng = np.random.default_rng(0)
    law = np.array([[0.6, 0.3], [-0.3, 0.6]])
    real = np.zeros((20, 2, 120))
    for t in range(1, 120):
        real[:, :, t] = real[:, :, t - 1] @ law.T + rng.standard_normal((20, 2))
    series = SeriesSet.from_arrays(real.astype(np.float32))
    baseline = get("var")(most_lags=1).fit(series, seed=0)
    drawn = baseline.sample(200, seed=0).values
    late, before = (
        drawn[:, :, 51:].transpose(1, 0, 2).reshape(2, -1),
        drawn[:, :, 50:-1].transpose(1, 0, 2).reshape(2, -1),
    )
    assert (late @ np.linalg.pinv(before)) == pytest.approx(law, abs=0.05)
    growing = (1.3 ** np.arange(24))[None, None] * np.array([1.0, 1.1, 0.9])[:, None, None]
    assert np.abs(draw("var", growing.astype(np.float32))).max() < 10 * growing.max()


def test_the_period_is_found_and_the_parts_add_up() -> None:
    t = np.arange(48)
    season = np.sin(2 * np.pi * t / 12)[None, None]
    lengths = np.array([48])
    assert find_period(season + 0.1 * t, lengths) == 12
    assert find_period(np.random.default_rng(0).standard_normal((4, 1, 48)), np.full(4, 48)) is None
    assert find_period(np.zeros((1, 1, 8)), np.array([8])) is None
    trend, cycle, rest = decompose(season + 0.1 * t, 12)
    assert trend + cycle + rest == pytest.approx(season + 0.1 * t)
    assert cycle == pytest.approx(season, abs=0.1)
    assert np.abs(rest).max() < 0.1
    line = loess_matrix(15, 7) @ (3 + 2 * np.arange(15))
    assert line == pytest.approx(3 + 2 * np.arange(15)), "a straight line is its own trend"


def test_seasonal_bootstrap_keeps_trend_and_season() -> None:
    t = np.arange(48)
    rng = np.random.default_rng(0)
    clean = 5 * np.sin(2 * np.pi * t / 12) + 0.5 * t
    real = (clean + rng.normal(0, 0.5, (4, 1, 48))).astype(np.float32)
    drawn = draw("seasonal-bootstrap", real)
    assert np.abs(drawn.mean(axis=0)[0] - clean).max() < 1.5
    assert np.diff(drawn - clean).std() == pytest.approx(np.diff(real - clean).std(), rel=0.3)


def test_gaussian_process_finds_a_season_and_couples_channels() -> None:
    t = np.arange(36)
    rng = np.random.default_rng(0)
    phase = rng.uniform(0, 2 * np.pi, (12, 1, 1))
    wave = np.sin(2 * np.pi * t / 9 + phase)
    real = (wave + rng.normal(0, 0.05, (12, 1, 36))).astype(np.float32)
    real = np.concatenate([real, 10 - 3 * real], axis=1)
    baseline = get("gp")().fit(SeriesSet.from_arrays(real), seed=0)
    assert "periodic" in baseline.notes[0]
    drawn = baseline.sample(200, seed=0).values
    assert drawn.std(axis=(0, 2)) == pytest.approx(real.std(axis=(0, 2)), rel=0.25)
    lagged = [np.corrcoef(drawn[:, 0, :-9].ravel(), drawn[:, 0, 9:].ravel())[0, 1]]
    assert lagged[0] > 0.8
    assert np.corrcoef(drawn[:, 0].ravel(), drawn[:, 1].ravel())[0, 1] < -0.9


def test_the_mean_of_a_gaussian_process_is_that_of_real_steps() -> None:
    rng = np.random.default_rng(0)
    ramps = (np.linspace(0, 10, 24) + rng.normal(0, 0.3, (12, 1, 24))).astype(np.float32)
    half = SeriesSet.from_arrays(ramps, lengths=[12, 24] * 6)
    drawn = get("gp")().fit(half, seed=0).sample(300, seed=0)
    long = drawn.values[drawn.lengths == 24, 0]
    assert long.mean(axis=0)[[5, 11, 17, 23]] == pytest.approx(np.linspace(0, 10, 24)[[5, 11, 17, 23]], abs=0.5)
    one = SeriesSet.from_arrays(ramps, lengths=[24] + [12] * 11)
    drawn = get("gp")().fit(one, seed=0).sample(300, seed=0)
    assert drawn.values[drawn.lengths == 24, 0].mean(axis=0)[23] == pytest.approx(10, abs=1), "a single one goes on"


def test_the_periodic_kernel_has_the_gradient_of_its_values() -> None:
    from tsprout.baselines._cycle import Cycle

    times = np.arange(12.0)[:, None]
    kernel = Cycle(1.3, 5.0)
    values, slope = kernel(times, eval_gradient=True)
    assert np.diag(values) == pytest.approx(1)
    assert np.linalg.eigvalsh(values).min() > -1e-9
    fine = Cycle(1.3, 5.0)(np.linspace(0, 5, 1001)[:-1, None], np.zeros((1, 1)))
    assert fine.mean() == pytest.approx(0, abs=1e-9), "no level is hidden in it"
    for i in range(2):
        up, down = kernel.theta.copy(), kernel.theta.copy()
        up[i] += 1e-6
        down[i] -= 1e-6
        numeric = (kernel.clone_with_theta(up)(times) - kernel.clone_with_theta(down)(times)) / 2e-6
        assert slope[..., i] == pytest.approx(numeric, abs=1e-6)


@pytest.mark.parametrize("name", ["levels-shapes", "gaussian", "mixup", "pca-kde", "var"])
def test_each_label_has_its_own_law(name: str) -> None:
    values = waves(12, 1, 12)
    values[6:] += 1000
    labels = ["low"] * 6 + ["high"] * 6
    real = SeriesSet.from_arrays(values, labels=labels)
    drawn = get(name)().fit(real, seed=0).sample(24, seed=0)
    assert drawn.labels is not None
    assert ((drawn.values.mean(axis=(1, 2)) > 500) == (drawn.labels == "high")).all()
