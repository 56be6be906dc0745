"""Parquet, long and wide, read and written in streams through Arrow."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsprout.data import tables
from tsprout.data.files._writer import Writer
from tsprout.data.memory import require
from tsprout.data.reading import ReadOptions
from tsprout.errors import InputError
from tsprout.series import SeriesSet

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 262_144


def read(path: Path, options: ReadOptions) -> SeriesSet:
    """Read a Parquet file; see :func:`tsprout.data.files.read`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    where = str(path)
    try:
        with pq.ParquetFile(path) as file:
            rows, arrow = file.metadata.num_rows, file.schema_arrow
            if rows == 0:
                raise InputError("there are no rows of data, only columns", where=where)
            require(rows * (9 * len(arrow) + 60), options.available_memory, where)

            def batches() -> Iterator[pa.RecordBatch]:
                done = 0
                for batch in file.iter_batches(BATCH_ROWS, use_threads=False):
                    done += batch.num_rows
                    yield batch
                    if options.progress is not None:
                        options.progress("read", done, rows)

            return tables.read_arrow(batches(), arrow, options, where, lambda i: f"row {i + 1}", "parquet")
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"this is not a complete Parquet file: {str(error).splitlines()[0]}",
            where=where,
            fix="Write it again; it may have been cut off, or be of another format.",
        ) from None


class ParquetWriter(Writer):
    """Writes Parquet with the Arrow schema that came in."""

    _sink: Any = None

    def _begin(self, batch: SeriesSet) -> None:
        self.schema = tables.complete(self.known, batch, self.form, self.n_series)
        self._rows = 0
        if batch.n_series == 0:
            self._add_table(tables.to_table(batch, self.schema))

    def _add(self, batch: SeriesSet) -> None:
        for block in tables.blocks(batch):
            known = None if self._sink is None else self._sink.schema
            self._add_table(tables.to_table(block, self.schema, self._rows, known))

    def _add_table(self, table: pa.Table) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        # A later batch may miss what the first one had.
        arrow = pa.schema([f.with_nullable(True) for f in table.schema], metadata=table.schema.metadata)
        if self._sink is None:
            self._sink = pq.ParquetWriter(self.file, arrow)
        elif arrow.types != self._sink.schema.types:
            self._widen(arrow)
        self._sink.write_table(table.cast(self._sink.schema))
        self._rows += table.num_rows

    def _widen(self, arrow: pa.Schema) -> None:
        """Begin again with wider columns, with what was written so far in front."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._sink.close()
        with tempfile.TemporaryFile(dir=self.path.parent) as old:
            self.file.seek(0)
            shutil.copyfileobj(self.file, old, 1 << 20)
            self.file.seek(0)
            self.file.truncate()
            self._sink = pq.ParquetWriter(self.file, arrow)
            with pq.ParquetFile(old) as file:
                for batch in file.iter_batches(BATCH_ROWS, use_threads=False):
                    self._sink.write_table(pa.Table.from_batches([batch]).cast(arrow))

    def _end(self) -> None:
        self._sink.close()

    def _discard(self) -> None:
        if self._sink is not None and self._sink.is_open:
            with contextlib.suppress(OSError, ValueError):
                self._sink.close()
        super()._discard()
