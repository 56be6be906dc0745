"""The sentences of the report: what the scores say about copies, how far to trust them, and what they cannot say."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tsprout.metrics import verdicts
from tsprout.metrics.scores import Score, Scores
from tsprout.report.svg import number

GRADES = {
    verdicts.AS_GOOD: "good",
    verdicts.FAR_ENOUGH: "good",
    verdicts.HELPS: "good",
    verdicts.BETTER: "fair",
    verdicts.SAME: "level",
    verdicts.WORSE: "poor",
    verdicts.TOO_NEAR: "poor",
    verdicts.SOME_NEAR: "poor",
    verdicts.COPIES: "poor",
    verdicts.COPIED: "poor",
    verdicts.TOO_FAR: "poor",
    verdicts.LEAKS: "poor",
    verdicts.HARMS: "poor",
}
_COPIES = verdicts.OF_COPIES | {verdicts.UNCLEAR: "There are too few series to tell whether they are copies."}
GRADES |= {
    said: "poor" for name in ("WORSE_THAN_REAL", "NO_BETTER_THAN_NOISE") if (said := getattr(verdicts, name, ""))
}
_CLASSIFIERS = ("two_sample", "discriminative_capable", "discriminative", "discriminative_paper")
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


def lead(scores: Scores) -> tuple[str, str]:
    """The judgement in one sentence, and the worst finding in another (empty where there is none)."""
    if not len(scores):
        return scores.summary(), ""
    judged = [score for score in scores if score.group != "copying" and score.value.known]
    grades = [grade(score) for score in judged if score.verdict in GRADES]
    poor = grades.count("poor")
    if not grades:
        sentence = "There are too few series to tell how good the synthetic ones are"
    elif poor == 0 and grades.count("good") == len(grades):
        sure = not scores.few and 2 * len(grades) > len(judged)
        sentence = "The synthetic series pass for real ones on every score that can tell"
        sentence = sentence if sure else "As far as can be told, the synthetic series pass for real ones"
    elif poor == 0:
        sentence = "The synthetic series come near to real ones, though not on every score"
    elif 2 * poor < len(grades):
        sentence = "The synthetic series are like real ones in some respects and not in others"
    else:
        sentence = "The synthetic series do not pass for real ones"
    said = [score.verdict for score in scores]
    join = ", and" if grades and 2 * poor >= len(grades) else ", but"
    if verdicts.COPIES in said:
        sentence += f"{join} they are close to copies of your series"
    elif verdicts.COPIED in said:
        sentence += f"{join} some of them are copies of your series, value for value"
    elif verdicts.LEAKS in said:
        sentence += f"{join} they give away which real series were among yours"
    elif verdicts.TOO_NEAR in said:
        sentence += f"{join} they lie nearer to your series than unseen real ones would"
    elif verdicts.SOME_NEAR in said:
        sentence += f"{join} more of them come close to one of your series than unseen real ones do"
    return f"{sentence}.", _worst(judged)


def _worst(judged: list[Score]) -> str:
    """In words what is furthest from real: first a classifier that nearly always knows, then by place to the noise."""
    poor = [score for score in judged if grade(score) == "poor"]
    by_name = {score.name: score for score in poor}
    found = max((by_name[name].value.mean for name in _CLASSIFIERS if name in by_name), default=0.0)
    if found >= 0.3:
        return f"A classifier tells them apart {'almost every time' if found >= 0.45 else 'most of the time'}."
    others = poor or [score for score in judged if grade(score) in ("fair", "level")]
    if not others:
        return ""
    worst = max(others, key=_severity)
    sentence = (
        f"{'The worst' if poor else 'Furthest from real'} is the {_inside(worst.title)}: {number(worst.value.mean)}"
    )
    if worst.floor.known:
        sentence += f", where another real sample scores {number(worst.floor.mean)}"
    return sentence + "."


def _severity(score: Score) -> float:
    """How much a value loses on the floor, in steps from the floor to noise or to the shots handed back."""
    ends = [
        _loss(score, each.mean) - _loss(score, score.floor.mean) for each in (score.shots, score.noise) if each.known
    ]
    lost = _loss(score, score.value.mean) - _loss(score, score.floor.mean)
    return lost / max([1e-9, *(end for end in ends if math.isfinite(end))]) if math.isfinite(lost) else 0.0


def _loss(score: Score, value: float) -> float:
    if score.direction == "one":
        return abs(math.log(max(value, 1e-6)))
    return -value if score.direction == "higher" else value


def _inside(title: str) -> str:
    """A title within a sentence: small where it is no name."""
    first = title.split(" ")[0]
    return title if first == "Frechet" or not first[1:].islower() else title[:1].lower() + title[1:]


def copying(scores: Scores) -> Statement:
    """What the scores of copying say together, the worse one first."""
    by_name = {score.name: score for score in scores}
    ratio, near, member = (by_name.get(name) for name in ("copying", "near_copies", "membership"))
    said = [score.verdict for score in (ratio, near) if score is not None]
    verdict = next((words for words in _COPIES if words in said), None)
    leaks = member is not None and member.verdict == verdicts.LEAKS
    if verdict is None and not leaks:
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
    if member is not None and member.value.known and leaks:
        parts.append(
            "Of two real series, one of them yours, they give yours away in "
            f"{_percent(0.5 + member.value.mean)} of all cases, where 50 % is guessing."
        )
    if leaks and (verdict is None or GRADES.get(verdict) != "poor" or verdict == verdicts.TOO_FAR):
        return Statement(verdicts.OF_LEAKS, " ".join(parts), "poor")
    return Statement(_COPIES[verdict or ""], " ".join(parts), GRADES.get(verdict or "", "open"))


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
