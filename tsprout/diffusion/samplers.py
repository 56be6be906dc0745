r"""Solvers of the probability-flow equation :math:`dx/d\sigma = (x - D(x; \sigma)) / \sigma`, and their noise
schedules.

Every solver is a plain function ``solver(denoise, x, sigmas)``: ``denoise(x, sigma)`` estimates the clean series from a
batch at one noise level (a float), ``x`` starts as noise of standard deviation ``sigmas[0]``, and ``sigmas`` is a
decreasing sequence that ends in 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import Tensor

from tsprout.errors import InputError

Denoise = Callable[[Tensor, float], Tensor]
Solver = Callable[[Denoise, Tensor, Sequence[float]], Tensor]


def karras_schedule(steps: int, sigma_min: float, sigma_max: float, rho: float = 7.0) -> list[float]:
    """``steps`` noise levels from ``sigma_max`` to ``sigma_min``, then 0, evenly spaced in :math:`\\sigma^{1/\\rho}`.

    Source: EDM (arXiv 2206.00364), equation 5.

    Raises:
        InputError: fewer than one step, or noise levels that do not decrease to something above 0.
    """
    if steps < 1:
        raise InputError(f"sampling needs at least one step, got {steps}")
    if not 0 < sigma_min < sigma_max:
        raise InputError(f"noise levels must satisfy 0 < sigma_min < sigma_max, got {sigma_min} and {sigma_max}")
    high, low = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    span = max(1, steps - 1)
    return [(high + i / span * (low - high)) ** rho for i in range(steps)] + [0.0]


def heun(denoise: Denoise, x: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Heun's second-order method (EDM, algorithm 1, deterministic): ``2 * steps - 1`` network calls."""
    for now, then in pairwise(sigmas):
        slope = (x - denoise(x, now)) / now
        guess = x + (then - now) * slope
        if then > 0:
            slope = (slope + (guess - denoise(guess, then)) / then) / 2
            guess = x + (then - now) * slope
        x = guess
    return x


def dpmpp_2m(denoise: Denoise, x: Tensor, sigmas: Sequence[float]) -> Tensor:
    """DPM-Solver++(2M) (Lu et al. 2022, arXiv 2211.01095, algorithm 2): one network call a step, second order.

    In :math:`\\lambda = -\\ln \\sigma` the clean estimate is extrapolated linearly from the last two steps. The last
    step, to :math:`\\sigma = 0`, is first order: it returns the estimate itself.
    """
    before: Tensor | None = None
    last_width = 0.0
    for now, then in pairwise(sigmas):
        clean = denoise(x, now)
        if then == 0:
            return clean
        width = math.log(now / then)
        estimate = clean if before is None else clean + (clean - before) * (width / (2 * last_width))
        x = (then / now) * x - math.expm1(-width) * estimate
        before, last_width = clean, width
    return x


SOLVERS: dict[str, Solver] = {"heun": heun, "dpmpp-2m": dpmpp_2m}


def solver_by_name(name: str) -> Solver:
    """The solver called ``name``; raises :class:`InputError` naming those there are."""
    if name not in SOLVERS:
        raise InputError(f"there is no solver called {name!r}", fix=f"Choose one of: {', '.join(SOLVERS)}.")
    return SOLVERS[name]
