"""The time column of a long table, batch by batch: what it holds as date-times or numbers, and how it is written."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from tsprout.arrays import COUNT_LATER, TIMES_TOO_LARGE
from tsprout.data.columns import kind_of, number_column
from tsprout.data.timestamps import TimeStyle, parse_texts, sniff_style
from tsprout.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa


class TimeReader:
    """Reads the batches of one column.

    Args:
        name: of the column.
        where: of the table, for errors.
        day_first: how 03/04/2024 is meant.
        note: takes a sentence for the user.
        fail: raises an error about a row of the batch: what is wrong, the row, what to do.

    Attributes:
        style: how the times are written, once some have been read.
    """

    def __init__(
        self,
        name: str | None,
        where: str,
        day_first: bool | None,
        note: Callable[[str], None],
        fail: Callable[..., None],
    ) -> None:
        self.name, self.where, self.day_first, self.note, self.fail = name, where, day_first, note, fail
        self.style: TimeStyle | None = None

    def read(self, column: pa.Array) -> np.ndarray:
        """Times ``(rows,)`` of one batch, ``datetime64[ns]``, ``int64`` or ``float64``.

        Raises:
            InputError: some are missing or cannot be read, with the row.
        """
        import pyarrow as pa

        t, name = pa.types, self.name
        if t.is_dictionary(column.type):
            column = column.dictionary_decode()
        if column.null_count:
            row = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
            self.fail(f"the time is missing in column {name!r}", row)
        if kind_of(column.type) == "text":
            return self._text_times(column)
        if t.is_date(column.type) or t.is_timestamp(column.type):
            zone = getattr(column.type, "tz", None)
            try:
                ns = column.cast(pa.timestamp("ns", zone))
            except pa.ArrowInvalid:
                raise InputError(
                    f"times in column {name!r} lie outside the years 1678 to 2261", where=self.where
                ) from None
            self.style = TimeStyle("datetime", zone=zone)
            return ns.cast(pa.int64()).to_numpy().view("datetime64[ns]")
        if t.is_temporal(column.type):
            wide = t.is_time64(column.type) or t.is_duration(column.type)
            column = column.cast(pa.int64() if wide else pa.int32()).cast(pa.int64())
        if t.is_floating(column.type) or t.is_decimal(column.type):
            self.style = TimeStyle("float")
            times = number_column(column)
            if not np.isfinite(times).all():
                self.fail(f"the time is missing or infinite in column {name!r}", int(np.argmax(~np.isfinite(times))))
            return times
        if t.is_boolean(column.type) or not t.is_integer(column.type):
            raise InputError(f"column {name!r} of type {column.type} cannot be the time", where=self.where)
        self.style = TimeStyle("int")
        try:
            return column.cast(pa.int64()).to_numpy()
        except pa.ArrowInvalid:
            raise InputError(f"column {name!r}: {TIMES_TOO_LARGE}", where=self.where, fix=COUNT_LATER) from None

    def _text_times(self, column: pa.Array) -> np.ndarray:
        encoded = column.dictionary_encode()
        indices = encoded.indices.to_numpy()
        if self.style is None:
            sample = encoded.dictionary[:20000].to_pylist()
            # When no style fits all, the first one's names the odd one out.
            self.style = sniff_style(sample, self.day_first) or sniff_style(sample[:1])
            if self.style is None:
                self._bad_time(encoded, indices, 0)
            elif self.style.notice:
                self.note(self.style.notice)
        assert self.style is not None
        if self.style.suffix and not all(v.endswith(self.style.suffix) for v in encoded.dictionary.to_pylist()):
            self._several_zones()
        times, bad = parse_texts(encoded.dictionary, self.style)
        if bad.any():
            self._bad_time(encoded, indices, int(np.argmax(bad)))
        return times[indices]

    def _several_zones(self) -> None:
        assert self.style is not None
        self.style = dataclasses.replace(self.style, suffix="+00:00")
        self.note("time stamps have more than one offset from UTC; they are kept, and written, in UTC")

    def _bad_time(self, encoded: pa.DictionaryArray, indices: np.ndarray, which: int) -> None:
        value = encoded.dictionary[which].as_py()
        expected = "a time" if self.style is None else (self.style.format or f"a time of kind {self.style.kind}")
        fix = "Use one format throughout, within the years 1678 to 2261, or name another column with time_column=."
        if self.style is None and re.fullmatch(r"\s*\d{1,2}:\d{2}(:\d{2}.*)?", str(value)):
            fix = "A time of day does not say which day: put the date and the time into one column."
        what = f"time stamp {value!r} in column {self.name!r} cannot be read (expected {expected})"
        self.fail(what, int(np.argmax(indices == which)), fix)
