"""Settings that make the deep baselines small enough for a test, and sets to fit them to."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from typing import Any

import numpy as np

from tsprout.baselines import LatentBaseline, get
from tsprout.series import SeriesSet

# Tiny networks and a handful of steps: for shapes, seeds and files, not for quality.
SMALL: dict[str, dict[str, Any]] = {
    "timegan": {"hidden": 6, "layers": 2, "iterations": 3, "batch": 8},
    "timevae": {"latent": 3, "filters": (4, 6), "epochs": 3, "batch": 8, "trend": 2, "seasons": ((3, 2),)},
    "kovae": {"hidden": 6, "layers": 2, "latent": 4, "epochs": 4, "batch": 8},
    "kovae-irregular": {"hidden": 6, "layers": 1, "latent": 4, "epochs": 4, "batch": 8},
    "diffusion-ts": {
        "width": 8,
        "heads": 2,
        "encoders": 1,
        "decoders": 2,
        "diffusion_steps": 5,
        "steps": 4,
        "batch": 8,
    },
    "imagentime": {"width": 8, "multipliers": (1, 2), "blocks": 1, "attention": (4,), "epochs": 5, "steps": 3},
    "imagentime-stft": {"width": 8, "multipliers": (1, 2), "blocks": 1, "attention": (3,), "epochs": 5, "steps": 3},
}


def small(name: str, **settings: Any) -> LatentBaseline:
    """A tiny baseline of that name."""
    made = get(name)(**(SMALL[name] | settings))
    assert isinstance(made, LatentBaseline)
    return made


def waves(n: int, length: int = 12, channels: int = 2, seed: int = 0) -> np.ndarray:
    """Sines of random phase and level, ``(n, channels, length)``, of about unit variance."""
    rng = np.random.default_rng(seed)
    phase, level = rng.uniform(0, 2 * np.pi, (n, 1, 1)), rng.normal(0, 0.3, (n, 1, 1))
    time = np.arange(length) / length * 2 * np.pi
    shift = np.arange(channels)[:, None] * 0.7
    return (1.3 * np.sin(time + phase + shift) + level).astype(np.float32)


def set_of(values: np.ndarray, **facts: Any) -> SeriesSet:
    return SeriesSet.from_arrays(values, **facts)


def nearest(made: np.ndarray, shots: np.ndarray) -> np.ndarray:
    """Root mean square distance of each series to the nearest shot."""
    return np.sqrt(((made[:, None] - shots[None]) ** 2).mean(axis=(2, 3))).min(axis=1)


def covariance_error(made: np.ndarray, real: np.ndarray) -> float:
    """How far the second moments of all cells are off, relative to those of ``real``: 1 for a set of zeros."""
    flat = [x.reshape(len(x), -1) for x in (made, real)]
    one, two = (x.T @ x / len(x) for x in flat)
    return float(np.linalg.norm(one - two) / np.linalg.norm(two))


def noise_error(real: np.ndarray) -> float:
    """:func:`covariance_error` of white noise with the mean and deviation of ``real``."""
    made = np.random.default_rng(99).normal(real.mean(), real.std(), (256, *real.shape[1:]))
    return covariance_error(made, real)


def drawn(name: str, latent: np.ndarray, n: int, **settings: Any) -> tuple[np.ndarray, np.ndarray]:
    """``n`` latents of a small baseline fitted to latents, and the losses of its training."""
    from tsprout.baselines._deep import DeepBaseline

    baseline = small(name, **settings)
    assert isinstance(baseline, DeepBaseline)
    baseline._fit(latent, np.full(len(latent), latent.shape[2]), 1, None)
    return baseline._sample(n, 2), baseline.losses


@cache
def tiny_checkpoint() -> str:
    """The folder of a tiny model of the paper's kind, gone when Python ends."""
    from tiny_models import PADDED, woken

    from tsprout.checkpoint import Checkpoint, save

    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    save(Checkpoint(woken(PADDED)), f"{folder}/model")
    return f"{folder}/model"
