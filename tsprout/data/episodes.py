"""Batches of episodes for the denoiser: several sets at once, one channel count and length a batch.

An :class:`EpisodeStream` is an iterator with a position: ``state_dict`` after any batch, given to ``load_state_dict``,
continues with the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tsprout.data.corpus import Domain, draw_series, moments
from tsprout.data.processes import draw_synthetic
from tsprout.errors import InputError

LENGTHS = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
LENGTH_SHARES = (0.04, 0.06, 0.08, 0.3, 0.12, 0.11, 0.1, 0.06, 0.06, 0.03, 0.04)
CHANNELS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 21, 28, 40, 55, 64)
CHANNEL_SHARES = (0.3, 0.06, 0.06, 0.06, 0.05, 0.07, 0.12, 0.05, 0.05, 0.04, 0.04, 0.03, 0.03, 0.02, 0.01, 0.01)
_SOFT_LIMIT = 5.0


@dataclass
class Batch:
    """``shots (e, k, c, l)``, ``shots_observed``; ``targets (e, s, c, l)``, ``targets_observed``; token ``rows (e,)``,
    -1: none.

    All scaled by the shots of their own episode; float32 and bool; unobserved cells are 0. Sets with fewer than ``k``
    shots are filled up with series of which nothing is observed.
    """

    shots: np.ndarray
    shots_observed: np.ndarray
    targets: np.ndarray
    targets_observed: np.ndarray
    rows: np.ndarray


def soften(x: np.ndarray) -> np.ndarray:
    """Logarithmic beyond five standard deviations: a level never seen in the shots must not drown the loss."""
    size = np.abs(x)
    return np.where(size > _SOFT_LIMIT, np.sign(x) * (_SOFT_LIMIT + np.log1p(np.maximum(size - _SOFT_LIMIT, 0))), x)


def scale_by_shots(shots: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Standardise both, ``(n, channels, length)``, by each channel's mean and deviation over the shots' observed cells.

    A channel of which the shots show nothing becomes unobserved in both; one that is constant in them becomes 0.
    """
    mean, std = moments(shots, axis=(0, 2))
    dead = ~(std > 1e-6 * np.maximum(np.abs(mean), 1e-6))
    inverse = np.where(dead, 0.0, 1.0 / np.where(dead, 1.0, std))
    return soften((shots - mean) * inverse), soften((targets - mean) * inverse)


class EpisodeStream:
    """Endless batches from real sets and synthetic domains.

    Args:
        domains: the real sets; may be empty when ``synthetic_share`` is 1.
        seed: of everything drawn.
        cells: about how many time steps of targets a batch holds; the number of series follows from it.
        targets: series to denoise per episode.
        synthetic_share: share of episodes that come from synthetic domains.
        lengths, length_shares, channels, channel_shares: what to draw from, and how often.
        prompt_steps: at most this many time steps of shots an episode, so that long series bring fewer shots.

    A real set that is too short or has too few channels for what was drawn is passed over; where none fits, the episode
    is a synthetic one, whatever ``synthetic_share``.

    Raises:
        InputError: no domains, and not all episodes synthetic.
    """

    def __init__(
        self,
        domains: Sequence[Domain],
        *,
        seed: int = 0,
        cells: int = 8192,
        targets: int = 16,
        synthetic_share: float = 0.3,
        lengths: Sequence[int] = LENGTHS,
        length_shares: Sequence[float] = LENGTH_SHARES,
        channels: Sequence[int] = CHANNELS,
        channel_shares: Sequence[float] = CHANNEL_SHARES,
        prompt_steps: int = 2048,
    ) -> None:
        if not domains and synthetic_share < 1:
            raise InputError("no real sets to draw from", fix="Give domains, or synthetic_share = 1.")
        self.domains = list(domains)
        self.rng = np.random.default_rng(seed)
        self.cells, self.targets, self.synthetic_share, self.prompt_steps = (
            cells,
            targets,
            synthetic_share,
            prompt_steps,
        )
        self.lengths, self.channels = np.array(lengths), np.array(channels)
        self.length_shares = np.array(length_shares) / np.sum(length_shares)
        self.channel_shares = np.array(channel_shares) / np.sum(channel_shares)

    def state_dict(self) -> dict[str, Any]:
        """JSON-able position of the stream."""
        return {"bit_generator": self.rng.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`state_dict`."""
        self.rng.bit_generator.state = state["bit_generator"]

    def __iter__(self) -> EpisodeStream:
        return self

    def __next__(self) -> Batch:
        rng = self.rng
        length = int(rng.choice(self.lengths, p=self.length_shares))
        channels = int(rng.choice(self.channels, p=self.channel_shares))
        targets = max(4, min(self.targets, self.targets * 64 // length))
        episodes = max(2, round(self.cells / (length * targets)))
        shots = int(rng.choice([10, int(np.exp(rng.uniform(0, np.log(33))))]))
        shots = max(1, min(shots, self.prompt_steps // length))
        drawn = [self._episode(channels, length, shots, targets) for _ in range(episodes)]
        held = np.full((episodes, shots, channels, length), np.nan)
        for i, (own, _, _) in enumerate(drawn):
            held[i, : len(own)] = own
        aimed = np.stack([other for _, other, _ in drawn])
        seen, aimed_seen = np.isfinite(held), np.isfinite(aimed)
        return Batch(
            np.where(seen, held, 0).astype(np.float32),
            seen,
            np.where(aimed_seen, aimed, 0).astype(np.float32),
            aimed_seen,
            np.array([row for _, _, row in drawn]),
        )

    def _episode(self, channels: int, length: int, shots: int, targets: int) -> tuple[np.ndarray, np.ndarray, int]:
        """Scaled shots and targets of one episode, with perhaps a sign, a time direction or a mixture of its own."""
        rng = self.rng
        for _ in range(8):
            own, other, row = self._raw(channels, length, shots, targets)
            own, other = scale_by_shots(own, other)
            seen = own[np.isfinite(own)]
            if len(seen) > own.size / 2 and np.isfinite(other).mean() > 0.5 and (row < 0 or seen.std() > 0):
                break
        else:
            own, other, row = (*self._synthetic(channels, length, shots, targets), -1)
            own, other = scale_by_shots(own, other)
        if rng.random() < 0.3:
            sign = rng.choice([-1.0, 1.0], (1, channels, 1))
            own, other, row = own * sign, other * sign, -1
        if rng.random() < 0.1:
            own, other, row = own[..., ::-1], other[..., ::-1], -1
        return own, other, row

    def _synthetic(self, channels: int, length: int, shots: int, targets: int) -> tuple[np.ndarray, np.ndarray]:
        series = draw_synthetic(self.rng, shots + targets, channels, length)
        return series[:shots], series[shots:]

    def _raw(self, channels: int, length: int, shots: int, targets: int) -> tuple[np.ndarray, np.ndarray, int]:
        rng = self.rng
        if rng.random() >= self.synthetic_share:
            weights = np.array([d.weight * (d.channels >= channels) * min(d.channels, 4) for d in self.domains])
            if channels == 1:
                weights = np.array([d.weight for d in self.domains])
            for _ in range(8 if weights.sum() > 0 else 0):
                domain = self.domains[int(rng.choice(len(self.domains), p=weights / weights.sum()))]
                found = draw_series(rng, domain, channels, length, shots, targets)
                if found is not None:
                    return (*found, domain.row)
        return (*self._synthetic(channels, length, shots, targets), -1)
