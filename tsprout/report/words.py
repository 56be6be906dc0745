"""The sentences of the report: what the scores say about copies, how far to trust them, and what they cannot say."""

from __future__ import annotations

from dataclasses import dataclass

from tsprout.metrics import verdicts
from tsprout.metrics.scores import Score, Scores
from tsprout.report.svg import number

GRADES = {
    verdicts.AS_GOOD: "good",
    verdicts.FAR_ENOUGH: "good",
    verdicts.BETTER: "fair",
    verdicts.SAME: "level",
    verdicts.WORSE: "poor",
    verdicts.TOO_NEAR: "poor",
    verdicts.COPIES: "poor",
    verdicts.TOO_FAR: "poor",
}
_COPIES = {
    verdicts.COPIES: "They are close to copies of your series.",
    verdicts.TOO_NEAR: "They are nearer to your series than unseen real ones would be.",
    verdicts.TOO_FAR: "They are no copies, but further from your series than unseen real ones would be.",
    verdicts.FAR_ENOUGH: "They show no sign of being copies.",
    verdicts.UNCLEAR: "There are too few series to tell whether they are copies.",
}
LIMITS = (
    "A score compares sets, it does not vouch for a single series. Nor does it say whether the synthetic series serve "
    "your purpose: try that with the purpose itself.",
    "What none of the given series shows, rare events above all, is missing or wrong in the synthetic ones, and no "
    "score that is computed from those same series can notice.",
    "This is no proof of privacy. The distances find series that repeat a given one step by step; they do not find "
    "copies that were shifted in time or rescaled, and they bound nothing about what an attacker could learn.",
)
LIMIT_FEW = (
    "With so few real series every number here would come out differently with another handful. Read the size of a "
    "difference, not its decimals."
)


@dataclass(frozen=True)
class Statement:
    """A heading, what it rests on, and a grade for its colour."""

    heading: str
    body: str
    grade: str


def grade(score: Score) -> str:
    """``good``, ``fair``, ``level``, ``poor``, or ``open`` when nothing can be said."""
    return GRADES.get(score.verdict, "open")


def tally(scores: Scores) -> list[tuple[str, int, str]]:
    """Verdicts with the number of scores that have them, best first, and their grades."""
    order = [*GRADES, verdicts.UNCLEAR, verdicts.NOT_APPLICABLE]
    found = {score.verdict: 0 for score in scores}
    for score in scores:
        found[score.verdict] += 1
    known = sorted(found, key=lambda words: order.index(words) if words in order else len(order))
    return [(words, found[words], GRADES.get(words, "open")) for words in known]


def copying(scores: Scores) -> Statement:
    """What the two scores of copying say together, the worse one first."""
    by_name = {score.name: score for score in scores}
    ratio, near = by_name.get("copying"), by_name.get("near_copies")
    said = [score.verdict for score in (ratio, near) if score is not None]
    verdict = next((words for words in _COPIES if words in said), None)
    if verdict is None:
        body = "There are no distances between real series that those of synthetic ones could be held against."
        return Statement("Whether they are copies could not be measured.", body, "open")
    parts = []
    if ratio is not None and ratio.value.known:
        others = "an unseen real one" if scores.held_out else "one of yours is from the others"
        parts.append(
            f"The typical synthetic series is {number(ratio.value.mean, 2)} times as far from the nearest of your "
            f"series as {others}."
        )
    if near is not None and near.value.known:
        parts.append(
            f"{_percent(near.value.mean)} of them are nearer to one of yours than real ones come, where "
            f"{_percent(near.floor.mean)} would be by chance."
        )
    return Statement(_COPIES[verdict], " ".join(parts), GRADES.get(verdict, "open"))


def trust(scores: Scores) -> Statement:
    """How many series the scores rest on, and what follows from it."""
    if scores.few:
        heading = "A rough guide: there are few series to compare with."
    elif not scores.held_out:
        heading = "Compared with the series they were made from."
    else:
        heading = "Compared with real series that the model has not seen."
    body = f"{scores.n_real:,} real and {scores.n_synthetic:,} synthetic series"
    if scores.repeats:
        body += (
            f", {scores.sample_size:,} against {scores.sample_size:,} in every comparison, {scores.repeats} times over"
        )
    return Statement(heading, f"{body}.", "open" if scores.few or not scores.held_out else "good")


def many(n: int, thing: str) -> str:
    """``1 channel``, ``12 channels``."""
    return f"{n:,} {thing}" if n == 1 else f"{n:,} {thing}s"


def _percent(share: float) -> str:
    return "–" if share != share else f"{100 * share:.0f} %"
