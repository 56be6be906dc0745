"""Corpora and data folders of a few kilobytes: ramps, walks and shapes, through the package's own writer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from data_server import write_catalogue

from tsprout.data.catalog.entry import Catalogue, read_catalogue
from tsprout.data.corpus.store import MAPPED_BYTES, Corpus
from tsprout.data.corpus.writer import BATCH_VALUES, SHARD_BYTES, CorpusWriter

HELD = "Held"
TRAINED = ["Many", "Pieces", "Shapes", "Walk"]


def corpus_of(
    folder: Path,
    *,
    mapped: int = MAPPED_BYTES,
    shard_bytes: int = SHARD_BYTES,
    batch_values: int = BATCH_VALUES,
    **sets: Any,
) -> Corpus:
    """A corpus of ``name={"pieces": [(channels, steps), ...], "domain": ..., "instances": ..., "labels": ...}``."""
    folder.mkdir(parents=True, exist_ok=True)
    with CorpusWriter(folder, shard_bytes=shard_bytes, batch_values=batch_values) as writer:
        for name, given in sets.items():
            facts: dict[str, Any] = {"domain": "nature", "instances": False, **given}
            writer.add(name, facts.pop("pieces"), **facts)
    return Corpus(folder, mapped=mapped)


def small_corpus(folder: Path) -> Corpus:
    """Four sets of every kind to train on, and one that is held out."""
    rng = np.random.default_rng(0)
    walk = rng.standard_normal((3, 2000)).cumsum(1)
    walk[1, 100:140] = np.nan
    return corpus_of(
        folder,
        Walk={"pieces": [walk]},
        Pieces={"pieces": [rng.standard_normal((2, steps)) for steps in (290, 300)], "domain": "industry"},
        Many={"pieces": [rng.standard_normal((1, 100)).cumsum(1) for _ in range(12)], "domain": "web"},
        Shapes={
            "pieces": [rng.standard_normal((1, 140)) for _ in range(50)],
            "domain": "shape",
            "instances": True,
            "labels": np.repeat([0, 1], 25),
        },
        Held={"pieces": [rng.standard_normal((5, 900)).cumsum(1)], "held_out": True},
    )


def noisy_walk(steps: int, channels: int, seed: int) -> np.ndarray:
    """``(channels, steps)`` float64: a random walk with noise on it, which turns often enough to be recognised."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((channels, steps)).cumsum(1) + rng.standard_normal((channels, steps))


def data_folder(folder: Path, **more: Mapping[str, Any]) -> Path:
    """A data folder, ``<role>/<name>.npz`` and ``catalogue.toml``, with sets of every kind and role.

    ``more`` adds ``name={"entry": {...}, arrays}``: changes of the entry, and the arrays of the file.
    """
    rng = np.random.default_rng(0)
    walk = rng.standard_normal((2000, 3)).cumsum(0)
    walk[100:140, 1] = np.nan
    test = rng.standard_normal((30, 150, 1))
    test[:, 140:] = np.nan
    sets: dict[str, Mapping[str, Any]] = {
        "Walk": {"entry": {"role": "pretrain"}, "series": walk},
        "Pieces": {
            "entry": {"domain": "industry"},
            "series": rng.standard_normal((600, 2)),
            "segment_lengths": np.array([10, 290, 300]),
        },
        "Many": {
            "entry": {"domain": "web"},
            "flat": rng.standard_normal((12, 100)).cumsum(1).ravel(),
            "lengths": np.full(12, 100),
        },
        "Shapes": {
            "entry": {"domain": "shape"},
            "train_X": rng.standard_normal((20, 150, 1)),
            "train_y": np.repeat(["low", "up"], 10),
            "test_X": test,
            "test_y": np.repeat(["low", "up"], 15),
        },
        HELD: {"entry": {"role": "pretrain", "held_out": True}, "series": rng.standard_normal((900, 5)).cumsum(0)},
        "Priced": {"entry": {"left_out": "a vendor's terms"}, "series": rng.standard_normal((300, 1))},
        "Near": {"entry": {"near": ["Judge"]}, "series": rng.standard_normal((300, 1))},
        "Judge": {"entry": {"role": "eval"}, "series": noisy_walk(3000, 2, seed=5).T},
        **more,
    }
    tables = {}
    for name, given in sets.items():
        arrays: dict[str, Any] = {k: _plain(v) for k, v in given.items() if k != "entry"}
        table = _size(arrays) | {"role": "extra", "domain": "nature", "licence": "CC0", "citation": "made up"}
        tables[name] = table | dict(given["entry"])
        (folder / tables[name]["role"]).mkdir(parents=True, exist_ok=True)
        np.savez(folder / tables[name]["role"] / f"{name}.npz", **arrays)
    write_catalogue(folder, tables)
    return folder


def entries_of(folder: Path) -> Catalogue:
    """The data folder's own entries, without the bundled ones."""
    return Catalogue(read_catalogue(folder / "catalogue.toml"))


def _plain(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32) if values.dtype == np.float64 else values


def _size(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    if "series" in arrays:
        return {"kind": "recording", "steps": len(arrays["series"]), "channels": arrays["series"].shape[1]}
    if "flat" in arrays:
        return {"kind": "collection", "steps": len(arrays["flat"]), "series": len(arrays["lengths"]), "channels": 1}
    count, length, channels = arrays["train_X"].shape
    return {"kind": "instances", "train": count, "length": length, "channels": channels}
