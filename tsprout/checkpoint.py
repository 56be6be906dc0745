"""Checkpoints: a folder with ``config.json`` and ``model.safetensors``; nothing in it can run code.

``config.json`` names its format and version (:mod:`tsprout.compat` says which are read), the model's configuration,
and what a reader wants to know (sets, licences, steps), of which ``README.md``, the model card, is made. A fitted model
adds ``fitted`` (scaling, schema, report) and ``shots.safetensors``: the user's own few series, which the model is shown
when it samples. **A fitted model therefore contains its training series.**

A checkpoint is found by the name of one bundled in the package, by the path of a folder, or, with the extra ``hub``, by
a Hugging Face repository id such as ``name/model``. Files that are truncated, of a newer format, or pickles are
refused.
"""

from __future__ import annotations

import difflib
import json
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save as array_bytes
from safetensors.torch import load_file
from safetensors.torch import save as tensor_bytes

from tsprout.baselines import registry
from tsprout.card import model_card
from tsprout.compat import VERSION, modern, modern_weights, stamp
from tsprout.data.stored import from_stored, set_arrays, set_facts
from tsprout.devices import device_of
from tsprout.errors import CheckpointError
from tsprout.hub import HubOptions, PushOptions, check_name, fetch, split_name
from tsprout.hub import push as hub_push
from tsprout.model import Denoiser, ModelConfig
from tsprout.nn.adapters import AdapterConfig, adapt
from tsprout.series import SeriesSet
from tsprout.staging import from_os_error, staged_folder

RUN = "checkpoint"
CONFIG, WEIGHTS, SHOTS, CARD = "config.json", "model.safetensors", "shots.safetensors", "README.md"
FILES = (CONFIG, WEIGHTS, SHOTS, CARD, "golden.json")
PICKLES = (".pt", ".pth", ".ckpt", ".bin", ".pkl", ".pickle", ".joblib")
BUNDLED = Path(__file__).parent / "weights"


@dataclass
class Checkpoint:
    """What a folder holds: the model, facts about it, and for a fitted one what it was fitted on and how.

    ``version`` of the format it was read from; ``notes``: what of it this tsprout could not use and did not need.
    """

    model: Denoiser
    info: dict[str, Any] = field(default_factory=dict)
    adapter: AdapterConfig | None = None
    fitted: dict[str, Any] | None = None
    shots: SeriesSet | None = None
    version: tuple[int, int] = VERSION
    notes: tuple[str, ...] = ()


def bundled_names() -> list[str]:
    """Names of the checkpoints inside the package."""
    return sorted(p.name for p in BUNDLED.iterdir() if (p / CONFIG).is_file()) if BUNDLED.is_dir() else []


def find(name: str | Path, options: HubOptions | None = None) -> Path:
    """The folder of a bundled name, a local folder, or a hub id (which downloads), in this order.

    Args:
        name: a hub id may name its revision, ``owner/name@revision``.
        options: of the hub: revision, cache, token.

    Raises:
        CheckpointError: if there is none, the path is a single file, or a revision is asked of what is not on the hub.
        MissingExtraError: if it looks like a hub id and the extra ``hub`` is not installed.
    """
    text, options = str(name), options or HubOptions()
    local = BUNDLED / text if text in bundled_names() else Path(name)
    try:
        here, exists = local.is_dir(), local.exists()
    except OSError as error:
        raise CheckpointError("there is no such checkpoint", where=text, fix=str(from_os_error(error).fix)) from error
    if here:
        if options.revision is not None:
            fix = "Leave the revision out, or give the full name of a model on the hub."
            raise CheckpointError("only models on the hub have revisions; this is a folder", where=text, fix=fix)
        run = local / RUN  # the folder of a pre-training holds its checkpoint
        return run if not (local / CONFIG).is_file() and (run / CONFIG).is_file() else local
    if local.suffix.lower() in PICKLES:
        raise CheckpointError(
            "this is a pickle, or may be one, and loading a pickle runs whatever code is in it",
            where=text,
            fix="tsprout loads only folders with config.json and model.safetensors.",
        )
    if exists:
        raise CheckpointError(
            "this is a file; a checkpoint is a folder", where=text, fix="Name the folder that holds config.json."
        )
    if (found := split_name(text)) is not None:
        repository, revision = found
        if revision is not None and options.revision not in (None, revision):
            fix = "Name it once."
            raise CheckpointError(f"two revisions are asked for, {options.revision} too", where=text, fix=fix)
        return fetch(repository, FILES, replace(options, revision=options.revision or revision))
    near = difflib.get_close_matches(text, [*bundled_names(), *registry.names()], 1)
    guess = f"Did you mean {near[0]!r}? " if near else ""
    raise CheckpointError(
        "there is no such checkpoint",
        where=text,
        fix=f"{guess}Bundled: {', '.join(bundled_names()) or 'none'}. Or name a folder, a hub id such as owner/model, "
        "or a baseline (tsprout models).",
    )


