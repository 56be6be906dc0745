"""Outputs that appear whole or not at all: a folder or file is made beside its place and moved there at the end.

Whatever goes wrong on the way, an error, a full disk or Ctrl-C, nothing is left, and with ``force`` the older output
stays untouched until the new one is complete. An existing folder is only ever replaced when every file in it is one
that tsprout itself writes there, so that ``--force`` with a slip of the hand costs nobody their files.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import BinaryIO

from tsprout.errors import InputError, TsproutError

MARK, PARTIAL = ".tsprout-", ".partial"
# Many a folder has such a file: alone it does not say that the folder is ours.
_ANYBODYS = {"README.md"}


def is_disk_full(error: BaseException) -> bool:
    """True where an error, of whichever library, means that the disk or the quota is full."""
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    return full or "No space left on device" in str(error)


def from_os_error(error: OSError, where: str | os.PathLike[str] | None = None) -> TsproutError:
    """The error a person can act on for what the operating system refused; ``where`` when it names no file itself."""
    place = str(error.filename or where or "") or None
    if is_disk_full(error):
        return TsproutError(
            "there is no space left on the disk",
            where=place,
            fix="Free some space, choose an output on another disk, or ask for fewer series. Nothing was left behind.",
        )
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return InputError("permission denied", where=place, fix="Choose a file or folder that you may read and write.")
    if isinstance(error, FileNotFoundError):
        return InputError("there is no such file or folder", where=place, fix="Check the spelling of the path.")
    if isinstance(error, IsADirectoryError | NotADirectoryError | FileExistsError):
        return InputError(os.strerror(error.errno or 0).lower(), where=place, fix="Choose another path.")
    if error.errno in (errno.ENAMETOOLONG, errno.EINVAL):
        return InputError("the path cannot be used here", where=place, fix="Choose a shorter, simpler name.")
    return TsproutError(str(error.strerror or error), where=place)


def check_file(path: str | os.PathLike[str], *, force: bool = False) -> Path:
    """Refuse, before any work is done, an output file that cannot be written.

    Raises:
        InputError: the file exists and ``force`` is not set, it is a folder, or its folder does not exist.
    """
    target = Path(path)
    if target.is_dir():
        raise InputError("the output is a folder, a file is needed", where=str(target), fix="Name a file inside it.")
    if target.exists() and not force:
        raise InputError(
            "the output exists", where=str(target), fix="Choose another name, or replace it with force=True."
        )
    if not target.parent.is_dir():
        raise InputError("the folder of the output does not exist", where=str(target.parent), fix="Make it first.")
    if not os.access(target.parent, os.W_OK):
        raise InputError("the folder of the output cannot be written", where=str(target.parent), fix="Choose another.")
    return target


def check_folder(path: str | os.PathLike[str], ours: tuple[str, ...], *, force: bool = False) -> Path:
    """Refuse, before any work is done, an output folder that cannot be made or must not be replaced.

    Args:
        path: the folder to be; missing folders above it are made later.
        ours: name patterns of the files that tsprout writes there; a folder with any other file is never replaced.
        force: an existing folder of ours may be replaced.

    Raises:
        InputError: it exists and ``force`` is not set, it is a file, holds other files, or cannot be made here.
    """
    target = Path(path).resolve()
    if target.is_file():
        raise InputError("the output is a file, a folder is needed", where=str(path), fix="Choose another name.")
    if target.exists():
        if not force:
            raise InputError(
                "the output folder exists", where=str(path), fix="Choose another name, or replace it with force=True."
            )
        inside = list(target.iterdir())
        named = {item.name for item in inside if not item.is_dir() and any(fnmatch(item.name, name) for name in ours)}
        others = sorted({item.name for item in inside} - (named if named - _ANYBODYS else set()))
        if others:
            raise InputError(
                f"the folder also holds files that are not tsprout's ({_few(others)}), so it is not replaced",
                where=str(path),
                fix="Choose another folder; force=True replaces only a folder that tsprout wrote.",
            )
    above = target.parent
    while not above.exists():
        above = above.parent
    if not above.is_dir():
        raise InputError("the path leads through a file", where=str(above), fix="Choose another output folder.")
    if not os.access(above, os.W_OK):
        raise InputError("the folder cannot be written", where=str(above), fix="Choose an output somewhere else.")
    return target


def check_apart(source: str | os.PathLike[str], output: str | os.PathLike[str]) -> None:
    """Refuse an output that would replace what is read, whether asked to replace something or not.

    Args:
        source: a file.
        output: a file, or a folder that is written whole.

    Raises:
        InputError: the source is the output, or lies in it.
    """
    read, made = Path(source).resolve(), Path(output).resolve()
    if made in (read, *read.parents) or (made.exists() and read.exists() and made.samefile(read)):
        fix = "Choose another name."
        raise InputError(f"the output would replace {Path(source).name}, which is read", where=str(output), fix=fix)


def check_space(path: Path, n_bytes: int) -> None:
    """Refuse a job whose output is certain not to fit on its disk.

    Raises:
        InputError: fewer than ``n_bytes`` bytes are free where ``path`` will be.
    """
    above = path.resolve().parent
    while not above.exists():
        above = above.parent
    free = shutil.disk_usage(above).free
    if n_bytes > free:
        raise InputError(
            f"the output needs at least {readable_bytes(n_bytes)}, and {readable_bytes(free)} are free on its disk",
            where=str(path),
            fix="Ask for fewer series (-n), free some space, or choose an output on another disk.",
        )


def readable_bytes(n_bytes: float) -> str:
    """A size for a person: ``"512 B"``, ``"1.4 GB"`` (powers of 1000)."""
    size = float(n_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


@contextmanager
def staged_folder(path: str | os.PathLike[str], ours: tuple[str, ...], *, force: bool = False) -> Iterator[Path]:
    """A folder to write into that takes its place at ``path`` when the block ends well, and vanishes when it does not.

    Args:
        path: where the finished folder goes.
        ours: see :func:`check_folder`.
        force: replace an older output of ours, once the new one is complete.

    Yields:
        the folder to write into: hidden, beside ``path``, empty.

    Raises:
        InputError: see :func:`check_folder`; or it cannot be made after all.
    """
    target = check_folder(path, ours, force=force)
    made: list[Path] = []
    stage = target.parent / f".{target.name}{MARK}{secrets.token_hex(4)}"
    try:
        for folder in reversed([target.parent, *target.parent.parents]):
            if not folder.exists():
                _make(folder, path)
                made.append(folder)
        _make(stage, path)
        yield stage
        # It took a while: what has come to lie there meanwhile is somebody's.
        try:
            check_folder(path, ours, force=force)
        except InputError as error:
            kept = target.with_name(f"{target.name}-{secrets.token_hex(4)}")
            os.rename(stage, kept)
            error.fix = f"What was made is in {kept}."
            raise
        _swap(stage, target)
    except BaseException:
        with _uninterrupted():
            shutil.rmtree(stage, ignore_errors=True)
            for folder in reversed(made):
                with suppress(OSError):
                    folder.rmdir()
        raise


def _make(folder: Path, output: str | os.PathLike[str]) -> None:
    try:
        folder.mkdir()
    except FileNotFoundError as error:  # where the system makes the folders, such as /proc
        fix = "Choose an output somewhere else."
        raise InputError("the folder cannot be made", where=str(output), fix=fix) from error
    except OSError as error:
        raise from_os_error(error, output) from error


@contextmanager
def staged_file(
    target: Path, *, sync: bool = False, before: Callable[[Path], object] | None = None
) -> Iterator[BinaryIO]:
    """A file to write into that takes its place at ``target`` when the block ends well, and vanishes when it does not.

    Args:
        target: where the finished file goes, in place of an older one.
        sync: be sure that it is on the disk, and there under its name.
        before: called at the last moment with the path of the complete file; what it raises ends it all.

    Yields:
        the file, empty, open for writing and reading back; hidden, beside ``target`` (:func:`is_partial`).

    Raises:
        OSError: whatever the system refuses; :func:`write_file` says it in words.
    """
    partial = target.with_name(f".{target.name[:50]}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        with open(partial, "x+b") as file:
            yield file
            if sync:
                file.flush()
                os.fsync(file.fileno())
        if before is not None:
            before(partial)
        os.replace(partial, target)
        if sync:
            _sync_folder(target.parent)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def write_file(
    path: str | os.PathLike[str], content: str | bytes | Callable[[BinaryIO], object], *, sync: bool = False
) -> Path:
    """Write a file that is whole or not there, whenever the process is killed; an older one stays until then.

    A killed process leaves, at most, ``.NAME.xxxxxxxx.partial`` beside it (:func:`is_partial`).

    Args:
        path: where; folders above it are made.
        content: text (UTF-8, line ends as they are), bytes, or a function that writes into the open file.
        sync: be sure that it is on the disk, and there under its name, before this returns.

    Raises:
        TsproutError: it cannot be written; nothing is left behind.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with staged_file(target, sync=sync) as file:
            if callable(content):
                content(file)
            else:
                file.write(content.encode("utf-8") if isinstance(content, str) else content)
    except OSError as error:
        raise from_os_error(error, target) from error
    return target


def is_partial(name: str, of: str = "") -> bool:
    """Whether this is the name of a file that :func:`staged_file` made, of the file ``of`` where it is given."""
    return name.startswith(f".{of[:50]}." if of else ".") and name.endswith(PARTIAL)


def _sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk, not only the files; where the system has no such thing, do nothing."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _swap(stage: Path, target: Path) -> None:
    """Move ``stage`` to ``target``; what was there goes only once the new folder stands."""
    with _uninterrupted():
        if not target.exists():
            os.rename(stage, target)
            return
        old = target.parent / f".{target.name}{MARK}old-{secrets.token_hex(4)}"
        os.rename(target, old)
        try:
            os.rename(stage, target)
        except BaseException:
            os.rename(old, target)
            raise
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let an impatient second Ctrl-C not stop the tidying up that the first one began."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before if before is not None else signal.SIG_DFL)


def _few(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
