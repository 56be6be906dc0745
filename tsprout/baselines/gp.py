r"""Gaussian process in time, its kernel chosen by marginal likelihood.

Rasmussen and Williams, *Gaussian Processes for Machine Learning*, 2006; the choice among sums and products of simple
kernels follows Duvenaud et al., *Structure discovery in nonparametric regression through compositional kernel search*,
ICML 2013, in small: a level, one of six shapes (squared exponential, Matérn 1/2, 3/2 and 5/2, rational quadratic,
locally periodic, :mod:`tsprout.baselines._cycle`, alone or with Matérn 3/2), and white noise. Every channel of every
shot counts as one draw; the kernel with the best BIC is kept and its parameters are then fitted to each channel.
Channels are coupled through their innovations: with :math:`K_c = L_c L_c^T`, series are :math:`x_c = m_c + L_c z_c`,
where :math:`z` is white in time and correlated between channels as the whitened shots are (shrunk, Ledoit and Wolf
2004).

The mean :math:`m` is that of the shots at each step where this predicts a left-out shot better than zero does, else
zero. A Gaussian process draws nothing skewed, no events, and spreads that are the same at all times.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from tsprout.baselines._periods import find_period
from tsprout.baselines._shrunk import shrinkage
from tsprout.baselines.contract import LatentBaseline, Progress

_LONGEST = 256
_JITTER = 1e-6


@dataclass(eq=False)
class Gp(LatentBaseline):
    """A Gaussian process with an automatic kernel."""

    name: ClassVar[str] = "gp"
    summary: ClassVar[str] = "Gaussian process in time, kernel chosen by marginal likelihood"
    source: ClassVar[str] = "Rasmussen and Williams 2006; Duvenaud et al., ICML 2013"

    _mean: np.ndarray = field(init=False, default_factory=lambda: np.zeros((0, 0)), repr=False)
    _roots: np.ndarray = field(init=False, default_factory=lambda: np.zeros((0, 0, 0)), repr=False)
    _mix: np.ndarray = field(init=False, default_factory=lambda: np.zeros((0, 0)), repr=False)

    def _fit(self, latent: np.ndarray, lengths: np.ndarray, seed: int, progress: Progress | None) -> None:
        n, channels, length = latent.shape
        self._mean, inflate = _mean_function(latent, lengths)
        rest = (latent - self._mean) * inflate
        pieces = _pieces(rest, lengths)
        steps = np.arange(pieces.shape[2], dtype=np.float64)[:, None]
        moments = np.einsum("ncl,ncm->clm", pieces, pieces) / len(pieces)
        varies = moments.trace(axis1=1, axis2=2) > 1e-6 * len(steps)
        if not varies.any():
            moments[:] = np.eye(len(steps)) * 1e-6
        together = moments[varies].mean(axis=0) if varies.any() else moments[0]
        kernels = _kernels(len(steps), find_period(latent, lengths))
        rows = len(pieces) * max(int(varies.sum()), 1)
        found = []
        for number, (title, kernel) in enumerate(kernels):
            theta, value = _maximise(kernel, steps, together)
            found.append((rows * value - 0.5 * len(theta) * np.log(rows * len(steps)), number, title, theta))
            if progress is not None:
                progress("kernels", number + 1, len(kernels))
        _, number, title, theta = max(found, key=lambda one: (one[0], -one[1]))
        kernel = kernels[number][1].clone_with_theta(theta)
        all_steps = np.arange(length, dtype=np.float64)[:, None]
        self._roots = np.zeros((channels, length, length))
        for c in np.flatnonzero(varies):
            own = kernel.clone_with_theta(_maximise(kernel, steps, moments[c], 25)[0])
            self._roots[c] = np.linalg.cholesky(own(all_steps) + _JITTER * np.eye(length))
            if progress is not None:
                progress("channels", int(c) + 1, channels)
        self._mix = self._coupling(pieces, varies)
        self.notes = (f"kernel: {title}",)
        if n == 1:
            self.notes += ("one series does not show how series vary: levels and mean are guesses",)

    def _coupling(self, pieces: np.ndarray, varies: np.ndarray) -> np.ndarray:
        """Root ``(channels, channels)`` of the correlation of whitened series between channels."""
        from scipy.linalg import solve_triangular

        n, channels, length = pieces.shape
        white = np.zeros((n * length, channels))
        for c in np.flatnonzero(varies):
            root = self._roots[c][:length, :length]
            white[:, c] = solve_triangular(root, pieces[:, c].T, lower=True).T.ravel()
        unit = np.sqrt((white**2).mean(axis=0))
        white /= np.where(unit > 0, unit, 1.0)
        weight, variance = shrinkage(white[:, varies]) if varies.sum() > 1 else (0.0, 1.0)
        covariance = (1 - weight) * white.T @ white / len(white) + weight * variance * np.eye(channels)
        scale = np.sqrt(np.where(varies, np.diag(covariance), 1.0))
        correlation = covariance / scale / scale[:, None]
        np.fill_diagonal(correlation, 1.0)
        values, vectors = np.linalg.eigh(correlation)
        return vectors * np.sqrt(np.maximum(values, 0.0))

    def _sample(self, n: int, seed: int) -> np.ndarray:
        white = np.random.default_rng(seed).standard_normal((n, *self._mean.shape))
        mixed = np.einsum("cd,ndl->cln", self._mix, white, optimize=True)
        return (self._mean + (self._roots @ mixed).transpose(2, 0, 1)).astype(np.float32)

    def _state(self) -> dict[str, np.ndarray]:
        return {"mean": self._mean, "roots": self._roots, "mix": self._mix}

    def _restore(self, state: Mapping[str, np.ndarray]) -> None:
        self._mean, self._roots, self._mix = state["mean"], state["roots"], state["mix"]


def _mean_function(latent: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean ``(channels, length)``, and by what deviations from it are to be multiplied, of the same shape.

    The mean of ``n`` shots takes up a share 1/n of their variance, which is given back. At the end, where fewer than
    three shots still go on, the mean moves as those move.
    """
    n, channels, length = latent.shape
    if n < 3:
        return np.zeros((channels, length)), np.ones((channels, length))
    own = np.arange(length) < lengths[:, None]
    count = own.sum(axis=0)
    values = np.where(own[:, None], latent, 0.0).astype(np.float64)
    mean = values.sum(axis=0) / count
    many = int((count >= 3).sum())
    moves = np.diff(values[:, :, many - 1 :], axis=2) * own[:, None, many:]
    mean[:, many:] = mean[:, many - 1 :][:, :1] + np.cumsum(moves.sum(axis=0) / count[many:], axis=1)
    count = count[:many]
    left_out = (values[:, :, :many] - mean[:, :many]) ** 2 * own[:, None, :many] * (count / (count - 1)) ** 2
    serves = left_out.sum(axis=(0, 2)) < (values[:, :, :many] ** 2).sum(axis=(0, 2))
    inflate = np.append(np.sqrt(count / (count - 1)), np.ones(length - many))
    return np.where(serves[:, None], mean, 0.0), np.where(serves[:, None], inflate, 1.0)


