r"""Drawing around what is known: a denoiser turned into one of series of which some cells are given.

For data :math:`x_0 \sim N(\mu, C)` seen through noise, :math:`x = x_0 + \sigma \epsilon`, the estimate
:math:`D(x; \sigma)` is the mean of :math:`x_0` given :math:`x`, about which it varies by
:math:`S_\sigma = C (C + \sigma^2 I)^{-1} \sigma^2`. Cells :math:`y = M x_0` that are known besides move the mean to

.. math:: D_y(x; \sigma) = D + S_\sigma M^\top (M S_\sigma M^\top)^{-1} (y - M D),

which is kriging of what the estimate misses at the known cells (Rasmussen and Williams 2006, equation A.6). A solver
that is handed :math:`D_y` draws from the distribution given :math:`y`: exactly for Gaussian data, and for others as far
as what their denoiser misses goes together as it would for a Gaussian of their covariance. Boys et al. 2023 (arXiv
2310.06721) take :math:`S_\sigma = \sigma^2 \nabla D` instead, Song et al. 2023 (ICLR, pseudoinverse guidance) a
multiple of the identity; both differentiate the network. Here it is only called.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tsprout.diffusion.samplers import Denoise

# Known values are taken for exact but for this part of the mean variance: covariances of few series are singular.
_NUGGET = 1e-3


class Spread:
    """How cells vary together, split into groups that do not: for :func:`given`.

    Args:
        covariance: ``(groups, m, m)``, symmetric; parts that are not positive are left out.
    """

    def __init__(self, covariance: Tensor) -> None:
        values, self._vectors = torch.linalg.eigh(covariance.double())
        self._values = values.clamp(min=0)

    @property
    def shape(self) -> tuple[int, int]:
        """Groups, and cells in each."""
        groups, cells = self._values.shape
        return groups, cells

    def around(self, sigma: float) -> Tensor:
        """:math:`S_\\sigma` ``(groups, m, m)`` float64."""
        kept = self._values * sigma**2 / (self._values + sigma**2)
        return (self._vectors * kept[:, None]) @ self._vectors.mT

    def carried(self, missed: Tensor, known: Tensor, sigma: float) -> Tensor:
        """What is missed at the known cells, carried to all.

        Args:
            missed: ``(n, groups, m)``; what it holds at other cells does not count.
            known: the same shape.
            sigma: noise level.

        Returns:
            ``(n, groups, m)`` float64.
        """
        out = torch.zeros(missed.shape, dtype=torch.float64)
        for group, spread in enumerate(self.around(sigma)):
            least = _NUGGET * max(float(spread.diagonal().mean()), 1e-12)
            # Series of which the same is known share a factorisation: those that are drawn several times, above all.
            masks, which = torch.unique(known[:, group], dim=0, return_inverse=True)
            for number, mask in enumerate(masks):
                some, here = which == number, mask.double()
                both = spread * here[:, None] * here + torch.diag(here * least + (1 - here))
                right = (missed[some, group].double() * here).T
                out[some, group] = (spread @ torch.cholesky_solve(right, torch.linalg.cholesky(both))).T
        return out


def given(denoise: Denoise, values: Tensor, known: Tensor, spread: Spread) -> Denoise:
    """The denoiser of series some cells of which are known.

    Args:
        denoise: of series ``(n, channels, length)`` of which nothing is known.
        values: ``(n, channels, length)``; only known cells count.
        known: the same shape, boolean.
        spread: of all cells of a series in order, or of each channel as a group.
    """
    shape = (len(values), *spread.shape)
    known = known.cpu()
    values = torch.where(known, values.cpu(), 0.0)

    def informed(x: Tensor, sigma: float) -> Tensor:
        estimate = denoise(x, sigma)
        missed = values - estimate.cpu()
        more = spread.carried(missed.reshape(shape), known.reshape(shape), sigma).reshape(values.shape)
        return torch.where(known, values, estimate.cpu() + more.to(estimate.dtype)).to(x.device)

    return informed