def _config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    if not path.is_file():
        if folder.is_dir() and any(p.suffix.lower() in PICKLES for p in folder.iterdir()):
            fix = "It holds a pickle, which tsprout never loads, since loading one runs whatever code is in it."
        elif (folder / "summary.json").is_file():
            fix = "It is what tsprout run has made: run it again with --keep-model MODEL, or use tsprout fit."
        else:
            fix = f"A tsprout checkpoint is a folder with {CONFIG} and {WEIGHTS}."
        raise CheckpointError(f"there is no {CONFIG}: this is not a checkpoint", where=str(folder), fix=fix)
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise CheckpointError(
            f"the configuration cannot be read ({type(error).__name__}): it is damaged or truncated",
            where=str(path),
            fix="Copy or download the checkpoint again.",
        ) from error
    except OSError as error:
        raise from_os_error(error, path) from error
    return config if isinstance(config, dict) else {}


def load(name: str | Path, *, device: str = "cpu", options: HubOptions | None = None) -> Checkpoint:
    """Read a checkpoint.

    Args:
        name: see :func:`find`.
        device: where the weights go.
        options: of the hub: revision, cache, token.

    Raises:
        CheckpointError: missing, truncated, damaged, of another format version, a pickle, or not fitting its
            configuration.
        InputError: this machine has no such device.
    """
    device_of(device)
    folder = find(name, options)
    config, version, notes = modern(_config(folder), str(folder / CONFIG))
    try:
        model_config = ModelConfig.from_dict(config["model"])
        adapter = AdapterConfig(**config["adapter"]) if config.get("adapter") else None
        weights = modern_weights(load_file(folder / WEIGHTS), version)
        model = Denoiser(model_config)
        if adapter is not None:
            adapt(model, adapter)
        model.load_state_dict({k: v.float() for k, v in weights.items()})
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{WEIGHTS} is missing", where=str(folder), fix="Copy or download the checkpoint again."
        ) from error
    except (SafetensorError, EOFError) as error:
        raise CheckpointError(
            "the weights are truncated, damaged, or not safetensors",
            where=str(folder / WEIGHTS),
            fix="Copy or download the checkpoint again. Pickled weights are never loaded.",
        ) from error
    except OSError as error:
        raise from_os_error(error, folder / WEIGHTS) from error
    except (RuntimeError, KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise CheckpointError(
            f"weights and configuration do not fit together: {_short(error)}",
            where=str(folder),
            fix="Copy or download the checkpoint again, or upgrade tsprout.",
        ) from error
    fitted = config.get("fitted")
    shots = _load_shots(folder, fitted) if fitted else None
    return Checkpoint(model.eval().to(device), config.get("info", {}), adapter, fitted, shots, version, tuple(notes))


def save(checkpoint: Checkpoint, folder: str | Path, *, half: bool = False, force: bool = False) -> None:
    """Write a checkpoint folder; it appears whole or not at all.

    Args:
        checkpoint: what to write.
        folder: where; refused if it exists, unless ``force`` and it holds a checkpoint only.
        half: store weights in 16 bits. Without it a loaded model gives the same bits as the saved one.
        force: replace an older checkpoint there.
    """
    from tsprout import __version__

    dtype = torch.float16 if half else torch.float32
    settled, state = checkpoint.model.settled()
    weights = {k: v.detach().to("cpu", dtype).contiguous() for k, v in state.items()}
    config: dict[str, Any] = {
        **stamp(__version__),
        "model": settled.to_dict(),
        "info": checkpoint.info,
    }
    if checkpoint.adapter is not None:
        config["adapter"] = checkpoint.adapter.to_dict()
    if checkpoint.fitted is not None and checkpoint.shots is not None:
        config["fitted"] = checkpoint.fitted | {"shots": set_facts(checkpoint.shots)}
    modern(config, str(folder))  # what could not be read again must not take the place of what was fitted
    title = Path(folder).resolve().name
    with staged_folder(folder, FILES, force=force) as stage:
        try:
            # Through Python's own files: the library's would be readable by their owner only.
            size = (stage / WEIGHTS).write_bytes(tensor_bytes(weights))
            if checkpoint.shots is not None:
                (stage / SHOTS).write_bytes(array_bytes(set_arrays(checkpoint.shots)))
            (stage / CONFIG).write_text(json.dumps(config, indent=1, allow_nan=False) + "\n", encoding="utf-8")
            card = model_card(config, name=title, parameters=checkpoint.model.parameter_count, weights_bytes=size)
            (stage / CARD).write_text(card, encoding="utf-8")
        except OSError as error:
            raise from_os_error(error, folder) from error


def check_push(checkpoint: Checkpoint, name: str, options: PushOptions) -> None:
    """Refuse, before any work is done, a push that must not or cannot be.

    Raises:
        CheckpointError: the checkpoint holds somebody's series and ``include_shots`` is not set, or the name cannot be.
    """
    check_name(name)
    if checkpoint.shots is not None and not options.include_shots:
        raise CheckpointError(
            f"this model was fitted to your series and contains them: {_published(checkpoint.shots)}. "
            "Pushing it would publish them",
            where=name,
            fix="Push the model before it is fitted, or say include_shots=True (--include-shots).",
        )


def push(checkpoint: Checkpoint, name: str, options: PushOptions, folder: str | Path | None = None) -> str:
    """Put a checkpoint on the hub; returns the address of the commit.

    Args:
        checkpoint: what to push; one with shots goes to a private repository unless ``options`` say otherwise.
        name: ``owner/name``, or ``name`` for the owner of the token.
        options: who may see it, branch, message, token, whether shots may be published.
        folder: where ``checkpoint`` was saved; by default it is saved for the push alone.

    Raises:
        CheckpointError: see :func:`check_push` and :func:`tsprout.hub.push`.
    """
    check_push(checkpoint, name, options)
    if checkpoint.shots is not None and options.private is None:
        options = replace(options, private=True)
    with tempfile.TemporaryDirectory() as above:
        if folder is None:
            folder = Path(above) / name.rsplit("/")[-1]
            save(checkpoint, folder)
        if checkpoint.shots is None and (Path(folder) / SHOTS).exists():
            raise CheckpointError(
                "somebody's series lie beside a checkpoint that does not speak of them",
                where=str(Path(folder) / SHOTS),
                fix="Remove that file, or make the folder again, and push then.",
            )
        return hub_push(Path(folder), name, FILES, options)


def _published(shots: SeriesSet) -> str:
    """What of a set would be published, in words: values, names, and whatever else is stored beside them."""
    shown = ", ".join(shots.channels[:4]) + (", ..." if shots.n_channels > 4 else "")
    beside = ["ids"]
    beside += ["time stamps"] if shots.times is not None else []
    beside += ["labels"] if shots.labels is not None else []
    beside += [f"columns {', '.join(shots.static)}"] if shots.static else []
    return (
        f"the values of all {len(shots)} series, {shots.n_channels} channels ({shown}), up to {shots.length} steps, "
        f"with their {', '.join(beside)}"
    )


def _short(error: Exception) -> str:
    """The first line of an error that says something: torch begins with a heading."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[1] if len(lines) > 1 and lines[0].endswith(":") else (lines or [type(error).__name__])[0]


def _load_shots(folder: Path, fitted: dict[str, Any]) -> SeriesSet:
    path = folder / SHOTS
    try:
        return from_stored(load_arrays(path), fitted["shots"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(
            "the shots beside the weights are missing, truncated or damaged",
            where=str(path),
            fix="Copy the checkpoint again, or fit again.",
        ) from error
