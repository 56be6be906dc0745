r"""Networks and losses of KoVAE (arXiv 2310.02619): a sequential variational autoencoder with a linear latent prior.

Series are ``(batch, length, channels)`` here, latents ``(batch, length, k)``. With posterior :math:`q(z_t | x)`, and a
recurrent prior :math:`p(z_t | z_{<t})` that sees the latents before it, the bound is

.. math:: E_q \log p(x | z) - \beta \sum_t KL(q(z_t | x) \| p(z_t | z_{<t}))
          - \alpha \sum_t \| \bar z_t - \bar z_{t-1} A \|^2

where :math:`\bar z` are draws of the prior and :math:`A` the Koopman matrix: the linear map that fits the steps of a
whole batch best, solved for anew in every step of training, with gradients through the solution.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_RIDGE = 1e-6  # in units of the mean square of a latent: where some dimensions hardly vary, the map stays finite


class Gaussian(nn.Module):
    """Gated recurrent units, then mean and logarithm of the variance at each step: ``into`` to ``out`` dimensions."""

    def __init__(self, into: int, hidden: int, out: int) -> None:
        super().__init__()
        self.gru = nn.GRU(into, hidden, batch_first=True)
        self.mean, self.log_variance = nn.Linear(hidden, out), nn.Linear(hidden, out)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and logarithm of the variance ``(batch, length, out)``, and the recurrent state after the last step."""
        h, state = self.gru(x, state)
        # Within e^-10 ... e^10: a variance of 0 would make the divergence infinite.
        return self.mean(h), self.log_variance(h).clamp(-10, 10), state


def draw(mean: Tensor, log_variance: Tensor) -> Tensor:
    """A draw of each Gaussian, with noise from the CPU's generator."""
    return mean + (0.5 * log_variance).exp() * torch.randn(mean.shape).to(mean.device)


def koopman(z: Tensor) -> Tensor:
    """The matrix ``A (k, k)`` with :math:`z_t \\approx z_{t-1} A` over all steps of ``z (batch, length, k)``.

    Least squares by the normal equations, in float64, with a ridge of a millionth of the mean square.
    """
    before, after = (part.flatten(0, 1).double() for part in (z[:, :-1], z[:, 1:]))
    gram = before.T @ before
    ridge = _RIDGE * gram.diagonal().mean().detach() + 1e-12
    # With a ridge it can be solved; to check that would make a GPU wait.
    matrix = gram + ridge * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    solution: Tensor = torch.linalg.solve_ex(matrix, before.T @ after).result
    return solution


def prediction_error(z: Tensor) -> Tensor:
    """Squared error of the best linear step, sum over steps and dimensions, mean over the batch; 0 for one step."""
    if z.shape[1] < 2:
        return z.sum() * 0
    error = z[:, 1:] - z[:, :-1] @ koopman(z).to(z.dtype)
    return (error**2).sum(dim=(1, 2)).mean()


class RegularEncoder(nn.Module):
    """Recurrent units over series without gaps: ``(batch, length, channels)`` to ``(batch, length, hidden)``."""

    def __init__(self, channels: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.gru = nn.GRU(channels, hidden, layers, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.gru(x)[0]
        return h


class KoopmanVAE(nn.Module):
    """The whole model around an ``encoder`` of what was observed, which gives ``(batch, length, hidden)``."""

    def __init__(self, encoder: nn.Module, channels: int, hidden: int, latent: int, layers: int) -> None:
        super().__init__()
        self.latent = latent
        self.encoder = encoder
        self.norm = nn.BatchNorm1d(hidden)
        self.posterior = Gaussian(hidden, hidden, latent)
        self.prior = Gaussian(latent, hidden, latent)
        self.decoder = nn.GRU(latent, hidden, layers, batch_first=True)
        self.out = nn.Linear(hidden, channels)

    def decode(self, z: Tensor) -> Tensor:
        """Latents to series in 0 to 1: ``(batch, length, channels)``."""
        return self.out(self.decoder(z)[0]).sigmoid()

    def forward(self, observed: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Reconstruction, and mean and logarithm of the variance of posterior and prior."""
        h = self.norm(self.encoder(observed).transpose(1, 2)).transpose(1, 2)
        mean, log_variance, _ = self.posterior(h)
        z = draw(mean, log_variance)
        before = torch.cat([torch.zeros_like(z[:, :1]), z[:, :-1]], dim=1)
        prior_mean, prior_log, _ = self.prior(before)
        return self.decode(z), (mean, log_variance), (prior_mean, prior_log)

    def sample(self, n: int, length: int, device: torch.device) -> Tensor:
        """``(n, length, channels)`` from the prior, step by step."""
        z = torch.zeros(n, 1, self.latent, device=device)
        state: Tensor | None = None
        steps = []
        for _ in range(length):
            mean, log_variance, state = self.prior(z, state)
            z = draw(mean, log_variance)
            steps.append(z)
        return self.decode(torch.cat(steps, dim=1))
