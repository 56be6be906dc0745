"""Bare arrays of numpy, as objects and as ``.npy`` files: values alone. Never anything pickled."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import numpy as np

from tsprout.data import numbers, tables
from tsprout.data.columns import missing_numbers, without_codes
from tsprout.data.files._writer import Writer
from tsprout.data.long import attach
from tsprout.data.memory import require
from tsprout.data.precision import array_notices
from tsprout.data.reading import ReadOptions
from tsprout.data.schema import Schema
from tsprout.errors import InputError
from tsprout.series import AXES, SeriesSet, check_axes, to_ncl


def read_npy(path: Path, options: ReadOptions) -> SeriesSet:
    """Read one array; see :func:`tsprout.data.files.read`."""
    where = str(path)
    require(3 * path.stat().st_size, options.available_memory, where)
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError) as error:
        raise not_numpy(error, where) from None
    if not isinstance(array, np.ndarray):
        array.close()
        raise InputError("this is an .npz archive, not an .npy file", where=where, fix="Rename it to .npz.")
    return from_numpy(array, options, "npy", where)


def from_numpy(array: np.ndarray, options: ReadOptions, form: str, where: str) -> SeriesSet:
    """A bare array as a series set, with the schema to give one back."""
    dtype, array = str(array.dtype), unmasked(array)
    try:
        axes = check_axes(options.axes, array.shape)
        values = without_codes(array, missing_numbers(options.missing_codes))
        names = list(options.channels) if options.channels is not None else None
        series = SeriesSet.from_array(values, axes, channels=names)
    except InputError as error:
        raise InputError(error.what, where=error.where or where, fix=error.fix) from None
    notices = array_notices(to_ncl(values, axes), series.values, series.channels)
    schema = Schema(form, axes=axes, dtypes={"values": dtype}, notices=tuple(notices))
    return attach(series, schema, options)


def unmasked(array: np.ndarray) -> np.ndarray:
    """A plain array, with NaN where a masked one says that there is nothing."""
    if not isinstance(array, np.ma.MaskedArray):
        return array
    if not np.ma.is_masked(array) or array.dtype.kind not in "biuf":  # what is no number is refused later
        return np.asarray(array.data)
    return np.where(np.ma.getmaskarray(array), np.nan, array.data)


def not_numpy(error: Exception, where: str) -> InputError:
    """What is said of a file that numpy cannot read."""
    if "allow_pickle" in str(error) or "pickle" in str(error).lower():
        return InputError(
            "it holds pickled Python objects, which are never loaded (they can run any code)",
            where=where,
            fix="Save plain arrays of numbers: pad unequal lengths with NaN, or write long CSV or Parquet.",
        )
    return InputError(f"this is not a complete numpy file: {error}", where=where, fix="Save it again.")


def out_axes(axes: str | None, n_series: int, n_channels: int) -> str:
    """The axis order for ``n_series`` series: the one that came in, with a series axis in front if it had none."""
    axes = axes if axes in AXES else "ncl"
    if n_series != 1 and "n" not in axes:
        axes = "n" + axes
    return axes if n_channels == 1 or "c" in axes else "ncl"


def to_numpy(series: SeriesSet, schema: Schema, length: int, axes: str) -> np.ndarray:
    """Values of a set in another axis order and dtype, padded with NaN to ``length``.

    Raises:
        InputError: missing values do not fit an integer dtype.
    """
    dtype = np.dtype(numpy_dtype(schema, series))
    block = series.values
    if series.length < length:
        block = np.pad(block, [(0, 0), (0, 0), (0, length - series.length)], constant_values=np.nan)
    if dtype.kind in "biu":
        filled = np.nan_to_num(block, nan=0.0)
        if np.isnan(block).any() and "observed" not in schema.keys:
            raise InputError(
                f"missing values cannot be written as {dtype}", fix="Write another format, or start from floats."
            )
        flat = numbers.to_arrow(filled.reshape(-1), str(dtype)).to_numpy(zero_copy_only=False)
        block = flat.reshape(block.shape).astype(dtype)
    else:
        block = (numbers.clean(block) if dtype.itemsize > 4 else block).astype(dtype)
    order = ["ncl".index(a) for a in axes]
    dropped = tuple(i for i in range(3) if i not in order)
    block = block.transpose([*dropped, *order])
    return np.ascontiguousarray(block.reshape(block.shape[len(dropped) :]))


def numpy_dtype(schema: Schema, series: SeriesSet) -> str:
    """The dtype that values came in, or one for what they are."""
    if "values" in schema.dtypes:
        return schema.dtypes["values"]
    kinds = {numbers.number_kind(tables.channel_dtype(schema, c)) for c in series.channels}
    missing = bool((~series.observed).any())
    return "int64" if kinds == {"int"} and not missing else "float32"


class NpyWriter(Writer):
    """Writes the values alone."""

    def _begin(self, batch: SeriesSet) -> None:
        schema = self.known or Schema("series-set")
        self.axes = out_axes(schema.axes, self.n_series, len(self.channels))
        self.schema = schema.replace(dtypes={"values": numpy_dtype(schema, batch)}, keys=())
        self._header(self.file)

    def _header(self, sink: IO[bytes]) -> None:
        sizes = {"n": self.n_series, "c": len(self.channels), "l": self.length}
        array_header(sink, np.dtype(self.schema.dtypes["values"]), tuple(sizes[a] for a in self.axes))

    def _add(self, batch: SeriesSet) -> None:
        self.file.write(to_numpy(batch, self.schema, self.length, self.axes).data)


def array_header(sink: IO[bytes], dtype: np.dtype, shape: tuple[int, ...]) -> None:
    """Write what stands before the values of an array in a ``.npy`` file."""
    descr = np.lib.format.dtype_to_descr(dtype)
    np.lib.format.write_array_header_1_0(sink, {"descr": descr, "fortran_order": False, "shape": shape})


def as_array(series: SeriesSet, schema: Schema) -> np.ndarray:
    """A set as one array with the axes and dtype that came in (integers become ``float64`` when values are missing)."""
    axes = out_axes(schema.axes, series.n_series, series.n_channels)
    if np.dtype(numpy_dtype(schema, series)).kind in "biu" and not series.observed.all():
        schema = schema.replace(dtypes={"values": "float64"})
    return to_numpy(series, schema, series.length, axes)
