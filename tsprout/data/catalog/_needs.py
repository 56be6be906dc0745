"""What would stop a pull after its files were fetched, said before: options that do not exist, extras not installed."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from tsprout.data.catalog.entry import Entry
from tsprout.data.catalog.readers.arrays import NoOptions, NpyOptions
from tsprout.data.catalog.readers.options import chosen
from tsprout.data.catalog.readers.r_data import RdaOptions
from tsprout.data.catalog.readers.series_files import TsfOptions, TsOptions
from tsprout.data.catalog.readers.table import TableOptions
from tsprout.errors import MissingExtraError

OPTIONS: dict[str, type] = {
    "csv": TableOptions,
    "xlsx": TableOptions,
    "ts": TsOptions,
    "tsf": TsfOptions,
    "npy": NpyOptions,
    "npz": NoOptions,
    "rda": RdaOptions,
}
# by format or generator: the package, and the extra of tsprout that installs it
EXTRAS = {
    "ts": ("aeon", "ts"),
    "xlsx": ("openpyxl", "xlsx"),
    "rda": ("rdata", "rda"),
    "mujoco": ("dm_control", "mujoco"),
}


def needs(entry: Entry) -> MissingExtraError | None:
    """The error to raise where a package that a set needs is not installed; ``None`` where all is there.

    Raises:
        InputError: an option that its reader does not have, or one of the wrong type.
    """
    source = entry.source
    if source.format in OPTIONS:
        chosen(OPTIONS[source.format], source.options, entry)
    package, extra = EXTRAS.get(source.generator or source.format, ("", ""))
    if not package or _installed(package):
        return None
    does = "making" if source.generator else "reading the files of"
    return MissingExtraError(
        f"{does} {entry.name} needs the package {package}, which is not installed",
        fix=f"Install it: pip install 'tsprout[{extra}]'.",
    )


def _installed(package: str) -> bool:
    if package in sys.modules:
        return sys.modules[package] is not None
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):
        return False
