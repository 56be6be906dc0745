"""What series were read from, kept to be given back with gaps filled and everything else as it was.

Series hold their values to seven digits, in an order of their own. Gaps are therefore filled in the file or object that
was read: other cells keep every digit, rows and columns their order, and what was not read is there still.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tsprout.data.reading import ReadOptions
from tsprout.series import SeriesSet


@dataclass(frozen=True)
class Cells:
    """Cells of a file or object that were missing, and what to put there.

    Attributes:
        read: the series, as they were read.
        values: ``(n_series, n_channels, length)`` float32.
        new: which of these are to be put there.
        rows: of a long table, the series and the time step of each of its rows.
    """

    read: SeriesSet
    values: np.ndarray
    new: np.ndarray
    rows: tuple[np.ndarray, np.ndarray] | None

    def of(self, i: int) -> Cells:
        """Those of one series, up to its own length."""
        own = int(self.read.lengths[i])
        return Cells(self.read[i], self.values[i : i + 1, :, :own], self.new[i : i + 1, :, :own], None)

    def added(self) -> Added:
        """Rows that a long table gets: steps of a regular grid (``every``) that have none."""
        assert self.rows is not None
        shape, (series, step) = self.new.shape[::2], self.rows
        row = np.full(shape, -1)
        row[series, step] = np.arange(len(series))
        last = np.maximum.accumulate(np.where(row >= 0, np.arange(shape[1]), 0), axis=1)
        i, t = np.nonzero((row < 0) & self.read.within)
        after = row[i, last[i, t]]
        order = np.argsort(after, kind="stable")
        return Added(self, after[order], i[order], t[order])

    def columns(self) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Of each column of a table that gets values: its name, the rows from 0, and the values for these."""
        schema = self.read.schema
        assert schema is not None
        if schema.wide:
            for t, name in enumerate(schema.step_columns[: self.new.shape[-1]]):
                rows = np.flatnonzero(self.new[:, 0, t])
                if rows.size:
                    yield name, rows, self.values[rows, 0, t]
            return
        assert self.rows is not None
        series, step = self.rows
        for j, name in enumerate(self.read.channels):
            rows = np.flatnonzero(self.new[series, j, step])
            if rows.size:
                yield name, rows, self.values[series[rows], j, step[rows]]


@dataclass(frozen=True)
class Added:
    """Rows that a long table gets, each behind that of the step before.

    Attributes:
        cells: of the table.
        after: the rows that they come after, from 0, rising.
        series, step: what they are of.
    """

    cells: Cells
    after: np.ndarray
    series: np.ndarray
    step: np.ndarray

    def __len__(self) -> int:
        return len(self.after)

    def places(self, rows: int) -> tuple[np.ndarray, np.ndarray]:
        """Of a table of so many rows that it has then: which of the old rows each is, or comes after; and which are
        new."""
        old, new = np.arange(rows), np.zeros(rows, bool)
        return np.insert(old, self.after + 1, self.after), np.insert(new, self.after + 1, True)

    def values(self, name: str) -> np.ndarray | None:
        """Of a channel ``(len,)`` float32, NaN where it stays missing; ``None`` for what is no channel."""
        if name not in self.cells.read.channels:
            return None
        j = self.cells.read.channels.index(name)
        found = self.cells.values[self.series, j, self.step]
        return np.where(self.cells.new[self.series, j, self.step], found, np.float32(np.nan))

    def times(self) -> np.ndarray:
        """Their stamps."""
        assert self.cells.read.times is not None
        return self.cells.read.times[self.series, self.step]

    def repeated(self, name: str) -> bool:
        """Whether a column holds for them what it holds in the row before: it says of which series that is."""
        schema = self.cells.read.schema
        return schema is not None and name in (schema.id_column, schema.label_column, *schema.static_columns)


@dataclass(frozen=True)
class Original:
    """Series, and what they were read from.

    Attributes:
        source: a path or an object, as :func:`tsprout.data.frames.from_object` takes it.
        options: how it was read.
        series: as read.
        rows: see :class:`Cells`.
    """

    source: Any
    options: ReadOptions
    series: SeriesSet
    rows: tuple[np.ndarray, np.ndarray] | None = None

    @classmethod
    def read(cls, source: Any, options: ReadOptions) -> Original:
        """Read a file or an object.

        Raises:
            InputError: as :func:`tsprout.data.frames.from_object`.
        """
        from tsprout.data.frames import read_object

        dealt: list[tuple[np.ndarray, np.ndarray]] = []
        series = read_object(source, dataclasses.replace(options, rows=lambda *each: dealt.append(each)))
        return cls(source, options, series, dealt[0] if dealt else None)

    def filled(self, filled: SeriesSet) -> Any:
        """A copy of the object with the gaps filled that ``filled`` has values for; of a file, a :class:`SeriesSet`.

        Steps that have no row (``every``) get one.

        Args:
            filled: the series that were read, their channels in any order.
        """
        from tsprout.data.refilled import refilled

        cells = self._cells(filled)
        if not isinstance(self.source, str | os.PathLike | SeriesSet):
            return refilled(self.source, cells)
        values = np.where(cells.new, cells.values, self.series.values)
        return dataclasses.replace(self.series, values=values, observed=self.series.observed | cells.new)

    def write(self, filled: SeriesSet, path: Path, *, force: bool = False) -> bool:
        """Write the file that was read with its gaps filled; ``True`` where all else is as it was.

        Steps that have no row (``every``) get one. Another format is written anew, as is ``.ts``, with values to seven
        digits.

        Args:
            filled: see :meth:`filled`.
            path: where; its extension says the format.
            force: replace a file.

        Raises:
            InputError: the path cannot be written.
            TsproutError: the disk is full, or the file that was read is another one by now.
        """
        from tsprout.data import files
        from tsprout.data.files import refill

        cells, family = self._cells(filled), files.family_of(path)
        same = family == files.family_of(Path(self.source), self.options.format)
        if same and family in refill.FAMILIES:
            refill.write(Path(self.source), path, self.options, cells, force=force)
            return True
        size: dict[str, Any] = {"n_series": len(filled), "channels": filled.channels, "length": filled.length}
        with files.open_writer(path, self.series, **size, force=force) as writer:
            writer.write(filled)
        return False

    @property
    def more_rows(self) -> int:
        """How many steps have no row, and get one."""
        if self.rows is None:
            return 0
        steps = self.series.length if self._by_column else int(self.series.lengths.sum())
        return steps - len(self.rows[0])

    @property
    def _by_column(self) -> bool:
        """Whether there is a table whose columns are the series."""
        return self.rows is not None and self.series.schema is not None and self.series.schema.by_column

    def _cells(self, filled: SeriesSet) -> Cells:
        order = [filled.channels.index(name) for name in self.series.channels]
        new = filled.observed[:, order] & ~self.series.observed
        if self._by_column:
            return self._turned(filled.values[:, 0], new[:, 0])
        return Cells(self.series, filled.values[:, order], new, self.rows)

    def _turned(self, values: np.ndarray, new: np.ndarray) -> Cells:
        """Cells of a table whose columns are the series, ``(n_series, length)``, for its rows."""
        from tsprout.data.by_column import turned_back

        assert self.series.schema is not None
        read, _ = turned_back(self.series, self.series.schema)
        return Cells(read, values[None], new[None], self.rows)
