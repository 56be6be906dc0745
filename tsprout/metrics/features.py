"""Random-convolution features of short multivariate series, in plain numpy.

After the idea of ROCKET (Dempster, Petitjean, Webb 2020, arXiv 1910.13051): many random kernels, each a sparse random
mixture of channels followed by a random dilated filter, and simple statistics of what they answer: the maximum, the
standard deviation, and the share of answers above a threshold. Thresholds are quantiles of the answers to real series.
Beside them stand the values themselves, coarsened in time, because kernels do not see *when* something happens, and
plain statistics of every channel. Input is ``(n, C, L)`` without gaps and in standard deviations; output is
``(n, n_features)``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

N_KERNELS = 64
_POOLS = 3
_WIDTH = 7
_MIXED = 5  # most channels a kernel listens to
_RAW = 128  # most values taken over as they are
_CHANNELS = 32  # most channels with statistics of their own
_STEPS = 1024  # most positions at which a kernel is read
_LIMIT = 1e4  # standard deviations; beyond it a value is as wrong as it can be, and float32 stays safe
_CELLS = 1 << 22  # cells of the largest intermediate array


@dataclass(frozen=True, eq=False)
class KernelBank:
    """Random kernels together with the scale of their features on real series.

    Attributes:
        mixtures: ``(K, C)`` weights of the channels, unit length, sparse.
        filters: ``(K, w)`` weights over time, unit length.
        dilations: ``(K,)`` distance of neighbouring filter taps in time steps.
        thresholds: ``(K,)`` level above which answers are counted.
        cells: ``(r, 2)`` channel and time step of the values taken over.
        order: column order that mixes the kinds of features.
        centre, spread: ``(n_features,)`` mean and standard deviation over real series.
    """

    mixtures: np.ndarray
    filters: np.ndarray
    dilations: np.ndarray
    thresholds: np.ndarray
    cells: np.ndarray
    order: np.ndarray
    centre: np.ndarray
    spread: np.ndarray

    @classmethod
    def fit(cls, sample: np.ndarray, *, seed: int = 0) -> KernelBank:
        """Draw kernels for series shaped like ``sample`` (k, C, L) and read thresholds and scales from it."""
        rng = np.random.default_rng([seed, 7919])
        _, n_channels, length = sample.shape
        width = min(_WIDTH, length)
        longest = max((length - 1) // max(width - 1, 1), 1)
        steps = np.unique(np.geomspace(1, longest, min(longest, 5)).round().astype(int))
        mixtures = np.zeros((N_KERNELS, n_channels))
        for k in range(N_KERNELS):
            count = 1 if k % 2 else int(rng.integers(1, min(_MIXED, n_channels) + 1))
            first = (k // 2) % n_channels
            others = rng.permutation(n_channels)
            chosen = np.concatenate([[first], others[others != first]])[:count]
            mixtures[k, chosen] = rng.standard_normal(count)
        mixtures /= np.linalg.norm(mixtures, axis=1, keepdims=True)
        filters = rng.standard_normal((N_KERNELS, width))
        if width > 1:
            differences = np.arange(N_KERNELS) % 4 < 3
            filters[differences] -= filters[differences].mean(axis=1, keepdims=True)
        filters /= np.linalg.norm(filters, axis=1, keepdims=True)
        dilations = steps[rng.integers(len(steps), size=N_KERNELS)]
        levels = rng.uniform(0.15, 0.85, N_KERNELS)
        columns = rng.permutation(N_KERNELS * _POOLS)
        none = np.empty(0)
        bank = cls(mixtures, filters, dilations, none, _cells(n_channels, length, rng), columns, none, none)
        thresholds = bank._thresholds(np.clip(sample, -_LIMIT, _LIMIT), levels)
        bank = cls(mixtures, filters, dilations, thresholds, bank.cells, columns, none, none)
        raw = bank._features(sample)
        return cls(
            mixtures,
            filters,
            dilations,
            thresholds,
            bank.cells,
            columns,
            raw.mean(axis=0),
            np.maximum(raw.std(axis=0), 0.05),
        )

    @property
    def n_pooled(self) -> int:
        """Number of kernel features; they are the first columns."""
        return len(self.order)

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Features ``(n, n_features)`` of ``values`` (n, C, L): inverse hyperbolic sine of their real z-scores.

        That is the z-score itself up to about one standard deviation and its logarithm far out, so that one series in
        a hundred which is unlike the others, as real data has it, does not decide a score.
        """
        return np.arcsinh((self._features(values) - self.centre) / self.spread)

    def _answers(self, values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Answers ``(n, k, P)`` of the ``chosen`` kernels, which share one dilation."""
        dilation = int(self.dilations[chosen[0]])
        width = self.filters.shape[1]
        positions = values.shape[-1] - (width - 1) * dilation
        stride = -(-positions // _STEPS)
        mixed = np.matmul(self.mixtures[chosen].astype(np.float32), values.astype(np.float32))
        filters = self.filters[chosen].astype(np.float32)
        answers = np.zeros((len(values), len(chosen), -(-positions // stride)), dtype=np.float32)
        for tap in range(width):
            start = tap * dilation
            answers += filters[:, tap, None] * mixed[..., start : start + positions : stride]
        return answers

    def _groups(self) -> list[np.ndarray]:
        return [np.flatnonzero(self.dilations == step) for step in np.unique(self.dilations)]

    def _thresholds(self, sample: np.ndarray, levels: np.ndarray) -> np.ndarray:
        thresholds = np.zeros(N_KERNELS)
        for group in self._groups():
            for start in range(0, len(group), 8):
                chosen = group[start : start + 8]
                answers = self._answers(sample, chosen)
                for row, k in enumerate(chosen):
                    thresholds[k] = np.quantile(answers[:, row], levels[k])
        return thresholds

    def _features(self, values: np.ndarray) -> np.ndarray:
        values = np.clip(values, -_LIMIT, _LIMIT)
        n_series, _, length = values.shape
        pooled = np.empty((n_series, N_KERNELS, _POOLS))
        for group in self._groups():
            rows = max(_CELLS // (len(group) * length), 1)
            for start in range(0, n_series, rows):
                part = slice(start, start + rows)
                answers = self._answers(values[part], group)
                pooled[part, group, 0] = answers.max(axis=-1)
                pooled[part, group, 1] = answers.std(axis=-1)
                pooled[part, group, 2] = (answers > self.thresholds[group, None]).mean(axis=-1)
        raw = values[:, self.cells[:, 0], self.cells[:, 1]]
        return np.concatenate([pooled.reshape(n_series, -1)[:, self.order], raw, _plain(values)], axis=1)


def _plain(values: np.ndarray) -> np.ndarray:
    """Plain statistics of each of the first channels: extremes, spread, and the sizes of its steps."""
    values = values[:, :_CHANNELS]
    columns = [values.min(axis=-1), values.max(axis=-1), np.log(values.std(axis=-1) + 0.01)]
    if values.shape[-1] > 1:
        steps = np.sort(np.abs(np.diff(values, axis=-1)), axis=-1)
        columns += [np.log(steps.mean(axis=-1) + 0.01), np.log(steps[..., steps.shape[-1] // 10] + 0.001)]
    return np.concatenate(columns, axis=1)


def _cells(n_channels: int, length: int, rng: np.random.Generator) -> np.ndarray:
    """At most ``_RAW`` cells: an even grid of time steps in every channel, or a random draw when there are too many."""
    steps = np.unique(np.linspace(0, length - 1, min(length, max(_RAW // n_channels, 3))).round().astype(int))
    grid = np.stack(np.meshgrid(np.arange(n_channels), steps, indexing="ij"), axis=-1).reshape(-1, 2)
    if len(grid) > _RAW:
        grid = grid[np.sort(rng.choice(len(grid), _RAW, replace=False))]
    return grid
