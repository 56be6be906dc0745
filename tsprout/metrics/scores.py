"""What a comparison found: every score beside its floor and its ceilings, and in words.

A score alone says nothing at a small sample size. Each one therefore comes with what *another real sample* of the same
size scores (the floor), and what two generators score that take no skill (the ceilings): handing back the shots, drawn
with replacement, and independent Gaussian noise with the right mean and spread.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from tsprout.metrics import verdicts as words
from tsprout.metrics.verdicts import Interval


@dataclass(frozen=True)
class Score:
    """One metric of one comparison.

    Attributes:
        name, title, direction, range, unit, explanation: of the metric.
        value: the synthetic series'.
        floor: another real sample's.
        shots: what handing back the shots scores.
        noise: what Gaussian noise with the right mean and spread per channel scores.
        few: there are so few real series that the value is a rough guide.
        verdict: one of the sentences of :mod:`tsprout.metrics.verdicts`.
        group: of the metric.
    """

    name: str
    title: str
    direction: str
    range: tuple[float, float]
    unit: str
    explanation: str
    value: Interval
    floor: Interval
    shots: Interval
    noise: Interval
    few: bool
    verdict: str
    group: str = "fidelity"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; None stands for NaN and for an infinite end of the range."""
        entry = {key: getattr(self, key) for key in ("name", "title", "group", "direction", "unit", "explanation")}
        entry["range"] = [_plain(end) for end in self.range]
        entry["value"] = _plain(self.value.mean)
        entry["interval"] = [_plain(self.value.low), _plain(self.value.high)]
        entry["floor"] = _plain(self.floor.mean)
        entry["floor_interval"] = [_plain(self.floor.low), _plain(self.floor.high)]
        entry["shots_copied"] = _plain(self.shots.mean)
        entry["noise"] = _plain(self.noise.mean)
        entry["few"] = self.few
        entry["verdict"] = self.verdict
        return entry


@dataclass(frozen=True)
class Scores:
    """All scores of one comparison, by name, with how they came about.

    Attributes:
        scores: in the order of the suite.
        n_real, n_synthetic, n_shots: series given.
        sample_size: series on each side of every single comparison.
        repeats: comparisons that each value is the mean of.
        held_out: whether the real series are others than the shots.
        few: fewer than 20 real (or 10 synthetic) series, so that the scores are a rough guide.
        seed: everything random follows from it.
        notes: sentences on how to read this.
    """

    scores: tuple[Score, ...]
    n_real: int
    n_synthetic: int
    n_shots: int
    sample_size: int
    repeats: int
    held_out: bool
    few: bool
    seed: int
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Score]:
        return iter(self.scores)

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, name: str) -> Score:
        for score in self.scores:
            if score.name == name:
                return score
        raise KeyError(name)

    def table(self) -> list[dict[str, Any]]:
        """One flat dict a score, ready for a data frame: title, value, floor, ceilings, verdict; None for NaN."""
        rows = []
        for score in self.scores:
            entry = score.to_dict()
            (low, high), (floor_low, floor_high) = entry.pop("interval"), entry.pop("floor_interval")
            kept = {key: entry[key] for key in ("name", "title", "direction", "unit", "value")}
            kept |= {
                "low": low,
                "high": high,
                "floor": entry["floor"],
                "floor_low": floor_low,
                "floor_high": floor_high,
            }
            rows.append(kept | {key: entry[key] for key in ("shots_copied", "noise", "few", "verdict", "explanation")})
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values for JSON, the summary included."""
        facts = {
            entry.name: getattr(self, entry.name) for entry in fields(self) if entry.name not in ("scores", "notes")
        }
        scores = {score.name: score.to_dict() for score in self.scores}
        return {"summary": self.summary(), **facts, "notes": list(self.notes), "scores": scores}

    def summary(self) -> str:
        """In a few sentences: how many scores came out how, whether the series are copies, and how far to trust it."""
        if not self.scores and self.notes:
            return self.notes[0]
        fidelity = [score for score in self.scores if score.verdict in (*words.TOLD, words.UNCLEAR)]
        blind = sum(score.verdict == words.BLIND for score in self.scores)
        counts = [(said, sum(score.verdict == said for score in fidelity)) for said in words.TOLD]
        told = sum(count for _, count in counts)
        if not told:
            good = f"There are too few {self._scarce} series to tell how good the synthetic series are."
            if blind and not fidelity:
                good = "No score can tell here how good the synthetic series are."
        else:
            parts = [f"{said} on {count}" for said, count in counts if count]
            good = f"The synthetic series are {_and(parts)} of {len(fidelity)} scores."
            if told < len(fidelity):
                rest = "the last" if len(fidelity) - told == 1 else f"the other {len(fidelity) - told}"
                good += f" On {rest} there are too few series to tell."
        verdicts = {score.verdict for score in self.scores}
        found = [good, *_copying(verdicts)]
        if blind and fidelity:
            found.append(f"{blind} more {'score' if blind == 1 else 'scores'} cannot tell here.")
        if words.HELPS in verdicts and words.HARMS not in verdicts:
            found.append("Added to your series they make a better model than your series alone.")
        if self.few and told:
            number = self.n_real if self._scarce == "real" else self.n_synthetic
            found.append(f"Take this as a rough guide: there are only {number} {self._scarce} series to compare with.")
        return " ".join(found)

    @property
    def _scarce(self) -> str:
        """Which series are the fewer: half of the real ones stand beside the synthetic ones."""
        return "real" if self.n_real <= 2 * self.n_synthetic else "synthetic"


def _copying(verdicts: set[str]) -> list[str]:
    """Whether the series are copies, in at most two sentences; none where no score says."""
    found = [sentence for verdict, sentence in words.OF_COPIES.items() if verdict in verdicts][:1]
    if words.LEAKS not in verdicts:
        return found
    if found == [words.OF_COPIES[words.FAR_ENOUGH]]:
        return ["They are no plain copies, yet they tell which real series were among yours."]
    return [*found, words.OF_LEAKS]


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _and(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
