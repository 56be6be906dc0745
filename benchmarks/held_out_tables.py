"""The tables of held_out.py: means, spreads and wins over the tasks that every contender has finished.

A mean is over sets and seeds. Its first spread is over seeds (standard deviation of the means over sets), the second
over sets (of the means over seeds). ``ratio`` is the geometric mean over tasks of score over copies of the shots, which
one bad set cannot rule. A win is one task on which the score is lower; of copying, on which it is nearer to 1.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from tsprout.metrics.registry import METRICS
from tsprout.train.fewshot import ratio

BESIDE = ("copies", "floor", "noise")
FIRST = ("cfid", "disc", "disc_capable", "frechet", "discriminative", "copying", "near_copies")
TITLES = {"cfid": "Context-FID", "disc": "Disc", "disc_capable": "Disc (capable)", "near_copies": "near copies"}


def account(cells: Sequence[dict[str, Any]], contenders: Sequence[str], *, fresh: Sequence[str] = ()) -> dict[str, Any]:
    """JSON-able: ``all`` tasks, those of each number of shots, and those of sets no choice was made by (``fresh``).

    Args:
        cells: as ``held_out.py`` writes them.
        contenders: the first is the one whose wins are counted.
        fresh: names of sets.
    """
    done: dict[tuple[Any, ...], dict[str, dict[str, Any]]] = {}
    for cell in cells:
        done.setdefault(_key(cell), {})[cell["contender"]] = cell
    present = [c for c in contenders if any(c in own for own in done.values())]
    whole = {key: own for key, own in done.items() if all(c in own for c in present)}
    groups: dict[str, Callable[[tuple[Any, ...]], bool]] = {"all": lambda key: True}
    for shots in sorted({key[1] for key in whole}):
        groups[f"{shots} shots"] = lambda key, shots=shots: key[1] == shots
    groups["sets that no choice was made by"] = lambda key: key[0] in fresh
    parts = {name: [own for key, own in whole.items() if belongs(key)] for name, belongs in groups.items()}
    return {
        "contenders": present,
        "left out": len(done) - len(whole),
        "groups": {name: _group(tasks, present) for name, tasks in parts.items() if tasks},
    }


def _key(cell: dict[str, Any]) -> tuple[Any, ...]:
    task = cell["task"]
    return task["set"], task["shots"], task["length"], task["seed"]


def _group(tasks: list[dict[str, dict[str, Any]]], contenders: list[str]) -> dict[str, Any]:
    """Everything of one group of tasks; each task is its cells by contender."""
    metrics = [m for m in tasks[0][contenders[0]]["value"] if m in FIRST]
    metrics += [m for m in tasks[0][contenders[0]]["value"] if m not in FIRST]
    metrics.sort(key=lambda m: FIRST.index(m) if m in FIRST else len(FIRST))
    rows: dict[str, dict[str, dict[str, float]]] = {}
    for contender in (*contenders, *BESIDE):
        rows[contender] = {}
        for metric in metrics:
            values = {_key(own[contenders[0]]): _value(own, contender, metric, contenders[0]) for own in tasks}
            known = {key: v for key, v in values.items() if v is not None and math.isfinite(v)}
            if known:
                rows[contender][metric] = _spreads(known)
                if contender not in BESIDE and _is_loss(metric):
                    ratios = [ratio(metric, own[contender]["value"][metric], own[contender]) for own in tasks]
                    finite = [math.log(v) for v in ratios if math.isfinite(v)]
                    rows[contender][metric]["ratio"] = math.exp(statistics.mean(finite)) if finite else math.nan
    return {
        "tasks": len(tasks),
        "sets": len({_key(own[contenders[0]])[0] for own in tasks}),
        "seeds": len({_key(own[contenders[0]])[3] for own in tasks}),
        "scores": rows,
        "wins": {c: _wins(tasks, contenders[0], c, metrics) for c in (*contenders[1:], "copies")},
        "seconds": {c: _seconds([own[c] for own in tasks]) for c in contenders},
        "kept": {c: _kept([own[c] for own in tasks]) for c in contenders},
    }


def _value(own: dict[str, dict[str, Any]], contender: str, metric: str, any_contender: str) -> float | None:
    where = own[any_contender][contender] if contender in BESIDE else own[contender]["value"]
    found: float | None = where.get(metric)
    return found


def _is_loss(metric: str) -> bool:
    """Whether lower is better, without a catch: copying has a best value, near copies a usual one."""
    return metric not in ("copying", "near_copies")


def _spreads(values: dict[tuple[Any, ...], float]) -> dict[str, float]:
    def over(part: int) -> float:
        means = [statistics.mean(v for k, v in values.items() if k[part] == one) for one in {k[part] for k in values}]
        return statistics.stdev(means) if len(means) > 1 else math.nan

    return {"mean": statistics.mean(values.values()), "over seeds": over(3), "over sets": over(0), "tasks": len(values)}


def _wins(tasks: list[dict[str, dict[str, Any]]], one: str, other: str, metrics: list[str]) -> dict[str, list[int]]:
    """By metric: on how many tasks ``one`` is better than ``other``, and of how many."""
    found = {}
    for metric in metrics:
        if metric == "near_copies" or (metric == "copying" and other == "copies"):
            continue
        pairs = [(own[one]["value"].get(metric), _value(own, other, metric, one)) for own in tasks]
        known = [(a, b) for a, b in pairs if a is not None and b is not None and math.isfinite(a) and math.isfinite(b)]
        loss = METRICS["copying"].loss if metric == "copying" else float
        if known:
            found[metric] = [sum(loss(a) < loss(b) for a, b in known), len(known)]
    return found


def _seconds(cells: list[dict[str, Any]]) -> dict[str, float]:
    parts = {"fit": [c["facts"]["fit seconds"] for c in cells], "sample": [c["facts"]["sample seconds"] for c in cells]}
    return {name: statistics.mean(values) for name, values in parts.items()}


def _kept(cells: list[dict[str, Any]]) -> dict[str, Any]:
    modes = [cell["facts"]["kept"] for cell in cells]
    return {"modes": {m: modes.count(m) for m in dict.fromkeys(modes)}} | {
        "steps": statistics.mean(c["facts"]["steps"] for c in cells)
    }


def markdown(summed: dict[str, Any]) -> str:
    """The account for people."""
    if not summed["groups"]:
        return "No task is finished by every contender yet.\n"
    lines = []
    if summed["left out"]:
        lines += [f"{summed['left out']} tasks are left out: not every contender has finished them.", ""]
    for name, group in summed["groups"].items():
        lines += [f"### {name[0].upper()}{name[1:]}: {group['tasks']} tasks, {group['sets']} sets", ""]
        lines += [*_score_table(group, summed["contenders"]), "", *_win_table(group, summed["contenders"][0]), ""]
    lines += ["Mean ± spread over seeds / over sets; in brackets the geometric mean ratio to copies. Lower is better,"]
    lines += ["of copying nearer to 1. Wins are counted by task."]
    return "\n".join(lines) + "\n"


def _score_table(group: dict[str, Any], contenders: list[str]) -> list[str]:
    metrics = [m for m in FIRST if any(m in row for row in group["scores"].values())]
    lines = [f"| | {' | '.join(TITLES.get(m, m) for m in metrics)} | fit s | sample s | steps |"]
    lines.append("|---" * (len(metrics) + 4) + "|")
    for who, row in group["scores"].items():
        cells = [_cell(row.get(m)) for m in metrics]
        tail = ["", "", ""]
        if who in contenders:
            took = group["seconds"][who]
            tail = [f"{took['fit']:.0f}", f"{took['sample']:.0f}", f"{group['kept'][who]['steps']:.0f}"]
        lines.append(f"| {who} | {' | '.join([*cells, *tail])} |")
    return lines


def _cell(score: dict[str, float] | None) -> str:
    if score is None:
        return ""
    spreads = [f"{score[key]:.2g}" if math.isfinite(score[key]) else "–" for key in ("over seeds", "over sets")]
    tail = f" ({score['ratio']:.2f})" if math.isfinite(score.get("ratio", math.nan)) else ""
    return f"{score['mean']:.3g} ± {' / '.join(spreads)}{tail}"


def _win_table(group: dict[str, Any], first: str) -> list[str]:
    metrics = [m for m in FIRST if any(m in wins for wins in group["wins"].values())]
    lines = [
        f"| {first} better than | {' | '.join(TITLES.get(m, m) for m in metrics)} |",
        "|---" * (len(metrics) + 1) + "|",
    ]
    for other, wins in group["wins"].items():
        counts = [f"{wins[m][0]} of {wins[m][1]}" if m in wins else "" for m in metrics]
        lines.append(f"| {other} | {' | '.join(counts)} |")
    return lines
