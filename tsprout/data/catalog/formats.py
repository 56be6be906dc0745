"""From the files that a source offers to the arrays of a data set file, by the ``format`` of the catalogue.

======== ===================================================== ==========================================
format   files                                                 module
======== ===================================================== ==========================================
``csv``  text tables, plain, compressed or in an archive       :mod:`tsprout.data.catalog.readers.table`
``xlsx`` workbooks (extra ``xlsx``)                            the same
``ts``   zips of timeseriesclassification.com (extra ``ts``)   :mod:`tsprout.data.catalog.readers.series_files`
``tsf``  zips of the Monash archive                            the same
``npy``  numpy arrays, plain or in an archive                  :mod:`tsprout.data.catalog.readers.arrays`
``npz``  data set files of this package                        the same
``rda``  R objects (extra ``rda``)                             :mod:`tsprout.data.catalog.readers.r_data`
======== ===================================================== ==========================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tsprout.data.catalog.entry import Entry
from tsprout.data.catalog.readers.arrays import read_npy, read_npz
from tsprout.data.catalog.readers.r_data import read_rda
from tsprout.data.catalog.readers.series_files import read_ts, read_tsf
from tsprout.data.catalog.readers.table import read_csv, read_xlsx
from tsprout.data.catalog.sets import parse
from tsprout.errors import InputError

Reader = Callable[[Sequence[Path], Mapping[str, Any], Entry], dict[str, np.ndarray]]

FORMATS: dict[str, Reader] = {
    "csv": read_csv,
    "xlsx": read_xlsx,
    "ts": read_ts,
    "tsf": read_tsf,
    "npy": read_npy,
    "npz": read_npz,
    "rda": read_rda,
}


def read_source(entry: Entry, files: Sequence[Path]) -> dict[str, np.ndarray]:
    """The arrays of a set, as :mod:`tsprout.data.catalog.sets` lists them, from its downloaded files.

    Args:
        entry: of the catalogue.
        files: one for each of ``entry.source.urls``, in that order. Their names do not matter.

    Raises:
        InputError: the format is not known, a file is damaged or not what it should be, or what comes out is not of the
            size that the catalogue says.
        MissingExtraError: an optional package is needed to read them.
    """
    source = entry.source
    if source.format not in FORMATS:
        what = f"the format {source.format!r} is not known" if source.format else "it has no files to read"
        raise InputError(what, where=f"[{entry.name}.source]", fix=f"Known: {', '.join(FORMATS)}.")
    if len(files) != len(source.urls):
        raise InputError(f"{len(files)} files for {len(source.urls)} addresses", where=f"[{entry.name}.source]")
    arrays = FORMATS[source.format](files, source.options, entry)
    size = parse(entry, arrays, files[0]).size
    wanted = {key: value for key, value in asdict(entry.size).items() if value is not None}
    if {key: asdict(size)[key] for key in wanted} != wanted:
        raise InputError(
            f"the source of {entry.name} has changed: it has {size}, not {entry.size}",
            where=", ".join(str(file) for file in files[:3]) + (", ..." if len(files) > 3 else ""),
            fix="A newer version of tsprout may know the new one.",
        )
    return arrays
