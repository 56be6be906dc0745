"""Text formats made for time series: ``ts`` (timeseriesclassification.com) and ``tsf`` (Monash forecasting archive).

``ts`` goes through :mod:`tsprout.data.files.ts`, and so through aeon (the extra ``ts``). The zip of a problem ``NAME``
has ``NAME_TRAIN.ts`` and ``NAME_TEST.ts``; ``NAME_eq`` and ``NAME_nmv``, which some have, are left alone. Option
``pad``: ``set`` (where series differ in length, all are as long as the catalogue says, the rest is NaN; the archive's
own tables are wider than some sets need) or ``split`` (as long as the longest of their split).

``tsf`` is read here: header lines begin with ``@``, comments with ``#``, and a series is a line of attributes and
values, ``name:start:v,v,?,v``, where ``?`` is missing (Godahewa et al. 2021, arXiv 2105.06643). A single series is a
recording where the entry is one.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from tsprout.data.catalog.entry import Entry
from tsprout.data.catalog.readers.contents import PULL_AGAIN, Content, contents
from tsprout.data.catalog.readers.options import chosen, one_of
from tsprout.data.catalog.readers.parts import collection
from tsprout.errors import InputError, MissingExtraError


@dataclass(frozen=True)
class TsOptions:
    """``pad``: ``set`` or ``split``."""

    pad: str = "set"


@dataclass(frozen=True)
class TsfOptions:
    """``member``: of the zip; its only file by default."""

    member: str = ""


def read_ts(files: Sequence[Path], options: Mapping[str, Any], entry: Entry) -> dict[str, np.ndarray]:
    """``train_X (n, length, channels)``, ``train_y (n,)`` of text, ``test_X``, ``test_y``."""
    own = chosen(TsOptions, options, entry)
    one_of(own.pad, ("set", "split"), "pad", entry)
    problem = PurePosixPath(entry.source.urls[0]).stem
    problem = re.sub("_(TRAIN|TEST)$", "", problem)
    members = [f"{problem}_TRAIN.ts", f"{problem}_TEST.ts"]
    if len(files) == 2:
        found = [part for file in files for part in contents(file)]
    else:
        found = contents(files[0], members)
    splits = {split: _ts(part) for split, part in zip(("train", "test"), found, strict=True)}
    longest = _width([values for values, _ in splits.values()], entry)
    arrays: dict[str, np.ndarray] = {}
    for split, (values, labels) in splits.items():
        more = longest - values.shape[1] if own.pad == "set" else 0
        arrays[f"{split}_X"] = np.pad(values, ((0, 0), (0, more), (0, 0)), constant_values=np.nan)
        if labels is not None:
            arrays[f"{split}_y"] = labels
    if entry.channel_names:
        arrays["channels"] = np.array(entry.channel_names)
    return arrays


def _width(splits: Sequence[np.ndarray], entry: Entry) -> int:
    """Steps of a set: of its longest series, or the catalogue's where the series differ in length."""
    longest = max(values.shape[1] for values in splits)
    differ = any(values.shape[1] < longest or np.isnan(values[:, -1]).all(axis=1).any() for values in splits)
    return max(longest, entry.size.length or 0) if differ else longest


def _ts(part: Content) -> tuple[np.ndarray, np.ndarray | None]:
    """Values and labels of one split. aeon opens paths only, so the text goes through a file of a name of ours."""
    from tsprout.data.files import ts
    from tsprout.data.reading import ReadOptions

    with tempfile.TemporaryDirectory(prefix="tsprout-") as folder:
        path = Path(folder) / "series.ts"
        path.write_bytes(part.data)
        try:
            series = ts.read(path, ReadOptions())
        except MissingExtraError as error:
            raise MissingExtraError(error.what, where=part.where, fix=error.fix) from None
        except InputError as error:
            at = (error.where or "").removeprefix(str(path))
            raise InputError(error.what, where=f"{part.where}{at}", fix=PULL_AGAIN) from None
    labels = None if series.labels is None else np.array([str(label) for label in series.labels])
    return np.ascontiguousarray(series.values.transpose(0, 2, 1), np.float32), labels


def read_tsf(files: Sequence[Path], options: Mapping[str, Any], entry: Entry) -> dict[str, np.ndarray]:
    """``flat``, ``lengths`` and ``names``; ``series`` where the entry is a recording."""
    own = chosen(TsfOptions, options, entry)
    part = contents(files[0], [own.member] if own.member else ())[0]
    series, names = _tsf(part)
    if entry.size.kind == "recording":
        if len(series) != 1:
            raise InputError(f"there are {len(series)} series, not one", where=part.where, fix=PULL_AGAIN)
        channels = {"channels": np.array(entry.channel_names)} if entry.channel_names else {}
        return {"series": series[0][:, None].astype(np.float32), **channels}
    return collection(series, names)


def _tsf(part: Content) -> tuple[list[np.ndarray], list[str]]:
    lines = part.data.decode("cp1252", errors="replace").splitlines()
    attributes = sum(line.strip().lower().startswith("@attribute") for line in lines)
    starts = [i for i, line in enumerate(lines) if line.strip().lower() == "@data"]
    if not starts:
        raise InputError("there is no @data line", where=part.where, fix=PULL_AGAIN)
    series, names = [], []
    for number, line in enumerate(lines[starts[0] + 1 :], starts[0] + 2):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        cells = text.split(":")
        if len(cells) != attributes + 1:
            raise InputError(
                f"the line has {len(cells) - 1} attributes, the header has {attributes}",
                where=f"{part.where}, line {number}",
                fix=PULL_AGAIN,
            )
        try:
            values = [np.nan if cell.strip() == "?" else float(cell) for cell in cells[-1].split(",")]
        except ValueError as error:
            raise InputError(f"not a number: {error}", where=f"{part.where}, line {number}", fix=PULL_AGAIN) from None
        series.append(np.array(values))
        names.append(cells[0] if attributes else str(len(series)))
    if not series:
        raise InputError("there are no series after @data", where=part.where, fix=PULL_AGAIN)
    return series, names
