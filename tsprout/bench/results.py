"""The results of a benchmark as they are read: scores by cell, in the order of the plan, not that of the run."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tsprout.bench.store import DONE, FAILED, Store
from tsprout.errors import InputError
from tsprout.metrics.registry import METRICS
from tsprout.metrics.yardstick import BESIDE

TITLES = {
    "disc": "Disc",
    "pred": "Pred",
    "cfid": "Context-FID",
    "disc_capable": "Disc (with care)",
    "pred_capable": "Pred (with care)",
    "cfid_capable": "Context-FID (with care)",
}
UNRANKED = ("copying", "near_copies")  # neither less nor more is better without end
EXPORTED = ("model", "set", "shots", "length", "seed", "suite")
KINDS = ("value", "within", *BESIDE)
TIMES = ("fit", "sample", "score")
_RANKS = {"": 0, FAILED: 1, DONE: 2}


@dataclass(frozen=True)
class Result:
    """One cell of the plan with what is known of it.

    ``cell``: its line of the plan; ``status``: ``done``, ``failed``, or empty; ``scores`` by kind and metric;
    ``seconds`` of fit, sample and score; ``error`` in words.
    """

    cell: dict[str, Any]
    status: str
    scores: dict[str, dict[str, float]]
    seconds: dict[str, float]
    error: str = ""

    def value(self, metric: str, kind: str = "value") -> float:
        """A score; NaN where there is none."""
        return self.scores.get(kind, {}).get(metric, math.nan)


@dataclass(frozen=True)
class Results:
    """All cells of a plan, or of several."""

    plan: dict[str, Any]
    cells: tuple[Result, ...]

    @property
    def protocol(self) -> str:
        """Of all its cells."""
        return str(self.plan["protocol"])

    def unique(self, key: str) -> list[Any]:
        """Values of a key of the cells, in the order of the plan."""
        return list(dict.fromkeys(result.cell[key] for result in self.cells))

    def metrics(self, suite: str) -> list[str]:
        """Scores of a suite, in an order that does not depend on which cells are done."""
        found = {name for r in self.cells if r.cell["suite"] == suite for name in r.scores.get("value", {})}
        order = [*TITLES, *METRICS]
        return sorted(found, key=lambda name: (order.index(name) if name in order else len(order), name))

    def counts(self) -> dict[str, int]:
        """Cells by status."""
        done, failed = (sum(r.status == status for r in self.cells) for status in (DONE, FAILED))
        return {"cells": len(self.cells), "done": done, "failed": failed, "missing": len(self.cells) - done - failed}

    def of(self, **wanted: Any) -> Iterator[Result]:
        """Cells with these values of their keys."""
        return (r for r in self.cells if all(r.cell[key] == value for key, value in wanted.items()))


def read_results(*sources: str | Path) -> Results:
    """The results in folders of benchmarks (files of other plans are left alone), and in files exported from some.

    Args:
        *sources: folders, CSV of scores, CSV of times. A cell that several have done is that of the last of them.

    Raises:
        InputError: there is no benchmark, a file is none of these, or protocols differ.
    """
    from tsprout.bench import exported

    plan: dict[str, Any] = {}
    cells: dict[tuple[Any, ...], Result] = {}
    times: dict[tuple[Any, ...], dict[str, float]] = {}
    for source in map(Path, sources):
        if source.is_file() and exported.holds_times(source):
            times |= exported.read_times(source)
            continue
        if source.is_file():
            protocol, found = exported.read_scores(source)
            own: dict[str, Any] = {"protocol": protocol, "name": source.stem, "spec": None}
        else:
            store = Store(source)
            own = store.plan()
            found = [_result(store, cell) for cell in own["cells"]]
        plan = plan or own
        if own["protocol"] != plan["protocol"]:
            what = f"its protocol is {own['protocol']}, and {plan['protocol']} that of what came before"
            raise InputError(what, where=str(source), fix="Give results of one protocol.")
        for result in found:
            key = exported.key_of(result.cell)
            # What failed takes no place of what is done, and what was not tried that of neither.
            if key not in cells or _RANKS[result.status] >= _RANKS[cells[key].status]:
                cells[key] = result
    if not plan:
        raise InputError("there are no scores", fix="Give a folder, or a CSV of scores beside that of times.")
    for key in cells.keys() & times.keys():
        cells[key] = replace(cells[key], seconds=times[key])
    return Results(plan, tuple(cells.values()))


def title(metric: str) -> str:
    """What tables call a score."""
    known = METRICS.get(metric)
    return TITLES.get(metric) or (known.title if known is not None else metric)


def loss(metric: str, value: float) -> float:
    """The score as something of which less is better."""
    known = METRICS.get(metric)
    return value if known is None or not math.isfinite(value) else known.loss(value)


def scores_csv(results: Results) -> str:
    """A line a cell and score, with what stands beside it, in full precision; no times."""
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(["protocol", *EXPORTED, "status", "metric", *KINDS, "error"])
    for r in results.cells:
        own = [results.protocol, *(r.cell[key] for key in EXPORTED), r.status or "missing"]
        names = [m for m in results.metrics(r.cell["suite"]) if m in r.scores.get("value", {})]
        for metric in names:
            values = [r.value(metric, kind) for kind in KINDS]
            lines.writerow([*own, metric, *(repr(v) if math.isfinite(v) else "" for v in values), ""])
        if not names:
            lines.writerow([*own, "", *("" for _ in KINDS), r.error])
    return out.getvalue()


def scores_json(results: Results) -> str:
    """The same as JSON, with the specification."""
    cells = [
        {
            **{key: r.cell[key] for key in (*EXPORTED, "hash")},
            "status": r.status or "missing",
            "scores": {kind: dict(sorted(found.items())) for kind, found in sorted(r.scores.items())},
            "error": r.error,
        }
        for r in results.cells
    ]
    whole = {"name": results.plan["name"], "spec": results.plan["spec"], "cells": cells}
    return json.dumps(_finite(whole), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def times_csv(results: Results) -> str:
    """Seconds of every cell that is done: these are not the same twice."""
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow([*EXPORTED, *TIMES])
    for r in results.cells:
        if r.status == DONE:
            lines.writerow([*(r.cell[k] for k in EXPORTED), *(r.seconds.get(k, "") for k in TIMES)])
    return out.getvalue()


def mean_sd(values: Sequence[float]) -> tuple[float, float, int]:
    """Mean, standard deviation (NaN of fewer than two) and number of the finite ones."""
    finite = [v for v in values if math.isfinite(v)]
    if not finite:
        return math.nan, math.nan, 0
    mean = math.fsum(finite) / len(finite)
    spread = math.fsum((v - mean) ** 2 for v in finite) / (len(finite) - 1) if len(finite) > 1 else math.nan
    return mean, math.sqrt(spread) if len(finite) > 1 else math.nan, len(finite)


def _result(store: Store, cell: dict[str, Any]) -> Result:
    record = store.read(cell["hash"])
    if record is None:
        return Result(cell, "", {}, {})
    if record["status"] == FAILED:
        return Result(cell, FAILED, {}, {}, str(record["error"]["what"]))
    scores = {
        kind: {name: math.nan if value is None else float(value) for name, value in found.items()}
        for kind, found in record["scores"].items()
    }
    return Result(cell, DONE, scores, dict(record["run"]["seconds"]))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
