"""The job behind ``tsprout push``: a checkpoint, as it lies in its folder, goes to the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsprout.accounts import Stopwatch, versions

if TYPE_CHECKING:
    from tsprout.hub import PushOptions


def push(model: str | Path, name: str, options: PushOptions) -> dict[str, Any]:
    """Check that a model loads, and publish its files unchanged.

    Returns:
        an account of what was pushed: files, address of the commit, seconds.

    Raises:
        CheckpointError: see :func:`tsprout.checkpoint.load` and :func:`tsprout.checkpoint.push`.
    """
    from tsprout import checkpoint

    watch = Stopwatch()
    with watch.stage("load"):
        folder = checkpoint.find(model)
        loaded = checkpoint.load(folder)
    with watch.stage("push"):
        commit = checkpoint.push(loaded, name, options, folder)
    return {
        "command": "push",
        "versions": versions(),
        "model": str(model),
        "name": name,
        "revision": options.revision,
        "shots": loaded.shots is not None,
        "files": [file for file in checkpoint.FILES if (folder / file).is_file()],
        "commit": commit,
        "seconds": watch.rounded(),
    }
