"""KoVAE: the linear map, the encoder for gaps, and that both forms learn."""

from __future__ import annotations

import numpy as np
import torch
from small_baselines import covariance_error, drawn, nearest, noise_error, set_of, small, waves

from tsprout.baselines._controlled import ControlledEncoder, spline_slopes
from tsprout.baselines._koopman import Gaussian, draw, koopman, prediction_error
from tsprout.baselines.kovae_irregular import IrregularKoVAE


def _linear(steps: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A stable linear system: its matrix, and 20 paths."""
    torch.manual_seed(0)
    matrix = torch.linalg.qr(torch.randn(4, 4))[0] * 0.95
    z = [torch.randn(20, 4)]
    for _ in range(steps - 1):
        z.append(z[-1] @ matrix)
    return matrix, torch.stack(z, dim=1)


def test_the_map_of_a_linear_system_is_found() -> None:
    matrix, z = _linear(10)
    assert torch.allclose(koopman(z).float(), matrix, atol=1e-4)
    assert prediction_error(z).item() < 1e-4
    assert prediction_error(z + torch.randn(z.shape)).item() > 1
    assert prediction_error(z[:, :1]).item() == 0


def test_the_map_stays_finite_and_has_a_gradient() -> None:
    z = torch.zeros(3, 5, 4)
    assert koopman(z).isfinite().all()
    noisy = torch.randn(6, 5, 4, requires_grad=True)
    before = prediction_error(noisy)
    (slope,) = torch.autograd.grad(before, noisy)
    assert prediction_error(noisy - 1e-3 * slope / slope.norm()).item() < before.item()


def test_draws_have_the_moments_asked_for() -> None:
    torch.manual_seed(0)
    found = draw(torch.full((20_000,), 3.0), torch.full((20_000,), np.log(4.0)))
    assert abs(found.mean() - 3) < 0.06 and abs(found.std() - 2) < 0.05


def test_prior_step_by_step_is_prior_at_once() -> None:
    prior, z = Gaussian(3, 5, 3), torch.randn(2, 6, 3)
    whole, _, _ = prior(z)
    state, means = None, []
    for t in range(6):
        mean, _, state = prior(z[:, t : t + 1], state)
        means.append(mean)
    assert torch.allclose(torch.cat(means, dim=1), whole, atol=1e-6)


def test_splines_through_the_observations() -> None:
    time = np.arange(9)
    line = np.stack([2 + 3.0 * time, np.full(9, 4.0)])[None].astype(np.float32)
    line[0, 0, [3, 4, 6]] = np.nan  # a line is a line, gaps or not
    line[0, 1, 5:] = np.nan
    path = spline_slopes(line)
    assert path.shape == (1, 18, 3)
    assert np.allclose(path[0, 0], [0, 2, 4])
    assert np.allclose(path[0, 1:], [1, 3, 0], atol=1e-5)
    curved = np.sin(time / 2)[None, None].astype(np.float32)
    slopes = spline_slopes(curved)[0, 1:, 1]
    assert np.abs(slopes - np.cos(np.arange(17) / 4) / 2)[3:-3].max() < 0.01
    nothing = spline_slopes(np.full((2, 1, 4), np.nan))
    assert np.array_equal(nothing[..., 1], np.zeros((2, 8)))
    single = spline_slopes(np.array([[[np.nan, 5.0, np.nan]]]))
    assert single[0, 0, 1] == 5 and not single[0, 1:, 1].any()


def test_a_constant_field_gives_the_path_itself() -> None:
    """For f = M the solution is h(0) + M (X(t) - X(0)), and the method is exact on splines."""
    encoder = ControlledEncoder(2, 3, 1)
    matrix = torch.randn(3, 3)
    encoder.field = torch.nn.Sequential(_Constant(matrix))
    values = waves(4, 10)
    h = encoder(torch.from_numpy(spline_slopes(values))).detach()
    path = torch.from_numpy(np.concatenate([np.broadcast_to(np.arange(10.0), (4, 1, 10)), values], axis=1)).float()
    moved = torch.einsum("hc,ncl->nlh", matrix, path - path[..., :1])
    assert torch.allclose(h - h[:, :1], moved, atol=1e-4)


class _Constant(torch.nn.Module):
    def __init__(self, matrix: torch.Tensor) -> None:
        super().__init__()
        self.matrix = matrix

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        return self.matrix.expand(len(h), -1, -1)


def test_gaps_reach_the_irregular_form_as_gaps() -> None:
    seen: list[np.ndarray] = []

    class Spy(IrregularKoVAE):
        def _fit(self, latent: np.ndarray, lengths: np.ndarray, seed: int, progress: object) -> None:
            seen.append(latent)
            super()._fit(latent, lengths, seed, None)

    values = waves(4)
    values[:, :, 3:6] = np.nan
    made = Spy(**small("kovae-irregular").settings).fit(set_of(values), seed=0).sample(3, seed=0)
    assert np.array_equal(np.isnan(seen[0]), np.isnan(values))
    assert np.isfinite(made.values).all()


def test_it_overfits() -> None:
    two = waves(2, 8, 1)
    made, losses = drawn("kovae", two, 64, hidden=16, layers=1, epochs=200, learning_rate=2e-2, alpha=0.001, beta=0.001)
    assert losses[-20:].mean() < 0.2 * losses[:5].mean()
    assert np.median(nearest(made, two)) < 0.5


def test_it_learns() -> None:
    real = waves(64, 8, 1)
    made, _ = drawn("kovae", real, 256, hidden=16, layers=1, batch=64, epochs=200, learning_rate=2e-2)
    assert covariance_error(made, real) < 0.7 * noise_error(real)


def test_it_learns_from_half_of_the_steps() -> None:
    real = waves(64, 8, 1)
    gaps = np.random.default_rng(0).random((64, 1, 8)) < 0.4
    shown = np.where(gaps, np.nan, real).astype(np.float32)
    settings = {"hidden": 16, "layers": 1, "batch": 64, "epochs": 120, "learning_rate": 2e-2}
    made, losses = drawn("kovae-irregular", shown, 256, **settings)
    assert losses[-10:].mean() < 0.7 * losses[:5].mean()
    assert covariance_error(made, real) < 0.8 * noise_error(real)
