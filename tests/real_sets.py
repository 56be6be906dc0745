"""Small made-up sets of every kind, and the real ones that are present, for the tests of the protocols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from tsprout.data.catalog.entry import Entry, Paper, Size, catalogue
from tsprout.data.catalog.folders import data_folders
from tsprout.data.catalog.sets import RealSet, load_set, presence


def names(channels: int) -> tuple[str, ...]:
    return tuple(f"c{i}" for i in range(channels))


def entry(size: Size, paper: Paper | None = None, code: float | None = None) -> Entry:
    return Entry("made", "extra", "nature", size, "none", "none", paper=paper, missing_code=code)


def recordings(
    *arrays: np.ndarray, kind: str = "recording", paper: Paper | None = None, code: float | None = None
) -> RealSet:
    """A recording, several end to end, or a collection, of ``(channels, steps)`` each."""
    steps = sum(a.shape[1] for a in arrays)
    size = Size(kind, len(arrays[0]), steps, len(arrays) if kind == "collection" else None)
    own = tuple(np.asarray(a, np.float32) for a in arrays)
    return RealSet(entry(size, paper, code), Path("made"), "", names(len(own[0])), recordings=own)


def instances(
    train: np.ndarray, test: np.ndarray | None = None, labels: Sequence[Sequence[object]] | None = None, **rest: object
) -> RealSet:
    """Instances ``(n, channels, length)``, with labels of both splits."""
    size = Size(
        "instances", train.shape[1], None, None, len(train), None if test is None else len(test), train.shape[2]
    )
    return RealSet(
        entry(size, **rest),  # type: ignore[arg-type]
        Path("made"),
        "",
        names(train.shape[1]),
        train=np.asarray(train, np.float32),
        test=None if test is None else np.asarray(test, np.float32),
        train_labels=None if labels is None else np.array(labels[0]),
        test_labels=None if labels is None or test is None else np.array(labels[1]),
    )


def ramp(steps: int, channels: int = 1) -> np.ndarray:
    """``(channels, steps)`` in which every value says where it is: channel times a million plus step."""
    return (np.arange(channels)[:, None] * 1e6 + np.arange(steps)).astype(np.float32)


def real(name: str) -> RealSet:
    """A set of the catalogue, or a skip with the reason."""
    if not presence(catalogue()[name])[0]:
        pytest.skip(f"{name} is in none of {', '.join(map(str, data_folders()))}: set TSPROUT_DATA")
    return _loaded(name)


_loaded = lru_cache(maxsize=2)(load_set)


def present() -> list[str]:
    """Names of all sets that are here."""
    return [name for name, known in catalogue().items() if presence(known)[0]]


def with_values(given: RealSet, arrays: Sequence[np.ndarray]) -> RealSet:
    """The same set with other values: its recordings, or its TRAIN and TEST."""
    if given.recordings:
        return replace(given, recordings=tuple(arrays))
    return replace(given, train=arrays[0], test=arrays[1] if given.test is not None else None)
