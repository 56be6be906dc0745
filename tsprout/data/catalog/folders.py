"""Where data sets lie: a documented cache, and the data pack beside a checkout.

1. ``TSPROUT_DATA``, if set: a folder of ``<role>/<name>.npz``. Sets are pulled into it.
2. Otherwise ``tsprout/data`` in the user's cache folder (``XDG_CACHE_HOME`` or ``~/.cache``; on Windows
   ``LOCALAPPDATA``; on macOS ``~/Library/Caches``).
3. ``../shared/data`` beside the checkout that the package is imported from, read where it lies, never written.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

VARIABLE = "TSPROUT_DATA"


def cache_folder() -> Path:
    """Where pulled sets go; it need not exist."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "tsprout" / "data"


def pack_folder() -> Path | None:
    """The data pack beside the checkout, if there is one."""
    folder = Path(__file__).resolve().parents[4] / "shared" / "data"
    return folder if folder.is_dir() else None


def data_folders() -> tuple[Path, ...]:
    """Where sets are looked for, in order."""
    pack = pack_folder()
    return (cache_folder(),) if pack is None else (cache_folder(), pack)
