"""Tables with a column a series go out whole, once all series are there: one row holds a step of every one of them."""

from __future__ import annotations

from tsprout.data import tables
from tsprout.data.by_column import turned_back
from tsprout.data.files._writer import Writer
from tsprout.series import SeriesSet, concatenate


class ColumnsWriter(Writer):
    """Collects series, and has the writer of ``kind`` write them as the channels of one recording."""

    kind: type[Writer]

    def _begin(self, batch: SeriesSet) -> None:
        self._parts: list[SeriesSet] = []

    def _add(self, batch: SeriesSet) -> None:
        self._parts.append(batch)

    def _end(self) -> None:
        assert self.known is not None
        whole, schema = turned_back(concatenate(self._parts), self.known)
        if schema.format != self.form:
            schema = tables.translated(schema, whole, self.form)
        inner = self.kind(self.path, schema, self.form, 1, whole.channels, whole.length)
        inner._file = self.file
        inner._begin(whole)
        inner._add(whole)
        inner._end()
        inner._discard()
