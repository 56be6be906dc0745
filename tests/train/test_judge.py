"""The judge against cases with a known answer: the right distribution scores best, copies are seen."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_models import PADDED, TRANSFORMER, waves, woken

from tsprout.errors import TrainingError
from tsprout.model import Denoiser
from tsprout.train.judge import Judge, Judgement, _few_lengths, energy_score, hold_back
from tsprout.train.shots import Shots


def shots(n: int, seed: int = 0, length: int = 16) -> Shots:
    return Shots.from_latent(waves(n, 2, length, seed), np.full(n, length))


def drawing(monkeypatch: pytest.MonkeyPatch, series: torch.Tensor) -> None:
    """Let every model draw these series."""
    monkeypatch.setattr(Denoiser, "sample", lambda self, shape, *_, **__: series[: shape[0], :, : shape[2]].clone())


def judged(monkeypatch: pytest.MonkeyPatch, series: np.ndarray, own: Shots, held: Shots) -> Judgement:
    drawing(monkeypatch, torch.from_numpy(series))
    return Judge(own, held, seed=0)(woken(PADDED), None)


@pytest.mark.parametrize(("count", "held"), [(1, 0), (4, 0), (5, 2), (8, 2), (9, 3), (50, 13), (1000, 64)])
def test_holding_back(count: int, held: int) -> None:
    kept, back = hold_back(count, np.random.default_rng(0))
    assert len(back) == held
    assert sorted([*kept, *back]) == list(range(count))


def test_energy_score_of_a_point_is_the_distance_and_of_two_samples_the_formula() -> None:
    series, seen = torch.zeros(4), torch.ones(4, dtype=torch.bool)
    same = torch.full((3, 4), 2.0)
    assert energy_score(same, series, seen) == pytest.approx(2.0, abs=1e-3)
    two = torch.stack([torch.full((4,), 1.0), torch.full((4,), 5.0)])
    # Mean distance 3, and the two samples are 4 apart.
    assert energy_score(two, series, seen) == pytest.approx(3 - 2)


def test_unobserved_cells_do_not_count() -> None:
    samples, series = torch.randn(10, 6, generator=torch.Generator().manual_seed(0)), torch.zeros(6)
    seen = torch.tensor([True, True, True, False, False, True])
    expected = energy_score(samples[:, seen], series[seen], torch.ones(4, dtype=torch.bool))
    assert energy_score(samples, torch.where(seen, series, 99.0), seen) == pytest.approx(expected, rel=1e-5)
    assert energy_score(samples, series, torch.zeros(6, dtype=torch.bool)) == 0


def test_the_energy_score_is_proper() -> None:
    # For normal data no other spread or mean scores better than the true one.
    generator = torch.Generator().manual_seed(0)
    truth, noise = torch.randn(400, 8, generator=generator), torch.randn(400, 8, generator=generator)
    seen = torch.ones(8, dtype=torch.bool)

    def score(mean: float, std: float) -> float:
        return float(np.mean([energy_score(mean + std * noise, y, seen) for y in truth]))

    best = score(0.0, 1.0)
    for mean, std in ((0.0, 0.5), (0.0, 2.0), (0.7, 1.0), (0.0, 0.01)):
        assert score(mean, std) > best


def test_the_right_series_are_judged_better_than_wrong_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    own, held = shots(6), shots(12, seed=9)
    drawn = waves(128, seed=5)
    right = judged(monkeypatch, drawn, own, held).score
    phase = np.random.default_rng(5).uniform(0, 2 * np.pi, (128, 2, 1))
    slower = np.sin(2 * np.pi * np.arange(16) / 6.5 + phase).astype(np.float32)
    one_mode = np.repeat(drawn[:2], 64, axis=0)
    for wrong in (slower, one_mode, np.concatenate([drawn[..., :8], -drawn[..., 8:]], axis=-1)):
        assert judged(monkeypatch, wrong, own, held).score > 1.05 * right


def test_what_the_product_corrects_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    own, held = shots(6), shots(12, seed=9)
    drawn = waves(128, seed=5)
    right = judged(monkeypatch, drawn, own, held).score
    noisy = drawn + np.random.default_rng(0).normal(0, 0.5, drawn.shape).astype(np.float32)
    for corrected in (drawn + 1, 0.5 * drawn, noisy):
        assert judged(monkeypatch, corrected, own, held).score == pytest.approx(right, rel=0.05)


def test_copies_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    own, held = shots(6), shots(12, seed=9)
    copies = judged(monkeypatch, np.tile(waves(6), (22, 1, 1))[:128], own, held)
    assert copies.copying == pytest.approx(0, abs=0.01) and copies.copies
    fresh = judged(monkeypatch, waves(128, seed=5), own, held)
    assert fresh.copying == pytest.approx(1, abs=0.3) and not fresh.copies


def test_copies_are_seen_through_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    # Somewhere every cell is missing, so no cell is observed in all the shots.
    latent = waves(20)
    latent[np.arange(20), :, np.arange(20) % 16] = np.nan
    own = Shots.from_latent(latent, np.full(20, 16))
    copies = judged(monkeypatch, np.tile(waves(20), (7, 1, 1))[:128], own, shots(5, seed=9))
    assert copies.copies
    assert not judged(monkeypatch, waves(128, seed=5), own, shots(5, seed=9)).copies


def test_held_back_series_far_from_all_others_make_nobody_a_copyist(monkeypatch: pytest.MonkeyPatch) -> None:
    own, stray = shots(8), Shots.from_latent(waves(2, seed=9) + 6, np.full(2, 16))
    verdict = judged(monkeypatch, waves(128, seed=5), own, stray)
    assert verdict.copying == pytest.approx(1, abs=0.3)
    assert judged(monkeypatch, np.tile(waves(8), (16, 1, 1)), own, stray).copies


def test_series_that_are_there_twice_hide_no_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = Shots.from_latent(np.concatenate([waves(6), waves(6)]), np.full(12, 16))
    copies = judged(monkeypatch, np.tile(waves(6), (22, 1, 1))[:128], twice, twice[np.array([0, 7])])
    assert copies.copying == pytest.approx(0, abs=0.01) and copies.copies
    assert judged(monkeypatch, waves(128, seed=5), twice, twice[np.array([0, 7])]).copying > 0.7


def test_a_channel_that_is_level_within_every_series_does_not_drown_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def with_level(values: np.ndarray, seed: int) -> np.ndarray:
        level = np.random.default_rng(seed).standard_normal((len(values), 1, 1)) * np.ones((1, 1, 16))
        return np.concatenate([values, level.astype(np.float32)], axis=1)

    own, held = (Shots.from_latent(with_level(waves(n, seed=s), s), np.full(n, 16)) for n, s in ((6, 0), (4, 9)))
    drawn = with_level(waves(128, seed=5), 5)
    drawn[:, 2] += np.random.default_rng(1).normal(0, 0.02, (128, 16)).astype(np.float32)
    assert judged(monkeypatch, drawn, own, held).score < 4


def test_many_lengths_are_judged_at_three() -> None:
    lengths = np.array([8, 9, 10, 12, 13, 14, 16])
    assert list(_few_lengths(lengths)) == [8, 8, 8, 12, 12, 12, 16]
    assert list(_few_lengths(lengths[:3])) == [8, 9, 10]


def test_a_constant_channel_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def with_third(values: np.ndarray, third: float) -> np.ndarray:
        return np.concatenate([values, np.full((len(values), 1, 16), third, np.float32)], axis=1)

    own, held = (Shots.from_latent(with_third(waves(n, seed=s), 0.0), np.full(n, 16)) for n, s in ((6, 0), (4, 9)))
    one, other = (judged(monkeypatch, with_third(waves(128, seed=5), x), own, held) for x in (0.0, 40.0))
    assert one == other
    assert not np.isnan(one.score)


def test_a_channel_that_differs_between_series_alone_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    levels = np.random.default_rng(0).normal(size=(6, 1, 1)) + np.zeros((6, 1, 16))
    own = Shots.from_latent(levels, np.full(6, 16))
    right = np.random.default_rng(1).normal(size=(128, 1, 1)).astype(np.float32) + np.zeros((1, 1, 16), np.float32)
    assert judged(monkeypatch, right, own, own).score < judged(monkeypatch, np.full_like(right, 0.3), own, own).score


def test_constant_shots_are_judged_without_a_fuss(monkeypatch: pytest.MonkeyPatch) -> None:
    still = Shots.from_latent(np.zeros((6, 2, 16)), np.full(6, 16))
    assert judged(monkeypatch, waves(128), still, still) == Judgement(0.0, 1.0)


def test_ragged_series_are_judged_at_their_own_length(monkeypatch: pytest.MonkeyPatch) -> None:
    latent = waves(6)
    lengths = np.array([16, 9, 9, 16, 12, 9])
    for row, own in zip(latent, lengths, strict=True):
        row[:, own:] = np.nan
    some = Shots.from_latent(latent, lengths)
    asked: list[int] = []
    plain = Denoiser.sample
    monkeypatch.setattr(
        Denoiser, "sample", lambda self, shape, *a, **k: asked.append(shape[2]) or plain(self, shape, *a, **k)
    )
    verdict = Judge(some[np.array([0, 1, 2])], some[np.array([3, 4, 5])], seed=0)(woken(TRANSFORMER), None)
    assert asked == [9, 12, 16]
    assert np.isfinite(verdict.score) and np.isfinite(verdict.copying)
    # No shot is as long as what was held back: there is nothing to compare copies with.
    short, long = some[np.array([1, 2])], some[np.array([0])]
    assert Judge(short, long, seed=0)(woken(TRANSFORMER), None).copying == 1.0


def test_the_same_noise_for_every_model() -> None:
    model = woken(TRANSFORMER)
    judge = Judge(shots(6), shots(3, seed=9), seed=1)
    model.train()
    first = judge(model, 2)
    assert model.training
    assert judge(model, 2) == first
    assert judge(model, None) != first
    assert Judge(shots(6), shots(3, seed=9), seed=2)(model, 2) != first


def test_a_model_that_draws_nonsense_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TrainingError, match="not finite"):
        judged(monkeypatch, np.full((128, 2, 16), np.nan, np.float32), shots(6), shots(3))


@pytest.mark.parametrize("others", [False, True])
def test_many_shots_are_as_near_as_few(monkeypatch: pytest.MonkeyPatch, others: bool) -> None:
    from tsprout.train import judge

    rng = np.random.default_rng(0)
    latent = rng.normal(size=(60, 2, 9)).astype(np.float32)
    latent[rng.random(latent.shape) < 0.2] = np.nan
    latent[7] = latent[3]
    latent[11] = np.nan
    shots = Shots.from_latent(latent, np.full(60, 9))
    drawn = torch.cat([shots.values[:5], torch.randn(20, 2, 9)])
    weight = torch.ones(25, 2, 9)
    weight[4] = 0
    before = judge._nearest(drawn, weight, shots, others=others)
    monkeypatch.setattr(judge, "_MANY", 7)
    after = judge._nearest(drawn, weight, shots, others=others)
    assert torch.allclose(after, before, atol=1e-5) and (after.isinf() == before.isinf()).all()
