"""NumPy archives, ``.npz``: everything a series set holds. Never anything pickled.

Keys: ``values`` (n_series, n_channels, length) and, where there is something to say, ``observed``, ``lengths``,
``channels``, ``ids``, ``times``, ``labels``, ``static_<name>``, ``axes`` and ``timezone``. A file with other keys is
read when one array is plainly the values; its axis order is then said with ``axes``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from tsprout.data.columns import missing_numbers, without_codes
from tsprout.data.files.arrays import NpyWriter, array_header, not_numpy, numpy_dtype, out_axes, to_numpy
from tsprout.data.long import attach
from tsprout.data.memory import require
from tsprout.data.precision import array_notices
from tsprout.data.reading import ReadOptions
from tsprout.data.schema import Schema
from tsprout.data.timestamps import infer_frequency
from tsprout.errors import InputError, NotThereError
from tsprout.series import SeriesSet, as_objects, check_axes, to_ncl

VALUE_KEYS = ("values", "series", "data", "X", "x", "arr_0")
STATIC = "static_"
MISSING = "__missing"


def read_npz(path: Path, options: ReadOptions) -> SeriesSet:
    """Read an archive of arrays; see :func:`tsprout.data.files.read`."""
    where = str(path)
    try:
        with zipfile.ZipFile(path) as archive:
            require(3 * sum(i.file_size for i in archive.infolist()), options.available_memory, where)
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except (ValueError, EOFError, OSError, MemoryError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise not_numpy(error, where) from None
    try:
        series = _from_arrays(arrays, options)
    except InputError as error:
        raise InputError(error.what, where=f"{where}, {error.where}" if error.where else where, fix=error.fix) from None
    assert series.schema is not None
    return attach(series, series.schema, options)


def _from_arrays(arrays: dict[str, np.ndarray], options: ReadOptions) -> SeriesSet:
    key = _values_key(arrays)
    values = arrays[key]
    roles = {
        "ids": options.id_column or "ids",
        "times": options.time_column or "times",
        "labels": options.label_column or "labels",
    }
    for option in (options.id_column, options.time_column, options.label_column, *(options.static_columns or ())):
        if option is not None and option not in arrays:
            raise NotThereError("array", option, fix=f"Arrays there are: {', '.join(arrays)}.")
    _check_sides(arrays)
    names = [str(c) for c in arrays["channels"]] if "channels" in arrays else None
    axes = check_axes(_axes(arrays, key, names, options), values.shape)
    static = {k[len(STATIC) :]: k for k in arrays if k.startswith(STATIC) and not k.endswith(MISSING)}
    static |= {k: k for k in options.static_columns or ()}
    picked = None
    if options.channels is not None:
        if names is not None:
            unknown = [c for c in options.channels if c not in names]
            if unknown:
                raise NotThereError("channel", unknown[0], fix=f"Channels there are: {', '.join(names)}.")
            picked = [names.index(c) for c in options.channels]
        names = list(options.channels) if picked is None else names
    known = {key, "observed", "lengths", "channels", "axes", "timezone", *roles.values(), *static.values()}
    known |= {k for k in arrays if k.endswith(MISSING)}
    unused = [k for k in arrays if k not in known]
    notices = [f"arrays left out: {', '.join(unused)}"] if unused else []
    times = arrays.get(roles["times"])
    exact = without_codes(values, missing_numbers(options.missing_codes))
    series = SeriesSet.from_array(
        exact,
        axes,
        observed=arrays.get("observed"),
        lengths=arrays.get("lengths"),
        channels=names,
        ids=arrays.get(roles["ids"]),
        times=times,
        labels=_unpacked(arrays, roles["labels"]) if roles["labels"] in arrays else None,
        static={name: _unpacked(arrays, k) for name, k in static.items()},
    )
    schema = Schema(
        "npz",
        axes=axes,
        dtypes={"values": str(values.dtype)},
        keys=tuple(k for k in arrays if k in known),
        id_column=roles["ids"] if roles["ids"] in arrays else None,
        time_column=roles["times"] if times is not None else None,
        label_column=roles["labels"] if roles["labels"] in arrays else None,
        static_columns=tuple(static),
        time_kind=None
        if series.times is None
        else {"M": "datetime", "i": "int", "f": "float"}[series.times.dtype.kind],
        timezone=str(arrays["timezone"]) if "timezone" in arrays else None,
        meta={"values": key, "static": static},
        notices=(*notices, *array_notices(to_ncl(exact, axes), series.values, series.channels)),
    )
    frequency = infer_frequency(series.times, series.lengths)
    series = dataclasses.replace(series, schema=schema, frequency=frequency)
    if picked is None:
        return series
    return dataclasses.replace(
        series,
        values=series.values[:, picked],
        observed=series.observed[:, picked],
        channels=tuple(options.channels or ()),
    )


def _check_sides(arrays: dict[str, np.ndarray]) -> None:
    """Refuse what stands beside the values and cannot be what it is called."""
    for key in ("channels", "lengths"):
        if key in arrays and arrays[key].ndim != 1:
            raise InputError(f"{key} has {arrays[key].ndim} axes, but a list of them is needed", where=key)
    if "lengths" in arrays and arrays["lengths"].dtype.kind not in "iu":
        fix = "Save them as whole numbers."
        raise InputError(f"lengths are {arrays['lengths'].dtype}, not whole numbers", where="lengths", fix=fix)
    for key, missing in arrays.items():
        column = arrays.get(key.removesuffix(MISSING))
        if key.endswith(MISSING) and (column is None or column.shape != missing.shape or missing.dtype != bool):
            fix = f"Give one true or false for each of {key.removesuffix(MISSING)!r}."
            raise InputError("it does not say what is missing", where=key, fix=fix)


def _values_key(arrays: dict[str, np.ndarray]) -> str:
    named = next((k for k in VALUE_KEYS if k in arrays), None)
    if named is not None:
        return named
    numeric = [k for k, a in arrays.items() if a.dtype.kind in "biuf" and a.ndim >= 1]
    if len(numeric) == 1:
        return numeric[0]
    deep = [k for k in numeric if arrays[k].ndim == 3]
    if len(deep) == 1:
        return deep[0]
    raise InputError(
        "cannot tell which array holds the series",
        fix=f"Call it 'values'. Arrays there are: {', '.join(f'{k} {a.shape}' for k, a in arrays.items()) or 'none'}.",
    )


def _axes(arrays: dict[str, np.ndarray], key: str, names: list[str] | None, options: ReadOptions) -> str | None:
    values = arrays[key]
    if options.axes is not None:
        return options.axes
    if "axes" in arrays:
        return str(arrays["axes"])
    if names is not None and values.ndim == 3 and (values.shape[1] == len(names)) != (values.shape[2] == len(names)):
        return "ncl" if values.shape[1] == len(names) else "nlc"
    return "ncl" if key == "values" and values.ndim == 3 else None


def _unpacked(arrays: dict[str, np.ndarray], key: str) -> np.ndarray:
    column, missing = arrays[key], arrays.get(key + MISSING)
    if missing is None:
        return column
    return as_objects(None if m else v for v, m in zip(column.tolist(), missing.tolist(), strict=True))


def _packed(column: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """A column without objects, and a mask of what is missing (or ``None``)."""
    if column.dtype != object:
        return column, None
    missing = np.array([v is None for v in column], dtype=bool)
    present = [v for v in column if v is not None]
    kind: Any = str
    for candidate in (bool, int, float):
        if present and all(type(v) is candidate for v in present):
            kind = candidate
    filled = np.array([kind() if v is None else kind(v) for v in column], dtype=kind)
    return filled, missing if missing.any() else None


class NpzWriter(NpyWriter):
    """Writes all a set holds. Values, masks and times are streamed; only per-series columns stay in memory."""

    _zip: zipfile.ZipFile | None = None
    _entry: IO[bytes] | None = None

    def _begin(self, batch: SeriesSet) -> None:
        base = self.known or Schema("series-set")
        if base.format == "npz":
            self.schema, self.axes = base, out_axes(base.axes, self.n_series, len(self.channels))
        else:
            keys = ["values", "lengths", "channels", "ids", "axes"]
            keys += ["times"] if batch.times is not None else []
            keys += ["labels"] if batch.labels is not None else []
            static = {name: STATIC + name for name in batch.static}
            keys += [*static.values(), *(["timezone"] if base.timezone else [])]
            self.schema = Schema(
                "npz",
                keys=tuple(keys),
                dtypes={"values": numpy_dtype(base, batch)},
                id_column="ids",
                time_column="times",
                label_column="labels",
                timezone=base.timezone,
                meta={"values": "values", "static": static},
            )
            self.axes = "ncl"
        folder = self.path.parent
        self._spools: dict[str, IO[bytes]] = {}
        for key in ("observed", self.schema.time_column):
            if key is not None and key in self.schema.keys:
                self._spools[key] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  (closed in _discard)
        self._time_dtype = None if batch.times is None else batch.times.dtype
        self._columns: dict[str, list[np.ndarray]] = {}
        self._zip = zipfile.ZipFile(self.file, "w", zipfile.ZIP_STORED, allowZip64=True)
        self._entry = self._zip.open(f"{self.schema.meta['values']}.npy", "w", force_zip64=True)
        self._header(self._entry)

    def _add(self, batch: SeriesSet) -> None:
        assert self._entry is not None
        self._entry.write(to_numpy(batch, self.schema, self.length, self.axes).data)
        short = self.length - batch.length
        if "observed" in self._spools:
            mask = np.pad(batch.observed, [(0, 0), (0, 0), (0, short)])
            order = ["ncl".index(a) for a in self.axes]
            flat = mask.transpose([*(i for i in range(3) if i not in order), *order])
            self._spools["observed"].write(np.ascontiguousarray(flat).data)
        time_key = self.schema.time_column
        if time_key in self._spools:
            if batch.times is None:
                raise InputError("the series have no times, but the schema has", where=str(self.path))
            fill: Any = np.datetime64("NaT") if batch.times.dtype.kind == "M" else 0
            rows = np.pad(batch.times, [(0, 0), (0, short)], constant_values=fill)
            self._spools[time_key].write(np.ascontiguousarray(rows).view(np.uint8).data)
        named = {"lengths": batch.lengths, self.schema.id_column: batch.ids, self.schema.label_column: batch.labels}
        named |= {key: batch.static.get(name) for name, key in self.schema.meta["static"].items()}
        for key, column in named.items():
            if key is not None and key in self.schema.keys:
                filler = as_objects([None] * batch.n_series)
                self._columns.setdefault(key, []).append(filler if column is None else column)

    def _end(self) -> None:
        assert self._zip is not None and self._entry is not None
        self._entry.close()
        for key, spool in self._spools.items():
            with self._zip.open(f"{key}.npy", "w", force_zip64=True) as entry:
                if key == "observed":
                    sizes = {"n": self.n_series, "c": len(self.channels), "l": self.length}
                    array_header(entry, np.dtype(bool), tuple(sizes[a] for a in self.axes))
                else:
                    array_header(entry, self._time_dtype or np.dtype(np.int64), (self.n_series, self.length))
                spool.seek(0)
                shutil.copyfileobj(spool, entry, 1 << 20)
        arrays: dict[str, np.ndarray] = {}
        for key, parts in self._columns.items():
            column = np.concatenate(parts)
            if key == self.schema.id_column and column.dtype == object:
                column = np.array([str(i) for i in column])
            arrays[key], missing = _packed(column)
            if missing is not None:
                arrays[key + MISSING] = missing
        facts = {"channels": list(self.channels), "axes": self.axes, "timezone": self.schema.timezone}
        arrays |= {k: np.array(v) for k, v in facts.items() if k in self.schema.keys}
        for key, array in arrays.items():
            with self._zip.open(f"{key}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)
        self._zip.close()

    def _discard(self) -> None:
        for spool in getattr(self, "_spools", {}).values():
            spool.close()
        with contextlib.suppress(OSError, ValueError):
            if self._entry is not None:
                self._entry.close()
            if self._zip is not None:
                self._zip.close()
        if self._zip is not None:
            self._zip.fp = None  # or its finaliser would write once more
        super()._discard()
