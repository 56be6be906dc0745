"""Level and spread of every channel put right, for a model that is shown the shots and not trained.

A model that has never met a set draws its channels somewhat too high or low, too wide or narrow. A few samples show
by how much: mean and standard deviation over all of them are matched to those of the shots, channel by channel, by
one shift and one factor. Shapes, dependence and the ranking of series stay as the model draws them. Trained models
need none (measured in ``docs/experiments/first-checkpoint.md``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from tsprout.model import Denoiser
from tsprout.train.shots import Shots, encode_prompts

_SAMPLES, _STEPS = 128, 10
# A larger correction would say that the model has not understood the channel at all; it is then only met half-way.
_MOST = 4.0


@dataclass(frozen=True)
class Calibration:
    """``factor`` and ``shift``, one of each per channel, of scaled series."""

    factor: tuple[float, ...]
    shift: tuple[float, ...]

    def apply(self, latent: np.ndarray) -> np.ndarray:
        """Correct ``(n, channels, length)``; same shape, float32."""
        factor, shift = (np.array(v, dtype=np.float32)[:, None] for v in (self.factor, self.shift))
        corrected: np.ndarray = latent * factor + shift
        return corrected

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; inverse of :meth:`from_dict`."""
        return {"factor": list(self.factor), "shift": list(self.shift)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Calibration:
        """Build from :meth:`to_dict`'s output."""
        return cls(tuple(map(float, values["factor"])), tuple(map(float, values["shift"])))


def moments(values: np.ndarray, observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel over the observed cells of ``(n, channels, length)``."""
    count = np.maximum(observed.sum((0, 2)), 1)
    mean = np.where(observed, values, 0).sum((0, 2), dtype=np.float64) / count
    spread = np.where(observed, (values - mean[:, None]) ** 2, 0).sum((0, 2), dtype=np.float64) / count
    return mean, np.sqrt(spread)


@torch.no_grad()
def calibrate(model: Denoiser, shots: Shots, *, seed: int) -> Calibration:
    """The correction that gives samples of ``model``, shown ``shots``, the level and spread of the shots."""
    memory = encode_prompts(model, [shots.part().to(model.device)])
    length = int(np.median(shots.lengths))
    shape = (_SAMPLES, shots.values.shape[1], length)
    drawn = model.sample(shape, torch.Generator().manual_seed(seed), memory=memory, steps=_STEPS).cpu().numpy()
    mean, spread = moments(shots.values.numpy(), shots.observed.numpy())
    own, wide = moments(drawn, np.isfinite(drawn))
    usable = (spread > 0) & (wide > 0)
    factor = np.clip(np.where(usable, spread / np.where(usable, wide, 1), 1), 1 / _MOST, _MOST)
    shift = np.where(usable, mean - factor * own, 0)
    return Calibration(tuple(factor.tolist()), tuple(shift.tolist()))
