"""A lock between processes and threads that all want to make one file: the second waits for the first.

The lock is ``flock`` where there is one: the system gives it up when its holder dies, however it dies. Elsewhere, also
on disks that know no ``flock``, it is a file that only one can make; its holder renews the date of it, and one that has
not been renewed for :data:`STALE` seconds is taken over.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

STALE = 300.0  # seconds; longer than the longest pause and silence between two calls of renew()
PAUSE = 1.0  # seconds between two looks at a lock that no system call waits for


class Lock:
    """The lock of ``target``, not yet held; leaves no file behind when it is released.

    Args:
        target: the file that is to be made; the files of the lock stand beside it.
        wait: sleeps for seconds.
    """

    def __init__(self, target: Path, wait: Callable[[float], None] = time.sleep) -> None:
        self.place = target.with_name(f"{target.name}.part.lock")
        self.mark = target.with_name(f"{target.name}.part.busy")
        self.wait = wait
        self.file: int | None = None

    def acquire(self) -> None:
        """Wait for the lock and take it.

        Raises:
            OSError: its file cannot be made.
        """
        while not (self._flock() or self._mark()):
            self.wait(PAUSE)

    def renew(self) -> None:
        """Show that the holder is alive, where nothing else does."""
        if self.file is None:
            with suppress(OSError):
                os.utime(self.mark)

    def release(self) -> None:
        """Give the lock up; its file is removed while it is held, so that no other holder's is."""
        with suppress(OSError):
            (self.mark if self.file is None else self.place).unlink()
        if self.file is not None:
            os.close(self.file)
            self.file = None

    def _flock(self) -> bool:
        """Take the lock by ``flock``, however long that takes; False where there is none."""
        while fcntl is not None:
            file = os.open(self.place, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
            except OSError:
                os.close(file)
                with suppress(OSError):
                    self.place.unlink()
                return False
            except BaseException:
                os.close(file)
                raise
            # Whoever held it before has removed the file: then this one locks out nobody, and it begins again.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file), os.stat(self.place)):
                    self.file = file
                    return True
            os.close(file)
        return False

    def _mark(self) -> bool:
        """Take the lock by making its file; False while another has it."""
        with suppress(FileNotFoundError):
            if time.time() - self.mark.stat().st_mtime > STALE:
                self.mark.unlink()
        try:
            os.close(os.open(self.mark, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            return False
        return True
