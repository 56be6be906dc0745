"""Few-shot tasks from the data pack: shots, and real series that overlap none of them, in original units.

Windows are dealt out over the whole recording: it is cut into cells of twice the window, shots and reference windows
lie in different cells, at random places within them. So both come from the same distribution, and no value is in both.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Task:
    """``shots (k, channels, length)``, ``real (n, channels, length)`` unseen ones, NaN where missing; channel names."""

    name: str
    shots: np.ndarray
    real: np.ndarray
    channels: tuple[str, ...]


def data_folder() -> Path:
    """The data pack: ``TSPROUT_DATA``, or ``../shared/data`` beside the repository."""
    return Path(os.environ.get("TSPROUT_DATA", Path(__file__).parents[1] / ".." / "shared" / "data")).resolve()


def find(name: str) -> Path:
    """The file of a set, whatever its role."""
    for role in ("eval", "pretrain", "extra"):
        path = data_folder() / role / f"{name}.npz"
        if path.is_file():
            return path
    raise SystemExit(f"{name}: not in {data_folder()}")


def few_shot(name: str, k: int, length: int, seed: int, *, most: int = 2000) -> Task:
    """``k`` shots of ``length`` steps and at most ``most`` unseen real series of the set ``name``."""
    rng = np.random.default_rng([seed, 77])
    with np.load(find(name), allow_pickle=False) as file:
        arrays = dict(file)
    if "series" in arrays:
        series = arrays["series"].astype(np.float32).T
        cell = 2 * length
        count = series.shape[1] // cell
        if count < k + 20:
            cell, count = length, series.shape[1] // length
        order = rng.permutation(count)
        starts = order * cell + rng.integers(0, cell - length + 1, size=count)
        windows = np.stack([series[:, s : s + length] for s in starts[: k + most]])
    elif "flat" in arrays:
        parts = [p for p in np.split(arrays["flat"], np.cumsum(arrays["lengths"])[:-1]) if len(p) >= length]
        order = rng.permutation(len(parts))
        starts = [int(rng.integers(0, len(parts[i]) - length + 1)) for i in order]
        windows = np.stack([parts[i][None, s : s + length] for i, s in zip(order, starts, strict=True)])
    else:
        found = [arrays[key][:, :length] for key in ("train_X", "test_X") if key in arrays]
        pool = np.concatenate(found).astype(np.float32).transpose(0, 2, 1)
        windows = pool[rng.permutation(len(pool))]
    names = arrays.get("channels")
    channels = tuple(map(str, names)) if names is not None else tuple(f"channel_{i}" for i in range(windows.shape[1]))
    # A channel without a value in the shots is refused by every command; a user leaves it out, and so do we.
    seen = np.flatnonzero(np.isfinite(windows[:k]).any(axis=(0, 2)))
    windows = windows[:, seen].astype(np.float32)
    return Task(name, windows[:k], windows[k : k + most], tuple(channels[i] for i in seen))
