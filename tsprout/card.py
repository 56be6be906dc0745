"""The model card: the ``README.md`` of a checkpoint, in the format of the Hugging Face hub, made of its own facts.

Everything comes from ``config.json``: the network from ``model``, the rest from ``info``, which the maker of the
weights writes and which travels with them. What is not known is left out of the card. Keys of ``info``, all optional:

    licence             of the weights, as SPDX names it
    steps, windows      of training; ``seconds`` it took by the clock, ``processor_hours``, ``hardware`` in words
    lengths, channels   ``[least, most]`` it was trained on
    sets                ``{name: {"row": of the token table, "licence": ...}}``, the sets it was trained on
    synthetic_share     of the episodes that came from synthetic processes, 0 to 1
    left_out            ``{name: reason}``, sets that were not trained on
    validation          names of the sets held out
    never_trained_on    names of the sets of tsprout's evaluation, checked not to be among ``sets``
    held_out_loss       ``{noise level: loss}`` on them, and ``mean``
    curve               ``[{"step": ..., "loss": ..., "held out": ...}]``
    tables              ``[{"title": ..., "about": ..., "rows": [{column: value}]}]``, figures that a benchmark wrote
    notes               sentences about limits that only the maker knows
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from tsprout.errors import InputError
from tsprout.limits import MAX_CHANNELS, MAX_LENGTH, MIN_LENGTH
from tsprout.staging import readable_bytes

# What the models of arXiv 2505.20446 were trained on, for scale.
PAPER_WINDOWS = 300_000_000
CURVE_POINTS = 12
TAGS = ("time-series", "time-series-generation", "synthetic-data", "few-shot", "diffusion", "safetensors")

Config = Mapping[str, Any]


def model_card(config: Config, *, name: str, parameters: int, weights_bytes: int) -> str:
    """The card of a checkpoint as Markdown with a YAML header.

    Args:
        config: what ``config.json`` holds.
        name: the title.
        parameters: of the network.
        weights_bytes: size of the file with the weights.
    """
    info, fitted = config.get("info") or {}, config.get("fitted")
    parts = [
        _header(info, fitted is not None),
        f"# {name}\n\n{_lead(fitted)}",
        _usage(name, fitted is not None),
        _table([{"": key, " ": value} for key, value in _facts(config, parameters, weights_bytes).items()]),
    ]
    sections = (partial(_fitted, fitted), partial(_data, info), partial(_training, info), partial(_tables, info))
    for section in sections:
        # ``info`` is anybody's: a fact of another shape costs its section, never the checkpoint.
        with suppress(KeyError, TypeError, ValueError, AttributeError):
            parts.append(section())
    parts.append(_limits(info, fitted is not None))
    return "\n\n".join(part for part in parts if part) + "\n"


def read_tables(text: str, source: str) -> list[dict[str, Any]]:
    """Tables of figures from the JSON that a benchmark wrote: ``{"tables": [...]}``, or a list of rows.

    Raises:
        InputError: it is neither.
    """
    try:
        found = json.loads(text)
        tables = found["tables"] if isinstance(found, dict) else [{"title": source, "rows": found}]
        return [
            {"title": str(t["title"]), "about": str(t.get("about", "")), "rows": [dict(row) for row in t["rows"]]}
            for t in tables
        ]
    except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"these are no figures for a card ({type(error).__name__}: {error})",
            where=source,
            fix='Write {"tables": [{"title": ..., "about": ..., "rows": [{column: value}]}]}.',
        ) from error


def thinned(curve: Sequence[Mapping[str, Any]], points: int = CURVE_POINTS) -> list[Mapping[str, Any]]:
    """At most ``points`` of a curve: the first, the last, and evenly between."""
    if len(curve) <= points:
        return list(curve)
    return [curve[round(i * (len(curve) - 1) / (points - 1))] for i in range(points)]


def _header(info: Config, fitted: bool) -> str:
    """Only keys that the hub knows; strings as JSON, which YAML takes in. A fitted model's licence is its owner's."""
    lines = []
    if info.get("licence") and not fitted:
        lines.append(f"license: {json.dumps(str(info['licence']).lower())}")
    lines += ["library_name: tsprout", "pipeline_tag: other", "tags:"]
    lines += [f"- {tag}" for tag in TAGS]
    return "---\n" + "\n".join(lines) + "\n---"


def _lead(fitted: Config | None) -> str:
    if fitted:
        return (
            "A diffusion model of time series, fitted to a few series, which it draws new ones like.\n\n"
            "**This folder contains the series it was fitted to** (`shots.safetensors`, and their names in "
            "`config.json`). Share it as you would share them."
        )
    return (
        "A diffusion model of time series that is shown a handful of series and draws new ones like them, with or "
        "without fine-tuning."
    )


def _usage(name: str, fitted: bool) -> str:
    steps = "sprout.sample(1000)" if fitted else 'sprout.fit("series.csv").sample(1000)'
    return (
        "```python\nfrom tsprout import Sprout\n\n"
        f'sprout = Sprout.from_pretrained("path/or/owner/{name}")\nsynthetic = {steps}\n```'
    )


def _facts(config: Config, parameters: int, weights_bytes: int) -> dict[str, str]:
    info, model = config.get("info") or {}, config["model"]
    facts = {
        "network": f"{model['backbone']}, {parameters:,} parameters, {readable_bytes(weights_bytes)}",
        "conditions": _conditions(model),
        "accepts": f"lengths {MIN_LENGTH} to {MAX_LENGTH}, 1 to {MAX_CHANNELS} channels",
        "format": "{format_version}.{format_minor}, written by tsprout {tsprout_version}".format(**config),
    }
    for key in ("lengths", "channels"):
        if (span := _span(info, key)) is not None:
            facts[f"trained on {key}"] = "{} to {}".format(*span)
    if config.get("adapter"):
        facts["adapter"] = f"low rank, {config['adapter']['rank']}"
    return facts


def _span(info: Config, key: str) -> tuple[int, int] | None:
    """Least and most of what it was trained on, where that is known."""
    span = info.get(key)
    return (span[0], span[1]) if isinstance(span, list | tuple) and len(span) == 2 else None


def _conditions(model: Config) -> str:
    told = [f"{model['rows']} dataset tokens"] if model["rows"] else []
    told += ["a prompt of example series"] if model["prompt_depth"] else []
    return " and ".join(told) or "none"


def _fitted(fitted: Config | None) -> str:
    if not fitted:
        return ""
    report, shots = fitted["report"], fitted["shots"]
    series, channels = len(shots["ids"]["values"]), ", ".join(shots["channels"])
    mode, steps = report["mode"], report["steps"]
    return (
        f"## Fitted to\n\n{series} series with the channels {channels}. Mode {mode}, {steps} training steps: "
        f"{report['reason']}.\n\nWhat follows is of the model it started from."
    )


def _data(info: Config) -> str:
    parts = []
    if info.get("sets"):
        share = info.get("synthetic_share")
        beside = "" if not share else f" beside synthetic processes ({share:.0%} of the episodes)"
        rows = [{"set": name, "licence": about.get("licence") or "none stated"} for name, about in info["sets"].items()]
        stated = 'Licences as far as they are known; "none stated" means that the source names none.'
        parts.append(f"{len(rows)} public sets{beside}. {stated}\n\n{_table(rows)}")
    elif info.get("synthetic_share"):
        parts.append(f"Synthetic processes ({info['synthetic_share']:.0%} of the episodes).")
    if info.get("validation"):
        parts.append(f"Held out of training, for validation: {', '.join(info['validation'])}.")
    if info.get("never_trained_on"):
        parts.append(f"Kept for evaluation and not among them: {', '.join(info['never_trained_on'])}.")
    if info.get("left_out"):
        parts.append("Left out, with the reason:\n\n" + _items(f"{k}: {v}" for k, v in info["left_out"].items()))
    return "## Training data\n\n" + "\n\n".join(parts) if parts else ""


def _training(info: Config) -> str:
    rows: dict[str, str] = {}
    if info.get("steps"):
        rows["steps"] = f"{info['steps']:,}"
    if info.get("windows"):
        scale = info["windows"] / PAPER_WINDOWS
        rows["windows"] = f"{info['windows']:,}, {scale:.2g} of the {PAPER_WINDOWS:,} of arXiv 2505.20446"
    if info.get("seconds"):
        rows["time"] = f"{info['seconds'] / 3600:.1f} hours"
    if info.get("processor_hours"):
        rows["processor hours"] = f"{info['processor_hours']:.1f}"
    if info.get("hardware"):
        rows["on"] = str(info["hardware"])
    parts = [_table([{"": key, " ": value} for key, value in rows.items()])] if rows else []
    if info.get("curve"):
        points = [{"step": f"{point['step']:,}", **_numbers(point, skip="step")} for point in thinned(info["curve"])]
        parts.append("Loss, of training and on the sets held out:\n\n" + _table(points))
    if info.get("held_out_loss"):
        levels = [{"noise level": str(k), "loss": f"{v:.3f}"} for k, v in info["held_out_loss"].items()]
        parts.append("Loss on the sets held out, at the end:\n\n" + _table(levels))
    return "## Training\n\n" + "\n\n".join(parts) if parts else ""


def _tables(info: Config) -> str:
    found = []
    for table in info.get("tables") or ():
        about = f"{table['about']}\n\n" if table.get("about") else ""
        found.append(f"## {table['title']}\n\n{about}{_table([_numbers(row) for row in table['rows']])}")
    return "\n\n".join(found)


def _limits(info: Config, fitted: bool) -> str:
    limits = []
    for key, unit in (("lengths", "steps"), ("channels", "channels")):
        if (span := _span(info, key)) is not None:
            beyond = "beyond, expect less, unless a table above says otherwise."
            limits.append(f"Trained on series of {span[0]} to {span[1]} {unit}; {beyond}")
    if not fitted:
        limits.append("Once fitted, a model contains the series it was fitted to.")
    limits += [
        "Synthetic data are not anonymous data: look at the copying scores.",
        "What none of the series it is shown holds, rare events above all, will be missing or wrong.",
    ]
    notes = info.get("notes")
    return "## Limits\n\n" + _items([*limits, *(map(str, notes) if isinstance(notes, list) else ())])


def _numbers(row: Mapping[str, Any], skip: str = "") -> dict[str, str]:
    return {k: f"{v:.4g}" if isinstance(v, float) else str(v) for k, v in row.items() if k != skip and v is not None}


def _items(lines: Iterable[str]) -> str:
    return "\n".join(f"- {_cell(line)}" for line in lines)


def _table(rows: Sequence[Mapping[str, str]]) -> str:
    """A Markdown table; a row that lacks a column has an empty cell there."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = [columns, ["---"] * len(columns), *([row.get(column, "") for column in columns] for row in rows)]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(value: str) -> str:
    return " ".join(str(value).replace("|", "\\|").split())
