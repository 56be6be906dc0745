"""Locks between processes: :class:`Lock`, where the second waits for the first, :func:`alone`, where it is refused.

Both are ``flock`` where there is one: the system gives it up when its holder dies, however it dies. Elsewhere, also
on disks that know no ``flock``, :class:`Lock` is a file that only one can make; its holder renews the date of it, and
one that has not been renewed for :data:`STALE` seconds is taken over. :func:`alone` then holds nothing.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tsprout.errors import InputError
from tsprout.staging import from_os_error

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

STALE = 300.0  # seconds; longer than the longest pause and silence between two calls of renew()
PAUSE = 1.0  # seconds between two looks at a lock that no system call waits for


class Lock:
    """The lock of ``target``, not yet held; the second waits for the first. Leaves no file behind when it is released.

    Args:
        target: the file that is to be made; the files of the lock stand beside it.
        wait: sleeps for seconds.
    """

    def __init__(self, target: Path, wait: Callable[[float], None] = time.sleep) -> None:
        self.place = target.with_name(f"{target.name}.part.lock")
        self.mark = target.with_name(f"{target.name}.part.busy")
        self.wait, self.token = wait, secrets.token_hex(8)
        self.file: int | None = None
        self._over = threading.Event()

    def acquire(self) -> None:
        """Wait for the lock and take it.

        Raises:
            OSError: its file cannot be made.
        """
        while not (self._flock() or self._mark()):
            self.wait(PAUSE)

    def __enter__(self) -> Lock:
        """Hold it, and show now and then that the holder is alive, however long and silent its work is."""
        self.acquire()
        self._over.clear()
        if self.file is None:
            threading.Thread(target=self._renewing, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.release()

    def _renewing(self) -> None:
        while not self._over.wait(STALE / 10):
            self.renew()

    def renew(self) -> None:
        """Show that the holder is alive, where nothing else does."""
        if self.file is None:
            with suppress(OSError):
                os.utime(self.mark)

    def release(self) -> None:
        """Give the lock up; its file is removed while it is held, so that no other holder's is."""
        with suppress(OSError):
            if self.file is not None:
                self.place.unlink()
            elif self.mark.read_text() == self.token:
                self.mark.unlink()
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
            if _is_stale(self.mark):
                # Of two that see it so, one moves it away; what the other moves is the new one's, and goes back.
                old = self.mark.with_name(f"{self.mark.name}.{self.token}")
                os.rename(self.mark, old)
                if _is_stale(old):
                    old.unlink()
                else:
                    os.rename(old, self.mark)
        try:
            file = os.open(self.mark, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            return False
        os.write(file, self.token.encode())
        os.close(file)
        return True


def _is_stale(mark: Path) -> bool:
    return time.time() - mark.stat().st_mtime > STALE


@contextmanager
def alone(folder: Path, name: str = ".running") -> Iterator[None]:
    """Hold a folder, so that no second run works in it; given up however the process dies.

    Processes that are forked meanwhile do not hold it: they may outlive this one.

    Args:
        folder: which exists.
        name: of the lock's file in it, which is removed at the end.

    Raises:
        InputError: another run holds it.
        TsproutError: the file cannot be made.
    """
    if fcntl is None:  # Windows: two runs are not told apart
        yield
        return
    file = _taken(folder, folder / name)
    _HELD.add(file)
    try:
        yield
    finally:
        if file in _HELD:  # not in a process that was forked
            with suppress(OSError):
                (folder / name).unlink()
            _HELD.discard(file)
            os.close(file)


_HELD: set[int] = set()


def _taken(folder: Path, place: Path) -> int:
    """The lock's file, open and locked where the disk knows locks."""
    while True:
        try:
            file = os.open(place, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise from_os_error(error, place) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held it before may have removed the file: then this one locks out nobody, and it begins again.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file), os.stat(place)):
                    return file
            os.close(file)
        except BlockingIOError:
            os.close(file)
            fix = "Wait for it, or end it."
            raise InputError("another run is at work in this folder", where=str(folder), fix=fix) from None
        except OSError:  # a disk that knows no locks
            return file
        except BaseException:
            os.close(file)
            raise


def _forget() -> None:
    """In a process that was just forked: an open file of its own would go on holding what its parent holds."""
    for file in _HELD:
        with suppress(OSError):
            os.close(file)
    _HELD.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
