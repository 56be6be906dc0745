"""The report: one HTML file without anything outside of it, for light and dark screens, phones and paper.

The verdict comes first, then every score on a scale beside its floor and its ceilings, then what the eye can check:
sample paths, densities, autocorrelation, spectra, correlations, a map, and synthetic series beside their nearest given
ones (:mod:`tsprout.report.sections`). Laid out by ``template.html`` and ``style.css``. The same input gives the same
bytes. A content-security policy in the file forbids any request, and any script but the one that switches the theme.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from tsprout.errors import InputError
from tsprout.metrics.scores import Score, Scores
from tsprout.report import heat, words
from tsprout.report.scale import scale, span
from tsprout.report.sections import sections
from tsprout.report.svg import clean, number, shorten
from tsprout.series import SeriesSet
from tsprout.staging import write_file

_MOST_NAMED = 256
_NAVIGATION = (
    ("scores", "Scores"),
    ("paths", "Paths"),
    ("values", "Values"),
    ("memory", "Autocorrelation"),
    ("rhythms", "Spectra"),
    ("correlation", "Correlation"),
    ("map", "Map"),
    ("nearest", "Neighbours"),
    ("facts", "Facts"),
)


def write_report(
    path: str | Path,
    real: SeriesSet,
    synthetic: SeriesSet,
    scores: Scores,
    *,
    shots: SeriesSet | None = None,
    title: str | None = None,
    facts: Mapping[str, str] | None = None,
) -> Path:
    """Write :func:`render_report` to ``path``, whole or not at all, in place of an older one; returns the path.

    Raises:
        InputError: the sets do not fit each other or are empty.
        TsproutError: the file cannot be written.
    """
    return write_file(path, render_report(real, synthetic, scores, shots=shots, title=title, facts=facts))


def render_report(
    real: SeriesSet,
    synthetic: SeriesSet,
    scores: Scores,
    *,
    shots: SeriesSet | None = None,
    title: str | None = None,
    facts: Mapping[str, str] | None = None,
) -> str:
    """The report as HTML.

    Args:
        real, synthetic: sets with the same number of channels.
        scores: of ``synthetic`` against ``real``.
        shots: the few series the model was shown; ``real`` themselves when left out.
        title: heading; any text.
        facts: further lines for the list at the end, any text (versions, command, a date if there is to be one).

    Raises:
        InputError: the sets do not fit each other or are empty.
    """
    from jinja2 import Environment, StrictUndefined

    shown = real if shots is None else shots
    for others, name in ((synthetic, "synthetic"), (shown, "shown")):
        if others.n_channels != real.n_channels:
            raise InputError(
                f"the real series have {real.n_channels} channels and the {name} ones {others.n_channels}",
                fix="Report on sets with the same channels.",
            )
    if not all(len(each) and each.n_channels and each.length for each in (real, synthetic, shown)):
        raise InputError("there is nothing to report on", fix="Give at least one real and one synthetic series.")
    names = tuple(clean(name) or "(no name)" for name in real.channels)
    folder = resources.files("tsprout.report")
    script = folder.joinpath("toggle.js").read_text(encoding="utf-8").strip()
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(folder.joinpath("template.html").read_text(encoding="utf-8"))
    judgement, finding = words.lead(scores)
    return template.render(
        title=clean(title) if title and clean(title) else "Synthetic beside real",
        counts=_counts(real, synthetic, shown if shots is not None and scores.held_out else None),
        style=folder.joinpath("style.css").read_text(encoding="utf-8").strip(),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii"),
        judgement=clean(judgement),
        finding=clean(finding),
        tally=words.tally(scores),
        statements=[words.copying(scores), words.trust(scores)],
        notes=[clean(note) for note in scores.notes],
        groups=_groups(scores),
        navigation=_NAVIGATION[0 if len(scores) else 1 :],
        colour_key=heat.key(),
        sections=sections(real, synthetic, shown, names, scores.seed),
        facts=_together(_facts(real, synthetic, shown, scores), _own(facts)),
        channels=[(i + 1, shorten(name, 320)) for i, name in enumerate(names[:_MOST_NAMED])],
        limits=[*words.LIMITS[:1], *([words.LIMIT_FEW] if scores.few else []), *words.LIMITS[1:]],
    )


def _counts(real: SeriesSet, synthetic: SeriesSet, shown: SeriesSet | None) -> list[str]:
    steps = words.many(real.length, "time step")
    if synthetic.length != real.length:
        steps += f" (synthetic {synthetic.length:,})"
    given = [f"{len(shown):,} shown to the model"] if shown is not None else []
    counts = [f"{len(real):,} real", *given, f"{len(synthetic):,} synthetic"]
    return [*counts, words.many(real.n_channels, "channel"), steps]


def _groups(scores: Scores) -> list[dict[str, Any]]:
    """Scores in the order of the suite, under headings where the metrics say which group they belong to."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for score in scores:
        groups.setdefault(clean(getattr(score, "group", None) or ""), []).append(_row(score))
    return [{"name": name[:1].upper() + name[1:], "rows": rows} for name, rows in groups.items()]


def _row(score: Score) -> dict[str, Any]:
    better = {"lower": "lower is better", "higher": "higher is better", "one": "best at 1"}.get(score.direction, "")
    return {
        "title": clean(score.title),
        "explanation": clean(score.explanation),
        "better": ", ".join(part for part in (better, clean(score.unit)) if part),
        "scale": scale(score) if score.value.known else "",
        "value": number(score.value.mean),
        "span": span(score.value),
        "numbers": [
            ("floor", "floor", number(score.floor.mean), span(score.floor)),
            ("copied", "copied", number(score.shots.mean), ""),
            ("noise", "noise", number(score.noise.mean), ""),
        ],
        "verdict": score.verdict,
        "grade": words.grade(score),
    }


def _facts(real: SeriesSet, synthetic: SeriesSet, shown: SeriesSet, scores: Scores) -> list[tuple[str, str]]:
    from tsprout import __version__

    missing = 1 - float(real.observed.mean())
    shortest, longest = int(real.lengths.min()), int(real.lengths.max())
    steps = words.many(longest, "time step")
    if shortest < longest:
        steps = f"{shortest:,} to {steps}"
    return [
        ("Real series", f"{len(real):,}, {words.many(real.n_channels, 'channel')}, {steps}"),
        ("Cells not observed", f"{100 * missing:.3g} % of the real ones"),
        ("Shown to the model", f"{len(shown):,}"),
        ("Synthetic series", f"{len(synthetic):,} scored, {words.many(synthetic.length, 'time step')}"),
        ("Seed of the scores", str(scores.seed)),
        ("tsprout", __version__),
    ]


def _together(known: list[tuple[str, str]], own: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Both lists without what the second only repeats: a seed or a version that the first one says."""
    told = {(key.lower().split(" ")[0], value) for key, value in known}
    return [*known, *((key, value) for key, value in own if (key.lower(), value) not in told)]


def _own(facts: Mapping[str, str] | None) -> list[tuple[str, str]]:
    return [(clean(key), clean(value)) for key, value in (facts or {}).items()]
