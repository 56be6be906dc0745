"""The log of a pre-training: ``log.jsonl``, and TensorBoard where it is asked for (extra ``tensorboard``).

One line every so many steps, of means since the line before: ``step``, ``seconds`` of training in all runs,
``windows`` seen, ``windows_per_second``, ``loss``, ``loss_by_noise`` (of the training series, by the nearest of the
validation's noise levels), ``gradient_norm``, ``rate``; where they were measured, ``held out`` (loss by noise level)
and ``few_shot``. What has been added up since the last line is part of the training state, and lines of steps after it
are cut off when a run is resumed: a broken run leaves the same lines as an unbroken one, times apart.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tsprout.errors import MissingExtraError
from tsprout.staging import from_os_error, write_file
from tsprout.train.loop import Step

LOG, BOARD = "log.jsonl", "tensorboard"
LEVELS = (0.05, 0.2, 0.6, 2.0, 8.0, 30.0)


def named(levels: Sequence[float | None]) -> dict[str, float]:
    """Values at :data:`LEVELS` by name, without those that are not there."""
    return {f"sigma {level:g}": value for level, value in zip(LEVELS, levels, strict=True) if value is not None}


class Record:
    """Adds steps up and writes lines; only rank 0 writes.

    Args:
        folder: where the log is.
        writes: False on all ranks but one.
        board: write for TensorBoard too.

    Raises:
        MissingExtraError: ``board`` without the extra ``tensorboard``.
    """

    def __init__(self, folder: Path, *, writes: bool = True, board: bool = False) -> None:
        self.folder, self.writes = folder, writes
        self.windows, self.before, self.begun = 0, 0.0, time.monotonic()
        self._clear()
        self._wants_board = board and writes
        self._board: Any = None
        if self._wants_board:
            _writer()

    def _clear(self) -> None:
        self.sums = [0.0] * (2 + 2 * len(LEVELS))
        self.steps, self.line_windows, self.line_seconds = 0, self.windows, self.seconds

    @property
    def seconds(self) -> float:
        """Of training, those of earlier runs included."""
        return self.before + time.monotonic() - self.begun

    def add(self, step: Step) -> None:
        """Take in a step, whose tally is windows, then loss and count of the series at each noise level."""
        windows, *by_level = step.tally
        self.windows += round(windows)
        self.steps += 1
        for place, value in enumerate([step.loss, step.norm, *by_level]):
            self.sums[place] += value

    def speed(self) -> float:
        """Windows a second since the last line."""
        return (self.windows - self.line_windows) / max(self.seconds - self.line_seconds, 1e-9)

    def line(self, number: int, rate: float, speed: float, more: Mapping[str, Any]) -> dict[str, Any]:
        """Write the line of step ``number``, with the :meth:`speed` before anything was measured; begin the next."""
        loss, norm, *by_level = self.sums
        totals, counts = by_level[: len(LEVELS)], by_level[len(LEVELS) :]
        steps = max(1, self.steps)
        line = {
            "step": number,
            "seconds": round(self.seconds, 3),
            "windows": self.windows,
            "windows_per_second": round(speed, 1),
            "loss": loss / steps,
            "loss_by_noise": named([t / n if n else None for t, n in zip(totals, counts, strict=True)]),
            "gradient_norm": norm / steps,
            "rate": rate,
            **more,
        }
        if self.writes:
            try:
                with open(self.folder / LOG, "a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
            except OSError as error:
                raise from_os_error(error, self.folder / LOG) from error
            if self._board is not None:
                for name, value in _scalars(line):
                    self._board.add_scalar(name, value, number)
        self._clear()
        return line

    def open(self, step: int) -> None:
        """Begin, or go on after ``step``: lines of later steps, and a torn one, are cut off."""
        self.begun = time.monotonic()
        if not self.writes:
            return
        path = self.folder / LOG
        if path.exists():
            kept = [line for line in path.read_text(encoding="utf-8").splitlines() if _step(line) <= step]
            write_file(path, "".join(f"{line}\n" for line in kept))
        if self._wants_board:
            self._board = _writer()(str(self.folder / BOARD), purge_step=step + 1)

    def sync(self) -> None:
        """Have the log on the disk, before a state that says so."""
        if self.writes and (self.folder / LOG).exists():
            with open(self.folder / LOG, "rb") as file:
                os.fsync(file.fileno())

    def close(self) -> None:
        """Write out what TensorBoard has not yet."""
        if self._board is not None:
            self._board.close()

    def state_dict(self) -> dict[str, Any]:
        """JSON-able; inverse of :meth:`load_state_dict`."""
        return {
            "windows": self.windows,
            "seconds": self.seconds,
            "sums": self.sums,
            "steps": self.steps,
            "line": [self.line_windows, self.line_seconds],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`state_dict`."""
        self.windows, self.before, self.steps = int(state["windows"]), float(state["seconds"]), int(state["steps"])
        self.sums, self.begun = list(state["sums"]), time.monotonic()
        self.line_windows, self.line_seconds = state["line"]


def _step(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")


def _scalars(line: Mapping[str, Any]) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for name, value in line.items():
        if isinstance(value, Mapping):
            found += [(f"{name}/{key}", float(inner)) for key, inner in value.items()]
        elif name != "step":
            found.append((name, float(value)))
    return found


def _writer() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError(
            "writing for TensorBoard needs the extra 'tensorboard'", fix='pip install "tsprout[tensorboard]"'
        ) from error
    return SummaryWriter
