"""What every writer shares: checks, streaming, and a file that appears whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from tsprout.data.schema import Schema
from tsprout.errors import InputError, TsproutError
from tsprout.series import SeriesSet
from tsprout.staging import check_file, from_os_error, staged_file


class Writer:
    """Context manager that takes batches of series and, on a clean exit, leaves one finished file.

    After an exception, Ctrl-C included, or a full disk nothing is left (:func:`tsprout.staging.staged_file`).
    Subclasses fill in :meth:`_begin`, :meth:`_add` and :meth:`_end`.
    """

    def __init__(
        self,
        path: Path,
        known: Schema | None,
        form: str,
        n_series: int,
        channels: Sequence[str],
        length: int,
        force: bool = False,
    ) -> None:
        self.path, self.known, self.form = path, known, form
        self.n_series, self.channels, self.length, self.force = n_series, tuple(channels), length, force
        self.written = 0
        self._file: IO[bytes] | None = None
        self._stack = ExitStack()

    @property
    def file(self) -> IO[bytes]:
        """The file that is to take its place, open for writing."""
        if self._file is None:
            raise TsproutError("the writer is not open", fix="Use it in a with statement.")
        return self._file

    def __enter__(self) -> Writer:
        check_file(self.path, force=self.force)
        # It takes a while: what has come to lie there meanwhile is somebody's.
        staged = staged_file(self.path, sync=True, before=lambda _: check_file(self.path, force=self.force))
        try:
            self._file = self._stack.enter_context(staged)
        except OSError as error:
            raise from_os_error(error, self.path) from error
        return self

    def write(self, batch: SeriesSet) -> None:
        """Append a batch.

        Raises:
            InputError: channels or length differ from what was announced, or more series than announced.
            TsproutError: the disk is full, or writing failed otherwise.
        """
        if batch.channels != self.channels:
            raise InputError(
                f"channels {list(batch.channels)} do not match {list(self.channels)}", where=str(self.path)
            )
        if batch.length > self.length:
            raise InputError(f"a length of {batch.length} was not announced ({self.length} was)", where=str(self.path))
        if self.written + batch.n_series > self.n_series:
            raise InputError(f"more series than the {self.n_series} announced", where=str(self.path))
        try:
            if self.written == 0:
                self._begin(batch)
            self._add(batch)
        except OSError as error:
            raise from_os_error(error, self.path) from error
        self.written += batch.n_series

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                with self._stack:
                    self._complete()
                    self._discard()
        except OSError as caught:
            raise from_os_error(caught, self.path) from caught
        finally:
            # After an error the file goes; what closing it says beside that is no news.
            with suppress(OSError, ValueError):
                self._discard()
            with suppress(OSError, ValueError):
                self._stack.__exit__(kind, error, trace)
            self._file = None

    def _complete(self) -> None:
        if self.written == 0 and self.n_series == 0:
            self._begin(_nothing(self.channels, self.length))
        if self.written != self.n_series:
            raise TsproutError(
                f"{self.written} series were written, but {self.n_series} were announced", where=str(self.path)
            )
        self._end()

    def _begin(self, batch: SeriesSet) -> None:
        raise NotImplementedError

    def _add(self, batch: SeriesSet) -> None:
        raise NotImplementedError

    def _end(self) -> None:
        """Write what comes after the last batch."""

    def _discard(self) -> None:
        """Let go of what else was used, whether it ended well or not."""


def _nothing(channels: Sequence[str], length: int) -> SeriesSet:
    shape: Any = (0, len(channels), length)
    return SeriesSet.from_arrays(np.empty(shape, np.float32), channels=channels)
