"""Drawing around known cells, against the closed form for Gaussian data."""

from __future__ import annotations

import pytest
import torch

from tsprout.diffusion.conditioning import Spread, given
from tsprout.diffusion.samplers import SOLVERS, karras_schedule

CHANNELS, LENGTH = 2, 6
SIZE = CHANNELS * LENGTH
DRAWN = 4000


def gaussian(grouped: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and covariance of ``CHANNELS`` x ``LENGTH`` cells; ``grouped``: channels know nothing of each other."""
    generator = torch.Generator().manual_seed(3)
    root = torch.randn(SIZE, SIZE, generator=generator, dtype=torch.float64) / 3
    covariance = root @ root.T + 0.1 * torch.eye(SIZE, dtype=torch.float64)
    if grouped:
        covariance[:LENGTH, LENGTH:] = covariance[LENGTH:, :LENGTH] = 0
    return torch.randn(SIZE, generator=generator, dtype=torch.float64), covariance


def denoiser(mean: torch.Tensor, covariance: torch.Tensor):
    def denoise(x: torch.Tensor, sigma: float) -> torch.Tensor:
        pull = covariance @ torch.linalg.inv(covariance + sigma**2 * torch.eye(SIZE, dtype=torch.float64))
        return (mean + (x.reshape(-1, SIZE).double() - mean) @ pull.T).reshape(x.shape)

    return denoise


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("grouped", [False, True])
def test_gaussian_data_are_drawn_from_their_conditional(solver: str, grouped: bool) -> None:
    mean, covariance = gaussian(grouped)
    spread = covariance[None]
    if grouped:
        spread = torch.stack([covariance[:LENGTH, :LENGTH], covariance[LENGTH:, LENGTH:]])
    known = torch.zeros(SIZE, dtype=torch.bool)
    known[[0, 3, 4, 7, 11]] = True
    generator = torch.Generator().manual_seed(0)
    truth = mean + torch.linalg.cholesky(covariance) @ torch.randn(SIZE, generator=generator, dtype=torch.float64)
    pull = covariance[:, known] @ torch.linalg.inv(covariance[known][:, known])
    expected, left = mean + pull @ (truth - mean)[known], covariance - pull @ covariance[known]

    shape = (DRAWN, CHANNELS, LENGTH)
    values = truth.expand(DRAWN, -1).reshape(shape).clone()
    mask = known.expand(DRAWN, -1).reshape(shape)
    values[~mask] = float("nan")  # what is not known does not count
    sigmas = karras_schedule(40, 0.002, 40.0)
    x = sigmas[0] * torch.randn(shape, generator=generator, dtype=torch.float64)
    drawn = SOLVERS[solver](given(denoiser(mean, covariance), values, mask, Spread(spread)), x, sigmas)
    drawn = drawn.reshape(DRAWN, SIZE)

    assert torch.equal(drawn[:, known], truth[known].expand(DRAWN, -1))
    assert (drawn.mean(0) - expected).abs().max() < 0.08
    assert (torch.cov(drawn.T) - left).abs().max() < 0.1
    assert left.diagonal()[~known].max() > 0.3  # there was something to draw


def test_nothing_known_changes_nothing_and_everything_known_is_everything() -> None:
    mean, covariance = gaussian(False)
    x = torch.randn(4, CHANNELS, LENGTH, dtype=torch.float64)
    denoise, values = denoiser(mean, covariance), torch.randn(4, CHANNELS, LENGTH, dtype=torch.float64)
    nothing = given(denoise, values, torch.zeros_like(values, dtype=torch.bool), Spread(covariance[None]))
    assert torch.equal(nothing(x, 0.7), denoise(x, 0.7))
    everything = given(denoise, values, torch.ones_like(values, dtype=torch.bool), Spread(covariance[None]))
    assert torch.equal(everything(x, 0.7), values)


def test_series_are_independent_of_what_is_known_of_others() -> None:
    mean, covariance = gaussian(False)
    generator = torch.Generator().manual_seed(5)
    x, values = torch.randn(2, 5, CHANNELS, LENGTH, generator=generator, dtype=torch.float64)
    known = torch.rand(5, CHANNELS, LENGTH, generator=generator) > 0.5
    known[3] = known[1]
    spread, denoise = Spread(covariance[None]), denoiser(mean, covariance)
    whole = given(denoise, values, known, spread)(x, 1.3)
    for i in range(5):
        alone = given(denoise, values[i : i + 1], known[i : i + 1], spread)(x[i : i + 1], 1.3)
        torch.testing.assert_close(alone[0], whole[i])


def test_a_singular_covariance_is_borne() -> None:
    mean, covariance = gaussian(False)
    flat = torch.ones(1, SIZE, SIZE, dtype=torch.float64)  # all cells the same
    values = torch.ones(1, CHANNELS, LENGTH, dtype=torch.float64)
    known = torch.zeros(1, CHANNELS, LENGTH, dtype=torch.bool)
    known[0, 0, :3] = True
    found = given(lambda x, sigma: torch.zeros_like(x), values, known, Spread(flat))(values, 0.5)
    torch.testing.assert_close(found, values, atol=2e-3, rtol=0)
    nothing = given(lambda x, sigma: torch.zeros_like(x), values, known, Spread(torch.zeros(1, SIZE, SIZE)))(
        values, 0.5
    )
    assert torch.equal(nothing, torch.where(known, values, 0.0))
