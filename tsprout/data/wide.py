"""Wide tables: one row a series, one column a time step, one channel named ``value``.

Empty cells at the end of a row are the end of a shorter series; elsewhere they are missing values. Headers that are
dates, or numbers that do not simply count from 0 or 1, are the times of all series.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

import numpy as np

from tsprout.data.long import LongBuilder, RowName
from tsprout.data.memory import require
from tsprout.data.reading import ReadOptions, refuse_every
from tsprout.data.roles import Roles
from tsprout.data.timestamps import (
    TimeStyle,
    expand,
    format_times,
    infer_frequency,
    parse_texts,
    sniff_style,
)
from tsprout.errors import InputError
from tsprout.series import SeriesSet

if TYPE_CHECKING:
    import pyarrow as pa

    from tsprout.data.schema import Schema

CHANNEL = "value"


class WideBuilder(LongBuilder):
    """Collects batches of a wide table; the time steps are what channels are in a long one."""

    def __init__(self, roles: Roles, options: ReadOptions, where: str, row_name: RowName) -> None:
        roles.channels = roles.steps
        super().__init__(roles, options, where, row_name)

    @property
    def channel_names(self) -> list[str]:
        """The one channel."""
        return [CHANNEL]

    def finish(self, ids_are_text: bool = False) -> SeriesSet:
        """The set of all rows; without a schema.

        Raises:
            InputError: no rows, repeated ids, not enough memory.
        """
        if self.n_rows == 0:
            raise InputError("there are no rows of data, only a header", where=self.where)
        refuse_every(self.options, self.where)
        self._note_precision()
        require(self.n_rows * len(self.roles.steps) * 5, self.options.available_memory, self.where)
        values = np.concatenate(self._values)[:, None, :]
        self._values = []
        ids = np.arange(self.n_rows, dtype=np.int64)
        if self.roles.id is not None:
            codes = np.concatenate(self._codes)
            if len(self._ids.values) < len(codes):
                self._repeated_id(codes)
            ids = self._own_ids(ids_are_text)
        label, static = self._described(np.arange(self.n_rows), self.n_rows, ids_are_text)
        times = self._header_times()
        series = SeriesSet.from_arrays(values, channels=[CHANNEL], ids=ids, times=times, labels=label, static=static)
        return dataclasses.replace(series, frequency=infer_frequency(series.times, series.lengths))

    def _repeated_id(self, codes: np.ndarray) -> None:
        value, count = np.unique(codes, return_counts=True)
        first = int(value[np.argmax(count > 1)])
        a, b = (self.row_name(k) for k in np.flatnonzero(codes == first)[:2].tolist())
        raise InputError(
            f"id {self._ids.values[first]!r} appears more than once ({a} and {b})",
            where=self.where,
            fix="A wide table has one row a series and one channel. For more channels use a long table: id, time, and "
            "one column a channel.",
        )

    def _header_times(self) -> np.ndarray | None:
        """Times of the columns ``(length,)``, or ``None`` when the headers only count."""
        import pyarrow as pa

        steps = self.roles.steps
        style = sniff_style(steps, self.options.day_first)
        if style is None or (style.kind == "int" and counting(steps)):
            return None
        if style.kind == "datetime" and style.format == "%Y%m%d":
            style = TimeStyle("int")
        times, bad = parse_texts(pa.array(steps), style)
        if bad.any() or (times[1:] <= times[:-1]).any():
            return None
        if style.notice:
            self.note(style.notice)
        self._clock.style = style
        return times


def counting(steps: list[str]) -> bool:
    """Whether the headers are 0, 1, 2... or 1, 2, 3..."""
    return steps in ([str(i) for i in range(len(steps))], [str(i + 1) for i in range(len(steps))])


def headers(schema: Schema, length: int, series: SeriesSet) -> list[str]:
    """Step columns for a table of ``length`` steps: the ones that came in, shortened or carried on in their own way."""
    known = list(schema.step_columns)
    if not known and series.times is not None and series.n_series:
        return _text(series.times[int(np.argmax(series.lengths))], schema)[:length]
    if len(known) >= length:
        return known[:length]
    if schema.time_kind == "datetime" and schema.time_format is not None and series.frequency:
        style = TimeStyle("datetime", schema.time_format, schema.time_digits, schema.time_suffix)
        first = parse_texts(_array(known[:1]), style)[0][0]
        return known + _text(expand(first, series.frequency, length), schema)[len(known) :]
    match = re.fullmatch(r"(.*?)(\d+)", known[-1]) if known else None
    prefix, last = (match[1], int(match[2])) if match else ("", -1)
    width = len(match[2]) if match and match[2].startswith("0") else 0
    return known + [f"{prefix}{last + k:0{width}d}" for k in range(1, length - len(known) + 1)]


def _array(texts: list[str]) -> pa.Array:
    import pyarrow as pa

    return pa.array(texts, pa.string())


def _text(times: np.ndarray, schema: Schema) -> list[str]:
    if times.dtype.kind != "M":
        return [str(t) for t in times.tolist()]
    style = TimeStyle("datetime", schema.time_format, schema.time_digits, schema.time_suffix)
    return format_times(times, style).dictionary_decode().to_pylist()
