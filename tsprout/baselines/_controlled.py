r"""A neural controlled differential equation over a series with gaps, on torch and scipy alone.

Kidger, Morrill, Foster and Lyons 2020, "Neural Controlled Differential Equations for Irregular Time Series",
arXiv 2005.08926: with :math:`X` the natural cubic spline through the observations, time as its first channel,

.. math:: h(0) = \ell(X(0)), \quad dh/dt = f(h(t)) \, dX/dt

for a network :math:`f` whose values are matrices. Solved by the classical fourth-order Runge-Kutta method with one
step a time step, so :math:`dX/dt` is needed at whole and half steps only, and is worked out once, before the training.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


def spline_slopes(values: np.ndarray) -> np.ndarray:
    """Where the path starts, and its slopes at steps ``0, 1/2, 1, ... length - 1``.

    Each channel has a spline through its own observations; before the first and after the last it is constant, and one
    that has none is 0 throughout.

    Args:
        values: ``(n, channels, length)``, NaN where not observed.

    Returns:
        ``(n, 2 * length, channels + 1)`` float32: row 0 the value at step 0, the others the slopes. Channel 0 is time.

    """
    from scipy.interpolate import CubicSpline

    n, channels, length = values.shape
    flat = values.reshape(n * channels, length).astype(np.float64)
    seen = np.isfinite(flat)
    grid = np.arange(2 * length - 1) / 2
    rows = np.zeros((n * channels, 2 * length))
    # All series that were observed at the same steps are one call.
    patterns, which = np.unique(seen, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        knots = np.flatnonzero(pattern)
        if not knots.size:
            continue
        members = np.flatnonzero(which.ravel() == number)
        known = flat[members][:, knots]
        rows[members, 0] = known[:, 0]
        if knots.size > 1:
            spline = CubicSpline(knots, known, axis=1, bc_type="natural")
            inside = (grid >= knots[0]) & (grid <= knots[-1])
            rows[members, 1:] = np.where(inside, spline(grid, 1), 0.0)
    path = rows.reshape(n, channels, 2 * length).transpose(0, 2, 1)
    time = np.ones((n, 2 * length, 1))
    time[:, 0] = 0.0
    return np.concatenate([time, path], axis=2).astype(np.float32)


class ControlledEncoder(nn.Module):
    """:func:`spline_slopes` ``(batch, 2 * length, channels + 1)`` to states ``(batch, length, hidden)``."""

    def __init__(self, channels: int, hidden: int, layers: int) -> None:
        super().__init__()
        inputs = channels + 1
        self.start = nn.Linear(inputs, hidden)
        inner: list[nn.Module] = []
        for _ in range(layers):
            inner += [nn.Linear(hidden, hidden), nn.ReLU()]
        self.field = nn.Sequential(
            *inner, nn.Linear(hidden, hidden * inputs), nn.Tanh(), nn.Unflatten(1, (hidden, inputs))
        )

    def forward(self, path: Tensor) -> Tensor:
        h = self.start(path[:, 0])
        slopes = path[:, 1:]

        def change(h: Tensor, at: int) -> Tensor:
            return (self.field(h) @ slopes[:, at, :, None])[..., 0]

        states = [h]
        for at in range(0, slopes.shape[1] - 1, 2):
            first = change(h, at)
            second = change(h + first / 2, at + 1)
            third = change(h + second / 2, at + 1)
            fourth = change(h + third, at + 2)
            h = h + (first + 2 * second + 2 * third + fourth) / 6
            states.append(h)
        return torch.stack(states, dim=1)
