"""A fitted baseline as a folder: ``baseline.json``, ``state.safetensors``, ``shots.safetensors``; nothing can run code.

``baseline.json`` names format and version, the method, its settings, the scaling and what of the shots is text. What
was learnt is arrays. Which class reads it the registry says, by the method's name; a folder never names code.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file
from safetensors.numpy import save as array_bytes

from tsprout.data.scaling import Scaler
from tsprout.data.stored import from_stored, set_arrays, set_facts
from tsprout.devices import device_of, is_here, is_name
from tsprout.errors import CheckpointError, InputError
from tsprout.staging import from_os_error, staged_folder

if TYPE_CHECKING:
    from tsprout.baselines.contract import Baseline

FACTS, STATE, SHOTS = "baseline.json", "state.safetensors", "shots.safetensors"
FILES = (FACTS, STATE, SHOTS)
FORMAT, VERSION = "tsprout-baseline", 2
_BEFORE_LABELS = 1  # of what an older tsprout reads, too: a scaler that knows nothing of labels
_AGAIN = "Copy the folder again, or fit again."

Kind = TypeVar("Kind", bound="Baseline")


def is_baseline(folder: str | Path) -> bool:
    """Whether a path is a folder that :func:`save` may have written."""
    try:
        return (Path(folder) / FACTS).is_file()
    except OSError:
        return False


def save(
    baseline: Baseline,
    arrays: Callable[[], Mapping[str, np.ndarray]],
    folder: str | Path,
    *,
    force: bool = False,
) -> None:
    """Write ``baseline``, with what ``arrays()`` says it learnt; the folder appears whole or not at all.

    Raises:
        InputError: it is not fitted, or the folder exists and ``force`` is not set.
    """
    from tsprout import __version__

    if baseline.shots is None:
        raise InputError(f"the baseline {baseline.name} has not been fitted to any series yet", fix="Call fit first.")
    facts: dict[str, Any] = {
        "format": FORMAT,
        "format_version": VERSION if baseline.scaler is not None and baseline.scaler.labels else _BEFORE_LABELS,
        "tsprout_version": __version__,
        "name": baseline.name,
        "settings": baseline.settings,
        "scaler": None if baseline.scaler is None else baseline.scaler.to_dict(),
        "notes": list(baseline.notes),
        "shots": set_facts(baseline.shots),
    }
    state = {name: np.ascontiguousarray(value) for name, value in arrays().items()}
    with staged_folder(folder, FILES, force=force) as stage:
        try:
            (stage / STATE).write_bytes(array_bytes(state))
            (stage / SHOTS).write_bytes(array_bytes(set_arrays(baseline.shots)))
            (stage / FACTS).write_text(json.dumps(facts, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise from_os_error(error, folder) from error


def load(folder: str | Path, kind: type[Kind], device: str | None = None) -> Kind:
    """The fitted baseline of a folder, which must be a ``kind``; ``device`` as in :meth:`Baseline.load`.

    Raises:
        CheckpointError: there is none, it is damaged, of another version, of another method, or of one that is not
            installed.
        InputError: this machine has no such device.
    """
    from tsprout.baselines.registry import get

    where = Path(folder)
    facts = _facts(where)
    name = str(facts.get("name"))
    found = get(name)
    if not issubclass(found, kind):
        raise CheckpointError(
            f"the folder holds the baseline {name}, not {getattr(kind, 'name', kind.__name__)}",
            where=str(folder),
            fix="Read it with tsprout.baselines.load.",
        )
    if device is not None:
        device_of(device)
    try:
        baseline = found(**_settings(facts["settings"], device))
        baseline.shots = from_stored(load_file(where / SHOTS), facts["shots"])
        baseline.scaler = None if facts["scaler"] is None else Scaler.from_dict(facts["scaler"])
        baseline.notes = tuple(str(note) for note in facts["notes"])
        baseline._take(load_file(where / STATE))
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            "a file of the fitted baseline is missing, truncated or damaged", where=str(folder), fix=_AGAIN
        ) from error
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        text = f"what was learnt and its description do not fit together ({type(error).__name__}: {error})"
        raise CheckpointError(text, where=str(folder), fix=_AGAIN) from error
    return baseline


def settings_of(folder: str | Path) -> dict[str, Any]:
    """The hyper-parameters of a fitted baseline by its description alone, without what it learnt.

    Raises:
        CheckpointError: there is no description, or it is damaged or of another version.
    """
    found = _facts(Path(folder)).get("settings")
    return found if isinstance(found, dict) else {}


def _facts(folder: Path) -> dict[str, Any]:
    path = folder / FACTS
    if not is_baseline(folder):
        fix = "A fitted baseline is a folder made by tsprout fit --model NAME, or by save."
        raise CheckpointError(f"there is no {FACTS}: this is not a fitted baseline", where=str(folder), fix=fix)
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise from_os_error(error, path) from error
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise CheckpointError("the description is damaged or truncated", where=str(path), fix=_AGAIN) from error
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise CheckpointError("this is not the description of a fitted baseline", where=str(path), fix=_AGAIN)
    if facts.get("format_version") not in (_BEFORE_LABELS, VERSION):
        raise CheckpointError(
            f"the format has version {facts.get('format_version')!r}, and this tsprout reads versions 1 and {VERSION}",
            where=str(path),
            fix="Use the tsprout that wrote it, or fit again.",
        )
    return facts


def _settings(given: Mapping[str, Any], device: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    if is_name(own := found.get("device")):
        found["device"] = device or (own if is_here(own) else "cpu")
    return found
