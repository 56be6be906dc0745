"""Solvers against the closed form: for Gaussian data denoiser and probability-flow solution are known exactly."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch

from tsprout.diffusion.samplers import SOLVERS, Solver, dpmpp_2m, heun, karras_schedule, solver_by_name
from tsprout.errors import InputError

SIGMA_MAX = 80.0


class Gaussian:
    """Data ``N(mean, covariance)`` of 12 dimensions, their denoiser, and the solution of their probability flow."""

    def __init__(self, full: bool) -> None:
        generator = torch.Generator().manual_seed(0)
        self.mean = torch.randn(12, generator=generator, dtype=torch.float64)
        if full:
            root = torch.randn(12, 12, generator=generator, dtype=torch.float64) / 3
            covariance = root @ root.T + 0.05 * torch.eye(12, dtype=torch.float64)
        else:
            covariance = torch.diag(torch.linspace(0.1, 4.0, 12, dtype=torch.float64))
        self.values, self.vectors = torch.linalg.eigh(covariance)
        self.covariance = covariance
        self.calls: list[float] = []

    def _apply(self, x: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
        return self.mean + ((x - self.mean) @ self.vectors * factors) @ self.vectors.T

    def denoise(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        self.calls.append(sigma)
        return self._apply(x, self.values / (self.values + sigma**2))

    def solution(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        return self._apply(x, (self.values / (self.values + sigma**2)).sqrt())

    def error(self, solver: Solver, steps: int) -> float:
        x = SIGMA_MAX * torch.randn(64, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        # The last step, to 0, is first order for both; from a level this low it does not count.
        drawn = solver(self.denoise, x, karras_schedule(steps, 1e-4, SIGMA_MAX))
        return float((drawn - self.solution(x, SIGMA_MAX)).norm() / 64**0.5)


@pytest.fixture(params=[False, True], ids=["diagonal", "full"])
def gaussian(request: pytest.FixtureRequest) -> Gaussian:
    return Gaussian(request.param)


@pytest.mark.parametrize("solver", SOLVERS.values(), ids=list(SOLVERS))
def test_converges_to_the_closed_form(gaussian: Gaussian, solver: Solver) -> None:
    assert gaussian.error(solver, 400) < 2e-3
    assert gaussian.error(solver, 18) < 1.0


@pytest.mark.parametrize("solver", SOLVERS.values(), ids=list(SOLVERS))
def test_is_of_second_order(gaussian: Gaussian, solver: Solver) -> None:
    errors = [gaussian.error(solver, steps) for steps in (50, 100, 200, 400)]
    orders = [math.log2(a / b) for a, b in pairwise(errors)]
    assert 1.7 < orders[-1] < 2.5, (errors, orders)


@pytest.mark.parametrize("solver", SOLVERS.values(), ids=list(SOLVERS))
def test_has_the_right_distribution(gaussian: Gaussian, solver: Solver) -> None:
    x = SIGMA_MAX * torch.randn(20_000, 12, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    drawn = solver(gaussian.denoise, x, karras_schedule(40, 0.002, SIGMA_MAX))
    torch.testing.assert_close(drawn.mean(0), gaussian.mean, rtol=0, atol=0.06)
    torch.testing.assert_close(drawn.T.cov(), gaussian.covariance, rtol=0.05, atol=0.08)


@pytest.mark.parametrize(("solver", "calls"), [(heun, 71), (dpmpp_2m, 36)], ids=["heun", "dpmpp-2m"])
def test_network_calls_of_36_steps(gaussian: Gaussian, solver: Solver, calls: int) -> None:
    solver(gaussian.denoise, torch.zeros(1, 12, dtype=torch.float64), karras_schedule(36, 0.002, SIGMA_MAX))
    assert len(gaussian.calls) == calls
    assert all(sigma > 0 for sigma in gaussian.calls)


@pytest.mark.parametrize("solver", SOLVERS.values(), ids=list(SOLVERS))
def test_one_step_is_the_denoiser(gaussian: Gaussian, solver: Solver) -> None:
    x = torch.randn(3, 12, dtype=torch.float64)
    torch.testing.assert_close(solver(gaussian.denoise, x, [5.0, 0.0]), gaussian.denoise(x, 5.0))


def euler(denoise: Callable, x: torch.Tensor, sigmas: list[float]) -> torch.Tensor:
    for now, then in pairwise(sigmas):
        x = x + (then - now) * (x - denoise(x, now)) / now
    return x


def test_both_are_far_better_than_euler(gaussian: Gaussian) -> None:
    plain = gaussian.error(euler, 100)
    for solver in SOLVERS.values():
        assert gaussian.error(solver, 100) < plain / 5


@pytest.mark.parametrize("solver", SOLVERS.values(), ids=list(SOLVERS))
def test_the_start_is_left_alone(gaussian: Gaussian, solver: Solver) -> None:
    x = torch.ones(2, 12, dtype=torch.float64)
    solver(gaussian.denoise, x, karras_schedule(5, 0.01, 1.0))
    assert torch.equal(x, torch.ones(2, 12, dtype=torch.float64))


def test_schedule() -> None:
    sigmas = karras_schedule(10, 0.002, 80.0)
    assert len(sigmas) == 11
    assert sigmas[0] == pytest.approx(80)
    assert sigmas[-2] == pytest.approx(0.002)
    assert sigmas[-1] == 0
    assert sigmas == sorted(sigmas, reverse=True)
    roots = [s ** (1 / 7) for s in sigmas[:-1]]
    assert [a - b for a, b in pairwise(roots)] == pytest.approx([roots[0] - roots[1]] * 9)
    assert karras_schedule(1, 0.002, 80.0) == pytest.approx([80.0, 0.0])


@pytest.mark.parametrize(("steps", "low", "high"), [(0, 0.002, 80), (5, 0, 80), (5, -1, 80), (5, 2, 1), (5, 1, 1)])
def test_schedules_that_cannot_be(steps: int, low: float, high: float) -> None:
    with pytest.raises(InputError):
        karras_schedule(steps, low, high)


def test_solvers_by_name() -> None:
    assert solver_by_name("heun") is heun
    assert solver_by_name("dpmpp-2m") is dpmpp_2m
    with pytest.raises(InputError, match="no solver called 'euler'") as caught:
        solver_by_name("euler")
    assert "heun, dpmpp-2m" in str(caught.value)
