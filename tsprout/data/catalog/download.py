"""A file from the web, whole or not at all, however often the connection, the server or the user breaks it off.

Beside the target stand, while it is on its way: ``NAME.part``, the bytes so far; ``NAME.part.json``, what they are the
beginning of (address, ETag, date, total); and a lock held by the one process that fetches it. A later attempt or a
later call asks only for the rest (``Range``), on condition that the file is still the same one (``If-Range``). The
target itself appears when length and checksum are right.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tsprout.data.catalog._http import Answer, Notes, Trouble, ask, bad_address, check_kind
from tsprout.data.catalog.sets import file_digest
from tsprout.errors import InputError, TsproutError
from tsprout.locks import Lock
from tsprout.staging import check_space, from_os_error, is_disk_full

BLOCK = 1 << 18  # bytes read at once
HEAD = 512  # bytes looked at before anything is written
LONGEST_PAUSE = 30.0  # seconds between two attempts, where the server asks for no more


def download(
    url: str,
    target: Path,
    *,
    sha256: str | None = None,
    size: int | None = None,
    progress: Callable[[int, int | None], None] | None = None,
    timeout: float = 30.0,
    attempts: int = 5,
    wait: Callable[[float], None] = time.sleep,
) -> str:
    """Fetch ``url`` to ``target``, going on where an earlier attempt or call stopped.

    A target that is there and right is left alone, without a look at the network; one of another checksum or size is
    replaced once the new one is complete. Of two calls for one target at once, the second waits for the first.

    Args:
        url: an http or https address.
        target: the file to be; folders above it are made.
        sha256: checksum (hex) that the file must have.
        size: bytes that the file must have.
        progress: called with bytes so far and in all (None while unknown); falls only where it starts again from zero.
        timeout: seconds without a byte after which an attempt is given up; slow is not gone.
        attempts: failures in a row after which to give up; one that got further than all before is the first of a row.
        wait: sleeps for seconds (1, 2, 4, ... between failures in a row, or what the server asks for).

    Returns:
        the sha256 of the complete file, in hex.

    Raises:
        InputError: the address cannot be used, or the target cannot be written.
        TsproutError: it could not be fetched, or is not the file it should be. What has come is kept where it can be
            continued. The fix says where to put the file by hand; see :func:`failure`.
    """
    sha256 = sha256.lower() if sha256 else None
    job = _Job(url, Path(target), sha256, size, progress, timeout, attempts, wait, Lock(Path(target), wait))
    if why := bad_address(url):
        raise failure(url, job.target, why, kind=InputError)
    if done := job.finished():
        return done
    with job.disk():
        job.target.parent.mkdir(parents=True, exist_ok=True)
        job.lock.acquire()
    try:
        return job.finished() or _fetch(job)
    finally:
        job.lock.release()


def failure(
    url: str, target: Path, why: str, *, more: str = "", kind: type[TsproutError] = TsproutError
) -> TsproutError:
    """The error for a file that could not be had from ``url``, with how to put it at ``target`` by hand.

    Callers who know more (a page with a licence to accept, say) pass it as ``more``, or add it to ``fix`` of the error
    that :func:`download` raised.
    """
    fix = f"Download it by hand and put it at {target}; then run the same command again."
    return kind(f"could not download {url}: {why}", where=str(target), fix=f"{fix} {more}".rstrip())


@dataclass(frozen=True)
class _Job:
    """What was asked for."""

    url: str
    target: Path
    sha256: str | None
    size: int | None
    progress: Callable[[int, int | None], None] | None
    timeout: float
    attempts: int
    wait: Callable[[float], None]
    lock: Lock

    def finished(self) -> str | None:
        """The checksum of the target, where it is there and right."""
        with self.disk():
            if self.target.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if not self.target.exists() or self.size not in (None, self.target.stat().st_size):
                return None
            digest = file_digest(self.target)
        return digest if self.sha256 in (None, digest) else None

    def report(self, done: int, total: int | None) -> None:
        self.lock.renew()
        if self.progress is not None:
            self.progress(done, total)

    @contextmanager
    def disk(self) -> Iterator[None]:
        """Say what the operating system refused in the words of an error a person can act on."""
        try:
            yield
        except OSError as error:
            refused = from_os_error(error)
            refused.what = f"could not download {self.url}: {refused.what}"
            refused.where = str(self.target)
            if is_disk_full(error):
                refused.fix = "Free some space, then run the same command again; it goes on from what has come so far."
            raise refused from error


class _Part:
    """The bytes so far, and the notes on them."""

    def __init__(self, job: _Job) -> None:
        self.job = job
        self.body = job.target.with_name(f"{job.target.name}.part")
        self.paper = job.target.with_name(f"{job.target.name}.part.json")

    def length(self) -> int:
        """Bytes that are there, whatever they are."""
        try:
            return self.body.stat().st_size
        except OSError:
            return 0

    def usable(self) -> tuple[int, Notes]:
        """Bytes that may be continued, and the notes on them; 0 where it is not certain what they belong to."""
        url, sha256, size = self.job.url, self.job.sha256, self.job.size
        try:
            notes = Notes(**json.loads(self.paper.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return 0, Notes(url)
        length, total = self.length(), size if notes.total is None else notes.total
        known = notes.url == url and bool(notes.condition or sha256)
        fits = size in (None, total) and (total is None or length <= total)
        return (length, notes) if known and fits else (0, Notes(url))

    def begin(self, notes: Notes) -> None:
        """An empty part with its notes; the old bytes go first, so that they never stand beside the new notes."""
        with self.job.disk():
            self.body.unlink(missing_ok=True)
            self.note(notes)
            self.body.touch()

    def note(self, notes: Notes) -> None:
        with self.job.disk():
            fresh = self.paper.with_suffix(".new")
            fresh.write_text(json.dumps(asdict(notes)), encoding="utf-8")
            os.replace(fresh, self.paper)

    def discard(self) -> None:
        with self.job.disk():
            for path in (self.body, self.paper, self.paper.with_suffix(".new")):
                path.unlink(missing_ok=True)

    def failed(self, why: str) -> TsproutError:
        """The error of the whole download; says what is kept, and that a target of before is not the right one."""
        more = []
        if self.usable()[0]:
            more.append("What has come so far is kept, and the same command goes on from there.")
        if self.job.target.exists():
            more.append("The file that is there now is not the expected one (its size or checksum), so it is not used.")
        if self.job.sha256:
            more.append(f"Its sha256 must be {self.job.sha256}.")
        return failure(self.job.url, self.job.target, why, more=" ".join(more))


def _fetch(job: _Job) -> str:
    """The part brought to its end, checked and moved to the target; wrong bytes get one second chance."""
    part = _Part(job)
    digest = ""
    for _ in range(2):
        try:
            _bring(job, part)
        except TsproutError:
            if not part.usable()[0]:
                part.discard()
            raise
        with job.disk():
            digest = file_digest(part.body)
            if job.sha256 in (None, digest):
                with open(part.body, "rb+") as file:
                    os.fsync(file.fileno())
                os.replace(part.body, job.target)
                part.discard()
                return digest
        part.discard()
    raise part.failed(f"what comes is not the expected file (its sha256 is {digest})")


def _bring(job: _Job, part: _Part) -> None:
    """Attempt after attempt until the part is complete, or as many in a row have brought nothing."""
    furthest, failures = part.usable()[0], 0
    while True:
        try:
            return _attempt(job, part)
        except Trouble as trouble:
            failures = 1 if part.length() > furthest else failures + 1
            furthest = max(furthest, part.length())
            if not trouble.retry or failures >= job.attempts:
                raise part.failed(trouble.why) from trouble
            job.lock.renew()
            job.wait(max(trouble.after, min(2.0 ** (failures - 1), LONGEST_PAUSE)))


def _attempt(job: _Job, part: _Part) -> None:
    """One question, and its answer written to the part; returns only when the part is complete."""
    offset, notes = part.usable()
    if offset and offset == notes.total:
        return job.report(offset, offset)
    with ask(job.url, offset=offset, condition=notes.condition, timeout=job.timeout) as answer:
        head = b""
        if answer.status == 200:
            head = answer.head(HEAD)
            check_kind(answer, head, job.url)
            offset, notes = 0, Notes(job.url, answer.etag, answer.modified, answer.total)
            part.begin(notes)
        elif not offset or notes.differ(answer) or not answer.continues(offset):
            part.discard()
            raise Trouble("the file at the server has changed, or it sends another piece than asked for", retry=True)
        elif answer.total is not None:
            notes.total = answer.total
        if None not in (job.size, notes.total) and notes.total != job.size:
            part.discard()
            raise Trouble(f"the file at the server has {notes.total} bytes, and {job.size} were expected")
        done = offset if answer.status == 416 else _pour(job, part, answer, head, offset, notes.total)
    goal = job.size if notes.total is None else notes.total
    if goal is not None and done < goal:
        raise Trouble(f"the connection broke off after {done} of {goal} bytes", retry=True)
    if job.size is not None and done > job.size:
        part.discard()
        raise Trouble(f"the file at the server has more than the {job.size} bytes that were expected")
    notes.total = done
    part.note(notes)
    return job.report(done, done)


def _pour(job: _Job, part: _Part, answer: Answer, head: bytes, done: int, total: int | None) -> int:
    """Append ``head`` and what follows it to the part that has ``done`` bytes; the bytes it has then."""
    try:
        check_space(job.target, 0 if total is None else total - done)
    except InputError as error:
        raise failure(job.url, job.target, error.what, more="Free some space first.", kind=InputError) from error
    with job.disk():
        file = os.open(part.body, os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0))
    limit = total if total is not None or job.size is None else job.size + 1
    block = head
    try:
        job.report(done, total)
        while True:
            with job.disk():
                _append(file, block)
            done += len(block)
            if block:
                job.report(done, total)
            if limit is not None and done >= limit:
                return done
            block = answer.read(BLOCK if limit is None else min(BLOCK, limit - done))
            if not block:
                return done
    finally:
        os.close(file)


def _append(file: int, block: bytes) -> None:
    """Hand a block to the operating system, all of it, so that nothing waits in this process when it is killed."""
    rest = memoryview(block)
    while rest:
        rest = rest[os.write(file, rest) :]
