"""Published figures to put beside ours, each with its source: a CSV ``dataset,subset,metric,model,mean,std,source``.

``subset`` is ``#10`` for a number of shots and ``5%`` for a share. They hold for the protocol ``paper`` at length 24.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

from tsprout.errors import InputError
from tsprout.staging import from_os_error

COLUMNS = ("dataset", "subset", "metric", "model", "mean", "std", "source")
METRICS = {"discriminative": "disc", "predictive": "pred", "context_fid": "cfid"}
PROTOCOL, LENGTH = "paper", 24


@dataclass(frozen=True)
class Published:
    """``figures[source, model][set, shots, metric]`` is mean and standard deviation, NaN where none is given."""

    figures: dict[tuple[str, str], dict[tuple[str, str, str], tuple[float, float]]]

    @property
    def sources(self) -> list[str]:
        """In the order of the file."""
        return list(dict.fromkeys(source for source, _ in self.figures))


def read_published(path: str | Path) -> Published:
    """The figures of a file.

    Raises:
        InputError: it cannot be read, a column is missing, or a cell is no number.
    """
    figures: dict[tuple[str, str], dict[tuple[str, str, str], tuple[float, float]]] = {}
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            lost = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
            if lost:
                raise InputError(f"there is no column {lost[0]!r}", where=str(path), fix=f"Give {', '.join(COLUMNS)}.")
            for row in rows:
                place = f"{path}, line {rows.line_num}"
                if any(row[name] is None for name in COLUMNS) or not row["source"].strip():
                    raise InputError("a cell is missing", where=place, fix="Every figure needs its source.")
                key = (row["dataset"], row["subset"].removeprefix("#"), METRICS.get(row["metric"], row["metric"]))
                figures.setdefault((row["source"].strip(), row["model"]), {})[key] = (
                    _number(row["mean"], place),
                    _number(row["std"], place, missing=math.nan),
                )
    except OSError as error:
        raise from_os_error(error, path) from error
    except UnicodeDecodeError as error:
        raise InputError("this is not UTF-8 text", where=str(path)) from error
    return Published(figures)


def _number(text: str, where: str, missing: float | None = None) -> float:
    if not text.strip() and missing is not None:
        return missing
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{text!r} is not a number", where=where) from None