def _pieces(rest: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Stretches ``(m, channels, length)`` of equal length without anything mirrored, as many cells as can be."""
    sizes = np.unique(lengths)
    size = int(max(sizes, key=lambda own: int(own) * int((lengths >= own).sum())))
    part = min(size, _LONGEST)
    whole = rest[lengths >= size]
    return np.concatenate([whole[:, :, s : s + part] for s in range(0, size - part + 1, part)]).astype(np.float64)


def _kernels(length: int, period: int | None) -> list[tuple[str, Any]]:
    """The candidates with starting values, for series of unit variance on whole steps."""
    from sklearn.gaussian_process import kernels as k

    from tsprout.baselines._cycle import Cycle

    reach = (0.3, 10.0 * length)
    start = max(length / 8, 1.0)

    def size(value: float) -> Any:
        return k.ConstantKernel(value, (1e-4, 1e2))

    def around(shape: Any) -> Any:
        return size(0.3) + size(0.7) * shape + k.WhiteKernel(0.05, (1e-5, 2.0))

    cycle = float(period or max(length / 3, 2))
    periodic = Cycle(1.0, cycle, (0.1, 10.0), (2.0, float(length))) * k.RBF(2 * cycle, reach)
    rough = size(0.3) * k.Matern(start, reach, nu=1.5)
    return [
        ("level, squared exponential, noise", around(k.RBF(start, reach))),
        ("level, Matérn 1/2, noise", around(k.Matern(start, reach, nu=0.5))),
        ("level, Matérn 3/2, noise", around(k.Matern(start, reach, nu=1.5))),
        ("level, Matérn 5/2, noise", around(k.Matern(start, reach, nu=2.5))),
        ("level, rational quadratic, noise", around(k.RationalQuadratic(start, 1.0, reach, (0.05, 50.0)))),
        ("level, locally periodic, noise", around(periodic)),
        ("level, locally periodic, Matérn 3/2, noise", around(periodic) + rough),
    ]


def _maximise(kernel: Any, steps: np.ndarray, moment: np.ndarray, most: int = 60) -> tuple[np.ndarray, float]:
    r"""Parameters of the greatest log marginal likelihood of one draw, and that likelihood.

    With the second moment :math:`S` (``(length, length)``) of the draws the mean over them is :math:`-\frac{1}{2}
    (\mathrm{tr}\, K^{-1} S + \log |K| + L \log 2 \pi)`. At ``most`` so many iterations.
    """
    from scipy.linalg import cho_factor, cho_solve
    from scipy.optimize import minimize

    length = len(steps)

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        k, slope = kernel.clone_with_theta(theta)(steps, eval_gradient=True)
        k[np.diag_indices(length)] += _JITTER
        try:
            factor = cho_factor(k, lower=True, overwrite_a=True)
        except np.linalg.LinAlgError:
            return 1e12, np.zeros_like(theta)
        inverse = cho_solve(factor, np.eye(length))
        fitted = inverse @ moment
        value = 0.5 * (np.trace(fitted) + 2 * np.log(np.diag(factor[0])).sum() + length * np.log(2 * np.pi))
        return float(value), 0.5 * np.tensordot(inverse - fitted @ inverse, slope, axes=([0, 1], [0, 1]))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = minimize(
            loss, kernel.theta, jac=True, method="L-BFGS-B", bounds=kernel.bounds, options={"maxiter": most}
        )
    return np.asarray(found.x), -float(found.fun)
