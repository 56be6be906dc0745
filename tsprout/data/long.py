"""Long tables (one row a time step of one series) to a series set and back, batch by batch.

Rows may come in any order. They are grouped by id in order of first appearance and sorted by time within each series;
the pivot to ``(n_series, n_channels, length)`` is vectorised. CSV, Parquet, pandas and polars all pass through here as
Arrow batches.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from tsprout.data import numbers
from tsprout.data.columns import (
    Coder,
    decode_ids,
    decode_values,
    has_sign,
    is_number_text,
    kind_of,
    missing_numbers,
    number_column,
    without_codes,
)
from tsprout.data.ends import ended
from tsprout.data.memory import require
from tsprout.data.precision import Precision
from tsprout.data.reading import ReadOptions
from tsprout.data.regular import few_absent, on_grid
from tsprout.data.repeats import put_back, telling, ways_apart
from tsprout.data.roles import Roles, naming
from tsprout.data.time_column import TimeReader
from tsprout.data.timestamps import TimeStyle, infer_frequency, shown
from tsprout.errors import InputError
from tsprout.series import SeriesSet

if TYPE_CHECKING:
    import pyarrow as pa

    from tsprout.data.schema import Schema

RowName = Callable[[int], str]


# From so many series on, a column found to be called a label, but another for each of them, is none.
_MANY = 5


class LongBuilder:
    """Collects batches of a long table; :meth:`finish` makes the set."""

    def __init__(self, roles: Roles, options: ReadOptions, where: str, row_name: RowName) -> None:
        self.roles, self.options, self.where, self.row_name = roles, options, where, row_name
        self.n_rows = 0
        self._clock = TimeReader(roles.time, where, options.day_first, self.note, self._fail)
        self.notices: list[str] = list(roles.notices)
        self.whole = np.ones(len(roles.channels), bool)
        self.decimals: list[int | None] = [0] * len(roles.channels)
        self.count_decimals = False
        self._codes: list[np.ndarray] = []
        self._times: list[np.ndarray] = []
        self._values: list[np.ndarray] = []
        self._ids = Coder()
        self._extra = {name: (Coder(), []) for name in self.extra_columns}  # type: ignore[var-annotated]
        self._missing = missing_numbers(options.missing_codes)
        self._precision = Precision(self.channel_names)

    @property
    def style(self) -> TimeStyle | None:
        """How times are written, once some have been read."""
        return self._clock.style

    @property
    def channel_names(self) -> list[str]:
        """The channels of the set."""
        return self.roles.channels

    @property
    def extra_columns(self) -> list[str]:
        """Label and static columns."""
        return [*([self.roles.label] if self.roles.label is not None else []), *self.roles.static]

    def add(self, batch: pa.RecordBatch) -> None:
        """Take one batch of rows.

        Raises:
            InputError: missing ids or times, times that cannot be read, infinite values; with the row.
        """
        roles = self.roles
        if roles.id is not None:
            codes = self._ids.encode(batch.column(roles.id))
            if (codes < 0).any():
                self._fail(f"the id is missing in column {roles.id!r}", int(np.argmax(codes < 0)))
            self._codes.append(codes)
        if roles.time is not None:
            self._times.append(self._clock.read(batch.column(roles.time)))
        block = np.empty((batch.num_rows, len(roles.channels)), np.float32)
        for j, name in enumerate(roles.channels):
            if kind_of(batch.column(name).type) in ("text", "time", "nested"):
                self._not_numbers(name, batch.column(name))
            column = without_codes(number_column(batch.column(name)), self._missing)
            with np.errstate(over="ignore"):
                block[:, j] = column
            if np.isinf(block[:, j]).any():
                row = int(np.argmax(np.isinf(block[:, j])))
                found = float(column[row])
                self._fail(
                    f"infinite value in channel {name!r}"
                    if np.isinf(found)
                    else f"{found:g} in channel {name!r} is too large: infinite as a 32-bit number",
                    row,
                    "Replace it with a number, or leave the cell empty if it is missing.",
                )
            self._watch(j, column, block[:, j])
        self._values.append(block)
        for name, (coder, parts) in self._extra.items():
            parts.append(coder.encode(batch.column(name)))
        self.n_rows += batch.num_rows

    def _not_numbers(self, name: str, column: pa.Array) -> None:
        items = column.cast("string").to_pylist() if kind_of(column.type) == "text" else []
        row = next((i for i, v in enumerate(items) if v is not None and not is_number_text(v)), None)
        if row is not None:
            self._fail(f"{items[row]!r} in column {name!r} is not a number", row, "Correct it, or empty the cell.")
        raise InputError(
            f"column {name!r} is to be a channel, but holds {column.type}, not numbers",
            where=self.where,
            fix="Convert it to numbers first, or leave it out with channels=.",
        )

    def _watch(self, j: int, column: np.ndarray, kept: np.ndarray) -> None:
        seen = np.isfinite(column)
        finite = column[seen]
        if self.whole[j] and not np.array_equal(finite, np.rint(finite)):
            self.whole[j] = False
        if self.count_decimals and self.decimals[j] is not None:
            self.decimals[j] = numbers.decimals_of(finite, self.decimals[j] or 0)
        # The steps of a wide table are one channel.
        self._precision.add(min(j, len(self._precision.channels) - 1), finite, kept[seen], self.whole[j])

    def note(self, text: str) -> None:
        """Keep a sentence for the user, once."""
        if text not in self.notices:
            self.notices.append(text)

    def _fail(self, what: str, row_in_batch: int, fix: str | None = None) -> None:
        raise InputError(what, where=f"{self.where}, {self.row_name(self.n_rows + row_in_batch)}", fix=fix)

    def finish(self, ids_are_text: bool = False) -> SeriesSet:
        """The set of all rows; without a schema.

        Args:
            ids_are_text: ids, labels and static columns came as text and may stand for numbers.

        Raises:
            InputError: no rows, repeated (id, time) pairs, static columns that vary, not enough memory.
        """
        if self.n_rows == 0:
            raise InputError("there are no rows of data, only a header", where=self.where)
        self._note_precision()
        self._drop_empty()
        codes = self._ids.used(self._codes) if self.roles.id is not None else np.zeros(self.n_rows, np.int32)
        times = np.concatenate(self._times) if self._times else None
        self._codes, self._times = [], []
        position, counts = self._order(codes, times)
        own_ids = self._own_ids(ids_are_text) if self.roles.id is not None else np.zeros(1, np.int64)
        dense = None if times is None else _dealt(times, codes, position, counts)
        if self.options.every is not None:
            position, counts, dense = self._regular(codes, position, counts, dense, own_ids)
        if self.options.rows is not None:
            self.options.rows(codes, position)
        n, length, c = len(counts), int(counts.max()), len(self.roles.channels)
        require(n * length * (5 * c + (8 if times is not None else 0)), self.options.available_memory, self.where)
        values = np.full((n, c, length), np.nan, np.float32)
        start = 0
        self._values.reverse()
        while self._values:
            block = self._values.pop()
            rows = slice(start, start + len(block))
            values[codes[rows], :, position[rows]] = block
            start += len(block)
        label, static = self._described(codes, n, ids_are_text)
        frequency = infer_frequency(dense, counts)
        if dense is not None and dense.dtype.kind == "M" and frequency is None and counts.min() > 2:
            self._note_uneven(dense, counts)
        if self.roles.id is None and self.options.window is None and self.options.orientation != "columns":
            each = "; if each column is a series of its own, pass orientation='columns'" if c > 1 else ""
            self.note(f"no id column was found, so all rows are one series; use window= to cut it into many{each}")
        # Built directly: the values are checked already, and from_arrays would hold them twice.
        return SeriesSet(
            values=values,
            observed=~np.isnan(values),
            lengths=counts.astype(np.int64),
            channels=tuple(self.roles.channels),
            ids=own_ids,
            times=dense,
            frequency=frequency,
            labels=label,
            static=static,
        )

    def _drop_empty(self) -> None:
        """Leave out channels without any value, where that is wanted, and of which nobody has asked for by name."""
        roles = self.roles
        if roles.wide or self.options.channels is not None or not self.options.without_empty:
            return
        seen = np.zeros(len(roles.channels), bool)
        for block in self._values:
            seen |= ~np.isnan(block).all(axis=0)
        if seen.all() or not seen.any():
            return
        names = [name for name, some in zip(roles.channels, seen, strict=True) if not some]
        self.note(f"columns without any value are left out: {', '.join(map(repr, names))}")
        roles.ignored += names
        roles.channels = [name for name, some in zip(roles.channels, seen, strict=True) if some]
        self.whole = self.whole[seen]
        self.decimals = [places for places, some in zip(self.decimals, seen, strict=True) if some]
        self._values = [block[:, seen] for block in self._values]

    def _regular(
        self, codes: np.ndarray, position: np.ndarray, counts: np.ndarray, dense: np.ndarray | None, ids: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Position of rows, lengths and times with the steps in between that have no row."""
        assert self.options.every is not None
        if dense is None:
            raise InputError("there is no time column", where=self.where, fix="Name it with time_column=.")
        zone = None if self.style is None else self.style.timezone
        steps, more, dense = on_grid(dense, counts, self.options.every, zone, ids, self.where)
        if absent := int(more.sum() - counts.sum()):
            share = 100 * absent / int(more.sum())
            self.note(f"steps without a row count as missing: {absent:,} ({share:.2g} %)")
        return steps[codes, position].astype(position.dtype), more, dense

    def _note_uneven(self, dense: np.ndarray, counts: np.ndarray) -> None:
        text = "time stamps are not evenly spaced; they are kept, and each row counts as one time step"
        if self.options.every is None and (found := few_absent(dense, counts)) is not None:
            text += f"; with every={found[0]!r} steps without a row ({found[1]:,} of them) count as missing"
        self.note(text)

    def _note_precision(self) -> None:
        for notice in self._precision.notices():
            self.note(notice)

    def _own_ids(self, are_text: bool) -> np.ndarray:
        """Ids of the series, in order of their codes."""
        ids = decode_ids(self._ids.values, are_text)
        if ids.dtype == object and all(type(v) is int for v in self._ids.values):
            self.note(f"ids in column {self.roles.id!r} go beyond 2**63 - 1 and are kept as text")
        return ids

    def _described(self, codes: np.ndarray, n: int, is_text: bool) -> tuple[np.ndarray | None, dict[str, np.ndarray]]:
        """The label, if there is one, and the static columns of the ``n`` series that rows of ``codes`` belong to.

        A label that was found by its name alone and tells nothing apart would leave the model one series to be shown
        for each: it is a static column.
        """
        found = {name: self._constant(name, codes, n, is_text) for name in self._extra}
        static = {name: values for name, values in found.items() if values is not None}
        name = self.roles.label
        if name is None:
            return None, static
        if self.options.label_column is None and n >= _MANY and len({str(v) for v in static[name]}) == n:
            self.roles.label = None
            self.roles.static.append(name)
            self.note(f"column {name!r} is another for every series, and so not taken as a label")
            return None, static
        return static.pop(name), static

    def _order(self, codes: np.ndarray, times: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Each row's position within its series, and the lengths of the series."""
        counts = np.bincount(codes)
        # Rows that are in blocks of one id already, as they usually are, need no copies.
        order = None if bool((codes[1:] >= codes[:-1]).all()) else np.argsort(codes, kind="stable")
        if times is not None:
            ticks = times.view(np.int64) if times.dtype.kind == "M" else times
            key, grouped = (ticks, codes) if order is None else (ticks[order], codes[order])
            same = grouped[1:] == grouped[:-1]
            if (same & (key[1:] < key[:-1])).any():
                self.note("rows were not sorted by time; they have been sorted")
                order = np.lexsort((ticks, codes))
                key = ticks[order]
            twice = np.flatnonzero(same & (key[1:] == key[:-1]))
            if twice.size:
                rows = np.arange(len(codes)) if order is None else order
                raise self._repeated(times, rows[twice], rows[twice + 1], codes)
            del key, grouped, same
        rank = np.arange(len(codes), dtype=np.int32)
        rank -= np.repeat((np.cumsum(counts) - counts).astype(np.int32), counts)
        if order is None:
            return rank, counts
        position = np.empty_like(rank)
        position[order] = rank
        return position, counts

    def _repeated(self, times: np.ndarray, first: np.ndarray, second: np.ndarray, codes: np.ndarray) -> InputError:
        """What is said of rows ``first`` and ``second`` that have the same id and time."""
        roles, found = self.roles, []
        utc = " UTC" if self.style is not None and self.style.timezone else ""
        for a, b in zip(first[:3].tolist(), second[:3].tolist(), strict=True):
            row_a, row_b = sorted((a, b))
            who = f"id {self._ids.values[codes[a]]!r}, " if roles.id is not None else ""
            found.append(f"{who}time {shown(times[a])}{utc} ({self.row_name(row_a)} and {self.row_name(row_b)})")
        more = f" and {len(first) - 3} more" if len(first) > 3 else ""
        what = "the same id and time" if roles.id is not None else "the same time"
        other = None
        if roles.guessed_id is not None or (roles.id is None and roles.like_id is None):
            columns = {name: np.concatenate([b[:, j] for b in self._values]) for j, name in enumerate(roles.channels)}
            columns |= {name: np.concatenate(parts) for name, (_, parts) in self._extra.items()}
            other = telling(columns, times)
        fix = ways_apart(roles, other)
        if self.options.orientation == "columns":
            fix = "Keep one row for each time. If a column tells series apart, leave out orientation='columns'."
        if not utc and put_back(times[first]):
            fix = f"If the clock was put back then, write times in UTC, or with their distance from it. {fix}"
        return InputError(f"rows have {what}: {'; '.join(found)}{more}", where=self.where, fix=fix)

    def _constant(self, name: str, codes: np.ndarray, n: int, is_text: bool) -> np.ndarray | None:
        """Values ``(n,)`` of a column, one a series; ``None`` of one that varies and that nobody has asked for."""
        coder, parts = self._extra[name]
        column = np.concatenate(parts)
        first = np.empty(n, np.int32)
        first[codes[::-1]] = column[::-1]
        varies = column != first[codes]
        if varies.any():
            asked = {self.options.label_column, *(self.options.static_columns or ())}
            numeric = all(is_number_text(str(v)) for v in coder.values)
            text = not numeric and self.roles.id is not None and name != self.roles.label
            if text and any(has_sign(str(v)) for v in coder.values[:100]):
                raise InputError(
                    f"column {name!r} holds numbers with signs, such as {coder.values[0]!r}",
                    where=self.where,
                    fix="Write them without the sign of a currency or percent, or leave the column out with ignore=.",
                )
            if name not in asked and (self.options.channels is not None or text):
                self._leave_out(name, " (as numbers it would be modelled)" if text else "")
                return None
            row = int(np.argmax(varies))
            value = None if column[row] < 0 else coder.values[column[row]]
            fix = f"{naming(self.roles.channels)} leaves it out" + (
                "; named there, too, it is modelled." if numeric else "."
            )
            if self.roles.id is None and len(self.roles.static) > 1:
                fix = "Name the column that tells the series apart with id_column=. " + fix
            within = f"series {self._ids.values[codes[row]]!r}" if self.roles.id is not None else "the recording"
            raise InputError(
                f"column {name!r} {'should describe a series as a whole' if numeric else 'is not a number to model'}, "
                f"and it changes within {within}" + ("" if value is None else f" (to {value!r})"),
                where=f"{self.where}, {self.row_name(row)}",
                fix=fix,
            )
        return decode_values([None if k < 0 else coder.values[k] for k in first.tolist()], is_text)

    def _leave_out(self, name: str, more: str) -> None:
        """Go on without a column: it is text, or the channels were named and it is none of them."""
        roles = self.roles
        roles.ignored.append(name)
        roles.static = [other for other in roles.static if other != name]
        roles.label = None if roles.label == name else roles.label
        self.note(f"column {name!r} changes within series and is left out{more}")


def _dealt(times: np.ndarray, codes: np.ndarray, position: np.ndarray, counts: np.ndarray) -> np.ndarray:
    dense = np.zeros((len(counts), int(counts.max())), times.dtype)
    dense[codes, position] = times
    return dense


def attach(series: SeriesSet, schema: Schema, options: ReadOptions) -> SeriesSet:
    """Give a set its schema, make series of its columns if they are such, and cut it into windows if asked."""
    series = dataclasses.replace(series, schema=schema)
    if options.orientation == "columns":
        from tsprout.data.by_column import turned

        if not schema.long:
            raise InputError("orientation='columns' is for tables with a column a series", fix="Leave it out.")

        series = turned(series, schema, cut=options.window is not None)
    series = ended(series, schema, options)
    return series if options.window is None else series.windows(options.window, options.stride)
