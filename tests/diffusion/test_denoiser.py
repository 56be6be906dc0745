"""EDM preconditioning keeps variances at one, weights undo it, training noise has its distribution."""

from __future__ import annotations

import math

import pytest
import torch

from tsprout.diffusion.denoiser import loss_weight, precondition, training_sigma

LEVELS = torch.tensor([0.002, 0.1, 0.5, 1.0, 10.0, 80.0], dtype=torch.float64)


@pytest.mark.parametrize("data", [0.5, 1.0, 1.5])
def test_input_and_target_have_unit_variance(data: float) -> None:
    scale = precondition(LEVELS, data)
    torch.testing.assert_close(scale.into**2 * (data**2 + LEVELS**2), torch.ones_like(LEVELS))
    # Target of the network: (y - c_skip (y + noise)) / c_out.
    variance = ((1 - scale.skip) ** 2 * data**2 + scale.skip**2 * LEVELS**2) / scale.out**2
    torch.testing.assert_close(variance, torch.ones_like(LEVELS))
    torch.testing.assert_close(loss_weight(LEVELS, data) * scale.out**2, torch.ones_like(LEVELS))
    torch.testing.assert_close(scale.noise, LEVELS.log() / 4)


def test_no_noise_is_the_input_and_much_noise_is_the_network() -> None:
    scale = precondition(torch.tensor([1e-6, 1e6], dtype=torch.float64), 0.5)
    assert scale.skip.tolist() == pytest.approx([1, 0], abs=1e-9)
    assert scale.out.tolist() == pytest.approx([0, 0.5], abs=1e-5)


@pytest.mark.parametrize("stratified", [True, False])
def test_training_noise_is_log_normal(stratified: bool) -> None:
    sigma = training_sigma(20_000, -1.2, 1.2, torch.Generator().manual_seed(0), stratified=stratified)
    log = sigma.log()
    assert float(log.mean()) == pytest.approx(-1.2, abs=0.03)
    assert float(log.std()) == pytest.approx(1.2, abs=0.03)
    middle = float((log < -1.2 + 1.2 * 0.6745).float().mean())
    assert middle == pytest.approx(0.75, abs=0.01)


def test_stratified_noise_takes_one_quantile_from_each_part_in_random_order() -> None:
    sigma = training_sigma(8, 0.0, 1.0, torch.Generator().manual_seed(0))
    quantile = 0.5 * (1 + torch.erf(sigma.log() / math.sqrt(2)))
    parts = (quantile * 8).floor()
    assert parts.sort().values.tolist() == list(range(8))
    assert parts.tolist() != list(range(8))


def test_training_noise_is_seeded_and_finite() -> None:
    draws = [training_sigma(64, -0.5, 1.6, torch.Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert bool(draws[0].isfinite().all()) and bool((draws[0] > 0).all())
    assert training_sigma(1, 0.0, 1.0).shape == (1,)
