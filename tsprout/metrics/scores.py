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

AS_GOOD = "as good as another real sample"
BETTER = "better than handing back your series"
WORSE = "worse than handing back your series"
SAME = "about as good as handing back your series"
UNCLEAR = "too few series to tell"
FAR_ENOUGH = "as far from your series as unseen real ones"
TOO_NEAR = "nearer to your series than unseen real ones"
COPIES = "close to copies of your series"
TOO_FAR = "further from your series than unseen real ones"
NOT_APPLICABLE = "does not apply"

_COPIES_BELOW = 0.5
_NEAR_BELOW = 0.9  # with many series even a ratio that matters to nobody lies outside of chance
_TOLERANCE = 1.25
_TOLD = (AS_GOOD, BETTER, SAME, WORSE)


@dataclass(frozen=True)
class Interval:
    """A mean over repeated draws, and where 90 % of single draws lie; NaN when there is nothing."""

    mean: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")

    @property
    def known(self) -> bool:
        """Whether there is a value at all."""
        return math.isfinite(self.mean)


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
        verdict: one of the sentences of this module.
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

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; None stands for NaN and for an infinite end of the range."""
        entry = {key: getattr(self, key) for key in ("name", "title", "direction", "unit", "explanation")}
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
        """One sentence: how many scores came out how, whether the series are copies, and how far to trust it."""
        fidelity = [score for score in self.scores if score.verdict in (*_TOLD, UNCLEAR)]
        counts = [(words, sum(score.verdict == words for score in fidelity)) for words in _TOLD]
        parts = [f"{words} on {count}" for words, count in counts if count]
        told = sum(count for _, count in counts)
        if not told:
            sentence = "There are too few series to tell how good the synthetic ones are"
        else:
            sentence = f"Of {len(fidelity)} scores the synthetic series are {_and(parts)}"
            if told < len(fidelity):
                sentence += f", with too few series to tell on {len(fidelity) - told}"
        verdicts = [score.verdict for score in self.scores if score not in fidelity]
        if COPIES in verdicts:
            sentence += "; they are close to copies of your series"
        elif TOO_NEAR in verdicts:
            sentence += "; they are nearer to your series than unseen real ones would be"
        elif TOO_FAR in verdicts:
            sentence += "; they are further from your series than unseen real ones would be"
        elif FAR_ENOUGH in verdicts:
            sentence += "; they show no sign of being copies"
        if self.few and told:
            scarce = f"{self.n_real} real" if self.n_real <= 2 * self.n_synthetic else f"{self.n_synthetic} synthetic"
            sentence += f" (a rough guide: only {scarce} series to compare with)"
        return sentence + "."


def fidelity_verdict(value: Interval, floor: Interval, shots: Interval, noise: Interval, *, few: bool) -> str:
    """Where a lower-is-better value stands between its floor and what handing back the shots scores.

    At the floor is what lies within its spread, or at most a quarter above its mean: the spread of halves of one sample
    is narrower than that of samples. With few series a claim needs more: a value that is worse than the mean floor but
    within one and a half times its spread, or a score on which even noise passes for real, says nothing, unless hardly
    any two draws overlap.
    """
    if not value.known:
        return NOT_APPLICABLE
    if not floor.known:
        return UNCLEAR
    limit = max(floor.high, _TOLERANCE * floor.mean)
    apart = value.low > floor.high
    if value.mean <= (limit if not few or apart else max(limit, _wider(floor).high)):
        blind = noise.known and noise.mean <= limit
        return UNCLEAR if few and (blind or value.mean > floor.mean) else AS_GOOD
    if not shots.known:
        return UNCLEAR
    if few and apart and value.low > shots.high:
        return WORSE
    shots = _wider(shots) if few else shots
    if shots.low <= value.mean <= shots.high:
        return UNCLEAR if few else SAME
    return BETTER if value.mean < shots.low else WORSE


def copying_verdict(value: Interval, floor: Interval, *, enough: bool) -> str:
    """Where a distance ratio stands: 1 is as far from the shots as unseen real series are."""
    if not value.known:
        return NOT_APPLICABLE
    if not enough:
        return UNCLEAR
    if value.mean < min(_COPIES_BELOW, floor.low):
        return COPIES
    if value.mean < min(_NEAR_BELOW, floor.low):
        return TOO_NEAR
    return TOO_FAR if value.mean > max(floor.high, 1 / _COPIES_BELOW) else FAR_ENOUGH


def near_copies_verdict(value: Interval, floor: Interval, *, enough: bool) -> str:
    """Whether more synthetic series come near to a shot than unseen real series do."""
    if not value.known:
        return NOT_APPLICABLE
    if not enough:
        return UNCLEAR
    return FAR_ENOUGH if value.mean <= floor.high else TOO_NEAR


def _wider(interval: Interval) -> Interval:
    mean, low, high = interval.mean, interval.low, interval.high
    return Interval(mean, mean - 1.5 * (mean - low), mean + 1.5 * (high - mean))


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _and(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
