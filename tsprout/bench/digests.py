"""Hashes of what a cell is made from, weights and data, and of the cell itself."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from tsprout import checkpoint
from tsprout.baselines import registry
from tsprout.bench.spec import FORMAT, Cell, ModelSpec, fingerprint
from tsprout.data.catalog.entry import catalogue
from tsprout.data.catalog.folders import data_folders
from tsprout.data.catalog.generated import is_free
from tsprout.data.catalog.sets import file_digest, find
from tsprout.errors import InputError
from tsprout.peer import device_for, is_peer


def check_model(model: ModelSpec) -> None:
    """Refuse, before any work, a model that is not there or is told what it does not know.

    Raises:
        InputError: see above.
    """
    where = f"model {model.label}"
    if not is_peer(model.model):
        checkpoint.find(model.model)
        if model.options:
            raise InputError("only baselines have options", where=where, fix="Leave options out.")
        return
    if model.fit != "product" or model.mode != "auto" or model.steps or model.solver:
        fix = "Leave out fit, mode, steps and solver."
        raise InputError("a baseline is fitted and drawn from in its own way only", where=where, fix=fix)
    if model.model in registry.names():
        try:
            registry.get(model.model)(**model.options).check()
        except TypeError as error:
            raise InputError(f"the baseline does not take these options ({error})", where=where) from error
    elif model.options:
        raise InputError("a fitted baseline takes no options", where=where, fix="Leave options out.")


@lru_cache(maxsize=256)
def model_digest(name: str) -> str:
    """Of weights and configuration; of a baseline of another package its name and version.

    Raises:
        InputError: there is no such model.
    """
    if is_peer(name) and name in registry.names():
        point = registry.foreign().get(name)
        if point is None:
            return "tsprout baseline"
        return "tsprout baseline" if point.dist is None else f"{point.dist.name} {point.dist.version}"
    folder = Path(name) if is_peer(name) else checkpoint.find(name)
    found = hashlib.sha256()
    for path in sorted(p for p in folder.iterdir() if p.suffix in (".json", ".safetensors") and p.is_file()):
        if path.name != "golden.json":
            found.update(f"{path.name} {file_digest(path)}\n".encode())
    return found.hexdigest()[:32]


@lru_cache(maxsize=1024)
def data_digest(name: str, protocol: str) -> str:
    """Of the file of a set, of the recipe of one that is made, or ``missing``; and whether a protocol leaves it as it
    is, as the paper's does with what was scaled once.

    Raises:
        InputError: the catalogue has no such set.
    """
    entry = catalogue(*data_folders())[name]
    kept = " as made" if protocol == "paper" and entry.paper is not None and entry.paper.scaling == "none" else ""
    path = find(entry)
    if path is not None:
        return file_digest(path)[:32] + kept
    return (f"made {entry.source.generator} {entry.size}" if is_free(entry) else "missing") + kept


def _started(model: ModelSpec) -> tuple[dict[str, Any], str]:
    """What of a model changes what it draws, and its weights: those of a checkpoint count, not where it lies."""
    baseline = is_peer(model.model)
    identity, digest = model.identity(baseline=baseline), model_digest(model.model)
    start = model.options.get("checkpoint")
    if not baseline or not isinstance(start, str):
        return identity, digest
    options = {key: value for key, value in model.options.items() if key != "checkpoint"}
    return identity | {"options": options}, f"{digest} from {model_digest(start)}"


def making(cell: Cell, device: str = "cpu") -> dict[str, Any]:
    """Everything that what a cell draws depends on."""
    identity, weights = _started(cell.model)
    return {
        "format": FORMAT,
        "task": cell.task,
        "series": cell.series,
        "data": data_digest(cell.set, cell.protocol),
        "model": identity,
        "weights": weights,
        "device": device_for(cell.model.model, device, cell.model.options),
    }


def task_hash(cell: Cell) -> str:
    """Of what floor, copies and noise depend on."""
    own = {"task": cell.task, "data": data_digest(cell.set, cell.protocol), "suite": cell.suite.identity(cell.protocol)}
    return fingerprint({"format": FORMAT, "series": cell.series} | own)


def making_hash(cell: Cell, device: str = "cpu") -> str:
    """Of :func:`making`."""
    return fingerprint(making(cell, device))


def cell_hash(cell: Cell, device: str = "cpu") -> str:
    """Of everything that the scores of a cell depend on."""
    return fingerprint(making(cell, device) | {"suite": cell.suite.identity(cell.protocol)})
