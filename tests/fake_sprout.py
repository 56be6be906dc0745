"""A Sprout that needs no training, for tests of what is around the model: it hands out the shots and a little noise."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from tsprout.checkpoint import SHOTS
from tsprout.data.scaling import Scaler
from tsprout.errors import CheckpointError
from tsprout.identity import new_ids, new_times
from tsprout.series import SeriesSet


@dataclass
class FakeReport:
    mode: str = "prompt"
    requested: str = "auto"
    reason: str = "Nothing was trained."
    steps: int = 0
    seconds: float = 0.0
    validation: dict[str, float] = field(default_factory=dict)
    held_back: int = 0
    notes: tuple[str, ...] = ("a note of the fit",)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class FakeSprout:
    """The part of the interface of Sprout that the jobs use; ``before_batch`` lets a test break in while it samples."""

    before_batch = staticmethod(lambda done: None)
    batch_size = 64
    device = "cpu"

    def __init__(self) -> None:
        self.shots: SeriesSet | None = None
        self.scaler: Scaler | None = None
        self.fit_report: FakeReport | None = None
        self.config = SimpleNamespace(name="fake")
        self.notes: tuple[str, ...] = ()

    @classmethod
    def from_pretrained(cls, name_or_path: str = "small", *, device: str = "cpu") -> FakeSprout:
        fake = cls()
        if name_or_path == "small":
            return fake
        folder = Path(name_or_path)
        if not (folder / "config.json").is_file():
            raise CheckpointError("there is no such model", where=str(folder), fix="See tsprout models.")
        shots = np.load(folder / SHOTS)
        return fake._fitted(SeriesSet.from_arrays(shots["values"], channels=list(shots["channels"])), "auto")

    def _fitted(self, shots: SeriesSet, mode: str, **how: Any) -> FakeSprout:
        fitted = type(self)()
        fitted.device = self.device
        fitted.shots, fitted.scaler = shots, Scaler.fit(shots, **how)
        fitted.fit_report = FakeReport(requested=mode)
        return fitted

    def fit(
        self,
        data: SeriesSet,
        mode: str = "auto",
        *,
        budget: Any = "60s",
        seed: int = 0,
        bounds: Any = None,
        transforms: Any = None,
        progress: Any = None,
    ) -> FakeSprout:
        if progress is not None:
            progress("fit", 1, 1)
        return self._fitted(data, mode, bounds=bounds, transforms=transforms)

    def sample_batches(
        self,
        n: int,
        *,
        length: int | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        solver: str | None = None,
        seed: int = 0,
        batch_size: int | None = None,
        progress: Any = None,
    ) -> Iterator[SeriesSet]:
        shots = self.shots
        assert shots is not None
        rng = np.random.default_rng(seed)
        size = batch_size or self.batch_size
        for start in range(0, n, size):
            self.before_batch(start)
            rows = rng.integers(0, len(shots), min(size, n - start))
            values = shots.values[rows] + 0.01 * rng.standard_normal(shots.values[rows].shape).astype(np.float32)
            if length is not None:
                values = np.concatenate([values] * (length // values.shape[2] + 1), axis=2)[:, :, :length]
            lengths = shots.lengths[rows] if length is None else np.full(len(rows), length)
            yield SeriesSet.from_arrays(
                values.astype(np.float32)[:, :, : lengths.max()],
                lengths=lengths,
                channels=shots.channels,
                ids=new_ids(shots, start, len(rows)),
                times=new_times(shots, rows, int(lengths.max())),
                frequency=shots.frequency,
                schema=shots.schema,
            )
            if progress is not None:
                progress("sample", start + len(rows), n)

    def save_pretrained(self, folder: str | Path, *, force: bool = False) -> None:
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=force)
        (folder / "config.json").write_text(json.dumps({"name": "fake"}), encoding="utf-8")
        assert self.shots is not None
        with (folder / SHOTS).open("wb") as file:
            np.savez(file, values=self.shots.values, channels=np.array(self.shots.channels))
