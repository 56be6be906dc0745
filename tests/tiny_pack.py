"""A data pack of a few kilobytes: ramps, walks and shapes, in the layout of the real one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

HELD = "Held"


def write_pack(folder: Path, **more: dict) -> Path:
    """Write a pack with sets of every kind and role; ``more`` adds ``name={"role": ..., arrays}``."""
    rng = np.random.default_rng(0)
    walk = rng.standard_normal((2000, 3)).cumsum(0).astype(np.float32)
    walk[100:140, 1] = np.nan
    sets: dict[str, dict] = {
        "Walk": {"role": "pretrain", "series": walk},
        "Pieces": {
            "role": "extra",
            "series": rng.standard_normal((600, 2)).astype(np.float32),
            "segment_lengths": np.array([10, 290, 300]),
        },
        "Many": {
            "role": "extra",
            "flat": rng.standard_normal(12 * 100).astype(np.float32).cumsum(),
            "lengths": np.full(12, 100),
        },
        "UCR_Shapes": {
            "role": "extra",
            "train_X": rng.standard_normal((20, 150, 1)).astype(np.float32),
            "train_y": np.repeat([0, 1], 10),
            "test_X": rng.standard_normal((30, 140, 1)).astype(np.float32),
            "test_y": np.repeat([0, 1], 15),
        },
        HELD: {"role": "pretrain", "series": rng.standard_normal((900, 5)).cumsum(0).astype(np.float32)},
        "ETTh1": {"role": "pretrain", "series": np.ones((300, 1), np.float32)},
        "Judge": {"role": "eval", "series": np.ones((300, 1), np.float32)},
    } | more
    entries = []
    for name, parts in sets.items():
        role = parts["role"]
        (folder / role).mkdir(parents=True, exist_ok=True)
        np.savez(folder / role / f"{name}.npz", **{k: v for k, v in parts.items() if k != "role"})
        entries.append({"name": name, "role": role, "file": f"{role}/{name}.npz"})
    (folder / "manifest.json").write_text(json.dumps({"datasets": entries}))
    return folder
