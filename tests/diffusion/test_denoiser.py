"""EDM preconditioning keeps variances at one, weights undo it, training noise has its distribution."""

from __future__ import annotations

import math

import pytest
import torch

from tsprout.diffusion.denoiser import Uncertainty, loss_weight, precondition, training_sigma, uniform_sigma
from tsprout.errors import InputError

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


@pytest.mark.parametrize("data", [0.5, 1.5])
def test_weightings(data: float) -> None:
    edm = loss_weight(LEVELS, data)
    # An error e of the estimate is one of e / (data t) in the velocity, where t = sigma / (sigma + data).
    time = LEVELS / (LEVELS + data)
    torch.testing.assert_close(loss_weight(LEVELS, data, "velocity"), 1 / (data * time) ** 2)
    ratio = loss_weight(torch.tensor([1e-6, data, 1e6], dtype=torch.float64), data, "velocity")
    ratio = ratio / loss_weight(torch.tensor([1e-6, data, 1e6], dtype=torch.float64), data)
    assert ratio.tolist() == pytest.approx([1, 2, 1], rel=1e-4)
    snr = (data / LEVELS) ** 2
    torch.testing.assert_close(loss_weight(LEVELS, data, "min-snr") * data**2, torch.minimum(snr, snr.new_tensor(5.0)))
    torch.testing.assert_close(loss_weight(LEVELS, data, "learned"), edm)
    with pytest.raises(InputError, match="no loss weighting called 'flat'"):
        loss_weight(LEVELS, data, "flat")


def test_uniform_noise_is_uniform_in_its_logarithm() -> None:
    sigma = uniform_sigma(20_000, 0.02, 50.0, torch.Generator().manual_seed(0))
    share = (sigma.log() - math.log(0.02)) / (math.log(50) - math.log(0.02))
    assert float(share.min()) > -1e-5 and float(share.max()) < 1 + 1e-5
    assert torch.histc(share, 10, 0, 1).tolist() == pytest.approx([2000] * 10, abs=2)
    again, other = (uniform_sigma(64, 0.02, 50.0, torch.Generator().manual_seed(s)) for s in (0, 1))
    assert torch.equal(again, uniform_sigma(64, 0.02, 50.0, torch.Generator().manual_seed(0)))
    assert not torch.equal(again, other)


def test_uncertainty_finds_the_size_of_the_loss_at_every_level() -> None:
    layer = Uncertainty()
    assert not bool(layer(torch.tensor([0.01, 80.0])).any())
    sigma = torch.logspace(-2, 2, 200)
    size = 0.3 + 1 / (1 + (sigma.log() - 1) ** 2)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
    for _ in range(400):
        optimizer.zero_grad()
        level = layer(sigma)
        (size * (-level).exp() + level).mean().backward()
        optimizer.step()
    torch.testing.assert_close(layer(sigma).detach(), size.log(), rtol=0, atol=0.1)
