"""The published scores and their corrected kin on cases whose answer is known, with few steps of training."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from tsprout.errors import InputError
from tsprout.metrics.paper import CAPABLE, PAPER, Repeats, context_fid, paper_scores
from tsprout.metrics.paper.discriminative import discriminative_capable, discriminative_paper
from tsprout.metrics.paper.predictive import predictive_capable, predictive_paper


def walks(n: int, seed: int, channels: int = 4, length: int = 12) -> np.ndarray:
    """Autoregressions (n, C, L) with coefficient .9 and unit spread; the last channel follows the first by a step."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, channels, length))
    for t in range(1, length):
        x[..., t] = 0.9 * x[..., t - 1] + np.sqrt(1 - 0.81) * x[..., t]
        if channels > 1:
            x[:, -1, t] = x[:, 0, t - 1]
    return x


REAL, OTHER = walks(300, 1), walks(300, 2)


def test_discriminative_paper_knows_the_ends_of_its_scale() -> None:
    same = discriminative_paper(REAL, OTHER, repeats=4, iterations=60)
    apart = discriminative_paper(REAL, OTHER + 8, repeats=4, iterations=600)
    assert same.mean < 0.08
    assert apart.mean > 0.47
    assert same.values.shape == (4,)
    assert same.mean == pytest.approx(same.values.mean())
    assert len(set(same.values)) > 1
    assert (discriminative_paper(REAL, OTHER, repeats=12, iterations=3).values >= 0).all()  # never signed


@pytest.mark.parametrize("damage", [lambda x: 3 * x, lambda x: x[..., ::-1] ** 3], ids=["scaled", "reversed"])
def test_damage_moves_both_discriminative_scores(damage) -> None:
    assert discriminative_paper(REAL, damage(OTHER), repeats=3, iterations=400).mean > 0.1
    assert discriminative_capable(REAL, damage(OTHER), repeats=2, iterations=100, hidden=16).mean > 0.15


def test_time_reversal_is_seen_by_the_capable_classifier() -> None:
    lead = walks(300, 2)[..., ::-1].copy()  # the last channel now runs ahead of the first
    assert discriminative_capable(REAL, lead, repeats=2, iterations=100).mean > 0.3


def test_capable_score_is_signed_so_that_chance_averages_to_nothing() -> None:
    found = discriminative_capable(REAL, OTHER, repeats=4, iterations=50, hidden=8)
    assert found.values.min() < 0 < found.values.max()
    assert found.mean == max(found.values.mean(), 0)
    assert found.mean < 0.05
    apart = discriminative_capable(REAL, OTHER + 4, repeats=2, iterations=100, hidden=8)
    assert apart.mean == pytest.approx(0.5, abs=0.02)


def test_overlapping_windows_do_not_fool_the_capable_classifier() -> None:
    walk = np.cumsum(np.random.default_rng(5).standard_normal(611))
    windows = np.lib.stride_tricks.sliding_window_view(walk, 12)[:, None]
    assert discriminative_capable(windows[::2], windows[1::2], repeats=3, iterations=100, hidden=8).mean < 0.06


def test_the_true_process_teaches_forecasting_better_than_noise() -> None:
    # Through a sigmoid only what lies in 0 to 1 can be reached, so the series are scaled as such.
    inside = [np.clip(0.5 + values / 6, 0, 1) for values in (REAL, OTHER)]
    noise = np.random.default_rng(0).uniform(0, 1, REAL.shape)
    true = predictive_paper(*inside, repeats=2, iterations=600)
    bad = predictive_paper(inside[0], noise, repeats=2, iterations=600)
    assert true.mean < 0.8 * bad.mean
    assert true.mean < 0.1
    assert true.note == ""


def test_capable_forecaster_reaches_the_error_of_the_process() -> None:
    real, other = walks(300, 1, channels=1), walks(300, 2, channels=1)
    found = predictive_capable(real, other, repeats=2, iterations=300, hidden=16)
    best = np.sqrt(0.19) * 0.798 / real.std()  # mean absolute value of the normal innovation
    assert found.mean == pytest.approx(best, rel=0.06)
    noise = predictive_capable(real, np.random.default_rng(0).standard_normal(real.shape), repeats=2, iterations=100)
    assert noise.mean > 1.4 * found.mean
    scaled = predictive_capable(100 * real + 5, 100 * other + 5, repeats=2, iterations=300, hidden=16)
    assert scaled.mean == pytest.approx(found.mean, rel=0.02)


def test_one_channel_leaves_the_paper_forecaster_without_input() -> None:
    real = walks(60, 1, channels=1)
    found = predictive_paper(real, walks(60, 2, channels=1), repeats=2, iterations=20)
    shuffled = predictive_paper(real, walks(60, 2, channels=1)[::-1], repeats=2, iterations=20)
    assert "no input at all" in found.note
    assert found.mean == pytest.approx(shuffled.mean, abs=0.05)
    assert "single hidden unit" in discriminative_paper(real, real, repeats=2, iterations=5).note


def test_context_fid_is_nothing_for_a_set_and_little_for_its_other_half() -> None:
    encoder = context_fid.fit(REAL, iterations=6)
    known = encoder.embed(REAL)
    found = [
        float(context_fid.frechet(known, encoder.embed(values))[0])
        for values in (REAL, OTHER, OTHER + 0.5, OTHER + 1, OTHER + 2)
    ]
    assert context_fid.context_fid_paper(REAL, OTHER, iterations=6).values == pytest.approx([found[1]], rel=1e-6)
    assert found[0] == pytest.approx(0, abs=1e-4)
    assert found == sorted(found)
    assert found[1] < 0.2 * found[3]


