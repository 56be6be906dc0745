"""What values a set must have: their digest, what is counted and averaged of them, and how far that agrees.

=============== ====================================================================================================
agreement       of the values with what the catalogue knows of them
=============== ====================================================================================================
``exact``       equal to the last bit
``close``       equal in missing cells, and in mean and deviation within rounding
``part``        what is known of a part of them (a split, the first steps) is so
``files``       the files they were read from have the checksums of the catalogue
``unverified``  nothing but the shape is known
=============== ====================================================================================================
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tsprout.data.catalog.entry import Content, Entry, Part
from tsprout.errors import InputError

VALUES = ("series", "flat", "train_X", "test_X")
CLOSE = 2e-3  # of the deviation: archives print few digits
PRINTED = 1e-5  # of the mean, which the catalogue gives with six digits
OBSERVED = 0.5  # share of cells that must have a value where the catalogue does not know how many have none


def digest(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of the values of a set: float32, little-endian, one pattern for NaN; names and labels do not count."""
    found = hashlib.sha256()
    for key in (*VALUES, "segment_lengths", "lengths"):
        if key in arrays:
            kind = "<f4" if key in VALUES else "<i8"
            array = np.ascontiguousarray(arrays[key], dtype=kind)
            if key in VALUES and np.isnan(array).any():
                array = np.where(np.isnan(array), np.float32(np.nan), array)
            found.update(f"{key} {array.shape} ".encode())
            found.update(array.tobytes())
    return found.hexdigest()


def described(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The facts of a complete set, as the ``content`` of an entry has them."""
    mean, deviation, missing = _moments(arrays)
    rounded = [[float(f"{x:.6g}") for x in numbers] for numbers in (mean, deviation)]
    return {"digest": digest(arrays), "missing": missing, "mean": rounded[0], "deviation": rounded[1]}


def agreement(entry: Entry, arrays: Mapping[str, np.ndarray], path: Path | None, found: str) -> str:
    """How far the arrays of a complete set agree with the catalogue; see the table of the module.

    Args:
        entry: of the catalogue.
        arrays: of a data set file.
        path: where they lie, for errors.
        found: their digest.

    Raises:
        InputError: they are not the set's values, or hardly any of them is a value at all.
    """
    content = entry.content
    if content.digest is not None and content.digest == found:
        return "exact"
    if content.mean is not None:
        _hold(entry, _differs(content, arrays), path)
        state = "close"
    else:
        _hold(entry, "" if content.digest is None else "the digest", path)
        state = "part" if content.parts else "unverified"
        _observed(entry, arrays, path)
    for name, part in content.parts.items():
        _hold(entry, _part_differs(name, part, arrays), path)
    return state


def _hold(entry: Entry, differs: str, path: Path | None) -> None:
    if differs:
        raise InputError(
            f"these are not the values of {entry.name} that the catalogue knows: {differs} differs",
            where=None if path is None else str(path),
            fix="Remove the file and pull the set again; if it stays so, its source has changed.",
        )


def _observed(entry: Entry, arrays: Mapping[str, np.ndarray], path: Path | None) -> None:
    """What must be so of any set: that it has values."""
    _, _, missing = _moments(arrays)
    cells = sum(arrays[key].size for key in VALUES if key in arrays)
    known = entry.content.missing
    if known is not None:
        _hold(entry, "" if missing == known else "the number of missing cells", path)
    elif cells - missing < OBSERVED * cells:
        raise InputError(
            f"only {cells - missing:,} of {cells:,} cells of {entry.name} have a value",
            where=None if path is None else str(path),
            fix=f"If that is right, say so in the catalogue: missing = {missing} in [{entry.name}.content].",
        )


def _part_differs(name: str, part: Part, arrays: Mapping[str, np.ndarray]) -> str:
    """What of a part is not so; empty where all is."""
    key = "series" if name == "head" else f"{name}_X"
    if key not in arrays:
        return f"its {name}"
    of_part = {key: arrays[key][: part.steps] if name == "head" else arrays[key]}
    if part.digest is not None and part.digest == digest(of_part):
        return ""
    if part.classes:
        labels = arrays.get(f"{name}_y")
        counts = [] if labels is None else np.unique(labels, return_counts=True)[1].tolist()
        if sorted(counts) != sorted(part.classes):
            return f"the number of series of each class ({name})"
    if part.mean is None and part.digest is not None:
        return f"the digest ({name})"
    differs = _differs(part, of_part)
    return f"{differs} ({name})" if differs else ""


def _differs(known: Content | Part, arrays: Mapping[str, np.ndarray]) -> str:
    """Which count or moment is not the known one; empty where all are alike."""
    pooled = not isinstance(known.mean, tuple)
    mean, deviation, missing = _moments(arrays, pooled)
    if known.missing not in (None, missing):
        return "the number of missing cells"
    if known.mean is None or known.deviation is None:
        return ""
    wanted, spread = np.atleast_1d(known.mean), np.atleast_1d(known.deviation)
    tolerance = CLOSE * spread + PRINTED * np.abs(wanted) + 1e-12
    for found, expected, what in ((mean, wanted, "the mean"), (deviation, spread, "the deviation")):
        close = (np.abs(found - expected) <= tolerance) | (np.isnan(found) & np.isnan(expected))
        if found.shape != expected.shape or not close.all():
            return what if pooled or len(found) == 1 else f"{what} of channel {int(np.argmin(close))}"
    if isinstance(known, Part) and known.extremes:
        values = np.concatenate([np.asarray(arrays[key], np.float32).ravel() for key in VALUES if key in arrays])
        seen = np.array([np.nanmin(values), np.nanmax(values)], np.float64)
        if (np.abs(seen - known.extremes) > CLOSE * np.maximum(np.abs(known.extremes), spread.max())).any():
            return "the least or the greatest value"
    return ""


def _moments(arrays: Mapping[str, np.ndarray], pooled: bool = False) -> tuple[np.ndarray, np.ndarray, int]:
    """Mean and deviation of the observed cells of each channel, or of all together, and how many cells are missing."""
    parts = [np.asarray(arrays[key], np.float64) for key in VALUES if key in arrays]
    values = np.concatenate([part.reshape(-1, 1 if pooled or part.ndim < 2 else part.shape[-1]) for part in parts])
    seen = np.isfinite(values)
    count = seen.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(seen, values, 0).sum(axis=0) / count
        deviation = np.sqrt((np.where(seen, values - mean, 0) ** 2).sum(axis=0) / count)
    return mean, deviation, int(values.size - count.sum())
