r"""A periodic kernel without the level that the usual one hides in it, for :mod:`sklearn.gaussian_process`.

Lloyd et al., *Automatic construction and natural-language description of nonparametric regression models*, AAAI 2014,
appendix A: with :math:`u = 1 / \ell^2` and the Bessel function :math:`I_0`,

.. math:: k(d) = \frac{\exp(u \cos (2 \pi d / p)) - I_0(u)}{\exp(u) - I_0(u)}.

A long :math:`\ell` makes it a pure cosine; the kernel of MacKay (1998) becomes a constant there, so that its variance
says nothing about the season's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import i0e, i1e
from sklearn.gaussian_process.kernels import Hyperparameter, Kernel, NormalizedKernelMixin, StationaryKernelMixin


class Cycle(StationaryKernelMixin, NormalizedKernelMixin, Kernel):
    """Parameters: ``length_scale`` (smoothness within a period) and ``periodicity`` in steps, each with its bounds."""

    def __init__(
        self,
        length_scale: float = 1.0,
        periodicity: float = 1.0,
        length_scale_bounds: tuple[float, float] = (0.1, 10.0),
        periodicity_bounds: tuple[float, float] = (1.0, 100.0),
    ) -> None:
        self.length_scale, self.periodicity = length_scale, periodicity
        self.length_scale_bounds, self.periodicity_bounds = length_scale_bounds, periodicity_bounds

    @property
    def hyperparameter_length_scale(self) -> Any:
        return Hyperparameter("length_scale", "numeric", self.length_scale_bounds)

    @property
    def hyperparameter_periodicity(self) -> Any:
        return Hyperparameter("periodicity", "numeric", self.periodicity_bounds)

    def __call__(self, X: np.ndarray, Y: np.ndarray | None = None, eval_gradient: bool = False) -> Any:
        """Kernel ``(n, m)`` of times ``(n, 1)`` and ``(m, 1)``; with the gradient by the logarithms of both."""
        times, others = np.asarray(X)[:, 0], np.asarray(X if Y is None else Y)[:, 0]
        angle = 2 * np.pi * (times[:, None] - others) / self.periodicity
        u = self.length_scale**-2
        below = np.cos(angle) - 1
        bump = np.exp(u * below)
        scale = 1 - i0e(u)
        value = (bump - i0e(u)) / scale
        if not eval_gradient:
            return value
        # Both Bessel functions are scaled by exp(-u); so is everything else.
        by_u = (below * bump + (1 - value) * (i0e(u) - i1e(u))) / scale
        by_period = u * bump * np.sin(angle) * angle / scale
        return value, np.stack([-2 * u * by_u, by_period], axis=-1)