def test_context_fid_averages_encoders_and_ignores_the_unit() -> None:
    found = context_fid.context_fid(REAL, OTHER + 1, encoders=3, iterations=8, max_series=100)
    assert found.values.shape == (3,)
    assert found.std > 0
    scaled = context_fid.context_fid(100 * REAL + 7, 100 * (OTHER + 1) + 7, encoders=3, iterations=8, max_series=100)
    assert scaled.values == pytest.approx(found.values, rel=0.05)
    assert context_fid.context_fid(REAL, REAL, encoders=2, iterations=3).mean == pytest.approx(0, abs=1e-4)


def test_same_seed_same_numbers_and_repeats_do_not_know_each_other() -> None:
    first, again = (paper_scores(REAL, OTHER, repeats=3, iterations=12, seed=5) for _ in range(2))
    assert list(first) == ["disc", "pred", "cfid"]
    for name, found in first.items():
        assert (found.values == again[name].values).all()
    other = paper_scores(REAL, OTHER, repeats=3, iterations=12, seed=6)
    assert all((other[name].values != first[name].values).any() for name in first)
    fewer = paper_scores(REAL, OTHER, which=("disc", "pred"), repeats=2, iterations=12, seed=5)
    for name, found in fewer.items():
        assert found.values == pytest.approx(first[name].values[:2], abs=1e-4)


@pytest.mark.parametrize("metric", [*PAPER, *CAPABLE], ids=lambda metric: metric.name)
def test_gaps_are_bridged_and_both_sets_share_them(metric, monkeypatch: pytest.MonkeyPatch) -> None:
    shorten(monkeypatch)
    holes = np.where(np.random.default_rng(0).random(REAL.shape) < 0.3, np.nan, REAL)
    found = metric(holes[:60], OTHER[:60])
    assert np.isfinite(found)
    assert metric.range[0] <= found <= metric.range[1]
    assert metric.explanation.endswith(".")
    assert metric.direction == "lower"


def shorten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three steps of training, whatever a score would take."""
    from tsprout.metrics.paper import objects

    monkeypatch.setattr(objects, "paper_scores", lambda *sets, **options: paper_scores(*sets, iterations=3, **options))


def test_gaps_in_one_set_alone_tell_the_classifier_nothing() -> None:
    holes = np.where(np.random.default_rng(0).random(REAL.shape) < 0.3, np.nan, REAL)
    assert discriminative_paper(holes, OTHER, repeats=3, iterations=150).mean < 0.1


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 2), (3, 2, 1), (4, 3, 5)])
def test_small_sets_score_or_are_said_to_be_too_small(shape: tuple[int, int, int]) -> None:
    real, made = np.random.default_rng(0).standard_normal((2, *shape))
    names = ("disc", "pred", "cfid", "disc_capable", "pred_capable", "cfid_capable")
    for found in paper_scores(real, made, which=names, repeats=2, iterations=3).values():
        assert np.isfinite(found.mean) or found.note
        assert np.isfinite(found.values).all() or "needs" in found.note or "too few" in found.note
    few = paper_scores(real, made, which=names[:1], repeats=1, iterations=1)["disc"]
    assert few.std == 0 or shape[0] == 1


def test_constant_channels_and_wild_values_stay_finite() -> None:
    real, made = REAL[:40].copy(), OTHER[:40].copy()
    real[:, 1] = made[:, 1] = 3.0
    made[0, 0, 0] = 1e30
    names = ("disc", "pred", "cfid", "disc_capable", "pred_capable", "cfid_capable")
    for name, found in paper_scores(real, made, which=names, repeats=2, iterations=3).items():
        assert np.isfinite(found.mean), name


def test_sets_of_unequal_size_are_scored() -> None:
    found = paper_scores(REAL, OTHER[:30], which=("disc", "cfid_capable", "disc_capable"), repeats=2, iterations=5)
    assert found["disc"].mean < 0.3
    assert all(np.isfinite(one.mean) for one in found.values())


def test_progress_counts_up_to_the_end() -> None:
    calls: list[tuple[str, int, int]] = []
    names = ("disc", "pred", "cfid", "disc_capable", "pred_capable")
    paper_scores(REAL[:20], OTHER[:20], which=names, repeats=1, iterations=2, progress=lambda *call: calls.append(call))
    assert {call[0] for call in calls} == {"discriminative", "predictive", "encoder"}
    assert calls.count(("discriminative", 2, 2)) == 2
    assert calls[-1] == ("predictive", 2, 2)


def test_what_cannot_be_scored_is_refused_in_words() -> None:
    with pytest.raises(InputError, match="there is no score 'fid'"):
        paper_scores(REAL, OTHER, which=("fid",))
    with pytest.raises(InputError, match="0 repeats"):
        paper_scores(REAL, OTHER, repeats=0)
    with pytest.raises(InputError, match="4 channels"):
        paper_scores(REAL, OTHER[:, :2])
    with pytest.raises(InputError, match="infinite"):
        paper_scores(REAL, np.where(OTHER > 2, np.inf, OTHER), which=("cfid",))


def test_repeats_report_mean_and_spread() -> None:
    found = Repeats.of(np.array([-0.1, 0.0, 0.04]), low=0.0)
    assert found.mean == 0
    assert found.std == pytest.approx(np.std([-0.1, 0.0, 0.04], ddof=1))
    assert np.isnan(Repeats.unknown(3, "why").mean)


def test_the_package_does_not_load_torch() -> None:
    code = "import tsprout.metrics.paper, sys; raise SystemExit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
