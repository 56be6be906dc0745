"""The folder of a pre-training: whose it is, who is at work in it, and what its weights were trained on before.

::

    config.yaml          the whole configuration, defaults included
    state.safetensors    weights, averages, optimiser, position: what the run is resumed from
    log.jsonl            one line every so many steps (tsprout/train/record.py)
    tensorboard/         the same, if asked for
    checkpoint/          averaged weights with their facts; Sprout.from_pretrained reads it; written at the end
    started.json         with --start-from: what that checkpoint was trained on
    .pretraining         while a run is at work here: its lock
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tsprout.errors import InputError, TsproutError
from tsprout.locks import alone
from tsprout.staging import MARK, from_os_error, is_partial

if TYPE_CHECKING:
    from tsprout.checkpoint import Checkpoint
    from tsprout.train.engine import Engine

CHECKPOINT, CONFIG, STARTED, LOCK = "checkpoint", "config.yaml", "started.json", ".pretraining"


def check_out(out: Path) -> None:
    """Refuse a folder that is not a run's, before any work."""
    from tsprout.train.loop import STATE

    if out.exists() and not out.is_dir():
        raise InputError("the output is a file, a folder is needed", where=str(out), fix="Choose another name.")
    # What a run killed before its first state leaves has its lock; the configuration alone may be somebody's own.
    here = [path.name for path in out.iterdir()] if out.is_dir() else []
    if not {STATE, LOCK} & set(here) and not all(is_partial(name, STATE) for name in here):
        raise InputError(
            "the folder holds other files, and no run to go on with", where=str(out), fix="Choose an empty folder."
        )


def tidy(out: Path) -> None:
    """Remove what a killed run left half written."""
    import shutil

    for path in out.glob(".*") if out.is_dir() else ():
        if is_partial(path.name):
            path.unlink()
        elif path.name.startswith(f".{CHECKPOINT}{MARK}"):
            shutil.rmtree(path)


@contextmanager
def holding(out: Path, engine: Engine) -> Iterator[None]:
    """Hold the folder of a run, on the first rank; where another run holds it, all ranks are refused.

    Raises:
        InputError: another run holds it.
        TsproutError: it cannot be made.
    """
    made, refused = [path for path in (out, *out.parents) if not path.exists()], None
    with ExitStack() as held:
        if engine.rank == 0:
            # Those that were made for nothing go again, the innermost first; after the lock's file is gone.
            held.callback(_remove_empty, made)
            try:
                out.mkdir(parents=True, exist_ok=True)
                held.enter_context(alone(out, LOCK))
            except OSError as error:
                refused = from_os_error(error, out)
            except TsproutError as error:
                refused = error
        (stop,) = engine.any(refused is not None)
        if stop:
            raise refused or InputError("the first process cannot have this folder", where=str(out))
        yield


def _remove_empty(folders: Sequence[Path]) -> None:
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def seen_by(start: Checkpoint) -> dict[str, str]:
    """Sets that a checkpoint, or one it was started from, was trained on, with their domains (empty: unknown)."""
    from tsprout.data.catalog.entry import catalogue

    known = {entry.name: entry.domain for entry in catalogue().values()}
    own, before = start.info.get("sets"), start.info.get("sets_before")
    found = {str(name): str(domain) for name, domain in before.items()} if isinstance(before, dict) else {}
    for name, about in own.items() if isinstance(own, dict) else ():
        found[str(name)] = str(about.get("domain") or "") if isinstance(about, dict) else ""
    return {name: domain or known.get(name, "") for name, domain in found.items()}


def read_seen(out: Path) -> dict[str, str]:
    """What :func:`seen_by` said of the checkpoint that the run in ``out`` started from; empty where there was none."""
    try:
        found = json.loads((out / STARTED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): str(domain) for name, domain in found.items()} if isinstance(found, dict) else {}
