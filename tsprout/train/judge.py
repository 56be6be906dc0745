r"""The judge of a fit: how well do a model's samples serve series it was not trained on?

The measure is the energy score (Gneiting and Raftery 2007), :math:`E|X - y| - \frac12 E|X - X'|` for samples
:math:`X, X'` and a held-back series :math:`y`: a proper scoring rule, lowest in expectation for the true
distribution, that needs only samples and works with two or three held-back series. It is taken of the series and of
their increments, for a model can get the levels right and the fine structure wrong, and added up. (The denoising loss
itself proved a poor judge: it is lowest for a cautious, blurred denoiser, whose samples are too noisy.)

Beside it stands the guard against copying: the distance of samples to the nearest shot, in units of that at which
series of the set lie from each other's nearest, held back or not. (The two or three held back alone say it less well:
on ten sets of domains never seen the logarithm was off by .24 instead of .20, docs/experiments/fine-tuning.md.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from tsprout.errors import TrainingError
from tsprout.model import Denoiser
from tsprout.train.calibration import correction
from tsprout.train.drawing import Drawing, draw_latent
from tsprout.train.shots import Shots, memory_of

MIN_TO_HOLD_BACK = 5
# Below this share of the distance at which unseen series lie from the shots, samples count as copies.
LEAST_COPYING_RATIO = 0.5
# From this share on they are clear of the shots. Trained on all of them, a model may come nearer than the judge saw
# (docs/experiments/fine-tuning.md).
CLEAR_COPYING_RATIO = 0.7
_SAMPLES, _FEWEST, _MOST_STEPS = 128, 16, 10  # samples of all labels together, and of one at least
_MANY = 1024  # shots, from which on distances are products of matrices, and so many at a time
_MOST_APART = 256  # shots whose distance to the others is measured, at most


@dataclass(frozen=True)
class Judgement:
    """``score``: energy score on the held-back series, lower is better. ``copying``: median distance of samples to the
    nearest shot over that of real series to the nearest other (1: as far as unseen series, 0: copies)."""

    score: float
    copying: float

    @property
    def copies(self) -> bool:
        """Whether the samples are as good as copies of the shots."""
        return self.copying < LEAST_COPYING_RATIO

    @property
    def clear(self) -> bool:
        """Whether the samples keep away from the shots about as unseen series do."""
        return self.copying >= CLEAR_COPYING_RATIO


def hold_back(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Indices of ``count`` shots to train on, and to hold back: a quarter, at least two; none of fewer than five."""
    order = rng.permutation(count)
    held = 0 if count < MIN_TO_HOLD_BACK else min(64, max(2, -(-count // 4)))
    return np.sort(order[held:]), np.sort(order[:held])


def _few_lengths(lengths: np.ndarray) -> np.ndarray:
    """What each series is cut to before it is judged: every length costs samples of its own, so three at most."""
    own = np.unique(lengths)
    if len(own) <= 3:
        return lengths
    few = own[[0, len(own) // 2, -1]]
    return few[np.searchsorted(few, lengths, side="right") - 1]


def _distances(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """Root mean squared difference over the cells with ``weight`` 1, of every pair of rows: ``(len(a), len(b))``."""
    return torch.cdist(a * weight, b * weight) / weight.sum().clamp(min=1).sqrt()


def energy_score(samples: Tensor, series: Tensor, observed: Tensor) -> float:
    """Energy score of ``samples (n, cells)`` for one series ``(cells,)`` over its ``observed`` cells."""
    weight = observed.to(samples.dtype)
    count = len(samples)
    near = _distances(samples, series[None], weight).mean()
    spread = _distances(samples, samples, weight).sum() / (count * (count - 1))
    return float(near - spread / 2)


class Judge:
    """Judges models by samples drawn with ``shots`` as the prompt against ``held``; always from the same noise.

    Args:
        shots: scaled series the model may be shown.
        held: scaled series held back, at least one.
        seed: of the noise.
    """

    def __init__(self, shots: Shots, held: Shots, *, seed: int) -> None:
        self.shots, self.seed = shots, seed
        steps, both = _increments(shots)
        mean_square = (steps**2 * both).sum((0, 2)) / both.sum((0, 2)).clamp(min=1)
        rms = mean_square.sqrt()[:, None]
        # Of a channel that never changes within a series, the increments say nothing.
        self.step_scale = torch.where(rms > 1e-3, rms + 1e-3, torch.inf)
        # A channel that is the same throughout the shots says nothing.
        low, high = (torch.where(shots.observed, shots.values, end) for end in (torch.inf, -torch.inf))
        self.alive = (high.amax((0, 2)) > low.amin((0, 2))).to(shots.values.dtype)[:, None]
        self.held = replace(held, values=held.values * self.alive)
        self.at = _few_lengths(held.lengths)
        self._units: dict[int, float] = {}

    @torch.no_grad()
    def __call__(self, model: Denoiser, row: int | None, *, trained: bool = True) -> Judgement:
        """Judge ``model`` with its ``row`` in the token table, its samples corrected by the shots as the product does.

        Raises:
            TrainingError: the model draws values that are not finite.
        """
        was = model.training
        model.eval()
        scores, ratios = [], []
        labels = self.held.by_label()
        for length, label in [(length, label) for length in np.unique(self.at) for label in labels]:
            members = labels[label][self.at[labels[label]] == length]
            if len(members) == 0:
                continue
            own = self.shots.alike(label)
            count, generator = max(_FEWEST, _SAMPLES // len(labels)), torch.Generator().manual_seed(self.seed)
            how, parts = Drawing(min(_MOST_STEPS, model.config.steps)), []
            for each, shown in own.in_turn(count, np.random.default_rng(self.seed)):
                shape, memory = (each, own.values.shape[1], int(length)), memory_of(model, shown)
                parts.append(draw_latent(model, shape, generator, row=row, memory=memory, how=how))
            raw = np.concatenate(parts)
            if not np.isfinite(raw).all():
                raise TrainingError("the model draws values that are not finite", fix="Choose mode prompt.")
            fix = correction(raw, own, trained=trained)
            drawn = torch.from_numpy(fix.apply(raw)) * self.alive
            some = self.held[members].cut(int(length))
            moves, known = _increments(some)
            drawn_moves = drawn.diff(dim=-1) / self.step_scale
            for i in range(len(some)):
                level = energy_score(drawn.flatten(1), some.values[i].flatten(), some.observed[i].flatten())
                move = (moves[i] / self.step_scale).flatten()
                scores.append(level + energy_score(drawn_moves.flatten(1), move, known[i].flatten()))
            ratios.append(self._ratio(drawn))
        model.train(was)
        return Judgement(float(np.mean(scores)), float(np.median(ratios)))

    def _ratio(self, drawn: Tensor) -> float:
        """Distance of samples to the shots of at least their length, in units of that of real series: those held back
        to the shots, and each shot to the others."""
        length = drawn.shape[-1]
        long = np.flatnonzero(self.shots.lengths >= length)
        if len(long) == 0:
            return 1.0
        own = self.shots[long].cut(length)
        if length not in self._units:
            self._units[length] = self._unit(own, self.held[np.flatnonzero(self.at == length)].cut(length))
        unit = self._units[length]
        found = _nearest(drawn, self.alive.expand(drawn.shape), own).median()
        return float(found / unit) if 0 < unit < math.inf else 1.0

    def _unit(self, own: Shots, held: Shots) -> float:
        """Median distance of a real series to the nearest other, infinite where there is nothing to compare."""
        away = _nearest(held.values, held.observed * self.alive, own, others=True)
        some = np.unique(np.linspace(0, len(own) - 1, _MOST_APART).astype(int))
        apart = _nearest(own.values[some], own.observed[some] * self.alive, own, others=True)
        real = torch.cat([away, apart])
        real = real[real.isfinite()]
        return float(real.median()) if len(real) else math.inf


def _nearest(series: Tensor, weight: Tensor, shots: Shots, *, others: bool = False) -> Tensor:
    """Root mean squared difference of every series to the nearest shot, over the cells that both show: ``(n,)``.

    ``others``: not to itself or to a series that is the same throughout. Infinite where there is nothing to compare.
    """
    if len(shots) > _MANY:
        return _nearest_of_many(series, weight, shots, others=others)
    out = torch.full((len(series),), torch.inf)
    for shot, observed in zip(shots.values, shots.observed, strict=True):
        both = weight * observed
        count = both.sum((1, 2))
        distance = ((series - shot) ** 2 * both).sum((1, 2)).div(count.clamp(min=1)).sqrt()
        known = (count > 0) & (distance > 0) if others else count > 0
        out = torch.minimum(out, torch.where(known, distance, torch.inf))
    return out


def _nearest_of_many(series: Tensor, weight: Tensor, shots: Shots, *, others: bool) -> Tensor:
    """The same by products of matrices, which is a hundred times as fast for thousands of shots, to rounding."""
    out = torch.full((len(series),), torch.inf, dtype=torch.float64)
    own, w = series.double().flatten(1), weight.expand(series.shape).double().flatten(1)
    for start in range(0, len(shots), _MANY):
        part = slice(start, start + _MANY)
        seen = shots.observed[part].double().flatten(1)
        shown = shots.values[part].double().flatten(1)
        count = w @ seen.T
        both = (w * own**2) @ seen.T + w @ (seen * shown**2).T
        total = both - 2 * (w * own) @ (seen * shown).T
        total[total < 1e-12 * both] = 0  # what rounding leaves of equal series is no distance
        known = (count > 0) & (total > 0) if others else count > 0
        away = torch.where(known, (total / count.clamp(min=1)).sqrt(), torch.inf)
        out = torch.minimum(out, away.min(dim=1).values)
    return out.to(series.dtype)


def _increments(shots: Shots) -> tuple[Tensor, Tensor]:
    """Differences of consecutive steps, and where both of them are observed."""
    return shots.values.diff(dim=-1), shots.observed[..., 1:] & shots.observed[..., :-1]
