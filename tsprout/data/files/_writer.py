"""What every writer shares: checks, streaming, and a file that appears whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from tsprout.data.schema import Schema
from tsprout.errors import InputError, TsproutError
from tsprout.series import SeriesSet


class Writer:
    """Context manager that takes batches of series and, on a clean exit, leaves one finished file.

    The bytes go to a temporary file in the same folder, which takes the file's place at the very end. After an
    exception, Ctrl-C included, or a full disk nothing is left. Subclasses fill in :meth:`_begin`, :meth:`_add` and
    :meth:`_end`.
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
        self._temporary: Path | None = None

    @property
    def file(self) -> IO[bytes]:
        """The temporary file, open for writing."""
        if self._file is None:
            raise TsproutError("the writer is not open", fix="Use it in a with statement.")
        return self._file

    def __enter__(self) -> Writer:
        check_target(self.path, self.force)
        try:
            handle, name = tempfile.mkstemp(prefix=f".{self.path.name[:100]}.", suffix=".tmp", dir=self.path.parent)
        except OSError as error:
            raise TsproutError(f"cannot write here: {error.strerror or error}", where=str(self.path.parent)) from None
        self._temporary = Path(name)
        self._file = os.fdopen(handle, "w+b")
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
            raise self._failed(error) from error
        self.written += batch.n_series

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._complete()
        except OSError as caught:
            raise self._failed(caught) from caught
        finally:
            self._discard()

    def _complete(self) -> None:
        if self.written == 0 and self.n_series == 0:
            self._begin(_nothing(self.channels, self.length))
        if self.written != self.n_series:
            raise TsproutError(
                f"{self.written} series were written, but {self.n_series} were announced", where=str(self.path)
            )
        self._end()
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        assert self._temporary is not None
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(self._temporary, 0o666 & ~mask)
        # It took a while: what has come to lie there meanwhile is somebody's.
        check_target(self.path, self.force)
        os.replace(self._temporary, self.path)
        self._temporary = None

    def _discard(self) -> None:
        """Close and remove whatever is left of the temporary file."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)
            self._temporary = None

    def _failed(self, error: OSError) -> TsproutError:
        return TsproutError(
            f"writing failed: {error.strerror or error}",
            where=str(self.path),
            fix="Nothing was left behind. Free some space, or write to another folder.",
        )

    def _begin(self, batch: SeriesSet) -> None:
        raise NotImplementedError

    def _add(self, batch: SeriesSet) -> None:
        raise NotImplementedError

    def _end(self) -> None:
        """Write what comes after the last batch."""


def check_target(path: Path, force: bool) -> None:
    """Refuse a path that cannot or must not be written.

    Raises:
        InputError: it exists (without ``force``), is a folder, or its folder does not exist.
    """
    if path.is_dir():
        raise InputError("this is a folder, not a file", where=str(path), fix="Give a file name.")
    if path.exists() and not force:
        raise InputError(
            "the file exists already", where=str(path), fix="Choose another name, or overwrite with force."
        )
    if not path.parent.is_dir():
        raise InputError("the folder does not exist", where=str(path.parent), fix="Create it first.")


def _nothing(channels: Sequence[str], length: int) -> SeriesSet:
    shape: Any = (0, len(channels), length)
    return SeriesSet.from_arrays(np.empty(shape, np.float32), channels=channels)
